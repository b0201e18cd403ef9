// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Memory of a CUDA device.
#include "DeviceMemory.h"

namespace mjolnir::runtime::cuda {

Status DeviceMemory::allocate(const Driver &driver, uint64_t bytes, const std::string &purpose, DeviceMemory &memory) {
  if (bytes == 0)
    return Status::ok();
  DevicePointer pointer = 0;
  if (Result result = driver.memoryAllocate(&pointer, bytes); result != Success) {
    size_t free = 0, total = 0;
    if (result == ErrorOutOfMemory && driver.memoryGetInfo(&free, &total) == Success)
      return failure(MJ_ERROR_OUT_OF_MEMORY, purpose, " needs ", bytes, " bytes on the device, of which ", free, " of ",
                     total, " are free");
    return driver.check(result, "allocating ", bytes, " bytes for ", purpose);
  }
  memory.free();
  memory.driver_ = &driver;
  memory.pointer_ = pointer;
  return Status::ok();
}

void DeviceMemory::free() {
  if (pointer_)
    driver_->memoryFree(pointer_);
  pointer_ = 0;
}

Status PinnedMemory::allocate(const Driver &driver, uint64_t bytes, const std::string &purpose) {
  free();
  if (bytes == 0)
    return Status::ok();
  if (Status status =
          driver.check(driver.hostAllocate(&pointer_, bytes, 0), "locking ", bytes, " bytes of memory for ", purpose))
    return status;
  driver_ = &driver;
  return Status::ok();
}

void PinnedMemory::free() {
  if (pointer_)
    driver_->hostFree(pointer_);
  pointer_ = nullptr;
}

} // namespace mjolnir::runtime::cuda
