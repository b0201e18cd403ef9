// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// store-constants: constants of several numbers become tensors of the package.
#include "passes/Passes.h"
#include "passes/Weights.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

namespace mjolnir {
#define GEN_PASS_DEF_STORECONSTANTS
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

/// Integers up to this are numbers of f32.
static constexpr int64_t kLargestExact = int64_t(1) << 24;

namespace {

struct StoreConstants : mjolnir::impl::StoreConstantsBase<StoreConstants> {
  using Base::Base;

  /// Tensors by what they hold.
  llvm::DenseMap<Attribute, mj::PrepareOp> stored;

  void runOnOperation() override {
    stored.clear();
    SymbolTable symbols(getOperation());
    SmallVector<func::FuncOp> entries = getEntries(getOperation());
    for (func::FuncOp entry : entries)
      for (auto constant : llvm::make_early_inc_range(entry.getBody().front().getOps<arith::ConstantOp>()))
        if (auto elements = dyn_cast<DenseElementsAttr>(constant.getValue()); elements && !elements.isSplat())
          if (failed(store(constant, elements, symbols, entries.front())))
            return signalPassFailure();
  }

  LogicalResult store(arith::ConstantOp constant, DenseElementsAttr elements, SymbolTable &symbols,
                      func::FuncOp firstEntry) {
    OpBuilder builder(constant);
    Location loc = constant.getLoc();
    FailureOr<DenseElementsAttr> numbers = asFloats(constant, elements);
    if (failed(numbers))
      return failure();
    auto type = cast<RankedTensorType>(numbers->getType());
    mj::PrepareOp &prepare = stored[*numbers];
    if (!prepare) {
      OpBuilder outside(firstEntry);
      prepare = mj::PrepareOp::create(outside, loc, "constant", type);
      outside.createBlock(&prepare.getBody());
      mj::YieldOp::create(outside, loc, Value(arith::ConstantOp::create(outside, loc, *numbers)));
      symbols.insert(prepare);
      if (auto remark = remark::passed(loc, remark::RemarkOpts::name("Stored").category("store-constants")))
        remark << llvm::formatv("@{0}: {1} numbers of a constant are stored in the package", prepare.getSymName(),
                                type.getNumElements())
                      .str();
    }
    Value value = mj::GetWeightOp::create(builder, loc, type, prepare.getSymName());
    Type element = elements.getElementType();
    if (element.isInteger(1)) {
      Value zero = arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, 0.0f));
      value = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::UNE, value, zero);
    } else if (isa<IntegerType>(element)) {
      value = arith::FPToSIOp::create(builder, loc, constant.getType(), value);
    }
    constant.getResult().replaceAllUsesWith(value);
    constant.erase();
    return success();
  }

  /// `elements` as floats: tensors of a package are. Booleans are 0 and 1.
  static FailureOr<DenseElementsAttr> asFloats(arith::ConstantOp constant, DenseElementsAttr elements) {
    Type element = elements.getElementType();
    if (element.isF32() || element.isF16() || element.isBF16())
      return elements;
    if (!element.isSignlessInteger()) {
      constant.emitError() << "has elements of " << element
                           << "; a package stores constants of f32, f16, bf16, integers and booleans";
      return failure();
    }
    SmallVector<float> numbers;
    for (const APInt &number : elements.getValues<APInt>()) {
      int64_t integer = element.isInteger(1) ? number.getZExtValue() : number.getSExtValue();
      if (std::abs(integer) > kLargestExact) {
        constant.emitError()
            << "holds " << integer
            << ", which f32 does not; constants of several integers are stored as f32: give this one as "
               "an argument of the entry";
        return failure();
      }
      numbers.push_back(float(integer));
    }
    auto type = cast<RankedTensorType>(elements.getType()).clone(Float32Type::get(constant.getContext()));
    return DenseElementsAttr(DenseElementsAttr::get(type, ArrayRef<float>(numbers)));
  }
};

} // namespace
