// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Steps that start before the one before them is known, over real sessions: on device host, and on device cuda with the
// stand-in for the driver, which runs what it is given as late, or copies as early, as a driver may. What requests get
// is what the model alone would give them.

#include "mjolnir/llm.hpp"

#include "ToyPackage.h"
#include "ToyProgram.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <dlfcn.h>
#include <random>

using namespace mjolnir;
using llm::temporaryPath;
using llm::ToyModel;

namespace {

struct Way {
  const char *name, *target;
  uint32_t flags, sessionFlags;
  bool haste;
};
constexpr Way ways[] = {
    {"HostStepByStep", "host", 0, 0, false},
    {"HostAhead", "host", MJ_GENERATOR_ALWAYS_RUN_AHEAD, 0, false},
    {"CudaStepByStep", "cuda", MJ_GENERATOR_NO_RUN_AHEAD, 0, false},
    {"CudaAhead", "cuda", 0, 0, false},
    {"CudaAheadHasty", "cuda", 0, 0, true},
    {"CudaAheadEagerGraphs", "cuda", 0, MJ_SESSION_EAGER_GRAPHS, true},
    {"CudaAheadWithoutGraphs", "cuda", MJ_GENERATOR_TIME_DEVICE, MJ_SESSION_NO_GRAPHS, true},
};

class RunAhead : public testing::TestWithParam<Way> {
protected:
  void SetUp() override {
    // Found under its name from now on.
    ASSERT_TRUE(dlopen(MJOLNIR_FAKE_CUDA, RTLD_NOW | RTLD_LOCAL)) << dlerror();
    setenv("FAKE_CUDA_HASTE", GetParam().haste ? "1" : "0", 1);
  }
  void TearDown() override { unsetenv("FAKE_CUDA_HASTE"); }

  static Package package() {
    std::string path = temporaryPath("ahead.mjp");
    llm::writeToyPackage(path, {{"tokenizer.json", llm::toyTokenizer()}}, true, GetParam().target);
    auto opened = Package::open(path);
    if (!opened)
      throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }
  static bool isAhead() { return std::string(GetParam().name).find("Ahead") != std::string::npos; }
};
INSTANTIATE_TEST_SUITE_P(, RunAhead, testing::ValuesIn(ways), [](const auto &info) { return info.param.name; });

// Requests that join while others run, end by count, by stop token and by a callback, and share few pages.
TEST_P(RunAhead, TokensAreTheModels) {
  Package toy = package();
  for (uint32_t pages : {26u, 96u}) {
    auto generator = Generator::create(toy, 1, pages, GetParam().flags, GetParam().sessionFlags);
    ASSERT_TRUE(generator) << generator.error().message;
    std::mt19937 random(pages);
    struct Outcome {
      std::vector<int32_t> tokens, expected;
      size_t cancelAt = SIZE_MAX;
      mj_finish finish = MJ_FINISH_NONE;
      static int take(void *user, const mj_event *event) {
        auto &self = *static_cast<Outcome *>(user);
        EXPECT_EQ(self.finish, MJ_FINISH_NONE);
        self.tokens.insert(self.tokens.end(), event->tokens, event->tokens + event->token_count);
        self.finish = event->finish;
        return self.tokens.size() >= self.cancelAt;
      }
    };
    std::vector<Outcome> outcomes(24);
    for (Outcome &outcome : outcomes) {
      std::vector<int32_t> prompt(1 + random() % 40);
      for (int32_t &token : prompt)
        token = static_cast<int32_t>(random() % 2048);
      Request request = generator->request(prompt);
      request.maxNewTokens = 1 + static_cast<uint32_t>(random() % 40);
      request.temperature = random() % 2 ? 0.7f : 0.0f;
      request.seed = random();
      outcome.expected = ToyModel::continuation(prompt, request.maxNewTokens, llm::toyVocabulary,
                                                {request.temperature, 0, 1, request.seed});
      const size_t stop = random() % (2 * outcome.expected.size());
      if (stop < outcome.expected.size() && random() % 2) {
        request.stopTokens = {outcome.expected[stop]};
        outcome.expected.resize(stop + 1);
      } else if (stop < outcome.expected.size()) {
        outcome.cancelAt = stop + 1;
        outcome.expected.resize(stop + 1);
      }
      ASSERT_TRUE(generator->submit(request, &Outcome::take, &outcome));
      for (size_t steps = random() % 12; steps > 0; --steps)
        ASSERT_TRUE(generator->step()) << mj_last_error();
    }
    for (bool goesOn = true; goesOn;) {
      auto left = generator->step();
      ASSERT_TRUE(left) << left.error().message;
      goesOn = *left > 0;
    }
    for (size_t i = 0; i < outcomes.size(); ++i) {
      EXPECT_EQ(outcomes[i].tokens, outcomes[i].expected) << "request " << i << ", " << pages << " pages";
      EXPECT_NE(outcomes[i].finish, MJ_FINISH_NONE);
    }
    mj_generator_stats stats = generator->stats();
    if (isAhead())
      EXPECT_GT(stats.ahead_steps, stats.decode_steps / 4);
    else
      EXPECT_EQ(stats.ahead_steps, 0u);
    // The stand-in's launches take a millisecond each, and a step has two.
    if (GetParam().flags & MJ_GENERATOR_TIME_DEVICE)
      EXPECT_EQ(stats.decode_device_nanoseconds, stats.decode_steps * 2000000);
    // Logits in between: they use the same session, and are taken when they are wanted.
    auto logits = generator->score({5, 9, 5}, {1});
    ASSERT_TRUE(logits) << logits.error().message;
    EXPECT_EQ((*logits)[77], ToyModel::logit(ToyModel::read({5, 9}), 77));
  }
}

/// The inputs of entry decode_b1 in the order that the toy package has them, and its outputs.
struct Step {
  int64_t seed = 0;
  int32_t position = 0, token = 0, table[llm::toyPagesPerSequence] = {}, offsets[2] = {0, 1}, slot = 0, length = 1;
  int32_t row = 0, topK = 0, next = -1;
  float temperature = 0, topP = 1;
  std::vector<Tensor> tensors;
  std::vector<const DLTensor *> inputs, outputs;

  Step() {
    constexpr DLDataType I32 = {kDLInt, 32, 1}, I64 = {kDLInt, 64, 1}, F32 = {kDLFloat, 32, 1};
    for (int i = 0; i < int(llm::toyPagesPerSequence); ++i)
      table[i] = i;
    tensors = {{&seed, I64, {1}},   {&position, I32, {1}}, {&token, I32, {1}},       {table, I32, {1, 24}},
               {offsets, I32, {2}}, {&slot, I32, {1}},     {&temperature, F32, {1}}, {&length, I32, {1}},
               {&row, I32, {1}},    {&topK, I32, {1}},     {&topP, F32, {1}},        {&next, I32, {1}}};
    for (size_t i = 0; i < 11; ++i)
      inputs.push_back(tensors[i].dl());
    outputs = {nullptr, tensors[11].dl()};
  }
  void moveTo(int32_t where) { position = slot = where, length = where + 1; }
};

std::string lastError() { return mj_last_error(); }

TEST_P(RunAhead, SessionsContinueRuns) {
  Package toy = package();
  mj_session_options options = {sizeof(options), 1, 0, GetParam().sessionFlags};
  mj_session *session = nullptr;
  ASSERT_EQ(mj_session_create(toy.get(), &options, &session), MJ_OK) << mj_last_error();
  const size_t decode = *toy.findEntry("decode_b1"), two = *toy.findEntry("decode_b2"),
               prefill = *toy.findEntry("prefill_t8");
  EXPECT_EQ(mj_session_is_asynchronous(session), GetParam().target == std::string("cuda"));
  Step steps[2];
  auto start = [&](Step &step, size_t entry, uint32_t flags) {
    return mj_session_start(session, entry, step.inputs.data(), 11, step.outputs.data(), 2, flags);
  };
  EXPECT_EQ(mj_session_wait(session), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(lastError(), "there is no run to wait for");
  EXPECT_EQ(start(steps[0], decode, MJ_RUN_CONTINUE), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(lastError(), "entry 'decode_b1' cannot continue the run before it: there is none, or it failed");
  EXPECT_EQ(start(steps[0], prefill, MJ_RUN_CONTINUE), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(lastError(), "entry 'prefill_t8' cannot continue the run before it: only a ragged entry with as many "
                         "tokens as sequences can");
  EXPECT_EQ(start(steps[0], decode, 8), MJ_ERROR_INVALID_ARGUMENT);

  const std::vector<int32_t> expected = ToyModel::continuation({17}, 40, llm::toyVocabulary);
  steps[0].token = 17;
  ASSERT_EQ(start(steps[0], decode, 0), MJ_OK) << mj_last_error();
  EXPECT_EQ(start(steps[1], two, MJ_RUN_CONTINUE), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(lastError(), "entry 'decode_b2' cannot continue the run before it: that was of entry 'decode_b1'");
  EXPECT_EQ(mj_session_run(session, decode, steps[1].inputs.data(), 11, steps[1].outputs.data(), 2),
            MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(lastError(), "runs that were started are under way: 1; wait for them before mj_session_run");
  for (int32_t i = 1; i < 40; ++i) {
    Step &step = steps[i % 2];
    step.moveTo(i);
    step.token = -1; // not looked at
    step.inputs[2] = nullptr;
    ASSERT_EQ(start(step, decode, MJ_RUN_CONTINUE), MJ_OK) << mj_last_error();
    EXPECT_EQ(mj_session_under_way(session), 2u);
    step.moveTo(90); // taken when it was started
    if (i == 5) {
      EXPECT_EQ(start(step, decode, 0), MJ_ERROR_INVALID_ARGUMENT);
      EXPECT_EQ(lastError(), "two runs are under way; wait for the first of them");
    }
    ASSERT_EQ(mj_session_wait(session), MJ_OK) << mj_last_error();
    ASSERT_EQ(steps[1 - i % 2].next, expected[i - 1]) << i;
  }
  ASSERT_EQ(mj_session_wait(session), MJ_OK) << mj_last_error();
  EXPECT_EQ(steps[1].next, expected[39]);
  EXPECT_EQ(mj_session_under_way(session), 0u);
  // A run that was waited for can be continued too; and one may be left under way.
  steps[0].moveTo(40);
  ASSERT_EQ(start(steps[0], decode, MJ_RUN_CONTINUE), MJ_OK) << mj_last_error();
  ASSERT_EQ(mj_session_wait(session), MJ_OK);
  EXPECT_EQ(steps[0].next, ToyModel::continuation({17}, 41, llm::toyVocabulary)[40]);
  steps[1].moveTo(41);
  ASSERT_EQ(start(steps[1], decode, MJ_RUN_CONTINUE), MJ_OK) << mj_last_error();
  mj_session_destroy(session);
}

// What a step costs the host on device cuda is what it asks of the driver, once its graph is made: one copy of all
// inputs, one graph, one event to wait for; where it is queued behind the one before it, the event of that copy and a
// wait for it. Timing adds reading the time, and an event where no run is under way that it could count from.
TEST(DriverCalls, OfAStep) {
  void *driver = dlopen(MJOLNIR_FAKE_CUDA, RTLD_NOW | RTLD_LOCAL);
  ASSERT_TRUE(driver) << dlerror();
  auto *calls = reinterpret_cast<const char *(*)()>(dlsym(driver, "fakeCudaCalls"));
  ASSERT_TRUE(calls);
  std::string path = temporaryPath("calls.mjp");
  llm::writeToyPackage(path, {{"tokenizer.json", llm::toyTokenizer()}}, true, "cuda");
  auto toy = Package::open(path);
  ASSERT_TRUE(toy) << toy.error().message;
  mj_session *session = nullptr;
  ASSERT_EQ(mj_session_create(toy->get(), nullptr, &session), MJ_OK) << mj_last_error();
  EXPECT_EQ(mj_session_capture_nanoseconds(session), 0u);
  const size_t decode = *toy->findEntry("decode_b1");
  Step steps[2];
  int32_t position = 0;
  auto start = [&](uint32_t flags) {
    Step &step = steps[position % 2];
    step.moveTo(position++);
    ASSERT_EQ(mj_session_start(session, decode, step.inputs.data(), 11, step.outputs.data(), 2, flags), MJ_OK)
        << mj_last_error();
  };
  auto wait = [&] { ASSERT_EQ(mj_session_wait(session), MJ_OK) << mj_last_error(); };
  for (bool timed : {false, true}) {
    mj_session_set_profiling(session, timed ? MJ_PROFILE_RUNS : MJ_PROFILE_OFF);
    const std::string elapsed = timed ? "cuEventElapsedTime 1, " : "";
    auto expected = [&](const char *records, const char *waits) {
      return "cuCtxPopCurrent 2, cuCtxPushCurrent 2, " + elapsed + "cuEventRecord " + records +
             ", cuEventSynchronize 1, cuGraphLaunch 1, cuMemcpyAsync 1" + waits;
    };
    start(0);
    wait();
    EXPECT_GT(mj_session_capture_nanoseconds(session), 0u);
    calls();
    start(0);
    wait();
    EXPECT_EQ(calls(), expected(timed ? "2" : "1", ""));
    // The other lane's graph, then steps that follow each other.
    start(0);
    start(MJ_RUN_CONTINUE);
    const uint64_t captured = mj_session_capture_nanoseconds(session);
    wait();
    for (int i = 0; i < 5; ++i) {
      calls();
      start(MJ_RUN_CONTINUE);
      wait();
      EXPECT_EQ(calls(), expected("2", ", cuStreamWaitEvent 1"));
    }
    wait();
    EXPECT_EQ(mj_session_capture_nanoseconds(session), captured);
  }
  // A run that was started before it was to be timed is not.
  mj_session_set_profiling(session, MJ_PROFILE_OFF);
  start(0);
  mj_session_set_profiling(session, MJ_PROFILE_RUNS);
  wait();
  const mj_step_profile *profile = nullptr;
  EXPECT_EQ(mj_session_profile(session, &profile), 0u);
  mj_session_destroy(session);
}

} // namespace
