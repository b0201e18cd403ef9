// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements ToyPackage.h.

#include "ToyPackage.h"

#include "TestFiles.h"

#include "mjolnir/Package/PackageWriter.h"
#include "mjolnir/format/FinishRun.h"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace mjolnir::llm {

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

std::unique_ptr<fb::KernelT> kernel(const char *name, uint32_t operands) {
  auto result = std::make_unique<fb::KernelT>();
  result->name = result->symbol = name;
  result->operand_count = operands;
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

std::unique_ptr<fb::EntryT> ragged(const std::string &name, uint32_t T, uint32_t B) {
  auto entry = std::make_unique<fb::EntryT>();
  entry->name = name;
  entry->kind = fb::EntryKind::ragged;
  entry->tokens = T;
  entry->sequences = B;
  constexpr uint32_t P = toyPagesPerSequence, V = toyVocabulary;
  entry->pages_per_sequence = P;
  // In an order of their own: they are found by name.
  entry->inputs.push_back(binding("seeds", DType::i64, {B}));                // 0
  entry->inputs.push_back(binding("positions", DType::i32, {T}));            // 1
  entry->inputs.push_back(binding("tokens", DType::i32, {T}));               // 2
  entry->inputs.push_back(binding("block_tables", DType::i32, {B, P}));      // 3
  entry->inputs.push_back(binding("sequence_offsets", DType::i32, {B + 1})); // 4
  entry->inputs.push_back(binding("slots", DType::i32, {T}));                // 5
  entry->inputs.push_back(binding("temperature", DType::f32, {B}));          // 6
  entry->inputs.push_back(binding("context_lengths", DType::i32, {B}));      // 7
  entry->inputs.push_back(binding("logit_rows", DType::i32, {B}));
  entry->inputs.push_back(binding("top_k", DType::i32, {B}));
  entry->inputs.push_back(binding("top_p", DType::f32, {B}));
  entry->outputs.push_back(binding("logits", DType::f32, {B, V}));
  entry->outputs.push_back(binding("next_tokens", DType::i32, {B}));
  entry->steps.push_back(launch(0, B,
                                {{Space::pool, 0, 0, 0},
                                 {Space::input, 2, 0, 4 * T},
                                 {Space::input, 1, 0, 4 * T},
                                 {Space::input, 4, 0, 4 * (B + 1)},
                                 {Space::input, 5, 0, 4 * T}}));
  entry->steps.push_back(launch(1, B,
                                {{Space::pool, 0, 0, 0},
                                 {Space::input, 7, 0, 4 * B},
                                 {Space::input, 3, 0, 4 * B * P},
                                 {Space::input, 6, 0, 4 * B},
                                 {Space::input, 0, 0, 8 * B},
                                 {Space::output, 1, 0, 4 * B},
                                 {Space::output, 0, 0, 4 * B * V}}));
  return entry;
}

std::unique_ptr<fb::EntryT> increment() {
  auto entry = std::make_unique<fb::EntryT>();
  entry->name = "increment";
  entry->inputs.push_back(binding("in", DType::f32, {2, 3}));
  entry->outputs.push_back(binding("out", DType::f32, {2, 3}));
  entry->steps.push_back(launch(2, 1, {{Space::input, 0, 0, 24}, {Space::output, 0, 0, 24}}));
  return entry;
}

fb::ProgramT program(bool languageModel, const std::string &target) {
  fb::ProgramT program;
  program.producer = "test";
  program.target = std::make_unique<fb::TargetT>();
  program.target->kind = target;
  if (target == "cuda")
    program.target->features = {"sm_90a"};
#if defined(__aarch64__)
  program.target->triple = "aarch64-unknown-linux-gnu";
#else
  program.target->triple = "x86_64-unknown-linux-gnu";
#endif
  program.images.push_back(std::make_unique<fb::ImageT>());
  program.images[0]->member = "kernels.so";
  program.kernels.push_back(kernel("toy_append", 5));
  program.kernels.push_back(kernel("toy_predict", 7));
  program.kernels.push_back(kernel("toy_increment", 2));
  for (auto &kernel : program.kernels)
    kernel->threads = target == "cuda" ? 32 : 0;
  program.entries.push_back(increment());
  if (!languageModel)
    return program;
  auto pool = std::make_unique<fb::KvPoolT>();
  pool->name = "kv";
  pool->dtype = DType::f32;
  pool->layers = pool->heads = 1;
  pool->head_dim = 2;
  pool->page_size = toyPageSize;
  pool->bytes_per_page = 2 * toyPageSize * 2 * 4;
  program.kv_pools.push_back(std::move(pool));
  program.entries.push_back(ragged("prefill_t32", 32, 4));
  program.entries.push_back(ragged("decode_b2", 2, 2));
  program.entries.push_back(ragged("prefill_t8", 8, 2));
  program.entries.push_back(ragged("decode_b1", 1, 1));
  program.entries.push_back(ragged("decode_b4", 4, 4));
  program.language_model = std::make_unique<fb::LanguageModelT>();
  program.language_model->architecture = "toy";
  program.language_model->vocabulary = toyVocabulary;
  program.language_model->max_context = toyContext;
  program.language_model->activations = "f32";
  return program;
}

struct TemporaryFolder {
  std::string path;
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mjolnir-llm-test-XXXXXX").string();
    if (!mkdtemp(pattern.data()))
      throw std::runtime_error("cannot make a temporary folder");
    path = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

} // namespace

void writeToyPackage(const std::string &path, const std::vector<std::pair<std::string, std::string>> &members,
                     bool languageModel, const std::string &target) {
  std::string image = readTestFile(MJOLNIR_TOY_IMAGE);
  package::PackageContents contents;
  contents.program = program(languageModel, target);
  contents.images = {image};
  if (target == "cuda") { // as the compiler does
    contents.program.images.push_back(std::make_unique<fb::ImageT>());
    contents.program.images.back()->member = format::FinishImage;
    contents.images.push_back(image);
  }
  for (const auto &[name, bytes] : members)
    contents.members.push_back({name, bytes});
  contents.weight = [](size_t, const package::AppendBytes &) { return package::Error("there are no weights"); };
  if (package::Error error = package::writePackage(path, contents))
    throw std::runtime_error(error.message());
}

std::string toyTokenizer() { return readTestFile(MJOLNIR_TOKENIZER_GOLDENS "/qwen.tokenizer.json"); }

std::string temporaryPath(const std::string &name) {
  static TemporaryFolder folder;
  return folder.path + "/" + name;
}

} // namespace mjolnir::llm
