// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Conversions of stored floats against other implementations: tables that PyTorch and ml_dtypes made (see
// test/numerics/e4m3/make_tables.py), and LLVM's APFloat.
#include "mjolnir/Support/FloatBits.h"

#include "llvm/ADT/APFloat.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using namespace mjolnir;
using llvm::APFloat;

namespace {

std::vector<uint8_t> readTable(const std::string &name) {
  std::ifstream file(std::string(MJOLNIR_E4M3_TABLES "/") + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

uint32_t bitsOf(float value) { return std::bit_cast<uint32_t>(value); }

/// `value` rounded to `semantics` by APFloat, as bits.
uint64_t roundedByLLVM(float value, const llvm::fltSemantics &semantics) {
  APFloat number(value);
  bool loses;
  number.convert(semantics, APFloat::rmNearestTiesToEven, &loses);
  return number.bitcastToAPInt().getZExtValue();
}

/// f32 bits: every exponent and sign with the mantissas around each place where rounding to a few bits turns.
std::vector<uint32_t> interestingBits() {
  std::vector<uint32_t> all;
  for (uint32_t head = 0; head < 1u << 16; ++head)
    for (uint32_t tail : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
      all.push_back(head << 16 | tail);
  return all;
}

TEST(E4M3, IsThatOfTheTablesForEveryBf16) {
  for (int multiplier : {1, 7}) {
    std::vector<uint8_t> table = readTable("by" + std::to_string(multiplier) + ".bin");
    ASSERT_EQ(table.size(), 65536u);
    for (uint32_t bits = 0; bits < 65536; ++bits)
      ASSERT_EQ(narrowToE4M3(widenBf16(uint16_t(bits)) * float(multiplier)), table[bits])
          << "bf16 " << std::hex << bits << " times " << multiplier;
  }
}

TEST(E4M3, SaturatesAndKeepsSignsAndNan) {
  EXPECT_EQ(narrowToE4M3(0.0f), 0x00);
  EXPECT_EQ(narrowToE4M3(-0.0f), 0x80);
  EXPECT_EQ(narrowToE4M3(448.0f), 0x7e);
  EXPECT_EQ(narrowToE4M3(464.0f), 0x7e);
  EXPECT_EQ(narrowToE4M3(3e38f), 0x7e);
  EXPECT_EQ(narrowToE4M3(-INFINITY), 0xfe);
  EXPECT_EQ(narrowToE4M3(NAN) & 0x7f, 0x7f);
  EXPECT_EQ(narrowToE4M3(std::bit_cast<float>(0xff800001u)), 0xff); // a NaN with a sign and the least payload
  EXPECT_EQ(narrowToE4M3(0x1p-10f), 0x00);                          // a tie between 0 and the least code: to even
  EXPECT_EQ(narrowToE4M3(0x1.000002p-10f), 0x01);
  EXPECT_EQ(narrowToE4M3(0x1.8p-9f), 0x02); // a tie between codes 1 and 2
  EXPECT_EQ(narrowToE4M3(-0x1p-149f), 0x80);
}

TEST(E4M3, ValuesAreThoseOfTheTable) {
  std::vector<uint8_t> table = readTable("codes.f32");
  ASSERT_EQ(table.size(), 1024u);
  for (uint32_t code = 0; code < 256; ++code) {
    float expected;
    std::memcpy(&expected, &table[code * 4], 4);
    float value = widenE4M3(uint8_t(code));
    EXPECT_EQ(std::signbit(value), std::signbit(expected)) << code;
    if (std::isnan(expected))
      EXPECT_TRUE(std::isnan(value)) << code;
    else
      EXPECT_EQ(bitsOf(value), bitsOf(expected)) << code;
    EXPECT_EQ(narrowToE4M3(value), code);
  }
}

TEST(E4M3, RoundsAsLlvmDoesWhereItDoesNotSaturate) {
  for (uint32_t bits : interestingBits()) {
    float value = std::bit_cast<float>(bits);
    if (std::fabs(value) <= kE4M3Max)
      ASSERT_EQ(narrowToE4M3(value), roundedByLLVM(value, APFloat::Float8E4M3FN())) << std::hex << bits;
  }
}

TEST(Bf16, RoundsAsLlvmDoes) {
  for (uint32_t bits : interestingBits()) {
    float value = std::bit_cast<float>(bits);
    if (std::isnan(value))
      ASSERT_TRUE(std::isnan(widenBf16(narrowToBf16(value)))) << std::hex << bits;
    else
      ASSERT_EQ(narrowToBf16(value), roundedByLLVM(value, APFloat::BFloat())) << std::hex << bits;
  }
}

TEST(F16, RoundsAsLlvmDoes) {
  for (uint32_t bits : interestingBits())
    for (uint32_t tail : {0x0fffu, 0x1000u, 0x1001u}) { // where f16 turns
      float value = std::bit_cast<float>(bits ^ tail);
      if (std::isnan(value))
        ASSERT_TRUE(std::isnan(widenF16(narrowToF16(value)))) << std::hex << bits;
      else
        ASSERT_EQ(narrowToF16(value), roundedByLLVM(value, APFloat::IEEEhalf())) << std::hex << bits;
    }
}

TEST(F16, WidensAsLlvmDoes) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    APFloat number(APFloat::IEEEhalf(), llvm::APInt(16, bits));
    float expected = number.convertToFloat(), value = widenF16(uint16_t(bits));
    ASSERT_EQ(std::isnan(value), std::isnan(expected));
    if (!std::isnan(expected))
      ASSERT_EQ(bitsOf(value), bitsOf(expected)) << std::hex << bits;
  }
}

} // namespace
