// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Matmuls of many rows by weights, whose operands come by tensor maps.
#include "targets/cuda/MatmulPrinter.h"
#include "targets/cuda/TensorMatmulTile.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

namespace {
class TensorMatmulPrinter : public MatmulPrinter {
public:
  using MatmulPrinter::MatmulPrinter;
  LogicalResult print();
};
} // namespace

LogicalResult TensorMatmulPrinter::print() {
  TensorMatmulTile tile(context.kernel.getSchedule());
  if (!isa<BlockArgument>(first.getX()))
    return context.kernel.emitOpError("computes the input of a matmul of many rows; the GPU's kernels read it");
  int64_t weights = widest(), rowTiles = llvm::divideCeil(rows, tile.m);
  source.threads = TensorMatmulTile::kThreads;
  source.sharedBytes = tile.sharedBytes(weights);
  source.alignment = 1024;
  source.cluster = tile.splits;
  source.blocks = tile.blocks;

  llvm::raw_string_ostream early(context.beforeWait);
  ElementPrinter start(early, 2);
  start.line(formatv("using Matmul = TensorMatmul<{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}>;", rows, k, tile.m, tile.n,
                     tile.stages, tile.splits, weights, elementTypeName(weightElement)));
  start.line("static_assert(Matmul::SharedBytes == " + Twine(source.sharedBytes) + ");");
  start.line("Matmul matmul;");
  start.line("matmul.shared = shared;");
  start.line(formatv("matmul.rank = blockIdx.x % {0};", tile.splits));
  start.line(formatv("matmul.x = &{0};", mapOf(first.getX(), tile.m, tile.stepK())));
  // Blocks that run at a time have few columns, whose weights they share, and many rows.
  start.line(formatv("const int tile = blockIdx.x / {0}, block = tile / {1};", tile.splits, rowTiles));
  start.line(formatv("matmul.row = tile % {0} * {1};", rowTiles, tile.m));
  if (sets.size() > 1)
    start.line("int set;");
  printSets(start, tile.n, [&](size_t set, StringRef block, int64_t n) {
    start.line(formatv("matmul.column = {0} * {1};", block, tile.n));
    start.line(formatv("matmul.end = {0};", n));
    for (int64_t w = 0; w < weights; ++w)
      start.line(formatv("matmul.weights[{0}] = &{1};", w, mapOf(weightOf(set, w), tile.n, tile.stepK())));
  });
  start.line("matmul.start();");
  if (failed(printEpilogue(sets, /*fetchesEights=*/tile.splits == 1)))
    return failure();
  printer.line("matmul.run(epilogue);");
  return success();
}

LogicalResult cuda::printTensorMatmulKernel(KernelContext &context, KernelSource &source) {
  TensorMatmulPrinter printer(context, source);
  return failed(printer.collect()) ? failure() : printer.print();
}
