// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// From the region of an exec.kernel to a kernel function, one emitter a schedule.
#ifndef MJOLNIR_TARGETS_HOST_REGIONKERNELS_H
#define MJOLNIR_TARGETS_HOST_REGIONKERNELS_H

#include "targets/host/AttentionKernel.h"
#include "targets/host/HostTarget.h"
#include "targets/host/KernelBuilder.h"
#include "targets/host/MatmulKernel.h"

#include "mjolnir/Dialect/Exec/ExecDialect.h"
#include "mjolnir/Dialect/Exec/KernelSignature.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mjolnir::host {

/// Names of the host's schedules.
inline constexpr llvm::StringLiteral kRowsSchedule = "host.rows";
inline constexpr llvm::StringLiteral kMatmulSchedule = "host.matmul";
inline constexpr llvm::StringLiteral kAttentionSchedule = "host.attention";
inline constexpr llvm::StringLiteral kSampleSchedule = "host.sample";
inline constexpr llvm::StringLiteral kTensorSchedule = "host.tensor";
inline constexpr llvm::StringLiteral kPlainTensorSchedule = "host.plain_tensor";
inline constexpr llvm::StringLiteral kPlainMatmulSchedule = "host.plain_matmul";
inline constexpr llvm::StringLiteral kPlainAttentionSchedule = "host.plain_attention";

/// A kernel that is being emitted: its region and its function, whose arguments are the buffers in the order of
/// getKernelOperands and then the tile.
struct KernelContext {
  exec::KernelOp kernel;
  llvm::SmallVector<exec::KernelOperand> operands;
  mlir::ModuleOp module; ///< where kernel functions go
  exec::KvPoolOp pool;   ///< what holds its KV pages; null if it takes none
  const HostTarget &target;

  mlir::Block &body() { return kernel.getBody().front(); }
  /// Memory of an operand: its shape row-major, of a packed weight the packed shape, of a pool a line of elements.
  mlir::MemRefType memrefType(const exec::KernelOperand &operand);
  /// An empty public function of the kernel's name, with a block.
  mlir::func::FuncOp createFunction();
  /// Which operand is the first of `kind` (and field), or a tensor that enters as `argument`.
  unsigned find(exec::KernelOperand::Kind kind, mj::BatchField field = {});
  unsigned find(mlir::Value argument);
  /// Elements from one page of the pool to the next.
  int64_t pageStride();
};

/// Each appends the kernel's function to the module, or emits a diagnostic on the kernel.
mlir::LogicalResult emitRows(KernelContext &context);
mlir::LogicalResult emitRegionMatmul(KernelContext &context);
mlir::LogicalResult emitRegionAttention(KernelContext &context);
mlir::LogicalResult emitRegionSample(KernelContext &context);
mlir::LogicalResult emitPlainMatmul(KernelContext &context);
mlir::LogicalResult emitPlainAttention(KernelContext &context);

/// What the kernel of a region computes, for its number of tiles and its code alike: the two must agree.
MatmulConfig getMatmulConfig(mj::ScheduleAttr schedule, mlir::Block &body);
/// The same; the pool's page size and stride are known only with the program.
AttentionConfig getAttentionConfig(mlir::Block &body);

/// Tiles of a launch.
int64_t countRowTiles(mlir::Block &body);
int64_t countPlainMatmulTiles(mlir::Block &body);

/// Repeats a pointwise operation on f32 values of another shape (scalars, vectors). Conversions are the identity:
/// inside a kernel nothing is rounded, but to f8E4M3FN. `shape` is the type of the new values.
mlir::Value clonePointwise(mlir::OpBuilder &builder, mlir::Operation *op, mlir::ValueRange operands, mlir::Type shape);

/// The element that memory holds for a tensor's: booleans are bytes, vectors of which can be loaded.
mlir::Type storageElement(mlir::Type element);
/// `value` (a scalar or vector) loaded from memory of a tensor of `element`: floats as f32, booleans as i1.
mlir::Value fromStorage(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, mlir::Type element);
/// The opposite, for memory of `stored` elements.
mlir::Value toStorage(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, mlir::Type element,
                      mlir::Type stored);

/// `value` (a scalar or vector of floats) as f32.
mlir::Value widen(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value);
/// `value` (f32) rounded to `element`, or itself.
mlir::Value narrow(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, mlir::Type element);

/// A sum of `size` f32 terms: 16 or 32 sums side by side, then these by halves, then what is left over one by one.
/// `accumulate` adds the terms from `first` on, `lanes` of them, to `sum`, which is a vector, or a scalar for 1 lane.
/// The order is fixed here and not by LLVM, whose choice depends on the loops around: a row has the same bits in every
/// bucket.
mlir::Value sumInOrder(KernelBuilder &k, int64_t size,
                       llvm::function_ref<mlir::Value(mlir::Value sum, mlir::Value first, int64_t lanes)> accumulate);
/// `sum` + `a` * `b` in f32, one operation where the chip has it.
mlir::Value multiplyAdd(KernelBuilder &k, mlir::Value a, mlir::Value b, mlir::Value sum);

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_REGIONKERNELS_H
