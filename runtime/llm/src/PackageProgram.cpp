// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements PackageProgram.h. The core has verified the form of ragged entries when it opened the package: names,
// types, shapes.

#include "PackageProgram.h"

#include "Error.h"

#include <algorithm>
#include <chrono>
#include <string_view>

namespace mjolnir::llm {

namespace {

void check(mj_status status) {
  if (status != MJ_OK)
    throw Error(status, mj_last_error());
}

} // namespace

PackageProgram::PackageProgram(const mj_package *package, const mj_session_options &options, const Measuring &measuring)
    : measuring(measuring) {
  mj_kv_info kv;
  mj_kv_window_info window;
  check(mj_package_kv(package, &kv));
  check(mj_package_kv_window(package, &window));
  Info info;
  std::vector<mj_entry_info> raggedEntries;
  uint64_t maxContext = kv.max_context ? kv.max_context : UINT32_MAX;
  for (size_t i = 0, count = mj_package_entry_count(package); i < count; ++i) {
    mj_entry_info entry;
    check(mj_package_entry(package, i, &entry));
    if (entry.kind != MJ_ENTRY_RAGGED)
      continue;
    info.entries.push_back({entry.tokens, entry.sequences, entry.pages_per_sequence});
    raggedEntries.push_back(entry);
    for (unsigned turn = 0; turn < Turns; ++turn) {
      entries.emplace_back();
      entries.back().index = i;
      entries.back().name = entry.name;
    }
    maxContext = std::min(maxContext, uint64_t(entry.pages_per_sequence) * kv.page_size);
  }
  if (entries.empty() || kv.pools == 0)
    throw Error(MJ_ERROR_UNSUPPORTED,
                "the package holds no language model: it has no ragged entries; run its entries with "
                "mj_session_run, or mjolnir-run --entry");
  check(mj_session_create(package, &options, &session));
  check(mj_session_set_profiling(session, measuring.profile  ? MJ_PROFILE_STEPS
                                          : measuring.device ? MJ_PROFILE_RUNS
                                                             : MJ_PROFILE_OFF));
  info.pageSize = kv.page_size;
  info.pages = mj_session_kv_pages(session);
  info.vocabulary = kv.vocabulary;
  info.maxContext = static_cast<uint32_t>(maxContext);
  info.window = window.window ? window.window : kv.window;
  info.windowPages = mj_session_kv_window_pages(session);
  describe(std::move(info));
  for (size_t i = 0; i < entries.size(); ++i)
    bind(package, raggedEntries[i / Turns], entries[i], step(i / Turns, i % Turns));
}

PackageProgram::~PackageProgram() { mj_session_destroy(session); }

void PackageProgram::bind(const mj_package *package, const mj_entry_info &info, Entry &entry, RaggedStep &step) {
  const std::pair<std::string_view, void *> places[] = {
      {"tokens", step.tokens.data()},
      {"positions", step.positions.data()},
      {"sequence_offsets", step.sequenceOffsets.data()},
      {"context_lengths", step.contextLengths.data()},
      {"block_tables", step.blockTables.data()},
      {"slots", step.slots.data()},
      {"logit_rows", step.logitRows.data()},
      {"temperature", step.temperature.data()},
      {"top_k", step.topK.data()},
      {"top_p", step.topP.data()},
      {"seeds", step.seeds.data()},
      {"window_block_tables", step.windowBlockTables.data()},
      {"window_slots", step.windowSlots.data()},
      {"next_tokens", step.nextTokens.data()},
      {"logits", nullptr}, // has memory once a step wants it
  };
  size_t count = info.inputs + info.outputs;
  std::vector<mj_binding_info> bindings(count);
  for (size_t i = 0; i < count; ++i) {
    bool isInput = i < info.inputs;
    check(isInput ? mj_entry_input(package, entry.index, i, &bindings[i])
                  : mj_entry_output(package, entry.index, i - info.inputs, &bindings[i]));
    entry.shapes.insert(entry.shapes.end(), bindings[i].shape, bindings[i].shape + bindings[i].ndim);
  }
  entry.tensors.resize(count);
  int64_t *shape = entry.shapes.data();
  for (size_t i = 0; i < count; ++i) {
    std::string_view name = bindings[i].name;
    auto place = std::find_if(std::begin(places), std::end(places), [&](const auto &p) { return p.first == name; });
    if (place == std::end(places))
      throw Error(MJ_ERROR_UNSUPPORTED, std::string("entry '") + info.name + "' has the binding '" + bindings[i].name +
                                            "', which this runtime does not know how to fill");
    DLTensor &tensor = entry.tensors[i];
    tensor = {};
    tensor.data = place->second;
    tensor.device = {kDLCPU, 0};
    tensor.ndim = bindings[i].ndim;
    tensor.dtype = bindings[i].dtype;
    tensor.shape = shape;
    shape += bindings[i].ndim;
    if (i < info.inputs) {
      entry.inputs.push_back(&tensor);
      continue;
    }
    if (name == "logits")
      entry.logits = entry.outputs.size();
    entry.outputs.push_back(&tensor);
  }
}

void PackageProgram::launch(size_t index, unsigned turn, bool wantLogits, bool continues) {
  Entry &entry = entries[index * Turns + turn];
  DLTensor &logits = entry.tensors[entry.inputs.size() + entry.logits];
  logits.data = step(index, turn).logits.data();
  entry.outputs[entry.logits] = wantLogits ? &logits : nullptr; // the session has scratch memory for what is not wanted
  mj_run_profile profile = {entry.name, 0, nullptr, 0};
  if (measuring.profile)
    profile.start_nanoseconds = static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count());
  check(mj_session_start(session, entry.index, entry.inputs.data(), entry.inputs.size(), entry.outputs.data(),
                         entry.outputs.size(), continues ? MJ_RUN_CONTINUE : 0));
  if (!measuring.profile)
    return;
  profile.step_count = mj_session_profile(session, &profile.steps); // kernel by kernel: all have run
  measuring.profile(measuring.user, &profile);
}

void PackageProgram::wait() { check(mj_session_wait(session)); }

uint64_t PackageProgram::deviceNanoseconds() const {
  const mj_step_profile *run = nullptr;
  return measuring.device && !measuring.profile && mj_session_profile(session, &run) == 1 ? run->nanoseconds : 0;
}

void PackageProgram::drain() {
  while (mj_session_under_way(session) > 0)
    (void)mj_session_wait(session);
}

} // namespace mjolnir::llm
