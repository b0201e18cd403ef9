// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Programs written for another machine: the checker runs what was written, and notices what is not as expected.
#include "test/random/CaseFile.h"
#include "test/random/Differential.h"

#include "mjolnir/Pipeline/Registration.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include <gtest/gtest.h>

using namespace mjolnir;
using namespace mjolnir::differential;

namespace {

class CaseFileTest : public ::testing::Test {
protected:
  CaseFileTest() {
    registerPassesAndTargets();
    mlir::DialectRegistry registry;
    registerDialects(registry);
    context.appendDialectRegistry(registry);
    if (llvm::sys::fs::createUniqueDirectory("mjolnir-cases", folder))
      llvm::report_fatal_error("there is no room for temporary files");
    cases = (folder + "/cases").str();
    (void)llvm::sys::fs::create_directories(cases);
  }
  ~CaseFileTest() override { (void)llvm::sys::fs::remove_directories(folder); }

  Outcome emit(uint64_t seed, Variant variant, const std::string &target = "host") {
    return Differential(context, (folder + "/work").str(), target).emit(seed, variant, cases);
  }

  std::string contents(llvm::StringRef name) {
    auto file = llvm::MemoryBuffer::getFile(cases + "/" + name.str());
    return file ? (*file)->getBuffer().str() : "";
  }

  /// The exit code of the checker and what it says.
  std::pair<int, std::string> check() {
    std::string path = (folder + "/said").str();
    llvm::StringRef arguments[] = {MJOLNIR_CHECK_CASES, cases};
    std::optional<llvm::StringRef> redirects[] = {std::nullopt, llvm::StringRef(path), llvm::StringRef(path)};
    int code = llvm::sys::ExecuteAndWait(MJOLNIR_CHECK_CASES, arguments, std::nullopt, redirects);
    auto file = llvm::MemoryBuffer::getFile(path);
    return {code, file ? (*file)->getBuffer().str() : ""};
  }

  llvm::SmallString<128> folder;
  std::string cases;
  mlir::MLIRContext context;
};

TEST_F(CaseFileTest, RunsElsewhere) {
  // Seed 6 names a language model, which has steps and a cache.
  EXPECT_TRUE(generate(context, 6).isLanguageModel);
  for (auto [seed, variant] : {std::pair<uint64_t, Variant>{6, Variant::bf16}, {6, Variant::fp8}, {1, Variant::f32}}) {
    Outcome outcome = emit(seed, variant);
    EXPECT_EQ(outcome.failure + outcome.refusal, "");
  }
  auto [code, said] = check();
  EXPECT_EQ(code, 0) << said;
  EXPECT_NE(said.find("6-fp8 passed"), std::string::npos) << said;
  EXPECT_NE(said.find("3 passed, 0 failed, 0 refused"), std::string::npos) << said;
}

TEST_F(CaseFileTest, NoticesAnotherNumber) {
  EXPECT_EQ(emit(6, Variant::f32).failure, "");
  std::string file = contents("6-f32.safetensors");
  // Other logits in the first step, where the header says that they lie.
  uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof(length));
  size_t entry = file.find("\"0.output.logits\":{");
  ASSERT_NE(entry, std::string::npos);
  llvm::StringRef offsets = llvm::StringRef(file).substr(entry).split("\"data_offsets\":[").second;
  uint64_t begin = 0, end = 0;
  ASSERT_FALSE(offsets.consumeInteger(10, begin) || !offsets.consume_front(",") || offsets.consumeInteger(10, end));
  for (; begin < end; begin += sizeof(double)) {
    double number;
    char *place = file.data() + sizeof(length) + length + begin;
    std::memcpy(&number, place, sizeof(number));
    number = number * 1.5 + 1;
    std::memcpy(place, &number, sizeof(number));
  }
  llvm::cantFail(writeText(cases + "/6-f32.safetensors", file));
  auto [code, said] = check();
  EXPECT_EQ(code, 1);
  EXPECT_NE(said.find("failed: 6-f32"), std::string::npos) << said;
  EXPECT_NE(said.find("output logits, element"), std::string::npos) << said;
}

TEST_F(CaseFileTest, CountsWhatTheTargetHasNoKernelFor) {
  llvm::cantFail(writeText(cases + "/7-bf16.refused", "no CUDA kernels"));
  EXPECT_EQ(emit(1, Variant::f32).failure, "");
  auto [code, said] = check();
  EXPECT_EQ(code, 0) << said;
  EXPECT_NE(said.find("1 passed, 0 failed, 1 refused"), std::string::npos) << said;
}

TEST_F(CaseFileTest, RefusesFilesThatAreNoCases) {
  EXPECT_EQ(check().first, 2);
  llvm::cantFail(writeText(cases + "/1-f32.safetensors", "0123456789"));
  auto [code, said] = check();
  EXPECT_EQ(code, 1);
  EXPECT_NE(said.find("is cut off"), std::string::npos) << said;
}

} // namespace
