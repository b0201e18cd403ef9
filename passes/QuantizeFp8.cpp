// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// quantize-fp8: weights, what is multiplied by them, and the KV cache in f8E4M3FN with fixed scales.
#include "passes/Fp8Cache.h"
#include "passes/Fp8Calibration.h"
#include "passes/Passes.h"
#include "passes/Weights.h"

#include "mjolnir/Support/FloatBits.h"
#include "mjolnir/Target/Target.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/GlobPattern.h"
#include <cmath>
#include <map>

namespace mjolnir {
#define GEN_PASS_DEF_QUANTIZEFP8
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

/// A pattern of the command line, and whether a weight's name was like it.
struct NamePattern {
  std::string text;
  llvm::GlobPattern glob;
  bool seen = false;
};

/// The weights that `value` is computed from, as symbols.
void collectWeights(Value value, llvm::SetVector<StringRef> &names) {
  Operation *op = value.getDefiningOp();
  if (auto weight = llvm::dyn_cast_if_present<mj::GetWeightOp>(op))
    names.insert(weight.getWeight());
  else if (op)
    for (Value operand : op->getOperands())
      collectWeights(operand, names);
}

/// A weight as the checkpoint has it: what it is stored in is chosen here, so conversions before would only round
/// twice.
Value withoutConversions(Value weight) {
  while (isa<arith::TruncFOp, arith::ExtFOp>(weight.getDefiningOp()))
    weight = weight.getDefiningOp()->getOperand(0);
  return weight;
}

/// Whether the result of `op` becomes logits: by pointwise operations alone it is sampled, or leaves a language model.
bool makesLogits(Operation *op, bool isLanguageModel) {
  return llvm::any_of(op->getUsers(), [&](Operation *user) {
    if (isa<mj::SampleOp>(user) || (isLanguageModel && user->hasTrait<OpTrait::IsTerminator>()))
      return true;
    return mj::isPointwise(user) && makesLogits(user, isLanguageModel);
  });
}

struct QuantizeFp8 : mjolnir::impl::QuantizeFp8Base<QuantizeFp8> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(quantize()))
      signalPassFailure();
  }

private:
  LogicalResult quantize() {
    ModuleOp module = getOperation();
    std::string error;
    std::unique_ptr<Target> chip = createTarget(target, error);
    if (!chip)
      return module.emitError(error);
    if (failed(readOptions()))
      return failure();
    SymbolTable table(module);
    symbols = &table;
    profile = &chip->getProfile();
    stored.clear(), kept.clear();
    storedBytes = fullMatmuls = weightMatmuls = 0;
    Fp8Cache cache(module, table, kvAmax, measured, calibration);
    for (func::FuncOp entry : getEntries(module)) {
      codes.clear();
      rows.clear();
      isLanguageModel = llvm::any_of(entry.getArgumentTypes(), llvm::IsaPred<mj::BatchType>);
      if (matmuls != "none")
        for (auto matmul : llvm::to_vector(entry.getOps<mj::MatmulOp>()))
          quantize(matmul);
      if (kvCache && failed(cache.quantize(entry)))
        return failure();
    }
    for (auto [option, patterns] :
         {std::pair<StringRef, ArrayRef<NamePattern>>{"include", includes}, {"exclude", excludes}})
      for (const NamePattern &pattern : patterns)
        if (!pattern.seen)
          return module.emitError() << "quantize-fp8: no weight that is multiplied has a name like the " << option
                                    << " pattern '" << pattern.text << "'";
    summarize();
    return success();
  }

  //===--- Options ----------------------------------------------------------===//

  LogicalResult readOptions() {
    ModuleOp module = getOperation();
    auto refuse = [&]() { return module.emitError("quantize-fp8: "); };
    if (!llvm::is_contained({"auto", "weights", "full", "none"}, StringRef(matmuls)))
      return refuse() << "matmuls='" << std::string(matmuls) << "'; there are auto, weights, full, none";
    if (!llvm::is_contained({"channel", "tensor"}, StringRef(weightScales)))
      return refuse() << "weight-scales='" << std::string(weightScales) << "'; there are channel, tensor";
    for (auto [name, amax] : {std::pair<StringRef, float>{"activation-amax", activationAmax}, {"kv-amax", kvAmax}})
      if (!(amax >= 1e-30f && amax <= 1e30f))
        return refuse() << name << " must be a positive number";
    for (auto [list, patterns] : {std::pair{&include, &includes}, {&exclude, &excludes}}) {
      patterns->clear();
      for (const std::string &text : *list) {
        llvm::Expected<llvm::GlobPattern> glob = llvm::GlobPattern::create(text);
        if (!glob)
          return refuse() << "'" << text << "' is no pattern: " << llvm::toString(glob.takeError());
        patterns->push_back({text, std::move(*glob)});
      }
    }
    measured = {};
    if (calibration.empty())
      return success();
    llvm::Expected<Fp8Calibration> read = Fp8Calibration::read(calibration);
    if (!read)
      return refuse() << llvm::toString(read.takeError());
    measured = std::move(*read);
    // A name that is nobody's is a calibration of another model, or a slip.
    for (auto &[name, amax] : measured.activations)
      if (llvm::none_of(module.getOps<mj::WeightOp>(),
                        [&](mj::WeightOp weight) { return weight.getSymName() == name || weight.getSource() == name; }))
        return refuse() << "calibration '" << std::string(calibration) << "': 'activations." << name
                        << "' names no weight of the model";
    return success();
  }

  /// The names that patterns and calibrations may call `weight` by: of all that it is computed from, the symbol and
  /// what the checkpoint says.
  SmallVector<StringRef> namesOf(Value weight) {
    llvm::SetVector<StringRef> leaves;
    collectWeights(weight, leaves);
    SmallVector<StringRef> names;
    for (StringRef symbol : leaves) {
      names.push_back(symbol);
      if (auto op = symbols->lookup<mj::WeightOp>(symbol))
        names.push_back(op.getSource());
    }
    return names;
  }

  /// The first pattern that one of `names` is like. Takes note of all that are.
  static const NamePattern *match(SmallVector<NamePattern> &patterns, ArrayRef<StringRef> names) {
    const NamePattern *first = nullptr;
    for (NamePattern &pattern : patterns)
      if (llvm::any_of(names, [&](StringRef name) { return pattern.glob.match(name); })) {
        pattern.seen = true;
        first = first ? first : &pattern;
      }
    return first;
  }

  //===--- Matmuls ----------------------------------------------------------===//

  void quantize(mj::MatmulOp matmul) {
    std::string name = nameOfWeight(matmul.getWeight());
    if (std::optional<std::string> reason = whyNot(matmul)) {
      kept.insert({name, *reason});
      if (auto remark = remark::missed(matmul.getLoc(), options("Matmul")))
        remark
            << llvm::formatv("matmul of {0} ({1} rows) keeps its precision: {2}", name, rowsOf(matmul), *reason).str();
      return;
    }
    auto [full, why] = chooseRows(matmul);
    Value weight = withoutConversions(matmul.getWeight());
    float amax = activationAmax;
    bool isMeasured = false;
    if (full)
      std::tie(amax, isMeasured) = amaxOf(weight);
    quantizeWeight(matmul, weight);
    if (full) {
      matmul.getXMutable().assign(quantizedRows(matmul.getX(), amax));
      matmul.setXScaleAttr(FloatAttr::get(Float32Type::get(&getContext()), amax / kE4M3Max));
    }
    ++(full ? fullMatmuls : weightMatmuls);
    if (auto remark = remark::passed(matmul.getLoc(), options("Matmul")))
      remark << llvm::formatv("matmul of {0} ({1} rows): f8E4M3FN weights, a scale {2}; rows {3}: {4}", name,
                              rowsOf(matmul), perChannel() ? "a channel" : "for all",
                              full ? llvm::formatv("in f8E4M3FN with amax {0}{1}", formatAmax(amax),
                                                   isMeasured ? " of the calibration" : "")
                                         .str()
                                   : "as they are",
                              why)
                    .str();
  }

  /// Why `matmul` stays as it is.
  std::optional<std::string> whyNot(mj::MatmulOp matmul) {
    Operation *producer = matmul.getWeight().getDefiningOp();
    if (!producer || !dependsOnWeightsAlone(producer))
      return "the right operand is no weight";
    if (matmul.getWeightScale() || isa<Float8E4M3FNType>(getElementTypeOrSelf(matmul.getWeight().getType())))
      return "it is quantized already";
    if (!matmul.getTransposeB())
      return "the weight is not transposed: its rows are no output channels";
    SmallVector<StringRef> names = namesOf(matmul.getWeight());
    const NamePattern *excluded = match(excludes, names), *included = match(includes, names);
    if (excluded)
      return "excluded by '" + excluded->text + "'";
    if (!includes.empty() && !included)
      return "no include pattern is like it";
    if (!head && makesLogits(matmul, isLanguageModel))
      return "it makes the logits";
    return std::nullopt;
  }

  static int64_t rowsOf(mj::MatmulOp matmul) { return matmul.getType().getDimSize(0); }

  bool perChannel() { return weightScales == "channel"; }

  /// Whether `matmul` multiplies f8 by f8, and the reason.
  std::pair<bool, std::string> chooseRows(mj::MatmulOp matmul) {
    if (matmuls != "auto")
      return {matmuls == "full", "asked for"};
    if (!profile->multipliesF8 || profile->readBandwidth <= 0)
      return {false, profile->name + " does not multiply f8 faster"};
    // Fewer rows take less time to multiply in bf16 than their weights, a byte each, take to be read.
    double threshold = profile->flopsBf16 / (2 * profile->readBandwidth);
    bool full = double(rowsOf(matmul)) > threshold;
    return {full, llvm::formatv("{0} multiplies bf16 as fast as it reads weights up to {1:f0} rows", profile->name,
                                std::floor(threshold))
                      .str()};
  }

  /// The largest magnitude expected of the rows that `weight` multiplies, and whether that is a measurement.
  std::pair<float, bool> amaxOf(Value weight) {
    float largest = 0;
    for (StringRef name : namesOf(weight))
      if (auto found = measured.activations.find(name.str()); found != measured.activations.end())
        largest = std::max(largest, found->second);
    return largest > 0 ? std::pair{largest, true} : std::pair{float(activationAmax), false};
  }

  void quantizeWeight(mj::MatmulOp matmul, Value weight) {
    auto &[quantized, scales] = codes[weight];
    if (!quantized) {
      OpBuilder builder(&getContext());
      builder.setInsertionPointAfterValue(weight);
      auto type = cast<RankedTensorType>(weight.getType());
      auto scaleType = RankedTensorType::get({perChannel() ? type.getDimSize(0) : 1}, builder.getF32Type());
      scales = mj::ChannelScaleOp::create(builder, weight.getLoc(), scaleType, weight);
      auto quantizedType = type.clone(Float8E4M3FNType::get(&getContext()));
      quantized = mj::QuantizeChannelsOp::create(builder, weight.getLoc(), quantizedType, weight, scales);
      auto before = cast<RankedTensorType>(matmul.getWeight().getType());
      if (stored.insert({nameOfWeight(weight), denseBytes(before)}).second)
        storedBytes += denseBytes(quantizedType) + denseBytes(scaleType);
    }
    Operation *before = matmul.getWeight().getDefiningOp();
    matmul.getWeightMutable().assign(quantized);
    matmul.getWeightScaleMutable().assign(scales);
    while (before && isOpTriviallyDead(before)) {
      Operation *source = before->getNumOperands() ? before->getOperand(0).getDefiningOp() : nullptr;
      before->erase();
      before = source;
    }
  }

  /// `x` in f8, once for all matmuls that multiply it.
  Value quantizedRows(Value x, float amax) {
    Value &quantized = rows[{x.getAsOpaquePointer(), amax}];
    if (quantized)
      return quantized;
    OpBuilder builder(&getContext());
    builder.setInsertionPointAfterValue(x);
    auto type = cast<RankedTensorType>(x.getType()).clone(Float8E4M3FNType::get(&getContext()));
    auto multiplier = builder.getF32FloatAttr(kE4M3Max / amax);
    return quantized = mj::QuantizeOp::create(builder, x.getLoc(), type, x, multiplier);
  }

  //===--- Remarks ----------------------------------------------------------===//

  static remark::RemarkOpts options(StringRef name) { return remark::RemarkOpts::name(name).category("quantize-fp8"); }

  /// What was done in all, and the list of what was not.
  void summarize() {
    auto remark = remark::analysis(getOperation().getLoc(), options("Totals"));
    if (!remark || matmuls == "none")
      return;
    int64_t before = 0;
    for (auto &[name, bytes] : stored)
      before += bytes;
    std::string text =
        llvm::formatv("{0} weights of {1} bytes take {2} in f8E4M3FN; {3} matmuls multiply f8 by f8, {4} "
                      "read f8 weights only",
                      stored.size(), before, storedBytes, fullMatmuls, weightMatmuls);
    for (auto [index, entry] : llvm::enumerate(kept))
      text += llvm::formatv("{0}{1} ({2})", index ? ", " : "; kept: ", entry.first, entry.second).str();
    remark << text;
  }

  // Of a run: a pass may be copied between runs.
  SymbolTable *symbols = nullptr;
  const Profile *profile = nullptr;
  Fp8Calibration measured;
  SmallVector<NamePattern> includes, excludes;

  // Of an entry.
  bool isLanguageModel = false;
  llvm::DenseMap<Value, std::pair<Value, Value>> codes; ///< a weight's codes and scales
  std::map<std::pair<void *, float>, Value> rows;       ///< f8 of a value with an amax; only looked up

  // Of all entries.
  std::map<std::string, int64_t> stored;   ///< the bytes that weights took before
  std::map<std::string, std::string> kept; ///< weights that are not quantized, and why
  int64_t storedBytes = 0, fullMatmuls = 0, weightMatmuls = 0;
};

} // namespace
