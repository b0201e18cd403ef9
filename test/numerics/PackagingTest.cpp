// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Equal inputs give byte-equal packages, and a package for a CPU that this machine is not is refused.
#include "Golden.h"
#include "Tool.h"

#include "mjolnir/runtime.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

using namespace mjolnir;
using namespace mjolnir::numerics;
using testing::AllOf;
using testing::HasSubstr;

namespace {

// Twice from the same folder, once from a copy elsewhere that was written in another order, and once with one thread.
void expectByteEqual(const std::string &checkpoint, std::vector<std::string> arguments) {
  namespace fs = std::filesystem;
  arguments.insert(arguments.end(), {"--batch=1,4", "--prefill=32"});
  std::string folder = temporaryFolder() + "/";
  compile(checkpoint, folder + "first.mjp", arguments);
  std::string first = readFile(folder + "first.mjp");
  ASSERT_GT(first.size(), 100000u);
  compile(checkpoint, folder + "second.mjp", arguments);
  EXPECT_TRUE(first == readFile(folder + "second.mjp")) << "the second compilation made another package";

  std::string copy = folder + "a copy elsewhere";
  fs::remove_all(copy);
  fs::create_directory(copy);
  std::vector<fs::path> files;
  for (const fs::directory_entry &file : fs::directory_iterator(checkpoint))
    files.push_back(file.path());
  std::sort(files.rbegin(), files.rend());
  for (const fs::path &file : files)
    fs::copy_file(file, copy / file.filename());
  compile(copy, folder + "third.mjp", arguments);
  EXPECT_TRUE(first == readFile(folder + "third.mjp")) << "the folder's name or order is in the package";

  arguments.push_back("--mlir-disable-threading");
  compile(checkpoint, folder + "fourth.mjp", arguments);
  EXPECT_TRUE(first == readFile(folder + "fourth.mjp")) << "the compiler's threads left their traces";
}

TEST(PackagingTest, NormalPackagesAreByteEqual) { expectByteEqual(goldenFolder("llama2-sharded-bf16"), {}); }

TEST(PackagingTest, Fp8PackagesAreByteEqual) {
  expectByteEqual(goldenFolder("qwen3-untied-f32"), {"--fp8=full", "--fp8-kv"});
}

TEST(PackagingTest, OraclePackagesAreByteEqual) { expectByteEqual(goldenFolder("qwen2-untied-f16"), {"--oracle"}); }

TEST(PackagingTest, PackagesForANamedCpuAreByteEqual) {
  expectByteEqual(goldenFolder("mistral-window-bf16"), {"--target=host:x86-64-v3"});
}

TEST(PackagingTest, APackageForAnotherCpuIsRefused) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    GTEST_SKIP() << "this machine has AVX-512, which the package would need";
  std::string path = temporaryFolder() + "/v4.mjp";
  compile(goldenFolder("qwen3-tied-bf16"), path, {"--target=host:x86-64-v4", "--batch=1", "--prefill=32"});
  auto package = Package::open(path);
  ASSERT_FALSE(package) << "a package that needs AVX-512 was opened without";
  EXPECT_EQ(package.error().code, MJ_ERROR_UNSUPPORTED);
  EXPECT_THAT(package.error().message,
              AllOf(HasSubstr("needs CPU features that this machine lacks"), HasSubstr("'avx512f'"),
                    HasSubstr("compile it for this machine or for an older one"), HasSubstr(path)));
  Ran ran = runProgram(MJOLNIR_RUN, {path, "--tokens", "1", "--print-tokens"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr(package.error().message));
#else
  GTEST_SKIP() << "the test knows two x86-64 CPUs";
#endif
}

TEST(PackagingTest, AnUnknownCpuIsRefusedByTheCompiler) {
  Ran ran = runProgram(MJOLNIR_COMPILE, {goldenFolder("qwen3-tied-bf16"), "-o", temporaryFolder() + "/no.mjp",
                                         "--target=host:no-such-cpu"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("no-such-cpu"));
  EXPECT_FALSE(std::filesystem::exists(temporaryFolder() + "/no.mjp"));
}

} // namespace
