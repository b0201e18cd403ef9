// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The decision itself, and what all steps ask of regions.
#include "passes/fusion/Planner.h"

#include "passes/Weights.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::fusion;

//===----------------------------------------------------------------------===//
// The decision
//===----------------------------------------------------------------------===//

static remark::RemarkOpts optionsOf(StringRef name) { return remark::RemarkOpts::name(name).category("form-fusions"); }

bool Planner::decide(Location loc, StringRef name, const Twine &subject, const Twine &done,
                     const Balance &balance) const {
  double seconds = balance.secondsSaved(profile);
  if (seconds >= 0) {
    if (auto remark = remark::passed(loc, optionsOf(name)))
      remark << (subject + ": " + done + ": " + balance.text()).str();
    return true;
  }
  if (auto remark = remark::missed(loc, optionsOf(name)))
    remark << (subject + ": not " + done + ": " + balance.text() +
               llvm::formatv(", which takes {0:F2} us longer on {1}", -seconds * 1e6, profile.name).str())
                  .str();
  return false;
}

void Planner::refuse(Location loc, StringRef name, const Twine &subject, const Twine &done, const Twine &reason) const {
  if (auto remark = remark::missed(loc, optionsOf(name)))
    remark << (subject + ": not " + done + ": " + reason).str();
}

//===----------------------------------------------------------------------===//
// What regions are
//===----------------------------------------------------------------------===//

std::string fusion::describe(ArrayRef<Operation *> ops) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  SmallVector<Operation *> matmuls;
  for (Operation *op : ops) {
    if (auto attention = dyn_cast<mj::AttentionOp>(op)) {
      stream << "attention of layer " << int64_t(attention.getLayer());
      return text;
    }
    if (isa<mj::MatmulOp>(op))
      matmuls.push_back(op);
    else if (mj::isAnchor(op)) {
      stream << op->getName().stripDialect();
      return text;
    }
  }
  if (!matmuls.empty()) {
    stream << "matmul of ";
    llvm::interleave(
        matmuls, stream, [&](Operation *op) { stream << nameOfWeight(cast<mj::MatmulOp>(op).getWeight()); }, " and ");
    return text;
  }
  SmallVector<StringRef> names;
  for (Operation *op : ops)
    if (!isa<mj::BroadcastOp, mj::ReshapeOp>(op))
      names.push_back(op->getName().stripDialect());
  if (names.empty())
    names.push_back(ops.front()->getName().stripDialect());
  constexpr size_t most = 6;
  llvm::interleaveComma(ArrayRef(names).take_front(most), stream);
  if (names.size() > most)
    stream << " and " << names.size() - most << " more";
  return text;
}

Operation *Planner::anchorOf(Id region) const {
  for (Operation *op : plan.operations(region))
    if (mj::isAnchor(op))
      return op;
  return nullptr;
}

bool Planner::isRows(Id region) const {
  return llvm::all_of(plan.operations(region), [](Operation *op) { return mj::isRowwise(op) && !mj::isAnchor(op); });
}

std::optional<Planner::Id> Planner::aloneIn(Operation *op) const {
  std::optional<Id> owner = plan.ownerOf(op);
  if (!owner || isAnchored(*owner) || !isRows(*owner))
    return std::nullopt;
  // Copies of broadcasts come along.
  bool isAlone = llvm::all_of(plan.operations(*owner),
                              [&](Operation *other) { return other == op || plan.ownerOf(other) != owner; });
  return isAlone ? owner : std::nullopt;
}

unsigned Planner::countResults(ArrayRef<Id> regions, ArrayRef<Operation *> more) const {
  unsigned results = 0;
  auto isInside = [&](Operation *op) {
    return llvm::is_contained(more, op) || llvm::any_of(regions, [&](Id region) { return plan.contains(region, op); });
  };
  auto count = [&](Operation *op, Id owner) {
    for (Value result : op->getResults())
      results += isa<RankedTensorType>(result.getType()) && plan.isNeededOutside(result, owner, isInside);
  };
  for (Id region : regions)
    for (Operation *op : plan.operations(region))
      if (plan.ownerOf(op) == region)
        count(op, region);
  for (Operation *op : more)
    if (std::optional<Id> owner = plan.ownerOf(op))
      count(op, *owner);
  return results;
}

int64_t Planner::bytesOfAll(ArrayRef<Id> regions) const {
  int64_t bytes = 0;
  for (Id region : regions)
    bytes += bytesOf(plan, region);
  return bytes;
}

int64_t Planner::bytesTogether(ArrayRef<Operation *> ops) const {
  SetVector<Operation *> all;
  for (Operation *op : ops)
    if (std::optional<Id> owner = plan.ownerOf(op))
      all.insert_range(plan.operations(*owner));
  if (llvm::all_of(all, llvm::IsaPred<mj::ReshapeOp>))
    return 0;
  int64_t bytes = bytesReadBy(all.getArrayRef());
  for (Operation *op : ops)
    for (Value result : op->getResults())
      if (std::optional<Id> owner = plan.ownerOf(op);
          owner && plan.isNeededOutside(result, *owner, [&](Operation *user) { return all.contains(user); }))
        bytes += bytesOf(result);
  return bytes;
}

Planner::Id Planner::mergeAll(Id region, ArrayRef<Operation *> ops) {
  for (Operation *op : ops)
    if (std::optional<Id> owner = plan.ownerOf(op); owner && *owner != region)
      region = plan.merge(region, *owner);
  return region;
}

//===----------------------------------------------------------------------===//
// Broadcasts
//===----------------------------------------------------------------------===//

void Planner::repeatBroadcasts() {
  for (Id region : plan.regions()) {
    auto broadcast = dyn_cast<mj::BroadcastOp>(plan.operations(region).back());
    if (!broadcast)
      continue;
    // An anchor reads memory, and so does who gets the result.
    bool isRepeatable = llvm::all_of(broadcast->getUses(), [&](OpOperand &use) {
      Operation *user = use.getOwner();
      return plan.ownerOf(user) && mj::isRowwise(user) && !mj::readsWhole(use);
    });
    if (!isRepeatable)
      continue;
    SmallVector<Id> readers;
    plan.forEachReader(region, [&](Id reader) { readers.push_back(reader); });
    Ops ops(plan.operations(region));
    for (Id reader : readers)
      for (Operation *op : ops)
        plan.addCopy(reader, op);
    plan.disown(region);
  }
}
