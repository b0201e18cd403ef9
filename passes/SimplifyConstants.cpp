// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// simplify: constants, and operations with a constant that change nothing.
#include "passes/SimplifyPatterns.h"
#include "passes/TensorMatch.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;
using namespace mjolnir;

/// Constants of more elements are data that no folder should copy.
static constexpr int64_t kMaxFolded = 4096;

namespace {

/// x * 1, x / 1, x - 0 and x + -0 are x, for every x. (x + 0 makes 0 of -0.)
template <typename Op, bool isSum, bool isNegated> struct NeutralElement : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    constexpr bool commutes = std::is_same_v<Op, arith::MulFOp> || std::is_same_v<Op, arith::AddFOp>;
    auto isNeutral = [](Value value) {
      std::optional<double> number = getSplat(value);
      return number && (isSum ? *number == 0.0 && std::signbit(*number) == isNegated : *number == 1.0);
    };
    if (isNeutral(op.getRhs()))
      rewriter.replaceOp(op, op.getLhs());
    else if (commutes && isNeutral(op.getLhs()))
      rewriter.replaceOp(op, op.getRhs());
    else
      return rewriter.notifyMatchFailure(op, "no operand leaves the other as it is");
    return success();
  }
};

/// A shape operation on constants is a constant.
template <typename Op> struct FoldConstant : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    auto type = tensorOf(op.getResult());
    if (!type.hasStaticShape())
      return rewriter.notifyMatchFailure(op, "the shape is symbolic");
    SmallVector<DenseElementsAttr> sources;
    for (Value operand : elementsOf(op)) {
      auto constant = operand.template getDefiningOp<arith::ConstantOp>();
      auto elements = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : DenseElementsAttr();
      if (!elements)
        return rewriter.notifyMatchFailure(op, "an operand is no constant");
      sources.push_back(elements);
    }
    bool isFull = llvm::all_of(sources, [&](DenseElementsAttr source) {
      return source.isSplat() &&
             source.template getSplatValue<Attribute>() == sources.front().template getSplatValue<Attribute>();
    });
    if (isFull) {
      rewriter.replaceOpWithNewOp<arith::ConstantOp>(
          op, DenseElementsAttr::get(type, sources.front().template getSplatValue<Attribute>()));
      return success();
    }
    if (type.getNumElements() > kMaxFolded || std::is_same_v<Op, mj::BroadcastOp>)
      return rewriter.notifyMatchFailure(op, "the constant would be large, or larger");
    SmallVector<Attribute> elements;
    SmallVector<int64_t> index(type.getRank(), 0);
    for (int64_t i = 0; i < type.getNumElements(); ++i) {
      std::optional<double> element = getConstantElement(op.getResult(), index);
      if (!element || type.getElementType().isInteger(64))
        return rewriter.notifyMatchFailure(op, "the elements are not known");
      if (isa<FloatType>(type.getElementType()))
        elements.push_back(rewriter.getFloatAttr(type.getElementType(), *element));
      else
        elements.push_back(rewriter.getIntegerAttr(type.getElementType(), int64_t(*element)));
      for (int64_t axis = type.getRank(); axis-- > 0;) {
        if (++index[axis] < type.getDimSize(axis))
          break;
        index[axis] = 0;
      }
    }
    rewriter.replaceOpWithNewOp<arith::ConstantOp>(op, DenseElementsAttr::get(type, elements));
    return success();
  }

  static ValueRange elementsOf(Op op) {
    if constexpr (std::is_same_v<Op, mj::ConcatOp>)
      return op.getSources();
    else
      return op->getOperands().take_front();
  }
};

} // namespace

void mjolnir::populateConstantPatterns(RewritePatternSet &patterns) {
  patterns.add<NeutralElement<arith::MulFOp, false, false>, NeutralElement<arith::DivFOp, false, false>,
               NeutralElement<arith::SubFOp, true, false>, NeutralElement<arith::AddFOp, true, true>,
               FoldConstant<mj::BroadcastOp>, FoldConstant<mj::ReshapeOp>, FoldConstant<mj::TransposeOp>,
               FoldConstant<mj::SliceOp>, FoldConstant<mj::ConcatOp>>(patterns.getContext());
}
