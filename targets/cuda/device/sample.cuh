// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Draws a token: the definition of mj.sample.
#pragma once
#include "sampled_logits.cuh"

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the first word for the
/// counter (counter, 0, 0, 0), as a number in [0, 1) of 24 bits.
__device__ inline float philoxUniform(uint64_t key, uint32_t counter) {
  uint32_t c[4] = {counter, 0, 0, 0};
  uint32_t k0 = uint32_t(key), k1 = uint32_t(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t(0xD2511F53u) * c[0], p1 = uint64_t(0xCD9E8D57u) * c[2];
    const uint32_t n0 = uint32_t(p1 >> 32) ^ c[1] ^ k0, n2 = uint32_t(p0 >> 32) ^ c[3] ^ k1;
    c[1] = uint32_t(p1), c[3] = uint32_t(p0), c[0] = n0, c[2] = n2;
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  return float(c[0] >> 8) * (1.0f / 16777216.0f);
}

/// The next token of one sequence, by a cluster of `Splits` blocks of `Threads`.
template <int Threads, int Splits, int Count, bool IsStaged>
struct Sampler : SampledLogits<Threads, Splits, Count, IsStaged> {
  using Base = SampledLogits<Threads, Splits, Count, IsStaged>;
  using Base::clean, Base::fromKey, Base::key, Base::logit, Base::mass, Base::sumOver;
  using Base::logits, Base::staged, Base::syncAll, Base::told, Base::warpSums;
  using Base::Part, Base::Warps, Base::Each, Base::first, Base::count, Base::inverse, Base::maximum, Base::rank;
  using typename Base::Sums;

  /// The largest logit of the thread's share, and its lowest index. With `keeps` logits are staged.
  struct Best {
    float value = -kInfinity;
    int index;
    __device__ void see(float v, int i) {
      if (v > value) // no NaN is
        value = v, index = i;
    }
  };
  __device__ Best findOwnBest(bool keeps) {
    if constexpr (Count % 4 == 0) {
      // Vectors on their way at a time: all of 19,000 logits by 512 threads.
      constexpr int Step = Threads * 4, All = (Part + Step - 1) / Step, Ahead = All < 10 ? All : 10;
      Best best{-kInfinity, first + int(threadIdx.x) * 4};
      for (int base = threadIdx.x * 4; base < count; base += Ahead * Step) {
        float4 v[Ahead];
#pragma unroll
        for (int j = 0; j < Ahead; ++j)
          if (base + j * Step < count)
            v[j] = *reinterpret_cast<const float4 *>(logits + first + base + j * Step);
#pragma unroll
        for (int j = 0; j < Ahead; ++j)
          if (const int i = base + j * Step; i < count) {
            best.see(v[j].x, first + i);
            best.see(v[j].y, first + i + 1);
            best.see(v[j].z, first + i + 2);
            best.see(v[j].w, first + i + 3);
            if (keeps)
              *reinterpret_cast<float4 *>(staged() + i) = {clean(v[j].x), clean(v[j].y), clean(v[j].z), clean(v[j].w)};
          }
      }
      return best;
    } else {
      Best best{-kInfinity, first + int(threadIdx.x)};
#pragma unroll 8
      for (int i = threadIdx.x; i < count; i += Threads) {
        const float v = logits[first + i];
        best.see(v, first + i);
        if (keeps)
          staged()[i] = clean(v);
      }
      return best;
    }
  }

  /// The largest logit of all, the lowest index among equals: key and index, the index reversed.
  __device__ uint64_t findBest(bool isGreedy) {
    const Best own = findOwnBest(IsStaged && !isGreedy);
    // A thread without logits has none; one with NaN alone has -infinity.
    uint64_t best = own.index < first + count ? uint64_t(key(clean(own.value))) << 32 | uint32_t(~own.index) : 0;
    auto reduceWarp = [&] {
      for (int offset = 16; offset > 0; offset /= 2) {
        const uint64_t other = __shfl_xor_sync(kAllLanes, best, offset);
        best = other > best ? other : best;
      }
    };
    reduceWarp();
    if (threadIdx.x % 32 == 0)
      warpSums()[threadIdx.x / 32] = best;
    __syncthreads();
    best = threadIdx.x % 32 < Warps ? warpSums()[threadIdx.x % 32] : 0;
    reduceWarp();
    if constexpr (Splits > 1) {
      waitForCluster(); // all blocks have begun
      if (threadIdx.x < Splits)
        storeRemote(told() + rank, int(threadIdx.x), best);
      syncCluster();
      for (int other = 0; other < Splits; ++other)
        best = told()[other] > best ? told()[other] : best;
    }
    return best;
  }

  /// To be called first, before logits are there.
  __device__ static void begin() {
    if constexpr (Splits > 1)
      arriveInCluster();
  }

  /// See mj.sample.
  __device__ void run(float temperature, int topK, float topP, int64_t seed, int context, int32_t *next) {
    first = min(rank * Part, Count);
    count = min(Part, Count - first);
    const bool isGreedy = !(temperature > 0.0f);
    const uint64_t best = findBest(isGreedy);
    maximum = fromKey(uint32_t(best >> 32));
    // An infinite maximum has no softmax: the largest logit it is.
    if (isGreedy || fabsf(maximum) == kInfinity) {
      if (rank == 0 && threadIdx.x == 0)
        *next = int(~uint32_t(best));
      return;
    }
    inverse = fminf(1.4426950408889634f / temperature, 3.0e38f);
    draw(topK, topP, seed, context, next);
    syncAll(); // others still read
  }

private:
  /// The masses at or above `floor`.
  __device__ Sums sumMasses(uint32_t floor) const {
    uint64_t own = 0;
    const int begin = min(int(threadIdx.x) * Each, count), end = min(begin + Each, count);
#pragma unroll 4
    for (int i = begin; i < end; ++i)
      if (const float v = logit(i); key(v) >= floor)
        own += mass(v);
    return sumOver(own);
  }

  __device__ void draw(int topK, float topP, int64_t seed, int context, int32_t *next) const {
    uint32_t floor = 0;
    if (topK > 0 && topK < Count)
      floor = this->keyOfCount(topK);
    if (topP < 1.0f)
      floor = max(floor, this->keyOfMass(topP, floor));
    const Sums masses = sumMasses(floor);
    const uint64_t target = uint64_t(double(philoxUniform(uint64_t(seed), uint32_t(context))) * double(masses.all));
    // The one thread within whose part the sum first exceeds the target.
    uint64_t before = masses.before;
    if (before > target || before + masses.own <= target)
      return;
    const int begin = min(int(threadIdx.x) * Each, count), end = min(begin + Each, count);
    for (int i = begin; i < end; ++i) {
      const float v = logit(i);
      if (key(v) >= floor)
        before += mass(v);
      if (before > target) {
        *next = first + i;
        break;
      }
    }
  }
};
