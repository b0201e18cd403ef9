// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What sessions need of a planned program's memory.
#include "lib/Pipeline/KvBudget.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace mjolnir;

/// Bytes of the weights that launches read, as the package stores them.
static FailureOr<int64_t> countWeightBytes(ModuleOp module, const Target &target) {
  SymbolTable symbols(module);
  llvm::DenseSet<StringAttr> seen;
  int64_t bytes = 0;
  for (auto entry : module.getOps<exec::EntryOp>())
    for (auto buffer : entry.getBody().front().getOps<exec::WeightBufferOp>()) {
      if (!seen.insert(buffer.getWeightAttr().getAttr()).second)
        continue;
      Operation *symbol = symbols.lookup(buffer.getWeight());
      auto weight = dyn_cast<mj::WeightOp>(symbol);
      FailureOr<int64_t> size = target.storageBytes(
          cast<RankedTensorType>(weight ? weight.getType() : cast<mj::PrepareOp>(symbol).getType()));
      if (failed(size))
        return buffer.emitOpError("has an encoding that the target does not know");
      bytes += *size;
    }
  return bytes;
}

FailureOr<std::string> mjolnir::planKvBudget(ModuleOp module, const Target &target, format::KvDemand demand) {
  auto pools = module.getOps<exec::KvPoolOp>();
  auto model = module->getAttrOfType<DictionaryAttr>("mj.model");
  auto context = model ? model.getAs<IntegerAttr>("max_context") : IntegerAttr();
  if (pools.empty() || !context)
    return module.emitError("is no language model with a KV cache: there is nothing to plan for sessions");
  exec::KvPoolOp windowPool = exec::getWindowPool(module);
  for (auto pool : pools) {
    demand.pageTokens = pool.getPageSize();
    (pool == windowPool ? demand.windowPageBytes : demand.pageBytes) = pool.getBytesPerPage();
    demand.window = std::max<uint64_t>(demand.window, pool.getWindow().value_or(0));
  }
  demand.context = context.getInt();
  FailureOr<int64_t> weights = countWeightBytes(module, target);
  if (failed(weights))
    return failure();
  demand.weightBytes = *weights;
  for (auto entry : module.getOps<exec::EntryOp>()) {
    uint64_t bytes = entry.getArenaBytes().value_or(0);
    for (auto output : entry.getOutputs().getAsRange<exec::BindingAttr>())
      bytes += denseBytes(cast<RankedTensorType>(output.getType().getValue()));
    demand.stepBytes = std::max(demand.stepBytes, bytes);
    if (auto ragged = entry.getRagged(); ragged && (*ragged)[0] > (*ragged)[1])
      demand.stepRows = std::max<uint64_t>(demand.stepRows, (*ragged)[0]);
  }
  if (!demand.memory)
    demand.memory = target.getProfile().memoryBytes;
  format::KvPlan plan;
  std::string text;
  if (!format::planKv(demand, plan, text))
    return module.emitError() << text;
  return text;
}
