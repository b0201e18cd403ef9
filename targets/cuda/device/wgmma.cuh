// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Products of four warps from shared memory to registers (compute capability 9.0 with its own instructions: sm_90a).
// Rows of both operands are 128 bytes of K, their 16-byte pieces exchanged as the instruction's 128-byte swizzle does:
// piece p of row r lies at p ^ (r % 8). Eight rows are 1024 bytes, to which operands are aligned.
#pragma once
#include "prelude.cuh"

/// What tells the instruction of such an operand: its address, 1024 bytes from eight rows to the next, the swizzle
/// (PTX ISA, "Matrix descriptor"). 32 bytes further along K are 2 more.
__device__ inline uint64_t describeOperand(const void *p) {
  const uint64_t address = uint32_t(__cvta_generic_to_shared(p));
  return (address & 0x3ffff) >> 4 | uint64_t(1) << 16 | uint64_t(64) << 32 | uint64_t(1) << 62;
}

/// The same of a right operand whose rows are K: 64 columns side by side, eight rows of K as above, the next 64 columns
/// `apart` bytes on.
__device__ inline uint64_t describeRows(const void *p, int apart) {
  const uint64_t address = uint32_t(__cvta_generic_to_shared(p));
  return (address & 0x3ffff) >> 4 | uint64_t(apart >> 4) << 16 | uint64_t(64) << 32 | uint64_t(1) << 62;
}

__device__ inline void beginProducts() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void commitProducts() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Waits for all groups of products but the last `Pending`.
template <int Pending> __device__ inline void waitForProducts() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
}
/// What threads wrote to shared memory becomes visible to products.
__device__ inline void showToProducts() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// The registers of 8 columns, 4 a thread, as operands and as text.
#define MJ_FOUR(d, i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define MJ_16(d, i) MJ_FOUR(d, i), MJ_FOUR(d, i + 4), MJ_FOUR(d, i + 8), MJ_FOUR(d, i + 12)
#define MJ_32(d, i) MJ_16(d, i), MJ_16(d, i + 16)
#define MJ_64(d, i) MJ_32(d, i), MJ_32(d, i + 32)
#define MJ_NAMES_16 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define MJ_NAMES_32                                                                                                    \
  MJ_NAMES_16 ", "                                                                                                     \
              "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define MJ_NAMES_64                                                                                                    \
  MJ_NAMES_32 ", "                                                                                                     \
              "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"                         \
              ", "                                                                                                     \
              "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define MJ_NAMES_128                                                                                                   \
  MJ_NAMES_64 ", "                                                                                                     \
              "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"                         \
              ", "                                                                                                     \
              "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"                         \
              ", "                                                                                                     \
              "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111"             \
              ", "                                                                                                     \
              "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"

#define MJ_PRODUCT(shape, types, transposes, names, a, b, keeps)                                                       \
  "{\n.reg .pred add;\nsetp.ne.u32 add, " keeps ", 0;\nwgmma.mma_async.sync.aligned." shape ".f32." types " {" names   \
  "}, " a ", " b ", add, 1, 1" transposes ";\n}"

/// d += a (64 rows) b (N rows), or d = a b unless d `keeps` what it has, over 32 bytes of K of elements of `Bytes`:
/// bf16 or f8. A thread has of rows lane / 4 and lane / 4 + 8 of its warp's 16 the columns 8 j + lane % 4 * 2 and the
/// next: d[4 j + 0, 1] and [4 j + 2, 3].
template <int N, int Bytes> struct Products;
template <> struct Products<32, 2> {
  __device__ static void add(float (&d)[16], uint64_t a, uint64_t b, bool keeps = true) {
    asm volatile(MJ_PRODUCT("m64n32k16", "bf16.bf16", ", 0, 0", MJ_NAMES_16, "%16", "%17", "%18")
                 : MJ_16(d, 0)
                 : "l"(a), "l"(b), "r"(int(keeps)));
  }
};
template <> struct Products<32, 1> {
  __device__ static void add(float (&d)[16], uint64_t a, uint64_t b, bool keeps = true) {
    asm volatile(MJ_PRODUCT("m64n32k32", "e4m3.e4m3", "", MJ_NAMES_16, "%16", "%17", "%18")
                 : MJ_16(d, 0)
                 : "l"(a), "l"(b), "r"(int(keeps)));
  }
};
template <> struct Products<64, 2> {
  __device__ static void add(float (&d)[32], uint64_t a, uint64_t b, bool keeps = true) {
    asm volatile(MJ_PRODUCT("m64n64k16", "bf16.bf16", ", 0, 0", MJ_NAMES_32, "%32", "%33", "%34")
                 : MJ_32(d, 0)
                 : "l"(a), "l"(b), "r"(int(keeps)));
  }
};
template <> struct Products<64, 1> {
  __device__ static void add(float (&d)[32], uint64_t a, uint64_t b, bool keeps = true) {
    asm volatile(MJ_PRODUCT("m64n64k32", "e4m3.e4m3", "", MJ_NAMES_32, "%32", "%33", "%34")
                 : MJ_32(d, 0)
                 : "l"(a), "l"(b), "r"(int(keeps)));
  }
};
template <> struct Products<128, 2> {
  __device__ static void add(float (&d)[64], uint64_t a, uint64_t b, bool keeps = true) {
    asm volatile(MJ_PRODUCT("m64n128k16", "bf16.bf16", ", 0, 0", MJ_NAMES_64, "%64", "%65", "%66")
                 : MJ_64(d, 0)
                 : "l"(a), "l"(b), "r"(int(keeps)));
  }
};
template <> struct Products<128, 1> {
  __device__ static void add(float (&d)[64], uint64_t a, uint64_t b, bool keeps = true) {
    asm volatile(MJ_PRODUCT("m64n128k32", "e4m3.e4m3", "", MJ_NAMES_64, "%64", "%65", "%66")
                 : MJ_64(d, 0)
                 : "l"(a), "l"(b), "r"(int(keeps)));
  }
};
template <> struct Products<256, 2> {
  __device__ static void add(float (&d)[128], uint64_t a, uint64_t b, bool keeps = true) {
    asm volatile(MJ_PRODUCT("m64n256k16", "bf16.bf16", ", 0, 0", MJ_NAMES_128, "%128", "%129", "%130")
                 : MJ_64(d, 0), MJ_64(d, 64)
                 : "l"(a), "l"(b), "r"(int(keeps)));
  }
};
template <> struct Products<256, 1> {
  __device__ static void add(float (&d)[128], uint64_t a, uint64_t b, bool keeps = true) {
    asm volatile(MJ_PRODUCT("m64n256k32", "e4m3.e4m3", "", MJ_NAMES_128, "%128", "%129", "%130")
                 : MJ_64(d, 0), MJ_64(d, 64)
                 : "l"(a), "l"(b), "r"(int(keeps)));
  }
};

/// d += a (64 x 16, bf16 in registers as mma.m16n8k16 has them) b (16 x N, of describeRows()).
template <int N> struct RowProducts;
#define MJ_ROW_PRODUCT(shape, names, a0, a1, a2, a3, b)                                                                \
  "{\n.reg .pred add;\nsetp.eq.u32 add, 1, 1;\nwgmma.mma_async.sync.aligned." shape ".f32.bf16.bf16 {" names "}, {" a0 \
  ", " a1 ", " a2 ", " a3 "}, " b ", add, 1, 1, 1;\n}"
template <> struct RowProducts<64> {
  __device__ static void add(float (&d)[32], const uint32_t (&a)[4], uint64_t b) {
    asm volatile(MJ_ROW_PRODUCT("m64n64k16", MJ_NAMES_32, "%32", "%33", "%34", "%35", "%36")
                 : MJ_32(d, 0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  }
};
template <> struct RowProducts<128> {
  __device__ static void add(float (&d)[64], const uint32_t (&a)[4], uint64_t b) {
    asm volatile(MJ_ROW_PRODUCT("m64n128k16", MJ_NAMES_64, "%64", "%65", "%66", "%67", "%68")
                 : MJ_64(d, 0)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  }
};

#undef MJ_ROW_PRODUCT
#undef MJ_PRODUCT
#undef MJ_FOUR
#undef MJ_16
#undef MJ_32
#undef MJ_64
#undef MJ_NAMES_16
#undef MJ_NAMES_32
#undef MJ_NAMES_64
#undef MJ_NAMES_128
