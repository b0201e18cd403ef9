// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A session: the memory and the threads that runs of one package use. All of it is made once, so that a run neither
// allocates nor locks.
#ifndef MJOLNIR_RUNTIME_SESSION_H
#define MJOLNIR_RUNTIME_SESSION_H

#include "Memory.h"
#include "Package.h"
#include "RaggedCheck.h"
#include "SessionPlan.h"
#include "ThreadPool.h"

#include <array>
#include <memory>
#include <vector>

namespace mjolnir::runtime {

class Session {
public:
  /// `threads` and `kvPages` as in mj_session_options.
  static Status create(const Package &package, uint32_t threads, uint32_t kvPages, std::unique_ptr<Session> &session);

  Status run(size_t entry, const DLTensor *const *inputs, size_t inputCount, const DLTensor *const *outputs,
             size_t outputCount);

  uint32_t kvPages() const { return kvPages_; }
  void setProfiling(bool on);
  size_t profile(const mj_step_profile **steps) const {
    *steps = profile_.get();
    return profiledSteps_;
  }

private:
  explicit Session(const Package &package) : package_(package) {}
  Status allocatePools(uint32_t kvPages);
  Status allocateBuffers();
  void planEntries();
  Status bindTensors(size_t entry, const DLTensor *const *inputs, const DLTensor *const *outputs);
  void runProfiled(const std::vector<PlannedStep> &steps);

  struct Entry {
    SessionPlan plan;
    bool ragged;
    RaggedLimits limits;
    std::array<uint32_t, RaggedInputCount> raggedInputs; // the input's index, by RaggedInput
  };

  const Package &package_;
  std::unique_ptr<ThreadPool> threads_;
  Memory arena_, scratch_; // scratch: outputs that the caller does not want
  std::vector<Memory> pools_;
  uint32_t kvPages_ = 0;
  std::vector<Entry> entries_;
  std::vector<uint8_t *> inputs_, outputs_; // addresses of the current run, by index
  std::unique_ptr<mj_step_profile[]> profile_;
  size_t profiledSteps_ = 0;
  bool profiling_ = false;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_SESSION_H
