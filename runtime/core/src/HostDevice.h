// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Device `host`: the images of a package as loaded machine code, the kernels as functions. A package's code runs with
// the rights of the process that loads it; the verifier keeps the runtime sound, not the kernels.
#ifndef MJOLNIR_RUNTIME_HOSTDEVICE_H
#define MJOLNIR_RUNTIME_HOSTDEVICE_H

#include "PackageView.h"

#include <vector>

namespace mjolnir::runtime {

/// Runs tile `tile` of a launch on the memory that `operands` point to.
using KernelFunction = void (*)(void *const *operands, int64_t tile);

class HostDevice {
public:
  HostDevice() = default;
  ~HostDevice();
  HostDevice(const HostDevice &) = delete;
  HostDevice &operator=(const HostDevice &) = delete;

  /// Checks that this machine can run the code of `package`, loads its images and finds its kernels.
  Status load(const PackageView &package);
  /// The function of kernel `index` of the program.
  KernelFunction kernel(uint32_t index) const { return kernels_[index]; }

private:
  struct Image {
    void *handle;
    int fd;
  };
  Status loadImage(std::string_view name, ByteSpan bytes);

  std::vector<Image> images_;
  std::vector<KernelFunction> kernels_;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_HOSTDEVICE_H
