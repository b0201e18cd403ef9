// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// select-schedules: a schedule for each region, one encoding for each weight.
#include "passes/Passes.h"
#include "passes/Weights.h"

#include "mjolnir/Target/Target.h"

#include "llvm/ADT/MapVector.h"

namespace mjolnir {
#define GEN_PASS_DEF_SELECTSCHEDULES
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

/// How regions use a value that depends on weights alone.
struct WeightUses {
  bool multiplied = false; ///< right operand of a transposed matmul
  bool gathered = false;
  bool other = false; ///< read element by element: it must stay row-major
};

/// The uses of operand `index` of `fusion` inside its body.
void collectUses(mj::FusionOp fusion, unsigned index, WeightUses &uses) {
  for (OpOperand &use : fusion.getBody().getArgument(index).getUses()) {
    if (auto matmul = dyn_cast<mj::MatmulOp>(use.getOwner());
        matmul && matmul.getTransposeB() && &use == &matmul.getWeightMutable())
      uses.multiplied = true;
    else if (auto gather = dyn_cast<mj::GatherOp>(use.getOwner()); gather && &use == &gather.getTableMutable())
      uses.gathered = true;
    else
      uses.other = true;
  }
}

/// A weight, or a conversion of it: the text is equal in all entries.
std::string keyOf(Value value) {
  std::string key;
  llvm::raw_string_ostream stream(key);
  for (Operation *op = value.getDefiningOp(); op; op = op->getNumOperands() ? op->getOperand(0).getDefiningOp() : nullptr) {
    stream << op->getName() << op->getAttrDictionary() << op->getResult(0).getType();
    if (auto weight = dyn_cast<mj::GetWeightOp>(op))
      stream << weight.getWeight();
  }
  return key;
}

struct SelectSchedules : mjolnir::impl::SelectSchedulesBase<SelectSchedules> {
  using Base::Base;

  void runOnOperation() override {
    std::string error;
    std::unique_ptr<Target> chip = createTarget(target, error);
    if (!chip) {
      getOperation().emitError(error);
      return signalPassFailure();
    }
    if (!oracle)
      encodeWeights(*chip);
    WalkResult result = getOperation().walk([&](mj::FusionOp fusion) {
      FailureOr<mj::ScheduleAttr> schedule = chip->chooseSchedule(fusion, oracle);
      if (failed(schedule))
        return WalkResult::interrupt();
      fusion.setScheduleAttr(*schedule);
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }

  /// One encoding for each weight over all entries.
  void encodeWeights(const Target &chip) {
    llvm::MapVector<Value, WeightUses> values;
    std::map<std::string, WeightUses> weights;
    getOperation().walk([&](mj::FusionOp fusion) {
      for (auto [index, input] : llvm::enumerate(fusion.getInputs()))
        if (Operation *producer = input.getDefiningOp(); producer && dependsOnWeightsAlone(producer)) {
          collectUses(fusion, index, weights[keyOf(input)]);
          values.try_emplace(input);
        }
    });
    for (auto &[value, unused] : values) {
      const WeightUses &uses = weights[keyOf(value)];
      auto type = cast<RankedTensorType>(value.getType());
      if (!uses.multiplied || uses.other)
        continue;
      mj::EncodingAttr encoding = chip.chooseEncoding(type, uses.gathered);
      if (!encoding)
        continue;
      OpBuilder builder(value.getContext());
      builder.setInsertionPointAfterValue(value);
      auto encoded = RankedTensorType::get(type.getShape(), type.getElementType(), encoding);
      Value packed = mj::PackOp::create(builder, value.getLoc(), encoded, value);
      for (OpOperand &use : llvm::make_early_inc_range(value.getUses()))
        if (auto fusion = dyn_cast<mj::FusionOp>(use.getOwner())) {
          fusion.getBody().getArgument(use.getOperandNumber()).setType(encoded);
          use.set(packed);
        }
    }
  }
};

} // namespace
