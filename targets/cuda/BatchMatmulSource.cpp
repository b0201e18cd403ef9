// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Products of stacks of matrices.
#include "targets/cuda/KernelSource.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "targets/cuda/MatmulSchedules.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using llvm::formatv;
using mj::tensorOf;

LogicalResult cuda::printBatchMatmulKernel(KernelContext &context, KernelSource &source) {
  StackedProduct product(context.block());
  Operation *yield = context.block().getTerminator();
  Value result = yield->getOperand(0);
  while (auto reshape = result.getDefiningOp<mj::ReshapeOp>())
    result = reshape.getSource();
  if (result.getDefiningOp() != product.op || yield->getNumOperands() != 1)
    return context.kernel.emitOpError("computes with a product of stacks of matrices; the GPU's kernels store it");
  if (!isa<BlockArgument>(product.a) || !isa<BlockArgument>(product.b))
    return context.kernel.emitOpError("computes an operand of a product of stacks; the GPU's kernels read them");

  ArrayRef<int64_t> shape = product.result.getShape();
  int64_t m = shape.take_back(2).front(), n = shape.back(), k = tensorOf(product.a).getShape().back();
  int64_t tileM = context.parameter("tile_m"), tileN = context.parameter("tile_n");
  int64_t rowTiles = llvm::divideCeil(m, tileM), columnTiles = llvm::divideCeil(n, tileN);
  // Scales of quantized operands.
  std::string scaled = "sum";
  if (auto matmul = dyn_cast<mj::MatmulOp>(product.op)) {
    if (Value scale = matmul.getWeightScale()) {
      if (!isa<BlockArgument>(scale))
        return context.kernel.emitOpError("computes the scale of a matmul; the GPU's kernels read it");
      scaled += " * " + context.argument(scale) + (tensorOf(scale).getDimSize(0) == 1 ? "[0]" : "[n]");
    }
    if (auto scale = matmul.getXScale())
      scaled += formatv(" * {0:e8}f", scale->convertToFloat());
  }
  if (isa<Float8E4M3FNType>(tensorOf(product.a).getElementType()))
    source.precision = "f32 by the plain cores";
  source.threads = context.parameter("threads");
  context.os << formatv("  const int64_t stack = blockIdx.x / {0};\n", rowTiles * columnTiles)
             << formatv("  const int row = blockIdx.x % {0} * {1}, column = blockIdx.x / {0} % {2} * {3};\n", rowTiles,
                        tileM, columnTiles, tileN)
             << "  const auto write = [&](int m, int n, float sum) {\n"
             << formatv("    store({0} + stack * {1}, int64_t(m) * {2} + n, {3});\n  };\n", context.result(0), m * n, n,
                        scaled);
  std::string operands = formatv("{0} + stack * {1}, {2} + stack * {3}, row, column, shared, write",
                                 context.argument(product.a), m * k, context.argument(product.b), k * n);
  if (product.usesTensorCores()) {
    int64_t tileK = context.parameter("tile_k"), stages = context.parameter("stages");
    source.sharedBytes = stages * stageBytesOfStacks(tileM, tileN, tileK, product.isTransposed);
    context.os << formatv("  batch::multiply<{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}>({8});\n", m, n, k, tileM, tileN,
                          tileK, stages, product.isTransposed, operands);
  } else {
    source.sharedBytes = 16 * (tileM + 1 + tileN + 1) * 4;
    context.os << formatv("  batch::multiplyPlainly<{0}, {1}, {2}, {3}, {4}, {5}>({6});\n", m, n, k, tileM, tileN,
                          product.isTransposed, operands);
  }
  return success();
}
