// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// label-values: a name for every value, which passes carry along as its location.
#include "passes/Passes.h"
#include "passes/Weights.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

namespace mjolnir {
#define GEN_PASS_DEF_LABELVALUES
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

/// The module of the model that `op` is part of, or the name of its entry.
StringRef partOf(Operation *op, StringRef entry) {
  StringRef name;
  op->getLoc()->walk([&](Location part) {
    if (auto named = dyn_cast<NameLoc>(part))
      name = named.getName();
    return name.empty() ? WalkResult::advance() : WalkResult::interrupt();
  });
  return name.empty() ? entry : name;
}

struct LabelValues : mjolnir::impl::LabelValuesBase<LabelValues> {
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp entry : getEntries(getOperation())) {
      llvm::StringMap<unsigned> uses;
      unsigned labels = 0;
      for (Operation &op : entry.getBody().front().without_terminator()) {
        if (op.getNumResults() == 0 || isConstant(&op) || isa<mj::GetWeightOp, mj::BatchFieldOp>(op))
          continue;
        std::string label =
            llvm::formatv("{0}:{1}", partOf(&op, entry.getSymName()), op.getName().stripDialect()).str();
        if (unsigned number = uses[label]++)
          label += llvm::formatv(".{0}", number).str();
        op.setLoc(NameLoc::get(StringAttr::get(&getContext(), label), op.getLoc()));
        ++labels;
      }
      if (auto remark = remark::analysis(entry.getLoc(), remark::RemarkOpts::name("Labels").category("label-values")))
        remark << llvm::formatv("@{0}: {1} values have names", entry.getSymName(), labels).str();
    }
  }
};

} // namespace
