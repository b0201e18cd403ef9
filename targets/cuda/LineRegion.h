// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Regions whose results are made line by line: rows, or heads of rows, that norms, softmax and reductions combine.
#ifndef MJOLNIR_TARGETS_CUDA_LINEREGION_H
#define MJOLNIR_TARGETS_CUDA_LINEREGION_H

#include "mjolnir/Dialect/Mj/MjDialect.h"
#include "targets/cuda/Profiles.h"

#include <optional>

namespace mjolnir::cuda {

/// What is made of a line: a result of the region, or what an append writes.
struct LineRoot {
  mlir::Value value; ///< behind reshapes that keep lines as they are
  int result = -1;   ///< its number; -1 for an append
  mj::KvAppendOp append;
  bool isKey = false;    ///< of the append, else its value
  bool isScalar = false; ///< one element a line, else the whole line
};

/// Roots whose lines are counted by the same leading axes.
struct LineSet {
  llvm::SmallVector<int64_t> leading; ///< sizes of the axes before the line's
  int64_t count = 1;                  ///< lines
  llvm::SmallVector<LineRoot> roots;
};

/// A region whose every result is made of lines of `length` elements, each from the same line of its operands and from
/// what is the same for all lines, or for a row.
struct LineRegion {
  int64_t length = 0;
  int64_t width = 1;    ///< elements that a thread moves at once
  bool rotates = false; ///< pairs elements half a line apart
  int64_t operands = 0; ///< tensors that are as large as the largest set's lines
  llvm::SmallVector<LineSet> sets;

  /// Nothing if the region is of another kind.
  static std::optional<LineRegion> find(mlir::Block &body);
  /// Lanes that hold a line on this chip: a power of two; 0 if registers do not suffice.
  int64_t chooseLanes(const CudaProfile &profile) const;
  /// Whether kernels can be made of blocks of `threads` threads with so many lanes a line.
  bool takesLanes(int64_t lanes, int64_t threads) const;
  /// Vectors of a line that a thread holds at most.
  static constexpr int64_t kMostVectors = 8;
  /// Vectors of `width` elements that each of `lanes` threads holds of a line.
  int64_t countVectors(int64_t lanes) const;
  /// Blocks of `threads` threads that the lines of `set` take.
  static int64_t countBlocks(const LineSet &set, int64_t threads, int64_t lanes);
};

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_LINEREGION_H
