// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Tiles of a matmul of few rows by codes of many columns, whose weights stream through shared memory: which there are,
// what each takes, which one a region gets.
#ifndef MJOLNIR_TARGETS_CUDA_STREAMEDMATMULTILE_H
#define MJOLNIR_TARGETS_CUDA_STREAMEDMATMULTILE_H

#include "targets/cuda/MatmulSchedules.h"

namespace mjolnir::cuda {

/// The parameters of such a matmul; see StreamedMatmul in device/streamed_matmul.cuh.
struct StreamedMatmulTile {
  int64_t columns = 0, groupColumns = 0; ///< of a cluster's block, of each matmul of a set
  int64_t splits = 1;                    ///< blocks of a cluster that divide K
  int64_t blocks = 1;                    ///< that a multiprocessor holds
  int64_t stages = 0, window = 0, held = 0;
  int64_t threads = 0;
  int64_t late = 0; ///< whether the next kernel starts late

  StreamedMatmulTile() = default;
  explicit StreamedMatmulTile(mj::ScheduleAttr schedule);
  mj::ScheduleAttr toSchedule(mlir::MLIRContext *context) const;

  static constexpr int64_t kBoxRows = 16, kBoxK = 128;
  static constexpr int64_t kMostRows = 16; ///< of x
  int64_t groups() const { return columns / groupColumns; }
  int64_t warps() const { return threads / 32; }
  /// Boxes of a warp.
  int64_t boxes(const MatmulShape &shape) const;
  /// Shared memory of a block: what StreamedMatmul::SharedBytes is.
  int64_t sharedBytes(const MatmulShape &shape) const;
  /// Whether the kernel's template takes the tile for that shape.
  bool fits(const MatmulShape &shape) const;
};

/// All tiles for matmuls of that shape in sets of that many `columns`, the one to be chosen first; none where weights
/// do not fill the shared memory of the chip or the kernel's template does not take the shape.
llvm::SmallVector<StreamedMatmulTile> listStreamedMatmuls(const MatmulShape &shape, llvm::ArrayRef<int64_t> columns,
                                                          const CudaProfile &profile);

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_STREAMEDMATMULTILE_H
