// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// HostTarget: what the code generator needs to know of the CPU that a package is compiled for.
#ifndef MJOLNIR_TARGETS_HOST_HOSTTARGET_H
#define MJOLNIR_TARGETS_HOST_HOSTTARGET_H

#include "mlir/Support/LLVM.h"
#include "llvm/Support/raw_ostream.h"
#include <string>

namespace mjolnir::host {

/// A kind of CPU, in LLVM's spelling. Every code generation choice depends on these fields only, so that two machines
/// generate the same bytes for the same target.
struct HostTarget {
  std::string triple;   ///< "x86_64-unknown-linux-gnu"
  std::string cpu;      ///< "znver3", "x86-64-v3", "generic"
  std::string features; ///< "+avx2,-avx512f": on top of what the CPU's name implies; may be empty
  /// Width of a vector register in f32 lanes: 4 (NEON, SSE), 8 (AVX), 16 (AVX-512).
  int64_t vectorLanes = 4;
  /// How many vector registers there are: 16, or 32 with AVX-512 and NEON.
  int64_t vectorRegisters = 16;
  /// vdpbf16ps exists: bf16 x bf16 matmuls multiply pairs.
  bool hasAvx512Bf16 = false;
  /// The features that generated code may use and that the runtime must find on the machine, in LLVM's spelling and a
  /// fixed order: among avx avx2 fma f16c bmi bmi2 avx512f avx512bw avx512vl avx512dq avx512cd avx512bf16.
  mlir::SmallVector<std::string> requiredFeatures;

  /// Reads a target's name: "host" is this machine, "host:CPU" any CPU that LLVM knows for x86-64 ("host:x86-64-v3",
  /// "host:znver4"), "host:aarch64" and "host:aarch64:CPU" ("host:aarch64:neoverse-v2") 64-bit Arm. On failure a
  /// sentence is written to `errors`.
  static mlir::FailureOr<HostTarget> parse(llvm::StringRef spec, llvm::raw_ostream &errors = llvm::errs());
};

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_HOSTTARGET_H
