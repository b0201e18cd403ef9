// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Steps.h.
#include "Steps.h"

#include "Arrays.h"

#include "llvm/ADT/STLExtras.h"

using namespace mjolnir;
using namespace mjolnir::verify;

static llvm::Error failure(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

template <typename T> static std::vector<char> bytesOf(const std::vector<T> &numbers) {
  auto *begin = reinterpret_cast<const char *>(numbers.data());
  return {begin, begin + numbers.size() * sizeof(T)};
}

/// A step of `entry` over tokens [first, first + count) of the only sequence, whose pages are 0, 1, 2, ... In a pool of
/// `windowPages` pages for layers with a window it uses them in turn.
static Step makeStep(const fb::Entry &entry, int64_t pageSize, int64_t windowPages, llvm::ArrayRef<int32_t> tokens,
                     int64_t first) {
  int64_t rows = entry.tokens(), sequences = entry.sequences(), pages = entry.pages_per_sequence();
  int64_t count = tokens.size();
  std::vector<int32_t> ids(rows, 0), positions(rows, 0), slots(rows, -1), offsets(sequences + 1, int32_t(count));
  std::vector<int32_t> lengths(sequences, 0), tables(sequences * pages, 0), logitRows(sequences, 0), topK(sequences, 0);
  std::vector<int32_t> windowSlots(rows, -1), windowTables(sequences * pages, 0);
  std::vector<float> temperature(sequences, 0), topP(sequences, 1);
  std::vector<int64_t> seeds(sequences, 0);
  for (int64_t i = 0; i < count; ++i) {
    ids[i] = tokens[i];
    // With pages in order, a slot is a position.
    positions[i] = slots[i] = int32_t(first + i);
    if (windowPages)
      windowSlots[i] = int32_t((first + i) % (windowPages * pageSize));
  }
  offsets[0] = 0;
  lengths[0] = int32_t(first + count);
  logitRows[0] = int32_t(count - 1);
  for (int64_t page = 0; page * pageSize < first + count; ++page) {
    tables[page] = int32_t(page);
    if (windowPages)
      windowTables[page] = int32_t(page % windowPages);
  }
  Step step;
  step.entry = entry.name()->str();
  step.rows = count, step.entryRows = rows;
  step.sequences = 1, step.entrySequences = sequences;
  step.inputs = {{"tokens", bytesOf(ids)},
                 {"positions", bytesOf(positions)},
                 {"sequence_offsets", bytesOf(offsets)},
                 {"context_lengths", bytesOf(lengths)},
                 {"block_tables", bytesOf(tables)},
                 {"slots", bytesOf(slots)},
                 {"window_block_tables", bytesOf(windowTables)},
                 {"window_slots", bytesOf(windowSlots)},
                 {"logit_rows", bytesOf(logitRows)},
                 {"temperature", bytesOf(temperature)},
                 {"top_k", bytesOf(topK)},
                 {"top_p", bytesOf(topP)},
                 {"seeds", bytesOf(seeds)}};
  return step;
}

static bool isDecode(const fb::Entry &entry) { return entry.tokens() == entry.sequences(); }

llvm::Expected<std::vector<Step>> verify::stepsOf(const ObservedPackage &observed, const std::vector<int32_t> &tokens,
                                                  const std::string &name) {
  const runtime::Package &package = observed.package();
  const fb::LanguageModel *model = package.program().language_model();
  if (!model || package.program().kv_pools()->size() == 0)
    return failure("the package is no language model: give --entry and --input instead of tokens");
  if (tokens.empty())
    return failure("there are no tokens to feed");
  for (int32_t token : tokens)
    if (token < 0 || token >= int64_t(model->vocabulary()))
      return failure("token " + llvm::Twine(token) + " is not below the vocabulary, " +
                     llvm::Twine(model->vocabulary()));
  if (model->max_context() && tokens.size() > model->max_context())
    return failure("a sequence of the package holds " + llvm::Twine(model->max_context()) + " tokens, not " +
                   llvm::Twine(tokens.size()));
  const fb::Entry *only = nullptr, *decode = nullptr, *small = nullptr, *filled = nullptr;
  int64_t most = tokens.size() - 1;
  for (const fb::Entry *entry : *package.program().entries()) {
    if (entry->kind() != fb::EntryKind::ragged)
      continue;
    if (entry->name()->str() == name)
      only = entry;
    if (isDecode(*entry)) {
      if (!decode || entry->tokens() < decode->tokens())
        decode = entry;
      continue;
    }
    if (!small || entry->tokens() < small->tokens())
      small = entry;
    if (entry->tokens() <= most && (!filled || entry->tokens() > filled->tokens()))
      filled = entry;
  }
  if (!name.empty() && !only)
    return failure("the package has no entry '" + name + "' that takes tokens");
  const fb::Entry *prefill = only ? only : filled ? filled : small ? small : decode;
  const fb::Entry *last = only ? only : decode ? decode : prefill;
  if (!prefill)
    return failure("the package has no entry that takes tokens");
  int64_t pageSize = package.program().kv_pools()->Get(0)->page_size();
  std::vector<Step> steps;
  for (int64_t first = 0, total = tokens.size(); first < total;) {
    const fb::Entry *entry = first < most ? prefill : last;
    // A decode entry takes a token of each sequence.
    int64_t room = isDecode(*entry) ? 1 : entry->tokens();
    int64_t count = std::min(room, (entry == last ? total : most) - first);
    steps.push_back(
        makeStep(*entry, pageSize, observed.kvWindowPages(), llvm::ArrayRef(tokens).slice(first, count), first));
    first += count;
  }
  return steps;
}

llvm::Expected<std::vector<Step>> verify::stepOf(const ObservedPackage &observed, const std::string &name,
                                                 const std::vector<std::string> &files) {
  llvm::Expected<size_t> entry = observed.findEntry(name);
  if (!entry)
    return entry.takeError();
  Step step;
  step.entry = name;
  for (const std::string &argument : files) {
    auto [input, path] = llvm::StringRef(argument).split("=@");
    if (input.empty() || path.empty())
      return failure("--input=" + argument + " is not of the form NAME=@FILE.npy");
    const runtime::Binding *binding = nullptr;
    for (const runtime::Binding &each : observed.package().bindings(*entry).inputs)
      if (input == each.name)
        binding = &each;
    if (!binding)
      return failure("entry '" + name + "' has no input '" + input + "'");
    llvm::Expected<FileArray> array = readNpyFile(path.str());
    if (!array)
      return array.takeError();
    if (!holds(*array, binding->dtype) || array->shape != binding->shape)
      return failure("'" + path + "' holds an array of type " + array->descr +
                     " in another type or shape than input '" + input + "', which is " +
                     describe(binding->dtype, binding->shape));
    step.inputs[input.str()] = std::move(array->bytes);
  }
  return std::vector<Step>{std::move(step)};
}

void verify::dropPadding(Stored &value, const Step &step) {
  if (value.shape.empty() || value.isCache)
    return;
  int64_t kept = value.shape.front();
  if (step.entryRows && value.shape.front() == step.entryRows)
    kept = step.rows;
  else if (step.entrySequences && value.shape.front() == step.entrySequences)
    kept = step.sequences;
  size_t elements = value.elements.size() / value.shape.front() * kept;
  value.elements.resize(elements);
  if (!value.atLimit.empty())
    value.atLimit.resize(elements);
  value.shape.front() = kept;
}

PipelineOptions verify::oracleOptions(const ObservedPackage &observed) {
  PipelineOptions options;
  options.oracle = true;
  options.decode.clear();
  options.prefill.clear();
  const fb::Program &program = observed.package().program();
  for (const fb::Entry *entry : *program.entries()) {
    if (entry->kind() != fb::EntryKind::ragged)
      continue;
    // Names are those of specialize-buckets.
    llvm::StringRef name = entry->name()->c_str();
    if (name.starts_with("decode_"))
      options.decode.push_back(entry->tokens());
    else
      options.prefill.push_back(entry->tokens());
    options.maxBatch = std::max<int64_t>(options.maxBatch, entry->sequences());
  }
  if (program.kv_pools()->size())
    options.pageSize = program.kv_pools()->Get(0)->page_size();
  if (program.language_model())
    options.maxContext = program.language_model()->max_context();
  return options;
}
