// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// One element of a computed tensor, followed through what moves elements.
#include "passes/SymbolicElement.h"

#include "passes/TensorMatch.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mjolnir;

/// The index in a tensor of shape `to` of what is at `index` in one of shape `from`; false where a symbolic index would
/// be split or merged.
static bool followReshape(ArrayRef<int64_t> index, ArrayRef<int64_t> from, ArrayRef<int64_t> to,
                          SmallVector<int64_t> &result) {
  size_t i = 0, j = 0;
  while (i < from.size() || j < to.size()) {
    // The next axes on both sides that hold as many elements.
    size_t firstFrom = i, firstTo = j;
    int64_t sizeFrom = i < from.size() ? from[i++] : 1, sizeTo = j < to.size() ? to[j++] : 1;
    while (sizeFrom != sizeTo) {
      if (sizeFrom < sizeTo)
        sizeFrom *= from[i++];
      else
        sizeTo *= to[j++];
    }
    int64_t linear = 0, symbol = 0;
    unsigned wideFrom = 0, wideTo = 0;
    for (size_t axis = firstFrom; axis < i; ++axis) {
      wideFrom += from[axis] != 1;
      if (isSymbolic(index[axis]))
        symbol = index[axis];
      else
        linear = linear * from[axis] + index[axis];
    }
    for (size_t axis = firstTo; axis < j; ++axis)
      wideTo += to[axis] != 1;
    if (symbol && (wideFrom > 1 || wideTo > 1))
      return false;
    size_t first = result.size();
    result.resize(first + (j - firstTo), 0);
    for (size_t axis = j; axis-- > firstTo;) {
      int64_t &at = result[first + (axis - firstTo)];
      at = symbol && to[axis] != 1 ? symbol : linear % to[axis];
      if (!symbol)
        linear /= to[axis];
    }
  }
  return true;
}

/// One step through what moves elements, negates or widens them; false where there is none.
static bool step(Element &element, double &coefficient) {
  Operation *op = element.value.getDefiningOp();
  if (!op)
    return false;
  SmallVector<int64_t> inner;
  Value source = op->getNumOperands() ? op->getOperand(0) : Value();
  if (isa<arith::NegFOp, arith::ExtFOp>(op)) {
    coefficient = isa<arith::NegFOp>(op) ? -coefficient : coefficient;
    inner = element.index;
  } else if (isa<mj::BroadcastOp>(op)) {
    ArrayRef<int64_t> shape = tensorOf(source).getShape();
    for (size_t axis = 0; axis < shape.size(); ++axis)
      inner.push_back(shape[axis] == 1 ? 0 : element.index[element.index.size() - shape.size() + axis]);
  } else if (auto transpose = dyn_cast<mj::TransposeOp>(op)) {
    inner.resize(element.index.size());
    for (auto [axis, sourceAxis] : llvm::enumerate(transpose.getPermutation()))
      inner[sourceAxis] = element.index[axis];
  } else if (isa<mj::ReshapeOp>(op)) {
    if (!tensorOf(source).hasStaticShape() || !tensorOf(element.value).hasStaticShape() ||
        !followReshape(element.index, tensorOf(element.value).getShape(), tensorOf(source).getShape(), inner))
      return false;
  } else if (auto slice = dyn_cast<mj::SliceOp>(op)) {
    for (auto [axis, index] : llvm::enumerate(element.index)) {
      bool whole = tensorOf(source).getDimSize(axis) == tensorOf(element.value).getDimSize(axis);
      if (isSymbolic(index) && !whole)
        return false;
      inner.push_back(isSymbolic(index) ? index : slice.getOffsets()[axis] + index * slice.getStrides()[axis]);
    }
  } else if (auto concat = dyn_cast<mj::ConcatOp>(op)) {
    inner = element.index;
    int64_t &at = inner[concat.getAxis()];
    if (isSymbolic(at))
      return false;
    for (Value part : concat.getSources()) {
      source = part;
      int64_t size = tensorOf(part).getDimSize(concat.getAxis());
      if (at < size)
        break;
      at -= size;
    }
  } else {
    return false;
  }
  element = Element{source, inner};
  return true;
}

/// `term` times the element, followed as far as it goes.
static void multiply(Term &term, Element element) {
  while (step(element, term.coefficient))
    ;
  term.factors.push_back(element);
}

static Term evaluateProduct(Element element, double coefficient) {
  Term term{coefficient, {}};
  while (step(element, term.coefficient))
    ;
  if (auto product = element.value.getDefiningOp<arith::MulFOp>()) {
    multiply(term, {product.getLhs(), element.index});
    multiply(term, {product.getRhs(), element.index});
  } else {
    term.factors.push_back(element);
  }
  return term;
}

std::optional<Sum> mjolnir::evaluateSum(Value value, ArrayRef<int64_t> index) {
  Element element{value, SmallVector<int64_t>(index)};
  double coefficient = 1;
  while (step(element, coefficient))
    ;
  Operation *op = element.value.getDefiningOp();
  if (!isa_and_present<arith::AddFOp, arith::SubFOp>(op))
    return Sum{evaluateProduct(element, coefficient)};
  double sign = isa<arith::SubFOp>(op) ? -coefficient : coefficient;
  return Sum{evaluateProduct({op->getOperand(0), element.index}, coefficient),
             evaluateProduct({op->getOperand(1), element.index}, sign)};
}
