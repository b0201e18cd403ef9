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
    // The stand-in's launches take a millisecond each; a step has two, and one that brings the tokens back.
    if (GetParam().flags & MJ_GENERATOR_TIME_DEVICE)
      EXPECT_EQ(stats.decode_device_nanoseconds, stats.decode_steps * 3000000);
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
  mj_session_options options = {sizeof(options), 1, 0, GetParam().sessionFlags, 0};
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

// Runs that are queued, but do not continue each other: each takes its own tokens, though the run before it has not
// drawn its yet, and gives its own.
TEST_P(RunAhead, SessionsQueueRunsThatContinueNothing) {
  Package toy = package();
  mj_session_options options = {sizeof(options), 1, 0, GetParam().sessionFlags, 0};
  mj_session *session = nullptr;
  ASSERT_EQ(mj_session_create(toy.get(), &options, &session), MJ_OK) << mj_last_error();
  const size_t decode = *toy.findEntry("decode_b1");
  Step steps[2];
  auto expected = [](int i) { return ToyModel::continuation({i * 37 % 2048}, 2, llm::toyVocabulary); };
  auto start = [&](int i, int32_t position, uint32_t flags) {
    Step &step = steps[(i + position) % 2];
    step.moveTo(position);
    step.token = i * 37 % 2048;
    step.next = -1;
    ASSERT_EQ(mj_session_start(session, decode, step.inputs.data(), 11, step.outputs.data(), 2, flags), MJ_OK)
        << mj_last_error();
    step.token = -1; // taken when it was started
  };
  start(0, 0, 0);
  for (int i = 1; i < 20; ++i) {
    start(i, 0, 0);
    ASSERT_EQ(mj_session_wait(session), MJ_OK) << mj_last_error();
    EXPECT_EQ(steps[1 - i % 2].next, expected(i - 1)[0]) << i;
    if (i % 3)
      continue;
    // In between one that is continued.
    start(i, 1, MJ_RUN_CONTINUE);
    ASSERT_EQ(mj_session_wait(session), MJ_OK) << mj_last_error();
    EXPECT_EQ(steps[i % 2].next, expected(i)[0]) << i;
    ASSERT_EQ(mj_session_wait(session), MJ_OK) << mj_last_error();
    EXPECT_EQ(steps[1 - i % 2].next, expected(i)[1]) << i;
    start(i, 0, 0);
  }
  mj_session_destroy(session);
}

// A run that continues another has the inputs that the caller gives it, whether they follow from those before them or
// not: positions that jump, another seed, a row that holds no sequence any more, or one again. What it draws is what a
// session on device host draws that is given each token.
TEST_P(RunAhead, SessionsTakeEveryInputOfAContinuedRun) {
  Package toy = package();
  std::string path = temporaryPath("reference.mjp");
  llm::writeToyPackage(path, {{"tokenizer.json", llm::toyTokenizer()}}, true, "host");
  auto plain = Package::open(path);
  ASSERT_TRUE(plain) << plain.error().message;
  mj_session_options options = {sizeof(options), 1, 0, GetParam().sessionFlags, 0}, plainOptions = options;
  plainOptions.flags = 0;
  mj_session *session = nullptr, *reference = nullptr;
  ASSERT_EQ(mj_session_create(toy.get(), &options, &session), MJ_OK) << mj_last_error();
  ASSERT_EQ(mj_session_create(plain->get(), &plainOptions, &reference), MJ_OK) << mj_last_error();
  const size_t decode = *toy.findEntry("decode_b1");
  std::mt19937 random(3);
  Step steps[2], expected;
  int32_t position = 0, tokens[2] = {};
  auto fill = [&](Step &step, int32_t token) {
    step.moveTo(position);
    step.token = token;
    step.next = -1;
    if (random() % 8 == 0) {
      step.temperature = step.temperature == 0 ? 0.5f : 0;
      step.seed = static_cast<int64_t>(random() % 3);
    }
    if (random() % 8 == 0) // no sequence
      step.offsets[1] = step.length = 0, step.slot = -1;
    else
      step.offsets[1] = 1;
    // As the session gets it, on device host.
    const Step &given = step;
    expected.seed = given.seed, expected.temperature = given.temperature;
    expected.position = given.position, expected.slot = given.slot, expected.length = given.length;
    expected.offsets[1] = given.offsets[1], expected.token = token;
    ASSERT_EQ(mj_session_run(reference, decode, expected.inputs.data(), 11, expected.outputs.data(), 2), MJ_OK)
        << mj_last_error();
  };
  fill(steps[0], 17);
  ASSERT_EQ(mj_session_start(session, decode, steps[0].inputs.data(), 11, steps[0].outputs.data(), 2, 0), MJ_OK)
      << mj_last_error();
  tokens[0] = expected.next;
  for (int i = 1; i < 300; ++i) {
    Step &step = steps[i % 2];
    position = random() % 6 == 0 || position >= 90 ? static_cast<int32_t>(random() % 80) : position + 1;
    fill(step, tokens[1 - i % 2]);
    tokens[i % 2] = expected.next;
    ASSERT_EQ(mj_session_start(session, decode, step.inputs.data(), 11, step.outputs.data(), 2, MJ_RUN_CONTINUE), MJ_OK)
        << mj_last_error();
    if (random() % 8 == 0) { // or waited for, so that the next one is queued behind nothing
      ASSERT_EQ(mj_session_wait(session), MJ_OK) << mj_last_error();
      ASSERT_EQ(steps[1 - i % 2].next, tokens[1 - i % 2]) << i;
    }
    if (mj_session_under_way(session) == 2 || random() % 2) {
      const int done = mj_session_under_way(session) == 2 ? 1 - i % 2 : i % 2;
      ASSERT_EQ(mj_session_wait(session), MJ_OK) << mj_last_error();
      ASSERT_EQ(steps[done].next, tokens[done]) << i;
    }
  }
  mj_session_destroy(session);
  mj_session_destroy(reference);
}

// What a step costs the host on device cuda is what it asks of the driver, once its graph is made: one graph and one
// event to wait for, where the step before the last of its lane leads to its inputs; else one copy of all inputs, and
// where it is queued behind the one before it, the event of that copy and a wait for it. Timing adds an event where no
// run is under way that it could count from; the time is read when somebody asks for it. No graph has a copy: tokens
// come back by a launch.
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
    auto expected = [&](int records, const char *inputs) {
      return "cuCtxPopCurrent 2, cuCtxPushCurrent 2, cuEventRecord " + std::to_string(records) +
             ", cuEventSynchronize 1, cuGraphLaunch 1" + inputs;
    };
    const char *copied = ", cuMemcpyAsync 1", *queued = ", cuMemcpyAsync 1, cuStreamWaitEvent 1";
    auto expectTime = [&] {
      const mj_step_profile *profile = nullptr;
      for (const char *call : {"cuCtxPopCurrent 1, cuCtxPushCurrent 1, cuEventElapsedTime 1", ""}) {
        calls();
        ASSERT_EQ(mj_session_profile(session, &profile), timed ? 1u : 0u);
        EXPECT_STREQ(calls(), timed ? call : "");
        if (timed)
          EXPECT_EQ(profile->nanoseconds, 3000000u); // of the stand-in's three launches
      }
    };
    calls();
    start(0);
    wait();
    EXPECT_GT(mj_session_capture_nanoseconds(session), 0u);
    if (!timed)
      EXPECT_NE(std::string(calls()).find("cuMemcpyAsync 1,"), std::string::npos);
    expectTime();
    calls();
    start(0);
    wait();
    EXPECT_EQ(calls(), expected(timed ? 2 : 1, copied));
    // The other lane's graph, then steps that follow each other, with a jump after four: each lane has to hear of it.
    start(0);
    start(MJ_RUN_CONTINUE);
    const uint64_t captured = mj_session_capture_nanoseconds(session);
    wait();
    for (int i = 0; i < 10; ++i) {
      const bool isNews = i == 4 || i == 5;
      position += i == 4 ? 2 : 0;
      calls();
      start(MJ_RUN_CONTINUE);
      wait();
      EXPECT_EQ(calls(), expected(isNews ? 2 : 1, isNews ? queued : "")) << i;
      expectTime();
    }
    wait();
    expectTime();
    // Behind nothing, and with news the inputs go the way of the graph.
    for (int jump : {0, 2}) {
      position += jump;
      calls();
      start(MJ_RUN_CONTINUE);
      wait();
      EXPECT_EQ(calls(), expected(timed ? 2 : 1, jump ? copied : ""));
    }
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
