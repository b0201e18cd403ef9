// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A file mapped for reading. Nothing of it is in memory until it is looked at, and what is belongs to the page cache:
// weights are shared by all processes that run a package. The file must not be cut short while it is mapped.
#ifndef MJOLNIR_RUNTIME_MAPPEDFILE_H
#define MJOLNIR_RUNTIME_MAPPEDFILE_H

#include "Status.h"

#include <cstddef>
#include <cstdint>

namespace mjolnir::runtime {

/// Bytes that someone else owns.
struct ByteSpan {
  const uint8_t *data = nullptr;
  uint64_t size = 0;

  /// `bytes` bytes from `offset` on; the caller has checked that they exist.
  ByteSpan slice(uint64_t offset, uint64_t bytes) const { return {data + offset, bytes}; }
};

class MappedFile {
public:
  MappedFile() = default;
  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;

  /// Maps the regular file at `path`. MJ_ERROR_NOT_FOUND, MJ_ERROR_IO, or MJ_ERROR_MALFORMED for an empty one.
  Status open(const char *path);
  ByteSpan bytes() const { return bytes_; }
  int descriptor() const { return file_; }

private:
  ByteSpan bytes_;
  int file_ = -1;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_MAPPEDFILE_H
