// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// How a weight matrix lies in memory for the host's matmul kernels.
//
// A weight W[N,K] is cut in blocks of 16 rows. In a block, 16-bit elements lie as [ceil(K/2)][16][2], so that a 32-bit
// lane holds two neighbours of a row: widening is a shift and a mask, and the same bytes feed vdpbf16ps. 32-bit and
// 8-bit elements lie as [K][16]. One encoding serves decode, prefill and the gather of a tied embedding. Missing rows
// and the odd K are zeros.
#ifndef MJOLNIR_TARGETS_HOST_MATMULENCODING_H
#define MJOLNIR_TARGETS_HOST_MATMULENCODING_H

#include "targets/host/Element.h"

#include "mlir/IR/Builders.h"
#include <optional>
#include <string>

namespace mjolnir::host {

struct MatmulEncoding {
  static constexpr int64_t kRows = 16;

  Element element = Element::BF16; ///< F32, BF16 or F8

  /// Neighbours in a row that lie together: 2 for BF16, 1 for F32 and F8.
  int64_t pair() const { return element == Element::BF16 ? 2 : 1; }
  /// "rows16x2" for BF16, "rows16" for F32, "rows16.f8" for F8.
  std::string name() const {
    return element == Element::BF16 ? "rows16x2" : element == Element::F8 ? "rows16.f8" : "rows16";
  }
  static std::optional<MatmulEncoding> parse(llvm::StringRef name);

  int64_t blocks(int64_t n) const { return (n + kRows - 1) / kRows; }
  /// K rounded up to whole pairs.
  int64_t paddedK(int64_t k) const { return (k + pair() - 1) / pair() * pair(); }
  /// Shape of the packed buffer: [blocks, paddedK/pair, 16, 2] or [blocks, K, 16].
  llvm::SmallVector<int64_t> packedShape(int64_t n, int64_t k) const;
  int64_t packedElements(int64_t n, int64_t k) const { return blocks(n) * kRows * paddedK(k); }
  int64_t packedBytes(int64_t n, int64_t k) const { return packedElements(n, k) * elementBytes(element); }
  /// Where element (row, col) of W[n,k] lies, counted in elements:
  /// ((row / 16) * paddedK + col / pair * pair) * 16 + (row % 16) * pair + col % pair.
  int64_t offset(int64_t row, int64_t col, int64_t k) const {
    return ((row / kRows) * paddedK(k) + col / pair() * pair()) * kRows + (row % kRows) * pair() + col % pair();
  }

  bool operator==(const MatmulEncoding &) const = default;
};

/// Packs row-major `source`[n,k] of type `sourceElement` (F32, BF16 or F16; F8 into F8 only) into `packed`,
/// packedBytes(n, k) bytes, all of which are written. Conversion rounds to nearest even and keeps NaN. The result does
/// not depend on the CPU.
void packWeight(const MatmulEncoding &encoding, Element sourceElement, const void *source, int64_t n, int64_t k,
                void *packed);

/// The indices into a packed memref (packedShape) of element (row, col), both of type index. Use them to gather rows of
/// a tied embedding: `memref.load %packed[indices]`.
llvm::SmallVector<mlir::Value> packedIndices(mlir::OpBuilder &builder, mlir::Location loc,
                                             const MatmulEncoding &encoding, mlir::Value row, mlir::Value col);

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_MATMULENCODING_H
