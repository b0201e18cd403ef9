// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The families of recognize, and how they say what they found.
#ifndef MJOLNIR_PASSES_RECOGNIZEPATTERNS_H
#define MJOLNIR_PASSES_RECOGNIZEPATTERNS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

namespace mjolnir {

/// Each replaces what it knows in `entry`. What has lost its readers stays.
void recognizeNorms(mlir::func::FuncOp entry);
void recognizeActivations(mlir::func::FuncOp entry);
void recognizeRotaryEmbeddings(mlir::func::FuncOp entry);
void recognizeAttention(mlir::func::FuncOp entry);
/// Weights as right operands, sums of several matmuls.
void recognizeLinear(mlir::func::FuncOp entry);

/// Says that `what` was found at `loc`.
inline void sayRecognized(mlir::Location loc, llvm::StringRef name, const std::string &what) {
  if (auto remark = mlir::remark::passed(loc, mlir::remark::RemarkOpts::name(name).category("recognize")))
    remark << what;
}
/// Says why what looks like `name` at `loc` is not.
inline void sayNotRecognized(mlir::Location loc, llvm::StringRef name, const std::string &reason) {
  if (auto remark = mlir::remark::missed(loc, mlir::remark::RemarkOpts::name(name).category("recognize")))
    remark << reason;
}

/// A number as people write it: 0.125, 1e-06.
inline std::string toText(double number) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%g", number);
  return text;
}

} // namespace mjolnir

#endif // MJOLNIR_PASSES_RECOGNIZEPATTERNS_H
