// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What targets/cuda/device/tensor_map.cuh gives kernels. A copy takes place some time after it was asked for, and its
// barrier hears of it; what was at its destination is lost at once.
#pragma once
#include "async.cuh"

/// A row-major matrix, and boxes of it whose rows are 128 bytes, or what a step has of it.
struct alignas(64) TensorMap {
  const uint8_t *matrix;
  int rows, columns, boxRows, elementBytes;
};

inline void prefetchMap(const TensorMap *) {}

/// Pieces of 16 bytes are exchanged by what their address is ("128-byte swizzle"): bits 4 to 6 by bits 7 to 9.
inline void copyBox(void *to, const TensorMap *map, int row, int column, uint64_t *barrier) {
  constexpr int rowBytes = 128;
  const TensorMap from = *map;
  uint8_t *box = static_cast<uint8_t *>(to);
  const int bytes = from.boxRows * rowBytes;
  emulated::offsetOf(to, bytes);
  emulated::offsetOf(barrier, sizeof(*barrier));
  if (reinterpret_cast<uintptr_t>(to) % rowBytes || from.columns * from.elementBytes % 16 || from.boxRows > 256)
    emulated::fail("a box that cannot be copied");
  if (!from.matrix)
    emulated::fail("a copy of what is not computed yet");
  if (emulated::fromBits<emulated::Barrier>(*barrier).state != emulated::Barrier::Visible)
    emulated::fail("a copy to a barrier that it does not see");
  std::memset(box, 0xff, bytes);
  emulated::later([=] {
    for (int r = 0; r < from.boxRows; ++r)
      for (int byte = 0; byte < rowBytes; ++byte) {
        const int m = row + r, k = column + byte / from.elementBytes;
        const bool inside = m >= 0 && m < from.rows && k >= 0 && k < from.columns;
        uintptr_t place = reinterpret_cast<uintptr_t>(box + r * rowBytes + byte);
        place ^= place >> 3 & 0x70;
        *reinterpret_cast<uint8_t *>(place) =
            inside ? from.matrix[(int64_t(m) * from.columns + k) * from.elementBytes + byte % from.elementBytes] : 0;
      }
    emulated::completeBytes(barrier, bytes);
  });
}
