// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What several passes ask of entries: which functions they are, and which operations depend on weights alone.
#ifndef MJOLNIR_PASSES_WEIGHTS_H
#define MJOLNIR_PASSES_WEIGHTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include <string>

namespace mjolnir {

/// The functions of `module` that become entry points, in order.
llvm::SmallVector<mlir::func::FuncOp> getEntries(mlir::ModuleOp module);

/// Whether packaging can compute `op`: an mj.get_weight, a rotary table, or an operation on results of such. Constants
/// are not counted: they go wherever they are used.
bool dependsOnWeightsAlone(mlir::Operation *op);

/// What people call a weight, or what was made of it: "@l0.q_proj", "a rotary table".
std::string nameOfWeight(mlir::Value value);

/// arith.constant.
bool isConstant(mlir::Operation *op);

} // namespace mjolnir

#endif // MJOLNIR_PASSES_WEIGHTS_H
