// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// lower-to-exec: entries become launches over buffers, equal regions one kernel.
#include "passes/CacheOrder.h"
#include "passes/KernelTable.h"
#include "passes/Passes.h"
#include "passes/ReturnedConcat.h"
#include "passes/SessionState.h"
#include "passes/Weights.h"

#include "mjolnir/Dialect/Exec/KernelSignature.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <array>
#include <map>

namespace mjolnir {
#define GEN_PASS_DEF_LOWERTOEXEC
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

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

/// The pools of the program.
struct Pools {
  exec::KvPoolOp first;  ///< null where no entry has a cache
  exec::KvPoolOp window; ///< beside it: see exec::getWindowPool
};

/// The fields of the batch that a pool has of its own.
constexpr std::array kPoolFields = {mj::BatchField::block_tables, mj::BatchField::slots};

/// Lowers one entry function.
class EntryLowering {
public:
  EntryLowering(func::FuncOp function, KernelTable &kernels, Pools pools)
      : function(function), kernels(kernels), pools(pools), context(function.getContext()) {}

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
      if (auto type = dyn_cast<RankedTensorType>(operand.getType()); type && stateOfResult(function, index).empty())
        outputs.push_back(binding(resultName(index), type));

    auto entry = exec::EntryOp::create(
        builder, function.getLoc(), function.getSymName(), builder.getArrayAttr(inputs), builder.getArrayAttr(outputs),
        bucket ? builder.getDenseI64ArrayAttr(*bucket) : DenseI64ArrayAttr(), IntegerAttr(), IntegerAttr(),
        /*graph=*/false);
    Block *body = builder.createBlock(&entry.getBody());
    for (size_t i = 0; i < inputs.size() + outputs.size(); ++i)
      body->addArgument(bufferType(), function.getLoc());
    nextInput = 0;
    for (BlockArgument argument : block.getArguments())
      bindArgument(argument, *body, builder);

    // What becomes a state's value is computed there, where that can be; see lower().
    for (auto [index, operand] : llvm::enumerate(block.getTerminator()->getOperands()))
      if (StringRef state = stateOfResult(function, index); !state.empty())
        newStates.push_back({operand, behindReshapes(operand), state, stateBuffer(state, builder)});
    // A value that the entry returns is computed in the caller's memory.
    SmallVector<std::pair<Value, Value>> copies;
    unsigned output = 0;
    for (auto [index, operand] : llvm::enumerate(block.getTerminator()->getOperands())) {
      if (!isa<RankedTensorType>(operand.getType()) || !stateOfResult(function, index).empty())
        continue;
      Value destination = body->getArgument(inputs.size() + output++);
      auto place = [&](Value value, Value where) {
        // What is returned in another shape is the same memory.
        Value computed = behindReshapes(value);
        if (!computed.getDefiningOp<mj::FusionOp>() || !returnedAt.try_emplace(computed, where).second ||
            findNewState(computed))
          copies.emplace_back(value, where);
      };
      auto concat = operand.getDefiningOp<mj::ConcatOp>();
      if (!concat || !isReturnedInPlace(concat)) {
        place(operand, destination);
        continue;
      }
      int64_t offset = 0;
      for (Value source : concat.getSources()) {
        int64_t bytes = denseBytes(cast<RankedTensorType>(source.getType()));
        place(source, exec::PartOp::create(builder, concat.getLoc(), bufferType(), destination, offset, bytes));
        offset += bytes;
      }
    }

    for (Operation &op : block.without_terminator())
      if (failed(lower(&op, builder)))
        return failure();
    if (failed(cache.checkReturned(function)))
      return failure();
    for (auto [value, destination] : copies)
      copy(buffers.at(value), destination, value, builder);
    copyStates(builder);
    function.erase();
    return success();
  }

  unsigned getLaunches() const { return launches; }

private:
  /// A value that the state `name` has after the run; `computed` is `value` in whatever shape.
  struct NewState {
    Value value, computed;
    StringRef name;
    Value buffer;
  };

  Type bufferType() { return exec::BufferType::get(context); }

  static Value behindReshapes(Value value) {
    while (auto reshape = value.getDefiningOp<mj::ReshapeOp>())
      value = reshape.getSource();
    return value;
  }

  /// The first state that is to hold `computed`; null if there is none.
  const NewState *findNewState(Value computed) const {
    const auto *found = llvm::find_if(newStates, [&](const NewState &state) { return state.computed == computed; });
    return found == newStates.end() ? nullptr : found;
  }

  /// The memory of a state: one value in an entry, so that equal values are equal memory.
  Value stateBuffer(StringRef name, OpBuilder &builder) {
    Value &buffer = stateBuffers[name];
    if (!buffer)
      buffer = exec::StateBufferOp::create(builder, function.getLoc(), bufferType(), name);
    return buffer;
  }

  void copy(Value from, Value to, Value value, OpBuilder &builder) {
    if (from != to)
      exec::CopyOp::create(builder, function.getLoc(), from, to, denseBytes(cast<RankedTensorType>(value.getType())));
  }

  /// States whose values lie elsewhere. One that becomes what another was takes it before that one changes.
  void copyStates(OpBuilder &builder) {
    SmallVector<Value> sources;
    for (const NewState &state : newStates) {
      Value source = buffers.at(state.value);
      bool changes = source != state.buffer && llvm::any_of(newStates, [&](const NewState &other) {
                       return other.buffer == source && buffers.at(other.value) != source;
                     });
      if (changes) {
        Value before =
            exec::ArenaBufferOp::create(builder, function.getLoc(), bufferType(),
                                        denseBytes(cast<RankedTensorType>(state.value.getType())), IntegerAttr());
        copy(source, before, state.value, builder);
        source = before;
      }
      sources.push_back(source);
    }
    for (auto [state, source] : llvm::zip(newStates, sources))
      copy(source, state.buffer, state.value, builder);
  }

  /// The memory that result `index` of `fusion` is computed in, if that is a state or an output.
  Value placeOfResult(mj::FusionOp fusion, unsigned index, exec::KernelOp kernel) {
    Value result = fusion.getResult(index);
    if (const NewState *state = findNewState(result)) {
      BlockArgument before;
      for (BlockArgument argument : function.getArguments())
        if (stateOf(argument) == state->name)
          before = argument;
      std::string reason = whyNotOverState(fusion, index, before, kernel);
      int64_t bytes = denseBytes(cast<RankedTensorType>(result.getType()));
      auto options = remark::RemarkOpts::name("State").category("lower-to-exec");
      if (reason.empty()) {
        if (auto remark = remark::passed(fusion.getLoc(), options))
          remark << llvm::formatv("@{0} stores the state '{1}' of @{2} where it lies", kernel.getSymName(), state->name,
                                  function.getSymName())
                        .str();
        return state->buffer;
      }
      if (auto remark = remark::missed(fusion.getLoc(), options))
        remark << llvm::formatv("the {0} bytes of the state '{1}' of @{2} are copied to where it lies after every run: "
                                "{3}",
                                bytes, state->name, function.getSymName(), reason)
                      .str();
    }
    return returnedAt.lookup(result);
  }

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
      if (pools.window)
        for (mj::BatchField field : kPoolFields)
          inputs.push_back(binding("window_" + mj::stringifyBatchField(field).str(), mj::getFieldType(batch, field)));
    } else if (auto sampling = dyn_cast<mj::SamplingType>(argument.getType())) {
      for (int i = 0; i < exec::kSamplingFields; ++i) {
        auto field = static_cast<exec::SamplingField>(i);
        inputs.push_back(binding(exec::stringifySamplingField(field), exec::getSamplingFieldType(sampling, field)));
      }
    } else if (auto tensor = dyn_cast<RankedTensorType>(argument.getType()); tensor && stateOf(argument).empty()) {
      auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "mj.name");
      inputs.push_back(binding(name ? name.str() : "argument" + llvm::utostr(argument.getArgNumber()), tensor));
    }
  }

  void bindArgument(BlockArgument argument, Block &body, OpBuilder &builder) {
    if (isa<mj::BatchType>(argument.getType())) {
      for (unsigned i = 0; i <= mj::getMaxEnumValForBatchField(); ++i)
        batchFields.push_back(body.getArgument(nextInput++));
      if (pools.window)
        for (mj::BatchField field : kPoolFields)
          windowFields[field] = body.getArgument(nextInput++);
    } else if (isa<mj::SamplingType>(argument.getType())) {
      for (int i = 0; i < exec::kSamplingFields; ++i)
        samplingFields.push_back(body.getArgument(nextInput++));
    } else if (isa<RankedTensorType>(argument.getType())) {
      StringRef state = stateOf(argument);
      buffers[argument] = state.empty() ? body.getArgument(nextInput++) : stateBuffer(state, builder);
    } else if (isa<mj::KvType>(argument.getType())) {
      auto name = function.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), mj::kPoolAttr);
      bool isWindow = name && pools.window && name.getValue() == pools.window.getSymName();
      poolOf[argument] = isWindow ? pools.window : pools.first;
    }
  }

  /// The pool of the cache that `fusion` takes, null if it takes none. What it returns is in the same.
  FailureOr<exec::KvPoolOp> findPool(mj::FusionOp fusion) {
    exec::KvPoolOp pool;
    for (Value input : fusion.getInputs()) {
      auto found = poolOf.find(input);
      if (found == poolOf.end())
        continue;
      if (pool && pool != found->second)
        return fusion.emitOpError("takes two caches; one region, one layer");
      pool = found->second;
    }
    for (Value result : fusion.getResults())
      if (isa<mj::KvType>(result.getType()))
        poolOf[result] = pool;
    if (pool && pool == pools.window)
      for (auto field : fusion.getBody().front().getOps<mj::BatchFieldOp>())
        if (llvm::is_contained(kPoolFields, field.getField()))
          return fusion.emitOpError("reads ")
                 << mj::stringifyBatchField(field.getField()) << " of the batch beside a cache that has its own";
    return pool;
  }

  LogicalResult lower(Operation *op, OpBuilder &builder) {
    if (auto field = dyn_cast<mj::BatchFieldOp>(op)) {
      buffers[field.getResult()] = batchFields[static_cast<unsigned>(field.getField())];
      return success();
    }
    if (auto weight = dyn_cast<mj::GetWeightOp>(op)) {
      buffers[weight.getResult()] =
          exec::WeightBufferOp::create(builder, op->getLoc(), bufferType(), weight.getWeightAttr());
      return success();
    }
    if (auto reshape = dyn_cast<mj::ReshapeOp>(op)) {
      // Looked up first: the new entry may move the old one.
      Value source = buffers.at(reshape.getSource());
      buffers[reshape.getResult()] = source;
      return success();
    }
    if (auto fusion = dyn_cast<mj::FusionOp>(op))
      return lower(fusion, builder);
    // Its sources were given their places in the result.
    if (isReturnedInPlace(op))
      return success();
    return op->emitError() << "'" << op->getName()
                           << "' is outside a region: run form-fusions and hoist-weight-computation first";
  }

  LogicalResult lower(mj::FusionOp fusion, OpBuilder &builder) {
    if (!fusion.getSchedule())
      return fusion.emitOpError("has no schedule: run select-schedules first");
    FailureOr<std::optional<int64_t>> layer = getLayer(fusion);
    FailureOr<exec::KvPoolOp> pool = findPool(fusion);
    if (failed(layer) || failed(pool) || failed(cache.add(fusion)))
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
        if (*pool && *pool == pools.window && windowFields.count(operand.batchField))
          operands.push_back(windowFields.at(operand.batchField));
        else
          operands.push_back(batchFields[static_cast<unsigned>(operand.batchField)]);
        break;
      case exec::KernelOperand::sampling:
        operands.push_back(samplingFields[static_cast<int>(operand.samplingField)]);
        break;
      case exec::KernelOperand::pool:
        operands.push_back(exec::PoolBufferOp::create(builder, loc, bufferType(), pool->getSymName(),
                                                      layer->value_or(0) * pool->getLayerBytes()));
        break;
      case exec::KernelOperand::result: {
        Value place = placeOfResult(fusion, operand.index, kernel);
        if (!place)
          place = exec::ArenaBufferOp::create(builder, loc, bufferType(), denseBytes(operand.type), IntegerAttr());
        buffers[fusion.getResult(operand.index)] = place;
        operands.push_back(place);
        break;
      }
      }
    }
    if (std::optional<uint64_t> scratch = kernel.getScratch())
      operands.push_back(exec::ArenaBufferOp::create(builder, loc, bufferType(), *scratch, IntegerAttr()));
    exec::LaunchOp::create(builder, nameResults(fusion), kernel.getSymName(), operands);
    ++launches;
    return success();
  }

  /// The region's location with the names of what the launch stores: see exec::StoredValue.
  Location nameResults(mj::FusionOp fusion) {
    Block &body = fusion.getBody().front();
    SmallVector<exec::StoredValue> stored;
    for (auto [place, operand] : llvm::enumerate(exec::getKernelOperands(body))) {
      if (operand.kind != exec::KernelOperand::result)
        continue;
      Operation *producer = body.getTerminator()->getOperand(operand.index).getDefiningOp();
      auto name = producer ? producer->getLoc()->findInstanceOf<NameLoc>() : NameLoc();
      if (!name)
        continue;
      auto quantize = dyn_cast<mj::QuantizeOp>(producer);
      double scale = quantize ? 1 / quantize.getMultiplier().convertToDouble() : 0;
      stored.push_back({int64_t(place), name.getName().getValue(), operand.type, scale});
    }
    return exec::withStoredValues(fusion.getLoc(), stored);
  }

  func::FuncOp function;
  KernelTable &kernels;
  Pools pools;
  MLIRContext *context;
  unsigned nextInput = 0, launches = 0;
  llvm::DenseMap<Value, Value> buffers;
  llvm::DenseMap<Value, Value> returnedAt; ///< where a region's result is returned
  SmallVector<NewState> newStates;
  llvm::StringMap<Value> stateBuffers;
  llvm::DenseMap<Value, exec::KvPoolOp> poolOf; ///< by version of a cache
  SmallVector<Value> batchFields, samplingFields;
  std::map<mj::BatchField, Value> windowFields;
  CacheOrder cache;
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
    WalkResult verified = module.walk([&](mj::FusionOp fusion) {
      return WalkResult(!fusion.getSchedule()
                            ? success()
                            : chip->verifySchedule(fusion, *fusion.getSchedule(), fusion.getBody().front()));
    });
    if (verified.wasInterrupted())
      return signalPassFailure();
    SymbolTable symbols(module);
    FailureOr<exec::KvPoolOp> pool = findPool();
    if (failed(pool))
      return signalPassFailure();
    if (failed(declareStates(module, symbols)))
      return signalPassFailure();
    Pools pools{*pool, exec::getWindowPool(module)};
    KernelTable kernels(module, symbols, *chip);
    unsigned launches = 0;
    for (func::FuncOp entry : getEntries(module)) {
      EntryLowering lowering(entry, kernels, pools);
      if (failed(lowering.run()))
        return signalPassFailure();
      launches += lowering.getLaunches();
    }
    if (auto remark = remark::analysis(module.getLoc(), remark::RemarkOpts::name("Kernels").category("lower-to-exec")))
      remark << llvm::formatv("{0} regions became {1} kernels", launches, kernels.size()).str();
  }

  /// The pool that plan-paged-kv made, of two the one that keeps whole sequences; null if no entry has a cache.
  FailureOr<exec::KvPoolOp> findPool() {
    exec::KvPoolOp window = exec::getWindowPool(getOperation());
    for (auto pool : getOperation().getOps<exec::KvPoolOp>())
      if (pool != window)
        return pool;
    for (func::FuncOp entry : getEntries(getOperation()))
      if (llvm::any_of(entry.getArgumentTypes(), llvm::IsaPred<mj::KvType>))
        return entry.emitError("has a cache and the module no exec.kv_pool: run plan-paged-kv first");
    return exec::KvPoolOp();
  }
};

} // namespace
