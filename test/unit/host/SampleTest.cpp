// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The sampling kernel against a reference that sorts, in f64.
#include "targets/host/SampleKernel.h"
#include "test/unit/SampleReference.h"
#include "test/unit/host/KernelRunner.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace mjolnir::host;
using namespace mjolnir::host::testing;
using namespace mjolnir::test;
using Parameters = SampleParameters;

namespace {

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
      llvm::ArrayRef<float> row = logits.slice(index * vocabulary, vocabulary);
      std::vector<int32_t> right = allowedTokens(std::vector<double>(row.begin(), row.end()), p);
      EXPECT_TRUE(llvm::is_contained(right, tokens[index]))
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
