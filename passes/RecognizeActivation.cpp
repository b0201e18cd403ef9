// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// recognize: SiLU and GELU in their many spellings become one each.
//
// x * sigmoid(p(x)) is x / (1 + exp(-p(x))): SiLU with p = x, the sigmoid approximation of GELU with p = 1.702 x, and,
// as (1 + tanh(u)) / 2 = sigmoid(2u), the tanh approximation with p = 2 sqrt(2/pi) (x + 0.044715 x^3)
// (https://arxiv.org/abs/1606.08415). GELU itself is x / 2 * (1 + erf(x / sqrt(2))).
#include "passes/RecognizePatterns.h"
#include "passes/TensorMatch.h"
#include "passes/Weights.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <array>
#include <cmath>

using namespace mlir;
using namespace mjolnir;

namespace {

/// Coefficients of 1, x, x^2, x^3.
using Polynomial = std::array<double, 4>;

std::optional<Polynomial> product(const Polynomial &a, const Polynomial &b) {
  Polynomial result{};
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < b.size(); ++j) {
      if (a[i] == 0 || b[j] == 0)
        continue;
      if (i + j >= result.size())
        return std::nullopt;
      result[i + j] += a[i] * b[j];
    }
  return result;
}

/// `value` as a polynomial of `x`.
std::optional<Polynomial> asPolynomial(Value value, Value x, unsigned depth = 0) {
  if (value == x)
    return Polynomial{0, 1, 0, 0};
  if (std::optional<double> number = getSplat(value))
    return Polynomial{*number, 0, 0, 0};
  Operation *op = value.getDefiningOp();
  // Deeper than any spelling of an activation.
  if (!op || depth > 10 || !isElementwise(op))
    return std::nullopt;
  auto a = asPolynomial(op->getOperand(0), x, depth + 1);
  if (!a)
    return std::nullopt;
  if (isa<arith::NegFOp>(op))
    return product(*a, {-1, 0, 0, 0});
  if (op->getNumOperands() != 2)
    return std::nullopt;
  std::optional<double> number = getSplat(op->getOperand(1));
  if (isa<math::PowFOp, math::FPowIOp>(op)) {
    auto power = number == 2 || number == 3 ? product(*a, *a) : std::nullopt;
    return power && number == 3 ? product(*power, *a) : power;
  }
  if (isa<arith::DivFOp>(op))
    return number && *number != 0 ? product(*a, {1 / *number, 0, 0, 0}) : std::nullopt;
  auto b = asPolynomial(op->getOperand(1), x, depth + 1);
  if (!b)
    return std::nullopt;
  if (isa<arith::MulFOp>(op))
    return product(*a, *b);
  double sign = isa<arith::AddFOp>(op) ? 1 : isa<arith::SubFOp>(op) ? -1 : 0;
  if (sign == 0)
    return std::nullopt;
  for (size_t i = 0; i < a->size(); ++i)
    (*a)[i] += sign * (*b)[i];
  return a;
}

bool isNear(double a, double b) { return std::abs(a - b) <= 0.01 * std::abs(b); }

/// A product: factors, and what they are multiplied with. `1 / (1 + exp(e))` is kept as a gate, a factor of its own.
struct Product {
  SmallVector<Value> factors;
  SmallVector<Value> gates; ///< e of 1 / (1 + exp(e))
  double coefficient = 1;
};

/// e of 1 + exp(e).
Value matchOnePlusExp(Value value) {
  auto add = value.getDefiningOp<arith::AddFOp>();
  if (!add)
    return {};
  for (unsigned side : {0u, 1u})
    if (isSplat(add->getOperand(side), 1.0))
      if (auto exponential = add->getOperand(1 - side).getDefiningOp<math::ExpOp>())
        return exponential.getOperand();
  return {};
}

/// y of 1 + f(y), f being an `Op`.
template <typename Op> Value matchOnePlus(Value value) {
  auto add = value.getDefiningOp<arith::AddFOp>();
  if (!add)
    return {};
  for (unsigned side : {0u, 1u})
    if (isSplat(add->getOperand(side), 1.0))
      if (auto function = add->getOperand(1 - side).getDefiningOp<Op>())
        return function.getOperand();
  return {};
}

/// Whether `op` is x / (1 + exp(e)) with e a function of x alone in the spelling that this file writes.
bool isCanonical(arith::DivFOp op) {
  Value exponent = matchOnePlusExp(op.getRhs());
  if (!exponent)
    return false;
  if (auto negation = exponent.getDefiningOp<arith::NegFOp>())
    return negation.getOperand() == op.getLhs();
  auto scaled = exponent.getDefiningOp<arith::MulFOp>();
  if (!scaled || scaled.getLhs() != op.getLhs())
    return false;
  if (getSplat(scaled.getRhs()))
    return true;
  auto sum = scaled.getRhs().getDefiningOp<arith::AddFOp>();
  auto cubic = sum ? sum.getLhs().getDefiningOp<arith::MulFOp>() : arith::MulFOp();
  auto square = cubic ? cubic.getLhs().getDefiningOp<arith::MulFOp>() : arith::MulFOp();
  return square && square.getLhs() == op.getLhs() && square.getRhs() == op.getLhs() && getSplat(cubic.getRhs()) &&
         getSplat(sum.getRhs());
}

/// Whether `op` is (x * 0.5) * (1 + erf(x * c)).
bool isCanonical(arith::MulFOp op) {
  Value inner = matchOnePlus<math::ErfOp>(op.getRhs());
  auto scaled = inner ? inner.getDefiningOp<arith::MulFOp>() : arith::MulFOp();
  auto half = op.getLhs().getDefiningOp<arith::MulFOp>();
  return scaled && half && half.getLhs() == scaled.getLhs() && isSplat(half.getRhs(), 0.5) && getSplat(scaled.getRhs());
}

void flatten(Value value, Product &result, bool isRoot = false) {
  if (std::optional<double> number = getSplat(value)) {
    result.coefficient *= *number;
    return;
  }
  Operation *op = value.getDefiningOp();
  // A value that others read, too, is computed anyway.
  bool mayOpen = isRoot || getOnlyReader(value);
  if (auto multiply = dyn_cast_if_present<arith::MulFOp>(op); multiply && mayOpen && !isCanonical(multiply)) {
    flatten(multiply.getLhs(), result);
    flatten(multiply.getRhs(), result);
  } else if (auto divide = dyn_cast_if_present<arith::DivFOp>(op); divide && !isCanonical(divide)) {
    if (Value exponent = matchOnePlusExp(divide.getRhs())) {
      result.gates.push_back(exponent);
      flatten(divide.getLhs(), result);
    } else if (std::optional<double> number = getSplat(divide.getRhs()); number && mayOpen && *number != 0) {
      result.coefficient /= *number;
      flatten(divide.getLhs(), result);
    } else {
      result.factors.push_back(value);
    }
  } else if (auto negate = dyn_cast_if_present<arith::NegFOp>(op); negate && mayOpen) {
    result.coefficient = -result.coefficient;
    flatten(negate.getOperand(), result);
  } else {
    result.factors.push_back(value);
  }
}

class ActivationRewriter {
public:
  explicit ActivationRewriter(Operation *root)
      : root(root), type(tensorOf(root->getResult(0))), builder(root), loc(root->getLoc()) {}

  void run() {
    Product all;
    flatten(root->getResult(0), all, /*isRoot=*/true);
    for (auto [index, exponent] : llvm::enumerate(all.gates))
      if (rewriteSigmoid(all, index, exponent))
        return;
    for (auto [index, factor] : llvm::enumerate(all.factors)) {
      if (Value inner = matchOnePlus<math::TanhOp>(factor); inner && rewriteTanh(all, index, inner))
        return;
      if (Value inner = matchOnePlus<math::ErfOp>(factor); inner && rewriteErf(all, index, inner))
        return;
    }
  }

private:
  /// Each of these looks for the x that a gate is a function of among the other factors.
  bool rewriteSigmoid(Product all, size_t gate, Value exponent) {
    for (auto [index, x] : llvm::enumerate(all.factors)) {
      auto p = asPolynomial(exponent, x);
      if (!p || !isGate(*p))
        continue;
      // Before anything is taken out: x is one of the factors.
      Value gated = buildGate(x, *p);
      all.gates.erase(all.gates.begin() + gate);
      all.factors.erase(all.factors.begin() + index);
      return replace(gated, all, nameOf(*p));
    }
    return false;
  }

  bool rewriteTanh(Product all, size_t gate, Value inner) {
    for (auto [index, x] : llvm::enumerate(all.factors)) {
      auto u = index == gate ? std::nullopt : asPolynomial(inner, x);
      auto p = u ? product(*u, {-2, 0, 0, 0}) : std::nullopt;
      if (!p || !isGate(*p))
        continue;
      Value gated = buildGate(x, *p);
      erase(all, gate, index);
      all.coefficient *= 2;
      return replace(gated, all, nameOf(*p));
    }
    return false;
  }

  bool rewriteErf(Product all, size_t gate, Value inner) {
    for (auto [index, x] : llvm::enumerate(all.factors)) {
      auto u = index == gate ? std::nullopt : asPolynomial(inner, x);
      if (!u || (*u)[0] != 0 || (*u)[2] != 0 || (*u)[3] != 0 || !isNear((*u)[1], std::sqrt(0.5)))
        continue;
      Value half = multiply(x, splat(0.5));
      Value erf = math::ErfOp::create(builder, loc, multiply(x, splat((*u)[1])));
      Value gated = multiply(half, arith::AddFOp::create(builder, loc, erf, splat(1.0)));
      erase(all, gate, index);
      all.coefficient *= 2;
      return replace(gated, all, "GELU (erf)");
    }
    return false;
  }

  static bool isGate(const Polynomial &p) { return p[0] == 0 && p[1] != 0 && p[2] == 0; }

  static std::string nameOf(const Polynomial &p) {
    double tanhScale = -2 * std::sqrt(2 / M_PI);
    if (p[3] == 0)
      return p[1] == -1 ? "SiLU" : isNear(p[1], -1.702) ? "GELU (sigmoid)" : "x * sigmoid of a multiple of x";
    return isNear(p[1], tanhScale) && isNear(p[3], tanhScale * 0.044715) ? "GELU (tanh)"
                                                                         : "x * sigmoid of a polynomial of x";
  }

  static void erase(Product &all, size_t first, size_t second) {
    all.factors.erase(all.factors.begin() + std::max(first, second));
    all.factors.erase(all.factors.begin() + std::min(first, second));
  }

  Value splat(double number) { return createSplat(builder, loc, type, number, root->getOperand(0)); }
  Value multiply(Value a, Value b) { return arith::MulFOp::create(builder, loc, a, b); }

  /// x / (1 + exp(p(x))), p odd.
  Value buildGate(Value x, const Polynomial &p) {
    Value exponent;
    if (p[3] == 0)
      exponent = p[1] == -1 ? arith::NegFOp::create(builder, loc, x).getResult() : multiply(x, splat(p[1]));
    else
      exponent = multiply(x, arith::AddFOp::create(builder, loc, multiply(multiply(x, x), splat(p[3])), splat(p[1])));
    Value exponential = math::ExpOp::create(builder, loc, exponent);
    return arith::DivFOp::create(builder, loc, x, arith::AddFOp::create(builder, loc, exponential, splat(1.0)));
  }

  bool replace(Value value, const Product &rest, const std::string &name) {
    for (Value factor : rest.factors)
      value = multiply(value, factor);
    for (Value exponent : rest.gates)
      value = arith::DivFOp::create(
          builder, loc, value,
          arith::AddFOp::create(builder, loc, math::ExpOp::create(builder, loc, exponent), splat(1.0)));
    if (std::abs(rest.coefficient - 1) > 1e-6)
      value = multiply(value, splat(rest.coefficient));
    root->getResult(0).replaceAllUsesWith(value);
    sayRecognized(loc, "Activation",
                  name + ", written as " + (name == "GELU (erf)" ? "x/2 (1 + erf)" : "x / (1 + exp)"));
    return true;
  }

  Operation *root;
  RankedTensorType type;
  OpBuilder builder;
  Location loc;
};

/// exp(x) / (1 + exp(x)) overflows where 1 / (1 + exp(-x)) does not.
bool recognizeSigmoid(arith::DivFOp op) {
  auto exponential = op.getLhs().getDefiningOp<math::ExpOp>();
  if (!exponential || matchOnePlusExp(op.getRhs()) != exponential.getOperand())
    return false;
  OpBuilder builder(op);
  auto type = tensorOf(op.getResult());
  Value one = createSplat(builder, op.getLoc(), type, 1.0, op.getLhs());
  Value negative = arith::NegFOp::create(builder, op.getLoc(), exponential.getOperand());
  Value sum = arith::AddFOp::create(builder, op.getLoc(), math::ExpOp::create(builder, op.getLoc(), negative), one);
  Value sigmoid = arith::DivFOp::create(builder, op.getLoc(), one, sum);
  op.getResult().replaceAllUsesWith(sigmoid);
  sayRecognized(op.getLoc(), "Activation", "sigmoid, written as 1 / (1 + exp)");
  return true;
}

} // namespace

void mjolnir::recognizeActivations(func::FuncOp entry) {
  Block &block = entry.getBody().front();
  // First what is in the way of seeing the rest.
  for (Operation &op : llvm::make_early_inc_range(block))
    if (auto quotient = dyn_cast<arith::DivFOp>(op); quotient && isElementwise(&op))
      recognizeSigmoid(quotient);
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (op.use_empty() || !isElementwise(&op) || dependsOnWeightsAlone(&op))
      continue;
    auto multiply = dyn_cast<arith::MulFOp>(op);
    auto divide = dyn_cast<arith::DivFOp>(op);
    if ((multiply && !isCanonical(multiply)) || (divide && !isCanonical(divide)))
      ActivationRewriter(&op).run();
  }
}
