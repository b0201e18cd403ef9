// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A session on device `cuda`: a stream, device memory, and for each entry a captured graph that a run replays. A run is
// the caller's inputs to the device in one copy, the graph with the launches and small outputs back, an event.
//
// A run that continues another is queued while that one runs. Each has a lane: inputs of its own here and on the
// device, a graph of its own, and `next_tokens` of one lane's run is where `tokens` of the other lane's are read. So
// nothing but the launch of the next graph stands between two steps: its other inputs have long come by a stream of
// their own. Mostly they need not come at all: the last launch of a run moves on what the next run of its lane is
// likely to have, and the host compares.
//
// That launch, of a kernel that the package has for it, brings small outputs back, too: a copy by the driver is work
// for another engine of the device, which takes ten microseconds to change to.
#ifndef MJOLNIR_RUNTIME_CUDA_CUDASESSION_H
#define MJOLNIR_RUNTIME_CUDA_CUDASESSION_H

#include "../Session.h"
#include "../SessionPlan.h"
#include "CudaDevice.h"

#include <map>

namespace mjolnir::runtime {

class CudaSession final : public Session {
public:
  static Status create(const Package &package, const CudaDevice &device, const SessionOptions &options,
                       std::unique_ptr<Session> &session);
  ~CudaSession() override;
  bool isAsynchronous() const override { return true; }
  uint64_t captureNanoseconds() const override { return captureNanoseconds_; }

private:
  CudaSession(const Package &package, const CudaDevice &device, const SessionOptions &options)
      : Session(package, kDLCUDA, KernelAlignment), device_(device), driver_(device.driver()),
        useGraphs_(options.useGraphs), useDependentLaunches_(options.useDependentLaunches) {}

  /// Outputs up to this size come back inside the graph, by way of page-locked memory; larger ones, and logits, go
  /// straight to the caller's memory, if it wants them.
  static constexpr uint64_t SmallOutputBytes = 64 * 1024;
  /// What kernels take addresses to be a multiple of: their widest loads, stores and bulk copies are of 16 bytes.
  static constexpr uint32_t KernelAlignment = 16;
  /// What every input and output in a staging area is aligned to: the driver's own alignment of memory.
  static constexpr uint64_t StagingAlignment = 256;

  static constexpr size_t NoInput = SIZE_MAX, NoEntry = SIZE_MAX;
  /// What the kernel of FinishRun.h moves on.
  enum MovedInput : size_t { MovedPositions, MovedLengths, MovedSlots, MovedWindowSlots, MovedInputs };

  struct Replay {
    std::vector<uint8_t *> addresses; ///< of inputs and outputs that the graph has; empty: no graph
    cuda::GraphExec graph = nullptr;
  };
  struct Entry {
    explicit Entry(SessionPlan plan) : plan(std::move(plan)) {}
    SessionPlan plan;
    std::vector<uint64_t> inputOffsets, outputOffsets; ///< in the staging areas
    uint64_t inputBytes = 0, tokenBytes = 0;           ///< tokens, where there are any, come first
    std::vector<cuda::LtMatmul *> calls;               ///< by step; null: it calls no library
    size_t moved[MovedInputs];                         ///< indices of inputs
    uint64_t movedRows = 0;                            ///< elements of each of them; 0: none is moved on
    Replay replays[Lanes];
  };
  struct Lane {
    cuda::DeviceMemory inputs;
    cuda::PinnedMemory pinnedInputs, pinnedOutputs;
    size_t held = NoEntry; ///< the entry whose inputs pinnedInputs has, and `inputs` moved on
    cuda::Event begun = nullptr, uploaded = nullptr, done = nullptr;
    cuda::Event start = nullptr, end = nullptr; ///< of its run; no start: it is not timed, and its end has no time
  };

  Status allocateMemory();
  Status allocatePools(SessionMemory &memory);
  Status allocateStates(SessionMemory &memory);
  Status queueClearing();
  Status clearStates() override;
  Status copyState(size_t state, const Place &tensor, bool isWrite) override;
  Status allocateLanes(uint64_t inputBytes, uint64_t smallBytes);
  Status prepareCalls();
  Status chooseAlgorithm(const PlannedStep &step, const std::string &key, cuda::LtMatmul &matmul);
  Status tryAlgorithms(const PlannedStep &step, cuda::LtMatmul &matmul);
  Status captureAll();
  Status startRun(const Run &run) override;
  Status finishRun(const Run &run) override;
  void readTime() override;
  Status startOnDevice(const Run &run);
  Status noteStart(const Run &run);
  Status noteEnd(const Run &run);
  void placeTensors(const Run &run);
  bool comesBackInGraph(size_t entry, size_t output) const;
  Status uploadInputs(const Run &run, bool &fromHost);
  void noteMovedInputs(size_t entry);
  bool isMovedOn(const Run &run);
  bool inputsAreTheHosts(const Run &run) const;
  void noteHeld(const Run &run);
  /// Whether a run's inputs come by a stream of their own, while the run before it is under way.
  bool uploadsAside(const Run &run) const { return run.continues && underWay() > 0; }
  Status capture(const Run &run);
  Status makeGraph(const Run &run);
  Status enqueue(const Run &run);
  Status enqueueProfiled(const Run &run);
  Status enqueueStep(const Entry &entry, size_t index);
  Status enqueueSmallOutputs(const Run &run);
  cuda::Result bringOutput(const Run &run, uint8_t *from, uint8_t *to, uint64_t bytes);
  cuda::Result launch(cuda::Function function, unsigned blocks, unsigned threads, unsigned sharedBytes,
                      bool isDependent, void **parameters);
  Status enqueueLargeOutputs(const Run &run);

  const CudaDevice &device_;
  const cuda::Driver &driver_;
  const bool useGraphs_, useDependentLaunches_;
  cuda::Stream stream_ = nullptr, uploadStream_ = nullptr;
  cuda::DeviceMemory arena_, outputArea_;
  Lane lanes_[Lanes];
  // What tells when a timed run has ended: its own, that of the one before it, from which the time of a queued run
  // counts, and that of the one behind it.
  cuda::Event ends_[Lanes + 1] = {};
  unsigned nextEnd_ = 0;
  const Lane *unread_ = nullptr; // that of the last run, if its time has not been read
  std::vector<cuda::DeviceMemory> pools_, states_;
  std::vector<Entry> entries_;
  std::map<std::string, std::unique_ptr<cuda::LtMatmul>> matmuls_; // of libraries, by key
  std::vector<uint8_t *> addresses_;  // of inputs, then outputs, of the run that is being started, on the device
  cuda::LaunchParameters parameters_; // of one launch
  std::vector<cuda::Event> events_;   // of profiled runs
  uint64_t captureNanoseconds_ = 0;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_CUDA_CUDASESSION_H
