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

LogicalResult MatmulPrinter::printEpilogue(const ColumnSet &set, function_ref<std::string(size_t)> accumulator) {
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
