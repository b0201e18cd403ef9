// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a region may be.
#include "passes/fusion/RegionRules.h"

#include "passes/Weights.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;

std::optional<int64_t> fusion::rowsOf(Operation *op) {
  if (isConstant(op))
    return std::nullopt;
  Value value = op->getResult(0);
  if (auto append = dyn_cast<mj::KvAppendOp>(op))
    value = append.getKey();
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() == 0)
    return std::nullopt;
  return type.getDimSize(0);
}

bool fusion::mayAppendAndAttend(mj::BatchType batch) { return batch.getTokens() == batch.getSequences(); }

/// An operand of an operation that the region computes itself; null if it comes from elsewhere.
static Operation *producerOf(OpOperand &operand) {
  Operation *producer = operand.get().getDefiningOp();
  return producer && !isConstant(producer) ? producer : nullptr;
}

/// The operand that an anchor's prologue may compute.
static bool mayBeComputed(OpOperand &operand) {
  Operation *op = operand.getOwner();
  if (auto matmul = dyn_cast<mj::MatmulOp>(op))
    return operand == matmul.getXMutable();
  if (auto attention = dyn_cast<mj::AttentionOp>(op))
    return operand == attention.getQueryMutable() || operand == attention.getKvMutable();
  return false;
}

std::string fusion::whyNotRegion(Block &body) {
  Operation *anchor = nullptr;
  Operation *mixing = nullptr;
  unsigned others = 0;
  bool appends = false;
  for (Operation &op : body.without_terminator()) {
    if (isConstant(&op))
      continue;
    if (isa<mj::FusionOp>(op))
      return "holds another region; a region is one kernel";
    if (mj::isAnchor(&op)) {
      // Matmuls of one input are one anchor: they read it once.
      auto first = dyn_cast_if_present<mj::MatmulOp>(anchor), matmul = dyn_cast<mj::MatmulOp>(&op);
      if (anchor && !(first && matmul))
        return "has more than one anchor";
      if (first && first.getX() != matmul.getX())
        return "has more than one anchor: its matmuls read different rows";
      anchor = &op;
    } else if (!mj::isRowwise(&op)) {
      others += mixing != nullptr;
      mixing = &op;
    } else {
      ++others;
    }
    appends |= isa<mj::KvAppendOp>(op);
    for (OpOperand &operand : op.getOpOperands()) {
      if (!producerOf(operand))
        continue;
      if (mj::isAnchor(&op) && !mayBeComputed(operand))
        return llvm::formatv("computes operand {0} of '{1}', which it reads whole: that is another kernel's work",
                             operand.getOperandNumber(), op.getName());
      if (mj::readsWhole(operand))
        return llvm::formatv("computes operand {0} of '{1}' row by row, which reads all rows of it: that is another "
                             "kernel's work",
                             operand.getOperandNumber(), op.getName());
    }
  }
  if (mixing && (anchor || others))
    return llvm::formatv("holds '{0}', which mixes or moves rows, beside others: it is a region of its own",
                         mixing->getName());
  if (auto attention = dyn_cast_if_present<mj::AttentionOp>(anchor);
      attention && appends && !mayAppendAndAttend(attention.getBatch().getType()))
    return llvm::formatv("appends {0} rows of {1} sequences to the cache that it reads: some of it would read what "
                         "other parts have yet to write",
                         attention.getBatch().getType().getTokens(), attention.getBatch().getType().getSequences());
  // What walks rows walks the same number of them.
  if (anchor)
    return {};
  std::optional<int64_t> rows;
  for (Operation &op : body.without_terminator())
    if (std::optional<int64_t> own = rowsOf(&op)) {
      if (rows && *rows != *own && mj::isRowwise(&op))
        return llvm::formatv("works on {0} and on {1} rows; a region works row by row over one number of rows", *rows,
                             *own);
      rows = own;
    }
  return {};
}
