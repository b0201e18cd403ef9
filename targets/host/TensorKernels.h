// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Operations that mix rows and are a region of their own: schedules host.tensor and, by definition, host.plain_tensor.
#ifndef MJOLNIR_TARGETS_HOST_TENSORKERNELS_H
#define MJOLNIR_TARGETS_HOST_TENSORKERNELS_H

#include "targets/host/RegionKernels.h"

namespace mjolnir::host {

/// The one operation of `body` that these schedules know (sdpa, batch_matmul, a reduction over the leading axis), or
/// null.
mlir::Operation *getTensorOperation(mlir::Block &body);

/// Why the host has no kernel for `op`, empty if it has one.
std::string whyNoTensorKernel(mlir::Operation *op, const HostTarget &target, bool plain);

int64_t countTensorTiles(mlir::Block &body, const HostTarget &target, bool plain);
mlir::LogicalResult emitTensor(KernelContext &context, bool plain);

//===----------------------------------------------------------------------===//
// Sdpa, in SdpaKernel.cpp
//===----------------------------------------------------------------------===//

/// Memory of the operands of an sdpa.
struct SdpaBuffers {
  mlir::Value query, mask, result; ///< mask may be null
  llvm::SmallVector<mlir::Value> keys, values;
};

int64_t sdpaTiles(mj::SdpaOp sdpa, const HostTarget &target, bool plain);
/// Bytes of the stack that one tile uses.
int64_t sdpaStackBytes(mj::SdpaOp sdpa, const HostTarget &target, bool plain);
/// A tile is a block of rows and the query heads of one kv head. Blocks of keys are transposed and widened once for all
/// of them; softmax is made along the way (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018).
void emitSdpa(KernelBuilder &k, mj::SdpaOp sdpa, const SdpaBuffers &buffers, mlir::Value tile,
              const HostTarget &target);
/// A tile is a row: all scores, softmax, the weighted sum.
void emitPlainSdpa(KernelBuilder &k, mj::SdpaOp sdpa, const SdpaBuffers &buffers, mlir::Value tile);

//===----------------------------------------------------------------------===//
// Products of blocks on the stack
//===----------------------------------------------------------------------===//

/// Columns of a panel that are multiplied at a time: two vectors.
inline constexpr int64_t kPanelColumns = 32;

/// Rows that are multiplied with a panel at a time: their sums stay in registers.
int64_t panelRows(const HostTarget &target);

/// sums[2 r + c] + sum_i left[row + r, i] * panel[i, column + 16 c ...] for c of 0 and 1, over `count` i in order. All
/// f32.
KernelBuilder::Values multiplyPanel(KernelBuilder &k, mlir::Value left, mlir::Value row, mlir::Value panel,
                                    mlir::Value column, mlir::Value count, KernelBuilder::Values sums);

/// Elements [firsts..., first] to [firsts..., first + size) of `source` as column `column` of `panel`, widened.
void fillColumn(KernelBuilder &k, mlir::Value source, llvm::ArrayRef<mlir::Value> firsts, int64_t size,
                mlir::Value panel, mlir::Value column);

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_TENSORKERNELS_H
