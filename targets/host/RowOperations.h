// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Operations that combine elements of a row, for schedule host.rows: from memory to memory.
#ifndef MJOLNIR_TARGETS_HOST_ROWOPERATIONS_H
#define MJOLNIR_TARGETS_HOST_ROWOPERATIONS_H

#include "targets/host/KernelBuilder.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

namespace mjolnir::host {

/// `y` = norm of `x` over the last axis; `weight` and `bias` may be null. Elements of x follow each other; y is f32.
void emitNorm(KernelBuilder &k, mj::NormOp norm, mlir::Value x, mlir::Value weight, mlir::Value bias, mlir::Value y);

/// `y` = softmax of `x` over the last axis. Elements of both follow each other; y is f32.
void emitSoftmax(KernelBuilder &k, mlir::Value x, mlir::Value y);

/// `y` = `x` reduced over `axes` (ascending) of x, which are not in y. Elements of x follow each other; y may be a
/// rank-0 memref. The order in which elements of y are summed depends on the shape of x only.
void emitReduce(KernelBuilder &k, mj::ReduceKind kind, llvm::ArrayRef<int64_t> axes, mlir::Value x, mlir::Value y);

/// `y` = `x` ([heads, D]) rotated by `angles` ([D/2, 2]: cosines and sines). y is f32.
void emitRope(KernelBuilder &k, mj::RopePairs pairs, mlir::Value x, mlir::Value angles, mlir::Value y);

/// The map from `rank` loops to `count` of them, from `first` on.
mlir::AffineMap loopAxes(mlir::MLIRContext *context, int64_t rank, int64_t first, int64_t count);

/// Calls `body` in loops over each index of `shape`.
void overIndices(KernelBuilder &k, llvm::ArrayRef<int64_t> shape,
                 llvm::function_ref<void(llvm::ArrayRef<mlir::Value> indices)> body);

/// Elements of a vector in these operations.
inline constexpr int64_t kLanes = 16;

/// Calls `body(first, lanes)` for pieces of `size` elements: vectors of kLanes, and one by one what is left.
void overPieces(KernelBuilder &k, int64_t size, llvm::function_ref<void(mlir::Value first, int64_t lanes)> body);

/// `lanes` elements of `memref` from [indices, last] on, as f32; a scalar for 1 lane.
mlir::Value loadPiece(KernelBuilder &k, mlir::Value memref, llvm::ArrayRef<mlir::Value> indices, mlir::Value last,
                      int64_t lanes);
/// Rounds `value` (f32) to the elements of `memref` and stores it from [indices, last] on.
void storePiece(KernelBuilder &k, mlir::Value value, mlir::Value memref, llvm::ArrayRef<mlir::Value> indices,
                mlir::Value last);

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_ROWOPERATIONS_H
