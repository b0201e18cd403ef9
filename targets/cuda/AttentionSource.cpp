// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Attention over pages of several rows of a sequence.
#include "targets/cuda/AttentionPrinter.h"

#include "targets/cuda/TiledAttention.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;

namespace {
class PrefillAttentionPrinter : public AttentionPrinter {
public:
  using AttentionPrinter::AttentionPrinter;
  LogicalResult print();
};
} // namespace

/// A block for a tile of query vectors of one sequence and kv head.
LogicalResult PrefillAttentionPrinter::print() {
  if (failed(checkResult()))
    return failure();
  if (attention.getQuery().getDefiningOp())
    return context.kernel.emitOpError("computes the queries of an attention of many rows; the GPU's kernels read them");
  TiledAttention tiled(attention);
  mj::ScheduleAttr schedule = context.kernel.getSchedule();
  int64_t sequences = batch.getSequences(), tiles = tiled.countTiles(schedule, sequences + 1);
  tiled.setLaunch(schedule, source);
  printer.line(tiled.printMemoryCheck(schedule));
  // Later rows see more keys: the longest tiles go first.
  printer.line(formatv("const int head = blockIdx.x % {0}, tile = {1} - blockIdx.x / {0};", kv.getHeads(), tiles - 1));
  printer.line(formatv("const flash::TilePlace at = flash::findTile<{0}, {1}, {2}>(sequence_offsets, {3}, tile);",
                       sequences, context.parameter("rows"), group, rows));
  printer.line("if (at.sequence < 0)");
  printer.line("  return;");
  printer.line(formatv("const bool isPadding = at.sequence == {0};", sequences));
  printer.line("const int sequence = isPadding ? 0 : at.sequence, begin = sequence_offsets[at.sequence];");
  printer.line(formatv("const int end = isPadding ? {0} : sequence_offsets[sequence + 1];", rows));
  printer.line(
      formatv("const flash::PagedRows<{0}, {1}, {2}> tileRows{{head, at.first, begin, end - begin, isPadding ? "
              "0 : context_lengths[sequence]};",
              heads, group, attention.getWindow() ? int64_t(*attention.getWindow()) : 0));
  printer.line("const auto cache = " + cacheOf("sequence") + ";");
  if (failed(printScales(printer, "head")))
    return failure();
  printer.line(formatv("const flash::PagedKeys<decltype(cache), {0}> keys{{cache, head};",
                       elementTypeName(kv.getElementType())));
  printer.line(formatv("{0}({1}, tileRows, keys, flash::NoMask{{}, {2:e8}f * keyScale, valueScale, {3}, shared);",
                       tiled.printCallee(schedule), context.argument(attention.getQuery()),
                       attention.getScale().convertToFloat(), context.result(resultIndex())));
  return success();
}

LogicalResult cuda::printPrefillAttentionKernel(KernelContext &context, KernelSource &source) {
  return PrefillAttentionPrinter(context, source).print();
}
