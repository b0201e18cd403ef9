// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Generation over a toy program: what each request gets is what the model alone would give it, however requests are
// batched, cut into pieces and paged; how requests end; what is refused.

#include "Generator.h"

#include "AllocationCount.h"
#include "Error.h"
#include "TestFiles.h"
#include "ToyProgram.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>

using namespace mjolnir::llm;

namespace {

struct Outcome {
  std::string text;
  std::vector<int32_t> tokens;
  std::map<size_t, std::vector<float>> logits;
  mj_finish finish = MJ_FINISH_NONE;
  mj_request_stats stats = {};
  int events = 0, lastEvents = 0;
  std::function<bool(const mj_event &)> goOn;
  uint32_t vocabulary = 0;

  static int take(void *user, const mj_event *event) {
    Outcome &self = *static_cast<Outcome *>(user);
    ++self.events;
    EXPECT_EQ(self.finish, MJ_FINISH_NONE) << "an event after the last";
    EXPECT_TRUE(isValidUtf8({event->text, event->text_bytes}));
    self.text.append(event->text, event->text_bytes);
    self.tokens.insert(self.tokens.end(), event->tokens, event->tokens + event->token_count);
    if (event->logits)
      self.logits[event->row].assign(event->logits, event->logits + self.vocabulary);
    self.finish = event->finish;
    if (event->finish != MJ_FINISH_NONE) {
      ++self.lastEvents;
      self.stats = *event->stats;
    }
    return self.goOn && !self.goOn(*event) ? 1 : 0;
  }
};

const Tokenizer &tokenizer() {
  static const Tokenizer instance(readTestFile(MJOLNIR_TOKENIZER_GOLDENS "/qwen.tokenizer.json"));
  return instance;
}
uint32_t vocabularySize() { return static_cast<uint32_t>(tokenizer().size()); }

Program::Info toyInfo(uint32_t pages = 64, uint32_t pageSize = 4, uint32_t maxContext = 96) {
  Program::Info info;
  uint32_t P = maxContext / pageSize;
  info.entries = {{1, 1, P}, {2, 2, P}, {4, 4, P}, {8, 2, P}, {32, 4, P}};
  info.pageSize = pageSize;
  info.pages = pages;
  info.vocabulary = vocabularySize();
  info.maxContext = maxContext;
  return info;
}

/// Every test is run with steps that start when the one before them is known, and with steps that start before.
bool runsAhead = false;
class Generation : public testing::TestWithParam<bool> {
protected:
  void SetUp() override { runsAhead = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Generator, Generation, testing::Bool(),
                         [](const auto &info) { return info.param ? "RunningAhead" : "StepByStep"; });

struct Toy {
  explicit Toy(Program::Info info = toyInfo(), GenerationConfig config = {}) {
    auto owned = std::make_unique<ToyProgram>(std::move(info));
    program = owned.get();
    program->isAsynchronous = runsAhead;
    generator = std::make_unique<Generator>(std::move(owned), &tokenizer(), std::move(config));
  }
  uint64_t submit(Outcome &outcome, std::vector<int32_t> prompt, Generator::Options options) {
    options.callback = &Outcome::take;
    options.user = &outcome;
    return generator->submit(std::move(prompt), std::move(options));
  }
  uint64_t score(Outcome &outcome, std::vector<int32_t> tokens, std::vector<size_t> rows) {
    outcome.vocabulary = vocabularySize();
    return generator->submitScore(std::move(tokens), std::move(rows), &Outcome::take, &outcome);
  }
  void run() {
    while (generator->step() > 0)
      ;
  }
  ToyProgram *program;
  std::unique_ptr<Generator> generator;
};

Generator::Options newTokens(uint32_t count) {
  Generator::Options options;
  options.maxNewTokens = count;
  return options;
}

std::vector<int32_t> randomPrompt(std::mt19937 &random, size_t length) {
  std::vector<int32_t> prompt(length);
  for (int32_t &token : prompt)
    token = static_cast<int32_t>(random() % 2048);
  return prompt;
}

void expectTokens(const std::vector<Outcome> &outcomes, const std::vector<int32_t> &expected,
                  const std::vector<size_t> &counts) {
  for (size_t i = 0; i < outcomes.size(); ++i)
    EXPECT_EQ(outcomes[i].tokens, std::vector<int32_t>(expected.begin(), expected.begin() + counts[i])) << i;
}

std::string errorOf(const std::function<void()> &body, mj_status status) {
  try {
    body();
  } catch (const Error &e) {
    EXPECT_EQ(e.status(), status);
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

// ---- what a request gets ----

TEST_P(Generation, ContinuesPromptsOfAllLengths) {
  std::mt19937 random(1);
  for (size_t length = 1; length <= 70; ++length) {
    Toy toy;
    Outcome outcome;
    std::vector<int32_t> prompt = randomPrompt(random, length);
    toy.submit(outcome, prompt, newTokens(20));
    toy.run();
    std::vector<int32_t> expected = ToyModel::continuation(prompt, 20, vocabularySize());
    EXPECT_EQ(outcome.tokens, expected) << length;
    EXPECT_EQ(outcome.text, tokenizer().decode(expected.data(), expected.size(), true));
    EXPECT_EQ(outcome.finish, MJ_FINISH_LENGTH);
    EXPECT_EQ(outcome.stats.prompt_tokens, length);
    EXPECT_EQ(outcome.stats.new_tokens, 20u);
    EXPECT_GT(outcome.stats.first_token_nanoseconds, 0u);
    EXPECT_GE(outcome.stats.total_nanoseconds, outcome.stats.first_token_nanoseconds);
  }
}

TEST_P(Generation, RequestsDoNotInfluenceEachOther) {
  std::mt19937 random(2);
  for (int round = 0; round < 20; ++round) {
    Toy toy(toyInfo(/*pages=*/random() % 2 ? 64 : 26)); // with few pages, requests wait for each other
    size_t count = 1 + random() % 12;
    std::vector<Outcome> outcomes(count);
    std::vector<std::vector<int32_t>> expected(count);
    for (size_t i = 0; i < count; ++i) {
      std::vector<int32_t> prompt = randomPrompt(random, 1 + random() % 60);
      Generator::Options options = newTokens(1 + static_cast<uint32_t>(random() % 30));
      options.sampling = {random() % 2 ? 0.8f : 0.0f, 5, 0.9f, random()};
      expected[i] = ToyModel::continuation(prompt, options.maxNewTokens, vocabularySize(), options.sampling);
      toy.submit(outcomes[i], prompt, options);
      for (size_t steps = random() % 5; steps > 0; --steps) // they arrive while others run
        toy.generator->step();
    }
    toy.run();
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(outcomes[i].tokens, expected[i]);
      EXPECT_EQ(outcomes[i].lastEvents, 1);
    }
  }
}

// Pages of 4, a window of 10: steps of 32 rows touch 11 pages at most, single rows 4. With fewer pages than steps of 32
// rows want, steps are smaller; what requests get is the same.
TEST_P(Generation, KeepsNoMoreThanTheWindow) {
  std::mt19937 random(4);
  for (uint32_t pages : {4u, 5u, 7u, 11u, 24u, 60u}) {
    Program::Info info = toyInfo(pages);
    info.window = 10;
    Toy toy(info);
    std::vector<Outcome> outcomes(6);
    std::vector<std::vector<int32_t>> expected;
    for (Outcome &outcome : outcomes) {
      std::vector<int32_t> prompt = randomPrompt(random, 1 + random() % 60);
      expected.push_back(ToyModel::continuation(prompt, 30, vocabularySize(), {}, info.window));
      toy.submit(outcome, prompt, newTokens(30));
    }
    toy.run();
    for (size_t i = 0; i < outcomes.size(); ++i)
      EXPECT_EQ(outcomes[i].tokens, expected[i]) << pages << " pages, request " << i;
  }
  Program::Info info = toyInfo(/*pages=*/3);
  info.window = 10;
  Toy toy(info);
  Outcome outcome;
  EXPECT_EQ(
      errorOf([&] { toy.submit(outcome, {1, 2}, newTokens(30)); }, MJ_ERROR_OUT_OF_MEMORY),
      "the request needs 4 KV pages (2 prompt tokens + 29 generated, 4 tokens a page, a window of 10 tokens), but the "
      "session has 3 pages for 12 tokens; ask for fewer tokens, or make the session with more pages (kv_pages)");
  // What fits whole needs no window.
  toy.submit(outcome, {1, 2}, newTokens(11));
  toy.run();
  EXPECT_EQ(outcome.tokens, ToyModel::continuation({1, 2}, 11, vocabularySize(), {}, info.window));
}

// The same pages of a pool of their own, for the layers with a window; the others keep whole sequences of up to 22
// pages.
TEST_P(Generation, KeepsTheWindowInAPoolOfItsOwn) {
  std::mt19937 random(6);
  for (uint32_t windowPages : {4u, 5u, 7u, 11u, 24u}) {
    Program::Info info = toyInfo(/*pages=*/60);
    info.window = 10;
    info.windowPages = windowPages;
    Toy toy(info);
    std::vector<Outcome> outcomes(6);
    std::vector<std::vector<int32_t>> expected;
    for (Outcome &outcome : outcomes) {
      std::vector<int32_t> prompt = randomPrompt(random, 1 + random() % 60);
      expected.push_back(ToyModel::continuation(prompt, 30, vocabularySize()));
      toy.submit(outcome, prompt, newTokens(30));
    }
    toy.run();
    for (size_t i = 0; i < outcomes.size(); ++i)
      EXPECT_EQ(outcomes[i].tokens, expected[i]) << windowPages << " pages, request " << i;
  }
  // Either pool may be the one that is too small.
  Program::Info info = toyInfo(/*pages=*/60);
  info.window = 10;
  info.windowPages = 3;
  Toy toy(info);
  Outcome outcome;
  EXPECT_EQ(
      errorOf([&] { toy.submit(outcome, {1, 2}, newTokens(30)); }, MJ_ERROR_OUT_OF_MEMORY),
      "the request needs 4 KV pages of layers with a window (2 prompt tokens + 29 generated, 4 tokens a page, a "
      "window of 10 tokens), but the session has 3 pages for 12 tokens; ask for fewer tokens, or make the session "
      "with more pages (kv_window_pages)");
  toy.submit(outcome, {1, 2}, newTokens(11));
  Outcome open;
  toy.submit(open, {3, 4}, newTokens(0));
  toy.run();
  EXPECT_EQ(outcome.tokens, ToyModel::continuation({1, 2}, 11, vocabularySize()));
  EXPECT_EQ(open.finish, MJ_FINISH_PAGES_FULL);
  EXPECT_EQ(open.tokens, ToyModel::continuation({3, 4}, 11, vocabularySize()));
  info.pages = 5;
  info.windowPages = 4;
  Toy small(info);
  EXPECT_EQ(
      errorOf([&] { small.submit(outcome, {1, 2}, newTokens(30)); }, MJ_ERROR_OUT_OF_MEMORY),
      "the request needs 8 KV pages (2 prompt tokens + 29 generated, 4 tokens a page), but the session has 5 pages "
      "for 20 tokens; ask for fewer tokens, or make the session with more pages (kv_pages)");
  info.windowPages = 3;
  Toy both(info);
  Outcome shortest;
  both.submit(shortest, {3, 4}, newTokens(0));
  both.run();
  EXPECT_EQ(shortest.finish, MJ_FINISH_PAGES_FULL);
  EXPECT_EQ(shortest.tokens, ToyModel::continuation({3, 4}, 11, vocabularySize()));
}

TEST_P(Generation, ScoresBeyondTheWindow) {
  std::mt19937 random(5);
  std::vector<int32_t> tokens = randomPrompt(random, 80);
  Program::Info info = toyInfo(/*pages=*/5);
  info.window = 10;
  Toy toy(info);
  Outcome outcome;
  toy.score(outcome, tokens, {3, 40, 79});
  toy.run();
  for (size_t row : {3, 40, 79}) {
    uint64_t hash = ToyModel::read({tokens.begin(), tokens.begin() + row + 1}, info.window);
    ASSERT_EQ(outcome.logits[row].size(), vocabularySize()) << row;
    EXPECT_EQ(outcome.logits[row][7], ToyModel::logit(hash, 7)) << row;
  }
}

TEST_P(Generation, WorksWithEntriesOfOneKind) {
  std::mt19937 random(3);
  for (bool decodeOnly : {true, false}) {
    Program::Info info = toyInfo();
    info.entries = decodeOnly ? std::vector<RaggedShape>{{2, 2, 24}} : std::vector<RaggedShape>{{16, 2, 24}};
    Toy toy(info);
    std::vector<Outcome> outcomes(5);
    std::vector<std::vector<int32_t>> prompts;
    for (Outcome &outcome : outcomes) {
      prompts.push_back(randomPrompt(random, 1 + random() % 40));
      toy.submit(outcome, prompts.back(), newTokens(9));
    }
    toy.run();
    for (size_t i = 0; i < outcomes.size(); ++i)
      EXPECT_EQ(outcomes[i].tokens, ToyModel::continuation(prompts[i], 9, vocabularySize()));
  }
}

TEST_P(Generation, ChoosesTheSmallestEntryThatFits) {
  Toy toy;
  Outcome outcome;
  // 43 tokens: 32 through T=32, then 11 through T=32, since T=8 is too small; then one by one.
  toy.submit(outcome, std::vector<int32_t>(43, 7), newTokens(3));
  toy.run();
  EXPECT_EQ(toy.program->ran, (std::vector<size_t>{4, 4, 0, 0}));
  EXPECT_EQ(toy.program->rowsRan, (std::vector<uint32_t>{32, 11, 1, 1}));

  toy.program->ran.clear();
  toy.program->rowsRan.clear();
  std::vector<Outcome> three(3);
  for (Outcome &one : three)
    toy.submit(one, {1, 2}, newTokens(2));
  toy.run();
  EXPECT_EQ(toy.program->ran, (std::vector<size_t>{4, 2})); // T=8 takes two sequences only; decode B=4 for three
  EXPECT_EQ(toy.program->rowsRan, (std::vector<uint32_t>{6, 3}));
}

TEST_P(Generation, DecodingIsNotStarvedByPrompts) {
  Toy toy;
  Outcome first;
  toy.submit(first, {1}, newTokens(6));
  toy.generator->step();
  Outcome second;
  toy.submit(second, std::vector<int32_t>(90, 3), newTokens(1)); // three steps of prefill
  toy.run();
  // Who runs ahead had started the second step of the first request when the other came.
  EXPECT_EQ(toy.program->ran, runsAhead ? (std::vector<size_t>{0, 0, 4, 0, 4, 0, 4, 0, 0})
                                        : (std::vector<size_t>{0, 4, 0, 4, 0, 4, 0, 0, 0}));
}

// ---- how requests end ----

TEST_P(Generation, StopsAtEndOfText) {
  std::vector<int32_t> prompt = {5, 6, 7};
  std::vector<int32_t> expected = ToyModel::continuation(prompt, 10, vocabularySize());
  GenerationConfig config;
  config.endOfText = {expected[4], 1};
  Toy toy(toyInfo(), config);
  Outcome outcome, ignoring;
  toy.submit(outcome, prompt, newTokens(10));
  Generator::Options options = newTokens(10);
  options.ignoreEndOfText = true;
  toy.submit(ignoring, prompt, options);
  toy.run();
  EXPECT_EQ(outcome.finish, MJ_FINISH_STOP);
  EXPECT_EQ(outcome.tokens, std::vector<int32_t>(expected.begin(), expected.begin() + 5));
  EXPECT_EQ(outcome.text, tokenizer().decode(expected.data(), 4, true)); // the stop token is not text
  EXPECT_EQ(ignoring.finish, MJ_FINISH_LENGTH);
  EXPECT_EQ(ignoring.tokens, expected);
}

TEST_P(Generation, StopsAtStopTokens) {
  std::vector<int32_t> prompt = {9};
  std::vector<int32_t> expected = ToyModel::continuation(prompt, 10, vocabularySize());
  Toy toy;
  Outcome outcome;
  Generator::Options options = newTokens(10);
  options.stopTokens = {expected[7], expected[2]};
  toy.submit(outcome, prompt, options);
  toy.run();
  EXPECT_EQ(outcome.finish, MJ_FINISH_STOP);
  EXPECT_EQ(outcome.tokens.size(), 3u);
}

TEST_P(Generation, StopsAtStopTextsWhereverTheyLie) {
  std::vector<int32_t> prompt = {11, 12};
  std::vector<int32_t> expected = ToyModel::continuation(prompt, 24, vocabularySize());
  std::string whole = tokenizer().decode(expected.data(), expected.size(), true);
  for (size_t at = 1; at + 5 < whole.size(); ++at) {
    for (size_t length : {1, 3, 5}) {
      std::string stop = whole.substr(at, length);
      if (!isValidUtf8(stop)) // part of a character
        continue;
      Toy toy;
      Outcome outcome;
      Generator::Options options = newTokens(24);
      options.stopTexts = {"never to be seen", stop};
      toy.submit(outcome, prompt, options);
      toy.run();
      EXPECT_EQ(outcome.text, whole.substr(0, whole.find(stop))) << "stop '" << stop << "'";
      EXPECT_EQ(outcome.finish, MJ_FINISH_STOP);
    }
  }
}

TEST_P(Generation, EndsWhenTheContextIsFull) {
  Toy toy;
  Outcome limited, unlimited;
  std::vector<int32_t> prompt(90, 2);
  toy.submit(limited, prompt, newTokens(50));
  toy.submit(unlimited, prompt, newTokens(0));
  toy.run();
  for (const Outcome *outcome : {&limited, &unlimited}) {
    EXPECT_EQ(outcome->finish, MJ_FINISH_CONTEXT_FULL);
    EXPECT_EQ(outcome->tokens, ToyModel::continuation(prompt, 6, vocabularySize())); // 96 in all
  }
}

TEST_P(Generation, EndsWhenPagesAreFullIfNoLengthWasAskedFor) {
  Toy toy(toyInfo(/*pages=*/5)); // 20 tokens
  Outcome outcome;
  toy.submit(outcome, {1, 2, 3}, newTokens(0));
  toy.run();
  EXPECT_EQ(outcome.finish, MJ_FINISH_PAGES_FULL);
  EXPECT_EQ(outcome.tokens, ToyModel::continuation({1, 2, 3}, 18, vocabularySize())); // the last one needs no room
}

TEST_P(Generation, CallbacksCancelAndSubmit) {
  Toy toy;
  Outcome first, second, third;
  first.goOn = [&](const mj_event &) {
    if (first.events == 2)
      toy.submit(second, {4}, newTokens(3));
    return first.events < 4;
  };
  toy.submit(first, {1}, newTokens(50));
  uint64_t id = toy.submit(third, {2}, newTokens(50));
  toy.generator->step();
  toy.generator->cancel(id);
  toy.run();
  EXPECT_EQ(first.finish, MJ_FINISH_CANCELLED);
  EXPECT_EQ(first.tokens.size(), 4u);
  EXPECT_EQ(second.tokens, ToyModel::continuation({4}, 3, vocabularySize()));
  EXPECT_EQ(third.finish, MJ_FINISH_CANCELLED);
  EXPECT_EQ(third.tokens.size(), 1u);
  EXPECT_EQ(errorOf([&] { toy.generator->cancel(id); }, MJ_ERROR_NOT_FOUND),
            "there is no unfinished request " + std::to_string(id));
}

TEST_P(Generation, CallbacksCannotStep) {
  Toy toy;
  Outcome outcome;
  std::string message;
  outcome.goOn = [&](const mj_event &) {
    message = errorOf([&] { toy.generator->step(); }, MJ_ERROR_INVALID_ARGUMENT);
    return false;
  };
  toy.submit(outcome, {1}, newTokens(5));
  toy.run();
  EXPECT_EQ(message, "a callback cannot step the generator that called it");
}

TEST_P(Generation, FailuresEndTheirRequestsOnly) {
  Toy toy;
  Outcome failing, later;
  toy.submit(failing, {1, 2}, newTokens(5));
  toy.generator->step();
  toy.program->failNext = true;
  EXPECT_EQ(errorOf([&] { toy.generator->step(); }, MJ_ERROR_IO), "the toy was told to fail");
  EXPECT_EQ(failing.finish, MJ_FINISH_ERROR);
  EXPECT_EQ(failing.tokens.size(), 1u);
  toy.submit(later, {1, 2}, newTokens(90));
  toy.run();
  EXPECT_EQ(later.tokens, ToyModel::continuation({1, 2}, 90, vocabularySize()));
}

TEST_P(Generation, RefusesTokensThatTheProgramMakesUp) {
  Toy toy;
  Outcome outcome;
  uint64_t id = toy.submit(outcome, {1, 2}, newTokens(5));
  toy.program->forceToken = static_cast<int32_t>(vocabularySize());
  EXPECT_EQ(errorOf([&] { toy.generator->step(); }, MJ_ERROR_INTERNAL),
            "the program drew the token " + std::to_string(vocabularySize()) + " for request " + std::to_string(id) +
                ", which is outside the vocabulary of " + std::to_string(vocabularySize()));
  EXPECT_EQ(outcome.finish, MJ_FINISH_ERROR);
  EXPECT_EQ(toy.generator->step(), 0u);
}

// ---- what is refused ----

TEST_P(Generation, RefusesWhatCannotBeDone) {
  Toy toy(toyInfo(/*pages=*/5));
  Outcome outcome;
  auto refused = [&](std::vector<int32_t> prompt, Generator::Options options, mj_status status) {
    return errorOf([&] { toy.submit(outcome, std::move(prompt), std::move(options)); }, status);
  };
  EXPECT_EQ(refused({}, newTokens(1), MJ_ERROR_INVALID_ARGUMENT),
            "the prompt has no tokens; at least one is needed to predict from");
  EXPECT_EQ(refused({1, 99999}, newTokens(1), MJ_ERROR_INVALID_ARGUMENT),
            "the prompt has the token 99999 at 1; the vocabulary has " + std::to_string(vocabularySize()) + " tokens");
  EXPECT_EQ(
      refused(std::vector<int32_t>(96, 1), newTokens(1), MJ_ERROR_INVALID_ARGUMENT),
      "the prompt has 96 tokens, but a sequence holds 96 at most, the generated ones included; shorten it, or compile "
      "the model with a larger --max-context");
  EXPECT_EQ(refused(std::vector<int32_t>(10, 1), newTokens(12), MJ_ERROR_OUT_OF_MEMORY),
            "the request needs 6 KV pages (10 prompt tokens + 11 generated, 4 tokens a page), but the session has 5 "
            "pages for "
            "20 tokens; ask for fewer tokens, or make the session with more pages (kv_pages)");
  EXPECT_EQ(
      refused(std::vector<int32_t>(21, 1), newTokens(0), MJ_ERROR_OUT_OF_MEMORY),
      "the request needs 6 KV pages (21 prompt tokens + 0 generated, 4 tokens a page), but the session has 5 pages for "
      "20 tokens; ask for fewer tokens, or make the session with more pages (kv_pages)");
  Generator::Options options = newTokens(1);
  options.stopTexts = {""};
  EXPECT_EQ(refused({1}, options, MJ_ERROR_INVALID_ARGUMENT), "a stop text is empty");
  options = newTokens(1);
  options.sampling.temperature = -1;
  EXPECT_EQ(refused({1}, options, MJ_ERROR_INVALID_ARGUMENT),
            "temperature is -1.000000; it must be 0 (the most likely token) or more");
  options = newTokens(1);
  options.sampling.topP = 0;
  EXPECT_EQ(refused({1}, options, MJ_ERROR_INVALID_ARGUMENT),
            "top_p is 0.000000; it must be above 0 and at most 1 (off)");
  // And none of that did any harm.
  toy.submit(outcome, std::vector<int32_t>(10, 1), newTokens(11));
  toy.run();
  EXPECT_EQ(outcome.tokens, ToyModel::continuation(std::vector<int32_t>(10, 1), 11, vocabularySize()));
}

// ---- scoring ----

TEST_P(Generation, ScoresChosenRows) {
  std::mt19937 random(4);
  for (int round = 0; round < 20; ++round) {
    Toy toy;
    std::vector<Outcome> outcomes(6);
    std::vector<std::vector<int32_t>> texts;
    std::vector<std::vector<size_t>> rows;
    Outcome generating;
    toy.submit(generating, {3, 3}, newTokens(12)); // beside the scoring
    for (Outcome &outcome : outcomes) {
      texts.push_back(randomPrompt(random, 1 + random() % 96));
      rows.emplace_back();
      for (size_t row = 0; row < texts.back().size(); ++row)
        if (random() % 4 == 0 || row + 1 == texts.back().size())
          rows.back().push_back(row);
      toy.score(outcome, texts.back(), rows.back());
    }
    toy.run();
    EXPECT_EQ(generating.tokens, ToyModel::continuation({3, 3}, 12, vocabularySize()));
    for (size_t i = 0; i < outcomes.size(); ++i) {
      EXPECT_EQ(outcomes[i].finish, MJ_FINISH_SCORED);
      ASSERT_EQ(outcomes[i].logits.size(), rows[i].size());
      for (size_t row : rows[i]) {
        uint64_t hash = ToyModel::read({texts[i].begin(), texts[i].begin() + static_cast<ptrdiff_t>(row) + 1});
        for (uint32_t v = 0; v < vocabularySize(); v += 97)
          ASSERT_EQ(outcomes[i].logits[row][v], ToyModel::logit(hash, v));
      }
    }
  }
}

TEST_P(Generation, RefusesToScoreWrongRows) {
  Toy toy(toyInfo(/*pages=*/5));
  Outcome outcome;
  auto refused = [&](size_t length, std::vector<size_t> rows, mj_status status) {
    return errorOf([&] { toy.score(outcome, std::vector<int32_t>(length, 1), std::move(rows)); }, status);
  };
  EXPECT_EQ(refused(4, {4}, MJ_ERROR_INVALID_ARGUMENT),
            "rows to score must be ascending and below 4, the number of tokens; row 0 is 4");
  EXPECT_EQ(refused(4, {2, 2}, MJ_ERROR_INVALID_ARGUMENT),
            "rows to score must be ascending and below 4, the number of tokens; row 1 is 2");
  EXPECT_EQ(refused(4, {}, MJ_ERROR_INVALID_ARGUMENT), "no rows to score were given");
  EXPECT_EQ(refused(97, {0}, MJ_ERROR_INVALID_ARGUMENT),
            "the text to score has 97 tokens, but a sequence holds 96 at most; score it in windows");
  EXPECT_EQ(
      refused(21, {20}, MJ_ERROR_OUT_OF_MEMORY),
      "scoring 21 tokens needs 6 KV pages (4 tokens a page), but the session has 5; score shorter windows, or make the "
      "session with more pages (kv_pages)");
}

// ---- cost ----

TEST_P(Generation, StepsDoNotAllocate) {
  Toy toy(toyInfo(/*pages=*/200));
  size_t counted = 0;
  auto count = [](void *user, const mj_event *event) {
    *static_cast<size_t *>(user) += event->token_count;
    return 0;
  };
  for (int i = 0; i < 4; ++i) {
    Generator::Options options = newTokens(80);
    options.callback = count;
    options.user = &counted;
    options.stopTexts = {"never to be seen"};
    toy.generator->submit({1, 2, i}, options);
  }
  toy.program->quiet = true;
  for (int i = 0; i < 8; ++i)
    toy.generator->step();
  size_t before = allocationCount(), tokensBefore = counted;
  for (int i = 0; i < 60; ++i)
    toy.generator->step();
  EXPECT_EQ(allocationCount(), before);
  EXPECT_EQ(counted - tokensBefore, 240u);
}

TEST_P(Generation, CountsWork) {
  Toy toy;
  Outcome outcome;
  toy.submit(outcome, std::vector<int32_t>(40, 1), newTokens(5));
  toy.run();
  const mj_generator_stats &stats = toy.generator->stats();
  EXPECT_EQ(stats.prefill_steps, 2u);
  EXPECT_EQ(stats.prefill_tokens, 40u);
  EXPECT_EQ(stats.decode_steps, 4u);
  EXPECT_EQ(stats.decode_tokens, 4u);
  EXPECT_GT(stats.prefill_nanoseconds, 0u);
  EXPECT_GT(stats.decode_nanoseconds, 0u);
  EXPECT_LE(stats.decode_host_nanoseconds, stats.decode_nanoseconds);
  EXPECT_LE(stats.callback_nanoseconds + stats.decode_host_nanoseconds + stats.prefill_host_nanoseconds,
            stats.decode_nanoseconds + stats.prefill_nanoseconds);
  // Whoever runs ahead knows that the last step is the last: it ends for having enough.
  EXPECT_EQ(stats.ahead_steps, runsAhead ? 3u : 0u);
  EXPECT_EQ(stats.dropped_tokens, 0u);
}

TEST_P(Generation, DropsWhatWasDrawnAfterTheEnd) {
  std::vector<int32_t> prompt = {9}, expected = ToyModel::continuation({9}, 30, vocabularySize());
  Toy toy;
  std::vector<Outcome> outcomes(3);
  for (size_t i = 0; i < 3; ++i) {
    Generator::Options options = newTokens(30);
    if (i == 1)
      options.stopTokens = {expected[7]};
    toy.submit(outcomes[i], prompt, options);
  }
  toy.run();
  expectTokens(outcomes, expected, {30, 8, 30});
  EXPECT_EQ(toy.generator->stats().dropped_tokens, runsAhead ? 1u : 0u);
  // The step that was run ahead for nobody is dropped when somebody comes.
  Toy alone;
  Outcome first, second;
  Generator::Options options = newTokens(30);
  options.stopTokens = {expected[7]};
  alone.submit(first, prompt, options);
  alone.run();
  EXPECT_EQ(first.tokens.size(), 8u);
  EXPECT_EQ(alone.program->underWay, runsAhead ? 1u : 0u);
  alone.submit(second, prompt, newTokens(30));
  alone.run();
  EXPECT_EQ(second.tokens, expected);
  EXPECT_EQ(alone.program->underWay, 0u);
  EXPECT_EQ(alone.generator->stats().dropped_tokens, runsAhead ? 1u : 0u);
}

// What callers do with a token, and what is done once for an entry, is not a step's.
TEST_P(Generation, HostsPartIsWithoutCallersAndGraphs) {
  Toy toy;
  Generator::Options options = newTokens(5);
  options.callback = [](void *, const mj_event *) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return 0;
  };
  toy.program->captureAtLaunch = std::chrono::milliseconds(20);
  toy.generator->submit({1, 2, 3}, options);
  toy.run();
  const mj_generator_stats &stats = toy.generator->stats();
  EXPECT_GE(stats.callback_nanoseconds, 100000000u); // five tokens
  EXPECT_GE(stats.capture_nanoseconds, 20000000u);
  EXPECT_LE(stats.capture_nanoseconds + stats.callback_nanoseconds + stats.decode_host_nanoseconds +
                stats.prefill_host_nanoseconds,
            stats.decode_nanoseconds + stats.prefill_nanoseconds);
  EXPECT_LT(stats.decode_host_nanoseconds + stats.prefill_host_nanoseconds, 60000000u);
}

// A step that fails takes with it what was started behind it, and nothing else.
TEST_P(Generation, FailuresShowWhenTheyAreWaitedFor) {
  Toy toy;
  std::vector<Outcome> failing(2);
  Outcome later;
  for (Outcome &outcome : failing)
    toy.submit(outcome, {1, 2}, newTokens(20));
  for (int i = 0; i < 4; ++i)
    toy.generator->step();
  toy.program->failNextWait = true;
  EXPECT_EQ(errorOf([&] { toy.generator->step(); }, MJ_ERROR_IO), "the toy was told to fail late");
  for (const Outcome &outcome : failing) {
    EXPECT_EQ(outcome.finish, MJ_FINISH_ERROR);
    EXPECT_EQ(outcome.tokens.size(), 4u);
  }
  EXPECT_EQ(toy.program->underWay, 0u);
  toy.submit(later, {1, 2}, newTokens(90));
  toy.run();
  EXPECT_EQ(later.tokens, ToyModel::continuation({1, 2}, 90, vocabularySize()));
}

} // namespace
