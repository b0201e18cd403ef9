// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a kind of device does for a package: make its code runnable, make sessions. One object serves one package.
#ifndef MJOLNIR_RUNTIME_DEVICE_H
#define MJOLNIR_RUNTIME_DEVICE_H

#include "PackageView.h"

#include <memory>

namespace mjolnir::runtime {

class Package;
class Session;

/// As mj_session_options.
struct SessionOptions {
  uint32_t threads = 0;
  uint32_t kvPages = 0;
  bool useGraphs = true;
  bool useDependentLaunches = true;
  bool eagerGraphs = false;
};

class Device {
public:
  virtual ~Device() = default;

  /// Makes the device that the verified `package` is compiled for: checks that this machine has it and can run the
  /// code, loads the images and finds the kernels.
  static Status open(const PackageView &package, std::unique_ptr<Device> &device);

  /// `package` is the one this device was opened for.
  virtual Status createSession(const Package &package, const SessionOptions &options,
                               std::unique_ptr<Session> &session) const = 0;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_DEVICE_H
