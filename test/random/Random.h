// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Random numbers that are the same on every machine: a seed names a program.
#ifndef MJOLNIR_TEST_RANDOM_RANDOM_H
#define MJOLNIR_TEST_RANDOM_RANDOM_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <initializer_list>

namespace mjolnir::differential {

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). Nothing here calls a math
/// library, whose last bits differ between machines; and a call should draw in one of its arguments at most, since
/// compilers order them as they like.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}

  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  /// 0 to `count` - 1; the bias of the remainder is below count / 2^64.
  int64_t below(int64_t count) { return static_cast<int64_t>(next() % static_cast<uint64_t>(count)); }
  /// `low` to `high`, both possible.
  int64_t between(int64_t low, int64_t high) { return low + below(high - low + 1); }
  bool chance(double probability) { return uniform() < probability; }
  /// [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// Mean 0, variance 1: a sum of uniform numbers, within 3.5.
  double normal() {
    double sum = 0;
    for (int i = 0; i < 4; ++i)
      sum += uniform() - 0.5;
    return sum * 1.7320508075688772; // sqrt(12 / 4)
  }
  template <typename T> const T &pick(llvm::ArrayRef<T> from) { return from[below(from.size())]; }
  template <typename T> T pick(std::initializer_list<T> from) { return from.begin()[below(from.size())]; }

private:
  uint64_t state;
};

} // namespace mjolnir::differential

#endif // MJOLNIR_TEST_RANDOM_RANDOM_H
