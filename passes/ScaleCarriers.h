// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Where the softmax scale of an attention can be kept instead of in its kernel; part of fold-sdpa-scale.
#ifndef MJOLNIR_PASSES_SCALECARRIERS_H
#define MJOLNIR_PASSES_SCALECARRIERS_H

#include "mlir/IR/Operation.h"
#include <optional>
#include <string>

namespace mjolnir {

/// What holds the scale: the exponent's constant of the kernel, the queries' rotary table (f32), or weights that the
/// queries are computed with.
enum class ScaleCarrier { attention, ropeTable, weights };

/// "attention", "rope-table", "weights".
std::optional<ScaleCarrier> symbolizeScaleCarrier(llvm::StringRef name);

/// Whether `op` moves, repeats, negates or converts the elements of its first operand and does nothing else, so that a
/// factor of that operand is one of the result.
bool isLinearView(mlir::Operation *op);

/// Whether one operation alone reads the elements of `value`; broadcasts that take its shape do not.
bool hasOneReader(mlir::Value value);

/// Moves the scales of `attentions` (mj.attention, mj.sdpa), which are all of a module, into `carrier`; what cannot be
/// moved stays, and remarks say why. Weights in bf16 or f16 take powers of two only, unless `lossy`.
void moveScales(llvm::ArrayRef<mlir::Operation *> attentions, ScaleCarrier carrier, bool lossy);

/// "0.125": six significant digits.
std::string printNumber(double number);

} // namespace mjolnir

#endif // MJOLNIR_PASSES_SCALECARRIERS_H
