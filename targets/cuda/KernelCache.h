// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Compiled kernels on disk: a compile whose kernels did not change does not compile them again.
#ifndef MJOLNIR_TARGETS_CUDA_KERNELCACHE_H
#define MJOLNIR_TARGETS_CUDA_KERNELCACHE_H

#include "targets/cuda/Nvrtc.h"

#include <optional>

namespace mjolnir::cuda {

/// A folder with a file a kernel, named after a hash of all that the compiled kernel depends on. Several processes may
/// use a folder at the same time: files are written under another name and then renamed. What is read is checked, and
/// dropped where it is damaged.
class KernelCache {
public:
  /// Entries beyond this are deleted, those not used for longest first.
  static constexpr uint64_t kMaxBytes = uint64_t(1) << 30;

  /// Uses `folder`, which is made if it is not there; empty: nothing is kept.
  static llvm::Expected<KernelCache> open(llvm::StringRef folder);

  /// What a kernel compiled from `request` is filed under.
  static std::string keyOf(const CompileKernelRequest &request, llvm::StringRef compilerVersion);

  std::optional<CompiledKernel> find(llvm::StringRef key) const;
  /// Files a kernel. That a full disk keeps nothing is no error: the next compile is slower.
  void store(llvm::StringRef key, const CompiledKernel &kernel) const;
  /// Deletes what is too much.
  void prune() const;

private:
  std::string pathOf(llvm::StringRef key) const;
  std::string folder;
};

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_KERNELCACHE_H
