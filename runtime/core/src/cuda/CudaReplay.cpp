// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a session's stream is given for a run: launches, captured or one by one, and copies of outputs.
#include "CudaSession.h"

#include "mjolnir/format/FinishRun.h"
#include "mjolnir/format/Format.h"

#include <algorithm>

namespace mjolnir::runtime {

using namespace cuda;

/// The graph of a run's entry and lane, and what it takes to run it for the first time: afterwards a launch is a
/// launch.
Status CudaSession::capture(const Run &run) {
  const uint64_t begin = nanoseconds();
  Status status = makeGraph(run);
  captureNanoseconds_ += nanoseconds() - begin;
  return status;
}

Status CudaSession::makeGraph(const Run &run) {
  NvtxRange range("capture");
  Replay &replay = entries_[run.entry].replays[run.lane];
  if (replay.graph)
    driver_.graphExecDestroy(replay.graph);
  replay.graph = nullptr;
  replay.addresses.clear();
  if (Status status = driver_.check(driver_.streamBeginCapture(stream_, CaptureModeThreadLocal), "starting to capture"))
    return status;
  Status enqueued = enqueue(run);
  Graph graph = nullptr;
  Status ended = driver_.check(driver_.streamEndCapture(stream_, &graph), "capturing the graph");
  Status made;
  if (!enqueued && !ended)
    made = driver_.check(driver_.graphInstantiate(&replay.graph, graph, 0), "making the graph ready to run");
  if (!enqueued && !ended && !made)
    made = driver_.check(driver_.graphUpload(replay.graph, stream_), "uploading the graph");
  if (graph)
    driver_.graphDestroy(graph);
  for (Status *status : {&enqueued, &ended, &made})
    if (*status)
      return std::move(*status);
  replay.addresses = addresses_;
  return Status::ok();
}

Status CudaSession::enqueue(const Run &run) {
  Entry &entry = entries_[run.entry];
  entry.plan.bind(addresses_.data(), addresses_.data() + package_.bindings(run.entry).inputs.size());
  for (size_t i = 0; i < entry.plan.steps().size(); ++i)
    if (Status status = enqueueStep(entry, i))
      return status;
  return enqueueSmallOutputs(run);
}

/// As enqueue, with an event between any two steps.
Status CudaSession::enqueueProfiled(const Run &run) {
  Entry &entry = entries_[run.entry];
  const std::vector<PlannedStep> &steps = entry.plan.steps();
  while (events_.size() < steps.size() + 1) {
    Event event = nullptr;
    if (Status status = driver_.check(driver_.eventCreate(&event, EventDefault), "making an event"))
      return status;
    events_.push_back(event);
  }
  entry.plan.bind(addresses_.data(), addresses_.data() + package_.bindings(run.entry).inputs.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    if (Status status = driver_.check(driver_.eventRecord(events_[i], stream_), "recording an event"))
      return status;
    if (Status status = enqueueStep(entry, i))
      return status;
  }
  if (Status status = driver_.check(driver_.eventRecord(events_[steps.size()], stream_), "recording an event"))
    return status;
  if (Status status = enqueueSmallOutputs(run))
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

Status CudaSession::enqueueStep(const Entry &entry, size_t index) {
  const PlannedStep &step = entry.plan.steps()[index];
  NvtxRange range(step.name);
  // A result that the caller keeps where the argument lies that it begins with.
  if (step.kernel == PlannedStep::Copy && step.operands[0] == step.operands[1])
    return Status::ok();
  if (step.kernel == PlannedStep::Copy)
    return driver_.check(driver_.copyOnDevice(reinterpret_cast<DevicePointer>(step.operands[0]),
                                              reinterpret_cast<DevicePointer>(step.operands[1]), step.copyBytes,
                                              stream_),
                         "copying ", step.copyBytes, " bytes");
  if (step.kernel == PlannedStep::Call)
    return entry.calls[index]->enqueue(*step.call, step.operands, stream_);
  const CudaKernel &kernel = device_.kernel(step.kernel);
  if (Status status = parameters_.set(driver_, step.name, kernel.tensorMaps, step.operands, step.operandCount))
    return status;
  return driver_.check(
      launch(kernel.function, step.tiles, kernel.threads, kernel.sharedBytes, step.isDependent, parameters_.data()),
      "launching kernel ", step.name);
}

/// `isDependent`: it may begin before the launch before it has ended.
Result CudaSession::launch(Function function, unsigned blocks, unsigned threads, unsigned sharedBytes, bool isDependent,
                           void **parameters) {
  LaunchAttribute dependent = {};
  dependent.id = LaunchAttributeProgrammaticStreamSerialization;
  dependent.value.programmaticStreamSerializationAllowed = 1;
  LaunchConfig config = {};
  config.gridX = blocks;
  config.gridY = config.gridZ = config.blockY = config.blockZ = 1;
  config.blockX = threads;
  config.sharedBytes = sharedBytes;
  config.stream = stream_;
  config.attributes = &dependent;
  config.attributeCount = isDependent && useDependentLaunches_ ? 1 : 0;
  return driver_.launchKernel(&config, function, parameters, nullptr);
}

Status CudaSession::enqueueSmallOutputs(const Run &run) {
  const EntryBindings &bindings = package_.bindings(run.entry);
  uint64_t small = 0;
  for (size_t i = 0; i < bindings.outputs.size(); ++i) {
    if (!comesBackInGraph(run.entry, i))
      continue;
    // What the caller has on the device stays there.
    if (!outputs_[run.lane][i].onDevice)
      if (Status status =
              driver_.check(bringOutput(run, addresses_[bindings.inputs.size() + i],
                                        lanes_[run.lane].pinnedOutputs.data() + small, bindings.outputs[i].bytes),
                            "copying output ", quote(bindings.outputs[i].name)))
        return status;
    small += format::alignUp(bindings.outputs[i].bytes, StagingAlignment);
  }
  return Status::ok();
}

/// From and to staging areas, which have whole pieces. A kernel can store to page-locked memory, which has the same
/// address on the device; it may begin early behind another kernel.
Result CudaSession::bringOutput(const Run &run, uint8_t *from, uint8_t *to, uint64_t bytes) {
  if (!device_.finishKernel())
    return driver_.copyToHost(to, reinterpret_cast<DevicePointer>(from), bytes, stream_);
  const Entry &entry = entries_[run.entry];
  const std::vector<PlannedStep> &steps = entry.plan.steps();
  const bool isBehindKernel =
      !steps.empty() && steps.back().kernel != PlannedStep::Copy && steps.back().kernel != PlannedStep::Call;
  uint64_t pieces = format::alignUp(bytes, format::FinishPiece) / format::FinishPiece, rows = entry.movedRows;
  uint8_t *moved[MovedInputs] = {};
  for (size_t i = 0; i < MovedInputs && rows; ++i)
    moved[i] =
        entry.moved[i] == NoInput ? nullptr : lanes_[run.lane].inputs.data() + entry.inputOffsets[entry.moved[i]];
  void *parameters[] = {&from, &to, &pieces, &moved[0], &moved[1], &moved[2], &moved[3], &rows};
  const uint64_t threads = std::max(pieces, rows);
  if (threads == 0)
    return Success;
  return launch(device_.finishKernel(),
                static_cast<unsigned>((threads + format::FinishThreads - 1) / format::FinishThreads),
                format::FinishThreads, 0, isBehindKernel, parameters);
}

Status CudaSession::enqueueLargeOutputs(const Run &run) {
  const EntryBindings &bindings = package_.bindings(run.entry);
  const Entry &entry = entries_[run.entry];
  for (size_t i = 0; i < bindings.outputs.size(); ++i) {
    const Place &output = outputs_[run.lane][i];
    if (comesBackInGraph(run.entry, i) || !output.address || output.onDevice)
      continue;
    if (Status status = driver_.check(driver_.copyToHost(output.address, outputArea_.pointer() + entry.outputOffsets[i],
                                                         bindings.outputs[i].bytes, stream_),
                                      "copying output ", quote(bindings.outputs[i].name)))
      return status;
  }
  return Status::ok();
}

} // namespace mjolnir::runtime
