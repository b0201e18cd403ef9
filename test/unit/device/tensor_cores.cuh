// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The instructions of targets/cuda/device/tensor_cores.cuh as the PTX manual describes their fragments. Copies take
// place when they are waited for, and what was there is lost when they begin.
#pragma once
#include "prelude.cuh"

namespace cores {

template <int Bytes> inline void copyAsync(void *to, const void *from, bool inside) {
  if (reinterpret_cast<uintptr_t>(to) % Bytes || (inside && reinterpret_cast<uintptr_t>(from) % Bytes))
    std::abort();
  std::memset(to, 0xff, Bytes);
  emulated::Piece *const piece = emulated::pieceAt(to);
  if (piece)
    piece->written = emulated::Piece::Underway;
  emulated::self().copies.back().push_back(std::make_shared<emulated::Copy>(
      emulated::Copy{to, from, Bytes, inside, false, piece, emulated::cluster->current}));
}
inline void commitCopies() { emulated::self().copies.push_back({}); }
template <int Pending = 0> inline void waitForCopies() {
  auto &groups = emulated::self().copies; // the last one is not committed
  if (threadIdx.x % 32 == 0 && groups.size() > Pending + 1)
    emulated::pause(); // those of some threads take longer
  while (groups.size() > Pending + 1) {
    for (auto &copy : groups.front())
      emulated::finish(*copy);
    groups.erase(groups.begin());
  }
}

/// Register i of lane l: elements 2 (l % 4) and the next of row l / 4 of matrix i, of column l / 4 if transposed.
template <bool Transposed> inline void loadMatrices(uint32_t (&r)[4], const void *p) {
  if (reinterpret_cast<uintptr_t>(p) % 16)
    std::abort();
  uint64_t address = reinterpret_cast<uint64_t>(p);
  emulated::exchange(&address, 1, [&](auto of) {
    int lane = int(threadIdx.x % 32);
    for (int i = 0; i < 4; ++i) {
      auto element = [&](int row, int column) {
        return reinterpret_cast<const uint16_t *>(of(i * 8 + row, 0))[column];
      };
      int line = lane / 4, place = lane % 4 * 2;
      r[i] = Transposed ? element(place, line) | uint32_t(element(place + 1, line)) << 16
                        : element(line, place) | uint32_t(element(line, place + 1)) << 16;
    }
    return 0;
  });
}

/// Lane l has elements 2 (l % 4) and the next of row l / 4.
inline uint32_t transpose(uint32_t pair) {
  uint64_t bits = pair;
  return emulated::exchange(&bits, 1, [&](auto of) {
    int row = int(threadIdx.x % 32) / 4, column = int(threadIdx.x % 4) * 2;
    auto element = [&](int i) { return uint32_t(of(i * 4 + row / 2, 0) >> (16 * (row % 2)) & 0xffff); };
    return element(column) | element(column + 1) << 16;
  });
}

template <typename T> inline void multiply(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  uint64_t values[6] = {a[0], a[1], a[2], a[3], b0, b1};
  emulated::exchange(values, 6, [&](auto of) {
    int lane = int(threadIdx.x % 32);
    auto half = [](uint64_t pair, int i) { return toFloat(T{uint16_t(pair >> (16 * i))}); };
    for (int e = 0; e < 4; ++e) {
      int row = lane / 4 + e / 2 * 8, column = lane % 4 * 2 + e % 2;
      double sum = d[e];
      for (int k = 0; k < 16; ++k)
        sum += double(half(of(row % 8 * 4 + k % 8 / 2, row / 8 + k / 8 * 2), k % 2)) *
               half(of(column * 4 + k % 8 / 2, 4 + k / 8), k % 2);
      d[e] = float(sum);
    }
    return 0;
  });
}

/// The same of f8: four in a register, 32 along K.
template <> inline void multiply<f8>(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  uint64_t values[6] = {a[0], a[1], a[2], a[3], b0, b1};
  emulated::exchange(values, 6, [&](auto of) {
    int lane = int(threadIdx.x % 32);
    auto byte = [](uint64_t four, int i) { return toFloat(f8{uint8_t(four >> (8 * i))}); };
    for (int e = 0; e < 4; ++e) {
      int row = lane / 4 + e / 2 * 8, column = lane % 4 * 2 + e % 2;
      double sum = d[e];
      for (int k = 0; k < 32; ++k)
        sum += double(byte(of(row % 8 * 4 + k % 16 / 4, row / 8 + k / 16 * 2), k % 4)) *
               byte(of(column * 4 + k % 16 / 4, 4 + k / 16), k % 4);
      d[e] = float(sum);
    }
    return 0;
  });
}

inline float power2(float x) { return std::exp2(x); }

template <typename T> inline uint32_t packPair(float low, float high) {
  return to<T>(low).bits | uint32_t(to<T>(high).bits) << 16;
}
template <typename T> inline uint32_t widenPair(uint16_t two) {
  return packPair<T>(toFloat(f8{uint8_t(two)}), toFloat(f8{uint8_t(two >> 8)}));
}
template <typename T> inline void storePair(T *p, int64_t i, float low, float high) {
  store(p, i, low);
  store(p, i + 1, high);
}

} // namespace cores
