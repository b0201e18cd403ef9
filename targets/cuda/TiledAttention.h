// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Attention of many rows by device/flash_attention.cuh: which of its kernels a region gets, its tiles and its memory.
#ifndef MJOLNIR_TARGETS_CUDA_TILEDATTENTION_H
#define MJOLNIR_TARGETS_CUDA_TILEDATTENTION_H

#include "targets/cuda/KernelSource.h"
#include "targets/cuda/Schedules.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace mjolnir::cuda {

/// What mj.sdpa or an mj.attention of many rows multiplies. Query heads of a kv head are vectors of one tile.
struct TiledAttention {
  int64_t rows, heads, kvHeads;
  int64_t d, e; ///< elements of a key and of a value
  mlir::Type query, cache;
  bool hasPositiveScale; ///< so that the largest product is the largest score

  explicit TiledAttention(mj::SdpaOp sdpa);
  explicit TiledAttention(mj::AttentionOp attention);

  int64_t group() const { return heads / kvHeads; }
  /// Whether the tensor cores multiply these elements; else a warp computes a query vector in f32.
  bool usesTensorCores() const;
  /// Whether wgmma does, by groups of four warps (device/flash_groups.cuh).
  bool usesGroups(const CudaProfile &profile) const;
  /// Shared memory of a block with tiles of `tile` query vectors and steps of `keys` keys, which `keyWarps` warps
  /// divide.
  int64_t sharedBytes(int64_t tile, int64_t keys, int64_t keyWarps) const;
  int64_t sharedBytes(mj::ScheduleAttr schedule) const;
  mj::ScheduleAttr chooseSchedule(mlir::MLIRContext *context, llvm::StringRef name, const CudaProfile &profile) const;
  /// What a launch takes: threads, shared memory and how it is aligned, registers.
  void setLaunch(mj::ScheduleAttr schedule, KernelSource &source) const;
  /// Tiles of query vectors of a kv head; each of `parts` groups of rows begins one of its own.
  int64_t countTiles(mj::ScheduleAttr schedule, int64_t parts) const;
  /// The call that computes a tile, up to the arguments: "flash::attend<64, 2, 64, 128, 128>".
  std::string printCallee(mj::ScheduleAttr schedule) const;
  /// A statement that the kernel takes as much shared memory as its launch is given.
  std::string printMemoryCheck(mj::ScheduleAttr schedule) const;
};

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_TILEDATTENTION_H
