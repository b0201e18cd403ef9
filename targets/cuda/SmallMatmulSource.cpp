// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Matmuls of few rows by weights: the weights on their way before the kernel waits, then x, the products, the epilogue.
#include "targets/cuda/MatmulPrinter.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "targets/cuda/Reductions.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

namespace {
class SmallMatmulPrinter : public MatmulPrinter {
public:
  using MatmulPrinter::MatmulPrinter;
  LogicalResult print();

private:
  LogicalResult printOnTensorCores();
  LogicalResult printPlain();
  LogicalResult printReductions();
  /// Declares `x`, rows that the template loads or copies.
  LogicalResult printRows(const RowsInMemory &stored);
  /// Declares `x`, a function of (m, k).
  LogicalResult printFunction();
};
} // namespace

LogicalResult SmallMatmulPrinter::print() {
  source.threads = context.parameter("threads");
  return usesTensorCores() && context.parameter("stages") > 0 ? printOnTensorCores() : printPlain();
}

LogicalResult SmallMatmulPrinter::printReductions() {
  Reductions reductions(printer, source.threads);
  int64_t allRows = rows;
  return reductions.print({first.getX()}, [allRows](Operation *op) {
    SmallVector<AxisRange> ranges{{"0", allRows}};
    for (auto [axis, size] : llvm::enumerate(getKeptSizes(op)))
      if (axis > 0)
        ranges.push_back({"0", size});
    return ranges;
  });
}

LogicalResult SmallMatmulPrinter::printFunction() {
  printer.line("const auto function = [&](int m, int k) -> float {");
  printer.indentBy(2);
  printer.startBlock();
  FailureOr<std::string> x = printer.print(first.getX(), {"m", "k"});
  if (failed(x))
    return failure();
  printer.line("return " + *x + ";");
  printer.startBlock();
  printer.indentBy(-2);
  printer.line("};");
  return success();
}

LogicalResult SmallMatmulPrinter::printRows(const RowsInMemory &stored) {
  if (!stored.memory) {
    if (failed(printReductions()) || failed(printFunction()))
      return failure();
    printer.line("const ComputedRows x{function};");
    return success();
  }
  printStoredRows(stored);
  return success();
}

LogicalResult SmallMatmulPrinter::printOnTensorCores() {
  SmallMatmulTile tile(context.kernel.getSchedule());
  const RowsInMemory stored = findRowsInMemory(first.getX());
  if (tile.shares && !stored.canBeCopied())
    return context.kernel.emitOpError("has a schedule whose blocks copy x (shares), but x is computed, or under a norm "
                                      "whose weight is not bf16; make shares = 0");
  int64_t columns = tile.columns, groups = tile.groups();
  int64_t weights = widest(), elementBytes = weightElement.getIntOrFloatBitWidth() / 8;
  bool isNormed = tile.shares && stored.norm;
  source.sharedBytes = tile.sharedBytes(rows, k, weights, elementBytes, isNormed);
  source.cluster = tile.cluster();
  source.letsNextStartLate = context.parameter("late");
  source.blocks = rows <= 8 && source.threads <= 384 ? 2 : 1; // else the assembler spills for a third

  llvm::raw_string_ostream early(context.beforeWait);
  ElementPrinter start(early, 2);
  StringRef element = elementTypeName(weightElement);
  start.line(
      formatv("using Matmul = SmallMatmul<{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10}, {11}, {12}, {13}>;",
              rows, k, tile.groupColumns, weights, groups, tile.slices, tile.splits, tile.shares, tile.threads / 32,
              tile.stageK, tile.stages, isNormed, element, tile.held));
  start.line("static_assert(Matmul::SharedBytes == " + Twine(source.sharedBytes) + ");");
  start.line("Matmul matmul;");
  start.line("matmul.shared = shared;");
  start.line(formatv("matmul.split = blockIdx.x % {0} / {1};", tile.cluster(), tile.sharers()));
  start.line(formatv("matmul.share = blockIdx.x % {0};", tile.sharers()));
  start.line(formatv("const int block = blockIdx.x / {0} * {1} + matmul.share;", tile.cluster(), tile.sharers()));
  if (sets.size() > 1)
    start.line("int set;");
  printSets(start, columns, [&](size_t set, StringRef block, int64_t n) {
    start.line(formatv("matmul.column = {0} * {1};", block, columns));
    start.line(formatv("matmul.end = min(matmul.column + {0}, {1});", columns, n));
    for (int64_t w = 0; w < weights; ++w)
      start.line(formatv("matmul.weights[{0}] = {1};", w, context.argument(weightOf(set, w))));
    for (auto [scale, w] : findEarlyScales(sets[set]))
      start.line(formatv("matmul.fetchScales({0}, {1});", w, context.argument(scale)));
  });
  start.line("matmul.start();");

  if (failed(printRows(stored)))
    return failure();
  if (tile.slices > 1 && tile.splits == 1 && groups <= tile.lanes())
    printEarlyLoads(groups * tile.groupColumns);
  printer.line("matmul.stage(x);");
  setEarlyScales();
  if (failed(printEpilogue(sets)))
    return failure();
  printer.line("matmul.run(x, epilogue);");
  return success();
}

LogicalResult SmallMatmulPrinter::printPlain() {
  if (failed(printReductions()) || failed(printFunction()))
    return failure();
  int64_t columns = context.parameter("columns");
  StringRef element = elementTypeName(weightElement);
  printer.line("const int block = blockIdx.x;");
  if (sets.size() > 1)
    printer.line("int set;");
  if (failed(printEpilogue(sets)))
    return failure();
  printSets(printer, columns, [&](size_t set, StringRef block, int64_t n) {
    std::string names;
    for (size_t w = 0; w < widest(); ++w)
      names += (w ? ", " : "") + context.argument(weightOf(set, w));
    printer.line(formatv("const {0} *const weights[{1}] = {{{2}};", element, widest(), names));
    printer.line(formatv("const int column = {0} * {1};", block, columns));
    printer.line(
        formatv("plainMatmul<{0}, {1}, {2}, {3}>(weights, column, min(column + {4}, {5}), function, epilogue);", rows,
                k, widest(), source.threads, columns, n));
  });
  return success();
}

LogicalResult cuda::printSmallMatmulKernel(KernelContext &context, KernelSource &source) {
  SmallMatmulPrinter printer(context, source);
  return failed(printer.collect()) ? failure() : printer.print();
}
