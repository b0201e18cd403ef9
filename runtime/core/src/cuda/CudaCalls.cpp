// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The library calls of a session: described once, their algorithms remembered or found by trial on the buffers that
// runs will use. What these hold is undefined before the first run, so trials may write results.
#include "CudaSession.h"

namespace mjolnir::runtime {

using namespace cuda;

Status CudaSession::prepareCalls() {
  for (size_t i = 0; i < entries_.size(); ++i) {
    Entry &entry = entries_[i];
    const std::vector<PlannedStep> &steps = entry.plan.steps();
    entry.calls.resize(steps.size());
    // Where tensors of the CPU are placed.
    for (Place &place : inputs_)
      place = {};
    for (Place &place : outputs_[0])
      place = {};
    placeTensors({i, 0, false});
    entry.plan.bind(addresses_.data(), addresses_.data() + package_.bindings(i).inputs.size());
    for (size_t k = 0; k < steps.size(); ++k) {
      if (steps[k].kernel != PlannedStep::Call)
        continue;
      const std::string key = LtMatmul::keyOf(*steps[k].call);
      std::unique_ptr<LtMatmul> &matmul = matmuls_[key];
      if (!matmul) {
        matmul = std::make_unique<LtMatmul>(*device_.cublasLt(), *steps[k].call);
        if (Status status = matmul->describe(steps[k].operands))
          return status;
        if (Status status = chooseAlgorithm(steps[k], key, *matmul))
          return status;
      }
      entry.calls[k] = matmul.get();
    }
  }
  device_.algorithms().save();
  return Status::ok();
}

Status CudaSession::chooseAlgorithm(const PlannedStep &step, const std::string &key, LtMatmul &matmul) {
  lt::Algorithm remembered;
  if (device_.algorithms().find(key, remembered) && matmul.accept(remembered)) {
    // Once before it is captured: the library loads its code at the first call, which a capture would not allow.
    if (Status status = matmul.enqueue(*step.call, step.operands, stream_))
      return status;
    return driver_.check(driver_.streamSynchronize(stream_), "running ", matmul.name());
  }
  if (Status status = tryAlgorithms(step, matmul))
    return status;
  device_.algorithms().add(key, matmul.algorithm());
  return Status::ok();
}

/// Runs each algorithm that the library proposes a few times and keeps the fastest.
Status CudaSession::tryAlgorithms(const PlannedStep &step, LtMatmul &matmul) {
  constexpr int MostProposals = 12, Repetitions = 5;
  lt::HeuristicResult proposals[MostProposals] = {};
  int count = 0;
  if (Status status = matmul.propose(proposals, MostProposals, count))
    return status;
  while (events_.size() < 2) {
    Event event = nullptr;
    if (Status status = driver_.check(driver_.eventCreate(&event, EventDefault), "making an event"))
      return status;
    events_.push_back(event);
  }
  const uint64_t workspace = workspaceOf(*step.call);
  const lt::Algorithm *best = nullptr;
  float least = 0;
  Status refusal; // of the last algorithm that the library proposed and then refused
  for (int i = 0; i < count; ++i) {
    if (proposals[i].state != lt::StatusSuccess || proposals[i].workspaceBytes > workspace)
      continue;
    matmul.use(proposals[i].algorithm);
    if (Status status = matmul.enqueue(*step.call, step.operands, stream_)) {
      refusal = std::move(status);
      continue;
    }
    if (Status status = driver_.check(driver_.eventRecord(events_[0], stream_), "recording an event"))
      return status;
    for (int run = 0; run < Repetitions; ++run)
      if (Status status = matmul.enqueue(*step.call, step.operands, stream_))
        return status;
    if (Status status = driver_.check(driver_.eventRecord(events_[1], stream_), "recording an event"))
      return status;
    if (Status status = driver_.check(driver_.streamSynchronize(stream_), "trying algorithms for ", matmul.name()))
      return status;
    float milliseconds = 0;
    if (Status status =
            driver_.check(driver_.eventElapsed(&milliseconds, events_[0], events_[1]), "reading the time of a trial"))
      return status;
    if (!best || milliseconds < least) {
      best = &proposals[i].algorithm;
      least = milliseconds;
    }
  }
  if (!best && refusal)
    return refusal;
  if (!best)
    return failure(MJ_ERROR_UNSUPPORTED, "cuBLASLt has no algorithm for ", matmul.name(), " on this device within ",
                   workspace, " bytes; compile the model with --libraries=none");
  matmul.use(*best);
  return Status::ok();
}

} // namespace mjolnir::runtime
