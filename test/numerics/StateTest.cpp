// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What entries without a batch keep from call to call. A cache that an entry takes and returns with new rows behind: in
// memory of its own, and in place, where what was cached lies on a page that may only be read. And states, which the
// session keeps: what loops over them compute is what they compute when the caller hands everything back.
#include "Tool.h"

#include "mjolnir/runtime.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <optional>
#include <random>
#include <sys/mman.h>
#include <unistd.h>

using namespace mjolnir;
using namespace mjolnir::numerics;

namespace {

constexpr int64_t kNew = 2, kHeads = 2, kSize = 16, kRow = kHeads * kSize;
constexpr DLDataType kF32 = {kDLFloat, 32, 1};

/// An entry over `past` cached rows: new rows are x / 2, x attends to all of them.
std::string entryOf(int64_t past) {
  auto type = [](int64_t rows) { return "tensor<" + std::to_string(rows) + "x2x16xf32>"; };
  std::string x = type(kNew), old = type(past), all = type(past + kNew);
  return "func.func @past" + std::to_string(past) + "(%x: " + x + ", %past: " + old + ") -> (" + x + ", " + all +
         ") attributes {mj.entry} {\n"
         "  %half = arith.constant dense<0.5> : " +
         x +
         "\n"
         "  %new = arith.mulf %x, %half : " +
         x +
         "\n"
         "  %all = mj.concat %past, %new axis 0 : " +
         old + ", " + x + " -> " + all +
         "\n"
         "  %y = mj.sdpa %x over [%all], [%all] scale 0.25 : " +
         x + ", [" + all + "], [" + all + "] -> " + x +
         "\n"
         "  return %y, %all : " +
         x + ", " + all + "\n}\n";
}

/// What x attends to over `rows` cached rows, in f64.
std::vector<double> attend(const std::vector<float> &x, const float *cache, int64_t rows) {
  std::vector<double> y(kNew * kRow);
  for (int64_t t = 0; t < kNew; ++t)
    for (int64_t h = 0; h < kHeads; ++h) {
      const float *query = &x[t * kRow + h * kSize];
      std::vector<double> weights(rows);
      double sum = 0;
      for (int64_t s = 0; s < rows; ++s) {
        double score = 0;
        for (int64_t i = 0; i < kSize; ++i)
          score += double(query[i]) * cache[s * kRow + h * kSize + i];
        sum += weights[s] = std::exp(score / 4);
      }
      for (int64_t s = 0; s < rows; ++s)
        for (int64_t i = 0; i < kSize; ++i)
          y[t * kRow + h * kSize + i] += weights[s] / sum * cache[s * kRow + h * kSize + i];
    }
  return y;
}

/// Two pages; the cache begins so that `past` rows end with the first.
class Pages {
public:
  explicit Pages(int64_t past) : size(size_t(sysconf(_SC_PAGESIZE))), bytes(size_t(past) * kRow * sizeof(float)) {
    void *memory = mmap(nullptr, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
      throw std::runtime_error("no memory for two pages");
    base = static_cast<char *>(memory);
  }
  ~Pages() { munmap(base, 2 * size); }
  float *cache() { return reinterpret_cast<float *>(base + size - bytes); }
  void protectFirst() { ASSERT_EQ(mprotect(base, size, PROT_READ), 0); }

private:
  size_t size, bytes;
  char *base;
};

class StateTest : public testing::TestWithParam<const char *> {};

TEST_P(StateTest, ACacheGrowsWhereItIs) {
  std::string folder = temporaryFolder() + "/", package = folder + GetParam() + ".mjp";
  std::ofstream(folder + "state.mlir") << "module attributes {mj.phase = \"input\"} {\n"
                                       << entryOf(4) << entryOf(6) << entryOf(8) << "}\n";
  std::vector<std::string> arguments{folder + "state.mlir", "-o", package, "--quiet"};
  if (*GetParam())
    arguments.push_back("--precision=f32");
  Ran ran = runProgram(MJOLNIR_COMPILE, arguments);
  ASSERT_EQ(ran.code, 0) << ran.err;
  auto opened = Package::open(package);
  ASSERT_TRUE(opened) << opened.error().message;
  auto session = Session::create(*opened, 2);
  ASSERT_TRUE(session) << session.error().message;
  const double tolerance = *GetParam() ? 1e-5 : 0.03;

  std::mt19937 random(7);
  auto draw = [&] { return (int(random() % 256) - 128) / 64.0f; };
  std::vector<float> known;
  for (int i = 0; i < 4 * kRow; ++i)
    known.push_back(draw());
  for (int64_t past : {4, 6, 8}) {
    SCOPED_TRACE(past);
    const int64_t all = past + kNew;
    size_t entry = *opened->findEntry("past" + std::to_string(past));
    std::vector<float> x(kNew * kRow), y(kNew * kRow);
    for (float &element : x)
      element = draw();
    Pages pages(past);
    std::memcpy(pages.cache(), known.data(), known.size() * sizeof(float));
    pages.protectFirst();
    std::vector<float> apart(all * kRow, 77), yApart(kNew * kRow);
    auto error = session->run(entry, {{x.data(), kF32, {kNew, 2, 16}}, {known.data(), kF32, {past, 2, 16}}},
                              {{yApart.data(), kF32, {kNew, 2, 16}}, {apart.data(), kF32, {all, 2, 16}}});
    ASSERT_FALSE(error) << error->message;
    error = session->run(entry, {{x.data(), kF32, {kNew, 2, 16}}, {pages.cache(), kF32, {past, 2, 16}}},
                         {{y.data(), kF32, {kNew, 2, 16}}, {pages.cache(), kF32, {all, 2, 16}}});
    ASSERT_FALSE(error) << error->message;
    EXPECT_EQ(y, yApart);
    EXPECT_EQ(std::memcmp(pages.cache(), apart.data(), apart.size() * sizeof(float)), 0);
    EXPECT_EQ(std::memcmp(apart.data(), known.data(), known.size() * sizeof(float)), 0) << "cached rows are as before";
    std::vector<double> expected = attend(x, apart.data(), all);
    for (size_t i = 0; i < y.size(); ++i)
      EXPECT_NEAR(y[i], expected[i], tolerance) << i;
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_EQ(apart[past * kRow + i], x[i] / 2) << i; // exact in bf16, too
    known = apart;
  }
}

/// Entries whose states a session keeps, or, without `isKept`, the caller: a value that is made smaller, a cache that
/// rolls, two values that change places, and a first value that is given.
std::string loops(bool isKept) {
  auto state = [&](const char *name) { return isKept ? std::string(" {mj.state = \"") + name + "\"}" : ""; };
  const std::string row = "tensor<4x16xf32>", cache = "tensor<6x2x16xf32>", rows = "tensor<2x2x16xf32>";
  return "module attributes {mj.phase = \"input\"} {\n"
         "func.func @denoise(%x: " +
         row + state("x") + ", %v: " + row + ") -> (" + row + ", " + row + state("x") +
         ") attributes {mj.entry} {\n"
         "  %tenth = arith.constant dense<0.1> : " +
         row +
         "\n"
         "  %product = arith.mulf %x, %v : " +
         row +
         "\n"
         "  %change = arith.mulf %product, %tenth : " +
         row +
         "\n"
         "  %less = arith.subf %x, %change : " +
         row +
         "\n"
         "  return %less, %less : " +
         row + ", " + row +
         "\n}\n"
         "func.func @roll(%x: " +
         rows + ", %cache: " + cache + state("cache") + ") -> (" + rows + ", " + cache + state("cache") +
         ") attributes {mj.entry} {\n"
         "  %half = arith.constant dense<0.5> : " +
         rows +
         "\n"
         "  %new = arith.mulf %x, %half : " +
         rows +
         "\n"
         "  %kept = mj.slice %cache from [2, 0, 0] by [1, 1, 1] : " +
         cache +
         " -> tensor<4x2x16xf32>\n"
         "  %all = mj.concat %kept, %new axis 0 : tensor<4x2x16xf32>, " +
         rows + " -> " + cache +
         "\n"
         "  %y = mj.sdpa %x over [%all], [%all] scale 0.25 : " +
         rows + ", [" + cache + "], [" + cache + "] -> " + rows +
         "\n"
         "  return %y, %all : " +
         rows + ", " + cache +
         "\n}\n"
         "func.func @swap(%a: " +
         row + state("x") + ", %b: " + row + state("other") + ") -> (" + row + state("x") + ", " + row +
         state("other") +
         ") attributes {mj.entry} {\n"
         "  return %b, %a : " +
         row + ", " + row +
         "\n}\n"
         "func.func @begin(%x: " +
         row + ") -> (" + row + state("x") +
         ") attributes {mj.entry} {\n"
         "  return %x : " +
         row + "\n}\n}\n";
}

/// A session of the compiled loops, and its entries by name.
struct Loops {
  std::optional<Package> package;
  std::optional<Session> session;

  Loops(const std::string &folder, bool isKept, bool isF32) {
    const std::string name = folder + (isKept ? "kept" : "fed") + (isF32 ? "32" : "16");
    std::ofstream(name + ".mlir") << loops(isKept);
    std::vector<std::string> arguments{name + ".mlir", "-o", name + ".mjp", "--quiet"};
    if (isF32)
      arguments.push_back("--precision=f32");
    Ran ran = runProgram(MJOLNIR_COMPILE, arguments);
    if (ran.code != 0)
      throw std::runtime_error(ran.err);
    auto opened = Package::open(name + ".mjp");
    if (!opened)
      throw std::runtime_error(opened.error().message);
    package.emplace(std::move(*opened));
    auto made = Session::create(*package, 2);
    if (!made)
      throw std::runtime_error(made.error().message);
    session.emplace(std::move(*made));
  }
  void run(const char *entry, const std::vector<Tensor> &inputs, const std::vector<Tensor> &outputs) {
    auto error = session->run(*package->findEntry(entry), inputs, outputs);
    if (error)
      throw std::runtime_error(error->message);
  }
};

TEST_P(StateTest, LoopsAreThoseOfACallerThatFeedsBack) {
  const bool isF32 = *GetParam();
  const std::string folder = temporaryFolder() + "/";
  Loops kept(folder, true, isF32), fed(folder, false, isF32);
  std::mt19937 random(9);
  auto draw = [&](size_t count) {
    std::vector<float> numbers(count);
    for (float &number : numbers)
      number = (int(random() % 256) - 128) / 64.0f;
    return numbers;
  };
  auto row = [](std::vector<float> &data) { return Tensor(data.data(), kF32, {4, 16}); };
  auto rows = [](std::vector<float> &data) { return Tensor(data.data(), kF32, {2, 2, 16}); };
  auto cache = [](std::vector<float> &data) { return Tensor(data.data(), kF32, {6, 2, 16}); };
  std::vector<float> x(64), other(64), memory(192);
  for (int round = 0; round < 2; ++round) {
    SCOPED_TRACE(round);
    for (int step = 0; step < 10; ++step) {
      SCOPED_TRACE(step);
      if (step == 0 || step == 6) { // a value that is given, and on its way another
        x = draw(64);
        kept.run("begin", {row(x)}, {});
      }
      std::vector<float> v = draw(64), less(64), lessFed(64), xFed(64);
      const std::vector<float> before = x;
      kept.run("denoise", {row(v)}, {row(less)});
      fed.run("denoise", {row(x), row(v)}, {row(lessFed), row(xFed)});
      EXPECT_EQ(less, lessFed);
      EXPECT_EQ(lessFed, xFed);
      for (int i = 0; i < 64; ++i)
        EXPECT_NEAR(less[i], before[i] * (1 - 0.1 * v[i]), isF32 ? 1e-6 : 0.03) << i;
      x = xFed;

      std::vector<float> query = draw(64), y(64), yFed(64), memoryFed(192);
      kept.run("roll", {rows(query)}, {rows(y)});
      fed.run("roll", {rows(query), cache(memory)}, {rows(yFed), cache(memoryFed)});
      EXPECT_EQ(y, yFed);
      for (int i = 0; i < 128; ++i)
        EXPECT_EQ(memoryFed[i], memory[64 + i]) << i;
      memory = memoryFed;
      std::vector<double> expected = attend(query, memory.data(), 6);
      for (size_t i = 0; i < y.size(); ++i)
        EXPECT_NEAR(y[i], expected[i], isF32 ? 1e-5 : 0.03) << i;
      if (step == 3) {
        kept.run("swap", {}, {});
        std::swap(x, other);
      }
    }
    // Again from zeros, as a new session would.
    ASSERT_FALSE(kept.session->reset());
    std::fill(other.begin(), other.end(), 0);
    std::fill(memory.begin(), memory.end(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, StateTest, testing::Values("", "f32"),
                         [](const auto &info) { return std::string(*info.param ? "f32" : "bf16"); });

} // namespace
