// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a kind of device does for a package: make its code runnable, make sessions. One object serves one package.
#ifndef MJOLNIR_RUNTIME_DEVICE_H
#define MJOLNIR_RUNTIME_DEVICE_H

#include "PackageView.h"
#include "Phases.h"

#include <functional>
#include <memory>

namespace mjolnir::runtime {

class Package;
class Session;

/// As mj_session_options.
struct SessionOptions {
  uint32_t threads = 0;
  uint32_t kvPages = 0, kvWindowPages = 0;
  bool useGraphs = true;
  bool useDependentLaunches = true;
  bool eagerGraphs = false;
};

/// As mj_package_options.progress.
using Progress = std::function<void(uint64_t done, uint64_t total)>;

struct OpenOptions {
  int file; ///< descriptor of the package's mapped file
  const Progress &progress;
  Phases &phases;
};

class Device {
public:
  virtual ~Device() = default;

  /// Makes the device that the verified `package` is compiled for: checks that this machine has it and can run the
  /// code, loads the images and finds the kernels.
  static Status open(const PackageView &package, const OpenOptions &options, std::unique_ptr<Device> &device);

  /// `package` is the one this device was opened for.
  virtual Status createSession(const Package &package, const SessionOptions &options,
                               std::unique_ptr<Session> &session) const = 0;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_DEVICE_H
