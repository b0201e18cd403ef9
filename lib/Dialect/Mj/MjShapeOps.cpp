// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Verifiers and folders of the mj operations that move elements.
#include "lib/Dialect/Mj/Shapes.h"
#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mjolnir::mj;

static LogicalResult verifyElements(Operation *op) {
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  for (Type type : op->getOperandTypes())
    if (getElementTypeOrSelf(type) != element && !isa<BroadcastOp>(op))
      return op->emitOpError("keeps the element type");
  return success();
}

//===----------------------------------------------------------------------===//
// reshape
//===----------------------------------------------------------------------===//

Value ReshapeOp::getLeadingDimSource() {
  auto source = tensorOf(getSource()), result = tensorOf(getResult());
  bool keeps = source.getRank() > 0 && result.getRank() > 0 && source.getDimSize(0) == result.getDimSize(0);
  return keeps || !result.hasStaticShape() ? getSource() : Value();
}

LogicalResult ReshapeOp::verify() {
  auto source = tensorOf(getSource()), result = tensorOf(getResult());
  if (failed(verifyElements(*this)))
    return failure();
  if (source.hasStaticShape() && result.hasStaticShape()) {
    if (source.getNumElements() != result.getNumElements())
      return emitOpError("keeps the number of elements: ") << source << " to " << result;
    return success();
  }
  if (source.getRank() < 1 || result.getRank() < 1 || !agree(source.getDimSize(0), result.getDimSize(0)))
    return emitOpError("keeps a symbolic leading dimension: ") << source << " to " << result;
  auto trailing = [](RankedTensorType type) {
    return ShapedType::isDynamicShape(type.getShape().drop_front())
               ? -1
               : ShapedType::getNumElements(type.getShape().drop_front());
  };
  if (trailing(source) != trailing(result) || trailing(source) < 0)
    return emitOpError("keeps the number of elements a row: ") << source << " to " << result;
  return success();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  if (getSource().getType() == getType())
    return getSource();
  // A reshape of a reshape reads the first source.
  if (auto inner = getSource().getDefiningOp<ReshapeOp>()) {
    getSourceMutable().assign(inner.getSource());
    return getResult();
  }
  return {};
}

//===----------------------------------------------------------------------===//
// broadcast
//===----------------------------------------------------------------------===//

Value BroadcastOp::getLeadingDimSource() { return getLike(); }

LogicalResult BroadcastOp::verify() {
  auto source = tensorOf(getSource()), like = tensorOf(getLike()), result = tensorOf(getResult());
  if (source.getElementType() != result.getElementType())
    return emitOpError("keeps the element type");
  bool fits = source.getRank() <= result.getRank();
  if (fits)
    for (auto [from, to] : llvm::zip(source.getShape(), result.getShape().take_back(source.getRank())))
      fits &= from == 1 || agree(from, to);
  if (!fits)
    return emitOpError("needs each size of the source to be the result's or 1: ") << source << " to " << result;
  if (like.getRank() < 1 || result.getRank() < 1 || !agree(like.getDimSize(0), result.getDimSize(0)))
    return emitOpError("takes its leading dimension from ") << like << ", which " << result << " does not have";
  return success();
}

OpFoldResult BroadcastOp::fold(FoldAdaptor) {
  auto source = tensorOf(getSource());
  return source == getType() && source.hasStaticShape() ? getSource() : Value();
}

//===----------------------------------------------------------------------===//
// transpose
//===----------------------------------------------------------------------===//

Value TransposeOp::getLeadingDimSource() {
  return !getPermutation().empty() && getPermutation().front() == 0 ? getSource() : Value();
}

LogicalResult TransposeOp::verify() {
  auto source = tensorOf(getSource()), result = tensorOf(getResult());
  ArrayRef<int64_t> permutation = getPermutation();
  SmallVector<int64_t> sorted(permutation);
  llvm::sort(sorted);
  if (int64_t(permutation.size()) != source.getRank() || !llvm::equal(sorted, llvm::seq<int64_t>(0, source.getRank())))
    return emitOpError("needs each axis of ") << source << " once";
  if (failed(verifyElements(*this)))
    return failure();
  SmallVector<int64_t> shape;
  for (int64_t axis : permutation)
    shape.push_back(source.getDimSize(axis));
  if (!agree(shape, result.getShape()))
    return emitOpError("does not make ") << result << " of " << source;
  return success();
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  if (llvm::equal(getPermutation(), llvm::seq<int64_t>(0, tensorOf(getSource()).getRank())) &&
      getSource().getType() == getType())
    return getSource();
  // A transposition of a transposition reads the first source.
  if (auto inner = getSource().getDefiningOp<TransposeOp>()) {
    SmallVector<int64_t> composed;
    for (int64_t axis : getPermutation())
      composed.push_back(inner.getPermutation()[axis]);
    getSourceMutable().assign(inner.getSource());
    setPermutation(composed);
    return getResult();
  }
  return {};
}

//===----------------------------------------------------------------------===//
// slice
//===----------------------------------------------------------------------===//

Value SliceOp::getLeadingDimSource() {
  auto source = tensorOf(getSource()), result = tensorOf(getResult());
  bool whole = source.getRank() > 0 && getOffsets().front() == 0 && getStrides().front() == 1 &&
               source.getDimSize(0) == result.getDimSize(0);
  return whole ? getSource() : Value();
}

LogicalResult SliceOp::verify() {
  auto source = tensorOf(getSource()), result = tensorOf(getResult());
  int64_t rank = source.getRank();
  if (rank < 1 || result.getRank() != rank || int64_t(getOffsets().size()) != rank ||
      int64_t(getStrides().size()) != rank)
    return emitOpError("needs an offset, a size and a stride for each axis of ") << source;
  if (failed(verifyElements(*this)))
    return failure();
  for (int64_t axis = 0; axis < rank; ++axis) {
    int64_t offset = getOffsets()[axis], stride = getStrides()[axis], size = result.getDimSize(axis);
    if (offset < 0 || stride < 1)
      return emitOpError("needs offsets of at least 0 and strides of at least 1");
    if (source.isDynamicDim(axis) || result.isDynamicDim(axis)) {
      if (offset != 0 || stride != 1 || !agree(source.getDimSize(axis), size))
        return emitOpError("takes a symbolic dimension whole: ") << source << " to " << result;
    } else if (size < 1 || offset + (size - 1) * stride >= source.getDimSize(axis)) {
      return emitOpError("leaves axis ") << axis << " of " << source << ": " << size << " elements from " << offset
                                         << " by " << stride;
    }
  }
  return success();
}

OpFoldResult SliceOp::fold(FoldAdaptor) {
  bool whole = getSource().getType() == getType() && llvm::all_of(getStrides(), [](int64_t s) { return s == 1; }) &&
               llvm::all_of(getOffsets(), [](int64_t o) { return o == 0; });
  return whole ? getSource() : Value();
}

//===----------------------------------------------------------------------===//
// concat
//===----------------------------------------------------------------------===//

Value ConcatOp::getLeadingDimSource() { return getAxis() != 0 ? getSources().front() : Value(); }

LogicalResult ConcatOp::verify() {
  if (getSources().empty())
    return emitOpError("needs a source");
  auto result = tensorOf(getResult());
  int64_t axis = getAxis(), size = 0;
  if (axis < 0 || axis >= result.getRank())
    return emitOpError("has no axis ") << axis << " in " << result;
  if (failed(verifyElements(*this)))
    return failure();
  for (Value value : getSources()) {
    auto source = tensorOf(value);
    SmallVector<int64_t> shape(source.getShape());
    if (source.getRank() != result.getRank() || source.isDynamicDim(axis))
      return emitOpError("cannot put ") << source << " into " << result;
    size += shape[axis];
    shape[axis] = result.getDimSize(axis);
    if (!agree(shape, result.getShape()))
      return emitOpError("cannot put ") << source << " into " << result;
  }
  if (size != result.getDimSize(axis))
    return emitOpError("makes ") << size << " elements along axis " << axis << ", not " << result;
  return success();
}

OpFoldResult ConcatOp::fold(FoldAdaptor) {
  return getSources().size() == 1 && getSources().front().getType() == getType() ? getSources().front() : Value();
}
