// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Matmuls of many rows by weights, in tiles.
#include "targets/cuda/MatmulPrinter.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

namespace {
class LargeMatmulPrinter : public MatmulPrinter {
public:
  using MatmulPrinter::MatmulPrinter;
  LogicalResult print();
};
} // namespace

LogicalResult LargeMatmulPrinter::print() {
  if (!isa<BlockArgument>(first.getX()))
    return context.kernel.emitOpError("computes the input of a matmul of many rows; the GPU's kernels read it");
  int64_t tileM = context.parameter("tile_m"), tileN = context.parameter("tile_n");
  int64_t rowTiles = llvm::divideCeil(rows, tileM);
  int64_t stages = context.parameter("stages"), splits = context.parameter("splits");
  auto unit = context.kernel.getSchedule().getParameters().getAs<StringAttr>("unit");
  bool usesGroups = unit && unit.getValue() == "wgmma";
  // As LargeMatmul::SharedBytes says.
  source.sharedBytes =
      std::max(stages * (tileM + int64_t(widest()) * tileN) * 128, int64_t(widest()) * tileM * (tileN + 4) * 4);
  source.threads = 256;
  source.alignment = 1024;
  source.cluster = splits;
  if (!usesTensorCores()) {
    source.sharedBytes = 0;
    source.cluster = 1;
  }
  bool isF8 = isa<Float8E4M3FNType>(weightElement) && isa<Float8E4M3FNType>(tensorOf(first.getX()).getElementType());
  bool multipliesF8 = isF8 && context.parameter("tile_k") == 128;
  if (isF8 && !(multipliesF8 && usesTensorCores()))
    source.precision = usesTensorCores() ? "bf16 by mma.sync" : "f32 by the plain cores";
  printer.line(
      formatv("const int tile = blockIdx.x / {0}, rowTile = tile % {1}, columnTile = tile / {1};", splits, rowTiles));
  int64_t firstTile = 0;
  StringRef element = elementTypeName(weightElement);
  for (auto [number, set] : llvm::enumerate(sets)) {
    int64_t n = set.columns.columns(), tiles = llvm::divideCeil(n, tileN);
    size_t weights = set.columns.matmuls.size();
    bool isLast = number + 1 == sets.size();
    printer.line(Twine(number ? "else " : "") +
                 (isLast ? std::string("{") : formatv("if (columnTile < {0}) {{", firstTile + tiles).str()));
    printer.indentBy(2);
    if (failed(printEpilogue(set)))
      return failure();
    if (usesTensorCores()) {
      printer.line(formatv("using Matmul = LargeMatmul<{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10}, {11}>;",
                           rows, n, k, tileM, tileN, stages, splits, weights, usesGroups, multipliesF8 ? "f8" : "bf16",
                           elementTypeName(tensorOf(first.getX()).getElementType()), element));
      printer.line("static_assert(Matmul::SharedBytes <= " + Twine(source.sharedBytes) + ");");
      printer.line(
          formatv("Matmul matmul{{{0}, {{{1}}, rowTile * {2}, (columnTile - {3}) * {4}, int(blockIdx.x % {5}), "
                  "shared};",
                  context.argument(first.getX()), weightsOf(set), tileM, firstTile, tileN, splits));
      printer.line("matmul.run(epilogue);");
    } else {
      printer.line(formatv("const {0} *const weights[{1}] = {{{2}};", element, weights, weightsOf(set)));
      printer.line(
          formatv("plainLargeMatmul<{0}, {1}, {2}, {3}, {4}, {5}>({6}, weights, rowTile * {3}, (columnTile - {7}) * "
                  "{4}, epilogue);",
                  rows, n, k, tileM, tileN, weights, context.argument(first.getX()), firstTile));
    }
    printer.indentBy(-2);
    printer.line("}");
    firstTile += tiles;
  }
  return success();
}

LogicalResult cuda::printLargeMatmulKernel(KernelContext &context, KernelSource &source) {
  LargeMatmulPrinter printer(context, source);
  return failed(printer.collect()) ? failure() : printer.print();
}
