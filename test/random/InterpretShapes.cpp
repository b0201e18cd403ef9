// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Operations that move elements.
#include "test/random/Interpreter.h"

#include "llvm/ADT/STLFunctionalExtras.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::differential;

/// An array of `shape` whose element at an index is the one of `source` at `place(index)`.
static Array moveElements(const Array &source, ArrayRef<int64_t> shape,
                          llvm::function_ref<int64_t(ArrayRef<int64_t> index)> place) {
  Array result(shape);
  SmallVector<int64_t> index(shape.size(), 0);
  for (size_t i = 0; i < result.values.size(); ++i) {
    int64_t from = place(index);
    result.values[i] = source.values[from];
    result.errors[i] = source.errors[from];
    for (int64_t axis = int64_t(shape.size()) - 1; axis >= 0 && ++index[axis] == shape[axis]; --axis)
      index[axis] = 0;
  }
  return result;
}

/// Row-major strides of `shape`.
static SmallVector<int64_t> stridesOf(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t axis = int64_t(shape.size()) - 2; axis >= 0; --axis)
    strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
}

Array Interpreter::evaluate(mj::GatherOp op) {
  const Array &table = at(op.getTable()), &indices = at(op.getIndices());
  SmallVector<int64_t> shape(table.shape);
  shape.front() = indices.shape.front();
  SmallVector<int64_t> strides = stridesOf(table.shape);
  return moveElements(table, shape, [&](ArrayRef<int64_t> index) {
    int64_t place = int64_t(indices.values[index.front()]) * strides.front();
    for (size_t axis = 1; axis < shape.size(); ++axis)
      place += index[axis] * strides[axis];
    return place;
  });
}

Array Interpreter::evaluate(mj::BroadcastOp op) {
  const Array &source = at(op.getSource());
  SmallVector<int64_t> shape(op.getType().getShape()), strides = stridesOf(source.shape);
  if (ShapedType::isDynamic(shape.front()))
    shape.front() = at(op.getLike()).shape.front();
  size_t missing = shape.size() - source.shape.size();
  return moveElements(source, shape, [&](ArrayRef<int64_t> index) {
    int64_t place = 0;
    for (size_t axis = 0; axis < source.shape.size(); ++axis)
      place += (source.shape[axis] == 1 ? 0 : index[missing + axis]) * strides[axis];
    return place;
  });
}

Array Interpreter::evaluate(mj::TransposeOp op) {
  const Array &source = at(op.getSource());
  SmallVector<int64_t> shape, strides = stridesOf(source.shape);
  for (int64_t axis : op.getPermutation())
    shape.push_back(source.shape[axis]);
  return moveElements(source, shape, [&](ArrayRef<int64_t> index) {
    int64_t place = 0;
    for (auto [axis, from] : llvm::enumerate(op.getPermutation()))
      place += index[axis] * strides[from];
    return place;
  });
}

Array Interpreter::evaluate(mj::SliceOp op) {
  const Array &source = at(op.getSource());
  SmallVector<int64_t> shape(op.getType().getShape()), strides = stridesOf(source.shape);
  if (ShapedType::isDynamic(shape.front()))
    shape.front() = source.shape.front();
  return moveElements(source, shape, [&](ArrayRef<int64_t> index) {
    int64_t place = 0;
    for (size_t axis = 0; axis < shape.size(); ++axis)
      place += (op.getOffsets()[axis] + index[axis] * op.getStrides()[axis]) * strides[axis];
    return place;
  });
}

Array Interpreter::evaluate(mj::ConcatOp op) {
  int64_t axis = op.getAxis();
  SmallVector<int64_t> shape(at(op.getSources().front()).shape);
  shape[axis] = 0;
  for (Value source : op.getSources())
    shape[axis] += at(source).shape[axis];
  Array result(shape);
  SmallVector<int64_t> strides = stridesOf(shape);
  int64_t offset = 0;
  for (Value value : op.getSources()) {
    const Array &source = at(value);
    SmallVector<int64_t> index(shape.size(), 0);
    for (size_t i = 0; i < source.values.size(); ++i) {
      int64_t place = offset * strides[axis];
      for (size_t dim = 0; dim < index.size(); ++dim)
        place += index[dim] * strides[dim];
      result.values[place] = source.values[i];
      result.errors[place] = source.errors[i];
      for (int64_t dim = int64_t(index.size()) - 1; dim >= 0 && ++index[dim] == source.shape[dim]; --dim)
        index[dim] = 0;
    }
    offset += source.shape[axis];
  }
  return result;
}
