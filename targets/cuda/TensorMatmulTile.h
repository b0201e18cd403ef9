// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Tiles of a matmul of many rows whose operands come by tensor maps: which there are, what each takes, the fastest.
#ifndef MJOLNIR_TARGETS_CUDA_TENSORMATMULTILE_H
#define MJOLNIR_TARGETS_CUDA_TENSORMATMULTILE_H

#include "targets/cuda/MatmulSchedules.h"

namespace mjolnir::cuda {

/// The parameters of such a matmul; see TensorMatmul in device/tensor_matmul.cuh.
struct TensorMatmulTile {
  int64_t m = 0, n = 0;     ///< of a block, n of each matmul of a set
  int64_t splits = 1;       ///< blocks of a cluster that divide K
  int64_t blocks = 1;       ///< that a multiprocessor holds
  int64_t stages = 0;       ///< steps of K in shared memory
  int64_t elementBytes = 2; ///< of both operands

  TensorMatmulTile() = default;
  explicit TensorMatmulTile(mj::ScheduleAttr schedule);
  mj::ScheduleAttr toSchedule(mlir::MLIRContext *context) const;

  static constexpr int64_t kThreads = 288; ///< two groups of four warps that multiply, and one that fetches
  int64_t stepK() const { return 128 / elementBytes; }
  int64_t stageBytes(int64_t weights) const { return 128 * (m + n * weights); }
  /// Shared memory of a block for sets of `weights` matmuls: what TensorMatmul::SharedBytes is.
  int64_t sharedBytes(int64_t weights) const;
  /// Seconds from the first block's start to the last one's end of `tiles` tiles, weights in memory, x in the cache.
  double seconds(int64_t tiles, const MatmulShape &shape, const CudaProfile &profile) const;
};

/// Whether the chip has kernels that multiply operands of this shape by tensor maps. `isF8`: both are f8, else bf16.
bool canUseTensorMaps(const MatmulShape &shape, bool isF8, const CudaProfile &profile);

/// All tiles for sets of that many `columns`, the one that takes the least time first.
llvm::SmallVector<TensorMatmulTile> listTensorMatmuls(const MatmulShape &shape, llvm::ArrayRef<int64_t> columns,
                                                      const CudaProfile &profile);

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_TENSORMATMULTILE_H
