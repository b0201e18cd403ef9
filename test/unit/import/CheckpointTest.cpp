// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Checkpoint folders: one file, several files with an index, and what is refused about them.
#include "TestCheckpoint.h"

#include "mjolnir/Import/Checkpoint.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace mjolnir;
using namespace mjolnir::test;
using testing::HasSubstr;

namespace {

constexpr llvm::StringLiteral kIndex = "model.safetensors.index.json";

std::string tensor(llvm::StringRef name) { return safetensors(TestTensors{{name.str(), {"F32", {2}}}}); }

/// The message with which the folder is refused; empty if it is not.
std::string refusalOf(const TempDir &dir) {
  auto checkpoint = Checkpoint::open(dir.str());
  return checkpoint ? "" : llvm::toString(checkpoint.takeError());
}

TEST(Checkpoint, OpensOneFile) {
  TempDir dir;
  dir.write("config.json", "{\"vocab_size\": 7}");
  dir.write("model.safetensors", safetensors(TestTensors{{"a", {"F32", {2}}}, {"b", {"BF16", {3, 1}}}}));
  dir.write("tokenizer.json", "{}");
  auto checkpoint = Checkpoint::open(dir.str());
  ASSERT_TRUE(static_cast<bool>(checkpoint)) << llvm::toString(checkpoint.takeError());
  EXPECT_EQ((*checkpoint)->config().getInteger("vocab_size"), 7);
  EXPECT_EQ((*checkpoint)->tensors().size(), 2u);
  const TensorInfo *b = (*checkpoint)->find("b");
  ASSERT_TRUE(b);
  EXPECT_EQ(b->bytes.size(), 6u);
  EXPECT_FALSE((*checkpoint)->find("c"));
  EXPECT_TRUE((*checkpoint)->warnings().empty());

  auto tokenizer = (*checkpoint)->file("tokenizer.json");
  ASSERT_TRUE(tokenizer && *tokenizer);
  EXPECT_EQ((*tokenizer)->getBuffer(), "{}");
  auto absent = (*checkpoint)->file("generation_config.json");
  ASSERT_TRUE(static_cast<bool>(absent));
  EXPECT_FALSE(*absent);
  for (llvm::StringRef name : {"../x", "a/b", "", "..", "a\\b"}) {
    auto outside = (*checkpoint)->file(name);
    ASSERT_FALSE(static_cast<bool>(outside)) << name.str();
    EXPECT_THAT(llvm::toString(outside.takeError()), HasSubstr("that is not the name of a file in a folder"));
  }
}

TEST(Checkpoint, OpensShardsInTheOrderOfTheirNames) {
  TempDir dir;
  dir.write("config.json", "{}");
  dir.write("m-1.safetensors", tensor("z"));
  dir.write("m-2.safetensors", tensor("a"));
  dir.write(kIndex, R"({"metadata":{"total_size":16},"weight_map":{"a":"m-2.safetensors","z":"m-1.safetensors"}})");
  auto checkpoint = Checkpoint::open(dir.str());
  ASSERT_TRUE(static_cast<bool>(checkpoint)) << llvm::toString(checkpoint.takeError());
  ASSERT_EQ((*checkpoint)->tensors().size(), 2u);
  EXPECT_EQ((*checkpoint)->tensors()[0]->name, "z");
  EXPECT_EQ((*checkpoint)->find("a")->file, dir.join("m-2.safetensors"));
  EXPECT_TRUE((*checkpoint)->warnings().empty());
  for (const TensorInfo *info : (*checkpoint)->tensors()) {
    (*checkpoint)->release(*info);
    EXPECT_EQ(info->bytes[0], 0);
  }
}

TEST(Checkpoint, WarnsOfATotalThatIsWrong) {
  TempDir dir;
  dir.write("config.json", "{}");
  dir.write("m.safetensors", tensor("a"));
  dir.write(kIndex, R"({"metadata":{"total_size":9},"weight_map":{"a":"m.safetensors"}})");
  auto checkpoint = Checkpoint::open(dir.str());
  ASSERT_TRUE(static_cast<bool>(checkpoint)) << llvm::toString(checkpoint.takeError());
  ASSERT_EQ((*checkpoint)->warnings().size(), 1u);
  EXPECT_EQ((*checkpoint)->warnings()[0], dir.join(kIndex) + ": states 9 bytes of tensors, but its files hold 8");
}

TEST(Checkpoint, RefusesWhatIsNoCheckpoint) {
  auto missing = Checkpoint::open("Qwen/Qwen3-0.6B");
  ASSERT_FALSE(static_cast<bool>(missing));
  EXPECT_THAT(llvm::toString(missing.takeError()),
              HasSubstr("Qwen/Qwen3-0.6B: is no folder; give the folder of a checkpoint"));
  TempDir dir;
  EXPECT_THAT(refusalOf(dir), HasSubstr("has no config.json; give the folder of a Hugging Face checkpoint"));
  dir.write("config.json", "{");
  EXPECT_THAT(refusalOf(dir), HasSubstr("/config.json: is not well-formed JSON: "));
  dir.write("config.json", "[]");
  EXPECT_THAT(refusalOf(dir), HasSubstr("/config.json: is not a JSON object"));
  dir.write("config.json", std::string(100'000, '['));
  EXPECT_THAT(refusalOf(dir), HasSubstr("/config.json: nests JSON more than 64 deep"));
  dir.write("config.json", "{}");
  EXPECT_THAT(refusalOf(dir), HasSubstr("has neither model.safetensors nor model.safetensors.index.json"));
  dir.write("model.safetensors", "x");
  EXPECT_THAT(refusalOf(dir), HasSubstr("/model.safetensors: has 1 bytes, too few"));
}

struct BrokenIndex {
  const char *name;
  const char *index;
  const char *sentence;
};

class BrokenIndexTest : public testing::TestWithParam<BrokenIndex> {};

TEST_P(BrokenIndexTest, IsRefused) {
  TempDir dir;
  dir.write("config.json", "{}");
  dir.write("m-1.safetensors", tensor("a"));
  dir.write("m-2.safetensors", tensor("a"));
  dir.write(kIndex, GetParam().index);
  EXPECT_THAT(refusalOf(dir), HasSubstr(GetParam().sentence));
}

INSTANTIATE_TEST_SUITE_P(
    Corpus, BrokenIndexTest,
    testing::Values(
        BrokenIndex{"BadJson", "{", "index.json: is not well-formed JSON"},
        BrokenIndex{"NotAnObject", "[]", "index.json: is not a JSON object"},
        BrokenIndex{"NoMap", "{}", "index.json: has no object 'weight_map'; download it again"},
        BrokenIndex{"NameIsANumber", R"({"weight_map":{"a":1}})",
                    "maps tensor 'a' to something that is not a file name"},
        BrokenIndex{"Traversal", R"({"weight_map":{"a":"../m-1.safetensors"}})",
                    "maps tensor 'a' to '../m-1.safetensors', which is not the name of a safetensors file in the same"},
        BrokenIndex{"Absolute", R"({"weight_map":{"a":"/m-1.safetensors"}})", "maps tensor 'a' to '/m-1.safetensors'"},
        BrokenIndex{"Nul", R"({"weight_map":{"a":"m\u0000.safetensors"}})",
                    "which is not the name of a safetensors file"},
        BrokenIndex{"OtherFormat", R"({"weight_map":{"a":"m.bin"}})", "maps tensor 'a' to 'm.bin'"},
        BrokenIndex{"ShardMissing", R"({"weight_map":{"a":"m-1.safetensors","b":"m-3.safetensors"}})",
                    "m-3.safetensors: is missing; model.safetensors.index.json says that it holds 'b': download it"},
        BrokenIndex{"TensorMissing", R"({"weight_map":{"a":"m-1.safetensors","b":"m-1.safetensors"}})",
                    "m-1.safetensors: has no tensor 'b', which model.safetensors.index.json says it holds"},
        BrokenIndex{"TensorNotInIndex", R"({"weight_map":{"b":"m-1.safetensors"}})",
                    "m-1.safetensors: tensor 'a' is not in model.safetensors.index.json"},
        BrokenIndex{"TensorInTwoShards", R"({"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}})",
                    "m-2.safetensors: tensor 'a' is also in "}),
    [](const auto &info) { return info.param.name; });

} // namespace
