// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// NVRTC, the CUDA compiler as a library, opened when the first kernel is compiled: Mjolnir builds without a toolkit.
#ifndef MJOLNIR_TARGETS_CUDA_NVRTC_H
#define MJOLNIR_TARGETS_CUDA_NVRTC_H

#include "targets/cuda/DeviceHeaders.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mjolnir::cuda {

/// A compiled kernel, and what the assembler said of it.
struct CompiledKernel {
  llvm::SmallVector<char, 0> code; ///< a cubin; PTX where that was asked for, and then nothing else is known
  int64_t registers = 0;
  int64_t spillBytes = 0;  ///< stored and loaded, of a thread
  int64_t stackBytes = 0;  ///< of a thread
  int64_t sharedBytes = 0; ///< static, of a block
};

/// What a kernel is compiled from.
struct CompileKernelRequest {
  std::string name; ///< of the one kernel in the source
  std::string source;
  std::vector<DeviceHeader> headers; ///< what the source may include
  std::string architecture;          ///< "sm_90a"; "compute_90": to PTX
};

/// Safe to use from several threads.
class Nvrtc {
public:
  /// The process's NVRTC, or an error that says where it was looked for and how to get it.
  static llvm::Expected<const Nvrtc *> get();

  /// The compiler's version, "13.0".
  std::string version() const;
  /// The options of every compile, beside the architecture.
  static llvm::ArrayRef<llvm::StringRef> options();

  /// Compiles a kernel. The error holds the compiler's log.
  llvm::Expected<CompiledKernel> compile(const CompileKernelRequest &request) const;

private:
  using Program = struct ProgramTag *;
  llvm::Error open();

  int (*getVersion)(int *, int *) = nullptr;
  int (*create)(Program *, const char *, const char *, int, const char *const *, const char *const *) = nullptr;
  int (*destroy)(Program *) = nullptr;
  int (*run)(Program, int, const char *const *) = nullptr;
  int (*logSize)(Program, size_t *) = nullptr;
  int (*log)(Program, char *) = nullptr;
  int (*cubinSize)(Program, size_t *) = nullptr;
  int (*cubin)(Program, char *) = nullptr;
  int (*ptxSize)(Program, size_t *) = nullptr;
  int (*ptx)(Program, char *) = nullptr;
};

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_NVRTC_H
