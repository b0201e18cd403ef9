// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What simplify and recognize ask of tensors.
#include "passes/TensorMatch.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mjolnir;

bool mjolnir::isElementwise(Operation *op) {
  if (!OpTrait::hasElementwiseMappableTraits(op) || op->getNumResults() != 1 || op->getNumOperands() == 0)
    return false;
  auto result = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  return result && llvm::all_of(op->getOperandTypes(), [&](Type type) {
           auto operand = dyn_cast<RankedTensorType>(type);
           return operand && operand.getShape() == result.getShape();
         });
}

Value mjolnir::clonePointwise(OpBuilder &builder, Operation *op, ValueRange operands) {
  OperationState state(op->getLoc(), op->getName(), operands,
                       tensorOf(operands.front()).clone(getElementTypeOrSelf(op->getResult(0).getType())),
                       op->getAttrs());
  return builder.create(state)->getResult(0);
}

bool mjolnir::readsElements(OpOperand &use) {
  return !isa<mj::BroadcastOp>(use.getOwner()) || use.getOperandNumber() == 0;
}

Operation *mjolnir::getOnlyReader(Value value) {
  Operation *reader = nullptr;
  for (OpOperand &use : value.getUses()) {
    if (!readsElements(use))
      continue;
    if (reader)
      return nullptr;
    reader = use.getOwner();
  }
  return reader;
}

SmallVector<int64_t> mjolnir::withoutUnits(ArrayRef<int64_t> shape) {
  return llvm::to_vector(llvm::make_filter_range(shape, [](int64_t size) { return size != 1; }));
}

bool mjolnir::differInUnits(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  return a != b && withoutUnits(a) == withoutUnits(b);
}

static double toDouble(const APFloat &value) {
  APFloat wide = value;
  bool lossy;
  wide.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
  return wide.convertToDouble();
}

static double toDouble(const APInt &value) {
  return value.getBitWidth() == 1 ? double(value.getZExtValue()) : double(value.getSExtValue());
}

static std::optional<double> toDouble(Attribute element) {
  if (auto number = dyn_cast<FloatAttr>(element))
    return toDouble(number.getValue());
  if (auto number = dyn_cast<IntegerAttr>(element))
    return toDouble(number.getValue());
  return std::nullopt;
}

std::optional<double> mjolnir::getSplat(Value value) {
  Operation *op = value.getDefiningOp();
  // What moves or repeats elements, and what changes their type without changing a number.
  while (isa_and_present<mj::BroadcastOp, mj::ReshapeOp, mj::TransposeOp, mj::SliceOp, arith::ExtFOp>(op))
    op = op->getOperand(0).getDefiningOp();
  auto constant = dyn_cast_if_present<arith::ConstantOp>(op);
  auto splat = constant ? dyn_cast<SplatElementsAttr>(constant.getValue()) : SplatElementsAttr();
  return splat ? toDouble(splat.getSplatValue<Attribute>()) : std::nullopt;
}

bool mjolnir::isSplat(Value value, double number) { return getSplat(value) == std::optional(number); }

Value mjolnir::createSplat(OpBuilder &builder, Location loc, RankedTensorType type, double number, Value like) {
  auto constantType = type.hasStaticShape() ? type : RankedTensorType::get({}, type.getElementType());
  TypedAttr element;
  if (isa<FloatType>(type.getElementType()))
    element = builder.getFloatAttr(type.getElementType(), number);
  else
    element = builder.getIntegerAttr(type.getElementType(), int64_t(number));
  Value constant =
      arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(constantType, ArrayRef<Attribute>{element}));
  return type.hasStaticShape() ? constant : mj::BroadcastOp::create(builder, loc, type, constant, like).getResult();
}

Value mjolnir::createReshape(OpBuilder &builder, Location loc, Value value, ArrayRef<int64_t> shape) {
  while (auto reshape = value.getDefiningOp<mj::ReshapeOp>())
    value = reshape.getSource();
  auto type = tensorOf(value).clone(shape);
  return type == value.getType() ? value : mj::ReshapeOp::create(builder, loc, type, value).getResult();
}

Value mjolnir::createTranspose(OpBuilder &builder, Location loc, Value value, ArrayRef<int64_t> permutation) {
  SmallVector<int64_t> composed(permutation);
  while (auto inner = value.getDefiningOp<mj::TransposeOp>()) {
    for (int64_t &axis : composed)
      axis = inner.getPermutation()[axis];
    value = inner.getSource();
  }
  if (llvm::is_sorted(composed))
    return value;
  auto type = tensorOf(value);
  SmallVector<int64_t> shape;
  for (int64_t axis : composed)
    shape.push_back(type.getDimSize(axis));
  // Axes of one element have no order: where only they move, nothing does.
  SmallVector<int64_t> moved =
      llvm::to_vector(llvm::make_filter_range(composed, [&](int64_t axis) { return type.getDimSize(axis) != 1; }));
  if (llvm::is_sorted(moved) && type.hasStaticShape())
    return createReshape(builder, loc, value, shape);
  return mj::TransposeOp::create(builder, loc, type.clone(shape), value, composed);
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

View View::of(Value value) {
  View view{value, {}};
  for (auto [axis, size] : llvm::enumerate(tensorOf(value).getShape()))
    view.axes.push_back(size == 1 ? -1 : int64_t(axis));
  return view;
}

View View::peel() const {
  View view = *this;
  while (Operation *op = view.value.getDefiningOp()) {
    if (!isa<mj::BroadcastOp, mj::ReshapeOp, mj::TransposeOp>(op))
      break;
    Value source = op->getOperand(0);
    auto from = tensorOf(source).getShape(), to = tensorOf(view.value).getShape();
    SmallVector<int64_t, 4> axes(from.size(), -1);
    if (isa<mj::BroadcastOp>(op)) {
      for (size_t axis = 0; axis < from.size(); ++axis)
        if (from[axis] != 1)
          axes[axis] = view.axes[to.size() - from.size() + axis];
    } else if (auto transpose = dyn_cast<mj::TransposeOp>(op)) {
      for (auto [axis, sourceAxis] : llvm::enumerate(transpose.getPermutation()))
        axes[sourceAxis] = view.axes[axis];
    } else {
      if (withoutUnits(from) != withoutUnits(to))
        break;
      size_t next = 0;
      for (size_t axis = 0; axis < from.size(); ++axis) {
        if (from[axis] == 1)
          continue;
        while (to[next] == 1)
          ++next;
        axes[axis] = view.axes[next++];
      }
    }
    view = View{source, axes};
  }
  return view;
}

View View::operand(unsigned index) const { return View{value.getDefiningOp()->getOperand(index), axes}.peel(); }

//===----------------------------------------------------------------------===//
// Elements of computed constants
//===----------------------------------------------------------------------===//

/// Indices of the same element in a tensor of another shape.
static SmallVector<int64_t> reindex(ArrayRef<int64_t> index, ArrayRef<int64_t> from, ArrayRef<int64_t> to) {
  int64_t linear = 0;
  for (auto [position, size] : llvm::zip(index, from))
    linear = linear * size + position;
  SmallVector<int64_t> result(to.size());
  for (size_t axis = to.size(); axis-- > 0; linear /= to[axis])
    result[axis] = linear % to[axis];
  return result;
}

static std::optional<double> compare(arith::CmpFPredicate predicate, double a, double b) {
  return arith::applyCmpPredicate(predicate, APFloat(a), APFloat(b));
}

/// Element `index` of what the pointwise `op` makes.
static std::optional<double> computeElement(Operation *op, ArrayRef<int64_t> index) {
  SmallVector<double, 3> operands;
  for (Value operand : op->getOperands()) {
    std::optional<double> element = getConstantElement(operand, index);
    if (!element)
      return std::nullopt;
    operands.push_back(*element);
  }
  if (isa<arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp, arith::SIToFPOp>(op) && !isa<arith::ExtUIOp>(op))
    return operands[0];
  bool ofBooleans = getElementTypeOrSelf(op->getOperand(0).getType()).isInteger(1);
  if (isa<arith::ExtUIOp, arith::UIToFPOp>(op))
    return ofBooleans ? std::optional(operands[0]) : std::nullopt;
  if (isa<arith::SelectOp>(op))
    return operands[0] != 0 ? operands[1] : operands[2];
  if (auto cmp = dyn_cast<arith::CmpFOp>(op))
    return compare(cmp.getPredicate(), operands[0], operands[1]);
  if (auto cmp = dyn_cast<arith::CmpIOp>(op)) {
    if (ofBooleans)
      return std::nullopt;
    return arith::applyCmpPredicate(cmp.getPredicate(), APInt(64, int64_t(operands[0]), true),
                                    APInt(64, int64_t(operands[1]), true));
  }
  if (isa<arith::AndIOp>(op) && ofBooleans)
    return operands[0] * operands[1];
  if (isa<arith::OrIOp>(op) && ofBooleans)
    return std::max(operands[0], operands[1]);
  if (isa<arith::XOrIOp>(op) && ofBooleans)
    return double(operands[0] != operands[1]);
  if (isa<arith::AddFOp, arith::AddIOp>(op))
    return operands[0] + operands[1];
  if (isa<arith::SubFOp, arith::SubIOp>(op))
    return operands[0] - operands[1];
  if (isa<arith::MulFOp>(op))
    return operands[0] * operands[1];
  return std::nullopt;
}

std::optional<double> mjolnir::getConstantElement(Value value, ArrayRef<int64_t> index) {
  Operation *op = value.getDefiningOp();
  if (!op || !tensorOf(value).hasStaticShape())
    return std::nullopt;
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
    if (!elements)
      return std::nullopt;
    if (elements.isSplat())
      return toDouble(elements.getSplatValue<Attribute>());
    uint64_t linear = 0;
    for (auto [position, size] : llvm::zip(index, tensorOf(value).getShape()))
      linear = linear * size + position;
    return toDouble(elements.getValues<Attribute>()[linear]);
  }
  if (isElementwise(op))
    return computeElement(op, index);
  if (op->getNumOperands() == 0)
    return std::nullopt;
  auto source = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
  if (!source || !source.hasStaticShape())
    return std::nullopt;
  SmallVector<int64_t> inner(source.getRank());
  if (isa<mj::BroadcastOp>(op)) {
    for (int64_t axis = 0; axis < source.getRank(); ++axis)
      inner[axis] = source.getDimSize(axis) == 1 ? 0 : index[index.size() - source.getRank() + axis];
  } else if (isa<mj::ReshapeOp>(op)) {
    inner = reindex(index, tensorOf(value).getShape(), source.getShape());
  } else if (auto transpose = dyn_cast<mj::TransposeOp>(op)) {
    for (auto [axis, sourceAxis] : llvm::enumerate(transpose.getPermutation()))
      inner[sourceAxis] = index[axis];
  } else if (auto slice = dyn_cast<mj::SliceOp>(op)) {
    for (int64_t axis = 0; axis < source.getRank(); ++axis)
      inner[axis] = slice.getOffsets()[axis] + index[axis] * slice.getStrides()[axis];
  } else if (auto concat = dyn_cast<mj::ConcatOp>(op)) {
    inner.assign(index.begin(), index.end());
    for (Value part : concat.getSources()) {
      int64_t size = tensorOf(part).getDimSize(concat.getAxis());
      if (inner[concat.getAxis()] < size)
        return getConstantElement(part, inner);
      inner[concat.getAxis()] -= size;
    }
    return std::nullopt;
  } else {
    return std::nullopt;
  }
  return getConstantElement(op->getOperand(0), inner);
}
