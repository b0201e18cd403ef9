// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What becomes of the products of a matmul.
#pragma once
#include "prelude.cuh"

/// Four neighbouring elements, aligned to all of them.
template <typename T> __device__ inline void storeFour(T *p, int64_t i, float a, float b, float c, float d) {
  if constexpr (sizeof(T) == 4)
    *reinterpret_cast<float4 *>(p + i) = {a, b, c, d};
  else if constexpr (sizeof(T) == 2)
    *reinterpret_cast<uint2 *>(p + i) = {uint32_t(to<T>(a).bits) | uint32_t(to<T>(b).bits) << 16,
                                         uint32_t(to<T>(c).bits) | uint32_t(to<T>(d).bits) << 16};
  else
    *reinterpret_cast<uint32_t *>(p + i) = uint32_t(to<T>(a).bits) | uint32_t(to<T>(b).bits) << 8 |
                                           uint32_t(to<T>(c).bits) << 16 | uint32_t(to<T>(d).bits) << 24;
}

/// What becomes of the products at (m, n): `compute(m, n, acc, values)` makes `Results` numbers of them, `put(m, n,
/// values)` stores them, `putFour` those of n to n + 3 where `HasFours`: rows are multiples of four elements. A thread
/// computes several elements before it stores the first, so that it waits for what they read once. `fetch(m, n, early)`
/// loads of `Early` operands what belongs to n to n + 7; `compute` finds an element's behind its products in `acc`.
template <int Results, bool HasFours, typename Compute, typename Put, typename PutFour, int Early = 0,
          typename Fetch = int>
struct Epilogue {
  static constexpr int kResults = Results, kEarly = Early;
  static constexpr bool kHasFours = HasFours;
  Compute compute;
  Put put;
  PutFour putFour;
  Fetch fetch;
  template <int Weights> __device__ void operator()(int m, int n, const float (&acc)[Weights]) const {
    float values[Results];
    compute(m, n, acc, values);
    put(m, n, values);
  }
};
