// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// hoist-weight-computation: what depends on weights alone is computed when the package is written.
#include "passes/Passes.h"
#include "passes/Weights.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

namespace mjolnir {
#define GEN_PASS_DEF_HOISTWEIGHTCOMPUTATION
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

/// The operations that `op` is computed from, itself last, each once.
void collectSlice(Operation *op, SetVector<Operation *> &slice) {
  for (Value operand : op->getOperands())
    collectSlice(operand.getDefiningOp(), slice);
  slice.insert(op);
}

struct HoistWeightComputation : mjolnir::impl::HoistWeightComputationBase<HoistWeightComputation> {
  using Base::Base;

  /// Prepared weights by the text of their body, which is equal for equal computations.
  llvm::StringMap<mj::PrepareOp> prepared;

  void runOnOperation() override {
    prepared.clear();
    SymbolTable symbols(getOperation());
    SmallVector<func::FuncOp> entries = getEntries(getOperation());
    for (func::FuncOp entry : entries) {
      for (Operation &op : llvm::make_early_inc_range(entry.getBody().front()))
        if (dependsOnWeightsAlone(&op) && !isa<mj::GetWeightOp>(op))
          hoist(&op, symbols, entries.front());
      for (Operation &op : llvm::make_early_inc_range(llvm::reverse(entry.getBody().front())))
        if ((dependsOnWeightsAlone(&op) || isConstant(&op)) && op.use_empty())
          op.erase();
    }
    // A weight that nothing reads is not packaged. One walk for all of them: there are several for each layer.
    llvm::DenseSet<StringAttr> used;
    getOperation().walk([&](mj::GetWeightOp op) { used.insert(op.getWeightAttr().getAttr()); });
    for (auto weight : llvm::make_early_inc_range(getOperation().getOps<mj::WeightOp>()))
      if (!used.contains(weight.getSymNameAttr())) {
        if (auto remark = analysis(weight.getLoc(), "Dropped"))
          remark << ("@" + weight.getSymName() + " is not packaged: nothing reads it").str();
        weight.erase();
      }
  }

  static remark::detail::InFlightRemark analysis(Location loc, StringRef name) {
    return remark::analysis(loc, remark::RemarkOpts::name(name).category("hoist-weight-computation"));
  }

  /// Makes a weight of what `op` computes, before `firstEntry`.
  void hoist(Operation *op, SymbolTable &symbols, func::FuncOp firstEntry) {
    // Only what the program itself reads; steps on the way there are part of its body.
    bool read = llvm::any_of(op->getUsers(), [](Operation *user) { return !dependsOnWeightsAlone(user); });
    if (!read)
      return;
    SetVector<Operation *> slice;
    collectSlice(op, slice);

    OpBuilder builder = OpBuilder::atBlockBegin(getOperation().getBody());
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    auto prepare = mj::PrepareOp::create(builder, op->getLoc(), nameOf(slice), type);
    builder.createBlock(&prepare.getBody());
    IRMapping mapping;
    for (Operation *step : slice)
      builder.clone(*step, mapping);
    mj::YieldOp::create(builder, op->getLoc(), mapping.lookup(op->getResult(0)));

    std::string key;
    llvm::raw_string_ostream stream(key);
    stream << type;
    for (Operation &step : prepare.getBody().front())
      step.print(stream, OpPrintingFlags().printGenericOpForm().useLocalScope());
    auto [found, isNew] = prepared.try_emplace(key, prepare);
    if (isNew) {
      // After the weights it reads, so that the module reads top down.
      prepare->moveBefore(firstEntry);
      symbols.insert(prepare);
      if (auto remark =
              remark::passed(op->getLoc(), remark::RemarkOpts::name("Prepared").category("hoist-weight-computation")))
        remark << llvm::formatv("@{0} is computed when the package is written: {1} of {2}", prepare.getSymName(),
                                op->getName(), nameOfWeight(op->getResult(0)))
                      .str();
    } else {
      prepare.erase();
    }
    builder.setInsertionPoint(op);
    Value value = mj::GetWeightOp::create(builder, op->getLoc(), type, found->second.getSymName());
    op->getResult(0).replaceUsesWithIf(value, [](OpOperand &use) { return !dependsOnWeightsAlone(use.getOwner()); });
  }

  /// "l0.q_proj.packed": the first weight and what was done to it.
  std::string nameOf(const SetVector<Operation *> &slice) {
    std::string name, suffix;
    for (Operation *step : slice) {
      if (auto weight = dyn_cast<mj::GetWeightOp>(step); weight && name.empty())
        name = weight.getWeight().str();
      else if (isa<mj::ChannelScaleOp>(step))
        suffix = ".scale";
      else if (isa<mj::QuantizeChannelsOp>(step))
        suffix = ".f8";
      else if (isa<mj::PackOp>(step))
        suffix = suffix == ".f8" ? ".f8.packed" : ".packed";
      else if (isa<mj::ConcatOp>(step))
        suffix = ".merged";
      else if (isa<mj::SliceOp>(step))
        suffix = ".part";
      else if (isa<arith::MulFOp>(step))
        suffix = ".scaled";
      else if (isa<arith::TruncFOp, arith::ExtFOp>(step))
        suffix = ".converted";
      else if (!isa<mj::RopeTableOp>(step) && !isConstant(step))
        suffix = ".prepared";
    }
    return (name.empty() ? "rope_table" : name) + suffix;
  }
};

} // namespace
