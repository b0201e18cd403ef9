// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The sampling kernel against a reference that sorts, in f64.
#include "targets/host/SampleKernel.h"
#include "test/unit/host/KernelRunner.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

using namespace mjolnir::host;
using namespace mjolnir::host::testing;

namespace {

/// Philox4x32-10 of Salmon et al., SC 2011.
void philox(uint32_t counter[4], uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = 0xD2511F53ull * counter[0], product1 = 0xCD9E8D57ull * counter[2];
    uint32_t next[4] = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(product1),
                        static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(product0)};
    std::memcpy(counter, next, sizeof(next));
    key0 += 0x9E3779B9, key1 += 0xBB67AE85;
  }
}

struct Parameters {
  float temperature;
  int32_t topK;
  float topP;
  int64_t seed;
  int32_t context;
};

/// Tokens that a correct sampler may choose: one, or two where the draw falls within `tolerance` of a boundary.
std::vector<int32_t> allowed(llvm::ArrayRef<float> logits, const Parameters &p, double tolerance = 1e-6) {
  const int64_t n = logits.size();
  std::vector<double> clean(logits.begin(), logits.end());
  for (double &value : clean)
    if (std::isnan(value))
      value = -INFINITY;
  double largest = *std::max_element(clean.begin(), clean.end());
  int32_t argmax = std::find(clean.begin(), clean.end(), largest) - clean.begin();
  if (!(p.temperature > 0) || std::isinf(largest))
    return {argmax};
  std::vector<int32_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) { return clean[a] > clean[b]; });
  double least = p.topK > 0 && p.topK < n ? clean[order[p.topK - 1]] : -INFINITY;
  auto mass = [&](int32_t token) { return std::exp((clean[token] - largest) / p.temperature); };
  auto total = [&] {
    double sum = 0;
    for (int32_t token = 0; token < n; ++token)
      if (clean[token] >= least)
        sum += mass(token);
    return sum;
  };
  if (p.topP < 1) {
    double target = p.topP * total(), sum = 0;
    for (size_t next = 0; next < order.size();) {
      double level = clean[order[next]];
      for (; next < order.size() && clean[order[next]] == level; ++next)
        sum += mass(order[next]);
      if (sum >= target || next == order.size() || clean[order[next]] < least) {
        least = level;
        break;
      }
    }
  }
  uint32_t counter[4] = {static_cast<uint32_t>(p.context), 0, 0, 0};
  philox(counter, static_cast<uint32_t>(p.seed), static_cast<uint32_t>(static_cast<uint64_t>(p.seed) >> 32));
  double all = total(), target = (counter[0] >> 8) * 0x1p-24 * all, sum = 0;
  std::vector<int32_t> result;
  for (int32_t token = 0; token < n; ++token) {
    if (clean[token] < least)
      continue;
    double before = sum;
    sum += mass(token);
    if (sum > target - tolerance * all && before <= target + tolerance * all && mass(token) > 0)
      result.push_back(token);
  }
  return result;
}

class SampleTest : public ::testing::Test {
protected:
  /// Tokens chosen for each sequence of the batch.
  std::vector<int32_t> run(int64_t vocabulary, llvm::ArrayRef<float> logits, llvm::ArrayRef<Parameters> parameters) {
    HostTarget target = *HostTarget::parse("host");
    SampleConfig config{static_cast<int64_t>(parameters.size()), vocabulary};
    KernelModule kernels;
    EXPECT_TRUE(mlir::succeeded(emitSample(kernels.builder, *kernels.module, "sample", config, target)));
    auto library = kernels.compile(target);
    if (!library)
      return {};
    std::vector<float> temperature, topP;
    std::vector<int32_t> topK, context, next(parameters.size(), -7);
    std::vector<int64_t> seed;
    for (const Parameters &p : parameters) {
      temperature.push_back(p.temperature), topP.push_back(p.topP), topK.push_back(p.topK);
      context.push_back(p.context), seed.push_back(p.seed);
    }
    launch(library->symbol("sample"),
           {const_cast<float *>(logits.data()), temperature.data(), topK.data(), topP.data(), seed.data(),
            context.data(), next.data()},
           sampleTiles(config), 2);
    return next;
  }

  void check(int64_t vocabulary, llvm::ArrayRef<float> logits, llvm::ArrayRef<Parameters> parameters) {
    std::vector<int32_t> tokens = run(vocabulary, logits, parameters);
    ASSERT_EQ(tokens.size(), parameters.size());
    for (auto [index, p] : llvm::enumerate(parameters)) {
      std::vector<int32_t> right = allowed(logits.slice(index * vocabulary, vocabulary), p);
      EXPECT_NE(std::find(right.begin(), right.end(), tokens[index]), right.end())
          << "sequence " << index << " of " << vocabulary << " logits: " << tokens[index] << " instead of "
          << right.front() << "; temperature " << p.temperature << ", top_k " << p.topK << ", top_p " << p.topP;
    }
  }
};

TEST_F(SampleTest, PhiloxHasItsKnownAnswers) {
  // From the authors' Random123 distribution, kat_vectors.
  uint32_t zeros[4] = {0, 0, 0, 0};
  philox(zeros, 0, 0);
  EXPECT_EQ(zeros[0], 0x6627e8d5u);
  EXPECT_EQ(zeros[3], 0x9b00dbd8u);
  uint32_t ones[4] = {~0u, ~0u, ~0u, ~0u};
  philox(ones, ~0u, ~0u);
  EXPECT_EQ(ones[0], 0x408f276du);
  EXPECT_EQ(ones[3], 0x6d5451fdu);
}

TEST_F(SampleTest, GreedyTakesTheLowestOfTheLargest) {
  std::vector<float> logits;
  std::vector<Parameters> parameters;
  const int64_t vocabulary = 37;
  auto row = [&](std::vector<std::pair<int, float>> set, float fill = 0) {
    std::vector<float> values(vocabulary, fill);
    for (auto [index, value] : set)
      values[index] = value;
    logits.insert(logits.end(), values.begin(), values.end());
    parameters.push_back({0, 5, 0.5f, 1, 1});
  };
  row({{20, 3}, {36, 3}, {30, 3}});
  row({{36, 1}});
  row({{0, NAN}, {1, -1}}, -2);
  row({}, NAN);
  row({}, -INFINITY);
  row({{5, INFINITY}, {4, 1e30f}});
  row({{16, 7}, {1, 7}});
  row({{3, -0.0f}}, 0.0f);
  EXPECT_EQ(run(vocabulary, logits, parameters), (std::vector<int32_t>{20, 36, 1, 0, 0, 5, 1, 0}));
}

TEST_F(SampleTest, DrawsWhatTheReferenceDraws) {
  std::vector<Parameters> kinds = {{1.0f, 0, 1.0f, 0, 0},  {0.7f, 50, 1.0f, 0, 0},  {1.3f, 0, 0.9f, 0, 0},
                                   {1.0f, 20, 0.8f, 0, 0}, {2.0f, 1, 1.0f, 0, 0},   {0.3f, 0, 0.05f, 0, 0},
                                   {1.0f, 0, 0.0f, 0, 0},  {1e-30f, 0, 1.0f, 0, 0}, {1.0f, 1 << 30, 0.999f, 0, 0},
                                   {1.0f, -5, NAN, 0, 0},  {5.0f, 3, 0.5f, 0, 0},   {1e-42f, 0, 0.5f, 0, 0}};
  for (int64_t vocabulary : {1, 2, 15, 16, 17, 100, 5003}) {
    std::vector<float> logits;
    std::vector<Parameters> parameters;
    for (int repeat = 0; repeat < 8; ++repeat)
      for (Parameters p : kinds) {
        Buffer row(Element::F32, vocabulary);
        row.fill(vocabulary * 1000 + parameters.size(), repeat % 2 == 0 ? 4.0f : 12.0f);
        for (int64_t index = 0; index < vocabulary; ++index) // coarse values have ties at every threshold
          logits.push_back(repeat % 4 == 3 ? std::round(row.get(index)) : row.get(index));
        p.seed = 0x123456789abcdefll * (repeat + 1) - (repeat % 3 == 0 ? (int64_t(1) << 62) : 0);
        p.context = 17 * repeat + 1;
        parameters.push_back(p);
      }
    check(vocabulary, logits, parameters);
  }
}

TEST_F(SampleTest, InfiniteAndMissingLogitsAreNotDrawn) {
  const int64_t vocabulary = 50;
  std::vector<float> logits;
  std::vector<Parameters> parameters;
  for (int repeat = 0; repeat < 16; ++repeat) {
    std::vector<float> row(vocabulary, -INFINITY);
    row[7] = NAN, row[11] = 1.0f, row[40] = 1.5f, row[49] = 0.5f;
    logits.insert(logits.end(), row.begin(), row.end());
    parameters.push_back({1.0f, repeat % 2 == 0 ? 0 : 10, repeat % 4 < 2 ? 1.0f : 0.95f, repeat, repeat});
  }
  check(vocabulary, logits, parameters);
}

TEST_F(SampleTest, FrequenciesFollowTheProbabilities) {
  const int64_t vocabulary = 4, draws = 4000;
  const float row[] = {0.0f, 1.0f, 2.0f, 0.5f};
  std::vector<float> logits;
  std::vector<Parameters> parameters;
  for (int64_t index = 0; index < draws; ++index) {
    logits.insert(logits.end(), row, row + vocabulary);
    parameters.push_back({1.0f, 0, 1.0f, 42, static_cast<int32_t>(index)});
  }
  std::vector<int32_t> tokens = run(vocabulary, logits, parameters);
  double total = 0;
  for (float value : row)
    total += std::exp(value);
  for (int32_t token = 0; token < vocabulary; ++token) {
    double expected = std::exp(row[token]) / total;
    double seen = double(std::count(tokens.begin(), tokens.end(), token)) / draws;
    EXPECT_NEAR(seen, expected, 4 * std::sqrt(expected * (1 - expected) / draws)) << token;
  }
}

} // namespace
