// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// specialize-buckets: a static copy of each ragged entry for every bucket.
#include "passes/Passes.h"
#include "passes/Weights.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringExtras.h"

namespace mjolnir {
#define GEN_PASS_DEF_SPECIALIZEBUCKETS
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

struct Bucket {
  std::string name;
  int64_t tokens, sequences, pages;
};

/// The type of `value` with the leading dimension `size`.
void setLeadingSize(Value value, int64_t size) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.front() = size;
  value.setType(type.clone(shape));
}

/// Gives the results of `op` static shapes, its operands having them already.
LogicalResult refine(Operation *op) {
  if (auto field = dyn_cast<mj::BatchFieldOp>(op)) {
    field.getResult().setType(mj::getFieldType(field.getBatch().getType(), field.getField()));
    return success();
  }
  if (auto sample = dyn_cast<mj::SampleOp>(op)) {
    setLeadingSize(sample.getResult(), sample.getSampling().getType().getSequences());
    return success();
  }
  for (Value result : op->getResults()) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (!type || type.hasStaticShape())
      continue;
    Value source;
    if (auto leading = dyn_cast<mj::LeadingDimOpInterface>(op))
      source = leading.getLeadingDimSource();
    else if (OpTrait::hasElementwiseMappableTraits(op))
      source = op->getOperand(0);
    auto sourceType = source ? dyn_cast<RankedTensorType>(source.getType()) : RankedTensorType();
    if (!sourceType || sourceType.getRank() == 0 || sourceType.isDynamicDim(0))
      return op->emitError() << "'" << op->getName() << "' does not say where the size of its result " << type
                             << " comes from: implement LeadingDimOpInterface";
    setLeadingSize(result, sourceType.getDimSize(0));
    if (!cast<RankedTensorType>(result.getType()).hasStaticShape())
      return op->emitError() << "result " << result.getType() << " has a dynamic size that is not its leading one";
  }
  return success();
}

LogicalResult specialize(func::FuncOp entry, const Bucket &bucket) {
  MLIRContext *context = entry.getContext();
  OpBuilder builder(entry);
  auto copy = cast<func::FuncOp>(builder.clone(*entry));
  copy.setSymName(bucket.name);
  Block &body = copy.getBody().front();
  for (BlockArgument argument : body.getArguments()) {
    if (isa<mj::BatchType>(argument.getType()))
      argument.setType(mj::BatchType::get(context, bucket.tokens, bucket.sequences, bucket.pages));
    else if (isa<mj::SamplingType>(argument.getType()))
      argument.setType(mj::SamplingType::get(context, bucket.sequences));
    else if (auto tensor = dyn_cast<RankedTensorType>(argument.getType()); tensor && !tensor.hasStaticShape())
      return entry.emitError() << "argument " << argument.getArgNumber() << " of the ragged entry @"
                               << entry.getSymName() << " has the symbolic shape " << tensor
                               << "; only the batch and the sampling parameters may be symbolic";
  }
  for (Operation &op : body.without_terminator())
    if (failed(refine(&op)))
      return failure();
  copy.setFunctionType(FunctionType::get(context, body.getArgumentTypes(), body.getTerminator()->getOperandTypes()));
  return success();
}

struct SpecializeBuckets : mjolnir::impl::SpecializeBucketsBase<SpecializeBuckets> {
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp entry : getEntries(getOperation())) {
      bool ragged = llvm::any_of(entry.getArgumentTypes(), [](Type type) {
        auto batch = dyn_cast<mj::BatchType>(type);
        return batch && !batch.isStatic();
      });
      if (!ragged)
        continue;
      FailureOr<SmallVector<Bucket>> buckets = getBuckets(entry);
      if (failed(buckets))
        return signalPassFailure();
      for (const Bucket &bucket : *buckets)
        if (failed(specialize(entry, bucket)))
          return signalPassFailure();
      entry.erase();
    }
  }

  FailureOr<SmallVector<Bucket>> getBuckets(func::FuncOp entry) {
    int64_t context = maxContext;
    if (auto model = getOperation()->getAttrOfType<DictionaryAttr>("mj.model"))
      if (auto allowed = model.getAs<IntegerAttr>("max_context")) {
        if (context > allowed.getInt())
          return entry.emitError() << "max-context " << context << " is more than the " << allowed.getInt()
                                   << " tokens that the model was imported for";
        if (context == 0)
          context = allowed.getInt();
      }
    if (context <= 0)
      return entry.emitError("specialize-buckets needs max-context: the module does not say what the model allows");
    if (pageSize <= 0 || maxBatch <= 0)
      return entry.emitError("specialize-buckets needs a positive page-size and max-batch");
    if (decode.empty() && prefill.empty())
      return entry.emitError("specialize-buckets needs a decode or a prefill size");
    int64_t pages = llvm::divideCeil(context, int64_t(pageSize));
    SmallVector<Bucket> buckets;
    for (int64_t sequences : decode) {
      if (sequences <= 0)
        return entry.emitError() << "decode size " << sequences << " is not positive";
      buckets.push_back({"decode_b" + llvm::itostr(sequences), sequences, sequences, pages});
    }
    for (int64_t tokens : prefill) {
      if (tokens < maxBatch)
        return entry.emitError() << "prefill size " << tokens << " is below max-batch " << maxBatch
                                 << ": each sequence needs a row";
      buckets.push_back({"prefill_t" + llvm::itostr(tokens), tokens, maxBatch, pages});
    }
    return buckets;
  }
};

} // namespace
