// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// specialize-buckets: a static copy of each ragged entry for every bucket.
#include "passes/Passes.h"
#include "passes/Weights.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

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
    if (!source && isa<mj::LeadingDimOpInterface>(op))
      return op->emitOpError("mixes or moves rows, whose number is symbolic in its result ")
             << type << ": only static shapes can be";
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

/// Whether a size that an entry states may become `wanted`.
bool admits(int64_t stated, int64_t wanted) { return ShapedType::isDynamic(stated) || stated == wanted; }

LogicalResult specialize(func::FuncOp entry, const Bucket &bucket) {
  MLIRContext *context = entry.getContext();
  for (auto [index, type] : llvm::enumerate(entry.getArgumentTypes())) {
    auto batch = dyn_cast<mj::BatchType>(type);
    auto sampling = dyn_cast<mj::SamplingType>(type);
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (tensor && !tensor.hasStaticShape())
      return entry.emitError() << "argument " << index << " of the ragged entry @" << entry.getSymName()
                               << " has the symbolic shape " << tensor
                               << "; only the batch and the sampling parameters may be symbolic";
    if ((batch && !(admits(batch.getTokens(), bucket.tokens) && admits(batch.getSequences(), bucket.sequences) &&
                    admits(batch.getPages(), bucket.pages))) ||
        (sampling && !admits(sampling.getSequences(), bucket.sequences)))
      return entry.emitError() << "argument " << index << " of the ragged entry @" << entry.getSymName() << " is "
                               << type << "; bucket " << bucket.name << " has " << bucket.tokens << " tokens, "
                               << bucket.sequences << " sequences and " << bucket.pages << " pages";
  }
  OpBuilder builder(entry);
  auto copy = cast<func::FuncOp>(builder.clone(*entry));
  copy.setSymName(bucket.name);
  Block &body = copy.getBody().front();
  for (BlockArgument argument : body.getArguments()) {
    if (isa<mj::BatchType>(argument.getType()))
      argument.setType(mj::BatchType::get(context, bucket.tokens, bucket.sequences, bucket.pages));
    else if (isa<mj::SamplingType>(argument.getType()))
      argument.setType(mj::SamplingType::get(context, bucket.sequences));
  }
  for (Operation &op : body.without_terminator())
    if (failed(refine(&op)))
      return failure();
  copy.setFunctionType(FunctionType::get(context, body.getArgumentTypes(), body.getTerminator()->getOperandTypes()));
  if (auto remark = remark::passed(entry.getLoc(), remark::RemarkOpts::name("Bucket").category("specialize-buckets")))
    remark << llvm::formatv("made @{0} of @{1}: {2} token rows, {3} sequences, {4} pages a sequence", bucket.name,
                            entry.getSymName(), bucket.tokens, bucket.sequences, bucket.pages)
                  .str();
  return success();
}

struct SpecializeBuckets : mjolnir::impl::SpecializeBucketsBase<SpecializeBuckets> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<func::FuncOp> ragged;
    for (func::FuncOp entry : getEntries(getOperation())) {
      if (llvm::any_of(entry.getArgumentTypes(), isSymbolic))
        ragged.push_back(entry);
      else if (auto remark =
                   remark::analysis(entry.getLoc(), remark::RemarkOpts::name("Static").category("specialize-buckets")))
        remark << ("@" + entry.getSymName() + " is left as it is: its shapes are static").str();
    }
    if (ragged.empty())
      return;
    if (ragged.size() > 1) {
      ragged[1].emitError() << "@" << ragged[1].getSymName() << " is ragged, and so is @" << ragged[0].getSymName()
                            << "; the buckets of a module are made of one entry";
      return signalPassFailure();
    }
    if (failed(specializeAll(ragged.front())))
      signalPassFailure();
  }

  static bool isSymbolic(Type type) {
    auto batch = dyn_cast<mj::BatchType>(type);
    return batch && !batch.isStatic();
  }

  LogicalResult specializeAll(func::FuncOp entry) {
    if (pageSize <= 0 || maxBatch <= 0)
      return entry.emitError("specialize-buckets needs a positive page-size and max-batch");
    if (decode.empty() && prefill.empty())
      return entry.emitError("specialize-buckets needs a decode or a prefill size");
    FailureOr<int64_t> context = getContextLength(entry);
    if (failed(context))
      return failure();
    FailureOr<SmallVector<Bucket>> buckets = getBuckets(entry, llvm::divideCeil(*context, int64_t(pageSize)));
    if (failed(buckets))
      return failure();
    for (const Bucket &bucket : *buckets) {
      if (bucket.name != entry.getSymName() && SymbolTable::lookupSymbolIn(getOperation(), bucket.name))
        return entry.emitError() << "bucket " << bucket.name << " of @" << entry.getSymName()
                                 << " is asked for twice, or its "
                                 << "name is taken";
      if (failed(specialize(entry, bucket)))
        return failure();
    }
    entry.erase();
    recordChoices(*context);
    return success();
  }

  /// What later phases and the package say of the model must be what the entries can do.
  void recordChoices(int64_t context) {
    ModuleOp module = getOperation();
    Builder builder(&getContext());
    module->setAttr(mj::kPageSizeAttr, builder.getI64IntegerAttr(pageSize));
    if (auto model = module->getAttrOfType<DictionaryAttr>(mj::kModelAttr)) {
      NamedAttrList settings(model);
      settings.set("max_context", builder.getI64IntegerAttr(context));
      module->setAttr(mj::kModelAttr, settings.getDictionary(&getContext()));
    }
  }

  /// Tokens that a sequence may hold.
  FailureOr<int64_t> getContextLength(func::FuncOp entry) {
    int64_t context = maxContext;
    if (auto model = getOperation()->getAttrOfType<DictionaryAttr>(mj::kModelAttr))
      if (auto allowed = model.getAs<IntegerAttr>("max_context")) {
        if (context > allowed.getInt())
          return entry.emitError() << "max-context " << context << " is more than the " << allowed.getInt()
                                   << " tokens that the model was imported for";
        if (context == 0)
          context = allowed.getInt();
      }
    if (context <= 0)
      return entry.emitError("specialize-buckets needs max-context: the module does not say what the model allows");
    return context;
  }

  FailureOr<SmallVector<Bucket>> getBuckets(func::FuncOp entry, int64_t pages) {
    SmallVector<Bucket> buckets;
    for (int64_t sequences : decode) {
      if (sequences <= 0)
        return entry.emitError() << "decode size " << sequences << " is not positive";
      buckets.push_back({"decode_b" + llvm::itostr(sequences), sequences, sequences, pages});
    }
    for (int64_t tokens : prefill) {
      // As many rows as sequences are a decode step, where each sequence has one.
      if (tokens <= maxBatch)
        return entry.emitError() << "prefill size " << tokens << " is not above max-batch " << int64_t(maxBatch)
                                 << ": some sequence needs more than one row";
      buckets.push_back({"prefill_t" + llvm::itostr(tokens), tokens, maxBatch, pages});
    }
    return buckets;
  }
};

} // namespace
