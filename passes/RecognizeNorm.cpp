// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// recognize: RMS and layer norms, and softmax, written out.
#include "passes/RecognizePatterns.h"
#include "passes/TensorMatch.h"
#include "passes/Weights.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mjolnir;

static Value withoutCasts(Value value) {
  while (isa_and_present<arith::ExtFOp, arith::TruncFOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

static View withoutCasts(View view) {
  view = view.peel();
  while (isa_and_present<arith::ExtFOp, arith::TruncFOp>(view.value.getDefiningOp()))
    view = view.operand(0);
  return view;
}

/// What a reduction over one axis reads, that axis running along `axis` of the frame.
static View readBy(mj::ReduceOp reduce, const View &result, int64_t axis) {
  View read{reduce.getX(), {}};
  size_t next = 0;
  for (auto [position, size] : llvm::enumerate(tensorOf(reduce.getX()).getShape())) {
    if (llvm::is_contained(reduce.getAxes(), int64_t(position)))
      read.axes.push_back(size == 1 ? -1 : axis);
    else
      read.axes.push_back(result.axes[next++]);
  }
  return withoutCasts(read);
}

namespace {

/// Matches what is normalized by one of its rows' statistics. The frame is the normalized tensor.
class NormMatcher {
public:
  explicit NormMatcher(Operation *root) : root(root), shape(tensorOf(root->getResult(0)).getShape()) {}

  bool match() {
    if (shape.empty() || shape.back() == 1 || ShapedType::isDynamic(shape.back()))
      return false;
    if (isa<arith::DivFOp>(root))
      return matchScaled(root->getOperand(0), root->getOperand(1), /*divides=*/true);
    return isa<arith::MulFOp>(root) && (matchScaled(root->getOperand(0), root->getOperand(1), false) ||
                                        matchScaled(root->getOperand(1), root->getOperand(0), false));
  }

  mj::NormKind kind = mj::NormKind::rms;
  Value x;
  double eps = 0;

private:
  int64_t last() const { return int64_t(shape.size()) - 1; }
  View whole(Value value) const { return View::of(withoutCasts(value)); }

  bool matchScaled(Value scaled, Value factor, bool divides) {
    View view = withoutCasts(View::of(factor));
    // A factor of the whole shape is no statistic of rows.
    if (llvm::is_contained(view.axes, last()))
      return false;
    std::optional<View> variance = divides ? matchRoot(view) : matchInverseRoot(view);
    if (!variance)
      return false;
    View sum = *variance;
    if (auto add = sum.as<arith::AddFOp>()) {
      for (unsigned side : {1u, 0u})
        if (std::optional<double> number = getSplat(add->getOperand(side))) {
          eps = *number;
          sum = withoutCasts(variance->operand(1 - side));
          break;
        }
    }
    if (eps < 0)
      return false;
    std::optional<View> square = matchMean(sum);
    if (!square)
      return declineDifference(sum);
    std::optional<View> base = matchSquare(*square);
    View expected = whole(scaled);
    if (!base || base->value != expected.value)
      return false;
    if (base->axes != expected.axes)
      return decline("the mean of squares is not over the last axis");
    x = scaled;
    matchCentred();
    return true;
  }

  /// v of v^(1/2).
  std::optional<View> matchRoot(View view) {
    if (view.as<math::SqrtOp>())
      return withoutCasts(view.operand(0));
    if (auto power = view.as<math::PowFOp>(); power && isSplat(power.getRhs(), 0.5))
      return withoutCasts(view.operand(0));
    if (auto add = view.as<arith::AddFOp>())
      for (unsigned side : {0u, 1u})
        if (getSplat(add->getOperand(side)))
          if (View inner = withoutCasts(view.operand(1 - side)); inner.as<math::SqrtOp>() && isMeanOfSquares(inner))
            decline("eps is added to the root, not to the mean of squares below it");
    return std::nullopt;
  }

  /// v of v^(-1/2).
  std::optional<View> matchInverseRoot(View view) {
    if (view.as<math::RsqrtOp>())
      return withoutCasts(view.operand(0));
    if (auto power = view.as<math::PowFOp>(); power && isSplat(power.getRhs(), -0.5))
      return withoutCasts(view.operand(0));
    if (auto quotient = view.as<arith::DivFOp>(); quotient && isSplat(quotient.getLhs(), 1.0))
      return matchRoot(withoutCasts(view.operand(1)));
    return std::nullopt;
  }

  bool isMeanOfSquares(const View &root) {
    std::optional<View> square = matchMean(withoutCasts(root.operand(0)));
    return square && matchSquare(*square);
  }

  /// What `view` is the mean of, over one axis; the axis that disappears is taken to be the frame's last.
  std::optional<View> matchMean(View view) {
    double size = double(shape.back());
    bool isSum = false;
    if (auto quotient = view.as<arith::DivFOp>(); quotient && isSplat(quotient.getRhs(), size)) {
      view = withoutCasts(view.operand(0)), isSum = true;
    } else if (auto product = view.as<arith::MulFOp>()) {
      for (unsigned side : {0u, 1u})
        if (std::optional<double> number = getSplat(product->getOperand(side));
            number && float(*number) == float(1 / size)) {
          view = withoutCasts(view.operand(1 - side)), isSum = true;
          break;
        }
    }
    auto reduce = view.as<mj::ReduceOp>();
    if (!reduce || reduce.getAxes().size() != 1 ||
        reduce.getKind() != (isSum ? mj::ReduceKind::sum : mj::ReduceKind::mean))
      return std::nullopt;
    return readBy(reduce, view, last());
  }

  std::optional<View> matchSquare(const View &view) {
    if (auto product = view.as<arith::MulFOp>(); product && product.getLhs() == product.getRhs())
      return withoutCasts(view.operand(0));
    if (auto power = view.as<math::PowFOp>(); power && isSplat(power.getRhs(), 2.0))
      return withoutCasts(view.operand(0));
    if (auto power = view.as<math::FPowIOp>(); power && isSplat(power.getRhs(), 2.0))
      return withoutCasts(view.operand(0));
    return std::nullopt;
  }

  /// Rows that are centred before make it a layer norm.
  void matchCentred() {
    auto centred = withoutCasts(x).getDefiningOp<arith::SubFOp>();
    if (!centred)
      return;
    std::optional<View> mean = matchMean(withoutCasts(View::of(centred.getRhs())));
    if (mean && *mean == whole(centred.getLhs())) {
      kind = mj::NormKind::layer;
      x = centred.getLhs();
    }
  }

  /// E[x^2] - E[x]^2 cancels where the mean is large; mj.norm would compute another number.
  bool declineDifference(const View &view) {
    auto difference = view.as<arith::SubFOp>();
    if (!difference)
      return false;
    std::optional<View> square = matchMean(withoutCasts(view.operand(0)));
    std::optional<View> mean = matchSquare(withoutCasts(view.operand(1)));
    if (square && matchSquare(*square) && mean && matchMean(*mean))
      decline("the variance is E[x^2] - E[x]^2, which loses digits that mj.norm keeps");
    return false;
  }

  bool decline(StringRef reason) {
    sayNotRecognized(root->getLoc(), "Norm", ("norm not recognized: " + reason).str());
    return false;
  }

  Operation *root;
  ArrayRef<int64_t> shape;
};

/// What a norm is multiplied with or gets added: one value for each element of the last axis, there before the program
/// runs or given to it. Null if `value` is something else.
Value matchAffine(Value value, ArrayRef<int64_t> shape) {
  View view = View::of(value).peel();
  int64_t size = shape.back(), last = int64_t(shape.size()) - 1;
  auto type = tensorOf(view.value);
  if (!type.hasStaticShape() || type.getNumElements() != size || !llvm::is_contained(view.axes, last))
    return {};
  Operation *producer = view.value.getDefiningOp();
  bool isWeight = producer && dependsOnWeightsAlone(producer);
  if (!isWeight && (producer || type.getRank() != 1))
    return {};
  OpBuilder builder(value.getContext());
  if (producer)
    builder.setInsertionPointAfter(producer);
  return type.getRank() == 1 ? view.value : createReshape(builder, value.getLoc(), view.value, {size});
}

void replaceNorm(Operation *root, NormMatcher &norm) {
  Value result = root->getResult(0), weight, bias;
  ArrayRef<int64_t> shape = tensorOf(result).getShape();
  Operation *end = root;
  for (Value value = result; Operation *user = getOnlyReader(value);) {
    // Casts on the way to a weight are roundings that the norm does not make.
    if (isa<arith::ExtFOp, arith::TruncFOp>(user)) {
      value = user->getResult(0);
      continue;
    }
    if (!isa<arith::MulFOp, arith::AddFOp>(user))
      break;
    Value affine = matchAffine(user->getOperand(user->getOperand(0) == value ? 1 : 0), shape);
    if (!affine)
      break;
    if (isa<arith::MulFOp>(user) && !weight && !bias)
      weight = affine;
    else if (isa<arith::AddFOp>(user) && weight && !bias && norm.kind == mj::NormKind::layer)
      bias = affine;
    else
      break;
    end = user;
    value = result = user->getResult(0);
  }
  OpBuilder builder(end);
  auto op = mj::NormOp::create(builder, end->getLoc(), result.getType(), norm.kind, norm.x, weight, bias,
                               APFloat(float(norm.eps)));
  result.replaceAllUsesWith(op.getResult());
  sayRecognized(end->getLoc(), "Norm",
                llvm::formatv("{0} norm of {1} elements{2}{3}, eps {4}", mj::stringifyNormKind(norm.kind), shape.back(),
                              weight ? " with weight " + nameOfWeight(weight) : "",
                              bias ? " and bias " + nameOfWeight(bias) : "", toText(norm.eps))
                    .str());
}

/// exp(x - max(x)) / sum(exp(x - max(x))) over the last axis.
void recognizeSoftmax(arith::DivFOp root) {
  auto exponential = withoutCasts(root.getLhs()).getDefiningOp<math::ExpOp>();
  auto type = tensorOf(root.getResult());
  View sum = withoutCasts(View::of(root.getRhs()));
  auto total = sum.as<mj::ReduceOp>();
  auto shifted = exponential ? withoutCasts(exponential.getOperand()).getDefiningOp<arith::SubFOp>() : arith::SubFOp();
  if (!shifted || !total || total.getKind() != mj::ReduceKind::sum || total.getAxes().size() != 1)
    return;
  View largest = withoutCasts(View::of(shifted.getRhs()));
  auto maximum = largest.as<mj::ReduceOp>();
  if (!maximum || maximum.getKind() != mj::ReduceKind::max || maximum.getAxes().size() != 1)
    return;
  int64_t last = type.getRank() - 1;
  View exponentials = readBy(total, sum, last), scores = readBy(maximum, largest, last);
  Value x = shifted.getLhs();
  if (exponentials.value != exponential.getResult() || scores.value != withoutCasts(x))
    return;
  if (exponentials.axes != View::of(exponential.getResult()).axes || scores.axes != View::of(x).axes) {
    sayNotRecognized(root.getLoc(), "Softmax", "softmax not recognized: it is not over the last axis");
    return;
  }
  OpBuilder builder(root);
  auto softmax = mj::SoftmaxOp::create(builder, root.getLoc(), type, x);
  root.getResult().replaceAllUsesWith(softmax.getResult());
  sayRecognized(root.getLoc(), "Softmax", llvm::formatv("softmax of {0} elements", type.getShape().back()).str());
}

} // namespace

void mjolnir::recognizeNorms(func::FuncOp entry) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(entry.getBody().front()))) {
    if (op.use_empty() || !isa<arith::MulFOp, arith::DivFOp>(op) || !isElementwise(&op))
      continue;
    NormMatcher norm(&op);
    if (norm.match())
      replaceNorm(&op, norm);
    else if (auto quotient = dyn_cast<arith::DivFOp>(op))
      recognizeSoftmax(quotient);
  }
}
