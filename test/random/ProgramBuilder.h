// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What generators of random programs share: an entry under construction, its arguments, its weights, and operations by
// a word each. Every value has an estimate of its size, by which numbers are kept of the order of 1.
#ifndef MJOLNIR_TEST_RANDOM_PROGRAMBUILDER_H
#define MJOLNIR_TEST_RANDOM_PROGRAMBUILDER_H

#include "test/random/Program.h"
#include "test/random/Random.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/DenseMap.h"

namespace mjolnir::differential {

inline mlir::RankedTensorType typeOf(mlir::Value value) { return mlir::cast<mlir::RankedTensorType>(value.getType()); }
inline llvm::ArrayRef<int64_t> shapeOf(mlir::Value value) { return typeOf(value).getShape(); }

class ProgramBuilder {
public:
  /// Starts the entry `name` of a new module in `program`.
  ProgramBuilder(mlir::MLIRContext &context, Program &program, llvm::StringRef name);

  /// A new argument with random numbers: floats of `scale`, or integers below `limit`.
  mlir::Value argument(llvm::ArrayRef<int64_t> shape, mlir::Type element, double scale = 1);
  mlir::Value indices(int64_t count, int64_t limit);
  mlir::Value argumentOf(mlir::Type type, llvm::StringRef name);

  /// A new weight of numbers `offset` + `scale` * normal, as it is stored.
  mlir::Value weight(llvm::ArrayRef<int64_t> shape, mlir::Type element, double scale, double offset = 0);
  /// The same in f32, converted where it is stored otherwise.
  mlir::Value weightF32(llvm::ArrayRef<int64_t> shape, mlir::Type element, double scale, double offset = 0);
  /// f32, bf16 or f16.
  mlir::Type storedType();

  template <typename Op, typename... Operands> mlir::Value make(mlir::Type type, Operands &&...operands) {
    return Op::create(builder, loc, type, std::forward<Operands>(operands)...);
  }
  mlir::Value add(mlir::Value a, mlir::Value b) { return arith<mlir::arith::AddFOp>(a, b); }
  mlir::Value sub(mlir::Value a, mlir::Value b) { return arith<mlir::arith::SubFOp>(a, b); }
  mlir::Value mul(mlir::Value a, mlir::Value b) { return arith<mlir::arith::MulFOp>(a, b); }
  mlir::Value div(mlir::Value a, mlir::Value b) { return arith<mlir::arith::DivFOp>(a, b); }
  template <typename Op> mlir::Value arith(mlir::Value a, mlir::Value b) { return Op::create(builder, loc, a, b); }
  template <typename Op> mlir::Value math(mlir::Value x) { return Op::create(builder, loc, x); }

  /// `number` in the shape and type of `like`: a constant of that shape, or a scalar that is broadcast.
  mlir::Value constantLike(mlir::Value like, double number);
  mlir::Value broadcast(mlir::Value source, mlir::Value like);
  mlir::Value reshape(mlir::Value x, llvm::ArrayRef<int64_t> shape);
  /// `x` with elements of `element`.
  mlir::Value convert(mlir::Value x, mlir::Type element);
  /// x by a weight to `columns`, in f32; numbers stay of the size of x's.
  mlir::Value matmul(mlir::Value x, int64_t columns, mlir::Type weightType, bool transposed = true);
  mlir::Value norm(mj::NormKind kind, mlir::Value x, mlir::Value weight = {}, mlir::Value bias = {}, double eps = 1e-5);
  mlir::Value silu(mlir::Value x);
  mlir::Value gelu(mlir::Value x);
  mlir::Value ropeTable(int64_t positions, int64_t headDim);

  double scale(mlir::Value value) const { return scales.lookup_or(value, 1.0); }
  mlir::Value withScale(mlir::Value value, double size) {
    scales[value] = size;
    return value;
  }
  /// `x`, or what it is multiplied to if it is large.
  mlir::Value tame(mlir::Value x, double most = 4);

  /// Ends the entry.
  void finish(mlir::ValueRange results, llvm::ArrayRef<std::string> names = {});

  mlir::Type f32() { return builder.getF32Type(); }
  mlir::Type bf16() { return builder.getBF16Type(); }
  mlir::Type f16() { return builder.getF16Type(); }
  mlir::RankedTensorType tensor(llvm::ArrayRef<int64_t> shape) { return mlir::RankedTensorType::get(shape, f32()); }

  Program &program;
  Random random;
  mlir::OpBuilder builder;
  mlir::Location loc;

private:
  std::vector<double> numbers(mlir::Type element, int64_t count, double scale, double offset);

  mlir::func::FuncOp entry;
  mlir::Block *body;
  llvm::SmallVector<std::string> argumentNames;
  llvm::DenseMap<mlir::Value, double> scales;
};

/// The two kinds of programs.
void generatePlain(ProgramBuilder &build);
void generateLanguageModel(mlir::MLIRContext &context, Program &program);
/// Attention of the rows of the matrix `x`, as mj.sdpa over what `others` (matrices, perhaps none) are projected to; as
/// exporters write it, over one; and products of what x is projected to.
mlir::Value generateAttention(ProgramBuilder &build, mlir::Value x, llvm::ArrayRef<mlir::Value> others);
mlir::Value generateSpelledAttention(ProgramBuilder &build, mlir::Value x, mlir::Value other);
mlir::Value generateBatchMatmul(ProgramBuilder &build, mlir::Value x);
/// Random steps of a language model whose sizes `program` has.
void generateSteps(Program &program, Random &random, int64_t vocabulary);

} // namespace mjolnir::differential

#endif // MJOLNIR_TEST_RANDOM_PROGRAMBUILDER_H
