// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Making and running sessions.
#include "Session.h"
#include "CpuFeatures.h"

#include "mjolnir/format/Format.h"

#include <algorithm>
#include <ctime>

namespace mjolnir::runtime {
namespace {

constexpr uint32_t MaxThreads = 1024;

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

/// The address of the tensor's data when it is what `binding` describes.
Status checkTensor(const char *role, const Binding &binding, const DLTensor &tensor, uint8_t *&address) {
  auto refuse = [&](const auto &...parts) {
    return failure(MJ_ERROR_INVALID_ARGUMENT, role, " ", quote(binding.name), ": ", parts...);
  };
  if (tensor.device.device_type != kDLCPU)
    return refuse("the tensor is on DLPack device ", int(tensor.device.device_type), ", not on the CPU");
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
  address = static_cast<uint8_t *>(tensor.data) + tensor.byte_offset;
  if (reinterpret_cast<uintptr_t>(address) % binding.elementBytes != 0)
    return refuse("the tensor's address is not a multiple of its element's ", binding.elementBytes, " bytes");
  return Status::ok();
}

uint64_t nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

} // namespace

Status Session::create(const Package &package, uint32_t threads, uint32_t kvPages, std::unique_ptr<Session> &result) {
  if (threads > MaxThreads)
    return failure(MJ_ERROR_INVALID_ARGUMENT, "a session of ", threads, " threads was asked for; at most ", MaxThreads,
                   " are possible");
  std::unique_ptr<Session> session(new Session(package));
  if (Status status = session->allocatePools(kvPages))
    return status;
  if (Status status = session->allocateBuffers())
    return status;
  session->planEntries();
  if (Status status = ThreadPool::create(threads ? threads : std::min(usableCores(), MaxThreads), session->threads_))
    return status;
  result = std::move(session);
  return Status::ok();
}

Status Session::allocatePools(uint32_t kvPages) {
  const fb::Program &program = package_.program();
  if (program.kv_pools()->size() == 0)
    return Status::ok();
  uint64_t pageSize = program.kv_pools()->Get(0)->page_size();
  uint64_t pages = kvPages;
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
  for (const fb::KvPool *pool : *program.kv_pools()) {
    std::string purpose = concat("KV pool ", quote(pool->name()->string_view()), " of ", pages, " pages");
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(pages, pool->bytes_per_page(), &bytes) || bytes > INT64_MAX)
      return failure(MJ_ERROR_OUT_OF_MEMORY, purpose, " of ", pool->bytes_per_page(),
                     " bytes: more than can be addressed");
    pools_.emplace_back();
    if (Status status = Memory::allocate(bytes, purpose, pools_.back()))
      return status;
  }
  kvPages_ = static_cast<uint32_t>(pages);
  return Status::ok();
}

Status Session::allocateBuffers() {
  uint64_t arenaBytes = 0, scratchBytes = 0;
  size_t inputs = 0, outputs = 0, steps = 0;
  for (size_t i = 0; i < package_.entryCount(); ++i) {
    const fb::Entry &entry = package_.entry(i);
    const EntryBindings &bindings = package_.bindings(i);
    arenaBytes = std::max(arenaBytes, entry.arena_bytes());
    uint64_t bytes = 0;
    for (const Binding &output : bindings.outputs)
      bytes += format::alignUp(output.bytes, format::DataAlignment);
    scratchBytes = std::max(scratchBytes, bytes);
    inputs = std::max(inputs, bindings.inputs.size());
    outputs = std::max(outputs, bindings.outputs.size());
    steps = std::max<size_t>(steps, entry.steps()->size());
  }
  if (Status status = Memory::allocate(arenaBytes, "the session's arena", arena_))
    return status;
  if (Status status = Memory::allocate(scratchBytes, "memory for outputs that are not asked for", scratch_))
    return status;
  inputs_.resize(inputs);
  outputs_.resize(outputs);
  profile_ = std::make_unique<mj_step_profile[]>(steps);
  return Status::ok();
}

void Session::planEntries() {
  SessionMemory memory;
  memory.arena = arena_.data();
  memory.weights = package_.view().weights();
  for (const Memory &pool : pools_)
    memory.pools.push_back(pool.data());
  const fb::Program &program = package_.program();
  entries_.reserve(package_.entryCount());
  for (size_t i = 0; i < package_.entryCount(); ++i) {
    const fb::Entry &source = package_.entry(i);
    entries_.push_back({SessionPlan(package_, i, memory), source.kind() == fb::EntryKind::ragged, {}, {}});
    Entry &entry = entries_.back();
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
                    program.language_model()->vocabulary(),
                    maxContext ? std::min(maxContext, tableTokens) : tableTokens};
    const std::vector<Binding> &inputs = package_.bindings(i).inputs;
    for (size_t which = 0; which < RaggedInputCount; ++which)
      for (size_t index = 0; index < inputs.size(); ++index)
        if (std::string_view(inputs[index].name) == RaggedInputs[which].name)
          entry.raggedInputs[which] = static_cast<uint32_t>(index);
  }
}

Status Session::bindTensors(size_t entry, const DLTensor *const *inputs, const DLTensor *const *outputs) {
  const EntryBindings &bindings = package_.bindings(entry);
  for (size_t i = 0; i < bindings.inputs.size(); ++i) {
    if (!inputs[i])
      return failure(MJ_ERROR_INVALID_ARGUMENT, "input ", quote(bindings.inputs[i].name), " is null");
    if (Status status = checkTensor("input", bindings.inputs[i], *inputs[i], inputs_[i]))
      return status;
  }
  uint8_t *scratch = scratch_.data();
  for (size_t i = 0; i < bindings.outputs.size(); ++i) {
    if (outputs[i]) {
      if (Status status = checkTensor("output", bindings.outputs[i], *outputs[i], outputs_[i]))
        return status;
    } else {
      outputs_[i] = scratch;
    }
    scratch += format::alignUp(bindings.outputs[i].bytes, format::DataAlignment);
  }
  return Status::ok();
}

Status Session::run(size_t index, const DLTensor *const *inputs, size_t inputCount, const DLTensor *const *outputs,
                    size_t outputCount) {
  profiledSteps_ = 0;
  if (index >= entries_.size())
    return failure(MJ_ERROR_INVALID_ARGUMENT, "there is no entry ", index, "; the package has ", entries_.size());
  Entry &entry = entries_[index];
  const EntryBindings &bindings = package_.bindings(index);
  if (inputCount != bindings.inputs.size() || outputCount != bindings.outputs.size())
    return failure(MJ_ERROR_INVALID_ARGUMENT, "entry ", quote(package_.entry(index).name()->string_view()), " has ",
                   bindings.inputs.size(), " inputs and ", bindings.outputs.size(), " outputs; ", inputCount, " and ",
                   outputCount, " were given");
  if ((inputCount && !inputs) || (outputCount && !outputs))
    return failure(MJ_ERROR_INVALID_ARGUMENT, "the list of ", inputs ? "outputs" : "inputs", " is null");
  if (Status status = bindTensors(index, inputs, outputs))
    return status;
  if (entry.ragged) {
    RaggedPointers pointers;
    for (size_t which = 0; which < RaggedInputCount; ++which)
      pointers[which] = inputs_[entry.raggedInputs[which]];
    if (Status status = checkRaggedInputs(entry.limits, pointers))
      return failure(status.code(), "entry ", quote(package_.entry(index).name()->string_view()), ": ",
                     status.message());
  }

  entry.plan.bind(inputs_.data(), outputs_.data());
  if (profiling_) {
    runProfiled(entry.plan.steps());
    return Status::ok();
  }
  for (const PlannedStep &step : entry.plan.steps())
    threads_->run(step.function, step.operands, step.tiles);
  return Status::ok();
}

void Session::runProfiled(const std::vector<PlannedStep> &steps) {
  mj_step_profile *next = profile_.get();
  for (const PlannedStep &step : steps) {
    uint64_t start = nanoseconds();
    threads_->run(step.function, step.operands, step.tiles);
    *next++ = {step.name, step.tiles, nanoseconds() - start};
  }
  profiledSteps_ = steps.size();
}

void Session::setProfiling(bool on) {
  profiling_ = on;
  profiledSteps_ = 0;
}

} // namespace mjolnir::runtime
