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
  int64_t stageBytes = (tileM + int64_t(widest()) * tileN) * 64 * 2;
  int64_t stages = std::clamp<int64_t>((context.profile.sharedBytesPerBlock - 1024) / stageBytes, 2, 4);
  if (isa<Float8E4M3FNType>(weightElement) && isa<Float8E4M3FNType>(tensorOf(first.getX()).getElementType()))
    source.precision = usesTensorCores() ? "bf16 by mma.sync" : "f32 by the plain cores";
  source.threads = 256;
  source.sharedBytes = usesTensorCores() ? stages * stageBytes : 0;
  printer.line(formatv("const int rowTile = blockIdx.x % {0}, columnTile = blockIdx.x / {0};", rowTiles));
  int64_t firstTile = 0;
  StringRef element = elementTypeName(weightElement);
  for (auto [number, set] : llvm::enumerate(sets)) {
    int64_t n = set.columns.columns(), tiles = llvm::divideCeil(n, tileN);
    size_t weights = set.columns.matmuls.size();
    bool isLast = number + 1 == sets.size();
    printer.line(Twine(number ? "else " : "") +
                 (isLast ? std::string("{") : formatv("if (columnTile < {0}) {{", firstTile + tiles).str()));
    printer.indentBy(2);
    printer.line(formatv("const {0} *const weights[{1}] = {{{2}};", element, weights, weightsOf(set)));
    printer.line(formatv("const auto epilogue = [&](int m, int n, const float (&acc)[{0}]) {{", weights));
    printer.indentBy(2);
    if (failed(printEpilogue(set, [&](size_t w) { return formatv("acc[{0}]", w).str(); })))
      return failure();
    printer.indentBy(-2);
    printer.line("};");
    if (usesTensorCores())
      printer.line(
          formatv("largeMatmul<{0}, {1}, {2}, {3}, {4}, {5}, {6}>({7}, weights, rowTile * {3}, (columnTile - {8}) * "
                  "{4}, shared, epilogue);",
                  rows, n, k, tileM, tileN, stages, weights, context.argument(first.getX()), firstTile));
    else
      printer.line(
          formatv("plainLargeMatmul<{0}, {1}, {2}, {3}, {4}, {5}>({6}, weights, rowTile * {3}, (columnTile - {7}) * "
                  "{4}, epilogue);",
                  rows, n, k, tileM, tileN, weights, context.argument(first.getX()), firstTile));
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
