// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The trained model of examples/tiny-lm against what transformers makes of it (examples/tiny-lm/evaluate.py describes
// the files):
//  - held-out perplexity within 0.1% of transformers' in f32. The normal path over the whole text, with mjolnir-run;
//  the
//    oracle, which is several times slower, over every fourth window, each window's loss against transformers' own;
//    over all of them when MJOLNIR_TEST_ALL_WINDOWS is set;
//  - 200 greedy tokens of each prompt equal those of transformers in f32, for the oracle; mjolnir-run prints their
//  text;
//  - the normal path's argmax, teacher-forced, is transformers' wherever the margin exceeds the allowed error.
#include "Golden.h"
#include "Tool.h"

#include "mjolnir/llm.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

using namespace mjolnir;
using namespace mjolnir::numerics;

namespace {

const std::string folder = MJOLNIR_TINY_LM;
const std::string reference = folder + "/reference/";

std::string package(Path path) {
  std::vector<std::string> arguments{"--batch=1,8", "--prefill=128"};
  if (path == Path::oracle)
    arguments.push_back("--oracle");
  return compiledPackage(folder + "/model", arguments);
}

nlohmann::json readJson(const std::string &file) { return nlohmann::json::parse(readFile(reference + file)); }

struct Prompt {
  std::string text, expectedText;
  Tokens ids, following; // 200 greedy tokens of transformers in f32
};

std::vector<Prompt> prompts() {
  std::vector<Prompt> result;
  for (const nlohmann::json &record : readJson("greedy.json"))
    result.push_back({record.at("prompt"), record.at("text"), record.at("prompt_ids"), record.at("ids")});
  if (result.size() != 3 || result[0].following.size() != 200)
    throw std::runtime_error("greedy.json is not as evaluate.py makes it");
  return result;
}

/// The logits from which each token of `following` is predicted.
std::vector<std::vector<float>> teacherForced(Model &model, const Prompt &prompt) {
  Tokens pages = pagesFrom(0, model.pagesFor(prompt.ids.size() + prompt.following.size()));
  std::vector<std::vector<float>> logits{model.step("prefill_t128", {{prompt.ids, 0, pages}}).logits[0]};
  Tokens fed(prompt.following.begin(), prompt.following.end() - 1);
  for (std::vector<float> &row : model.decode(fed, pages, int32_t(prompt.ids.size())))
    logits.push_back(std::move(row));
  return logits;
}

double negativeLogLikelihood(const float *logits, size_t vocabulary, int32_t token) {
  double largest = *std::max_element(logits, logits + vocabulary), sum = 0;
  for (size_t v = 0; v < vocabulary; ++v)
    sum += std::exp(logits[v] - largest);
  return largest + std::log(sum) - logits[token];
}

TEST(TrainedModelTest, HeldOutTextHasTheSameTokens) {
  auto opened = Package::open(package(Path::normal));
  ASSERT_TRUE(opened) << opened.error().message;
  auto generator = Generator::create(*opened);
  ASSERT_TRUE(generator) << generator.error().message;
  auto tokenizer = generator->tokenizer();
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  std::string text = readFile(folder + "/heldout.txt");
  auto tokens = tokenizer->encode(text);
  ASSERT_TRUE(tokens) << tokens.error().message;
  EXPECT_EQ(*tokens, readIntegers(reference + "heldout_tokens.npy"));
  auto back = tokenizer->decode(*tokens, /*skipSpecialTokens=*/false);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, text);
}

TEST(TrainedModelTest, NormalPerplexityIsThatOfTransformers) {
  nlohmann::json results = readJson("results.json");
  Ran ran = runProgram(MJOLNIR_RUN, {package(Path::normal), "--perplexity", folder + "/heldout.txt", "--window",
                                     std::to_string(results.at("window").get<int>())});
  ASSERT_EQ(ran.code, 0) << ran.err;
  double perplexity = 0;
  long predicted = 0;
  ASSERT_EQ(std::sscanf(ran.out.c_str(), "perplexity %lf (mean negative log likelihood %*f of %ld tokens;", &perplexity,
                        &predicted),
            2)
      << ran.out;
  EXPECT_EQ(predicted, results.at("predicted_tokens").get<long>());
  double theirs = results.at("perplexity_f32");
  EXPECT_NEAR(perplexity, theirs, 1e-3 * theirs);
  std::printf("  perplexity %.6f, transformers: %.6f in f32, %.6f in bf16\n", perplexity, theirs,
              results.at("perplexity_bf16").get<double>());
}

TEST(TrainedModelTest, OraclePerplexityIsThatOfTransformers) {
  nlohmann::json results = readJson("results.json");
  Tokens text = readIntegers(reference + "heldout_tokens.npy");
  std::vector<double> losses = readJson("window_losses.json");
  const size_t window = results.at("window"), windows = (text.size() + window - 1) / window;
  ASSERT_EQ(losses.size(), windows);
  double perplexity = results.at("perplexity_f32");
  EXPECT_NEAR(std::exp(std::accumulate(losses.begin(), losses.end(), 0.0) / double(text.size() - windows)), perplexity,
              1e-6 * perplexity)
      << "window_losses.json does not belong to results.json";

  auto opened = Package::open(package(Path::oracle));
  ASSERT_TRUE(opened) << opened.error().message;
  auto generator = Generator::create(*opened, 0, 8 * 64);
  ASSERT_TRUE(generator) << generator.error().message;
  struct Window {
    Tokens tokens;
    size_t vocabulary;
    double loss = 0;
    static int take(void *user, const mj_event *event) {
      Window &self = *static_cast<Window *>(user);
      if (event->logits)
        self.loss += negativeLogLikelihood(event->logits, self.vocabulary, self.tokens[event->row + 1]);
      return 0;
    }
  };
  const size_t every = std::getenv("MJOLNIR_TEST_ALL_WINDOWS") ? 1 : 4;
  std::vector<Window> chosen;
  for (size_t begin = 0; begin < text.size(); begin += every * window)
    chosen.push_back({Tokens(text.begin() + begin, text.begin() + std::min(text.size(), begin + window)),
                      generator->info().vocabulary});
  for (Window &one : chosen) {
    std::vector<size_t> rows(one.tokens.size() - 1);
    std::iota(rows.begin(), rows.end(), 0);
    ASSERT_EQ(mj_generator_submit_score(generator->get(), one.tokens.data(), one.tokens.size(), rows.data(),
                                        rows.size(), &Window::take, &one, nullptr),
              MJ_OK)
        << mj_last_error();
  }
  ASSERT_EQ(mj_generator_run(generator->get()), MJ_OK) << mj_last_error();
  double ours = 0, theirs = 0, predicted = 0;
  for (size_t i = 0; i < chosen.size(); ++i) {
    double expected = losses[i * every];
    EXPECT_NEAR(chosen[i].loss, expected, 1e-5 * expected) << "window " << i * every;
    ours += chosen[i].loss;
    theirs += expected;
    predicted += double(chosen[i].tokens.size() - 1);
  }
  double expected = std::exp(theirs / predicted);
  EXPECT_NEAR(std::exp(ours / predicted), expected, 1e-3 * expected);
  std::printf("  %zu of %zu windows: perplexity %.7f, transformers in f32: %.7f\n", chosen.size(), windows,
              std::exp(ours / predicted), expected);
}

TEST(TrainedModelTest, OracleWritesTheTokensOfTransformers) {
  Model model(package(Path::oracle));
  for (const Prompt &prompt : prompts()) {
    Tokens pages = pagesFrom(0, model.pagesFor(prompt.ids.size() + prompt.following.size()));
    Tokens written = model.step("prefill_t128", {{prompt.ids, 0, pages}}).next;
    while (written.size() < prompt.following.size())
      written.push_back(
          model.step("decode_b1", {{{written.back()}, int32_t(prompt.ids.size() + written.size() - 1), pages}})
              .next[0]);
    EXPECT_EQ(written, prompt.following) << prompt.text;
  }
}

TEST(TrainedModelTest, OracleLogitsAreWithinTheBound) {
  Model model(package(Path::oracle));
  std::vector<std::vector<float>> expected = readRows(reference + "logits_f32.npy");
  std::vector<std::vector<float>> logits = teacherForced(model, prompts()[0]);
  ASSERT_EQ(expected.size(), 64u);
  logits.resize(expected.size());
  Difference error = difference(flat(logits), flat(expected));
  EXPECT_LE(error.largest, 1e-4);
  std::printf("  largest error %.2e, rms %.2e\n", error.largest, error.rms);
}

TEST(TrainedModelTest, NormalPathAgreesWhereTheMarginExceedsTheAllowedError) {
  Model model(package(Path::normal));
  std::vector<std::vector<float>> margins = readRows(reference + "margins_f32.npy");
  std::vector<std::vector<float>> errors = readRows(reference + "error_bf16.npy");
  std::vector<std::vector<float>> oracle = readRows(reference + "logits_f32.npy");
  std::vector<Prompt> all = prompts();
  for (size_t p = 0; p < all.size(); ++p) {
    auto logits = teacherForced(model, all[p]);
    // A bf16 path may err twice as much as transformers' own.
    float allowed = 2 * *std::max_element(errors[p].begin(), errors[p].end());
    if (p == 0) {
      std::vector<std::vector<float>> first(logits.begin(), logits.begin() + oracle.size());
      Difference ours = difference(flat(first), flat(oracle));
      EXPECT_LE(ours.largest, allowed);
      std::printf("  largest error of the first %zu steps %.4f, transformers' bf16 %.4f\n", oracle.size(), ours.largest,
                  *std::max_element(errors[p].begin(), errors[p].begin() + oracle.size()));
    }
    size_t compared = 0, agree = 0;
    for (size_t i = 0; i < logits.size(); ++i) {
      auto argmax = std::max_element(logits[i].begin(), logits[i].end()) - logits[i].begin();
      agree += argmax == all[p].following[i];
      if (margins[p][i] <= allowed)
        continue;
      ++compared;
      EXPECT_EQ(argmax, all[p].following[i]) << all[p].text << ", step " << i << ", margin " << margins[p][i];
    }
    EXPECT_GE(compared, 150u) << "too few margins exceed " << allowed;
    std::printf("  %zu of %zu margins exceed %.3f; in all, %zu tokens agree\n", compared, logits.size(), allowed,
                agree);
  }
}

TEST(TrainedModelTest, RunPrintsTheTextOfTransformers) {
  for (const Prompt &prompt : prompts()) {
    Ran ran = runProgram(MJOLNIR_RUN, {package(Path::oracle), "--prompt", prompt.text, "--temperature", "0",
                                       "--max-new-tokens", "200", "--ignore-eos"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.out, prompt.expectedText + "\n") << prompt.text;
  }
}

// The checkpoint's generation_config.json asks for sampling, so the text depends on the seed.
TEST(TrainedModelTest, RunSamplesByTheCheckpointsSettings) {
  auto run = [](std::vector<std::string> more) {
    std::vector<std::string> arguments{package(Path::normal), "--prompt", "Elizabeth looked out of the window, and",
                                       "--max-new-tokens", "40"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Ran ran = runProgram(MJOLNIR_RUN, arguments);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.out;
  };
  std::string byDefault = run({"--seed", "5"});
  EXPECT_GT(byDefault.size(), 40u);
  EXPECT_EQ(byDefault, run({"--seed", "5", "--threads", "1"}));
  EXPECT_EQ(byDefault, run({"--seed", "5", "--temperature", "0.8", "--top-k", "40", "--top-p", "0.95"}));
  EXPECT_NE(byDefault, run({"--seed", "6"}));
  EXPECT_NE(byDefault, run({"--seed", "5", "--temperature", "0"}));
}

} // namespace
