// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A session on device `cuda`: a stream, device memory, and for each entry a captured graph that a run replays: the
// caller's inputs to the device in one copy, the launches, small outputs back.
#ifndef MJOLNIR_RUNTIME_CUDA_CUDASESSION_H
#define MJOLNIR_RUNTIME_CUDA_CUDASESSION_H

#include "../Session.h"
#include "../SessionPlan.h"
#include "CudaDevice.h"

namespace mjolnir::runtime {

class CudaSession final : public Session {
public:
  static Status create(const Package &package, const CudaDevice &device, const SessionOptions &options,
                       std::unique_ptr<Session> &session);
  ~CudaSession() override;

private:
  CudaSession(const Package &package, const CudaDevice &device, const SessionOptions &options)
      : Session(package, kDLCUDA), device_(device), driver_(device.driver()), useGraphs_(options.useGraphs),
        useDependentLaunches_(options.useDependentLaunches) {}

  struct Entry {
    explicit Entry(SessionPlan plan) : plan(std::move(plan)) {}
    SessionPlan plan;
    std::vector<uint64_t> inputOffsets, outputOffsets; ///< in the staging areas
    uint64_t inputBytes = 0;
    std::vector<uint8_t *> captured; ///< addresses of inputs and outputs that the graph has; empty: no graph
    cuda::GraphExec graph = nullptr;
  };

  Status allocateMemory();
  Status captureEntries();
  Status execute(size_t index) override;
  Status capture(size_t index, Entry &entry);
  Status enqueue(size_t index, Entry &entry);
  Status enqueueProfiled(size_t index, Entry &entry);
  Status enqueueInputs(const Entry &entry);
  Status enqueueStep(const PlannedStep &step);
  Status enqueueSmallOutputs(size_t index);
  Status takeOutputs(size_t index, const Entry &entry);

  const CudaDevice &device_;
  const cuda::Driver &driver_;
  const bool useGraphs_, useDependentLaunches_;
  cuda::Stream stream_ = nullptr;
  cuda::DeviceMemory arena_, inputArea_, outputArea_;
  cuda::PinnedMemory pinnedInputs_, pinnedOutputs_;
  std::vector<cuda::DeviceMemory> pools_;
  std::vector<Entry> entries_;
  std::vector<uint8_t *> addresses_; // of inputs, then outputs, of the current run, on the device
  std::vector<void *> parameters_;   // of one launch: where its operands are
  std::vector<cuda::Event> events_;  // of profiled runs
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_CUDA_CUDASESSION_H
