// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What large_matmul.cuh takes of targets/cuda/device/small_matmul.cuh and of what that includes.
#pragma once
#include "tensor_cores.cuh"

/// Eight elements of a row as four pairs of bf16.
struct Pairs {
  uint32_t p[4];
};
template <typename T> inline Pairs loadPairs(const T *p) {
  Pairs pairs;
  for (int i = 0; i < 4; ++i)
    pairs.p[i] = packBf16(load(p, 2 * i), load(p, 2 * i + 1));
  return pairs;
}
