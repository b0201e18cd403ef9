// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a row of a region is for schedule host.rows, and what of it is kept on the stack.
#ifndef MJOLNIR_TARGETS_HOST_ROWPLAN_H
#define MJOLNIR_TARGETS_HOST_ROWPLAN_H

#include "mlir/IR/Block.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/SmallVector.h"

namespace mjolnir::host {

/// Bytes of stack that a kernel may use; threads have several megabytes.
inline constexpr int64_t kStackLimit = int64_t(1) << 20;

/// How a region is divided into rows, for its number of tiles and its code alike.
///
/// A row is what the first `shape.size()` indices of all results have in common. That is one axis, or several where
/// rows would be few or large and no operation combines elements along those axes; none where the leading axis itself
/// is combined: then the whole region is one row.
class RowPlan {
public:
  explicit RowPlan(mlir::Block &body);

  llvm::SmallVector<int64_t> shape;

  int64_t countRows() const;
  /// Bytes of buffers that one row needs.
  int64_t stackBytes() const { return bytes; }
  /// Whether the pointwise `op` is computed once for several users, and not again by each.
  bool isStored(mlir::Operation *op) const { return stored.contains(op); }

private:
  int64_t bytes = 0;
  llvm::SmallPtrSet<mlir::Operation *, 8> stored;
};

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_ROWPLAN_H
