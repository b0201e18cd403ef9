// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The package writer: equal bytes, aligned tensors, nothing left behind, and a refusal of what the loader would refuse.
#include "PackageView.h"
#include "TestPackage.h"

#include "mjolnir/Package/OutputFile.h"
#include "mjolnir/Package/SafetensorsWriter.h"
#include "mjolnir/Package/ZipWriter.h"
#include "mjolnir/format/Crc32.h"

#include "gtest/gtest.h"

#include <filesystem>

using namespace mjolnir;
using namespace mjolnir::test;

namespace {

/// How many files there are in a new folder, after `body` has had it.
template <typename Body> size_t filesAfter(const std::string &name, Body body) {
  std::string folder = temporaryPath(name);
  std::filesystem::create_directory(folder);
  body(folder);
  size_t count = 0;
  for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator(folder))
    ++count;
  return count;
}

TEST(Crc32, MatchesTheCheckValue) {
  // The check value of CRC-32/ISO-HDLC.
  EXPECT_EQ(format::crc32(0, "123456789", 9), 0xcbf43926u);
  std::string text(1000, 'm');
  uint32_t whole = format::crc32(0, text.data(), text.size());
  for (size_t cut : {0u, 1u, 7u, 8u, 500u, 999u})
    EXPECT_EQ(format::crc32(format::crc32(0, text.data(), cut), text.data() + cut, text.size() - cut), whole);
}

TEST(PackageWriter, EqualContentsGiveEqualBytes) {
  std::string first = temporaryPath("first.mjp"), second = temporaryPath("second.mjp");
  ASSERT_FALSE(writeTestPackage(first, testImage()));
  ASSERT_FALSE(writeTestPackage(second, testImage()));
  EXPECT_TRUE(readFile(first) == readFile(second));
}

TEST(PackageWriter, WeightsAreWhereTheProgramSays) {
  std::string path = temporaryPath("weights.mjp");
  ASSERT_FALSE(writeTestPackage(path, testImage()));
  runtime::MappedFile file;
  ASSERT_FALSE(file.open(path.c_str()));
  runtime::PackageView view;
  ASSERT_FALSE(view.parse(file.bytes()));
  for (uint32_t i = 0; i < 3; ++i) {
    const fb::Weight *weight = view.program().weights()->Get(i);
    const uint8_t *data = view.weights() + weight->offset();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u);
    EXPECT_EQ(std::string(reinterpret_cast<const char *>(data), weight->bytes()), weightBytes(i));
  }
  for (const runtime::ZipMember &member : view.members())
    EXPECT_FALSE(runtime::checkZipMember(view.file(), member)) << member.name;
}

TEST(PackageWriter, ReplacesAnExistingFileOnlyOnSuccess) {
  size_t files = filesAfter("replace", [](const std::string &folder) {
    std::string path = folder + "/model.mjp";
    writeFile(path, "before");
    fb::ProgramT broken = makeProgram();
    broken.entries[Affine]->arena_bytes = 64;
    package::Error error = writeTestPackage(path, testImage(), std::move(broken));
    ASSERT_TRUE(error);
    EXPECT_EQ(error.message(), "'" + path +
                                   "' was not written, since the loader would refuse it: entry 'affine' step 0 "
                                   "operand 0 of kernel 'add' is 1024 bytes at 1024 of the arena, which has 64");
    EXPECT_EQ(readFile(path), "before");
    ASSERT_FALSE(writeTestPackage(path, testImage()));
    EXPECT_GT(readFile(path).size(), 4096u);
  });
  EXPECT_EQ(files, 1u);
}

TEST(PackageWriter, LeavesNothingBehindWhenWeightsFail) {
  size_t files = filesAfter("failing", [](const std::string &folder) {
    auto attempt = [&](auto produce) {
      package::PackageContents contents;
      contents.program = makeProgram();
      std::string image = testImage();
      contents.images = {image};
      contents.weight = produce;
      package::Error error = package::writePackage(folder + "/model.mjp", contents);
      return error ? error.message() : "no error";
    };
    using package::AppendBytes;
    using package::Error;
    EXPECT_EQ(attempt([](size_t, const AppendBytes &) { return Error("the shard is gone"); }), "the shard is gone");
    EXPECT_EQ(attempt([](size_t, const AppendBytes &append) { return append("few"); }),
              "weight 'w' should have 256 bytes; 3 were produced");
    EXPECT_EQ(attempt([](size_t, const AppendBytes &append) { return append(std::string(257, 'x')); }),
              "weight 'w' should have 256 bytes; more were produced");
    EXPECT_EQ(attempt(nullptr), "the program has weights, but nothing that produces their bytes was given");
  });
  EXPECT_EQ(files, 0u);
}

TEST(PackageWriter, RefusesIncompletePrograms) {
  std::string path = temporaryPath("incomplete.mjp"), image = testImage();
  auto attempt = [&](void (*change)(fb::ProgramT &)) {
    fb::ProgramT program = makeProgram();
    change(program);
    package::Error error = writeTestPackage(path, image, std::move(program));
    return error ? error.message() : "no error";
  };
  EXPECT_EQ(attempt([](fb::ProgramT &p) { p.target.reset(); }), "the program to be written lacks its target");
  EXPECT_EQ(attempt([](fb::ProgramT &p) { p.entries[0]->steps[0]->kind.Reset(); }),
            "the program to be written lacks what a step does");
  EXPECT_EQ(attempt([](fb::ProgramT &p) { p.entries[0]->steps[2]->kind.AsCopy()->source.reset(); }),
            "the program to be written lacks the source or the destination of a copy");
  EXPECT_EQ(attempt([](fb::ProgramT &p) { p.images.clear(); }), "the program has 0 images; the bytes of 1 were given");
  EXPECT_EQ(attempt([](fb::ProgramT &p) { p.weights[1]->name = "w"; }), "weight 'w' is there twice");
  EXPECT_EQ(attempt([](fb::ProgramT &p) { p.weights[1]->name = "__metadata__"; }),
            "weight '__metadata__' has a name that is kept for padding and metadata");
  EXPECT_EQ(attempt([](fb::ProgramT &p) { p.images[0]->member = "notes.json"; }),
            "the package would have two members 'notes.json'");
  EXPECT_EQ(attempt([](fb::ProgramT &p) { p.images[0]->member = "../escape.so"; }),
            "'" + path +
                "' was not written, since the loader would refuse it: member 1 has the name '../escape.so', "
                "which is not a plain relative path");
  EXPECT_EQ(attempt([](fb::ProgramT &p) { p.images[0]->member = "/escape.so"; }),
            "'/escape.so' cannot be a member of a package: names are relative paths of printable ASCII");
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(PackageWriter, SaysWhereItCannotWrite) {
  EXPECT_EQ(writeTestPackage("/nowhere/model.mjp", testImage()).message(),
            "cannot create '/nowhere/model.mjp': No such file or directory");
  EXPECT_EQ(writeTestPackage("/dev/null", testImage()).message(),
            "cannot write '/dev/null': it exists and is not a regular file");
}

TEST(PackageWriter, ProgramsWithoutWeightsHaveNoWeightsMember) {
  package::PackageContents contents;
  contents.program = makeProgram();
  contents.program.weights.clear();
  contents.program.entries.erase(contents.program.entries.begin());
  std::string path = temporaryPath("weightless.mjp"), image = testImage();
  contents.images = {image};
  package::Error error = package::writePackage(path, contents);
  ASSERT_FALSE(error) << error.message();
  EXPECT_EQ(readFile(path).find("weights.safetensors"), std::string::npos);
}

TEST(Safetensors, TensorsAreAlignedAndContiguous) {
  fb::ProgramT program = makeProgram();
  program.weights[1]->name = "odd \"name\"\\";
  package::SafetensorsLayout layout;
  ASSERT_FALSE(package::layOutSafetensors(program.weights, layout));
  EXPECT_EQ(layout.offsets, (std::vector<uint64_t>{0, 256, 320}));
  EXPECT_EQ(layout.dataBytes, 512u);
  EXPECT_EQ(layout.header.size() % 64, 0u);
  std::string json = layout.header.substr(8);
  json.erase(json.find_last_not_of(' ') + 1);
  EXPECT_EQ(json,
            "{\"__metadata__\":{\"format\":\"mjolnir\",\"packed\":\"BF16[8,8] encoded as rows of 12, zero filled\"},"
            "\"w\":{\"dtype\":\"F32\",\"shape\":[64],\"data_offsets\":[0,256]},"
            "\"odd \\\"name\\\"\\\\\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[256,259]},"
            "\"__padding_0\":{\"dtype\":\"U8\",\"shape\":[61],\"data_offsets\":[259,320]},"
            "\"packed\":{\"dtype\":\"U8\",\"shape\":[192],\"data_offsets\":[320,512]}}");
}

// More than 4 GiB needs the 64-bit fields; the file is sparse, so it costs no disk. The member's bytes are never
// written.
TEST(ZipReader, ReadsBeyondFourGigabytes) {
  std::string path = temporaryPath("large.zip");
  package::OutputFile file;
  ASSERT_FALSE(file.open(path));
  package::ZipWriter zip(file);
  ASSERT_FALSE(zip.addMember("first", "1"));
  ASSERT_FALSE(zip.addMember("second", "2"));
  ASSERT_FALSE(zip.finish());
  ASSERT_FALSE(file.keep());
  // Move everything from the second member's header on 5 GiB further, and the offsets with it.
  std::string bytes = readFile(path);
  size_t second = bytes.find(std::string("PK\3\4", 4), 4096);
  ASSERT_NE(second, std::string::npos);
  constexpr uint64_t Shift = uint64_t(5) << 30;
  auto move = [&](size_t at) {
    for (int i = 0; i < 8; ++i)
      bytes[at + static_cast<size_t>(i)] = static_cast<char>(
          static_cast<uint64_t>(static_cast<unsigned char>(bytes[at + static_cast<size_t>(i)])) + (i == 4   ? 1
                                                                                                   : i == 3 ? 0x40
                                                                                                            : 0));
  };
  size_t end64 = bytes.size() - 22 - 20 - 56;
  move(end64 + 48);                 // the directory
  move(bytes.size() - 22 - 20 + 8); // the end record
  move(end64 - 8);                  // the second member's header
  std::filesystem::resize_file(path, second);
  std::filesystem::resize_file(path, second + Shift);
  FILE *out = fopen(path.c_str(), "ab");
  ASSERT_EQ(fwrite(bytes.data() + second, 1, bytes.size() - second, out), bytes.size() - second);
  fclose(out);

  runtime::MappedFile mapped;
  ASSERT_FALSE(mapped.open(path.c_str()));
  std::vector<runtime::ZipMember> members;
  runtime::Status status = runtime::readZipDirectory(mapped.bytes(), members);
  ASSERT_FALSE(status) << status.message();
  ASSERT_EQ(members.size(), 2u);
  EXPECT_GT(members[1].offset, Shift);
  EXPECT_FALSE(runtime::checkZipMember(mapped.bytes(), members[1]));
}

} // namespace
