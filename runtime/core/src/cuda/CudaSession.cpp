// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Sessions on device `cuda`.
#include "CudaSession.h"

#include "mjolnir/format/Format.h"

#include <algorithm>
#include <cstring>

namespace mjolnir::runtime {

using namespace cuda;

Status CudaSession::create(const Package &package, const CudaDevice &device, const SessionOptions &options,
                           std::unique_ptr<Session> &result) {
  std::unique_ptr<CudaSession> session(new CudaSession(package, device, options));
  if (Status status = session->prepare(options.kvPages, options.kvWindowPages))
    return status;
  Scope scope(device.driver(), device.context());
  session->phases_.begin("allocate memory");
  if (Status status = session->allocateMemory())
    return status;
  if (device.cublasLt()) {
    session->phases_.begin("choose algorithms");
    if (Status status = session->prepareCalls())
      return status;
  }
  session->phases_.begin("capture graphs");
  if (options.eagerGraphs && options.useGraphs)
    if (Status status = session->captureAll())
      return status;
  if (Status status =
          session->driver_.check(session->driver_.streamSynchronize(session->stream_), "preparing the session"))
    return status;
  session->phases_.end();
  result = std::move(session);
  return Status::ok();
}

CudaSession::~CudaSession() {
  Scope scope(driver_, device_.context());
  for (Stream stream : {stream_, uploadStream_})
    if (stream)
      driver_.streamSynchronize(stream);
  for (Entry &entry : entries_)
    for (Replay &replay : entry.replays)
      if (replay.graph)
        driver_.graphExecDestroy(replay.graph);
  for (Event event : events_)
    driver_.eventDestroy(event);
  for (Event event : ends_)
    if (event)
      driver_.eventDestroy(event);
  for (Lane &lane : lanes_) {
    for (Event event : {lane.begun, lane.uploaded, lane.done})
      if (event)
        driver_.eventDestroy(event);
    // Freed while the context is current.
    lane.inputs.free();
    lane.pinnedInputs.free();
    lane.pinnedOutputs.free();
  }
  for (Stream stream : {stream_, uploadStream_})
    if (stream)
      driver_.streamDestroy(stream);
  matmuls_.clear();
  for (DeviceMemory *memory : {&arena_, &outputArea_})
    memory->free();
  for (DeviceMemory &pool : pools_)
    pool.free();
  for (DeviceMemory &state : states_)
    state.free();
}

Status CudaSession::allocateMemory() {
  uint64_t inputBytes = 0, outputBytes = 0, smallBytes = 0;
  size_t operands = 0, maps = 0;
  auto place = [](const Binding &binding, uint64_t &offset, uint64_t &bytes) {
    offset = bytes;
    bytes += format::alignUp(binding.bytes, StagingAlignment);
  };
  for (Stream *stream : {&stream_, &uploadStream_})
    if (Status status = driver_.check(driver_.streamCreate(stream, StreamNonBlocking), "making the session's streams"))
      return status;
  if (Status status = DeviceMemory::allocate(driver_, arenaBytes(), "the session's arena", arena_))
    return status;
  SessionMemory memory;
  memory.arena = arena_.data();
  memory.weights = device_.weights();
  if (Status status = allocatePools(memory))
    return status;
  if (Status status = allocateStates(memory))
    return status;
  entries_.reserve(package_.entryCount());
  for (size_t i = 0; i < package_.entryCount(); ++i) {
    const EntryBindings &bindings = package_.bindings(i);
    entries_.emplace_back(SessionPlan(package_, i, memory));
    Entry &entry = entries_.back();
    entry.inputOffsets.resize(bindings.inputs.size());
    entry.outputOffsets.resize(bindings.outputs.size());
    const size_t first = isRagged(i) ? tokensInput(i) : SIZE_MAX;
    if (isRagged(i)) {
      place(bindings.inputs[first], entry.inputOffsets[first], entry.inputBytes);
      entry.tokenBytes = entry.inputBytes;
    }
    for (size_t k = 0; k < bindings.inputs.size(); ++k)
      if (k != first)
        place(bindings.inputs[k], entry.inputOffsets[k], entry.inputBytes);
    uint64_t bytes = 0, small = 0;
    for (size_t k = 0; k < bindings.outputs.size(); ++k) {
      place(bindings.outputs[k], entry.outputOffsets[k], bytes);
      small += comesBackInGraph(i, k) ? format::alignUp(bindings.outputs[k].bytes, StagingAlignment) : 0;
    }
    inputBytes = std::max(inputBytes, entry.inputBytes);
    outputBytes = std::max(outputBytes, bytes);
    smallBytes = std::max(smallBytes, small);
    noteMovedInputs(i);
    for (const PlannedStep &step : entry.plan.steps())
      if (step.kernel != PlannedStep::Copy && step.kernel != PlannedStep::Call) {
        operands = std::max<size_t>(operands, step.operandCount);
        maps = std::max(maps, device_.kernel(step.kernel).tensorMaps.size());
      }
    for (Replay &replay : entry.replays)
      replay.addresses.reserve(bindings.inputs.size() + bindings.outputs.size());
  }
  parameters_.reserve(operands, maps);
  addresses_.reserve(inputs_.size() + outputs_[0].size());
  if (Status status = DeviceMemory::allocate(driver_, outputBytes, "the outputs of a run", outputArea_))
    return status;
  return allocateLanes(inputBytes, smallBytes);
}

/// What moves on by itself for an entry that can be continued.
void CudaSession::noteMovedInputs(size_t index) {
  Entry &entry = entries_[index];
  std::fill(entry.moved, std::end(entry.moved), NoInput);
  if (!feedsItself(index))
    return;
  entry.movedRows = static_cast<uint64_t>(package_.bindings(index).inputs[tokensInput(index)].shape[0]);
  entry.moved[MovedPositions] = raggedInput(index, RaggedPositions);
  entry.moved[MovedLengths] = raggedInput(index, RaggedContextLengths);
  entry.moved[MovedSlots] = raggedInput(index, RaggedSlots);
  if (hasWindowPool(index))
    entry.moved[MovedWindowSlots] = raggedInput(index, RaggedWindowSlots);
}

Status CudaSession::allocatePools(SessionMemory &memory) {
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
  return Status::ok();
}

Status CudaSession::allocateStates(SessionMemory &memory) {
  for (size_t i = 0; i < package_.states().size(); ++i) {
    states_.emplace_back();
    if (Status status = DeviceMemory::allocate(driver_, package_.states()[i].bytes, stateText(i), states_.back()))
      return status;
    memory.states.push_back(states_.back().data());
  }
  return queueClearing();
}

Status CudaSession::queueClearing() {
  for (size_t i = 0; i < states_.size(); ++i)
    if (Status status = driver_.check(driver_.memorySet(states_[i].pointer(), 0, package_.states()[i].bytes, stream_),
                                      "clearing ", stateText(i)))
      return status;
  return Status::ok();
}

Status CudaSession::clearStates() {
  Scope scope(driver_, device_.context());
  if (Status status = queueClearing())
    return status;
  return driver_.check(driver_.streamSynchronize(stream_), "clearing the session's states");
}

Status CudaSession::copyState(size_t state, const Place &tensor, bool isWrite) {
  Scope scope(driver_, device_.context());
  const DevicePointer own = states_[state].pointer(), there = reinterpret_cast<DevicePointer>(tensor.address);
  const uint64_t bytes = package_.states()[state].bytes;
  Result result = tensor.onDevice ? driver_.copyOnDevice(isWrite ? own : there, isWrite ? there : own, bytes, stream_)
                  : isWrite       ? driver_.copyToDevice(own, tensor.address, bytes, stream_)
                                  : driver_.copyToHost(tensor.address, own, bytes, stream_);
  if (Status status = driver_.check(result, isWrite ? "writing " : "reading ", stateText(state)))
    return status;
  return driver_.check(driver_.streamSynchronize(stream_), isWrite ? "writing " : "reading ", stateText(state));
}

Status CudaSession::allocateLanes(uint64_t inputBytes, uint64_t smallBytes) {
  for (Lane &lane : lanes_) {
    if (Status status = DeviceMemory::allocate(driver_, inputBytes, "the inputs of a run", lane.inputs))
      return status;
    // Tokens that no run has drawn are still valid ones.
    if (inputBytes)
      if (Status status = driver_.check(driver_.memorySet(lane.inputs.pointer(), 0, inputBytes, stream_),
                                        "clearing the inputs of a run"))
        return status;
    if (Status status = lane.pinnedInputs.allocate(driver_, inputBytes, "the inputs of a run"))
      return status;
    if (Status status = lane.pinnedOutputs.allocate(driver_, smallBytes, "the small outputs of a run"))
      return status;
    const std::pair<Event *, unsigned> events[] = {
        {&lane.begun, EventDefault}, {&lane.uploaded, EventDisableTiming}, {&lane.done, EventDisableTiming}};
    for (auto [event, flags] : events)
      if (Status status = driver_.check(driver_.eventCreate(event, flags), "making an event"))
        return status;
  }
  for (Event &event : ends_)
    if (Status status = driver_.check(driver_.eventCreate(&event, EventDefault), "making an event"))
      return status;
  return Status::ok();
}

/// The graphs of the caller's usual way: tensors of the CPU, and a second lane for what may be continued.
Status CudaSession::captureAll() {
  for (size_t i = 0; i < entries_.size(); ++i)
    for (unsigned lane = 0; lane < (feedsItself(i) ? Lanes : 1) && package_.entry(i).graph(); ++lane) {
      const Run run = {i, lane, false};
      for (Place &place : inputs_)
        place = {};
      for (Place &place : outputs_[lane])
        place = {};
      placeTensors(run);
      if (Status status = capture(run))
        return status;
    }
  return Status::ok();
}

void CudaSession::placeTensors(const Run &run) {
  const EntryBindings &bindings = package_.bindings(run.entry);
  const Entry &entry = entries_[run.entry];
  const std::vector<Place> &outputs = outputs_[run.lane];
  addresses_.clear();
  for (size_t i = 0; i < bindings.inputs.size(); ++i)
    addresses_.push_back(inputs_[i].onDevice ? inputs_[i].address
                                             : lanes_[run.lane].inputs.data() + entry.inputOffsets[i]);
  for (size_t i = 0; i < bindings.outputs.size(); ++i) {
    if (outputs[i].onDevice)
      addresses_.push_back(outputs[i].address);
    else if (feedsItself(run.entry) && i == nextTokensOutput(run.entry))
      addresses_.push_back(lanes_[1 - run.lane].inputs.data() + entry.inputOffsets[tokensInput(run.entry)]);
    else
      addresses_.push_back(outputArea_.data() + entry.outputOffsets[i]);
  }
}

/// Logits are wanted rarely, whatever their size.
bool CudaSession::comesBackInGraph(size_t entry, size_t output) const {
  return package_.bindings(entry).outputs[output].bytes <= SmallOutputBytes &&
         (!isRagged(entry) || output == nextTokensOutput(entry));
}

Status CudaSession::startRun(const Run &run) {
  Scope scope(driver_, device_.context());
  if (Status status = startOnDevice(run)) {
    lanes_[run.lane].held = NoEntry;
    // What was queued before the failure still uses this run's memory.
    driver_.streamSynchronize(uploadStream_);
    driver_.streamSynchronize(stream_);
    return failure(status.code(), "entry ", quote(package_.entry(run.entry).name()->string_view()), ": ",
                   status.message());
  }
  return Status::ok();
}

Status CudaSession::startOnDevice(const Run &run) {
  Lane &lane = lanes_[run.lane];
  bool fromHost = false;
  placeTensors(run);
  if (Status status = uploadInputs(run, fromHost))
    return status;
  if (Status status = noteStart(run))
    return status;
  if (fromHost && uploadsAside(run))
    if (Status status = driver_.check(driver_.streamWaitEvent(stream_, lane.uploaded, 0), "queueing behind the inputs"))
      return status;
  if (profiling_ == MJ_PROFILE_STEPS) {
    if (Status status = enqueueProfiled(run))
      return status;
  } else if (!useGraphs_ || !package_.entry(run.entry).graph()) {
    if (Status status = enqueue(run))
      return status;
  } else {
    Replay &replay = entries_[run.entry].replays[run.lane];
    if (addresses_ != replay.addresses)
      if (Status status = capture(run))
        return status;
    if (Status status = driver_.check(driver_.graphLaunch(replay.graph, stream_), "replaying the graph"))
      return status;
  }
  if (Status status = enqueueLargeOutputs(run))
    return status;
  noteHeld(run);
  return noteEnd(run);
}

/// From when the time of a run counts: from the end of the one that it continues, if that is under way and timed, so
/// that the driver has one event less to record a step.
Status CudaSession::noteStart(const Run &run) {
  Lane &lane = lanes_[run.lane];
  const Lane &other = lanes_[1 - run.lane];
  lane.start = nullptr;
  if (profiling_ != MJ_PROFILE_RUNS)
    return Status::ok();
  if (run.continues && underWay() > 0 && other.start) {
    lane.start = other.end;
    return Status::ok();
  }
  lane.start = lane.begun;
  return driver_.check(driver_.eventRecord(lane.begun, stream_), "recording an event");
}

/// An event that has a time costs the host more than one that has none.
Status CudaSession::noteEnd(const Run &run) {
  Lane &lane = lanes_[run.lane];
  lane.end = lane.done;
  if (lane.start) {
    lane.end = ends_[nextEnd_];
    nextEnd_ = (nextEnd_ + 1) % (Lanes + 1);
  }
  return driver_.check(driver_.eventRecord(lane.end, stream_), "recording an event");
}

Status CudaSession::finishRun(const Run &run) {
  Scope scope(driver_, device_.context());
  const EntryBindings &bindings = package_.bindings(run.entry);
  Lane &lane = lanes_[run.lane];
  if (Status status = driver_.check(driver_.eventSynchronize(lane.end), "running"))
    return failure(status.code(), "entry ", quote(package_.entry(run.entry).name()->string_view()), ": ",
                   status.message());
  unread_ = lane.start ? &lane : nullptr;
  if (unread_)
    profiledSteps_ = 1;
  uint64_t small = 0;
  for (size_t i = 0; i < bindings.outputs.size(); ++i) {
    if (!comesBackInGraph(run.entry, i))
      continue;
    const Place &output = outputs_[run.lane][i];
    if (output.address && !output.onDevice)
      std::memcpy(output.address, lane.pinnedOutputs.data() + small, bindings.outputs[i].bytes);
    small += format::alignUp(bindings.outputs[i].bytes, StagingAlignment);
  }
  return Status::ok();
}

/// Events are asked when somebody wants to know, not by each run: that takes the driver as long as a launch. None that
/// belongs to the last run is recorded again before the next one is started, which makes profiledSteps_ 0.
void CudaSession::readTime() {
  if (!unread_ || profiledSteps_ != 1)
    return;
  Scope scope(driver_, device_.context());
  float milliseconds = 0;
  if (driver_.eventElapsed(&milliseconds, unread_->start, unread_->end) != Success)
    profiledSteps_ = 0;
  profile_[0] = {"run", 0, static_cast<uint64_t>(milliseconds * 1e6f)};
  unread_ = nullptr;
}

} // namespace mjolnir::runtime
