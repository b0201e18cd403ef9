// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Attention where each sequence has one row, by device/decode_attention.cuh: its blocks and their memory.
#ifndef MJOLNIR_TARGETS_CUDA_DECODEATTENTION_H
#define MJOLNIR_TARGETS_CUDA_DECODEATTENTION_H

#include "targets/cuda/Schedules.h"

namespace mjolnir::cuda {

/// An item is a row and a kv head. What a kernel of the schedule kDecodeAttentionSchedule with stages is made from.
struct DecodeAttentionShape {
  int64_t items, group, size, elementBytes;      ///< of the region
  int64_t warps, stages, splits, keys, clusters; ///< of the schedule

  /// Of a region, without a schedule.
  explicit DecodeAttentionShape(mj::AttentionOp attention);
  DecodeAttentionShape(mj::ScheduleAttr schedule, mj::AttentionOp attention);

  /// Whether the tensor cores multiply these elements.
  bool usesTensorCores() const;
  /// Keys and values that a warp brings at a time.
  int64_t stageBytes() const { return 2 * keys * size * elementBytes; }
  /// What a block needs whatever its stages are.
  int64_t fixedBytes() const;
  /// Blocks that a multiprocessor holds at a time.
  int64_t heldBlocks(const CudaProfile &profile) const;
  /// Shared memory of a block, as DecodeAttention::SharedBytes says.
  int64_t sharedBytes() const { return warps * stages * stageBytes() + fixedBytes(); }

private:
  bool isF16 = false;
};

mj::ScheduleAttr chooseDecodeAttention(mj::FusionOp fusion, mj::AttentionOp attention, const CudaProfile &profile);

/// Other numbers of blocks in a cluster, of warps in a block, of blocks on a multiprocessor and of keys at a time.
void listDecodeAttention(mj::FusionOp fusion, mj::AttentionOp attention, mj::ScheduleAttr chosen,
                         const CudaProfile &profile, llvm::SmallVectorImpl<mj::ScheduleAttr> &schedules);

/// As cuda::verifySchedule(): what the parameters have to have to do with each other and with the region.
llvm::LogicalResult verifyDecodeAttention(mlir::Operation *op, mj::ScheduleAttr schedule, mj::AttentionOp attention);

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_DECODEATTENTION_H
