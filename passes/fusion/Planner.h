// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Decides which regions become one; part of form-fusions.
#ifndef MJOLNIR_PASSES_FUSION_PLANNER_H
#define MJOLNIR_PASSES_FUSION_PLANNER_H

#include "passes/fusion/Balance.h"
#include "passes/fusion/Plan.h"

#include "llvm/ADT/Twine.h"

namespace mjolnir::fusion {

/// Makes the plan of a block. Steps are tried in the order of what they save: what they leave alone is there for the
/// next. Each join is a remark with its numbers, each refusal one with its reason.
class Planner {
public:
  Planner(mlir::Block &block, const Profile &profile, const FusionRules &rules)
      : profile(profile), rules(rules), plan(block) {}

  FusionPlan run() {
    repeatBroadcasts();
    joinParallelMatmuls();
    joinEpilogues();
    joinAttentionPrologues();
    joinMatmulPrologues();
    joinRows();
    joinParallelRows();
    joinProducers();
    return std::move(plan);
  }

private:
  using Id = FusionPlan::Id;
  using Ops = llvm::SmallVector<mlir::Operation *>;

  //===--- The decision
  //---------------------------------------------------------------------------------------------===//

  /// Whether a join pays. Says so in a remark: "SUBJECT: DONE: saves ..." or "SUBJECT: not DONE: costs ...".
  bool decide(mlir::Location loc, llvm::StringRef name, const llvm::Twine &subject, const llvm::Twine &done,
              const Balance &balance) const;
  /// Says why a join cannot be.
  void refuse(mlir::Location loc, llvm::StringRef name, const llvm::Twine &subject, const llvm::Twine &done,
              const llvm::Twine &reason) const;

  //===--- What regions are
  //-----------------------------------------------------------------------------------------===//

  /// The anchor of a region, the first of its matmuls; null where it only works on rows.
  mlir::Operation *anchorOf(Id region) const;
  bool isAnchored(Id region) const { return anchorOf(region) != nullptr; }
  /// Whether a region holds row-wise operations only, no anchor and nothing that mixes rows.
  bool isRows(Id region) const;
  /// The region that owns `op` alone, ready to be joined to another; nullopt if it is part of more already.
  std::optional<Id> aloneIn(mlir::Operation *op) const;
  /// Tensors that others need of `region` and the operations of `more` together.
  unsigned countResults(llvm::ArrayRef<Id> regions, llvm::ArrayRef<mlir::Operation *> more) const;
  int64_t bytesOfAll(llvm::ArrayRef<Id> regions) const;
  /// Bytes that the regions of `ops` would move as one.
  int64_t bytesTogether(llvm::ArrayRef<mlir::Operation *> ops) const;
  /// Bytes that `op` would move as a kernel of its own.
  int64_t bytesAlone(mlir::Operation *op) const;
  /// Joins regions to `region`, one after the other, for which nothing speaks against it.
  Id mergeAll(Id region, llvm::ArrayRef<mlir::Operation *> ops);

  //===--- Steps
  //----------------------------------------------------------------------------------------------------===//

  /// Broadcasts move nothing where they are read: each reader repeats them.
  void repeatBroadcasts();

  /// Matmuls of one input side by side.
  void joinParallelMatmuls();

  /// Operations on an anchor's results.
  void joinEpilogues();
  void joinEpilogue(Id region);
  std::string whyNoEpilogue(Id region) const;
  std::string whyNotInEpilogue(mlir::Operation *op, Id region, llvm::ArrayRef<mlir::Operation *> epilogue) const;
  bool needsElsewhere(Id region, llvm::ArrayRef<mlir::Operation *> ops) const;
  std::string whyNotMeeting(mj::MatmulOp first, mj::MatmulOp other) const;

  /// What feeds an anchor.
  void joinAttentionPrologues();
  void joinAttentionPrologue(Id region, mj::AttentionOp attention);
  void joinMatmulPrologues();
  void joinMatmulPrologue(mlir::Value x);
  /// The operations that make `roots`, in order: those that `mayJoin` and that nothing reads but they and `isReader`.
  Ops collectProducers(llvm::ArrayRef<mlir::Value> roots, llvm::function_ref<bool(mlir::Operation *)> mayJoin,
                       llvm::function_ref<bool(mlir::OpOperand &)> isReader) const;

  /// What has no anchor.
  void joinRows();
  void joinParallelRows();
  /// Why two regions of rows cannot be one, but for the order; empty if they can.
  std::string whyNotRows(Id a, Id b) const;

  /// Pointwise regions, repeated in or moved into those that read them.
  void joinProducers();
  void joinProducer(Id region);
  std::string whyNotInReader(llvm::ArrayRef<mlir::Operation *> ops, Id region, Id reader) const;

  const Profile &profile;
  const FusionRules &rules;
  FusionPlan plan;
};

/// Why a broadcast cannot be repeated in an epilogue, which knows the row and the column that it is at; empty if it
/// can.
std::string whyNotRepeated(mj::BroadcastOp broadcast);

/// "matmul of @l0.gate_proj and @l0.up_proj", "attention of layer 3", "norm, rope".
std::string describe(llvm::ArrayRef<mlir::Operation *> ops);

} // namespace mjolnir::fusion

#endif // MJOLNIR_PASSES_FUSION_PLANNER_H
