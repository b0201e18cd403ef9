// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What simplify and recognize ask of tensors: which are one number repeated, which repeat a smaller one and along which
// axes, what an element of a computed constant is.
#ifndef MJOLNIR_PASSES_TENSORMATCH_H
#define MJOLNIR_PASSES_TENSORMATCH_H

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include <optional>

namespace mjolnir {

using mj::tensorOf;

/// Whether `op` computes each element of its one result from the same elements of its operands, tensors of one shape.
bool isElementwise(mlir::Operation *op);

/// A copy of the pointwise `op` on `operands`, whose shape the result gets; its element type stays.
mlir::Value clonePointwise(mlir::OpBuilder &builder, mlir::Operation *op, mlir::ValueRange operands);

/// Whether `use` reads the elements of its value; a broadcast only asks what it is like for its leading size.
bool readsElements(mlir::OpOperand &use);

/// The one operation that reads the elements of `value`, once; null if there is another, or none.
mlir::Operation *getOnlyReader(mlir::Value value);

/// `shape` without its sizes of 1.
llvm::SmallVector<int64_t> withoutUnits(llvm::ArrayRef<int64_t> shape);

/// Whether the two shapes differ in sizes of 1 only.
bool differInUnits(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b);

/// The one number that every element of `value` is, an integer or a boolean as well; null if that is not known. Exact
/// for every element type but i64.
std::optional<double> getSplat(mlir::Value value);
bool isSplat(mlir::Value value, double number);

/// A tensor of `type` full of `number`; `like` gives a symbolic leading dimension.
mlir::Value createSplat(mlir::OpBuilder &builder, mlir::Location loc, mlir::RankedTensorType type, double number,
                        mlir::Value like);

/// `value` in another shape, `value` itself where it has that shape; a reshape of a reshape is one.
mlir::Value createReshape(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
                          llvm::ArrayRef<int64_t> shape);

/// `value` with its axes in another order; pairs are merged.
mlir::Value createTranspose(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
                            llvm::ArrayRef<int64_t> permutation);

/// A value as a part of a larger index space, the frame: axis i of `value` runs along axis `axes[i]` of the frame, -1
/// where it has one element. Along all other axes of the frame it is repeated.
struct View {
  mlir::Value value;
  llvm::SmallVector<int64_t, 4> axes;

  /// `value` as its own frame.
  static View of(mlir::Value value);
  /// The same elements of what `value` repeats, transposes or gives axes of size 1.
  View peel() const;
  /// Operand `index` of the pointwise operation that makes `value`, peeled.
  View operand(unsigned index) const;
  /// The operation that makes `value`, if it is an `Op`.
  template <typename Op> Op as() const { return value.getDefiningOp<Op>(); }
  bool operator==(const View &other) const { return value == other.value && axes == other.axes; }
};

/// Element `index` of a value that is computed from constants alone, by operations that are exact on the numbers that
/// masks are made of; null otherwise. Booleans are 0 and 1.
std::optional<double> getConstantElement(mlir::Value value, llvm::ArrayRef<int64_t> index);

} // namespace mjolnir

#endif // MJOLNIR_PASSES_TENSORMATCH_H
