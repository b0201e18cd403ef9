// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Elements of values as CUDA C++.
#include "targets/cuda/ElementPrinter.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/SaveAndRestore.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using mj::tensorOf;

StringRef cuda::elementTypeName(Type element) {
  if (element.isF32())
    return "float";
  if (element.isBF16())
    return "bf16";
  if (element.isF16())
    return "f16";
  if (isa<Float8E4M3FNType>(element))
    return "f8";
  if (element.isInteger(32))
    return "int32_t";
  if (element.isInteger(64))
    return "int64_t";
  if (element.isInteger(8))
    return "int8_t";
  return element.isInteger(1) ? "bool" : "";
}

std::string cuda::linearize(ArrayRef<std::string> indices, ArrayRef<int64_t> shape) {
  std::string text;
  bool isLarge = ShapedType::getNumElements(shape) > INT32_MAX;
  for (auto [index, size] : llvm::zip(indices, shape)) {
    if (size == 1)
      continue;
    if (text.empty())
      text = isLarge ? "int64_t(" + index + ")" : index;
    else
      text = "(" + text + ") * " + std::to_string(size) + " + " + index;
  }
  return text.empty() ? "0" : text;
}

Indices cuda::delinearize(StringRef i, ArrayRef<int64_t> shape) {
  Indices result;
  int64_t inner = ShapedType::getNumElements(shape);
  for (auto [axis, size] : llvm::enumerate(shape)) {
    inner /= size;
    std::string index = inner == 1 ? i.str() : formatv("{0} / {1}", i, inner).str();
    result.push_back(size == 1 ? "0" : axis == 0 ? "(" + index + ")" : llvm::formatv("({0} % {1})", index, size).str());
  }
  return result;
}

/// The indices that `indices` of shape `from` are in shape `to` of as many elements. Axes are matched in groups of
/// equal products, so that what a reshape leaves alone needs no arithmetic.
static Indices reshapeIndices(ArrayRef<std::string> indices, ArrayRef<int64_t> from, ArrayRef<int64_t> to) {
  Indices result;
  size_t i = 0, j = 0;
  while (j < to.size()) {
    size_t firstFrom = i, firstTo = j;
    int64_t fromCount = i < from.size() ? from[i++] : 1, toCount = to[j++];
    while (fromCount != toCount) {
      if (fromCount < toCount)
        fromCount *= from[i++];
      else
        toCount *= to[j++];
    }
    // Trailing ones belong to the last group.
    if (j == to.size())
      i = from.size();
    else if (i == from.size())
      while (j < to.size())
        ++j;
    ArrayRef<int64_t> group = to.slice(firstTo, j - firstTo);
    if (group.size() == 1 && i - firstFrom == 1) {
      result.push_back(indices[firstFrom]);
      continue;
    }
    std::string linear = linearize(indices.slice(firstFrom, i - firstFrom), from.slice(firstFrom, i - firstFrom));
    int64_t inner = ShapedType::getNumElements(group);
    for (auto [axis, size] : llvm::enumerate(group)) {
      inner /= size;
      if (size == 1) {
        result.push_back("0");
        continue;
      }
      std::string index = inner == 1 ? linear : "(" + linear + ") / " + std::to_string(inner);
      result.push_back(axis == 0 ? "(" + index + ")" : "(" + index + ") % " + std::to_string(size));
    }
  }
  return result;
}

static Indices broadcastIndices(ArrayRef<std::string> indices, ArrayRef<int64_t> from) {
  Indices result;
  for (auto [index, size] : llvm::zip(indices.take_back(from.size()), from))
    result.push_back(size == 1 ? "0" : index);
  return result;
}

static std::string literal(const APFloat &value) {
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

void ElementPrinter::line(const Twine &text) {
  os->indent(indent);
  *os << text << "\n";
}

LogicalResult ElementPrinter::overVector(StringRef first, int64_t width, int64_t size,
                                         function_ref<LogicalResult(StringRef)> body) {
  Vector own{("(" + first + " + v)").str(), first.str(), width, size, {}, {}};
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::raw_ostream *outer = os;
  os = &stream;
  vector = &own;
  startBlock();
  indentBy(2);
  LogicalResult result = body(own.index);
  indentBy(-2);
  startBlock();
  vector = nullptr;
  os = outer;
  for (const std::string &load : own.loads)
    line(load);
  *os << "#pragma unroll\n";
  line(llvm::formatv("for (int v = 0; v < {0}; ++v) {{", width));
  *os << stream.str();
  line("}");
  return result;
}

std::string ElementPrinter::vectorElement(StringRef pointer, StringRef place, Type element, StringRef left) {
  auto [found, isNew] = vector->arrays.try_emplace((pointer + " + " + place).str());
  if (isNew) {
    found->second = "x" + std::to_string(next++);
    StringRef type = isa<FloatType>(element) ? "float" : elementTypeName(element);
    vector->loads.push_back(llvm::formatv("{0} {1}[{2}];", type, found->second, vector->width));
    vector->loads.push_back(llvm::formatv("loadVector({0} + {1}, {2}{3});", pointer, place, found->second,
                                          left.empty() ? "" : (", " + left).str()));
  }
  return found->second + "[v]";
}

void ElementPrinter::setMemory(Value argument, std::string pointer) {
  RankedTensorType type = tensorOf(argument);
  setLeaf(argument, [pointer, type](ElementPrinter &printer, ArrayRef<std::string> indices) {
    ArrayRef<int64_t> shape = type.getShape();
    if (Vector *vector = printer.vector;
        vector && !shape.empty() && indices.back() == vector->index && shape.back() == vector->size) {
      // What the loop has computed (v0, v1, ...) is not there before it.
      Indices first(indices);
      first.back() = vector->first;
      if (llvm::none_of(first, [](const std::string &index) { return index.find('v') != std::string::npos; }))
        return printer.vectorElement(pointer, linearize(first, shape), type.getElementType());
    }
    return "load(" + pointer + ", " + linearize(indices, shape) + ")";
  });
}

std::string ElementPrinter::name(Type type, StringRef expression) {
  std::string result = "v" + std::to_string(next++);
  Type element = getElementTypeOrSelf(type);
  StringRef spelled = isa<FloatType>(element) ? "float" : elementTypeName(element);
  line("const " + spelled + " " + result + " = " + expression + ";");
  return result;
}

FailureOr<std::string> ElementPrinter::print(Value value, ArrayRef<std::string> indices) {
  std::string key = llvm::formatv("{0}", value.getAsOpaquePointer()).str();
  for (const std::string &index : indices)
    key += "," + index;
  if (auto found = known.find(key); found != known.end())
    return found->second;
  std::string result;
  if (auto leaf = leaves.find(value); leaf != leaves.end()) {
    // Copied: printing may add leaves.
    Leaf print = leaf->second;
    result = name(value.getType(), print(*this, indices));
  } else if (Operation *op = value.getDefiningOp()) {
    FailureOr<std::string> computed = compute(op, indices);
    if (failed(computed))
      return failure();
    result = *computed;
  } else {
    return emitError(value.getLoc()) << "argument " << cast<BlockArgument>(value).getArgNumber()
                                     << " of a region is no tensor that a kernel can read";
  }
  known[key] = result;
  return result;
}

FailureOr<std::string> ElementPrinter::compute(Operation *op, ArrayRef<std::string> indices) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto splat = dyn_cast<SplatElementsAttr>(constant.getValue());
    if (!splat)
      return op->emitError(
          "a constant that is not the same everywhere cannot be part of a GPU kernel: make it a weight");
    if (isa<FloatType>(splat.getElementType()))
      return literal(splat.getSplatValue<APFloat>());
    return std::to_string(splat.getSplatValue<APInt>().getSExtValue());
  }
  if (auto broadcast = dyn_cast<mj::BroadcastOp>(op))
    return print(broadcast.getSource(), broadcastIndices(indices, tensorOf(broadcast.getSource()).getShape()));
  if (auto reshape = dyn_cast<mj::ReshapeOp>(op))
    return print(reshape.getSource(), reshapeIndices(indices, tensorOf(reshape.getResult()).getShape(),
                                                     tensorOf(reshape.getSource()).getShape()));
  if (auto transpose = dyn_cast<mj::TransposeOp>(op)) {
    Indices source(indices.size());
    for (auto [axis, from] : llvm::enumerate(transpose.getPermutation()))
      source[from] = indices[axis];
    return print(transpose.getSource(), source);
  }
  if (auto slice = dyn_cast<mj::SliceOp>(op)) {
    Indices source;
    for (auto [index, offset, stride] : llvm::zip(indices, slice.getOffsets(), slice.getStrides()))
      source.push_back(offset == 0 && stride == 1 ? index
                                                  : llvm::formatv("({0} + ({1}) * {2})", offset, index, stride).str());
    return print(slice.getSource(), source);
  }
  if (auto concat = dyn_cast<mj::ConcatOp>(op))
    return printConcat(concat, indices);
  if (auto gather = dyn_cast<mj::GatherOp>(op)) {
    FailureOr<std::string> row = print(gather.getIndices(), {indices.front()});
    if (failed(row))
      return failure();
    Indices source(indices);
    source.front() = *row;
    return print(gather.getTable(), source);
  }
  if (auto rope = dyn_cast<mj::RopeOp>(op))
    return printRope(rope, indices);

  if (!mj::isPointwise(op))
    return op->emitError() << "'" << op->getName() << "' cannot be part of this kernel: nothing has computed it before";
  SmallVector<std::string> operands;
  for (Value operand : op->getOperands()) {
    FailureOr<std::string> printed = print(operand, indices);
    if (failed(printed))
      return failure();
    operands.push_back(*printed);
  }
  return printPointwise(op, operands);
}

FailureOr<std::string> ElementPrinter::printConcat(mj::ConcatOp op, ArrayRef<std::string> indices) {
  size_t axis = op.getAxis();
  std::string result = "v" + std::to_string(next++);
  Type element = getElementTypeOrSelf(op.getType());
  line((isa<FloatType>(element) ? "float" : elementTypeName(element)) + " " + result + ";");
  int64_t start = 0;
  // What one branch computes is not there in another, nor afterwards. Nothing is loaded ahead: a source ends where the
  // next begins.
  llvm::StringMap<std::string> before = known;
  llvm::SaveAndRestore<Vector *> noVector(vector, nullptr);
  for (auto [number, source] : llvm::enumerate(op.getSources())) {
    int64_t size = tensorOf(source).getDimSize(axis);
    bool isLast = number + 1 == op.getSources().size();
    line(Twine(number ? "else " : "") +
         (isLast ? std::string("{") : llvm::formatv("if ({0} < {1}) {{", indices[axis], start + size).str()));
    Indices inside(indices);
    if (start)
      inside[axis] = llvm::formatv("({0} - {1})", indices[axis], start);
    indentBy(2);
    FailureOr<std::string> printed = print(source, inside);
    if (failed(printed))
      return failure();
    line(result + " = " + *printed + ";");
    indentBy(-2);
    line("}");
    known = before;
    start += size;
  }
  return result;
}

/// Pair (a, b) becomes (a cos - b sin, b cos + a sin).
FailureOr<std::string> ElementPrinter::printRope(mj::RopeOp op, ArrayRef<std::string> indices) {
  int64_t half = tensorOf(op.getX()).getDimSize(2) / 2;
  bool isHalf = op.getPairs() == mj::RopePairs::half;
  const std::string &d = indices[2];
  std::string pair = isHalf ? llvm::formatv("(({0}) % {1})", d, half).str() : "((" + d + ") / 2)";
  std::string isSecond = isHalf ? llvm::formatv("({0}) >= {1}", d, half).str() : "(" + d + ") % 2 == 1";
  std::string partner = isHalf ? llvm::formatv("((({0}) + {1}) % {2})", d, half, 2 * half).str() : "((" + d + ") ^ 1)";
  FailureOr<std::string> position = op.getPositions() ? print(op.getPositions(), {indices[0]}) : indices[0];
  FailureOr<std::string> x = print(op.getX(), indices);
  FailureOr<std::string> other = print(op.getX(), {indices[0], indices[1], partner});
  if (failed(position) || failed(x) || failed(other))
    return failure();
  FailureOr<std::string> cosine = print(op.getTable(), {*position, pair, "0"});
  FailureOr<std::string> sine = print(op.getTable(), {*position, pair, "1"});
  if (failed(cosine) || failed(sine))
    return failure();
  return name(op.getType(),
              llvm::formatv("{0} * {1} + ({2} ? {3} : -{3}) * {4}", *x, *cosine, isSecond, *other, *sine).str());
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

/// The C++ of an operation with the operands {0}, {1}, {2}; empty if it is not known.
static StringRef formatOf(Operation *op) {
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
