// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Conversions between f32 and the narrow floats that tensors are stored in, by arithmetic on their bits: the result
// does not depend on the machine. To nearest, ties to even; NaN stays NaN.
#ifndef MJOLNIR_SUPPORT_FLOATBITS_H
#define MJOLNIR_SUPPORT_FLOATBITS_H

#include <algorithm>
#include <bit>
#include <cstdint>

namespace mjolnir {

inline float widenBf16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

inline uint16_t narrowToBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) // the carry could turn a NaN into an infinity
    return uint16_t(bits >> 16 | 0x40);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float widenF16(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16, magnitude = bits & 0x7fff;
  if (magnitude >= 0x7c00) // infinity and NaN keep their mantissa
    return std::bit_cast<float>(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  // Shifted into f32's fields the value is too small by 2^112; the product is exact, denormals included.
  float shifted = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(shifted));
}

/// Beyond 65504, where nearest is not that, infinity.
inline uint16_t narrowToF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value), magnitude = bits & 0x7fffffff;
  uint16_t sign = uint16_t(bits >> 16 & 0x8000);
  if (magnitude > 0x7f800000)
    return sign | 0x7e00;
  if (magnitude < 0x38800000) // below 2^-14: multiples of 2^-24, which are the units in the last place of 0.5
    return sign | uint16_t(std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000);
  uint32_t rounded = (magnitude + 0xfff + (magnitude >> 13 & 1) - 0x38000000) >> 13;
  return sign | uint16_t(std::min(rounded, 0x7c00u));
}

/// E4M3, the format of "FP8 Formats for Deep Learning" (https://arxiv.org/abs/2209.05433), MLIR's f8E4M3FN: 4 bits of
/// exponent with bias 7, 3 of mantissa, no infinities, NaN where all seven are ones.
inline constexpr float kE4M3Max = 448.0f;

inline float widenE4M3(uint8_t code) {
  uint32_t sign = uint32_t(code & 0x80) << 24, magnitude = code & 0x7f;
  float value = magnitude == 0x7f ? std::bit_cast<float>(0x7fc00000u)
                : magnitude < 8   ? float(magnitude) * 0x1p-9f // zero or subnormal
                                  : std::bit_cast<float>((magnitude << 20) + (120u << 23));
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
}

/// Saturates: what is beyond 448, infinities too, becomes 448 with its sign.
inline uint8_t narrowToE4M3(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value), magnitude = bits & 0x7fffffff;
  uint8_t sign = uint8_t(bits >> 24 & 0x80);
  if (magnitude > 0x7f800000)
    return sign | 0x7f;
  // Below 2^-6 the codes count multiples of 2^-9, the last place of 2^14: the sum rounds to one.
  if (magnitude < 0x3c800000)
    return sign | uint8_t(std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0x1p14f) -
                          std::bit_cast<uint32_t>(0x1p14f));
  // Half of the last kept bit, less one unless that bit is odd; then the exponents' biases apart, (127 - 7) * 8.
  uint32_t code = ((magnitude + 0x7ffff + (magnitude >> 20 & 1)) >> 20) - 960;
  return sign | uint8_t(std::min<uint32_t>(code, 0x7e));
}

} // namespace mjolnir

#endif // MJOLNIR_SUPPORT_FLOATBITS_H
