// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a planned program must be like; part of verify-phase.
#ifndef MJOLNIR_PASSES_VERIFYPLAN_H
#define MJOLNIR_PASSES_VERIFYPLAN_H

#include "mjolnir/Dialect/Exec/ExecDialect.h"

#include "mlir/IR/BuiltinOps.h"

namespace mjolnir {

/// Every arena buffer has its place, aligned, and overlaps no other that lives at the same time, unless a launch may
/// write one over the other; steps that touch the same memory are ordered; only launches start early; kernels read no
/// further back than the KV pool keeps.
llvm::LogicalResult verifyPlan(mlir::ModuleOp module);

} // namespace mjolnir

#endif // MJOLNIR_PASSES_VERIFYPLAN_H
