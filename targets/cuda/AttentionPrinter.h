// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What printers of attention over pages share: the region, the cache, the scales of its codes.
#ifndef MJOLNIR_TARGETS_CUDA_ATTENTIONPRINTER_H
#define MJOLNIR_TARGETS_CUDA_ATTENTIONPRINTER_H

#include "targets/cuda/KernelSource.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "llvm/Support/FormatVariadic.h"

namespace mjolnir::cuda {

/// Of a region with one attention, which stores its results.
class AttentionPrinter {
public:
  AttentionPrinter(KernelContext &context, KernelSource &source)
      : context(context), source(source), printer(context.os, 2),
        attention(*context.block().getOps<mj::AttentionOp>().begin()), batch(attention.getBatch().getType()),
        kv(attention.getKv().getType()) {
    mlir::RankedTensorType query = mj::tensorOf(attention.getQuery());
    rows = query.getDimSize(0);
    heads = query.getDimSize(1);
    size = query.getDimSize(2);
    group = heads / kv.getHeads();
    context.setArguments(printer);
  }

protected:
  /// The result of the region is the attention's, perhaps in another shape.
  llvm::LogicalResult checkResult() {
    mlir::Value value = context.block().getTerminator()->getOperand(0);
    for (mlir::Value operand : context.block().getTerminator()->getOperands())
      if (mlir::isa<mlir::RankedTensorType>(operand.getType()))
        value = operand;
    while (auto reshape = value.getDefiningOp<mj::ReshapeOp>())
      value = reshape.getSource();
    if (value != attention.getResult())
      return context.kernel.emitOpError("computes with the result of an attention; the GPU's kernels store it");
    return mlir::success();
  }

  unsigned resultIndex() {
    for (auto [index, operand] : llvm::enumerate(context.block().getTerminator()->getOperands()))
      if (mlir::isa<mlir::RankedTensorType>(operand.getType()))
        return index;
    return 0;
  }

  /// The cache as the templates want it, for sequence `sequence`.
  std::string cacheType() {
    return llvm::formatv("PagedCache<{0}, {1}, {2}, {3}, {4}>", elementTypeName(kv.getElementType()),
                         context.pool.getPageSize(), size, kv.getHeads(), context.pool.getBytesPerPage());
  }
  std::string cacheOf(llvm::StringRef sequence) {
    return llvm::formatv("{0}{{pool, block_tables + {1} * {2}}", cacheType(), sequence, batch.getPages());
  }

  /// keyScale and valueScale of kv head `head`, as variables of that `declaration` and with that `suffix`.
  llvm::LogicalResult printScales(ElementPrinter &out, llvm::StringRef head,
                                  llvm::StringRef declaration = "const float ", llvm::StringRef suffix = "") {
    for (auto [name, index] : {std::pair("keyScale", "0"), std::pair("valueScale", "1")}) {
      std::string text = "1.0f";
      if (mlir::Value scales = attention.getScales()) {
        llvm::FailureOr<std::string> printed = out.print(scales, {index, head.str()});
        if (mlir::failed(printed))
          return mlir::failure();
        text = *printed;
      }
      out.line(llvm::formatv("{0}{1}{2} = {3};", declaration, name, suffix, text));
    }
    return mlir::success();
  }

  KernelContext &context;
  KernelSource &source;
  ElementPrinter printer;
  mj::AttentionOp attention;
  mj::BatchType batch;
  mj::KvType kv;
  int64_t rows, heads, size, group;
};

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_ATTENTIONPRINTER_H
