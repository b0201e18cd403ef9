// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// FP8 is lossy and is held to gates:
//  - trained weights, held-out perplexity against transformers' in f32: weights and activations in FP8 with nothing
//    excluded but the head at most 1% more, the KV cache in FP8 at most 0.5% more;
//  - random weights, logits against transformers' in f32: their direction. Each operand of a product errs by at most
//    2^-4 of itself, uniformly 2^-4 / sqrt(3); what one layer's matmuls and its cache add up to over the few layers of
//    a golden stays below a seventh of the logits, a cosine of 0.99.
#include "Golden.h"
#include "Tool.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

using namespace mjolnir;
using namespace mjolnir::numerics;

namespace {

const std::string tinyLm = MJOLNIR_TINY_LM;

/// Held-out perplexity over transformers' in f32, less 1.
double increase(const std::vector<std::string> &options) {
  std::vector<std::string> arguments{"--batch=1,8", "--prefill=128"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  nlohmann::json results = nlohmann::json::parse(readFile(tinyLm + "/reference/results.json"));
  Ran ran = runProgram(MJOLNIR_RUN, {compiledPackage(tinyLm + "/model", arguments), "--perplexity",
                                     tinyLm + "/heldout.txt", "--window",
                                     std::to_string(results.at("window").get<int>())});
  double perplexity = 0;
  if (ran.code != 0 || std::sscanf(ran.out.c_str(), "perplexity %lf", &perplexity) != 1)
    throw std::runtime_error(ran.out + ran.err);
  double relative = perplexity / results.at("perplexity_f32").get<double>() - 1;
  std::printf("  perplexity %.6f, %+.3f%%\n", perplexity, 100 * relative);
  return relative;
}

TEST(Fp8TrainedModelTest, WeightsAndActivationsRaisePerplexityByOnePercentAtMost) {
  EXPECT_LE(increase({"--fp8=full"}), 0.01);
}

TEST(Fp8TrainedModelTest, WeightsAloneRaisePerplexityByOnePercentAtMost) {
  EXPECT_LE(increase({"--fp8=weights"}), 0.01);
}

TEST(Fp8TrainedModelTest, KvCacheRaisesPerplexityByHalfAPercentAtMost) { EXPECT_LE(increase({"--fp8-kv"}), 0.005); }

TEST(Fp8TrainedModelTest, MatricesTakeAByteAnElement) {
  auto bytesOf = [](const std::vector<std::string> &options) {
    std::vector<std::string> arguments{"--batch=1,8", "--prefill=128"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    Ran ran = runProgram(MJOLNIR_INSPECT, {compiledPackage(tinyLm + "/model", arguments), "--json"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    uint64_t f8 = 0, bf16 = 0;
    for (const nlohmann::json &weight : nlohmann::json::parse(ran.out).at("weights").at("tensors"))
      (weight.at("dtype") == "f8e4m3fn" ? f8 : bf16) += weight.at("bytes").get<uint64_t>();
    return std::pair{f8, bf16};
  };
  auto [noF8, all] = bytesOf({});
  auto [f8, rest] = bytesOf({"--fp8=full"});
  EXPECT_EQ(noF8, 0u);
  // 7 matrices in each of 6 layers; the tied embedding, norms and tables stay.
  const uint64_t matrices = 6 * (256 * 512 * 2 + 256 * 256 * 2 + 256 * 768 * 3), rows = 6 * (512 + 3 * 256 + 2 * 768 + 256);
  EXPECT_EQ(f8, matrices);
  EXPECT_EQ(rest, all - 2 * matrices + 4 * rows);
}

class Fp8GoldenTest : public testing::TestWithParam<const char *> {};

TEST_P(Fp8GoldenTest, LogitsKeepTheirDirection) {
  Golden golden{GetParam()};
  Model model(goldenPackage(GetParam(), Path::fp8));
  const Tokens &prompt = golden.prompts.back();
  std::vector<float> ours = flat(model.decode(prompt, pagesFrom(0, model.pagesFor(prompt.size()))));
  std::vector<float> theirs = flat(golden.logits);
  double product = 0, oursSquared = 0, theirsSquared = 0;
  for (size_t i = 0; i < ours.size(); ++i) {
    product += double(ours[i]) * theirs[i];
    oursSquared += double(ours[i]) * ours[i];
    theirsSquared += double(theirs[i]) * theirs[i];
  }
  double cosine = product / std::sqrt(oursSquared * theirsSquared);
  EXPECT_GE(cosine, 0.99);
  EXPECT_LT(cosine, 1 - 1e-7) << "this is not FP8";
  std::printf("  cosine %.5f\n", cosine);
}

std::string testName(const testing::TestParamInfo<const char *> &info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, Fp8GoldenTest, testing::ValuesIn(goldenNames), testName);

} // namespace
