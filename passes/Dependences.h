// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which steps of an entry must not overlap; part of schedule and verify-phase.
#ifndef MJOLNIR_PASSES_DEPENDENCES_H
#define MJOLNIR_PASSES_DEPENDENCES_H

#include "mjolnir/Dialect/Exec/ExecDialect.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/MapVector.h"
#include <map>

namespace mjolnir {

/// Memory that a step touches: bytes [begin, end) of a buffer, of the arena, or of a page of a pool.
struct MemoryAccess {
  const void *space; ///< the arena, a pool, or an argument of the entry
  int64_t begin, end;
  bool reads, writes;
};

/// Finds the earlier steps that a step must come after, because one of the two writes what the other touches. Weights
/// are never written and take no part; buffers that plan-memory has not yet placed are memory of their own.
class DependenceFinder {
public:
  explicit DependenceFinder(mlir::SymbolTable &symbols) : symbols(symbols) {}

  /// To be called with each step in order, the numbers counting from 0: the steps that it conflicts with, ascending and
  /// each once, as far as they do not follow from conflicts among those: of the writes to a byte only the last.
  llvm::SmallVector<int64_t> add(mlir::Operation *step);

private:
  struct Piece {
    int64_t end;
    int64_t writer = -1;
    llvm::SmallVector<int64_t, 4> readers; ///< since it was written
  };
  using Pieces = std::map<int64_t, Piece>; ///< by begin

  void split(Pieces &pieces, int64_t at);
  void cover(Pieces &pieces, int64_t begin, int64_t end);
  template <typename Body> void visit(const MemoryAccess &access, Body body);

  mlir::SymbolTable &symbols;
  llvm::DenseMap<const void *, Pieces> spaces;
  int64_t next = 0;
};

/// What `step`, a launch or a copy, touches.
llvm::SmallVector<MemoryAccess> getAccesses(mlir::Operation *step, mlir::SymbolTable &symbols);

/// The steps that are complete when a step may start, by the `after` of all steps up to it.
class StepOrder {
public:
  /// To be called with each step in order: `after` is what it waits for, nullopt for all before it.
  void add(std::optional<llvm::ArrayRef<int64_t>> after);

  /// Whether `earlier` is complete when `later` may start.
  bool isOrdered(int64_t earlier, int64_t later) const { return before[later].test(earlier); }

private:
  std::vector<llvm::BitVector> before;
};

/// The `after` of a launch or copy.
std::optional<llvm::ArrayRef<int64_t>> getAfter(mlir::Operation *step);

/// The first operand that the kernel of `launch` reads before it waits although it must not: what earlier steps write,
/// and arena memory, which an earlier value may share.
std::optional<int64_t> findUnsafeEarlyOperand(exec::LaunchOp launch, llvm::ArrayRef<mlir::Operation *> earlier,
                                              mlir::SymbolTable &symbols);

} // namespace mjolnir

#endif // MJOLNIR_PASSES_DEPENDENCES_H
