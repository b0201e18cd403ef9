// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A cache that an entry takes and returns with new rows behind: in memory of its own, and in place, where what was
// cached lies on a page that may only be read.
#include "Tool.h"

#include "mjolnir/runtime.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
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

INSTANTIATE_TEST_SUITE_P(Precisions, StateTest, testing::Values("", "f32"),
                         [](const auto &info) { return std::string(*info.param ? "f32" : "bf16"); });

} // namespace
