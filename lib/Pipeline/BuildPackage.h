// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// From a module in phase code to a package.
#ifndef MJOLNIR_LIB_PIPELINE_BUILDPACKAGE_H
#define MJOLNIR_LIB_PIPELINE_BUILDPACKAGE_H

#include "mjolnir/Import/Checkpoint.h"
#include "mjolnir/Pipeline/Compile.h"
#include "mjolnir/Target/Target.h"

namespace mjolnir {

/// Called as weights are written: how many of how many.
using ProgressFn = std::function<void(size_t done, size_t total)>;

/// Writes the package of `module` (exec entries, kernels and images) to `path`, weights and the files of a text
/// generator from `checkpoint`, which may be null where the program has none, and tells what it wrote in `summary`.
/// `tuning`, unless it is empty, becomes the member tuning.json. Emits a diagnostic and leaves nothing behind on
/// failure.
llvm::LogicalResult buildPackage(mlir::ModuleOp module, const Target &target, const Checkpoint *checkpoint,
                                 llvm::StringRef path, llvm::StringRef tuning, PackageSummary &summary,
                                 const ProgressFn &progress);

} // namespace mjolnir

#endif // MJOLNIR_LIB_PIPELINE_BUILDPACKAGE_H
