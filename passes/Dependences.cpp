// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which steps of an entry must not overlap.
#include "passes/Dependences.h"

#include "mjolnir/Target/Target.h"

using namespace mlir;
using namespace mjolnir;

/// The memory of `buffer`, `bytes` of it (-1: all); nullopt for a weight.
static std::optional<MemoryAccess> locate(Value buffer, SymbolTable &symbols, int64_t bytes) {
  if (isa<BlockArgument>(buffer))
    // Callers give whole tensors; which bytes of one is not told apart.
    return MemoryAccess{buffer.getAsOpaquePointer(), 0, 1, false, false};
  Operation *op = buffer.getDefiningOp();
  if (auto part = dyn_cast<exec::PartOp>(op))
    return locate(part.getBuffer(), symbols, bytes);
  if (auto arena = dyn_cast<exec::ArenaBufferOp>(op)) {
    int64_t size = bytes < 0 ? int64_t(arena.getBytes()) : bytes;
    if (!arena.getOffset())
      return MemoryAccess{buffer.getAsOpaquePointer(), 0, size, false, false};
    int64_t begin = *arena.getOffset();
    return MemoryAccess{op->getParentOp(), begin, begin + size, false, false};
  }
  if (auto layer = dyn_cast<exec::PoolBufferOp>(op)) {
    auto pool = symbols.lookup<exec::KvPoolOp>(layer.getPool());
    int64_t begin = layer.getOffset();
    return MemoryAccess{pool.getOperation(), begin, begin + pool.getLayerBytes(), false, false};
  }
  if (auto state = dyn_cast<exec::StateBufferOp>(op))
    return MemoryAccess{symbols.lookup(state.getState()), 0, 1, false, false};
  return std::nullopt;
}

SmallVector<MemoryAccess> mjolnir::getAccesses(Operation *step, SymbolTable &symbols) {
  SmallVector<MemoryAccess> accesses;
  auto add = [&](Value buffer, bool reads, bool writes, int64_t bytes = -1) {
    if (std::optional<MemoryAccess> access = locate(buffer, symbols, bytes)) {
      access->reads = reads;
      access->writes = writes;
      accesses.push_back(*access);
    }
  };
  if (auto launch = dyn_cast<exec::LaunchOp>(step)) {
    auto kernel = symbols.lookup<exec::KernelOp>(launch.getKernel());
    for (auto [operand, attribute] : llvm::zip(launch.getOperands(), kernel.getAccesses())) {
      exec::Access access = cast<exec::AccessAttr>(attribute).getValue();
      add(operand, access != exec::Access::write, access != exec::Access::read);
    }
  } else if (auto copy = dyn_cast<exec::CopyOp>(step)) {
    add(copy.getSource(), true, false, copy.getBytes());
    add(copy.getDestination(), false, true, copy.getBytes());
  }
  return accesses;
}

std::optional<ArrayRef<int64_t>> mjolnir::getAfter(Operation *step) {
  auto launch = dyn_cast<exec::LaunchOp>(step);
  return launch ? launch.getAfter() : cast<exec::CopyOp>(step).getAfter();
}

//===----------------------------------------------------------------------===//
// DependenceFinder
//===----------------------------------------------------------------------===//

/// Makes `at` a border between pieces, if a piece lies there.
void DependenceFinder::split(Pieces &pieces, int64_t at) {
  auto next = pieces.upper_bound(at);
  if (next == pieces.begin())
    return;
  auto piece = std::prev(next);
  if (piece->first == at || piece->second.end <= at)
    return;
  Piece right = piece->second;
  piece->second.end = at;
  pieces.emplace(at, std::move(right));
}

/// Makes pieces border at `begin` and `end` and fill what is between.
void DependenceFinder::cover(Pieces &pieces, int64_t begin, int64_t end) {
  split(pieces, begin);
  split(pieces, end);
  for (int64_t at = begin; at < end;) {
    auto piece = pieces.lower_bound(at);
    if (piece != pieces.end() && piece->first == at) {
      at = piece->second.end;
      continue;
    }
    int64_t until = piece == pieces.end() ? end : std::min(end, piece->first);
    pieces.emplace(at, Piece{until, -1, {}});
    at = until;
  }
}

template <typename Body> void DependenceFinder::visit(const MemoryAccess &access, Body body) {
  Pieces &pieces = spaces[access.space];
  cover(pieces, access.begin, access.end);
  for (auto piece = pieces.lower_bound(access.begin); piece != pieces.end() && piece->first < access.end; ++piece)
    body(piece->second);
}

SmallVector<int64_t> DependenceFinder::add(Operation *step) {
  SmallVector<int64_t> conflicts;
  SmallVector<MemoryAccess> accesses = getAccesses(step, symbols);
  for (const MemoryAccess &access : accesses)
    visit(access, [&](Piece &piece) {
      if (piece.writer >= 0)
        conflicts.push_back(piece.writer);
      if (access.writes)
        llvm::append_range(conflicts, piece.readers);
    });
  // Only now: what the step reads and writes itself is no conflict.
  for (const MemoryAccess &access : accesses)
    visit(access, [&](Piece &piece) {
      if (access.writes) {
        piece.writer = next;
        piece.readers.clear();
      } else if (piece.writer != next && (piece.readers.empty() || piece.readers.back() != next)) {
        piece.readers.push_back(next);
      }
    });
  ++next;
  llvm::sort(conflicts);
  conflicts.erase(llvm::unique(conflicts), conflicts.end());
  return conflicts;
}

//===----------------------------------------------------------------------===//
// StepOrder
//===----------------------------------------------------------------------===//

void StepOrder::add(std::optional<ArrayRef<int64_t>> after) {
  int64_t step = before.size();
  llvm::BitVector complete(step, !after);
  for (int64_t earlier : after.value_or(ArrayRef<int64_t>())) {
    complete |= before[earlier];
    complete.set(earlier);
  }
  complete.resize(step);
  before.push_back(std::move(complete));
}

/// Whether two operands are the same memory of an entry's caller, of a pool or of a state.
static bool isSameBuffer(Value a, Value b) {
  auto poolA = a.getDefiningOp<exec::PoolBufferOp>(), poolB = b.getDefiningOp<exec::PoolBufferOp>();
  auto stateA = a.getDefiningOp<exec::StateBufferOp>(), stateB = b.getDefiningOp<exec::StateBufferOp>();
  if (stateA && stateB)
    return stateA.getState() == stateB.getState();
  return a == b || (poolA && poolB && poolA.getPool() == poolB.getPool() && poolA.getOffset() == poolB.getOffset());
}

std::optional<int64_t> mjolnir::findUnsafeEarlyOperand(exec::LaunchOp launch, ArrayRef<Operation *> earlier,
                                                       SymbolTable &symbols) {
  auto kernelOf = [&](exec::LaunchOp op) { return symbols.lookup<exec::KernelOp>(op.getKernel()); };
  auto isWritten = [&](Value buffer) {
    return llvm::any_of(earlier, [&](Operation *step) {
      auto other = dyn_cast<exec::LaunchOp>(step);
      if (!other)
        return isSameBuffer(cast<exec::CopyOp>(step).getDestination(), buffer);
      return llvm::any_of(llvm::zip(other.getOperands(), kernelOf(other).getAccesses()), [&](auto pair) {
        auto [operand, access] = pair;
        return cast<exec::AccessAttr>(access).getValue() != exec::Access::read && isSameBuffer(operand, buffer);
      });
    });
  };
  for (int64_t index : kernelOf(launch).getEarly().value_or(ArrayRef<int64_t>())) {
    Value operand = launch.getOperands()[index];
    if (operand.getDefiningOp<exec::WeightBufferOp>())
      continue;
    bool isOfBefore = isa<BlockArgument>(operand) ||
                      isa_and_nonnull<exec::PoolBufferOp, exec::StateBufferOp>(operand.getDefiningOp());
    if (!isOfBefore || isWritten(operand))
      return index;
  }
  return std::nullopt;
}
