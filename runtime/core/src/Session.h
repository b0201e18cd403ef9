// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A session: the memory that runs of one package use, whatever the device. It checks what callers give; a device's own
// session runs it. Everything is made once, so that a run neither allocates nor locks.
#ifndef MJOLNIR_RUNTIME_SESSION_H
#define MJOLNIR_RUNTIME_SESSION_H

#include "Package.h"
#include "RaggedCheck.h"

#include <array>
#include <functional>
#include <memory>
#include <vector>

namespace mjolnir::runtime {

class Session {
public:
  virtual ~Session() = default;
  Session(const Session &) = delete;
  Session &operator=(const Session &) = delete;

  /// As mj_session_run.
  Status run(size_t entry, const DLTensor *const *inputs, size_t inputCount, const DLTensor *const *outputs,
             size_t outputCount);

  /// Told after each step of a run, with the addresses of its operands, while it is set: for tools that look into a run.
  /// Only sessions on device `host` take one; false from the others.
  using StepObserver = std::function<void(size_t step, void *const *operands)>;
  virtual bool observe(StepObserver) { return false; }

  uint32_t kvPages() const { return kvPages_; }
  void setProfiling(bool on);
  size_t profile(const mj_step_profile **steps) const {
    *steps = profile_.get();
    return profiledSteps_;
  }

protected:
  /// A tensor of the current run.
  struct Place {
    uint8_t *address = nullptr; ///< null: an output that the caller does not want
    bool onDevice = false;      ///< in the device's memory, which is not the CPU's
  };

  /// `deviceType`: DLPack's name of the memory, besides the CPU's, in which tensors may be; kDLCPU if there is none.
  Session(const Package &package, DLDeviceType deviceType) : package_(package), deviceType_(deviceType) {}

  /// Decides how many KV pages there are (`wanted`, or enough for one sequence), describes the entries, and makes room
  /// for what runs note. To be called once, first.
  Status prepare(uint32_t wanted);
  /// Bytes of pool `index` with the pages that prepare() decided on, and what to call it in a message.
  Status poolBytes(uint32_t index, uint64_t &bytes, std::string &purpose) const;
  /// The largest arena of all entries, bytes.
  uint64_t arenaBytes() const;

  /// Runs entry `index` on inputs_ and outputs_, whose tensors have been checked.
  virtual Status execute(size_t index) = 0;

  const Package &package_;
  std::vector<Place> inputs_, outputs_; // of the current run, by index
  std::unique_ptr<mj_step_profile[]> profile_;
  size_t profiledSteps_ = 0;
  bool profiling_ = false;

private:
  struct Entry {
    bool ragged = false;
    RaggedLimits limits;
    std::array<uint32_t, RaggedInputCount> raggedInputs{}; // the input's index, by RaggedInput
  };
  Status decidePages(uint32_t wanted);
  void describeEntries();
  Status bindTensors(size_t entry, const DLTensor *const *inputs, const DLTensor *const *outputs);
  Status checkTensor(const char *role, const Binding &binding, const DLTensor &tensor, Place &place) const;
  Status checkRagged(size_t index) const;

  const DLDeviceType deviceType_;
  uint32_t kvPages_ = 0;
  std::vector<Entry> entries_;
};

/// The monotonic clock.
uint64_t nanoseconds();

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_SESSION_H
