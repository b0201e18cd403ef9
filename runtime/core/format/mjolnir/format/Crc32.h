// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// CRC-32 as ZIP uses it (ISO 3309, reflected polynomial 0xedb88320), eight bytes at a time: loading a package checks
// every member but the weights, and a tokenizer is some ten megabytes. The method is Kounavis and Berry, "A Systematic
// Approach to Building High Performance Software-Based CRC Generators" (2005).
#ifndef MJOLNIR_FORMAT_CRC32_H
#define MJOLNIR_FORMAT_CRC32_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mjolnir::format {

namespace detail {
using Crc32Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Crc32Tables makeCrc32Tables() {
  Crc32Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0u);
    tables[0][byte] = crc;
  }
  for (uint32_t byte = 0; byte < 256; ++byte)
    for (size_t slice = 1; slice < 8; ++slice)
      tables[slice][byte] = (tables[slice - 1][byte] >> 8) ^ tables[0][tables[slice - 1][byte] & 0xff];
  return tables;
}

inline constexpr Crc32Tables Crc32Table = makeCrc32Tables();
} // namespace detail

/// The CRC of what `crc` covers (0 for nothing yet) followed by `bytes` bytes of `data`.
inline uint32_t crc32(uint32_t crc, const void *data, size_t bytes) {
  const auto *byte = static_cast<const unsigned char *>(data);
  const auto &table = detail::Crc32Table;
  crc = ~crc;
  for (; bytes >= 8; bytes -= 8, byte += 8) {
    uint32_t low =
        crc ^ (uint32_t(byte[0]) | uint32_t(byte[1]) << 8 | uint32_t(byte[2]) << 16 | uint32_t(byte[3]) << 24);
    crc = table[7][low & 0xff] ^ table[6][(low >> 8) & 0xff] ^ table[5][(low >> 16) & 0xff] ^ table[4][low >> 24] ^
          table[3][byte[4]] ^ table[2][byte[5]] ^ table[1][byte[6]] ^ table[0][byte[7]];
  }
  for (; bytes; --bytes, ++byte)
    crc = (crc >> 8) ^ table[0][(crc ^ *byte) & 0xff];
  return ~crc;
}

} // namespace mjolnir::format

#endif // MJOLNIR_FORMAT_CRC32_H
