// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Anonymous mappings.
#include "Memory.h"

#include <cerrno>
#include <sys/mman.h>
#include <utility>

namespace mjolnir::runtime {

Memory::~Memory() {
  if (data_)
    munmap(data_, bytes_);
}

Memory::Memory(Memory &&other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Memory &Memory::operator=(Memory &&other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Status Memory::allocate(uint64_t bytes, const std::string &purpose, Memory &memory) {
  memory = Memory();
  if (bytes == 0)
    return Status::ok();
  void *data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED)
    return failure(MJ_ERROR_OUT_OF_MEMORY, purpose, " wanted ", bytes, " bytes: ", describeErrno(errno));
  // Fewer TLB misses for what every step walks over. A kernel without huge pages refuses, which costs speed only.
  madvise(data, bytes, MADV_HUGEPAGE);
  memory.data_ = static_cast<uint8_t *>(data);
  memory.bytes_ = bytes;
  return Status::ok();
}

} // namespace mjolnir::runtime
