// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Replaces what LLVM would lower to a call into libm or the compiler's runtime: a kernel's object has no undefined
// symbol. Numeric effect: transcendental functions become polynomials of about 1e-7 relative error; bf16 and f8E4M3FN
// conversions are exact (round to nearest even, NaN stays NaN).
#include "targets/host/KernelBuilder.h"
#include "targets/host/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <limits>

using namespace mlir;

namespace mjolnir::host {
namespace {

Type withElement(Type type, Type element) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(element);
  return element;
}

Value splat(OpBuilder &builder, Location loc, Type type, int64_t value) {
  auto element = cast<IntegerType>(getElementTypeOrSelf(type));
  TypedAttr attribute = builder.getIntegerAttr(element, value);
  if (auto vector = dyn_cast<VectorType>(type))
    attribute = DenseElementsAttr::get(vector, ArrayRef<Attribute>(attribute));
  return arith::ConstantOp::create(builder, loc, attribute);
}

struct ExtendBf16 : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::ExtFOp op, PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getIn()).isBF16() || !getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "not bf16 to f32");
    Location loc = op.getLoc();
    Type wide = withElement(op.getType(), rewriter.getI32Type());
    Value bits = arith::BitcastOp::create(rewriter, loc, withElement(op.getType(), rewriter.getI16Type()), op.getIn());
    bits = arith::ExtUIOp::create(rewriter, loc, wide, bits);
    bits = arith::ShLIOp::create(rewriter, loc, bits, splat(rewriter, loc, wide, 16));
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(), bits);
    return success();
  }
};

struct TruncateToBf16 : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getType()).isBF16() || !getElementTypeOrSelf(op.getIn()).isF32())
      return rewriter.notifyMatchFailure(op, "not f32 to bf16");
    Location loc = op.getLoc();
    Type wide = withElement(op.getType(), rewriter.getI32Type());
    auto constant = [&](int64_t value) { return splat(rewriter, loc, wide, value); };
    Value bits = arith::BitcastOp::create(rewriter, loc, wide, op.getIn());
    // Half of the last kept bit, less one unless that bit is odd: ties go to even.
    Value odd =
        arith::AndIOp::create(rewriter, loc, arith::ShRUIOp::create(rewriter, loc, bits, constant(16)), constant(1));
    Value rounded =
        arith::AddIOp::create(rewriter, loc, bits, arith::AddIOp::create(rewriter, loc, odd, constant(0x7fff)));
    // The carry could turn a NaN into an infinity: keep its upper bits and make it quiet.
    Value quiet = arith::OrIOp::create(rewriter, loc, bits, constant(0x400000));
    Value isNan = arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::UNO, op.getIn(), op.getIn());
    Value kept = arith::SelectOp::create(rewriter, loc, isNan, quiet, rounded);
    kept = arith::ShRUIOp::create(rewriter, loc, kept, constant(16));
    kept = arith::TruncIOp::create(rewriter, loc, withElement(op.getType(), rewriter.getI16Type()), kept);
    rewriter.replaceOpWithNewOp<arith::BitcastOp>(op, op.getType(), kept);
    return success();
  }
};

/// x^y as exp(y log|x|) with the sign of an odd power; NaN for a negative x and a y that is no integer, as C has it.
/// Upstream's expansion, which does not know negative bases, is left the exponents that it turns into products.
struct ExpandPow : OpRewritePattern<math::PowFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::PowFOp op, PatternRewriter &rewriter) const override {
    APFloat exponent(0.0);
    if (matchPattern(op.getRhs(), m_ConstantFloat(&exponent)))
      for (double known : {0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 3.0})
        if (exponent.convertToDouble() == known)
          return rewriter.notifyMatchFailure(op, "a product");
    Location loc = op.getLoc();
    Type type = op.getType();
    auto constant = [&](double value) -> Value {
      TypedAttr attribute = rewriter.getFloatAttr(getElementTypeOrSelf(type), value);
      if (auto vector = dyn_cast<VectorType>(type))
        attribute = DenseElementsAttr::get(vector, ArrayRef<Attribute>(attribute));
      return arith::ConstantOp::create(rewriter, loc, attribute);
    };
    auto isInteger = [&](Value value) -> Value {
      Value floor = math::FloorOp::create(rewriter, loc, value);
      return arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::OEQ, floor, value);
    };
    Value x = op.getLhs(), y = op.getRhs();
    Value logarithm = math::LogOp::create(rewriter, loc, math::AbsFOp::create(rewriter, loc, x));
    Value size = math::ExpOp::create(rewriter, loc, arith::MulFOp::create(rewriter, loc, y, logarithm));
    Value isEven = isInteger(arith::MulFOp::create(rewriter, loc, y, constant(0.5)));
    Value negated = arith::NegFOp::create(rewriter, loc, size);
    Value signedSize = arith::SelectOp::create(rewriter, loc, isEven, size, negated);
    Value defined = arith::SelectOp::create(rewriter, loc, isInteger(y), signedSize,
                                            constant(std::numeric_limits<double>::quiet_NaN()));
    Value isNegative = arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::OLT, x, constant(0.0));
    Value power = arith::SelectOp::create(rewriter, loc, isNegative, defined, size);
    // x^0 is 1 for every x.
    Value isZero = arith::CmpFOp::create(rewriter, loc, arith::CmpFPredicate::OEQ, y, constant(0.0));
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, isZero, constant(1.0), power);
    return success();
  }
};

/// f8E4M3FN to f32, and by way of it to bf16 and f16.
struct ExtendF8 : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::ExtFOp op, PatternRewriter &rewriter) const override {
    if (!isa<Float8E4M3FNType>(getElementTypeOrSelf(op.getIn())))
      return rewriter.notifyMatchFailure(op, "not from f8E4M3FN");
    KernelBuilder k(rewriter, op.getLoc());
    Value wide = k.widenF8(op.getIn(), /*keepNan=*/true);
    wide = k.mul(wide, k.constant(wide.getType(), KernelBuilder::kHalfPlacedScale));
    rewriter.replaceOp(op, k.fromF32(getElementTypeOrSelf(op.getType()), wide));
    return success();
  }
};

/// f32 to f8E4M3FN as arith.truncf does: to nearest even; what is beyond its range is NaN. The arithmetic of
/// narrowToE4M3 (FloatBits.h).
struct TruncateToF8 : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    if (!isa<Float8E4M3FNType>(getElementTypeOrSelf(op.getType())))
      return rewriter.notifyMatchFailure(op, "not to f8E4M3FN");
    KernelBuilder k(rewriter, op.getLoc());
    Value bits = k.bitcast(k.i32(), k.toF32(op.getIn()));
    Type type = bits.getType();
    auto constant = [&](int64_t value) { return k.constant(type, value); };
    Value magnitude = k.bitAnd(bits, constant(0x7fffffff));
    Value odd = k.bitAnd(k.shr(magnitude, 20), constant(1));
    Value normal = k.sub(k.shr(k.add(magnitude, k.add(odd, constant(0x7ffff))), 20), constant(960));
    // Also where the magnitude is a NaN's.
    normal = k.select(k.compare(arith::CmpIPredicate::sgt, normal, constant(0x7f)), constant(0x7f), normal);
    Value shifter = k.constant(withElement(type, k.f32()), 16384.0);
    Value small = k.bitcast(k.i32(), k.add(k.bitcast(k.f32(), magnitude), shifter));
    small = k.sub(small, constant(0x46800000)); // the bits of 16384
    Value isSmall = k.compare(arith::CmpIPredicate::slt, magnitude, constant(0x3c800000));
    Value code = k.bitOr(k.select(isSmall, small, normal), k.bitAnd(k.shr(bits, 24), constant(0x80)));
    code = arith::TruncIOp::create(rewriter, op.getLoc(), withElement(type, rewriter.getI8Type()), code);
    rewriter.replaceOp(op, k.bitcast(op.getType(), code));
    return success();
  }
};

// memref.copy would become a call to memcpy or to MLIR's runner library.
struct ExpandCopy : OpRewritePattern<memref::CopyOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(memref::CopyOp op, PatternRewriter &rewriter) const override {
    auto type = dyn_cast<MemRefType>(op.getSource().getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "unranked");
    Location loc = op.getLoc();
    Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
    Value one = arith::ConstantIndexOp::create(rewriter, loc, 1);
    SmallVector<Value> indices;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      Value extent = rewriter.createOrFold<memref::DimOp>(loc, op.getSource(), dim);
      auto loop = scf::ForOp::create(rewriter, loc, zero, extent, one);
      indices.push_back(loop.getInductionVar());
      rewriter.setInsertionPointToStart(loop.getBody());
    }
    Value element = memref::LoadOp::create(rewriter, loc, op.getSource(), indices);
    memref::StoreOp::create(rewriter, loc, element, op.getTarget(), indices);
    rewriter.eraseOp(op);
    return success();
  }
};

struct ExpandLibraryCallsPass : PassWrapper<ExpandLibraryCallsPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandLibraryCallsPass)
  StringRef getArgument() const override { return "mjolnir-host-expand-library-calls"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                    vector::VectorDialect>();
  }

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    // Emulated bf16 arithmetic rounds after each operation. Its conversions come marked as contractible, and a pair of
    // them would fold away: results would depend on what is fused with what.
    getOperation().walk([](Operation *op) {
      if (isa<arith::ExtFOp, arith::TruncFOp>(op))
        op->removeAttr("fastmath");
    });
    // Two rounds: expansions produce functions that the approximations replace, and those conversions of their own.
    RewritePatternSet expansions(context);
    math::populateExpansionPatterns(
        expansions, {"sinh", "cosh", "tan", "asinh", "acosh", "atanh", "powf", "fpowi", "exp2", "round"});
    expansions.add<ExpandPow>(context, /*benefit=*/2);
    if (failed(applyPatternsGreedily(getOperation(), std::move(expansions))))
      return signalPassFailure();
    RewritePatternSet patterns(context);
    populateMathPolynomialApproximationPatterns(patterns);
    patterns.add<ExtendBf16, TruncateToBf16, ExtendF8, TruncateToF8, ExpandCopy>(context);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
  }
};

} // namespace

std::unique_ptr<Pass> createExpandLibraryCallsPass() { return std::make_unique<ExpandLibraryCallsPass>(); }

} // namespace mjolnir::host
