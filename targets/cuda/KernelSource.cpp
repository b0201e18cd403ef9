// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The frame of a kernel's source, what printers of kernels share, and the kernel that samples.
#include "targets/cuda/KernelSource.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "targets/cuda/Schedules.h"

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
std::string KernelContext::tensorMap(size_t index) { return "map" + std::to_string(index); }

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

FailureOr<KernelSource> cuda::printKernel(exec::KernelOp kernel, exec::KvPoolOp pool, const CudaProfile &profile,
                                          bool fewestBlocks) {
  KernelContext context(kernel, pool, profile);
  KernelSource source;
  StringRef schedule = kernel.getSchedule().getName().getValue();
  using Printer = LogicalResult (*)(KernelContext &, KernelSource &);
  Printer print = llvm::StringSwitch<Printer>(schedule)
                      .Case(kPointwiseSchedule, printPointwiseKernel)
                      .Cases({kRowsSchedule, kGatherSchedule}, printRowsKernel)
                      .Case(kLinesSchedule, printLinesKernel)
                      .Case(kColumnsSchedule, printColumnsKernel)
                      .Case(kSmallMatmulSchedule, printSmallMatmulKernel)
                      .Case(kStreamedMatmulSchedule, printStreamedMatmulKernel)
                      .Case(kLargeMatmulSchedule, printLargeMatmulKernel)
                      .Case(kTensorMatmulSchedule, printTensorMatmulKernel)
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
  if (fewestBlocks && !source.dividesRegisters)
    source.blocks = 1;

  llvm::raw_string_ostream os(source.text);
  os << "// Kernel " << kernel.getSymName() << ": " << kernel.getSchedule() << "\n" << describeRegion(kernel);
  os << "#include \"batch_matmul.cuh\"\n#include \"decode_attention.cuh\"\n#include \"flash_groups.cuh\"\n#include "
        "\"large_matmul.cuh\"\n#include \"lines.cuh\"\n#include \"sample.cuh\"\n#include "
        "\"small_matmul.cuh\"\n#include \"streamed_matmul.cuh\"\n#include \"tensor_matmul.cuh\"\n\n";
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
  for (size_t i = 0; i < source.tensorMaps.size(); ++i)
    os << ",\n    const __grid_constant__ TensorMap " << context.tensorMap(i);
  os << ") {\n  extern __shared__ __align__(" << source.alignment << ") uint8_t shared[];\n"
     << (source.letsNextStartLate ? "" : "  letNextStart();\n") << context.beforeWait << "  waitForInputs();\n"
     << (source.letsNextStartLate ? "  letNextStart();\n" : "") << context.body << "}\n";
  return source;
}

int64_t cuda::countVectorElements(Block &block) {
  unsigned bits = 32;
  auto note = [&](Value value) {
    if (auto type = dyn_cast<RankedTensorType>(value.getType()); type && type.getRank())
      bits = std::min(bits, type.getElementTypeBitWidth());
  };
  llvm::for_each(block.getArguments(), note);
  llvm::for_each(block.getTerminator()->getOperands(), note);
  return bits >= 32 ? 4 : 8;
}

std::string cuda::declareVector(StringRef values, RankedTensorType type, int64_t width) {
  Type element = type.getElementType();
  return formatv("{0} {1}[{2}];", isa<FloatType>(element) ? "float" : elementTypeName(element), values, width);
}

LogicalResult cuda::printSampleKernel(KernelContext &context, KernelSource &source) {
  auto sample = *context.block().getOps<mj::SampleOp>().begin();
  if (llvm::range_size(context.block().without_terminator()) != 1)
    return context.kernel.emitOpError("holds more than a sample; the GPU's kernel draws tokens only");
  RankedTensorType logits = tensorOf(sample.getLogits());
  int64_t splits = context.parameter("splits"), count = logits.getDimSize(1);
  source.threads = context.parameter("threads");
  source.cluster = splits;
  // As SampledLogits::SharedBytes says.
  int64_t part = llvm::alignTo(llvm::divideCeil(count, splits), 4), words = part <= 1 << 18 ? 3 : 4;
  source.sharedBytes = (2048 * words + 1024) * 4 + llvm::alignTo(source.threads / 32 + 4 + splits, 2) * 8;
  int64_t logitBytes = part * 4;
  bool isStaged = source.sharedBytes + logitBytes <= context.profile.sharedBytesPerBlock;
  source.sharedBytes += isStaged ? logitBytes : 0;
  using Field = exec::SamplingField;
  // The caller's inputs are there before the kernel waits for the logits.
  context.beforeWait += formatv("  using Sampler = Sampler<{0}, {1}, {2}, {3}>;\n"
                                "  static_assert(Sampler::SharedBytes == {4});\n"
                                "  Sampler::begin();\n"
                                "  const int b = blockIdx.x / {1};\n"
                                "  const float ownTemperature = {5}[b], ownTopP = {6}[b];\n"
                                "  const int ownTopK = {7}[b], ownContext = {8}[b];\n"
                                "  const int64_t ownSeed = {9}[b];\n",
                                source.threads, splits, count, isStaged, source.sharedBytes,
                                context.field(Field::temperature), context.field(Field::top_p),
                                context.field(Field::top_k), context.field(mj::BatchField::context_lengths),
                                context.field(Field::seeds))
                            .str();
  context.os << formatv("  Sampler sampler{{{{{0} + int64_t(b) * {1}, shared, int(blockIdx.x % {2})}};\n"
                        "  sampler.run(ownTemperature, ownTopK, ownTopP, ownSeed, ownContext, {3} + b);\n",
                        context.argument(sample.getLogits()), count, splits, context.result(0));
  return success();
}
