// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// When arena buffers of an entry are alive.
#include "passes/Lifetimes.h"

#include <limits>

using namespace mlir;
using namespace mjolnir;

SmallVector<std::pair<exec::ArenaBufferOp, Lifetime>> mjolnir::computeLifetimes(exec::EntryOp entry) {
  llvm::DenseMap<Operation *, int64_t> positions;
  for (auto [position, op] : llvm::enumerate(entry.getBody().front()))
    positions[&op] = position;
  SmallVector<std::pair<exec::ArenaBufferOp, Lifetime>> buffers;
  for (auto buffer : entry.getBody().front().getOps<exec::ArenaBufferOp>()) {
    Lifetime lifetime{std::numeric_limits<int64_t>::max(), -1};
    for (Operation *user : buffer->getUsers()) {
      lifetime.first = std::min(lifetime.first, positions[user]);
      lifetime.last = std::max(lifetime.last, positions[user]);
    }
    buffers.emplace_back(buffer, lifetime);
  }
  return buffers;
}
