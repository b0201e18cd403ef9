// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// fold-sdpa-scale: multiplications of queries and keys become the softmax scale of their attention, and that scale,
// where the option asks for it, a factor of a rotary table or of weights.
#include "passes/Passes.h"
#include "passes/ScaleCarriers.h"
#include "passes/Weights.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

namespace mjolnir {
#define GEN_PASS_DEF_FOLDSDPASCALE
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

/// A value is `factor` times what it would be without the multiplications in `scalings`.
struct Scaling {
  double factor = 1.0;
  SmallVector<Operation *> scalings;

  bool empty() const { return scalings.empty(); }
  void multiply(const Scaling &other) {
    factor *= other.factor;
    scalings.append(other.scalings);
  }
};

/// The number that every element of `value` is, where it is known.
std::optional<double> getSplat(Value value) {
  if (auto broadcast = value.getDefiningOp<mj::BroadcastOp>())
    value = broadcast.getSource();
  auto constant = value.getDefiningOp<arith::ConstantOp>();
  auto splat = constant ? dyn_cast<SplatElementsAttr>(constant.getValue()) : SplatElementsAttr();
  if (!splat || !isa<FloatType>(splat.getElementType()))
    return std::nullopt;
  APFloat number = splat.getSplatValue<APFloat>();
  bool lossy;
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
  return number.convertToDouble();
}

/// What `op` multiplies its first operand by, or its second (`index`), if that is one number.
std::optional<double> getFactor(Operation *op, unsigned &index) {
  if (!isa<arith::MulFOp, arith::DivFOp>(op))
    return std::nullopt;
  index = 0;
  std::optional<double> number = getSplat(op->getOperand(1));
  if (!number && isa<arith::MulFOp>(op)) {
    index = 1;
    number = getSplat(op->getOperand(0));
  }
  return number && isa<arith::DivFOp>(op) ? 1.0 / *number : number;
}

/// Looks for multiplications by a number that can be taken out of a value.
class ScalingSearch {
public:
  /// Why a multiplication that was seen cannot be taken out; empty if none was.
  StringRef blocked;

  Scaling collect(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return {};
    if (!hasOneReader(value))
      return block(value, "others read what is scaled");
    unsigned index;
    if (std::optional<double> factor = getFactor(op, index)) {
      if (!(*factor > 0) || !std::isfinite(*factor))
        return block(value, "the factor is not a positive number");
      Scaling scaling = collect(op->getOperand(index));
      scaling.factor *= *factor;
      scaling.scalings.push_back(op);
      return scaling;
    }
    if (isLinearView(op))
      return collect(op->getOperand(0));
    if (isa<mj::RopeOp>(op))
      return product(op->getOperand(0), op->getOperand(2));
    if (isa<mj::MatmulOp, mj::BatchMatmulOp, arith::MulFOp>(op))
      return product(op->getOperand(0), op->getOperand(1));
    if (isa<arith::DivFOp>(op))
      return collect(op->getOperand(0));
    if (isa<arith::AddFOp, arith::SubFOp>(op))
      return common(op->getOperands(), "it is added to what is not scaled by the same number");
    if (auto concat = dyn_cast<mj::ConcatOp>(op))
      return common(concat.getSources(), "it is concatenated with what is not scaled by the same number");
    if (auto norm = dyn_cast<mj::NormOp>(op)) {
      block(norm.getX(), "a norm lies between, which does not keep the factor");
      if (norm.getBias())
        return common({norm.getWeight(), norm.getBias()},
                      "weight and bias of a norm are not scaled by the same number");
      return norm.getWeight() ? collect(norm.getWeight()) : Scaling();
    }
    return {};
  }

  /// The scaling that all of `values` share.
  Scaling common(ValueRange values, StringRef otherwise) {
    Scaling all = collect(values.front());
    for (Value value : values.drop_front()) {
      Scaling scaling = collect(value);
      if ((!all.empty() || !scaling.empty()) && scaling.factor != all.factor) {
        blocked = otherwise;
        return {};
      }
      all.scalings.append(scaling.scalings);
    }
    return all;
  }

private:
  /// Nothing can be taken out of `value`; says why if it is scaled.
  Scaling block(Value value, StringRef reason) {
    while (Operation *op = value.getDefiningOp()) {
      unsigned index;
      if (getFactor(op, index))
        blocked = reason;
      if (!isLinearView(op))
        break;
      value = op->getOperand(0);
    }
    return {};
  }

  Scaling product(Value a, Value b) {
    Scaling scaling = collect(a);
    scaling.multiply(collect(b));
    return scaling;
  }
};

struct FoldSdpaScale : mjolnir::impl::FoldSdpaScaleBase<FoldSdpaScale> {
  using Base::Base;

  void runOnOperation() override {
    std::optional<ScaleCarrier> carrier = symbolizeScaleCarrier(into);
    if (!carrier) {
      getOperation().emitError() << "fold-sdpa-scale knows no carrier '" << std::string(into)
                                 << "'; there are attention, rope-table, weights";
      return signalPassFailure();
    }
    SmallVector<Operation *> attentions;
    for (func::FuncOp entry : getEntries(getOperation()))
      for (Operation &op : entry.getBody().front())
        if (isa<mj::AttentionOp, mj::SdpaOp>(op))
          attentions.push_back(&op);
    for (Operation *op : attentions) {
      if (auto attention = dyn_cast<mj::AttentionOp>(op)) {
        fold(attention, attention.getQuery(), "queries");
      } else {
        auto sdpa = cast<mj::SdpaOp>(op);
        fold(sdpa, sdpa.getQuery(), "queries");
        fold(sdpa, sdpa.getKeys(), "keys");
      }
    }
    if (*carrier != ScaleCarrier::attention)
      moveScales(attentions, *carrier, lossyWeights);
  }

  /// Takes the multiplications out of `values` and into the scale of `op`.
  template <typename Op> static void fold(Op op, ValueRange values, StringRef what) {
    ScalingSearch search;
    Scaling scaling = search.common(values, "the segments are not scaled by the same number");
    double scale = op.getScale().convertToFloat() * scaling.factor;
    if (!scaling.empty() && !std::isnormal(float(scale))) {
      search.blocked = "the product of the scales is no normal f32";
      scaling = {};
    }
    if (scaling.empty()) {
      if (search.blocked.empty())
        return;
      if (auto remark = remark::missed(op->getLoc(), remark::RemarkOpts::name("Scale").category("fold-sdpa-scale")))
        remark << llvm::formatv("the {0} of '{1}' stay scaled: {2}", what, op->getName(), search.blocked).str();
      return;
    }
    op.setScaleAttr(Builder(op.getContext()).getF32FloatAttr(float(scale)));
    for (Operation *multiplication : scaling.scalings) {
      unsigned index = 0;
      (void)getFactor(multiplication, index);
      multiplication->getResult(0).replaceAllUsesWith(multiplication->getOperand(index));
      multiplication->erase();
    }
    if (auto remark = remark::passed(op->getLoc(), remark::RemarkOpts::name("Scale").category("fold-sdpa-scale")))
      remark << llvm::formatv("the factor {0} of the {1} joined the scale of '{2}', which is now {3}",
                              printNumber(scaling.factor), what, op->getName(), printNumber(scale))
                    .str();
  }
};

} // namespace
