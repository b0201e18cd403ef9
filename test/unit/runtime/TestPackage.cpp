// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Builds the test package.
#include "TestPackage.h"

#include "mjolnir/Package/OutputFile.h"
#include "mjolnir/Package/SafetensorsWriter.h"
#include "mjolnir/Package/ZipWriter.h"
#include "mjolnir/format/Format.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <tuple>

namespace mjolnir::test {
namespace {

using fb::DType;
using fb::Operand;
using fb::Space;

std::unique_ptr<fb::BindingT> binding(const char *name, DType dtype, std::vector<uint64_t> shape) {
  auto result = std::make_unique<fb::BindingT>();
  result->name = name;
  result->dtype = dtype;
  result->shape = std::move(shape);
  return result;
}

std::unique_ptr<fb::WeightT> weight(const char *name, DType dtype, std::vector<uint64_t> shape, uint64_t bytes,
                                    const char *encoding = "") {
  auto result = std::make_unique<fb::WeightT>();
  result->name = name;
  result->dtype = dtype;
  result->shape = std::move(shape);
  result->encoding = encoding;
  result->bytes = bytes;
  return result;
}

std::unique_ptr<fb::KernelT> kernel(const char *name, uint32_t operands) {
  auto result = std::make_unique<fb::KernelT>();
  result->name = name;
  result->symbol = std::string("test_") + name;
  result->operand_count = operands;
  result->ops = "test";
  result->schedule = "none";
  return result;
}

std::unique_ptr<fb::StepT> launch(uint32_t kernel, uint32_t tiles, std::vector<Operand> operands) {
  fb::LaunchT launch;
  launch.kernel = kernel;
  launch.tiles = tiles;
  launch.operands = std::move(operands);
  auto step = std::make_unique<fb::StepT>();
  step->kind.Set(std::move(launch));
  return step;
}

std::unique_ptr<fb::StepT> copy(Operand source, Operand destination) {
  fb::CopyT copy;
  copy.source = std::make_unique<Operand>(source);
  copy.destination = std::make_unique<Operand>(destination);
  auto step = std::make_unique<fb::StepT>();
  step->kind.Set(std::move(copy));
  return step;
}

enum Kernel : uint32_t { Add, Scale, CountUp, UseStack, Append, Sum };

std::unique_ptr<fb::EntryT> entry(const char *name) {
  auto result = std::make_unique<fb::EntryT>();
  result->name = name;
  return result;
}

std::unique_ptr<fb::EntryT> makeAffine() {
  auto affine = entry("affine");
  affine->inputs.push_back(binding("a", DType::f32, {4, 64}));
  affine->inputs.push_back(binding("b", DType::f32, {4, 64}));
  affine->outputs.push_back(binding("y", DType::f32, {4, 64}));
  affine->outputs.push_back(binding("sum", DType::f32, {4, 64}));
  affine->arena_bytes = 2048;
  affine->arena_alignment = 64;
  affine->steps.push_back(
      launch(Add, 4, {{Space::arena, 0, 1024, 1024}, {Space::input, 0, 0, 1024}, {Space::input, 1, 0, 1024}}));
  affine->steps.push_back(
      launch(Scale, 4, {{Space::output, 0, 0, 1024}, {Space::arena, 0, 1024, 1024}, {Space::weight, 0, 0, 256}}));
  affine->steps.push_back(copy({Space::arena, 0, 1024, 1024}, {Space::output, 1, 0, 1024}));
  return affine;
}

std::unique_ptr<fb::EntryT> makeCount() {
  auto count = entry("count");
  count->inputs.push_back(binding("x", DType::f32, {1}));
  count->outputs.push_back(binding("total", DType::f32, {8}));
  count->steps.push_back(
      launch(CountUp, 8, {{Space::pool, 0, 0, 0}, {Space::input, 0, 0, 4}, {Space::output, 0, 0, 32}}));
  return count;
}

std::unique_ptr<fb::EntryT> makeStack() {
  auto stack = entry("stack");
  stack->outputs.push_back(binding("done", DType::f32, {16}));
  stack->steps.push_back(launch(UseStack, 16, {{Space::output, 0, 0, 64}}));
  return stack;
}

std::unique_ptr<fb::EntryT> makeStep() {
  auto step = entry("step");
  step->kind = fb::EntryKind::ragged;
  step->tokens = 8;
  step->sequences = 2;
  step->pages_per_sequence = 4;
  // Not in the order of the schema's comment: they are found by name.
  step->inputs.push_back(binding("positions", DType::i32, {8}));
  step->inputs.push_back(binding("tokens", DType::i32, {8}));
  step->inputs.push_back(binding("sequence_offsets", DType::i32, {3}));
  step->inputs.push_back(binding("context_lengths", DType::i32, {2}));
  step->inputs.push_back(binding("block_tables", DType::i32, {2, 4}));
  step->inputs.push_back(binding("slots", DType::i32, {8}));
  step->inputs.push_back(binding("logit_rows", DType::i32, {2}));
  step->inputs.push_back(binding("temperature", DType::f32, {2}));
  step->inputs.push_back(binding("top_k", DType::i32, {2}));
  step->inputs.push_back(binding("top_p", DType::f32, {2}));
  step->inputs.push_back(binding("seeds", DType::i64, {2}));
  step->outputs.push_back(binding("next_tokens", DType::i32, {2}));
  step->outputs.push_back(binding("logits", DType::f32, {2, 16}));
  step->steps.push_back(
      launch(Append, 2,
             {{Space::pool, 0, 0, 0}, {Space::input, 1, 0, 32}, {Space::input, 2, 0, 12}, {Space::input, 5, 0, 32}}));
  step->steps.push_back(launch(Sum, 2,
                               {{Space::pool, 0, 0, 0},
                                {Space::input, 3, 0, 8},
                                {Space::input, 4, 0, 32},
                                {Space::output, 0, 0, 8},
                                {Space::output, 1, 0, 128}}));
  return step;
}

struct TemporaryFolder {
  std::string path;
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mjolnir-test-XXXXXX").string();
    if (!mkdtemp(pattern.data())) {
      perror("mkdtemp");
      abort();
    }
    path = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

} // namespace

fb::ProgramT makeProgram() {
  fb::ProgramT program;
  program.producer = "test";
  program.target = std::make_unique<fb::TargetT>();
  program.target->kind = "host";
#if defined(__aarch64__)
  program.target->triple = "aarch64-unknown-linux-gnu";
#else
  program.target->triple = "x86_64-unknown-linux-gnu";
#endif
  program.images.push_back(std::make_unique<fb::ImageT>());
  program.images[0]->member = "kernels.so";
  program.kernels.push_back(kernel("add", 3));
  program.kernels.push_back(kernel("scale", 3));
  program.kernels.push_back(kernel("count", 3));
  program.kernels.push_back(kernel("stack", 1));
  program.kernels.push_back(kernel("append", 4));
  program.kernels.push_back(kernel("sum", 5));
  program.weights.push_back(weight("w", DType::f32, {64}, 256));
  program.weights.push_back(weight("odd", DType::u8, {3}, 3));
  program.weights.push_back(weight("packed", DType::bf16, {8, 8}, 192, "rows of 12, zero filled"));
  auto pool = std::make_unique<fb::KvPoolT>();
  pool->name = "kv";
  pool->dtype = DType::f32;
  pool->layers = 1;
  pool->heads = 1;
  pool->head_dim = 8;
  pool->page_size = 4;
  pool->bytes_per_page = 256;
  program.kv_pools.push_back(std::move(pool));
  program.entries.push_back(makeAffine());
  program.entries.push_back(makeCount());
  program.entries.push_back(makeStack());
  program.entries.push_back(makeStep());
  program.language_model = std::make_unique<fb::LanguageModelT>();
  program.language_model->architecture = "test";
  program.language_model->vocabulary = 16;
  program.language_model->max_context = 16;
  program.language_model->activations = "f32";
  return program;
}

fb::ProgramT makeBigProgram() {
  fb::ProgramT program = makeProgram();
  program.weights.push_back(weight("big", DType::u8, {BigWeightBytes}, BigWeightBytes));
  auto entry = std::make_unique<fb::EntryT>();
  entry->name = "peek";
  entry->outputs.push_back(binding("bytes", DType::u8, {BigWeightBytes}));
  fb::CopyT copy;
  copy.source = std::make_unique<Operand>(Space::weight, BigWeight, 0, BigWeightBytes);
  copy.destination = std::make_unique<Operand>(Space::output, 0, 0, BigWeightBytes);
  auto step = std::make_unique<fb::StepT>();
  step->kind.Set(std::move(copy));
  entry->steps.push_back(std::move(step));
  program.entries.push_back(std::move(entry));
  return program;
}

fb::ProgramT makeCallProgram(const CallOptions &options) {
  fb::ProgramT program = makeProgram();
  program.target->kind = "cuda";
  program.target->triple.clear();
  program.target->features = {"sm_90a"};
  for (auto &kernel : program.kernels)
    kernel->threads = 32;
  program.libraries.push_back(std::make_unique<fb::LibraryT>());
  program.libraries[0]->name = "cublaslt";
  auto multiply = entry("multiply");
  fb::MatmulCallT call;
  auto input = [&](const char *name, DType dtype, std::vector<uint64_t> shape) {
    uint64_t bytes = format::elementBytes(dtype);
    for (uint64_t extent : shape)
      bytes *= extent;
    multiply->inputs.push_back(binding(name, dtype, std::move(shape)));
    return std::make_unique<Operand>(Space::input, uint32_t(multiply->inputs.size() - 1), 0, bytes);
  };
  const uint64_t m = options.m, n = options.n, k = options.k;
  call.name = "product";
  call.m = m;
  call.n = n;
  call.k = k;
  call.x_dtype = call.weight_dtype = options.dtype;
  call.result_dtype = options.resultDtype;
  call.weight_transposed = options.isTransposed;
  call.alpha = options.alpha;
  call.activation = options.activation;
  call.x = input("x", options.dtype, {m, k});
  call.weight =
      input("weight", options.dtype, options.isTransposed ? std::vector<uint64_t>{n, k} : std::vector<uint64_t>{k, n});
  if (options.hasScale)
    call.weight_scale = input("scale", DType::f32, {1});
  if (options.hasBias)
    call.bias = input("bias", options.resultDtype, {n});
  if (options.hasResidual)
    call.residual = input("residual", options.resultDtype, {m, n});
  multiply->outputs.push_back(binding("result", options.resultDtype, {m, n}));
  call.result = std::make_unique<Operand>(Space::output, 0, 0, m * n * format::elementBytes(options.resultDtype));
  multiply->arena_bytes = 4096;
  multiply->arena_alignment = 256;
  call.workspace = std::make_unique<Operand>(Space::arena, 0, 1024, 2048);
  auto step = std::make_unique<fb::StepT>();
  step->kind.Set(std::move(call));
  multiply->steps.push_back(std::move(step));
  program.entries.push_back(std::move(multiply));
  return program;
}

fb::ProgramT makeStateProgram() {
  fb::ProgramT program = makeProgram();
  program.states.push_back(binding("x", DType::f32, {4, 64}));
  auto tick = entry("tick");
  tick->inputs.push_back(binding("a", DType::f32, {4, 64}));
  tick->outputs.push_back(binding("y", DType::f32, {4, 64}));
  tick->steps.push_back(
      launch(Add, 4, {{Space::state, 0, 0, 1024}, {Space::state, 0, 0, 1024}, {Space::input, 0, 0, 1024}}));
  tick->steps.push_back(copy({Space::state, 0, 0, 1024}, {Space::output, 0, 0, 1024}));
  program.entries.push_back(std::move(tick));
  return program;
}

fb::ProgramT makeMapProgram() {
  fb::ProgramT program = makeProgram();
  program.target->kind = "cuda";
  program.target->triple.clear();
  program.target->features = {"sm_90a"};
  program.kernels.push_back(kernel("show", 3));
  for (auto &kernel : program.kernels)
    kernel->threads = 32;
  auto map = [&](uint32_t operand, DType dtype, std::pair<uint64_t, uint64_t> size, std::pair<uint32_t, uint32_t> box) {
    auto result = std::make_unique<fb::TensorMapT>();
    result->operand = operand;
    result->dtype = dtype;
    std::tie(result->rows, result->columns) = size;
    std::tie(result->box_rows, result->box_columns) = box;
    program.kernels.back()->tensor_maps.push_back(std::move(result));
  };
  map(1, DType::bf16, {18, 64}, {8, 64});
  map(2, DType::f32, {2, 32}, {256, 16});
  map(1, DType::f8e4m3fn, {9, 128}, {1, 128});
  auto show = entry("show");
  show->inputs.push_back(binding("x", DType::bf16, {20, 64}));
  show->outputs.push_back(binding("rows", DType::u64, {4, 16}));
  show->steps.push_back(launch(uint32_t(program.kernels.size() - 1), 1,
                               {{Space::output, 0, 0, 512}, {Space::input, 0, 256, 2304}, {Space::weight, 0, 0, 256}}));
  program.entries.push_back(std::move(show));
  return program;
}

std::string weightBytes(size_t index) {
  if (index == 1)
    return "odd";
  if (index == 2)
    return std::string(192, 'p');
  if (index == BigWeight) {
    std::string bytes(BigWeightBytes, 0);
    for (size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<char>(i * 2654435761u >> 24);
    return bytes;
  }
  std::string bytes;
  for (int i = 0; i < 64; ++i) {
    float value = static_cast<float>(i + 1);
    bytes.append(reinterpret_cast<const char *>(&value), sizeof(value));
  }
  return bytes;
}

package::Error writeTestPackage(const std::string &path, const std::string &image, fb::ProgramT program,
                                const std::string &second, const std::string &debug) {
  package::PackageContents contents;
  contents.program = std::move(program);
  contents.images = {image};
  if (contents.program.images.size() > 1)
    contents.images.push_back(second);
  contents.members = {{"notes.json", "{\"note\": \"for tests\"}\n"}};
  if (!debug.empty())
    contents.members.push_back({"debug.json", debug});
  contents.weight = [](size_t index, const package::AppendBytes &append) {
    std::string bytes = weightBytes(index);
    // In two pieces: tensors may be streamed.
    if (package::Error error = append(std::string_view(bytes).substr(0, bytes.size() / 2)))
      return error;
    return append(std::string_view(bytes).substr(bytes.size() / 2));
  };
  return package::writePackage(path, contents);
}

Members makeMembers(fb::ProgramT program, const std::string &image, const std::function<void(fb::ProgramT &)> &change) {
  package::SafetensorsLayout layout;
  if (package::layOutSafetensors(program.weights, layout))
    abort();
  std::string weights = layout.header;
  for (size_t i = 0; i < program.weights.size(); ++i) {
    weights.resize(layout.header.size() + layout.offsets[i]);
    weights += weightBytes(i);
    program.weights[i]->offset = layout.offsets[i];
  }
  program.version_major = format::VersionMajor;
  program.version_minor = format::VersionMinor;
  program.weights_member = format::WeightsMember;
  program.weights_bytes = layout.dataBytes;
  program.weights_data_offset = layout.header.size();
  if (change)
    change(program);
  flatbuffers::FlatBufferBuilder builder;
  fb::FinishProgramBuffer(builder, fb::Program::Pack(builder, &program));
  std::string programBytes(reinterpret_cast<const char *>(builder.GetBufferPointer()), builder.GetSize());
  return {{"program.fb", programBytes}, {"kernels.so", image}, {"notes.json", "{}"}, {"weights.safetensors", weights}};
}

std::string zipMembers(const Members &members) {
  std::string path = temporaryPath("members.zip");
  package::OutputFile file;
  bool failed = bool(file.open(path));
  package::ZipWriter zip(file);
  for (const auto &[name, bytes] : members)
    failed = failed || zip.addMember(name, bytes);
  if (failed || zip.finish() || file.keep())
    abort();
  return readFile(path);
}

std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    fprintf(stderr, "cannot read %s\n", path.c_str());
    abort();
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

void writeFile(const std::string &path, const std::string &bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) {
    fprintf(stderr, "cannot write %s\n", path.c_str());
    abort();
  }
}

std::string temporaryPath(const std::string &name) {
  static TemporaryFolder folder;
  return folder.path + "/" + name;
}

std::string testImage() {
#ifdef MJOLNIR_TEST_IMAGE
  return readFile(MJOLNIR_TEST_IMAGE);
#else
  return "not code"; // the fuzzer's: it verifies packages and runs none
#endif
}

} // namespace mjolnir::test
