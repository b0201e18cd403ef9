// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// merge-projections: matmuls of one input become one, where the chip's profile says that it pays.
#include "passes/MergeCost.h"
#include "passes/Passes.h"
#include "passes/Weights.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "mjolnir/Target/Target.h"

#include "mlir/IR/Remarks.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

namespace mjolnir {
#define GEN_PASS_DEF_MERGEPROJECTIONS
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;
using mj::tensorOf;

namespace {

using Matmuls = SmallVector<mj::MatmulOp>;

/// Matmuls of the same weights, in each entry that has them.
struct Group {
  SmallVector<std::string> weights;
  SmallVector<Matmuls> places;
};

bool isOfWeights(Value value) { return value.getDefiningOp() && dependsOnWeightsAlone(value.getDefiningOp()); }

/// Whether `b` can be columns of the same product as `a`.
bool isCompatible(mj::MatmulOp a, mj::MatmulOp b) {
  unsigned inner = a.getTransposeB() ? 1 : 0;
  auto isPerChannel = [](mj::MatmulOp op) {
    return !op.getWeightScale() ||
           tensorOf(op.getWeightScale()).getDimSize(0) == tensorOf(op.getResult()).getDimSize(1);
  };
  return a.getX() == b.getX() && a.getTransposeB() == b.getTransposeB() && a.getXScaleAttr() == b.getXScaleAttr() &&
         tensorOf(a.getWeight()).getElementType() == tensorOf(b.getWeight()).getElementType() &&
         tensorOf(a.getWeight()).getDimSize(inner) == tensorOf(b.getWeight()).getDimSize(inner) &&
         tensorOf(a).getElementType() == tensorOf(b).getElementType() && !a.getWeightScale() == !b.getWeightScale() &&
         isPerChannel(a) && isPerChannel(b);
}

/// Matmuls of one input that no attention lies between: those of the same layer, where all layers read one context.
SmallVector<Matmuls> collectMatmuls(Block &block) {
  SmallVector<Matmuls> all, open;
  auto close = [&] {
    for (Matmuls &matmuls : open)
      if (matmuls.size() > 1)
        all.push_back(std::move(matmuls));
    open.clear();
  };
  for (Operation &op : block) {
    if (isa<mj::SdpaOp, mj::AttentionOp>(op))
      close();
    auto matmul = dyn_cast<mj::MatmulOp>(op);
    if (!matmul || !isOfWeights(matmul.getWeight()))
      continue;
    auto found = llvm::find_if(open, [&](Matmuls &matmuls) { return isCompatible(matmuls.front(), matmul); });
    if (found == open.end())
      open.push_back({matmul});
    else if (llvm::none_of(*found, [&](mj::MatmulOp other) { return other.getWeight() == matmul.getWeight(); }))
      found->push_back(matmul);
  }
  close();
  return all;
}

/// Whether pointwise operations bring the results of `matmuls` together before anything else reads them, as gate and up
/// projections do: form-fusions makes one region of them.
bool meetPointwise(ArrayRef<mj::MatmulOp> matmuls) {
  SetVector<Operation *> reached;
  reached.insert(matmuls.front());
  for (unsigned i = 0; i < reached.size(); ++i)
    for (Operation *user : reached[i]->getUsers())
      if (mj::isPointwise(user) && user->hasOneUse())
        reached.insert(user);
  return llvm::all_of(matmuls, [&](mj::MatmulOp matmul) {
    return matmul == matmuls.front() ||
           llvm::any_of(matmul->getUsers(), [&](Operation *user) { return reached.contains(user); });
  });
}

/// The bias that is all that reads `matmul`, or null.
arith::AddFOp getBiasSum(mj::MatmulOp matmul) {
  arith::AddFOp sum;
  for (OpOperand &use : matmul->getUses()) {
    if (auto broadcast = dyn_cast<mj::BroadcastOp>(use.getOwner()); broadcast && &use == &broadcast.getLikeMutable())
      continue;
    auto add = dyn_cast<arith::AddFOp>(use.getOwner());
    if (!add || sum)
      return {};
    auto broadcast = add->getOperand(1 - use.getOperandNumber()).getDefiningOp<mj::BroadcastOp>();
    if (!broadcast || !isOfWeights(broadcast.getSource()) || tensorOf(broadcast.getSource()).getRank() != 1)
      return {};
    sum = add;
  }
  return sum;
}

Value getBias(mj::MatmulOp matmul, arith::AddFOp sum) {
  Value other = sum.getLhs() == matmul.getResult() ? sum.getRhs() : sum.getLhs();
  return other.getDefiningOp<mj::BroadcastOp>().getSource();
}

/// Moves what `value` is computed from in front of `place`.
void hoistBefore(Value value, Operation *place) {
  Operation *op = value.getDefiningOp();
  if (op->isBeforeInBlock(place))
    return;
  for (Operation *producer : llvm::map_range(op->getOperands(), [](Value operand) { return operand.getDefiningOp(); }))
    hoistBefore(producer->getResult(0), place);
  op->moveBefore(place);
}

/// `parts` one after the other along `axis`, before `place`.
Value concatenate(OpBuilder &builder, ArrayRef<Value> parts, int64_t axis, Operation *place) {
  int64_t size = 0;
  SmallVector<Location> locations;
  for (Value part : parts) {
    hoistBefore(part, place);
    size += tensorOf(part).getDimSize(axis);
    locations.push_back(part.getLoc());
  }
  SmallVector<int64_t> shape(tensorOf(parts.front()).getShape());
  shape[axis] = size;
  return mj::ConcatOp::create(builder, builder.getFusedLoc(locations), tensorOf(parts.front()).clone(shape), parts,
                              axis);
}

/// One matmul for `matmuls`, and the columns of each.
void merge(MutableArrayRef<mj::MatmulOp> matmuls) {
  mj::MatmulOp first = matmuls.front();
  OpBuilder builder(first);
  auto collect = [&](auto get) {
    return llvm::map_to_vector(matmuls, [&](mj::MatmulOp op) -> Value { return get(op); });
  };
  Value weight = concatenate(builder, collect([](mj::MatmulOp op) { return op.getWeight(); }),
                             first.getTransposeB() ? 0 : 1, first);
  Value scale;
  if (first.getWeightScale())
    scale = concatenate(builder, collect([](mj::MatmulOp op) { return op.getWeightScale(); }), 0, first);
  int64_t columns = 0;
  SmallVector<Location> locations;
  for (mj::MatmulOp matmul : matmuls) {
    columns += tensorOf(matmul).getDimSize(1);
    locations.push_back(matmul.getLoc());
  }
  Location loc = builder.getFusedLoc(locations);
  auto type = RankedTensorType::get({tensorOf(first).getDimSize(0), columns}, tensorOf(first).getElementType());
  Value merged = mj::MatmulOp::create(builder, loc, type, first.getX(), weight, scale, first.getTransposeB(),
                                      first.getXScaleAttr());

  SmallVector<Value> replaced = collect([](mj::MatmulOp op) { return op.getResult(); });
  SmallVector<arith::AddFOp> sums = llvm::map_to_vector(matmuls, [](mj::MatmulOp op) { return getBiasSum(op); });
  bool isBiased = llvm::all_of(sums, [](arith::AddFOp sum) { return sum; });
  if (isBiased) {
    SmallVector<Value> biases;
    for (auto [matmul, sum] : llvm::zip(matmuls, sums))
      biases.push_back(getBias(matmul, sum));
    isBiased = llvm::all_of(
        biases, [&](Value bias) { return tensorOf(bias).getElementType() == tensorOf(first).getElementType(); });
    if (isBiased) {
      Value bias = concatenate(builder, biases, 0, first);
      Value spread = mj::BroadcastOp::create(builder, loc, type, bias, merged);
      merged = arith::AddFOp::create(builder, loc, merged, spread);
      replaced = llvm::map_to_vector(sums, [](arith::AddFOp sum) -> Value { return sum.getResult(); });
    }
  }
  SmallVector<Value> parts;
  int64_t offset = 0;
  for (Value value : replaced) {
    parts.push_back(mj::SliceOp::create(builder, value.getLoc(), tensorOf(value), merged, ArrayRef<int64_t>{0, offset},
                                        ArrayRef<int64_t>{1, 1}));
    offset += tensorOf(value).getDimSize(1);
  }
  for (auto [matmul, sum, value, part] : llvm::zip(matmuls, sums, replaced, parts)) {
    value.replaceAllUsesWith(part);
    if (isBiased) {
      Operation *spread = (sum.getLhs() == matmul.getResult() ? sum.getRhs() : sum.getLhs()).getDefiningOp();
      sum.erase();
      if (spread->use_empty())
        spread->erase();
      // Broadcasts of something else may have taken their shape from here.
      matmul.getResult().replaceAllUsesWith(part);
    }
    matmul.erase();
  }
}

struct MergeProjections : mjolnir::impl::MergeProjectionsBase<MergeProjections> {
  using Base::Base;

  void runOnOperation() override {
    std::string error;
    std::unique_ptr<Target> chip = createTarget(target, error);
    if (chip && force != "auto" && force != "true" && force != "false")
      error = "merge-projections takes force=auto, true or false, not '" + force + "'";
    FusionRules changed = chip ? chip->getFusionRules() : FusionRules();
    for (const std::string &rule : rules)
      if (error.empty())
        (void)applyRule(rule, changed, error);
    if (!error.empty()) {
      getOperation().emitError(error);
      return signalPassFailure();
    }
    if (force == "false")
      return;
    // A group that is merged had no other readers, so what is erased with it is not asked for again.
    collectReaders();
    for (Group &group : collectGroups()) {
      std::string text;
      bool isMerged = decide(group, chip->getProfile(), changed, text);
      report(group, isMerged, text);
      if (isMerged)
        for (Matmuls &matmuls : group.places)
          merge(matmuls);
    }
  }

private:
  llvm::StringMap<SmallVector<Operation *>> readers; ///< of each weight, by keyOf

  /// What a weight is, in any entry.
  static std::string keyOf(Value value) {
    Operation *op = value.getDefiningOp();
    std::string key;
    llvm::raw_string_ostream stream(key);
    stream << op->getName() << op->getAttrDictionary() << op->getResult(0).getType();
    for (Value operand : op->getOperands())
      stream << '(' << keyOf(operand) << ')';
    return key;
  }

  SmallVector<Group> collectGroups() {
    llvm::MapVector<StringAttr, Group> groups;
    for (func::FuncOp entry : getEntries(getOperation()))
      for (Matmuls &matmuls : collectMatmuls(entry.getBody().front())) {
        auto weights = llvm::map_to_vector(matmuls, [](mj::MatmulOp op) { return keyOf(op.getWeight()); });
        Group &group = groups[StringAttr::get(&getContext(), llvm::join(weights, "\n"))];
        group.weights = weights;
        group.places.push_back(std::move(matmuls));
      }
    return llvm::map_to_vector(groups, [](auto &pair) { return std::move(pair.second); });
  }

  /// Finds who reads each weight, in all entries, once for all groups.
  void collectReaders() {
    readers.clear();
    for (func::FuncOp entry : getEntries(getOperation()))
      for (Operation &op : entry.getBody().front())
        if (!dependsOnWeightsAlone(&op))
          for (Value operand : op.getOperands())
            if (isOfWeights(operand))
              readers[keyOf(operand)].push_back(&op);
  }

  /// An operation that reads a weight of `group` and is none of its matmuls: merged, the weight would be stored twice.
  Operation *findOtherReader(const Group &group) {
    llvm::SmallPtrSet<Operation *, 16> members;
    for (const Matmuls &matmuls : group.places)
      members.insert_range(matmuls);
    for (const std::string &weight : group.weights)
      for (Operation *reader : readers.lookup(weight))
        if (!members.contains(reader))
          return reader;
    return nullptr;
  }

  /// Whether to merge, for all entries together; `text` says why or why not.
  bool decide(const Group &group, const Profile &profile, const FusionRules &rules, std::string &text) {
    if (Operation *reader = findOtherReader(group)) {
      auto entry = reader->getParentOfType<func::FuncOp>();
      text = llvm::formatv("'{0}' of @{1} reads one of the weights by itself, which would be stored twice",
                           reader->getName(), entry.getSymName());
      return false;
    }
    if (force == "true") {
      text = "asked for";
      return true;
    }
    if (rules.parallelMatmuls) {
      text = "one region multiplies by several weights on this target";
      return false;
    }
    if (llvm::all_of(group.places, [](const Matmuls &matmuls) { return meetPointwise(matmuls); })) {
      text = "pointwise operations bring the results together, in one region";
      return false;
    }
    for (const Matmuls &matmuls : group.places)
      if (mj::MatmulOp first = matmuls.front(); !tensorOf(first).hasStaticShape()) {
        text = "the number of rows is not known before specialize-buckets";
        return false;
      }
    // Each entry counts the same: how often it runs is not known.
    double gain = 0;
    for (const Matmuls &matmuls : group.places) {
      auto sizes = llvm::map_to_vector(matmuls, [](mj::MatmulOp op) { return sizeOf(op); });
      MergePrediction prediction = predictMerge(sizes, profile, rules);
      gain += prediction.gain() / double(group.places.size());
      auto entry = matmuls.front()->getParentOfType<func::FuncOp>();
      text +=
          llvm::formatv("{0}@{1}: {2} rows, {3} us apart ({4} tiles for {5} processors), {6} us as one{7}",
                        text.empty() ? "" : "; ", entry.getSymName(), sizes.front().rows,
                        printMicroseconds(prediction.separate), countTiles(sizes, profile), profile.processors,
                        printMicroseconds(prediction.merged), prediction.slices > 0 ? " with a copy of each part" : "")
              .str();
    }
    text = llvm::formatv("{0} predicts a gain of {1}% in time, {2}% are asked for ({3})", profile.name, int(100 * gain),
                         int(100 * kLeastMergeGain), text);
    return gain >= kLeastMergeGain;
  }

  static MatmulSize sizeOf(mj::MatmulOp op) {
    auto x = tensorOf(op.getX()), weight = tensorOf(op.getWeight());
    return {x.getDimSize(0), tensorOf(op).getDimSize(1), x.getDimSize(1), x.getElementTypeBitWidth(),
            weight.getElementTypeBitWidth()};
  }

  /// "24 + 8 + 8".
  static std::string countTiles(ArrayRef<MatmulSize> sizes, const Profile &profile) {
    return llvm::join(
        llvm::map_range(sizes, [&](const MatmulSize &size) { return std::to_string(countMatmulTiles(size, profile)); }),
        " + ");
  }

  static std::string printMicroseconds(double seconds) {
    SmallString<16> text;
    APFloat(seconds * 1e6).toString(text, /*FormatPrecision=*/3, /*FormatMaxPadding=*/6);
    return text.str().str();
  }

  static void report(const Group &group, bool isMerged, StringRef text) {
    mj::MatmulOp first = group.places.front().front();
    auto options = remark::RemarkOpts::name("Merge").category("merge-projections");
    auto remark = isMerged ? remark::passed(first.getLoc(), options) : remark::missed(first.getLoc(), options);
    if (!remark)
      return;
    std::string names;
    llvm::raw_string_ostream stream(names);
    llvm::interleaveComma(group.places.front(), stream,
                          [&](mj::MatmulOp op) { stream << nameOfWeight(op.getWeight()); });
    std::string everywhere =
        group.places.size() > 1 ? llvm::formatv(" in {0} entries alike", group.places.size()).str() : "";
    remark
        << llvm::formatv("{0} {1}{2}: {3}", names, isMerged ? "are one matmul" : "stay apart", everywhere, text).str();
  }
};

} // namespace
