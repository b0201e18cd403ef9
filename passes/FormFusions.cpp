// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// form-fusions: groups the operations of an entry into regions, one kernel each. What is joined is decided in
// passes/fusion/Planner.h.
#include "passes/Passes.h"
#include "passes/Weights.h"
#include "passes/fusion/BuildRegions.h"
#include "passes/fusion/Planner.h"

#include "mjolnir/Target/Target.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"

namespace mjolnir {
#define GEN_PASS_DEF_FORMFUSIONS
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

/// Erases what nothing reads: it is no kernel; an append to the cache that nothing reads would even be one with an
/// effect. What only gives a shape is not read.
void dropUnread(Block &block) {
  fusion::Shapes shapes(block);
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (!fusion::staysOutside(&op) &&
        llvm::all_of(op.getUses(), [&](OpOperand &use) { return shapes.isShapeOnly(use); }))
      for (OpOperand &use : llvm::make_early_inc_range(op.getUses()))
        use.set(shapes.find(use.get()));
    if (isOpTriviallyDead(&op))
      op.erase();
  }
}

struct FormFusions : mjolnir::impl::FormFusionsBase<FormFusions> {
  using Base::Base;

  void runOnOperation() override {
    std::string error;
    std::unique_ptr<Target> chip = createTarget(target, error);
    FusionRules fusionRules;
    if (chip)
      fusionRules = chip->getFusionRules();
    for (const std::string &rule : rules)
      if (error.empty())
        applyRule(rule, fusionRules, error);
    if (!error.empty()) {
      getOperation().emitError(error);
      return signalPassFailure();
    }
    for (func::FuncOp entry : getEntries(getOperation())) {
      Block &block = entry.getBody().front();
      dropUnread(block);
      fusion::buildRegions(block, unfused ? fusion::FusionPlan(block)
                                          : fusion::Planner(block, chip->getProfile(), fusionRules).run());
      describe(entry, block);
    }
  }

  /// Says how many regions of which kind there are.
  static void describe(func::FuncOp entry, Block &block) {
    auto remark = remark::analysis(entry.getLoc(), remark::RemarkOpts::name("Regions").category("form-fusions"));
    if (!remark)
      return;
    llvm::MapVector<StringRef, unsigned> kinds;
    unsigned regions = 0;
    for (auto fusion : block.getOps<mj::FusionOp>()) {
      StringRef kind = "rows";
      for (Operation &op : fusion.getBody().front())
        if (mj::isAnchor(&op))
          kind = op.getName().stripDialect();
      ++kinds[kind];
      ++regions;
    }
    std::string text = llvm::formatv("@{0}: {1} regions", entry.getSymName(), regions);
    for (auto [index, kind] : llvm::enumerate(kinds))
      text += llvm::formatv("{0}{1} {2}", index ? ", " : ": ", kind.second, kind.first).str();
    remark << text;
  }
};

} // namespace
