// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Values of mj programs as tensors.
#ifndef MJOLNIR_DIALECT_MJ_TENSORS_H
#define MJOLNIR_DIALECT_MJ_TENSORS_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"

namespace mjolnir::mj {

/// The type of `value`, which is a ranked tensor.
inline mlir::RankedTensorType tensorOf(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

} // namespace mjolnir::mj

#endif // MJOLNIR_DIALECT_MJ_TENSORS_H
