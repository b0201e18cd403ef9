// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Sampler, thread by thread on the CPU, against a reference that sorts.
#include "sample.cuh"

#include "test/unit/SampleReference.h"

#include <gtest/gtest.h>

using mjolnir::test::SampleParameters;

namespace {

template <int Threads, int Splits, int Count, bool IsStaged>
int draw(const float *logits, const SampleParameters &p, uint32_t seed) {
  using Sampler = Sampler<Threads, Splits, Count, IsStaged>;
  int32_t next = -7;
  emulated::launchCluster(Splits, Threads, Sampler::SharedBytes, 0, seed, [&] {
    Sampler::begin();
    Sampler sampler{{logits, emulated::sharedMemory(), int(blockIdx.x % Splits)}};
    sampler.run(p.temperature, p.topK, p.topP, p.seed, p.context, &next);
  });
  return next;
}

template <int Threads, int Splits, int Count, bool IsStaged>
void check(const std::vector<float> &values, const SampleParameters &p) {
  std::vector<float4> aligned(Count / 4 + 1);
  float *logits = reinterpret_cast<float *>(aligned.data());
  std::copy(values.begin(), values.end(), logits);
  int32_t token = draw<Threads, Splits, Count, IsStaged>(logits, p, Count + p.context);
  std::vector<int32_t> right = allowedTokens(std::vector<double>(values.begin(), values.end()), p);
  EXPECT_NE(std::find(right.begin(), right.end(), token), right.end())
      << token << " instead of " << right.front() << " of " << Count << "; temperature " << p.temperature << ", top_k "
      << p.topK << ", top_p " << p.topP;
}

template <int Threads, int Splits, int Count, bool IsStaged> void checkDraws() {
  const SampleParameters kinds[] = {{0.0f, 0, 1.0f, 0, 0}, {1.0f, 0, 1.0f, 0, 0},  {0.7f, 50, 1.0f, 0, 0},
                                    {1.3f, 0, 0.9f, 0, 0}, {1.0f, 20, 0.8f, 0, 0}, {0.3f, 0, 0.05f, 0, 0},
                                    {1.0f, 0, 0.0f, 0, 0}, {1e-30f, 0, 1.0f, 0, 0}};
  std::mt19937 random(Count);
  for (int repeat = 0; repeat < 2; ++repeat)
    for (SampleParameters p : kinds) {
      std::normal_distribution<float> normal(0, 4);
      std::vector<float> values(Count);
      for (float &value : values) // coarse values have ties at every threshold
        value = repeat ? std::round(normal(random)) : normal(random);
      p.seed = 0x123456789abcdefll * (repeat + 1);
      p.context = 17 * repeat + 1;
      check<Threads, Splits, Count, IsStaged>(values, p);
    }
}

/// Logits that are so near each other, or so far apart, that a class has too many of them to be compared.
template <int Threads, int Splits, int Count, bool IsStaged> void checkCrowded(float deviation, float outlier) {
  std::mt19937 random(Count);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(Count);
  for (float &value : values)
    value = normal(random);
  values[Count / 3] = outlier;
  values[Count / 2] = -INFINITY;
  for (SampleParameters p : {SampleParameters{1.0f, 0, 0.6f, 5, 1},
                             {0.5f, 1500, 1.0f, 6, 2},
                             {1.0f, 700, 0.5f, 7, 3},
                             {40.0f, Count - 1, 0.99f, 8, 4},
                             {1e30f, 0, 0.5f, 9, 5}})
    check<Threads, Splits, Count, IsStaged>(values, p);
}

TEST(SamplerTest, DrawsWhereManyLogitsAreOfOneClass) {
  checkCrowded<64, 4, 2400, true>(1e-4f, 1e-3f);
  checkCrowded<64, 1, 2400, false>(1e-4f, 1e-3f);
  checkCrowded<64, 2, 2403, true>(3, 200);
  checkCrowded<64, 2, 2403, true>(3, 1e30f);
}

TEST(SamplerTest, DrawsWhatTheReferenceDraws) {
  checkDraws<32, 1, 1, true>();
  checkDraws<64, 1, 100, true>();
  checkDraws<64, 2, 1000, true>(); // vectors of four
  checkDraws<64, 4, 2003, true>(); // one by one
  checkDraws<32, 8, 40, true>();   // some blocks have none
  checkDraws<64, 2, 2100, false>();
}

/// The lowest index of the largest; NaN counts as -infinity, and where nothing else is, the first it is.
template <int Count> void checkGreedy() {
  auto row = [](std::vector<std::pair<int, float>> set, float fill = 0) {
    std::vector<float> values(Count, fill);
    for (auto [index, value] : set)
      values[index] = value;
    check<32, 4, Count, true>(values, {0, 5, 0.5f, 1, 1});
  };
  row({{20, 3}, {36, 3}, {30, 3}});
  row({{Count - 1, 1}});
  row({{0, NAN}, {1, -1}}, -2);
  row({}, NAN);
  row({}, -INFINITY);
  row({{0, NAN}, {9, -INFINITY}}, NAN);
  row({{5, INFINITY}, {4, 1e30f}});
  row({{3, -0.0f}}, 0.0f);
  row({{0, -0.0f}}, 0.0f);
}
TEST(SamplerTest, GreedyTakesTheLowestOfTheLargest) {
  checkGreedy<300>();
  checkGreedy<301>();
}

} // namespace
