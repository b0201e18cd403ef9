// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Pointwise operations of arith and math, and how each passes the bounds of its operands on.
#include "test/random/Interpreter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/ErrorHandling.h"

#include <cmath>
#include <functional>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::differential;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

namespace {
struct Number {
  double value = 0, error = 0;
};
using Function = std::function<Number(ArrayRef<Number>)>;
} // namespace

/// A monotonic function: its values at the ends of the interval bound the error. An elementary function in f32 is a
/// polynomial of about 1e-7 relative error, sixteen units with its argument's reduction; `absolute` where it crosses
/// zero. Of what may be anything, a NaN too, nothing bounded comes.
static Function monotonic(double (*f)(double), double absolute = 0) {
  return [=](ArrayRef<Number> in) -> Number {
    auto [x, error] = in[0];
    double y = f(x);
    double spread = std::max(std::abs(f(x + error) - y), std::abs(f(x - error) - y));
    if (std::isnan(spread) || std::isinf(error))
      spread = kInfinity;
    return {y, spread + 16 * kUnitF32 * std::abs(y) + absolute};
  };
}

static Number divide(Number a, Number b) {
  double quotient = a.value / b.value;
  if (!(b.error < std::abs(b.value)))
    return {quotient, kInfinity};
  double spread = (std::abs(a.value) + a.error) / (std::abs(b.value) - b.error) - std::abs(quotient);
  return {quotient, spread + 2 * kUnitF32 * std::abs(quotient)};
}

static Number power(Number x, Number y) {
  double value = std::pow(x.value, y.value);
  if (y.error > 1e-6 * std::abs(y.value))
    return {value, kInfinity};
  double slope = std::abs(y.value) * std::pow(std::abs(x.value) + x.error, y.value - 1);
  if (y.value < 1)
    slope = x.value > x.error ? std::abs(y.value) * std::pow(x.value - x.error, y.value - 1) : kInfinity;
  double logarithm = std::abs(std::log(std::abs(x.value) + 1e-300));
  double relative = y.error * logarithm + 16 * kUnitF32 * (1 + std::abs(y.value) * logarithm);
  return {value, slope * x.error + std::abs(value) * relative};
}

static bool holds(arith::CmpFPredicate predicate, double a, double b) {
  using P = arith::CmpFPredicate;
  bool unordered = std::isnan(a) || std::isnan(b);
  switch (predicate) {
  case P::OEQ:
    return a == b;
  case P::OGT:
    return a > b;
  case P::OGE:
    return a >= b;
  case P::OLT:
    return a < b;
  case P::OLE:
    return a <= b;
  case P::ONE:
    return !unordered && a != b;
  case P::UEQ:
    return unordered || a == b;
  case P::UGT:
    return unordered || a > b;
  case P::UGE:
    return unordered || a >= b;
  case P::ULT:
    return unordered || a < b;
  case P::ULE:
    return unordered || a <= b;
  case P::UNE:
    return unordered || a != b;
  case P::ORD:
    return !unordered;
  case P::UNO:
    return unordered;
  case P::AlwaysTrue:
    return true;
  case P::AlwaysFalse:
    return false;
  }
  llvm_unreachable("every predicate is a case");
}

static bool holds(arith::CmpIPredicate predicate, int64_t a, int64_t b) {
  using P = arith::CmpIPredicate;
  switch (predicate) {
  case P::eq:
    return a == b;
  case P::ne:
    return a != b;
  case P::slt:
    return a < b;
  case P::sle:
    return a <= b;
  case P::sgt:
    return a > b;
  case P::sge:
    return a >= b;
  case P::ult:
    return uint64_t(a) < uint64_t(b);
  case P::ule:
    return uint64_t(a) <= uint64_t(b);
  case P::ugt:
    return uint64_t(a) > uint64_t(b);
  case P::uge:
    return uint64_t(a) >= uint64_t(b);
  }
  llvm_unreachable("every predicate is a case");
}

static Function functionOf(Operation &op) {
  auto larger = [](ArrayRef<Number> in) {
    return Number{std::max(in[0].value, in[1].value), std::max(in[0].error, in[1].error)};
  };
  auto smaller = [](ArrayRef<Number> in) {
    return Number{std::min(in[0].value, in[1].value), std::max(in[0].error, in[1].error)};
  };
  auto same = [](ArrayRef<Number> in) { return in[0]; };
  return llvm::TypeSwitch<Operation *, Function>(&op)
      .Case<arith::AddFOp>([](auto) {
        return [](ArrayRef<Number> in) { return Number{in[0].value + in[1].value, in[0].error + in[1].error}; };
      })
      .Case<arith::SubFOp>([](auto) {
        return [](ArrayRef<Number> in) { return Number{in[0].value - in[1].value, in[0].error + in[1].error}; };
      })
      .Case<arith::MulFOp>([](auto) {
        return [](ArrayRef<Number> in) {
          auto [a, b] = std::pair(in[0], in[1]);
          double spread = (a.error ? a.error * (std::abs(b.value) + b.error) : 0) + std::abs(a.value) * b.error;
          return Number{a.value * b.value, std::isnan(spread) ? kInfinity : spread};
        };
      })
      .Case<arith::DivFOp>([](auto) { return [](ArrayRef<Number> in) { return divide(in[0], in[1]); }; })
      .Case<arith::NegFOp>([](auto) { return [](ArrayRef<Number> in) { return Number{-in[0].value, in[0].error}; }; })
      .Case<math::AbsFOp>(
          [](auto) { return [](ArrayRef<Number> in) { return Number{std::abs(in[0].value), in[0].error}; }; })
      .Case<arith::MaximumFOp, arith::MaxNumFOp>([&](auto) { return larger; })
      .Case<arith::MinimumFOp, arith::MinNumFOp>([&](auto) { return smaller; })
      .Case<arith::ExtFOp, arith::TruncFOp, arith::SIToFPOp, arith::ExtSIOp>([&](auto) { return same; })
      .Case<arith::CmpFOp>([](arith::CmpFOp compare) {
        return [predicate = compare.getPredicate()](ArrayRef<Number> in) {
          double slack = in[0].error + in[1].error;
          bool decided = slack == 0 || std::abs(in[0].value - in[1].value) > slack;
          double error = decided ? 0.0 : std::isinf(slack) ? kInfinity : 1.0;
          return Number{double(holds(predicate, in[0].value, in[1].value)), error};
        };
      })
      .Case<arith::CmpIOp>([](arith::CmpIOp compare) {
        return [predicate = compare.getPredicate()](ArrayRef<Number> in) {
          return Number{double(holds(predicate, int64_t(in[0].value), int64_t(in[1].value))), 0};
        };
      })
      .Case<arith::SelectOp>([](auto) {
        return [](ArrayRef<Number> in) {
          Number chosen = in[0].value != 0 ? in[1] : in[2];
          if (std::isinf(in[0].error))
            chosen.error = kInfinity;
          else if (in[0].error != 0)
            chosen.error = std::abs(in[1].value - in[2].value) + std::max(in[1].error, in[2].error);
          return chosen;
        };
      })
      .Case<arith::AddIOp>(
          [](auto) { return [](ArrayRef<Number> in) { return Number{in[0].value + in[1].value, 0}; }; })
      .Case<arith::MulIOp>(
          [](auto) { return [](ArrayRef<Number> in) { return Number{in[0].value * in[1].value, 0}; }; })
      .Case<arith::AndIOp>([](auto) {
        return [](ArrayRef<Number> in) {
          return Number{double(int64_t(in[0].value) & int64_t(in[1].value)), std::max(in[0].error, in[1].error)};
        };
      })
      .Case<arith::OrIOp>([](auto) {
        return [](ArrayRef<Number> in) {
          return Number{double(int64_t(in[0].value) | int64_t(in[1].value)), std::max(in[0].error, in[1].error)};
        };
      })
      .Case<arith::XOrIOp>([](auto xorOp) {
        bool isBoolean = getElementTypeOrSelf(xorOp.getType()).isInteger(1);
        return [isBoolean](ArrayRef<Number> in) {
          int64_t a = int64_t(in[0].value), b = int64_t(in[1].value);
          return Number{isBoolean ? double((a != 0) != (b != 0)) : double(a ^ b), std::max(in[0].error, in[1].error)};
        };
      })
      .Case<math::ExpOp>([](auto) {
        return [f = monotonic(std::exp)](ArrayRef<Number> in) {
          // The argument's reduction costs digits in proportion to it.
          Number y = f(in);
          y.error += 2 * kUnitF32 * std::abs(in[0].value) * y.value;
          return y;
        };
      })
      .Case<math::Exp2Op>([](auto) { return monotonic(std::exp2); })
      .Case<math::LogOp>([](auto) { return monotonic(std::log, 4 * kUnitF32); })
      .Case<math::TanhOp>([](auto) { return monotonic(std::tanh); })
      .Case<math::ErfOp>([](auto) { return monotonic(std::erf, 8 * kUnitF32); })
      .Case<math::SqrtOp>([](auto) { return monotonic(std::sqrt); })
      .Case<math::RsqrtOp>([](auto) { return monotonic([](double x) { return 1 / std::sqrt(x); }); })
      .Case<math::SinOp, math::CosOp>([](auto wave) -> Function {
        bool isSine = isa<math::SinOp>(wave.getOperation());
        return [isSine](ArrayRef<Number> in) {
          double y = isSine ? std::sin(in[0].value) : std::cos(in[0].value);
          double error = in[0].error + 16 * kUnitF32 * (1 + std::abs(in[0].value));
          return Number{y, std::isinf(error) ? error : std::min(2.0, error)};
        };
      })
      .Case<math::PowFOp>([](auto) { return [](ArrayRef<Number> in) { return power(in[0], in[1]); }; })
      .Case<math::FmaOp>([](auto) {
        return [](ArrayRef<Number> in) {
          auto [a, b] = std::pair(in[0], in[1]);
          double spread = a.error * (std::abs(b.value) + b.error) + std::abs(a.value) * b.error;
          double product = a.value * b.value;
          return Number{product + in[2].value, spread + in[2].error + kUnitF32 * std::abs(product)};
        };
      })
      .Default([](Operation *unknown) -> Function {
        llvm::report_fatal_error(llvm::Twine("the reference does not know '") + unknown->getName().getStringRef() +
                                 "'");
      });
}

Array Interpreter::evaluatePointwise(Operation &op) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto elements = cast<DenseElementsAttr>(constant.getValue());
    Array array(elements.getType().getShape());
    if (isa<FloatType>(elements.getElementType())) {
      for (auto [index, number] : llvm::enumerate(elements.getValues<APFloat>()))
        array.values[index] = number.convertToDouble();
    } else {
      bool isBoolean = elements.getElementType().isInteger(1);
      for (auto [index, number] : llvm::enumerate(elements.getValues<APInt>()))
        array.values[index] = isBoolean ? double(number.getZExtValue()) : double(number.getSExtValue());
    }
    return array;
  }
  Function function = functionOf(op);
  Array result(at(op.getOperand(op.getNumOperands() - 1)).shape);
  SmallVector<const Array *> operands;
  for (Value operand : op.getOperands())
    operands.push_back(&at(operand));
  SmallVector<Number> numbers(operands.size());
  for (size_t i = 0; i < result.values.size(); ++i) {
    for (auto [number, operand] : llvm::zip(numbers, operands)) {
      // A scalar condition serves all elements.
      size_t place = operand->values.size() == 1 ? 0 : i;
      number = {operand->values[place], operand->errors[place]};
    }
    Number y = function(numbers);
    result.values[i] = y.value;
    result.errors[i] = rounding == Rounding::none ? y.error : 0;
  }
  return result;
}
