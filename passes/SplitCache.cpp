// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Divides the KV cache of an entry between two pools.
#include "passes/SplitCache.h"

using namespace mlir;
using namespace mjolnir;

CacheSplit::CacheSplit(mj::KvType cache, ArrayRef<bool> hasWindow) {
  std::array<int64_t, 2> layers{};
  for (bool windowed : hasWindow) {
    Part part = windowed ? window : whole;
    places.push_back({part, layers[part]++});
  }
  for (Part part : {whole, window})
    types[part] =
        mj::KvType::get(cache.getContext(), layers[part], cache.getHeads(), cache.getHeadDim(), cache.getElementType());
}

LogicalResult CacheSplit::apply(func::FuncOp entry, std::array<StringRef, 2> pools) {
  versions.clear();
  divideArguments(entry, pools);
  for (Operation &op : entry.getBody().front().without_terminator())
    if (failed(divide(&op)))
      return failure();
  divideResults(entry);
  return success();
}

void CacheSplit::divideArguments(func::FuncOp entry, std::array<StringRef, 2> pools) {
  Block &block = entry.getBody().front();
  MLIRContext *context = entry.getContext();
  for (unsigned index = 0; index < block.getNumArguments(); ++index) {
    BlockArgument argument = block.getArgument(index);
    if (!isa<mj::KvType>(argument.getType()))
      continue;
    // What is known of the argument is known of both.
    NamedAttrList attributes(entry.getArgAttrDict(index));
    attributes.set(mj::kPoolAttr, FlatSymbolRefAttr::get(context, pools[window]));
    (void)entry.insertArgument(index + 1, types[window], attributes.getDictionary(context), argument.getLoc());
    entry.setArgAttr(index, mj::kPoolAttr, FlatSymbolRefAttr::get(context, pools[whole]));
    argument.setType(types[whole]);
    versions[argument] = {argument, block.getArgument(index + 1)};
    ++index;
  }
  entry.setFunctionType(FunctionType::get(context, block.getArgumentTypes(), entry.getFunctionType().getResults()));
}

void CacheSplit::divideResults(func::FuncOp entry) {
  Operation *terminator = entry.getBody().front().getTerminator();
  SmallVector<Value> operands;
  for (Value operand : terminator->getOperands()) {
    auto found = versions.find(operand);
    if (found == versions.end()) {
      operands.push_back(operand);
      continue;
    }
    DictionaryAttr attributes = entry.getResultAttrDict(operands.size());
    (void)entry.insertResult(operands.size() + 1, types[window], attributes);
    llvm::append_range(operands, found->second);
  }
  terminator->setOperands(operands);
  entry.setFunctionType(FunctionType::get(entry.getContext(), entry.getFunctionType().getInputs(),
                                          llvm::map_to_vector(operands, [](Value value) { return value.getType(); })));
}

/// The layer of `op`, if it uses one.
static std::optional<int64_t> layerOf(Operation *op) {
  if (auto append = dyn_cast<mj::KvAppendOp>(op))
    return append.getLayer();
  if (auto attention = dyn_cast<mj::AttentionOp>(op))
    return attention.getLayer();
  return std::nullopt;
}

FailureOr<std::optional<CacheSplit::Part>> CacheSplit::partOf(Operation *op) {
  std::optional<Part> part;
  WalkResult result = op->walk([&](Operation *inner) {
    std::optional<int64_t> layer = layerOf(inner);
    if (layer && part && places[*layer].part != *part) {
      op->emitError() << "'" << op->getName()
                      << "' uses layers with a window and layers without, which are in different "
                      << "pools; one region, one layer";
      return WalkResult::interrupt();
    }
    if (layer)
      part = places[*layer].part;
    return WalkResult::advance();
  });
  return result.wasInterrupted() ? FailureOr<std::optional<Part>>(failure()) : part;
}

/// Gives `op` its layer's number in its part, and the cache that it makes its type.
void CacheSplit::renumber(Operation *op, Part part) {
  std::optional<int64_t> layer = layerOf(op);
  if (!layer)
    return;
  int64_t number = places[*layer].layer;
  if (auto append = dyn_cast<mj::KvAppendOp>(op)) {
    append.setLayer(number);
    append.getResult().setType(types[part]);
  } else {
    cast<mj::AttentionOp>(op).setLayer(number);
  }
}

LogicalResult CacheSplit::divide(Operation *op) {
  if (auto fusion = dyn_cast<mj::FusionOp>(op))
    return divideRegion(fusion);
  FailureOr<std::optional<Part>> part = partOf(op);
  if (failed(part))
    return failure();
  for (OpOperand &operand : op->getOpOperands()) {
    auto found = versions.find(operand.get());
    if (found == versions.end())
      continue;
    if (!*part)
      return op->emitError() << "'" << op->getName() << "' takes the whole cache, whose layers are in two pools";
    Version version = found->second;
    operand.set(version[**part]);
    renumber(op, **part);
    if (auto append = dyn_cast<mj::KvAppendOp>(op)) {
      version[**part] = append.getResult();
      versions[append.getResult()] = version;
    }
  }
  return success();
}

LogicalResult CacheSplit::divideRegion(mj::FusionOp fusion) {
  FailureOr<std::optional<Part>> found = partOf(fusion);
  if (failed(found))
    return failure();
  // A region that hands the cache on without using a layer of it could have either.
  Part part = found->value_or(whole);
  Block &body = fusion.getBody().front();
  SmallVector<Version> entering(body.getNumArguments());
  for (OpOperand &operand : fusion->getOpOperands()) {
    auto version = versions.find(operand.get());
    if (version == versions.end())
      continue;
    entering[operand.getOperandNumber()] = version->second;
    operand.set(version->second[part]);
    body.getArgument(operand.getOperandNumber()).setType(types[part]);
  }
  for (Operation &op : body)
    renumber(&op, part);
  for (auto [result, yielded] : llvm::zip(fusion.getResults(), body.getTerminator()->getOperands())) {
    if (!isa<mj::KvType>(result.getType()))
      continue;
    Value source = yielded;
    while (auto append = source.getDefiningOp<mj::KvAppendOp>())
      source = append.getKv();
    Version version = entering[cast<BlockArgument>(source).getArgNumber()];
    result.setType(types[part]);
    version[part] = result;
    versions[result] = version;
  }
  return success();
}
