// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a kernel moves and computes, and how long a chip takes for that at best.
#ifndef MJOLNIR_TARGET_COST_H
#define MJOLNIR_TARGET_COST_H

#include "mjolnir/Dialect/Exec/ExecDialect.h"
#include "mjolnir/Dialect/Mj/MjDialect.h"
#include "mjolnir/Target/Profile.h"

#include <array>

namespace mjolnir {

class Target;

/// Which units an operation's arithmetic can run on: vector units in f32, or matrix units on operands of 16 or 8 bits.
enum class Arithmetic { f32, bf16, f8 };
inline constexpr int kArithmetics = 3;
llvm::StringRef stringifyArithmetic(Arithmetic arithmetic);
/// Of the product of two tensors: that of the wider elements.
Arithmetic getArithmetic(mlir::Type a, mlir::Type b);

/// What the types of a program leave open: how much of the KV cache is in use.
struct CostOptions {
  /// Tokens of each sequence in the cache after the step; at least the rows that the step gives it.
  int64_t contextTokens = 1024;
  /// Sequences that share the rows of a step evenly; 0: all that the batch has room for.
  int64_t sequences = 0;
};

/// What a kernel has to move between memory and itself, everything read once and written once, and what it computes.
struct KernelCost {
  int64_t bytesRead = 0;
  int64_t bytesWritten = 0;
  int64_t weightBytes = 0; ///< part of bytesRead
  int64_t kvBytes = 0;     ///< part of bytesRead and bytesWritten
  /// By Arithmetic. A multiplication and an addition are two; so counts any other operation on an element of a tensor
  /// (division, exponential, comparison of a maximum) as one, conversions and moves as none.
  std::array<double, kArithmetics> flops = {};
  /// Operations whose arithmetic is not known here: their bytes are counted, their work is not.
  int64_t unknownOps = 0;

  double totalFlops() const { return flops[0] + flops[1] + flops[2]; }
  KernelCost &operator+=(const KernelCost &other);
};

/// The cost of `ops` as one kernel: tensors that come from elsewhere are read, results that are used elsewhere are
/// written. Of a gathered table, a rotary table and a sliced tensor only what is used is read. The shapes are static.
/// `isWeight` says which values that come from elsewhere are weights. Constants are part of the code.
KernelCost computeCost(llvm::ArrayRef<mlir::Operation *> ops, llvm::function_ref<bool(mlir::Value)> isWeight,
                       const CostOptions &options = {});

/// The cost of a body of mj.fusion or exec.kernel.
KernelCost computeCost(mlir::Block &body, llvm::function_ref<bool(mlir::Value)> isWeight,
                       const CostOptions &options = {});

/// The cost of a region. Its weights are the operands that depend on weights alone.
KernelCost computeCost(mj::FusionOp fusion, const CostOptions &options = {});

/// The cost of a launch of `kernel`. Its weights are the weight buffers that it is given.
KernelCost computeCost(exec::LaunchOp launch, exec::KernelOp kernel, const CostOptions &options = {});

/// The cost of copying bytes.
KernelCost computeCost(exec::CopyOp copy);

/// Whether `value` is a weight or computed from weights alone.
bool isWeightValue(mlir::Value value);

/// What a kernel spends most of its time on; latency: on what follows one after the other, whatever moves or computes.
enum class Bound { launch, memory, compute, latency };
llvm::StringRef stringifyBound(Bound bound);

/// How long a kernel takes, and why.
struct Prediction {
  double launchSeconds = 0;  ///< between it and the kernel before it
  double latencySeconds = 0; ///< that neither moving nor computing hides; where a target knows its kernels
  double memorySeconds = 0;  ///< if it only moved its bytes
  double computeSeconds = 0; ///< if it only computed
  Bound bound = Bound::launch;

  double seconds() const { return launchSeconds + latencySeconds + std::max(memorySeconds, computeSeconds); }
  /// Sets `bound` by what is the largest part.
  void findBound();
};

/// The roofline model (S. Williams, A. Waterman, D. Patterson: Roofline, CACM 52(4), 2009), behind a fixed cost a
/// launch:
///
///     seconds = launch + max(memory, compute)
///     memory  = 2 min(read, written) / copy bandwidth + |read - written| / (read ? read bandwidth : copy bandwidth)
///     compute = sum over arithmetics of flops / rate
///
/// A copy's worth of bytes moves at copy bandwidth (which counts both directions), what is only read at read bandwidth.
/// All bandwidths and rates are the profile's: measured ones where `Profile::measured`, else estimates. Where a profile
/// has no rate for narrow operands, the next wider one's is taken. What it does not model: caches, occupancy, overlap
/// of kernels.
Prediction predict(const KernelCost &cost, const Profile &profile);
/// Of a step of an entry, as the target predicts it; `kernel` is that of a launch, null for a copy.
Prediction predict(mlir::Operation *step, exec::KernelOp kernel, const Target &target, const CostOptions &options = {});
double predictSeconds(const KernelCost &cost, const Profile &profile);

} // namespace mjolnir

#endif // MJOLNIR_TARGET_COST_H
