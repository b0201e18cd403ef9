// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// NVRTC, the CUDA compiler as a library, opened when the first kernel is compiled: Mjolnir builds without a toolkit.
#ifndef MJOLNIR_TARGETS_CUDA_NVRTC_H
#define MJOLNIR_TARGETS_CUDA_NVRTC_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mjolnir::cuda {

/// A compiled kernel, and what the assembler said of it.
struct CompiledKernel {
  llvm::SmallVector<char, 0> cubin;
  int64_t registers = 0;
  int64_t spillBytes = 0;  ///< stored and loaded, of a thread
  int64_t stackBytes = 0;  ///< of a thread
  int64_t sharedBytes = 0; ///< static, of a block
};

class Nvrtc {
public:
  /// The process's NVRTC, or an error that says where it was looked for and how to get it.
  static llvm::Expected<const Nvrtc *> get();

  /// Compiles `source`, which may include the headers of targets/cuda/device, for `architecture` ("sm_90a"). `name` is
  /// the one kernel in it. The error holds the compiler's log.
  llvm::Expected<CompiledKernel> compile(llvm::StringRef name, const std::string &source,
                                         llvm::StringRef architecture) const;

private:
  using Program = struct ProgramTag *;
  llvm::Error open();

  int (*create)(Program *, const char *, const char *, int, const char *const *, const char *const *) = nullptr;
  int (*destroy)(Program *) = nullptr;
  int (*run)(Program, int, const char *const *) = nullptr;
  int (*logSize)(Program, size_t *) = nullptr;
  int (*log)(Program, char *) = nullptr;
  int (*cubinSize)(Program, size_t *) = nullptr;
  int (*cubin)(Program, char *) = nullptr;
};

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_NVRTC_H
