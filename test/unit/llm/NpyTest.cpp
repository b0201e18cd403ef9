// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-run's .npy files: what is written is read back, what numpy writes is read, what is wrong has its sentence.

#include "Npy.h"

#include <gtest/gtest.h>

using namespace mjolnir::run;

namespace {

/// A file with this header; version 1 unless told.
std::string file(const std::string &header, const std::string &data, char major = 1) {
  std::string bytes = std::string("\x93NUMPY") + major + '\0';
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i)
    bytes += static_cast<char>(header.size() >> (8 * i));
  return bytes + header + data;
}

std::string refusal(const std::string &bytes) {
  try {
    parseNpy(bytes);
  } catch (const NpyError &e) {
    return e.what();
  }
  return "no error";
}

TEST(Npy, ReadsBackWhatItWrites) {
  for (const auto &shape : std::vector<std::vector<int64_t>>{{}, {0}, {3}, {2, 3}, {1, 2, 3, 4}}) {
    NpyArray array;
    array.descr = "<f4";
    array.shape = shape;
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    for (int64_t i = 0; i < count * 4; ++i)
      array.data.push_back(static_cast<char>(i * 37));
    std::string bytes = formatNpy(array);
    EXPECT_EQ((bytes.size() - array.data.size()) % 64, 0u);
    NpyArray back = parseNpy(bytes);
    EXPECT_EQ(back.descr, array.descr);
    EXPECT_EQ(back.shape, array.shape);
    EXPECT_EQ(back.data, array.data);
  }
}

TEST(Npy, ReadsWhatNumpyWrites) {
  // numpy.save of numpy.arange(6, dtype='i4').reshape(2, 3), numpy 1.24, byte for byte.
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }";
  header += std::string(117 - header.size(), ' ') + "\n";
  std::string data;
  for (char i = 0; i < 6; ++i)
    data += std::string({i, 0, 0, 0});
  NpyArray array = parseNpy(file(header, data));
  EXPECT_EQ(array.descr, "<i4");
  EXPECT_EQ(array.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(array.data.size(), 24u);
  EXPECT_EQ(formatNpy(array), file(header, data));
  // Versions 2 and 3, other orders and quotes, a one-dimensional shape.
  EXPECT_EQ(parseNpy(file("{\"shape\": (2,), 'fortran_order': False, 'descr': '|u1'}", "ab", 2)).shape,
            std::vector<int64_t>{2});
  EXPECT_EQ(parseNpy(file("{'descr':'<f2','fortran_order':False,'shape':()}\n", "ab", 3)).shape.size(), 0u);
}

TEST(Npy, KnowsElementTypes) {
  struct {
    DLDataType type;
    const char *descr, *name;
  } cases[] = {
      {{kDLFloat, 32, 1}, "<f4", "f32"}, {{kDLFloat, 16, 1}, "<f2", "f16"}, {{kDLBfloat, 16, 1}, "|V2", "bf16"},
      {{10, 8, 1}, "|V1", "f8e4m3fn"},   {{kDLInt, 8, 1}, "|i1", "i8"},     {{kDLUInt, 8, 1}, "|u1", "u8"},
      {{kDLInt, 32, 1}, "<i4", "i32"},   {{kDLInt, 64, 1}, "<i8", "i64"},   {{kDLUInt, 32, 1}, "<u4", "u32"},
      {{kDLUInt, 64, 1}, "<u8", "u64"},  {{6, 8, 1}, "|b1", "bool"}};
  for (const auto &c : cases) {
    EXPECT_EQ(npyDescr(c.type), c.descr);
    EXPECT_EQ(typeName(c.type), c.name);
    EXPECT_TRUE(npyHolds(c.descr, c.type));
  }
  EXPECT_TRUE(npyHolds("<u2", {kDLBfloat, 16, 1}));
  EXPECT_FALSE(npyHolds("<f2", {kDLBfloat, 16, 1}));
  EXPECT_FALSE(npyHolds("<u2 ", {kDLBfloat, 16, 1}));
  EXPECT_FALSE(npyHolds("", {kDLFloat, 32, 1}));
  EXPECT_EQ(npyDescr({kDLFloat, 64, 1}), "");
  EXPECT_EQ(npyDescr({kDLFloat, 32, 4}), "");
}

TEST(Npy, SaysWhatIsWrong) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }";
  EXPECT_EQ(refusal(file(good, "1234")), "no error");
  EXPECT_EQ(refusal(""), "it does not start as a .npy file does");
  EXPECT_EQ(refusal("PK\3\4"), "it does not start as a .npy file does");
  EXPECT_EQ(refusal("\x93NUMPY\1"), "it ends within its header");
  EXPECT_EQ(refusal(file(good, "1234").substr(0, 40)), "it ends within its header");
  EXPECT_EQ(refusal(file(good, "1234", 4)), "it has version 4.0; supported are 1.0, 2.0 and 3.0");
  EXPECT_EQ(refusal(file(good, "123")), "it has 3 bytes of data, but <f4[1] makes 4");
  EXPECT_EQ(refusal(file(good, "12345")), "it has 5 bytes of data, but <f4[1] makes 4");
  EXPECT_EQ(refusal(file("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", "1234")),
            "it is in Fortran order; save it with numpy.ascontiguousarray");
  EXPECT_EQ(refusal(file("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "1234")),
            "its elements are big endian (>f4); save it with .astype('<f4')");
  EXPECT_EQ(refusal(file("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", "12345678")),
            "its elements are of the type '<f8', which is not supported");
  EXPECT_EQ(refusal(file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "1234")),
            "its elements are structures, which is not supported");
  EXPECT_EQ(refusal(file("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", "1234")),
            "its header's fortran_order is neither True nor False");
  EXPECT_EQ(refusal(file("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "1234")),
            "its header's shape is not a tuple of numbers");
  EXPECT_EQ(refusal(file("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "")),
            "its shape has an extent that is too large");
  EXPECT_EQ(refusal(file("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "")),
            "its shape [4294967296, 4294967296] is too large");
  EXPECT_EQ(refusal(file("{'descr': '<f4', 'shape': (1,), }", "1234")),
            "its header lacks descr, fortran_order or shape");
  EXPECT_EQ(refusal(file("{'descr': '<f4', 'descr': '<f4'}", "")), "its header has 'descr' twice");
  EXPECT_EQ(refusal(file("{'order': '<f4'}", "")), "its header has the unknown key 'order'");
  EXPECT_EQ(refusal(file(good + " x", "")), "its header goes on after the dictionary");
  EXPECT_EQ(refusal(file("{'descr': '<f4", "")), "its header has no string for descr at byte 10");
  EXPECT_EQ(refusal(file("(1,)", "")), "its header has no '{' at byte 0");
  try {
    readNpy("/no/such/file.npy");
    FAIL();
  } catch (const NpyError &e) {
    EXPECT_STREQ(e.what(), "cannot open '/no/such/file.npy': No such file or directory");
  }
}

} // namespace
