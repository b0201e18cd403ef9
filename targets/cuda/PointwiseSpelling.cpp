// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Pointwise operations and constants as CUDA C++.
#include "targets/cuda/ElementPrinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;

std::string cuda::literal(const APFloat &value) {
  APFloat number = value;
  bool lossy;
  number.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven, &lossy);
  if (number.isInfinity())
    return number.isNegative() ? "(-kInfinity)" : "kInfinity";
  if (number.isNaN())
    return "(kInfinity - kInfinity)";
  SmallString<32> exact;
  number.toString(exact, 9, 0, false);
  std::string text = exact.str().str();
  if (text.find_first_of(".eE") == std::string::npos)
    text += ".0";
  return (text[0] == '-' ? "(" + text + "f)" : text + "f");
}

static std::string spellComparison(arith::CmpFPredicate predicate, StringRef a, StringRef b) {
  auto spell = [&](const char *format) { return llvm::formatv(format, a, b).str(); };
  using P = arith::CmpFPredicate;
  switch (predicate) {
  case P::AlwaysFalse:
    return "false";
  case P::AlwaysTrue:
    return "true";
  case P::OEQ:
    return spell("{0} == {1}");
  case P::OGT:
    return spell("{0} > {1}");
  case P::OGE:
    return spell("{0} >= {1}");
  case P::OLT:
    return spell("{0} < {1}");
  case P::OLE:
    return spell("{0} <= {1}");
  case P::ONE:
    return spell("({0} < {1} || {0} > {1})");
  case P::ORD:
    return spell("({0} == {0} && {1} == {1})");
  case P::UEQ:
    return spell("!({0} < {1} || {0} > {1})");
  case P::UGT:
    return spell("!({0} <= {1})");
  case P::UGE:
    return spell("!({0} < {1})");
  case P::ULT:
    return spell("!({0} >= {1})");
  case P::ULE:
    return spell("!({0} > {1})");
  case P::UNE:
    return spell("{0} != {1}");
  case P::UNO:
    return spell("({0} != {0} || {1} != {1})");
  }
  llvm_unreachable("all predicates are covered");
}

static StringRef spellComparison(arith::CmpIPredicate predicate) {
  using P = arith::CmpIPredicate;
  switch (predicate) {
  case P::eq:
    return "{0} == {1}";
  case P::ne:
    return "{0} != {1}";
  case P::slt:
    return "{0} < {1}";
  case P::sle:
    return "{0} <= {1}";
  case P::sgt:
    return "{0} > {1}";
  case P::sge:
    return "{0} >= {1}";
  case P::ult:
    return "uint64_t({0}) < uint64_t({1})";
  case P::ule:
    return "uint64_t({0}) <= uint64_t({1})";
  case P::ugt:
    return "uint64_t({0}) > uint64_t({1})";
  case P::uge:
    return "uint64_t({0}) >= uint64_t({1})";
  }
  llvm_unreachable("all predicates are covered");
}

/// Whether what `op` computes is rounded to 16 bits or fewer, in its type if not in the kernel: instructions that err by
/// a few of the last bits of f32 then do.
static bool isRounded(Operation *op) {
  auto type = dyn_cast<FloatType>(getElementTypeOrSelf(op->getResult(0).getType()));
  return type && type.getWidth() <= 16;
}

/// The C++ of an operation with the operands {0}, {1}, {2}; empty if it is not known.
static StringRef formatOf(Operation *op) {
  if (isRounded(op) && isa<arith::DivFOp>(op))
    return "divideNearly({0}, {1})";
  if (isRounded(op) && isa<math::ExpOp>(op))
    return "expNearly({0})";
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case<arith::AddFOp, arith::AddIOp>([](auto) { return "{0} + {1}"; })
      .Case<arith::SubFOp, arith::SubIOp>([](auto) { return "{0} - {1}"; })
      .Case<arith::MulFOp, arith::MulIOp>([](auto) { return "{0} * {1}"; })
      .Case<arith::DivFOp, arith::DivSIOp>([](auto) { return "{0} / {1}"; })
      .Case<arith::RemFOp>([](auto) { return "fmodf({0}, {1})"; })
      .Case<arith::RemSIOp>([](auto) { return "{0} % {1}"; })
      .Case<arith::NegFOp>([](auto) { return "-{0}"; })
      .Case<arith::MaximumFOp>([](auto) { return "maximum({0}, {1})"; })
      .Case<arith::MinimumFOp>([](auto) { return "minimum({0}, {1})"; })
      .Case<arith::MaxNumFOp>([](auto) { return "fmaxf({0}, {1})"; })
      .Case<arith::MinNumFOp>([](auto) { return "fminf({0}, {1})"; })
      .Case<arith::MaxSIOp>([](auto) { return "({0} > {1} ? {0} : {1})"; })
      .Case<arith::MinSIOp>([](auto) { return "({0} < {1} ? {0} : {1})"; })
      .Case<arith::SelectOp>([](auto) { return "{0} ? {1} : {2}"; })
      .Case<arith::AndIOp>([](auto) { return "{0} & {1}"; })
      .Case<arith::OrIOp>([](auto) { return "{0} | {1}"; })
      .Case<arith::XOrIOp>([](auto) { return "{0} ^ {1}"; })
      .Case<arith::ShLIOp>([](auto) { return "{0} << {1}"; })
      .Case<arith::ShRSIOp>([](auto) { return "{0} >> {1}"; })
      .Case<math::AbsIOp>([](auto) { return "({0} < 0 ? -{0} : {0})"; })
      .Case<math::ExpOp>([](auto) { return "expf({0})"; })
      .Case<math::Exp2Op>([](auto) { return "exp2f({0})"; })
      .Case<math::ExpM1Op>([](auto) { return "expm1f({0})"; })
      .Case<math::LogOp>([](auto) { return "logf({0})"; })
      .Case<math::Log2Op>([](auto) { return "log2f({0})"; })
      .Case<math::Log10Op>([](auto) { return "log10f({0})"; })
      .Case<math::Log1pOp>([](auto) { return "log1pf({0})"; })
      .Case<math::SqrtOp>([](auto) { return "sqrtf({0})"; })
      .Case<math::CbrtOp>([](auto) { return "cbrtf({0})"; })
      .Case<math::RsqrtOp>([](auto) { return "1.0f / sqrtf({0})"; })
      .Case<math::TanhOp>([](auto) { return "tanhf({0})"; })
      .Case<math::SinhOp>([](auto) { return "sinhf({0})"; })
      .Case<math::CoshOp>([](auto) { return "coshf({0})"; })
      .Case<math::AtanOp>([](auto) { return "atanf({0})"; })
      .Case<math::Atan2Op>([](auto) { return "atan2f({0}, {1})"; })
      .Case<math::AsinOp>([](auto) { return "asinf({0})"; })
      .Case<math::AcosOp>([](auto) { return "acosf({0})"; })
      .Case<math::TanOp>([](auto) { return "tanf({0})"; })
      .Case<math::ErfOp>([](auto) { return "erff({0})"; })
      .Case<math::ErfcOp>([](auto) { return "erfcf({0})"; })
      .Case<math::SinOp>([](auto) { return "sinf({0})"; })
      .Case<math::CosOp>([](auto) { return "cosf({0})"; })
      .Case<math::AbsFOp>([](auto) { return "fabsf({0})"; })
      .Case<math::FloorOp>([](auto) { return "floorf({0})"; })
      .Case<math::CeilOp>([](auto) { return "ceilf({0})"; })
      .Case<math::TruncOp>([](auto) { return "truncf({0})"; })
      .Case<math::RoundOp>([](auto) { return "roundf({0})"; })
      .Case<math::RoundEvenOp>([](auto) { return "rintf({0})"; })
      .Case<math::CopySignOp>([](auto) { return "copysignf({0}, {1})"; })
      .Case<math::PowFOp>([](auto) { return "powf({0}, {1})"; })
      .Case<math::FPowIOp>([](auto) { return "powf({0}, float({1}))"; })
      .Case<math::FmaOp>([](auto) { return "fmaf({0}, {1}, {2})"; })
      .Default([](Operation *) { return ""; });
}

/// The C++ of a conversion that involves integers: true is 1, or -1 where the one bit is the sign; empty if `op` is
/// none.
static std::string formatOfConversion(Operation *op) {
  if (!isa<arith::SIToFPOp, arith::UIToFPOp, arith::ExtSIOp, arith::ExtUIOp, arith::TruncIOp, arith::FPToSIOp,
           arith::FPToUIOp>(op))
    return "";
  Type from = getElementTypeOrSelf(op->getOperand(0).getType()), to = getElementTypeOrSelf(op->getResult(0).getType());
  if (isa<arith::TruncIOp>(op) && to.isInteger(1))
    return "({0} & 1) != 0";
  std::string operand = "{0}";
  bool isUnsigned = isa<arith::UIToFPOp, arith::ExtUIOp>(op);
  if (from.isInteger(1))
    operand = isUnsigned ? "int32_t({0})" : "-int32_t({0})";
  else if (isUnsigned)
    operand = "uint" + std::to_string(from.getIntOrFloatBitWidth()) + "_t({0})";
  if (isa<arith::FPToUIOp>(op))
    operand = "uint64_t({0})";
  StringRef spelled = isa<FloatType>(to) ? "float" : elementTypeName(to);
  return (spelled + "(" + operand + ")").str();
}

FailureOr<std::string> ElementPrinter::printPointwise(Operation *op, ArrayRef<std::string> operands) {
  // Within a region values are f32; they are rounded when they are stored.
  if (isa<arith::ExtFOp, arith::TruncFOp>(op))
    return operands.front();
  Type type = op->getResult(0).getType();
  if (auto quantize = dyn_cast<mj::QuantizeOp>(op))
    return name(type, "toFloat(to<f8>(" + operands[0] + " * " + literal(quantize.getMultiplier()) + "))");
  if (auto dequantize = dyn_cast<mj::DequantizeOp>(op))
    return name(type, operands[0] + " * " + literal(dequantize.getScale()));
  if (auto compare = dyn_cast<arith::CmpFOp>(op))
    return name(type, spellComparison(compare.getPredicate(), operands[0], operands[1]));
  StringRef format = formatOf(op);
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    format = spellComparison(compare.getPredicate());
  std::string conversion = formatOfConversion(op);
  if (!conversion.empty())
    format = conversion;
  if (format.empty())
    return op->emitError() << "'" << op->getName()
                           << "' has no CUDA spelling; add one to targets/cuda/ElementPrinter.cpp";
  std::string a = operands[0], b = operands.size() > 1 ? operands[1] : "", c = operands.size() > 2 ? operands[2] : "";
  return name(type, llvm::formatv(false, format.data(), a, b, c).str());
}
