// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What all sessions share: the number of pages, and the checks before a run.
#include "Session.h"

#include "mjolnir/format/KvPlan.h"

#include <algorithm>

namespace mjolnir::runtime {
namespace {

std::string shapeText(const int64_t *shape, int rank) {
  std::string text = "[";
  for (int i = 0; i < rank; ++i)
    text += (i ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string dtypeText(DLDataType type) {
  return concat("DLPack type (code ", unsigned(type.code), ", ", unsigned(type.bits), " bits, ", unsigned(type.lanes),
                " lanes)");
}

bool isDense(const DLTensor &tensor) {
  if (!tensor.strides)
    return true;
  int64_t stride = 1;
  for (int i = tensor.ndim - 1; i >= 0; --i) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != stride)
      return false;
    stride *= tensor.shape[i];
  }
  return true;
}

} // namespace

Status Session::prepare(uint32_t kvPages, uint32_t kvWindowPages) {
  if (Status status = decidePages(kvPages))
    return status;
  if (Status status = decideWindowPages(kvWindowPages))
    return status;
  size_t inputs = 0, outputs = 0, steps = 0;
  for (size_t i = 0; i < package_.entryCount(); ++i) {
    inputs = std::max(inputs, package_.bindings(i).inputs.size());
    outputs = std::max(outputs, package_.bindings(i).outputs.size());
    steps = std::max<size_t>(steps, package_.entry(i).steps()->size());
  }
  inputs_.resize(inputs);
  for (std::vector<Place> &places : outputs_)
    places.resize(outputs);
  profile_ = std::make_unique<mj_step_profile[]>(std::max<size_t>(steps, 1));
  describeEntries();
  return Status::ok();
}

Status Session::decidePages(uint32_t wanted) {
  const fb::Program &program = package_.program();
  if (program.kv_pools()->size() == 0)
    return Status::ok();
  uint64_t pageSize = program.kv_pools()->Get(0)->page_size();
  uint64_t pages = wanted;
  if (pages == 0) {
    if (program.language_model())
      pages = (uint64_t(program.language_model()->max_context()) + pageSize - 1) / pageSize;
    for (const fb::Entry *entry : *program.entries())
      if (pages == 0)
        pages = std::max<uint64_t>(pages, entry->pages_per_sequence());
    pages = std::max<uint64_t>(pages, 1);
  }
  // Slots are i32.
  if (pages > INT32_MAX / pageSize)
    return failure(MJ_ERROR_INVALID_ARGUMENT, pages, " KV pages of ", pageSize, " tokens were asked for; at most ",
                   INT32_MAX / pageSize, " can be addressed");
  kvPages_ = static_cast<uint32_t>(pages);
  return Status::ok();
}

Status Session::decideWindowPages(uint32_t wanted) {
  const fb::Program &program = package_.program();
  for (const fb::KvPool *pool : *program.kv_pools()) {
    if (!pool->own_tables())
      continue;
    uint64_t rows = 1, sequences = 1, pageSize = pool->page_size();
    for (const fb::Entry *entry : *program.entries()) {
      sequences = std::max<uint64_t>(sequences, entry->sequences());
      if (entry->tokens() > entry->sequences())
        rows = std::max<uint64_t>(rows, entry->tokens());
    }
    // A sequence uses no more of these pages than of the others, and those of its window in turn.
    uint64_t enough = std::min<uint64_t>(kvPages_, sequences * format::kvWindowPages(pool->window(), rows, pageSize));
    if (wanted > INT32_MAX / pageSize)
      return failure(MJ_ERROR_INVALID_ARGUMENT, wanted, " KV pages of ", pageSize,
                     " tokens were asked for the layers with a window; at most ", INT32_MAX / pageSize,
                     " can be addressed");
    kvWindowPages_ = static_cast<uint32_t>(wanted ? wanted : enough);
  }
  return Status::ok();
}

Status Session::poolBytes(uint32_t index, uint64_t &bytes, std::string &purpose) const {
  const fb::KvPool &pool = *package_.program().kv_pools()->Get(index);
  const uint64_t pages = pool.own_tables() ? kvWindowPages_ : kvPages_;
  purpose = concat("KV pool ", quote(pool.name()->string_view()), " of ", pages, " pages");
  if (__builtin_mul_overflow(pages, pool.bytes_per_page(), &bytes) || bytes > INT64_MAX)
    return failure(MJ_ERROR_OUT_OF_MEMORY, purpose, " of ", pool.bytes_per_page(),
                   " bytes: more than can be addressed");
  return Status::ok();
}

uint64_t Session::arenaBytes() const {
  uint64_t bytes = 0;
  for (size_t i = 0; i < package_.entryCount(); ++i)
    bytes = std::max(bytes, package_.entry(i).arena_bytes());
  return bytes;
}

void Session::describeEntries() {
  const fb::Program &program = package_.program();
  entries_.resize(package_.entryCount());
  for (size_t i = 0; i < package_.entryCount(); ++i) {
    const fb::Entry &source = package_.entry(i);
    Entry &entry = entries_[i];
    entry.ragged = source.kind() == fb::EntryKind::ragged;
    if (!entry.ragged)
      continue;
    int64_t pageSize = program.kv_pools()->Get(0)->page_size();
    int64_t tableTokens = pageSize * source.pages_per_sequence();
    int64_t maxContext = program.language_model()->max_context();
    entry.limits = {source.tokens(),
                    source.sequences(),
                    source.pages_per_sequence(),
                    pageSize,
                    kvPages_,
                    kvWindowPages_,
                    program.language_model()->vocabulary(),
                    maxContext ? std::min(maxContext, tableTokens) : tableTokens};
    const std::vector<Binding> &inputs = package_.bindings(i).inputs;
    for (size_t which = 0; which < RaggedInputCount; ++which)
      for (size_t index = 0; index < inputs.size(); ++index)
        if (std::string_view(inputs[index].name) == RaggedInputs[which].name)
          entry.raggedInputs[which] = static_cast<uint32_t>(index);
    const std::vector<Binding> &outputs = package_.bindings(i).outputs;
    while (std::string_view(outputs[entry.nextTokens].name) != RaggedOutputs[RaggedNextTokens].name)
      ++entry.nextTokens; // the program is verified: it is there
    entry.feedsItself = source.tokens() == source.sequences();
    anyTokens_.resize(std::max<size_t>(anyTokens_.size(), source.tokens()));
  }
}

/// Whether the tensor is what `binding` describes, and where its data is.
Status Session::checkTensor(const char *role, const Binding &binding, const DLTensor &tensor, Place &place) const {
  auto refuse = [&](const auto &...parts) {
    return failure(MJ_ERROR_INVALID_ARGUMENT, role, " ", quote(binding.name), ": ", parts...);
  };
  place.onDevice = deviceType_ != kDLCPU && tensor.device.device_type == deviceType_;
  if (tensor.device.device_type != kDLCPU && !place.onDevice)
    return refuse("the tensor is on DLPack device ", int(tensor.device.device_type), ", not on the CPU",
                  deviceType_ == kDLCPU ? std::string() : concat(" or on device ", int(deviceType_)));
  const DLDataType &type = binding.dtype;
  if (tensor.dtype.code != type.code || tensor.dtype.bits != type.bits || tensor.dtype.lanes != type.lanes)
    return refuse("the tensor has ", dtypeText(tensor.dtype), ", the entry wants ", dtypeText(type));
  int rank = static_cast<int>(binding.shape.size());
  if (tensor.ndim != rank ||
      (rank > 0 && (!tensor.shape || !std::equal(binding.shape.begin(), binding.shape.end(), tensor.shape))))
    return refuse("the tensor has shape ",
                  tensor.shape || tensor.ndim <= 0 ? shapeText(tensor.shape, tensor.ndim) : "null",
                  ", the entry wants ", shapeText(binding.shape.data(), rank));
  if (!isDense(tensor))
    return refuse("the tensor is not dense and row-major");
  if (!tensor.data)
    return refuse("the tensor has no data");
  place.address = static_cast<uint8_t *>(tensor.data) + tensor.byte_offset;
  if (reinterpret_cast<uintptr_t>(place.address) % binding.elementBytes != 0)
    return refuse("the tensor's address is not a multiple of its element's ", binding.elementBytes, " bytes");
  // Kernels use the caller's memory there, with loads and stores wider than an element.
  const uintptr_t address = reinterpret_cast<uintptr_t>(place.address);
  if (place.onDevice && address % deviceAlignment_ != 0)
    return refuse("the tensor's address on the device is a multiple of ", address & (~address + 1),
                  " bytes and no more; kernels want ", deviceAlignment_,
                  ": give the tensor memory of its own, or byte_offset another value");
  return Status::ok();
}

Status Session::bindTensors(const Run &run, const DLTensor *const *inputs, const DLTensor *const *outputs) {
  const EntryBindings &bindings = package_.bindings(run.entry);
  for (size_t i = 0; i < bindings.inputs.size(); ++i) {
    if (run.continues && i == tokensInput(run.entry)) {
      inputs_[i] = {};
      continue;
    }
    if (!inputs[i])
      return failure(MJ_ERROR_INVALID_ARGUMENT, "input ", quote(bindings.inputs[i].name), " is null");
    if (Status status = checkTensor("input", bindings.inputs[i], *inputs[i], inputs_[i]))
      return status;
  }
  for (size_t i = 0; i < bindings.outputs.size(); ++i) {
    Place &place = outputs_[run.lane][i];
    place = {};
    if (outputs[i])
      if (Status status = checkTensor("output", bindings.outputs[i], *outputs[i], place))
        return status;
  }
  return Status::ok();
}

Status Session::checkRagged(const Run &run) {
  const Entry &entry = entries_[run.entry];
  const size_t count = entry.limits.windowPages ? RaggedInputCount : RaggedCommonInputCount;
  RaggedPointers pointers{};
  for (size_t which = 0; which < count; ++which) {
    const Place &place = inputs_[entry.raggedInputs[which]];
    if (run.continues && which == RaggedTokens) {
      pointers[which] = anyTokens_.data();
      continue;
    }
    // What lies on a device was put there by a kernel or by somebody who vouches for it: reading it back would stall.
    if (place.onDevice)
      return Status::ok();
    pointers[which] = place.address;
  }
  if (Status status = checkRaggedInputs(entry.limits, pointers))
    return failure(status.code(), "entry ", quote(package_.entry(run.entry).name()->string_view()), ": ",
                   status.message());
  return Status::ok();
}

Status Session::checkContinues(size_t index) const {
  auto refuse = [&](const auto &...why) {
    return failure(MJ_ERROR_INVALID_ARGUMENT, "entry ", quote(package_.entry(index).name()->string_view()),
                   " cannot continue the run before it: ", why...);
  };
  if (!feedsItself(index))
    return refuse("only a ragged entry with as many tokens as sequences can");
  if (!canBeContinued_)
    return refuse("there is none, or it failed");
  if (last_.entry != index)
    return refuse("that was of entry ", quote(package_.entry(last_.entry).name()->string_view()));
  if (outputs_[last_.lane][nextTokensOutput(index)].onDevice)
    return refuse("its next_tokens went to the caller's memory on the device");
  return Status::ok();
}

Status Session::run(size_t index, const DLTensor *const *inputs, size_t inputCount, const DLTensor *const *outputs,
                    size_t outputCount) {
  if (underWay_ > 0)
    return failure(MJ_ERROR_INVALID_ARGUMENT, "runs that were started are under way: ", underWay_,
                   "; wait for them before mj_session_run");
  if (Status status = start(index, inputs, inputCount, outputs, outputCount, /*continues=*/false))
    return status;
  return wait();
}

Status Session::start(size_t index, const DLTensor *const *inputs, size_t inputCount, const DLTensor *const *outputs,
                      size_t outputCount, bool continues) {
  profiledSteps_ = 0;
  if (underWay_ == Lanes)
    return failure(MJ_ERROR_INVALID_ARGUMENT, "two runs are under way; wait for the first of them");
  if (index >= entries_.size())
    return failure(MJ_ERROR_INVALID_ARGUMENT, "there is no entry ", index, "; the package has ", entries_.size());
  const EntryBindings &bindings = package_.bindings(index);
  if (inputCount != bindings.inputs.size() || outputCount != bindings.outputs.size())
    return failure(MJ_ERROR_INVALID_ARGUMENT, "entry ", quote(package_.entry(index).name()->string_view()), " has ",
                   bindings.inputs.size(), " inputs and ", bindings.outputs.size(), " outputs; ", inputCount, " and ",
                   outputCount, " were given");
  if ((inputCount && !inputs) || (outputCount && !outputs))
    return failure(MJ_ERROR_INVALID_ARGUMENT, "the list of ", inputs ? "outputs" : "inputs", " is null");
  if (continues)
    if (Status status = checkContinues(index))
      return status;
  const Run run = {index, underWay_ > 0 || continues ? 1 - last_.lane : 0, continues};
  canBeContinued_ = false;
  if (Status status = bindTensors(run, inputs, outputs))
    return status;
  if (entries_[index].ragged)
    if (Status status = checkRagged(run))
      return status;
  NvtxRange range(package_.entry(index).name()->c_str());
  if (Status status = startRun(run))
    return status;
  last_ = run;
  canBeContinued_ = true;
  runs_[underWay_++] = run;
  return Status::ok();
}

Status Session::wait() {
  if (underWay_ == 0)
    return failure(MJ_ERROR_INVALID_ARGUMENT, "there is no run to wait for");
  const Run run = runs_[0];
  runs_[0] = runs_[1];
  --underWay_;
  NvtxRange range("wait");
  Status status = finishRun(run);
  if (status)
    canBeContinued_ = false;
  return status;
}

Status Session::reset() {
  if (underWay_ > 0)
    return failure(MJ_ERROR_INVALID_ARGUMENT, "runs that were started are under way: ", underWay_,
                   "; wait for them before mj_session_reset");
  canBeContinued_ = false;
  return clearStates();
}

Status Session::moveState(size_t state, const DLTensor &tensor, bool isWrite) {
  if (state >= package_.states().size())
    return failure(MJ_ERROR_INVALID_ARGUMENT, "there is no state ", state, "; the package has ",
                   package_.states().size());
  if (underWay_ > 0)
    return failure(MJ_ERROR_INVALID_ARGUMENT, "runs that were started are under way: ", underWay_,
                   "; wait for them before ", stateText(state), " is ", isWrite ? "written" : "read");
  Place place;
  if (Status status = checkTensor("state", package_.states()[state], tensor, place))
    return status;
  return copyState(state, place, isWrite);
}

void Session::setProfiling(mj_profiling what) {
  profiling_ = what;
  profiledSteps_ = 0;
}

} // namespace mjolnir::runtime
