// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Sets of operations that stay in an order in which they can run.
#include "passes/fusion/Plan.h"

#include "passes/ReturnedConcat.h"
#include "passes/Weights.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::fusion;

/// Regions further apart than this are not joined. It bounds the search for what lies between them, so that the time of
/// the pass grows with the operations and not with their square.
static constexpr unsigned kFarthest = 1024;

bool fusion::staysOutside(Operation *op) {
  return isConstant(op) || dependsOnWeightsAlone(op) || isa<mj::BatchFieldOp>(op) ||
         op->hasTrait<OpTrait::IsTerminator>() || isReturnedInPlace(op);
}

/// The static leading size of a tensor; 0 of anything else.
static int64_t leadingSize(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() > 0 && !type.isDynamicDim(0) ? type.getDimSize(0) : 0;
}

Shapes::Shapes(Block &block) {
  auto add = [&](Value value) {
    if (int64_t size = leadingSize(value))
      values.try_emplace(size, value);
  };
  llvm::for_each(block.getArguments(), add);
  for (auto field : block.getOps<mj::BatchFieldOp>())
    add(field.getResult());
}

Value Shapes::find(Value value) const {
  int64_t size = leadingSize(value);
  return size ? values.lookup(size) : Value();
}

bool Shapes::isShapeOnly(OpOperand &operand) const {
  auto broadcast = dyn_cast<mj::BroadcastOp>(operand.getOwner());
  return broadcast && operand == broadcast.getLikeMutable() && find(operand.get());
}

FusionPlan::FusionPlan(Block &block) : shapes(block) {
  unsigned count = 0;
  for (Operation &op : block) {
    index[&op] = count++;
    if (staysOutside(&op))
      continue;
    Id region = content.size();
    content.emplace_back();
    content[region].slot = order.size();
    order.push_back(region);
    insert(region, &op);
    owners[&op] = region;
  }
}

void FusionPlan::insert(Id region, Operation *op) {
  Content &into = content[region];
  if (!into.members.insert(op).second)
    return;
  auto place = llvm::upper_bound(into.ops, op, [&](Operation *a, Operation *b) { return isBefore(a, b); });
  into.ops.insert(place, op);
  holders[op].push_back(region);
}

SmallVector<FusionPlan::Id> FusionPlan::regions() const {
  SmallVector<Id> result;
  for (std::optional<Id> region : order)
    if (region)
      result.push_back(*region);
  return result;
}

std::optional<FusionPlan::Id> FusionPlan::ownerOf(Operation *op) const {
  auto found = owners.find(op);
  return found == owners.end() ? std::nullopt : std::optional(found->second);
}

ArrayRef<FusionPlan::Id> FusionPlan::holdersOf(Operation *op) const {
  auto found = holders.find(op);
  return found == holders.end() ? ArrayRef<Id>() : ArrayRef<Id>(found->second);
}

bool FusionPlan::isNeededOutside(Value value, Id region, function_ref<bool(Operation *)> more) const {
  Operation *op = value.getDefiningOp();
  return llvm::any_of(value.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (shapes.isShapeOnly(use) || more(user))
      return false;
    if (staysOutside(user))
      return true;
    return llvm::any_of(holdersOf(user), [&](Id holder) { return holder != region && !contains(holder, op); });
  });
}

bool FusionPlan::isNeededOutside(Value value, Id region) const {
  return isNeededOutside(value, region, [](Operation *) { return false; });
}

void FusionPlan::forEachReader(Id region, function_ref<void(Id)> visit) const {
  for (Operation *op : content[region].ops)
    if (ownerOf(op) == region)
      for (OpOperand &use : op->getUses())
        if (!shapes.isShapeOnly(use))
          for (Id holder : holdersOf(use.getOwner()))
            if (holder != region && !contains(holder, op))
              visit(holder);
}

llvm::SmallDenseSet<FusionPlan::Id> FusionPlan::reachedBefore(Id from, unsigned end) const {
  llvm::SmallDenseSet<Id> reached;
  SmallVector<Id> waiting{from};
  while (!waiting.empty())
    forEachReader(waiting.pop_back_val(), [&](Id reader) {
      if (content[reader].slot < end && reached.insert(reader).second)
        waiting.push_back(reader);
    });
  return reached;
}

bool FusionPlan::reaches(Id from, Id to) const {
  if (content[from].slot >= content[to].slot)
    return false;
  return reachedBefore(from, content[to].slot + 1).contains(to);
}

StringRef FusionPlan::whyNotMerge(ArrayRef<Id> regions) const {
  auto [first, last] = std::minmax_element(regions.begin(), regions.end(),
                                           [&](Id a, Id b) { return content[a].slot < content[b].slot; });
  unsigned begin = content[*first].slot, end = content[*last].slot;
  if (end - begin > kFarthest)
    return "they are too far apart";
  // Whoever is reached from one of them, and is none of them, must not lead back.
  llvm::SmallDenseSet<Id> own(regions.begin(), regions.end()), reached;
  SmallVector<Id> waiting(regions);
  bool leadsBack = false;
  while (!waiting.empty() && !leadsBack) {
    Id from = waiting.pop_back_val();
    bool isOwn = own.contains(from);
    forEachReader(from, [&](Id reader) {
      if (own.contains(reader))
        leadsBack |= !isOwn;
      else if (content[reader].slot < end && reached.insert(reader).second)
        waiting.push_back(reader);
    });
  }
  return leadsBack ? "another region needs the one and is needed by the other" : "";
}

FusionPlan::Id FusionPlan::merge(Id a, Id b) {
  if (content[a].slot > content[b].slot)
    std::swap(a, b);
  unsigned first = content[a].slot, last = content[b].slot;
  // What needs the first comes after both, everything else between them before.
  llvm::SmallDenseSet<Id> reached = reachedBefore(a, last);
  SmallVector<Id> before, after;
  for (unsigned slot = first + 1; slot < last; ++slot)
    if (order[slot])
      (reached.contains(*order[slot]) ? after : before).push_back(*order[slot]);
  unsigned slot = first;
  auto place = [&](Id region) {
    order[slot] = region;
    content[region].slot = slot++;
  };
  llvm::for_each(before, place);
  place(a);
  llvm::for_each(after, place);
  while (slot <= last)
    order[slot++] = std::nullopt;

  for (Operation *op : content[b].ops) {
    llvm::erase(holders[op], b);
    insert(a, op);
    if (owners.lookup_or(op, a) == b)
      owners[op] = a;
  }
  content[b] = Content();
  return a;
}

void FusionPlan::addCopy(Id region, Operation *op) { insert(region, op); }

void FusionPlan::disown(Id region) {
  for (Operation *op : content[region].ops) {
    llvm::erase(holders[op], region);
    if (ownerOf(op) == region)
      owners.erase(op);
  }
  order[content[region].slot] = std::nullopt;
  content[region] = Content();
}
