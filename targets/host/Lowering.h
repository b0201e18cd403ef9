// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The passes that bring a module of one kernel function to the LLVM dialect. Private to targets/host.
#ifndef MJOLNIR_TARGETS_HOST_LOWERING_H
#define MJOLNIR_TARGETS_HOST_LOWERING_H

#include "mlir/Pass/PassManager.h"

namespace mjolnir::host {

/// Appends to `passes`, which runs on a builtin.module with one public function, everything from linalg, vector, scf,
/// memref, arith and math to the LLVM dialect, and the wrapper with the kernel ABI.
void buildLoweringPipeline(mlir::OpPassManager &passes);

/// Replaces what would become a call into a math or compiler runtime library: bf16 conversions, transcendental
/// functions, memref.copy.
std::unique_ptr<mlir::Pass> createExpandLibraryCallsPass();

/// Stops with an error at an allocation: kernels use their operands and the stack.
std::unique_ptr<mlir::Pass> createVerifyNoAllocationPass();

/// Makes the public llvm.func internal under the name "SYMBOL.body" and adds `void SYMBOL(void *const *, int64_t)`.
std::unique_ptr<mlir::Pass> createExportKernelPass();

/// Makes integers of 16 bits of bf16 in the LLVM dialect, up to the CPU's instructions that compute with it.
std::unique_ptr<mlir::Pass> createMoveBf16AsIntegersPass();

/// Loads vectors as the type that they are reinterpreted as.
std::unique_ptr<mlir::Pass> createLoadBitcastTypePass();

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_LOWERING_H
