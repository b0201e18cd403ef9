// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Running entries: results, null outputs, profiles, independence of sessions, and each thing that is wrong with a call.
#include "TestPackage.h"

#include "mjolnir/runtime.hpp"

#include "gtest/gtest.h"

#include <numeric>
#include <thread>

using namespace mjolnir;
using namespace mjolnir::test;

namespace {

constexpr DLDataType Float32 = {kDLFloat, 32, 1};
constexpr DLDataType Int32 = {kDLInt, 32, 1};

Package openTestPackage(const std::string &name) {
  std::string path = temporaryPath(name);
  if (auto error = writeTestPackage(path, testImage()))
    ADD_FAILURE() << error.message();
  auto package = Package::open(path);
  EXPECT_TRUE(package) << package.error().message;
  return std::move(*package);
}

Session makeSession(const Package &package, uint32_t threads = 2, uint32_t pages = 0) {
  auto session = Session::create(package, threads, pages);
  EXPECT_TRUE(session) << session.error().message;
  return std::move(*session);
}

struct AffineData {
  std::vector<float> a = std::vector<float>(256), b = std::vector<float>(256), y = std::vector<float>(256),
                     sum = std::vector<float>(256);
  explicit AffineData(float scale = 1) {
    for (int i = 0; i < 256; ++i) {
      a[i] = scale * static_cast<float>(i);
      b[i] = scale * static_cast<float>(1000 - 3 * i);
    }
  }
  std::vector<Tensor> inputs() { return {{a.data(), Float32, {4, 64}}, {b.data(), Float32, {4, 64}}}; }
  std::vector<Tensor> outputs() { return {{y.data(), Float32, {4, 64}}, {sum.data(), Float32, {4, 64}}}; }
  void check() const {
    for (int i = 0; i < 256; ++i) {
      ASSERT_EQ(sum[i], a[i] + b[i]) << i;
      ASSERT_EQ(y[i], (a[i] + b[i]) * static_cast<float>(i % 64 + 1)) << i;
    }
  }
};

std::string runError(Session &session, size_t entry, const std::vector<Tensor> &inputs,
                     const std::vector<Tensor> &outputs) {
  auto error = session.run(entry, inputs, outputs);
  if (!error)
    return "no error";
  EXPECT_EQ(error->code, MJ_ERROR_INVALID_ARGUMENT);
  return error->message;
}

TEST(SessionRun, ComputesWithArenaWeightsAndCopies) {
  Package package = openTestPackage("affine.mjp");
  for (uint32_t threads : {0u, 1u, 2u, 5u}) {
    Session session = makeSession(package, threads);
    for (int repeat = 0; repeat < 3; ++repeat) {
      AffineData data(static_cast<float>(repeat + 1));
      auto error = session.run(Affine, data.inputs(), data.outputs());
      ASSERT_FALSE(error) << error->message;
      data.check();
    }
  }
}

TEST(SessionRun, NullOutputsGoToScratch) {
  Package package = openTestPackage("null.mjp");
  Session session = makeSession(package);
  AffineData data;
  auto inputs = data.inputs(), outputs = data.outputs();
  const DLTensor *in[] = {inputs[0].dl(), inputs[1].dl()};
  const DLTensor *out[] = {nullptr, outputs[1].dl()};
  auto error = session.run(Affine, in, 2, out, 2);
  ASSERT_FALSE(error) << error->message;
  EXPECT_EQ(data.sum[5], data.a[5] + data.b[5]);
  EXPECT_EQ(data.y[5], 0);
  const DLTensor *none[] = {nullptr, nullptr};
  EXPECT_FALSE(session.run(Affine, in, 2, none, 2));
}

TEST(SessionRun, TensorsMayHaveOffsetsAndDenseStrides) {
  Package package = openTestPackage("strides.mjp");
  Session session = makeSession(package);
  AffineData data;
  int64_t shape[] = {4, 64}, dense[] = {64, 1}, transposed[] = {1, 4};
  DLTensor a = *data.inputs()[0].dl(), b = a, y = a, sum = a;
  for (DLTensor *tensor : {&a, &b, &y, &sum})
    tensor->shape = shape;
  std::vector<float> shifted(257);
  std::copy(data.b.begin(), data.b.end(), shifted.begin() + 1);
  a.strides = dense;
  b.data = shifted.data();
  b.byte_offset = sizeof(float);
  y.data = data.y.data();
  sum.data = data.sum.data();
  const DLTensor *in[] = {&a, &b}, *out[] = {&y, &sum};
  auto error = session.run(Affine, in, 2, out, 2);
  ASSERT_FALSE(error) << error->message;
  data.check();
  a.strides = transposed;
  error = session.run(Affine, in, 2, out, 2);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->message, "input 'a': the tensor is not dense and row-major");
}

TEST(SessionRun, ThreadsHaveLargeStacks) {
  Package package = openTestPackage("stack.mjp");
  Session session = makeSession(package, 4);
  std::vector<float> done(16, -1);
  for (int repeat = 0; repeat < 10; ++repeat) {
    auto error = session.run(Stack, {}, {{done.data(), Float32, {16}}});
    ASSERT_FALSE(error) << error->message;
    for (int i = 0; i < 16; ++i)
      ASSERT_EQ(done[i], static_cast<float>(i));
  }
}

TEST(SessionRun, SaysWhatIsWrongWithATensor) {
  Package package = openTestPackage("wrong.mjp");
  Session session = makeSession(package);
  AffineData data;
  auto inputs = data.inputs(), outputs = data.outputs();
  float *a = data.a.data();
  EXPECT_EQ(runError(session, 4, inputs, outputs), "there is no entry 4; the package has 4");
  EXPECT_EQ(runError(session, Affine, {inputs[0]}, outputs),
            "entry 'affine' has 2 inputs and 2 outputs; 1 and 2 were given");
  EXPECT_EQ(runError(session, Affine, {inputs[0], {a, Int32, {4, 64}}}, outputs),
            "input 'b': the tensor has DLPack type (code 0, 32 bits, 1 lanes), the entry wants DLPack type (code 2, 32 "
            "bits, 1 lanes)");
  EXPECT_EQ(runError(session, Affine, {inputs[0], {a, Float32, {64, 4}}}, outputs),
            "input 'b': the tensor has shape [64,4], the entry wants [4,64]");
  EXPECT_EQ(runError(session, Affine, {inputs[0], {a, Float32, {256}}}, outputs),
            "input 'b': the tensor has shape [256], the entry wants [4,64]");
  EXPECT_EQ(runError(session, Affine, {inputs[0], {nullptr, Float32, {4, 64}}}, outputs),
            "input 'b': the tensor has no data");
  EXPECT_EQ(runError(session, Affine, inputs, {{reinterpret_cast<char *>(a) + 2, Float32, {4, 64}}, outputs[1]}),
            "output 'y': the tensor's address is not a multiple of its element's 4 bytes");
  DLTensor elsewhere = *inputs[0].dl();
  elsewhere.device.device_type = kDLCUDA;
  const DLTensor *in[] = {&elsewhere, inputs[1].dl()}, *out[] = {outputs[0].dl(), outputs[1].dl()};
  EXPECT_EQ(session.run(Affine, in, 2, out, 2)->message, "input 'a': the tensor is on DLPack device 2, not on the CPU");
  in[0] = nullptr;
  EXPECT_EQ(session.run(Affine, in, 2, out, 2)->message, "input 'a' is null");
  EXPECT_EQ(session.run(Affine, nullptr, 2, out, 2)->message, "the list of inputs is null");
  // And the session is as good as before.
  EXPECT_FALSE(session.run(Affine, inputs, outputs));
  data.check();
}

TEST(SessionProfile, HasAStepForEachStep) {
  Package package = openTestPackage("profile.mjp");
  Session session = makeSession(package);
  AffineData data;
  ASSERT_FALSE(session.run(Affine, data.inputs(), data.outputs()));
  EXPECT_EQ(session.profile().second, 0u);
  session.setProfiling(true);
  ASSERT_FALSE(session.run(Affine, data.inputs(), data.outputs()));
  data.check();
  auto [steps, count] = session.profile();
  ASSERT_EQ(count, 3u);
  EXPECT_STREQ(steps[0].kernel, "add");
  EXPECT_STREQ(steps[1].kernel, "scale");
  EXPECT_STREQ(steps[2].kernel, "copy");
  EXPECT_EQ(steps[0].tiles, 4u);
  EXPECT_LT(steps[0].nanoseconds, 10000000000u);
  EXPECT_TRUE(session.run(Affine, {}, {}));
  EXPECT_EQ(session.profile().second, 0u) << "a failed run has no profile";
}

/// Runs `count` once with `x` and returns the totals.
std::vector<float> countUp(Session &session, float x) {
  std::vector<float> total(8);
  auto error = session.run(Count, {{&x, Float32, {1}}}, {{total.data(), Float32, {8}}});
  EXPECT_FALSE(error) << error->message;
  return total;
}

TEST(SessionState, IsTheSessionsOwn) {
  Package package = openTestPackage("state.mjp");
  Session first = makeSession(package), second = makeSession(package);
  EXPECT_EQ(countUp(first, 1), std::vector<float>(8, 1));
  EXPECT_EQ(countUp(first, 2), std::vector<float>(8, 3));
  EXPECT_EQ(countUp(second, 10), std::vector<float>(8, 10));
  EXPECT_EQ(countUp(first, 4), std::vector<float>(8, 7));
  EXPECT_EQ(countUp(second, 10), std::vector<float>(8, 20));
}

// An operand that is a layer of a pool's pages, not their beginning.
TEST(SessionState, PoolOperandsHaveOffsets) {
  std::string path = temporaryPath("layer.mjp");
  fb::ProgramT program = makeProgram();
  auto &steps = program.entries[Count]->steps;
  steps.push_back(std::make_unique<fb::StepT>(*steps[0]));
  steps[1]->kind.AsLaunch()->operands[0] = fb::Operand(fb::Space::pool, 0, 64, 0);
  auto written = writeTestPackage(path, testImage(), std::move(program));
  ASSERT_FALSE(written) << written.message();
  auto package = Package::open(path);
  ASSERT_TRUE(package) << package.error().message;
  Session session = makeSession(*package);
  // Were the second launch to count where the first does, there would be twice as many.
  EXPECT_EQ(countUp(session, 1), std::vector<float>(8, 1));
  EXPECT_EQ(countUp(session, 2), std::vector<float>(8, 3));
}

TEST(SessionState, ThreadsRunTheirOwnSessions) {
  Package package = openTestPackage("threads.mjp");
  std::vector<std::thread> threads;
  for (int id = 1; id <= 4; ++id)
    threads.emplace_back([&package, id] {
      Session session = makeSession(package, 2);
      for (int i = 1; i <= 200; ++i) {
        std::vector<float> total = countUp(session, static_cast<float>(id));
        ASSERT_EQ(total, std::vector<float>(8, static_cast<float>(id * i)));
        AffineData data(static_cast<float>(id));
        ASSERT_FALSE(session.run(Affine, data.inputs(), data.outputs()));
        data.check();
        // Errors are the thread's own.
        ASSERT_EQ(runError(session, 100u + static_cast<size_t>(id), {}, {}),
                  "there is no entry " + std::to_string(100 + id) + "; the package has 4");
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST(SessionOptions, DecideKvPages) {
  Package package = openTestPackage("pages.mjp");
  EXPECT_EQ(makeSession(package).kvPages(), 4u) << "one sequence of max_context tokens";
  EXPECT_EQ(makeSession(package, 1, 9).kvPages(), 9u);
  auto tooMany = Session::create(package, 1, 0xffffffff);
  ASSERT_FALSE(tooMany);
  EXPECT_EQ(tooMany.error().code, MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(tooMany.error().message,
            "4294967295 KV pages of 4 tokens were asked for; at most 536870911 can be addressed");
}

TEST(SessionOptions, WrongOnesAreRefused) {
  Package package = openTestPackage("options.mjp");
  auto session = Session::create(package, 5000);
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().message, "a session of 5000 threads was asked for; at most 1024 are possible");
  mj_session_options options = {};
  options.struct_size = 4;
  mj_session *handle = nullptr;
  EXPECT_EQ(mj_session_create(package.get(), &options, &handle), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(std::string(mj_last_error()).find("mj_session_options.struct_size is 4"), 0u);
}

TEST(SessionMemory, MoreThanThereIsIsRefused) {
  std::string path = temporaryPath("greedy.mjp");
  auto program = makeProgram();
  program.entries[Affine]->arena_bytes = uint64_t(1) << 55;
  auto written = writeTestPackage(path, testImage(), std::move(program));
  ASSERT_FALSE(written) << written.message();
  auto package = Package::open(path);
  ASSERT_TRUE(package) << package.error().message;
  auto session = Session::create(*package);
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, MJ_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(session.error().message.find("the session's arena wanted 36028797018963968 bytes: "), 0u)
      << session.error().message;
}

} // namespace
