// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What bulk tensor copies take to know a tensor by (compute capability 9.0 and later).
#pragma once
#include "prelude.cuh"

/// A tensor map, CUtensorMap of the driver's API, whose contents the driver alone knows. A kernel takes it by value, as
/// `const __grid_constant__`, and hands its address to copies.
struct alignas(64) TensorMap {
  uint64_t opaque[16];
};
