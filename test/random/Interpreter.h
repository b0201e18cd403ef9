// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the operations mean, written down a second time: evaluates IR of the phases input to schedule in double.
#ifndef MJOLNIR_TEST_RANDOM_INTERPRETER_H
#define MJOLNIR_TEST_RANDOM_INTERPRETER_H

#include "test/random/Program.h"
#include "test/random/Random.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/DenseMap.h"

namespace mjolnir::differential {

/// f32's: half of the distance of 1 to the next number.
inline constexpr double kUnitF32 = 0x1p-24;
inline constexpr double kUnitBf16 = 0x1p-8;

enum class Rounding {
  none,       ///< real numbers, and the bound of each element's error
  nearest,    ///< every result to its element type: a model of an unfused program
  stochastic, ///< up or down at random, in proportion: another one, whose errors are independent
};

/// What becomes of numbers that are stored in f8E4M3FN.
enum class Codes {
  rounded, ///< as the operations say
  ideal,   ///< nothing: the quantized program computes what it was made of, whatever its scales
};

/// Evaluates entries of one module.
///
/// The bound (Rounding::none) is a running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2nd
/// ed., 3.3 and 4.3): what an operation makes of the bounds of its operands, to first order or by monotonicity, plus
/// `unit` times the result where it may be stored, plus f32 rounding of what is inside: n * 2^-24 * sum |a b| for a sum
/// of n products in any order, a few 2^-24 for an elementary function. It holds whether or not a rounding takes place,
/// so it holds for every fusion.
class Interpreter {
public:
  /// `unit` is the unit roundoff of stored values; it bounds the error and rounds nothing.
  Interpreter(mlir::ModuleOp module, const std::map<std::string, WeightData> &weights, Rounding rounding,
              double unit = kUnitF32, uint64_t seed = 0, Codes codes = Codes::rounded)
      : symbols(module), weights(weights), rounding(rounding), unit(unit), random(seed), codes(codes) {}

  /// The results of `entry` but its cache, in order; `batch` and `cache` for one that has them.
  std::vector<Array> run(mlir::func::FuncOp entry, llvm::ArrayRef<Array> inputs, const Batch *batch = nullptr,
                         CacheState *cache = nullptr);

private:
  void evaluate(mlir::Block &block);
  void evaluate(mlir::Operation &op);
  const Array &at(mlir::Value value) const { return values.find(value)->second; }
  /// Takes `array` as the value of `result`: rounds it, or adds the rounding to its bound.
  void define(mlir::Value result, Array array);

  Array readWeight(llvm::StringRef symbol);
  Array readField(mj::BatchField field);
  Array evaluatePointwise(mlir::Operation &op);
  Array evaluate(mj::MatmulOp op);
  Array evaluate(mj::BatchMatmulOp op);
  Array evaluate(mj::NormOp op);
  Array evaluate(mj::ReduceOp op);
  Array evaluate(mj::SoftmaxOp op);
  Array evaluate(mj::RopeOp op);
  Array evaluate(mj::GatherOp op);
  Array evaluate(mj::BroadcastOp op);
  Array evaluate(mj::TransposeOp op);
  Array evaluate(mj::SliceOp op);
  Array evaluate(mj::ConcatOp op);
  Array evaluate(mj::AttentionOp op);
  Array evaluate(mj::SdpaOp op);
  Array evaluate(mj::SampleOp op);
  Array evaluate(mj::QuantizeOp op);
  Array evaluate(mj::DequantizeOp op);
  Array evaluate(mj::ChannelScaleOp op);
  Array evaluate(mj::QuantizeChannelsOp op);
  Array evaluate(mj::RopeTableOp op);
  void append(mj::KvAppendOp op);

  /// What one head of one row attends to.
  struct Attended {
    std::vector<double> scores, scoreErrors;
    std::vector<int64_t> valueStarts; ///< in `source`, an element a score
    std::vector<const Array *> sources;
  };
  /// Softmax of the scores times the values, `columns` of them, to `result` from `start` on.
  void attend(const Attended &attended, int64_t columns, Array &result, int64_t start);

  double roundRandomly(mlir::Type type, double value);
  /// Makes a code of `value`, and of `error` how far another program's code may be from it.
  void toCode(double &value, double &error) const;

  mlir::SymbolTable symbols;
  const std::map<std::string, WeightData> &weights;
  Rounding rounding;
  double unit;
  Random random;
  Codes codes;
  const Batch *batch = nullptr;
  CacheState *cache = nullptr;
  llvm::DenseMap<mlir::Value, Array> values;
};

} // namespace mjolnir::differential

#endif // MJOLNIR_TEST_RANDOM_INTERPRETER_H
