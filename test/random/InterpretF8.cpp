// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Operations between wide floats and f8E4M3FN. Where the error of a number lets its code be another one, the bound
// holds the distance of the codes: rounding and saturation are monotonic.
#include "test/random/Interpreter.h"

#include "llvm/ADT/APFloat.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::differential;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The nearest of the codes, ties to even; 448 with its sign beyond.
static double nearestCode(double value) {
  if (!(std::abs(value) < 448))
    return std::isnan(value) ? value : std::copysign(448, value);
  llvm::APFloat number(value);
  bool lossy;
  number.convert(llvm::APFloat::Float8E4M3FN(), llvm::APFloat::rmNearestTiesToEven, &lossy);
  return number.convertToDouble();
}

void Interpreter::toCode(double &value, double &error) const {
  if (codes == Codes::ideal)
    return;
  double code = nearestCode(value);
  if (error != 0 && !std::isinf(error))
    error = std::max(nearestCode(value + error) - code, code - nearestCode(value - error));
  if (std::isnan(error) || std::isnan(code))
    error = kInfinity;
  value = code;
}

Array Interpreter::evaluate(mj::QuantizeOp op) {
  Array result = at(op.getX());
  double multiplier = op.getMultiplier().convertToDouble();
  for (auto [value, error] : llvm::zip(result.values, result.errors)) {
    value *= multiplier;
    error = error * multiplier + (rounding == Rounding::none ? 2 * kUnitF32 * std::abs(value) : 0);
    // The definition multiplies in f32: of numbers of few digits, many products are a tie of two codes there and beside
    // it in double.
    if (codes == Codes::rounded)
      value = float(value);
    toCode(value, error);
  }
  return result;
}

Array Interpreter::evaluate(mj::DequantizeOp op) {
  Array result = at(op.getX());
  double scale = op.getScale().convertToDouble();
  for (auto [value, error] : llvm::zip(result.values, result.errors)) {
    value *= scale;
    error *= scale;
  }
  return result;
}

Array Interpreter::evaluate(mj::ChannelScaleOp op) {
  const Array &weight = at(op.getWeight());
  Array result(op.getType().getShape());
  int64_t share = weight.size() / result.size();
  for (int64_t channel = 0; channel < result.size(); ++channel) {
    double largest = 0, error = 0;
    for (int64_t i = channel * share; i < (channel + 1) * share; ++i) {
      largest = std::max(largest, std::abs(weight.values[i]));
      error = std::max(error, weight.errors[i]);
    }
    float scale = float(largest) / 448;
    result.values[channel] = scale > 0 ? scale : 1;
    result.errors[channel] = error / 448;
  }
  return result;
}

Array Interpreter::evaluate(mj::QuantizeChannelsOp op) {
  Array result = at(op.getWeight());
  const Array &scales = at(op.getScales());
  int64_t columns = result.columns();
  for (int64_t i = 0; i < result.size(); ++i) {
    int64_t channel = scales.size() > 1 ? i / columns : 0;
    double scale = scales.values[channel], exact = result.values[i] / scale;
    double spread = (result.errors[i] + std::abs(exact) * scales.errors[channel]) / scale;
    // The definition divides in f32.
    result.values[i] = codes == Codes::ideal ? exact : double(float(result.values[i]) / float(scale));
    result.errors[i] = spread;
    toCode(result.values[i], result.errors[i]);
  }
  return result;
}
