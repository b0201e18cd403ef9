// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What surrounds the products of a matmul by weights.
#include "targets/cuda/MatmulPrinter.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

MatmulPrinter::MatmulPrinter(KernelContext &context, KernelSource &source)
    : context(context), source(source), printer(context.os, 2), first(*context.block().getOps<mj::MatmulOp>().begin()) {
  RankedTensorType x = tensorOf(first.getX());
  rows = x.getDimSize(0);
  k = x.getDimSize(1);
  weightElement = tensorOf(first.getWeight()).getElementType();
  context.setArguments(printer);
}

static bool dependsOn(Value value, Value on) {
  if (value == on)
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || isa<mj::MatmulOp>(op))
    return false;
  return llvm::any_of(isa<mj::BroadcastOp>(op) ? op->getOperands().take_front() : op->getOperands(),
                      [&](Value operand) { return dependsOn(operand, on); });
}

LogicalResult MatmulPrinter::collect() {
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

bool MatmulPrinter::usesTensorCores() {
  auto isMultiplied = [](Type type) { return type.isBF16() || isa<Float8E4M3FNType>(type); };
  Type x = tensorOf(first.getX()).getElementType();
  bool hasBytes = isa<Float8E4M3FNType>(x) || isa<Float8E4M3FNType>(weightElement);
  return k % (hasBytes ? 16 : 8) == 0 && isMultiplied(weightElement) && isMultiplied(x);
}

std::string MatmulPrinter::weightsOf(const ColumnSet &set) {
  SmallVector<std::string> names;
  for (mj::MatmulOp matmul : set.columns.matmuls)
    names.push_back(context.argument(matmul.getWeight()));
  return llvm::join(names, ", ");
}

size_t MatmulPrinter::widest() {
  size_t most = 0;
  for (ColumnSet &set : sets)
    most = std::max(most, set.columns.matmuls.size());
  return most;
}

Value MatmulPrinter::weightOf(size_t set, size_t w) {
  ArrayRef<mj::MatmulOp> matmuls = sets[set].columns.matmuls;
  return mj::MatmulOp(matmuls[std::min(w, matmuls.size() - 1)]).getWeight();
}

void MatmulPrinter::printSets(ElementPrinter &out, int64_t blockColumns,
                              function_ref<void(size_t set, StringRef block, int64_t columns)> select) {
  int64_t firstBlock = 0;
  for (auto [number, set] : llvm::enumerate(sets)) {
    int64_t n = set.columns.columns(), blocks = llvm::divideCeil(n, blockColumns);
    bool isLast = number + 1 == sets.size();
    if (sets.size() > 1)
      out.line(Twine(number ? "} else " : "") +
               (isLast ? std::string("{") : formatv("if (block < {0}) {{", firstBlock + blocks).str()));
    out.indentBy(sets.size() > 1 ? 2 : 0);
    if (sets.size() > 1)
      out.line(formatv("set = {0};", number));
    select(number, firstBlock ? formatv("(block - {0})", firstBlock).str() : std::string("block"), n);
    out.indentBy(sets.size() > 1 ? -2 : 0);
    firstBlock += blocks;
  }
  if (sets.size() > 1)
    out.line("}");
}

void MatmulPrinter::printStoredRows(const RowsInMemory &stored) {
  std::string rows = formatv("StoredRows<{0}>{{{1}, {2}}", k, context.argument(stored.memory),
                             stored.ids ? context.argument(stored.ids) : std::string("nullptr"));
  mj::NormOp norm = stored.norm;
  if (!norm) {
    printer.line("const auto x = " + rows + ";");
    return;
  }
  Value weight = norm.getWeight();
  StringRef element = weight ? elementTypeName(tensorOf(weight).getElementType()) : "bf16";
  printer.line(formatv("const NormedRows<{0}, {1}> x{{{2}, {3}, {4:e8}f};", k, element, rows,
                       weight ? context.argument(weight) : std::string("nullptr"), norm.getEps().convertToDouble()));
}

void MatmulPrinter::printEarlyLoads(int64_t columns) {
  ColumnSet &set = sets.front();
  if (sets.size() > 1 || rows * columns > source.threads)
    return;
  llvm::SetVector<Value> read = findRead(set);
  if (read.empty())
    return;
  printer.line(
      formatv("const int earlyRow = threadIdx.x / {0}, earlyColumn = matmul.column + threadIdx.x % {0};", columns));
  printer.line(formatv("const bool isInside = earlyRow < {0} && earlyColumn < matmul.end;", rows));
  for (Value value : read) {
    std::string pointer = context.argument(value), early = "early_" + pointer;
    printer.line(formatv("const auto {0} = isInside ? load({1}, earlyRow * {2} + earlyColumn) : 0;", early, pointer,
                         set.columns.columns()));
    printer.setLeaf(value, [early](ElementPrinter &, ArrayRef<std::string>) { return early; });
  }
}

llvm::MapVector<Value, int64_t> MatmulPrinter::findEarlyScales(const ColumnSet &set) {
  llvm::MapVector<Value, int64_t> scales;
  if (!isa<Float8E4M3FNType>(weightElement) || set.columns.columns() % 2)
    return scales;
  for (auto [w, member] : llvm::enumerate(set.columns.matmuls)) {
    mj::MatmulOp matmul = member;
    Value scale = matmul.getWeightScale();
    if (scale && isa<BlockArgument>(scale) && tensorOf(scale).getElementType().isF32() &&
        tensorOf(scale).getDimSize(0) == set.columns.columns())
      scales[scale] = w;
  }
  return scales;
}

void MatmulPrinter::setEarlyScales() {
  for (const ColumnSet &set : sets)
    for (auto [scale, w] : findEarlyScales(set))
      printer.setLeaf(scale, [w](ElementPrinter &, ArrayRef<std::string> indices) {
        return formatv("matmul.columnScale({0}, {1})", w, indices[0]).str();
      });
}

std::string MatmulPrinter::mapOf(Value value, int64_t boxRows, int64_t boxColumns) {
  unsigned number = cast<BlockArgument>(value).getArgNumber();
  int64_t operand = llvm::find_if(context.operands,
                                  [&](const exec::KernelOperand &candidate) {
                                    return candidate.kind == exec::KernelOperand::tensor && candidate.index == number;
                                  }) -
                    context.operands.begin();
  RankedTensorType type = tensorOf(value);
  for (auto [index, map] : llvm::enumerate(source.tensorMaps))
    if (map.operand == operand && map.boxRows == boxRows && map.boxColumns == boxColumns)
      return context.tensorMap(index);
  source.tensorMaps.push_back({operand, type.getDimSize(0), type.getDimSize(1), boxRows, boxColumns});
  return context.tensorMap(source.tensorMaps.size() - 1);
}

LogicalResult MatmulPrinter::printBranches(ArrayRef<ColumnSet> sets,
                                           function_ref<LogicalResult(const ColumnSet &)> print) {
  if (sets.size() == 1)
    return print(sets.front());
  for (auto [number, set] : llvm::enumerate(sets)) {
    printer.line(Twine(number ? "} else " : "") +
                 (number + 1 == sets.size() ? std::string("{") : formatv("if (set == {0}) {{", number).str()));
    printer.indentBy(2);
    if (failed(print(set)))
      return failure();
    printer.indentBy(-2);
  }
  printer.line("}");
  return success();
}

LogicalResult MatmulPrinter::printValues(const ColumnSet &set) {
  printer.startBlock();
  for (auto [index, member] : llvm::enumerate(set.columns.matmuls)) {
    mj::MatmulOp matmul = member;
    std::string sum = formatv("acc[{0}]", index);
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
  for (auto [number, index] : llvm::enumerate(set.results)) {
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
    printer.line(formatv("values[{0}] = {1};", number, *element));
  }
  return success();
}

LogicalResult MatmulPrinter::printStores(const ColumnSet &set) {
  for (auto [number, index] : llvm::enumerate(set.results))
    printer.line(formatv("store({0}, int64_t(m) * {1} + n, values[{2}]);", context.result(index), set.columns.columns(),
                         number));
  return success();
}

LogicalResult MatmulPrinter::printStoresOfFours(const ColumnSet &set) {
  for (auto [number, index] : llvm::enumerate(set.results))
    printer.line(formatv("storeFour({0}, int64_t(m) * {1} + n, values[0][{2}], values[1][{2}], values[2][{2}], "
                         "values[3][{2}]);",
                         context.result(index), set.columns.columns(), number));
  return success();
}

/// Whether all results of a set are floats whose rows are multiples of four elements.
static bool hasFours(const ColumnSet &set, Block &block) {
  return set.columns.columns() % 4 == 0 && llvm::all_of(set.results, [&](unsigned index) {
           return isa<FloatType>(tensorOf(block.getTerminator()->getOperand(index)).getElementType());
         });
}

llvm::SetVector<Value> MatmulPrinter::findRead(const ColumnSet &set) {
  llvm::SetVector<Value> read;
  for (Operation &op : context.block().without_terminator())
    for (Value operand : op.getOperands())
      if (isa<BlockArgument>(operand) && OpTrait::hasElementwiseMappableTraits(&op) &&
          tensorOf(operand).getShape() == ArrayRef<int64_t>({rows, set.columns.columns()}))
        read.insert(operand);
  return read;
}

void MatmulPrinter::printFetch(ArrayRef<Value> read, int64_t columns, int64_t weights) {
  printer.line(formatv("const auto fetch = [&](int m, int n, float (&early)[{0}][8]) {{", read.size() + 1));
  for (auto [index, value] : llvm::enumerate(read)) {
    printer.line(
        formatv("  loadVector({0} + int64_t(m) * {1} + n, early[{2}]);", context.argument(value), columns, index));
    std::string element = formatv("acc[{0}]", weights + index);
    printer.setLeaf(value, [element](ElementPrinter &, ArrayRef<std::string>) { return element; });
  }
  printer.line("};");
}

LogicalResult MatmulPrinter::printEpilogue(ArrayRef<ColumnSet> sets, bool fetchesEights) {
  size_t results = 0, weights = 0;
  bool fours = true;
  for (const ColumnSet &set : sets) {
    fours &= hasFours(set, context.block());
    results = std::max<size_t>(results, set.results.size());
    weights = std::max(weights, set.columns.matmuls.size());
  }
  llvm::SetVector<Value> early;
  int64_t columns = sets.front().columns.columns();
  if (fetchesEights && sets.size() == 1 && columns % 8 == 0) {
    early = findRead(sets.front());
    early.remove_if([](Value value) { return !isa<FloatType>(tensorOf(value).getElementType()); });
  }
  if (!early.empty())
    printFetch(early.getArrayRef(), columns, weights);
  printer.line(formatv("const auto compute = [&](int m, int n, const float (&acc)[{0}], float (&values)[{1}]) {{",
                       weights + early.size(), results));
  printer.indentBy(2);
  if (failed(printBranches(sets, [&](const ColumnSet &set) { return printValues(set); })))
    return failure();
  printer.indentBy(-2);
  printer.line("};");
  printer.line(formatv("const auto put = [&](int m, int n, const float (&values)[{0}]) {{", results));
  printer.indentBy(2);
  if (failed(printBranches(sets, [&](const ColumnSet &set) { return printStores(set); })))
    return failure();
  printer.indentBy(-2);
  printer.line("};");
  printer.line(formatv("const auto putFour = [&](int m, int n, const float (&values)[4][{0}]) {{", results));
  printer.indentBy(2);
  if (fours && failed(printBranches(sets, [&](const ColumnSet &set) { return printStoresOfFours(set); })))
    return failure();
  printer.indentBy(-2);
  printer.line("};");
  printer.line(formatv("const Epilogue<{0}, {1}, decltype(compute), decltype(put), decltype(putFour){2}> "
                       "epilogue{{compute, put, putFour{3}};",
                       results, fours, early.empty() ? "" : formatv(", {0}, decltype(fetch)", early.size()).str(),
                       early.empty() ? "" : ", fetch"));
  return success();
}
