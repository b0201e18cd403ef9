// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a session keeps between runs: from run to run, apart from other sessions, read, written and forgotten. On device
// host, and where this is built for it, on device cuda with the stand-in for the driver.
#include "TestPackage.h"

#include "mjolnir/runtime.hpp"

#include "gtest/gtest.h"

using namespace mjolnir;
using namespace mjolnir::test;

namespace {

constexpr DLDataType F32 = {kDLFloat, 32, 1};

/// Runs `tick` on `a` everywhere and expects `x` of what it returns.
void expectTick(mj_session *session, float a, float x) {
  std::vector<float> input(256, a), output(256);
  Tensor in(input.data(), F32, {4, 64}), out(output.data(), F32, {4, 64});
  const DLTensor *inputs[] = {in.dl()}, *outputs[] = {out.dl()};
  ASSERT_EQ(mj_session_run(session, Tick, inputs, 1, outputs, 1), MJ_OK) << mj_last_error();
  EXPECT_EQ(output, std::vector<float>(256, x));
}

class States : public testing::Test {
protected:
  void SetUp() override {
    fb::ProgramT program = makeStateProgram();
    if (MJOLNIR_TEST_CUDA) {
      program.target->kind = "cuda";
      program.target->triple.clear();
      program.target->features = {"sm_90a"};
      for (auto &kernel : program.kernels)
        kernel->threads = 32;
    }
    std::string path = temporaryPath("states.mjp");
    if (auto error = writeTestPackage(path, testImage(), std::move(program)))
      FAIL() << error.message();
    ASSERT_EQ(mj_package_open(path.c_str(), &package), MJ_OK) << mj_last_error();
  }
  void TearDown() override {
    for (mj_session *session : sessions)
      mj_session_destroy(session);
    mj_package_close(package);
  }
  mj_session *open() {
    mj_session_options options = {};
    options.struct_size = sizeof(options);
    options.threads = 2;
    mj_session *session = nullptr;
    EXPECT_EQ(mj_session_create(package, &options, &session), MJ_OK) << mj_last_error();
    sessions.push_back(session);
    return session;
  }

  mj_package *package = nullptr;
  std::vector<mj_session *> sessions;
};

TEST_F(States, StayFromRunToRun) {
  mj_session *first = open(), *second = open();
  for (int run = 1; run <= 3; ++run)
    expectTick(first, 1.5f, 1.5f * float(run)); // zeros at first
  expectTick(second, 4, 4);                     // each session has its own
  expectTick(first, 1, 5.5f);
  ASSERT_EQ(mj_session_reset(first), MJ_OK) << mj_last_error();
  expectTick(first, 2, 2);
  expectTick(second, 1, 5);
}

TEST_F(States, AreReadAndWritten) {
  mj_session *session = open();
  ASSERT_EQ(mj_package_state_count(package), 1u);
  mj_binding_info info = {};
  ASSERT_EQ(mj_package_state(package, 0, &info), MJ_OK) << mj_last_error();
  EXPECT_STREQ(info.name, "x");
  EXPECT_EQ(info.bytes, 1024u);
  std::vector<float> numbers(256), read(256, 7);
  for (int i = 0; i < 256; ++i)
    numbers[i] = float(i);
  Tensor from(numbers.data(), F32, {4, 64}), to(read.data(), F32, {4, 64});
  ASSERT_EQ(mj_session_read_state(session, 0, to.dl()), MJ_OK) << mj_last_error();
  EXPECT_EQ(read, std::vector<float>(256, 0));
  ASSERT_EQ(mj_session_write_state(session, 0, from.dl()), MJ_OK) << mj_last_error();
  std::vector<float> one(256, 1), sum(256);
  Tensor in(one.data(), F32, {4, 64}), out(sum.data(), F32, {4, 64});
  const DLTensor *inputs[] = {in.dl()}, *outputs[] = {out.dl()};
  ASSERT_EQ(mj_session_run(session, Tick, inputs, 1, outputs, 1), MJ_OK) << mj_last_error();
  ASSERT_EQ(mj_session_read_state(session, 0, to.dl()), MJ_OK) << mj_last_error();
  for (int i = 0; i < 256; ++i) {
    EXPECT_EQ(sum[i], float(i) + 1);
    EXPECT_EQ(read[i], float(i) + 1);
  }
}

TEST_F(States, RefuseWhatIsWrong) {
  mj_session *session = open();
  std::vector<float> numbers(256);
  Tensor good(numbers.data(), F32, {4, 64}), flat(numbers.data(), F32, {256});
  auto expectRefused = [](mj_status status, const std::string &sentence) {
    EXPECT_EQ(status, MJ_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(std::string(mj_last_error()), sentence);
  };
  expectRefused(mj_session_write_state(session, 1, good.dl()), "there is no state 1; the package has 1");
  expectRefused(mj_session_read_state(session, 0, flat.dl()),
                "state 'x': the tensor has shape [256], the entry wants [4,64]");
  expectRefused(mj_session_read_state(session, 0, nullptr), "a null pointer where a session and a tensor are needed");
  expectRefused(mj_session_reset(nullptr), "the session is null");
  const DLTensor *inputs[] = {good.dl()}, *outputs[] = {nullptr};
  ASSERT_EQ(mj_session_start(session, Tick, inputs, 1, outputs, 1, 0), MJ_OK) << mj_last_error();
  expectRefused(mj_session_reset(session), "runs that were started are under way: 1; wait for them before "
                                           "mj_session_reset");
  expectRefused(mj_session_write_state(session, 0, good.dl()),
                "runs that were started are under way: 1; wait for them before state 'x' is written");
  ASSERT_EQ(mj_session_wait(session), MJ_OK);
}

} // namespace
