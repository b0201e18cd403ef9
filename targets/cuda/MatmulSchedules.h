// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Schedules of matmuls on a GPU.
#ifndef MJOLNIR_TARGETS_CUDA_MATMULSCHEDULES_H
#define MJOLNIR_TARGETS_CUDA_MATMULSCHEDULES_H

#include "targets/cuda/Schedules.h"

namespace mjolnir::cuda {

/// Matmuls of a region that compute the same columns: one, or several whose results meet in pointwise operations (gate
/// and up). A block computes a column of all of them. Different sets (q, k, v) lie side by side in the grid.
struct MatmulColumns {
  llvm::SmallVector<mj::MatmulOp, 2> matmuls;

  /// Columns of each result.
  int64_t columns() const;
};

/// The sets of a region's matmuls, in order.
llvm::SmallVector<MatmulColumns> findMatmulColumns(mlir::Block &body);

/// The schedule of a region of matmuls by weights.
llvm::FailureOr<mj::ScheduleAttr> chooseMatmul(mj::FusionOp fusion, const CudaProfile &profile);
/// The schedule of a region around mj.batch_matmul.
llvm::FailureOr<mj::ScheduleAttr> chooseBatchMatmul(mj::FusionOp fusion, const CudaProfile &profile);
/// Whether the tensor cores multiply its elements, by mma.sync; else f32 products of the plain cores do.
bool multipliesStacksByMma(mj::BatchMatmulOp matmul);
/// Shared memory of a step of such a product, as batch::sharedBytes() computes it.
int64_t stageBytesOfStacks(int64_t tileM, int64_t tileN, int64_t tileK, bool isTransposed);

/// Thread blocks of the three schedules of matmuls.
int64_t countMatmulBlocks(mj::ScheduleAttr schedule, mlir::Block &body);

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_MATMULSCHEDULES_H
