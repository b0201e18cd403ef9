// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// From the kernels of a planned program to machine code.
#ifndef MJOLNIR_TARGETS_CUDA_CODEGENERATOR_H
#define MJOLNIR_TARGETS_CUDA_CODEGENERATOR_H

#include "targets/cuda/Profiles.h"

#include "mjolnir/Target/Target.h"

namespace mjolnir::cuda {

/// What portable packages hold besides machine code: PTX of the oldest architecture that has what the kernels are
/// written with (clusters, bulk copies, dependent launches). Newer chips compile it when they load it.
constexpr llvm::StringLiteral kPortableArchitecture = "compute_90";

/// Compiles every kernel of `module` for the chip, each to an image of its own, and notes on the kernels what a launch
/// needs, `threads` and `shared_bytes`, and what the compiled kernel takes (kResourcesAttr). `portable`: each also to
/// PTX of kPortableArchitecture, an image that the kernel's `portable_image` names.
llvm::FailureOr<llvm::SmallVector<Image>> generateCode(mlir::ModuleOp module, const CudaProfile &profile,
                                                       const CodeOptions &options, bool portable);

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_CODEGENERATOR_H
