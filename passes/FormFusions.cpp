// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// form-fusions: groups the operations of an entry into regions, one kernel each.
#include "passes/EpilogueFusion.h"
#include "passes/Passes.h"
#include "passes/Weights.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/FormatVariadic.h"

namespace mjolnir {
#define GEN_PASS_DEF_FORMFUSIONS
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

/// Whether `op` is a region of its own, before epilogues join: it is an anchor, or mixes or moves rows.
bool isAlone(Operation *op) { return mj::isAnchor(op) || !mj::isRowwise(op); }

/// Whether `op` stays between regions: it names data, or is copied into every region that uses it (constants).
bool staysOutside(Operation *op) {
  return isConstant(op) || dependsOnWeightsAlone(op) || isa<mj::BatchFieldOp>(op) ||
         op->hasTrait<OpTrait::IsTerminator>();
}

/// Whether `op` needs all rows of what an operation in `run` computes: those must all be there before it starts.
bool readsAllOf(Operation *op, const SmallPtrSetImpl<Operation *> &run) {
  return llvm::any_of(op->getOpOperands(), [&](OpOperand &operand) {
    return operand.get().getDefiningOp() && run.contains(operand.get().getDefiningOp()) && mj::readsWhole(operand);
  });
}

/// Groups in execution order: what is alone as early as it can run, and between them runs of row-wise operations.
SmallVector<Group> scheduleRuns(Block &block) {
  SmallVector<Operation *> pending;
  for (Operation &op : block)
    if (!staysOutside(&op))
      pending.push_back(&op);
  SmallPtrSet<Operation *, 32> waiting(pending.begin(), pending.end());
  auto isReady = [&](Operation *op) {
    return llvm::none_of(op->getOperands(), [&](Value operand) {
      return operand.getDefiningOp() && waiting.contains(operand.getDefiningOp());
    });
  };
  SmallVector<Group> groups;
  while (!waiting.empty()) {
    for (Operation *op : pending)
      if (waiting.contains(op) && isAlone(op) && isReady(op)) {
        groups.push_back({op});
        waiting.erase(op);
      }
    Group run;
    SmallPtrSet<Operation *, 16> inRun;
    for (Operation *op : pending)
      if (waiting.contains(op) && !isAlone(op) && isReady(op) && !readsAllOf(op, inRun)) {
        run.push_back(op);
        inRun.insert(op);
        waiting.erase(op);
      }
    if (!run.empty())
      groups.push_back(std::move(run));
    llvm::erase_if(pending, [&](Operation *op) { return !waiting.contains(op); });
  }
  return groups;
}

/// Splits runs whose operations are not connected: what has nothing in common is no kernel.
SmallVector<Group> splitUnconnected(ArrayRef<Group> groups) {
  SmallVector<Group> result;
  for (const Group &group : groups) {
    llvm::EquivalenceClasses<Operation *> classes;
    SmallPtrSet<Operation *, 16> members(group.begin(), group.end());
    for (Operation *op : group) {
      classes.insert(op);
      for (Value operand : op->getOperands())
        if (Operation *producer = operand.getDefiningOp(); producer && members.contains(producer))
          classes.unionSets(producer, op);
    }
    llvm::MapVector<Operation *, Group> parts;
    for (Operation *op : group)
      parts[classes.getLeaderValue(op)].push_back(op);
    for (auto &[leader, part] : parts)
      result.push_back(std::move(part));
  }
  return result;
}

/// Builds the region of `group` at the builder's place. `mapping` leads from the old values to the new.
void buildFusion(OpBuilder &builder, const Group &group, IRMapping &mapping) {
  SmallPtrSet<Operation *, 16> members(group.begin(), group.end());
  SetVector<Value> inputs;
  SetVector<Operation *> constants;
  SmallVector<Value> results;
  SmallVector<Location> locations;
  for (Operation *op : group) {
    locations.push_back(op->getLoc());
    for (Value operand : op->getOperands()) {
      Operation *producer = operand.getDefiningOp();
      if (producer && isConstant(producer))
        constants.insert(producer);
      else if (!producer || !members.contains(producer))
        inputs.insert(operand);
    }
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) { return !members.contains(user); }))
        results.push_back(result);
  }
  SmallVector<Value> mappedInputs;
  for (Value input : inputs)
    mappedInputs.push_back(mapping.lookupOrDefault(input));
  SmallVector<Type> resultTypes;
  for (Value result : results)
    resultTypes.push_back(result.getType());

  auto fusion = mj::FusionOp::create(builder, builder.getFusedLoc(locations), resultTypes, mappedInputs);
  OpBuilder::InsertionGuard guard(builder);
  Block &body = fusion.getBody().front();
  builder.setInsertionPointToEnd(&body);
  IRMapping inside;
  for (auto [input, argument] : llvm::zip(inputs, body.getArguments()))
    inside.map(input, argument);
  for (Operation *constant : constants)
    builder.clone(*constant, inside);
  for (Operation *op : group)
    builder.clone(*op, inside);
  SmallVector<Value> yielded;
  for (auto [result, outer] : llvm::zip(results, fusion.getResults())) {
    yielded.push_back(inside.lookup(result));
    mapping.map(result, outer);
  }
  mj::YieldOp::create(builder, fusion.getLoc(), yielded);
}

struct FormFusions : mjolnir::impl::FormFusionsBase<FormFusions> {
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp entry : getEntries(getOperation()))
      fuse(entry, entry.getBody().front());
  }

  void fuse(func::FuncOp entry, Block &block) {
    // What nothing reads is no kernel; an append to the cache that nothing reads would even be one with an effect.
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (isOpTriviallyDead(&op))
        op.erase();

    SmallVector<Group> groups;
    if (unfused) {
      for (Operation &op : block)
        if (!staysOutside(&op))
          groups.push_back({&op});
    } else {
      groups = splitUnconnected(scheduleRuns(block));
      fuseEpilogues(groups);
    }
    // A constant that leaves the entry has to be written by a kernel.
    Operation *terminator = block.getTerminator();
    SetVector<Operation *> returned;
    for (Value operand : terminator->getOperands())
      if (operand.getDefiningOp() && isConstant(operand.getDefiningOp()) && returned.insert(operand.getDefiningOp()))
        groups.push_back({operand.getDefiningOp()});

    // What stays outside comes first, then the regions in order.
    SmallVector<Operation *> outside, replaced;
    for (Operation &op : block.without_terminator())
      (staysOutside(&op) ? outside : replaced).push_back(&op);
    for (Operation *op : outside)
      op->moveBefore(terminator);
    OpBuilder builder(terminator);
    IRMapping mapping;
    for (const Group &group : groups) {
      // A reshape between regions is the same memory: it costs nothing where it is.
      if (llvm::all_of(group, llvm::IsaPred<mj::ReshapeOp>))
        for (Operation *op : group)
          builder.clone(*op, mapping);
      else
        buildFusion(builder, group, mapping);
    }
    for (OpOperand &operand : terminator->getOpOperands())
      operand.set(mapping.lookupOrDefault(operand.get()));
    for (Operation *op : llvm::reverse(replaced))
      op->erase();
    for (Operation *op : llvm::reverse(outside))
      if (op->use_empty())
        op->erase();
    describe(entry, block);
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
