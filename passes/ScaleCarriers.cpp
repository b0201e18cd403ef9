// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Moves softmax scales into rotary tables and weights.
#include "passes/ScaleCarriers.h"

#include "passes/Weights.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace mlir;
using namespace mjolnir;

std::optional<ScaleCarrier> mjolnir::symbolizeScaleCarrier(StringRef name) {
  if (name == "attention")
    return ScaleCarrier::attention;
  if (name == "rope-table")
    return ScaleCarrier::ropeTable;
  return name == "weights" ? std::optional(ScaleCarrier::weights) : std::nullopt;
}

bool mjolnir::isLinearView(Operation *op) {
  return isa<mj::ReshapeOp, mj::TransposeOp, mj::SliceOp, mj::BroadcastOp, arith::ExtFOp, arith::TruncFOp,
             arith::NegFOp>(op);
}

bool mjolnir::hasOneReader(Value value) {
  return llvm::count_if(value.getUses(), [](OpOperand &use) {
           auto broadcast = dyn_cast<mj::BroadcastOp>(use.getOwner());
           return !broadcast || &use == &broadcast.getSourceMutable();
         }) == 1;
}

std::string mjolnir::printNumber(double number) {
  SmallString<32> text;
  APFloat(number).toString(text, /*FormatPrecision=*/6);
  return text.str().str();
}

static APFloat getScale(Operation *attention) {
  if (auto sdpa = dyn_cast<mj::SdpaOp>(attention))
    return sdpa.getScale();
  return cast<mj::AttentionOp>(attention).getScale();
}

static void setScale(Operation *attention, float scale) {
  FloatAttr attribute = Builder(attention->getContext()).getF32FloatAttr(scale);
  if (auto sdpa = dyn_cast<mj::SdpaOp>(attention))
    sdpa.setScaleAttr(attribute);
  else
    cast<mj::AttentionOp>(attention).setScaleAttr(attribute);
}

static bool isPowerOfTwo(float number) {
  int exponent;
  return std::isnormal(number) && number > 0 && std::frexp(number, &exponent) == 0.5f;
}

static bool isOfWeights(Value value) { return value.getDefiningOp() && dependsOnWeightsAlone(value.getDefiningOp()); }

/// The element type in which a weight is stored, before conversions.
static Type storedElement(Value value) {
  while (auto widened = value.getDefiningOp<arith::ExtFOp>())
    value = widened.getIn();
  return getElementTypeOrSelf(value.getType());
}

namespace {

/// An attention whose scale moves into `carriers`: each is multiplied by it.
struct Move {
  Operation *attention;
  float scale;
  SmallVector<OpOperand *> carriers;
  std::string reason; ///< why not; empty if it can
};

/// Finds what the queries of an attention are computed with.
class CarrierSearch {
public:
  CarrierSearch(Move &move, ScaleCarrier carrier, bool lossy) : move(move), carrier(carrier), lossy(lossy) {}

  void run() {
    if (!find(move.attention->getOperand(0)))
      move.carriers.clear();
  }

private:
  bool fail(const Twine &reason) {
    if (move.reason.empty())
      move.reason = reason.str();
    return false;
  }

  /// Finds operands that multiply `value` by the scale when each is multiplied by it.
  bool find(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return fail("the queries are an argument");
    if (!hasOneReader(value))
      return fail("others read what '" + op->getName().getStringRef() + "' makes of it");
    if (auto broadcast = dyn_cast<mj::BroadcastOp>(op); broadcast && isOfWeights(broadcast.getSource()))
      return addWeight(broadcast.getSourceMutable());
    if (isLinearView(op))
      return find(op->getOperand(0));
    if (auto rope = dyn_cast<mj::RopeOp>(op)) {
      if (carrier == ScaleCarrier::weights)
        return find(rope.getX());
      if (!isOfWeights(rope.getTable()))
        return fail("the rotary table is not known before the program runs");
      move.carriers.push_back(&rope.getTableMutable());
      return true;
    }
    if (carrier == ScaleCarrier::ropeTable)
      return fail("'" + op->getName().getStringRef() + "' lies between the queries and a rotary embedding");
    if (auto norm = dyn_cast<mj::NormOp>(op)) {
      if (!norm.getWeight())
        return fail("the norm of the queries has no weight");
      // A norm computes in f32, and its weights stay f32 where they were: any factor rounds like any other.
      OpOperand *weight = &norm.getWeightMutable()[0];
      return addWeight(*weight) && (!norm.getBias() || addWeight(norm.getBiasMutable()[0]));
    }
    if (auto matmul = dyn_cast<mj::MatmulOp>(op))
      return addWeight(matmul.getWeightScale() ? matmul.getWeightScaleMutable()[0] : matmul.getWeightMutable());
    if (isa<arith::AddFOp, arith::SubFOp>(op))
      return find(op->getOperand(0)) && find(op->getOperand(1));
    return fail("'" + op->getName().getStringRef() + "' has no weight to take the scale");
  }

  bool addWeight(OpOperand &operand) {
    Value value = operand.get();
    if (!isOfWeights(value))
      return fail("'" + operand.getOwner()->getName().getStringRef() + "' multiplies by no weight");
    bool computesInF32 = isa<mj::NormOp>(operand.getOwner()) && getElementTypeOrSelf(value.getType()).isF32();
    Type element = computesInF32 ? getElementTypeOrSelf(value.getType()) : storedElement(value);
    if (isa<Float8E4M3FNType>(element))
      return fail(nameOfWeight(value) + " is quantized");
    if (!element.isF32() && !isPowerOfTwo(move.scale) && !lossy)
      return fail(llvm::formatv("{0} is {1}, which {2} would round again: ask with lossy-weights", nameOfWeight(value),
                                element, printNumber(move.scale))
                      .str());
    move.carriers.push_back(&operand);
    return true;
  }

  Move &move;
  ScaleCarrier carrier;
  bool lossy;
};

} // namespace

/// The weights of the checkpoint that `value` is computed from.
static void collectSymbols(Value value, SetVector<StringRef> &symbols) {
  Operation *op = value.getDefiningOp();
  if (auto weight = dyn_cast_or_null<mj::GetWeightOp>(op))
    symbols.insert(weight.getWeight());
  if (op)
    for (Value operand : op->getOperands())
      collectSymbols(operand, symbols);
}

/// Drops moves into weights that another operation, of any entry, reads too or that another attention scales otherwise.
static void keepUnshared(MutableArrayRef<Move> moves) {
  if (moves.empty())
    return;
  // All reads of a weight outside of computation on weights.
  llvm::MapVector<StringRef, SmallVector<OpOperand *>> reads;
  auto module = moves.front().attention->getParentOfType<ModuleOp>();
  for (func::FuncOp entry : getEntries(module))
    for (Operation &op : entry.getBody().front())
      for (OpOperand &operand : op.getOpOperands())
        if (isOfWeights(operand.get()) && !dependsOnWeightsAlone(&op)) {
          SetVector<StringRef> symbols;
          collectSymbols(operand.get(), symbols);
          for (StringRef symbol : symbols)
            reads[symbol].push_back(&operand);
        }
  // A move that is dropped may take the ground from another one.
  for (bool changed = true; changed;) {
    changed = false;
    llvm::DenseMap<OpOperand *, float> scaled;
    for (Move &move : moves)
      for (OpOperand *carrier : move.carriers)
        scaled[carrier] = move.scale;
    for (Move &move : moves) {
      SetVector<StringRef> symbols;
      for (OpOperand *carrier : move.carriers)
        collectSymbols(carrier->get(), symbols);
      for (StringRef symbol : symbols)
        for (OpOperand *read : reads[symbol])
          if (auto found = scaled.find(read); found == scaled.end() || found->second != move.scale) {
            move.reason = ("others read @" + symbol).str();
            move.carriers.clear();
            changed = true;
          }
    }
  }
}

/// `value` times `scale`, on the side of the weights: in its own type where that is exact, else by way of f32.
static Value multiply(Value value, float scale) {
  OpBuilder builder(value.getContext());
  builder.setInsertionPointAfterValue(value);
  Location loc = value.getLoc();
  auto type = cast<RankedTensorType>(value.getType());
  bool isDirect = type.getElementType().isF32() || isPowerOfTwo(scale);
  auto wide = isDirect ? type : RankedTensorType::get(type.getShape(), builder.getF32Type());
  if (!isDirect)
    value = arith::ExtFOp::create(builder, loc, wide, value);
  auto factor = DenseElementsAttr::get(wide, builder.getFloatAttr(wide.getElementType(), scale).getValue());
  Value product = arith::MulFOp::create(builder, loc, value, arith::ConstantOp::create(builder, loc, factor));
  return isDirect ? product : arith::TruncFOp::create(builder, loc, type, product).getResult();
}

static void explain(const Move &move, ScaleCarrier carrier, ArrayRef<Value> scaled) {
  auto options = remark::RemarkOpts::name("Carrier").category("fold-sdpa-scale");
  if (move.carriers.empty()) {
    if (auto remark = remark::missed(move.attention->getLoc(), options))
      remark << llvm::formatv("the scale {0} of '{1}' stays in the attention: {2}", printNumber(move.scale),
                              move.attention->getName(), move.reason)
                    .str();
    return;
  }
  auto remark = remark::passed(move.attention->getLoc(), options);
  if (!remark)
    return;
  std::string names;
  bool isLossy = false, isExact = isPowerOfTwo(move.scale);
  for (auto [index, value] : llvm::enumerate(scaled)) {
    names += (index ? " and " : "") + nameOfWeight(value);
    isLossy |= !isExact && !storedElement(value).isF32() && !getElementTypeOrSelf(value.getType()).isF32();
  }
  remark << llvm::formatv("the scale {0} of '{1}' moved into {2}: {3}", printNumber(move.scale),
                          move.attention->getName(), names,
                          isExact                              ? "exact, a power of two"
                          : isLossy                            ? "lossy, the weights are rounded again"
                          : carrier == ScaleCarrier::ropeTable ? "a table of their own for the queries, in f32"
                                                               : "rounding only, in f32")
                .str();
}

void mjolnir::moveScales(ArrayRef<Operation *> attentions, ScaleCarrier carrier, bool lossy) {
  SmallVector<Move> moves;
  for (Operation *attention : attentions) {
    float scale = getScale(attention).convertToFloat();
    if (scale == 1.0f)
      continue;
    Move &move = moves.emplace_back(Move{attention, scale, {}, ""});
    if (!(scale > 0) || !std::isnormal(scale))
      move.reason = "it is not a positive number";
    else
      CarrierSearch(move, carrier, lossy).run();
  }
  // Tables may have other readers: the queries get their own.
  if (carrier == ScaleCarrier::weights)
    keepUnshared(moves);
  llvm::DenseMap<std::pair<Value, uint32_t>, Value> products;
  for (Move &move : moves) {
    SmallVector<Value> scaled;
    for (OpOperand *operand : move.carriers) {
      scaled.push_back(operand->get());
      Value &product = products[{operand->get(), llvm::bit_cast<uint32_t>(move.scale)}];
      if (!product)
        product = multiply(operand->get(), move.scale);
      operand->set(product);
    }
    explain(move, carrier, scaled);
    if (!scaled.empty())
      setScale(move.attention, 1.0f);
  }
}
