// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// simplify: shape operations on shape operations.
#include "passes/SimplifyPatterns.h"
#include "passes/TensorMatch.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

using namespace mlir;
using namespace mjolnir;

namespace {

/// A transposition whose axes of size 1 are left out, or a reshape where nothing else moves.
struct TransposeWithoutUnits : OpRewritePattern<mj::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(mj::TransposeOp op, PatternRewriter &rewriter) const override {
    auto source = tensorOf(op.getSource());
    ArrayRef<int64_t> shape = source.getShape();
    SmallVector<int64_t> kept;
    for (int64_t axis : op.getPermutation())
      if (shape[axis] != 1)
        kept.push_back(axis);
    if (int64_t(kept.size()) == source.getRank())
      return rewriter.notifyMatchFailure(op, "no axis has size 1");
    bool inOrder = llvm::is_sorted(kept);
    if (!source.hasStaticShape() && !(inOrder && op.getPermutation().front() == 0 && source.isDynamicDim(0)))
      return rewriter.notifyMatchFailure(op, "a symbolic axis is not the leading one");
    ArrayRef<int64_t> resultShape = tensorOf(op.getResult()).getShape();
    if (inOrder) {
      rewriter.replaceOp(op, createReshape(rewriter, op.getLoc(), op.getSource(), resultShape));
      return success();
    }
    SmallVector<int64_t> sorted(kept), permutation;
    llvm::sort(sorted);
    for (int64_t axis : kept)
      permutation.push_back(llvm::find(sorted, axis) - sorted.begin());
    Value squeezed = createReshape(rewriter, op.getLoc(), op.getSource(), withoutUnits(shape));
    Value transposed = createTranspose(rewriter, op.getLoc(), squeezed, permutation);
    rewriter.replaceOp(op, createReshape(rewriter, op.getLoc(), transposed, resultShape));
    return success();
  }
};

/// A transposition of a reshape of a transposition, where the reshape splits or merges axes that stay together, moves
/// whole groups of axes: done on the first source it may cancel.
struct TransposeAcrossReshape : OpRewritePattern<mj::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(mj::TransposeOp op, PatternRewriter &rewriter) const override {
    auto reshape = op.getSource().getDefiningOp<mj::ReshapeOp>();
    auto inner = reshape ? reshape.getSource().getDefiningOp<mj::TransposeOp>() : mj::TransposeOp();
    if (!inner || !tensorOf(inner.getSource()).hasStaticShape())
      return rewriter.notifyMatchFailure(op, "is not on a reshape of a transposition");
    ArrayRef<int64_t> from = tensorOf(inner.getResult()).getShape(), to = tensorOf(op.getSource()).getShape();
    // Each axis of `from` as a run of axes of `to`.
    SmallVector<SmallVector<int64_t>> runs;
    size_t next = 0;
    for (int64_t size : from) {
      SmallVector<int64_t> run;
      int64_t product = 1;
      while (product < size && next < to.size()) {
        product *= to[next];
        run.push_back(next++);
      }
      if (product != size)
        return rewriter.notifyMatchFailure(op, "the reshape merges axes");
      runs.push_back(run);
    }
    if (next != to.size())
      return rewriter.notifyMatchFailure(op, "the reshape merges axes");
    // The source with its axes split in the same way, and where each new axis of it stands in `to`.
    SmallVector<int64_t> inverse(from.size()), shape, place;
    for (auto [axis, sourceAxis] : llvm::enumerate(inner.getPermutation()))
      inverse[sourceAxis] = axis;
    for (int64_t axis : inverse)
      for (int64_t part : runs[axis]) {
        shape.push_back(to[part]);
        place.push_back(part);
      }
    SmallVector<int64_t> permutation;
    for (int64_t axis : op.getPermutation())
      permutation.push_back(llvm::find(place, axis) - place.begin());
    Value split = createReshape(rewriter, op.getLoc(), inner.getSource(), shape);
    rewriter.replaceOp(op, createTranspose(rewriter, op.getLoc(), split, permutation));
    return success();
  }
};

/// A broadcast of a broadcast, or of a reshape that only puts axes of size 1 in front.
struct BroadcastOfBroadcast : OpRewritePattern<mj::BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(mj::BroadcastOp op, PatternRewriter &rewriter) const override {
    Value source;
    if (auto inner = op.getSource().getDefiningOp<mj::BroadcastOp>()) {
      source = inner.getSource();
    } else if (auto reshape = op.getSource().getDefiningOp<mj::ReshapeOp>()) {
      auto from = tensorOf(reshape.getSource()).getShape(), to = tensorOf(reshape.getResult()).getShape();
      if (from.size() < to.size() && to.take_back(from.size()) == from)
        source = reshape.getSource();
    }
    if (!source)
      return rewriter.notifyMatchFailure(op, "the source repeats nothing");
    rewriter.replaceOpWithNewOp<mj::BroadcastOp>(op, op.getType(), source, op.getLike());
    return success();
  }
};

/// A broadcast that repeats nothing is a reshape.
struct BroadcastToReshape : OpRewritePattern<mj::BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(mj::BroadcastOp op, PatternRewriter &rewriter) const override {
    auto source = tensorOf(op.getSource()), result = tensorOf(op.getResult());
    if (!source.hasStaticShape() || !result.hasStaticShape() || source.getRank() == 0 ||
        source.getNumElements() != result.getNumElements())
      return rewriter.notifyMatchFailure(op, "repeats elements");
    rewriter.replaceOp(op, createReshape(rewriter, op.getLoc(), op.getSource(), result.getShape()));
    return success();
  }
};

/// A slice of a slice.
struct SliceOfSlice : OpRewritePattern<mj::SliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(mj::SliceOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getSource().getDefiningOp<mj::SliceOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "the source is no slice");
    SmallVector<int64_t> offsets, strides;
    for (auto [offset, stride, innerOffset, innerStride] :
         llvm::zip(op.getOffsets(), op.getStrides(), inner.getOffsets(), inner.getStrides())) {
      offsets.push_back(innerOffset + offset * innerStride);
      strides.push_back(stride * innerStride);
    }
    rewriter.replaceOpWithNewOp<mj::SliceOp>(op, op.getType(), inner.getSource(), offsets, strides);
    return success();
  }
};

/// A slice that reads one source of a concatenation, or some of them whole.
struct SliceOfConcat : OpRewritePattern<mj::SliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(mj::SliceOp op, PatternRewriter &rewriter) const override {
    auto concat = op.getSource().getDefiningOp<mj::ConcatOp>();
    if (!concat)
      return rewriter.notifyMatchFailure(op, "the source is no concatenation");
    int64_t axis = concat.getAxis(), stride = op.getStrides()[axis];
    int64_t first = op.getOffsets()[axis], last = first + (tensorOf(op.getResult()).getDimSize(axis) - 1) * stride;
    SmallVector<Value> read;
    int64_t start = 0, firstStart = 0, end = 0;
    for (Value source : concat.getSources()) {
      int64_t size = tensorOf(source).getDimSize(axis);
      if (start <= last && start + size > first) {
        if (read.empty())
          firstStart = start;
        read.push_back(source);
        end = start + size;
      }
      start += size;
    }
    if (read.size() == concat.getSources().size())
      return rewriter.notifyMatchFailure(op, "reads of every source");
    Value source = read.front();
    if (read.size() > 1) {
      SmallVector<int64_t> shape(tensorOf(concat.getResult()).getShape());
      shape[axis] = end - firstStart;
      source = mj::ConcatOp::create(rewriter, concat.getLoc(), tensorOf(source).clone(shape), read, axis);
    }
    SmallVector<int64_t> offsets(op.getOffsets());
    offsets[axis] -= firstStart;
    rewriter.replaceOpWithNewOp<mj::SliceOp>(op, op.getType(), source, offsets, op.getStrides());
    return success();
  }
};

/// Slices of one source side by side, concatenated again, are one slice.
struct ConcatOfSlices : OpRewritePattern<mj::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(mj::ConcatOp op, PatternRewriter &rewriter) const override {
    int64_t axis = op.getAxis();
    for (size_t i = 0; i + 1 < op.getSources().size(); ++i) {
      auto a = op.getSources()[i].getDefiningOp<mj::SliceOp>(), b = op.getSources()[i + 1].getDefiningOp<mj::SliceOp>();
      if (!a || !b || a.getSource() != b.getSource() || a.getStrides() != b.getStrides())
        continue;
      SmallVector<int64_t> expected(a.getOffsets());
      expected[axis] += tensorOf(a.getResult()).getDimSize(axis) * a.getStrides()[axis];
      if (ArrayRef<int64_t>(expected) != b.getOffsets())
        continue;
      SmallVector<int64_t> shape(tensorOf(a.getResult()).getShape());
      shape[axis] += tensorOf(b.getResult()).getDimSize(axis);
      Value both = mj::SliceOp::create(rewriter, op.getLoc(), tensorOf(a.getResult()).clone(shape), a.getSource(),
                                       a.getOffsets(), a.getStrides());
      SmallVector<Value> sources(op.getSources());
      sources[i] = both;
      sources.erase(sources.begin() + i + 1);
      rewriter.replaceOpWithNewOp<mj::ConcatOp>(op, op.getType(), sources, axis);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no two sources are neighbours in one tensor");
  }
};

/// A concatenation of concatenations along one axis.
struct ConcatOfConcat : OpRewritePattern<mj::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(mj::ConcatOp op, PatternRewriter &rewriter) const override {
    SmallVector<Value> sources;
    for (Value source : op.getSources()) {
      auto inner = source.getDefiningOp<mj::ConcatOp>();
      if (inner && inner.getAxis() == op.getAxis() && inner->hasOneUse())
        llvm::append_range(sources, inner.getSources());
      else
        sources.push_back(source);
    }
    if (sources.size() == op.getSources().size())
      return rewriter.notifyMatchFailure(op, "no source is a concatenation along the axis that only this reads");
    rewriter.replaceOpWithNewOp<mj::ConcatOp>(op, op.getType(), sources, op.getAxis());
    return success();
  }
};

/// One tensor several times along an axis of size 1 is a broadcast.
struct ConcatToBroadcast : OpRewritePattern<mj::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(mj::ConcatOp op, PatternRewriter &rewriter) const override {
    Value source = op.getSources().front();
    // A broadcast takes its leading size from another tensor, which there is none of.
    if (op.getAxis() == 0 || op.getSources().size() < 2 || tensorOf(source).getDimSize(op.getAxis()) != 1 ||
        !llvm::all_equal(op.getSources()))
      return rewriter.notifyMatchFailure(op, "is not one tensor along an inner axis of size 1");
    rewriter.replaceOpWithNewOp<mj::BroadcastOp>(op, op.getType(), source, source);
    return success();
  }
};

/// The leading axes of a stack of matrix products as one axis.
struct BatchMatmulOfStack : OpRewritePattern<mj::BatchMatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(mj::BatchMatmulOp op, PatternRewriter &rewriter) const override {
    auto result = tensorOf(op.getResult());
    if (result.getRank() <= 3 || !result.hasStaticShape() || !tensorOf(op.getA()).hasStaticShape() ||
        !tensorOf(op.getB()).hasStaticShape())
      return rewriter.notifyMatchFailure(op, "has one leading axis at most, or symbolic ones");
    auto stacked = [](Value value) {
      ArrayRef<int64_t> shape = tensorOf(value).getShape();
      return SmallVector<int64_t>{ShapedType::getNumElements(shape.drop_back(2)), shape[shape.size() - 2],
                                  shape.back()};
    };
    Location loc = op.getLoc();
    Value product =
        mj::BatchMatmulOp::create(rewriter, loc, result.clone(stacked(op.getResult())),
                                  createReshape(rewriter, loc, op.getA(), stacked(op.getA())),
                                  createReshape(rewriter, loc, op.getB(), stacked(op.getB())), op.getTransposeB());
    rewriter.replaceOp(op, createReshape(rewriter, loc, product, result.getShape()));
    return success();
  }
};

} // namespace

void mjolnir::populateShapePatterns(RewritePatternSet &patterns) {
  patterns.add<TransposeWithoutUnits, TransposeAcrossReshape, BroadcastOfBroadcast, BroadcastToReshape, SliceOfSlice,
               SliceOfConcat, ConcatOfSlices, ConcatOfConcat, ConcatToBroadcast, BatchMatmulOfStack>(
      patterns.getContext());
}
