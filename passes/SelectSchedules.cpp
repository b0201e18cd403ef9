// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// select-schedules: a schedule for each region, one encoding for each weight.
#include "passes/Passes.h"
#include "passes/Weights.h"

#include "mjolnir/Target/Target.h"
#include "mjolnir/Target/TuningTable.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <map>

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
  bool other = false; ///< read in another way, which needs it row-major
  bool seen = false;  ///< a remark has been made

  void add(WeightUses uses) {
    multiplied |= uses.multiplied;
    gathered |= uses.gathered;
    other |= uses.other;
  }
};

/// The uses of operand `index` of `fusion` inside its body.
WeightUses collectUses(mj::FusionOp fusion, unsigned index) {
  WeightUses uses;
  for (OpOperand &use : fusion.getBody().getArgument(index).getUses()) {
    if (auto matmul = dyn_cast<mj::MatmulOp>(use.getOwner());
        matmul && matmul.getTransposeB() && &use == &matmul.getWeightMutable())
      uses.multiplied = true;
    else if (auto gather = dyn_cast<mj::GatherOp>(use.getOwner()); gather && &use == &gather.getTableMutable())
      uses.gathered = true;
    else
      uses.other = true;
  }
  return uses;
}

/// A weight, or what is computed of weights: the text is equal in all entries.
std::string keyOf(Value value) {
  Operation *op = value.getDefiningOp();
  std::string key;
  llvm::raw_string_ostream stream(key);
  stream << op->getName() << op->getAttrDictionary() << op->getResult(0).getType();
  if (auto weight = dyn_cast<mj::GetWeightOp>(op))
    stream << weight.getWeight();
  for (Value operand : op->getOperands())
    stream << '(' << keyOf(operand) << ')';
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
    if (failed(checkLibraries(*chip)))
      return signalPassFailure();
    TuningTable table;
    if (!tuning.empty() && !oracle) {
      llvm::Expected<TuningTable> read = TuningTable::read(tuning);
      if (!read) {
        getOperation().emitError(llvm::toString(read.takeError()));
        return signalPassFailure();
      }
      table = std::move(*read);
    }
    if (!oracle)
      encodeWeights(*chip);
    llvm::MapVector<StringRef, unsigned> schedules;
    WalkResult result = getOperation().walk([&](mj::FusionOp fusion) {
      FailureOr<mj::ScheduleAttr> schedule = chooseLibrary(fusion, *chip);
      bool isCall = bool(*schedule);
      if (!isCall)
        schedule = chip->chooseSchedule(fusion, oracle);
      if (failed(schedule))
        return WalkResult::interrupt();
      if (table.size() && !isCall)
        obey(table, *chip, fusion, *schedule);
      fusion.setScheduleAttr(*schedule);
      ++schedules[schedule->getName().getValue()];
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return signalPassFailure();
    if (auto remark = analysis("Schedules")) {
      std::string text = "regions by schedule:";
      for (auto [index, schedule] : llvm::enumerate(schedules))
        text += llvm::formatv("{0} {1} {2}", index ? "," : "", schedule.second, schedule.first).str();
      remark << text;
    }
  }

  LogicalResult checkLibraries(const Target &chip) {
    SmallVector<StringRef> known = chip.getLibraries();
    for (const std::string &library : libraries) {
      if (oracle)
        return getOperation().emitError("the oracle calls no libraries");
      if (!llvm::is_contained(known, library))
        return getOperation().emitError()
               << "library '" << library << "' is none that target '" << std::string(target) << "' can call; there "
               << (known.empty() ? "are none" : "is ") << llvm::join(known, ", ");
    }
    return success();
  }

  /// The schedule of a region that a library computes whole, null where none does.
  mj::ScheduleAttr chooseLibrary(mj::FusionOp fusion, const Target &chip) {
    for (const std::string &library : libraries) {
      std::string reason;
      mj::ScheduleAttr schedule = chip.chooseLibrary(library, fusion, reason);
      auto options = remark::RemarkOpts::name("Library").category("select-schedules");
      if (schedule) {
        if (auto remark = remark::passed(fusion.getLoc(), options))
          remark << describe(fusion) + " is a call of " + library;
        return schedule;
      }
      if (!reason.empty())
        if (auto remark = remark::missed(fusion.getLoc(), options))
          remark << describe(fusion) + " is no call of " + library + ": " + reason;
    }
    return {};
  }

  /// "a matmul of 512 x 1024 by 1024 x 3072".
  static std::string describe(mj::FusionOp fusion) {
    for (auto matmul : fusion.getBody().front().getOps<mj::MatmulOp>()) {
      auto x = cast<RankedTensorType>(matmul.getX().getType());
      auto result = cast<RankedTensorType>(matmul.getResult().getType());
      return llvm::formatv("a matmul of {0} x {1} by {1} x {2}", x.getDimSize(0), x.getDimSize(1), result.getDimSize(1))
          .str();
    }
    return "a region";
  }

  remark::detail::InFlightRemark analysis(StringRef name) {
    return remark::analysis(getOperation().getLoc(), remark::RemarkOpts::name(name).category("select-schedules"));
  }

  /// Null where the text is no schedule: a remark tells it, not the parser.
  static mj::ScheduleAttr parseSchedule(StringRef text, MLIRContext *context) {
    ScopedDiagnosticHandler quiet(context, [](Diagnostic &) { return success(); });
    return dyn_cast_or_null<mj::ScheduleAttr>(parseAttribute(text, context));
  }

  /// Takes what the table says of a region, if the target can still compile it.
  static void obey(const TuningTable &table, const Target &chip, mj::FusionOp fusion, mj::ScheduleAttr &schedule) {
    const TuningTable::Row *row = table.find(nameOfTarget(chip), keyOfRegion(fusion));
    if (!row)
      return;
    auto options = remark::RemarkOpts::name("Tuned").category("select-schedules");
    mj::ScheduleAttr tuned = parseSchedule(row->schedule, fusion.getContext());
    if (!tuned || (tuned != schedule && !llvm::is_contained(chip.listSchedules(fusion, schedule), tuned))) {
      if (auto remark = remark::missed(fusion.getLoc(), options))
        remark << llvm::formatv("the tuning table asks for {0}, which this compiler does not make of the region ({1}): "
                                "it was tuned with another; run mjolnir-tune again",
                                row->schedule, describeRegion(fusion))
                      .str();
      return;
    }
    if (auto remark = remark::passed(fusion.getLoc(), options))
      remark << llvm::formatv("{0} in place of {1} ({2}): a step took {3:f1} us instead of {4:f1}", tuned, schedule,
                              describeRegion(fusion), row->afterSeconds * 1e6, row->beforeSeconds * 1e6)
                    .str();
    schedule = tuned;
  }

  /// One encoding for each weight over all entries.
  void encodeWeights(const Target &chip) {
    llvm::MapVector<Value, std::string> values;
    std::map<std::string, WeightUses> weights;
    getOperation().walk([&](mj::FusionOp fusion) {
      for (auto [index, input] : llvm::enumerate(fusion.getInputs()))
        if (Operation *producer = input.getDefiningOp(); producer && dependsOnWeightsAlone(producer)) {
          std::string &key = values[input];
          if (key.empty())
            key = keyOf(input);
          weights[key].add(collectUses(fusion, index));
        }
    });
    for (auto &[value, key] : values) {
      WeightUses &uses = weights[key];
      auto type = cast<RankedTensorType>(value.getType());
      if (type.getEncoding() || !(uses.multiplied || uses.gathered))
        continue;
      mj::EncodingAttr encoding = uses.multiplied ? chip.chooseEncoding(type, uses.gathered) : mj::EncodingAttr();
      explain(value, uses, encoding);
      if (encoding)
        pack(value, encoding);
    }
  }

  /// Puts the packed weight where it is multiplied or gathered only.
  static void pack(Value value, mj::EncodingAttr encoding) {
    OpBuilder builder(value.getContext());
    builder.setInsertionPointAfterValue(value);
    auto type = cast<RankedTensorType>(value.getType());
    auto encoded = RankedTensorType::get(type.getShape(), type.getElementType(), encoding);
    Value packed = mj::PackOp::create(builder, value.getLoc(), encoded, value);
    for (OpOperand &use : llvm::make_early_inc_range(value.getUses()))
      if (auto fusion = dyn_cast<mj::FusionOp>(use.getOwner());
          fusion && !collectUses(fusion, use.getOperandNumber()).other) {
        fusion.getBody().getArgument(use.getOperandNumber()).setType(encoded);
        use.set(packed);
      }
    if (packed.use_empty())
      packed.getDefiningOp()->erase();
  }

  /// Says what was chosen for a weight, once for all entries.
  static void explain(Value value, WeightUses &uses, mj::EncodingAttr encoding) {
    if (std::exchange(uses.seen, true))
      return;
    auto options = remark::RemarkOpts::name("Encoding").category("select-schedules");
    if (encoding) {
      if (auto remark = remark::passed(value.getLoc(), options))
        remark << llvm::formatv(
                      "{0} is stored as {1}{2}", nameOfWeight(value), encoding.getName(),
                      uses.other ? ", and row-major for regions that neither multiply by it nor gather its rows" : "")
                      .str();
    } else if (auto remark = remark::missed(value.getLoc(), options)) {
      remark << llvm::formatv("{0} stays row-major: {1}", nameOfWeight(value),
                              uses.multiplied ? "the target has no encoding for its type"
                                              : "its rows are only gathered")
                    .str();
    }
  }
};

} // namespace
