// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which operations work element by element, row by row, or on everything at once.
#include "lib/Dialect/Mj/Shapes.h"
#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mjolnir;

bool mj::isPointwise(Operation *op) {
  return OpTrait::hasElementwiseMappableTraits(op) || isa<BroadcastOp, QuantizeOp, DequantizeOp>(op);
}

bool mj::isAnchor(Operation *op) { return isa<MatmulOp, BatchMatmulOp, AttentionOp, SdpaOp, SampleOp>(op); }

/// Whether the leading axis of `result` is that of `source`.
static bool hasRowsOf(Value result, Value source) {
  auto from = mj::tensorOf(source), to = mj::tensorOf(result);
  return from.getRank() > 0 && to.getRank() > 0 && from.getDimSize(0) == to.getDimSize(0);
}

bool mj::isRowwise(Operation *op) {
  if (isPointwise(op))
    return true;
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<GatherOp, RopeOp, KvAppendOp, SliceOp, ConcatOp, TransposeOp>([](auto) { return true; })
      .Case<NormOp, SoftmaxOp>([](auto known) { return tensorOf(known.getX()).getRank() > 1; })
      .Case([](ReduceOp reduce) { return reduce.getAxes().front() > 0; })
      .Case([](ReshapeOp reshape) { return hasRowsOf(reshape.getResult(), reshape.getSource()); })
      .Default(false);
}

bool mj::readsWhole(OpOperand &operand) {
  return llvm::TypeSwitch<Operation *, bool>(operand.getOwner())
      .Case([&](GatherOp gather) { return operand == gather.getTableMutable(); })
      .Case([&](RopeOp rope) { return operand == rope.getTableMutable(); })
      .Case([&](KvAppendOp append) { return operand.get() == append.getScales(); })
      .Case([&](NormOp norm) { return operand.getOperandNumber() != norm.getXMutable().getOperandNumber(); })
      .Case([&](BroadcastOp broadcast) {
        if (operand == broadcast.getLikeMutable())
          return false;
        auto source = tensorOf(broadcast.getSource()), result = tensorOf(broadcast.getResult());
        return source.getRank() != result.getRank() || !hasRowsOf(broadcast.getResult(), broadcast.getSource());
      })
      .Case([](TransposeOp transpose) { return transpose.getPermutation().front() != 0; })
      .Case([](SliceOp slice) { return !slice.getLeadingDimSource(); })
      .Case([](ConcatOp concat) { return concat.getAxis() == 0; })
      .Default(false);
}
