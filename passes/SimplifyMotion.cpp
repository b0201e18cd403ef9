// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// simplify: transpositions, reshapes, broadcasts and casts on their way down, past what computes each element or each
// row by itself, until they meet what undoes or takes them.
#include "passes/SimplifyPatterns.h"
#include "passes/TensorMatch.h"
#include "passes/Weights.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mjolnir;

static bool isWeight(Value value) {
  Operation *op = value.getDefiningOp();
  return op && dependsOnWeightsAlone(op);
}

/// The shape of a broadcast's source with an axis for each of the result's.
static SmallVector<int64_t> paddedShape(mj::BroadcastOp op) {
  ArrayRef<int64_t> source = tensorOf(op.getSource()).getShape();
  SmallVector<int64_t> shape(tensorOf(op.getResult()).getRank() - source.size(), 1);
  llvm::append_range(shape, source);
  return shape;
}

namespace {

/// A pointwise operation on transposed tensors works on the tensors.
struct SinkTranspose : RewritePattern {
  explicit SinkTranspose(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isElementwise(op))
      return failure();
    mj::TransposeOp first;
    for (Value operand : op->getOperands()) {
      auto transpose = operand.getDefiningOp<mj::TransposeOp>();
      if (!transpose || isWeight(operand))
        continue;
      first = first ? first : transpose;
      if (transpose.getPermutation() != first.getPermutation())
        return rewriter.notifyMatchFailure(op, "operands are transposed in different ways");
      if (!llvm::all_of(transpose->getUses(),
                        [](OpOperand &use) { return !readsElements(use) || isElementwise(use.getOwner()); }))
        return rewriter.notifyMatchFailure(op, "another operation reads the transposed tensor");
    }
    if (!first || !tensorOf(first.getSource()).hasStaticShape())
      return rewriter.notifyMatchFailure(op, "no operand is transposed");
    for (Value operand : op->getOperands())
      if (!operand.getDefiningOp<mj::TransposeOp>() && !operand.getDefiningOp<mj::BroadcastOp>() &&
          !getSplat(operand) && !isWeight(operand))
        return rewriter.notifyMatchFailure(op, "an operand would have to be transposed");

    Value like = first.getSource();
    SmallVector<int64_t> inverse(first.getPermutation().size());
    for (auto [axis, sourceAxis] : llvm::enumerate(first.getPermutation()))
      inverse[sourceAxis] = axis;
    auto shapeOf = [&](Value value) { return tensorOf(like).clone(tensorOf(value).getElementType()); };
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      if (std::optional<double> number = getSplat(operand)) {
        operands.push_back(createSplat(rewriter, op->getLoc(), shapeOf(operand), *number, like));
      } else if (auto broadcast = operand.getDefiningOp<mj::BroadcastOp>()) {
        Value padded = createReshape(rewriter, op->getLoc(), broadcast.getSource(), paddedShape(broadcast));
        Value turned = createTranspose(rewriter, op->getLoc(), padded, inverse);
        operands.push_back(mj::BroadcastOp::create(rewriter, op->getLoc(), shapeOf(operand), turned, like));
      } else {
        operands.push_back(createTranspose(rewriter, op->getLoc(), operand, inverse));
      }
    }
    Value result = clonePointwise(rewriter, op, operands);
    rewriter.replaceOp(op, createTranspose(rewriter, op->getLoc(), result, first.getPermutation()));
    return success();
  }
};

/// A pointwise operation on reshaped tensors works on the tensors: where all operands were of one shape, or where the
/// reshape only adds axes of size 1, which are taken from the other operands.
struct SinkReshape : RewritePattern {
  explicit SinkReshape(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isElementwise(op))
      return failure();
    mj::ReshapeOp first;
    for (Value operand : op->getOperands())
      if (auto reshape = operand.getDefiningOp<mj::ReshapeOp>(); reshape && !isWeight(operand) && !first)
        first = reshape;
    if (!first)
      return rewriter.notifyMatchFailure(op, "no operand is reshaped");
    Value like = first.getSource();
    ArrayRef<int64_t> shape = tensorOf(like).getShape(), old = tensorOf(first.getResult()).getShape();
    bool addsUnits = shape.size() < old.size() && differInUnits(shape, old);
    auto fits = [&](Value operand) {
      auto reshape = operand.getDefiningOp<mj::ReshapeOp>();
      return (reshape && tensorOf(reshape.getSource()).getShape() == shape) || getSplat(operand);
    };
    if (!addsUnits && !llvm::all_of(op->getOperands(), fits))
      return rewriter.notifyMatchFailure(op, "an operand would have to be reshaped");

    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      auto type = tensorOf(operand).clone(shape);
      if (std::optional<double> number = getSplat(operand))
        operands.push_back(createSplat(rewriter, op->getLoc(), type, *number, like));
      else if (auto broadcast = operand.getDefiningOp<mj::BroadcastOp>())
        operands.push_back(withoutAddedUnits(rewriter, broadcast, type, like));
      else
        operands.push_back(createReshape(rewriter, op->getLoc(), operand, shape));
    }
    Value result = clonePointwise(rewriter, op, operands);
    rewriter.replaceOp(op, createReshape(rewriter, op->getLoc(), result, old));
    return success();
  }

  /// `broadcast` as one to `type`, whose shape lacks axes of size 1 that the result had.
  static Value withoutAddedUnits(PatternRewriter &rewriter, mj::BroadcastOp broadcast, RankedTensorType type,
                                 Value like) {
    SmallVector<int64_t> padded = paddedShape(broadcast), kept;
    for (auto [axis, size] : llvm::enumerate(tensorOf(broadcast.getResult()).getShape()))
      if (kept.size() < type.getShape().size() && type.getShape()[kept.size()] == size)
        kept.push_back(padded[axis]);
    Value source = broadcast.getSource();
    // Axes in front that repeat need not be written.
    ArrayRef<int64_t> needed = ArrayRef(kept).take_back(std::min<size_t>(kept.size(), tensorOf(source).getRank()));
    if (ShapedType::getNumElements(needed) != ShapedType::getNumElements(kept))
      needed = kept;
    source = createReshape(rewriter, broadcast.getLoc(), source, needed);
    return mj::BroadcastOp::create(rewriter, broadcast.getLoc(), type, source, like);
  }
};

/// What computes each row along the last axis by itself does not mind axes of size 1 that a reshape adds before it.
template <typename Op> struct SinkReshapePastRows : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    auto reshape = op.getX().template getDefiningOp<mj::ReshapeOp>();
    if (!reshape)
      return rewriter.notifyMatchFailure(op, "the operand is not reshaped");
    auto from = tensorOf(reshape.getSource()).getShape(), to = tensorOf(op.getX()).getShape();
    if (from.size() >= to.size() || from.size() < 2 || !differInUnits(from, to) || from.back() != to.back())
      return rewriter.notifyMatchFailure(op, "the reshape does not add axes of size 1 alone, before the last");
    auto *copy = rewriter.clone(*op.getOperation());
    copy->getOpOperand(0).set(reshape.getSource());
    copy->getResult(0).setType(tensorOf(op.getResult()).clone(from));
    rewriter.replaceOp(op, createReshape(rewriter, op.getLoc(), copy->getResult(0), to));
    return success();
  }
};

/// A pointwise operation on numbers that a broadcast repeats is done once on each.
struct ComputeBeforeBroadcast : RewritePattern {
  explicit ComputeBeforeBroadcast(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 2, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isElementwise(op))
      return failure();
    mj::BroadcastOp first;
    for (Value operand : op->getOperands()) {
      if (getSplat(operand))
        continue;
      auto broadcast = operand.getDefiningOp<mj::BroadcastOp>();
      if (!broadcast)
        return rewriter.notifyMatchFailure(op, "an operand is not repeated");
      first = first ? first : broadcast;
      if (tensorOf(broadcast.getSource()).getShape() != tensorOf(first.getSource()).getShape())
        return rewriter.notifyMatchFailure(op, "operands are repeated along different axes");
    }
    if (!first || tensorOf(first.getSource()).getRank() == 0)
      return rewriter.notifyMatchFailure(op, "no operand is repeated");
    Value like = first.getSource();
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      if (std::optional<double> number = getSplat(operand))
        operands.push_back(
            createSplat(rewriter, op->getLoc(), tensorOf(operand).clone(tensorOf(like).getShape()), *number, like));
      else
        operands.push_back(operand.getDefiningOp<mj::BroadcastOp>().getSource());
    }
    Value result = clonePointwise(rewriter, op, operands);
    rewriter.replaceOpWithNewOp<mj::BroadcastOp>(op, tensorOf(op->getResult(0)), result, first.getLike());
    return success();
  }
};

/// A pointwise operation on one tensor concatenated with itself is done once.
struct ComputeBeforeConcat : RewritePattern {
  explicit ComputeBeforeConcat(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 2, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isElementwise(op))
      return failure();
    mj::ConcatOp concat;
    for (Value operand : op->getOperands()) {
      auto repeated = operand.getDefiningOp<mj::ConcatOp>();
      if (repeated && !concat && repeated.getSources().size() > 1 && llvm::all_equal(repeated.getSources()))
        concat = repeated;
      else if (!getSplat(operand))
        return rewriter.notifyMatchFailure(op, "an operand is not one tensor concatenated with itself");
    }
    if (!concat)
      return rewriter.notifyMatchFailure(op, "no operand is one tensor concatenated with itself");
    Value like = concat.getSources().front();
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      if (std::optional<double> number = getSplat(operand))
        operands.push_back(
            createSplat(rewriter, op->getLoc(), tensorOf(operand).clone(tensorOf(like).getShape()), *number, like));
      else
        operands.push_back(like);
    }
    SmallVector<Value> sources(concat.getSources().size(), clonePointwise(rewriter, op, operands));
    rewriter.replaceOpWithNewOp<mj::ConcatOp>(op, op->getResult(0).getType(), sources, concat.getAxis());
    return success();
  }
};

/// A tensor that nothing but the size of broadcasts is taken from need not be computed: what it is made from, or what
/// the broadcast is used with, has the same leading size.
struct LikeWhatIsThere : OpRewritePattern<mj::BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(mj::BroadcastOp op, PatternRewriter &rewriter) const override {
    Value like = op.getLike();
    Operation *producer = like.getDefiningOp();
    if (!producer || isWeight(like) || llvm::any_of(like.getUses(), readsElements))
      return rewriter.notifyMatchFailure(op, "what it is like is read, too");
    Value other;
    for (Operation *user : op->getUsers())
      if (isElementwise(user))
        for (Value operand : user->getOperands())
          if (Operation *source = operand.getDefiningOp();
              operand != op.getResult() &&
              (!source || (source->getBlock() == op->getBlock() && source->isBeforeInBlock(op))) && !getSplat(operand))
            other = operand;
    if (!other) {
      if (isElementwise(producer))
        other = producer->getOperand(0);
      else if (auto leading = dyn_cast<mj::LeadingDimOpInterface>(producer))
        other = leading.getLeadingDimSource();
    }
    if (!other || other == like || tensorOf(other).getRank() < 1 ||
        tensorOf(other).getDimSize(0) != tensorOf(like).getDimSize(0))
      return rewriter.notifyMatchFailure(op, "nothing else has the leading size");
    rewriter.modifyOpInPlace(op, [&] { op.getLikeMutable().assign(other); });
    return success();
  }
};

/// A slice of a transposed tensor is taken before.
struct SliceBeforeTranspose : OpRewritePattern<mj::SliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(mj::SliceOp op, PatternRewriter &rewriter) const override {
    auto transpose = op.getSource().getDefiningOp<mj::TransposeOp>();
    if (!transpose || !llvm::all_of(transpose->getUsers(), llvm::IsaPred<mj::SliceOp>))
      return rewriter.notifyMatchFailure(op, "the source is not transposed for slices alone");
    size_t rank = transpose.getPermutation().size();
    SmallVector<int64_t> offsets(rank), strides(rank), shape(rank);
    for (auto [axis, sourceAxis] : llvm::enumerate(transpose.getPermutation())) {
      offsets[sourceAxis] = op.getOffsets()[axis];
      strides[sourceAxis] = op.getStrides()[axis];
      shape[sourceAxis] = tensorOf(op.getResult()).getDimSize(axis);
    }
    Value part = mj::SliceOp::create(rewriter, op.getLoc(), tensorOf(op.getResult()).clone(shape),
                                     transpose.getSource(), offsets, strides);
    rewriter.replaceOp(op, createTranspose(rewriter, op.getLoc(), part, transpose.getPermutation()));
    return success();
  }
};

/// Tensors that were transposed alike are concatenated before.
struct ConcatBeforeTranspose : OpRewritePattern<mj::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(mj::ConcatOp op, PatternRewriter &rewriter) const override {
    auto first = op.getSources().front().getDefiningOp<mj::TransposeOp>();
    SmallVector<Value> sources;
    for (Value source : op.getSources()) {
      auto transpose = source.getDefiningOp<mj::TransposeOp>();
      if (!transpose || transpose.getPermutation() != first.getPermutation() ||
          !llvm::all_of(transpose->getUsers(), [&](Operation *user) { return user == op; }))
        return rewriter.notifyMatchFailure(op, "the sources are not transposed alike, for this alone");
      sources.push_back(transpose.getSource());
    }
    int64_t axis = first.getPermutation()[op.getAxis()];
    SmallVector<int64_t> shape(tensorOf(first.getSource()).getShape());
    shape[axis] = tensorOf(op.getResult()).getDimSize(op.getAxis());
    Value all = mj::ConcatOp::create(rewriter, op.getLoc(), tensorOf(first.getSource()).clone(shape), sources, axis);
    rewriter.replaceOp(op, createTranspose(rewriter, op.getLoc(), all, first.getPermutation()));
    return success();
  }
};

/// Operations that compute in f32 whatever they read, and round once, take the casts around them. Products take bf16
/// only: it is what targets multiply, f16 they would convert first.
template <typename Op> struct AbsorbCasts : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  static bool isNarrow(Type element) {
    constexpr bool isProduct = llvm::is_one_of<Op, mj::MatmulOp, mj::BatchMatmulOp, mj::SdpaOp>::value;
    return element.isBF16() || (element.isF16() && !isProduct);
  }

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    bool changed = false;
    SmallVector<Value> wide = rowsOf(op);
    // The segments of an attention are of one type: all are cast, or none is.
    if (llvm::all_of(wide, [&](Value value) {
          auto cast = value.getDefiningOp<arith::ExtFOp>();
          auto first = wide.front().getDefiningOp<arith::ExtFOp>();
          return cast && isNarrow(tensorOf(cast.getIn()).getElementType()) &&
                 tensorOf(cast.getIn()).getElementType() == tensorOf(first.getIn()).getElementType();
        })) {
      rewriter.modifyOpInPlace(op, [&] {
        for (OpOperand &operand : op->getOpOperands())
          if (llvm::is_contained(wide, operand.get()))
            operand.set(operand.get().getDefiningOp<arith::ExtFOp>().getIn());
      });
      changed = true;
    }
    if (op->hasOneUse())
      if (auto cast = dyn_cast<arith::TruncFOp>(*op->getUsers().begin());
          cast && isNarrow(tensorOf(cast.getOut()).getElementType()) &&
          tensorOf(op.getResult()).getElementType().isF32()) {
        rewriter.modifyOpInPlace(op, [&] { op.getResult().setType(tensorOf(cast.getOut())); });
        rewriter.replaceOp(cast, op.getResult());
        changed = true;
      }
    return success(changed);
  }

  static SmallVector<Value> rowsOf(Op op) {
    if constexpr (std::is_same_v<Op, mj::BatchMatmulOp>)
      return {op.getA(), op.getB()};
    else if constexpr (std::is_same_v<Op, mj::SdpaOp>) {
      SmallVector<Value> rows(op.getKeys());
      llvm::append_range(rows, op.getValues());
      rows.push_back(op.getQuery());
      return rows;
    } else
      return {op.getX()};
  }
};

} // namespace

void mjolnir::populateMotionPatterns(RewritePatternSet &patterns) {
  patterns
      .add<SinkTranspose, SinkReshape, SinkReshapePastRows<mj::NormOp>, SinkReshapePastRows<mj::SoftmaxOp>,
           ComputeBeforeBroadcast, ComputeBeforeConcat, LikeWhatIsThere, SliceBeforeTranspose, ConcatBeforeTranspose,
           AbsorbCasts<mj::NormOp>, AbsorbCasts<mj::SoftmaxOp>, AbsorbCasts<mj::ReduceOp>, AbsorbCasts<mj::RopeOp>,
           AbsorbCasts<mj::MatmulOp>, AbsorbCasts<mj::BatchMatmulOp>, AbsorbCasts<mj::SdpaOp>>(patterns.getContext());
}
