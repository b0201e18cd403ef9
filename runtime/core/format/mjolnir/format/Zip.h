// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Names for the numbers of the ZIP format (PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5), for the reader and the writer.
#ifndef MJOLNIR_FORMAT_ZIP_H
#define MJOLNIR_FORMAT_ZIP_H

#include <cstdint>

namespace mjolnir::format::zip {

constexpr uint32_t LocalSignature = 0x04034b50;
constexpr uint32_t CentralSignature = 0x02014b50;
constexpr uint32_t EndSignature = 0x06054b50;
constexpr uint32_t End64Signature = 0x06064b50;
constexpr uint32_t Locator64Signature = 0x07064b50;

// Fixed parts, in bytes.
constexpr uint64_t LocalBytes = 30;
constexpr uint64_t CentralBytes = 46;
constexpr uint64_t EndBytes = 22;
constexpr uint64_t End64Bytes = 56;
constexpr uint64_t Locator64Bytes = 20;

constexpr uint16_t Stored = 0;
constexpr uint16_t Utf8Flag = 1 << 11;
constexpr uint16_t Zip64Extra = 0x0001;
// Padding that moves a member's data to a boundary; the identifier that Android's zipalign uses for the same purpose.
constexpr uint16_t AlignmentExtra = 0xd935;

constexpr uint16_t Saturated16 = 0xffff;
constexpr uint32_t Saturated32 = 0xffffffff;

} // namespace mjolnir::format::zip

#endif // MJOLNIR_FORMAT_ZIP_H
