// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// NVRTC in processes of its own, so that its crash on one kernel is an error that names it and not the compiler's end.
#ifndef MJOLNIR_TARGETS_CUDA_NVRTCPROCESSES_H
#define MJOLNIR_TARGETS_CUDA_NVRTCPROCESSES_H

#include "targets/cuda/Nvrtc.h"

#include <mutex>
#include <sys/types.h>
#include <vector>

namespace mjolnir::cuda {

/// As many processes as kernels are compiled at a time, each a copy of this one that was made when it was needed. This
/// process must not have compiled anything itself: a copy made meanwhile could inherit a lock of NVRTC's. Safe to use
/// from several threads.
class NvrtcProcesses {
public:
  explicit NvrtcProcesses(const Nvrtc &nvrtc) : nvrtc(nvrtc) {}
  NvrtcProcesses(const NvrtcProcesses &) = delete;
  ~NvrtcProcesses();

  /// As Nvrtc::compile(). If NVRTC crashes, the error says by which signal and on which kernel.
  llvm::Expected<CompiledKernel> compile(const CompileKernelRequest &request);

private:
  struct Process {
    pid_t id = 0;
    int socket = -1;
  };

  llvm::Expected<Process> take();
  [[noreturn]] void serve(int socket);

  const Nvrtc &nvrtc;
  std::mutex mutex;
  std::vector<Process> idle;
};

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_NVRTCPROCESSES_H
