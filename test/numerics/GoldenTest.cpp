// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Each golden checkpoint against what transformers computes from it:
//  - the oracle's logits are within 1e-4 of transformers' in f32, at every position, in decode and in prefill;
//  - the normal path's error against those is at most twice that of transformers' own bf16 run, largest and rms;
//  - 64 greedy tokens of the oracle are transformers', from entries, from the generator and from mjolnir-run.
#include "Golden.h"
#include "Tool.h"

#include "mjolnir/llm.hpp"

#include <gtest/gtest.h>

#include <algorithm>

using namespace mjolnir;
using namespace mjolnir::numerics;

namespace {

constexpr double oracleBound = 1e-4;

class GoldenTest : public testing::TestWithParam<const char *> {
protected:
  Golden golden{GetParam()};
  const Tokens &prompt = golden.prompts.back();

  void expectOracle(const std::vector<std::vector<float>> &logits, const char *how) {
    ASSERT_EQ(logits.size(), golden.logits.size());
    double largest = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      double error = difference(logits[i], golden.logits[i]).largest;
      EXPECT_LE(error, oracleBound) << how << ", position " << i;
      largest = std::max(largest, error);
    }
    RecordProperty(std::string("largest_error_") + how, std::to_string(largest));
  }

  void expectNormal(const std::vector<std::vector<float>> &logits, const char *how) {
    Difference ours = difference(flat(logits), flat(golden.logits));
    Difference theirs = difference(flat(golden.logitsBf16), flat(golden.logits));
    EXPECT_LE(ours.largest, 2 * theirs.largest) << how;
    EXPECT_LE(ours.rms, 2 * theirs.rms) << how;
    std::printf("  %-8s largest error %.4f (transformers' bf16: %.4f), rms %.5f (%.5f)\n", how, ours.largest,
                theirs.largest, ours.rms, theirs.rms);
  }
};

TEST_P(GoldenTest, OracleIsWithinTheBoundAtEveryPosition) {
  Model model(goldenPackage(GetParam(), Path::oracle));
  Tokens pages = pagesFrom(0, model.pagesFor(prompt.size()));
  expectOracle(model.decode(prompt, pages), "decode");
  expectOracle(model.prefillEveryToken("prefill_t32", prompt, pages, 32), "prefill");
}

TEST_P(GoldenTest, OracleIsWithinTheBoundAfterEachPromptOfARaggedBatch) {
  Model model(goldenPackage(GetParam(), Path::oracle), 2, 32);
  std::vector<Piece> pieces;
  int32_t page = 0;
  for (const Tokens &tokens : golden.prompts) {
    pieces.push_back({tokens, 0, pagesFrom(page, model.pagesFor(tokens.size()))});
    page += model.pagesFor(tokens.size());
  }
  Stepped stepped = model.step("prefill_t320", pieces);
  for (size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_LE(difference(stepped.logits[i], golden.lastLogits[i]).largest, oracleBound) << "prompt " << i;
    EXPECT_EQ(stepped.next[i],
              std::max_element(stepped.logits[i].begin(), stepped.logits[i].end()) - stepped.logits[i].begin());
  }
}

TEST_P(GoldenTest, NormalPathErrsAtMostTwiceAsMuchAsTransformersInBf16) {
  Model model(goldenPackage(GetParam(), Path::normal));
  Tokens pages = pagesFrom(0, model.pagesFor(prompt.size()));
  expectNormal(model.decode(prompt, pages), "decode");
  expectNormal(model.prefillEveryToken("prefill_t32", prompt, pages, 32), "prefill");
}

TEST_P(GoldenTest, OracleWritesTheTokensOfTransformers) {
  Model model(goldenPackage(GetParam(), Path::oracle));
  const size_t prompted = golden.greedyPrompt.size(), steps = golden.greedy.size();
  Tokens pages = pagesFrom(0, model.pagesFor(prompted + steps));
  Tokens written = model.step("prefill_t32", {{golden.greedyPrompt, 0, pages}}).next;
  while (written.size() < steps) {
    int32_t position = int32_t(prompted + written.size() - 1);
    written.push_back(model.step("decode_b1", {{{written.back()}, position, pages}}).next[0]);
  }
  EXPECT_EQ(written, golden.greedy);
}

TEST_P(GoldenTest, GeneratorWritesTheTokensOfTransformers) {
  auto package = Package::open(goldenPackage(GetParam(), Path::oracle));
  ASSERT_TRUE(package) << package.error().message;
  auto generator = Generator::create(*package);
  ASSERT_TRUE(generator) << generator.error().message;
  Request request = generator->request(golden.greedyPrompt);
  request.maxNewTokens = uint32_t(golden.greedy.size());
  request.ignoreEos = true;
  auto generated = generator->generate(request);
  ASSERT_TRUE(generated) << generated.error().message;
  EXPECT_EQ(generated->tokens, golden.greedy);
  EXPECT_EQ(generated->finish, MJ_FINISH_LENGTH);
}

TEST_P(GoldenTest, RunPrintsTheTokensOfTransformers) {
  auto commas = [](const Tokens &tokens) {
    std::string text;
    for (int32_t token : tokens)
      text += (text.empty() ? "" : ",") + std::to_string(token);
    return text;
  };
  Ran ran = runProgram(MJOLNIR_RUN, {goldenPackage(GetParam(), Path::oracle), "--tokens", commas(golden.greedyPrompt),
                                     "--print-tokens", "--ignore-eos", "--max-new-tokens", "64"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, commas(golden.greedy) + "\n");
}

std::string testName(const testing::TestParamInfo<const char *> &info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, GoldenTest, testing::ValuesIn(goldenNames), testName);

} // namespace
