// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Reads the directory of a package: a ZIP file, 64-bit fields where needed, whose members are stored, not compressed,
// and start at page boundaries. Stricter than ZIP tools: what two tools could read differently is refused.
#ifndef MJOLNIR_RUNTIME_ZIPREADER_H
#define MJOLNIR_RUNTIME_ZIPREADER_H

#include "MappedFile.h"

#include <string>
#include <vector>

namespace mjolnir::runtime {

struct ZipMember {
  std::string name;
  uint64_t offset = 0; // of the data, from the start of the file
  uint64_t size = 0;   // bytes
  uint32_t crc = 0;
};

/// The members in the order of the directory, each inside the file, none overlapping, names unique and plain. Reads the
/// directory and the members' local headers, not their data. MJ_ERROR_MALFORMED says which rule which member breaks.
Status readZipDirectory(ByteSpan file, std::vector<ZipMember> &members);

/// Compares the data of `member` with its CRC.
Status checkZipMember(ByteSpan file, const ZipMember &member);

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_ZIPREADER_H
