// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// How a region becomes a kernel on a GPU: the names of schedules, their parameters, their grids. Code generation reads
// parameters from the schedule's attribute and chooses nothing by itself.
#ifndef MJOLNIR_TARGETS_CUDA_SCHEDULES_H
#define MJOLNIR_TARGETS_CUDA_SCHEDULES_H

#include "mjolnir/Dialect/Mj/MjDialect.h"
#include "targets/cuda/Profiles.h"

namespace mjolnir::cuda {

/// Each element of the results from a few elements of the operands: pointwise chains, and operations that move
/// elements. `threads` a block, `elements` a thread: those of the largest result, in row-major order.
inline constexpr llvm::StringLiteral kPointwiseSchedule = "cuda.pointwise";

/// Row by row: norms, softmax, reductions, rotary embeddings, cache writes with what is pointwise around them.
/// `threads` a block, of which `threads_per_row` work on one row at a time; `rows` a block.
inline constexpr llvm::StringLiteral kRowsSchedule = "cuda.rows";

/// The same where every line (a row, or a head of it) is made from itself alone and fits the registers of `lanes`
/// threads, a power of two: what a line is made from is read once. `threads` a block: the lanes of a line where they
/// are more than a warp.
inline constexpr llvm::StringLiteral kLinesSchedule = "cuda.lines";

/// As cuda.rows, where the region picks rows of a table.
inline constexpr llvm::StringLiteral kGatherSchedule = "cuda.gather";

/// A reduction over rows or over leading axes: a block of `threads` makes `columns` elements of the result, whose lines
/// its threads divide.
inline constexpr llvm::StringLiteral kColumnsSchedule = "cuda.columns";

/// A matmul of few rows, whose time is that of reading the weights. A block computes `columns` of the result for all
/// rows, of each set of columns that findMatmulColumns finds. Its warps (`threads` a block) take groups of
/// `group_columns`, or `slices` warps a group and a part of K each; before that the `splits` blocks of a cluster divide
/// K. Weights come `stage_k` elements of each row at a time, `stages` of them a warp on their way. A prologue (norm and
/// what is pointwise about it) is computed by each block for all rows. No stages: without tensor cores.
inline constexpr llvm::StringLiteral kSmallMatmulSchedule = "cuda.small_matmul";

/// A matmul of few rows, which lie in memory, by codes (f8) that fill more than the shared memory of the chip. A block,
/// or a cluster of `splits` that divide K, computes `columns`, `group_columns` of each matmul at a time by all its
/// warps
/// (`threads` a block, `blocks` on a multiprocessor). Boxes of 16 rows of the weights by 128 elements come by tensor
/// maps: each warp has `stages` of them in shared memory, `window` on their way before the kernel waits, and `held`
/// more in registers.
inline constexpr llvm::StringLiteral kStreamedMatmulSchedule = "cuda.streamed_matmul";

/// A matmul of many rows: tiles of `tile_m` x `tile_n`, steps of `tile_k` elements, `stages` of them in shared memory,
/// `threads` a block, `unit` as in MatrixUnit: "mma.sync", "wgmma", "tcgen05".
inline constexpr llvm::StringLiteral kLargeMatmulSchedule = "cuda.large_matmul";

/// A matmul of many rows of two operands of one type, where the chip has wgmma: tiles, steps, stages and `threads` as
/// of cuda.large_matmul, but a warp fetches by tensor maps; `blocks` on a multiprocessor at a time; the `splits` blocks
/// of a cluster divide K.
inline constexpr llvm::StringLiteral kTensorMatmulSchedule = "cuda.tensor_matmul";

/// mj.batch_matmul: tiles as for cuda.large_matmul, always by mma.sync or, where that does not multiply the elements,
/// by the plain cores.
inline constexpr llvm::StringLiteral kBatchMatmulSchedule = "cuda.batch_matmul";

/// Attention where each sequence has one row: clusters of `splits` blocks of `threads`, `blocks` in all, take items in
/// turn, each a row and a kv head, and divide its context; each warp has `stages` tiles of `keys` keys and values on
/// their way. The prologue computes the query heads of the kv head, and the row's own key and value, in each block; the
/// first block of the cluster appends those, and no block reads them from the cache. No stages: without tensor cores,
/// one block an item. Without `keys`, 16; without `blocks`, a cluster an item.
inline constexpr llvm::StringLiteral kDecodeAttentionSchedule = "cuda.decode_attention";

/// Attention of several rows of a sequence: a block is for a kv head and `rows` query vectors, those of all query heads
/// of the kv head for one row after the other; `keys` a step, which `key_warps` warps divide; `threads` a block.
/// With `groups` that many groups of four warps multiply by wgmma, 64 query vectors each, and one more fetches.
inline constexpr llvm::StringLiteral kPrefillAttentionSchedule = "cuda.prefill_attention";

/// mj.sdpa, parameters as for cuda.prefill_attention.
inline constexpr llvm::StringLiteral kSdpaSchedule = "cuda.sdpa";

/// mj.sample: a cluster of `splits` blocks of `threads` for a sequence, which divide the vocabulary.
inline constexpr llvm::StringLiteral kSampleSchedule = "cuda.sample";

/// The schedule of a region on a chip, or a diagnostic on it that says what the target lacks.
llvm::FailureOr<mj::ScheduleAttr> chooseSchedule(mj::FusionOp fusion, const CudaProfile &profile);

/// What else than `chosen`, which is of chooseSchedule, the kernels of a region can have: matmuls by weights, attention
/// of decode steps, sampling.
llvm::SmallVector<mj::ScheduleAttr> listSchedules(mj::FusionOp fusion, mj::ScheduleAttr chosen,
                                                  const CudaProfile &profile);

/// As Target::verifySchedule() says: a name of the above, the parameters that its kernels are made from, the operation
/// that they compute.
llvm::LogicalResult verifySchedule(mlir::Operation *op, mj::ScheduleAttr schedule, mlir::Block &body);

/// Thread blocks of a launch of `body` under `schedule`.
int64_t countBlocks(mj::ScheduleAttr schedule, mlir::Block &body);

/// Operands of such a launch that are read before it waits: weights, and what earlier runs left in the cache.
llvm::SmallVector<int64_t> earlyOperands(mj::ScheduleAttr schedule, mlir::Block &body);

/// An integer parameter of a schedule; 0 where it has none of this name.
int64_t getParameter(mj::ScheduleAttr schedule, llvm::StringRef name);

/// Whether kernels of a decode step of so many rows let the next one start late (`late` of their schedules): with their
/// inputs, not with themselves. Measured on an H200: one row gains 10% from weights on their way two kernels ahead;
/// with four rows and more they stand in the way of the cached keys, and one ahead is 6% faster.
bool startsNextLate(int64_t rows);

/// A parameter while schedules are made.
using Parameter = std::pair<llvm::StringRef, int64_t>;
mj::ScheduleAttr makeSchedule(mlir::MLIRContext *context, llvm::StringRef name, llvm::ArrayRef<Parameter> parameters);

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_SCHEDULES_H
