// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Kernels that work row by row, or reduce rows.
#include "targets/cuda/KernelSource.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "targets/cuda/Reductions.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

LogicalResult cuda::printRowsKernel(KernelContext &context, KernelSource &source) {
  Block &block = context.block();
  int64_t threads = context.parameter("threads"), rowsOfBlock = context.parameter("rows"), rows = 1;
  source.threads = threads;
  source.blocks = std::max<int64_t>(1024 / threads, 1); // the assembler would spill for more
  SmallVector<Value> roots;
  for (Value value : block.getTerminator()->getOperands())
    if (isa<RankedTensorType>(value.getType()))
      roots.push_back(value);
  for (auto append : block.getOps<mj::KvAppendOp>())
    llvm::append_range(roots, ValueRange{append.getKey(), append.getValue()});
  bool isWhole = reducesVector(block);
  if (!isWhole)
    for (Value root : roots)
      rows = std::max(rows, tensorOf(root).getDimSize(0));

  ElementPrinter printer(context.os, 2);
  context.setArguments(printer);
  printer.line(formatv("for (int r = 0; r < {0}; ++r) {{", rowsOfBlock));
  printer.indentBy(2);
  printer.line(formatv("const int row = blockIdx.x * {0} + r;", rowsOfBlock));
  printer.line(formatv("if (row >= {0})", rows));
  printer.line("  break;");
  Reductions reductions(printer, threads, countVectorElements(block));
  bool hasReductions = false;
  auto ranges = [&](Operation *op) {
    hasReductions = true;
    SmallVector<AxisRange> result{{"row", 1}};
    for (auto [axis, size] : llvm::enumerate(getKeptSizes(op)))
      if (axis > 0)
        result.push_back({"0", size});
    if (isWhole)
      result.clear();
    return result;
  };
  if (failed(reductions.print(roots, ranges)))
    return failure();
  for (auto [index, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
    if (!isa<RankedTensorType>(value.getType()))
      continue;
    ArrayRef<int64_t> shape = tensorOf(value).getShape().drop_front(isWhole ? 0 : 1);
    int64_t size = ShapedType::getNumElements(shape);
    int64_t width = countVectorElements(block), line = shape.empty() ? 1 : shape.back();
    while (width > 1 && (line % width || size < threads * width))
      width /= 2;
    bool isVector = width > 1;
    printer.line(formatv("for (int i = threadIdx.x * {2}; i < {0}; i += {1}) {{", size, threads * width, width));
    printer.indentBy(2);
    printer.startBlock();
    Indices indices;
    if (!isWhole)
      indices.push_back("row");
    llvm::append_range(indices, delinearize("i", shape));
    std::string place = isWhole ? "i" : formatv("int64_t(row) * {0} + i", size).str();
    auto printElement = [&](StringRef store) -> LogicalResult {
      FailureOr<std::string> element = printer.print(value, indices);
      if (failed(element))
        return failure();
      printer.line(formatv(false, store.data(), *element).str());
      return success();
    };
    if (isVector) {
      printer.line(formatv("const int c = {0};", indices.back()));
      printer.line(declareVector("y", tensorOf(value), width));
      if (failed(printer.overVector("c", width, line, [&](StringRef last) {
            indices.back() = last.str();
            return printElement("y[v] = {0};");
          })))
        return failure();
      printer.line(formatv("storeVector({0} + {1}, y);", context.result(index), place));
    } else if (failed(printElement(("store(" + context.result(index) + ", " + place + ", {0});").c_str()))) {
      return failure();
    }
    printer.startBlock();
    printer.indentBy(-2);
    printer.line("}");
  }
  if (auto appends = block.getOps<mj::KvAppendOp>(); !appends.empty())
    if (failed(context.printAppends(printer, "row", "0", (*appends.begin()).getKv().getType().getHeads(), "threadIdx.x",
                                    threads)))
      return failure();
  if (hasReductions && rowsOfBlock > 1)
    printer.line("__syncthreads();");
  printer.indentBy(-2);
  printer.line("}");
  return success();
}

LogicalResult cuda::printColumnsKernel(KernelContext &context, KernelSource &source) {
  Block &block = context.block();
  auto reduces = block.getOps<mj::ReduceOp>();
  if (!llvm::hasSingleElement(reduces) || block.getTerminator()->getNumOperands() != 1)
    return context.kernel.emitOpError("reduces rows more than once; the GPU's kernels do that one at a time");
  mj::ReduceOp reduce = *reduces.begin();
  Value result = block.getTerminator()->getOperand(0);
  int64_t threads = context.parameter("threads"), columns = context.parameter("columns"), slices = threads / columns;
  source.threads = threads;
  SmallVector<int64_t> kept = getKeptSizes(reduce);
  int64_t elements = ShapedType::getNumElements(kept);
  int64_t count = tensorOf(reduce.getX()).getNumElements() / elements;
  ReduceText text(reduce);

  ElementPrinter printer(context.os, 2);
  context.setArguments(printer);
  StringRef index = elements > INT32_MAX ? "int64_t" : "int", step = count > INT32_MAX ? "int64_t" : "int";
  printer.line(formatv("const int column = threadIdx.x % {0}, slice = threadIdx.x / {0};", columns));
  printer.line(formatv("const {0} e = {0}(blockIdx.x) * {1} + column;", index, columns));
  printer.line("float part = " + text.initial + ";");
  printer.line(formatv("if (e < {0})", elements));
  printer.line(formatv("  for ({0} r = slice; r < {1}; r += {2}) {{", step, count, slices));
  printer.indentBy(4);
  FailureOr<std::string> element = printer.print(reduce.getX(), placeInReduced(reduce, delinearize("e", kept), "r"));
  if (failed(element))
    return failure();
  printer.line("part = " + text.combine("part", *element) + ";");
  printer.indentBy(-4);
  printer.startBlock();
  printer.line("  }");
  // Slices are added in pairs, always the same ones.
  printer.line(formatv("__shared__ float parts[{0}];", threads));
  printer.line("parts[threadIdx.x] = part;");
  printer.line(formatv("for (int half = {0}; half > 0; half /= 2) {{", slices / 2));
  printer.line("  __syncthreads();");
  printer.line("  if (slice < half)");
  printer.line("    parts[threadIdx.x] = " +
               text.combine("parts[threadIdx.x]", formatv("parts[threadIdx.x + half * {0}]", columns).str()) + ";");
  printer.line("}");
  printer.line(formatv("if (slice == 0 && e < {0}) {{", elements));
  printer.indentBy(2);
  printer.setLeaf(reduce.getResult(),
                  [text](ElementPrinter &, ArrayRef<std::string>) { return text.finish("parts[threadIdx.x]"); });
  FailureOr<std::string> value = printer.print(result, delinearize("e", tensorOf(result).getShape()));
  if (failed(value))
    return failure();
  printer.line(formatv("store({0}, e, {1});", context.result(0), *value));
  printer.indentBy(-2);
  printer.line("}");
  return success();
}
