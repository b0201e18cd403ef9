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
  /// As mj_session_start and mj_session_wait.
  Status start(size_t entry, const DLTensor *const *inputs, size_t inputCount, const DLTensor *const *outputs,
               size_t outputCount, bool continues);
  Status wait();
  uint32_t underWay() const { return underWay_; }
  virtual bool isAsynchronous() const { return false; }
  /// As mj_session_capture_nanoseconds.
  virtual uint64_t captureNanoseconds() const { return 0; }
  const Phases &phases() const { return phases_; }

  /// As mj_session_reset, mj_session_read_state and mj_session_write_state.
  Status reset();
  Status readState(size_t state, const DLTensor &tensor) { return moveState(state, tensor, false); }
  Status writeState(size_t state, const DLTensor &tensor) { return moveState(state, tensor, true); }

  /// Told after each step of a run, with the addresses of its operands, while it is set: for tools that look into a
  /// run. Only sessions on device `host` take one; false from the others.
  using StepObserver = std::function<void(size_t step, void *const *operands)>;
  virtual bool observe(StepObserver) { return false; }

  uint32_t kvPages() const { return kvPages_; }
  /// Of the pool with tables of its own; 0: there is none.
  uint32_t kvWindowPages() const { return kvWindowPages_; }
  void setProfiling(mj_profiling what);
  /// As mj_session_profile.
  size_t profile(const mj_step_profile **steps) {
    readTime();
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
  /// `deviceAlignment`: what the addresses of tensors there must be a multiple of, bytes.
  Session(const Package &package, DLDeviceType deviceType, uint32_t deviceAlignment)
      : package_(package), deviceType_(deviceType), deviceAlignment_(deviceAlignment) {}

  /// Decides how many KV pages there are (those wanted, or enough for one sequence; in a pool with tables of its own as
  /// many as the sequences of a step can use), describes the entries, and makes room for what runs note. To be called
  /// once, first.
  Status prepare(uint32_t kvPages, uint32_t kvWindowPages);
  /// Bytes of pool `index` with the pages that prepare() decided on, and what to call it in a message.
  Status poolBytes(uint32_t index, uint64_t &bytes, std::string &purpose) const;
  /// The largest arena of all entries, bytes.
  uint64_t arenaBytes() const;

  /// A run that was started. Two are under way at most, and each has a lane: what it does not share with the other.
  /// The one that continues another, or is queued behind it, has the other lane; any other run has lane 0.
  static constexpr unsigned Lanes = 2;
  struct Run {
    size_t entry = 0;
    unsigned lane = 0;
    bool continues = false;
  };

  /// Starts a run on inputs_ and the lane's outputs, whose tensors have been checked.
  virtual Status startRun(const Run &run) = 0;
  /// Waits for a run that was started and fills its outputs.
  virtual Status finishRun(const Run &run) = 0;
  /// Puts the time of the last run into profile_, should finishRun have left that for when somebody asks.
  virtual void readTime() {}

  /// Makes all states zeros; copies one to or from a tensor that has been checked. No run is under way.
  virtual Status clearStates() = 0;
  virtual Status copyState(size_t state, const Place &tensor, bool isWrite) = 0;
  /// What to call a state in a message.
  std::string stateText(size_t state) const { return "state " + quote(package_.states()[state].name); }

  /// Whether a run of this entry can be continued without the host: it draws one token for each that it takes.
  bool feedsItself(size_t entry) const { return entries_[entry].feedsItself; }
  size_t tokensInput(size_t entry) const { return raggedInput(entry, RaggedTokens); }
  size_t raggedInput(size_t entry, RaggedInput which) const { return entries_[entry].raggedInputs[which]; }
  bool hasWindowPool(size_t entry) const { return entries_[entry].limits.windowPages != 0; }
  size_t nextTokensOutput(size_t entry) const { return entries_[entry].nextTokens; }
  int64_t vocabulary(size_t entry) const { return entries_[entry].limits.vocabulary; }
  bool isRagged(size_t entry) const { return entries_[entry].ragged; }

  const Package &package_;
  Phases phases_;
  std::vector<Place> inputs_;         // of the run that is being started, by index
  std::vector<Place> outputs_[Lanes]; // of the lane's run, by index
  std::unique_ptr<mj_step_profile[]> profile_;
  size_t profiledSteps_ = 0;
  mj_profiling profiling_ = MJ_PROFILE_OFF;

private:
  struct Entry {
    bool ragged = false, feedsItself = false;
    RaggedLimits limits;
    size_t nextTokens = 0;                                 // the output's index
    std::array<uint32_t, RaggedInputCount> raggedInputs{}; // the input's index, by RaggedInput
  };
  Status decidePages(uint32_t wanted);
  Status decideWindowPages(uint32_t wanted);
  void describeEntries();
  Status checkContinues(size_t entry) const;
  Status bindTensors(const Run &run, const DLTensor *const *inputs, const DLTensor *const *outputs);
  Status checkTensor(const char *role, const Binding &binding, const DLTensor &tensor, Place &place) const;
  Status checkRagged(const Run &run);
  Status moveState(size_t state, const DLTensor &tensor, bool isWrite);

  const DLDeviceType deviceType_;
  const uint32_t deviceAlignment_;
  uint32_t kvPages_ = 0, kvWindowPages_ = 0;
  std::vector<Entry> entries_;
  Run runs_[Lanes]; // under way, the first started first
  uint32_t underWay_ = 0;
  Run last_;                       // the run started last, if it
  bool canBeContinued_ = false;    // was started at all
  std::vector<int32_t> anyTokens_; // stands for tokens that the host does not know yet
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_SESSION_H
