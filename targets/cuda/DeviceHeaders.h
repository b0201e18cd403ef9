// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The headers of targets/cuda/device as text: a compiler that was installed needs no files beside it.
#ifndef MJOLNIR_TARGETS_CUDA_DEVICEHEADERS_H
#define MJOLNIR_TARGETS_CUDA_DEVICEHEADERS_H

#include "llvm/ADT/ArrayRef.h"

namespace mjolnir::cuda {

struct DeviceHeader {
  const char *name; ///< "prelude.cuh"
  const char *text;
};

llvm::ArrayRef<DeviceHeader> getDeviceHeaders();

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_DEVICEHEADERS_H
