// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// widen-weights: f16 matrices in f32, where nothing is narrowed.
#include "passes/Passes.h"
#include "passes/Weights.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

namespace mjolnir {
#define GEN_PASS_DEF_WIDENWEIGHTS
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

/// The operand of `op` that is a matrix or table of the checkpoint, or null.
OpOperand *matrixOf(Operation *op) {
  OpOperand *operand = nullptr;
  if (auto matmul = dyn_cast<mj::MatmulOp>(op))
    operand = &matmul.getWeightMutable();
  else if (auto gather = dyn_cast<mj::GatherOp>(op))
    operand = &gather.getTableMutable();
  if (!operand)
    return nullptr;
  Operation *producer = operand->get().getDefiningOp();
  return producer && dependsOnWeightsAlone(producer) ? operand : nullptr;
}

struct WidenWeights : mjolnir::impl::WidenWeightsBase<WidenWeights> {
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp entry : getEntries(getOperation())) {
      unsigned widened = 0;
      entry.walk([&](Operation *op) {
        OpOperand *matrix = matrixOf(op);
        auto type = matrix ? cast<RankedTensorType>(matrix->get().getType()) : RankedTensorType();
        if (!type || !type.getElementType().isF16())
          return;
        OpBuilder builder(op);
        matrix->set(arith::ExtFOp::create(builder, op->getLoc(), type.clone(builder.getF32Type()), matrix->get()));
        ++widened;
      });
      if (auto remark = remark::passed(entry.getLoc(), remark::RemarkOpts::name("Widened").category("widen-weights")))
        remark << llvm::formatv("@{0}: {1} operations read f16 matrices in f32", entry.getSymName(), widened).str();
    }
  }
};

} // namespace
