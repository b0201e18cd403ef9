// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The threads of a session. A launch is a fork and a join; a decode step is hundreds of launches of some ten
// microseconds, so both must cost about one: workers spin for a while after each launch before they sleep, tiles are
// claimed with one atomic operation each, and nothing locks or allocates.
#ifndef MJOLNIR_RUNTIME_THREADPOOL_H
#define MJOLNIR_RUNTIME_THREADPOOL_H

#include "HostDevice.h"
#include "Status.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <pthread.h>
#include <vector>

namespace mjolnir::runtime {

class ThreadPool {
public:
  /// A pool in which `threads` threads run tiles, the caller of run() being one. Workers have stacks of at least 8 MiB.
  static Status create(unsigned threads, std::unique_ptr<ThreadPool> &pool);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  unsigned threads() const { return static_cast<unsigned>(workers_.size()) + 1; }

  /// Calls `kernel(operands, tile)` for each tile in [0, tiles), in any order and on any thread, and returns when all
  /// have returned; what they wrote is then visible to the caller. One caller at a time; `tiles` is at most 2^31 - 1.
  void run(KernelFunction kernel, void *const *operands, uint32_t tiles);

private:
  ThreadPool() = default;
  static void *workerMain(void *pool);
  void work();
  void drain();
  void sleep(uint32_t epoch);

  // The launch. Written while no tile is unclaimed or unfinished, read after claiming one.
  KernelFunction kernel_ = nullptr;
  void *const *operands_ = nullptr;
  uint32_t tiles_ = 0;

  alignas(64) std::atomic<uint32_t> unclaimed_{0}; // tiles; claimed from the last to the first count, run first to last
  alignas(64) std::atomic<uint32_t> unfinished_{0}; // tiles
  alignas(64) std::atomic<uint32_t> epoch_{0};      // counts launches; what sleepers wait on
  std::atomic<uint32_t> sleepers_{0};
  std::atomic<bool> stop_{false};
  bool crowded_ = false; // more threads than cores: spinning takes the core from who has work
  std::vector<pthread_t> workers_;
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_THREADPOOL_H
