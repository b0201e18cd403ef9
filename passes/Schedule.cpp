// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// schedule: which steps may overlap, which start early, what is replayed as a graph.
#include "passes/Dependences.h"
#include "passes/Lifetimes.h"
#include "passes/Passes.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

namespace mjolnir {
#define GEN_PASS_DEF_SCHEDULE
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

struct Schedule : mjolnir::impl::ScheduleBase<Schedule> {
  using Base::Base;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto entry : getOperation().getOps<exec::EntryOp>())
      schedule(entry, symbols);
  }

  static void schedule(exec::EntryOp entry, SymbolTable &symbols) {
    SmallVector<Operation *> steps = getSteps(entry);
    DependenceFinder finder(symbols);
    StepOrder order;
    unsigned edges = 0, dependent = 0;
    SmallVector<unsigned> depth;
    llvm::DenseMap<unsigned, unsigned> width;
    for (auto [index, step] : llvm::enumerate(steps)) {
      SmallVector<int64_t> after = reduce(finder.add(step), order);
      order.add(ArrayRef<int64_t>(after));
      edges += after.size();
      depth.push_back(0);
      for (int64_t earlier : after)
        depth.back() = std::max(depth.back(), depth[earlier] + 1);
      ++width[depth.back()];
      auto attribute = DenseI64ArrayAttr::get(entry.getContext(), after);
      if (auto copy = dyn_cast<exec::CopyOp>(step)) {
        copy.setAfterAttr(attribute);
        continue;
      }
      auto launch = cast<exec::LaunchOp>(step);
      launch.setAfterAttr(attribute);
      StringRef reason = whyNotDependent(index, steps, symbols);
      launch.setDependent(reason.empty());
      dependent += reason.empty();
      if (!reason.empty() && index > 0)
        decline(launch, index, reason);
    }
    // A graph of one kernel starts no sooner than the kernel.
    entry.setGraph(steps.size() > 1);
    unsigned widest = 0;
    for (unsigned level = 0; level < width.size(); ++level)
      widest = std::max(widest, width[level]);
    if (auto remark = remark::analysis(entry.getLoc(), remark::RemarkOpts::name("Steps").category("schedule")))
      remark << llvm::formatv(
                    "@{0}: {1} steps, {2} edges, {3} dependent launches, {4} steps one after the other, up to "
                    "{5} side by side; {6}",
                    entry.getSymName(), steps.size(), edges, dependent, width.size(), widest,
                    entry.getGraph() ? "one graph" : "no graph: one launch starts no sooner from a graph")
                    .str();
  }

  /// Without the steps that others of them wait for.
  static SmallVector<int64_t> reduce(ArrayRef<int64_t> conflicts, const StepOrder &order) {
    SmallVector<int64_t> after;
    // Later ones first: what comes before one that was kept follows from it.
    for (int64_t step : llvm::reverse(conflicts))
      if (llvm::none_of(after, [&](int64_t kept) { return order.isOrdered(step, kept); }))
        after.push_back(step);
    std::reverse(after.begin(), after.end());
    return after;
  }

  /// Why a launch cannot start before the step before it is complete. Its kernel waits for that one, which has waited
  /// for all that came before it: what the launch itself waits for does not matter.
  static StringRef whyNotDependent(size_t index, ArrayRef<Operation *> steps, SymbolTable &symbols) {
    if (index == 0)
      return "it is the first step";
    if (!isa<exec::LaunchOp>(steps[index - 1]))
      return "the step before it is a copy, which cannot let it start";
    auto isCall = [&](Operation *step) {
      return symbols.lookup<exec::KernelOp>(cast<exec::LaunchOp>(step).getKernel()).getLibraryAttr() != nullptr;
    };
    if (isCall(steps[index]))
      return "it is a call of a library, whose kernels do not wait by themselves";
    if (isCall(steps[index - 1]))
      return "the step before it is a call of a library, which does not let it start";
    if (findUnsafeEarlyOperand(cast<exec::LaunchOp>(steps[index]), steps.take_front(index), symbols))
      return "its kernel reads before it waits what another step writes";
    return {};
  }

  static void decline(exec::LaunchOp launch, size_t step, StringRef reason) {
    if (auto remark = remark::missed(launch.getLoc(), remark::RemarkOpts::name("Dependent").category("schedule")))
      remark << llvm::formatv("step {0}, @{1}, does not start early: {2}", step, launch.getKernel(), reason).str();
  }
};

} // namespace
