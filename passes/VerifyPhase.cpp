// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// verify-phase: what the next phase may rely on.
#include "passes/Lifetimes.h"
#include "passes/Passes.h"
#include "passes/Weights.h"

namespace mjolnir {
#define GEN_PASS_DEF_VERIFYPHASE
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

LogicalResult verifyStaticShapes(func::FuncOp entry) {
  WalkResult result = entry.walk([](Operation *op) {
    for (Type type : op->getResultTypes())
      if (auto shaped = dyn_cast<ShapedType>(type); shaped && !shaped.hasStaticShape()) {
        op->emitError() << "has the symbolic shape " << type << " after specialize-buckets";
        return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  for (Type type : entry.getArgumentTypes())
    if (auto batch = dyn_cast<mj::BatchType>(type); batch && !batch.isStatic())
      return entry.emitError("has a symbolic batch after specialize-buckets");
  return failure(result.wasInterrupted());
}

LogicalResult verifyRegions(func::FuncOp entry) {
  for (Operation &op : entry.getBody().front().without_terminator()) {
    if (auto fusion = dyn_cast<mj::FusionOp>(op)) {
      unsigned attentions = 0, matmuls = 0, samples = 0;
      for (Operation &inner : fusion.getBody().front()) {
        attentions += isa<mj::AttentionOp>(inner);
        samples += isa<mj::SampleOp>(inner);
        matmuls += isa<mj::MatmulOp>(inner);
      }
      // Matmuls of one input in one region are one anchor: they read it once.
      if (attentions + samples + (matmuls > 0) > 1)
        return fusion.emitOpError("has more than one anchor");
      continue;
    }
    if (!isConstant(&op) && !dependsOnWeightsAlone(&op) && !isa<mj::BatchFieldOp, mj::ReshapeOp>(op))
      return op.emitError() << "'" << op.getName() << "' is left outside the regions after form-fusions";
  }
  return success();
}

LogicalResult verifySchedules(func::FuncOp entry) {
  for (Operation &op : entry.getBody().front().without_terminator()) {
    if (auto fusion = dyn_cast<mj::FusionOp>(op); fusion && !fusion.getSchedule())
      return fusion.emitOpError("has no schedule after select-schedules");
    if (!isa<mj::FusionOp, mj::GetWeightOp, mj::BatchFieldOp, mj::ReshapeOp>(op))
      return op.emitError() << "'" << op.getName() << "' is left in an entry after hoist-weight-computation";
  }
  return success();
}

LogicalResult verifyPlan(exec::EntryOp entry) {
  if (!entry.getArenaBytes())
    return entry.emitOpError("has no arena size after plan-memory");
  auto buffers = computeLifetimes(entry);
  for (auto [index, first] : llvm::enumerate(buffers)) {
    exec::ArenaBufferOp buffer = first.first;
    Lifetime lifetime = first.second;
    if (!buffer.getOffset())
      return buffer.emitOpError("has no offset after plan-memory");
    for (auto [other, otherLifetime] : MutableArrayRef(buffers).drop_front(index + 1)) {
      if (!other.getOffset() || !lifetime.overlaps(otherLifetime))
        continue;
      int64_t begin = *buffer.getOffset(), end = begin + buffer.getBytes();
      int64_t otherBegin = *other.getOffset(), otherEnd = otherBegin + other.getBytes();
      if (begin < otherEnd && otherBegin < end)
        return (buffer.emitOpError("overlaps another that lives at the same time: bytes ")
                << begin << " to " << end << " and " << otherBegin << " to " << otherEnd)
                   .attachNote(other.getLoc())
               << "the other buffer";
    }
  }
  return success();
}

struct VerifyPhase : mjolnir::impl::VerifyPhaseBase<VerifyPhase> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(verify()))
      signalPassFailure();
  }

  LogicalResult verify() {
    ModuleOp module = getOperation();
    if (!llvm::is_contained({"graph", "numerics", "fusion", "schedule", "plan"}, StringRef(phase)))
      return module.emitError() << "verify-phase knows no phase '" << phase
                                << "'; there are graph, numerics, fusion, schedule, plan";
    if (phase == "plan") {
      for (Operation &op : *module.getBody())
        if (!isa<exec::EntryOp, exec::KernelOp, exec::KvPoolOp, mj::WeightOp, mj::PrepareOp>(op))
          return op.emitError() << "'" << op.getName() << "' is left after lower-to-exec";
      for (auto entry : module.getOps<exec::EntryOp>())
        if (failed(verifyPlan(entry)))
          return failure();
      return success();
    }
    for (func::FuncOp entry : getEntries(module)) {
      if (failed(verifyStaticShapes(entry)))
        return failure();
      if ((phase == "fusion" || phase == "schedule") && failed(verifyRegions(entry)))
        return failure();
      if (phase == "schedule" && failed(verifySchedules(entry)))
        return failure();
    }
    return success();
  }
};

} // namespace
