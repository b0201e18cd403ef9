// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Every package of the malformed corpus is refused, with its own sentence.
#include "MalformedCases.h"

#include "gtest/gtest.h"

#include <map>

using namespace mjolnir::test;

namespace {

void expectRefused(const std::vector<MalformedCase> &cases, std::map<std::string, std::string> &messages) {
  for (const MalformedCase &malformed : cases) {
    SCOPED_TRACE(malformed.name);
    std::string path = temporaryPath("malformed.mjp");
    writeFile(path, malformed.bytes);
    mj_package *package = nullptr;
    mj_status status = mj_package_open(path.c_str(), &package);
    std::string message = mj_last_error();
    EXPECT_EQ(status, malformed.code) << message;
    EXPECT_EQ(package, nullptr);
    // An emulator may not show the CPU's features: then it is that which a package that asks for some hears.
    if (std::string(malformed.name) == "target-unknown-feature" &&
        message.find("/proc/cpuinfo, which lists what this machine has, cannot be read") != std::string::npos)
      continue;
    EXPECT_NE(message.find(malformed.sentence), std::string::npos)
        << "message: " << message << "\nwanted:  " << malformed.sentence;
    auto [other, isNew] = messages.emplace(message, malformed.name);
    // Two ways to cut a file may read the same.
    EXPECT_TRUE(isNew || malformed.name == "appended-to")
        << "the same sentence as " << other->second << ": " << message;
    mj_package_close(package);
  }
}

TEST(Malformed, EveryPackageIsRefusedWithItsSentence) {
  std::map<std::string, std::string> messages;
  std::vector<MalformedCase> files = makeMalformedFiles(testImage()), programs = makeMalformedPrograms(testImage());
  expectRefused(files, messages);
  expectRefused(programs, messages);
  EXPECT_GE(messages.size(), 130u);
}

TEST(Malformed, TheCorpusStartsFromAGoodPackage) {
  std::string path = temporaryPath("good.mjp");
  writeFile(path, zipMembers(makeMembers(makeProgram(), testImage())));
  mj_package *package = nullptr;
  EXPECT_EQ(mj_package_open(path.c_str(), &package), MJ_OK) << mj_last_error();
  mj_package_close(package);
}

// Whatever byte of the structure is changed, the loader answers; under sanitizers this is a small fuzzer of its own.
TEST(Malformed, AnyChangedByteIsSafe) {
  std::string good = zipMembers(makeMembers(makeProgram(), testImage()));
  std::string path = temporaryPath("changed.mjp");
  size_t refused = 0, total = 0;
  // The directory at the end, and the first member's header.
  for (size_t at = 0; at < good.size(); at += at < 80 || at + 600 > good.size() ? 1 : 997) {
    std::string changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 0x41);
    writeFile(path, changed);
    mj_package *package = nullptr;
    refused += mj_package_open(path.c_str(), &package) != MJ_OK;
    mj_package_close(package);
    ++total;
  }
  // Not refused: dates, padding, attributes.
  EXPECT_GT(refused, total / 2);
}

} // namespace
