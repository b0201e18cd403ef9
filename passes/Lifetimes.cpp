// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// When arena buffers of an entry are alive, and which of them may share a place.
#include "passes/Lifetimes.h"

#include <limits>

using namespace mlir;
using namespace mjolnir;

SmallVector<Operation *> mjolnir::getSteps(exec::EntryOp entry) {
  SmallVector<Operation *> steps;
  for (Operation &op : entry.getBody().front())
    if (isa<exec::LaunchOp, exec::CopyOp>(op))
      steps.push_back(&op);
  return steps;
}

SmallVector<std::pair<exec::ArenaBufferOp, Lifetime>> mjolnir::computeLifetimes(exec::EntryOp entry) {
  llvm::DenseMap<Operation *, int64_t> positions;
  for (Operation *step : getSteps(entry))
    positions[step] = positions.size();
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

SmallVector<InPlace> mjolnir::findInPlace(exec::EntryOp entry, SymbolTable &symbols) {
  SmallVector<InPlace> found;
  for (auto [step, op] : llvm::enumerate(getSteps(entry))) {
    auto launch = dyn_cast<exec::LaunchOp>(op);
    if (!launch)
      continue;
    auto kernel = symbols.lookup<exec::KernelOp>(launch.getKernel());
    if (!kernel || !kernel.getInPlaceAttr())
      continue;
    auto isOnce = [operands = launch.getOperands()](Value buffer) {
      return buffer.getDefiningOp<exec::ArenaBufferOp>() && llvm::count(operands, buffer) == 1;
    };
    for (auto pair : kernel.getInPlaceAttr().getAsRange<exec::InPlaceAttr>()) {
      Value read = launch.getOperands()[pair.getRead()], written = launch.getOperands()[pair.getWritten()];
      if (isOnce(read) && isOnce(written))
        found.push_back({int64_t(step), launch, read, written});
    }
  }
  return found;
}
