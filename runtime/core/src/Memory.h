// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Zeroed memory straight from the operating system, at a page boundary, touched only when used.
#ifndef MJOLNIR_RUNTIME_MEMORY_H
#define MJOLNIR_RUNTIME_MEMORY_H

#include "Status.h"

#include <cstdint>

namespace mjolnir::runtime {

class Memory {
public:
  Memory() = default;
  ~Memory();
  Memory(Memory &&other) noexcept;
  Memory &operator=(Memory &&other) noexcept;

  /// `bytes` bytes (0 is allowed: no memory); `purpose` names them in the message of MJ_ERROR_OUT_OF_MEMORY.
  static Status allocate(uint64_t bytes, const std::string &purpose, Memory &memory);
  uint8_t *data() const { return data_; }
  uint64_t bytes() const { return bytes_; }

private:
  uint8_t *data_ = nullptr;
  uint64_t bytes_ = 0;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_MEMORY_H
