// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Lines in registers, thread by thread on the CPU: what lanes combine, and elements as they lie in memory.
#include "lines.cuh"

#include <gtest/gtest.h>

namespace {

/// The root mean square and the largest of each of `Lines` lines, a thread of each block's last lines having none.
template <typename T, int Lanes, int Vectors, int Width, int Lines> void check() {
  constexpr int Length = Lanes * Vectors * Width, Threads = Lanes > 32 ? Lanes : 64, OfBlock = Threads / Lanes;
  std::mt19937 random(Length);
  std::normal_distribution<float> normal;
  alignas(16) static T x[Lines * Length], y[Lines * Length];
  for (T &element : x)
    element = to<T>(normal(random));
  std::vector<float> sums(Lines), largest(Lines);
  static float first[32], second[32];
  for (int block = 0; block * OfBlock < Lines; ++block)
    emulated::launch(Threads, block, Length + block, [&] {
      const int lane = threadIdx.x % Lanes, own = blockIdx.x * OfBlock + threadIdx.x / Lanes;
      const int line = std::min(own, Lines - 1);
      Packed<T, Width> kept[Vectors];
      float sum = 0.0f, most = -kInfinity;
      for (int k = 0; k < Vectors; ++k) {
        const int c = (k * Lanes + lane) * Width;
        kept[k] = loadPacked<Width>(x + line * Length + c);
        float v[Width];
        widen(kept[k], v);
        for (float element : v) {
          sum += element;
          most = maximum(most, element);
        }
        storePacked(y + line * Length + c, narrow<T>(v));
      }
      sum = lineSum<Lanes>(sum, first);
      most = lineMax<Lanes>(most, second);
      if (lane == Lanes - 1 && own == line) { // every lane has it
        sums[line] = sum;
        largest[line] = most;
      }
    });
  for (int line = 0; line < Lines; ++line) {
    double sum = 0;
    float most = -kInfinity;
    for (int i = line * Length; i < (line + 1) * Length; ++i) {
      sum += toFloat(x[i]);
      most = std::max(most, toFloat(x[i]));
      EXPECT_EQ(toFloat(y[i]), toFloat(x[i])) << i;
    }
    EXPECT_NEAR(sums[line], sum, 1e-4 * Length) << line;
    EXPECT_EQ(largest[line], most) << line;
  }
}

TEST(LinesTest, LanesCombine) {
  check<bf16, 1, 1, 8, 70>();
  check<bf16, 4, 2, 8, 33>();
  check<f16, 8, 4, 8, 9>();
  check<float, 16, 2, 4, 5>();
  check<float, 32, 3, 4, 3>();
  check<bf16, 32, 2, 2, 2>();
}
TEST(LinesTest, WarpsMeet) {
  check<bf16, 64, 1, 8, 2>();
  check<float, 128, 2, 4, 2>();
  check<f16, 512, 1, 2, 2>();
}

} // namespace
