// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// recognize: attention written as two stacks of matrix products with a softmax between them.
//
// What stacks a product has besides heads, such as a batch, are heads as well: each attends for itself, and grouped
// heads stay next to each other.
#include "passes/RecognizePatterns.h"
#include "passes/TensorMatch.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;
using namespace mjolnir;

/// Scores of at most this are as good as -infinity: exp of the distance to a visible score is 0 in f32.
static constexpr double kHidden = -1.0e4;
/// Added to a score, leaves none of it in f32 or in bf16 whatever the score: a row that is hidden wholly stays the mean
/// that it was, which -1e9 does not do for scores above half of its last digit, 32. Far from f32's end: kernels may
/// scale it.
static constexpr double kAbsorbing = -0x1p100;

namespace {

class AttentionMatcher {
public:
  explicit AttentionMatcher(mj::SoftmaxOp softmax) : softmax(softmax), builder(softmax), loc(softmax.getLoc()) {}

  void run() {
    if (!tensorOf(softmax.getX()).hasStaticShape() || tensorOf(softmax.getX()).getRank() < 2)
      return;
    if (!findValues() || !findScores())
      return;
    if (std::string reason = replace(); !reason.empty())
      decline(reason);
  }

private:
  void decline(const std::string &reason) { sayNotRecognized(loc, "Attention", "attention not recognized: " + reason); }

  /// Whether `op` leaves the rows of the last two axes as they are.
  static bool keepsMatrices(Operation *op) {
    if (isa<arith::ExtFOp, arith::TruncFOp>(op))
      return true;
    auto reshape = dyn_cast<mj::ReshapeOp>(op);
    if (!reshape)
      return false;
    ArrayRef<int64_t> from = tensorOf(reshape.getSource()).getShape(), to = tensorOf(reshape.getResult()).getShape();
    return from.size() >= 2 && to.size() >= 2 && from.take_back(2) == to.take_back(2);
  }

  /// The product of the probabilities with the values.
  bool findValues() {
    Value probabilities = softmax.getResult();
    while (Operation *reader = getOnlyReader(probabilities)) {
      if (!keepsMatrices(reader))
        break;
      probabilities = reader->getResult(0);
    }
    for (OpOperand &use : probabilities.getUses())
      if (auto product = dyn_cast<mj::BatchMatmulOp>(use.getOwner()); product && use.getOperandNumber() == 0)
        second = product;
    if (!second)
      return false;
    // Values may be there after the softmax only.
    builder.setInsertionPoint(second);
    isShared = !getOnlyReader(probabilities);
    return true;
  }

  /// The product of queries and keys, what it is scaled with and the mask. Says why not where there is such a product.
  bool findScores() {
    Value value = softmax.getX();
    std::string reason;
    while (true) {
      Operation *op = value.getDefiningOp();
      if (!op)
        return false;
      if (!getOnlyReader(value) && reason.empty())
        reason = "another operation reads the scores";
      if (auto product = dyn_cast<mj::BatchMatmulOp>(op)) {
        first = product;
        break;
      }
      Value next;
      if (keepsMatrices(op)) {
        next = op->getOperand(0);
      } else if (isa<arith::MulFOp, arith::DivFOp>(op)) {
        next = stepThroughScale(op, reason);
      } else if (isa<arith::AddFOp>(op)) {
        next = stepThroughSum(op, reason);
      } else if (auto select = dyn_cast<arith::SelectOp>(op)) {
        next = stepThroughSelect(select, reason);
      } else if (isa<mj::TransposeOp>(op)) {
        next = op->getOperand(0);
        reason = reason.empty() ? "the softmax does not run along the keys" : reason;
      } else {
        return false;
      }
      if (!next)
        return false;
      value = next;
    }
    if (isShared)
      reason = "another operation reads the probabilities";
    if (!reason.empty())
      decline(reason);
    return reason.empty();
  }

  /// Whether a product of two activations makes `value`, at some distance.
  static bool comesFromProduct(Value value, unsigned depth = 0) {
    Operation *op = value.getDefiningOp();
    if (!op || depth > 8)
      return false;
    if (isa<mj::BatchMatmulOp>(op))
      return true;
    if (!isElementwise(op) && !isa<mj::ReshapeOp, mj::TransposeOp>(op))
      return false;
    return llvm::any_of(op->getOperands(), [&](Value operand) { return comesFromProduct(operand, depth + 1); });
  }

  Value stepThroughScale(Operation *op, std::string &reason) {
    bool divides = isa<arith::DivFOp>(op);
    for (unsigned side : {1u, 0u}) {
      if (divides && side == 0)
        break;
      std::optional<double> number = getSplat(op->getOperand(side));
      if (!number || *number == 0)
        continue;
      if (*number < 0 && reason.empty())
        reason = "the scores are multiplied with a negative number";
      scale *= divides ? 1 / *number : *number;
      return op->getOperand(1 - side);
    }
    unsigned side = comesFromProduct(op->getOperand(0)) ? 0 : 1;
    reason = reason.empty() ? "the scores are multiplied with a tensor: a mask is added or selects" : reason;
    return op->getOperand(side);
  }

  Value stepThroughSum(Operation *op, std::string &reason) {
    unsigned side = comesFromProduct(op->getOperand(0)) ? 0 : 1;
    // As above: it is scaled with the scores.
    addMask(op->getOperand(1 - side), /*isAdded=*/true, scale, reason);
    return op->getOperand(side);
  }

  Value stepThroughSelect(arith::SelectOp op, std::string &reason) {
    std::optional<double> fill = getSplat(op.getFalseValue());
    bool isKept = fill.has_value();
    if (!isKept)
      fill = getSplat(op.getTrueValue());
    if (!fill || isa<IntegerType>(op.getCondition().getType()))
      return {};
    // The steps go from the softmax back: what was multiplied until here scales what hides, too.
    *fill *= scale;
    if (!(*fill <= kHidden) && reason.empty())
      reason = "masked scores become " + toText(*fill) + ", which hides nothing";
    // Masks are computed before they are repeated for each head.
    auto broadcast = op.getCondition().getDefiningOp<mj::BroadcastOp>();
    Value condition = broadcast ? broadcast.getSource() : op.getCondition();
    if (!isKept) {
      Value all = createSplat(builder, loc, tensorOf(condition), 1, condition);
      condition = arith::XOrIOp::create(builder, loc, condition, all);
    }
    // For a finite number one is added: rows that see nothing stay the mean that they were.
    bool isAdded = !std::isinf(*fill);
    if (isAdded) {
      Type element = getElementTypeOrSelf(op.getResult().getType());
      auto type = tensorOf(condition).clone(element.isF16() ? builder.getF32Type() : element);
      Value zero = createSplat(builder, loc, type, 0, condition);
      Value hidden = createSplat(builder, loc, type, kAbsorbing, condition);
      condition = arith::SelectOp::create(builder, loc, condition, zero, hidden);
    }
    if (broadcast)
      condition = mj::BroadcastOp::create(
          builder, loc, tensorOf(broadcast.getResult()).clone(getElementTypeOrSelf(condition.getType())), condition,
          broadcast.getLike());
    addMask(condition, isAdded, /*scaleOfIt=*/1, reason);
    return isKept ? op.getTrueValue() : op.getFalseValue();
  }

  void addMask(Value value, bool isAdded, double scaleOfIt, std::string &reason) {
    if (mask) {
      reason = reason.empty() ? "there are two masks" : reason;
      return;
    }
    mask = value;
    isMaskAdded = isAdded;
    scaleOfMask = scaleOfIt;
  }

  //===--- Masks ------------------------------------------------------------===//

  /// The mask if it is known now and the same for all heads, row by row: what is added to a score, -infinity for
  /// hidden.
  std::optional<SmallVector<float>> readMask() {
    // Masks are computed before they are repeated for each head.
    Value source = mask;
    if (auto broadcast = mask.getDefiningOp<mj::BroadcastOp>())
      if (ArrayRef<int64_t> shape = tensorOf(broadcast.getSource()).getShape();
          shape.size() >= 2 && shape.take_back(2) == tensorOf(mask).getShape().take_back(2))
        source = broadcast.getSource();
    ArrayRef<int64_t> shape = tensorOf(source).getShape();
    int64_t perHead = ShapedType::getNumElements(shape.take_back(2));
    SmallVector<int64_t> index(shape.size(), 0);
    SmallVector<float> elements;
    for (int64_t i = 0, count = ShapedType::getNumElements(shape); i < count; ++i) {
      int64_t rest = i;
      for (size_t axis = shape.size(); axis-- > 0; rest /= shape[axis])
        index[axis] = rest % shape[axis];
      std::optional<double> known = getConstantElement(source, index);
      if (!known || std::isnan(*known))
        return std::nullopt;
      float element = isMaskAdded ? float(*known * scaleOfMask) : *known != 0 ? 0.0f : -INFINITY;
      if (i < perHead)
        elements.push_back(element);
      else if (element != elements[i % perHead])
        return std::nullopt;
    }
    return elements;
  }

  /// The rows of a known mask see a run of keys: row t the last `window` of those up to S - T + t, or all of these.
  struct Band {
    bool isCausal = false; ///< else every row sees every key
    int64_t window = 0;    ///< 0: none
  };

  /// What a known mask hides, if that can be said without it.
  static std::optional<Band> findBand(ArrayRef<float> elements, int64_t rows, int64_t keys) {
    if (llvm::all_of(elements, [](float element) { return element == 0; }))
      return Band{};
    // The last row has the longest run, which ends with the last key.
    ArrayRef<float> last = elements.take_back(keys);
    int64_t window = 0;
    while (window < keys && last[keys - 1 - window] == 0)
      ++window;
    for (int64_t row = 0; row < rows; ++row) {
      int64_t end = keys - rows + row;
      for (int64_t key = 0; key < keys; ++key) {
        float element = elements[row * keys + key];
        bool isVisible = key <= end && key > end - window;
        if (isVisible ? element != 0 : element > kHidden)
          return std::nullopt;
        // What is finite leaves a row that sees nothing the mean that it was.
        if (end < 0 && !std::isinf(element))
          return std::nullopt;
      }
    }
    return Band{true, window < keys ? window : 0};
  }

  /// The mask as [rows, keys], or [heads, rows, keys] where the heads have masks of their own.
  Value buildMask(Value like, int64_t heads, int64_t rows, int64_t keys) {
    Value source = mask;
    auto broadcast = mask.getDefiningOp<mj::BroadcastOp>();
    auto type = tensorOf(mask);
    if (broadcast) {
      auto inner = tensorOf(broadcast.getSource());
      ArrayRef<int64_t> shape = inner.getShape();
      // One mask for all heads.
      if (ShapedType::getNumElements(shape.drop_back(std::min<size_t>(2, shape.size()))) == 1) {
        SmallVector<int64_t> matrix(shape.take_back(std::min<size_t>(2, shape.size())));
        while (matrix.size() < 2)
          matrix.insert(matrix.begin(), 1);
        source = createReshape(builder, loc, broadcast.getSource(), matrix);
        if (ArrayRef<int64_t>(matrix) == ArrayRef<int64_t>{rows, keys})
          return source;
        return mj::BroadcastOp::create(builder, loc, type.clone({rows, keys}), source, like);
      }
    }
    return heads == 1 ? createReshape(builder, loc, source, {rows, keys})
                      : createReshape(builder, loc, source, {heads, rows, keys});
  }

  //===--- Operands ---------------------------------------------------------===//

  /// `value` without a factor that is the same everywhere, which goes to `factor`.
  Value withoutScale(Value value, double &factor) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return value;
    if (isa<mj::ReshapeOp, mj::TransposeOp, mj::BroadcastOp>(op)) {
      Value source = withoutScale(op->getOperand(0), factor);
      if (source == op->getOperand(0))
        return value;
      if (auto broadcast = dyn_cast<mj::BroadcastOp>(op))
        return mj::BroadcastOp::create(builder, loc, broadcast.getType(), source, broadcast.getLike());
      if (auto transpose = dyn_cast<mj::TransposeOp>(op))
        return createTranspose(builder, loc, source, transpose.getPermutation());
      return createReshape(builder, loc, source, tensorOf(value).getShape());
    }
    if (!isa<arith::MulFOp, arith::DivFOp>(op) || !isElementwise(op))
      return value;
    for (unsigned side : {1u, 0u}) {
      if (isa<arith::DivFOp>(op) && side == 0)
        break;
      if (std::optional<double> number = getSplat(op->getOperand(side)); number && *number != 0) {
        factor *= isa<arith::DivFOp>(op) ? 1 / *number : *number;
        return withoutScale(op->getOperand(1 - side), factor);
      }
    }
    return value;
  }

  /// A stack of matrices [heads, n, m] (or [heads, m, n]) as rows [n, heads, m].
  Value toRows(Value stack, bool isTransposed) {
    ArrayRef<int64_t> shape = tensorOf(stack).getShape();
    int64_t heads = ShapedType::getNumElements(shape.drop_back(2));
    Value matrices = createReshape(builder, loc, stack, {heads, shape[shape.size() - 2], shape.back()});
    return createTranspose(builder, loc, matrices,
                           isTransposed ? ArrayRef<int64_t>{2, 0, 1} : ArrayRef<int64_t>{1, 0, 2});
  }

  /// If each of `rows`' heads ([n, heads, m]) is there several times side by side, the rows with each once.
  Value withoutRepetition(Value rows, int64_t &times) {
    // Either [n, kv heads, times, m] to [n, heads, m], or [kv heads, times, n, m] to [heads, n, m], then transposed.
    auto transpose = rows.getDefiningOp<mj::TransposeOp>();
    Value heads = transpose ? transpose.getSource() : rows;
    int64_t headAxis = transpose ? transpose.getPermutation()[1] : 1;
    auto reshape = heads.getDefiningOp<mj::ReshapeOp>();
    auto broadcast = reshape ? reshape.getSource().getDefiningOp<mj::BroadcastOp>() : mj::BroadcastOp();
    if (!broadcast)
      return {};
    ArrayRef<int64_t> to = tensorOf(broadcast.getResult()).getShape(),
                      from = tensorOf(broadcast.getSource()).getShape();
    SmallVector<int64_t> padded(to.size() - from.size(), 1);
    llvm::append_range(padded, from);
    int64_t repeated = -1;
    for (size_t axis = 0; axis < to.size(); ++axis)
      if (padded[axis] != to[axis]) {
        if (repeated >= 0)
          return {};
        repeated = axis;
      }
    if (repeated < 0)
      return {};
    ArrayRef<int64_t> shape = tensorOf(heads).getShape();
    int64_t before = ShapedType::getNumElements(shape.take_front(headAxis));
    int64_t after = ShapedType::getNumElements(shape.drop_front(headAxis + 1));
    int64_t beforeRepeated = ShapedType::getNumElements(to.take_front(repeated));
    if (ShapedType::getNumElements(to.drop_front(repeated + 1)) != after || beforeRepeated % before)
      return {};
    times = to[repeated];
    SmallVector<int64_t> once(shape);
    once[headAxis] /= times;
    Value source = createReshape(builder, loc, broadcast.getSource(), once);
    return transpose ? createTranspose(builder, loc, source, transpose.getPermutation()) : source;
  }

  /// A known mask as a constant: what is added, for the sdpa to read as it is.
  Value buildMask(ArrayRef<float> elements, int64_t rows, int64_t keys) {
    auto type = RankedTensorType::get({rows, keys}, builder.getF32Type());
    return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, elements));
  }

  /// Replaces the second product. Returns why it cannot.
  std::string replace() {
    auto scores = tensorOf(first.getResult()).getShape();
    int64_t heads = ShapedType::getNumElements(scores.drop_back(2)), rows = scores[scores.size() - 2],
            keyCount = scores.back();
    std::optional<SmallVector<float>> known = mask ? readMask() : std::nullopt;
    Band band;
    if (mask) {
      std::optional<Band> found = known ? findBand(*known, rows, keyCount) : std::nullopt;
      if (found) {
        band = *found;
        mask = {};
      } else if (isMaskAdded && scaleOfMask != 1 && !known) {
        // A mask that the scale after it changed.
        return "the mask is scaled with the scores";
      } else if (!isa<IntegerType>(getElementTypeOrSelf(mask.getType())) &&
                 !isa<FloatType>(getElementTypeOrSelf(mask.getType()))) {
        return "the mask holds neither numbers nor booleans";
      }
    }
    double factor = scale;
    Value query = toRows(withoutScale(first.getA(), factor), /*isTransposed=*/false);
    Value key = toRows(withoutScale(first.getB(), factor), /*isTransposed=*/!first.getTransposeB());
    Value value = toRows(second.getB(), /*isTransposed=*/second.getTransposeB());
    int64_t keyTimes = 1, valueTimes = 1;
    Value keyOnce = withoutRepetition(key, keyTimes), valueOnce = withoutRepetition(value, valueTimes);
    if (keyOnce && valueOnce && keyTimes == valueTimes)
      key = keyOnce, value = valueOnce;
    else
      keyTimes = 1;
    if (getElementTypeOrSelf(key.getType()) != getElementTypeOrSelf(value.getType()))
      return "keys and values are of different types";
    for (Value operand : {query, key})
      if (Type element = getElementTypeOrSelf(operand.getType());
          !element.isF32() && !element.isF16() && !element.isBF16())
        return "the operands are no wide floats";

    int64_t width = tensorOf(value).getDimSize(2);
    auto type = tensorOf(second.getResult());
    Value masked;
    if (mask)
      masked = known ? buildMask(*known, rows, keyCount) : buildMask(query, heads, rows, keyCount);
    Value attended = mj::SdpaOp::create(builder, loc, type.clone({rows, heads, width}), query, ValueRange{key},
                                        ValueRange{value}, masked, APFloat(float(factor)), band.isCausal,
                                        band.window ? builder.getI64IntegerAttr(band.window) : IntegerAttr());
    OpBuilder after(second);
    Value matrices = createTranspose(after, loc, attended, {1, 0, 2});
    second.getResult().replaceAllUsesWith(createReshape(after, loc, matrices, type.getShape()));
    std::string grouped = keyTimes > 1 ? llvm::formatv(" in groups of {0}", keyTimes).str() : "";
    sayRecognized(loc, "Attention",
                  llvm::formatv("attention of {0} heads{1}, {2} rows over {3} keys, scale {4}{5}", heads, grouped, rows,
                                keyCount, toText(float(factor)),
                                band.window     ? llvm::formatv(", causal, window {0}", band.window).str()
                                : band.isCausal ? ", causal"
                                : mask          ? ", masked"
                                                : "")
                      .str());
    return "";
  }

  mj::SoftmaxOp softmax;
  OpBuilder builder;
  Location loc;
  mj::BatchMatmulOp first, second;
  Value mask;
  bool isMaskAdded = false, isShared = false;
  double scale = 1, scaleOfMask = 1;
};

} // namespace

void mjolnir::recognizeAttention(func::FuncOp entry) {
  for (auto softmax : llvm::make_early_inc_range(entry.getBody().front().getOps<mj::SoftmaxOp>()))
    AttentionMatcher(softmax).run();
}
