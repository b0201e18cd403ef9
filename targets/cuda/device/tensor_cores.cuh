// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Instructions of warps on 16-bit elements, bf16 or f16, and products of f8: copies to shared memory, matrices from
// there. Nothing else of attention over tiles and of products of stacks knows PTX: tests put instructions of their own
// here.
#pragma once
#include "prelude.cuh"

namespace cores {

template <typename T> constexpr bool kIsF16 = false;
template <> constexpr bool kIsF16<f16> = true;

__device__ inline uint32_t sharedAddress(const void *p) { return uint32_t(__cvta_generic_to_shared(p)); }

/// 8 or 16 bytes to shared memory, zeros where `inside` is false.
template <int Bytes> __device__ inline void copyAsync(void *to, const void *from, bool inside) {
  if constexpr (Bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(sharedAddress(to)), "l"(from),
                 "r"(inside ? 16 : 0)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;" ::"r"(sharedAddress(to)), "l"(from), "r"(inside ? 8 : 0)
                 : "memory");
}
/// Ends a group of copies.
__device__ inline void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/// Waits for all groups of this thread's copies but the last `Pending`.
template <int Pending = 0> __device__ inline void waitForCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
}

/// Four 8 x 8 matrices of 16-bit elements; lane l gives the address of row l % 8 of matrix l / 8.
template <bool Transposed> __device__ inline void loadMatrices(uint32_t (&r)[4], const void *p) {
  if constexpr (Transposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(sharedAddress(p))
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(sharedAddress(p))
                 : "memory");
}

/// An 8 x 8 matrix of 16-bit elements, two a lane, transposed.
__device__ inline uint32_t transpose(uint32_t pair) {
  uint32_t result;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(result) : "r"(pair));
  return result;
}

/// d += a (16 x 16) b (16 x 8), for 16-bit elements of type T.
template <typename T> __device__ inline void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  if constexpr (!kIsF16<T>)
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// d += a (16 x 32) b (32 x 8), for f8: bytes lie as half as many 16-bit elements do (compute capability 8.9 and later;
/// not by the f8 tensor cores of 9.0 and 11.0, which have instructions of their own).
template <> __device__ inline void multiply<f8>(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ inline float power2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Two floats as two elements of type T, `low` in the lower half.
template <typename T> __device__ inline uint32_t packPair(float low, float high) {
  if constexpr (!kIsF16<T>) {
    return packBf16(low, high);
  } else {
    uint32_t pair;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
  }
}

/// Two f8 as two elements of type T, exactly.
template <typename T> __device__ inline uint32_t widenPair(uint16_t two) {
  uint32_t halves;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(halves) : "h"(two));
  if constexpr (kIsF16<T>)
    return halves;
  return packBf16(toFloat(f16{uint16_t(halves)}), toFloat(f16{uint16_t(halves >> 16)}));
}

/// Elements i and i + 1; i is even, and p aligned to two elements.
template <typename T> __device__ inline void storePair(T *p, int64_t i, float low, float high) {
  if constexpr (sizeof(T) == 2)
    *reinterpret_cast<uint32_t *>(p + i) = packPair<T>(low, high);
  else if constexpr (sizeof(T) == 4)
    *reinterpret_cast<float2 *>(p + i) = {low, high};
  else {
    store(p, i, low);
    store(p, i + 1, high);
  }
}

} // namespace cores
