// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Divides the KV cache of an entry between two pools; part of plan-paged-kv.
#ifndef MJOLNIR_PASSES_SPLITCACHE_H
#define MJOLNIR_PASSES_SPLITCACHE_H

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include <array>

namespace mjolnir {

/// Layers that are kept whole and layers of which a window is kept become caches of their own: an argument and a result
/// become two. Layers are counted anew in each.
class CacheSplit {
public:
  enum Part { whole = 0, window = 1 };

  /// `hasWindow` says of each layer of `cache` which part it belongs to; both have some.
  CacheSplit(mj::KvType cache, llvm::ArrayRef<bool> hasWindow);

  mj::KvType getType(Part part) const { return types[part]; }

  /// Divides the cache of `entry`. Its arguments name their pools, `pools`, by mj.pool. An error on an operation that
  /// uses layers of both parts.
  mlir::LogicalResult apply(mlir::func::FuncOp entry, std::array<llvm::StringRef, 2> pools);

private:
  /// The two caches that a version of the undivided one became.
  using Version = std::array<mlir::Value, 2>;

  void divideArguments(mlir::func::FuncOp entry, std::array<llvm::StringRef, 2> pools);
  void divideResults(mlir::func::FuncOp entry);
  mlir::LogicalResult divide(mlir::Operation *op);
  mlir::LogicalResult divideRegion(mj::FusionOp fusion);
  mlir::FailureOr<std::optional<Part>> partOf(mlir::Operation *op);
  void renumber(mlir::Operation *op, Part part);

  struct Place {
    Part part;
    int64_t layer;
  };
  llvm::SmallVector<Place> places; ///< by layer of the undivided cache
  std::array<mj::KvType, 2> types;
  llvm::DenseMap<mlir::Value, Version> versions;
};

} // namespace mjolnir

#endif // MJOLNIR_PASSES_SPLITCACHE_H
