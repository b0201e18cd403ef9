// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a planned program must be like.
#include "passes/VerifyPlan.h"

#include "passes/Dependences.h"
#include "passes/Lifetimes.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;

namespace {

exec::KernelOp kernelOf(exec::LaunchOp launch, SymbolTable &symbols) {
  return symbols.lookup<exec::KernelOp>(launch.getKernel());
}

/// The arena buffers that live at one step, by offset.
class LiveBuffers {
public:
  explicit LiveBuffers(int64_t alignment) : alignment(alignment) {}

  LogicalResult add(exec::ArenaBufferOp buffer) {
    if (!buffer.getOffset())
      return buffer.emitOpError("has no offset after plan-memory");
    int64_t begin = *buffer.getOffset(), end = begin + int64_t(buffer.getBytes());
    if (begin % alignment)
      return buffer.emitOpError("is at offset ") << begin << ", which is not aligned to " << alignment << " bytes";
    // What lives does not overlap: only the neighbours can.
    auto next = live.lower_bound(begin);
    if (next != live.end() && next->first < end)
      return refuse(buffer, next->second);
    if (next != live.begin())
      if (auto other = std::prev(next)->second; int64_t(*other.getOffset() + other.getBytes()) > begin)
        return refuse(buffer, other);
    live.emplace(begin, buffer);
    return success();
  }

  void remove(exec::ArenaBufferOp buffer) {
    if (auto found = live.find(*buffer.getOffset()); found != live.end() && found->second == buffer)
      live.erase(found);
  }

private:
  static LogicalResult refuse(exec::ArenaBufferOp buffer, exec::ArenaBufferOp other) {
    if (other->isBeforeInBlock(buffer))
      std::swap(buffer, other);
    auto rangeOf = [](exec::ArenaBufferOp op) {
      return llvm::formatv("{0} to {1}", *op.getOffset(), *op.getOffset() + op.getBytes()).str();
    };
    return (buffer.emitOpError("overlaps another that lives at the same time: bytes ")
            << rangeOf(buffer) << " and " << rangeOf(other))
               .attachNote(other.getLoc())
           << "the other buffer";
  }

  int64_t alignment;
  std::map<int64_t, exec::ArenaBufferOp> live;
};

LogicalResult verifyArena(exec::EntryOp entry, SymbolTable &symbols) {
  if (!entry.getArenaBytes())
    return entry.emitOpError("has no arena size after plan-memory");
  size_t steps = getSteps(entry).size();
  std::vector<SmallVector<exec::ArenaBufferOp, 2>> begins(steps), ends(steps);
  llvm::DenseMap<Value, Lifetime> lifetimes;
  LiveBuffers live(entry.getArenaAlignment().value_or(1));
  for (auto [buffer, lifetime] : computeLifetimes(entry)) {
    if (lifetime.first > lifetime.last)
      continue;
    begins[lifetime.first].push_back(buffer);
    ends[lifetime.last].push_back(buffer);
    lifetimes[buffer] = lifetime;
  }
  // A result over an operand is added after the operand has left, so that any other buffer there overlaps it still.
  std::vector<SmallVector<InPlace, 1>> inPlace(steps);
  llvm::DenseSet<Value> over;
  for (const InPlace &pair : findInPlace(entry, symbols)) {
    auto read = pair.read.getDefiningOp<exec::ArenaBufferOp>(),
         written = pair.written.getDefiningOp<exec::ArenaBufferOp>();
    if (lifetimes[read].last == pair.step && lifetimes[written].first == pair.step && read.getOffset() &&
        read.getOffset() == written.getOffset() && read.getBytes() == written.getBytes() && over.insert(written).second)
      inPlace[pair.step].push_back(pair);
  }
  for (size_t step = 0; step < steps; ++step) {
    for (exec::ArenaBufferOp buffer : begins[step])
      if (!over.contains(buffer) && failed(live.add(buffer)))
        return failure();
    for (const InPlace &pair : inPlace[step]) {
      live.remove(pair.read.getDefiningOp<exec::ArenaBufferOp>());
      if (failed(live.add(pair.written.getDefiningOp<exec::ArenaBufferOp>())))
        return failure();
    }
    for (exec::ArenaBufferOp buffer : ends[step])
      live.remove(buffer);
  }
  return success();
}

/// That no step may overlap one that it must come after, and that only launches start early.
LogicalResult verifySteps(exec::EntryOp entry, SymbolTable &symbols) {
  SmallVector<Operation *> steps = getSteps(entry);
  DependenceFinder finder(symbols);
  StepOrder order;
  for (auto [index, step] : llvm::enumerate(steps)) {
    SmallVector<int64_t> conflicts = finder.add(step);
    order.add(getAfter(step));
    for (int64_t earlier : conflicts)
      if (!order.isOrdered(earlier, index))
        return (step->emitOpError("is step ") << index << " and does not wait for step " << earlier
                                              << "; one of the two writes what the other touches")
                   .attachNote(steps[earlier]->getLoc())
               << "step " << earlier;
    auto launch = dyn_cast<exec::LaunchOp>(step);
    if (!launch) {
      if (step->hasAttr("dependent"))
        return step->emitOpError("is dependent: only launches can start before what they wait for is complete");
      continue;
    }
    for (auto [operand, access] : llvm::zip(launch.getOperands(), kernelOf(launch, symbols).getAccesses()))
      if (operand.getDefiningOp<exec::WeightBufferOp>() &&
          cast<exec::AccessAttr>(access).getValue() != exec::Access::read)
        return launch.emitOpError(
            "writes a weight; weights are shared by all sessions, and read before a launch waits");
    if (!launch.getDependent())
      continue;
    if (index == 0)
      return launch.emitOpError("is dependent and the first step: there is no launch that could let it start");
    if (Operation *before = steps[index - 1]; !isa<exec::LaunchOp>(before))
      return (launch.emitOpError("is dependent, and the step before it is no launch")).attachNote(before->getLoc())
             << "step " << index - 1;
    for (Operation *edge : {steps[index - 1], steps[index]})
      if (kernelOf(cast<exec::LaunchOp>(edge), symbols).getLibraryAttr())
        return (launch.emitOpError("is dependent, and ")
                << (edge == step ? "it" : "the step before it")
                << " is a call of a library: no dependent edge leaves or enters one")
                   .attachNote(edge->getLoc())
               << "the call";
    if (auto unsafe = findUnsafeEarlyOperand(launch, ArrayRef(steps).take_front(index), symbols))
      return launch.emitOpError("is dependent, and its kernel reads operand ")
             << *unsafe << " before it waits, which another step may write";
  }
  return success();
}

/// That there is one pool, or one that keeps whole sequences beside one that keeps a window.
LogicalResult verifyPools(ModuleOp module) {
  auto pools = llvm::to_vector(module.getOps<exec::KvPoolOp>());
  int64_t windowed = llvm::count_if(pools, [](exec::KvPoolOp pool) { return pool.getWindow().has_value(); });
  if (pools.size() < 2)
    return success();
  if (pools.size() > 2 || windowed != 1)
    return pools[1].emitOpError("is one of ") << pools.size() << " pools, " << windowed
                                              << " with a window; a program has one pool, or two, one with a window";
  if (pools[0].getPageSize() != pools[1].getPageSize())
    return pools[1].emitOpError("has pages of ")
           << static_cast<int64_t>(pools[1].getPageSize()) << " tokens, the other pool of "
           << static_cast<int64_t>(pools[0].getPageSize());
  return success();
}

/// That `launch` reads no further back than its pool keeps.
LogicalResult verifyWindow(exec::LaunchOp launch, SymbolTable &symbols) {
  for (Value operand : launch.getOperands()) {
    auto buffer = operand.getDefiningOp<exec::PoolBufferOp>();
    auto pool = buffer ? symbols.lookup<exec::KvPoolOp>(buffer.getPool()) : exec::KvPoolOp();
    int64_t window = pool ? pool.getWindow().value_or(0) : 0;
    for (auto attention : kernelOf(launch, symbols).getBody().front().getOps<mj::AttentionOp>())
      if (int64_t reads = attention.getWindow().value_or(0); window && (reads == 0 || reads > window)) {
        InFlightDiagnostic error = attention.emitOpError("reads ");
        if (reads)
          error << "the last " << reads;
        else
          error << "all";
        return error << " tokens, but the pool keeps the last " << window;
      }
  }
  return success();
}

/// That kernels find the scratch that they ask for, and what they read back.
LogicalResult verifyMemoryOfKernels(ModuleOp module, SymbolTable &symbols) {
  if (failed(verifyPools(module)))
    return failure();
  for (auto entry : module.getOps<exec::EntryOp>())
    for (auto launch : entry.getBody().front().getOps<exec::LaunchOp>()) {
      if (failed(verifyWindow(launch, symbols)))
        return failure();
      std::optional<uint64_t> scratch = kernelOf(launch, symbols).getScratch();
      auto buffer = scratch ? launch.getOperands().back().getDefiningOp<exec::ArenaBufferOp>() : exec::ArenaBufferOp();
      if (scratch && (!buffer || buffer.getBytes() < *scratch))
        return launch.emitOpError("ends in no arena buffer of the ") << *scratch << " bytes of scratch of its kernel";
    }
  return success();
}

} // namespace

LogicalResult mjolnir::verifyPlan(ModuleOp module) {
  SymbolTable symbols(module);
  for (auto entry : module.getOps<exec::EntryOp>())
    if (failed(verifyArena(entry, symbols)) || failed(verifySteps(entry, symbols)))
      return failure();
  return verifyMemoryOfKernels(module, symbols);
}
