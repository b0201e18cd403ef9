// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What mj.prepare computes beside conversions and packing: operations that move elements, and arithmetic in f32.
#ifndef MJOLNIR_LIB_PIPELINE_PREPAREOPS_H
#define MJOLNIR_LIB_PIPELINE_PREPAREOPS_H

#include "mlir/IR/Operation.h"
#include <optional>
#include <vector>

namespace mjolnir {

/// The bytes of the one result of `op` from those of its operands, all dense and row-major; null if `op` is none of
/// arith.constant, mj.reshape, mj.transpose, mj.slice, mj.concat and f32 arith.addf, subf, divf, negf. Each
/// result is rounded once, as IEEE 754 says, so that it does not depend on the machine.
std::optional<std::vector<char>> computePrepared(mlir::Operation *op, llvm::ArrayRef<llvm::ArrayRef<char>> operands);

} // namespace mjolnir

#endif // MJOLNIR_LIB_PIPELINE_PREPAREOPS_H
