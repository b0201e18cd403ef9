// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// verify-phase: what the next phase may rely on.
#include "passes/Passes.h"
#include "passes/ReturnedConcat.h"
#include "passes/VerifyPlan.h"
#include "passes/Weights.h"
#include "passes/fusion/RegionRules.h"

namespace mjolnir {
#define GEN_PASS_DEF_VERIFYPHASE
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

/// Whether kernels know the elements of `type`; booleans live only inside an entry.
bool isKnownElement(Type element, bool isBinding) {
  return element.isF32() || element.isF16() || element.isBF16() || isa<Float8E4M3FNType>(element) ||
         element.isInteger(32) || element.isInteger(64) || element.isInteger(8) || (element.isInteger(1) && !isBinding);
}

/// Whether a kernel can compute `op`.
bool isComputation(Operation *op) {
  if (isa<mj::MjDialect>(op->getDialect()))
    return !isa<mj::FusionOp, mj::YieldOp, mj::WeightOp, mj::PrepareOp>(op);
  return isConstant(op) || OpTrait::hasElementwiseMappableTraits(op);
}

LogicalResult verifyTensor(Operation *op, Type type, bool mayBeScalar, bool isBinding = false) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return isa<mj::KvType, mj::BatchType, mj::SamplingType>(type)
               ? success()
               : LogicalResult(op->emitError()
                               << "'" << op->getName() << "' makes a " << type << "; entries compute on tensors");
  if (!isKnownElement(tensor.getElementType(), isBinding))
    return op->emitError() << "'" << op->getName() << "' has a " << tensor
                           << (isBinding ? " as argument or result" : "")
                           << "; kernels know elements of f32, f16, bf16, f8E4M3FN, i32, i64 and i8";
  if (llvm::is_contained(tensor.getShape(), 0))
    return op->emitError() << "'" << op->getName() << "' has a " << tensor << ", which holds nothing";
  if (tensor.getRank() == 0 && !mayBeScalar)
    return op->emitError() << "'" << op->getName() << "' makes a " << tensor
                           << ", which has no rows for a kernel to work on";
  return success();
}

/// Operations and types that a kernel can be made of, wherever they are in `block`; constants are one number, unless
/// the program may hold data.
LogicalResult verifyComputation(Block &block, bool mayHoldData) {
  for (Operation &op : block.without_terminator()) {
    if (auto fusion = dyn_cast<mj::FusionOp>(op)) {
      if (failed(verifyComputation(fusion.getBody().front(), mayHoldData)))
        return failure();
      continue;
    }
    if (!isComputation(&op))
      return op.emitError()
             << "'" << op.getName()
             << "' is no operation of a kernel; entries hold operations of mj and pointwise arith and math";
    for (Type type : op.getResultTypes())
      if (failed(verifyTensor(&op, type, /*mayBeScalar=*/isConstant(&op) || dependsOnWeightsAlone(&op))))
        return failure();
    if (auto constant = dyn_cast<arith::ConstantOp>(op);
        constant && !mayHoldData && !isa<SplatElementsAttr>(constant.getValue()))
      return op.emitError() << "'" << op.getName()
                            << "' holds several numbers: data belongs into the checkpoint, as an mj.weight";
  }
  return success();
}

LogicalResult verifyEntry(func::FuncOp entry, bool mayHoldData) {
  for (auto types : {entry.getArgumentTypes(), entry.getResultTypes()})
    for (Type type : types)
      if (failed(verifyTensor(entry, type, /*mayBeScalar=*/true, /*isBinding=*/true)))
        return failure();
  return verifyComputation(entry.getBody().front(), mayHoldData);
}

bool isStatic(Type type) {
  if (auto batch = dyn_cast<mj::BatchType>(type))
    return batch.isStatic();
  if (auto sampling = dyn_cast<mj::SamplingType>(type))
    return !ShapedType::isDynamic(sampling.getSequences());
  auto shaped = dyn_cast<ShapedType>(type);
  return !shaped || shaped.hasStaticShape();
}

LogicalResult verifyStaticShapes(func::FuncOp entry) {
  for (Type type : entry.getArgumentTypes())
    if (!isStatic(type))
      return entry.emitError() << "has an argument of the symbolic type " << type << " after specialize-buckets";
  WalkResult result = entry.walk([](Operation *op) {
    for (Type type : op->getResultTypes())
      if (!isStatic(type)) {
        op->emitError() << "has the symbolic shape " << type << " after specialize-buckets";
        return WalkResult::interrupt();
      }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult verifyRegions(func::FuncOp entry) {
  for (Operation &op : entry.getBody().front().without_terminator()) {
    if (auto fusion = dyn_cast<mj::FusionOp>(op)) {
      if (std::string reason = mjolnir::fusion::whyNotRegion(fusion.getBody().front()); !reason.empty())
        return fusion.emitOpError(reason);
      continue;
    }
    if (!isConstant(&op) && !dependsOnWeightsAlone(&op) && !isa<mj::BatchFieldOp, mj::ReshapeOp>(op) &&
        !isReturnedInPlace(&op))
      return op.emitError() << "'" << op.getName() << "' is left outside the regions after form-fusions";
  }
  return success();
}

LogicalResult verifySchedules(func::FuncOp entry) {
  for (Operation &op : entry.getBody().front().without_terminator()) {
    if (auto fusion = dyn_cast<mj::FusionOp>(op); fusion && !fusion.getSchedule())
      return fusion.emitOpError("has no schedule after select-schedules");
    if (!isa<mj::FusionOp, mj::GetWeightOp, mj::BatchFieldOp, mj::ReshapeOp>(op) && !isReturnedInPlace(&op))
      return op.emitError() << "'" << op.getName() << "' is left in an entry after hoist-weight-computation";
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
    if (!llvm::is_contained({"input", "graph", "numerics", "fusion", "schedule", "plan", "code"}, StringRef(phase)))
      return module.emitError() << "verify-phase knows no phase '" << phase
                                << "'; there are input, graph, numerics, fusion, schedule, plan, code";
    if (phase == "plan" || phase == "code")
      return verifyPrograms(module);
    SmallVector<func::FuncOp> entries = getEntries(module);
    if (entries.empty())
      return module.emitError("has no entry: a func.func with the attribute mj.entry");
    for (func::FuncOp entry : entries) {
      // Constant masks and row numbers are recognized in phase graph.
      if (failed(verifyEntry(entry, /*mayHoldData=*/phase == "input")) ||
          (phase != "input" && failed(verifyStaticShapes(entry))))
        return failure();
      if (phase == "fusion" || phase == "schedule") {
        if (failed(verifyRegions(entry)))
          return failure();
      } else if (auto regions = entry.getBody().front().getOps<mj::FusionOp>(); !regions.empty()) {
        return (*regions.begin()).emitOpError("is there before form-fusions");
      }
      if (phase == "schedule" && failed(verifySchedules(entry)))
        return failure();
    }
    return success();
  }

  LogicalResult verifyPrograms(ModuleOp module) {
    for (Operation &op : *module.getBody())
      if (!isa<exec::EntryOp, exec::KernelOp, exec::KvPoolOp, exec::StateOp, exec::ImageOp, mj::WeightOp,
               mj::PrepareOp>(op))
        return op.emitError() << "'" << op.getName() << "' is left after lower-to-exec";
    if (module.getOps<exec::EntryOp>().empty())
      return module.emitError("has no exec.entry");
    if (failed(verifyPlan(module)))
      return failure();
    if (phase == "code" && !module.getOps<exec::KernelOp>().empty() && module.getOps<exec::ImageOp>().empty())
      return module.emitError("has kernels and no exec.image with their code");
    return success();
  }
};

} // namespace
