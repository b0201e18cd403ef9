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

/// What the kernels of this target take beyond bytes at bandwidth and operations at a rate: the constants of
/// Predictions.cpp, which says how they enter. Seconds unless said. Those of an H200 were fitted to measured kernels;
/// other chips' follow by clock.
struct KernelTimes {
  double clock = 1.98e9; ///< cycles a second, of multiprocessors under load
  bool areFitted = false;

  // Small matmuls.
  double matmulStart = 0; ///< x comes, its last products, the epilogue
  double matmulRows = 0;  ///< more where x has several rows
  double stagedByte = 0;  ///< of x that a block brings to its shared memory
  double warpProduct = 0; ///< mma.m16n8k16 of one warp, operands from shared memory
  double clusterSums = 0; ///< for each 32 rows, sums that another block of the cluster pushes, a round
  // Large matmuls.
  double tileStart = 0;     ///< a launch
  double tileEpilogue = 0;  ///< of a tile of 128 x 256
  double tileReach = 1;     ///< of the matrix units' rate
  double tileBandwidth = 0; ///< bytes/s of operands from the cache to a multiprocessor
  double tileSums = 0;      ///< of such a tile, from each other block of a cluster
  double tileMemory = 0;    ///< of the time that memory alone takes, what is not hidden
  // Matmuls by tensor maps.
  double mapStart = 0;         ///< a block's first operands, and its end
  double mapEpilogue = 0;      ///< of a tile of 128 x 128
  double mapReach = 1;         ///< of the matrix units' rate
  double mapBandwidth = 0;     ///< bytes/s of operands from the cache to a multiprocessor that has a block
  double mapPairBandwidth = 0; ///< the same, that has two
  double mapSums = 0;          ///< of a cluster's blocks, for each doubling
  double mapMemory = 0;        ///< of the time that weights alone take, what is not hidden
  // Attention.
  double decodeStart = 0;  ///< rotation, cache write, what a cluster adds up
  double decodeNorm = 0;   ///< a norm of heads before it
  double decodeTurn = 0;   ///< an item that a block takes after another
  double decodeCodes = 0;  ///< where pages hold f8
  double prefillStart = 0; ///< a launch
  double prefillWave = 0;  ///< a block's start and end, tiles without rows too
  double prefillReach = 1; ///< of the matrix units' rate, heads of 128; of 64 three quarters, as softmax is the same
  double groupReach = 1;   ///< the same of wgmma
  // Rows.
  double linesStart = 0;              ///< a launch of lines in registers
  double linesReach = 1;              ///< of copy bandwidth
  double rowsStart = 0, rowsWave = 0; ///< a launch; a block
  double gatherStart = 0;             ///< a launch that reads rows by index
  double rowsReduction = 0;           ///< a norm or rotation in it
  double rowsReach = 1;               ///< of copy bandwidth
  double sampleStart = 0;             ///< greedy
};

/// A chip, and what its kernels are tuned to.
struct CudaProfile : Profile {
  int64_t computeCapability = 0; ///< 90, 110, 120
  MatrixUnit matrixUnit = MatrixUnit::mmaSync;
  MatrixUnit matrixUnitF8 = MatrixUnit::mmaSync; ///< mma.sync on f8 is emulated on chips whose unit it is not
  double cacheBandwidth = 0;                     ///< bytes a second from the L2 cache to all multiprocessors
  bool hasClusters = false;                      ///< thread block clusters and bulk copies to all of one

  KernelTimes times;
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
