// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Matmuls of few rows by codes of many columns: boxes of the weights on their way before the kernel waits, then x, the
// products, the epilogue.
#include "targets/cuda/MatmulPrinter.h"
#include "targets/cuda/StreamedMatmulTile.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;

namespace {
class StreamedMatmulPrinter : public MatmulPrinter {
public:
  using MatmulPrinter::MatmulPrinter;
  LogicalResult print();
};
} // namespace

LogicalResult StreamedMatmulPrinter::print() {
  StreamedMatmulTile tile(context.kernel.getSchedule());
  const RowsInMemory stored = findRowsInMemory(first.getX());
  if (!stored.memory)
    return context.kernel.emitOpError("has the schedule 'cuda.streamed_matmul', but x is computed; cuda.small_matmul "
                                      "multiplies what is");
  SmallVector<MatmulColumns> columns;
  for (const ColumnSet &set : sets)
    columns.push_back(set.columns);
  MatmulShape shape = getMatmulShape(columns);
  source.threads = tile.threads;
  source.sharedBytes = tile.sharedBytes(shape);
  source.alignment = 1024;
  source.cluster = tile.splits;
  source.blocks = tile.blocks;
  source.letsNextStartLate = tile.late;

  llvm::raw_string_ostream early(context.beforeWait);
  ElementPrinter start(early, 2);
  start.line(formatv("using Matmul = StreamedMatmul<{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}>;", rows, k,
                     tile.groupColumns, shape.widest, tile.groups(), tile.splits, tile.warps(), tile.stages,
                     tile.window, tile.held));
  start.line("static_assert(Matmul::SharedBytes == " + Twine(source.sharedBytes) + ");");
  start.line("Matmul matmul;");
  start.line("matmul.shared = shared;");
  start.line(formatv("matmul.split = blockIdx.x % {0};", tile.splits));
  start.line(formatv("const int block = blockIdx.x / {0};", tile.splits));
  if (sets.size() > 1)
    start.line("int set;");
  printSets(start, tile.columns, [&](size_t set, StringRef block, int64_t n) {
    start.line(formatv("matmul.column = {0} * {1};", block, tile.columns));
    start.line(formatv("matmul.end = min(matmul.column + {0}, {1});", tile.columns, n));
    for (int64_t w = 0; w < shape.widest; ++w)
      start.line(formatv("matmul.weights[{0}] = &{1};", w,
                         mapOf(weightOf(set, w), StreamedMatmulTile::kBoxRows, StreamedMatmulTile::kBoxK)));
  });
  start.line("matmul.start();");
  if (llvm::any_of(sets, [&](const ColumnSet &set) { return !findEarlyScales(set).empty(); }))
    printSets(start, tile.columns, [&](size_t set, StringRef, int64_t) {
      for (auto [scale, w] : findEarlyScales(sets[set]))
        start.line(formatv("matmul.fetchScales({0}, {1});", w, context.argument(scale)));
    });
  if (!stored.ids)
    start.line(formatv("matmul.prefetchRows({0}, blockIdx.x, {1});", context.argument(stored.memory),
                       countMatmulBlocks(context.kernel.getSchedule(), context.block())));
  start.line("matmul.fill();");

  printStoredRows(stored);
  if (tile.splits == 1 && tile.groups() == 1)
    printEarlyLoads(tile.columns);
  setEarlyScales();
  if (failed(printEpilogue(sets)))
    return failure();
  printer.line("matmul.run(x, epilogue);");
  return success();
}

LogicalResult cuda::printStreamedMatmulKernel(KernelContext &context, KernelSource &source) {
  StreamedMatmulPrinter printer(context, source);
  return failed(printer.collect()) ? failure() : printer.print();
}
