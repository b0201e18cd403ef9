// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Matmuls and the pointwise operations after them as one kernel.
#include "passes/EpilogueFusion.h"

#include "passes/Weights.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;

namespace {

class EpilogueFusion {
public:
  explicit EpilogueFusion(SmallVector<Group> &groups) : groups(groups) {
    for (auto [index, group] : llvm::enumerate(groups))
      for (Operation *op : group)
        groupOf[op] = index;
  }

  void run() {
    for (Group &group : groups)
      if (!group.empty() && !isa<mj::MatmulOp>(group.front()))
        join(group);
    llvm::erase_if(groups, [](const Group &group) { return group.empty(); });
  }

private:
  void join(Group &run) {
    SmallPtrSet<Operation *, 16> members(run.begin(), run.end());
    SetVector<Operation *> read;
    SmallVector<Operation *> matmuls;
    for (Operation *op : run)
      for (Value operand : op->getOperands())
        if (auto matmul = operand.getDefiningOp<mj::MatmulOp>())
          read.insert(matmul);
    for (Operation *matmul : read) {
      if (llvm::all_of(matmul->getUsers(), [&](Operation *user) { return members.contains(user); }))
        matmuls.push_back(matmul);
      else
        decline(matmul, "the result has another user outside");
    }
    if (matmuls.empty())
      return;
    llvm::sort(matmuls, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    if (std::optional<StringRef> reason = whyNot(matmuls, run, members))
      return decline(matmuls, *reason);
    if (auto remark =
            remark::passed(matmuls[0]->getLoc(), remark::RemarkOpts::name("Epilogue").category("form-fusions")))
      remark << llvm::formatv("{0}: {1} pointwise operation{2} joined as an epilogue", names(matmuls), run.size(),
                              run.size() == 1 ? "" : "s")
                    .str();
    for (Operation *matmul : llvm::reverse(matmuls)) {
      groups[groupOf[matmul]].clear();
      run.insert(run.begin(), matmul);
    }
  }

  /// Why `matmuls`, which `run` alone uses, cannot take it as their epilogue.
  static std::optional<StringRef> whyNot(ArrayRef<Operation *> matmuls, const Group &run,
                                         const SmallPtrSetImpl<Operation *> &members) {
    if (!llvm::all_of(run, mj::isPointwise))
      return "what uses it is not pointwise";
    if (matmuls.size() > 2)
      return "more than two matmuls meet";
    auto first = cast<mj::MatmulOp>(matmuls.front()), last = cast<mj::MatmulOp>(matmuls.back());
    if (first.getX() != last.getX())
      return "they multiply different rows";
    if (first.getWeight().getType() != last.getWeight().getType() || first.getTransposeB() != last.getTransposeB())
      return "their weights differ in shape or type";
    if (first.getType() != last.getType())
      return "their results differ in type";
    // Targets encode weights for their kernels; other right operands they multiply plainly.
    for (Operation *op : matmuls) {
      auto matmul = cast<mj::MatmulOp>(op);
      Operation *weight = matmul.getWeight().getDefiningOp();
      if (!weight || !dependsOnWeightsAlone(weight))
        return "the right operand is no weight";
      if (!matmul.getTransposeB())
        return "the weight is not transposed";
      if (llvm::any_of(matmul.getWeight().getUsers(), [&](Operation *user) { return members.contains(user); }))
        return "the epilogue would read the weight, too";
    }
    // Every value of the run has the matmul's shape, or is a row or a scalar on its way to it.
    auto shape = cast<RankedTensorType>(first.getType()).getShape();
    for (Operation *op : run)
      if (cast<RankedTensorType>(op->getResult(0).getType()).getShape() != shape)
        return "an operation of the epilogue makes another shape";
    if (llvm::any_of(run, [&](Operation *op) {
          return !isa<FloatType>(getElementTypeOrSelf(op->getResult(0).getType())) &&
                 llvm::any_of(op->getUsers(), [&](Operation *user) { return !members.contains(user); });
        }))
      return "the epilogue's result is no float";
    unsigned results = llvm::count_if(run, [&](Operation *op) {
      return llvm::any_of(op->getUsers(), [&](Operation *user) { return !members.contains(user); });
    });
    if (results != 1)
      return "the epilogue has more than one result";
    return std::nullopt;
  }

  static void decline(ArrayRef<Operation *> matmuls, StringRef reason) {
    if (auto remark =
            remark::missed(matmuls[0]->getLoc(), remark::RemarkOpts::name("Epilogue").category("form-fusions")))
      remark << llvm::formatv("{0}: epilogue not fused: {1}", names(matmuls), reason).str();
  }

  /// "matmul of @l0.gate_proj and @l0.up_proj".
  static std::string names(ArrayRef<Operation *> matmuls) {
    std::string text = "matmul of ";
    llvm::raw_string_ostream stream(text);
    llvm::interleave(
        matmuls, stream, [&](Operation *op) { stream << nameOfWeight(cast<mj::MatmulOp>(op).getWeight()); }, " and ");
    return text;
  }

  SmallVector<Group> &groups;
  llvm::DenseMap<Operation *, size_t> groupOf;
};

} // namespace

void mjolnir::fuseEpilogues(SmallVector<Group> &groups) { EpilogueFusion(groups).run(); }
