// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// simplify: the same numbers with fewer operations.
#include "passes/Passes.h"
#include "passes/SimplifyPatterns.h"
#include "passes/TensorMatch.h"
#include "passes/Weights.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

namespace mjolnir {
#define GEN_PASS_DEF_SIMPLIFY
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

/// Operations of each kind, sorted by name.
std::map<std::string, unsigned> countKinds(func::FuncOp entry) {
  std::map<std::string, unsigned> kinds;
  for (Operation &op : entry.getBody().front().without_terminator())
    ++kinds[op.getName().getStringRef().str()];
  return kinds;
}

struct Simplify : mjolnir::impl::SimplifyBase<Simplify> {
  using Base::Base;

  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet all(context);
    populateShapePatterns(all);
    populateMotionPatterns(all);
    populateConstantPatterns(all);
    // What upstream knows of arith and math.
    for (RegisteredOperationName name : context->getRegisteredOperations())
      if (name.getDialectNamespace() == "arith" || name.getDialectNamespace() == "math")
        name.getCanonicalizationPatterns(all, context);
    patterns = std::move(all);
    return success();
  }

  void runOnOperation() override {
    for (func::FuncOp entry : getEntries(getOperation())) {
      std::map<std::string, unsigned> before = countKinds(entry);
      IRRewriter rewriter(entry.getContext());
      DominanceInfo dominance(entry);
      // A rewrite may make two operations equal, and two equal operations may make one.
      for (bool changed = true; changed;) {
        changed = false;
        eliminateCommonSubExpressions(rewriter, dominance, entry, &changed);
        bool rewrote = false;
        if (failed(applyPatternsGreedily(entry, patterns, GreedyRewriteConfig(), &rewrote))) {
          entry.emitError("is not simple after many rewrites: simplify does not come to an end on it");
          return signalPassFailure();
        }
        changed |= rewrote;
      }
      describe(entry, before);
      explain(entry);
    }
  }

  /// Says what is gone, by kind.
  static void describe(func::FuncOp entry, const std::map<std::string, unsigned> &before) {
    std::map<std::string, unsigned> after = countKinds(entry);
    if (after == before)
      return;
    unsigned countBefore = 0, countAfter = 0;
    std::string kinds;
    for (auto &[kind, count] : before) {
      countBefore += count;
      auto left = after.find(kind);
      if (unsigned rest = left == after.end() ? 0 : left->second; rest < count)
        kinds += llvm::formatv("{0}{1} {2} to {3}", kinds.empty() ? ": " : ", ", kind, count, rest).str();
    }
    for (auto &[kind, count] : after)
      countAfter += count;
    if (auto remark = remark::passed(entry.getLoc(), remark::RemarkOpts::name("Simplified").category("simplify")))
      remark
          << llvm::formatv("@{0}: {1} to {2} operations{3}", entry.getSymName(), countBefore, countAfter, kinds).str();
  }

  static void decline(Operation *op, const std::string &reason) {
    if (auto remark = remark::missed(op->getLoc(), remark::RemarkOpts::name("Kept").category("simplify")))
      remark << llvm::formatv("'{0}' stays: {1}", op->getName(), reason).str();
  }

  /// Says why operations that look superfluous are not.
  static void explain(func::FuncOp entry) {
    entry.walk([](Operation *op) {
      if (dependsOnWeightsAlone(op))
        return;
      if (auto transpose = dyn_cast<mj::TransposeOp>(op))
        return explain(transpose);
      if (auto add = dyn_cast<arith::AddFOp>(op)) {
        for (Value operand : add->getOperands())
          if (std::optional<double> number = getSplat(operand); number && *number == 0 && !std::signbit(*number))
            return decline(op, "x + 0 is 0, not -0, for x = -0");
      }
      if (auto extend = dyn_cast<arith::ExtFOp>(op))
        if (extend.getIn().getDefiningOp<arith::TruncFOp>())
          decline(op, "the truncation before it rounds");
      if (auto slice = dyn_cast<mj::SliceOp>(op))
        if (slice.getSource().getDefiningOp<mj::ConcatOp>())
          decline(op, "it reads of every source of a concatenation");
    });
  }

  static void explain(mj::TransposeOp op) {
    Operation *blocked = nullptr, *other = nullptr;
    for (Operation *user : op->getUsers()) {
      if (isElementwise(user))
        blocked = user;
      else
        other = user;
    }
    if (blocked && other)
      decline(op,
              llvm::formatv("'{0}' could go before it, but '{1}' reads it, too", blocked->getName(), other->getName()));
    else if (blocked)
      decline(op, llvm::formatv("the other operands of '{0}' are not transposed like it", blocked->getName()));
  }

  FrozenRewritePatternSet patterns;
};

} // namespace
