// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Contexts over many small pages, and contexts that need more pages than there are: an error that says so, and a
// session that goes on as if nothing had been asked.
#include "Golden.h"
#include "Tool.h"

#include "mjolnir/llm.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace mjolnir;
using namespace mjolnir::numerics;
using testing::AllOf;
using testing::HasSubstr;

namespace {

// Pages of 4 tokens: 50 for the prompt; the window of 16 tokens covers 5 of them.
TEST(PagesTest, SmallPagesComputeTheSame) {
  for (const char *name : {"mistral-window-bf16", "qwen2-mixed-bf16", "qwen3-tied-bf16"}) {
    SCOPED_TRACE(name);
    Golden golden(name);
    const Tokens &prompt = golden.prompts.back();
    for (bool oracle : {true, false}) {
      std::vector<std::string> arguments{"--batch=1", "--prefill=32", "--page-size=4"};
      if (oracle)
        arguments.push_back("--oracle");
      Model model(compiledPackage(goldenFolder(name), arguments), 2, 80);
      ASSERT_EQ(model.kv().page_size, 4u);
      Tokens pages = pagesFrom(0, 80);
      std::shuffle(pages.begin(), pages.end(), std::mt19937(3));
      pages.resize(50);
      auto logits = model.prefillEveryToken("prefill_t32", prompt, pages, 32);
      Difference ours = difference(flat(logits), flat(golden.logits));
      Difference theirs = difference(flat(golden.logitsBf16), flat(golden.logits));
      EXPECT_LE(ours.largest, oracle ? 1e-4 : 2 * theirs.largest);
      EXPECT_LE(ours.rms, oracle ? 1e-4 : 2 * theirs.rms);
      auto decoded = model.decode(prompt, pages);
      for (size_t i = 0; i < decoded.size(); ++i)
        EXPECT_TRUE(sameBits(decoded[i], logits[i])) << "position " << i;
    }
  }
}

/// Tokens that a generator over `pages` pages of 4 tokens, and `windowPages` of a pool of layers with a window, writes
/// after `prompt`.
Result<Generated> generateOver(const std::string &path, uint32_t pages, const Tokens &prompt, uint32_t count,
                               uint32_t windowPages = 0) {
  Result<Package> package = Package::open(path);
  if (!package)
    return package.error();
  Result<Generator> generator = Generator::create(*package, 2, pages, 0, 0, windowPages);
  if (!generator)
    return generator.error();
  Request request = generator->request(prompt);
  request.ignoreEos = true;
  request.maxNewTokens = count;
  return generator->generate(request);
}

// The window of 16 tokens and a step of 32 rows touch 13 pages of 4 tokens at most, the window and one row 5. The
// prompt of 200 tokens and 40 more would take 60.
TEST(WindowTest, APoolOfTheWindowIsEnoughForAnyContext) {
  Golden golden("mistral-window-bf16");
  for (bool oracle : {true, false}) {
    std::vector<std::string> arguments{"--batch=1", "--prefill=32", "--page-size=4"};
    if (oracle)
      arguments.push_back("--oracle");
    std::string path = compiledPackage(goldenFolder("mistral-window-bf16"), arguments);
    auto package = Package::open(path);
    ASSERT_TRUE(package) << package.error().message;
    ASSERT_EQ(package->kv()->window, 16u);
    auto whole = generateOver(path, 64, golden.prompts.back(), 40);
    ASSERT_TRUE(whole) << whole.error().message;
    ASSERT_EQ(whole->tokens.size(), 40u);
    // 13: whole steps; 6: steps of 6 rows; 5: of 2.
    for (uint32_t pages : {13u, 6u, 5u}) {
      auto few = generateOver(path, pages, golden.prompts.back(), 40);
      ASSERT_TRUE(few) << few.error().message;
      EXPECT_EQ(few->tokens, whole->tokens) << pages << " pages";
    }
    if (oracle) {
      auto greedy = generateOver(path, 5, golden.greedyPrompt, 64);
      ASSERT_TRUE(greedy) << greedy.error().message;
      EXPECT_EQ(greedy->tokens, golden.greedy);
    }
    auto refused = generateOver(path, 4, golden.prompts.back(), 40);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, MJ_ERROR_OUT_OF_MEMORY);
    EXPECT_THAT(refused.error().message, AllOf(HasSubstr("needs 5 KV pages"), HasSubstr("a window of 16 tokens"),
                                               HasSubstr("the session has 4 pages")));
  }
}

// Three of four layers have a window of 16 tokens: their pool needs the pages above, the other one 60 for 240 tokens.
TEST(WindowTest, LayersWithAWindowHaveAPoolOfTheirOwn) {
  Golden golden("qwen2-mixed-bf16");
  for (bool oracle : {true, false}) {
    std::vector<std::string> arguments{"--batch=1", "--prefill=32", "--page-size=4"};
    if (oracle)
      arguments.push_back("--oracle");
    std::string path = compiledPackage(goldenFolder("qwen2-mixed-bf16"), arguments);
    auto package = Package::open(path);
    ASSERT_TRUE(package) << package.error().message;
    EXPECT_EQ(package->kv()->window, 0u);
    EXPECT_EQ(package->kvWindow()->window, 16u);
    // K and V * 2 heads * 4 tokens * 16 elements of 2 or 4 bytes, a layer.
    EXPECT_EQ(package->kvWindow()->bytes_per_page, 3u * 2 * 2 * 4 * 16 * (oracle ? 4 : 2));
    EXPECT_EQ(package->kv()->bytes_per_page, 4u * 2 * 2 * 4 * 16 * (oracle ? 4 : 2)) << "of both pools";
    EXPECT_EQ(Session::create(*package, 1, 64)->kvWindowPages(), 13u);
    auto whole = generateOver(path, 64, golden.prompts.back(), 40, 64);
    ASSERT_TRUE(whole) << whole.error().message;
    ASSERT_EQ(whole->tokens.size(), 40u);
    for (uint32_t pages : {0u, 13u, 6u, 5u}) {
      auto few = generateOver(path, 64, golden.prompts.back(), 40, pages);
      ASSERT_TRUE(few) << few.error().message;
      EXPECT_EQ(few->tokens, whole->tokens) << pages << " pages";
    }
    if (oracle) {
      auto greedy = generateOver(path, 19, golden.greedyPrompt, 64, 5);
      ASSERT_TRUE(greedy) << greedy.error().message;
      EXPECT_EQ(greedy->tokens, golden.greedy);
    }
    auto refused = generateOver(path, 64, golden.prompts.back(), 40, 4);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message,
                AllOf(HasSubstr("needs 5 KV pages of layers with a window"), HasSubstr("the session has 4 pages")));
    refused = generateOver(path, 59, golden.prompts.back(), 40, 13);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message,
                AllOf(HasSubstr("needs 60 KV pages ("), HasSubstr("the session has 59 pages")));
  }
}

class FewPagesTest : public testing::Test {
protected:
  Golden golden{"qwen3-tied-bf16"};
  std::string path = goldenPackage("qwen3-tied-bf16", Path::oracle);
  Result<Package> package = Package::open(path);

  /// Greedy tokens for the golden prompt, `count` of them; 0: as many as there are pages for.
  Result<Generated> generate(Generator &generator, uint32_t count) {
    Request request = generator.request(golden.greedyPrompt);
    request.ignoreEos = true;
    request.maxNewTokens = count;
    return generator.generate(request);
  }
  Tokens firstGreedy(size_t count) { return Tokens(golden.greedy.begin(), golden.greedy.begin() + count); }
};

TEST_F(FewPagesTest, ARequestThatNeedsMoreIsRefusedAndTheNextOneRuns) {
  ASSERT_TRUE(package) << package.error().message;
  auto generator = Generator::create(*package, 2, /*kvPages=*/4); // 64 tokens
  ASSERT_TRUE(generator) << generator.error().message;

  // The last token of a request is written, but never read: 10 + 55 tokens need 64 in the cache.
  auto tooLong = generate(*generator, 60);
  ASSERT_FALSE(tooLong);
  EXPECT_EQ(tooLong.error().code, MJ_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(tooLong.error().message, AllOf(HasSubstr("pages"), HasSubstr("5"), HasSubstr("4")));
  auto tooLongPrompt = generator->score(golden.prompts.back());
  ASSERT_FALSE(tooLongPrompt);
  EXPECT_EQ(tooLongPrompt.error().code, MJ_ERROR_OUT_OF_MEMORY);
  EXPECT_THAT(tooLongPrompt.error().message, AllOf(HasSubstr("13"), HasSubstr("4")));

  auto fits = generate(*generator, 54);
  ASSERT_TRUE(fits) << fits.error().message;
  EXPECT_EQ(fits->tokens, firstGreedy(54));
  EXPECT_EQ(fits->finish, MJ_FINISH_LENGTH);
}

TEST_F(FewPagesTest, ARequestWithoutALengthEndsWhenThePagesAreFull) {
  ASSERT_TRUE(package) << package.error().message;
  auto generator = Generator::create(*package, 2, 4);
  ASSERT_TRUE(generator) << generator.error().message;
  for (int again = 0; again < 2; ++again) {
    auto generated = generate(*generator, 0);
    ASSERT_TRUE(generated) << generated.error().message;
    EXPECT_EQ(generated->finish, MJ_FINISH_PAGES_FULL);
    EXPECT_GE(generated->tokens.size(), 54u);
    ASSERT_LE(generated->tokens.size(), 55u);
    EXPECT_EQ(generated->tokens, firstGreedy(generated->tokens.size()));
  }
}

TEST_F(FewPagesTest, RequestsWaitForPages) {
  ASSERT_TRUE(package) << package.error().message;
  auto generator = Generator::create(*package, 2, 4);
  ASSERT_TRUE(generator) << generator.error().message;
  // Each needs 3 of the 4 pages.
  Request request = generator->request(golden.greedyPrompt);
  request.ignoreEos = true;
  request.maxNewTokens = 30;
  auto generated = generator->generate(std::vector<Request>{request, request, request});
  ASSERT_TRUE(generated) << generated.error().message;
  for (const Generated &one : *generated)
    EXPECT_EQ(one.tokens, firstGreedy(30));
}

TEST_F(FewPagesTest, AStepWithAPageThatDoesNotExistIsRefusedAndTheNextOneRuns) {
  Model model(path, 2, 4), untouched(path, 2, 4);
  Tokens tokens(golden.prompts.back().begin(), golden.prompts.back().begin() + 40);
  model.prefill("prefill_t32", tokens, {3, 1, 0}, 32);
  untouched.prefill("prefill_t32", tokens, {3, 1, 0}, 32);
  // The 49th token needs a fourth page, of which there is only a number.
  Piece piece{Tokens(9, 1), 40, {3, 1, 0, 4}};
  try {
    model.step("prefill_t32", {piece});
    FAIL() << "page 4 of 4 was accepted";
  } catch (const std::runtime_error &error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("block_tables[3] is 4"), HasSubstr("the session has 4 pages")));
  }
  piece.pages[3] = 2;
  EXPECT_TRUE(sameBits(model.step("prefill_t32", {piece}).logits[0], untouched.step("prefill_t32", {piece}).logits[0]));
}

} // namespace
