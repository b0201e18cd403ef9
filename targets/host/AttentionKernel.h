// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Causal attention of ragged query rows over a paged KV pool, as a vector kernel.
#ifndef MJOLNIR_TARGETS_HOST_ATTENTIONKERNEL_H
#define MJOLNIR_TARGETS_HOST_ATTENTIONKERNEL_H

#include "targets/host/Element.h"
#include "targets/host/HostTarget.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mjolnir::host {

/// A paged attention kernel. Operands, in order:
///   q                [T, Hq, D]   element
///   pool             memref<bound x cache>: the KV pool, advanced by the launch to the layer's first byte in page 0.
///                    Page p's keys of this layer start p * pageStride elements later, as [Hkv][pageSize][D], the
///                    values right behind them. The static bound never enters an address.
///   sequence_offsets [B+1] i32    rows of sequence i are [offsets[i], offsets[i+1])
///   context_lengths  [B]   i32    tokens of sequence i in the pool, this step's included
///   block_tables     [B,P] i32    page of each pageSize tokens
///   scales           [2, Hkv] f32 if `scaled`: what the keys and the values of a head are multiplied by
///   out              [T, Hq, D]   element
struct AttentionConfig {
  int64_t rows = 0;                ///< T
  int64_t sequences = 0;           ///< B
  int64_t pages = 0;               ///< P, width of a block table
  int64_t queryHeads = 0;          ///< Hq, a multiple of Hkv
  int64_t kvHeads = 0;             ///< Hkv
  int64_t headDim = 0;             ///< D, a multiple of 8 up to 256
  int64_t pageSize = 0;            ///< tokens a page
  int64_t pageStride = 0;          ///< elements from one page to the next: layers * 2 * Hkv * pageSize * D
  int64_t window = 0;              ///< sliding window: position p attends (p - window, p]; 0 is none
  float scale = 1.0f;              ///< of the scores, usually 1/sqrt(D)
  Element element = Element::BF16; ///< F32 or BF16, of q and out
  Element cache = Element::BF16;   ///< F32, BF16 or F8, of pool
  bool scaled = false;             ///< there are scales of the cache
};

/// Types of the kernel's operands, in order.
llvm::SmallVector<mlir::MemRefType> attentionOperandTypes(mlir::MLIRContext *context, const AttentionConfig &config);

int64_t attentionTiles(const AttentionConfig &config, const HostTarget &target);

/// Appends the kernel `name` to `module`: row r of sequence i with n_i rows has position
/// context_lengths[i] - n_i + (r - offsets[i]) and attends to the positions up to its own. Online softmax, f32
/// accumulation. Rows outside any sequence become zeros. Values of the pool past a context length are never read. A
/// row's result has the same bits in decode and in prefill. Fails with a diagnostic on the module if the configuration
/// is not supported.
mlir::FailureOr<mlir::func::FuncOp> emitAttention(mlir::OpBuilder &builder, mlir::ModuleOp module, llvm::StringRef name,
                                                  const AttentionConfig &config, const HostTarget &target);

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_ATTENTIONKERNEL_H
