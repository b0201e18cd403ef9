// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The programs that every build checks: the first seeds, and programs that failed once.
#include "test/random/Differential.h"
#include "test/random/PackageRun.h"

#include "mjolnir/Pipeline/Registration.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <gtest/gtest.h>

using namespace mjolnir;
using namespace mjolnir::differential;

namespace {

/// Programs of one test case: few enough that ctest spreads them over the cores.
constexpr uint64_t kSeeds = 320, kSeedsPerCase = 20;

constexpr Variant kAll[] = {Variant::oracle, Variant::f32, Variant::bf16, Variant::fp8, Variant::fp8F32};

/// Compiling is what takes the time: each program is compiled for bf16 or for f32, some for the oracle and with what f8
/// can hold in it, too. Passes are checked in all variants.
llvm::SmallVector<Variant> variantsOf(uint64_t seed) {
  llvm::SmallVector<Variant> variants{seed % 3 == 0 ? Variant::f32 : Variant::bf16};
  if (seed % 8 == 0)
    variants.push_back(Variant::oracle);
  if (seed % 4 == 1)
    variants.push_back(seed % 8 == 1 ? Variant::fp8 : Variant::fp8F32);
  return variants;
}

/// What all programs share: passes and targets are registered once a process.
class RandomPrograms {
public:
  static RandomPrograms &get() {
    static RandomPrograms instance;
    return instance;
  }
  std::string checkPasses(uint64_t seed) { return differential.check(seed, kAll, /*runs=*/false).failure; }
  std::string check(uint64_t seed) { return differential.check(seed, variantsOf(seed)).failure; }
  std::string checkFile(llvm::StringRef path, uint64_t seed) {
    llvm::Expected<Program> program = load(context, path, seed);
    return program ? differential.check(*program, kAll).failure : llvm::toString(program.takeError());
  }
  /// Compiles the program of a file for another CPU, whose code cannot run here.
  std::string compileFile(llvm::StringRef path, llvm::StringRef target) {
    llvm::Expected<Program> program = load(context, path, 1);
    if (!program)
      return llvm::toString(program.takeError());
    if (llvm::Error error = writeFiles(*program, folder))
      return llvm::toString(std::move(error));
    return llvm::toString(
        compileTo(context, *program, optionsOf(*program, Variant::bf16, target), folder, folder + "/other.mjp"));
  }

  ~RandomPrograms() { (void)llvm::sys::fs::remove_directories(folder); }

private:
  RandomPrograms() : context(makeRegistry()), folder(makeFolder()), differential(context, folder) {}

  static mlir::DialectRegistry makeRegistry() {
    registerPassesAndTargets();
    mlir::DialectRegistry registry;
    registerDialects(registry);
    return registry;
  }
  static std::string makeFolder() {
    llvm::SmallString<128> path;
    if (llvm::sys::fs::createUniqueDirectory("mjolnir-random", path))
      llvm::report_fatal_error("there is no room for temporary files");
    return path.str().str();
  }

  mlir::MLIRContext context;
  std::string folder;
  Differential differential;
};

class RandomProgramsTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomProgramsTest, ComputeWhatTheReferenceComputes) {
  uint64_t first = GetParam() * kSeedsPerCase;
  for (uint64_t seed = first; seed < first + kSeedsPerCase; ++seed)
    if (std::string failure = RandomPrograms::get().checkPasses(seed); !failure.empty())
      ADD_FAILURE() << failure;
    else
      EXPECT_EQ(RandomPrograms::get().check(seed), "");
}

INSTANTIATE_TEST_SUITE_P(Programs, RandomProgramsTest, ::testing::Range<uint64_t>(0, kSeeds / kSeedsPerCase));

/// The programs in regressions/, which once failed.
std::vector<std::string> regressions() {
  std::vector<std::string> names;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator file(MJOLNIR_RANDOM_REGRESSIONS, error), end; file != end && !error;
       file.increment(error))
    names.push_back(llvm::sys::path::stem(file->path()).str());
  llvm::sort(names);
  return names;
}

class RandomRegressionTest : public ::testing::TestWithParam<std::string> {};

TEST_P(RandomRegressionTest, StaysFixed) {
  std::string path = MJOLNIR_RANDOM_REGRESSIONS "/" + GetParam() + ".mlir";
  EXPECT_EQ(RandomPrograms::get().checkFile(path, 1), "");
}

TEST_P(RandomRegressionTest, CompilesForOtherCpus) {
  std::string path = MJOLNIR_RANDOM_REGRESSIONS "/" + GetParam() + ".mlir";
  for (const char *target : {"host:x86-64-v3", "host:sapphirerapids", "host:aarch64"})
    EXPECT_EQ(RandomPrograms::get().compileFile(path, target), "") << target;
}

INSTANTIATE_TEST_SUITE_P(Programs, RandomRegressionTest, ::testing::ValuesIn(regressions()), [](const auto &info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

} // namespace
