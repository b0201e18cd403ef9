// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The frame of a kernel's source, and the kernels without an anchor.
#include "targets/cuda/KernelSource.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "targets/cuda/Reductions.h"
#include "targets/cuda/Schedules.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

KernelContext::KernelContext(exec::KernelOp kernel, exec::KvPoolOp pool, const CudaProfile &profile)
    : kernel(kernel), pool(pool), profile(profile), operands(exec::getKernelOperands(kernel.getBody().front())) {}

int64_t KernelContext::parameter(StringRef name) { return getParameter(kernel.getSchedule(), name); }

std::string KernelContext::argument(Value value) {
  return "in" + std::to_string(cast<BlockArgument>(value).getArgNumber());
}
std::string KernelContext::field(mj::BatchField field) { return mj::stringifyBatchField(field).str(); }
std::string KernelContext::field(exec::SamplingField field) { return exec::stringifySamplingField(field).str(); }
std::string KernelContext::result(unsigned index) { return "out" + std::to_string(index); }

std::string KernelContext::nameOf(const exec::KernelOperand &operand) {
  switch (operand.kind) {
  case exec::KernelOperand::tensor:
    return argument(block().getArgument(operand.index));
  case exec::KernelOperand::result:
    return result(operand.index);
  case exec::KernelOperand::batch:
    return field(operand.batchField);
  case exec::KernelOperand::sampling:
    return field(operand.samplingField);
  case exec::KernelOperand::pool:
    return "pool";
  }
  llvm_unreachable("all kinds are covered");
}

void KernelContext::setArguments(ElementPrinter &printer) {
  for (BlockArgument argument : block().getArguments())
    if (isa<RankedTensorType>(argument.getType()))
      printer.setMemory(argument, this->argument(argument));
  for (auto field : block().getOps<mj::BatchFieldOp>())
    printer.setLeaf(field.getResult(), [name = this->field(field.getField()), type = tensorOf(field.getResult())](
                                           ElementPrinter &, ArrayRef<std::string> indices) {
      return "load(" + name + ", " + linearize(indices, type.getShape()) + ")";
    });
}

LogicalResult KernelContext::printAppends(ElementPrinter &printer, StringRef row, StringRef firstHead, int64_t heads,
                                          StringRef thread, int64_t threads) {
  for (auto append : block().getOps<mj::KvAppendOp>()) {
    mj::KvType kv = append.getKv().getType();
    StringRef element = elementTypeName(kv.getElementType());
    int64_t size = kv.getHeadDim();
    printer.line(formatv("if (const int slot = slots[{0}]; slot >= 0) {{", row));
    printer.indentBy(2);
    printer.line(
        formatv("uint8_t *const page = pool + int64_t(slot / {0}) * {1};", pool.getPageSize(), pool.getBytesPerPage()));
    printer.line(formatv("for (int i = {0}; i < {1}; i += {2}) {{", thread, heads * size, threads));
    printer.indentBy(2);
    printer.startBlock();
    printer.line(formatv("const int h = {0} + i / {1}, d = i % {1};", firstHead, size));
    for (auto [rows, offset] : {std::pair(append.getKey(), 0), std::pair(append.getValue(), 1)}) {
      FailureOr<std::string> value = printer.print(rows, {row.str(), "h", "d"});
      if (failed(value))
        return failure();
      std::string scaled = *value;
      if (append.getScales()) {
        FailureOr<std::string> scale = printer.print(append.getScales(), {std::to_string(offset), "h"});
        if (failed(scale))
          return failure();
        scaled += " / " + *scale;
      }
      printer.line(
          formatv("store(reinterpret_cast<{0} *>(page), ((int64_t({1}) * {2} + h) * {3} + slot % {3}) * {4} + d, "
                  "{5});",
                  element, offset, kv.getHeads(), pool.getPageSize(), size, scaled));
    }
    printer.startBlock();
    printer.indentBy(-2);
    printer.line("}");
    printer.indentBy(-2);
    printer.line("}");
  }
  return success();
}

/// The operations of a region, as a comment.
static std::string describeRegion(exec::KernelOp kernel) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    std::string line;
    llvm::raw_string_ostream stream(line);
    op.print(stream, OpPrintingFlags().useLocalScope().elideLargeElementsAttrs());
    os << "//   " << line << "\n";
  }
  return text;
}

FailureOr<KernelSource> cuda::printKernel(exec::KernelOp kernel, exec::KvPoolOp pool, const CudaProfile &profile) {
  KernelContext context(kernel, pool, profile);
  KernelSource source;
  StringRef schedule = kernel.getSchedule().getName().getValue();
  using Printer = LogicalResult (*)(KernelContext &, KernelSource &);
  Printer print = llvm::StringSwitch<Printer>(schedule)
                      .Case(kPointwiseSchedule, printPointwiseKernel)
                      .Cases({kRowsSchedule, kGatherSchedule}, printRowsKernel)
                      .Case(kColumnsSchedule, printColumnsKernel)
                      .Case(kSmallMatmulSchedule, printSmallMatmulKernel)
                      .Case(kLargeMatmulSchedule, printLargeMatmulKernel)
                      .Case(kBatchMatmulSchedule, printBatchMatmulKernel)
                      .Case(kDecodeAttentionSchedule, printDecodeAttentionKernel)
                      .Case(kPrefillAttentionSchedule, printPrefillAttentionKernel)
                      .Case(kSdpaSchedule, printSdpaKernel)
                      .Case(kSampleSchedule, printSampleKernel)
                      .Default(nullptr);
  if (!print)
    return kernel.emitOpError("has the schedule '")
           << schedule << "', for which there are no CUDA kernels yet; --target=host runs it";
  if (failed(print(context, source)))
    return failure();

  llvm::raw_string_ostream os(source.text);
  os << "// Kernel " << kernel.getSymName() << ": " << kernel.getSchedule() << "\n" << describeRegion(kernel);
  os << "#include \"batch_matmul.cuh\"\n#include \"decode_attention.cuh\"\n#include \"flash_attention.cuh\"\n#include "
        "\"large_matmul.cuh\"\n#include \"sample.cuh\"\n#include \"small_matmul.cuh\"\n\n";
  // No __restrict__: loads that the compiler may take for constant would be moved before waitForInputs().
  os << "extern \"C\" __global__ void __launch_bounds__(" << source.threads;
  if (source.blocks)
    os << ", " << source.blocks;
  os << ")";
  if (source.cluster > 1)
    os << " __cluster_dims__(" << source.cluster << ")";
  os << "\n" << kernel.getSymName() << "(";
  llvm::interleave(
      context.operands, os,
      [&](const exec::KernelOperand &operand) {
        bool isWritten = operand.access != exec::Access::read;
        StringRef element =
            operand.kind == exec::KernelOperand::pool ? "uint8_t" : elementTypeName(operand.type.getElementType());
        os << (isWritten ? "" : "const ") << element << " *" << context.nameOf(operand);
      },
      ",\n    ");
  os << ") {\n  extern __shared__ __align__(128) uint8_t shared[];\n  letNextStart();\n"
     << context.beforeWait << "  waitForInputs();\n"
     << context.body << "}\n";
  return source;
}

/// Elements that a thread loads at a time, so that they are 16 bytes of the smallest type: 8 of bf16, 4 of f32.
static int64_t countVectorElements(Block &block) {
  unsigned bits = 32;
  auto note = [&](Value value) {
    if (auto type = dyn_cast<RankedTensorType>(value.getType()); type && type.getRank())
      bits = std::min(bits, type.getElementTypeBitWidth());
  };
  llvm::for_each(block.getArguments(), note);
  llvm::for_each(block.getTerminator()->getOperands(), note);
  return bits >= 32 ? 4 : 8;
}

/// The statements that declare `values[width]` for elements of `type`, and store them at `place` of `pointer`.
static std::string declareVector(StringRef values, RankedTensorType type, int64_t width) {
  Type element = type.getElementType();
  return formatv("{0} {1}[{2}];", isa<FloatType>(element) ? "float" : elementTypeName(element), values, width);
}

namespace {
/// How the elements of the results of a pointwise region lie in vectors.
struct VectorShape {
  SmallVector<int64_t> shape;
  int64_t width;
  bool isFlat; ///< every operand has the results' shape, so that places are all that counts
};
} // namespace

static std::optional<VectorShape> findVectorShape(Block &block) {
  VectorShape result{{}, countVectorElements(block), true};
  auto outputs = block.getTerminator()->getOperands();
  if (outputs.empty() || !isa<RankedTensorType>(outputs.front().getType()))
    return std::nullopt;
  result.shape.assign(tensorOf(outputs.front()).getShape().begin(), tensorOf(outputs.front()).getShape().end());
  auto isAlike = [&](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getShape() == ArrayRef(result.shape);
  };
  if (!llvm::all_of(outputs, isAlike) || result.shape.empty())
    return std::nullopt;
  for (Operation &op : block.without_terminator()) {
    bool isConstant = isa<arith::ConstantOp>(op);
    if (auto broadcast = dyn_cast<mj::BroadcastOp>(op))
      isConstant = broadcast.getSource().getDefiningOp<arith::ConstantOp>() != nullptr;
    result.isFlat &=
        isConstant || (mj::isPointwise(&op) && !isa<mj::BroadcastOp>(op) && llvm::all_of(op.getOperands(), isAlike));
  }
  if (!result.isFlat && result.shape.back() % result.width != 0)
    return std::nullopt;
  return result;
}

/// A thread computes `width` neighbouring elements at a time.
static LogicalResult printVectorKernel(KernelContext &context, KernelSource &source, const VectorShape &vector) {
  int64_t threads = context.parameter("threads"), elements = context.parameter("elements"), width = vector.width;
  int64_t count = ShapedType::getNumElements(vector.shape);
  bool isLarge = count > INT32_MAX - threads * elements;
  source.threads = threads;
  ElementPrinter printer(context.os, 2);
  context.setArguments(printer);
  std::string left = vector.isFlat && count % width ? formatv("{0} - i", count).str() : "";
  if (vector.isFlat)
    for (BlockArgument argument : context.block().getArguments())
      if (isa<RankedTensorType>(argument.getType()))
        printer.setLeaf(argument, [=, name = context.argument(argument), type = tensorOf(argument).getElementType()](
                                      ElementPrinter &inner, ArrayRef<std::string>) {
          return inner.vectorElement(name, "i", type, left);
        });
  std::string index = isLarge ? "int64_t" : "int";
  printer.line("#pragma unroll");
  printer.line(formatv("for (int j = 0; j < {0}; ++j) {{", std::max<int64_t>(elements / width, 1)));
  printer.indentBy(2);
  printer.line(formatv("const {0} i = ({0}(blockIdx.x) * {1} + j * {2} + threadIdx.x) * {3};", index,
                       threads * std::max<int64_t>(elements / width, 1), threads, width));
  printer.line(formatv("if (i < {0}) {{", count));
  printer.indentBy(2);
  Indices indices = delinearize("i", vector.shape);
  if (!vector.isFlat) {
    printer.line(formatv("const int c = {0};", indices.back()));
    indices.back() = "c";
  }
  auto outputs = context.block().getTerminator()->getOperands();
  for (auto [number, value] : llvm::enumerate(outputs))
    printer.line(declareVector("y" + std::to_string(number), tensorOf(value), width));
  if (failed(printer.overVector(vector.isFlat ? "i" : "c", width, vector.isFlat ? count : vector.shape.back(),
                                [&](StringRef last) -> LogicalResult {
                                  indices.back() = last.str();
                                  for (auto [number, value] : llvm::enumerate(outputs)) {
                                    FailureOr<std::string> element = printer.print(value, indices);
                                    if (failed(element))
                                      return failure();
                                    printer.line(formatv("y{0}[v] = {1};", number, *element));
                                  }
                                  return success();
                                })))
    return failure();
  for (unsigned number = 0; number < outputs.size(); ++number)
    printer.line(
        formatv("storeVector({0} + i, y{1}{2});", context.result(number), number, left.empty() ? "" : ", " + left));
  printer.indentBy(-2);
  printer.line("}");
  printer.indentBy(-2);
  printer.line("}");
  return success();
}

LogicalResult cuda::printPointwiseKernel(KernelContext &context, KernelSource &source) {
  if (std::optional<VectorShape> shape = findVectorShape(context.block()))
    return printVectorKernel(context, source, *shape);
  int64_t threads = context.parameter("threads"), elements = context.parameter("elements");
  source.threads = threads;
  ElementPrinter printer(context.os, 2);
  context.setArguments(printer);
  printer.line(formatv("for (int j = 0; j < {0}; ++j) {{", elements));
  printer.indentBy(2);
  printer.line(
      formatv("const int64_t i = int64_t(blockIdx.x) * {0} + j * {1} + threadIdx.x;", threads * elements, threads));
  for (auto [index, value] : llvm::enumerate(context.block().getTerminator()->getOperands())) {
    if (!isa<RankedTensorType>(value.getType()))
      continue;
    RankedTensorType type = tensorOf(value);
    printer.line(formatv("if (i < {0}) {{", type.getNumElements()));
    printer.indentBy(2);
    printer.startBlock();
    bool isLarge = type.getNumElements() > INT32_MAX;
    if (!isLarge)
      printer.line("const int e = int(i);");
    FailureOr<std::string> element = printer.print(value, delinearize(isLarge ? "i" : "e", type.getShape()));
    if (failed(element))
      return failure();
    printer.line(formatv("store({0}, i, {1});", context.result(index), *element));
    printer.startBlock();
    printer.indentBy(-2);
    printer.line("}");
  }
  printer.indentBy(-2);
  printer.line("}");
  return success();
}

LogicalResult cuda::printRowsKernel(KernelContext &context, KernelSource &source) {
  Block &block = context.block();
  int64_t threads = context.parameter("threads"), rowsOfBlock = context.parameter("rows"), rows = 1;
  source.threads = threads;
  source.blocks = std::max<int64_t>(1024 / threads, 1); // the assembler would spill for more
  SmallVector<Value> roots;
  for (Value value : block.getTerminator()->getOperands())
    if (isa<RankedTensorType>(value.getType()))
      roots.push_back(value);
  for (auto append : block.getOps<mj::KvAppendOp>())
    llvm::append_range(roots, ValueRange{append.getKey(), append.getValue()});
  bool isWhole = reducesVector(block);
  if (!isWhole)
    for (Value root : roots)
      rows = std::max(rows, tensorOf(root).getDimSize(0));

  ElementPrinter printer(context.os, 2);
  context.setArguments(printer);
  printer.line(formatv("for (int r = 0; r < {0}; ++r) {{", rowsOfBlock));
  printer.indentBy(2);
  printer.line(formatv("const int row = blockIdx.x * {0} + r;", rowsOfBlock));
  printer.line(formatv("if (row >= {0})", rows));
  printer.line("  break;");
  Reductions reductions(printer, threads, countVectorElements(block));
  bool hasReductions = false;
  auto ranges = [&](Operation *op) {
    hasReductions = true;
    SmallVector<AxisRange> result{{"row", 1}};
    for (auto [axis, size] : llvm::enumerate(getKeptSizes(op)))
      if (axis > 0)
        result.push_back({"0", size});
    if (isWhole)
      result.clear();
    return result;
  };
  if (failed(reductions.print(roots, ranges)))
    return failure();
  for (auto [index, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
    if (!isa<RankedTensorType>(value.getType()))
      continue;
    ArrayRef<int64_t> shape = tensorOf(value).getShape().drop_front(isWhole ? 0 : 1);
    int64_t size = ShapedType::getNumElements(shape);
    int64_t width = countVectorElements(block), line = shape.empty() ? 1 : shape.back();
    while (width > 1 && (line % width || size < threads * width))
      width /= 2;
    bool isVector = width > 1;
    printer.line(formatv("for (int i = threadIdx.x * {2}; i < {0}; i += {1}) {{", size, threads * width, width));
    printer.indentBy(2);
    printer.startBlock();
    Indices indices;
    if (!isWhole)
      indices.push_back("row");
    llvm::append_range(indices, delinearize("i", shape));
    std::string place = isWhole ? "i" : formatv("int64_t(row) * {0} + i", size).str();
    auto printElement = [&](StringRef store) -> LogicalResult {
      FailureOr<std::string> element = printer.print(value, indices);
      if (failed(element))
        return failure();
      printer.line(formatv(false, store.data(), *element).str());
      return success();
    };
    if (isVector) {
      printer.line(formatv("const int c = {0};", indices.back()));
      printer.line(declareVector("y", tensorOf(value), width));
      if (failed(printer.overVector("c", width, line, [&](StringRef last) {
            indices.back() = last.str();
            return printElement("y[v] = {0};");
          })))
        return failure();
      printer.line(formatv("storeVector({0} + {1}, y);", context.result(index), place));
    } else if (failed(printElement(("store(" + context.result(index) + ", " + place + ", {0});").c_str()))) {
      return failure();
    }
    printer.startBlock();
    printer.indentBy(-2);
    printer.line("}");
  }
  if (auto appends = block.getOps<mj::KvAppendOp>(); !appends.empty())
    if (failed(context.printAppends(printer, "row", "0", (*appends.begin()).getKv().getType().getHeads(), "threadIdx.x",
                                    threads)))
      return failure();
  if (hasReductions && rowsOfBlock > 1)
    printer.line("__syncthreads();");
  printer.indentBy(-2);
  printer.line("}");
  return success();
}

LogicalResult cuda::printColumnsKernel(KernelContext &context, KernelSource &source) {
  Block &block = context.block();
  auto reduces = block.getOps<mj::ReduceOp>();
  if (!llvm::hasSingleElement(reduces) || block.getTerminator()->getNumOperands() != 1)
    return context.kernel.emitOpError("reduces rows more than once; the GPU's kernels do that one at a time");
  mj::ReduceOp reduce = *reduces.begin();
  Value result = block.getTerminator()->getOperand(0);
  int64_t threads = context.parameter("threads"), columns = context.parameter("columns"), slices = threads / columns;
  source.threads = threads;
  SmallVector<int64_t> kept = getKeptSizes(reduce);
  int64_t elements = ShapedType::getNumElements(kept);
  int64_t count = tensorOf(reduce.getX()).getNumElements() / elements;
  ReduceText text(reduce);

  ElementPrinter printer(context.os, 2);
  context.setArguments(printer);
  StringRef index = elements > INT32_MAX ? "int64_t" : "int", step = count > INT32_MAX ? "int64_t" : "int";
  printer.line(formatv("const int column = threadIdx.x % {0}, slice = threadIdx.x / {0};", columns));
  printer.line(formatv("const {0} e = {0}(blockIdx.x) * {1} + column;", index, columns));
  printer.line("float part = " + text.initial + ";");
  printer.line(formatv("if (e < {0})", elements));
  printer.line(formatv("  for ({0} r = slice; r < {1}; r += {2}) {{", step, count, slices));
  printer.indentBy(4);
  FailureOr<std::string> element = printer.print(reduce.getX(), placeInReduced(reduce, delinearize("e", kept), "r"));
  if (failed(element))
    return failure();
  printer.line("part = " + text.combine("part", *element) + ";");
  printer.indentBy(-4);
  printer.startBlock();
  printer.line("  }");
  // Slices are added in pairs, always the same ones.
  printer.line(formatv("__shared__ float parts[{0}];", threads));
  printer.line("parts[threadIdx.x] = part;");
  printer.line(formatv("for (int half = {0}; half > 0; half /= 2) {{", slices / 2));
  printer.line("  __syncthreads();");
  printer.line("  if (slice < half)");
  printer.line("    parts[threadIdx.x] = " +
               text.combine("parts[threadIdx.x]", formatv("parts[threadIdx.x + half * {0}]", columns).str()) + ";");
  printer.line("}");
  printer.line(formatv("if (slice == 0 && e < {0}) {{", elements));
  printer.indentBy(2);
  printer.setLeaf(reduce.getResult(),
                  [text](ElementPrinter &, ArrayRef<std::string>) { return text.finish("parts[threadIdx.x]"); });
  FailureOr<std::string> value = printer.print(result, delinearize("e", tensorOf(result).getShape()));
  if (failed(value))
    return failure();
  printer.line(formatv("store({0}, e, {1});", context.result(0), *value));
  printer.indentBy(-2);
  printer.line("}");
  return success();
}

LogicalResult cuda::printSampleKernel(KernelContext &context, KernelSource &source) {
  auto sample = *context.block().getOps<mj::SampleOp>().begin();
  if (llvm::range_size(context.block().without_terminator()) != 1)
    return context.kernel.emitOpError("holds more than a sample; the GPU's kernel draws tokens only");
  RankedTensorType logits = tensorOf(sample.getLogits());
  source.threads = context.parameter("threads");
  source.sharedBytes = (258 + source.threads) * 8;
  using Field = exec::SamplingField;
  context.os << formatv(
      "  const int b = blockIdx.x;\n"
      "  sampleToken<{0}>({1} + int64_t(b) * {2}, {2}, {3}[b], {4}[b], {5}[b], {6}[b], {7}[b], {8} + b,\n"
      "                   reinterpret_cast<uint64_t *>(shared));\n",
      source.threads, context.argument(sample.getLogits()), logits.getDimSize(1), context.field(Field::temperature),
      context.field(Field::top_k), context.field(Field::top_p), context.field(Field::seeds),
      context.field(mj::BatchField::context_lengths), context.result(0));
  return success();
}
