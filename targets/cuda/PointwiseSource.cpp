// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Kernels that compute each element by itself.
#include "targets/cuda/KernelSource.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

namespace {
/// How the elements of the results of a pointwise region lie in vectors.
struct VectorShape {
  SmallVector<int64_t> shape;
  int64_t width;
  bool isFlat; ///< every operand has the results' shape, so that places are all that counts
};
} // namespace

static std::optional<VectorShape> findVectorShape(Block &block) {
  VectorShape result{{}, countVectorElements(block), true};
  auto outputs = block.getTerminator()->getOperands();
  if (outputs.empty() || !isa<RankedTensorType>(outputs.front().getType()))
    return std::nullopt;
  result.shape.assign(tensorOf(outputs.front()).getShape().begin(), tensorOf(outputs.front()).getShape().end());
  auto isAlike = [&](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getShape() == ArrayRef(result.shape);
  };
  if (!llvm::all_of(outputs, isAlike) || result.shape.empty())
    return std::nullopt;
  for (Operation &op : block.without_terminator()) {
    bool isConstant = isa<arith::ConstantOp>(op);
    if (auto broadcast = dyn_cast<mj::BroadcastOp>(op))
      isConstant = broadcast.getSource().getDefiningOp<arith::ConstantOp>() != nullptr;
    result.isFlat &=
        isConstant || (mj::isPointwise(&op) && !isa<mj::BroadcastOp>(op) && llvm::all_of(op.getOperands(), isAlike));
  }
  if (!result.isFlat && result.shape.back() % result.width != 0)
    return std::nullopt;
  return result;
}

/// A thread computes `width` neighbouring elements at a time.
static LogicalResult printVectorKernel(KernelContext &context, KernelSource &source, const VectorShape &vector) {
  int64_t threads = context.parameter("threads"), elements = context.parameter("elements"), width = vector.width;
  int64_t count = ShapedType::getNumElements(vector.shape);
  bool isLarge = count > INT32_MAX - threads * elements;
  source.threads = threads;
  ElementPrinter printer(context.os, 2);
  context.setArguments(printer);
  std::string left = vector.isFlat && count % width ? formatv("{0} - i", count).str() : "";
  if (vector.isFlat)
    for (BlockArgument argument : context.block().getArguments())
      if (isa<RankedTensorType>(argument.getType()))
        printer.setLeaf(argument, [=, name = context.argument(argument), type = tensorOf(argument).getElementType()](
                                      ElementPrinter &inner, ArrayRef<std::string>) {
          return inner.vectorElement(name, "i", type, left);
        });
  std::string index = isLarge ? "int64_t" : "int";
  printer.line("#pragma unroll");
  printer.line(formatv("for (int j = 0; j < {0}; ++j) {{", std::max<int64_t>(elements / width, 1)));
  printer.indentBy(2);
  printer.line(formatv("const {0} i = ({0}(blockIdx.x) * {1} + j * {2} + threadIdx.x) * {3};", index,
                       threads * std::max<int64_t>(elements / width, 1), threads, width));
  printer.line(formatv("if (i < {0}) {{", count));
  printer.indentBy(2);
  Indices indices = delinearize("i", vector.shape);
  if (!vector.isFlat) {
    printer.line(formatv("const int c = {0};", indices.back()));
    indices.back() = "c";
  }
  auto outputs = context.block().getTerminator()->getOperands();
  for (auto [number, value] : llvm::enumerate(outputs))
    printer.line(declareVector("y" + std::to_string(number), tensorOf(value), width));
  if (failed(printer.overVector(vector.isFlat ? "i" : "c", width, vector.isFlat ? count : vector.shape.back(),
                                [&](StringRef last) -> LogicalResult {
                                  indices.back() = last.str();
                                  for (auto [number, value] : llvm::enumerate(outputs)) {
                                    FailureOr<std::string> element = printer.print(value, indices);
                                    if (failed(element))
                                      return failure();
                                    printer.line(formatv("y{0}[v] = {1};", number, *element));
                                  }
                                  return success();
                                })))
    return failure();
  for (unsigned number = 0; number < outputs.size(); ++number)
    printer.line(
        formatv("storeVector({0} + i, y{1}{2});", context.result(number), number, left.empty() ? "" : ", " + left));
  printer.indentBy(-2);
  printer.line("}");
  printer.indentBy(-2);
  printer.line("}");
  return success();
}

LogicalResult cuda::printPointwiseKernel(KernelContext &context, KernelSource &source) {
  if (std::optional<VectorShape> shape = findVectorShape(context.block()))
    return printVectorKernel(context, source, *shape);
  int64_t threads = context.parameter("threads"), elements = context.parameter("elements");
  source.threads = threads;
  ElementPrinter printer(context.os, 2);
  context.setArguments(printer);
  printer.line(formatv("for (int j = 0; j < {0}; ++j) {{", elements));
  printer.indentBy(2);
  printer.line(
      formatv("const int64_t i = int64_t(blockIdx.x) * {0} + j * {1} + threadIdx.x;", threads * elements, threads));
  for (auto [index, value] : llvm::enumerate(context.block().getTerminator()->getOperands())) {
    if (!isa<RankedTensorType>(value.getType()))
      continue;
    RankedTensorType type = tensorOf(value);
    printer.line(formatv("if (i < {0}) {{", type.getNumElements()));
    printer.indentBy(2);
    printer.startBlock();
    bool isLarge = type.getNumElements() > INT32_MAX;
    if (!isLarge)
      printer.line("const int e = int(i);");
    FailureOr<std::string> element = printer.print(value, delinearize(isLarge ? "i" : "e", type.getShape()));
    if (failed(element))
      return failure();
    printer.line(formatv("store({0}, i, {1});", context.result(index), *element));
    printer.startBlock();
    printer.indentBy(-2);
    printer.line("}");
  }
  printer.indentBy(-2);
  printer.line("}");
  return success();
}
