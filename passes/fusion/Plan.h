// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which operations of an entry are one region, and in which order regions run; part of form-fusions.
#ifndef MJOLNIR_PASSES_FUSION_PLAN_H
#define MJOLNIR_PASSES_FUSION_PLAN_H

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace mjolnir::fusion {

/// Whether `op` stays between regions: it names data, or is copied into every region that uses it (constants).
bool staysOutside(mlir::Operation *op);

/// Values that are there before all regions and that can give a shape: arguments and fields of the batch. Weights give
/// none: a target may store them in another way.
class Shapes {
public:
  explicit Shapes(mlir::Block &block);

  /// A value with the leading size of `value`; null if there is none.
  mlir::Value find(mlir::Value value) const;
  /// Whether `operand` gives a shape only, which another value can give: it orders nothing.
  bool isShapeOnly(mlir::OpOperand &operand) const;

private:
  llvm::DenseMap<int64_t, mlir::Value> values; ///< by leading size
};

/// Regions as sets of operations of a block that nothing is done to yet. An operation is owned by one region, which
/// gives its results to others; more regions may hold copies of it, for themselves. An operation that is only copied
/// has no owner. Regions are kept in an order in which they can run.
class FusionPlan {
public:
  using Id = unsigned;

  /// One region an operation, in the order of `block`.
  explicit FusionPlan(mlir::Block &block);

  const Shapes &getShapes() const { return shapes; }

  /// The regions, in order.
  llvm::SmallVector<Id> regions() const;

  /// The operations of a region, copies among them, in the order of the block.
  llvm::ArrayRef<mlir::Operation *> operations(Id region) const { return content[region].ops; }
  bool contains(Id region, mlir::Operation *op) const { return content[region].members.contains(op); }
  /// The region that owns `op`; nullopt if it stays outside or is only copied.
  std::optional<Id> ownerOf(mlir::Operation *op) const;
  /// All regions that hold `op`.
  llvm::ArrayRef<Id> holdersOf(mlir::Operation *op) const;
  /// Whether `op` comes before `other` in the block.
  bool isBefore(mlir::Operation *op, mlir::Operation *other) const { return index.at(op) < index.at(other); }

  /// Whether someone but `region` needs `value`, which it owns: another region, or the end of the entry.
  bool isNeededOutside(mlir::Value value, Id region) const;
  /// The same, if the operations of `more` were in the region, too.
  bool isNeededOutside(mlir::Value value, Id region, llvm::function_ref<bool(mlir::Operation *)> more) const;

  /// Calls `visit` with each region that reads what `region` owns, possibly more than once.
  void forEachReader(Id region, llvm::function_ref<void(Id)> visit) const;

  /// Whether region `a` is before `b` in the order.
  bool runsBefore(Id a, Id b) const { return content[a].slot < content[b].slot; }

  /// Whether `to` needs, over any number of regions, what `from` computes.
  bool reaches(Id from, Id to) const;

  /// Why regions cannot be one for the sake of order; empty if they can: another needs one of them and is needed by
  /// one, or they are far apart.
  llvm::StringRef whyNotMerge(llvm::ArrayRef<Id> regions) const;
  /// Makes two regions, for which there is no such reason, one: the first of them in the order.
  Id merge(Id a, Id b);

  /// Puts a copy of `op` into `region`, which reads it.
  void addCopy(Id region, mlir::Operation *op);
  /// Ends the ownership of operations that all their readers hold copies of.
  void disown(Id region);

private:
  struct Content {
    llvm::SmallVector<mlir::Operation *> ops;
    llvm::SmallDenseSet<mlir::Operation *, 8> members;
    unsigned slot = 0;
  };

  /// Regions that `from` reaches and whose slots are before `end`.
  llvm::SmallDenseSet<Id> reachedBefore(Id from, unsigned end) const;
  void insert(Id region, mlir::Operation *op);

  llvm::SmallVector<Content> content;
  llvm::SmallVector<std::optional<Id>> order; ///< slots; those of regions that are gone are empty
  llvm::DenseMap<mlir::Operation *, unsigned> index;
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<Id, 1>> holders;
  llvm::DenseMap<mlir::Operation *, Id> owners;
  Shapes shapes;
};

} // namespace mjolnir::fusion

#endif // MJOLNIR_PASSES_FUSION_PLAN_H
