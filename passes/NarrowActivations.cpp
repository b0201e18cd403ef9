// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// narrow-activations: activations, matrices and the KV cache in bf16.
#include "passes/Passes.h"
#include "passes/Weights.h"

namespace mjolnir {
#define GEN_PASS_DEF_NARROWACTIVATIONS
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

/// Whether a value keeps f32: what leaves the entry or decides the next token, weights, and rotary tables.
bool keepsPrecision(Value value) {
  Operation *producer = value.getDefiningOp();
  if (producer && dependsOnWeightsAlone(producer))
    return true;
  return producer && isa<mj::MatmulOp>(producer) && llvm::all_of(value.getUsers(), [](Operation *user) {
           return isa<mj::SampleOp, func::ReturnOp>(user);
         });
}

struct NarrowActivations : mjolnir::impl::NarrowActivationsBase<NarrowActivations> {
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp entry : getEntries(getOperation()))
      narrow(entry);
  }

  void narrow(func::FuncOp entry) {
    Block &body = entry.getBody().front();
    Type narrow = BFloat16Type::get(&getContext());
    auto narrowed = [&](Type type) -> Type {
      if (auto kv = dyn_cast<mj::KvType>(type))
        return mj::KvType::get(&getContext(), kv.getLayers(), kv.getHeads(), kv.getHeadDim(), narrow);
      if (auto tensor = dyn_cast<RankedTensorType>(type); tensor && tensor.getElementType().isF32())
        return tensor.clone(narrow);
      return type;
    };

    // Float arguments of plain entries stay as the caller gives them and are rounded on the way in.
    OpBuilder builder = OpBuilder::atBlockBegin(&body);
    for (BlockArgument argument : body.getArguments()) {
      if (isa<mj::KvType>(argument.getType())) {
        argument.setType(narrowed(argument.getType()));
      } else if (narrowed(argument.getType()) != argument.getType()) {
        auto rounded = arith::TruncFOp::create(builder, argument.getLoc(), narrowed(argument.getType()), argument);
        argument.replaceAllUsesExcept(rounded, rounded);
      }
    }

    for (Operation &op : llvm::make_early_inc_range(body.without_terminator())) {
      if (dependsOnWeightsAlone(&op)) {
        continue;
      }
      if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
        if (auto splat = dyn_cast<SplatElementsAttr>(constant.getValue());
            splat && splat.getElementType().isF32()) {
          bool lossy;
          APFloat value = splat.getSplatValue<APFloat>();
          value.convert(APFloat::BFloat(), APFloat::rmNearestTiesToEven, &lossy);
          constant.setValueAttr(SplatElementsAttr::get(cast<ShapedType>(narrowed(constant.getType())), value));
          constant.getResult().setType(cast<TypedAttr>(constant.getValueAttr()).getType());
        }
        continue;
      }
      narrowWeights(&op, narrow);
      for (Value result : op.getResults())
        if (!keepsPrecision(result))
          result.setType(narrowed(result.getType()));
      // A widening that is one no more.
      if (isa<arith::ExtFOp>(op) && op.getOperand(0).getType() == op.getResult(0).getType()) {
        op.getResult(0).replaceAllUsesWith(op.getOperand(0));
        op.erase();
      }
    }

    // Floats that leave a plain entry leave as it was declared.
    Operation *terminator = body.getTerminator();
    builder.setInsertionPoint(terminator);
    for (auto [operand, declared] : llvm::zip(terminator->getOpOperands(), entry.getResultTypes()))
      if (isa<RankedTensorType>(declared) && operand.get().getType() != declared)
        operand.set(arith::ExtFOp::create(builder, terminator->getLoc(), declared, operand.get()));
    entry.setFunctionType(
        FunctionType::get(&getContext(), body.getArgumentTypes(), terminator->getOperandTypes()));
  }

  /// Matrices, tables and biases in bf16. Norm weights and rotary tables stay as they are: their kernels compute in f32.
  void narrowWeights(Operation *op, Type narrow) {
    if (isa<mj::NormOp, mj::RopeOp>(op))
      return;
    OpBuilder builder(op);
    for (OpOperand &operand : op->getOpOperands()) {
      auto type = dyn_cast<RankedTensorType>(operand.get().getType());
      Operation *producer = operand.get().getDefiningOp();
      if (!type || !producer || !dependsOnWeightsAlone(producer) || !isa<FloatType>(type.getElementType()) ||
          type.getElementType() == narrow)
        continue;
      operand.set(convert(builder, operand.get(), narrow));
    }
  }

  Value convert(OpBuilder &builder, Value weight, Type narrow) {
    // A widening that the importer wrote is taken back.
    if (auto widened = weight.getDefiningOp<arith::ExtFOp>())
      weight = widened.getIn();
    auto type = cast<RankedTensorType>(weight.getType());
    if (type.getElementType() == narrow)
      return weight;
    if (type.getElementType().isF16())
      weight = arith::ExtFOp::create(builder, weight.getLoc(), type.clone(builder.getF32Type()), weight);
    return arith::TruncFOp::create(builder, weight.getLoc(), type.clone(narrow), weight);
  }
};

} // namespace
