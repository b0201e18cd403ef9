// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// KernelBuilder: a short notation for the arith, vector, memref and scf operations that hand-shaped kernels are made
// of. Private to targets/host.
#ifndef MJOLNIR_TARGETS_HOST_KERNELBUILDER_H
#define MJOLNIR_TARGETS_HOST_KERNELBUILDER_H

#include "targets/host/Element.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/TypeUtilities.h"

namespace mjolnir::host {

/// Operands of binary functions have the same type: index, an integer, a float, or a vector of one of these.
class KernelBuilder {
public:
  using Value = mlir::Value;
  using Type = mlir::Type;
  using ValueRange = mlir::ValueRange;
  using Values = llvm::SmallVector<mlir::Value>;

  KernelBuilder(mlir::OpBuilder &builder, mlir::Location loc) : b(loc, builder) {}

  /// Appends a public function with the operands' types and a tile index, and enters its body.
  static mlir::func::FuncOp createKernel(mlir::OpBuilder &builder, mlir::ModuleOp module, llvm::StringRef name,
                                         llvm::ArrayRef<mlir::MemRefType> operands);

  mlir::OpBuilder &builder() { return b; }
  mlir::Location loc() const { return b.getLoc(); }

  // Types.
  Type f32() { return b.getF32Type(); }
  Type i32() { return b.getI32Type(); }
  Type i64() { return b.getI64Type(); }
  Type i1() { return b.getI1Type(); }
  Type vec(Type element, int64_t lanes) { return mlir::VectorType::get({lanes}, element); }

  // Constants. `constant` splats for vector types.
  Value index(int64_t value);
  Value constant(Type type, int64_t value);
  Value constant(Type type, double value);
  Value negativeInfinity(Type type);

  // Arithmetic. Index and integers are signed unless named otherwise.
  Value add(Value lhs, Value rhs);
  Value sub(Value lhs, Value rhs);
  Value mul(Value lhs, Value rhs);
  Value add(Value lhs, int64_t rhs) { return add(lhs, constant(lhs.getType(), rhs)); }
  Value sub(Value lhs, int64_t rhs) { return sub(lhs, constant(lhs.getType(), rhs)); }
  Value mul(Value lhs, int64_t rhs) { return mul(lhs, constant(lhs.getType(), rhs)); }
  /// Quotient and remainder of a value that is not negative.
  Value div(Value lhs, int64_t rhs);
  Value rem(Value lhs, int64_t rhs);
  Value divf(Value lhs, Value rhs);
  Value min(Value lhs, Value rhs);
  /// Of floats: `rhs` if either is NaN, one instruction on x86.
  Value max(Value lhs, Value rhs);
  Value fma(Value lhs, Value rhs, Value sum);
  Value shl(Value value, int64_t bits);
  Value shr(Value value, int64_t bits); ///< unsigned
  Value sar(Value value, int64_t bits); ///< signed
  Value bitAnd(Value lhs, Value rhs);
  Value bitOr(Value lhs, Value rhs);
  Value bitXor(Value lhs, Value rhs);
  Value compare(mlir::arith::CmpIPredicate predicate, Value lhs, Value rhs);
  Value compare(mlir::arith::CmpFPredicate predicate, Value lhs, Value rhs);
  Value select(Value condition, Value yes, Value no);
  Value bitcast(Type type, Value value);       ///< elementwise, of equal width
  Value bitcastVector(Type type, Value value); ///< of a whole vector, elements may change width
  Value toIndex(Value integer);
  Value fromIndex(Type integer, Value index);

  // Conversions between stored elements and f32, scalar or vector; no-ops where the type is right already.
  Value toF32(Value value);
  Value fromF32(Type element, Value value);
  /// The f32 values of f16 bits in i16: what f8E4M3FN codes become when they are shifted into place. The sign of a code
  /// is wanted in bit 15, its other seven bits in 13 .. 7, the rest is ignored; the result is 1 / kHalfPlacedScale of
  /// the code's value. With `keepNan` NaN stays NaN, otherwise the code must not be one.
  Value widenPlacedF8(Value placed, bool keepNan);
  static constexpr double kHalfPlacedScale = 256.0; ///< the difference of f16's and E4M3's biases, 2^(15 - 7)
  /// f8E4M3FN codes as f32 over kHalfPlacedScale.
  Value widenF8(Value codes, bool keepNan);
  /// Rounds f32 to the nearest of f8E4M3FN's numbers, beyond 448 to 448 with its sign; NaN stays NaN. The result is
  /// f32.
  Value saturateToF8(Value value);

  // Vectors.
  Value splat(Value scalar, int64_t lanes);
  Value slice(Value vector, int64_t first, int64_t lanes);
  Value insertSlice(Value piece, Value into, int64_t first);
  Value reduceAdd(Value vector); ///< the order is the code generator's, the same on every run
  Value reduceMax(Value vector); ///< any of the elements if one is NaN
  Value extract(Value vector, int64_t lane);

  /// 2^x for vectors or scalars of f32, relative error below 2e-7; x below -126 gives 0, NaN gives NaN. x above 127.5
  /// is not supported: softmax never has it.
  Value exp2(Value x);

  // Memory.
  /// A buffer on the stack, 64-byte aligned, allocated where the function starts.
  Value stack(llvm::ArrayRef<int64_t> shape, Type element);
  Value load(Value memref, ValueRange indices);
  void store(Value value, Value memref, ValueRange indices);
  Value load(Value memref, ValueRange indices, int64_t lanes);
  void storeVector(Value vector, Value memref, ValueRange indices);
  /// Asks for the cache line of an element that will be read soon, into L2.
  void prefetch(Value memref, ValueRange indices);

  // Control flow.
  void loop(Value from, Value to, int64_t step, llvm::function_ref<void(Value)> body);
  Values loop(Value from, Value to, int64_t step, ValueRange initial,
              llvm::function_ref<Values(Value, ValueRange)> body);
  void ifThen(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise = nullptr);
  Values ifElse(Value condition, llvm::function_ref<Values()> then, llvm::function_ref<Values()> otherwise);
  /// while (condition(state)) state = body(state)
  Values whileLoop(ValueRange initial, llvm::function_ref<Value(ValueRange)> condition,
                   llvm::function_ref<Values(ValueRange)> body);
  void done(); ///< func.return

private:
  mlir::ImplicitLocOpBuilder b;
};

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_KERNELBUILDER_H
