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

/// The same with how far the next 64 columns are, above the address.
constexpr int kAddressBits = 44;
inline uint64_t describeRows(const void *p, int apart) {
  if (apart < 0 || apart % 16 || apart >> 4 >= 1 << 14)
    emulated::fail("rows of products that cannot be described");
  return describeOperand(p) | uint64_t(apart >> 4) << kAddressBits;
}

inline void beginProducts() { emulated::self().hasBegunProducts = true; }
/// Registers may be touched before the next ones, which must be told of it.
inline void commitProducts() {
  emulated::self().products.push_back({});
  emulated::self().hasBegunProducts = false;
}
template <int Pending> inline void waitForProducts() {
  auto &groups = emulated::self().products;
  if (threadIdx.x % 32 == 0 && groups.size() > Pending + 1)
    emulated::pause(); // some products of a warp take longer
  while (groups.size() > Pending + 1) {
    for (auto &product : groups.front())
      product();
    groups.erase(groups.begin());
  }
  emulated::self().hasBegunProducts = false;
  emulated::await(emulated::Wait::warp); // a warp waits as one
}
inline void showToProducts() { emulated::self().shown = emulated::cluster->writes; }

namespace emulated {

/// What copies of threads wrote is read by another proxy: behind a fence of who wrote or of who reads.
inline uintptr_t findShown(uintptr_t place) {
  place ^= place >> 3 & 0x70; // the swizzle
  if (const Piece *piece = pieceAt(reinterpret_cast<const void *>(place)))
    if (piece->written == Piece::Underway ||
        piece->written > std::max(self().shown, cluster->threads[piece->writer].shown))
      fail("products read what is being copied or is not shown to them");
  return place;
}

inline void needBegun() {
  if (!self().hasBegunProducts)
    fail("products of registers that may be touched");
}

/// 32 bytes of a row of an operand, as numbers.
template <int Bytes> inline void loadOperand(uint64_t operand, int row, float (&values)[32 / Bytes]) {
  using Element = std::conditional_t<Bytes == 2, bf16, f8>;
  for (int byte = 0; byte < 32; byte += 16) {
    const auto *piece = reinterpret_cast<const Element *>(findShown((operand << 4) + row * 128 + byte));
    for (int i = 0; i < 16 / Bytes; ++i)
      values[byte / Bytes + i] = toFloat(piece[i]);
  }
}

} // namespace emulated

template <int N, int Bytes> struct Products {
  static void add(float (&d)[N / 2], uint64_t a, uint64_t b, bool keeps = true) {
    emulated::needBegun();
    emulated::self().products.back().push_back([&d, a, b, keeps] {
      const int lane = threadIdx.x % 32, row = threadIdx.x / 32 % 4 * 16 + lane / 4;
      float x[2][32 / Bytes], weights[32 / Bytes];
      emulated::loadOperand<Bytes>(a, row, x[0]);
      emulated::loadOperand<Bytes>(a, row + 8, x[1]);
      for (int i = 0; i < N / 4; ++i) {
        emulated::loadOperand<Bytes>(b, i / 2 * 8 + lane % 4 * 2 + i % 2, weights);
        for (int half = 0; half < 2; ++half) {
          float &sum = d[i / 2 * 4 + half * 2 + i % 2];
          double all = keeps ? sum : 0.0f;
          for (int k = 0; k < 32 / Bytes; ++k)
            all += double(x[half][k]) * weights[k];
          sum = float(all);
        }
      }
    });
  }
};

/// Register i of lane l of the left operand: elements 2 (l % 4) + i / 2 * 8 and the next of row l / 4 + i % 2 * 8. All
/// lanes of a row multiply what its lanes hold when it is multiplied.
template <int N> struct RowProducts {
  static void add(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b) {
    emulated::needBegun();
    const uint64_t own = reinterpret_cast<uint64_t>(&a);
    std::array<const uint32_t *, 4> row = emulated::exchange(&own, 1, [](auto of) {
      std::array<const uint32_t *, 4> row;
      for (int i = 0; i < 4; ++i)
        row[i] = reinterpret_cast<const uint32_t *>(of(threadIdx.x % 32 / 4 * 4 + i, 0));
      return row;
    });
    emulated::self().products.back().push_back([&d, row, b] {
      float x[2][16];
      for (int half = 0; half < 2; ++half)
        for (int k = 0; k < 16; ++k)
          x[half][k] = toFloat(bf16{uint16_t(row[k % 8 / 2][k / 8 * 2 + half] >> k % 2 * 16)});
      const uintptr_t first = (b & ((uint64_t(1) << kAddressBits) - 1)) << 4, apart = b >> kAddressBits << 4;
      for (int i = 0; i < N / 4; ++i) {
        const int column = i / 2 * 8 + threadIdx.x % 4 * 2 + i % 2;
        double all[2] = {d[i / 2 * 4 + i % 2], d[i / 2 * 4 + 2 + i % 2]};
        for (int k = 0; k < 16; ++k) {
          const uintptr_t place = emulated::findShown(first + column / 64 * apart + k * 128 + column % 64 * 2);
          const double weight = toFloat(*reinterpret_cast<const bf16 *>(place));
          all[0] += x[0][k] * weight, all[1] += x[1][k] * weight;
        }
        d[i / 2 * 4 + i % 2] = float(all[0]), d[i / 2 * 4 + 2 + i % 2] = float(all[1]);
      }
    });
  }
};
