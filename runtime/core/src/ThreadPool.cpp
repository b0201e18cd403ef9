// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Why this is sound without a lock:
//  - A tile is claimed by a compare-and-swap that takes `unclaimed_` from n > 0 to n - 1. The owner stores the next
//  launch only
//    after `unfinished_` is 0, that is after every claimed tile has been run, so whoever has claimed a tile may read
//    the launch, and it is the launch that the tile belongs to, even if the value n was read during an earlier one.
//  - A worker that goes to sleep first reads the epoch, then announces itself, then looks for tiles once more; the
//  owner
//    first publishes tiles, then advances the epoch, then looks for sleepers. All of it is sequentially consistent, so
//    either the worker sees the tiles or the owner sees the sleeper (and the futex refuses to wait on an old epoch).
#include "ThreadPool.h"
#include "CpuFeatures.h"

#include <chrono>
#include <climits>
#include <csignal>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mjolnir::runtime {
namespace {

constexpr size_t StackBytes = size_t(8) << 20;
// How long an idle worker spins before it sleeps: longer than any gap inside a decode step, shorter than what a user of
// an idle process would notice as load. Waking costs some 5 to 50 microseconds.
constexpr std::chrono::microseconds SpinTime{80};
// How long the owner spins for the last tiles before it offers its core to whoever may have been preempted.
constexpr unsigned OwnerSpins = 4096;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

void futexWait(std::atomic<uint32_t> &word, uint32_t expected) {
  syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

void futexWake(std::atomic<uint32_t> &word, uint32_t count) {
  syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t), "a futex is a plain 32-bit word");

} // namespace

Status ThreadPool::create(unsigned threads, std::unique_ptr<ThreadPool> &result) {
  std::unique_ptr<ThreadPool> pool(new ThreadPool());
  pool->crowded_ = threads > usableCores();
  pool->workers_.reserve(threads - 1);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  size_t stack = 0;
  pthread_attr_getstacksize(&attributes, &stack);
  if (stack < StackBytes)
    pthread_attr_setstacksize(&attributes, StackBytes);
  // The application's signal handlers run on its own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  for (unsigned i = 1; i < threads && error == 0; ++i) {
    pthread_t thread;
    error = pthread_create(&thread, &attributes, workerMain, pool.get());
    if (error == 0) {
      pool->workers_.push_back(thread);
      pthread_setname_np(thread, "mjolnir");
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error)
    return failure(MJ_ERROR_OUT_OF_MEMORY, "the session wanted ", threads, " threads, but thread ",
                   pool->workers_.size() + 2, " cannot be started: ", describeErrno(error));
  result = std::move(pool);
  return Status::ok();
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  epoch_.fetch_add(1);
  futexWake(epoch_, INT_MAX);
  for (pthread_t worker : workers_)
    pthread_join(worker, nullptr);
}

void *ThreadPool::workerMain(void *pool) {
  static_cast<ThreadPool *>(pool)->work();
  return nullptr;
}

void ThreadPool::work() {
  using Clock = std::chrono::steady_clock;
  while (!stop_.load(std::memory_order_relaxed)) {
    Clock::time_point end{};
    bool timed = false, found = false;
    while (!crowded_ && !stop_.load(std::memory_order_relaxed)) {
      // The clock is read once in 64 looks: a look must be quick, the time need not be exact.
      for (int look = 0; look < 64 && !found; ++look) {
        found = unclaimed_.load(std::memory_order_relaxed) != 0;
        if (!found)
          relax();
      }
      if (found)
        break;
      Clock::time_point now = Clock::now();
      if (!timed) {
        end = now + SpinTime;
        timed = true;
      }
      if (now >= end)
        break;
    }
    if (!found)
      sleep(epoch_.load());
    drain();
  }
}

void ThreadPool::sleep(uint32_t epoch) {
  sleepers_.fetch_add(1);
  if (unclaimed_.load() == 0 && !stop_.load())
    futexWait(epoch_, epoch);
  sleepers_.fetch_sub(1);
}

void ThreadPool::drain() {
  uint32_t done = 0;
  uint32_t left = unclaimed_.load(std::memory_order_relaxed);
  while (left != 0) {
    if (!unclaimed_.compare_exchange_weak(left, left - 1, std::memory_order_acquire, std::memory_order_relaxed))
      continue;
    kernel_(operands_, static_cast<int64_t>(tiles_ - left));
    ++done;
    left = unclaimed_.load(std::memory_order_relaxed);
  }
  if (done)
    unfinished_.fetch_sub(done, std::memory_order_release);
}

void ThreadPool::run(KernelFunction kernel, void *const *operands, uint32_t tiles) {
  if (tiles == 1 || workers_.empty()) {
    for (uint32_t tile = 0; tile < tiles; ++tile)
      kernel(operands, static_cast<int64_t>(tile));
    return;
  }
  kernel_ = kernel;
  operands_ = operands;
  tiles_ = tiles;
  unfinished_.store(tiles, std::memory_order_relaxed);
  unclaimed_.store(tiles); // publishes the launch
  epoch_.fetch_add(1);
  if (sleepers_.load() != 0)
    futexWake(epoch_, tiles - 1);
  drain();
  for (unsigned spins = 0; unfinished_.load(std::memory_order_acquire) != 0;) {
    if (!crowded_ && spins < OwnerSpins) {
      ++spins;
      relax();
    } else {
      sched_yield();
    }
  }
}

} // namespace mjolnir::runtime
