// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Safetensors files: what is read from whole ones, and the sentence with which each kind of broken one is refused.
#include "TestCheckpoint.h"

#include "mjolnir/Import/Safetensors.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace mjolnir;
using namespace mjolnir::test;
using testing::HasSubstr;

namespace {

/// The message with which `contents` is refused; empty if it is not.
std::string refusalOf(llvm::StringRef contents) {
  auto tensors = parseSafetensors(llvm::ArrayRef(contents.data(), contents.size()), "x.safetensors");
  return tensors ? "" : llvm::toString(tensors.takeError());
}

std::string entry(llvm::StringRef dtype, llvm::StringRef shape, llvm::StringRef offsets) {
  return ("{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}").str();
}

TEST(Safetensors, ReadsTensorsInTheOrderOfTheirBytes) {
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"},\"b\":" + entry("F32", "[2,1]", "[2,10]") +
                       ",\"a\":" + entry("BF16", "[]", "[0,2]") + ",\"none\":" + entry("I64", "[3,0]", "[10,10]") +
                       "}   ";
  std::string file = safetensors(header, "0123456789");
  auto tensors = parseSafetensors(llvm::ArrayRef(file.data(), file.size()), "x.safetensors");
  ASSERT_TRUE(static_cast<bool>(tensors)) << llvm::toString(tensors.takeError());
  ASSERT_EQ(tensors->size(), 3u);
  const TensorInfo &a = (*tensors)[0], &b = (*tensors)[1], &none = (*tensors)[2];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.dtype, DType::BF16);
  EXPECT_TRUE(a.shape.empty());
  EXPECT_EQ(std::string(a.bytes.data(), a.bytes.size()), "01");
  EXPECT_EQ(b.name, "b");
  EXPECT_EQ(b.shape, (llvm::SmallVector<int64_t, 4>{2, 1}));
  EXPECT_EQ(std::string(b.bytes.data(), b.bytes.size()), "23456789");
  EXPECT_EQ(none.name, "none");
  EXPECT_TRUE(none.bytes.empty());
  EXPECT_EQ(none.file, "x.safetensors");
}

TEST(Safetensors, ReadsAFileWithoutTensors) { EXPECT_EQ(refusalOf(safetensors("{}", "")), ""); }

TEST(Safetensors, KnowsEveryDtypeByItsName) {
  for (llvm::StringRef name :
       {"BOOL", "U8",  "I8",   "F8_E5M2", "F8_E4M3", "F8_E8M0", "F6_E2M3", "F6_E3M2", "F4",  "I16",
        "U16",  "F16", "BF16", "I32",     "U32",     "F32",     "I64",     "U64",     "F64", "C64"}) {
    std::optional<DType> dtype = parseDType(name);
    ASSERT_TRUE(dtype) << name.str();
    EXPECT_EQ(getName(*dtype), name);
    // Eight elements fill whole bytes whatever the element.
    unsigned bytes = getBits(*dtype);
    std::string header = "{\"t\":" + entry(name, "[8]", "[0," + std::to_string(bytes) + "]") + "}";
    EXPECT_EQ(refusalOf(safetensors(header, std::string(bytes, '\0'))), "");
  }
  EXPECT_FALSE(parseDType("bf16"));
}

struct Broken {
  const char *name;
  std::string contents;
  const char *sentence;
};

std::string oneTensor(llvm::StringRef text, llvm::StringRef data = "0123") {
  return safetensors(("{\"t\":" + text + "}").str(), data);
}

class BrokenSafetensors : public testing::TestWithParam<Broken> {};

TEST_P(BrokenSafetensors, IsRefused) {
  std::string refusal = refusalOf(GetParam().contents);
  EXPECT_TRUE(llvm::StringRef(refusal).starts_with("x.safetensors: ")) << refusal;
  EXPECT_THAT(refusal, HasSubstr(GetParam().sentence));
}

const std::string kGood = entry("F32", "[1]", "[0,4]");

INSTANTIATE_TEST_SUITE_P(
    Corpus, BrokenSafetensors,
    testing::Values(
        Broken{"Empty", "", "has 0 bytes, too few for a safetensors file; it is truncated, download it again"},
        Broken{"LengthCut", std::string("\x02\0\0\0\0\0\0", 7), "has 7 bytes, too few for a safetensors file"},
        Broken{"LfsPointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
               "is a Git LFS pointer, not the tensors; run 'git lfs pull' in its folder"},
        Broken{"HeaderCut", safetensors("{}", "").substr(0, 9),
               "states a header of 2 bytes but only 1 follow; it is truncated or no safetensors file"},
        Broken{"LengthOfAll", std::string(8, '\xff') + "{}", "states a header of 18446744073709551615 bytes"},
        Broken{"HeaderTooLong", safetensors(std::string(100'000'001, ' '), ""),
               "states a header of 100000001 bytes; the format allows 100000000"},
        Broken{"HeaderEmpty", safetensors("", ""), "has a header that does not begin with '{'"},
        Broken{"HeaderIsAList", safetensors("[]", ""), "has a header that does not begin with '{'"},
        Broken{"HeaderPaddedBefore", safetensors(" {}", ""), "has a header that does not begin with '{'"},
        Broken{"HeaderUnclosed", safetensors("{\"t\":", ""), "is not well-formed JSON: "},
        Broken{"HeaderNotUtf8", safetensors("{\"\xff\":1}", ""), "is not well-formed JSON: "},
        Broken{"HeaderGoesOn", safetensors("{}{}", ""), "is not well-formed JSON: "},
        Broken{"HeaderDeep", safetensors("{\"t\":" + std::string(1'000'000, '['), ""), "nests JSON more than 64 deep"},
        Broken{"MetadataNumber", safetensors("{\"__metadata__\":1}", ""),
               "has a __metadata__ that is not a JSON object"},
        Broken{"MetadataOfNumbers", safetensors("{\"__metadata__\":{\"k\":1}}", ""),
               "has a __metadata__ entry 'k' that is not a string"},
        Broken{"NameTwice", safetensors("{\"t\":" + kGood + ",\"t\":" + kGood + "}", "0123"),
               "tensor 't' is there twice"},
        Broken{"NameTwiceEscaped", safetensors("{\"t\":" + kGood + ",\"\\u0074\":" + kGood + "}", "0123"),
               "tensor 't' is there twice"},
        Broken{"EntryIsANumber", oneTensor("1"), "tensor 't' is described by something that is not a JSON object"},
        Broken{"NoDtype", oneTensor("{\"shape\":[1],\"data_offsets\":[0,4]}"), "tensor 't' has no dtype"},
        Broken{"DtypeUnknown", oneTensor(entry("F31", "[1]", "[0,4]")),
               "tensor 't' has the dtype 'F31', which is not one of the format's; save it as BF16, F16 or F32"},
        Broken{"NoShape", oneTensor("{\"dtype\":\"F32\",\"data_offsets\":[0,4]}"), "tensor 't' has no shape"},
        Broken{"ShapeNegative", oneTensor(entry("F32", "[-1]", "[0,4]")),
               "tensor 't' has a shape with something other than sizes"},
        Broken{"ShapeOfText", oneTensor(entry("F32", "[\"1\"]", "[0,4]")),
               "tensor 't' has a shape with something other than sizes"},
        Broken{"ShapeFraction", oneTensor(entry("F32", "[0.5]", "[0,4]")),
               "tensor 't' has a shape with something other than sizes"},
        Broken{"ShapeOverflows", oneTensor(entry("F32", "[4294967296,4294967296]", "[0,4]")),
               "tensor 't' has the shape [4294967296, 4294967296], which is larger than any file"},
        Broken{"ShapeOverflowsToZero", oneTensor(entry("F32", "[4294967296,4294967296,0]", "[0,0]"), ""),
               "tensor 't' has the shape [4294967296, 4294967296, 0], which is larger than any file"},
        Broken{"WithinAByte", oneTensor(entry("F4", "[3]", "[0,2]"), "01"),
               "tensor 't' of dtype F4 and shape [3] ends within a byte"},
        Broken{"NoOffsets", oneTensor("{\"dtype\":\"F32\",\"shape\":[1]}"),
               "tensor 't' has no data_offsets of two positions"},
        Broken{"OneOffset", oneTensor(entry("F32", "[1]", "[0]")), "tensor 't' has no data_offsets of two positions"},
        Broken{"OffsetNegative", oneTensor(entry("F32", "[1]", "[-4,0]")),
               "tensor 't' has no data_offsets of two positions"},
        Broken{"OffsetsReversed", oneTensor(entry("F32", "[1]", "[4,0]")),
               "tensor 't' begins at byte 4 and ends before, at 0"},
        Broken{"SizeTooSmall", oneTensor(entry("F32", "[2]", "[0,4]")),
               "tensor 't' of dtype F32 and shape [2] needs 8 bytes but has 4"},
        Broken{"SizeTooLarge", oneTensor(entry("BF16", "[1]", "[0,4]")),
               "tensor 't' of dtype BF16 and shape [1] needs 2 bytes but has 4"},
        Broken{"Truncated", oneTensor(kGood, "012"),
               "tensor 't' ends at byte 4 of the data but the file has only 3; it is truncated, download it again"},
        Broken{"FarOffsets", oneTensor(entry("F32", "[1]", "[18446744073709551608,18446744073709551612]")),
               "tensor 't' ends at byte 18446744073709551612 of the data but the file has only 4"},
        Broken{"Overlap", safetensors("{\"a\":" + kGood + ",\"b\":" + entry("F32", "[1]", "[2,6]") + "}", "012345"),
               "tensor 'b' overlaps tensor 'a'"},
        Broken{"SamePlace", safetensors("{\"a\":" + kGood + ",\"b\":" + kGood + "}", "0123"),
               "tensor 'b' overlaps tensor 'a'"},
        Broken{"Hole", safetensors("{\"a\":" + kGood + ",\"b\":" + entry("F32", "[1]", "[6,10]") + "}", "0123456789"),
               "has 2 bytes before tensor 'b' that belong to no tensor"},
        Broken{"HoleAtTheStart", oneTensor(entry("F32", "[1]", "[1,5]"), "01234"),
               "has 1 bytes before tensor 't' that belong to no tensor"},
        Broken{"BytesAfter", oneTensor(kGood, "01234"), "has 1 bytes after the last tensor that belong to no tensor"}),
    [](const auto &info) { return info.param.name; });

TEST(Safetensors, EveryPrefixOfAFileIsRefused) {
  TestTensors tensors = {{"a", {"F32", {3}}}, {"b", {"BF16", {2, 2}}}};
  std::string file = safetensors(tensors);
  ASSERT_EQ(refusalOf(file), "");
  for (size_t length = 0; length < file.size(); ++length)
    EXPECT_NE(refusalOf(llvm::StringRef(file).take_front(length)), "") << length;
}

TEST(Safetensors, AChangedByteIsRefusedOrStaysInBounds) {
  TestTensors tensors = {{"a", {"F32", {3}}}, {"b", {"BF16", {2, 2}}}};
  std::string file = safetensors(tensors);
  for (size_t place = 0; place < file.size(); ++place)
    for (int value = 0; value < 256; ++value) {
      std::string changed = file;
      changed[place] = static_cast<char>(value);
      auto parsed = parseSafetensors(llvm::ArrayRef(changed.data(), changed.size()), "x.safetensors");
      if (!parsed) {
        llvm::consumeError(parsed.takeError());
        continue;
      }
      for (const TensorInfo &tensor : *parsed) {
        EXPECT_GE(tensor.bytes.begin(), changed.data());
        EXPECT_LE(tensor.bytes.end(), changed.data() + changed.size());
      }
    }
}

TEST(SafetensorsFile, MapsAFileAndKeepsItsBytesWhenReleased) {
  TempDir dir;
  dir.write("x.safetensors", safetensors("{\"t\":" + kGood + "}", "0123"));
  auto file = SafetensorsFile::open(dir.join("x.safetensors"));
  ASSERT_TRUE(static_cast<bool>(file)) << llvm::toString(file.takeError());
  const TensorInfo &tensor = (*file)->getTensors().front();
  EXPECT_EQ(tensor.file, dir.join("x.safetensors"));
  (*file)->release(tensor);
  EXPECT_EQ(std::string(tensor.bytes.data(), tensor.bytes.size()), "0123");
}

TEST(SafetensorsFile, NamesAFileThatCannotBeRead) {
  TempDir dir;
  auto missing = SafetensorsFile::open(dir.join("x.safetensors"));
  ASSERT_FALSE(static_cast<bool>(missing));
  EXPECT_EQ(llvm::toString(missing.takeError()),
            dir.join("x.safetensors") + ": cannot be read: No such file or directory");
  auto folder = SafetensorsFile::open(dir.str());
  ASSERT_FALSE(static_cast<bool>(folder));
  EXPECT_EQ(llvm::toString(folder.takeError()), dir.str() + ": cannot be read: Is a directory");
  dir.write("empty.safetensors", "");
  auto empty = SafetensorsFile::open(dir.join("empty.safetensors"));
  ASSERT_FALSE(static_cast<bool>(empty));
  EXPECT_THAT(llvm::toString(empty.takeError()), HasSubstr("has 0 bytes, too few"));
}

} // namespace
