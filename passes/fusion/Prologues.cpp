// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What feeds an anchor, in its region: heads of attention, rows of small matmuls.
#include "passes/fusion/Planner.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "passes/Weights.h"
#include "passes/fusion/RegionRules.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"
#include <queue>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::fusion;
using mj::tensorOf;

Planner::Ops Planner::collectProducers(ArrayRef<Value> roots, function_ref<bool(Operation *)> mayJoin,
                                       function_ref<bool(OpOperand &)> isReader) const {
  // From the last operation to the first: all readers of one have been seen before it.
  auto isEarlier = [&](Operation *a, Operation *b) { return plan.isBefore(a, b); };
  std::priority_queue<Operation *, std::vector<Operation *>, decltype(isEarlier)> waiting(isEarlier);
  SmallPtrSet<Operation *, 16> seen, joined;
  auto add = [&](Value value) {
    Operation *producer = value.getDefiningOp();
    // Copies of broadcasts come with their reader; what they read counts as its operand.
    if (auto broadcast = dyn_cast_if_present<mj::BroadcastOp>(producer); broadcast && !plan.ownerOf(producer))
      producer = broadcast.getSource().getDefiningOp();
    if (producer && plan.ownerOf(producer) && seen.insert(producer).second)
      waiting.push(producer);
  };
  llvm::for_each(roots, add);
  Ops result;
  while (!waiting.empty()) {
    Operation *op = waiting.top();
    waiting.pop();
    auto isInside = [&](auto &self, OpOperand &use) -> bool {
      Operation *user = use.getOwner();
      if (isReader(use) || plan.getShapes().isShapeOnly(use))
        return true;
      if (mj::readsWhole(use))
        return false;
      bool isCopied = isa<mj::BroadcastOp>(user) && !plan.ownerOf(user);
      return joined.contains(user) ||
             (isCopied && llvm::all_of(user->getUses(), [&](OpOperand &next) { return self(self, next); }));
    };
    if (!llvm::all_of(op->getUses(), [&](OpOperand &use) { return isInside(isInside, use); }) || !aloneIn(op) ||
        !mayJoin(op))
      continue;
    joined.insert(op);
    result.push_back(op);
    llvm::for_each(op->getOperands(), add);
  }
  std::reverse(result.begin(), result.end());
  return result;
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

void Planner::joinAttentionPrologues() {
  for (Id region : plan.regions())
    for (Operation *op : plan.operations(region))
      if (auto attention = dyn_cast<mj::AttentionOp>(op)) {
        joinAttentionPrologue(region, attention);
        break;
      }
}

void Planner::joinAttentionPrologue(Id region, mj::AttentionOp attention) {
  auto append = attention.getKv().getDefiningOp<mj::KvAppendOp>();
  if (append && (append.getLayer() != attention.getLayer() || !aloneIn(append)))
    append = {};
  // What works on each head by itself: its block computes it.
  int64_t headDim = attention.getKv().getType().getHeadDim();
  auto isHeadwise = [&](Operation *op) {
    if (auto norm = dyn_cast<mj::NormOp>(op))
      return tensorOf(norm.getX()).getRank() == 3 && tensorOf(norm.getX()).getDimSize(2) == headDim;
    return isa<mj::RopeOp, mj::ReshapeOp, mj::SliceOp>(op) ? mj::isRowwise(op)
                                                           : mj::isPointwise(op) && !isa<mj::QuantizeOp>(op);
  };
  SmallVector<Value> roots{attention.getQuery()};
  if (append)
    llvm::append_values(roots, append.getKey(), append.getValue());
  Ops producers = collectProducers(roots, isHeadwise, [&](OpOperand &use) {
    return use.getOwner() == attention || (append && use.getOwner() == append);
  });
  if (producers.empty() && !append)
    return;
  auto done = "joined as a prologue";
  std::string subject = describe(attention.getOperation());
  if (!rules.attentionPrologue)
    return refuse(attention.getLoc(), "Prologue", subject, done, "the target's attention has no prologue");

  mj::BatchType batch = attention.getBatch().getType();
  Ops joined(producers);
  if (append)
    joined.push_back(append);
  // Each block computes the heads that it works on. Where there are fewer sequences and kv heads than processors,
  // several blocks share those of one context.
  int64_t contexts = batch.getSequences() * attention.getKv().getType().getHeads();
  int64_t parts = std::max<int64_t>(profile.processors / contexts, 1);
  Balance balance{bytesOf(plan, region) + bytesTogether(joined), 0, flopsOf(producers) * double(parts - 1), 1};
  if (!mayAppendAndAttend(batch)) {
    // Rows of a sequence attend to each other: whoever reads keys of this step would compute them. A block of 64
    // queries for each query head is assumed.
    int64_t blocks = llvm::divideCeil(batch.getTokens(), 64);
    return refuse(attention.getLoc(), "Prologue", subject, done,
                  llvm::formatv("{0} rows of {1} sequence{2} attend to each other; each of {3} blocks of a head would "
                                "compute keys that others do, {4:F1} MFLOP for {5:F1}",
                                batch.getTokens(), batch.getSequences(), batch.getSequences() == 1 ? "" : "s", blocks,
                                flopsOf(producers) * double(blocks) / 1e6, flopsOf(producers) / 1e6)
                      .str());
  }
  llvm::sort(joined, [&](Operation *a, Operation *b) { return plan.isBefore(a, b); });
  SmallVector<Id> regions{region};
  for (Operation *op : joined)
    regions.push_back(*plan.ownerOf(op));
  if (StringRef reason = plan.whyNotMerge(regions); !reason.empty())
    return refuse(attention.getLoc(), "Prologue", subject, done, reason);
  // The query is not written and read again; keys and values are read from the cache's memory as before.
  balance.bytesAfter = balance.bytesBefore;
  if (llvm::is_contained(producers, attention.getQuery().getDefiningOp()))
    balance.bytesAfter -= 2 * bytesOf(attention.getQuery());
  if (!decide(attention.getLoc(), "Prologue", subject, llvm::formatv("{0} operations {1}", joined.size(), done).str(),
              balance))
    return;
  // The last first: nothing lies between what is joined and its readers.
  mergeAll(region, Ops(llvm::reverse(joined)));
}

//===----------------------------------------------------------------------===//
// Matmuls
//===----------------------------------------------------------------------===//

void Planner::joinMatmulPrologues() {
  SetVector<Value> inputs;
  for (Id region : plan.regions())
    if (auto matmul = dyn_cast_if_present<mj::MatmulOp>(anchorOf(region)))
      inputs.insert(matmul.getX());
  for (Value x : inputs)
    joinMatmulPrologue(x);
}

void Planner::joinMatmulPrologue(Value x) {
  auto isInput = [&](OpOperand &use) {
    auto matmul = dyn_cast<mj::MatmulOp>(use.getOwner());
    return matmul && use == matmul.getXMutable();
  };
  Operation *producer = x.getDefiningOp();
  if (!producer || !plan.ownerOf(producer) || !isRows(*plan.ownerOf(producer)))
    return;
  auto mayJoin = [](Operation *op) { return mj::isRowwise(op) && !isa<mj::KvAppendOp>(op); };
  Ops producers = collectProducers(x, mayJoin, [&](OpOperand &use) { return use.get() == x && isInput(use); });
  // A reshape alone is none.
  if (llvm::all_of(producers, llvm::IsaPred<mj::ReshapeOp>) && plan.operations(*plan.ownerOf(producer)).size() == 1 &&
      isa<mj::ReshapeOp>(producer))
    return;
  SetVector<Id> readers;
  Ops matmuls;
  for (OpOperand &use : x.getUses())
    if (isInput(use)) {
      matmuls.push_back(use.getOwner());
      readers.insert(*plan.ownerOf(use.getOwner()));
    }
  llvm::sort(matmuls, [&](Operation *a, Operation *b) { return plan.isBefore(a, b); });
  auto done = "repeated as a prologue";
  Location loc = matmuls.front()->getLoc();
  int64_t rows = tensorOf(x).getDimSize(0);
  if (producers.empty())
    return refuse(loc, "Prologue", describe(producer) + " before " + describe(matmuls), done,
                  aloneIn(producer) ? "its result has another user" : "it is part of another region");
  std::string subject = describe(producers) + " before " + describe(matmuls);
  if (rules.normPrologueRows == 0)
    return refuse(loc, "Prologue", subject, done, "the target's matmuls have no prologue");
  if (rows > rules.normPrologueRows)
    return refuse(
        loc, "Prologue", subject, done,
        llvm::formatv("{0} rows; the target's matmuls compute their input for up to {1}", rows, rules.normPrologueRows)
            .str());
  for (Operation *op : matmuls)
    if (!cast<mj::MatmulOp>(op).getTransposeB())
      return refuse(loc, "Prologue", subject, done, "the weight is not transposed");

  // Every block of every reader computes all rows; small matmuls have a block on each processor.
  Ops all;
  for (Operation *op : producers)
    llvm::append_range(all, plan.operations(*plan.ownerOf(op)));
  int64_t inputs = bytesReadBy(all);
  Balance balance;
  balance.bytesBefore = bytesOfAll(readers.getArrayRef()) + bytesTogether(producers);
  balance.bytesAfter = bytesOfAll(readers.getArrayRef()) + int64_t(readers.size()) * (inputs - bytesOf(x));
  balance.flopsRepeated = flopsOf(producers) * double(profile.processors * int64_t(readers.size()) - 1);
  balance.launchesSaved = 1;
  if (!decide(loc, "Prologue", subject, done, balance))
    return;
  if (readers.size() == 1) {
    mergeAll(readers.front(), Ops(llvm::reverse(producers)));
    return;
  }
  SetVector<Id> owners;
  for (Operation *op : producers)
    owners.insert(*plan.ownerOf(op));
  for (Id reader : readers)
    for (Operation *op : all)
      plan.addCopy(reader, op);
  for (Id owner : owners)
    plan.disown(owner);
}
