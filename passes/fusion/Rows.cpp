// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Regions without an anchor: row-wise operations that are connected, or that have the same rows.
#include "passes/fusion/Planner.h"

#include "passes/Weights.h"
#include "passes/fusion/RegionRules.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::fusion;

/// The rows of the operations that a region owns; they are the same for all.
static std::optional<int64_t> rowsOfRegion(const FusionPlan &plan, FusionPlan::Id region) {
  for (Operation *op : plan.operations(region))
    if (std::optional<int64_t> rows = rowsOf(op))
      return rows;
  return std::nullopt;
}

std::string Planner::whyNotRows(Id a, Id b) const {
  if (rowsOfRegion(plan, a) != rowsOfRegion(plan, b))
    return "they have different numbers of rows";
  for (auto [reader, other] : {std::pair(a, b), std::pair(b, a)})
    for (Operation *op : plan.operations(reader))
      for (OpOperand &operand : op->getOpOperands())
        if (Operation *producer = operand.get().getDefiningOp();
            producer && plan.contains(other, producer) && !plan.contains(reader, producer) && mj::readsWhole(operand))
          return llvm::formatv("'{0}' reads all rows of it", op->getName());
  return {};
}

void Planner::joinRows() {
  SmallVector<Id> regions = plan.regions();
  SmallPtrSet<Operation *, 16> grown; ///< operations whose region was joined from several
  llvm::MapVector<Operation *, std::pair<Operation *, std::string>> refused;
  for (Id region : regions) {
    if (plan.operations(region).empty() || !isRows(region))
      continue;
    // An operation joins those that make its operands; its region may then be another's.
    Operation *op = plan.operations(region).back();
    Ops members(plan.operations(region));
    for (Operation *member : members)
      for (Value operand : member->getOperands()) {
        Operation *producer = operand.getDefiningOp();
        std::optional<Id> from = producer ? plan.ownerOf(producer) : std::nullopt;
        std::optional<Id> own = plan.ownerOf(op);
        // Versions of the cache order regions; they hold nothing together.
        if (!from || !own || *from == *own || isa<mj::KvType>(operand.getType()) || !isRows(*from) ||
            plan.contains(*own, producer))
          continue;
        std::string reason = whyNotRows(*from, *own);
        if (reason.empty())
          reason = plan.whyNotMerge({*from, *own}).str();
        if (!reason.empty()) {
          refused.try_emplace(op, producer, reason);
          continue;
        }
        plan.merge(*from, *own);
        grown.insert(op);
      }
  }
  for (auto &[op, why] : refused)
    if (plan.ownerOf(op) != plan.ownerOf(why.first))
      refuse(op->getLoc(), "Rows", describe(op), "joined to " + Twine(describe(why.first)), why.second);
  // One remark for each region that was joined from several.
  for (Id region : plan.regions()) {
    ArrayRef<Operation *> ops = plan.operations(region);
    if (llvm::none_of(ops, [&](Operation *op) { return grown.contains(op); }))
      continue;
    Balance balance{0, bytesOf(plan, region), 0, -1};
    for (Operation *op : ops)
      if (plan.ownerOf(op) == region && !isa<mj::ReshapeOp>(op)) {
        balance.bytesBefore += bytesAlone(op);
        ++balance.launchesSaved;
      }
    if (balance.launchesSaved > 0)
      decide(ops.front()->getLoc(), "Rows", describe(ops), "joined as one region of rows", balance);
  }
}

int64_t Planner::bytesAlone(Operation *op) const {
  int64_t bytes = bytesReadBy(op);
  for (Value result : op->getResults())
    bytes += bytesOf(result);
  return bytes;
}

void Planner::joinParallelRows() {
  if (!rules.parallelRows)
    return;
  for (Id source : plan.regions()) {
    SetVector<Id> readers;
    if (!plan.operations(source).empty())
      plan.forEachReader(source, [&](Id reader) {
        if (isRows(reader) && !llvm::all_of(plan.operations(reader), llvm::IsaPred<mj::ReshapeOp>))
          readers.insert(reader);
      });
    SmallVector<Id> inOrder(readers.getArrayRef()), heads;
    llvm::sort(inOrder, [&](Id a, Id b) { return plan.runsBefore(a, b); });
    for (Id other : inOrder) {
      bool isJoined = false;
      std::string reason, first;
      for (Id &head : heads) {
        std::string whyNot = whyNotRows(head, other);
        if (whyNot.empty())
          whyNot = plan.whyNotMerge({head, other}).str();
        if (!whyNot.empty()) {
          reason = whyNot;
          first = describe(plan.operations(head));
          continue;
        }
        Balance balance{bytesOfAll({head, other}), 0, 0, 1};
        std::string subject = describe(plan.operations(head)) + " and " + describe(plan.operations(other));
        head = plan.merge(head, other);
        balance.bytesAfter = bytesOf(plan, head);
        decide(plan.operations(head).front()->getLoc(), "ParallelRows", subject, "joined side by side", balance);
        isJoined = true;
        break;
      }
      if (isJoined)
        continue;
      if (!heads.empty())
        refuse(plan.operations(other).front()->getLoc(), "ParallelRows",
               first + " and " + describe(plan.operations(other)), "joined side by side", reason);
      heads.push_back(other);
    }
  }
}

//===----------------------------------------------------------------------===//
// Producers
//===----------------------------------------------------------------------===//

void Planner::joinProducers() {
  // From the last to the first, so that what was joined to its reader takes its own producers along.
  SmallVector<Id> regions = plan.regions();
  for (Id region : llvm::reverse(regions))
    if (!plan.operations(region).empty() && llvm::all_of(plan.operations(region), mj::isPointwise))
      joinProducer(region);
}

std::string Planner::whyNotInReader(ArrayRef<Operation *> ops, Id region, Id reader) const {
  Operation *anchor = anchorOf(reader);
  if (!anchor)
    return isRows(reader) ? whyNotRows(region, reader) : "a reader moves rows";
  if (!isa<mj::MatmulOp>(anchor))
    return llvm::formatv("'{0}' reads it from memory", anchor->getName());
  if (std::string reason = whyNoEpilogue(reader); !reason.empty())
    return reason;
  for (Operation *op : ops) {
    if (isa<mj::QuantizeOp, mj::DequantizeOp>(op) && !rules.quantizeEpilogue)
      return "the target's epilogues do not quantize";
    if (auto broadcast = dyn_cast<mj::BroadcastOp>(op))
      if (std::string reason = whyNotRepeated(broadcast); !reason.empty())
        return reason;
    if (llvm::any_of(op->getOperands(),
                     [&](Value operand) { return llvm::is_contained(anchor->getOperands(), operand); }))
      return "it reads what the matmul multiplies";
    for (OpOperand &use : op->getUses()) {
      Operation *user = use.getOwner();
      if (!plan.contains(reader, user) || plan.getShapes().isShapeOnly(use) || llvm::is_contained(ops, user))
        continue;
      if (!mj::isPointwise(user) || isa<mj::BroadcastOp>(user))
        return llvm::formatv("'{0}' reads it", user->getName());
      if (cast<RankedTensorType>(user->getResult(0).getType()).getShape() !=
          cast<RankedTensorType>(op->getResult(0).getType()).getShape())
        return "it has another shape";
    }
  }
  return {};
}

void Planner::joinProducer(Id region) {
  Ops ops(plan.operations(region));
  SetVector<Id> readers;
  plan.forEachReader(region, [&](Id reader) { readers.insert(reader); });
  if (readers.empty())
    return;
  Location loc = ops.front()->getLoc();
  std::string subject = describe(ops);
  auto done = readers.size() == 1 ? "joined to its reader" : "repeated in its readers";
  auto isDecline = [&](const Twine &reason) { refuse(loc, "Producer", subject, done, reason); };
  bool isReturned = llvm::any_of(ops, [&](Operation *op) {
    return plan.ownerOf(op) == region &&
           llvm::any_of(op->getUsers(), [](Operation *user) { return user->hasTrait<OpTrait::IsTerminator>(); });
  });
  if (isReturned)
    return isDecline("the entry returns it");
  if (readers.size() > 1 && !rules.recomputeProducers)
    return isDecline("the target's rules repeat nothing");
  int64_t added = 0;
  for (Id reader : readers) {
    std::string reason = whyNotInReader(ops, region, reader);
    if (reason.empty() && readers.size() == 1)
      reason = plan.whyNotMerge({region, reader}).str();
    if (!reason.empty())
      return isDecline(reason);
    // Inputs of the region that the reader did not read so far.
    Ops both(plan.operations(reader));
    int64_t before = bytesReadBy(both);
    llvm::append_range(both, ops);
    added += bytesReadBy(both) - before;
  }
  Balance balance;
  balance.bytesBefore = bytesOfAll(readers.getArrayRef()) + bytesOf(plan, region);
  balance.bytesAfter = bytesOfAll(readers.getArrayRef()) + added;
  balance.flopsRepeated = flopsOf(ops) * double(readers.size() - 1);
  balance.launchesSaved = 1;
  if (!decide(loc, "Producer", subject, done, balance))
    return;
  if (readers.size() == 1) {
    plan.merge(region, readers.front());
    return;
  }
  for (Id reader : readers)
    for (Operation *op : ops)
      plan.addCopy(reader, op);
  plan.disown(region);
}
