// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Matmuls by weights: which template, which columns a block computes, and the epilogue.
#include "targets/cuda/KernelSource.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "targets/cuda/MatmulSchedules.h"
#include "targets/cuda/Reductions.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

namespace {

/// One set of columns of a region: its matmuls, and the results of the region that are computed from them.
struct ColumnSet {
  MatmulColumns columns;
  SmallVector<unsigned> results;
};

class MatmulPrinter {
public:
  MatmulPrinter(KernelContext &context, KernelSource &source)
      : context(context), source(source), printer(context.os, 2),
        first(*context.block().getOps<mj::MatmulOp>().begin()) {
    RankedTensorType x = tensorOf(first.getX());
    rows = x.getDimSize(0);
    k = x.getDimSize(1);
    weightElement = tensorOf(first.getWeight()).getElementType();
    context.setArguments(printer);
  }

  LogicalResult collect() {
    for (MatmulColumns &columns : findMatmulColumns(context.block()))
      sets.push_back({columns, {}});
    for (auto matmul : context.block().getOps<mj::MatmulOp>())
      if (!matmul.getTransposeB() || !isa<BlockArgument>(matmul.getWeight()) ||
          tensorOf(matmul.getWeight()).getElementType() != weightElement)
        return context.kernel.emitOpError(
            "holds matmuls whose right operands are not transposed weights of one type; the "
            "GPU has kernels for those alone");
    for (auto [index, value] : llvm::enumerate(context.block().getTerminator()->getOperands())) {
      if (!isa<RankedTensorType>(value.getType()))
        continue;
      ColumnSet *owner = nullptr;
      for (ColumnSet &set : sets)
        if (llvm::any_of(set.columns.matmuls, [&](mj::MatmulOp op) { return dependsOn(value, op.getResult()); }))
          owner = &set;
      if (!owner)
        return context.kernel.emitOpError("returns a value that no matmul of it computes: result ") << index;
      owner->results.push_back(index);
    }
    return success();
  }

  /// Elements that mma.sync multiplies here, in rows of whole 16 bytes.
  bool usesTensorCores() {
    Type x = tensorOf(first.getX()).getElementType();
    return k % 8 == 0 && (weightElement.isBF16() || isa<Float8E4M3FNType>(weightElement)) && !x.isF32();
  }

  LogicalResult printSmall();
  LogicalResult printLarge();

private:
  static bool dependsOn(Value value, Value on) {
    if (value == on)
      return true;
    Operation *op = value.getDefiningOp();
    if (!op || isa<mj::MatmulOp>(op))
      return false;
    return llvm::any_of(isa<mj::BroadcastOp>(op) ? op->getOperands().take_front() : op->getOperands(),
                        [&](Value operand) { return dependsOn(operand, on); });
  }

  std::string weightsOf(const ColumnSet &set) {
    SmallVector<std::string> names;
    for (mj::MatmulOp matmul : set.columns.matmuls)
      names.push_back(context.argument(matmul.getWeight()));
    return llvm::join(names, ", ");
  }

  /// Prints the stores of a set's results at (m, n); `accumulator(w)` is the product with its matmul w.
  LogicalResult printEpilogue(const ColumnSet &set, function_ref<std::string(size_t)> accumulator) {
    printer.startBlock();
    for (auto [index, member] : llvm::enumerate(set.columns.matmuls)) {
      mj::MatmulOp matmul = member;
      std::string sum = accumulator(index);
      printer.setLeaf(matmul.getResult(), [matmul, sum](ElementPrinter &inner, ArrayRef<std::string> indices) mutable {
        std::string text = sum;
        if (Value scale = matmul.getWeightScale()) {
          bool isOne = tensorOf(scale).getDimSize(0) == 1;
          FailureOr<std::string> printed = inner.print(scale, {isOne ? std::string("0") : indices[1]});
          text += " * " + (succeeded(printed) ? *printed : "1.0f");
        }
        if (auto scale = matmul.getXScale())
          text += formatv(" * {0:e8}f", scale->convertToFloat());
        return text;
      });
    }
    for (unsigned index : set.results) {
      Value value = context.block().getTerminator()->getOperand(index);
      RankedTensorType type = tensorOf(value);
      // Results may be stacks of heads: the columns are split.
      Indices indices{"m"};
      if (type.getRank() == 2)
        indices.push_back("n");
      else if (type.getRank() == 3)
        llvm::append_range(indices,
                           Indices{formatv("(n / {0})", type.getDimSize(2)), formatv("(n % {0})", type.getDimSize(2))});
      else
        return context.kernel.emitOpError("returns a ")
               << type << " from a matmul; the GPU's kernels write two or three axes";
      FailureOr<std::string> element = printer.print(value, indices);
      if (failed(element))
        return failure();
      printer.line(
          formatv("store({0}, int64_t(m) * {1} + n, {2});", context.result(index), set.columns.columns(), *element));
    }
    return success();
  }

  KernelContext &context;
  KernelSource &source;
  ElementPrinter printer;
  mj::MatmulOp first;
  int64_t rows, k;
  Type weightElement;
  SmallVector<ColumnSet> sets;
};

} // namespace

LogicalResult MatmulPrinter::printSmall() {
  int64_t threads = context.parameter("threads"), blockColumns = context.parameter("columns");
  // 16 columns are what an instruction takes.
  int64_t columns = llvm::alignTo(blockColumns, 16), padded = llvm::alignTo(rows, 8);
  size_t widest = 0;
  for (ColumnSet &set : sets)
    widest = std::max(widest, set.columns.matmuls.size());
  int64_t accumulatorBytes = llvm::alignTo(int64_t(widest) * columns * padded * 4, 128);
  // Warps that share 16 columns each leave sums of their own.
  int64_t slices = usesTensorCores() ? std::max<int64_t>(threads / 32 / (columns / 16), 1) : 1;
  int64_t partBytes = slices > 1 ? slices * accumulatorBytes : 0;
  // x that is computed is kept in pieces that leave room for a second block; x in memory is read where it is.
  bool isStored = isa<BlockArgument>(first.getX()) && tensorOf(first.getX()).getElementType().isBF16();
  bool isStaged = usesTensorCores() && !isStored;
  int64_t budget =
      std::min<int64_t>(context.profile.sharedBytesPerBlock - accumulatorBytes - partBytes - 4096, 96 << 10);
  int64_t chunk = std::min<int64_t>(llvm::alignTo(k, 32), std::max<int64_t>((budget / (rows * 2) - 8) / 32 * 32, 32));
  source.threads = threads;
  source.sharedBytes = accumulatorBytes + partBytes + (isStaged ? llvm::alignTo(rows * (chunk + 8) * 2, 16) : 0);

  Reductions reductions(printer, threads);
  int64_t allRows = rows;
  if (failed(reductions.print({first.getX()}, [allRows](Operation *op) {
        SmallVector<AxisRange> ranges{{"0", allRows}};
        for (int64_t size : tensorOf(op->getOperand(0)).getShape().drop_front().drop_back())
          ranges.push_back({"0", size});
        return ranges;
      })))
    return failure();

  printer.line("float *const sums = reinterpret_cast<float *>(shared);");
  printer.line(formatv("float *const parts = sums + {0};", slices > 1 ? accumulatorBytes / 4 : 0));
  if (usesTensorCores() && isStored) {
    printer.line(formatv("const StoredRows<{0}> x{{{1}};", k, context.argument(first.getX())));
  } else {
    printer.line("const auto x = [&](int m, int k) -> float {");
    printer.indentBy(2);
    printer.startBlock();
    FailureOr<std::string> x = printer.print(first.getX(), {"m", "k"});
    if (failed(x))
      return failure();
    printer.line("return " + *x + ";");
    printer.startBlock();
    printer.indentBy(-2);
    printer.line("};");
  }
  int64_t firstBlock = 0;
  StringRef element = elementTypeName(weightElement);
  for (auto [number, set] : llvm::enumerate(sets)) {
    int64_t n = set.columns.columns(), blocks = llvm::divideCeil(n, blockColumns);
    size_t weights = set.columns.matmuls.size();
    bool isLast = number + 1 == sets.size();
    printer.line(Twine(number ? "else " : "") +
                 (isLast ? std::string("{") : formatv("if (blockIdx.x < {0}) {{", firstBlock + blocks).str()));
    printer.indentBy(2);
    printer.line(formatv("const {0} *const weights[{1}] = {{{2}};", element, weights, weightsOf(set)));
    printer.line(formatv("const int column = (blockIdx.x - {0}) * {1}, end = min(column + {1}, {2});", firstBlock,
                         blockColumns, n));
    if (usesTensorCores())
      printer.line(
          formatv("smallMatmul<{0}, {1}, {2}, {3}, {4}, {5}>(weights, column, end, x, sums, parts, shared + {6});",
                  rows, k, columns, weights, threads, chunk, accumulatorBytes + partBytes));
    else
      printer.line(formatv("plainMatmul<{0}, {1}, {2}, {3}, {4}>(weights, column, end, x, sums);", rows, k, columns,
                           weights, threads));
    // Neighbouring threads write neighbouring columns.
    printer.line(formatv("for (int i = threadIdx.x; i < {0}; i += {1}) {{", rows * columns, threads));
    printer.indentBy(2);
    printer.line(formatv("const int m = i / {0}, c = i % {0}, n = column + c;", columns));
    printer.line("if (n >= end)");
    printer.line("  continue;");
    if (failed(printEpilogue(
            set, [&](size_t w) { return formatv("sums[({0} + c) * {1} + m]", w * columns, padded).str(); })))
      return failure();
    printer.indentBy(-2);
    printer.line("}");
    printer.indentBy(-2);
    printer.line("}");
    firstBlock += blocks;
  }
  return success();
}

LogicalResult MatmulPrinter::printLarge() {
  if (!isa<BlockArgument>(first.getX()))
    return context.kernel.emitOpError("computes the input of a matmul of many rows; the GPU's kernels read it");
  int64_t tileM = context.parameter("tile_m"), tileN = context.parameter("tile_n");
  int64_t rowTiles = llvm::divideCeil(rows, tileM);
  size_t widest = 0;
  for (ColumnSet &set : sets)
    widest = std::max(widest, set.columns.matmuls.size());
  int64_t stageBytes = (tileM + int64_t(widest) * tileN) * 64 * 2;
  int64_t stages = std::clamp<int64_t>((context.profile.sharedBytesPerBlock - 1024) / stageBytes, 2, 4);
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

LogicalResult cuda::printSmallMatmulKernel(KernelContext &context, KernelSource &source) {
  MatmulPrinter printer(context, source);
  return failed(printer.collect()) ? failure() : printer.printSmall();
}

LogicalResult cuda::printLargeMatmulKernel(KernelContext &context, KernelSource &source) {
  MatmulPrinter printer(context, source);
  return failed(printer.collect()) ? failure() : printer.printLarge();
}
