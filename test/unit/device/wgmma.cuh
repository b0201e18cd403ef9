// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The instructions of targets/cuda/device/wgmma.cuh. Products read their operands and add to their sums when they are
// waited for, the latest time that they may, thread by thread.
#pragma once
#include "prelude.cuh"

/// An operand by its address alone. As in the real one, 32 bytes further along K are 2 more.
inline uint64_t describeOperand(const void *p) {
  if (reinterpret_cast<uintptr_t>(p) % 1024)
    emulated::fail("an operand of products that is not aligned");
  return reinterpret_cast<uintptr_t>(p) >> 4;
}

inline void beginProducts() { emulated::self().hasBegunProducts = true; }
inline void commitProducts() { emulated::self().products.push_back({}); }
template <int Pending> inline void waitForProducts() {
  auto &groups = emulated::self().products;
  if (threadIdx.x % 32 == 0 && groups.size() > Pending + 1)
    emulated::pause(); // some products of a warp take longer
  while (groups.size() > Pending + 1) {
    for (auto &product : groups.front())
      product();
    groups.erase(groups.begin());
  }
  // Sums that are not pending may be touched, which the next products must be told of.
  emulated::self().hasBegunProducts &= groups.size() > 1;
  emulated::await(emulated::Wait::warp); // a warp waits as one
}
inline void showToProducts() {}

namespace emulated {

/// 32 bytes of a row of an operand, as numbers.
template <int Bytes> inline void loadOperand(uint64_t operand, int row, float (&values)[32 / Bytes]) {
  for (int i = 0; i < 32 / Bytes; ++i) {
    uintptr_t place = (operand << 4) + row * 128 + i * Bytes;
    place ^= place >> 3 & 0x70; // the swizzle
    if constexpr (Bytes == 2)
      values[i] = toFloat(*reinterpret_cast<const bf16 *>(place));
    else
      values[i] = toFloat(*reinterpret_cast<const f8 *>(place));
  }
}

} // namespace emulated

template <int N, int Bytes> struct Products {
  static void add(float (&d)[N / 2], uint64_t a, uint64_t b) {
    if (!emulated::self().hasBegunProducts)
      emulated::fail("products of registers that may be touched");
    emulated::self().products.back().push_back([&d, a, b] {
      const int lane = threadIdx.x % 32, row = threadIdx.x / 32 % 4 * 16 + lane / 4;
      float x[2][32 / Bytes], weights[32 / Bytes];
      emulated::loadOperand<Bytes>(a, row, x[0]);
      emulated::loadOperand<Bytes>(a, row + 8, x[1]);
      for (int i = 0; i < N / 4; ++i) {
        emulated::loadOperand<Bytes>(b, i / 2 * 8 + lane % 4 * 2 + i % 2, weights);
        for (int half = 0; half < 2; ++half) {
          float &sum = d[i / 2 * 4 + half * 2 + i % 2];
          double all = sum;
          for (int k = 0; k < 32 / Bytes; ++k)
            all += double(x[half][k]) * weights[k];
          sum = float(all);
        }
      }
    });
  }
};
