// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a loaded package says about itself, and what callers get wrong.
#include "TestPackage.h"

#include "mjolnir/runtime.h"

#include "gtest/gtest.h"

#include <cstring>
#include <filesystem>

using namespace mjolnir::test;

namespace {

class Loader : public testing::Test {
protected:
  void SetUp() override {
    std::string path = temporaryPath("loader.mjp");
    if (auto error = writeTestPackage(path, testImage()))
      FAIL() << error.message();
    ASSERT_EQ(mj_package_open(path.c_str(), &package), MJ_OK) << mj_last_error();
  }
  void TearDown() override { mj_package_close(package); }

  mj_package *package = nullptr;
};

TEST_F(Loader, ListsMembers) {
  std::vector<std::string> names;
  for (size_t i = 0; i < mj_package_member_count(package); ++i)
    names.push_back(mj_package_member_name(package, i));
  EXPECT_EQ(names, (std::vector<std::string>{"program.fb", "kernels.so", "notes.json", "weights.safetensors"}));
  EXPECT_EQ(mj_package_member_name(package, 4), nullptr);
  const void *data = nullptr;
  size_t bytes = 0;
  ASSERT_EQ(mj_package_member(package, "notes.json", &data, &bytes), MJ_OK);
  EXPECT_EQ(std::string(static_cast<const char *>(data), bytes), "{\"note\": \"for tests\"}\n");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % 4096, 0u);
  EXPECT_EQ(mj_package_member(package, "tokenizer.json", &data, &bytes), MJ_ERROR_NOT_FOUND);
  EXPECT_STREQ(mj_last_error(), "the package has no member 'tokenizer.json'");
}

TEST_F(Loader, DescribesEntries) {
  ASSERT_EQ(mj_package_entry_count(package), 4u);
  size_t index = 0;
  ASSERT_EQ(mj_package_find_entry(package, "step", &index), MJ_OK);
  EXPECT_EQ(index, Step);
  mj_entry_info info;
  ASSERT_EQ(mj_package_entry(package, index, &info), MJ_OK);
  EXPECT_STREQ(info.name, "step");
  EXPECT_EQ(info.kind, MJ_ENTRY_RAGGED);
  EXPECT_EQ(info.tokens, 8u);
  EXPECT_EQ(info.sequences, 2u);
  EXPECT_EQ(info.pages_per_sequence, 4u);
  EXPECT_EQ(info.inputs, 11u);
  EXPECT_EQ(info.outputs, 2u);
  ASSERT_EQ(mj_package_entry(package, Affine, &info), MJ_OK);
  EXPECT_EQ(info.kind, MJ_ENTRY_PLAIN);
  EXPECT_EQ(info.arena_bytes, 2048u);

  mj_binding_info binding;
  ASSERT_EQ(mj_entry_input(package, Step, 4, &binding), MJ_OK);
  EXPECT_STREQ(binding.name, "block_tables");
  EXPECT_EQ(binding.dtype.code, kDLInt);
  EXPECT_EQ(binding.dtype.bits, 32);
  ASSERT_EQ(binding.ndim, 2);
  EXPECT_EQ(binding.shape[0], 2);
  EXPECT_EQ(binding.shape[1], 4);
  EXPECT_EQ(binding.bytes, 32u);
  ASSERT_EQ(mj_entry_output(package, Step, 1, &binding), MJ_OK);
  EXPECT_STREQ(binding.name, "logits");
  EXPECT_EQ(binding.bytes, 128u);
}

TEST_F(Loader, DescribesTheKvPlan) {
  mj_kv_info kv;
  ASSERT_EQ(mj_package_kv(package, &kv), MJ_OK);
  EXPECT_EQ(kv.pools, 1u);
  EXPECT_EQ(kv.page_size, 4u);
  EXPECT_EQ(kv.bytes_per_page, 256u);
  EXPECT_EQ(kv.max_context, 16u);
  EXPECT_EQ(kv.vocabulary, 16u);
}

TEST_F(Loader, NamesWhatCallersGetWrong) {
  size_t index = 0;
  EXPECT_EQ(mj_package_find_entry(package, "decode", &index), MJ_ERROR_NOT_FOUND);
  EXPECT_STREQ(mj_last_error(), "the package has no entry 'decode'; it has 'affine', 'count', 'stack', 'step'");
  mj_entry_info info;
  EXPECT_EQ(mj_package_entry(package, 4, &info), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_STREQ(mj_last_error(), "there is no entry 4; the package has 4");
  mj_binding_info binding;
  EXPECT_EQ(mj_entry_input(package, Affine, 2, &binding), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_STREQ(mj_last_error(), "there is no input 2; entry 'affine' has 2");
  EXPECT_EQ(mj_entry_output(package, 9, 0, &binding), MJ_ERROR_INVALID_ARGUMENT);
}

TEST(LoaderArguments, NullPointersAreRefused) {
  mj_package *package = nullptr;
  EXPECT_EQ(mj_package_open(nullptr, &package), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_package_open("x", nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_package_member(nullptr, "x", nullptr, nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_package_kv(nullptr, nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_package_entry(nullptr, 0, nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_package_find_entry(nullptr, nullptr, nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_entry_input(nullptr, 0, 0, nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_session_create(nullptr, nullptr, nullptr), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_session_run(nullptr, 0, nullptr, 0, nullptr, 0), MJ_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(mj_package_entry_count(nullptr), 0u);
  EXPECT_EQ(mj_package_member_count(nullptr), 0u);
  EXPECT_EQ(mj_session_kv_pages(nullptr), 0u);
  mj_package_close(nullptr);
  mj_session_destroy(nullptr);
}

TEST(LoaderArguments, FilesThatAreNot) {
  mj_package *package = nullptr;
  std::string missing = temporaryPath("missing.mjp");
  EXPECT_EQ(mj_package_open(missing.c_str(), &package), MJ_ERROR_NOT_FOUND);
  EXPECT_EQ(std::string(mj_last_error()), "cannot open '" + missing + "': No such file or directory");
  std::string folder = std::filesystem::path(missing).parent_path().string();
  EXPECT_EQ(mj_package_open(folder.c_str(), &package), MJ_ERROR_IO);
  EXPECT_EQ(std::string(mj_last_error()), "'" + folder + "' is not a regular file");
}

// Two packages of different code in one process, one opened after the other was closed: the dynamic loader must not
// take one image for the other.
TEST(LoaderImages, AreToldApart) {
  std::string path = temporaryPath("image.mjp");
  if (auto error = writeTestPackage(path, testImage()))
    FAIL() << error.message();
  for (int i = 0; i < 3; ++i) {
    mj_package *first = nullptr, *second = nullptr;
    ASSERT_EQ(mj_package_open(path.c_str(), &first), MJ_OK) << mj_last_error();
    ASSERT_EQ(mj_package_open(path.c_str(), &second), MJ_OK) << mj_last_error();
    mj_package_close(first);
    mj_package *third = nullptr;
    ASSERT_EQ(mj_package_open(path.c_str(), &third), MJ_OK) << mj_last_error();
    mj_package_close(second);
    mj_package_close(third);
  }
}

TEST(LoaderVersion, IsWhatTheHeaderSays) {
  uint32_t major = 0, minor = 9;
  mj_package_format(&major, &minor);
  EXPECT_EQ(major, 1u);
  EXPECT_EQ(minor, 5u);
  EXPECT_STREQ(mj_version(), "0.1.0");
}

} // namespace
