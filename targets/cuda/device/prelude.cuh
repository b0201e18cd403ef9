// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What every kernel includes: integer types, element conversions, warp and block helpers. Nothing of the toolkit is
// included, so that a kernel depends on the compiler alone.
#pragma once

using int8_t = signed char;
using uint8_t = unsigned char;
using uint16_t = unsigned short;
using int32_t = int;
using uint32_t = unsigned;
using int64_t = long long;
using uint64_t = unsigned long long;

/// Elements as they lie in memory. All arithmetic is f32.
struct bf16 {
  uint16_t bits;
};
struct f16 {
  uint16_t bits;
};
struct f8 { // E4M3
  uint8_t bits;
};

constexpr float kInfinity = __builtin_bit_cast(float, 0x7f800000);

//===--- Conversions ------------------------------------------------------===//

__device__ inline float toFloat(float x) { return x; }
__device__ inline float toFloat(bf16 x) { return __uint_as_float(uint32_t(x.bits) << 16); }
__device__ inline float toFloat(f16 x) {
  float y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
__device__ inline float toFloat(f8 x) {
  uint32_t pair;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(pair) : "h"(uint16_t(x.bits)));
  return toFloat(f16{uint16_t(pair)});
}
__device__ inline int32_t toFloat(int32_t x) { return x; }
__device__ inline int64_t toFloat(int64_t x) { return x; }
__device__ inline int8_t toFloat(int8_t x) { return x; }
__device__ inline bool toFloat(bool x) { return x; }

template <typename T> struct Convert;
template <> struct Convert<float> {
  __device__ static float from(float x) { return x; }
};
template <> struct Convert<bf16> {
  __device__ static bf16 from(float x) {
    bf16 y;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
  }
};
template <> struct Convert<f16> {
  __device__ static f16 from(float x) {
    f16 y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
  }
};
template <> struct Convert<f8> {
  __device__ static f8 from(float x) {
    uint16_t pair;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(0.0f), "f"(x));
    return {uint8_t(pair)};
  }
};
template <> struct Convert<int32_t> {
  __device__ static int32_t from(int32_t x) { return x; }
};
template <> struct Convert<int64_t> {
  __device__ static int64_t from(int64_t x) { return x; }
};
template <> struct Convert<int8_t> {
  __device__ static int8_t from(int32_t x) { return int8_t(x); }
};
template <> struct Convert<bool> {
  __device__ static bool from(bool x) { return x; }
};
template <typename T, typename V> __device__ inline T to(V x) { return Convert<T>::from(x); }

/// Two f32 as two bf16, `low` in the lower half.
__device__ inline uint32_t packBf16(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
/// The products of two pairs, each rounded once.
__device__ inline uint32_t multiplyBf16(uint32_t a, uint32_t b) {
  uint32_t pair;
  asm("mul.rn.bf16x2 %0, %1, %2;" : "=r"(pair) : "r"(a), "r"(b));
  return pair;
}

/// The larger of each half.
__device__ inline uint32_t maximumOfPairs(uint32_t a, uint32_t b) {
  uint32_t pair;
  asm("max.u16x2 %0, %1, %2;" : "=r"(pair) : "r"(a), "r"(b));
  return pair;
}

//===--- Memory -----------------------------------------------------------===//

template <typename T> __device__ inline auto load(const T *p, int64_t i) { return toFloat(p[i]); }
template <typename T, typename V> __device__ inline void store(T *p, int64_t i, V x) { p[i] = to<T>(x); }

/// 16 bytes that this kernel reads once.
__device__ inline uint4 loadStream(const void *p) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(p));
  return v;
}
__device__ inline uint2 loadStream8(const void *p) {
  uint2 v;
  asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0, %1}, [%2];" : "=r"(v.x), "=r"(v.y) : "l"(p));
  return v;
}

/// The 16-bit word `i` of eight bytes: two f8.
__device__ inline float2 unpackF8(uint2 v, int i) {
  const uint16_t two = uint16_t((i < 2 ? v.x : v.y) >> (16 * (i % 2)));
  uint32_t halves;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(halves) : "h"(two));
  return {toFloat(f16{uint16_t(halves)}), toFloat(f16{uint16_t(halves >> 16)})};
}

/// Eight neighbouring elements, at an address aligned to all of them.
__device__ inline void loadEight(const bf16 *p, float (&x)[8]) {
  const uint4 v = *reinterpret_cast<const uint4 *>(p);
  const uint32_t words[4] = {v.x, v.y, v.z, v.w};
  for (int i = 0; i < 4; ++i) {
    x[2 * i] = __uint_as_float(words[i] << 16);
    x[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
  }
}
__device__ inline void loadEight(const f8 *p, float (&x)[8]) {
  const uint2 v = *reinterpret_cast<const uint2 *>(p);
  for (int i = 0; i < 4; ++i) {
    const float2 two = unpackF8(v, i);
    x[2 * i] = two.x;
    x[2 * i + 1] = two.y;
  }
}
template <typename T> __device__ inline void loadEight(const T *p, float (&x)[8]) {
  for (int i = 0; i < 8; ++i)
    x[i] = load(p, i);
}

/// N neighbouring elements, at an address aligned to 16 bytes or to all of them.
template <typename T, int N> struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) Neighbours {
  T elements[N];
};
template <typename T, typename V, int N> __device__ inline void loadVector(const T *p, V (&x)[N]) {
  const Neighbours<T, N> all = *reinterpret_cast<const Neighbours<T, N> *>(p);
#pragma unroll
  for (int i = 0; i < N; ++i)
    x[i] = toFloat(all.elements[i]);
}
template <typename T, typename V, int N> __device__ inline void storeVector(T *p, const V (&x)[N]) {
  Neighbours<T, N> all;
#pragma unroll
  for (int i = 0; i < N; ++i)
    all.elements[i] = to<T>(x[i]);
  *reinterpret_cast<Neighbours<T, N> *>(p) = all;
}
/// The same where only `left` of them may be there; the others are 0.
template <typename T, typename V, int N> __device__ inline void loadVector(const T *p, V (&x)[N], int64_t left) {
  if (left >= N)
    return loadVector(p, x);
#pragma unroll
  for (int i = 0; i < N; ++i)
    x[i] = i < left ? V(toFloat(p[i])) : V(0);
}
template <typename T, typename V, int N> __device__ inline void storeVector(T *p, const V (&x)[N], int64_t left) {
  if (left >= N)
    return storeVector(p, x);
#pragma unroll
  for (int i = 0; i < N; ++i)
    if (i < left)
      p[i] = to<T>(x[i]);
}

//===--- Reductions -------------------------------------------------------===//

constexpr uint32_t kAllLanes = 0xffffffffu;

__device__ inline float warpSum(float x) {
  for (int offset = 16; offset > 0; offset /= 2)
    x += __shfl_xor_sync(kAllLanes, x, offset);
  return x;
}
/// Of numbers; a NaN is passed on.
__device__ inline float warpMax(float x) {
  for (int offset = 16; offset > 0; offset /= 2) {
    float other = __shfl_xor_sync(kAllLanes, x, offset);
    x = other > x || other != other ? other : x;
  }
  return x;
}

__device__ inline uint32_t warpMaximum(uint32_t x) {
  uint32_t most;
  asm volatile("redux.sync.max.u32 %0, %1, %2;" : "=r"(most) : "r"(x), "r"(kAllLanes));
  return most;
}

/// The same for all threads of a block, in an order that does not depend on timing; every thread gets the result.
/// `scratch` holds 33 floats.
template <typename Combine>
__device__ inline float blockReduce(float x, float identity, float *scratch, Combine combine) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = (blockDim.x + 31) / 32;
  for (int offset = 16; offset > 0; offset /= 2)
    x = combine(x, __shfl_xor_sync(kAllLanes, x, offset));
  __syncthreads();
  if (lane == 0)
    scratch[warp] = x;
  __syncthreads();
  if (warp == 0) {
    x = lane < warps ? scratch[lane] : identity;
    for (int offset = 16; offset > 0; offset /= 2)
      x = combine(x, __shfl_xor_sync(kAllLanes, x, offset));
    if (lane == 0)
      scratch[32] = x;
  }
  __syncthreads();
  return scratch[32];
}
__device__ inline float blockSum(float x, float *scratch) {
  return blockReduce(x, 0.0f, scratch, [](float a, float b) { return a + b; });
}
__device__ inline float blockMax(float x, float *scratch) {
  return blockReduce(x, -kInfinity, scratch, [](float a, float b) { return b > a || b != b ? b : a; });
}

//===--- Pointwise operations with the semantics of arith and math ---------===//

/// arith.maximumf, minimumf: a NaN is passed on; -0 is below +0.
__device__ inline float maximum(float a, float b) {
  float y;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
  return y;
}
__device__ inline float minimum(float a, float b) {
  float y;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
  return y;
}

/// a / b within 2 of the last bits, over the whole range (PTX ISA, div.full): six instructions in place of twelve and a
/// branch.
__device__ inline float divideNearly(float a, float b) {
  float y;
  asm("div.full.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
  return y;
}
/// e to the power of x within 2^-17 of it: x log2(e) is rounded to f32 (|x| < 89: by 2^-18), ex2.approx errs by 2^-22.
__device__ inline float expNearly(float x) {
  float y;
  asm("ex2.approx.f32 %0, %1;" : "=f"(y) : "f"(x * 1.44269504f));
  return y;
}

//===--- Dependent launches ------------------------------------------------===//

/// Before anything but weights is touched: the kernels before this one are complete.
__device__ inline void waitForInputs() { asm volatile("griddepcontrol.wait;" ::: "memory"); }
/// The next kernel may begin to start.
__device__ inline void letNextStart() { asm volatile("griddepcontrol.launch_dependents;"); }
