// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Builds the regions of a plan.
#include "passes/fusion/BuildRegions.h"

#include "passes/ReturnedConcat.h"
#include "passes/Weights.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::fusion;

namespace {

class RegionBuilder {
public:
  RegionBuilder(OpBuilder &builder, IRMapping &mapping, const FusionPlan &plan)
      : builder(builder), mapping(mapping), plan(plan) {}

  /// Builds the region of `ops`. `isResult` says which values others need.
  void build(ArrayRef<Operation *> ops, function_ref<bool(Value)> isResult) {
    SmallPtrSet<Operation *, 16> members(ops.begin(), ops.end());
    SetVector<Value> inputs;
    SetVector<Operation *> constants;
    SmallVector<Value> results;
    SmallVector<Location> locations;
    for (Operation *op : ops) {
      locations.push_back(op->getLoc());
      for (OpOperand &operand : op->getOpOperands()) {
        Operation *producer = operand.get().getDefiningOp();
        if (producer && isConstant(producer))
          constants.insert(producer);
        else if ((!producer || !members.contains(producer)) && !plan.getShapes().isShapeOnly(operand))
          inputs.insert(operand.get());
      }
      llvm::copy_if(op->getResults(), std::back_inserter(results), isResult);
    }
    // Whatever of the right size is there serves as a shape; else what is there before all regions.
    llvm::DenseMap<Operation *, Value> shapes;
    for (Operation *op : ops)
      if (auto broadcast = dyn_cast<mj::BroadcastOp>(op);
          broadcast && plan.getShapes().isShapeOnly(broadcast.getLikeMutable())) {
        Value like = broadcast.getLike();
        if (like.getDefiningOp() && members.contains(like.getDefiningOp()))
          continue;
        shapes[op] = findShape(like, inputs.getArrayRef());
        inputs.insert(shapes[op]);
      }

    SmallVector<Value> mappedInputs = llvm::map_to_vector(inputs, [&](Value v) { return mapping.lookupOrDefault(v); });
    SmallVector<Type> types = llvm::map_to_vector(results, [](Value result) { return result.getType(); });
    auto fusion = mj::FusionOp::create(builder, builder.getFusedLoc(locations), types, mappedInputs);
    OpBuilder::InsertionGuard guard(builder);
    Block &body = fusion.getBody().front();
    builder.setInsertionPointToEnd(&body);
    IRMapping inside;
    for (auto [input, argument] : llvm::zip(inputs, body.getArguments()))
      inside.map(input, argument);
    for (Operation *constant : constants)
      builder.clone(*constant, inside);
    for (Operation *op : ops) {
      Operation *clone = builder.clone(*op, inside);
      if (Value shape = shapes.lookup(op))
        cast<mj::BroadcastOp>(clone).getLikeMutable().assign(inside.lookup(shape));
    }
    SmallVector<Value> yielded;
    for (auto [result, outer] : llvm::zip(results, fusion.getResults())) {
      yielded.push_back(inside.lookup(result));
      mapping.map(result, outer);
    }
    mj::YieldOp::create(builder, fusion.getLoc(), yielded);
  }

private:
  /// A value with the leading size of `like`: `like` itself if it is an input, another input, or one that is always
  /// there.
  Value findShape(Value like, ArrayRef<Value> inputs) const {
    if (llvm::is_contained(inputs, like))
      return like;
    auto rowsOf = [](Value value) {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      return type && type.getRank() > 0 ? type.getDimSize(0) : 0;
    };
    // A weight may be stored in a target's encoding, and then gives no shape.
    for (Value input : inputs)
      if (rowsOf(input) == rowsOf(like) && !(input.getDefiningOp() && dependsOnWeightsAlone(input.getDefiningOp())))
        return input;
    return plan.getShapes().find(like);
  }

  OpBuilder &builder;
  IRMapping &mapping;
  const FusionPlan &plan;
};

} // namespace

void fusion::buildRegions(Block &block, const FusionPlan &plan) {
  // What stays outside comes first, then the regions in order, then what only gives their results a place.
  Operation *terminator = block.getTerminator();
  SmallVector<Operation *> outside, replaced, places;
  for (Operation &op : block.without_terminator())
    (!staysOutside(&op) ? replaced : isReturnedInPlace(&op) ? places : outside).push_back(&op);
  for (Operation *op : outside)
    op->moveBefore(terminator);
  OpBuilder builder(terminator);
  IRMapping mapping;
  RegionBuilder regions(builder, mapping, plan);
  for (FusionPlan::Id region : plan.regions()) {
    ArrayRef<Operation *> ops = plan.operations(region);
    if (llvm::all_of(ops, llvm::IsaPred<mj::ReshapeOp>))
      for (Operation *op : ops)
        builder.clone(*op, mapping);
    else
      regions.build(ops, [&](Value value) {
        return plan.ownerOf(value.getDefiningOp()) == region && plan.isNeededOutside(value, region);
      });
  }
  // A constant that leaves the entry has to be written by a kernel.
  SetVector<Operation *> returned;
  for (Value operand : terminator->getOperands())
    if (Operation *producer = operand.getDefiningOp();
        producer && isConstant(producer) && returned.insert(producer) && !mapping.contains(operand))
      regions.build(producer, [](Value) { return true; });

  for (Operation *op : places)
    op->moveBefore(terminator);
  places.push_back(terminator);
  for (Operation *op : places)
    for (OpOperand &operand : op->getOpOperands())
      operand.set(mapping.lookupOrDefault(operand.get()));
  for (Operation *op : llvm::reverse(replaced))
    op->erase();
  for (Operation *op : llvm::reverse(outside))
    if (op->use_empty())
      op->erase();
}
