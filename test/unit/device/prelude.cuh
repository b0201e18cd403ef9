// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Blocks of CUDA threads on a CPU, for tests of the device headers: a fiber a thread, run in an order that a seed
// chooses. What targets/cuda/device/prelude.cuh gives kernels, without PTX. Threads of a warp meet in collectives,
// those of a block in __syncthreads(); whoever gets there late has seen nothing of what others wrote afterwards.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
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

/// What a kernel must not do.
[[noreturn]] inline void fail(const char *what) {
  std::fprintf(stderr, "emulated kernel: %s\n", what);
  std::abort();
}

/// 16 bytes of shared memory that a copy of the generic proxy wrote or is about to write.
struct Piece {
  static constexpr uint64_t Never = 0, Underway = UINT64_MAX;
  uint64_t written = Never; ///< the number of that write among all
  unsigned writer = 0;      ///< thread
};

/// A copy that a thread has asked for. `piece` is null where nobody multiplies.
struct Copy {
  void *to;
  const void *from;
  int bytes;
  bool isInside, isDone = false;
  Piece *piece;
  unsigned writer;
};

enum class Wait { none, warp, block, cluster, condition };

struct Thread {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
  bool isDone = false;
  Wait waits = Wait::none;
  std::function<bool()> condition;                           ///< ends the wait for one
  uint64_t values[8];                                        ///< what it shows its warp
  std::vector<std::vector<std::shared_ptr<Copy>>> copies{1}; ///< groups; the last one is not committed
  uint64_t shown = 0; ///< up to which write the proxy of products sees what this thread does
  std::vector<std::vector<std::function<void()>>> products{{}}; ///< groups; the last one is not committed
  bool hasBegunProducts = false;
  size_t clusterArrivals = 0;       ///< by arriveInCluster()
  bool awaitsCluster = false;       ///< between that and the wait
  std::vector<uint64_t *> barriers; ///< that it initialized and shows nobody yet
};

/// A barrier of some threads of a block.
struct NamedBarrier {
  int arrived = 0, expected = 0;
  unsigned phase = 0;
};

struct Block {
  uint8_t *shared = nullptr;
  std::vector<Piece> pieces; ///< of shared memory
  unsigned running = 0;      ///< threads
  std::array<NamedBarrier, 16> barriers;
};

/// What an engine does some time after it was asked.
struct Task {
  uint64_t due;
  std::function<void()> run;
};

/// Blocks that run at a time, of one cluster.
struct Cluster {
  std::vector<Thread> threads; ///< of all blocks
  std::vector<Block> blocks;
  unsigned blockThreads, firstBlock, current = 0;
  size_t sharedBytes; ///< of a block
  ucontext_t scheduler;
  std::function<void()> kernel;
  std::mt19937 random;
  uint64_t clock = 0;    ///< turns of warps
  uint64_t writes = 0;   ///< to pieces
  uint64_t arrivals = 0; ///< of all threads
  std::vector<Task> tasks;

  unsigned blockWarps() const { return (blockThreads + 31) / 32; }
  bool turn(unsigned warp);
  bool release(unsigned first, unsigned end, Wait wait);
  void runTasks();
  void run();
};
inline Cluster *cluster = nullptr;

inline Thread &self() { return cluster->threads[cluster->current]; }
inline unsigned ownRank() { return cluster->current / cluster->blockThreads; }
inline Block &ownBlock() { return cluster->blocks[ownRank()]; }
/// The block's, aligned to 1024 bytes.
inline uint8_t *sharedMemory() { return ownBlock().shared; }
/// How far behind its beginning `p` is, which has that many bytes there.
inline size_t offsetOf(const void *p, size_t bytes) {
  size_t offset = static_cast<const uint8_t *>(p) - sharedMemory();
  if (offset > cluster->sharedBytes || bytes > cluster->sharedBytes - offset)
    fail("an address outside of shared memory");
  return offset;
}

/// The piece of the block's shared memory that `p` lies in; null elsewhere.
inline Piece *pieceAt(const void *p) {
  const uintptr_t offset = reinterpret_cast<uintptr_t>(p) - reinterpret_cast<uintptr_t>(sharedMemory());
  return offset < cluster->sharedBytes ? &ownBlock().pieces[offset / 16] : nullptr;
}

inline void finish(Copy &copy) {
  if (copy.isDone)
    return;
  copy.isDone = true;
  if (copy.isInside)
    std::memcpy(copy.to, copy.from, copy.bytes);
  else
    std::memset(copy.to, 0, copy.bytes);
  if (copy.piece)
    copy.piece->written = ++cluster->writes, copy.piece->writer = copy.writer;
}

inline void await(Wait what) {
  Thread &thread = self();
  thread.waits = what;
  swapcontext(&thread.context, &cluster->scheduler);
}
inline void awaitCondition(std::function<bool()> condition) {
  if (condition())
    return;
  self().condition = std::move(condition);
  await(Wait::condition);
}

/// Does it after a while: between the next turn of a warp and some turns of each, now and then many.
inline void later(std::function<void()> task) {
  const uint64_t turns = 3 * cluster->blockWarps() * cluster->blocks.size() * (cluster->random() % 8 ? 1 : 4);
  cluster->tasks.push_back({cluster->clock + cluster->random() % turns, std::move(task)});
}

/// Lets others run for a while.
inline void pause() {
  bool isOver = false;
  later([&isOver] { isOver = true; });
  awaitCondition([&isOver] { return isOver; });
}

inline void enter() {
  cluster->kernel();
  for (const auto &group : self().copies)
    for (const auto &copy : group)
      if (!copy->isDone)
        fail("a thread ends before its copies");
  self().isDone = true;
  --ownBlock().running;
  swapcontext(&self().context, &cluster->scheduler);
}

/// Runs a warp until all of its threads wait for others or are done: other warps stand still meanwhile. Returns whether
/// any thread ran.
inline bool Cluster::turn(unsigned warp) {
  unsigned start = warp / blockWarps() * blockThreads, first = start + warp % blockWarps() * 32,
           end = std::min(first + 32, start + blockThreads);
  bool hasRun = false;
  do
    for (unsigned i = first; i < end; ++i) {
      Thread &thread = threads[i];
      if (thread.isDone || (thread.waits == Wait::condition ? !thread.condition() : thread.waits != Wait::none))
        continue;
      thread.waits = Wait::none;
      current = i;
      threadIdx.x = i - start;
      blockIdx.x = firstBlock + i / blockThreads;
      swapcontext(&scheduler, &thread.context);
      hasRun = true;
    }
  while (release(first, end, Wait::warp));
  return hasRun;
}

/// Lets the threads go on if all that are not done wait for that. Returns whether there are any.
inline bool Cluster::release(unsigned first, unsigned end, Wait wait) {
  bool moved = false;
  if (std::all_of(threads.begin() + first, threads.begin() + end,
                  [&](const Thread &thread) { return thread.isDone || thread.waits == wait; }))
    for (unsigned i = first; i < end; ++i)
      if (!threads[i].isDone)
        threads[i].waits = Wait::none, moved = true;
  return moved;
}

inline void Cluster::runTasks() {
  ++clock;
  for (size_t i = 0; i < tasks.size();)
    if (tasks[i].due < clock) {
      tasks[i].run();
      tasks.erase(tasks.begin() + i);
    } else {
      ++i;
    }
}

inline void Cluster::run() {
  std::vector<unsigned> warps(blockWarps() * blocks.size());
  for (unsigned i = 0; i < warps.size(); ++i)
    warps[i] = i;
  auto isLeft = [](const Block &block) { return block.running > 0; };
  while (std::any_of(blocks.begin(), blocks.end(), isLeft)) {
    // Some warps get a turn, so that others fall behind.
    std::shuffle(warps.begin(), warps.end(), random);
    size_t turns = 1 + random() % warps.size();
    bool canRun = turns < warps.size() || !tasks.empty();
    for (size_t i = 0; i < turns; ++i) {
      canRun |= turn(warps[i]);
      runTasks();
    }
    for (unsigned first = 0; first < threads.size(); first += blockThreads)
      canRun |= release(first, first + blockThreads, Wait::block);
    canRun |= release(0, threads.size(), Wait::cluster);
    if (!canRun)
      fail("threads wait for each other forever");
  }
  if (!tasks.empty())
    fail("a block ends before what it has asked for");
}

/// Runs `kernel` by a cluster of `blocks` blocks of `threads` threads, whose first block is number `index`, each with
/// `sharedBytes` of shared memory. Fails when they wait for each other forever.
inline void launchCluster(unsigned blocks, unsigned threads, size_t sharedBytes, unsigned index, uint32_t seed,
                          std::function<void()> kernel) {
  constexpr size_t stackBytes = 256 << 10, sharedAlignment = 1024;
  Cluster own;
  own.blockThreads = threads, own.firstBlock = index, own.sharedBytes = sharedBytes;
  own.threads.resize(blocks * threads);
  own.blocks.resize(blocks);
  own.kernel = std::move(kernel);
  own.random.seed(seed);
  // Bytes that are no number, no address and no barrier.
  std::vector<uint8_t> shared((sharedBytes + sharedAlignment) * blocks + sharedAlignment, 0xff);
  uintptr_t at = reinterpret_cast<uintptr_t>(shared.data());
  for (Block &block : own.blocks) {
    at = (at + sharedAlignment - 1) / sharedAlignment * sharedAlignment;
    block.shared = reinterpret_cast<uint8_t *>(at);
    block.running = threads;
    block.pieces.resize((sharedBytes + 15) / 16);
    at += sharedBytes;
  }
  cluster = &own;
  blockDim.x = threads;
  for (Thread &thread : own.threads) {
    thread.stack.reset(new char[stackBytes]);
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.get();
    thread.context.uc_stack.ss_size = stackBytes;
    thread.context.uc_link = &own.scheduler;
    makecontext(&thread.context, enter, 0);
  }
  own.run();
  cluster = nullptr;
}

/// The same of one block, whose shared memory is the caller's.
inline void launch(unsigned threads, unsigned index, uint32_t seed, std::function<void()> kernel) {
  launchCluster(1, threads, 0, index, seed, std::move(kernel));
}

/// Shows the warp `count` values of this thread and reads with `read(lane, i)` what others show.
template <typename Read> inline auto exchange(const uint64_t *values, int count, Read read) {
  std::copy(values, values + count, self().values);
  await(Wait::warp);
  unsigned first = cluster->current - threadIdx.x % 32;
  for (unsigned lane = 0; lane < 32; ++lane)
    if (cluster->threads.at(first + lane).isDone)
      fail("a warp exchanges values after some of its threads have ended");
  auto result = read([first](int lane, int i) { return cluster->threads[first + lane].values[i]; });
  await(Wait::warp);
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

inline void __syncthreads() { emulated::await(emulated::Wait::block); }
inline void __syncwarp() { emulated::await(emulated::Wait::warp); }

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
inline uint32_t __reduce_add_sync(uint32_t, uint32_t x) {
  uint64_t bits = x;
  return emulated::exchange(&bits, 1, [&](auto of) {
    uint32_t sum = 0;
    for (int lane = 0; lane < 32; ++lane)
      sum += uint32_t(of(lane, 0));
    return sum;
  });
}
inline int __popc(uint32_t x) { return __builtin_popcount(x); }
inline int __clz(uint32_t x) { return x ? __builtin_clz(x) : 32; }
inline void atomicAdd(unsigned long long *p, unsigned long long x) { *p += x; }
inline uint32_t atomicAdd(uint32_t *p, uint32_t x) {
  const uint32_t before = *p;
  *p += x;
  return before;
}
inline void atomicMax(uint32_t *p, uint32_t x) { *p = x > *p ? x : *p; }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
/// Bytes of x (0 to 3) and y (4 to 7): byte i is the one that digit i of `order` says.
inline uint32_t __byte_perm(uint32_t x, uint32_t y, uint32_t order) {
  const uint64_t all = x | uint64_t(y) << 32;
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i)
    result |= uint32_t(all >> (8 * (order >> (4 * i) & 7)) & 0xff) << (8 * i);
  return result;
}
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
  static const std::vector<float> values = [] {
    std::vector<float> values(256);
    for (int bits = 0; bits < 256; ++bits) {
      int exponent = bits >> 3 & 15, fraction = bits & 7;
      float value = exponent == 15 && fraction == 7 ? std::numeric_limits<float>::quiet_NaN()
                    : exponent                      ? std::ldexp(float(8 + fraction), exponent - 10)
                                                    : std::ldexp(float(fraction), -9);
      values[bits] = bits & 0x80 ? -value : value;
    }
    return values;
  }();
  return values[x.bits];
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

inline uint32_t __float_as_uint(float x) { return uint32_t(emulated::bitsOf(x)); }
inline float __uint_as_float(uint32_t bits) { return emulated::fromBits<float>(bits); }
inline uint4 loadStream(const void *p) { return *static_cast<const uint4 *>(p); }
inline uint2 loadStream8(const void *p) { return *static_cast<const uint2 *>(p); }
inline float2 unpackF8(uint2 v, int i) {
  const uint32_t two = (i < 2 ? v.x : v.y) >> (16 * (i % 2));
  return {toFloat(f8{uint8_t(two)}), toFloat(f8{uint8_t(two >> 8)})};
}
template <typename T, int N> struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) Neighbours {
  T elements[N];
};
inline float maximum(float a, float b) { return a != a || b != b ? a + b : std::fmax(a, b); }

inline uint32_t multiplyBf16(uint32_t a, uint32_t b) {
  auto half = [](uint32_t pair, int i) { return toFloat(bf16{uint16_t(pair >> (16 * i))}); };
  return packBf16(half(a, 0) * half(b, 0), half(a, 1) * half(b, 1));
}
inline uint32_t maximumOfPairs(uint32_t a, uint32_t b) {
  return std::max(a & 0xffff, b & 0xffff) | std::max(a >> 16, b >> 16) << 16;
}

inline uint32_t warpMaximum(uint32_t x) {
  for (int offset = 16; offset > 0; offset /= 2)
    x = std::max(x, __shfl_xor_sync(kAllLanes, x, offset));
  return x;
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
