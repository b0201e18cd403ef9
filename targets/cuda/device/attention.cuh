// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Attention over paged keys and values: rows of queries of one kv head against the cached tokens of a sequence.
#pragma once
#include "prelude.cuh"

/// One layer of a pool: pages of [K, V][heads][PageSize][D] elements, `Stride` bytes from page to page.
template <typename T, int PageSize, int D, int Heads, int64_t Stride> struct PagedCache {
  const uint8_t *pool;
  const int32_t *table; // of the sequence
  static constexpr int kPageSize = PageSize, kHeads = Heads, kSize = D;
  static constexpr int64_t kStride = Stride;

  __device__ const T *row(int position, int head, bool isValue) const {
    const uint8_t *page = pool + int64_t(table[position / PageSize]) * Stride;
    return reinterpret_cast<const T *>(page) +
           ((int64_t(isValue) * Heads + head) * PageSize + position % PageSize) * D;
  }
};

/// The row's sequence; -1 for padding. Offsets ascend, `Sequences + 1` of them.
template <int Sequences> __device__ inline int sequenceOf(const int32_t *offsets, int row) {
  if (row >= offsets[Sequences])
    return -1;
  int low = 0, high = Sequences; // offsets[low] <= row < offsets[high]
  while (high - low > 1) {
    int middle = (low + high) / 2;
    (offsets[middle] <= row ? low : high) = middle;
  }
  return low;
}

/// Batches whose rows are as many as their sequences: mostly, row i is that of sequence i. `Pages` of a sequence's
/// table; `Window` 0: a row sees all before.
template <int Sequences, int Pages, int Window> struct DecodeBatch {
  const int32_t *offsets, *lengths, *tables;
  static constexpr int kPages = Pages;

  /// What is read at once in the hope that the row is that of the sequence of its number.
  struct Guess {
    int begin, end, length;
  };
  /// Positions that a row sees; sequence -1 and no positions for padding.
  struct Place {
    int sequence, start, stop;
  };
  __device__ Guess guess(int row) const { return {offsets[row], offsets[row + 1], lengths[row]}; }
  __device__ Place find(int row, Guess guess) const {
    int sequence = row;
    if (row < guess.begin || row >= guess.end) {
      sequence = sequenceOf<Sequences>(offsets, row);
      if (sequence < 0)
        return {-1, 0, 0};
      guess.end = offsets[sequence + 1];
      guess.length = lengths[sequence];
    }
    const int stop = max(guess.length - (guess.end - 1 - row), 0);
    return {sequence, Window > 0 ? max(stop - Window, 0) : 0, stop};
  }
  __device__ Place find(int row) const { return find(row, guess(row)); }
};

/// Part of a softmax over some keys, for G heads: maximum, sum and weighted values; lane l of a warp holds elements
/// l, l + 32, ... of a head.
template <int G, int D> struct Partial {
  static constexpr int Elements = (D + 31) / 32;
  float maximum[G], sum[G], values[G][Elements];
};

/// Keys `first`, `first + step`, ... 32 at a time, up to `stop`, by one warp. `queries` are G x D floats, already
/// multiplied by scale and log2(e).
template <int G, int D, typename Cache>
__device__ inline void attend(const float *queries, const Cache &cache, int head, int first, int stop, int step,
                              float keyScale, float valueScale, Partial<G, D> &part) {
  const int lane = threadIdx.x % 32;
  for (int h = 0; h < G; ++h) {
    part.maximum[h] = -kInfinity;
    part.sum[h] = 0.0f;
    for (float &value : part.values[h])
      value = 0.0f;
  }
  for (int base = first; base < stop; base += step) {
    const int position = base + lane;
    float scores[G];
    for (float &score : scores)
      score = position < stop ? 0.0f : -kInfinity;
    if (position < stop) {
      const auto *key = cache.row(position, head, false);
#pragma unroll 4
      for (int d = 0; d < D; d += 8) {
        float k[8];
        loadEight(key + d, k);
        for (int h = 0; h < G; ++h)
          for (int i = 0; i < 8; ++i)
            scores[h] = fmaf(queries[h * D + d + i], k[i], scores[h]);
      }
    }
    for (int h = 0; h < G; ++h) {
      scores[h] *= keyScale;
      const float maximum = fmaxf(part.maximum[h], warpMax(scores[h]));
      const float rescale = exp2f(part.maximum[h] - maximum);
      scores[h] = exp2f(scores[h] - maximum);
      part.sum[h] = part.sum[h] * rescale + warpSum(scores[h]);
      part.maximum[h] = maximum;
      for (float &value : part.values[h])
        value *= rescale;
    }
    const int count = min(32, stop - base);
#pragma unroll 8
    for (int s = 0; s < count; ++s) {
      const auto *row = cache.row(base + s, head, true);
      float values[Partial<G, D>::Elements];
      for (int e = 0; e < Partial<G, D>::Elements; ++e)
        values[e] = lane + 32 * e < D ? load(row, lane + 32 * e) * valueScale : 0.0f;
      for (int h = 0; h < G; ++h) {
        const float weight = __shfl_sync(kAllLanes, scores[h], s);
        for (int e = 0; e < Partial<G, D>::Elements; ++e)
          part.values[h][e] = fmaf(weight, values[e], part.values[h][e]);
      }
    }
  }
}

/// Floats of shared memory that combine() needs.
template <int G, int D, int Warps> constexpr int kCombineFloats = Warps * G * (D + 2);

/// The attention of G heads from the parts of all warps of the block, added in the order of the warps. `write(h, d, y)`
/// takes the results.
template <int G, int D, int Warps, typename Write>
__device__ inline void combine(const Partial<G, D> &part, float *scratch, Write write) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  float *mine = scratch + warp * G * (D + 2);
  for (int h = 0; h < G; ++h) {
    for (int e = 0; e < Partial<G, D>::Elements; ++e)
      if (lane + 32 * e < D)
        mine[h * (D + 2) + lane + 32 * e] = part.values[h][e];
    if (lane == 0) {
      mine[h * (D + 2) + D] = part.maximum[h];
      mine[h * (D + 2) + D + 1] = part.sum[h];
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < G * D; i += Warps * 32) {
    const int h = i / D, d = i % D;
    float maximum = -kInfinity;
    for (int w = 0; w < Warps; ++w)
      maximum = fmaxf(maximum, scratch[(w * G + h) * (D + 2) + D]);
    float sum = 0.0f, value = 0.0f;
    for (int w = 0; w < Warps; ++w) {
      const float *other = scratch + (w * G + h) * (D + 2);
      const float rescale = other[D] == -kInfinity ? 0.0f : exp2f(other[D] - maximum);
      sum += other[D + 1] * rescale;
      value += other[d] * rescale;
    }
    write(h, d, sum > 0.0f ? value / sum : 0.0f);
  }
  __syncthreads();
}
