// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A session on device `host`: memory of this process, tiles on a pool of threads. Kernels read and write the caller's
// memory.
#ifndef MJOLNIR_RUNTIME_HOSTSESSION_H
#define MJOLNIR_RUNTIME_HOSTSESSION_H

#include "HostDevice.h"
#include "Memory.h"
#include "Session.h"
#include "SessionPlan.h"
#include "ThreadPool.h"

namespace mjolnir::runtime {

class HostSession final : public Session {
public:
  static Status create(const Package &package, const HostDevice &device, const SessionOptions &options,
                       std::unique_ptr<Session> &session);

  bool observe(StepObserver observer) override {
    observer_ = std::move(observer);
    return true;
  }

private:
  HostSession(const Package &package, const HostDevice &device) : Session(package, kDLCPU, 1), device_(device) {}
  Status allocate();
  Status startRun(const Run &run) override;
  Status finishRun(const Run &) override { return Status::ok(); }
  Status clearStates() override;
  Status copyState(size_t state, const Place &tensor, bool isWrite) override;
  Status runSteps(SessionPlan &plan);
  Status checkFedTokens(size_t index) const;
  void runStep(const PlannedStep &step);

  const HostDevice &device_;
  std::unique_ptr<ThreadPool> threads_;
  Memory arena_, scratch_; // scratch: outputs that the caller does not want
  std::vector<Memory> pools_, states_;
  std::vector<SessionPlan> plans_; // by entry
  std::vector<uint8_t *> inputAddresses_, outputAddresses_;
  std::vector<int32_t> fedTokens_; // next_tokens of the last run of a ragged entry that can be continued
  StepObserver observer_;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_HOSTSESSION_H
