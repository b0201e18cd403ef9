// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// From a module of kernel functions to one shared object.
#ifndef MJOLNIR_TARGETS_HOST_OBJECTCODE_H
#define MJOLNIR_TARGETS_HOST_OBJECTCODE_H

#include "targets/host/HostTarget.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"

namespace mjolnir::host {

/// Unit attribute of a kernel function: run LLVM's O3 pipeline (loop vectorizer, inliner) over it. For functions made
/// of scalar loops. Kernels that are already vectors are slower with it, and go to the code generator as they are.
constexpr llvm::StringLiteral kOptimizeAttr = "mjolnir.optimize";

/// Registers what compileToSharedObject needs of a context: dialects, LLVM translations, bufferization interfaces.
void registerObjectCodeDialects(mlir::DialectRegistry &registry);

/// Compiles each public func.func of `kernels` to one exported symbol
///
///     void symbol(void *const *operands, int64_t tile)
///
/// A kernel function is `func.func @symbol(%op0: memref<static shape>, ..., %tile: index)`, no results. Its body may
/// use affine, arith, bufferization, cf, linalg, llvm, math, memref, scf, tensor, ub, vector and x86vector. Private
/// functions are helpers, inlined. No operand may alias another unless each is only read, or the aliasing accesses are
/// in order.
///
/// bf16 conversions round to nearest even and keep NaN; f32 arithmetic may be contracted to FMA and vector reductions
/// reassociated; NaN and infinity are respected. The object has no undefined symbol, no build id and no path: equal
/// inputs give equal bytes. `kernels` is left unchanged. Errors are emitted as diagnostics on the kernel's location.
/// Kernels compile in parallel if the context is multi-threaded.
mlir::FailureOr<mlir::SmallVector<char, 0>> compileToSharedObject(mlir::ModuleOp kernels, const HostTarget &target);

/// The assembly text of the same kernels, for reading; in the order of the module.
mlir::FailureOr<std::string> compileToAssembly(mlir::ModuleOp kernels, const HostTarget &target);

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_OBJECTCODE_H
