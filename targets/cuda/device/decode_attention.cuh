// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Attention of one row a sequence over its cached tokens, whose time is that of reading them. An item is a row and a kv
// head; a cluster of blocks takes items in turn. Each warp brings tiles of keys and values to shared memory some steps
// ahead, those of the next item while this one ends, and keeps a softmax of its own; warps, then the blocks of the
// cluster, are combined at the end of an item.
//
// Products are m16n8k16 with keys (then values, transposed) on the left and the heads that share them on the right:
//   scores[key, head] = K q^T,   sums[d, head] = V^T p^T.
#pragma once
#include "async.cuh"
#include "attention.cuh"
#include "small_matmul.cuh"

template <typename T> struct DecodeElement {
  using Type = bf16;
};
template <> struct DecodeElement<f8> { // exact in f16, by one instruction for two
  using Type = f16;
};

/// Cache: PagedCache of elements T, bf16 or f8; G heads of D elements share a key; D is a multiple of 16, of 32 if T is
/// f8. With HasOwn a row's own key and value, of the last position that it sees, are not read from the cache. `Items`
/// are taken by `Clusters` clusters in turn; a warp works on `Keys` keys at a time.
template <typename Cache, typename T, typename Batch, int G, int D, int Warps, int Stages, int Splits, int Keys,
          bool HasOwn, int Items, int Clusters>
struct DecodeAttention {
  static constexpr int Octets = (G + 7) / 8, Tiles = D / 16, Steps = (D + 31) / 32, Parts16 = Keys / 16;
  static constexpr int RowBytes = D * sizeof(T), Pieces = RowBytes / 16, TileBytes = Keys * RowBytes;
  static constexpr int StageBytes = 2 * TileBytes; // keys, values
  static constexpr bool IsF8 = sizeof(T) == 1, IsSwizzled = Pieces >= 4 && (Pieces & (Pieces - 1)) == 0;
  static constexpr int RingBytes = Warps * Stages * StageBytes, OwnBytes = 2 * RowBytes;
  // Of each warp: sums, maxima and sums of weights. The blocks of a cluster divide the results: each gets of all warps
  // its share of the sums, and all maxima and sums of weights. Some may push those of the next item while others read.
  static constexpr int Share = G * D / Splits, PartFloats = Share + 2 * G, Parts = Splits * Warps;
  static constexpr int Buffers = Splits > 1 && Items > Clusters ? 2 : 1;
  /// What the block needs: stages, the row's own key and value, what warps push.
  static constexpr int SharedBytes = RingBytes + OwnBytes + Buffers * Parts * PartFloats * 4;
  static_assert(G * D % Splits == 0 && Keys % 16 == 0 && Stages >= 2);
  using Element = typename DecodeElement<T>::Type; // of products

  uint8_t *shared;
  const uint8_t *pool;
  Batch batch;
  int rank; // of the block in its cluster

  /// What a block does of an item.
  struct Part {
    int sequence, head, start, stop; // positions that are seen
    int firstTile, tiles;
    /// Tiles of a warp.
    __device__ int count(int warp) const { return tiles > warp ? (tiles - warp + Warps - 1) / Warps : 0; }
  };

  // What the warp brings next: tile `step` of a part; where it goes; words of the sequence's table from word
  // `firstWord` on, one a lane, and those after them.
  Part part;
  int item, step, brought, firstWord, word, nextWord;
  typename Batch::Guess guess; // of the item after that
  int guessedWord;
  int used; // tiles that were brought and used
  int buffer;
  bool othersBegan; // blocks of the cluster

  __device__ static int lane() { return threadIdx.x % 32; }
  __device__ static int warp() { return threadIdx.x / 32; }
  __device__ uint8_t *stageOf(int tile) const { return shared + (warp() * Stages + tile % Stages) * StageBytes; }
  __device__ T *ownRow(bool isValue) const { return reinterpret_cast<T *>(shared + RingBytes + isValue * RowBytes); }
  __device__ float *partOf(int warp) const {
    return reinterpret_cast<float *>(shared + RingBytes + OwnBytes) + (buffer * Parts + warp) * PartFloats;
  }

  /// 16-byte pieces are exchanged so that what a warp reads at once lies in different banks.
  __device__ static int placeOf(int row, int piece, bool isValue) {
    if constexpr (IsSwizzled) {
      constexpr int Units = Pieces / 2;
      if (IsF8)
        piece = (((piece / 2) ^ ((isValue ? row / 2 : row) & (Units - 1) & 3)) * 2) + piece % 2;
      else if (isValue)
        piece ^= row & (Pieces - 1) & 7;
      else
        piece ^= (row & 1) * (Pieces / 2 < 4 ? Pieces / 2 : 4);
    }
    return row * RowBytes + piece * 16;
  }

  /// The block's part of what row `item / heads` sees.
  __device__ Part partOfItem(int item, typename Batch::Place place) const {
    const int first = place.start / Keys, all = place.stop > place.start ? (place.stop + Keys - 1) / Keys - first : 0;
    const int share = (all + Splits - 1) / Splits;
    return {place.sequence, item % Cache::kHeads, place.start,
            place.stop,     first + rank * share, max(min(share, all - rank * share), 0)};
  }

  /// Begins to bring the first tiles of item `first` and of those after it.
  __device__ void begin(int first) {
    if constexpr (Splits > 1)
      arriveInCluster();
    item = first;
    brought = used = buffer = 0;
    othersBegan = false;
    ask();
    take();
    for (int i = 0; i < Stages - 1; ++i)
      fetch();
  }

  /// Writes the row's own key and value to slot `slot` of a page.
  __device__ void storeOwn(uint8_t *page, int slot, int head) const {
    for (int i = threadIdx.x; i < 2 * Pieces; i += Warps * 32) {
      const bool isValue = i >= Pieces;
      uint8_t *row = page + ((int64_t(isValue) * Cache::kHeads + head) * Cache::kPageSize + slot) * RowBytes;
      reinterpret_cast<uint4 *>(row)[i % Pieces] = reinterpret_cast<const uint4 *>(ownRow(isValue))[i % Pieces];
    }
  }

  /// queries: G x D floats. `exponentScale` multiplies scores, log2(e) included.
  __device__ void run(const Part &part, const float *queries, float exponentScale, float valueScale) {
    const int g = lane() / 4, t = lane() % 4;
    float sums[Octets][Tiles][4] = {}, maximum[Octets][2], weights[Octets][2] = {};
    for (auto &octet : maximum)
      octet[0] = octet[1] = -kInfinity;
    if (const int all = part.count(warp())) {
      Pairs q[Octets][Steps];
      exponentScale *= loadQueries(queries, q);
      for (int i = 0; i < all; ++i) {
        fetch();
        cores::waitForCopies<Stages - 1>();
        __syncwarp();
        const int first = (part.firstTile + warp() + i * Warps) * Keys;
        uint8_t *stage = stageOf(used++);
        if (HasOwn && part.stop - 1 - first < Keys) {
          for (int j = lane(); j < 2 * Pieces; j += 32) {
            const bool isValue = j >= Pieces;
            *reinterpret_cast<uint4 *>(stage + isValue * TileBytes +
                                       placeOf(part.stop - 1 - first, j % Pieces, isValue)) =
                reinterpret_cast<const uint4 *>(ownRow(isValue))[j % Pieces];
          }
          __syncwarp();
        }
        add(stage, part.start - first, part.stop - first, q, exponentScale, sums, maximum, weights);
        __syncwarp();
      }
    }
    if constexpr (Splits > 1) {
      if (!othersBegan)
        waitForCluster();
      othersBegan = true;
    }
    for (int octet = 0; octet < Octets; ++octet)
      for (int i = 0; i < 2; ++i) {
        const int h = octet * 8 + t * 2 + i;
        float weight = weights[octet][i];
        for (int offset = 4; offset < 32; offset *= 2)
          weight += __shfl_xor_sync(kAllLanes, weight, offset);
        if (h >= G)
          continue;
        for (int tile = 0; tile < Tiles; ++tile)
          for (int half = 0; half < 2; ++half) {
            const int d = IsF8 ? tile / 2 * 32 + g * 4 + tile % 2 * 2 + half : tile * 16 + half * 8 + g;
            push(rank * Warps + warp(), (h * D + d) % Share, (h * D + d) / Share,
                 sums[octet][tile][half * 2 + i] * valueScale);
          }
        if (g < Splits) {
          push(rank * Warps + warp(), Share + 2 * h, g, maximum[octet][i]);
          push(rank * Warps + warp(), Share + 2 * h + 1, g, weight);
        }
      }
  }

  /// `write(h, d, y)` for the results; parts are added in the order of blocks and warps.
  template <typename Write> __device__ void finish(Write write) {
    static_assert(Splits <= 8);
    if constexpr (Splits > 1)
      syncCluster();
    else
      __syncthreads();
    // Several threads of a warp a result, where there are threads.
    constexpr int Each = Warps * 32 / Share >= 8 ? 8 : Warps * 32 / Share >= 4 ? 4 : Warps * 32 / Share >= 2 ? 2 : 1;
    for (int first = 0; first < Share; first += Warps * 32 / Each) {
      const int i = first + threadIdx.x / Each, flat = rank * Share + min(i, Share - 1), h = flat / D;
      Sum sum;
#pragma unroll
      for (int p = threadIdx.x % Each; p < Parts; p += Each) {
        const float *part = partOf(p);
        sum.add(part[Share + 2 * h], part[Share + 2 * h + 1], part[flat % Share]);
      }
      for (int offset = 1; offset < Each; offset *= 2)
        sum.add(__shfl_xor_sync(kAllLanes, sum.maximum, offset), __shfl_xor_sync(kAllLanes, sum.weight, offset),
                __shfl_xor_sync(kAllLanes, sum.value, offset));
      if (threadIdx.x % Each == 0 && i < Share)
        write(h, flat % D, sum.result());
    }
    if constexpr (Buffers > 1)
      buffer ^= 1;
  }

private:
  /// Parts of a softmax, together.
  struct Sum {
    float maximum = -kInfinity, weight = 0.0f, value = 0.0f;
    __device__ void add(float otherMaximum, float otherWeight, float otherValue) {
      const float most = fmaxf(maximum, otherMaximum);
      const float mine = maximum == -kInfinity ? 0.0f : exp2f(maximum - most),
                  theirs = otherMaximum == -kInfinity ? 0.0f : exp2f(otherMaximum - most);
      weight = weight * mine + otherWeight * theirs;
      value = value * mine + otherValue * theirs;
      maximum = most;
    }
    __device__ float result() const { return weight > 0.0f ? value / weight : 0.0f; }
  };

  /// Puts a float into place `i` of part `from` of a block of the cluster.
  __device__ void push(int from, int i, int block, float value) const {
    if constexpr (Splits > 1)
      storeRemote(partOf(from) + i, block, value);
    else
      partOf(from)[i] = value;
  }

  //===--- Bringing --------------------------------------------------------===//

  /// Begins to read where item `item` is.
  __device__ void ask() {
    if (item < Items) {
      const int row = item / Cache::kHeads;
      guess = batch.guess(row);
      guessedWord = wordOf(row, 0);
    }
  }
  __device__ int wordOf(int sequence, int first) const {
    return first + lane() < Batch::kPages ? batch.tables[sequence * Batch::kPages + first + lane()] : 0;
  }
  /// Goes on with item `item`.
  __device__ void take() {
    const int row = item / Cache::kHeads;
    part = partOfItem(item, batch.find(row, guess));
    step = 0;
    firstWord = part.sequence == row ? 0 : -64;
    word = guessedWord;
    if (part.sequence == row && 32 * Cache::kPageSize < part.stop)
      nextWord = wordOf(row, 32);
    item += Clusters;
    if (Items > Clusters)
      ask();
  }

  /// Word `page` of the table.
  __device__ int pageAt(int page) {
    if (page >= firstWord + 32 || page < firstWord) {
      const int first = page / 32 * 32;
      word = first == firstWord + 32 ? nextWord : wordOf(part.sequence, first);
      firstWord = first;
      if ((first + 32) * Cache::kPageSize < part.stop)
        nextWord = wordOf(part.sequence, first + 32);
    }
    return __shfl_sync(kAllLanes, word, page - firstWord);
  }

  /// Begins to bring the warp's next tile, if there is one.
  __device__ void fetch() {
    if constexpr (Items > Clusters)
      while (step >= part.count(warp()) && item < Items)
        take();
    if (step < part.count(warp())) {
      const int first = (part.firstTile + warp() + step++ * Warps) * Keys, stop = part.stop - HasOwn;
      uint8_t *stage = stageOf(brought++);
      constexpr int Rows = Cache::kPageSize % Keys == 0 ? Keys : 16; // that one page holds
#pragma unroll
      for (int group = 0; group < Keys; group += Rows) {
        const uint8_t *keys = nullptr;
        if constexpr (Cache::kPageSize % Rows == 0) {
          const int position = min(first + group, part.stop - 1);
          keys = pool + int64_t(pageAt(position / Cache::kPageSize)) * int64_t(Cache::kStride) +
                 (part.head * Cache::kPageSize + (first + group) % Cache::kPageSize) * RowBytes;
        }
#pragma unroll
        for (int i = 0; i < (Rows * Pieces + 31) / 32; ++i) {
          const int index = i * 32 + lane(), row = index / Pieces, piece = index % Pieces;
          if (Rows * Pieces % 32 && index >= Rows * Pieces)
            break;
          const int position = first + group + row;
          const bool inside = position >= part.start && position < stop;
          const uint8_t *key;
          if constexpr (Cache::kPageSize % Rows == 0)
            key = keys + row * RowBytes;
          else
            key = reinterpret_cast<const uint8_t *>(Cache{pool, batch.tables + part.sequence * Batch::kPages}.row(
                inside ? position : part.start, part.head, false));
          key += piece * 16;
          cores::copyAsync<16>(stage + placeOf(group + row, piece, false), key, inside);
          cores::copyAsync<16>(stage + TileBytes + placeOf(group + row, piece, true),
                               key + Cache::kHeads * Cache::kPageSize * RowBytes, inside);
        }
      }
    }
    cores::commitCopies();
  }

  //===--- Products --------------------------------------------------------===//

  /// The queries as fragments, divided by a power of two where they are too large for the elements of products; that
  /// is what scores have to be multiplied by.
  __device__ float loadQueries(const float *queries, Pairs (&q)[Octets][Steps]) const {
    const int g = lane() / 4, t = lane() % 4;
    float factor = 1.0f, most = 0.0f;
    if constexpr (IsF8) {
      for (int i = lane(); i < G * D; i += 32)
        most = fmaxf(most, fabsf(queries[i]));
      most = warpMax(most);
      if (most > 32768.0f)
        for (; most > 32768.0f && factor < 1e36f; most *= 0.5f)
          factor *= 2.0f;
    }
    const float divided = 1.0f / factor;
    for (int octet = 0; octet < Octets; ++octet)
      for (int j = 0; j < Steps; ++j) {
        const float *from = queries + (octet * 8 + g) * D + j * 32 + t * 8;
        const bool inside = octet * 8 + g < G && j * 32 + t * 8 < D;
        for (int i = 0; i < 4; ++i)
          q[octet][j].p[i] = inside ? cores::packPair<Element>(from[2 * i] * divided, from[2 * i + 1] * divided) : 0;
      }
    return factor;
  }

  __device__ static Pairs loadKeys(const uint8_t *p) {
    if constexpr (IsF8) {
      const uint2 v = *reinterpret_cast<const uint2 *>(p);
      return {{cores::widenPair<f16>(v.x), cores::widenPair<f16>(v.x >> 16), cores::widenPair<f16>(v.y),
               cores::widenPair<f16>(v.y >> 16)}};
    } else {
      return loadSharedPairs(reinterpret_cast<const T *>(p));
    }
  }

  /// Adds rows [from, to) of a tile.
  __device__ void add(const uint8_t *stage, int from, int to, const Pairs (&q)[Octets][Steps], float exponentScale,
                      float (&sums)[Octets][Tiles][4], float (&maximum)[Octets][2], float (&weights)[Octets][2]) {
#ifdef LOADS_ONLY
    weights[0][0] += float(*reinterpret_cast<const int *>(stage + lane() * 16) & 1);
    maximum[0][0] = 0;
    return;
#endif
    const int g = lane() / 4, t = lane() % 4;
    float scores[Parts16][Octets][4] = {};
#pragma unroll
    for (int j = 0; j < Steps; ++j)
#pragma unroll
      for (int m = 0; m < Parts16; ++m) {
        Pairs low{{0, 0, 0, 0}}, high{{0, 0, 0, 0}};
        const int byte = (j * 32 + t * 8) * int(sizeof(T)); // in a row
        if (D % 32 == 0 || j * 32 + t * 8 < D) {
          low = loadKeys(stage + placeOf(m * 16 + g, byte / 16, false) + byte % 16);
          high = loadKeys(stage + placeOf(m * 16 + g + 8, byte / 16, false) + byte % 16);
        }
        const uint32_t even[4] = {low.p[0], high.p[0], low.p[1], high.p[1]};
        const uint32_t odd[4] = {low.p[2], high.p[2], low.p[3], high.p[3]};
        for (int octet = 0; octet < Octets; ++octet) {
          cores::multiply<Element>(scores[m][octet], even, q[octet][j].p[0], q[octet][j].p[1]);
          cores::multiply<Element>(scores[m][octet], odd, q[octet][j].p[2], q[octet][j].p[3]);
        }
      }
    // Scores in units of log 2, and their maxima.
    const bool isWhole = from <= 0 && to >= Keys;
    float most[Octets][2];
    bool grows = false;
    for (int octet = 0; octet < Octets; ++octet)
      for (int i = 0; i < 2; ++i) {
        most[octet][i] = maximum[octet][i];
        for (int m = 0; m < Parts16; ++m)
          for (int half = 0; half < 2; ++half) {
            float &score = scores[m][octet][half * 2 + i];
            const int key = m * 16 + half * 8 + g;
            score = isWhole || (key >= from && key < to) ? score * exponentScale : -kInfinity;
            most[octet][i] = fmaxf(most[octet][i], score);
          }
        grows |= most[octet][i] > maximum[octet][i];
      }
    if (__any_sync(kAllLanes, grows))
      for (int octet = 0; octet < Octets; ++octet)
        for (int i = 0; i < 2; ++i) {
          for (int offset = 4; offset < 32; offset *= 2)
            most[octet][i] = fmaxf(most[octet][i], __shfl_xor_sync(kAllLanes, most[octet][i], offset));
          const float rescale = cores::power2(maximum[octet][i] - most[octet][i]);
          maximum[octet][i] = most[octet][i];
          weights[octet][i] *= rescale;
          for (auto &tile : sums[octet]) {
            tile[i] *= rescale;
            tile[2 + i] *= rescale;
          }
        }
    uint32_t p[Parts16][Octets][2];
    for (int m = 0; m < Parts16; ++m)
      for (int octet = 0; octet < Octets; ++octet) {
        float (&s)[4] = scores[m][octet];
        for (int i = 0; i < 4; ++i) {
          s[i] = cores::power2(s[i] - maximum[octet][i % 2]);
          weights[octet][i % 2] += s[i];
        }
        p[m][octet][0] = cores::transpose(cores::packPair<Element>(s[0], s[1]));
        p[m][octet][1] = cores::transpose(cores::packPair<Element>(s[2], s[3]));
      }
    const uint8_t *values = stage + TileBytes;
#pragma unroll
    for (int m = 0; m < Parts16; ++m)
      if constexpr (IsF8) {
#pragma unroll
        for (int j = 0; j < D / 32; ++j) {
          uint32_t words[4]; // of keys 2t, 2t + 1, 2t + 8, 2t + 9: four elements from j * 32 + g * 4 each
          for (int i = 0; i < 4; ++i) {
            const int key = m * 16 + 2 * t + i % 2 + i / 2 * 8;
            words[i] = *reinterpret_cast<const uint32_t *>(values + placeOf(key, j * 2 + g / 4, true) + g % 4 * 4);
          }
          for (int i = 0; i < 2; ++i) {
            // Neighbouring keys in one word, for elements 2i and 2i + 1.
            const uint32_t order = i == 0 ? 0x5140 : 0x7362;
            const uint32_t first = __byte_perm(words[0], words[1], order),
                           second = __byte_perm(words[2], words[3], order);
            const uint32_t a[4] = {cores::widenPair<f16>(first), cores::widenPair<f16>(first >> 16),
                                   cores::widenPair<f16>(second), cores::widenPair<f16>(second >> 16)};
            for (int octet = 0; octet < Octets; ++octet)
              cores::multiply<f16>(sums[octet][j * 2 + i], a, p[m][octet][0], p[m][octet][1]);
          }
        }
      } else {
#pragma unroll
        for (int tile = 0; tile < Tiles; ++tile) {
          uint32_t a[4];
          cores::loadMatrices<true>(
              a, values + placeOf(m * 16 + lane() % 8 + lane() / 16 * 8, tile * 2 + lane() / 8 % 2, true));
          for (int octet = 0; octet < Octets; ++octet)
            cores::multiply<bf16>(sums[octet][tile], a, p[m][octet][0], p[m][octet][1]);
        }
      }
  }
};
