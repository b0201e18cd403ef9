// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// KernelBuilder's operations. Index arithmetic folds as it is built, which keeps the passes after it short.
#include "targets/host/KernelBuilder.h"

#include "mjolnir/Support/FloatBits.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mjolnir::host {

static bool isFloat(Value value) { return isa<FloatType>(getElementTypeOrSelf(value.getType())); }

static Type withElement(Type type, Type element) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(element);
  return element;
}

func::FuncOp KernelBuilder::createKernel(OpBuilder &builder, ModuleOp module, StringRef name,
                                         ArrayRef<MemRefType> operands) {
  builder.setInsertionPointToEnd(module.getBody());
  SmallVector<Type> inputs(operands.begin(), operands.end());
  inputs.push_back(builder.getIndexType());
  auto function = func::FuncOp::create(builder, module.getLoc(), name, builder.getFunctionType(inputs, {}));
  builder.setInsertionPointToStart(function.addEntryBlock());
  return function;
}

Value KernelBuilder::index(int64_t value) { return arith::ConstantIndexOp::create(b, value); }

Value KernelBuilder::constant(Type type, int64_t value) {
  if (isa<FloatType>(getElementTypeOrSelf(type)))
    return constant(type, static_cast<double>(value));
  TypedAttr attribute = b.getIntegerAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attribute = DenseElementsAttr::get(vector, ArrayRef<Attribute>(attribute));
  return arith::ConstantOp::create(b, attribute);
}

Value KernelBuilder::constant(Type type, double value) {
  // LLVM has no numbers of this type: their bits.
  if (isa<Float8E4M3FNType>(getElementTypeOrSelf(type)))
    return bitcast(type, constant(withElement(type, b.getI8Type()), int64_t(int8_t(narrowToE4M3(float(value))))));
  TypedAttr attribute = b.getFloatAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    attribute = DenseElementsAttr::get(vector, ArrayRef<Attribute>(attribute));
  return arith::ConstantOp::create(b, attribute);
}

Value KernelBuilder::negativeInfinity(Type type) { return constant(type, -std::numeric_limits<double>::infinity()); }

Value KernelBuilder::add(Value lhs, Value rhs) {
  return isFloat(lhs) ? b.createOrFold<arith::AddFOp>(lhs, rhs) : b.createOrFold<arith::AddIOp>(lhs, rhs);
}
Value KernelBuilder::sub(Value lhs, Value rhs) {
  return isFloat(lhs) ? b.createOrFold<arith::SubFOp>(lhs, rhs) : b.createOrFold<arith::SubIOp>(lhs, rhs);
}
Value KernelBuilder::mul(Value lhs, Value rhs) {
  return isFloat(lhs) ? b.createOrFold<arith::MulFOp>(lhs, rhs) : b.createOrFold<arith::MulIOp>(lhs, rhs);
}
Value KernelBuilder::div(Value lhs, int64_t rhs) {
  return b.createOrFold<arith::DivUIOp>(lhs, constant(lhs.getType(), rhs));
}
Value KernelBuilder::rem(Value lhs, int64_t rhs) {
  return b.createOrFold<arith::RemUIOp>(lhs, constant(lhs.getType(), rhs));
}
Value KernelBuilder::divf(Value lhs, Value rhs) { return b.createOrFold<arith::DivFOp>(lhs, rhs); }
Value KernelBuilder::min(Value lhs, Value rhs) {
  return isFloat(lhs) ? b.createOrFold<arith::MinimumFOp>(lhs, rhs) : b.createOrFold<arith::MinSIOp>(lhs, rhs);
}
Value KernelBuilder::max(Value lhs, Value rhs) {
  if (isFloat(lhs))
    return select(compare(arith::CmpFPredicate::OGT, lhs, rhs), lhs, rhs);
  return b.createOrFold<arith::MaxSIOp>(lhs, rhs);
}
Value KernelBuilder::fma(Value lhs, Value rhs, Value sum) { return math::FmaOp::create(b, lhs, rhs, sum); }
Value KernelBuilder::shl(Value value, int64_t bits) {
  return b.createOrFold<arith::ShLIOp>(value, constant(value.getType(), bits));
}
Value KernelBuilder::shr(Value value, int64_t bits) {
  return b.createOrFold<arith::ShRUIOp>(value, constant(value.getType(), bits));
}
Value KernelBuilder::sar(Value value, int64_t bits) {
  return b.createOrFold<arith::ShRSIOp>(value, constant(value.getType(), bits));
}
Value KernelBuilder::bitAnd(Value lhs, Value rhs) { return b.createOrFold<arith::AndIOp>(lhs, rhs); }
Value KernelBuilder::bitOr(Value lhs, Value rhs) { return b.createOrFold<arith::OrIOp>(lhs, rhs); }
Value KernelBuilder::bitXor(Value lhs, Value rhs) { return b.createOrFold<arith::XOrIOp>(lhs, rhs); }
Value KernelBuilder::compare(arith::CmpIPredicate predicate, Value lhs, Value rhs) {
  return b.createOrFold<arith::CmpIOp>(predicate, lhs, rhs);
}
Value KernelBuilder::compare(arith::CmpFPredicate predicate, Value lhs, Value rhs) {
  return b.createOrFold<arith::CmpFOp>(predicate, lhs, rhs);
}
Value KernelBuilder::select(Value condition, Value yes, Value no) {
  return b.createOrFold<arith::SelectOp>(condition, yes, no);
}
Value KernelBuilder::bitcast(Type type, Value value) {
  return arith::BitcastOp::create(b, withElement(value.getType(), getElementTypeOrSelf(type)), value);
}
Value KernelBuilder::bitcastVector(Type type, Value value) { return vector::BitCastOp::create(b, type, value); }
Value KernelBuilder::toIndex(Value integer) { return arith::IndexCastOp::create(b, b.getIndexType(), integer); }
Value KernelBuilder::fromIndex(Type integer, Value index) { return arith::IndexCastOp::create(b, integer, index); }

Value KernelBuilder::toF32(Value value) {
  if (getElementTypeOrSelf(value.getType()).isF32())
    return value;
  return arith::ExtFOp::create(b, withElement(value.getType(), f32()), value);
}

Value KernelBuilder::fromF32(Type element, Value value) {
  if (getElementTypeOrSelf(value.getType()) == element)
    return value;
  // What was rounded to its place already.
  if (auto wide = value.getDefiningOp<arith::ExtFOp>(); wide && isa<Float8E4M3FNType>(element))
    if (getElementTypeOrSelf(wide.getIn().getType()) == element)
      return wide.getIn();
  return arith::TruncFOp::create(b, withElement(value.getType(), element), value);
}

Value KernelBuilder::widenPlacedF8(Value placed, bool keepNan) {
  Type type = placed.getType();
  Value bits = bitAnd(placed, constant(type, int64_t(-0x4080))); // 0xbf80
  if (keepNan) {
    Value exponent = constant(type, int64_t(0x3f80));
    Value isNan = compare(arith::CmpIPredicate::eq, bitAnd(placed, exponent), exponent);
    bits = select(isNan, bitOr(bits, constant(type, int64_t(0x7e00))), bits);
  }
  return toF32(bitcast(b.getF16Type(), bits));
}

Value KernelBuilder::widenF8(Value codes, bool keepNan) {
  Value bits = bitcast(b.getI8Type(), codes);
  bits = arith::ExtSIOp::create(b, withElement(codes.getType(), b.getI16Type()), bits);
  return widenPlacedF8(shl(bits, 7), keepNan);
}

Value KernelBuilder::saturateToF8(Value value) {
  if (auto wide = value.getDefiningOp<arith::ExtFOp>())
    if (isa<Float8E4M3FNType>(getElementTypeOrSelf(wide.getIn().getType())))
      return value;
  Value most = constant(value.getType(), double(kE4M3Max)), least = constant(value.getType(), double(-kE4M3Max));
  value = select(compare(arith::CmpFPredicate::OGT, value, most), most, value);
  value = select(compare(arith::CmpFPredicate::OLT, value, least), least, value);
  return toF32(fromF32(Float8E4M3FNType::get(b.getContext()), value));
}

Value KernelBuilder::splat(Value scalar, int64_t lanes) {
  return vector::BroadcastOp::create(b, vec(scalar.getType(), lanes), scalar);
}
Value KernelBuilder::slice(Value vector, int64_t first, int64_t lanes) {
  return b.createOrFold<vector::ExtractStridedSliceOp>(vector, ArrayRef<int64_t>{first}, ArrayRef<int64_t>{lanes},
                                                       ArrayRef<int64_t>{1});
}
Value KernelBuilder::insertSlice(Value piece, Value into, int64_t first) {
  return b.createOrFold<vector::InsertStridedSliceOp>(piece, into, ArrayRef<int64_t>{first}, ArrayRef<int64_t>{1});
}
Value KernelBuilder::reduceAdd(Value vector) {
  return vector::ReductionOp::create(b, vector::CombiningKind::ADD, vector);
}
Value KernelBuilder::reduceMax(Value vector) {
  // By halves: LLVM's own reduction of floats branches on signs to order zeros and NaN.
  for (int64_t lanes = cast<VectorType>(vector.getType()).getNumElements() / 2; lanes > 0; lanes /= 2)
    vector = max(slice(vector, 0, lanes), slice(vector, lanes, lanes));
  return extract(vector, 0);
}
Value KernelBuilder::extract(Value vector, int64_t lane) { return vector::ExtractOp::create(b, vector, lane); }

Value KernelBuilder::exp2(Value x) {
  Type type = x.getType();
  // Adding 1.5 * 2^23 leaves round(x) in the low bits of the mantissa; no conversion that NaN would break.
  Value magic = constant(type, 12582912.0);
  Value shifted = add(x, magic);
  Value fraction = sub(x, sub(shifted, magic)); // in [-0.5, 0.5]
  // 2^f: the Taylor series of exp(f ln 2), whose first omitted term is below 6e-9 of the result.
  static constexpr double kCoefficients[] = {
      1.5252733804059841e-05, 1.5403530393381608e-04, 1.3333558146428443e-03, 9.6181291076284772e-03,
      5.5504108664821580e-02, 2.4022650695910072e-01, 6.9314718055994531e-01, 1.0};
  Value result = constant(type, kCoefficients[0]);
  for (double coefficient : ArrayRef(kCoefficients).drop_front())
    result = fma(result, fraction, constant(type, coefficient));
  // Multiply by 2^round(x) through the exponent's bits.
  Value scaled = bitcast(f32(), add(bitcast(i32(), result), shl(bitcast(i32(), shifted), 23)));
  Value tiny = compare(arith::CmpFPredicate::OLT, x, constant(type, -126.0));
  Value nan = compare(arith::CmpFPredicate::UNO, x, x);
  return select(nan, x, select(tiny, constant(type, 0.0), scaled));
}

Value KernelBuilder::stack(ArrayRef<int64_t> shape, Type element) {
  // Functions have one frame: everything is allocated at the entry, so that loops do not grow the stack.
  OpBuilder::InsertionGuard guard(b);
  Operation *parent = b.getInsertionBlock()->getParentOp();
  auto function = isa<func::FuncOp>(parent) ? cast<func::FuncOp>(parent) : parent->getParentOfType<func::FuncOp>();
  b.setInsertionPointToStart(&function.getBody().front());
  return memref::AllocaOp::create(b, MemRefType::get(shape, element), b.getI64IntegerAttr(64));
}
Value KernelBuilder::load(Value memref, ValueRange indices) { return memref::LoadOp::create(b, memref, indices); }
void KernelBuilder::store(Value value, Value memref, ValueRange indices) {
  memref::StoreOp::create(b, value, memref, indices);
}
Value KernelBuilder::load(Value memref, ValueRange indices, int64_t lanes) {
  return vector::LoadOp::create(b, cast<VectorType>(vec(getElementTypeOrSelf(memref.getType()), lanes)), memref,
                                indices);
}
void KernelBuilder::storeVector(Value vector, Value memref, ValueRange indices) {
  vector::StoreOp::create(b, vector, memref, indices);
}

void KernelBuilder::prefetch(Value memref, ValueRange indices) {
  memref::PrefetchOp::create(b, memref, indices, /*isWrite=*/false, /*localityHint=*/2, /*isDataCache=*/true);
}

void KernelBuilder::loop(Value from, Value to, int64_t step, function_ref<void(Value)> body) {
  loop(from, to, step, ValueRange(), [&](Value iv, ValueRange) {
    body(iv);
    return Values();
  });
}

KernelBuilder::Values KernelBuilder::loop(Value from, Value to, int64_t step, ValueRange initial,
                                          function_ref<Values(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(b, from, to, index(step), initial);
  OpBuilder::InsertionGuard guard(b);
  // Without carried values the builder has added the terminator already.
  if (initial.empty())
    b.setInsertionPoint(loop.getBody()->getTerminator());
  else
    b.setInsertionPointToEnd(loop.getBody());
  Values results = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!initial.empty())
    scf::YieldOp::create(b, results);
  return Values(loop.getResults());
}

void KernelBuilder::ifThen(Value condition, function_ref<void()> then, function_ref<void()> otherwise) {
  auto op = scf::IfOp::create(b, condition, /*withElseRegion=*/static_cast<bool>(otherwise));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(op.thenBlock()->getTerminator());
  then();
  if (!otherwise)
    return;
  b.setInsertionPoint(op.elseBlock()->getTerminator());
  otherwise();
}

KernelBuilder::Values KernelBuilder::ifElse(Value condition, function_ref<Values()> then,
                                            function_ref<Values()> otherwise) {
  auto yield = [&](function_ref<Values()> branch) {
    return [&, branch](OpBuilder &nested, Location nestedLoc) {
      OpBuilder::InsertionGuard guard(b);
      b.restoreInsertionPoint(nested.saveInsertionPoint());
      Values results = branch();
      scf::YieldOp::create(b, results);
    };
  };
  auto op = scf::IfOp::create(b, condition, yield(then), yield(otherwise));
  return Values(op.getResults());
}

KernelBuilder::Values KernelBuilder::whileLoop(ValueRange initial, function_ref<Value(ValueRange)> condition,
                                               function_ref<Values(ValueRange)> body) {
  auto op = scf::WhileOp::create(
      b, initial.getTypes(), initial,
      [&](OpBuilder &nested, Location, ValueRange state) {
        OpBuilder::InsertionGuard guard(b);
        b.restoreInsertionPoint(nested.saveInsertionPoint());
        Value proceed = condition(state);
        scf::ConditionOp::create(b, proceed, state);
      },
      [&](OpBuilder &nested, Location, ValueRange state) {
        OpBuilder::InsertionGuard guard(b);
        b.restoreInsertionPoint(nested.saveInsertionPoint());
        Values next = body(state);
        scf::YieldOp::create(b, next);
      });
  return Values(op.getResults());
}

void KernelBuilder::done() { func::ReturnOp::create(b, ValueRange()); }

} // namespace mjolnir::host
