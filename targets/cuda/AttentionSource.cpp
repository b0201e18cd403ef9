// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Attention over pages.
#include "targets/cuda/KernelSource.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "targets/cuda/Reductions.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

namespace {

class AttentionPrinter {
public:
  AttentionPrinter(KernelContext &context, KernelSource &source)
      : context(context), source(source), printer(context.os, 2),
        attention(*context.block().getOps<mj::AttentionOp>().begin()), batch(attention.getBatch().getType()),
        kv(attention.getKv().getType()) {
    RankedTensorType query = tensorOf(attention.getQuery());
    rows = query.getDimSize(0);
    heads = query.getDimSize(1);
    size = query.getDimSize(2);
    group = heads / kv.getHeads();
    context.setArguments(printer);
  }

  LogicalResult printDecode();
  LogicalResult printPrefill();

private:
  /// The result of the region is the attention's, perhaps in another shape.
  LogicalResult checkResult() {
    Value value = context.block().getTerminator()->getOperand(0);
    for (Value operand : context.block().getTerminator()->getOperands())
      if (isa<RankedTensorType>(operand.getType()))
        value = operand;
    while (auto reshape = value.getDefiningOp<mj::ReshapeOp>())
      value = reshape.getSource();
    if (value != attention.getResult())
      return context.kernel.emitOpError("computes with the result of an attention; the GPU's kernels store it");
    return success();
  }

  unsigned resultIndex() {
    for (auto [index, operand] : llvm::enumerate(context.block().getTerminator()->getOperands()))
      if (isa<RankedTensorType>(operand.getType()))
        return index;
    return 0;
  }

  /// The cache as the templates want it, for sequence `sequence`.
  void printCache(StringRef sequence) {
    printer.line(formatv("const PagedCache<{0}, {1}, {2}, {3}, {4}> cache{{pool, block_tables + {5} * {6}};",
                         elementTypeName(kv.getElementType()), context.pool.getPageSize(), size, kv.getHeads(),
                         context.pool.getBytesPerPage(), sequence, batch.getPages()));
  }

  /// Declares `start` and `stop`: the positions that row `row` of sequence `sequence` sees.
  void printVisible() {
    printer.line("const int stop = context_lengths[sequence] - (sequence_offsets[sequence + 1] - 1 - row);");
    if (auto window = attention.getWindow())
      printer.line(formatv("const int start = max(stop - {0}, 0);", int64_t(*window)));
    else
      printer.line("const int start = 0;");
  }

  /// keyScale and valueScale of kv head `head`.
  LogicalResult printScales(StringRef head) {
    for (auto [name, index] : {std::pair("keyScale", "0"), std::pair("valueScale", "1")}) {
      std::string text = "1.0f";
      if (Value scales = attention.getScales()) {
        FailureOr<std::string> printed = printer.print(scales, {index, head.str()});
        if (failed(printed))
          return failure();
        text = *printed;
      }
      printer.line(formatv("const float {0} = {1};", name, text));
    }
    return success();
  }

  std::string exponentScale() {
    return formatv("{0:e8}f", attention.getScale().convertToDouble() * 1.4426950408889634);
  }

  KernelContext &context;
  KernelSource &source;
  ElementPrinter printer;
  mj::AttentionOp attention;
  mj::BatchType batch;
  mj::KvType kv;
  int64_t rows, heads, size, group;
};

} // namespace

/// A block for a row and a kv head. Its warps take 32 positions each in turn.
LogicalResult AttentionPrinter::printDecode() {
  if (failed(checkResult()))
    return failure();
  constexpr int64_t threads = 512;
  source.threads = threads;
  source.sharedBytes = threads / 32 * group * (size + 2) * 4;
  std::string out = context.result(resultIndex());
  printer.line(formatv("const int row = blockIdx.x / {0}, head = blockIdx.x % {0};", kv.getHeads()));
  printer.line(formatv("if (row >= {0})", rows));
  printer.line("  return;");
  printer.line(formatv("const int sequence = sequenceOf<{0}>(sequence_offsets, row);", batch.getSequences()));
  printer.line("if (sequence < 0) {");
  printer.line(formatv("  for (int i = threadIdx.x; i < {0}; i += {1})", group * size, threads));
  printer.line(formatv("    store({0}, (int64_t(row) * {1} + head * {2}) * {3} + i, 0.0f);", out, heads, group, size));
  printer.line("  return;");
  printer.line("}");

  auto append = context.block().getOps<mj::KvAppendOp>();
  SmallVector<Value> roots{attention.getQuery()};
  for (mj::KvAppendOp op : append)
    llvm::append_range(roots, ValueRange{op.getKey(), op.getValue()});
  Reductions reductions(printer, threads);
  auto ranges = [&](Operation *op) {
    SmallVector<AxisRange> result{{"row", 1}};
    ArrayRef<int64_t> inner = tensorOf(op->getOperand(0)).getShape().drop_front().drop_back();
    for (int64_t axis : inner)
      result.push_back(inner.size() == 1 && axis == heads && heads != kv.getHeads()
                           ? AxisRange{formatv("head * {0}", group), group}
                       : inner.size() == 1 && axis == kv.getHeads() ? AxisRange{"head", 1}
                                                                    : AxisRange{"0", axis});
    return result;
  };
  if (failed(reductions.print(roots, ranges)))
    return failure();
  printer.line(formatv("__shared__ float queries[{0}];", group * size));
  printer.line(formatv("for (int i = threadIdx.x; i < {0}; i += {1}) {{", group * size, threads));
  printer.indentBy(2);
  printer.startBlock();
  printer.line(formatv("const int h = head * {0} + i / {1}, d = i % {1};", group, size));
  FailureOr<std::string> query = printer.print(attention.getQuery(), {"row", "h", "d"});
  if (failed(query))
    return failure();
  printer.line("queries[i] = " + *query + " * " + exponentScale() + ";");
  printer.startBlock();
  printer.indentBy(-2);
  printer.line("}");
  if (failed(context.printAppends(printer, "row", "head", 1, "threadIdx.x", threads)))
    return failure();
  printer.line("__syncthreads();");
  printCache("sequence");
  printVisible();
  if (failed(printScales("head")))
    return failure();
  printer.line(formatv("Partial<{0}, {1}> part;", group, size));
  printer.line(
      formatv("attend<{0}, {1}>(queries, cache, head, start + int(threadIdx.x) / 32 * 32, stop, {2}, keyScale, "
              "valueScale, part);",
              group, size, threads));
  printer.line(formatv("combine<{0}, {1}, {2}>(part, reinterpret_cast<float *>(shared), [&](int h, int d, float y) {{",
                       group, size, threads / 32));
  printer.line(formatv("  store({0}, (int64_t(row) * {1} + head * {2} + h) * {3} + d, y);", out, heads, group, size));
  printer.line("});");
  return success();
}

/// A warp for a row and a query head.
LogicalResult AttentionPrinter::printPrefill() {
  if (failed(checkResult()))
    return failure();
  if (attention.getQuery().getDefiningOp())
    return context.kernel.emitOpError("computes the queries of an attention of many rows; the GPU's kernels read them");
  constexpr int64_t warps = 8;
  int64_t rowsOfBlock = context.parameter("rows");
  source.threads = warps * 32;
  std::string out = context.result(resultIndex());
  printer.line(formatv("__shared__ float allQueries[{0}];", warps * size));
  printer.line(formatv("float *const queries = allQueries + threadIdx.x / 32 * {0};", size));
  printer.line(
      formatv("const int tile = blockIdx.x / {0}, queryHead = blockIdx.x % {0}, head = queryHead / {1}, lane = "
              "threadIdx.x % 32;",
              heads, group));
  if (failed(printScales("head")))
    return failure();
  printer.line(formatv("for (int r = threadIdx.x / 32; r < {0}; r += {1}) {{", rowsOfBlock, warps));
  printer.indentBy(2);
  printer.line(formatv("const int row = tile * {0} + r;", rowsOfBlock));
  printer.line(formatv("if (row >= {0})", rows));
  printer.line("  break;");
  printer.line(formatv("const int64_t place = (int64_t(row) * {0} + queryHead) * {1};", heads, size));
  printer.line(formatv("const int sequence = sequenceOf<{0}>(sequence_offsets, row);", batch.getSequences()));
  printer.line("if (sequence < 0) {");
  printer.line(formatv("  for (int d = lane; d < {0}; d += 32)", size));
  printer.line(formatv("    store({0}, place + d, 0.0f);", out));
  printer.line("  continue;");
  printer.line("}");
  printer.line("__syncwarp();");
  printer.line(formatv("for (int d = lane; d < {0}; d += 32)", size));
  printer.line(
      formatv("  queries[d] = load({0}, place + d) * {1};", context.argument(attention.getQuery()), exponentScale()));
  printer.line("__syncwarp();");
  printCache("sequence");
  printVisible();
  printer.line(formatv("Partial<1, {0}> part;", size));
  printer.line(formatv("attend<1, {0}>(queries, cache, head, start, stop, 32, keyScale, valueScale, part);", size));
  printer.line("for (int e = 0; e < Partial<1, " + Twine(size) + ">::Elements; ++e)");
  printer.line(formatv("  if (const int d = lane + 32 * e; d < {0})", size));
  printer.line(formatv("    store({0}, place + d, part.sum[0] > 0.0f ? part.values[0][e] / part.sum[0] : 0.0f);", out));
  printer.indentBy(-2);
  printer.line("}");
  return success();
}

LogicalResult cuda::printDecodeAttentionKernel(KernelContext &context, KernelSource &source) {
  return AttentionPrinter(context, source).printDecode();
}

LogicalResult cuda::printPrefillAttentionKernel(KernelContext &context, KernelSource &source) {
  return AttentionPrinter(context, source).printPrefill();
}
