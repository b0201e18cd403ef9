// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Whether versions of the KV cache may share one memory; part of lower-to-exec.
#ifndef MJOLNIR_PASSES_CACHEORDER_H
#define MJOLNIR_PASSES_CACHEORDER_H

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include <map>

namespace mjolnir {

/// A cache is a value, its pool one memory that appends change: a region may use a layer only of the version that was
/// appended to last, and what an entry returns must be what the memory holds in the end.
class CacheOrder {
public:
  /// Takes note of the next region in execution order; an error on it if it uses an older version.
  mlir::LogicalResult add(mj::FusionOp fusion);

  /// After the last region of `entry`: an error on it if it returns an older version.
  mlir::LogicalResult checkReturned(mlir::func::FuncOp entry);

private:
  bool reaches(mlir::Value version, mlir::Value append);
  /// The argument of the entry that `version` was made from.
  mlir::BlockArgument rootOf(mlir::Value version);

  /// By the number of the argument that the cache is, and by layer: the result of the last region that appended to it.
  std::map<std::pair<unsigned, int64_t>, mlir::Value> lastAppend;
  llvm::DenseMap<mlir::Value, mlir::Value> versions; ///< a version of the cache to the one it was made from
};

} // namespace mjolnir

#endif // MJOLNIR_PASSES_CACHEORDER_H
