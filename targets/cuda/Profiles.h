// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// NVIDIA chips as data.
#ifndef MJOLNIR_TARGETS_CUDA_PROFILES_H
#define MJOLNIR_TARGETS_CUDA_PROFILES_H

#include "mjolnir/Target/Profile.h"

#include "llvm/ADT/ArrayRef.h"

namespace mjolnir::cuda {

/// The tensor-core instructions that a chip reaches its rates with.
enum class MatrixUnit {
  mmaSync, ///< mma.sync: a warp, operands in registers
  wgmma,   ///< wgmma: four warps, operands in shared memory
  tcgen05, ///< tcgen05.mma: one thread issues, accumulators in tensor memory
};

/// A chip, and what its kernels are tuned to.
struct CudaProfile : Profile {
  int64_t computeCapability = 0; ///< 90, 110, 120
  MatrixUnit matrixUnit = MatrixUnit::mmaSync;
  MatrixUnit matrixUnitF8 = MatrixUnit::mmaSync; ///< mma.sync on f8 is emulated on chips whose unit it is not
  double cacheBandwidth = 0;                     ///< bytes a second from the L2 cache to all multiprocessors
  bool hasClusters = false;                      ///< thread block clusters and bulk copies to all of one

  FusionRules rules;

  int64_t smallMatmulRows = 64;     ///< matmuls of up to so many rows stream their weights once
  int64_t smallMatmulThreads = 256; ///< a block of such a matmul
  int64_t smallMatmulBlocks = 1;    ///< such blocks on a multiprocessor
  int64_t attentionBlocks = 2;      ///< blocks of decode attention that a multiprocessor should get
};

/// All chips that are known, in the order that people are told of them.
llvm::ArrayRef<CudaProfile> getProfiles();

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_PROFILES_H
