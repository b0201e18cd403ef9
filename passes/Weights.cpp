// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which operations depend on weights alone.
#include "passes/Weights.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mjolnir;

SmallVector<func::FuncOp> mjolnir::getEntries(ModuleOp module) {
  SmallVector<func::FuncOp> entries;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr(mj::kEntryAttr))
      entries.push_back(function);
  return entries;
}

std::string mjolnir::nameOfWeight(Value value) {
  Operation *op = value.getDefiningOp();
  while (op && op->getNumOperands() && dependsOnWeightsAlone(op))
    op = op->getOperand(op->getNumOperands() > 1 && isConstant(op->getOperand(0).getDefiningOp()) ? 1 : 0)
             .getDefiningOp();
  if (auto weight = llvm::dyn_cast_if_present<mj::GetWeightOp>(op))
    return ("@" + weight.getWeight()).str();
  return llvm::isa_and_present<mj::RopeTableOp>(op) ? "a rotary table" : "a computed value";
}

bool mjolnir::isConstant(Operation *op) { return isa<arith::ConstantOp>(op); }

bool mjolnir::dependsOnWeightsAlone(Operation *op) {
  if (isa<mj::GetWeightOp, mj::RopeTableOp>(op))
    return true;
  // What packaging can evaluate; everything else stays in the program.
  bool isArithmetic = isa<arith::AddFOp, arith::SubFOp, arith::DivFOp, arith::NegFOp>(op) &&
                      getElementTypeOrSelf(op->getResult(0).getType()).isF32();
  if (!isArithmetic && !isa<arith::ExtFOp, arith::TruncFOp, arith::MulFOp, mj::PackOp, mj::ReshapeOp, mj::TransposeOp,
                            mj::SliceOp, mj::ConcatOp, mj::ChannelScaleOp, mj::QuantizeChannelsOp>(op))
    return false;
  bool readsWeight = false;
  for (Value operand : op->getOperands()) {
    Operation *producer = operand.getDefiningOp();
    if (!producer || (!isConstant(producer) && !dependsOnWeightsAlone(producer)))
      return false;
    readsWeight |= !isConstant(producer);
  }
  return readsWeight;
}
