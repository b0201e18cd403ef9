// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Elements of values as CUDA C++.
#include "targets/cuda/ElementPrinter.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"
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

void ElementPrinter::line(const Twine &text) {
  os->indent(indent);
  *os << text << "\n";
}

/// Names of what is computed for one of several elements begin with v, and no other name has a v.
static bool dependsOnElement(StringRef expression) { return expression.contains('v'); }

LogicalResult ElementPrinter::overVector(StringRef first, int64_t width, int64_t size,
                                         function_ref<LogicalResult(StringRef)> body) {
  Vector own{};
  own.run = {("(" + first + " + v)").str(), first.str(), size};
  own.width = width;
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::raw_ostream *outer = os;
  os = &stream;
  vector = &own;
  startBlock();
  indentBy(2);
  LogicalResult result = body(own.run.index);
  indentBy(-2);
  startBlock();
  vector = nullptr;
  os = outer;
  *os << own.before;
  for (const std::string &load : own.loads)
    line(load);
  *os << "#pragma unroll\n";
  line(llvm::formatv("for (int v = 0; v < {0}; ++v) {{", width));
  *os << stream.str();
  line("}");
  return result;
}

bool ElementPrinter::isSameForAll(ArrayRef<std::string> indices) const {
  return vector && !isBefore && llvm::none_of(indices, dependsOnElement);
}

std::string ElementPrinter::arrayOf(const Neighbours &neighbours, int64_t count, StringRef left) {
  std::string key = neighbours.pointer + " + " + neighbours.place + (neighbours.isOtherHalf ? " other" : "");
  auto [found, isNew] = vector->arrays.try_emplace(key);
  if (!isNew)
    return found->second;
  std::string name = found->second = "x" + std::to_string(next++);
  StringRef type = isa<FloatType>(neighbours.element) ? "float" : elementTypeName(neighbours.element);
  vector->loads.push_back(llvm::formatv("{0} {1}[{2}];", type, name, count));
  std::string kept = keeper && count == vector->width && left.empty() ? keeper(neighbours) : "";
  std::string place = neighbours.place;
  if (kept.empty())
    vector->loads.push_back(llvm::formatv("loadVector({0} + {1}, {2}{3});", neighbours.pointer, place, name,
                                          left.empty() ? "" : (", " + left).str()));
  else
    vector->loads.push_back(llvm::formatv("widen({0}, {1});", kept, name));
  return name;
}

std::string ElementPrinter::vectorElement(StringRef pointer, StringRef place, Type element, StringRef left) {
  return arrayOf({pointer.str(), place.str(), element, false}, vector->width, left) + "[v]";
}

std::string ElementPrinter::memoryElement(const std::string &pointer, RankedTensorType type,
                                          ArrayRef<std::string> indices) {
  ArrayRef<int64_t> shape = type.getShape();
  if (!vector || shape.empty())
    return "";
  auto isOf = [](const std::optional<Run> &run, const std::string &index, int64_t size) {
    return run && run->index == index && run->size == size;
  };
  // A run may be a part of the axis that begins at a multiple of its size: a head of a row.
  auto isPartOf = [](const std::optional<Run> &run, StringRef index, std::string &before) {
    if (index.consume_front("("))
      index.consume_back(")");
    if (!run || !index.consume_back(run->index) || !index.consume_back(" + ") ||
        !index.ends_with(" * " + std::to_string(run->size)))
      return false;
    before = index.str() + " + ";
    return true;
  };
  Indices first(indices);
  int64_t count = vector->width;
  std::string element = "[v]", before;
  bool isOtherHalf =
      isOf(vector->otherHalf, indices.back(), shape.back()) || isPartOf(vector->otherHalf, indices.back(), before);
  if (isOtherHalf || isOf(vector->run, indices.back(), shape.back()) || isPartOf(vector->run, indices.back(), before)) {
    first.back() = before + vector->run.first;
  } else if (int64_t inner = shape.back();
             shape.size() > 1 && isOf(vector->pair, indices.drop_back().back(), shape.drop_back().back())) {
    // Pairs of numbers side by side.
    first[first.size() - 2] = vector->pair->first;
    first.back() = "0";
    element = llvm::formatv("[{0} * v + {1}]", inner, indices.back());
    count *= inner;
  } else {
    return "";
  }
  if (llvm::any_of(first, dependsOnElement)) // is not there before the loop
    return "";
  Neighbours neighbours{pointer, linearize(first, shape), type.getElementType(), isOtherHalf};
  // Registers hold an element's place by that of the first half.
  if (isOtherHalf && (!keeper || keeper(neighbours).empty())) {
    first.back() = before + vector->otherHalf->first;
    neighbours = {pointer, linearize(first, shape), type.getElementType(), false};
  }
  return arrayOf(neighbours, count) + element;
}

void ElementPrinter::setMemory(Value argument, std::string pointer) {
  RankedTensorType type = tensorOf(argument);
  setLeaf(argument, [pointer, type](ElementPrinter &printer, ArrayRef<std::string> indices) {
    std::string element = printer.memoryElement(pointer, type, indices);
    return element.empty() ? "load(" + pointer + ", " + linearize(indices, type.getShape()) + ")" : element;
  });
}

std::string ElementPrinter::name(Type type, StringRef expression) {
  std::string result = (isBefore ? "u" : "v") + std::to_string(next++);
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
  if (isSameForAll(indices) && !tensorOf(value).getShape().empty()) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    llvm::SaveAndRestore<llvm::raw_ostream *> before(os, &stream);
    llvm::SaveAndRestore<bool> outside(isBefore, true);
    llvm::SaveAndRestore<unsigned> outer(indent, indent - 2);
    FailureOr<std::string> printed = print(value, indices);
    vector->before += stream.str();
    return printed;
  }
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

bool ElementPrinter::startHalves(StringRef d, int64_t half) {
  if (!vector || d != vector->run.index || vector->run.size != 2 * half || half % vector->width)
    return false;
  if (vector->otherHalf)
    return true;
  std::string other = freshName("u"), pair = freshName("u");
  const std::string &first = vector->run.first;
  llvm::raw_string_ostream before(vector->before);
  before.indent(indent - 2) << llvm::formatv("const int {0} = {1} < {2} ? {1} + {2} : {1} - {2};\n", other, first,
                                             half);
  before.indent(indent - 2) << llvm::formatv("const int {0} = {1} % {2};\n", pair, first, half);
  vector->otherHalf = {"(" + other + " + v)", other, 2 * half};
  vector->pair = {"(" + pair + " + v)", pair, half};
  return true;
}

/// Pair (a, b) becomes (a cos - b sin, b cos + a sin).
FailureOr<std::string> ElementPrinter::printRope(mj::RopeOp op, ArrayRef<std::string> indices) {
  int64_t half = tensorOf(op.getX()).getDimSize(2) / 2;
  bool isHalf = op.getPairs() == mj::RopePairs::half;
  const std::string &d = indices[2];
  std::string pair = isHalf ? llvm::formatv("(({0}) % {1})", d, half).str() : "((" + d + ") / 2)";
  std::string isSecond = isHalf ? llvm::formatv("({0}) >= {1}", d, half).str() : "(" + d + ") % 2 == 1";
  std::string partner = isHalf ? llvm::formatv("((({0}) + {1}) % {2})", d, half, 2 * half).str() : "((" + d + ") ^ 1)";
  if (isHalf && startHalves(d, half)) {
    pair = vector->pair->index;
    isSecond = llvm::formatv("{0} >= {1}", vector->run.first, half);
    partner = vector->otherHalf->index;
  }
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
