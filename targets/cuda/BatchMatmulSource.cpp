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
  auto matmul = *context.block().getOps<mj::BatchMatmulOp>().begin();
  Operation *yield = context.block().getTerminator();
  Value result = yield->getOperand(0);
  while (auto reshape = result.getDefiningOp<mj::ReshapeOp>())
    result = reshape.getSource();
  if (result != matmul.getResult() || yield->getNumOperands() != 1)
    return context.kernel.emitOpError("computes with a product of stacks of matrices; the GPU's kernels store it");
  if (!isa<BlockArgument>(matmul.getA()) || !isa<BlockArgument>(matmul.getB()))
    return context.kernel.emitOpError("computes an operand of a product of stacks; the GPU's kernels read them");

  RankedTensorType a = tensorOf(matmul.getA()), type = tensorOf(matmul.getResult());
  int64_t m = type.getShape().take_back(2).front(), n = type.getShape().back(), k = a.getShape().back();
  int64_t tileM = context.parameter("tile_m"), tileN = context.parameter("tile_n");
  int64_t rowTiles = llvm::divideCeil(m, tileM), columnTiles = llvm::divideCeil(n, tileN);
  bool isTransposed = matmul.getTransposeB(), usesTensorCores = multipliesStacksByMma(matmul);
  source.threads = context.parameter("threads");
  context.os << formatv("  const int64_t stack = blockIdx.x / {0};\n", rowTiles * columnTiles)
             << formatv("  const int row = blockIdx.x % {0} * {1}, column = blockIdx.x / {0} % {2} * {3};\n", rowTiles,
                        tileM, columnTiles, tileN);
  std::string operands =
      formatv("{0} + stack * {1}, {2} + stack * {3}, {4} + stack * {5}, row, column, shared",
              context.argument(matmul.getA()), m * k, context.argument(matmul.getB()), k * n, context.result(0), m * n);
  if (usesTensorCores) {
    int64_t tileK = context.parameter("tile_k"), stages = context.parameter("stages");
    source.sharedBytes = stages * stageBytesOfStacks(tileM, tileN, tileK, isTransposed);
    context.os << formatv("  batch::multiply<{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}>({8});\n", m, n, k, tileM, tileN,
                          tileK, stages, isTransposed, operands);
  } else {
    source.sharedBytes = 16 * (tileM + 1 + tileN + 1) * 4;
    context.os << formatv("  batch::multiplyPlainly<{0}, {1}, {2}, {3}, {4}, {5}>({6});\n", m, n, k, tileM, tileN,
                          isTransposed, operands);
  }
  return success();
}
