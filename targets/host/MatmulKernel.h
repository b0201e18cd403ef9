// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Y[M,N] = epilogue(X[M,K] . W[N,K]^T) with packed weights, as a vector kernel.
#ifndef MJOLNIR_TARGETS_HOST_MATMULKERNEL_H
#define MJOLNIR_TARGETS_HOST_MATMULKERNEL_H

#include "targets/host/HostTarget.h"
#include "targets/host/MatmulEncoding.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <functional>
#include <optional>

namespace mjolnir::host {

/// What an epilogue works on: 16 neighbouring columns of one row of the result.
struct MatmulEpilogue {
  mlir::OpBuilder &builder;
  mlir::Location loc;
  /// One vector<16xf32> a weight: X . W_i^T at (row, col .. col+15). Lanes at and past `count` hold no meaning.
  llvm::ArrayRef<mlir::Value> accumulators;
  mlir::Value row; ///< index
  mlir::Value col; ///< index, a multiple of 16
  int64_t count;   ///< how many of the 16 columns exist; less than 16 only at the right edge
  /// The kernel's block arguments for MatmulConfig::extras.
  llvm::ArrayRef<mlir::Value> extras;

  /// vector<16 x element> of `memref` at (row, col): rank 2 [M,N], rank 1 [N] (a bias), rank 2 [1,N] too; of rank 1 [1]
  /// its element. Columns that do not exist read as zero; nothing outside the memref is touched.
  mlir::Value load(mlir::Value memref) const;
  /// Writes the `count` existing columns of a vector<16 x element> at (row, col) of a rank 2 [M,N] memref. An f32
  /// vector is rounded to the memref's element type.
  void store(mlir::Value memref, mlir::Value vector) const;
};

/// Builds the epilogue and returns a vector<16xf32> (or of Y's type) for Y. Called twice at most, once for whole and
/// once for the partial column block.
using MatmulEpilogueFn = std::function<mlir::Value(const MatmulEpilogue &)>;

/// A matmul kernel. Operands, in order: X [M,K]; `weights` packed matrices (MatmulEncoding::packedShape(n, k)), all of
/// the same shape; `extras`; Y [M,N].
struct MatmulConfig {
  int64_t m = 0, n = 0, k = 0;
  Element x = Element::BF16;      ///< F32, BF16 or F8
  Element weight = Element::BF16; ///< F32, BF16 or F8 without NaN
  Element y = Element::BF16;      ///< F32, BF16 or F8
  /// 2 for the gate and up projections of a gated MLP: the epilogue sees both accumulators.
  int64_t weights = 1;
  llvm::SmallVector<mlir::MemRefType> extras;
  /// Sizes of loops that the schedule names; what it does not is chosen by shape and CPU.
  std::optional<bool> panels;        ///< the loop order for many rows
  std::optional<int64_t> tileBlocks; ///< 16-column blocks of a tile
  MatmulEpilogueFn epilogue;         ///< null: the only accumulator, rounded to Y's type
};

/// What `panels` and `tileBlocks` of a configuration may be instead of what is chosen for its shape: the other loop
/// order, half and twice the blocks.
llvm::SmallVector<std::pair<bool, int64_t>> listMatmulLoops(const MatmulConfig &config, const HostTarget &target);

/// How many tiles a launch of the kernel has. The bits of the result depend neither on this nor on M.
int64_t matmulTiles(const MatmulConfig &config, const HostTarget &target);

/// Appends the kernel `name` to `module`. Accumulation is f32, FMA by FMA in the order of k; on a target with
/// AVX512_BF16, bf16 times bf16 goes pair by pair (vdpbf16ps, which flushes denormals). A row of the result has the
/// same bits whatever M is. Y may be the same memory as one of `extras`, if the epilogue reads it only where it writes.
/// The kernel uses up to 256 KiB of stack. Fails with a diagnostic on the module if the configuration is not supported.
mlir::FailureOr<mlir::func::FuncOp> emitMatmul(mlir::OpBuilder &builder, mlir::ModuleOp module, llvm::StringRef name,
                                               const MatmulConfig &config, const HostTarget &target);

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_MATMULKERNEL_H
