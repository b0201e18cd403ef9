// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A block of CUDA threads on a CPU, for tests of the device headers: a fiber a thread, run in an order that a seed
// chooses. What targets/cuda/device/prelude.cuh gives kernels, without PTX. Threads of a warp meet in collectives,
// those of a block in __syncthreads(); whoever gets there late has seen nothing of what others wrote afterwards.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <ucontext.h>
#include <vector>

#define __device__
#define __shared__ static
using std::max;
using std::min;

struct uint2 {
  uint32_t x, y;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};
struct float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct Index {
  unsigned x = 0, y = 0, z = 0;
};
inline Index threadIdx, blockIdx, blockDim;

//===--- Fibers -----------------------------------------------------------===//

namespace emulated {

/// Copies that a thread has asked for and not waited for.
struct Copy {
  void *to;
  const void *from;
  int bytes;
  bool isInside;
};

struct Thread {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  bool isDone = false;
  int waits = 0;      ///< 0: runs, 1: for its warp, 2: for its block
  uint64_t values[8]; ///< what it shows its warp
  std::vector<std::vector<Copy>> copies{{}};
};

struct Block {
  std::vector<Thread> threads;
  ucontext_t scheduler;
  unsigned current = 0;
  std::function<void()> kernel;
};
inline Block *block = nullptr;

inline Thread &self() { return block->threads[block->current]; }

inline void await(int what) {
  Thread &thread = self();
  thread.waits = what;
  swapcontext(&thread.context, &block->scheduler);
}

inline void enter() {
  block->kernel();
  self().isDone = true;
  swapcontext(&self().context, &block->scheduler);
}

/// Runs `kernel` by `threads` threads as block `index`. Aborts when they wait for each other forever.
inline void launch(unsigned threads, unsigned index, uint32_t seed, std::function<void()> kernel) {
  constexpr size_t stackBytes = 256 << 10;
  Block own;
  own.threads.resize(threads);
  own.kernel = std::move(kernel);
  block = &own;
  blockDim.x = threads;
  for (Thread &thread : own.threads) {
    thread.stack.reset(new char[stackBytes]);
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.get();
    thread.context.uc_stack.ss_size = stackBytes;
    thread.context.uc_link = &own.scheduler;
    makecontext(&thread.context, enter, 0);
  }
  std::mt19937 random(seed);
  std::vector<unsigned> warps((threads + 31) / 32);
  for (unsigned i = 0; i < warps.size(); ++i)
    warps[i] = i;
  for (;;) {
    bool hasRun = false, isLeft = false;
    std::shuffle(warps.begin(), warps.end(), random);
    for (unsigned warp : warps) {
      // A warp runs until all of its threads wait for the block or are done: the others stand still meanwhile.
      unsigned first = warp * 32, end = std::min(first + 32, threads);
      for (bool moved = true; moved;) {
        moved = false;
        for (unsigned i = first; i < end; ++i) {
          Thread &thread = own.threads[i];
          if (thread.isDone || thread.waits)
            continue;
          own.current = i;
          threadIdx.x = i;
          blockIdx.x = index;
          swapcontext(&own.scheduler, &thread.context);
          moved = hasRun = true;
        }
        if (std::all_of(own.threads.begin() + first, own.threads.begin() + end,
                        [](const Thread &thread) { return thread.isDone || thread.waits == 1; }))
          for (unsigned i = first; i < end; ++i)
            if (!own.threads[i].isDone)
              own.threads[i].waits = 0, moved = true;
      }
    }
    if (std::all_of(own.threads.begin(), own.threads.end(),
                    [](const Thread &thread) { return thread.isDone || thread.waits == 2; }))
      for (Thread &thread : own.threads)
        thread.waits = 0, hasRun = true;
    for (const Thread &thread : own.threads)
      isLeft |= !thread.isDone;
    if (!isLeft)
      break;
    if (!hasRun)
      std::abort();
  }
  block = nullptr;
}

/// Shows the warp `count` values of this thread and reads with `read(lane, i)` what others show.
template <typename Read> inline auto exchange(const uint64_t *values, int count, Read read) {
  std::copy(values, values + count, self().values);
  await(1);
  unsigned first = block->current / 32 * 32;
  auto result = read([first](int lane, int i) { return block->threads[first + lane].values[i]; });
  await(1);
  return result;
}

template <typename T> inline uint64_t bitsOf(T x) {
  uint64_t bits = 0;
  std::memcpy(&bits, &x, sizeof(T));
  return bits;
}
template <typename T> inline T fromBits(uint64_t bits) {
  T x;
  std::memcpy(&x, &bits, sizeof(T));
  return x;
}

} // namespace emulated

inline void __syncthreads() { emulated::await(2); }
inline void __syncwarp() { emulated::await(1); }

template <typename T> inline T __shfl_sync(uint32_t, T x, int source) {
  uint64_t bits = emulated::bitsOf(x);
  return emulated::exchange(&bits, 1, [&](auto of) { return emulated::fromBits<T>(of(source % 32, 0)); });
}
template <typename T> inline T __shfl_xor_sync(uint32_t all, T x, int mask) {
  return __shfl_sync(all, x, int(threadIdx.x % 32) ^ mask);
}
template <typename T> inline T __shfl_up_sync(uint32_t all, T x, int distance) {
  int lane = int(threadIdx.x % 32);
  return __shfl_sync(all, x, lane >= distance ? lane - distance : lane);
}
inline uint32_t __ballot_sync(uint32_t, bool x) {
  uint64_t bits = x;
  return emulated::exchange(&bits, 1, [&](auto of) {
    uint32_t result = 0;
    for (int lane = 0; lane < 32; ++lane)
      result |= uint32_t(of(lane, 0)) << lane;
    return result;
  });
}
inline bool __any_sync(uint32_t all, bool x) { return __ballot_sync(all, x) != 0; }
inline int __ffs(uint32_t x) { return __builtin_ffs(int(x)); }

//===--- Elements ---------------------------------------------------------===//

struct bf16 {
  uint16_t bits;
};
struct f16 {
  uint16_t bits;
};
struct f8 {
  uint8_t bits;
};

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr uint32_t kAllLanes = 0xffffffffu;

inline float toFloat(float x) { return x; }
inline float toFloat(bf16 x) { return emulated::fromBits<float>(uint64_t(x.bits) << 16); }
inline float toFloat(f16 x) { return float(emulated::fromBits<_Float16>(x.bits)); }
/// E4M3: 4 bits of exponent with bias 7, 3 of fraction, no infinities.
inline float toFloat(f8 x) {
  int exponent = x.bits >> 3 & 15, fraction = x.bits & 7;
  float value = exponent == 15 && fraction == 7 ? std::numeric_limits<float>::quiet_NaN()
                : exponent                      ? std::ldexp(float(8 + fraction), exponent - 10)
                                                : std::ldexp(float(fraction), -9);
  return x.bits & 0x80 ? -value : value;
}
inline bool toFloat(bool x) { return x; }
inline int32_t toFloat(int32_t x) { return x; }

template <typename T> inline T to(float x);
template <> inline float to<float>(float x) { return x; }
template <> inline bf16 to<bf16>(float x) {
  uint32_t bits = uint32_t(emulated::bitsOf(x));
  if (x != x)
    return {0x7fff};
  return {uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
template <> inline f16 to<f16>(float x) { return {uint16_t(emulated::bitsOf(_Float16(x)))}; }

inline uint32_t packBf16(float low, float high) { return to<bf16>(low).bits | uint32_t(to<bf16>(high).bits) << 16; }

template <typename T> inline auto load(const T *p, int64_t i) { return toFloat(p[i]); }
template <typename T> inline void store(T *p, int64_t i, float x) { p[i] = to<T>(x); }
template <typename T> inline void loadEight(const T *p, float (&x)[8]) {
  for (int i = 0; i < 8; ++i)
    x[i] = load(p, i);
}

inline float warpSum(float x) {
  for (int offset = 16; offset > 0; offset /= 2)
    x += __shfl_xor_sync(kAllLanes, x, offset);
  return x;
}
inline float warpMax(float x) {
  for (int offset = 16; offset > 0; offset /= 2) {
    float other = __shfl_xor_sync(kAllLanes, x, offset);
    x = other > x || other != other ? other : x;
  }
  return x;
}
