// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Parallel matmuls, and what follows an anchor in its region.
#include "passes/fusion/Planner.h"

#include "passes/Weights.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/FormatVariadic.h"
#include <queue>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::fusion;

/// More operations than that are not looked at for one epilogue.
static constexpr size_t kLongestEpilogue = 64;

static ArrayRef<int64_t> shapeOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }

/// Why a matmul's kernel is a plain one: targets store weights for their kernels, other right operands they multiply as
/// they are.
static StringRef whyPlain(mj::MatmulOp matmul) {
  Operation *weight = matmul.getWeight().getDefiningOp();
  if (!weight || !dependsOnWeightsAlone(weight))
    return "the right operand is no weight";
  if (!matmul.getTransposeB())
    return "the weight is not transposed";
  return {};
}

//===----------------------------------------------------------------------===//
// Parallel matmuls
//===----------------------------------------------------------------------===//

void Planner::joinParallelMatmuls() {
  llvm::MapVector<Value, SmallVector<mj::MatmulOp>> readers;
  for (Id region : plan.regions())
    if (auto matmul = dyn_cast<mj::MatmulOp>(plan.operations(region).front()))
      readers[matmul.getX()].push_back(matmul);
  for (auto &[x, matmuls] : readers) {
    if (matmuls.size() < 2)
      continue;
    Ops all(matmuls.begin(), matmuls.end());
    Location loc = matmuls.front().getLoc();
    if (!rules.parallelMatmuls) {
      refuse(loc, "Parallel", describe(all), "joined as one grid", "the target's kernels multiply by one weight");
      continue;
    }
    Ops joined{all.front()};
    Id region = *plan.ownerOf(all.front());
    for (mj::MatmulOp matmul : ArrayRef(matmuls).drop_front()) {
      auto first = cast<mj::MatmulOp>(all.front());
      Id own = *plan.ownerOf(matmul);
      StringRef reason = whyPlain(matmul);
      if (reason.empty())
        reason = whyPlain(first);
      if (reason.empty() && getElementTypeOrSelf(first.getWeight()) != getElementTypeOrSelf(matmul.getWeight()))
        reason = "their weights differ in type";
      if (reason.empty())
        reason = plan.whyNotMerge({region, own});
      if (!reason.empty()) {
        refuse(matmul.getLoc(), "Parallel", describe({first, matmul}), "joined as one grid", reason);
        continue;
      }
      int64_t before = bytesOfAll({region, own});
      Balance balance{before, before - bytesOf(x), 0, 1};
      joined.push_back(matmul);
      if (!decide(matmul.getLoc(), "Parallel", describe(joined), "joined as one grid", balance)) {
        joined.pop_back();
        continue;
      }
      region = plan.merge(region, own);
    }
  }
}

//===----------------------------------------------------------------------===//
// Epilogues
//===----------------------------------------------------------------------===//

std::string Planner::whyNoEpilogue(Id region) const {
  Operation *anchor = anchorOf(region);
  if (isa<mj::SampleOp>(anchor))
    return "tokens are its only results";
  auto matmul = dyn_cast<mj::MatmulOp>(anchor);
  if (rules.anchorEpilogue)
    return {};
  if (!matmul)
    return "the target's kernel has no epilogue";
  return whyPlain(matmul).str();
}

std::string Planner::whyNotMeeting(mj::MatmulOp first, mj::MatmulOp other) const {
  if (first.getX() != other.getX())
    return "they multiply different rows";
  if (first.getWeight().getType() != other.getWeight().getType())
    return "their weights differ in shape or type";
  if (first.getType() != other.getType())
    return "their results differ in type";
  return whyPlain(other).str();
}

std::string fusion::whyNotRepeated(mj::BroadcastOp broadcast) {
  Operation *source = broadcast.getSource().getDefiningOp();
  if (source && isConstant(source))
    return {};
  ArrayRef<int64_t> from = shapeOf(broadcast.getSource()), to = shapeOf(broadcast.getResult());
  if (from.empty() || from.back() != to.back())
    return "it repeats a value along the columns";
  if (from.size() > 1 && llvm::any_of(from.drop_back().drop_front(), [](int64_t size) { return size != 1; }) &&
      from != to)
    return "it repeats a value along inner axes";
  return {};
}

std::string Planner::whyNotInEpilogue(Operation *op, Id region, ArrayRef<Operation *> epilogue) const {
  Operation *anchor = anchorOf(region);
  auto isInside = [&](Operation *other) { return plan.contains(region, other) || llvm::is_contained(epilogue, other); };
  if (!aloneIn(op))
    return "it belongs to another region";
  bool isMatmul = isa<mj::MatmulOp, mj::BatchMatmulOp>(anchor);
  bool isHeadwise = isa<mj::ReshapeOp, mj::RopeOp, mj::NormOp, mj::KvAppendOp>(op);
  if (auto norm = dyn_cast<mj::NormOp>(op))
    isHeadwise = shapeOf(norm.getX()).size() == 3;
  if (isa<mj::QuantizeOp, mj::DequantizeOp>(op) && !rules.quantizeEpilogue)
    return "the target's epilogues do not quantize";
  // Attention works on heads, a reshape of which moves nothing; matmuls do where the rules say so.
  bool isReshape = isa<mj::ReshapeOp>(op) && !isMatmul && mj::isRowwise(op);
  if (!mj::isPointwise(op) && !isReshape && !(isHeadwise && isMatmul && rules.headEpilogue))
    return "what uses it is not pointwise";
  if (mj::isPointwise(op)) {
    bool isShaped = llvm::any_of(plan.operations(region), [&](Operation *other) {
      return plan.ownerOf(other) == region && isa<RankedTensorType>(other->getResult(0).getType()) &&
             shapeOf(other->getResult(0)) == shapeOf(op->getResult(0));
    });
    isShaped |= llvm::any_of(epilogue, [&](Operation *other) {
      return isa<RankedTensorType>(other->getResult(0).getType()) &&
             shapeOf(other->getResult(0)) == shapeOf(op->getResult(0));
    });
    if (!isShaped)
      return "an operation of the epilogue makes another shape";
  }
  if (auto append = dyn_cast<mj::KvAppendOp>(op);
      append && llvm::any_of(ArrayRef<Value>{append.getKey(), append.getValue()},
                             [&](Value value) { return value.getDefiningOp() && !isInside(value.getDefiningOp()); }))
    return "the cache write needs keys and values of one region";
  for (OpOperand &operand : op->getOpOperands()) {
    if (plan.getShapes().isShapeOnly(operand))
      continue;
    Operation *producer = operand.get().getDefiningOp();
    if (auto broadcast = dyn_cast_if_present<mj::BroadcastOp>(producer); broadcast && !plan.ownerOf(producer)) {
      if (std::string reason = whyNotRepeated(broadcast); !reason.empty())
        return reason;
      producer = broadcast.getSource().getDefiningOp();
      if (producer && isInside(producer) && shapeOf(broadcast.getSource()) != shapeOf(broadcast.getResult()))
        return "it repeats a row of the result";
    }
    if (isa<mj::BroadcastOp>(op) && operand.getOperandNumber() == 0)
      if (std::string reason = whyNotRepeated(cast<mj::BroadcastOp>(op)); !reason.empty())
        return reason;
    if (!producer || isInside(producer))
      continue;
    // Weights of the anchor are stored for it.
    if (dependsOnWeightsAlone(producer)) {
      if (llvm::is_contained(anchor->getOperands(), producer->getResult(0)))
        return "the epilogue would read the weight, too";
      continue;
    }
    if (std::optional<Id> owner = plan.ownerOf(producer); owner && plan.reaches(region, *owner))
      return "another operand needs the result by another way";
  }
  return {};
}

/// Whether an operand of `ops` that none of them makes needs what `region` computes, in a third region.
bool Planner::needsElsewhere(Id region, ArrayRef<Operation *> ops) const {
  return llvm::any_of(ops, [&](Operation *op) {
    return llvm::any_of(op->getOperands(), [&](Value operand) {
      Operation *producer = operand.getDefiningOp();
      std::optional<Id> owner = producer ? plan.ownerOf(producer) : std::nullopt;
      return owner && *owner != region && !llvm::is_contained(ops, producer) && plan.reaches(region, *owner);
    });
  });
}

void Planner::joinEpilogues() {
  for (Id region : plan.regions())
    // A region that another has taken is gone.
    if (!plan.operations(region).empty() && isAnchored(region))
      joinEpilogue(region);
}

void Planner::joinEpilogue(Id region) {
  // What uses the results, in order; each operation that may join adds its own users.
  auto isLater = [&](Operation *a, Operation *b) { return plan.isBefore(b, a); };
  std::priority_queue<Operation *, std::vector<Operation *>, decltype(isLater)> waiting(isLater);
  SmallPtrSet<Operation *, 16> seen;
  auto addUsers = [&](Operation *op) {
    for (OpOperand &use : op->getUses()) {
      Operation *user = use.getOwner();
      if (!staysOutside(user) && !plan.getShapes().isShapeOnly(use) && !plan.contains(region, user) &&
          plan.ownerOf(user) && seen.insert(user).second)
        waiting.push(user);
    }
  };
  Operation *anchor = anchorOf(region);
  Ops own(plan.operations(region)), epilogue;
  llvm::for_each(own, addUsers);
  auto done = "joined as an epilogue";
  std::string blocked = whyNoEpilogue(region);
  std::string reason;
  mj::MatmulOp other;
  while (!waiting.empty() && epilogue.size() < kLongestEpilogue) {
    Operation *op = waiting.top();
    waiting.pop();
    if (mj::isAnchor(op) || !mj::isRowwise(op) ||
        llvm::all_of(op->getResults(), [](Value result) { return result.use_empty(); }))
      continue;
    if (!blocked.empty() && isa<mj::ReshapeOp>(op))
      continue;
    if (!blocked.empty())
      return refuse(anchor->getLoc(), "Epilogue", describe(own), done, blocked);
    std::string why = whyNotInEpilogue(op, region, epilogue);
    if (!why.empty()) {
      if (reason.empty())
        reason = why;
      continue;
    }
    // Gate and up: another matmul of the same rows, whose result is read here.
    if (auto matmul = dyn_cast<mj::MatmulOp>(anchor); matmul && own.size() == 1)
      for (Value operand : op->getOperands())
        if (auto met = operand.getDefiningOp<mj::MatmulOp>();
            met && met != matmul && plan.operations(*plan.ownerOf(met)).size() == 1) {
          std::string whyNot = whyNotMeeting(matmul, met);
          if (whyNot.empty() && other && other != met)
            whyNot = "more than two matmuls meet";
          if (whyNot.empty())
            whyNot = plan.whyNotMerge({region, *plan.ownerOf(met)}).str();
          if (whyNot.empty())
            other = met;
          else
            refuse(matmul.getLoc(), "Parallel", describe({matmul, met}), "joined where they meet", whyNot);
        }
    epilogue.push_back(op);
    addUsers(op);
  }
  if (epilogue.empty()) {
    if (!reason.empty())
      refuse(anchor->getLoc(), "Epilogue", describe(own), done, reason);
    return;
  }

  // Epilogues compute in f32 and store floats.
  auto leavesNoFloat = [&](ArrayRef<Operation *> part) {
    return llvm::any_of(part, [&](Operation *op) {
      return isa<RankedTensorType>(op->getResult(0).getType()) &&
             !isa<FloatType>(getElementTypeOrSelf(op->getResult(0).getType())) &&
             !llvm::all_of(op->getUsers(), [&](Operation *user) { return llvm::is_contained(part, user); });
    });
  };
  // The longest part that leaves no more results than the rules allow, with the other matmul if there is such a part.
  SmallVector<Id> regions{region};
  size_t length = 0;
  auto findLength = [&] {
    unsigned allowed = rules.epilogueResults ? ~0u : std::max(countResults(region, {}), 1u);
    for (length = epilogue.size(); length > 0; --length)
      if (countResults(regions, ArrayRef(epilogue).take_front(length)) <= allowed &&
          !leavesNoFloat(ArrayRef(epilogue).take_front(length)))
        break;
    // A reshape at the end is the same memory outside.
    while (length > 0 && isa<mj::ReshapeOp>(epilogue[length - 1]))
      --length;
  };
  if (other) {
    Id met = *plan.ownerOf(other);
    regions.push_back(met);
    findLength();
    if (length == 0 || needsElsewhere(met, ArrayRef(epilogue).take_front(length))) {
      regions.pop_back();
      other = {};
    }
  }
  if (!other)
    findLength();
  if (llvm::all_of(epilogue, llvm::IsaPred<mj::ReshapeOp>)) {
    if (!reason.empty())
      refuse(anchor->getLoc(), "Epilogue", describe(own), done, reason);
    return;
  }
  if (length == 0)
    return refuse(anchor->getLoc(), "Epilogue", describe(own), done,
                  llvm::any_of(own,
                               [&](Operation *op) {
                                 return plan.ownerOf(op) == region &&
                                        plan.isNeededOutside(op->getResult(0), region, [&](Operation *user) {
                                          return llvm::is_contained(epilogue, user);
                                        });
                               })
                      ? "the result has another user outside"
                  : leavesNoFloat(epilogue) ? "the epilogue's result is no float"
                                            : "the epilogue has more than one result");
  if (length < epilogue.size() && reason.empty())
    reason = leavesNoFloat(ArrayRef(epilogue).take_front(length + 1)) ? "the epilogue's result would be no float"
                                                                      : "the epilogue would have more than one result";

  ArrayRef<Operation *> joined = ArrayRef(epilogue).take_front(length);
  if (other)
    own.push_back(other);
  Balance balance{bytesOfAll(regions) + bytesTogether(joined), 0, 0, 1};
  // What goes on to a region of rows would have been part of it, without a launch of its own.
  for (Operation *op : joined)
    plan.forEachReader(*plan.ownerOf(op), [&](Id reader) {
      bool isJoined = llvm::is_contained(joined, plan.operations(reader).back());
      if (!isJoined && isRows(reader))
        balance.launchesSaved = 0;
    });
  Ops together(own);
  llvm::append_range(together, joined);
  balance.bytesAfter = bytesTogether(together);
  balance.launchesSaved += bool(other);
  if (!decide(anchor->getLoc(), "Epilogue", describe(own),
              llvm::formatv("{0} operation{1} {2}", joined.size(), joined.size() == 1 ? "" : "s", done).str(), balance))
    return;
  if (other)
    region = plan.merge(region, *plan.ownerOf(other));
  mergeAll(region, joined);
  if (!reason.empty())
    refuse(anchor->getLoc(), "Epilogue", describe(own), "all that follows " + Twine(done), reason);
}
