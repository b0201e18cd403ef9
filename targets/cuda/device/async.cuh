// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Copies that a barrier in shared memory waits for, and clusters of blocks that read each other's shared memory
// (compute capability 9.0 and later).
#pragma once
#include "tensor_cores.cuh"

using cores::sharedAddress;

/// A barrier whose phase completes when `arrivals` threads have arrived and all bytes that were announced have come.
__device__ inline void initBarrier(uint64_t *barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(sharedAddress(barrier)), "r"(arrivals) : "memory");
}
/// Makes initialized barriers visible to the engine that copies.
__device__ inline void fenceBarriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

/// Arrives, and announces `bytes` that copies will bring.
__device__ inline void expectBytes(uint64_t *barrier, uint32_t bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(sharedAddress(barrier)), "r"(bytes)
               : "memory");
}

/// Arrives.
__device__ inline void arrive(uint64_t *barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(sharedAddress(barrier)) : "memory");
}

/// Arrives when all copies of the calling thread, of cores::copyAsync(), have come.
__device__ inline void arriveWithCopies(uint64_t *barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(sharedAddress(barrier)) : "memory");
}

/// Waits for the end of the phase of that parity: 0 for the first, 1 for the second, ...
__device__ inline void waitFor(uint64_t *barrier, uint32_t parity) {
  asm volatile("{\n"
               ".reg .pred done;\n"
               "again:\n"
               "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
               "@!done bra again;\n"
               "}" ::"r"(sharedAddress(barrier)),
               "r"(parity)
               : "memory");
}

/// Orders this thread's reads of shared memory before copies there that it asks for.
__device__ inline void fenceReads() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

/// Asks for the line at p to be brought to the cache that all blocks read through.
__device__ inline void prefetchToCache(const void *p) { asm volatile("prefetch.global.L2 [%0];" ::"l"(p)); }

/// `bytes` neighbouring bytes, a multiple of 16 at addresses aligned to 16.
__device__ inline void copyBulk(void *to, const void *from, uint32_t bytes, uint64_t *barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                   sharedAddress(to)),
               "l"(from), "r"(bytes), "r"(sharedAddress(barrier))
               : "memory");
}

/// The same to the same place of each block of the cluster whose bit is set in `blocks`; each one's barrier gets the
/// bytes.
__device__ inline void copyBulkToMany(void *to, const void *from, uint32_t bytes, uint64_t *barrier, uint16_t blocks) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1], %2, "
               "[%3], %4;" ::"r"(sharedAddress(to)),
               "l"(from), "r"(bytes), "r"(sharedAddress(barrier)), "h"(blocks)
               : "memory");
}

/// A barrier of `threads` threads of whole warps; 0 is that of the block.
__device__ inline void syncWarps(int barrier, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

/// Registers of a thread from here on. All warps of a group of four say so (compute capability 9.0 with its own
/// instructions: sm_90a).
template <int Count> __device__ inline void takeRegisters() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Count));
}
template <int Count> __device__ inline void giveRegisters() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Count));
}

//===--- Clusters ----------------------------------------------------------===//

/// All threads of all blocks of the cluster; what each wrote to shared memory is visible to all.
__device__ inline void syncCluster() {
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}

/// The two halves of a barrier that orders nothing: behind the second, all blocks of the cluster have begun.
__device__ inline void arriveInCluster() { asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory"); }
__device__ inline void waitForCluster() { asm volatile("barrier.cluster.wait.aligned;" ::: "memory"); }

/// Where block `rank` of the cluster has what lies at `p` in this block's shared memory.
__device__ inline uint32_t remoteAddress(const void *p, int rank) {
  uint32_t address;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(address) : "r"(sharedAddress(p)), "r"(rank));
  return address;
}
__device__ inline void storeRemote(float *p, int rank, float value) {
  asm volatile("st.shared::cluster.f32 [%0], %1;" ::"r"(remoteAddress(p, rank)), "f"(value) : "memory");
}
__device__ inline void storeRemote(uint64_t *p, int rank, uint64_t value) {
  asm volatile("st.shared::cluster.u64 [%0], %1;" ::"r"(remoteAddress(p, rank)), "l"(value) : "memory");
}
__device__ inline float loadRemote(const float *p, int rank) {
  float value;
  asm volatile("ld.shared::cluster.f32 %0, [%1];" : "=f"(value) : "r"(remoteAddress(p, rank)));
  return value;
}
/// Four neighbours, aligned to 16 bytes.
__device__ inline float4 loadRemoteFour(const float *p, int rank) {
  float4 value;
  asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
               : "=f"(value.x), "=f"(value.y), "=f"(value.z), "=f"(value.w)
               : "r"(remoteAddress(p, rank)));
  return value;
}
__device__ inline uint32_t loadRemote(const uint32_t *p, int rank) {
  uint32_t value;
  asm volatile("ld.shared::cluster.u32 %0, [%1];" : "=r"(value) : "r"(remoteAddress(p, rank)));
  return value;
}
__device__ inline uint64_t loadRemote(const uint64_t *p, int rank) {
  uint64_t value;
  asm volatile("ld.shared::cluster.u64 %0, [%1];" : "=l"(value) : "r"(remoteAddress(p, rank)));
  return value;
}
