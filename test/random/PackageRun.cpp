// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements PackageRun.h with the compiler's library and the runtime's C++ API.
#include "test/random/PackageRun.h"

#include "test/random/CaseFile.h"

#include "mjolnir/Pipeline/Compile.h"
#include "mjolnir/runtime.hpp"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::differential;

static llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

/// The bytes of `numbers` as elements of `type`, little endian.
static std::string encode(Type type, llvm::ArrayRef<double> numbers) {
  std::string bytes;
  unsigned width = type.getIntOrFloatBitWidth() / 8;
  for (double number : numbers) {
    uint64_t bits = static_cast<uint64_t>(static_cast<int64_t>(number));
    if (auto floating = dyn_cast<FloatType>(type)) {
      llvm::APFloat value(number);
      bool lossy;
      value.convert(floating.getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &lossy);
      bits = value.bitcastToAPInt().getZExtValue();
    }
    bytes.append(reinterpret_cast<const char *>(&bits), width);
  }
  return bytes;
}

static void decode(Type type, llvm::StringRef bytes, std::vector<double> &numbers) {
  unsigned width = type.getIntOrFloatBitWidth() / 8;
  for (size_t i = 0; i < numbers.size(); ++i) {
    uint64_t bits = 0;
    std::memcpy(&bits, bytes.data() + i * width, width);
    if (auto floating = dyn_cast<FloatType>(type))
      numbers[i] = llvm::APFloat(floating.getFloatSemantics(), llvm::APInt(width * 8, bits)).convertToDouble();
    else
      numbers[i] = double(llvm::APInt(width * 8, bits).getSExtValue());
  }
}

llvm::Error differential::writeFiles(const Program &program, llvm::StringRef folder) {
  if (std::error_code error = llvm::sys::fs::create_directories(folder))
    return failure("cannot make '" + folder + "': " + error.message());
  std::string module;
  llvm::raw_string_ostream stream(module);
  (*program.module)->print(stream);
  if (llvm::Error error = writeText((folder + "/program.mlir").str(), module))
    return error;
  if (llvm::Error error = writeText((folder + "/config.json").str(), "{}"))
    return error;
  std::map<std::string, FileTensor> tensors;
  for (const auto &[name, weight] : program.weights) {
    Type element = weight.type.getElementType();
    tensors[name] = {element.isF32()    ? "F32"
                     : element.isBF16() ? "BF16"
                                        : "F16",
                     llvm::to_vector(weight.type.getShape()), encode(element, weight.values)};
  }
  return writeTensors((folder + "/model.safetensors").str(), tensors);
}

namespace {

/// A buffer for a binding and the tensor over it.
struct Bound {
  Bound(const mj_binding_info &info, Type type) : type(type), shape(info.shape, info.shape + info.ndim) {
    words.resize(info.bytes / sizeof(uint64_t) + 1, 0xffffffffffffffff);
    bytes = info.bytes;
  }
  Tensor tensor(const mj_binding_info &info) { return Tensor(words.data(), info); }
  void set(llvm::StringRef data) { std::memcpy(words.data(), data.data(), data.size()); }
  Array get() const {
    Array array(shape);
    decode(type, {reinterpret_cast<const char *>(words.data()), bytes}, array.values);
    return array;
  }

  Type type;
  llvm::SmallVector<int64_t> shape;
  std::vector<uint64_t> words;
  size_t bytes;
};

} // namespace

static Type typeOf(MLIRContext &context, DLDataType type) {
  Builder builder(&context);
  if (type.code == kDLFloat)
    return type.bits == 32 ? Type(builder.getF32Type()) : builder.getF16Type();
  if (type.code == kDLBfloat)
    return builder.getBF16Type();
  return builder.getIntegerType(type.bits);
}

std::map<std::string, Array> differential::fieldsOf(const Batch &batch) {
  std::map<std::string, Array> fields;
  auto add = [&](const char *name, const auto &list, llvm::ArrayRef<int64_t> shape) {
    Array &field = fields[name] = Array(shape);
    llvm::copy(list, field.values.begin());
  };
  int64_t rows = batch.tokenRows, sequences = batch.sequences;
  add("tokens", batch.tokens, {rows});
  add("positions", batch.positions, {rows});
  add("sequence_offsets", batch.sequenceOffsets, {sequences + 1});
  add("context_lengths", batch.contextLengths, {sequences});
  add("block_tables", batch.blockTables, {sequences, batch.pages});
  add("slots", batch.slots, {rows});
  // The pool of layers with a window is used like the other.
  add("window_block_tables", batch.blockTables, {sequences, batch.pages});
  add("window_slots", batch.slots, {rows});
  add("logit_rows", batch.logitRows, {sequences});
  add("temperature", batch.temperature, {sequences});
  add("top_k", batch.topK, {sequences});
  add("top_p", batch.topP, {sequences});
  add("seeds", batch.seeds, {sequences});
  return fields;
}

llvm::Error differential::compileTo(MLIRContext &context, const Program &program, const PipelineOptions &options,
                                    llvm::StringRef folder, llvm::StringRef output) {
  CompileRequest request;
  request.model = (folder + "/program.mlir").str();
  request.checkpoint = folder.str();
  request.output = output.str();
  request.options = options;
  std::string said;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    said += diagnostic.str() + "\n";
    return success();
  });
  if (failed(compile(context, request)))
    return failure("it does not compile: " + said);
  return llvm::Error::success();
}

llvm::Expected<Outputs> differential::compileAndRun(MLIRContext &context, const Program &program,
                                                    const PipelineOptions &options, llvm::StringRef folder) {
  std::string output = (folder + "/program.mjp").str();
  if (llvm::Error error = compileTo(context, program, options, folder, output))
    return error;

  auto package = Package::open(output);
  if (!package)
    return failure("the package does not load: " + package.error().message);
  auto session = Session::create(*package, 2, uint32_t(program.pool), uint32_t(program.pool));
  if (!session)
    return failure("there is no session: " + session.error().message);
  Outputs outputs;
  size_t steps = program.isLanguageModel ? program.steps.size() : 1;
  for (size_t step = 0; step < steps; ++step) {
    auto entry = package->findEntry(program.isLanguageModel ? program.steps[step].entry : "main");
    if (!entry)
      return failure(entry.error().message);
    mj_entry_info info = *package->entry(*entry);
    std::vector<Bound> in, out;
    std::vector<Tensor> inputs, results;
    auto fields = program.isLanguageModel ? fieldsOf(program.steps[step].batch) : std::map<std::string, Array>();
    // Tensors point into them.
    in.reserve(info.inputs);
    out.reserve(info.outputs);
    for (size_t i = 0; i < info.inputs; ++i) {
      mj_binding_info binding = *package->input(*entry, i);
      in.emplace_back(binding, typeOf(context, binding.dtype));
      if (program.isLanguageModel) {
        auto field = fields.find(binding.name);
        if (field == fields.end())
          return failure(llvm::Twine("the package has an input '") + binding.name + "', which no step has");
        in.back().set(encode(in.back().type, field->second.values));
      } else {
        in.back().set(encode(in.back().type, program.inputs[i].values));
      }
      inputs.push_back(in.back().tensor(binding));
    }
    for (size_t i = 0; i < info.outputs; ++i) {
      mj_binding_info binding = *package->output(*entry, i);
      out.emplace_back(binding, typeOf(context, binding.dtype));
      results.push_back(out.back().tensor(binding));
    }
    if (auto error = session->run(*entry, inputs, results))
      return failure("it does not run: " + error->message);
    outputs.emplace_back();
    for (const Bound &bound : out)
      outputs.back().push_back(bound.get());
  }
  return outputs;
}
