// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The byte alphabet of byte-level BPE: a printable character for each of the 256 bytes, so that vocabularies are text.
// Bytes that are printable in Latin-1 stand for themselves, the others are U+0100 and up in order (Radford et al. 2019,
// GPT-2).
#ifndef MJOLNIR_LLM_BYTELEVEL_H
#define MJOLNIR_LLM_BYTELEVEL_H

#include <array>
#include <cstdint>

namespace mjolnir::llm {

struct ByteLevel {
  /// The character of a byte.
  std::array<uint16_t, 256> characterOf;
  /// The byte of a character below 0x144, or -1.
  std::array<int16_t, 0x144> byteOf;

  static const ByteLevel &get() {
    static const ByteLevel table;
    return table;
  }
  int byteOfCharacter(uint32_t character) const { return character < byteOf.size() ? byteOf[character] : -1; }

private:
  ByteLevel() {
    byteOf.fill(-1);
    uint16_t next = 256;
    for (unsigned byte = 0; byte < 256; ++byte) {
      bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      characterOf[byte] = printable ? static_cast<uint16_t>(byte) : next++;
      byteOf[characterOf[byte]] = static_cast<int16_t>(byte);
    }
  }
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_BYTELEVEL_H
