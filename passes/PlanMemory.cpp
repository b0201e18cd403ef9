// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// plan-memory: lifetimes to offsets in one arena.
#include "passes/Lifetimes.h"
#include "passes/Passes.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

namespace mjolnir {
#define GEN_PASS_DEF_PLANMEMORY
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

struct Placed {
  Lifetime lifetime;
  int64_t offset, bytes;
};

struct PlanMemory : mjolnir::impl::PlanMemoryBase<PlanMemory> {
  using Base::Base;

  void runOnOperation() override {
    exec::EntryOp entry = getOperation();
    if (alignment <= 0 || !llvm::isPowerOf2_64(alignment)) {
      entry.emitError() << "plan-memory needs an alignment that is a power of two, not " << int64_t(alignment);
      return signalPassFailure();
    }
    SmallVector<std::pair<exec::ArenaBufferOp, Lifetime>> buffers = computeLifetimes(entry);
    // A buffer that nothing touches has no place to need.
    llvm::erase_if(buffers, [](auto &buffer) {
      if (!buffer.first->use_empty())
        return false;
      buffer.first.erase();
      return true;
    });
    // Equal sizes keep their order.
    llvm::sort(buffers, [](const auto &a, const auto &b) {
      exec::ArenaBufferOp first = a.first, second = b.first;
      return first.getBytes() != second.getBytes() ? first.getBytes() > second.getBytes()
                                                   : first->isBeforeInBlock(second);
    });

    SmallVector<Placed> placed;
    int64_t end = 0;
    for (auto &[buffer, lifetime] : buffers) {
      int64_t bytes = llvm::alignTo(buffer.getBytes(), alignment);
      int64_t offset = findOffset(placed, lifetime, bytes);
      placed.push_back({lifetime, offset, bytes});
      buffer.setOffset(offset);
      end = std::max(end, offset + bytes);
    }
    entry.setArenaBytes(end);
    entry.setArenaAlignment(alignment);
    if (auto remark = remark::analysis(entry.getLoc(), remark::RemarkOpts::name("Arena").category("plan-memory")))
      remark << llvm::formatv("arena of @{0}: {1} bytes for {2} buffers, largest live set {3} bytes",
                              entry.getSymName(), end, placed.size(), largestLiveSet(placed))
                    .str();
  }

  /// The lowest offset where `bytes` fit beside everything that lives at the same time.
  static int64_t findOffset(ArrayRef<Placed> placed, Lifetime lifetime, int64_t bytes) {
    SmallVector<Placed> neighbours;
    llvm::copy_if(placed, std::back_inserter(neighbours),
                  [&](const Placed &other) { return other.lifetime.overlaps(lifetime); });
    llvm::sort(neighbours, [](const Placed &a, const Placed &b) { return a.offset < b.offset; });
    int64_t offset = 0;
    for (const Placed &neighbour : neighbours) {
      if (offset + bytes <= neighbour.offset)
        break;
      offset = std::max(offset, neighbour.offset + neighbour.bytes);
    }
    return offset;
  }

  static int64_t largestLiveSet(ArrayRef<Placed> placed) {
    int64_t largest = 0;
    for (const Placed &at : placed) {
      int64_t live = 0;
      for (const Placed &other : placed)
        if (other.lifetime.first <= at.lifetime.first && at.lifetime.first <= other.lifetime.last)
          live += other.bytes;
      largest = std::max(largest, live);
    }
    return largest;
  }
};

} // namespace
