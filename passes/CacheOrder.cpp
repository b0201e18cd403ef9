// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Whether versions of the KV cache may share one memory.
#include "passes/CacheOrder.h"

using namespace mlir;
using namespace mjolnir;

/// The cache that entered `fusion` and became `inner` by appends.
static Value enteringVersion(mj::FusionOp fusion, Value inner) {
  while (auto append = inner.getDefiningOp<mj::KvAppendOp>())
    inner = append.getKv();
  return fusion.getInputs()[cast<BlockArgument>(inner).getArgNumber()];
}

/// Whether `version` of the cache is `append` or was made from it.
bool CacheOrder::reaches(Value version, Value append) {
  for (Value current = version; current; current = versions.lookup(current))
    if (current == append)
      return true;
  return false;
}

BlockArgument CacheOrder::rootOf(Value version) {
  while (Value before = versions.lookup(version))
    version = before;
  return cast<BlockArgument>(version);
}

LogicalResult CacheOrder::add(mj::FusionOp fusion) {
  Block &body = fusion.getBody().front();
  for (Operation &op : body) {
    auto append = dyn_cast<mj::KvAppendOp>(op);
    auto attention = dyn_cast<mj::AttentionOp>(op);
    if (append && append->use_empty())
      return fusion.emitOpError("appends to the cache and does not return it: nothing says who may read it");
    if (!append && !attention)
      continue;
    int64_t layer = append ? append.getLayer() : attention.getLayer();
    Value version = enteringVersion(fusion, append ? append.getKv() : attention.getKv());
    auto last = lastAppend.find({rootOf(version).getArgNumber(), layer});
    if (last != lastAppend.end() && !reaches(version, last->second))
      return fusion.emitOpError("uses layer ") << layer << " of an older version of the cache than the last append";
  }
  for (auto [result, yielded] : llvm::zip(fusion.getResults(), body.getTerminator()->getOperands())) {
    if (!isa<mj::KvType>(result.getType()))
      continue;
    versions[result] = enteringVersion(fusion, yielded);
    for (auto append = yielded.getDefiningOp<mj::KvAppendOp>(); append;
         append = append.getKv().getDefiningOp<mj::KvAppendOp>())
      lastAppend[{rootOf(result).getArgNumber(), append.getLayer()}] = result;
  }
  return success();
}

LogicalResult CacheOrder::checkReturned(func::FuncOp entry) {
  for (Value operand : entry.getBody().front().getTerminator()->getOperands())
    if (isa<mj::KvType>(operand.getType()))
      for (auto &[place, append] : lastAppend)
        if (place.first == rootOf(operand).getArgNumber() && !reaches(operand, append))
          return entry.emitError() << "returns an older version of the cache than its last append to layer "
                                   << place.second;
  return success();
}
