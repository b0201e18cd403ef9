// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The names of targets/cuda/device/wgmma.cuh: its instructions are not emulated, and no test calls them.
#pragma once
#include "prelude.cuh"

inline uint64_t describeOperand(const void *) { std::abort(); }
inline void beginProducts() { std::abort(); }
inline void commitProducts() { std::abort(); }
template <int Pending> inline void waitForProducts() { std::abort(); }
inline void showToProducts() { std::abort(); }
template <int N, int Bytes> struct Products {
  static void add(float (&)[N / 2], uint64_t, uint64_t) { std::abort(); }
};
