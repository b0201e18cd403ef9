// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Verifiers of the mj operations between wide floats and f8E4M3FN.
#include "lib/Dialect/Mj/Shapes.h"
#include "mjolnir/Dialect/Mj/MjDialect.h"

using namespace mlir;
using namespace mjolnir::mj;

static LogicalResult verifyPointwise(Operation *op, const APFloat &factor) {
  auto x = tensorOf(op->getOperand(0)), result = tensorOf(op->getResult(0));
  if (!agree(x.getShape(), result.getShape()))
    return op->emitOpError("keeps the shape: ") << x << " gives " << result;
  if (!factor.isFinite() || factor.isNegative() || factor.isZero())
    return op->emitOpError("needs a positive factor");
  return success();
}

Value QuantizeOp::getLeadingDimSource() { return getX(); }
LogicalResult QuantizeOp::verify() { return verifyPointwise(*this, getMultiplier()); }

Value DequantizeOp::getLeadingDimSource() { return getX(); }
LogicalResult DequantizeOp::verify() { return verifyPointwise(*this, getScale()); }

LogicalResult ChannelScaleOp::verify() {
  int64_t scales = tensorOf(getResult()).getDimSize(0), channels = tensorOf(getWeight()).getDimSize(0);
  if (scales != 1 && scales != channels)
    return emitOpError("makes a scale for each of ") << channels << " channels or one for all, not " << getType();
  return success();
}

LogicalResult QuantizeChannelsOp::verify() {
  auto weight = tensorOf(getWeight());
  int64_t scales = tensorOf(getScales()).getDimSize(0);
  if (!agree(weight.getShape(), tensorOf(getResult()).getShape()))
    return emitOpError("keeps the shape: ") << weight << " gives " << getType();
  if (scales != 1 && scales != weight.getDimSize(0))
    return emitOpError("needs a scale for each of ") << weight.getDimSize(0) << " channels or one for all, not "
                                                     << getScales().getType();
  return success();
}
