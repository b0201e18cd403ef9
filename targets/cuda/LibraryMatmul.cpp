// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which regions cuBLASLt can compute as a whole, as its documentation of cublasLtMatmul says. It computes
// D = activation(alpha * A * B + beta * C + bias) in f32: the residual is C, which is added before the activation.
#include "targets/cuda/LibraryMatmul.h"

#include "mjolnir/Dialect/Exec/KernelSignature.h"
#include "mjolnir/Dialect/Mj/Tensors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/FormatVariadic.h"

#include <array>
#include <cmath>
#include <optional>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

namespace {

/// Coefficients of x^0 to x^3.
using Cubic = std::array<double, 4>;

/// Reads a region as one call, or says why it is none.
class CallMatcher {
public:
  explicit CallMatcher(Block &body) : body(body) {}

  bool match();

  std::string reason;
  mj::MatmulOp matmul;
  Value bias, residual;
  StringRef activation;

private:
  bool fail(const Twine &text) {
    if (reason.empty())
      reason = text.str();
    return false;
  }
  bool matchSum(Value value);
  bool matchTerm(Value value);
  bool matchTypes();
  Value stripActivation(Value value);
  Value stripGelu(Value value);
  /// The value that `value` is but for its type and its shape; what is between is of the call.
  Value strip(Value value);
  std::optional<double> constantOf(Value value);
  std::optional<Cubic> asCubic(Value value, Value x);

  Block &body;
  Type resultElement;
  llvm::SmallPtrSet<Operation *, 16> known;
};

bool CallMatcher::match() {
  auto matmuls = llvm::to_vector(body.getOps<mj::MatmulOp>());
  if (matmuls.size() != 1)
    return fail(formatv("it multiplies by {0} weights, a call by one", matmuls.size()));
  matmul = matmuls.front();
  OperandRange results = body.getTerminator()->getOperands();
  if (results.size() != 1 || !isa<RankedTensorType>(results[0].getType()))
    return fail(formatv("it returns {0} values, a call one", results.size()));
  if (!isa<BlockArgument>(matmul.getX()) || !isa<BlockArgument>(matmul.getWeight()))
    return fail("it computes what it multiplies");
  resultElement = tensorOf(results[0]).getElementType();
  if (!matchSum(stripActivation(strip(results[0]))))
    return false;
  if (!known.contains(matmul))
    return fail("its result is not that of the matmul with an epilogue");
  for (Operation &op : body.without_terminator())
    if (!known.contains(&op) && !op.hasTrait<OpTrait::ConstantLike>())
      return fail("it computes " + op.getName().getStringRef() + ", which no epilogue does");
  SmallVector<Value> named{matmul.getX(), matmul.getWeight(), matmul.getWeightScale(), bias, residual};
  for (BlockArgument argument : body.getArguments())
    if (llvm::count(named, argument) != 1)
      return fail("it reads one tensor in several ways");
  return matchTypes();
}

Value CallMatcher::strip(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    bool isCast =
        isa<arith::ExtFOp>(op) || (isa<arith::TruncFOp>(op) && tensorOf(value).getElementType() == resultElement);
    auto reshape = dyn_cast<mj::ReshapeOp>(op);
    if (!isCast && !(reshape && mj::isRowwise(op)))
      return value;
    known.insert(op);
    value = op->getOperand(0);
  }
  return value;
}

std::optional<double> CallMatcher::constantOf(Value value) {
  Operation *broadcast = nullptr;
  if (auto op = value.getDefiningOp<mj::BroadcastOp>()) {
    broadcast = op;
    value = op.getSource();
  }
  DenseFPElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat())
    return std::nullopt;
  if (broadcast)
    known.insert(broadcast);
  return elements.getSplatValue<APFloat>().convertToDouble();
}

/// `value` as a polynomial of `x`.
std::optional<Cubic> CallMatcher::asCubic(Value value, Value x) {
  value = strip(value);
  if (value == x)
    return Cubic{0, 1, 0, 0};
  if (std::optional<double> number = constantOf(value))
    return Cubic{*number, 0, 0, 0};
  Operation *op = value.getDefiningOp();
  if (!op || !isa<arith::AddFOp, arith::MulFOp, arith::NegFOp, arith::SubFOp>(op))
    return std::nullopt;
  std::optional<Cubic> a = asCubic(op->getOperand(0), x);
  std::optional<Cubic> b = op->getNumOperands() > 1 ? asCubic(op->getOperand(1), x) : Cubic{};
  if (!a || !b)
    return std::nullopt;
  Cubic result = {};
  for (int i = 0; i < 4; ++i) {
    if (isa<arith::MulFOp>(op)) {
      for (int k = 0; k < 4; ++k)
        if (double part = (*a)[i] * (*b)[k]; part != 0) {
          if (i + k > 3)
            return std::nullopt;
          result[i + k] += part;
        }
    } else if (isa<arith::AddFOp>(op)) {
      result[i] = (*a)[i] + (*b)[i];
    } else {
      result[i] = isa<arith::NegFOp>(op) ? -(*a)[i] : (*a)[i] - (*b)[i];
    }
  }
  known.insert(op);
  return result;
}

/// GELU by tanh as `recognize` writes it: x / (1 + exp(p(x))), p = -2 sqrt(2 / pi) (x + 0.044715 x^3)
/// (https://arxiv.org/abs/1606.08415). In bf16 the coefficients are rounded, which the call does not do.
Value CallMatcher::stripGelu(Value value) {
  auto quotient = value.getDefiningOp<arith::DivFOp>();
  auto sum = quotient ? strip(quotient.getRhs()).getDefiningOp<arith::AddFOp>() : arith::AddFOp();
  if (!sum)
    return {};
  for (auto [one, other] : {std::pair(sum.getLhs(), sum.getRhs()), std::pair(sum.getRhs(), sum.getLhs())}) {
    auto exponential = strip(other).getDefiningOp<math::ExpOp>();
    if (!exponential || constantOf(one) != 1.0)
      continue;
    Value x = strip(quotient.getLhs());
    std::optional<Cubic> p = asCubic(exponential.getOperand(), x);
    const double scale = -2 * std::sqrt(2 / M_PI);
    auto isNear = [](double a, double b) { return std::abs(a - b) <= std::abs(b) / 128; };
    if (!p || (*p)[0] != 0 || (*p)[2] != 0 || !isNear((*p)[1], scale) || !isNear((*p)[3], scale * 0.044715))
      return {};
    known.insert({quotient.getOperation(), sum.getOperation(), exponential.getOperation()});
    return x;
  }
  return {};
}

Value CallMatcher::stripActivation(Value value) {
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<arith::MaximumFOp, arith::MaxNumFOp>(op)) {
    for (auto [x, zero] : {std::pair(op->getOperand(0), op->getOperand(1)), {op->getOperand(1), op->getOperand(0)}})
      if (constantOf(zero) == 0.0) {
        known.insert(op);
        activation = "relu";
        return strip(x);
      }
  } else if (Value x = stripGelu(value)) {
    activation = "gelu_tanh";
    return x;
  }
  return value;
}

bool CallMatcher::matchSum(Value value) {
  auto sum = value.getDefiningOp<arith::AddFOp>();
  if (!sum)
    return matchTerm(value);
  known.insert(sum);
  return matchSum(strip(sum.getLhs())) && matchSum(strip(sum.getRhs()));
}

bool CallMatcher::matchTerm(Value value) {
  ArrayRef<int64_t> product = tensorOf(matmul.getResult()).getShape();
  if (value == matmul.getResult()) {
    if (!known.insert(matmul).second)
      return fail("it uses the product twice");
    return true;
  }
  if (auto broadcast = value.getDefiningOp<mj::BroadcastOp>()) {
    Value source = strip(broadcast.getSource());
    if (isa<BlockArgument>(source) && tensorOf(source).getShape() == product.take_back() && !bias) {
      known.insert(broadcast);
      bias = source;
      return true;
    }
  }
  if (isa<BlockArgument>(value) && tensorOf(value).getNumElements() == ShapedType::getNumElements(product) &&
      tensorOf(value).getRank() >= 2 && tensorOf(value).getDimSize(0) == product[0] && !residual) {
    residual = value;
    return true;
  }
  if (Operation *op = value.getDefiningOp())
    return fail("it computes " + op->getName().getStringRef() + ", which no epilogue does");
  return fail(formatv("it adds a {0}; epilogues add a bias and a tensor of the result's shape", value.getType()));
}

bool CallMatcher::matchTypes() {
  Type x = tensorOf(matmul.getX()).getElementType(), weight = tensorOf(matmul.getWeight()).getElementType();
  auto describe = [](Type a, Type b, Type result) { return formatv("{0} by {1} to {2}", a, b, result).str(); };
  bool isF8 = isa<Float8E4M3FNType>(x) && isa<Float8E4M3FNType>(weight);
  bool isWide = x == weight && (x.isBF16() || x.isF16() || x.isF32());
  if (!(isF8 && resultElement.isBF16()) && !(isWide && (resultElement == x || resultElement.isF32())))
    return fail("it has no product of " + describe(x, weight, resultElement));
  Value scale = matmul.getWeightScale();
  if (scale && (!isa<BlockArgument>(scale) || tensorOf(scale).getNumElements() != 1))
    return fail(formatv("it scales each of {0} columns by a number of its own; a call scales all by one, as "
                        "--fp8-scales=tensor gives",
                        tensorOf(scale).getNumElements()));
  if (scale && !isF8)
    return fail("only products of f8 are scaled");
  ArrayRef<int64_t> shape = tensorOf(matmul.getWeight()).getShape();
  if (isF8 && (!matmul.getTransposeB() || shape[0] % 16 || shape[1] % 16))
    return fail(formatv("it multiplies f8 by a weight of {0} x {1}{2}; in f8 they are multiples of 16, and transposed",
                        shape[0], shape[1], matmul.getTransposeB() ? "" : " that is not transposed"));
  for (Value added : {bias, residual})
    if (added && tensorOf(added).getElementType() != resultElement)
      return fail(formatv("it adds {0} to {1}; a call adds what has the result's type",
                          tensorOf(added).getElementType(), resultElement));
  return true;
}

} // namespace

/// What NVIDIA recommends for each architecture (cuBLAS documentation, cublasSetWorkspace).
static int64_t workspaceBytes(const CudaProfile &profile) {
  return int64_t(profile.computeCapability >= 120 ? 12 : 32) << 20;
}

mj::ScheduleAttr cuda::chooseCublasLt(mj::FusionOp fusion, const CudaProfile &profile, std::string &reason) {
  Block &body = fusion.getBody().front();
  auto matmuls = body.getOps<mj::MatmulOp>();
  reason.clear();
  if (matmuls.empty() || tensorOf((*matmuls.begin()).getX()).getDimSize(0) <= profile.smallMatmulRows)
    return {};
  CallMatcher matcher(body);
  if (!matcher.match()) {
    reason = matcher.reason;
    return {};
  }
  return makeSchedule(fusion.getContext(), kCublasLt, {{"workspace", workspaceBytes(profile)}});
}

exec::LibraryMatmulAttr cuda::describeCublasLtCall(Block &body) {
  CallMatcher matcher(body);
  if (!matcher.match())
    return {};
  SmallVector<exec::KernelOperand> operands = exec::getKernelOperands(body);
  auto indexOf = [&](Value argument) -> int64_t {
    for (auto [index, operand] : llvm::enumerate(operands))
      if (argument && operand.kind == exec::KernelOperand::tensor && body.getArgument(operand.index) == argument)
        return index;
    return -1;
  };
  MLIRContext *context = matcher.matmul.getContext();
  mj::MatmulOp matmul = matcher.matmul;
  return exec::LibraryMatmulAttr::get(
      context, StringAttr::get(context, kCublasLt), indexOf(matmul.getX()), indexOf(matmul.getWeight()),
      operands.size() - 1, indexOf(matmul.getWeightScale()), indexOf(matcher.bias), indexOf(matcher.residual),
      matmul.getTransposeB(), matcher.activation.empty() ? StringAttr() : StringAttr::get(context, matcher.activation),
      matmul.getXScaleAttr());
}
