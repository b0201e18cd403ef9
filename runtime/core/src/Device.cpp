// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The kinds of devices.
#include "Device.h"

#include "HostDevice.h"
#include "cuda/CudaDevice.h"

namespace mjolnir::runtime {

Status Device::open(const PackageView &package, const OpenOptions &options, std::unique_ptr<Device> &result) {
  // The verifier knows the same kinds.
  if (package.program().target()->kind()->string_view() == "cuda")
    return CudaDevice::open(package, options, result);
  options.phases.begin("load the kernels");
  return HostDevice::open(package, result);
}

} // namespace mjolnir::runtime
