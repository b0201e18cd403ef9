// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Lines (rows, or heads of them) that a group of threads holds in registers.
#pragma once

#include "prelude.cuh"

/// N neighbouring elements as they lie in memory, a multiple of four bytes, at an address aligned to 16 bytes or to all
/// of them.
template <typename T, int N> struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) Packed {
  uint32_t words[N * sizeof(T) / 4];
};
template <int N, typename T> __device__ inline Packed<T, N> loadPacked(const T *p) {
  return *reinterpret_cast<const Packed<T, N> *>(p);
}

/// The elements of a word.
__device__ inline void widenWord(float, uint32_t word, float *x) { x[0] = __uint_as_float(word); }
__device__ inline void widenWord(bf16, uint32_t word, float *x) {
  x[0] = __uint_as_float(word << 16);
  x[1] = __uint_as_float(word & 0xffff0000u);
}
__device__ inline void widenWord(f16, uint32_t word, float *x) {
  x[0] = toFloat(f16{uint16_t(word)});
  x[1] = toFloat(f16{uint16_t(word >> 16)});
}
__device__ inline void widenWord(f8, uint32_t word, float *x) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float2 two = unpackF8({word, 0}, i);
    x[2 * i] = two.x;
    x[2 * i + 1] = two.y;
  }
}
template <typename T, int N> __device__ inline void widen(const Packed<T, N> &packed, float (&x)[N]) {
  constexpr int perWord = 4 / sizeof(T);
#pragma unroll
  for (int i = 0; i < N / perWord; ++i)
    widenWord(T{}, packed.words[i], x + i * perWord);
}

template <typename T, int N> __device__ inline Packed<T, N> narrow(const float (&x)[N]) {
  Neighbours<T, N> all;
#pragma unroll
  for (int i = 0; i < N; ++i)
    all.elements[i] = to<T>(x[i]);
  return __builtin_bit_cast(Packed<T, N>, all);
}
template <typename T, int N> __device__ inline void storePacked(T *p, const Packed<T, N> &packed) {
  *reinterpret_cast<Packed<T, N> *>(p) = packed;
}

/// The same for all `Lanes` threads of a line: neighbours, of which there are a power of two, and which are the block
/// where they are more than a warp. `scratch` holds a float for each warp of the line, and is used once.
template <int Lanes, typename Combine> __device__ inline float combineLine(float x, float *scratch, Combine combine) {
#pragma unroll
  for (int offset = (Lanes < 32 ? Lanes : 32) / 2; offset > 0; offset /= 2)
    x = combine(x, __shfl_xor_sync(kAllLanes, x, offset));
  if constexpr (Lanes > 32) {
    if (threadIdx.x % 32 == 0)
      scratch[threadIdx.x / 32] = x;
    __syncthreads();
    x = scratch[0];
#pragma unroll
    for (int i = 1; i < Lanes / 32; ++i)
      x = combine(x, scratch[i]);
  }
  return x;
}
template <int Lanes> __device__ inline float lineSum(float x, float *scratch) {
  return combineLine<Lanes>(x, scratch, [](float a, float b) { return a + b; });
}
template <int Lanes> __device__ inline float lineMax(float x, float *scratch) {
  return combineLine<Lanes>(x, scratch, [](float a, float b) { return maximum(a, b); });
}
