// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Attention of one row a sequence over its cached tokens, whose time is that of reading them. Each warp brings tiles of
// 16 keys and values to shared memory some steps ahead and keeps a softmax of its own; warps, then the blocks of a
// cluster, are combined at the end.
//
// Products are m16n8k16 with keys (then values, transposed) on the left and the heads that share them on the right:
//   scores[key, head] = K q^T,   sums[d, head] = V^T p^T.
#pragma once
#include "attention.cuh"
#include "small_matmul.cuh"

/// An 8 x 8 matrix of 16-bit elements, two a lane, transposed.
__device__ inline uint32_t transpose(uint32_t pair) {
  uint32_t result;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(result) : "r"(pair));
  return result;
}

/// Cache: PagedCache of elements T, bf16 or f8; G heads of D elements share a key; a multiple of 16, of 32 if T is f8.
template <typename Cache, typename T, int G, int D, int Warps, int Stages, int Splits> struct DecodeAttention {
  static constexpr int Keys = 16, Octets = (G + 7) / 8, Tiles = D / 16, Steps = (D + 31) / 32;
  static constexpr int RowBytes = D * sizeof(T), Pieces = RowBytes / 16, TileBytes = Keys * RowBytes;
  static constexpr int StageBytes = 2 * TileBytes; // keys, values
  static constexpr bool IsF8 = sizeof(T) == 1, IsSwizzled = Pieces >= 4 && (Pieces & (Pieces - 1)) == 0;
  static constexpr int PartFloats = G * (D + 2); // of a warp: sums, maximum, sum of weights
  static constexpr int RingBytes = Warps * Stages * StageBytes;
  // The blocks of a cluster divide the results: each gets of all warps its share of the sums, and all maxima and sums
  // of weights.
  static constexpr int Share = G * D / Splits, PushedFloats = Splits > 1 ? Share + 2 * G : 0, Parts = Splits * Warps;
  /// What the block needs: stages, the row's own key and value, what other blocks push.
  static constexpr int SharedBytes = RingBytes + StageBytes + Parts * PushedFloats * 4;
  static_assert(PartFloats * 4 <= Stages * StageBytes); // a warp's part takes the place of its stages
  static_assert(G * D % Splits == 0);

  uint8_t *shared;
  Cache cache;
  int head, rank;       // of keys and values; of the block in its cluster
  int start, stop;      // positions that are read from the cache
  int firstTile, tiles; // of the block
  int step;             // tiles that the warp has begun to bring

  __device__ static int lane() { return threadIdx.x % 32; }
  __device__ static int warp() { return threadIdx.x / 32; }
  __device__ uint8_t *stageOf(int tile) const { return shared + (warp() * Stages + tile % Stages) * StageBytes; }
  __device__ T *ownRow(bool isValue) const { return reinterpret_cast<T *>(shared + RingBytes + isValue * TileBytes); }
  __device__ float *partOfWarp(int warp) const {
    return reinterpret_cast<float *>(shared + warp * Stages * StageBytes);
  }
  __device__ float *pushed(int part) const {
    return reinterpret_cast<float *>(shared + RingBytes + StageBytes) + part * PushedFloats;
  }
  /// Tiles of this warp.
  __device__ int count() const { return tiles > warp() ? (tiles - warp() + Warps - 1) / Warps : 0; }

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

  /// Says which positions the row sees in the cache, and begins to bring the first of them.
  __device__ void begin(int from, int to) {
    if constexpr (Splits > 1)
      arriveInCluster();
    start = from;
    stop = to;
    const int first = start / Keys, all = stop > start ? (stop + Keys - 1) / Keys - first : 0;
    const int share = (all + Splits - 1) / Splits;
    firstTile = first + rank * share;
    tiles = max(min(share, all - rank * share), 0);
    for (step = 0; step < Stages - 1; ++step)
      fetch();
  }

  /// Makes the tile of the row's own key and value: zeros but for its first row, which is written later.
  __device__ void clearOwn() {
    for (int i = threadIdx.x; i < StageBytes / 16; i += Warps * 32)
      reinterpret_cast<uint4 *>(shared + RingBytes)[i] = {0, 0, 0, 0};
  }

  /// Writes the row's own key and value to slot `slot` of a page.
  __device__ void storeOwn(uint8_t *page, int slot) const {
    for (int i = threadIdx.x; i < 2 * Pieces; i += Warps * 32) {
      const bool isValue = i >= Pieces;
      uint8_t *row = page + ((int64_t(isValue) * Cache::kHeads + head) * Cache::kPageSize + slot) * RowBytes;
      reinterpret_cast<uint4 *>(row)[i % Pieces] = reinterpret_cast<const uint4 *>(ownRow(isValue))[i % Pieces];
    }
  }

  /// queries: G x D floats. `exponentScale` multiplies scores, log2(e) included. With `hasOwn` the row's own key and
  /// value are seen, too.
  __device__ void run(const float *queries, float exponentScale, float valueScale, bool hasOwn) {
    const int g = lane() / 4, t = lane() % 4;
    Pairs q[Octets][Steps];
    for (int octet = 0; octet < Octets; ++octet)
      for (int j = 0; j < Steps; ++j) {
        const float *from = queries + (octet * 8 + g) * D + j * 32 + t * 8;
        const bool inside = octet * 8 + g < G && j * 32 + t * 8 < D;
        for (int i = 0; i < 4; ++i)
          q[octet][j].p[i] = inside ? packBf16(from[2 * i], from[2 * i + 1]) : 0;
      }
    float sums[Octets][Tiles][4] = {}, maximum[Octets][2], weights[Octets][2] = {};
    for (auto &octet : maximum)
      octet[0] = octet[1] = -kInfinity;

    const int all = count();
    for (int i = 0; i < all; ++i) {
      fetch();
      ++step;
      cores::waitForCopies<Stages - 1>();
      __syncwarp();
      const int first = (firstTile + warp() + i * Warps) * Keys;
      add(stageOf(i), max(start - first, 0), stop - first, q, exponentScale, sums, maximum, weights);
      __syncwarp();
    }
    cores::waitForCopies();
    if (hasOwn && rank == 0 && warp() == Warps - 1)
      add(shared + RingBytes, 0, 1, q, exponentScale, sums, maximum, weights);

    __syncwarp();
    if constexpr (Splits > 1)
      waitForCluster();
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
            const float value = sums[octet][tile][half * 2 + i] * valueScale;
            if constexpr (Splits > 1)
              storeRemote(pushed(rank * Warps + warp()) + (h * D + d) % Share, (h * D + d) / Share, value);
            else
              partOfWarp(warp())[h * (D + 2) + d] = value;
          }
        if constexpr (Splits > 1) {
          if (g < Splits) {
            float *to = pushed(rank * Warps + warp()) + Share + 2 * h;
            storeRemote(to, g, maximum[octet][i]);
            storeRemote(to + 1, g, weight);
          }
        } else if (g == 0) {
          partOfWarp(warp())[h * (D + 2) + D] = maximum[octet][i];
          partOfWarp(warp())[h * (D + 2) + D + 1] = weight;
        }
      }
  }

  /// `write(h, d, y)` for the results; parts are added in the order of blocks and warps.
  template <typename Write> __device__ void finish(Write write) {
    if constexpr (Splits == 1) {
      __syncthreads();
      for (int i = threadIdx.x; i < G * D; i += Warps * 32) {
        const int h = i / D, d = i % D;
        Sum sum;
#pragma unroll
        for (int w = 0; w < Warps; ++w) {
          const float *part = partOfWarp(w) + h * (D + 2);
          sum.add(part[D], part[D + 1], part[d]);
        }
        write(h, d, sum.result());
      }
    } else {
      static_assert(Splits <= 8);
      syncCluster();
      // Several threads of a warp a result, where there are threads.
      constexpr int Each = Warps * 32 / Share >= 8 ? 8 : Warps * 32 / Share >= 4 ? 4 : Warps * 32 / Share >= 2 ? 2 : 1;
      for (int first = 0; first < Share; first += Warps * 32 / Each) {
        const int i = first + threadIdx.x / Each, flat = rank * Share + min(i, Share - 1), h = flat / D;
        Sum sum;
#pragma unroll
        for (int p = threadIdx.x % Each; p < Parts; p += Each) {
          const float *part = pushed(p);
          sum.add(part[Share + 2 * h], part[Share + 2 * h + 1], part[flat % Share]);
        }
        for (int offset = 1; offset < Each; offset *= 2)
          sum.add(__shfl_xor_sync(kAllLanes, sum.maximum, offset), __shfl_xor_sync(kAllLanes, sum.weight, offset),
                  __shfl_xor_sync(kAllLanes, sum.value, offset));
        if (threadIdx.x % Each == 0 && i < Share)
          write(h, flat % D, sum.result());
      }
    }
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

  /// Begins to bring the warp's tile `step`; rows outside what is seen become zeros.
  __device__ void fetch() {
    if (step < count()) {
      const int first = (firstTile + warp() + step * Warps) * Keys;
      uint8_t *stage = stageOf(step);
      const T *keys = cache.row(first, head, false), *values = cache.row(first, head, true);
#pragma unroll
      for (int i = 0; i < (Keys * Pieces + 31) / 32; ++i) {
        const int index = i * 32 + lane(), row = index / Pieces, piece = index % Pieces;
        if (Keys * Pieces % 32 && index >= Keys * Pieces)
          break;
        const bool inside = first + row >= start && first + row < stop;
        const T *key, *value;
        if constexpr (Cache::kPageSize % Keys == 0) { // one page holds the tile
          key = keys + row * D;
          value = values + row * D;
        } else {
          key = cache.row(inside ? first + row : start, head, false);
          value = cache.row(inside ? first + row : start, head, true);
        }
        cores::copyAsync<16>(stage + placeOf(row, piece, false), reinterpret_cast<const uint8_t *>(key) + piece * 16,
                             inside);
        cores::copyAsync<16>(stage + TileBytes + placeOf(row, piece, true),
                             reinterpret_cast<const uint8_t *>(value) + piece * 16, inside);
      }
    }
    cores::commitCopies();
  }

  /// Adds rows [from, to) of a tile.
  __device__ void add(const uint8_t *stage, int from, int to, const Pairs (&q)[Octets][Steps], float exponentScale,
                      float (&sums)[Octets][Tiles][4], float (&maximum)[Octets][2], float (&weights)[Octets][2]) {
    const int g = lane() / 4, t = lane() % 4;
    float scores[Octets][4] = {};
#pragma unroll
    for (int j = 0; j < Steps; ++j) {
      Pairs low{{0, 0, 0, 0}}, high{{0, 0, 0, 0}};
      const int byte = (j * 32 + t * 8) * int(sizeof(T)); // in a row
      if (D % 32 == 0 || j * 32 + t * 8 < D) {
        low = loadSharedPairs(reinterpret_cast<const T *>(stage + placeOf(g, byte / 16, false) + byte % 16));
        high = loadSharedPairs(reinterpret_cast<const T *>(stage + placeOf(g + 8, byte / 16, false) + byte % 16));
      }
      const uint32_t even[4] = {low.p[0], high.p[0], low.p[1], high.p[1]};
      const uint32_t odd[4] = {low.p[2], high.p[2], low.p[3], high.p[3]};
      for (int octet = 0; octet < Octets; ++octet) {
        cores::multiply<bf16>(scores[octet], even, q[octet][j].p[0], q[octet][j].p[1]);
        cores::multiply<bf16>(scores[octet], odd, q[octet][j].p[2], q[octet][j].p[3]);
      }
    }
    uint32_t p[Octets][2];
    for (int octet = 0; octet < Octets; ++octet) {
      for (int i = 0; i < 2; ++i) {
        float &low = scores[octet][i], &high = scores[octet][2 + i];
        low = g >= from && g < to ? low * exponentScale : -kInfinity;
        high = g + 8 >= from && g + 8 < to ? high * exponentScale : -kInfinity;
        float most = fmaxf(maximum[octet][i], fmaxf(low, high));
        for (int offset = 4; offset < 32; offset *= 2)
          most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, offset));
        const float rescale = exp2f(maximum[octet][i] - most);
        maximum[octet][i] = most;
        low = exp2f(low - most);
        high = exp2f(high - most);
        weights[octet][i] = weights[octet][i] * rescale + low + high;
        for (auto &tile : sums[octet]) {
          tile[i] *= rescale;
          tile[2 + i] *= rescale;
        }
      }
      const float (&s)[4] = scores[octet];
      p[octet][0] = transpose(IsF8 ? cores::packPair<f16>(s[0], s[1]) : packBf16(s[0], s[1]));
      p[octet][1] = transpose(IsF8 ? cores::packPair<f16>(s[2], s[3]) : packBf16(s[2], s[3]));
    }
    const uint8_t *values = stage + TileBytes;
    if constexpr (IsF8) {
#pragma unroll
      for (int j = 0; j < D / 32; ++j) {
        uint32_t words[4]; // of keys 2t, 2t + 1, 2t + 8, 2t + 9: four elements from j * 32 + g * 4 each
        for (int i = 0; i < 4; ++i) {
          const int key = 2 * t + i % 2 + i / 2 * 8;
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
            cores::multiply<f16>(sums[octet][j * 2 + i], a, p[octet][0], p[octet][1]);
        }
      }
    } else {
#pragma unroll
      for (int tile = 0; tile < Tiles; ++tile) {
        uint32_t a[4];
        cores::loadMatrices<true>(a, values + placeOf(lane() % 8 + lane() / 16 * 8, tile * 2 + lane() / 8 % 2, true));
        for (int octet = 0; octet < Octets; ++octet)
          cores::multiply<bf16>(sums[octet][tile], a, p[octet][0], p[octet][1]);
      }
    }
  }
};
