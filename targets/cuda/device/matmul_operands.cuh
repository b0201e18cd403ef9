// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What matmuls of few rows read: elements of weights as the tensor cores take them, and rows of x in memory, under a
// norm, or computed.
#pragma once
#include "tensor_cores.cuh"

/// Eight elements of a weight row as four pairs of bf16.
struct Pairs {
  uint32_t p[4];
};
__device__ inline Pairs toPairs(uint4 v) { return {{v.x, v.y, v.z, v.w}}; }
/// E4M3 is exact in bf16.
__device__ inline Pairs toPairs(uint2 v) {
  Pairs pairs;
  for (int i = 0; i < 4; ++i) {
    const float2 two = unpackF8(v, i);
    pairs.p[i] = packBf16(two.x, two.y);
  }
  return pairs;
}
__device__ inline Pairs loadPairs(const bf16 *p) { return toPairs(loadStream(p)); }
__device__ inline Pairs loadPairs(const f8 *p) { return toPairs(loadStream8(p)); }
__device__ inline Pairs loadSharedPairs(const bf16 *p) { return toPairs(*reinterpret_cast<const uint4 *>(p)); }
__device__ inline Pairs loadSharedPairs(const f8 *p) { return toPairs(*reinterpret_cast<const uint2 *>(p)); }

/// The larger of each half of `most` and of the pairs of eight bf16, without signs.
__device__ inline uint32_t largestOf(uint4 eight, uint32_t most) {
  const uint32_t words[4] = {eight.x, eight.y, eight.z, eight.w};
  for (uint32_t word : words)
    most = maximumOfPairs(most, word & 0x7fff7fffu);
  return most;
}

/// The power of two that brings bf16, the largest of which has the bits `most`, near the end of f16's range. Elements
/// become f16 by it exactly, but for those below 2^-32 of the largest, which get errors of 2^-41 of it at most.
struct F16Scale {
  uint32_t exponent;
  // 16: what undoes the scaling is a normal number, too.
  __device__ explicit F16Scale(uint32_t most) : exponent(max(most >> 7, 16u)) {}
  __device__ uint32_t apply(uint32_t pair) const {
    pair = multiplyBf16(pair, (269 - exponent) * 0x00800080u);
    return cores::packPair<f16>(__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u));
  }
  __device__ uint4 apply(uint4 eight) const { return {apply(eight.x), apply(eight.y), apply(eight.z), apply(eight.w)}; }
  __device__ float undo() const { return __uint_as_float((exponent - 15) << 23); }
};

/// Each element of `pairs` times that of `scale`, rounded to bf16.
__device__ inline Pairs scaled(Pairs pairs, const Pairs &scale) {
  for (int i = 0; i < 4; ++i)
    pairs.p[i] = multiplyBf16(pairs.p[i], scale.p[i]);
  return pairs;
}

/// Eight bf16 of each lane, a warp's 256 neighbours, become f16; what undoes their scale is returned.
__device__ inline float scaleToF16(uint4 &eight) {
  const uint32_t most = largestOf(eight, 0);
  const F16Scale scale(warpMaximum(max(most >> 16, most & 0xffffu)));
  eight = scale.apply(eight);
  return scale.undo();
}

//===--- x ------------------------------------------------------------------===//

/// Rows of K elements in memory: row `ids[m]`, or m where there are no ids.
template <int K> struct StoredRows {
  const bf16 *p;
  const int32_t *ids;
  static constexpr bool kIsNormed = false;
  __device__ const StoredRows &stored() const { return *this; }
  __device__ const bf16 *at(int m, int k) const { return p + int64_t(ids ? ids[m] : m) * K + k; }
  __device__ uint4 loadEight(int m, int k, float &) const { return *reinterpret_cast<const uint4 *>(at(m, k)); }
};

/// The same under an RMS norm. Each row is only multiplied by the norm's weight here (1 where that is null); its factor
/// 1 / rms multiplies the products, so nobody waits for the sum of squares before.
template <int K, typename T> struct NormedRows {
  StoredRows<K> rows;
  const T *weight;
  float epsilon;
  static constexpr bool kIsNormed = true;
  __device__ const StoredRows<K> &stored() const { return rows; }
  __device__ uint4 loadEight(int m, int k, float &squares) const {
    float x[8], scale[8];
    ::loadEight(rows.at(m, k), x);
    if (weight)
      ::loadEight(weight + k, scale);
    for (int i = 0; i < 8; ++i) {
      squares = fmaf(x[i], x[i], squares);
      if (weight)
        x[i] *= scale[i];
    }
    return {packBf16(x[0], x[1]), packBf16(x[2], x[3]), packBf16(x[4], x[5]), packBf16(x[6], x[7])};
  }
  __device__ float scale(float squares) const { return rsqrtf(squares / K + epsilon); }
};

/// Rows that `function(m, k)` computes, in f32.
template <typename Function> struct ComputedRows {
  Function function;
  static constexpr bool kIsNormed = false;
  __device__ uint4 loadEight(int m, int k, float &) const {
    float x[8];
    for (int i = 0; i < 8; ++i)
      x[i] = function(m, k + i);
    return {packBf16(x[0], x[1]), packBf16(x[2], x[3]), packBf16(x[4], x[5]), packBf16(x[6], x[7])};
  }
};
template <typename Function> ComputedRows(Function) -> ComputedRows<Function>;
