// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// lower-to-exec: entries become launches over buffers, equal regions one kernel.
#include "passes/Passes.h"
#include "passes/Weights.h"

#include "mjolnir/Dialect/Exec/KernelSignature.h"
#include "mjolnir/Target/Target.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

namespace mjolnir {
#define GEN_PASS_DEF_LOWERTOEXEC
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

constexpr llvm::StringLiteral kPoolName = "kv";

/// The layer that the state operations of a region use; the same for all of them.
FailureOr<std::optional<int64_t>> getLayer(mj::FusionOp fusion) {
  std::optional<int64_t> layer;
  for (Operation &op : fusion.getBody().front()) {
    std::optional<int64_t> used;
    if (auto append = dyn_cast<mj::KvAppendOp>(op))
      used = append.getLayer();
    else if (auto attention = dyn_cast<mj::AttentionOp>(op))
      used = attention.getLayer();
    if (used && layer && *used != *layer)
      return fusion.emitOpError("uses layers ") << *layer << " and " << *used << " of the cache; one region, one layer";
    if (used)
      layer = used;
  }
  return layer;
}

/// Kernels by the text of their body and schedule, layers taken out.
class KernelTable {
public:
  KernelTable(ModuleOp module, const Target &target)
      : builder(OpBuilder::atBlockEnd(module.getBody())), target(target) {}

  exec::KernelOp get(mj::FusionOp fusion) {
    MLIRContext *context = fusion.getContext();
    SmallVector<Attribute> accesses;
    for (const exec::KernelOperand &operand : exec::getKernelOperands(fusion.getBody().front()))
      accesses.push_back(exec::AccessAttr::get(context, operand.access));
    auto kernel = exec::KernelOp::create(builder, builder.getUnknownLoc(), "kernel", *fusion.getSchedule(), 1,
                                         builder.getArrayAttr(accesses), builder.getStringAttr(describe(fusion)));
    IRMapping mapping;
    fusion.getBody().cloneInto(&kernel.getBody(), mapping);
    Block &body = kernel.getBody().front();
    for (Operation &op : llvm::make_early_inc_range(body)) {
      op.setLoc(builder.getUnknownLoc());
      if (auto append = dyn_cast<mj::KvAppendOp>(op))
        append.setLayer(0);
      else if (auto attention = dyn_cast<mj::AttentionOp>(op))
        attention.setLayer(0);
      else if (auto yield = dyn_cast<mj::YieldOp>(op)) {
        OpBuilder inside(yield);
        exec::ReturnOp::create(inside, op.getLoc(), yield.getResults());
        yield.erase();
      }
    }
    std::string text;
    llvm::raw_string_ostream stream(text);
    kernel->print(stream, OpPrintingFlags().printGenericOpForm().useLocalScope());
    auto [found, isNew] = kernels.try_emplace(text, kernel);
    if (!isNew) {
      kernel.erase();
      return found->second;
    }
    kernel.setTiles(target.countTiles(kernel.getSchedule(), body));
    kernel.setSymName(nameOf(kernel));
    return kernel;
  }

private:
  /// The operations of a region, for people: "norm, matmul".
  static std::string describe(mj::FusionOp fusion) {
    SmallVector<StringRef> names;
    for (Operation &op : fusion.getBody().front().without_terminator())
      if (!isConstant(&op) && !isa<mj::ReshapeOp, mj::BroadcastOp>(op))
        names.push_back(op.getName().stripDialect());
    return llvm::join(names, ", ");
  }

  /// "matmul_3": what the kernel is anchored on and a number.
  std::string nameOf(exec::KernelOp kernel) {
    StringRef anchor = "rows";
    for (Operation &op : kernel.getBody().front())
      if (isa<mj::MatmulOp, mj::AttentionOp, mj::SampleOp>(op))
        anchor = op.getName().stripDialect();
    return (anchor + "_" + Twine(kernels.size() - 1)).str();
  }

  OpBuilder builder;
  const Target &target;
  llvm::StringMap<exec::KernelOp> kernels;
};

/// Lowers one entry function.
class EntryLowering {
public:
  EntryLowering(func::FuncOp function, KernelTable &kernels, exec::KvPoolOp pool)
      : function(function), kernels(kernels), pool(pool), context(function.getContext()) {}

  LogicalResult run() {
    Block &block = function.getBody().front();
    OpBuilder builder(function);
    SmallVector<Attribute> inputs, outputs;
    std::optional<std::array<int64_t, 3>> bucket;
    for (BlockArgument argument : block.getArguments()) {
      if (auto batch = dyn_cast<mj::BatchType>(argument.getType())) {
        if (!batch.isStatic())
          return function.emitError("has a symbolic batch: run specialize-buckets first");
        bucket = {batch.getTokens(), batch.getSequences(), batch.getPages()};
      }
      addBindings(argument, inputs);
    }
    for (auto [index, operand] : llvm::enumerate(block.getTerminator()->getOperands()))
      if (auto type = dyn_cast<RankedTensorType>(operand.getType()))
        outputs.push_back(binding(resultName(index), type));

    auto entry = exec::EntryOp::create(
        builder, function.getLoc(), function.getSymName(), builder.getArrayAttr(inputs), builder.getArrayAttr(outputs),
        bucket ? builder.getDenseI64ArrayAttr(*bucket) : DenseI64ArrayAttr(), IntegerAttr(), IntegerAttr());
    Block *body = builder.createBlock(&entry.getBody());
    for (size_t i = 0; i < inputs.size() + outputs.size(); ++i)
      body->addArgument(bufferType(), function.getLoc());
    nextInput = 0;
    for (BlockArgument argument : block.getArguments())
      bindArgument(argument, *body);

    // A value that the entry returns is computed in the caller's memory.
    SmallVector<std::pair<Value, Value>> copies;
    unsigned output = 0;
    for (Value operand : block.getTerminator()->getOperands()) {
      if (!isa<RankedTensorType>(operand.getType()))
        continue;
      Value destination = body->getArgument(inputs.size() + output++);
      if (operand.getDefiningOp<mj::FusionOp>() && !buffers.contains(operand))
        buffers[operand] = destination;
      else
        copies.emplace_back(operand, destination);
    }

    for (Operation &op : block.without_terminator())
      if (failed(lower(&op, builder)))
        return failure();
    for (auto [value, destination] : copies)
      exec::CopyOp::create(builder, function.getLoc(), buffers.at(value), destination,
                           denseBytes(cast<RankedTensorType>(value.getType())));
    function.erase();
    return success();
  }

private:
  Type bufferType() { return exec::BufferType::get(context); }

  Attribute binding(StringRef name, RankedTensorType type) {
    return exec::BindingAttr::get(context, StringAttr::get(context, name), TypeAttr::get(type));
  }

  std::string resultName(unsigned index) {
    if (auto name = function.getResultAttrOfType<StringAttr>(index, "mj.name"))
      return name.str();
    return "result" + llvm::utostr(index);
  }

  /// The inputs that stand for an argument: its fields, or itself.
  void addBindings(BlockArgument argument, SmallVector<Attribute> &inputs) {
    if (auto batch = dyn_cast<mj::BatchType>(argument.getType())) {
      for (unsigned i = 0; i <= mj::getMaxEnumValForBatchField(); ++i) {
        auto field = static_cast<mj::BatchField>(i);
        inputs.push_back(binding(mj::stringifyBatchField(field), mj::getFieldType(batch, field)));
      }
    } else if (auto sampling = dyn_cast<mj::SamplingType>(argument.getType())) {
      for (int i = 0; i < exec::kSamplingFields; ++i) {
        auto field = static_cast<exec::SamplingField>(i);
        inputs.push_back(binding(exec::stringifySamplingField(field), exec::getSamplingFieldType(sampling, field)));
      }
    } else if (auto tensor = dyn_cast<RankedTensorType>(argument.getType())) {
      auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "mj.name");
      inputs.push_back(binding(name ? name.str() : "argument" + llvm::utostr(argument.getArgNumber()), tensor));
    }
  }

  void bindArgument(BlockArgument argument, Block &body) {
    if (isa<mj::BatchType>(argument.getType())) {
      for (unsigned i = 0; i <= mj::getMaxEnumValForBatchField(); ++i)
        batchFields.push_back(body.getArgument(nextInput++));
    } else if (isa<mj::SamplingType>(argument.getType())) {
      for (int i = 0; i < exec::kSamplingFields; ++i)
        samplingFields.push_back(body.getArgument(nextInput++));
    } else if (isa<RankedTensorType>(argument.getType())) {
      buffers[argument] = body.getArgument(nextInput++);
    }
  }

  LogicalResult lower(Operation *op, OpBuilder &builder) {
    if (auto field = dyn_cast<mj::BatchFieldOp>(op)) {
      buffers[field.getResult()] = batchFields[static_cast<unsigned>(field.getField())];
      return success();
    }
    if (auto weight = dyn_cast<mj::GetWeightOp>(op)) {
      buffers[weight.getResult()] = exec::WeightBufferOp::create(builder, op->getLoc(), bufferType(), weight.getWeightAttr());
      return success();
    }
    if (auto reshape = dyn_cast<mj::ReshapeOp>(op)) {
      buffers[reshape.getResult()] = buffers.at(reshape.getSource());
      return success();
    }
    if (auto fusion = dyn_cast<mj::FusionOp>(op))
      return lower(fusion, builder);
    return op->emitError() << "'" << op->getName()
                           << "' is outside a region: run form-fusions and hoist-weight-computation first";
  }

  LogicalResult lower(mj::FusionOp fusion, OpBuilder &builder) {
    if (!fusion.getSchedule())
      return fusion.emitOpError("has no schedule: run select-schedules first");
    FailureOr<std::optional<int64_t>> layer = getLayer(fusion);
    if (failed(layer) || failed(checkOrder(fusion)))
      return failure();
    exec::KernelOp kernel = kernels.get(fusion);
    Location loc = fusion.getLoc();
    SmallVector<Value> operands;
    for (const exec::KernelOperand &operand : exec::getKernelOperands(fusion.getBody().front())) {
      switch (operand.kind) {
      case exec::KernelOperand::tensor:
        operands.push_back(buffers.at(fusion.getInputs()[operand.index]));
        break;
      case exec::KernelOperand::batch:
        operands.push_back(batchFields[static_cast<unsigned>(operand.batchField)]);
        break;
      case exec::KernelOperand::sampling:
        operands.push_back(samplingFields[static_cast<int>(operand.samplingField)]);
        break;
      case exec::KernelOperand::pool:
        operands.push_back(exec::PoolBufferOp::create(builder, loc, bufferType(), pool.getSymName(),
                                                      layer->value_or(0) * pool.getLayerBytes()));
        break;
      case exec::KernelOperand::result: {
        Value result = fusion.getResult(operand.index);
        auto [found, isNew] = buffers.try_emplace(result);
        if (isNew)
          found->second = exec::ArenaBufferOp::create(builder, loc, bufferType(), denseBytes(operand.type), IntegerAttr());
        operands.push_back(found->second);
        break;
      }
      }
    }
    exec::LaunchOp::create(builder, loc, kernel.getSymName(), operands);
    return success();
  }

  /// The pool is one memory: a region may read a layer only from the version of the cache that was appended to last.
  LogicalResult checkOrder(mj::FusionOp fusion) {
    for (auto [argument, input] : llvm::zip(fusion.getBody().getArguments(), fusion.getInputs())) {
      if (!isa<mj::KvType>(argument.getType()))
        continue;
      for (Operation *user : argument.getUsers()) {
        auto attention = dyn_cast<mj::AttentionOp>(user);
        int64_t layer = attention ? attention.getLayer() : cast<mj::KvAppendOp>(user).getLayer();
        auto last = lastAppend.find(layer);
        if (last != lastAppend.end() && !reaches(input, last->second, layer))
          return fusion.emitOpError("reads layer ") << layer << " of an older version of the cache than the last append";
      }
      for (Operation &op : fusion.getBody().front())
        if (auto append = dyn_cast<mj::KvAppendOp>(op))
          for (Value result : fusion.getResults())
            if (isa<mj::KvType>(result.getType())) {
              lastAppend[append.getLayer()] = result;
              versions[result] = input;
            }
    }
    return success();
  }

  /// Whether `version` of the cache is `append` or was made from it.
  bool reaches(Value version, Value append, int64_t layer) {
    for (Value current = version; current; current = versions.lookup(current))
      if (current == append)
        return true;
    return false;
  }

  func::FuncOp function;
  KernelTable &kernels;
  exec::KvPoolOp pool;
  MLIRContext *context;
  unsigned nextInput = 0;
  llvm::DenseMap<Value, Value> buffers;
  SmallVector<Value> batchFields, samplingFields;
  llvm::DenseMap<int64_t, Value> lastAppend;
  llvm::DenseMap<Value, Value> versions; ///< a version of the cache to the one it was made from
};

struct LowerToExec : mjolnir::impl::LowerToExecBase<LowerToExec> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    std::string error;
    std::unique_ptr<Target> chip = createTarget(target, error);
    if (!chip) {
      module.emitError(error);
      return signalPassFailure();
    }
    FailureOr<exec::KvPoolOp> pool = makePool();
    if (failed(pool))
      return signalPassFailure();
    KernelTable kernels(module, *chip);
    for (func::FuncOp entry : getEntries(module))
      if (failed(EntryLowering(entry, kernels, *pool).run()))
        return signalPassFailure();
  }

  /// The pool of the cache that the entries share, or null if none has one.
  FailureOr<exec::KvPoolOp> makePool() {
    mj::KvType cache;
    for (func::FuncOp entry : getEntries(getOperation()))
      for (Type type : entry.getArgumentTypes())
        if (auto kv = dyn_cast<mj::KvType>(type)) {
          if (cache && cache != kv)
            return entry.emitError() << "has a cache of type " << kv << ", another entry " << cache
                                     << "; entries of a package share one";
          cache = kv;
        }
    if (!cache)
      return exec::KvPoolOp();
    if (pageSize <= 0)
      return getOperation().emitError("lower-to-exec needs a positive page-size");
    int64_t bytes = 2 * cache.getLayers() * cache.getHeads() * pageSize * cache.getHeadDim() *
                    cache.getElementType().getIntOrFloatBitWidth() / 8;
    OpBuilder builder(getEntries(getOperation()).front());
    return exec::KvPoolOp::create(builder, getOperation().getLoc(), kPoolName, cache.getElementType(),
                                  cache.getLayers(), cache.getHeads(), cache.getHeadDim(), pageSize, bytes);
  }
};

} // namespace
