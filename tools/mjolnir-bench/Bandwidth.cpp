// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What memory can do at best, measured beside everything else.
#include "Bench.h"
#include "CudaGraph.h"

#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#include "ReadPtx.h" // made from read.ptx

namespace mjolnir::bench {
namespace {

constexpr int Rounds = 7;

/// The median seconds of `work(thread)` on all threads at once.
double timeThreads(uint32_t threads, const std::function<void(uint32_t)> &work) {
  std::vector<double> seconds;
  for (int round = 0; round < Rounds; ++round) {
    auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> others;
    for (uint32_t i = 1; i < threads; ++i)
      others.emplace_back(work, i);
    work(0);
    for (std::thread &other : others)
      other.join();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return median(std::move(seconds));
}

} // namespace

Bandwidth measureHostBandwidth(uint32_t threads, size_t bytes) {
  if (threads == 0)
    threads = std::max(1u, std::thread::hardware_concurrency());
  const size_t words = bytes / sizeof(uint64_t) / 2, part = words / threads;
  std::vector<uint64_t> from(words, 1), to(words, 2), sums(threads);
  Bandwidth result;
  double seconds = timeThreads(threads, [&](uint32_t thread) {
    std::memcpy(to.data() + thread * part, from.data() + thread * part, part * sizeof(uint64_t));
  });
  result.copy = 2.0 * double(part * threads * sizeof(uint64_t)) / seconds;
  seconds = timeThreads(threads, [&](uint32_t thread) {
    // Eight sums, so that an addition need not wait for the one before it.
    uint64_t sum[8] = {};
    for (const std::vector<uint64_t> *half : {&from, &to}) {
      const uint64_t *words = half->data() + thread * part;
      for (size_t i = 0; i + 8 <= part; i += 8)
        for (size_t k = 0; k < 8; ++k)
          sum[k] += words[i + k];
    }
    for (uint64_t value : sum)
      sums[thread] += value;
  });
  result.read = 2.0 * double(part * threads * sizeof(uint64_t)) / seconds;
  // What is never looked at need not be computed.
  if (sums[0] == 0)
    throw std::runtime_error("the memory of the host does not hold what was written to it");
  return result;
}

Bandwidth measureCudaBandwidth(const runtime::Package &package, size_t bytes) {
  using namespace runtime::cuda;
  CudaGraph graph(package);
  const Driver &driver = graph.driver();
  DeviceMemory from, to;
  const size_t half = bytes / 2 / 256 * 256;
  check(DeviceMemory::allocate(driver, half, "the measurement of bandwidth", from));
  check(DeviceMemory::allocate(driver, half, "the measurement of bandwidth", to));
  for (const DeviceMemory *memory : {&from, &to})
    check(driver.check(driver.memorySet(memory->pointer(), 1, half, graph.stream()), "filling memory"));
  Bandwidth result;
  constexpr int Copies = 8;
  graph.capture([&] {
    for (int i = 0; i < Copies; ++i)
      check(driver.check(driver.copyOnDevice((i % 2 ? from : to).pointer(), (i % 2 ? to : from).pointer(), half,
                                             graph.stream()),
                         "copying memory"));
  });
  result.copy = 2.0 * Copies * double(half) / median(graph.time(Rounds));

  Module module = nullptr;
  check(driver.check(driver.moduleLoad(&module, ReadPtx, 0, nullptr, nullptr), "compiling the kernel that reads"));
  std::unique_ptr<ModuleTag, decltype(driver.moduleUnload)> unload(module, driver.moduleUnload);
  Function function = nullptr;
  check(driver.check(driver.moduleGetFunction(&function, module, "read_memory"), "finding the kernel that reads"));
  // As many threads as any device holds at a time, or more; each reads four times in a turn.
  constexpr unsigned Blocks = 132 * 16, Threads = 256;
  constexpr uint64_t Turn = uint64_t(4) * Blocks * Threads;
  uint64_t count = half / 16 / Turn * Turn;
  if (count == 0)
    throw std::runtime_error("--rotate is too little to measure bandwidth: give 128 at least");
  graph.capture([&] {
    for (int i = 0; i < Copies; ++i) {
      DevicePointer in = (i % 2 ? from : to).pointer(), out = (i % 2 ? to : from).pointer();
      void *parameters[] = {&in, &out, &count};
      LaunchConfig config = {Blocks, 1, 1, Threads, 1, 1, 0, graph.stream(), nullptr, 0};
      check(driver.check(driver.launchKernel(&config, function, parameters, nullptr), "reading memory"));
    }
  });
  result.read = double(Copies) * double(count) * 16 / median(graph.time(Rounds));
  return result;
}

} // namespace mjolnir::bench
