// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Bringing a run's inputs to the device, or finding that they are there.
#include "CudaSession.h"

#include "mjolnir/format/FinishRun.h"

#include <algorithm>
#include <cstring>

namespace mjolnir::runtime {

using namespace cuda;

/// Inputs that lie in the CPU's memory. What this run's lane held belongs to a run that has been waited for, but for
/// the tokens, which the run under way may still write: so a run that does not take those queues behind it.
Status CudaSession::uploadInputs(const Run &run, bool &fromHost) {
  const EntryBindings &bindings = package_.bindings(run.entry);
  const Entry &entry = entries_[run.entry];
  Lane &lane = lanes_[run.lane];
  if (isMovedOn(run))
    return Status::ok();
  lane.held = NoEntry;
  for (size_t i = 0; i < bindings.inputs.size(); ++i)
    if (inputs_[i].address && !inputs_[i].onDevice) {
      std::memcpy(lane.pinnedInputs.data() + entry.inputOffsets[i], inputs_[i].address, bindings.inputs[i].bytes);
      fromHost = true;
    }
  if (!fromHost)
    return Status::ok();
  const uint64_t begin = run.continues ? entry.tokenBytes : 0;
  Stream stream = uploadsAside(run) ? uploadStream_ : stream_;
  if (Status status =
          driver_.check(driver_.copyToDevice(lane.inputs.pointer() + begin, lane.pinnedInputs.data() + begin,
                                             entry.inputBytes - begin, stream),
                        "copying the inputs"))
    return status;
  return uploadsAside(run) ? driver_.check(driver_.eventRecord(lane.uploaded, stream), "recording an event")
                           : Status::ok();
}

/// Whether the device has made of the inputs of the lane's last run what this run is to have, but for the tokens; the
/// host's copy becomes that, too.
bool CudaSession::isMovedOn(const Run &run) {
  const EntryBindings &bindings = package_.bindings(run.entry);
  const Entry &entry = entries_[run.entry];
  Lane &lane = lanes_[run.lane];
  if (!run.continues || lane.held != run.entry || !inputsAreTheHosts(run))
    return false;
  auto held = [&](size_t input) { return lane.pinnedInputs.data() + entry.inputOffsets[input]; };
  const auto *slots = reinterpret_cast<const int32_t *>(held(entry.moved[MovedSlots]));
  for (size_t which = 0; which < MovedInputs; ++which) {
    if (entry.moved[which] == NoInput)
      continue;
    const auto *before = reinterpret_cast<const int32_t *>(held(entry.moved[which]));
    const auto *now = reinterpret_cast<const int32_t *>(inputs_[entry.moved[which]].address);
    for (uint64_t row = 0; row < entry.movedRows; ++row) {
      const bool moves = which == MovedPositions ? slots[row] >= 0
                         : which == MovedLengths ? before[row] > 0
                                                 : before[row] >= 0;
      if (static_cast<uint32_t>(now[row]) != static_cast<uint32_t>(before[row]) + (moves ? format::FinishSteps : 0))
        return false;
    }
  }
  auto isMoved = [&](size_t input) {
    return std::find(entry.moved, std::end(entry.moved), input) != std::end(entry.moved);
  };
  const size_t tokens = tokensInput(run.entry);
  for (size_t i = 0; i < bindings.inputs.size(); ++i)
    if (i != tokens && !isMoved(i) && std::memcmp(held(i), inputs_[i].address, bindings.inputs[i].bytes) != 0)
      return false;
  for (size_t input : entry.moved)
    if (input != NoInput)
      std::memcpy(held(input), inputs_[input].address, bindings.inputs[input].bytes);
  return true;
}

/// Tokens, which a run that continues another has none of, left aside.
bool CudaSession::inputsAreTheHosts(const Run &run) const {
  for (size_t i = 0; i < package_.bindings(run.entry).inputs.size(); ++i)
    if (i != tokensInput(run.entry) && (inputs_[i].onDevice || !inputs_[i].address))
      return false;
  return true;
}

/// What the lane has once the run has ended.
void CudaSession::noteHeld(const Run &run) {
  const bool moves = device_.finishKernel() && entries_[run.entry].movedRows > 0 && inputsAreTheHosts(run) &&
                     !outputs_[run.lane][nextTokensOutput(run.entry)].onDevice;
  lanes_[run.lane].held = moves ? run.entry : NoEntry;
}

} // namespace mjolnir::runtime
