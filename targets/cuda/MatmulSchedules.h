// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Schedules of matmuls on a GPU.
#ifndef MJOLNIR_TARGETS_CUDA_MATMULSCHEDULES_H
#define MJOLNIR_TARGETS_CUDA_MATMULSCHEDULES_H

#include "targets/cuda/Schedules.h"

#include "llvm/Support/MathExtras.h"

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

/// What the tiles of all matmuls of a region have to hold.
struct MatmulShape {
  int64_t rows = 0, k = 0;
  int64_t columns = 0;     ///< of all sets
  int64_t widest = 0;      ///< matmuls of one set
  int64_t weightBytes = 0; ///< of an element
  int64_t xBytes = 0;      ///< of an element
};
MatmulShape getMatmulShape(llvm::ArrayRef<MatmulColumns> sets);

/// Where the rows of x lie that a region multiplies: bf16 in memory, under an RMS norm or not.
struct RowsInMemory {
  mlir::Value memory; ///< [rows, K]; null: x is computed
  mlir::Value ids;    ///< rows of `memory`; null: all in order
  mj::NormOp norm;    ///< null: none

  /// Whether tensor cores can take the rows as they are, the norm's weight beside them.
  bool canBeCopied() const;
};
RowsInMemory findRowsInMemory(mlir::Value x);

/// The parameters of a matmul of few rows; see SmallMatmul in small_matmul.cuh.
struct SmallMatmulTile {
  int64_t columns, groupColumns, held, late, slices, splits, shares, stageK, stages, threads;

  explicit SmallMatmulTile(mj::ScheduleAttr schedule);
  SmallMatmulTile() = default;
  mj::ScheduleAttr toSchedule(mlir::MLIRContext *context) const;

  int64_t groups() const { return llvm::divideCeil(columns, groupColumns); }
  /// Groups that are worked on at a time.
  int64_t lanes() const { return threads / 32 / slices; }
  /// Blocks of a cluster that share a part of K, and all of its blocks.
  int64_t sharers() const { return std::max<int64_t>(shares, 1); }
  int64_t cluster() const { return splits * sharers(); }
  /// Pieces of 16 bytes of weights of `elementBytes` that a thread holds, where it holds all that it multiplies: `held`
  /// of them in registers, the rest in shared memory. 0 in `held`: weights pass through stages.
  int64_t heldPieces(int64_t k, int64_t weights, int64_t elementBytes) const;
  /// Whether threads can hold them: each has one group, whose K falls into whole pieces, x is copied, and the sums of
  /// the warps fit where weights and x were.
  bool canHold(int64_t rows, int64_t k, int64_t weights, int64_t elementBytes) const;
  /// Shared memory of a block for `weights` matmuls of `rows` rows of `k` elements, by weights of `elementBytes`.
  int64_t sharedBytes(int64_t rows, int64_t k, int64_t weights, int64_t elementBytes, bool isNormed) const;
};

/// The schedule of a region of matmuls by weights.
llvm::FailureOr<mj::ScheduleAttr> chooseMatmul(mj::FusionOp fusion, const CudaProfile &profile);
/// The tile of cuda.large_matmul, and the blocks of a cluster that divide K, whose waves over the grid take the least
/// time: that of the products or, in small grids, that of bringing the operands of all tiles from the cache.
/// `candidates` takes all that could be chosen. `columns`: of each set; `isF8`: both operands are f8.
mj::ScheduleAttr chooseLargeMatmul(mlir::MLIRContext *context, const MatmulShape &shape,
                                   llvm::ArrayRef<int64_t> columns, bool isF8, const CudaProfile &profile,
                                   llvm::SmallVectorImpl<mj::ScheduleAttr> *candidates = nullptr);
/// The schedule of a region around a product of stacks.
mj::ScheduleAttr chooseBatchMatmul(mj::FusionOp fusion, const CudaProfile &profile);
/// Appends what else than `chosen`, which is of chooseMatmul, the kernels of the region can have; `chosen` may be among
/// it.
void listMatmuls(mj::FusionOp fusion, mj::ScheduleAttr chosen, const CudaProfile &profile,
                 llvm::SmallVectorImpl<mj::ScheduleAttr> &schedules);
/// A product of stacks of matrices that are read where they are: mj.batch_matmul, or a stack of one: mj.matmul by [K,
/// N].
struct StackedProduct {
  mlir::Operation *op = nullptr;
  mlir::Value a, b;
  mlir::RankedTensorType result;
  bool isTransposed = false; ///< b is [N, K]

  /// The one of a region.
  explicit StackedProduct(mlir::Block &body);
  /// Whether the tensor cores multiply its elements, by mma.sync; else f32 products of the plain cores do.
  bool usesTensorCores() const;
};
/// Shared memory of a step of such a product, as batch::sharedBytes() computes it.
int64_t stageBytesOfStacks(int64_t tileM, int64_t tileN, int64_t tileK, bool isTransposed);

/// Thread blocks of the three schedules of matmuls.
int64_t countMatmulBlocks(mj::ScheduleAttr schedule, mlir::Block &body);

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_MATMULSCHEDULES_H
