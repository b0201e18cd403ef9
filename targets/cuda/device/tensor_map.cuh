// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What bulk tensor copies take to know a tensor by, and such copies (compute capability 9.0 and later).
#pragma once
#include "async.cuh"

/// A tensor map, CUtensorMap of the driver's API, whose contents the driver alone knows. A kernel takes it by value, as
/// `const __grid_constant__`, and hands its address to copies.
struct alignas(128) TensorMap {
  uint64_t opaque[16];
};

/// Brings a map near, before the first copy by it.
__device__ inline void prefetchMap(const TensorMap *map) { asm volatile("prefetch.tensormap [%0];" ::"l"(map)); }

/// The box of a matrix whose first element is (row, column), to `to`; what lies outside the matrix comes as zeros. The
/// barrier gets the bytes of the whole box.
__device__ inline void copyBox(void *to, const TensorMap *map, int row, int column, uint64_t *barrier) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], "
               "[%4];" ::"r"(sharedAddress(to)),
               "l"(map), "r"(column), "r"(row), "r"(sharedAddress(barrier))
               : "memory");
}
