// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Blocks, regions, weights, and the rounding of results.
#include "test/random/Interpreter.h"

#include "lib/Pipeline/RopeTable.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::differential;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Below, f32 and bf16 have fewer digits; errors of that size are no errors.
static constexpr double kTiny = 1e-37;

double differential::roundTo(Type type, double value) {
  auto floating = dyn_cast<FloatType>(type);
  if (!floating || floating.isF64())
    return value;
  APFloat number(value);
  bool lossy;
  number.convert(floating.getFloatSemantics(), APFloat::rmNearestTiesToEven, &lossy);
  return number.convertToDouble();
}

double Interpreter::roundRandomly(Type type, double value) {
  double nearest = roundTo(type, value);
  if (nearest == value || !std::isfinite(nearest) || !isa<FloatType>(type))
    return nearest;
  // The neighbour on the other side of the value.
  APFloat other(nearest);
  bool lossy;
  other.convert(cast<FloatType>(type).getFloatSemantics(), APFloat::rmNearestTiesToEven, &lossy);
  other.next(/*nextDown=*/nearest > value);
  double neighbour = other.convertToDouble();
  double away = std::abs(value - nearest) / std::abs(neighbour - nearest);
  return std::isfinite(neighbour) && random.chance(away) ? neighbour : nearest;
}

/// The unit roundoff of an element type.
static double unitOf(Type element) {
  if (element.isBF16())
    return kUnitBf16;
  return element.isF16() ? 0x1p-11 : kUnitF32;
}

static bool onlyMoves(Operation *op) {
  return op && isa<mj::ReshapeOp, mj::BroadcastOp, mj::TransposeOp, mj::SliceOp, mj::ConcatOp, mj::PackOp>(op);
}

/// Whether `op` is read by quantization alone, perhaps after its elements have moved.
static bool isOnlyQuantized(Operation *op) {
  return llvm::all_of(op->getUsers(), [](Operation *user) {
    return isa<mj::ChannelScaleOp, mj::QuantizeChannelsOp>(user) || (onlyMoves(user) && isOnlyQuantized(user));
  });
}

/// Whether `op` is stored as it is evaluated: codes, and the scales of weights, which are computed in f32 when the
/// package is written. So is a weight that is only quantized: nothing rounds it before.
static bool isStoredExactly(Operation *op) {
  return op && (isa<mj::QuantizeOp, mj::ChannelScaleOp, mj::QuantizeChannelsOp>(op) ||
                (isa<mj::GetWeightOp>(op) && isOnlyQuantized(op)));
}

void Interpreter::define(Value result, Array array) {
  auto element = cast<RankedTensorType>(result.getType()).getElementType();
  Operation *producer = result.getDefiningOp();
  // A number without error that both types hold loses nothing where it is stored, such as a weight.
  Type narrowest =
      unit > kUnitF32 ? Type(BFloat16Type::get(result.getContext())) : Float32Type::get(result.getContext());
  auto isExact = [&](double value) { return roundTo(element, value) == value && roundTo(narrowest, value) == value; };
  if (isa<FloatType>(element) && !onlyMoves(producer) && !isStoredExactly(producer) &&
      !isa<Float8E4M3FNType>(element)) {
    for (auto [value, error] : llvm::zip(array.values, array.errors)) {
      if (rounding == Rounding::nearest) {
        value = roundTo(element, value);
      } else if (rounding == Rounding::stochastic) {
        value = roundRandomly(element, value);
      } else if (error != 0 || !isExact(value)) {
        error += std::max(unit, unitOf(element)) * std::abs(value) + kTiny;
        // f16 loses digits below 2^-14, and everything above 65504.
        if (element.isF16()) {
          error += 0x1p-25;
          if (std::abs(value) + error > 65504)
            error = kInfinity;
        }
        if (!(std::abs(value) + error < 3e38))
          error = kInfinity;
      }
    }
  }
  values[result] = std::move(array);
}

std::vector<Array> Interpreter::run(func::FuncOp entry, ArrayRef<Array> inputs, const Batch *stepBatch,
                                    CacheState *state) {
  batch = stepBatch;
  cache = state;
  values.clear();
  Block &body = entry.getBody().front();
  const Array *next = inputs.begin();
  for (BlockArgument argument : body.getArguments())
    if (isa<RankedTensorType>(argument.getType()))
      define(argument, *next++);
  evaluate(body);
  std::vector<Array> results;
  for (Value operand : body.getTerminator()->getOperands())
    if (isa<RankedTensorType>(operand.getType()))
      results.push_back(at(operand));
  return results;
}

void Interpreter::evaluate(Block &block) {
  for (Operation &op : block.without_terminator())
    evaluate(op);
}

void Interpreter::evaluate(Operation &op) {
  if (auto append = dyn_cast<mj::KvAppendOp>(op))
    return this->append(append);
  if (auto fusion = dyn_cast<mj::FusionOp>(op)) {
    Block &body = fusion.getBody().front();
    for (auto [argument, input] : llvm::zip(body.getArguments(), fusion.getInputs()))
      if (isa<RankedTensorType>(input.getType())) {
        Array array = at(input);
        values[argument] = std::move(array);
      }
    evaluate(body);
    for (auto [result, yielded] : llvm::zip(fusion.getResults(), body.getTerminator()->getOperands()))
      if (isa<RankedTensorType>(result.getType())) {
        Array array = at(yielded);
        values[result] = std::move(array);
      }
    return;
  }
  Array array =
      llvm::TypeSwitch<Operation *, Array>(&op)
          .Case<mj::MatmulOp, mj::BatchMatmulOp, mj::NormOp, mj::ReduceOp, mj::SoftmaxOp, mj::RopeOp, mj::GatherOp,
                mj::BroadcastOp, mj::TransposeOp, mj::SliceOp, mj::ConcatOp, mj::AttentionOp, mj::SdpaOp, mj::SampleOp,
                mj::RopeTableOp, mj::QuantizeOp, mj::DequantizeOp, mj::ChannelScaleOp, mj::QuantizeChannelsOp>(
              [&](auto known) { return evaluate(known); })
          .Case([&](mj::GetWeightOp get) { return readWeight(get.getWeight()); })
          .Case([&](mj::BatchFieldOp field) { return readField(field.getField()); })
          .Case([&](mj::PackOp pack) { return at(pack.getSource()); })
          .Case([&](mj::ReshapeOp reshape) {
            Array moved = at(reshape.getSource());
            moved.shape = llvm::to_vector(reshape.getType().getShape());
            // The batch gives a symbolic leading size.
            if (!moved.shape.empty() && ShapedType::isDynamic(moved.shape.front())) {
              moved.shape.front() = 1;
              moved.shape.front() = int64_t(moved.values.size()) / moved.size();
            }
            return moved;
          })
          .Default([&](Operation *) { return evaluatePointwise(op); });
  define(op.getResult(0), std::move(array));
}

Array Interpreter::readWeight(StringRef name) {
  Operation *symbol = symbols.lookup(name);
  if (auto prepare = dyn_cast<mj::PrepareOp>(symbol)) {
    Block &body = prepare.getBody().front();
    evaluate(body);
    return at(body.getTerminator()->getOperand(0));
  }
  const WeightData &data = weights.at(cast<mj::WeightOp>(symbol).getSource().str());
  Array array(data.type.getShape());
  array.values = data.values;
  return array;
}

template <typename T> static Array toArray(ArrayRef<int64_t> shape, const std::vector<T> &numbers) {
  Array array(shape);
  llvm::copy(numbers, array.values.begin());
  return array;
}

Array Interpreter::readField(mj::BatchField field) {
  switch (field) {
  case mj::BatchField::tokens:
    return toArray({batch->tokenRows}, batch->tokens);
  case mj::BatchField::positions:
    return toArray({batch->tokenRows}, batch->positions);
  case mj::BatchField::sequence_offsets:
    return toArray({batch->sequences + 1}, batch->sequenceOffsets);
  case mj::BatchField::context_lengths:
    return toArray({batch->sequences}, batch->contextLengths);
  case mj::BatchField::block_tables:
    return toArray({batch->sequences, batch->pages}, batch->blockTables);
  case mj::BatchField::slots:
    return toArray({batch->tokenRows}, batch->slots);
  case mj::BatchField::logit_rows:
    return toArray({batch->sequences}, batch->logitRows);
  }
  llvm_unreachable("every field is a case");
}

Array Interpreter::evaluate(mj::RopeTableOp op) {
  // The definition's frequencies; the angles' cosines and sines from the C library instead of ours.
  std::vector<double> frequencies = computeRopeFrequencies(op);
  Array table(op.getType().getShape());
  int64_t next = 0;
  for (int64_t position = 0; position < op.getType().getDimSize(0); ++position)
    for (double frequency : frequencies) {
      table.values[next++] = std::cos(double(position) * frequency);
      table.values[next++] = std::sin(double(position) * frequency);
    }
  return table;
}

void Interpreter::append(mj::KvAppendOp op) {
  Type element = op.getKv().getType().getElementType();
  const Array *scales = op.getScales() ? &at(op.getScales()) : nullptr;
  for (auto [which, value] : {std::pair<int64_t, Value>{0, op.getKey()}, {1, op.getValue()}}) {
    const Array &rows = at(value);
    int64_t width = cache->heads * cache->headDim;
    for (int64_t row = 0; row < batch->tokenRows; ++row) {
      int64_t slot = batch->slots[row];
      if (slot < 0)
        continue;
      int64_t start = cache->place(op.getLayer(), which, slot, 0);
      for (int64_t i = 0; i < width; ++i) {
        double number = rows.values[row * width + i], error = rows.errors[row * width + i];
        if (scales) {
          double scale = scales->values[which * cache->heads + i / cache->headDim];
          number /= scale;
          error = error / scale + 2 * kUnitF32 * std::abs(number);
          // The definition divides in f32, which makes ties of two codes of what lies beside one.
          if (codes == Codes::rounded)
            number = float(number);
        }
        if (isa<Float8E4M3FNType>(element))
          toCode(number, error);
        else if (rounding == Rounding::nearest)
          number = roundTo(element, number);
        else if (rounding == Rounding::stochastic)
          number = roundRandomly(element, number);
        else
          error += std::max(unit, unitOf(element)) * std::abs(number);
        cache->contents.values[start + i] = number;
        cache->contents.errors[start + i] = error;
      }
    }
  }
}
