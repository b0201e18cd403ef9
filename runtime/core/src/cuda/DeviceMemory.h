// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Memory of a CUDA device, and page-locked memory of this process that it copies from and to.
#ifndef MJOLNIR_RUNTIME_CUDA_DEVICEMEMORY_H
#define MJOLNIR_RUNTIME_CUDA_DEVICEMEMORY_H

#include "Driver.h"

#include <utility>

namespace mjolnir::runtime::cuda {

/// Device memory; the driver aligns it to 256 bytes at least. The context must be current.
class DeviceMemory {
public:
  DeviceMemory() = default;
  ~DeviceMemory() { free(); }
  DeviceMemory(DeviceMemory &&other) noexcept { swap(other); }
  DeviceMemory &operator=(DeviceMemory &&other) noexcept {
    swap(other);
    return *this;
  }

  /// `bytes` bytes (0: none). MJ_ERROR_OUT_OF_MEMORY says what wanted how much of how much that was free.
  static Status allocate(const Driver &driver, uint64_t bytes, const std::string &purpose, DeviceMemory &memory);
  uint8_t *data() const { return reinterpret_cast<uint8_t *>(pointer_); }
  DevicePointer pointer() const { return pointer_; }
  void free();

private:
  void swap(DeviceMemory &other) {
    std::swap(driver_, other.driver_);
    std::swap(pointer_, other.pointer_);
  }
  const Driver *driver_ = nullptr;
  DevicePointer pointer_ = 0;
};

class PinnedMemory {
public:
  PinnedMemory() = default;
  ~PinnedMemory() { free(); }
  PinnedMemory(const PinnedMemory &) = delete;
  PinnedMemory &operator=(const PinnedMemory &) = delete;

  Status allocate(const Driver &driver, uint64_t bytes, const std::string &purpose);
  uint8_t *data() const { return static_cast<uint8_t *>(pointer_); }
  void free();

private:
  const Driver *driver_ = nullptr;
  void *pointer_ = nullptr;
};

} // namespace mjolnir::runtime::cuda

#endif // MJOLNIR_RUNTIME_CUDA_DEVICEMEMORY_H
