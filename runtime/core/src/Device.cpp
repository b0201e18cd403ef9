// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The kinds of devices.
#include "Device.h"

#include "HostDevice.h"
#include "cuda/CudaDevice.h"

namespace mjolnir::runtime {

Status Device::open(const PackageView &package, std::unique_ptr<Device> &result) {
  // The verifier knows the same kinds.
  if (package.program().target()->kind()->string_view() == "cuda")
    return CudaDevice::open(package, result);
  return HostDevice::open(package, result);
}

} // namespace mjolnir::runtime
