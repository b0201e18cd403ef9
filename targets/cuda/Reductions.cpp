// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Reductions over lines as CUDA C++. A line's elements are computed again where they are used: reading them a second
// time from the cache costs less than keeping them.
#include "targets/cuda/Reductions.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

bool cuda::isLineReduction(Operation *op) { return isa<mj::NormOp, mj::SoftmaxOp, mj::ReduceOp>(op); }

SmallVector<int64_t> cuda::getKeptSizes(Operation *op) {
  ArrayRef<int64_t> shape = tensorOf(op->getOperand(0)).getShape();
  auto reduce = dyn_cast<mj::ReduceOp>(op);
  if (!reduce)
    return SmallVector<int64_t>(shape.drop_back());
  SmallVector<int64_t> kept;
  for (auto [axis, size] : llvm::enumerate(shape))
    if (!llvm::is_contained(reduce.getAxes(), int64_t(axis)))
      kept.push_back(size);
  return kept;
}

bool cuda::reducesVector(Block &block) {
  return llvm::any_of(block.without_terminator(), [](Operation &op) {
    return isa<mj::NormOp, mj::SoftmaxOp>(op) && tensorOf(op.getOperand(0)).getRank() == 1;
  });
}

Indices cuda::placeInReduced(mj::ReduceOp reduce, ArrayRef<std::string> kept, StringRef reduced) {
  ArrayRef<int64_t> shape = tensorOf(reduce.getX()).getShape();
  SmallVector<int64_t> sizes;
  for (int64_t axis : reduce.getAxes())
    sizes.push_back(shape[axis]);
  Indices inner = delinearize(reduced, sizes), result;
  size_t nextInner = 0, nextKept = 0;
  for (int64_t axis = 0; axis < int64_t(shape.size()); ++axis)
    result.push_back(llvm::is_contained(reduce.getAxes(), axis) ? inner[nextInner++] : kept[nextKept++]);
  return result;
}

ReduceText::ReduceText(mj::ReduceOp reduce)
    : kind(reduce.getKind()),
      count(tensorOf(reduce.getX()).getNumElements() / ShapedType::getNumElements(getKeptSizes(reduce))) {
  initial = kind == mj::ReduceKind::max ? "-kInfinity" : kind == mj::ReduceKind::min ? "kInfinity" : "0.0f";
}

std::string ReduceText::combine(StringRef sum, StringRef element) const {
  if (kind == mj::ReduceKind::max || kind == mj::ReduceKind::min)
    return formatv("{0}({1}, {2})", kind == mj::ReduceKind::max ? "maximum" : "minimum", sum, element);
  return (sum + " + " + element).str();
}

std::string ReduceText::finish(StringRef sum) const {
  return kind == mj::ReduceKind::mean ? formatv("{0} / {1}.0f", sum, count).str() : sum.str();
}

/// Lines whose results fit in shared memory beside everything else.
static constexpr int64_t kMostLines = 4096;

static void collect(Value value, SetVector<Operation *> &found, SmallPtrSetImpl<Operation *> &seen) {
  Operation *op = value.getDefiningOp();
  if (!op || !seen.insert(op).second)
    return;
  for (Value operand : isa<mj::BroadcastOp>(op) ? op->getOperands().take_front() : op->getOperands())
    collect(operand, found, seen);
  if (isLineReduction(op))
    found.insert(op);
}

SmallVector<Operation *> cuda::findReductions(ArrayRef<Value> roots) {
  SetVector<Operation *> found;
  SmallPtrSet<Operation *, 16> seen;
  for (Value root : roots)
    collect(root, found, seen);
  return found.takeVector();
}

/// Whether `op` is computed from one of `others`.
static bool dependsOnAny(Operation *op, const SmallPtrSetImpl<Operation *> &others) {
  return llvm::any_of(op->getOperands(), [&](Value operand) {
    Operation *producer = operand.getDefiningOp();
    return producer && (others.contains(producer) || dependsOnAny(producer, others));
  });
}

LogicalResult Reductions::print(ArrayRef<Value> roots, function_ref<SmallVector<AxisRange>(Operation *)> ranges) {
  SmallPtrSet<Operation *, 4> unseen; // by other threads: since the last barrier
  for (Operation *op : findReductions(roots)) {
    if (dependsOnAny(op, unseen)) {
      printer.line("__syncthreads();");
      unseen.clear();
    }
    SmallVector<AxisRange> kept = ranges(op);
    reduced = dyn_cast<mj::ReduceOp>(op);
    int64_t lines = 1;
    for (const AxisRange &range : kept)
      lines *= range.size;
    if (reduced && lines > kMostLines)
      computeAlone(reduced);
    else if (failed(printOne(op, kept)))
      return failure();
    else
      unseen.insert(op);
  }
  if (!unseen.empty())
    printer.line("__syncthreads();");
  return success();
}

void Reductions::computeAlone(mj::ReduceOp reduce) {
  ReduceText text(reduce);
  int64_t count = tensorOf(reduce.getX()).getNumElements() / tensorOf(reduce.getResult()).getNumElements();
  printer.setLeaf(reduce.getResult(), [=](ElementPrinter &inner, ArrayRef<std::string> indices) mutable {
    std::string sum = inner.freshName("sum"),
                index = inner.freshName("v"); // of this loop: nothing can be loaded before it
    inner.line("float " + sum + " = " + text.initial + ";");
    inner.line(formatv("for (int {0} = 0; {0} < {1}; ++{0}) {{", index, count));
    inner.indentBy(2);
    inner.startBlock();
    FailureOr<std::string> element = inner.print(reduce.getX(), placeInReduced(reduce, indices, index));
    inner.line(sum + " = " + text.combine(sum, succeeded(element) ? *element : "0.0f") + ";");
    inner.startBlock();
    inner.indentBy(-2);
    inner.line("}");
    return text.finish(sum);
  });
}

int64_t Reductions::lengthOf(Value x) {
  mj::ReduceOp reduce = reduced;
  return reduce ? tensorOf(x).getNumElements() / tensorOf(reduce.getResult()).getNumElements()
                : tensorOf(x).getShape().back();
}

LogicalResult Reductions::overLines(ArrayRef<AxisRange> ranges, int64_t length,
                                    function_ref<LogicalResult(ArrayRef<std::string>)> body) {
  int64_t lines = 1;
  for (const AxisRange &range : ranges)
    lines *= range.size;
  isBlockWide = lines * 32 < threads && length >= 512;
  std::string index = "line" + std::to_string(next);
  if (isBlockWide)
    printer.line(formatv("for (int {0} = 0; {0} < {1}; ++{0}) {{", index, lines));
  else
    printer.line(formatv("for (int {0} = threadIdx.x / 32; {0} < {1}; {0} += {2}) {{", index, lines, threads / 32));
  printer.indentBy(2);
  printer.startBlock();
  SmallVector<std::string> leading;
  int64_t inner = lines;
  for (const AxisRange &range : ranges) {
    inner /= range.size;
    std::string offset = range.size == 1 ? "" : inner == 1 ? index : formatv("{0} / {1}", index, inner).str();
    if (range.size != 1 && range.size * inner != lines)
      offset = formatv("({0}) % {1}", offset, range.size);
    leading.push_back(offset.empty()      ? range.base
                      : range.base == "0" ? "(" + offset + ")"
                                          : "(" + range.base + " + " + offset + ")");
  }
  if (failed(body(leading)))
    return failure();
  printer.startBlock();
  printer.indentBy(-2);
  printer.line("}");
  return success();
}

LogicalResult Reductions::reduceLine(Value x, ArrayRef<std::string> leading, const LineFormula::Step &formula) {
  int64_t length = lengthOf(x);
  const std::string &result = formula.name;
  printer.line("float " + result + " = " + (formula.isMaximum ? "-kInfinity" : "0.0f") + ";");
  int64_t lanes = isBlockWide ? threads : 32, step = width;
  bool isLast = !reduced || (reduced.getAxes().size() == 1 && reduced.getAxes()[0] == tensorOf(x).getRank() - 1);
  while (step > 1 && (!isLast || length % step || length < lanes * step))
    step /= 2;
  printer.line(formatv("for (int i = {0} * {1}; i < {2}; i += {3}) {{",
                       isBlockWide ? "threadIdx.x" : "(threadIdx.x % 32)", step, length, lanes * step));
  printer.indentBy(2);
  printer.startBlock();
  auto printElement = [&](StringRef last) -> LogicalResult {
    Indices indices(leading.begin(), leading.end());
    if (reduced)
      indices = isLast ? indices : placeInReduced(reduced, leading, last);
    if (isLast)
      indices.push_back(last.str());
    FailureOr<std::string> value = printer.print(x, indices);
    if (failed(value))
      return failure();
    printer.line(result + " = " + formula.combine(result, *value) + ";");
    return success();
  };
  if (failed(step > 1 ? printer.overVector("i", step, length, printElement) : printElement("i")))
    return failure();
  printer.startBlock();
  printer.indentBy(-2);
  printer.line("}");
  StringRef function =
      formula.isMaximum ? (isBlockWide ? "blockMax" : "warpMax") : (isBlockWide ? "blockSum" : "warpSum");
  printer.line(result + " = " + function + "(" + result + (isBlockWide ? ", scratch);" : ");"));
  if (!formula.then.empty())
    printer.line(formula.then);
  return success();
}

static LineFormula describeNorm(mj::NormOp norm, int64_t length) {
  LineFormula formula;
  bool isLayer = norm.getKind() == mj::NormKind::layer;
  std::string size = std::to_string(length) + ".0f", eps = formatv("{0:e8}f", norm.getEps().convertToFloat());
  if (isLayer)
    formula.steps.push_back({"sum", false, [](StringRef sum, StringRef x) { return (sum + " + " + x).str(); },
                             "const float middle = sum / " + size + ";"});
  auto square = [isLayer](StringRef sum, StringRef x) {
    std::string centred = isLayer ? ("(" + x + " - middle)").str() : x.str();
    return formatv("fmaf({0}, {0}, {1})", centred, sum).str();
  };
  formula.steps.push_back({"squares", false, square, ""});
  formula.kept.push_back({"factor", formatv("1.0f / sqrtf(squares / {0} + {1})", size, eps).str()});
  if (isLayer)
    formula.kept.push_back({"mean", "middle"});
  formula.element = [=](ElementPrinter &inner, ArrayRef<std::string> indices,
                        function_ref<std::string(StringRef)> of) mutable -> std::string {
    FailureOr<std::string> value = inner.print(norm.getX(), indices);
    if (failed(value))
      return "0.0f";
    std::string text = isLayer ? "(" + *value + " - " + of("mean") + ")" : *value;
    text += " * " + of("factor");
    for (Value affine : {norm.getWeight(), norm.getBias()})
      if (affine) {
        FailureOr<std::string> printed = inner.print(affine, {indices.back()});
        if (succeeded(printed))
          text += (affine == norm.getBias() ? " + " : " * ") + *printed;
      }
    return text;
  };
  return formula;
}

static LineFormula describeSoftmax(mj::SoftmaxOp softmax) {
  LineFormula formula;
  formula.steps.push_back({"most", true,
                           [](StringRef most, StringRef x) { return formatv("maximum({0}, {1})", most, x).str(); },
                           "const float shift = most == -kInfinity ? 0.0f : most;"});
  formula.steps.push_back(
      {"sum", false, [](StringRef sum, StringRef x) { return formatv("{0} + expf({1} - shift)", sum, x).str(); }, ""});
  formula.kept.push_back({"largest", "shift"});
  formula.kept.push_back({"total", "sum > 0.0f ? 1.0f / sum : sum == 0.0f ? 0.0f : sum"});
  formula.element = [=](ElementPrinter &inner, ArrayRef<std::string> indices,
                        function_ref<std::string(StringRef)> of) mutable {
    FailureOr<std::string> value = inner.print(softmax.getX(), indices);
    return formatv("expf({0} - {1}) * {2}", succeeded(value) ? *value : "0.0f", of("largest"), of("total")).str();
  };
  return formula;
}

static LineFormula describeReduce(mj::ReduceOp reduce, int64_t length) {
  LineFormula formula;
  mj::ReduceKind kind = reduce.getKind();
  bool isMinimum = kind == mj::ReduceKind::min, isMaximum = isMinimum || kind == mj::ReduceKind::max;
  auto combine = [=](StringRef sum, StringRef x) {
    return formatv(isMinimum ? "maximum({0}, -{1})" : isMaximum ? "maximum({0}, {1})" : "{0} + {1}", sum, x).str();
  };
  formula.steps.push_back({"combined", isMaximum, combine, ""});
  formula.kept.push_back({"reduced", formatv("{0}combined{1}", isMinimum ? "-" : "",
                                             kind == mj::ReduceKind::mean ? " / " + std::to_string(length) + ".0f" : "")
                                         .str()});
  formula.element = [](ElementPrinter &, ArrayRef<std::string>, function_ref<std::string(StringRef)> of) {
    return of("reduced");
  };
  return formula;
}

LineFormula cuda::describeReduction(Operation *op, int64_t length) {
  if (auto norm = dyn_cast<mj::NormOp>(op))
    return describeNorm(norm, length);
  if (auto softmax = dyn_cast<mj::SoftmaxOp>(op))
    return describeSoftmax(softmax);
  return describeReduce(cast<mj::ReduceOp>(op), length);
}

LogicalResult Reductions::printOne(Operation *op, ArrayRef<AxisRange> ranges) {
  Value x = op->getOperand(0);
  std::string suffix = std::to_string(next), line = "line" + suffix;
  int64_t lines = 1;
  for (const AxisRange &range : ranges)
    lines *= range.size;
  if (!hasScratch)
    printer.line("__shared__ float scratch[33];");
  hasScratch = true;
  LineFormula formula = describeReduction(op, lengthOf(x));
  for (auto &[name, expression] : formula.kept)
    printer.line(formatv("__shared__ float {0}{1}[{2}];", name, suffix, lines));
  if (failed(overLines(ranges, lengthOf(x), [&](ArrayRef<std::string> leading) -> LogicalResult {
        for (const LineFormula::Step &step : formula.steps)
          if (failed(reduceLine(x, leading, step)))
            return failure();
        printer.line(isBlockWide ? "if (threadIdx.x == 0) {" : "if (threadIdx.x % 32 == 0) {");
        for (auto &[name, expression] : formula.kept)
          printer.line(formatv("  {0}{1}[{2}] = {3};", name, suffix, line, expression));
        printer.line("}");
        return success();
      })))
    return failure();

  // Where an element of the result finds what its line has.
  SmallVector<AxisRange> kept(ranges);
  auto placeOf = [kept](ArrayRef<std::string> indices) {
    Indices offsets;
    SmallVector<int64_t> sizes;
    for (auto [index, range] : llvm::zip(indices, kept)) {
      offsets.push_back(range.size == 1 ? "0" : range.base == "0" ? index : "((" + index + ") - (" + range.base + "))");
      sizes.push_back(range.size);
    }
    return linearize(offsets, sizes);
  };
  bool isReduce = isa<mj::ReduceOp>(op);
  printer.setLeaf(op->getResult(0), [=](ElementPrinter &inner, ArrayRef<std::string> indices) {
    std::string place = placeOf(isReduce ? indices : indices.drop_back());
    return formula.element(inner, indices,
                           [&](StringRef name) { return formatv("{0}{1}[{2}]", name, suffix, place).str(); });
  });
  ++next;
  return success();
}
