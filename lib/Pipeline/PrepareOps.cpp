// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What mj.prepare computes beside conversions and packing. Built without contraction of products and sums (see
// CMakeLists.txt).
#include "lib/Pipeline/PrepareOps.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"
#include "mjolnir/Dialect/Mj/Tensors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/TypeUtilities.h"
#include <cstring>

using namespace mlir;
using namespace mjolnir;
using mj::tensorOf;

static size_t elementBytes(Type type) { return getElementTypeOrSelf(type).getIntOrFloatBitWidth() / 8; }

/// Steps between neighbours along each axis of a dense row-major tensor, in elements.
static SmallVector<int64_t> stepsOf(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> steps(shape.size(), 1);
  for (size_t axis = shape.size(); axis-- > 1;)
    steps[axis - 1] = steps[axis] * shape[axis];
  return steps;
}

/// The elements of `shape` read from `source` at `start`, `steps` apart along each axis; in elements of `width` bytes.
static std::vector<char> readStrided(ArrayRef<char> source, ArrayRef<int64_t> shape, int64_t start,
                                     ArrayRef<int64_t> steps, size_t width) {
  std::vector<char> result(ShapedType::getNumElements(shape) * width);
  SmallVector<int64_t> index(shape.size(), 0);
  int64_t row = shape.empty() ? 1 : shape.back(), step = shape.empty() ? 1 : steps.back();
  for (char *to = result.data(), *end = to + result.size(); to != end;) {
    int64_t from = start;
    for (size_t axis = 0; axis + 1 < shape.size(); ++axis)
      from += index[axis] * steps[axis];
    if (step == 1) {
      std::memcpy(to, source.data() + from * width, row * width);
      to += row * width;
    } else {
      for (int64_t i = 0; i < row; ++i, to += width)
        std::memcpy(to, source.data() + (from + i * step) * width, width);
    }
    for (size_t axis = shape.size() - 1; axis-- > 0;) {
      if (++index[axis] < shape[axis])
        break;
      index[axis] = 0;
    }
  }
  return result;
}

static std::vector<char> concatenate(mj::ConcatOp op, ArrayRef<ArrayRef<char>> operands) {
  auto type = tensorOf(op.getResult());
  size_t width = elementBytes(type);
  int64_t outer = ShapedType::getNumElements(type.getShape().take_front(op.getAxis()));
  std::vector<char> result;
  result.reserve(type.getNumElements() * width);
  for (int64_t i = 0; i < outer; ++i)
    for (ArrayRef<char> source : operands) {
      size_t part = source.size() / outer;
      result.insert(result.end(), source.begin() + i * part, source.begin() + (i + 1) * part);
    }
  return result;
}

template <typename Compute> static std::vector<char> computeF32(ArrayRef<ArrayRef<char>> operands, Compute compute) {
  std::vector<char> result(operands.front().size());
  for (size_t at = 0; at < result.size(); at += sizeof(float)) {
    float a, b = 0;
    std::memcpy(&a, operands.front().data() + at, sizeof(float));
    if (operands.size() > 1)
      std::memcpy(&b, operands[1].data() + at, sizeof(float));
    float value = compute(a, b);
    std::memcpy(result.data() + at, &value, sizeof(float));
  }
  return result;
}

static std::vector<char> expand(DenseElementsAttr elements) {
  ArrayRef<char> raw = elements.getRawData();
  if (!elements.isSplat())
    return std::vector<char>(raw.begin(), raw.end());
  std::vector<char> result;
  result.reserve(elements.getNumElements() * raw.size());
  for (int64_t i = 0; i < elements.getNumElements(); ++i)
    result.insert(result.end(), raw.begin(), raw.end());
  return result;
}

std::optional<std::vector<char>> mjolnir::computePrepared(Operation *op, ArrayRef<ArrayRef<char>> operands) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
    bool isWhole = elements && elements.getElementType().getIntOrFloatBitWidth() % 8 == 0;
    return isWhole ? std::optional(expand(elements)) : std::nullopt;
  }
  if (isa<mj::ReshapeOp>(op))
    return std::vector<char>(operands.front().begin(), operands.front().end());
  if (auto concat = dyn_cast<mj::ConcatOp>(op))
    return concatenate(concat, operands);
  if (isa<mj::TransposeOp, mj::SliceOp>(op)) {
    auto result = tensorOf(op->getResult(0));
    SmallVector<int64_t> sourceSteps = stepsOf(tensorOf(op->getOperand(0)).getShape()), steps;
    int64_t start = 0;
    if (auto transpose = dyn_cast<mj::TransposeOp>(op)) {
      for (int64_t axis : transpose.getPermutation())
        steps.push_back(sourceSteps[axis]);
    } else {
      auto slice = cast<mj::SliceOp>(op);
      for (auto [offset, stride, step] : llvm::zip(slice.getOffsets(), slice.getStrides(), sourceSteps)) {
        start += offset * step;
        steps.push_back(stride * step);
      }
    }
    return readStrided(operands.front(), result.getShape(), start, steps, elementBytes(result));
  }
  if (op->getNumResults() != 1 || !getElementTypeOrSelf(op->getResult(0).getType()).isF32())
    return std::nullopt;
  if (isa<arith::AddFOp>(op))
    return computeF32(operands, [](float a, float b) { return a + b; });
  if (isa<arith::SubFOp>(op))
    return computeF32(operands, [](float a, float b) { return a - b; });
  if (isa<arith::DivFOp>(op))
    return computeF32(operands, [](float a, float b) { return a / b; });
  if (isa<arith::NegFOp>(op))
    return computeF32(operands, [](float a, float) { return -a; });
  return std::nullopt;
}
