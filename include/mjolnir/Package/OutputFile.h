// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A file that appears under its name complete or not at all: written without a name where the file system can do that,
// under a temporary one elsewhere, and renamed at the end.
#ifndef MJOLNIR_PACKAGE_OUTPUTFILE_H
#define MJOLNIR_PACKAGE_OUTPUTFILE_H

#include "mjolnir/Package/Error.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace mjolnir::package {

class OutputFile {
public:
  OutputFile() = default;
  /// Without keep(), nothing is left behind.
  ~OutputFile();
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;

  /// Starts a file that will replace `path`, whose folder must exist.
  Error open(const std::string &path);
  /// Appends `bytes`.
  Error append(std::string_view bytes);
  /// Overwrites what was written at `offset`.
  Error patch(uint64_t offset, std::string_view bytes);
  /// Writes what is buffered.
  Error flush();
  /// Gives the file its name. Call once, last.
  Error keep();

  /// Bytes appended so far.
  uint64_t offset() const { return written_ + buffer_.size(); }
  /// A path under which this process can read the file before keep().
  std::string readablePath() const;

private:
  Error fail(const char *what) const;
  Error writeAt(uint64_t offset, std::string_view bytes);

  std::string path_;
  std::string temporary_; // empty while the file has no name
  std::string buffer_;
  uint64_t written_ = 0;
  int fd_ = -1;
};

} // namespace mjolnir::package

#endif // MJOLNIR_PACKAGE_OUTPUTFILE_H
