// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Attention of many rows: query vectors in tiles of M, keys and values in steps through shared memory, softmax as they
// come (Dao et al., FlashAttention-2, 2023). Query heads that share a kv head lie side by side in M: vector i of a kv
// head is head i % Group of row i / Group.
#pragma once
#include "attention_tiles.cuh"
#include "tensor_cores.cuh"

namespace flash {

/// e to the power of a difference of scores; those of masks that are added are natural.
constexpr float kLog2E = 1.44269504f;
template <bool IsNatural> __device__ inline float power(float difference) {
  return cores::power2(IsNatural ? difference * kLog2E : difference);
}

/// A number that a generic lambda takes as a constant.
template <int Value> struct Constant {
  static constexpr int value = Value;
};

/// The shared memory of attend(), in bytes. The parts of warps that divide the keys meet where keys and values were.
template <int TileM, int KeyWarps, int Keys, int D, int E, int KvBytes> constexpr int sharedBytes() {
  constexpr int StrideK = (D + 15) / 16 * 16 + 8, StrideV = (E + 15) / 16 * 16 + 8;
  constexpr int Stage = Keys * (StrideK + StrideV) * 2;
  constexpr int Steps = KvBytes == 2 ? 2 * Stage : Stage + Keys * (D + E) * KvBytes;
  constexpr int Parts = KeyWarps / 2 * (TileM / 16) * 32 * ((E + 15) / 16 * 8 + 4) * 4;
  return TileM * StrideK * 2 + (Steps > Parts ? Steps : Parts);
}

/// The attention of the TileM query vectors of `rows` over `cache`, by TileM / 16 x KeyWarps warps on the tensor cores.
/// A step is of `Keys` positions, which KeyWarps warps divide. `scale` holds the scale of the keys, too;
/// `valueScale` multiplies the values. D and E, the elements of a query and of a value, are multiples of 8; queries and
/// the cache's rows lie at multiples of 16 bytes (of 8, where f8 are read and D or E is no multiple of 16). T is bf16
/// or f16; the cache holds T or f8. Keys and values that no vector of the tile sees are not read.
template <int TileM, int KeyWarps, int Keys, int D, int E, typename T, typename Rows, typename Cache, typename Mask,
          typename Out>
__device__ inline void attend(const T *queries, const Rows &rows, const Cache &cache, const Mask &mask, float scale,
                              float valueScale, Out *out, uint8_t *shared) {
  using Kv = typename Cache::Element;
  constexpr bool Converts = sizeof(Kv) != sizeof(T);
  constexpr int RowWarps = TileM / 16, Threads = RowWarps * KeyWarps * 32, Own = Keys / KeyWarps;
  constexpr int PaddedD = (D + 15) / 16 * 16, PaddedE = (E + 15) / 16 * 16;
  // An odd number of 16-byte pieces a row: ldmatrix reads eight rows from different banks.
  constexpr int StrideK = PaddedD + 8, StrideV = PaddedE + 8, Stage = Keys * (StrideK + StrideV);
  constexpr int Piece = D % 16 || E % 16 ? 8 : 16; // f8 that are fetched at a time
  constexpr bool KeepsQueries = PaddedD <= 128;    // in registers
  static_assert(Own % 16 == 0 && D % 8 == 0 && E % 8 == 0);
  T *const queryTile = reinterpret_cast<T *>(shared), *const stages = queryTile + TileM * StrideK;
  Kv *const raw = reinterpret_cast<Kv *>(stages + Stage);
  const int lane = threadIdx.x % 32, rowWarp = threadIdx.x / 32 % RowWarps, keyWarp = threadIdx.x / 32 / RowWarps;
  const float factor = Mask::kIsAdded ? scale : scale * kLog2E; // of a product to a score
  const KeyRange span = rows.template span<TileM>();

  // One group of copies a step. What is not seen is not read: it may be nobody's page.
  const Kv *const nowhere = reinterpret_cast<const Kv *>(queries);
  // Where all positions of a step lie together, one that is seen leads to the others: no place is looked up for each.
  constexpr bool IsTogether = Cache::kTogether % Keys == 0;
  const auto fetchRows = [&](auto *to, int base, auto at, auto apart, auto size, auto padded, auto piece, int stride) {
    constexpr int Apart = decltype(apart)::value, Size = decltype(size)::value, Piece = decltype(piece)::value;
    constexpr int Pieces = decltype(padded)::value / Piece;
    const int known = min(max(base, span.begin), span.end - 1);
    const Kv *const start = IsTogether ? at(known) + int64_t(base - known) * Apart : nowhere;
    for (int i = threadIdx.x; i < Keys * Pieces; i += Threads) {
      const int row = i / Pieces, d = i % Pieces * Piece, s = base + row;
      const bool inside = s >= span.begin && s < span.end && d < Size;
      const Kv *const from = IsTogether ? start + int64_t(row) * Apart + d : inside ? at(s) + d : nowhere;
      cores::copyAsync<Piece *int(sizeof(Kv))>(to + row * stride + d, inside ? from : nowhere, inside);
    }
  };
  const auto fetch = [&](int base, int stage) {
    const auto key = [&](int s) { return cache.key(s); };
    const auto value = [&](int s) { return cache.value(s); };
    constexpr Constant<Cache::kKeysApart> keysApart;
    constexpr Constant<Cache::kValuesApart> valuesApart;
    if constexpr (Converts) {
      fetchRows(raw, base, key, keysApart, Constant<D>{}, Constant<D>{}, Constant<Piece>{}, D);
      fetchRows(raw + Keys * D, base, value, valuesApart, Constant<E>{}, Constant<E>{}, Constant<Piece>{}, E);
    } else {
      T *const k = stages + stage * Stage, *const v = k + Keys * StrideK;
      fetchRows(k, base, key, keysApart, Constant<D>{}, Constant<PaddedD>{}, Constant<8>{}, StrideK);
      fetchRows(v, base, value, valuesApart, Constant<E>{}, Constant<PaddedE>{}, Constant<8>{}, StrideV);
    }
    cores::commitCopies();
  };
  /// Each thread widens what it fetched itself.
  const auto widen = [&](const Kv *from, T *to, int size, int stride) {
    for (int i = threadIdx.x; i < Keys * (size / Piece); i += Threads) {
      T *const place = to + i / (size / Piece) * stride + i % (size / Piece) * Piece;
      for (int e = 0; e < Piece; e += 8) {
        const uint2 eight = *reinterpret_cast<const uint2 *>(from + i * Piece + e);
        *reinterpret_cast<uint4 *>(place + e) = {
            cores::widenPair<T>(uint16_t(eight.x)), cores::widenPair<T>(uint16_t(eight.x >> 16)),
            cores::widenPair<T>(uint16_t(eight.y)), cores::widenPair<T>(uint16_t(eight.y >> 16))};
      }
    }
  };

  for (int i = threadIdx.x; i < TileM * (PaddedD / 8); i += Threads) {
    const int m = i / (PaddedD / 8), d = i % (PaddedD / 8) * 8;
    const int64_t place = rows.place(m);
    const bool inside = place >= 0 && d < D;
    cores::copyAsync<16>(queryTile + m * StrideK + d, inside ? queries + place * D + d : queries, inside);
  }
  // Columns past the heads' multiply zeros, which must be numbers.
  if constexpr (Converts && (PaddedD != D || PaddedE != E))
    for (int i = threadIdx.x; i < Stage / 8; i += Threads)
      reinterpret_cast<uint4 *>(stages)[i] = {0, 0, 0, 0};
  const int firstStep = span.begin / Keys, steps = span.end > span.begin ? (span.end + Keys - 1) / Keys : firstStep;
  if (firstStep < steps)
    fetch(firstStep * Keys, 0);
  else
    cores::commitCopies();

  // Lane l holds, of the tiles of mma.m16n8k16, elements of vectors l / 4 and l / 4 + 8.
  const int vectors[2] = {rowWarp * 16 + lane / 4, rowWarp * 16 + lane / 4 + 8};
  const KeyRange seen[2] = {rows.range(vectors[0]), rows.range(vectors[1])};
  uint32_t kept[KeepsQueries ? PaddedD / 16 : 1][4];
  const auto loadQueries = [&](uint32_t (&a)[4], int kk) {
    cores::loadMatrices<false>(a, queryTile + (rowWarp * 16 + lane % 16) * StrideK + kk * 16 + lane / 16 * 8);
  };
  float sums[PaddedE / 8][4], largest[2] = {-kInfinity, -kInfinity}, mass[2] = {0.0f, 0.0f};
#pragma unroll
  for (int n = 0; n < PaddedE / 8; ++n)
    for (int e = 0; e < 4; ++e)
      sums[n][e] = 0.0f;

  for (int step = firstStep; step < steps; ++step) {
    cores::waitForCopies();
    __syncthreads();
    if constexpr (Converts) {
      widen(raw, stages, D, StrideK);
      widen(raw + Keys * D, stages + Keys * StrideK, E, StrideV);
      __syncthreads();
    }
    if (step + 1 < steps)
      fetch((step + 1) * Keys, (step + 1 - firstStep) % 2);
    if constexpr (KeepsQueries)
      if (step == firstStep)
#pragma unroll
        for (int kk = 0; kk < PaddedD / 16; ++kk)
          loadQueries(kept[kk], kk);
    const T *const k = stages + (Converts ? 0 : (step - firstStep) % 2) * Stage + keyWarp * Own * StrideK;
    const T *const v =
        stages + (Converts ? 0 : (step - firstStep) % 2) * Stage + Keys * StrideK + keyWarp * Own * StrideV;
    const int base = step * Keys + keyWarp * Own;
    const bool isSeen =
        (seen[0].begin < base + Own && seen[0].end > base) || (seen[1].begin < base + Own && seen[1].end > base);
    if (!__any_sync(kAllLanes, isSeen))
      continue;

    float scores[Own / 8][4];
#pragma unroll
    for (int j = 0; j < Own / 8; ++j)
      for (int e = 0; e < 4; ++e)
        scores[j][e] = 0.0f;
#pragma unroll(KeepsQueries ? 16 : 2)
    for (int kk = 0; kk < PaddedD / 16; ++kk) {
      uint32_t a[4];
      if constexpr (KeepsQueries)
        for (int i = 0; i < 4; ++i)
          a[i] = kept[kk][i];
      else
        loadQueries(a, kk);
#pragma unroll
      for (int j = 0; j < Own / 16; ++j) {
        uint32_t b[4];
        cores::loadMatrices<false>(b, k + (j * 16 + lane % 8 + lane / 16 * 8) * StrideK + kk * 16 + lane / 8 % 2 * 8);
        cores::multiply<T>(scores[2 * j], a, b[0], b[1]);
        cores::multiply<T>(scores[2 * j + 1], a, b[2], b[3]);
      }
    }

    const bool isWhole = !Mask::kExists && seen[0].begin <= base && seen[1].begin <= base &&
                         seen[0].end >= base + Own && seen[1].end >= base + Own;
    float rescale[2], shift[2];
#pragma unroll
    for (int j = 0; j < Own / 8; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int s = base + j * 8 + lane % 4 * 2 + e % 2;
        const float score = scores[j][e] * factor;
        if (isWhole)
          scores[j][e] = score;
        else
          scores[j][e] = s >= seen[e / 2].begin && s < seen[e / 2].end ? mask(score, vectors[e / 2], s) : -kInfinity;
      }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float most = largest[i];
#pragma unroll
      for (int j = 0; j < Own / 8; ++j)
        most = fmaxf(most, fmaxf(scores[j][2 * i], scores[j][2 * i + 1]));
      most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 1));
      most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 2));
      shift[i] = most == -kInfinity ? 0.0f : most;
      rescale[i] = power<Mask::kIsAdded>(largest[i] - shift[i]);
      largest[i] = most;
      mass[i] *= rescale[i];
    }
#pragma unroll
    for (int n = 0; n < PaddedE / 8; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e)
        sums[n][e] *= rescale[e / 2];
#pragma unroll
    for (int j = 0; j < Own / 8; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        scores[j][e] = power<Mask::kIsAdded>(scores[j][e] - shift[e / 2]);
        mass[e / 2] += scores[j][e];
      }
#pragma unroll
    for (int kk = 0; kk < Own / 16; ++kk) {
      const float (&low)[4] = scores[2 * kk], (&high)[4] = scores[2 * kk + 1];
      const uint32_t a[4] = {cores::packPair<T>(low[0], low[1]), cores::packPair<T>(low[2], low[3]),
                             cores::packPair<T>(high[0], high[1]), cores::packPair<T>(high[2], high[3])};
#pragma unroll
      for (int n = 0; n < PaddedE / 16; ++n) {
        uint32_t b[4];
        cores::loadMatrices<true>(b, v + (kk * 16 + lane % 16) * StrideV + n * 16 + lane / 16 * 8);
        cores::multiply<T>(sums[2 * n], a, b[0], b[1]);
        cores::multiply<T>(sums[2 * n + 1], a, b[2], b[3]);
      }
    }
  }
  cores::waitForCopies();

#pragma unroll
  for (int i = 0; i < 2; ++i) {
    mass[i] += __shfl_xor_sync(kAllLanes, mass[i], 1);
    mass[i] += __shfl_xor_sync(kAllLanes, mass[i], 2);
  }
  // Warps of the same vectors add their parts in pairs, always the same ones.
#pragma unroll
  for (int half = KeyWarps / 2; half > 0; half /= 2) {
    constexpr int Floats = PaddedE / 2 + 4; // of a lane
    float *const part = reinterpret_cast<float *>(stages) + (keyWarp % half * RowWarps + rowWarp) * Floats * 32 + lane;
    __syncthreads();
    if (keyWarp >= half && keyWarp < 2 * half) {
#pragma unroll
      for (int n = 0; n < PaddedE / 8; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e)
          part[(n * 4 + e) * 32] = sums[n][e];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        part[(PaddedE / 2 + i) * 32] = largest[i];
        part[(PaddedE / 2 + 2 + i) * 32] = mass[i];
      }
    }
    __syncthreads();
    if (keyWarp < half) {
      float mine[2], other[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float otherLargest = part[(PaddedE / 2 + i) * 32], most = fmaxf(largest[i], otherLargest);
        const float shift = most == -kInfinity ? 0.0f : most;
        mine[i] = power<Mask::kIsAdded>(largest[i] - shift);
        other[i] = power<Mask::kIsAdded>(otherLargest - shift);
        largest[i] = most;
        mass[i] = mass[i] * mine[i] + part[(PaddedE / 2 + 2 + i) * 32] * other[i];
      }
#pragma unroll
      for (int n = 0; n < PaddedE / 8; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e)
          sums[n][e] = sums[n][e] * mine[e / 2] + part[(n * 4 + e) * 32] * other[e / 2];
    }
  }
  if (keyWarp > 0)
    return;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int64_t place = rows.place(vectors[i]);
    if (place < 0)
      continue;
    const float share = mass[i] == 0.0f ? 0.0f : valueScale / mass[i];
#pragma unroll
    for (int n = 0; n < E / 8; ++n)
      cores::storePair(out, place * E + n * 8 + lane % 4 * 2, sums[n][2 * i] * share, sums[n][2 * i + 1] * share);
  }
}

/// The same for any sizes and element types: a warp a query vector, f32 products. Shared memory: D floats a warp.
template <int TileM, int Threads, int D, int E, typename T, typename Rows, typename Cache, typename Mask, typename Out>
__device__ inline void attendPlainly(const T *queries, const Rows &rows, const Cache &cache, const Mask &mask,
                                     float scale, float valueScale, Out *out, uint8_t *shared) {
  constexpr int Elements = (E + 31) / 32;
  constexpr float unit = Mask::kIsAdded ? kLog2E : 1.0f;
  const float factor = Mask::kIsAdded ? scale : scale * kLog2E;
  const int lane = threadIdx.x % 32;
  float *const query = reinterpret_cast<float *>(shared) + threadIdx.x / 32 * D;
  for (int m = threadIdx.x / 32; m < TileM; m += Threads / 32) {
    const int64_t place = rows.place(m);
    if (place < 0)
      continue;
    __syncwarp();
    for (int d = lane; d < D; d += 32)
      query[d] = load(queries, place * D + d);
    __syncwarp();
    const KeyRange seen = rows.range(m);
    float largest = -kInfinity, mass = 0.0f, sums[Elements] = {};
    for (int base = seen.begin; base < seen.end; base += 32) {
      float score = -kInfinity;
      if (base + lane < seen.end) {
        const auto *key = cache.key(base + lane);
        float product = 0.0f;
        for (int d = 0; d < D; ++d)
          product = fmaf(query[d], load(key, d), product);
        score = mask(product * factor, m, base + lane);
      }
      const float most = fmaxf(largest, warpMax(score)), shift = most == -kInfinity ? 0.0f : most;
      const float rescale = exp2f((largest - shift) * unit), weight = exp2f((score - shift) * unit);
      mass = mass * rescale + warpSum(weight);
      largest = most;
      for (float &sum : sums)
        sum *= rescale;
      const int count = min(32, seen.end - base);
      for (int s = 0; s < count; ++s) {
        const auto *value = cache.value(base + s);
        const float part = __shfl_sync(kAllLanes, weight, s);
        for (int e = 0; e < Elements; ++e)
          if (lane + 32 * e < E)
            sums[e] = fmaf(part, load(value, lane + 32 * e), sums[e]);
      }
    }
    const float share = mass == 0.0f ? 0.0f : valueScale / mass;
    for (int e = 0; e < Elements; ++e)
      if (lane + 32 * e < E)
        store(out, place * E + lane + 32 * e, sums[e] * share);
  }
}

} // namespace flash
