// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What headers take of targets/cuda/device/async.cuh, as the PTX manual describes barriers in shared memory
// ("mbarrier"), named barriers and clusters.
#pragma once
#include "tensor_cores.cuh"

namespace emulated {

/// What such a barrier holds. A phase completes when no arrival and no byte is pending.
struct Barrier {
  static constexpr uint64_t Initialized = 1, Visible = 2; // no others
  uint64_t state : 2, phase : 1, arrivals : 20, pending : 20;
  int64_t bytes : 21; // announced that have not come; copies may come first
};
static_assert(sizeof(Barrier) == sizeof(uint64_t));

inline Barrier barrierAt(const uint64_t *p) {
  Barrier barrier = fromBits<Barrier>(*p);
  if (barrier.state != Barrier::Initialized && barrier.state != Barrier::Visible)
    fail("a barrier that is not initialized");
  return barrier;
}

/// Does `change` to the barrier, whose phase may then be over.
template <typename Change> inline void change(uint64_t *p, Change change) {
  Barrier barrier = barrierAt(p);
  change(barrier);
  if (barrier.pending == 0 && barrier.bytes == 0)
    barrier.phase ^= 1, barrier.pending = barrier.arrivals;
  *p = bitsOf(barrier);
}

inline void arriveWith(uint64_t *p, uint32_t bytes) {
  offsetOf(p, sizeof(*p));
  change(p, [&](Barrier &barrier) {
    if (barrier.pending == 0)
      fail("more threads arrive at a barrier than its phase has");
    barrier.bytes += bytes, barrier.pending -= 1;
  });
}

/// Arrives when the copies that the thread has asked for are done, some time after.
inline void arriveLater(uint64_t *p) {
  offsetOf(p, sizeof(*p));
  barrierAt(p);
  std::vector<std::shared_ptr<Copy>> copies;
  for (auto &group : self().copies) {
    group.erase(std::remove_if(group.begin(), group.end(), [](auto &copy) { return copy->isDone; }), group.end());
    copies.insert(copies.end(), group.begin(), group.end());
  }
  later([p, copies] {
    for (auto &copy : copies)
      finish(*copy);
    change(p, [](Barrier &barrier) {
      if (barrier.pending == 0)
        fail("more threads arrive at a barrier than its phase has");
      barrier.pending -= 1;
    });
  });
}

/// Of a copy, which wrote them.
inline void completeBytes(uint64_t *p, uint32_t bytes) {
  change(p, [&](Barrier &barrier) { barrier.bytes -= bytes; });
}

} // namespace emulated

inline void initBarrier(uint64_t *p, int arrivals) {
  emulated::offsetOf(p, sizeof(*p));
  if (reinterpret_cast<uintptr_t>(p) % 8 || arrivals < 1)
    std::abort();
  emulated::Barrier barrier{emulated::Barrier::Initialized, 0, uint64_t(arrivals), uint64_t(arrivals), 0};
  *p = emulated::bitsOf(barrier);
  emulated::self().barriers.push_back(p);
}
inline void fenceBarriers() {
  for (uint64_t *p : emulated::self().barriers)
    emulated::change(p, [](emulated::Barrier &barrier) { barrier.state = emulated::Barrier::Visible; });
  emulated::self().barriers.clear();
}
inline void expectBytes(uint64_t *p, uint32_t bytes) { emulated::arriveWith(p, bytes); }
inline void arrive(uint64_t *p) { emulated::arriveWith(p, 0); }
inline void arriveWithCopies(uint64_t *p) { emulated::arriveLater(p); }
/// Goes on while the barrier's phase has the other parity, whether it is the next phase or an earlier one.
inline void waitFor(uint64_t *p, uint32_t parity) {
  emulated::offsetOf(p, sizeof(*p));
  emulated::awaitCondition([=] { return emulated::barrierAt(p).phase != parity; });
}

inline void fenceReads() {}
inline void prefetchToCache(const void *) {}

inline void copyBulk(void *to, const void *from, uint32_t bytes, uint64_t *barrier) {
  emulated::offsetOf(to, bytes);
  emulated::offsetOf(barrier, sizeof(*barrier));
  if (reinterpret_cast<uintptr_t>(to) % 16 || reinterpret_cast<uintptr_t>(from) % 16 || bytes % 16)
    emulated::fail("a copy of what is not aligned to 16 bytes");
  if (emulated::fromBits<emulated::Barrier>(*barrier).state != emulated::Barrier::Visible)
    emulated::fail("a copy to a barrier that it does not see");
  std::memset(to, 0xff, bytes);
  emulated::later([=] {
    std::memcpy(to, from, bytes);
    emulated::completeBytes(barrier, bytes);
  });
}
/// Each block gets its copy at a time of its own.
inline void copyBulkToMany(void *to, const void *from, uint32_t bytes, uint64_t *barrier, uint16_t blocks) {
  const size_t place = emulated::offsetOf(to, bytes), barrierPlace = emulated::offsetOf(barrier, sizeof(*barrier));
  for (size_t rank = 0; rank < 16; ++rank) {
    if (!(blocks >> rank & 1))
      continue;
    uint8_t *const shared = emulated::cluster->blocks.at(rank).shared, *const there = shared + place;
    uint64_t *const other = reinterpret_cast<uint64_t *>(shared + barrierPlace);
    if (place % 16 || reinterpret_cast<uintptr_t>(from) % 16 || bytes % 16)
      emulated::fail("a copy of what is not aligned to 16 bytes");
    if (emulated::fromBits<emulated::Barrier>(*other).state != emulated::Barrier::Visible)
      emulated::fail("a copy to a barrier that it does not see");
    std::memset(there, 0xff, bytes);
    emulated::later([=] {
      std::memcpy(there, from, bytes);
      emulated::completeBytes(other, bytes);
    });
  }
}

inline void syncWarps(int number, int threads) {
  emulated::NamedBarrier &barrier = emulated::ownBlock().barriers.at(number);
  if (threads % 32 || (barrier.arrived && barrier.expected != threads))
    emulated::fail("a barrier that has another number of threads");
  barrier.expected = threads;
  if (++barrier.arrived == threads) {
    barrier.arrived = 0, ++barrier.phase;
    return;
  }
  emulated::awaitCondition([&barrier, phase = barrier.phase] { return barrier.phase != phase; });
}

template <int Count> inline void takeRegisters() {
  static_assert(Count % 8 == 0 && Count >= 24 && Count <= 256);
  emulated::await(emulated::Wait::warp);
}
template <int Count> inline void giveRegisters() { takeRegisters<Count>(); }

//===--- Clusters ----------------------------------------------------------===//

inline void syncCluster() {
  if (emulated::self().awaitsCluster)
    emulated::fail("a barrier of the cluster between the halves of another");
  emulated::await(emulated::Wait::cluster);
}
inline void arriveInCluster() {
  emulated::Thread &self = emulated::self();
  if (self.awaitsCluster)
    emulated::fail("a thread arrives twice in its cluster");
  self.awaitsCluster = true;
  ++self.clusterArrivals;
  ++emulated::cluster->arrivals;
}
inline void waitForCluster() {
  emulated::Thread &self = emulated::self();
  if (!self.awaitsCluster)
    emulated::fail("a thread waits for its cluster before it arrives");
  emulated::awaitCondition([all = self.clusterArrivals * emulated::cluster->threads.size()] {
    return emulated::cluster->arrivals >= all;
  });
  emulated::self().awaitsCluster = false;
}

namespace emulated {
template <typename T> inline T loadRemote(const void *p, int rank) {
  const Block &block = cluster->blocks.at(rank);
  if (block.running == 0)
    fail("reads shared memory of a block that has ended");
  if (reinterpret_cast<uintptr_t>(p) % sizeof(T))
    std::abort();
  T value;
  std::memcpy(&value, block.shared + offsetOf(p, sizeof(T)), sizeof(T));
  return value;
}
} // namespace emulated

template <typename T> inline void storeRemote(T *p, int rank, T value) {
  const emulated::Block &block = emulated::cluster->blocks.at(rank);
  if (emulated::self().awaitsCluster || block.running == 0)
    emulated::fail("writes to shared memory of a block that may not have begun, or has ended");
  std::memcpy(block.shared + emulated::offsetOf(p, sizeof(T)), &value, sizeof(T));
}
inline float loadRemote(const float *p, int rank) { return emulated::loadRemote<float>(p, rank); }
inline uint32_t loadRemote(const uint32_t *p, int rank) { return emulated::loadRemote<uint32_t>(p, rank); }
inline uint64_t loadRemote(const uint64_t *p, int rank) { return emulated::loadRemote<uint64_t>(p, rank); }
inline float4 loadRemoteFour(const float *p, int rank) { return emulated::loadRemote<float4>(p, rank); }
