// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Matmuls and the pointwise operations after them as one kernel; part of form-fusions.
#ifndef MJOLNIR_PASSES_EPILOGUEFUSION_H
#define MJOLNIR_PASSES_EPILOGUEFUSION_H

#include "mlir/IR/Operation.h"
#include "llvm/ADT/SmallVector.h"

namespace mjolnir {

/// Operations that become one region, in order.
using Group = llvm::SmallVector<mlir::Operation *>;

/// Joins matmuls to the pointwise group that alone uses them: one, or two that multiply the same rows with weights of
/// the same shape. `groups` are in execution order; those that were joined to a later one disappear. Remarks say what
/// was joined, and what was not and why.
void fuseEpilogues(llvm::SmallVector<Group> &groups);

} // namespace mjolnir

#endif // MJOLNIR_PASSES_EPILOGUEFUSION_H
