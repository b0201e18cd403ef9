// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// How a text is cut into steps does not matter. All comparisons here are bit for bit, for the oracle and for the normal
// path, on each golden checkpoint: what a row computes depends neither on the rows beside it, nor on the entry, nor on
// padding, nor on how many threads there are.
#include "Golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace mjolnir;
using namespace mjolnir::numerics;

namespace {

class StepsTest : public testing::TestWithParam<std::tuple<const char *, Path>> {
protected:
  std::string name = std::get<0>(GetParam());
  Golden golden{name};
  std::string package = goldenPackage(name, std::get<1>(GetParam()));
  const Tokens &prompt = golden.prompts.back();

  Model open(uint32_t threads = 2) { return Model(package, threads, 64); }

  /// Tokens that continue prompt `which`, `count` of them.
  Tokens continuation(size_t which, size_t count) {
    return Tokens(golden.greedy.begin() + 8 * which, golden.greedy.begin() + 8 * which + count);
  }

  /// The four prompts, each with room for `more` tokens, on pages of their own.
  std::vector<Piece> ragged(const Model &model, size_t more) {
    std::vector<Piece> pieces;
    int32_t page = 0;
    for (const Tokens &tokens : golden.prompts) {
      int32_t count = model.pagesFor(tokens.size() + more);
      pieces.push_back({tokens, 0, pagesFrom(page, count)});
      page += count;
    }
    return pieces;
  }
};

TEST_P(StepsTest, PrefillEqualsDecode) {
  Model first = open(), second = open();
  Tokens pages = pagesFrom(0, first.pagesFor(prompt.size()));
  auto decoded = first.decode(prompt, pages);
  auto prefilled = second.prefillEveryToken("prefill_t32", prompt, pages, 32);
  for (size_t i = 0; i < decoded.size(); ++i)
    EXPECT_TRUE(sameBits(decoded[i], prefilled[i])) << "position " << i;
}

TEST_P(StepsTest, PrefillThenDecodeEqualsOneLongPrefill) {
  Model whole = open();
  Tokens pages = pagesFrom(0, whole.pagesFor(prompt.size()));
  // What each token is followed by, from one prefill of everything.
  std::vector<float> last = whole.prefill("prefill_t320", prompt, pages, prompt.size());
  for (size_t cut : {1, 15, 16, 17, 100, 199}) {
    Model model = open();
    Tokens head(prompt.begin(), prompt.begin() + cut), tail(prompt.begin() + cut, prompt.end());
    model.prefill("prefill_t320", head, pages, head.size());
    EXPECT_TRUE(sameBits(model.decode(tail, pages, int32_t(cut)).back(), last)) << "prefill of " << cut;
  }
}

TEST_P(StepsTest, PrefillInPiecesEqualsPrefillAtOnce) {
  Model whole = open();
  Tokens pages = pagesFrom(0, whole.pagesFor(prompt.size()));
  std::vector<float> last = whole.prefill("prefill_t320", prompt, pages, prompt.size());
  for (size_t piece : {1, 5, 16, 31, 32}) {
    Model model = open();
    EXPECT_TRUE(sameBits(model.prefill("prefill_t32", prompt, pages, piece), last)) << "pieces of " << piece;
  }
  for (size_t piece : {33, 150}) {
    Model model = open();
    EXPECT_TRUE(sameBits(model.prefill("prefill_t320", prompt, pages, piece), last)) << "pieces of " << piece;
  }
}

TEST_P(StepsTest, ARaggedBatchEqualsSingleRuns) {
  constexpr size_t steps = 8;
  Model together = open(), alone = open();
  std::vector<Piece> pieces = ragged(together, steps);
  Stepped prefilled = together.step("prefill_t320", pieces);
  std::vector<std::vector<std::vector<float>>> single;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const Piece &piece = pieces[i];
    EXPECT_TRUE(sameBits(alone.prefill("prefill_t320", piece.tokens, piece.pages, 320), prefilled.logits[i]))
        << "prompt " << i;
    single.push_back(alone.decode(continuation(i, steps), piece.pages, int32_t(piece.tokens.size())));
  }
  for (size_t s = 0; s < steps; ++s) {
    std::vector<Piece> batch;
    for (size_t i = 0; i < pieces.size(); ++i)
      batch.push_back({{continuation(i, steps)[s]}, int32_t(pieces[i].tokens.size() + s), pieces[i].pages});
    Stepped stepped = together.step("decode_b4", batch);
    for (size_t i = 0; i < pieces.size(); ++i)
      EXPECT_TRUE(sameBits(stepped.logits[i], single[i][s])) << "prompt " << i << ", step " << s;
  }
}

TEST_P(StepsTest, ABucketMayBeLargerThanTheBatch) {
  constexpr size_t steps = 4;
  Model padded = open(), exact = open();
  std::vector<Piece> pieces = ragged(padded, steps);
  for (size_t used : {1, 2, 3}) {
    // Fewer sequences than the entry has, and fewer rows.
    std::vector<Piece> some(pieces.begin(), pieces.begin() + used);
    Stepped prefilled = padded.step("prefill_t320", some);
    for (size_t i = 0; i < used; ++i)
      EXPECT_TRUE(sameBits(prefilled.logits[i], exact.prefill("prefill_t32", pieces[i].tokens, pieces[i].pages, 32)));
    for (size_t s = 0; s < steps; ++s) {
      std::vector<Piece> batch;
      for (size_t i = 0; i < used; ++i)
        batch.push_back({{continuation(i, steps)[s]}, int32_t(pieces[i].tokens.size() + s), pieces[i].pages});
      Stepped stepped = padded.step("decode_b4", batch);
      for (size_t i = 0; i < used; ++i)
        EXPECT_TRUE(sameBits(stepped.logits[i], exact.step("decode_b1", {batch[i]}).logits[0]))
            << "sequence " << i << " of " << used << ", step " << s;
    }
  }
}

TEST_P(StepsTest, PiecesOfPromptsAndDecodingShareAStep) {
  // One sequence decodes, two are in the middle of their prompts, one begins.
  Model together = open(), alone = open();
  std::vector<Piece> pieces = ragged(together, 8);
  for (Model *model : {&together, &alone}) {
    model->prefill("prefill_t32", pieces[1].tokens, pieces[1].pages, 32);
    model->prefill("prefill_t32", Tokens(pieces[2].tokens.begin(), pieces[2].tokens.begin() + 40), pieces[2].pages, 32);
    model->prefill("prefill_t32", Tokens(pieces[3].tokens.begin(), pieces[3].tokens.begin() + 90), pieces[3].pages, 32);
  }
  auto part = [&](size_t which, size_t begin, size_t end) {
    const Piece &piece = pieces[which];
    return Piece{Tokens(piece.tokens.begin() + begin, piece.tokens.begin() + end), int32_t(begin), piece.pages};
  };
  std::vector<Piece> batch{{continuation(1, 1), 23, pieces[1].pages}, part(2, 40, 57), pieces[0], part(3, 90, 103)};
  Stepped stepped = together.step("prefill_t32", batch);
  for (size_t i = 0; i < batch.size(); ++i)
    EXPECT_TRUE(
        sameBits(stepped.logits[i], alone.step(i == 1 || i == 3 ? "prefill_t32" : "decode_b1", {batch[i]}).logits[0]))
        << "sequence " << i;
  // What the step stored is right, too.
  EXPECT_TRUE(
      sameBits(together.prefill("prefill_t32", Tokens(prompt.begin() + 103, prompt.end()), pieces[3].pages, 32, 103),
               alone.prefill("prefill_t32", prompt, pieces[3].pages, 32)));
}

TEST_P(StepsTest, PagesMayLieAnywhere) {
  Model plain = open(), scattered = open();
  Tokens inOrder = pagesFrom(0, plain.pagesFor(prompt.size()));
  ASSERT_GE(inOrder.size(), 13u);
  // Every page has held something else before.
  for (int32_t first = 0; first < int32_t(scattered.pages()); first += 8)
    scattered.prefill("prefill_t320", Tokens(prompt.rbegin(), prompt.rbegin() + 128), pagesFrom(first, 8), 128);
  Tokens pages = pagesFrom(0, int32_t(scattered.pages()));
  std::shuffle(pages.begin(), pages.end(), std::mt19937(7));
  pages.resize(inOrder.size());
  ASSERT_FALSE(std::is_sorted(pages.begin(), pages.end()));

  EXPECT_TRUE(
      sameBits(scattered.prefill("prefill_t32", prompt, pages, 32), plain.prefill("prefill_t32", prompt, inOrder, 32)));
  auto expected = plain.decode(prompt, inOrder), decoded = scattered.decode(prompt, pages);
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_TRUE(sameBits(decoded[i], expected[i])) << "position " << i;
}

TEST_P(StepsTest, ThreadsDoNotMatter) {
  std::vector<std::vector<float>> prefilled, decoded;
  for (uint32_t threads : {1, 2, 3}) {
    Model model = open(threads);
    std::vector<Piece> pieces = ragged(model, 1), batch;
    prefilled.push_back(flat(model.step("prefill_t320", pieces).logits));
    for (size_t i = 0; i < pieces.size(); ++i)
      batch.push_back({continuation(i, 1), int32_t(pieces[i].tokens.size()), pieces[i].pages});
    decoded.push_back(flat(model.step("decode_b4", batch).logits));
    for (const Piece &piece : batch)
      decoded.back().push_back(model.step("decode_b1", {piece}).logits[0][0]);
  }
  for (size_t i : {1, 2}) {
    EXPECT_TRUE(sameBits(prefilled[0], prefilled[i])) << i + 1 << " threads";
    EXPECT_TRUE(sameBits(decoded[0], decoded[i])) << i + 1 << " threads";
  }
}

std::string testName(const testing::TestParamInfo<std::tuple<const char *, Path>> &info) {
  std::string name = std::get<0>(info.param);
  std::replace(name.begin(), name.end(), '-', '_');
  static constexpr const char *paths[] = {"_oracle", "_normal", "_fp8"};
  return name + paths[static_cast<int>(std::get<1>(info.param))];
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, StepsTest,
                         testing::Combine(testing::ValuesIn(goldenNames), testing::Values(Path::oracle, Path::normal)),
                         testName);
INSTANTIATE_TEST_SUITE_P(Fp8Checkpoints, StepsTest,
                         testing::Combine(testing::Values("qwen3-tied-bf16", "mistral-window-bf16"),
                                          testing::Values(Path::fp8)),
                         testName);

} // namespace
