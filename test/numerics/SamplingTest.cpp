// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Sampling through whole packages: the tokens that NumPy draws from transformers' logits with the same random numbers
// (sampling/make_draws.py), frequencies that follow the probabilities, and draws that depend on a request's parameters,
// seed and length alone.
#include "Golden.h"
#include "Tool.h"

#include "mjolnir/llm.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>

using namespace mjolnir;
using namespace mjolnir::numerics;

namespace {

TEST(SamplingTest, DrawsWhatNumpyDraws) {
  nlohmann::json draws = nlohmann::json::parse(readFile(MJOLNIR_DRAWS)).at("draws");
  ASSERT_GE(draws.size(), 3u);
  for (const auto &[name, list] : draws.items()) {
    SCOPED_TRACE(name);
    ASSERT_GE(list.size(), 200u);
    Golden golden(name);
    const Tokens &prompt = golden.prompts.back();
    Model model(goldenPackage(name, Path::oracle));
    Tokens pages = pagesFrom(0, model.pagesFor(prompt.size()));
    model.prefill("prefill_t320", prompt, pages, prompt.size());
    // Four draws a step: the same token of the same sequence, each with parameters of its own.
    for (size_t first = 0; first < list.size(); first += 4) {
      std::vector<Piece> batch;
      std::vector<int32_t> expected;
      for (size_t i = first; i < std::min(list.size(), first + 4); ++i) {
        int32_t position = list[i][0];
        Sampling sampling{list[i][1], list[i][2], list[i][3], list[i][4]};
        batch.push_back({{prompt[position]}, position, pages, -1, sampling});
        expected.push_back(list[i][5]);
      }
      Stepped stepped = model.step("decode_b4", batch);
      for (size_t i = 0; i < batch.size(); ++i)
        EXPECT_EQ(stepped.next[i], expected[i]) << "draw " << first + i << ": " << list[first + i].dump();
    }
  }
}

TEST(SamplingTest, FrequenciesFollowTheProbabilities) {
  constexpr int steps = 2500, draws = 4 * steps;
  constexpr float temperature = 1.7f;
  Golden golden("llama2-sharded-bf16");
  const Tokens &prompt = golden.prompts[1];
  Model model(goldenPackage("llama2-sharded-bf16", Path::normal));
  Tokens pages = pagesFrom(0, model.pagesFor(prompt.size()));
  model.prefill("prefill_t32", prompt, pages, 32);
  std::vector<int> counts(model.kv().vocabulary);
  std::vector<float> logits;
  for (int step = 0; step < steps; ++step) {
    std::vector<Piece> batch;
    for (int i = 0; i < 4; ++i)
      batch.push_back({{prompt.back()}, int32_t(prompt.size() - 1), pages, -1, {temperature, 0, 1, 4 * step + i}});
    Stepped stepped = model.step("decode_b4", batch);
    for (int32_t token : stepped.next)
      ++counts.at(token);
    logits = stepped.logits[0];
  }
  double total = 0;
  for (float logit : logits)
    total += std::exp(double(logit) / temperature);
  // Pearson's statistic over the tokens that are expected at least 5 times, and the others together.
  double statistic = 0, restExpected = 0, restCount = 0;
  int cells = 0;
  auto add = [&](double expected, double count) {
    statistic += (count - expected) * (count - expected) / expected;
    ++cells;
  };
  for (size_t token = 0; token < counts.size(); ++token) {
    double expected = draws * std::exp(double(logits[token]) / temperature) / total;
    if (expected >= 5) {
      add(expected, counts[token]);
    } else {
      restExpected += expected;
      restCount += counts[token];
    }
  }
  if (restExpected >= 5)
    add(restExpected, restCount);
  ASSERT_GT(cells, 20);
  // Its mean is cells - 1, its variance twice that; the draws are always the same, so this cannot fail by chance.
  EXPECT_LT(statistic, cells - 1 + 4 * std::sqrt(2.0 * (cells - 1)));
}

TEST(SamplingTest, ARequestDrawsTheSameInAnyCompany) {
  Golden golden("qwen2-tied-bf16");
  auto package = Package::open(goldenPackage("qwen2-tied-bf16", Path::normal));
  ASSERT_TRUE(package) << package.error().message;
  std::vector<Request> requests;
  std::vector<Tokens> alone;
  for (size_t i = 0; i < 4; ++i) {
    auto generator = Generator::create(*package);
    ASSERT_TRUE(generator) << generator.error().message;
    Request request = generator->request(golden.prompts[i]);
    request.temperature = 0.7f + 0.3f * float(i);
    request.topK = i == 1 ? 30 : 0;
    request.topP = i == 2 ? 0.9f : 1.0f;
    request.seed = i == 3 ? UINT64_MAX : i;
    request.maxNewTokens = 24;
    request.ignoreEos = true;
    requests.push_back(request);
    auto generated = generator->generate(request);
    ASSERT_TRUE(generated) << generated.error().message;
    alone.push_back(generated->tokens);
    ASSERT_EQ(alone.back().size(), 24u);
  }
  auto generator = Generator::create(*package, 3, 64);
  ASSERT_TRUE(generator) << generator.error().message;
  auto together = generator->generate(requests);
  ASSERT_TRUE(together) << together.error().message;
  for (size_t i = 0; i < requests.size(); ++i)
    EXPECT_EQ((*together)[i].tokens, alone[i]) << "request " << i;
  Request other = requests[0];
  other.seed = 99;
  auto differs = generator->generate(other);
  ASSERT_TRUE(differs) << differs.error().message;
  EXPECT_NE(differs->tokens, alone[0]);
}

} // namespace
