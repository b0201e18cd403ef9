// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Work on a CUDA device, captured once and timed by the device.
#ifndef MJOLNIR_BENCH_CUDAGRAPH_H
#define MJOLNIR_BENCH_CUDAGRAPH_H

#include "Bench.h"

#include "cuda/CudaDevice.h"

namespace mjolnir::bench {

class CudaGraph {
public:
  /// On the device of a package, whose context is current while this lives.
  explicit CudaGraph(const runtime::Package &package);
  ~CudaGraph();
  CudaGraph(const CudaGraph &) = delete;
  CudaGraph &operator=(const CudaGraph &) = delete;

  const runtime::CudaDevice &device() const { return device_; }
  const runtime::cuda::Driver &driver() const { return device_.driver(); }
  runtime::cuda::Stream stream() const { return stream_; }

  /// Makes what `work` puts into the stream the graph.
  void capture(const std::function<void()> &work);
  /// Puts a launch of a kernel of the package, `name`, into the stream, over `count` operands at these addresses.
  void launch(uint32_t kernel, const char *name, uint32_t tiles, bool isDependent, void **operands, size_t count);
  /// Seconds that the graph takes, `runs` times, after a first run that is not counted.
  std::vector<double> time(uint32_t runs);

private:
  void clear();
  const runtime::CudaDevice &device_;
  runtime::cuda::Scope scope_;
  runtime::cuda::Stream stream_ = nullptr;
  runtime::cuda::Event begun_ = nullptr, ended_ = nullptr;
  runtime::cuda::GraphExec graph_ = nullptr;
  runtime::cuda::LaunchParameters parameters_;
};

} // namespace mjolnir::bench

#endif // MJOLNIR_BENCH_CUDAGRAPH_H
