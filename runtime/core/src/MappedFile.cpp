// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Mapping by POSIX calls.
#include "MappedFile.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mjolnir::runtime {

MappedFile::~MappedFile() {
  if (bytes_.data)
    munmap(const_cast<uint8_t *>(bytes_.data), bytes_.size);
  if (file_ >= 0)
    close(file_);
}

Status MappedFile::open(const char *path) {
  file_ = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file_ < 0)
    return failure(errno == ENOENT ? MJ_ERROR_NOT_FOUND : MJ_ERROR_IO, "cannot open ", quote(path), ": ",
                   describeErrno(errno));
  struct stat info;
  if (fstat(file_, &info) != 0)
    return failure(MJ_ERROR_IO, "cannot read the size of ", quote(path), ": ", describeErrno(errno));
  if (!S_ISREG(info.st_mode))
    return failure(MJ_ERROR_IO, quote(path), " is not a regular file");
  if (info.st_size == 0)
    return malformed("the file is empty");
  void *data = mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_PRIVATE, file_, 0);
  if (data == MAP_FAILED)
    return failure(MJ_ERROR_IO, "cannot map ", quote(path), " (", info.st_size, " bytes): ", describeErrno(errno));
  bytes_ = {static_cast<const uint8_t *>(data), static_cast<uint64_t>(info.st_size)};
  return Status::ok();
}

} // namespace mjolnir::runtime
