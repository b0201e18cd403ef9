// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Draws a token: the definition of mj.sample. Nothing is sorted: the thresholds of top-k and top-p are found digit by
// digit from histograms over the order-preserving integer image of the logits. The blocks of a cluster divide the
// vocabulary; sums are of integers, so that they do not depend on how.
#pragma once
#include "async.cuh"

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

/// Masses relative to the largest, as fixed-point numbers of 40 fractional bits: sums do not depend on their order.
constexpr float kMassOne = 1099511627776.0f; // 2^40

/// The next token of one sequence, by a cluster of `Splits` blocks of `Threads`. With `IsStaged` each block keeps its
/// part of the logits in shared memory, else it reads them anew each time.
template <int Threads, int Splits, int Count, bool IsStaged> struct Sampler {
  static constexpr int Part = ((Count + Splits - 1) / Splits + 3) / 4 * 4;
  static constexpr int Warps = Threads / 32;
  // Threads have neighbouring logits each; an odd number of them puts the threads of a warp into different banks.
  static constexpr int Each = (Part + Threads - 1) / Threads | 1;
  /// What the block needs: histogram, its sum over the cluster, sums of warps, numbers for all, the best of each block,
  /// logits.
  static constexpr int Numbers = 256 + 256 + Warps + 4 + Splits, SharedBytes = Numbers * 8 + (IsStaged ? Part * 4 : 0);

  const float *logits; // of the whole vocabulary
  uint8_t *shared;
  int rank;         // of the block
  int first, count; // of the block's part
  float maximum;    // the largest logit
  float inverse;    // log2(e) / temperature

  __device__ uint64_t *bins() const { return reinterpret_cast<uint64_t *>(shared); }
  __device__ uint64_t *totals() const { return bins() + 256; }
  __device__ uint64_t *warpSums() const { return totals() + 256; }
  __device__ uint64_t *broadcast() const { return warpSums() + Warps; }
  __device__ uint64_t *bests() const { return broadcast() + 4; }
  __device__ float *staged() const { return reinterpret_cast<float *>(bins() + Numbers); }

  __device__ static void syncAll() {
    if constexpr (Splits > 1)
      syncCluster();
    else
      __syncthreads();
  }
  /// What block `other` has at the place of `p`.
  __device__ static uint64_t of(const uint64_t *p, int other) { return Splits > 1 ? loadRemote(p, other) : *p; }

  /// Logit i of the block's part. NaN counts as -infinity, -0 as 0.
  __device__ static float clean(float v) { return v != v ? -kInfinity : v + 0.0f; }
  __device__ float logit(int i) const { return IsStaged ? staged()[i] : clean(logits[first + i]); }
  /// The logit's image among the unsigned integers, in the same order, and back.
  __device__ static uint32_t key(float v) {
    uint32_t bits = __float_as_uint(v);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  }
  __device__ static float fromKey(uint32_t k) { return __uint_as_float(k & 0x80000000u ? k & 0x7fffffffu : ~k); }
  __device__ uint64_t mass(float v) const { return uint64_t(exp2f((v - maximum) * inverse) * kMassOne); }

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
        storeRemote(bests() + rank, threadIdx.x, best);
      syncCluster();
      for (int other = 0; other < Splits; ++other)
        best = bests()[other] > best ? bests()[other] : best;
    }
    return best;
  }

  /// The largest key from which on the weights of the logits at or above `floor` sum to `wanted` at least; the lowest
  /// that has weight if they never do. A weight is 1 or the mass.
  template <bool ByMass> __device__ uint32_t threshold(uint64_t wanted, uint32_t floor) const {
    uint32_t prefix = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
      syncAll(); // nobody reads the last histogram any more
      for (int bin = threadIdx.x; bin < 256; bin += Threads)
        bins()[bin] = 0;
      __syncthreads();
      for (int base = 0; base < count; base += Threads) {
        const int i = base + threadIdx.x;
        const float v = i < count ? logit(i) : -kInfinity;
        const uint32_t k = key(v);
        bool counts = i < count && k >= floor && (shift == 24 || k >> (shift + 8) == prefix);
        const uint64_t weight = !counts ? 0 : ByMass ? mass(v) : 1;
        counts = weight > 0;
        // The first digit is sign and exponent, of which a few values are nearly all: lanes add up before the
        // histogram.
        if (shift == 24)
          addTogether<ByMass>(counts, k >> 24, weight);
        else if (counts)
          add(k >> shift & 255, weight);
      }
      syncAll();
      for (int bin = threadIdx.x; bin < 256; bin += Threads) {
        uint64_t sum = 0;
        for (int other = 0; other < Splits; ++other)
          sum += of(bins() + bin, other);
        totals()[bin] = sum;
      }
      __syncthreads();
      if (threadIdx.x < 32)
        choose(wanted);
      __syncthreads();
      prefix = prefix << 8 | uint32_t(broadcast()[1]);
      wanted = broadcast()[2];
    }
    return prefix;
  }

  __device__ void add(int bin, uint64_t weight) const {
    atomicAdd(reinterpret_cast<unsigned long long *>(bins() + bin), weight);
  }

  /// By a warp, each lane with a bin and a weight if it `counts`: one addition a bin. A mass has at most 41 bits, so
  /// that sums of its halves over a warp have less than 32.
  template <bool ByMass> __device__ void addTogether(bool counts, int bin, uint64_t weight) const {
    uint32_t left = __ballot_sync(kAllLanes, counts);
    while (left) {
      const int leader = __ffs(left) - 1, chosen = __shfl_sync(kAllLanes, bin, leader);
      const bool isSame = counts && bin == chosen;
      const uint32_t same = __ballot_sync(kAllLanes, isSame);
      uint64_t sum = __popc(same);
      if (ByMass) {
        const uint32_t low = __reduce_add_sync(kAllLanes, isSame ? uint32_t(weight & 0xfffff) : 0);
        sum = (uint64_t(__reduce_add_sync(kAllLanes, isSame ? uint32_t(weight >> 20) : 0)) << 20) + low;
      }
      if (int(threadIdx.x % 32) == leader)
        add(chosen, sum);
      left &= ~same;
    }
  }

  /// By a warp: the bin, from the highest down, where the totals reach `wanted`, and what is wanted of it.
  __device__ void choose(uint64_t wanted) const {
    const int lane = threadIdx.x, top = 255 - lane * 8;
    uint64_t sum = 0;
    for (int i = 0; i < 8; ++i)
      sum += totals()[top - i];
    uint64_t through = sum; // of this lane and those before it
    for (int offset = 1; offset < 32; offset *= 2) {
      const uint64_t before = __shfl_up_sync(kAllLanes, through, offset);
      through += lane >= offset ? before : 0;
    }
    const uint32_t reaching = __ballot_sync(kAllLanes, through >= wanted), weighty = __ballot_sync(kAllLanes, sum > 0);
    const int chosen = reaching ? __ffs(reaching) - 1 : weighty ? 31 - __clz(weighty) : 0;
    if (lane != chosen)
      return;
    uint64_t rest = wanted - (through - sum), chosenRest = rest;
    int bin = top;
    for (int i = 0; i < 8; ++i) {
      const uint64_t weight = totals()[top - i];
      if (weight == 0)
        continue;
      bin = top - i, chosenRest = rest;
      if (weight >= rest)
        break;
      rest -= weight;
    }
    broadcast()[1] = bin, broadcast()[2] = chosenRest;
  }

  /// The masses at or above `floor`: of this thread's logits, of all before those, of all.
  struct Masses {
    uint64_t own, before, all;
  };
  __device__ Masses sumMasses(uint32_t floor) const {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    Masses masses{};
    const int begin = min(int(threadIdx.x) * Each, count), end = min(begin + Each, count);
    for (int i = begin; i < end; ++i)
      if (const float v = logit(i); key(v) >= floor)
        masses.own += mass(v);
    uint64_t through = masses.own;
    for (int offset = 1; offset < 32; offset *= 2) {
      const uint64_t before = __shfl_up_sync(kAllLanes, through, offset);
      through += lane >= offset ? before : 0;
    }
    syncAll(); // nobody reads the last sums any more
    if (lane == 31)
      warpSums()[warp] = through;
    __syncthreads();
    uint64_t block = 0;
    for (int i = 0; i < Warps; ++i) {
      masses.before += i < warp ? warpSums()[i] : 0;
      block += warpSums()[i];
    }
    masses.before += through - masses.own;
    if (threadIdx.x == 0)
      broadcast()[3] = block;
    syncAll();
    for (int other = 0; other < Splits; ++other) {
      const uint64_t theirs = of(broadcast() + 3, other);
      masses.before += other < rank ? theirs : 0;
      masses.all += theirs;
    }
    return masses;
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
  __device__ void draw(int topK, float topP, int64_t seed, int context, int32_t *next) const {
    uint32_t floor = 0;
    if (topK > 0 && topK < Count)
      floor = threshold<false>(topK, 0);
    if (topP < 1.0f) {
      const uint64_t target = uint64_t(double(topP) * double(sumMasses(floor).all));
      floor = max(floor, threshold<true>(target ? target : 1, floor));
    }
    const Masses masses = sumMasses(floor);
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
