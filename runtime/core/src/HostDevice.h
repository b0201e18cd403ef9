// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Device `host`: the images of a package as loaded machine code, the kernels as functions. A package's code runs with
// the rights of the process that loads it; the verifier keeps the runtime sound, not the kernels.
#ifndef MJOLNIR_RUNTIME_HOSTDEVICE_H
#define MJOLNIR_RUNTIME_HOSTDEVICE_H

#include "Device.h"

#include <vector>

namespace mjolnir::runtime {

/// Runs tile `tile` of a launch on the memory that `operands` point to.
using KernelFunction = void (*)(void *const *operands, int64_t tile);

class HostDevice final : public Device {
public:
  HostDevice() = default;
  ~HostDevice() override;
  HostDevice(const HostDevice &) = delete;
  HostDevice &operator=(const HostDevice &) = delete;

  static Status open(const PackageView &package, std::unique_ptr<Device> &device);
  Status createSession(const Package &package, const SessionOptions &options,
                       std::unique_ptr<Session> &session) const override;

  /// The function of kernel `index` of the program.
  KernelFunction kernel(uint32_t index) const { return kernels_[index]; }

private:
  struct Image {
    void *handle;
    int fd;
  };
  Status load(const PackageView &package);
  Status loadImage(std::string_view name, ByteSpan bytes);

  std::vector<Image> images_;
  std::vector<KernelFunction> kernels_;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_HOSTDEVICE_H
