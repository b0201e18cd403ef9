// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Sources of kernels as files: written for people, and read back when they edited them.
#ifndef MJOLNIR_TARGETS_CUDA_KERNELFILES_H
#define MJOLNIR_TARGETS_CUDA_KERNELFILES_H

#include "targets/cuda/Nvrtc.h"

#include <memory>

namespace mjolnir::cuda {

/// Writes each source to FOLDER/NAME.cu, and the headers that it includes beside it.
llvm::Error dumpKernels(llvm::ArrayRef<CompileKernelRequest> kernels, llvm::StringRef folder);

/// Sources and headers that a folder holds instead of the generated ones.
class LoadedKernels {
public:
  /// Reads `folder`. What is in it must be the source of one of `kernels` or one of their headers.
  static llvm::Expected<LoadedKernels> read(llvm::StringRef folder, llvm::ArrayRef<CompileKernelRequest> kernels);

  /// Puts what was read into `kernels`, which is the list that it was read for and must not outlive this; those that
  /// changed, in order. A source that is as it was generated and includes what it included is no change. One that
  /// changed must keep its kernel's parameters: it does not compile otherwise.
  llvm::SmallVector<size_t> apply(llvm::MutableArrayRef<CompileKernelRequest> kernels) const;

private:
  struct File {
    std::string name, text;
  };
  std::vector<std::unique_ptr<const File>> headers; // requests point into them
  std::vector<std::pair<size_t, std::string>> sources;
};

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_KERNELFILES_H
