// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Sessions on device `cuda`.
#include "CudaSession.h"

#include "mjolnir/format/Format.h"

#include <algorithm>
#include <cstring>

namespace mjolnir::runtime {

using namespace cuda;

namespace {

/// Outputs up to this size come back inside the graph, by way of page-locked memory; larger ones go straight to the
/// caller's memory, if it wants them.
constexpr uint64_t SmallOutputBytes = 64 * 1024;
/// What every input and output in a staging area is aligned to: the driver's own alignment of memory.
constexpr uint64_t StagingAlignment = 256;

} // namespace

Status CudaSession::create(const Package &package, const CudaDevice &device, const SessionOptions &options,
                           std::unique_ptr<Session> &result) {
  std::unique_ptr<CudaSession> session(new CudaSession(package, device, options));
  if (Status status = session->prepare(options.kvPages))
    return status;
  Scope scope(device.driver(), device.context());
  if (Status status = session->allocateMemory())
    return status;
  if (Status status = session->captureEntries())
    return status;
  result = std::move(session);
  return Status::ok();
}

CudaSession::~CudaSession() {
  Scope scope(driver_, device_.context());
  if (stream_)
    driver_.streamSynchronize(stream_);
  for (Entry &entry : entries_)
    if (entry.graph)
      driver_.graphExecDestroy(entry.graph);
  for (Event event : events_)
    driver_.eventDestroy(event);
  if (stream_)
    driver_.streamDestroy(stream_);
  // Freed while the context is current.
  for (DeviceMemory *memory : {&arena_, &inputArea_, &outputArea_})
    memory->free();
  for (DeviceMemory &pool : pools_)
    pool.free();
  pinnedInputs_.free();
  pinnedOutputs_.free();
}

Status CudaSession::allocateMemory() {
  uint64_t inputBytes = 0, outputBytes = 0, smallBytes = 0;
  size_t operands = 0;
  auto place = [](const std::vector<Binding> &bindings, std::vector<uint64_t> &offsets) {
    uint64_t bytes = 0;
    for (const Binding &binding : bindings) {
      offsets.push_back(bytes);
      bytes += format::alignUp(binding.bytes, StagingAlignment);
    }
    return bytes;
  };
  if (Status status = driver_.check(driver_.streamCreate(&stream_, StreamNonBlocking), "making the session's stream"))
    return status;
  if (Status status = DeviceMemory::allocate(driver_, arenaBytes(), "the session's arena", arena_))
    return status;

  SessionMemory memory;
  memory.arena = arena_.data();
  memory.weights = device_.weights();
  for (uint32_t i = 0; i < package_.program().kv_pools()->size(); ++i) {
    uint64_t bytes = 0;
    std::string purpose;
    if (Status status = poolBytes(i, bytes, purpose))
      return status;
    pools_.emplace_back();
    if (Status status = DeviceMemory::allocate(driver_, bytes, purpose, pools_.back()))
      return status;
    // Pages start as zeros on every device: a kernel may load what it then masks.
    if (Status status =
            driver_.check(driver_.memorySet(pools_.back().pointer(), 0, bytes, stream_), "clearing ", purpose))
      return status;
    memory.pools.push_back(pools_.back().data());
  }
  entries_.reserve(package_.entryCount());
  for (size_t i = 0; i < package_.entryCount(); ++i) {
    const EntryBindings &bindings = package_.bindings(i);
    entries_.emplace_back(SessionPlan(package_, i, memory));
    Entry &entry = entries_.back();
    entry.inputBytes = place(bindings.inputs, entry.inputOffsets);
    inputBytes = std::max(inputBytes, entry.inputBytes);
    outputBytes = std::max(outputBytes, place(bindings.outputs, entry.outputOffsets));
    uint64_t small = 0;
    for (const Binding &output : bindings.outputs)
      small += output.bytes <= SmallOutputBytes ? format::alignUp(output.bytes, StagingAlignment) : 0;
    smallBytes = std::max(smallBytes, small);
    for (const PlannedStep &step : entry.plan.steps())
      operands = std::max<size_t>(operands, step.operandCount);
    entry.captured.reserve(bindings.inputs.size() + bindings.outputs.size());
  }
  parameters_.resize(operands);
  addresses_.reserve(inputs_.size() + outputs_.size());
  if (Status status = DeviceMemory::allocate(driver_, inputBytes, "the inputs of a run", inputArea_))
    return status;
  if (Status status = DeviceMemory::allocate(driver_, outputBytes, "the outputs of a run", outputArea_))
    return status;
  if (Status status = pinnedInputs_.allocate(driver_, inputBytes, "the inputs of a run"))
    return status;
  return pinnedOutputs_.allocate(driver_, smallBytes, "the small outputs of a run");
}

Status CudaSession::captureEntries() {
  // Graphs of the caller's usual way, tensors of the CPU, are captured here: the first run is as fast as any.
  if (!useGraphs_)
    return Status::ok();
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!package_.entry(i).graph())
      continue;
    const EntryBindings &bindings = package_.bindings(i);
    Entry &entry = entries_[i];
    addresses_.clear();
    for (size_t k = 0; k < bindings.inputs.size(); ++k)
      addresses_.push_back(inputArea_.data() + entry.inputOffsets[k]);
    for (size_t k = 0; k < bindings.outputs.size(); ++k)
      addresses_.push_back(outputArea_.data() + entry.outputOffsets[k]);
    if (Status status = capture(i, entry))
      return status;
  }
  return driver_.check(driver_.streamSynchronize(stream_), "preparing the session");
}

Status CudaSession::execute(size_t index) {
  Scope scope(driver_, device_.context());
  const EntryBindings &bindings = package_.bindings(index);
  Entry &entry = entries_[index];
  addresses_.clear();
  for (size_t i = 0; i < bindings.inputs.size(); ++i) {
    if (!inputs_[i].onDevice)
      std::memcpy(pinnedInputs_.data() + entry.inputOffsets[i], inputs_[i].address, bindings.inputs[i].bytes);
    addresses_.push_back(inputs_[i].onDevice ? inputs_[i].address : inputArea_.data() + entry.inputOffsets[i]);
  }
  for (size_t i = 0; i < bindings.outputs.size(); ++i)
    addresses_.push_back(outputs_[i].onDevice ? outputs_[i].address : outputArea_.data() + entry.outputOffsets[i]);

  Status status;
  if (profiling_) {
    status = enqueueProfiled(index, entry);
  } else if (!useGraphs_ || !package_.entry(index).graph()) {
    status = enqueue(index, entry);
  } else {
    if (addresses_ != entry.captured)
      status = capture(index, entry);
    if (!status)
      status = driver_.check(driver_.graphLaunch(entry.graph, stream_), "replaying the graph");
  }
  if (!status)
    status = takeOutputs(index, entry);
  if (status)
    return failure(status.code(), "entry ", quote(package_.entry(index).name()->string_view()), ": ", status.message());
  return Status::ok();
}

Status CudaSession::capture(size_t index, Entry &entry) {
  if (entry.graph)
    driver_.graphExecDestroy(entry.graph);
  entry.graph = nullptr;
  entry.captured.clear();
  if (Status status = driver_.check(driver_.streamBeginCapture(stream_, CaptureModeThreadLocal), "starting to capture"))
    return status;
  Status enqueued = enqueue(index, entry);
  Graph graph = nullptr;
  Status ended = driver_.check(driver_.streamEndCapture(stream_, &graph), "capturing the graph");
  Status made;
  if (!enqueued && !ended)
    made = driver_.check(driver_.graphInstantiate(&entry.graph, graph, 0), "making the graph ready to run");
  if (graph)
    driver_.graphDestroy(graph);
  for (Status *status : {&enqueued, &ended, &made})
    if (*status)
      return std::move(*status);
  entry.captured = addresses_;
  return Status::ok();
}

Status CudaSession::enqueue(size_t index, Entry &entry) {
  entry.plan.bind(addresses_.data(), addresses_.data() + package_.bindings(index).inputs.size());
  if (Status status = enqueueInputs(entry))
    return status;
  for (const PlannedStep &step : entry.plan.steps())
    if (Status status = enqueueStep(step))
      return status;
  return enqueueSmallOutputs(index);
}

/// As enqueue, with an event between any two steps.
Status CudaSession::enqueueProfiled(size_t index, Entry &entry) {
  const std::vector<PlannedStep> &steps = entry.plan.steps();
  while (events_.size() < steps.size() + 1) {
    Event event = nullptr;
    if (Status status = driver_.check(driver_.eventCreate(&event, EventDefault), "making an event"))
      return status;
    events_.push_back(event);
  }
  entry.plan.bind(addresses_.data(), addresses_.data() + package_.bindings(index).inputs.size());
  if (Status status = enqueueInputs(entry))
    return status;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (Status status = driver_.check(driver_.eventRecord(events_[i], stream_), "recording an event"))
      return status;
    if (Status status = enqueueStep(steps[i]))
      return status;
  }
  if (Status status = driver_.check(driver_.eventRecord(events_[steps.size()], stream_), "recording an event"))
    return status;
  if (Status status = enqueueSmallOutputs(index))
    return status;
  if (Status status = driver_.check(driver_.streamSynchronize(stream_), "running the steps"))
    return status;
  for (size_t i = 0; i < steps.size(); ++i) {
    float milliseconds = 0;
    if (Status status = driver_.check(driver_.eventElapsed(&milliseconds, events_[i], events_[i + 1]),
                                      "reading the time of a step"))
      return status;
    profile_[i] = {steps[i].name, steps[i].tiles, static_cast<uint64_t>(milliseconds * 1e6f)};
  }
  profiledSteps_ = steps.size();
  return Status::ok();
}

Status CudaSession::enqueueInputs(const Entry &entry) {
  if (entry.inputBytes == 0)
    return Status::ok();
  return driver_.check(driver_.copyToDevice(inputArea_.pointer(), pinnedInputs_.data(), entry.inputBytes, stream_),
                       "copying the inputs");
}

Status CudaSession::enqueueStep(const PlannedStep &step) {
  if (step.kernel == PlannedStep::Copy)
    return driver_.check(driver_.copyOnDevice(reinterpret_cast<DevicePointer>(step.operands[0]),
                                              reinterpret_cast<DevicePointer>(step.operands[1]), step.copyBytes,
                                              stream_),
                         "copying ", step.copyBytes, " bytes");
  const CudaKernel &kernel = device_.kernel(step.kernel);
  for (uint32_t i = 0; i < step.operandCount; ++i)
    parameters_[i] = &step.operands[i];
  LaunchAttribute dependent = {};
  dependent.id = LaunchAttributeProgrammaticStreamSerialization;
  dependent.value.programmaticStreamSerializationAllowed = 1;
  LaunchConfig config = {};
  config.gridX = step.tiles;
  config.gridY = config.gridZ = config.blockY = config.blockZ = 1;
  config.blockX = kernel.threads;
  config.sharedBytes = kernel.sharedBytes;
  config.stream = stream_;
  config.attributes = &dependent;
  config.attributeCount = step.isDependent && useDependentLaunches_ ? 1 : 0;
  return driver_.check(driver_.launchKernel(&config, kernel.function, parameters_.data(), nullptr), "launching kernel ",
                       step.name);
}

Status CudaSession::enqueueSmallOutputs(size_t index) {
  const EntryBindings &bindings = package_.bindings(index);
  uint64_t small = 0;
  for (size_t i = 0; i < bindings.outputs.size(); ++i) {
    if (bindings.outputs[i].bytes > SmallOutputBytes)
      continue;
    DevicePointer from = reinterpret_cast<DevicePointer>(addresses_[bindings.inputs.size() + i]);
    if (Status status =
            driver_.check(driver_.copyToHost(pinnedOutputs_.data() + small, from, bindings.outputs[i].bytes, stream_),
                          "copying output ", quote(bindings.outputs[i].name)))
      return status;
    small += format::alignUp(bindings.outputs[i].bytes, StagingAlignment);
  }
  return Status::ok();
}

Status CudaSession::takeOutputs(size_t index, const Entry &entry) {
  const EntryBindings &bindings = package_.bindings(index);
  for (size_t i = 0; i < bindings.outputs.size(); ++i)
    if (bindings.outputs[i].bytes > SmallOutputBytes && outputs_[i].address && !outputs_[i].onDevice)
      if (Status status =
              driver_.check(driver_.copyToHost(outputs_[i].address, outputArea_.pointer() + entry.outputOffsets[i],
                                               bindings.outputs[i].bytes, stream_),
                            "copying output ", quote(bindings.outputs[i].name)))
        return status;
  if (Status status = driver_.check(driver_.streamSynchronize(stream_), "running"))
    return status;
  uint64_t small = 0;
  for (size_t i = 0; i < bindings.outputs.size(); ++i) {
    if (bindings.outputs[i].bytes > SmallOutputBytes)
      continue;
    if (outputs_[i].address && !outputs_[i].onDevice)
      std::memcpy(outputs_[i].address, pinnedOutputs_.data() + small, bindings.outputs[i].bytes);
    small += format::alignUp(bindings.outputs[i].bytes, StagingAlignment);
  }
  return Status::ok();
}

} // namespace mjolnir::runtime
