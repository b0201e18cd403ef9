// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Choice of the next token from a row of logits.
#ifndef MJOLNIR_TARGETS_HOST_SAMPLEKERNEL_H
#define MJOLNIR_TARGETS_HOST_SAMPLEKERNEL_H

#include "targets/host/HostTarget.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mjolnir::host {

/// A sampling kernel. Operands, in order: logits [B,V] f32, temperature [B] f32, top_k [B] i32, top_p [B] f32,
/// seeds [B] i64, context_lengths [B] i32, next [B] i32 (written).
struct SampleConfig {
  int64_t sequences = 0;  ///< B
  int64_t vocabulary = 0; ///< V
};

llvm::SmallVector<mlir::MemRefType> sampleOperandTypes(mlir::MLIRContext *context, const SampleConfig &config);

/// One tile a sequence.
int64_t sampleTiles(const SampleConfig &config);

/// Appends the kernel `name` to `module`. For each sequence:
///   - NaN logits count as -inf.
///   - temperature <= 0 (or NaN): the largest logit, the lowest index among equals.
///   - otherwise p = softmax(logits / temperature) over the top_k largest logits (equals of the k-th stay; top_k < 1
///   keeps
///     all), then over the smallest set of most probable tokens whose mass is at least top_p of the total (equals of
///     the least stay, one token at least; top_p >= 1 keeps all).
///   - u is the upper 24 bits of the first word of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
///     1, 2, 3", SC 2011) with key = seed and counter = (context_length, 0, 0, 0), divided by 2^24; the token is the
///     first in index order whose cumulative mass exceeds u times the total.
mlir::FailureOr<mlir::func::FuncOp> emitSample(mlir::OpBuilder &builder, mlir::ModuleOp module, llvm::StringRef name,
                                               const SampleConfig &config, const HostTarget &target);

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_SAMPLEKERNEL_H
