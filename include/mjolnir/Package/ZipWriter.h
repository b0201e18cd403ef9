// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Writes the ZIP file that a package is: members stored, at page boundaries, with 64-bit fields and without dates, so
// that equal contents give equal bytes. Members are streamed; their sizes need not be known before.
#ifndef MJOLNIR_PACKAGE_ZIPWRITER_H
#define MJOLNIR_PACKAGE_ZIPWRITER_H

#include "mjolnir/Package/OutputFile.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mjolnir::package {

class ZipWriter {
public:
  /// Appends to `file`, which is open and empty.
  explicit ZipWriter(OutputFile &file) : file(file) {}

  /// Starts a member; its data begins at a multiple of 4096. `name` is a relative path of printable ASCII, new in the
  /// file.
  Error beginMember(std::string_view name);
  /// Appends to the member that was begun.
  Error append(std::string_view bytes);
  Error endMember();
  /// A whole member.
  Error addMember(std::string_view name, std::string_view bytes);
  /// Writes the directory. Call once, last.
  Error finish();

private:
  struct Member {
    std::string name;
    uint64_t headerOffset = 0;
    uint64_t bytes = 0;
    uint32_t crc = 0;
  };

  OutputFile &file;
  std::vector<Member> members;
};

} // namespace mjolnir::package

#endif // MJOLNIR_PACKAGE_ZIPWRITER_H
