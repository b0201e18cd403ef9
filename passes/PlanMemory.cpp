// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// plan-memory: lifetimes to offsets in one arena.
#include "passes/ArenaPacking.h"
#include "passes/Passes.h"

#include "mjolnir/Target/Target.h"

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

struct PlanMemory : mjolnir::impl::PlanMemoryBase<PlanMemory> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<int64_t> align = getAlignment();
    if (failed(align))
      return signalPassFailure();
    SymbolTable symbols(module);
    for (auto entry : module.getOps<exec::EntryOp>())
      plan(entry, symbols, *align);
  }

  FailureOr<int64_t> getAlignment() {
    int64_t asked = alignment;
    if (asked == 0) {
      std::string error;
      std::unique_ptr<Target> chip = createTarget(target, error);
      if (!chip)
        return getOperation().emitError(error);
      asked = chip->bufferAlignment();
    }
    if (asked <= 0 || !llvm::isPowerOf2_64(asked))
      return getOperation().emitError() << "plan-memory needs an alignment that is a power of two, not " << asked;
    return asked;
  }

  /// Buffers that share a place, one written over the other, as one block.
  struct Plan {
    SmallVector<exec::ArenaBufferOp> buffers;
    SmallVector<ArenaBlock> blocks;
    llvm::DenseMap<Value, unsigned> blockOf;
  };

  static void plan(exec::EntryOp entry, SymbolTable &symbols, int64_t align) {
    Plan plan;
    for (auto &[buffer, lifetime] : computeLifetimes(entry)) {
      // A buffer that nothing touches has no place to need.
      if (buffer->use_empty()) {
        buffer.erase();
        continue;
      }
      plan.blockOf[buffer] = plan.blocks.size();
      plan.buffers.push_back(buffer);
      plan.blocks.push_back({lifetime, int64_t(llvm::alignTo(buffer.getBytes(), align))});
    }
    unsigned inPlace = shareBlocks(plan, findInPlace(entry, symbols));

    int64_t end = packArena(plan.blocks);
    for (exec::ArenaBufferOp buffer : plan.buffers)
      buffer.setOffset(plan.blocks[plan.blockOf[buffer]].offset);
    entry.setArenaBytes(end);
    entry.setArenaAlignment(align);
    if (auto remark = remark::analysis(entry.getLoc(), remark::RemarkOpts::name("Arena").category("plan-memory")))
      remark << llvm::formatv("arena of @{0}: {1} bytes for {2} buffers, largest live set {3} bytes, {4} in place",
                              entry.getSymName(), end, plan.buffers.size(), largestLiveSet(plan.blocks), inPlace)
                    .str();
  }

  /// Makes one block of two wherever a launch may write its result over an operand that it reads last, and leaves the
  /// blocks that remain in order. Returns how many results that were.
  static unsigned shareBlocks(Plan &plan, ArrayRef<InPlace> candidates) {
    SmallVector<bool> gone(plan.blocks.size(), false);
    llvm::DenseSet<Value> overwritten, placed;
    for (const InPlace &pair : candidates) {
      // One result over one operand.
      if (overwritten.contains(pair.read) || placed.contains(pair.written))
        continue;
      unsigned from = plan.blockOf[pair.read], to = plan.blockOf[pair.written];
      ArenaBlock &read = plan.blocks[from];
      const ArenaBlock &written = plan.blocks[to];
      if (StringRef reason = whyNot(pair.step, read, written); !reason.empty()) {
        decline(pair.launch, reason);
        continue;
      }
      read.lifetime.last = written.lifetime.last;
      plan.blockOf[pair.written] = from;
      gone[to] = true;
      overwritten.insert(pair.read);
      placed.insert(pair.written);
    }
    SmallVector<unsigned> moved(plan.blocks.size());
    SmallVector<ArenaBlock> left;
    for (auto [index, block] : llvm::enumerate(plan.blocks)) {
      moved[index] = left.size();
      if (!gone[index])
        left.push_back(block);
    }
    plan.blocks = std::move(left);
    for (exec::ArenaBufferOp buffer : plan.buffers)
      plan.blockOf[buffer] = moved[plan.blockOf[buffer]];
    return placed.size();
  }

  static StringRef whyNot(int64_t step, const ArenaBlock &read, const ArenaBlock &written) {
    if (read.lifetime.last > step)
      return "a later step reads the operand";
    if (written.lifetime.first < step)
      return "an earlier step uses the place of the result";
    if (read.bytes != written.bytes)
      return "operand and result differ in size";
    return {};
  }

  static void decline(exec::LaunchOp launch, StringRef reason) {
    if (auto remark = remark::missed(launch.getLoc(), remark::RemarkOpts::name("InPlace").category("plan-memory")))
      remark << llvm::formatv("@{0} is not in place: {1}", launch.getKernel(), reason).str();
  }
};

} // namespace
