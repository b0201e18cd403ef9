// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// From a module in phase code to a package: the exec program as FlatBuffers, images, weights, the tokenizer's files.
#include "lib/Pipeline/BuildPackage.h"

#include "lib/Pipeline/Prepare.h"
#include "mjolnir/Dialect/Exec/KernelSignature.h"
#include "mjolnir/Package/PackageWriter.h"
#include "mjolnir/Target/Cost.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mjolnir;

static FailureOr<fb::DType> dtypeOf(Operation *op, Type type) {
  Type element = getElementTypeOrSelf(type);
  if (element.isF32())
    return fb::DType::f32;
  if (element.isF16())
    return fb::DType::f16;
  if (element.isBF16())
    return fb::DType::bf16;
  if (isa<Float8E4M3FNType>(element))
    return fb::DType::f8e4m3fn;
  if (element.isInteger(32))
    return fb::DType::i32;
  if (element.isInteger(64))
    return fb::DType::i64;
  if (element.isInteger(8))
    return fb::DType::i8;
  if (element.isInteger(1))
    return fb::DType::boolean;
  return op->emitError() << "a package cannot hold elements of type " << element;
}

/// The checkpoint's name of an element type; nullopt where a checkpoint has no such tensors for us.
static std::optional<DType> dtypeOf(Type element) {
  if (element.isF32())
    return DType::F32;
  if (element.isF16())
    return DType::F16;
  if (element.isBF16())
    return DType::BF16;
  return isa<Float8E4M3FNType>(element) ? std::optional(DType::F8E4M3) : std::nullopt;
}

static std::vector<uint64_t> shapeOf(Type type) {
  auto shape = cast<RankedTensorType>(type).getShape();
  return {shape.begin(), shape.end()};
}

namespace {

class PackageBuilder {
public:
  PackageBuilder(ModuleOp module, const Target &target, const Checkpoint *checkpoint)
      : module(module), symbols(module), target(target), checkpoint(checkpoint) {}

  LogicalResult build(StringRef path, StringRef tuning, const ProgressFn &progress) {
    describe();
    if (!tuning.empty())
      contents.members.push_back({package::kTuningMember, tuning});
    if (failed(addImages()) || failed(addPools()) || failed(addStates()) || failed(addKernels()))
      return failure();
    for (auto entry : module.getOps<exec::EntryOp>())
      if (failed(addEntry(entry)))
        return failure();
    if (failed(addFiles()))
      return failure();
    addDebugTables();

    WeightEvaluator evaluator(module, target, [&](mj::WeightOp weight) { return readTensor(weight); });
    contents.weight = [&](size_t index, const package::AppendBytes &append) -> package::Error {
      FailureOr<TensorBytes> bytes = evaluator.evaluate(weightNames[index]);
      if (failed(bytes))
        return package::Error("weight '" + weightNames[index] + "' could not be computed");
      package::Error error = append({bytes->bytes().data(), bytes->bytes().size()});
      releaseTensors();
      if (progress)
        progress(index + 1, weightNames.size());
      return error;
    };
    if (package::Error error = package::writePackage(path.str(), contents))
      return module.emitError() << error.message();
    return success();
  }

  PackageSummary summarize() const {
    const fb::ProgramT &program = contents.program;
    PackageSummary summary;
    for (const auto &entry : program.entries)
      summary.entries.push_back(entry->name);
    summary.kernels = program.kernels.size();
    summary.weights = program.weights.size();
    for (const auto &weight : program.weights)
      summary.weightBytes += weight->bytes;
    for (const auto &pool : program.kv_pools) {
      summary.pageBytes += pool->bytes_per_page;
      summary.pageTokens = pool->page_size;
    }
    if (program.language_model)
      summary.maxContext = program.language_model->max_context;
    return summary;
  }

private:
  void describe() {
    fb::ProgramT &program = contents.program;
    program.producer = ("mjolnir " + kVersion).str();
    TargetDescription chip = target.describe();
    program.target = std::make_unique<fb::TargetT>();
    program.target->kind = chip.kind;
    program.target->triple = chip.triple;
    program.target->features = chip.features;
    auto model = module->getAttrOfType<DictionaryAttr>("mj.model");
    if (!model)
      return;
    program.language_model = std::make_unique<fb::LanguageModelT>();
    if (auto architecture = model.getAs<StringAttr>("architecture"))
      program.language_model->architecture = architecture.str();
    if (auto vocabulary = model.getAs<IntegerAttr>("vocabulary"))
      program.language_model->vocabulary = vocabulary.getInt();
    if (auto context = model.getAs<IntegerAttr>("max_context"))
      program.language_model->max_context = context.getInt();
  }

  LogicalResult addImages() {
    for (auto image : module.getOps<exec::ImageOp>()) {
      auto table = std::make_unique<fb::ImageT>();
      table->member = image.getMember().str();
      contents.program.images.push_back(std::move(table));
      ArrayRef<char> bytes = image.getData().getRawData();
      contents.images.emplace_back(bytes.data(), bytes.size());
    }
    return success();
  }

  LogicalResult addPools() {
    exec::KvPoolOp window = exec::getWindowPool(module);
    for (auto pool : module.getOps<exec::KvPoolOp>()) {
      FailureOr<fb::DType> dtype = dtypeOf(pool, pool.getElementType());
      if (failed(dtype))
        return failure();
      auto table = std::make_unique<fb::KvPoolT>();
      table->name = pool.getSymName().str();
      table->dtype = *dtype;
      table->layers = pool.getLayers();
      table->heads = pool.getHeads();
      table->head_dim = pool.getHeadDim();
      table->page_size = pool.getPageSize();
      table->bytes_per_page = pool.getBytesPerPage();
      table->window = pool.getWindow().value_or(0);
      table->own_tables = pool == window;
      poolIndices[pool] = contents.program.kv_pools.size();
      contents.program.kv_pools.push_back(std::move(table));
      if (contents.program.language_model)
        contents.program.language_model->activations = getActivations(pool).isF32() ? "f32" : "bf16";
    }
    return success();
  }

  LogicalResult addStates() {
    for (auto state : module.getOps<exec::StateOp>()) {
      FailureOr<fb::DType> dtype = dtypeOf(state, state.getType());
      if (failed(dtype))
        return failure();
      auto table = std::make_unique<fb::BindingT>();
      table->name = state.getSymName().str();
      table->dtype = *dtype;
      table->shape = shapeOf(state.getType());
      stateIndices[state] = contents.program.states.size();
      contents.program.states.push_back(std::move(table));
    }
    return success();
  }

  /// The element type of what attends to the cache; the cache itself may be narrower.
  Type getActivations(exec::KvPoolOp pool) {
    Type element = pool.getElementType();
    module.walk([&](mj::AttentionOp attention) { element = getElementTypeOrSelf(attention.getQuery().getType()); });
    return element;
  }

  LogicalResult addKernels() {
    for (auto kernel : module.getOps<exec::KernelOp>()) {
      if (auto call = kernel.getLibraryAttr()) {
        addLibrary(call.getLibrary());
        continue;
      }
      auto table = std::make_unique<fb::KernelT>();
      table->name = kernel.getSymName().str();
      table->symbol = kernel.getSymName().str();
      table->operand_count = kernel.getAccesses().size();
      table->ops = kernel.getOps().value_or("").str();
      table->schedule = kernel.getSchedule().getName().str();
      // What a target's code generation notes where one symbol in one image does not say it all.
      if (auto threads = kernel->getAttrOfType<IntegerAttr>("threads"))
        table->threads = threads.getInt();
      if (auto shared = kernel->getAttrOfType<IntegerAttr>("shared_bytes"))
        table->shared_bytes = shared.getInt();
      if (failed(addTensorMaps(kernel, *table)))
        return failure();
      for (auto [name, place] : {std::pair("image", &table->image), {"portable_image", &table->portable_image}})
        if (auto member = kernel->getAttrOfType<StringAttr>(name))
          for (auto [index, image] : llvm::enumerate(contents.program.images))
            if (image->member == member.getValue())
              *place = index;
      kernelIndices[kernel] = contents.program.kernels.size();
      contents.program.kernels.push_back(std::move(table));
    }
    return success();
  }

  LogicalResult addTensorMaps(exec::KernelOp kernel, fb::KernelT &table) {
    ArrayAttr maps = kernel.getTensorMapsAttr();
    if (!maps)
      return success();
    SmallVector<exec::KernelOperand> operands = exec::getKernelOperands(kernel.getBody().front());
    for (auto map : maps.getAsRange<exec::TensorMapAttr>()) {
      FailureOr<fb::DType> dtype = dtypeOf(kernel, operands[map.getOperand()].type);
      if (failed(dtype))
        return failure();
      auto record = std::make_unique<fb::TensorMapT>();
      record->operand = map.getOperand();
      record->dtype = *dtype;
      record->rows = map.getRows();
      record->columns = map.getColumns();
      record->box_rows = map.getBoxRows();
      record->box_columns = map.getBoxColumns();
      table.tensor_maps.push_back(std::move(record));
    }
    return success();
  }

  void addLibrary(StringRef name) {
    auto [found, isNew] = libraryIndices.try_emplace(name, contents.program.libraries.size());
    if (!isNew)
      return;
    contents.program.libraries.push_back(std::make_unique<fb::LibraryT>());
    contents.program.libraries.back()->name = name.str();
  }

  /// A launch of a kernel that is a library's: the call.
  FailureOr<fb::MatmulCallT> makeCall(exec::LaunchOp launch, exec::KernelOp kernel, exec::EntryOp entry) {
    exec::LibraryMatmulAttr call = kernel.getLibraryAttr();
    SmallVector<exec::KernelOperand> operands = exec::getKernelOperands(kernel.getBody().front());
    fb::MatmulCallT record;
    record.library = libraryIndices.lookup(call.getLibrary());
    record.name = kernel.getSymName().str();
    record.m = operands[call.getX()].type.getDimSize(0);
    record.k = operands[call.getX()].type.getDimSize(1);
    record.n = operands[call.getResult()].type.getNumElements() / record.m;
    record.weight_transposed = call.getTransposeWeight();
    record.alpha = call.getAlpha() ? call.getAlpha().getValue().convertToFloat() : 1.0f;
    if (StringAttr activation = call.getActivation())
      record.activation = activation.getValue() == "relu" ? fb::Activation::relu : fb::Activation::gelu_tanh;
    for (auto [index, dtype] : {std::pair(call.getX(), &record.x_dtype),
                                {call.getWeight(), &record.weight_dtype},
                                {call.getResult(), &record.result_dtype}}) {
      FailureOr<fb::DType> known = dtypeOf(launch, operands[index].type);
      if (failed(known))
        return failure();
      *dtype = *known;
    }
    int64_t workspace = kernel.getScratch() ? int64_t(launch.getOperands().size()) - 1 : -1;
    for (auto [index, place] : {std::pair(call.getX(), &record.x),
                                {call.getWeight(), &record.weight},
                                {call.getResult(), &record.result},
                                {call.getWeightScale(), &record.weight_scale},
                                {call.getBias(), &record.bias},
                                {call.getResidual(), &record.residual},
                                {workspace, &record.workspace}}) {
      if (index < 0)
        continue;
      FailureOr<fb::Operand> operand = placeOf(launch.getOperands()[index], entry);
      if (failed(operand))
        return failure();
      *place = std::make_unique<fb::Operand>(*operand);
    }
    return record;
  }

  FailureOr<std::unique_ptr<fb::BindingT>> makeBinding(exec::EntryOp entry, exec::BindingAttr attribute) {
    FailureOr<fb::DType> dtype = dtypeOf(entry, attribute.getType().getValue());
    if (failed(dtype))
      return failure();
    auto binding = std::make_unique<fb::BindingT>();
    binding->name = attribute.getName().str();
    binding->dtype = *dtype;
    binding->shape = shapeOf(attribute.getType().getValue());
    return binding;
  }

  LogicalResult addEntry(exec::EntryOp entry) {
    auto table = std::make_unique<fb::EntryT>();
    table->name = entry.getSymName().str();
    if (auto ragged = entry.getRagged()) {
      table->kind = fb::EntryKind::ragged;
      table->tokens = (*ragged)[0];
      table->sequences = (*ragged)[1];
      table->pages_per_sequence = (*ragged)[2];
    }
    for (auto [bindings, list] : {std::pair{entry.getInputs(), &table->inputs}, {entry.getOutputs(), &table->outputs}})
      for (auto attribute : bindings.getAsRange<exec::BindingAttr>()) {
        auto binding = makeBinding(entry, attribute);
        if (failed(binding))
          return failure();
        list->push_back(std::move(*binding));
      }
    if (!entry.getArenaBytes())
      return entry.emitOpError("has no arena size: run plan-memory first");
    table->arena_bytes = *entry.getArenaBytes();
    table->arena_alignment = entry.getArenaAlignment().value_or(64);
    table->graph = entry.getGraph();
    for (Operation &op : entry.getBody().front()) {
      auto step = std::make_unique<fb::StepT>();
      if (auto launch = dyn_cast<exec::LaunchOp>(op)) {
        auto kernel = symbols.lookup<exec::KernelOp>(launch.getKernel());
        addOrder(launch.getAfter(), *step);
        if (kernel.getLibraryAttr()) {
          FailureOr<fb::MatmulCallT> call = makeCall(launch, kernel, entry);
          if (failed(call))
            return failure();
          step->kind.Set(std::move(*call));
          describeCost(op, *table);
          table->steps.push_back(std::move(step));
          continue;
        }
        fb::LaunchT record;
        record.kernel = kernelIndices.lookup(kernel);
        record.tiles = kernel.getTiles();
        for (Value operand : launch.getOperands()) {
          FailureOr<fb::Operand> place = placeOf(operand, entry);
          if (failed(place))
            return failure();
          record.operands.push_back(*place);
        }
        record.dependent = launch.getDependent();
        step->kind.Set(std::move(record));
      } else if (auto copy = dyn_cast<exec::CopyOp>(op)) {
        FailureOr<fb::Operand> from = placeOf(copy.getSource(), entry), to = placeOf(copy.getDestination(), entry);
        if (failed(from) || failed(to))
          return failure();
        addOrder(copy.getAfter(), *step);
        fb::CopyT record;
        record.source = std::make_unique<fb::Operand>(*from);
        record.destination = std::make_unique<fb::Operand>(*to);
        step->kind.Set(std::move(record));
      } else {
        continue;
      }
      describeStep(op, *table);
      describeCost(op, *table);
      table->steps.push_back(std::move(step));
    }
    contents.program.entries.push_back(std::move(table));
    return success();
  }

  static void addOrder(std::optional<ArrayRef<int64_t>> after, fb::StepT &step) {
    step.waits = after ? fb::Waits::named : fb::Waits::all;
    if (after)
      step.after.assign(after->begin(), after->end());
  }

  FailureOr<fb::Operand> placeOf(Value buffer, exec::EntryOp entry) {
    if (auto argument = dyn_cast<BlockArgument>(buffer)) {
      unsigned index = argument.getArgNumber(), inputs = entry.getInputs().size();
      bool isInput = index < inputs;
      Attribute binding = isInput ? entry.getInputs()[index] : entry.getOutputs()[index - inputs];
      auto type = cast<RankedTensorType>(cast<exec::BindingAttr>(binding).getType().getValue());
      return fb::Operand(isInput ? fb::Space::input : fb::Space::output, isInput ? index : index - inputs, 0,
                         denseBytes(type));
    }
    Operation *producer = buffer.getDefiningOp();
    if (auto arena = dyn_cast<exec::ArenaBufferOp>(producer)) {
      if (!arena.getOffset())
        return arena.emitOpError("has no offset: run plan-memory first");
      return fb::Operand(fb::Space::arena, 0, *arena.getOffset(), arena.getBytes());
    }
    if (auto part = dyn_cast<exec::PartOp>(producer)) {
      FailureOr<fb::Operand> whole = placeOf(part.getBuffer(), entry);
      if (failed(whole))
        return failure();
      return fb::Operand(whole->space(), whole->index(), part.getOffset(), part.getBytes());
    }
    if (auto pool = dyn_cast<exec::PoolBufferOp>(producer))
      return fb::Operand(fb::Space::pool, poolIndices.lookup(symbols.lookup(pool.getPool())), pool.getOffset(), 0);
    if (auto buffer = dyn_cast<exec::StateBufferOp>(producer)) {
      auto state = symbols.lookup<exec::StateOp>(buffer.getState());
      return fb::Operand(fb::Space::state, stateIndices.lookup(state), 0,
                         denseBytes(cast<RankedTensorType>(state.getType())));
    }
    return placeOfWeight(cast<exec::WeightBufferOp>(producer));
  }

  FailureOr<fb::Operand> placeOfWeight(exec::WeightBufferOp op) {
    Operation *symbol = symbols.lookup(op.getWeight());
    auto weight = dyn_cast_or_null<mj::WeightOp>(symbol);
    auto prepare = dyn_cast_or_null<mj::PrepareOp>(symbol);
    if (!weight && !prepare)
      return op.emitOpError("refers to @") << op.getWeight() << ", which is no mj.weight or mj.prepare";
    auto type = cast<RankedTensorType>(weight ? weight.getType() : prepare.getType());
    FailureOr<int64_t> bytes = target.storageBytes(type);
    FailureOr<fb::DType> dtype = dtypeOf(op, type);
    if (failed(bytes))
      return op.emitOpError("has an encoding that the target does not know: ") << type;
    if (failed(dtype))
      return failure();
    auto [found, isNew] = weightIndices.try_emplace(op.getWeight(), weightNames.size());
    if (isNew) {
      weightNames.push_back(op.getWeight().str());
      auto table = std::make_unique<fb::WeightT>();
      table->name = op.getWeight().str();
      table->dtype = *dtype;
      table->shape = shapeOf(type);
      if (auto encoding = dyn_cast_or_null<mj::EncodingAttr>(type.getEncoding()))
        table->encoding = encoding.getName().str();
      table->bytes = *bytes;
      contents.program.weights.push_back(std::move(table));
    }
    return fb::Operand(fb::Space::weight, found->second, 0, *bytes);
  }

  /// Notes what the launch `op`, the next step of `entry`, stores where.
  void describeStep(Operation &op, const fb::EntryT &entry) {
    for (const exec::StoredValue &stored : exec::getStoredValues(op.getLoc())) {
      // Kernels store booleans as bytes.
      FailureOr<fb::DType> dtype =
          getElementTypeOrSelf(stored.type).isInteger(1) ? fb::DType::i8 : dtypeOf(&op, stored.type);
      if (failed(dtype) || stored.operand < 0 || stored.operand >= int64_t(op.getNumOperands()))
        continue;
      debug.push_back(llvm::json::Object{{"entry", entry.name},
                                         {"step", int64_t(entry.steps.size())},
                                         {"operand", stored.operand},
                                         {"value", stored.name},
                                         {"dtype", fb::EnumNameDType(*dtype)},
                                         {"shape", llvm::json::Array(stored.type.getShape())}});
      if (stored.scale != 0)
        (*debug.back().getAsObject())["scale"] = stored.scale;
    }
  }

  /// Notes what the step `op` of `entry` moves between memory and itself, what each token of context adds, and how long
  /// the target says that it takes, at several contexts.
  void describeCost(Operation &op, const fb::EntryT &entry) {
    constexpr int64_t few = 512, many = 1024;
    auto launch = dyn_cast<exec::LaunchOp>(op);
    auto kernel = launch ? symbols.lookup<exec::KernelOp>(launch.getKernel()) : exec::KernelOp();
    // A step of more rows than sequences is one prompt.
    bool isPrompt = entry.kind == fb::EntryKind::ragged && entry.tokens != entry.sequences;
    auto optionsAt = [&](int64_t contextTokens) { return CostOptions{contextTokens, isPrompt ? 1 : 0}; };
    auto costAt = [&](int64_t contextTokens) {
      return launch ? computeCost(launch, kernel, optionsAt(contextTokens)) : computeCost(cast<exec::CopyOp>(op));
    };
    SmallVector<int64_t> contexts{128, few, 2048, 8192, 32768, 131072};
    if (isPrompt)
      contexts.push_back(entry.tokens);
    llvm::sort(contexts);
    SmallVector<double> seconds;
    for (int64_t context : contexts)
      seconds.push_back(predict(&op, kernel, target, optionsAt(context)).seconds());
    if (llvm::all_equal(seconds))
      seconds.truncate(1);
    llvm::json::Array predicted;
    for (auto [context, value] : llvm::zip(contexts, seconds))
      predicted.push_back(llvm::json::Array{context, value});
    KernelCost cost = costAt(few);
    costs.push_back(llvm::json::Object{{"entry", entry.name},
                                       {"step", int64_t(entry.steps.size())},
                                       {"class", kernel ? kernel.getSchedule().getName().getValue() : "copy"},
                                       {"context", few},
                                       {"read", cost.bytesRead},
                                       {"written", cost.bytesWritten},
                                       {"read_a_token", (costAt(many).bytesRead - cost.bytesRead) / (many - few)},
                                       {"predicted", std::move(predicted)}});
  }

  /// What is not needed to run the program: the names of what launches store, for mjolnir-verify, and what they move,
  /// for mjolnir-bench.
  void addDebugTables() {
    if (costs.empty())
      return;
    llvm::raw_string_ostream(debugText) << llvm::json::Value(
        llvm::json::Object{{"stored", std::move(debug)}, {"costs", std::move(costs)}});
    contents.members.push_back({package::kDebugMember, debugText});
  }

  /// What a text generator needs beside the program.
  LogicalResult addFiles() {
    if (!checkpoint)
      return success();
    for (StringRef name : {"tokenizer.json", "tokenizer_config.json", "generation_config.json", "config.json"}) {
      auto file = checkpoint->file(name);
      if (!file)
        return module.emitError() << llvm::toString(file.takeError());
      if (!*file)
        continue;
      contents.members.push_back({name.str(), {(*file)->getBufferStart(), (*file)->getBufferSize()}});
      files.push_back(std::move(*file));
    }
    return success();
  }

  FailureOr<ArrayRef<char>> readTensor(mj::WeightOp weight) {
    const TensorInfo *tensor = checkpoint ? checkpoint->find(weight.getSource()) : nullptr;
    if (!tensor)
      return weight.emitOpError("names the tensor '")
             << weight.getSource() << "', which "
             << (checkpoint ? "the checkpoint does not hold" : "needs a checkpoint: give its folder");
    auto type = cast<RankedTensorType>(weight.getType());
    if (tensor->dtype != dtypeOf(type.getElementType()) || ArrayRef(tensor->shape) != type.getShape()) {
      InFlightDiagnostic error = weight.emitOpError("is ") << type << ", but tensor '" << weight.getSource() << "' of "
                                                           << tensor->file << " is " << getName(tensor->dtype) << "[";
      llvm::interleaveComma(tensor->shape, error);
      return error << "]: give the checkpoint that the IR was made from";
    }
    readTensors.push_back(tensor);
    return tensor->bytes;
  }

  void releaseTensors() {
    for (const TensorInfo *tensor : readTensors)
      checkpoint->release(*tensor);
    readTensors.clear();
  }

  ModuleOp module;
  SymbolTable symbols;
  const Target &target;
  const Checkpoint *checkpoint;
  package::PackageContents contents;
  std::vector<std::unique_ptr<llvm::MemoryBuffer>> files;
  llvm::DenseMap<Operation *, unsigned> kernelIndices, poolIndices, stateIndices;
  llvm::json::Array debug, costs;
  std::string debugText;
  llvm::StringMap<unsigned> weightIndices, libraryIndices;
  std::vector<std::string> weightNames;
  SmallVector<const TensorInfo *> readTensors;
};

} // namespace

LogicalResult mjolnir::buildPackage(ModuleOp module, const Target &target, const Checkpoint *checkpoint, StringRef path,
                                    StringRef tuning, PackageSummary &summary, const ProgressFn &progress) {
  PackageBuilder builder(module, target, checkpoint);
  if (failed(builder.build(path, tuning, progress)))
    return failure();
  summary = builder.summarize();
  (void)llvm::sys::fs::file_size(path, summary.packageBytes);
  return success();
}
