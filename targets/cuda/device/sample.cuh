// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Draws a token: the definition of mj.sample. Nothing is sorted: the thresholds of top-k and top-p are found digit by
// digit from histograms over the order-preserving integer image of the logits.
#pragma once
#include "prelude.cuh"

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the first word for the counter
/// (counter, 0, 0, 0), as a number in [0, 1) of 24 bits.
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

/// Masses relative to the largest, as fixed-point numbers of 40 fractional bits: sums do not depend on their order.
constexpr float kMassOne = 1099511627776.0f; // 2^40

struct Sampler {
  const float *logits;
  int count;           // of the vocabulary
  float maximum;       // the largest logit
  float inverse;       // log2(e) / temperature
  uint64_t *bins;      // 256, in shared memory
  uint64_t *broadcast; // 2, in shared memory

  /// NaN counts as -infinity, -0 as 0.
  __device__ float logit(int i) const {
    float v = logits[i];
    return v != v ? -kInfinity : v + 0.0f;
  }
  /// The logit's image among the unsigned integers, in the same order.
  __device__ static uint32_t key(float v) {
    uint32_t bits = __float_as_uint(v);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  }
  __device__ uint64_t mass(float v) const { return uint64_t(exp2f((v - maximum) * inverse) * kMassOne); }

  /// The largest key from which on the weights of the logits at or above `floor` sum to `wanted` at least; the lowest that
  /// has weight if they never do. A weight is 1 or the mass.
  template <bool ByMass> __device__ uint32_t threshold(uint64_t wanted, uint32_t floor) const {
    uint32_t prefix = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
      __syncthreads();
      for (int bin = threadIdx.x; bin < 256; bin += blockDim.x)
        bins[bin] = 0;
      __syncthreads();
      for (int i = threadIdx.x; i < count; i += blockDim.x) {
        const float v = logit(i);
        const uint32_t k = key(v);
        if (k >= floor && (shift == 24 || k >> (shift + 8) == prefix)) {
          const uint64_t weight = ByMass ? mass(v) : 1;
          if (weight)
            atomicAdd(reinterpret_cast<unsigned long long *>(bins + (k >> shift & 255)), weight);
        }
      }
      __syncthreads();
      if (threadIdx.x == 0) {
        uint64_t rest = wanted, chosenRest = wanted;
        int chosen = 0;
        for (int bin = 255; bin >= 0; --bin) {
          const uint64_t weight = bins[bin];
          if (weight == 0)
            continue;
          chosen = bin, chosenRest = rest;
          if (weight >= rest)
            break;
          rest -= weight;
        }
        broadcast[0] = chosen, broadcast[1] = chosenRest;
      }
      __syncthreads();
      prefix = prefix << 8 | uint32_t(broadcast[0]);
      wanted = broadcast[1];
    }
    return prefix;
  }

  /// Sum of the masses at or above `floor` over [first, last) by this thread alone.
  __device__ uint64_t massOf(int first, int last, uint32_t floor) const {
    uint64_t sum = 0;
    for (int i = first; i < last; ++i) {
      const float v = logit(i);
      if (key(v) >= floor)
        sum += mass(v);
    }
    return sum;
  }
};

/// The next token of one sequence, by a whole block of `Threads`. `shared` holds 258 + Threads 64-bit numbers.
template <int Threads>
__device__ inline void sampleToken(const float *logits, int count, float temperature, int topK, float topP, int64_t seed,
                                   int context, int32_t *next, uint64_t *shared) {
  Sampler sampler{logits, count, 0.0f, 0.0f, shared, shared + 256};
  uint64_t *sums = shared + 258;

  // The largest logit, the lowest index among equals: both in one number, the index reversed.
  uint64_t best = 0;
  for (int i = threadIdx.x; i < count; i += Threads) {
    const uint64_t candidate = uint64_t(Sampler::key(sampler.logit(i))) << 32 | uint32_t(~i);
    best = candidate > best ? candidate : best;
  }
  for (int offset = 16; offset > 0; offset /= 2) {
    const uint64_t other = __shfl_xor_sync(kAllLanes, best, offset);
    best = other > best ? other : best;
  }
  if (threadIdx.x % 32 == 0)
    sums[threadIdx.x / 32] = best;
  __syncthreads();
  best = sums[0];
  for (int warp = 1; warp < Threads / 32; ++warp)
    best = sums[warp] > best ? sums[warp] : best;
  __syncthreads();
  const int argmax = int(~uint32_t(best));
  sampler.maximum = sampler.logit(argmax);
  // An infinite maximum has no softmax: the largest logit it is.
  if (!(temperature > 0.0f) || fabsf(sampler.maximum) == kInfinity) {
    if (threadIdx.x == 0)
      *next = argmax;
    return;
  }
  sampler.inverse = fminf(1.4426950408889634f / temperature, 3.0e38f);

  uint32_t floor = 0;
  if (topK > 0 && topK < count)
    floor = sampler.threshold<false>(topK, 0);
  const int each = (count + Threads - 1) / Threads, first = min(int(threadIdx.x) * each, count),
            last = min(first + each, count);
  auto total = [&] {
    __syncthreads();
    sums[threadIdx.x] = sampler.massOf(first, last, floor);
    __syncthreads();
    uint64_t sum = 0;
    for (int i = 0; i < Threads; ++i)
      sum += sums[i];
    return sum;
  };
  if (topP < 1.0f) {
    const uint64_t target = uint64_t(double(topP) * double(total()));
    floor = max(floor, sampler.threshold<true>(target ? target : 1, floor));
  }
  const uint64_t target = uint64_t(double(philoxUniform(uint64_t(seed), uint32_t(context))) * double(total()));
  uint64_t before = 0;
  for (int i = 0; i < int(threadIdx.x); ++i)
    before += sums[i];
  // The one thread within whose part the sum first exceeds the target.
  if (before <= target && before + sums[threadIdx.x] > target)
    for (int i = first; i < last; ++i) {
      const float v = sampler.logit(i);
      if (Sampler::key(v) >= floor)
        before += sampler.mass(v);
      if (before > target) {
        *next = i;
        break;
      }
    }
}
