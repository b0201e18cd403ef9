// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Operations that sum: matmuls, norms, reductions, attention; and rotary embeddings and sampling.
#include "test/random/Interpreter.h"

#include <cmath>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::differential;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

namespace {
/// A sum of products and its bound: those of the factors, and rounding of `n` terms added in any order.
struct Dot {
  double sum = 0, spread = 0, absolute = 0;
  void add(double a, double aError, double b, double bError) {
    sum += a * b;
    spread += std::abs(a) * bError + std::abs(b) * aError + aError * bError;
    absolute += std::abs(a * b);
  }
  double error(int64_t n) const {
    double total = spread + double(n + 2) * kUnitF32 * absolute;
    return std::isnan(total) ? kInfinity : total;
  }
};
} // namespace

Array Interpreter::evaluate(mj::MatmulOp op) {
  const Array &x = at(op.getX()), &weight = at(op.getWeight());
  const Array *scales = op.getWeightScale() ? &at(op.getWeightScale()) : nullptr;
  int64_t rows = x.shape[0], inner = x.shape[1], columns = weight.shape[op.getTransposeB() ? 0 : 1];
  int64_t rowStep = op.getTransposeB() ? inner : 1, innerStep = op.getTransposeB() ? 1 : columns;
  Array result(ArrayRef<int64_t>{rows, columns});
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      Dot dot;
      for (int64_t i = 0; i < inner; ++i) {
        int64_t a = row * inner + i, b = column * rowStep + i * innerStep;
        dot.add(x.values[a], x.errors[a], weight.values[b], weight.errors[b]);
      }
      double factor = op.getXScale() ? op.getXScale()->convertToDouble() : 1;
      if (scales)
        factor *= scales->values[scales->size() > 1 ? column : 0];
      double roundings = (scales ? 2 * kUnitF32 : 0) + (op.getXScale() ? 2 * kUnitF32 : 0);
      result.values[row * columns + column] = dot.sum * factor;
      result.errors[row * columns + column] =
          dot.error(inner) * std::abs(factor) + roundings * std::abs(dot.sum * factor);
    }
  return result;
}

Array Interpreter::evaluate(mj::BatchMatmulOp op) {
  const Array &a = at(op.getA()), &b = at(op.getB());
  int64_t rows = a.shape[a.shape.size() - 2], inner = a.columns();
  int64_t columns = b.shape[b.shape.size() - (op.getTransposeB() ? 2 : 1)];
  int64_t columnStep = op.getTransposeB() ? inner : 1, innerStep = op.getTransposeB() ? 1 : columns;
  Array result(op.getType().getShape());
  int64_t matrices = result.size() / (rows * columns);
  for (int64_t matrix = 0; matrix < matrices; ++matrix)
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; ++column) {
        Dot dot;
        for (int64_t i = 0; i < inner; ++i) {
          int64_t left = (matrix * rows + row) * inner + i;
          int64_t right = matrix * inner * columns + column * columnStep + i * innerStep;
          dot.add(a.values[left], a.errors[left], b.values[right], b.errors[right]);
        }
        int64_t place = (matrix * rows + row) * columns + column;
        result.values[place] = dot.sum;
        result.errors[place] = dot.error(inner);
      }
  return result;
}

Array Interpreter::evaluate(mj::NormOp op) {
  const Array &x = at(op.getX());
  const Array *weight = op.getWeight() ? &at(op.getWeight()) : nullptr,
              *bias = op.getBias() ? &at(op.getBias()) : nullptr;
  int64_t n = x.columns();
  double eps = op.getEps().convertToDouble();
  Array result = x;
  for (int64_t start = 0; start < int64_t(x.values.size()); start += n) {
    double *centred = &result.values[start], *errors = &result.errors[start];
    if (op.getKind() == mj::NormKind::layer) {
      double mean = 0, meanError = 0;
      for (int64_t i = 0; i < n; ++i) {
        mean += centred[i] / n;
        meanError += (errors[i] + double(n + 2) * kUnitF32 * std::abs(centred[i])) / n;
      }
      for (int64_t i = 0; i < n; ++i) {
        centred[i] -= mean;
        errors[i] += meanError + kUnitF32 * std::abs(centred[i]);
      }
    }
    Dot squares;
    for (int64_t i = 0; i < n; ++i)
      squares.add(centred[i], errors[i], centred[i], errors[i]);
    double total = squares.sum / n + eps, relative = squares.error(n + 2) / n / total + 4 * kUnitF32;
    double factor = 1 / std::sqrt(total);
    double factorError =
        relative < 0.9 ? factor * (1 / std::sqrt(1 - relative) - 1) + 4 * kUnitF32 * factor : kInfinity;
    for (int64_t i = 0; i < n; ++i) {
      double scale = weight ? weight->values[i] : 1, scaleError = weight ? weight->errors[i] : 0;
      double normed = centred[i] * factor;
      double normedError = errors[i] * (factor + factorError) + std::abs(centred[i]) * factorError;
      centred[i] = normed * scale + (bias ? bias->values[i] : 0);
      errors[i] = normedError * (std::abs(scale) + scaleError) + std::abs(normed) * scaleError +
                  4 * kUnitF32 * std::abs(normed * scale) + (bias ? bias->errors[i] : 0);
      if (std::isnan(errors[i]))
        errors[i] = kInfinity;
    }
  }
  return result;
}

Array Interpreter::evaluate(mj::ReduceOp op) {
  const Array &x = at(op.getX());
  int64_t rank = x.shape.size();
  SmallVector<int64_t> keptStrides(rank, 0), shape;
  int64_t reduced = 1;
  for (int64_t axis = 0; axis < rank; ++axis)
    if (llvm::is_contained(op.getAxes(), axis))
      reduced *= x.shape[axis];
    else
      shape.push_back(x.shape[axis]);
  for (int64_t axis = rank - 1, stride = 1; axis >= 0; --axis)
    if (!llvm::is_contained(op.getAxes(), axis)) {
      keptStrides[axis] = stride;
      stride *= x.shape[axis];
    }
  Array result(shape);
  bool isMaximum = op.getKind() == mj::ReduceKind::max, isMinimum = op.getKind() == mj::ReduceKind::min;
  if (isMaximum || isMinimum)
    llvm::fill(result.values, isMaximum ? -kInfinity : kInfinity);
  SmallVector<int64_t> index(rank, 0);
  for (size_t i = 0; i < x.values.size(); ++i) {
    int64_t place = 0;
    for (int64_t axis = 0; axis < rank; ++axis)
      place += index[axis] * keptStrides[axis];
    double &value = result.values[place], &error = result.errors[place];
    if (isMaximum || isMinimum) {
      value = isMaximum ? std::max(value, x.values[i]) : std::min(value, x.values[i]);
      error = std::max(error, x.errors[i]);
    } else {
      double share = op.getKind() == mj::ReduceKind::mean ? 1.0 / double(reduced) : 1.0;
      value += x.values[i] * share;
      error += (x.errors[i] + double(reduced + 2) * kUnitF32 * std::abs(x.values[i])) * share;
    }
    for (int64_t axis = rank - 1; axis >= 0 && ++index[axis] == x.shape[axis]; --axis)
      index[axis] = 0;
  }
  return result;
}

/// Softmax of scores in place. A relative error of exp(s_i) / sum exp(s_j) is e_i + sum p_j e_j to first order; where
/// the bounds are large, twice the largest of them. What is so far below another score that its exponential is 0 in f32
/// is hidden: its bound does not matter. Nor do the lowest numbers beside others; alone, they are anything unless they
/// are exact.
static void softmax(std::vector<double> &scores, std::vector<double> &errors) {
  constexpr double nothing = 110;
  bool areExact = llvm::all_of(errors, [](double error) { return error == 0; });
  double lowest = areExact ? -kInfinity : -3e38;
  double largest = -kInfinity, least = -kInfinity, largestError = 0;
  for (auto [score, error] : llvm::zip(scores, errors)) {
    largest = std::max(largest, score);
    if (score > lowest)
      least = std::max(least, score - error);
  }
  if (largest == -kInfinity) {
    llvm::fill(scores, 0.0);
    llvm::fill(errors, 0.0);
    return;
  }
  if (largest < lowest) {
    llvm::fill(scores, 0.0);
    llvm::fill(errors, kInfinity);
    return;
  }
  std::vector<double> shifts;
  double sum = 0, mean = 0;
  for (auto [score, error] : llvm::zip(scores, errors)) {
    bool isHidden = score < lowest || score + error < least - nothing;
    shifts.push_back(isHidden ? 0 : largest - score);
    if (!isHidden)
      largestError = std::max(largestError, error);
    score = isHidden ? 0 : std::exp(score - largest);
    sum += score;
  }
  for (auto [score, error] : llvm::zip(scores, errors)) {
    score /= sum;
    if (score > 0)
      mean += score * error;
  }
  double rounding = double(scores.size() + 32) * kUnitF32;
  for (auto [index, score] : llvm::enumerate(scores)) {
    double spread = largestError > 0.5 ? 2 * largestError : errors[index] + mean;
    errors[index] = score > 0 ? score * (std::expm1(spread) + rounding + 4 * kUnitF32 * shifts[index]) : 0;
    if (std::isnan(errors[index]))
      errors[index] = kInfinity;
  }
}

Array Interpreter::evaluate(mj::SoftmaxOp op) {
  Array result = at(op.getX());
  int64_t n = result.columns();
  for (int64_t start = 0; start < int64_t(result.values.size()); start += n) {
    std::vector<double> scores(&result.values[start], &result.values[start] + n);
    std::vector<double> errors(&result.errors[start], &result.errors[start] + n);
    softmax(scores, errors);
    llvm::copy(scores, &result.values[start]);
    llvm::copy(errors, &result.errors[start]);
  }
  return result;
}

Array Interpreter::evaluate(mj::RopeOp op) {
  const Array &x = at(op.getX()), &table = at(op.getTable());
  const Array *positions = op.getPositions() ? &at(op.getPositions()) : nullptr;
  int64_t heads = x.shape[1], size = x.shape[2], pairs = size / 2;
  bool isHalf = op.getPairs() == mj::RopePairs::half;
  Array result(x.shape);
  for (int64_t row = 0; row < x.shape[0]; ++row)
    for (int64_t head = 0; head < heads; ++head)
      for (int64_t pair = 0; pair < pairs; ++pair) {
        int64_t start = (row * heads + head) * size;
        int64_t first = start + (isHalf ? pair : 2 * pair), second = start + (isHalf ? pair + pairs : 2 * pair + 1);
        int64_t angle = ((positions ? int64_t(positions->values[row]) : row) * pairs + pair) * 2;
        double c = table.values[angle], s = table.values[angle + 1];
        for (auto [place, sign] : {std::pair<int64_t, double>{first, -1}, {second, 1}}) {
          int64_t other = place == first ? second : first;
          result.values[place] = x.values[place] * c + sign * x.values[other] * s;
          result.errors[place] = x.errors[place] * std::abs(c) + x.errors[other] * std::abs(s) +
                                 6 * kUnitF32 * (std::abs(x.values[place] * c) + std::abs(x.values[other] * s)) +
                                 2 * kUnitF32 * (std::abs(x.values[place]) + std::abs(x.values[other]));
        }
      }
  return result;
}

void Interpreter::attend(const Attended &attended, int64_t columns, Array &result, int64_t start) {
  std::vector<double> weights = attended.scores, errors = attended.scoreErrors;
  softmax(weights, errors);
  int64_t count = weights.size();
  // Kernels may store the weights as they store activations.
  for (int64_t i = 0; i < count; ++i)
    errors[i] += unit * weights[i];
  for (int64_t column = 0; column < columns; ++column) {
    Dot dot;
    for (int64_t i = 0; i < count; ++i) {
      if (weights[i] == 0 && errors[i] == 0)
        continue;
      int64_t place = attended.valueStarts[i] + column;
      dot.add(weights[i], errors[i], attended.sources[i]->values[place], attended.sources[i]->errors[place]);
    }
    result.values[start + column] = dot.sum;
    result.errors[start + column] = dot.error(count);
  }
}

Array Interpreter::evaluate(mj::AttentionOp op) {
  const Array &query = at(op.getQuery());
  int64_t heads = query.shape[1], size = query.shape[2];
  const Array *scales = op.getScales() ? &at(op.getScales()) : nullptr;
  double scale = op.getScale().convertToDouble();
  Array result(query.shape);
  for (int64_t sequence = 0; sequence < batch->sequences; ++sequence)
    for (int64_t row = batch->sequenceOffsets[sequence]; row < batch->sequenceOffsets[sequence + 1]; ++row)
      for (int64_t head = 0; head < heads; ++head) {
        int64_t position = batch->positions[row], kvHead = head / (heads / cache->heads);
        int64_t first = op.getWindow() ? std::max<int64_t>(0, position + 1 - int64_t(*op.getWindow())) : 0;
        Attended attended;
        for (int64_t other = first; other <= position; ++other) {
          int64_t page = batch->blockTables[sequence * batch->pages + other / cache->pageSize];
          int64_t slot = page * cache->pageSize + other % cache->pageSize;
          int64_t key = cache->place(op.getLayer(), 0, slot, kvHead), start = (row * heads + head) * size;
          Dot dot;
          for (int64_t i = 0; i < size; ++i)
            dot.add(query.values[start + i], query.errors[start + i], cache->contents.values[key + i],
                    cache->contents.errors[key + i]);
          double factor = scale * (scales ? scales->values[kvHead] : 1);
          attended.scores.push_back(dot.sum * factor);
          attended.scoreErrors.push_back(dot.error(size + 4) * std::abs(factor));
          attended.valueStarts.push_back(cache->place(op.getLayer(), 1, slot, kvHead));
          attended.sources.push_back(&cache->contents);
        }
        attend(attended, size, result, (row * heads + head) * size);
        if (scales)
          for (int64_t start = (row * heads + head) * size, i = start; i < start + size; ++i) {
            double factor = scales->values[cache->heads + kvHead];
            result.values[i] *= factor;
            result.errors[i] = result.errors[i] * factor + 2 * kUnitF32 * std::abs(result.values[i]);
          }
      }
  return result;
}

/// Whether f32, and what has fewer digits, makes `large` of its sum with any number of at most `reach`. The neighbours
/// of a number of 2^e and more are 2^(e - 24) away and more, so what is below half of that is lost; a quarter of it is
/// asked for, so that it is lost in units of log 2, too.
static bool absorbs(double large, double reach) {
  return large != 0 && std::isfinite(large) && reach < std::ldexp(1.0, std::ilogb(large) - 27);
}

Array Interpreter::evaluate(mj::SdpaOp op) {
  const Array &query = at(op.getQuery());
  const Array *mask = op.getMask() ? &at(op.getMask()) : nullptr;
  bool isBoolean = mask && cast<RankedTensorType>(op.getMask().getType()).getElementType().isInteger(1);
  int64_t rows = query.shape[0], heads = query.shape[1], size = query.shape[2];
  int64_t kvHeads = at(op.getKeys().front()).shape[1], columns = at(op.getValues().front()).columns(), total = 0;
  for (Value key : op.getKeys())
    total += at(key).shape[0];
  double scale = op.getScale().convertToDouble();
  Array result(ArrayRef<int64_t>{rows, heads, columns});
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t head = 0; head < heads; ++head) {
      int64_t kvHead = head / (heads / kvHeads), start = (row * heads + head) * size, column = 0;
      Attended attended;
      for (auto [keyValue, value] : llvm::zip(op.getKeys(), op.getValues())) {
        const Array &key = at(keyValue);
        for (int64_t other = 0; other < key.shape[0]; ++other, ++column) {
          int64_t last = total - rows + row;
          bool seen = !op.getCausal() || column <= last;
          seen &= !op.getWindow() || column > last - int64_t(*op.getWindow());
          double bias = 0, biasError = 0;
          if (mask) {
            int64_t place = ((mask->shape.size() == 3 ? head * rows : 0) + row) * total + column;
            if (isBoolean && seen && mask->errors[place] != 0)
              biasError = kInfinity; // seen or not: anything goes
            else if (isBoolean)
              seen &= mask->values[place] != 0;
            else
              bias = mask->values[place], biasError = mask->errors[place];
          }
          if (!seen || bias == -kInfinity)
            continue;
          Dot dot;
          int64_t from = (other * kvHeads + kvHead) * size;
          for (int64_t i = 0; i < size; ++i)
            dot.add(query.values[start + i], query.errors[start + i], key.values[from + i], key.errors[from + i]);
          double error = dot.error(size + 2) * std::abs(scale), reach = dot.absolute * std::abs(scale) + error;
          bool isAbsorbed = absorbs(bias, reach);
          attended.scores.push_back(isAbsorbed ? bias : dot.sum * scale + bias);
          attended.scoreErrors.push_back(biasError + (isAbsorbed ? 0 : error + 2 * kUnitF32 * std::abs(bias)));
          attended.valueStarts.push_back((other * kvHeads + kvHead) * columns);
          attended.sources.push_back(&at(value));
        }
      }
      attend(attended, columns, result, (row * heads + head) * columns);
    }
  return result;
}

Array Interpreter::evaluate(mj::SampleOp op) {
  // The largest logit; where a program's errors could make another one the largest, anything goes.
  const Array &logits = at(op.getLogits());
  int64_t vocabulary = logits.columns();
  Array result(ArrayRef<int64_t>{logits.shape[0]});
  for (int64_t row = 0; row < logits.shape[0]; ++row) {
    const double *of = &logits.values[row * vocabulary], *errors = &logits.errors[row * vocabulary];
    int64_t best = std::max_element(of, of + vocabulary) - of;
    result.values[row] = double(best);
    for (int64_t other = 0; other < vocabulary; ++other)
      if (other != best && of[best] - of[other] <= errors[best] + errors[other])
        result.errors[row] = kInfinity;
    if (batch->temperature[row] != 0 && batch->topK[row] != 1)
      result.errors[row] = kInfinity;
  }
  return result;
}
