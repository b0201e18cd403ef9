// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The logits that a cluster of blocks draws from, and the thresholds of top-k and top-p among them.
//
// Nothing is sorted. A threshold is looked for among 2048 classes of the distance from the largest logit, then among
// the logits of one class. Sums are of integers, so that they do not depend on how the blocks of the cluster divide the
// vocabulary. Shared memory adds 32-bit integers at once, and takes turns for 64 bits: a class has a mass in three
// words.
#pragma once
#include "async.cuh"

/// Masses relative to the largest, as fixed-point numbers of 40 fractional bits: sums do not depend on their order.
constexpr float kMassOne = 1099511627776.0f; // 2^40

/// The logits of one sequence before a cluster of `Splits` blocks of `Threads`. With `IsStaged` each block keeps its
/// part in shared memory, else it reads them anew each time.
template <int Threads, int Splits, int Count, bool IsStaged> struct SampledLogits {
  static constexpr int Part = ((Count + Splits - 1) / Splits + 3) / 4 * 4;
  static constexpr int Warps = Threads / 32;
  // Threads have neighbouring logits each; an odd number of them puts the threads of a warp into different banks.
  static constexpr int Each = (Part + Threads - 1) / Threads | 1;
  /// Classes of logits, words of a class's sum of masses, and logits of one class that the cluster compares with each
  /// other.
  static constexpr int Classes = 2048, Words = Part <= 1 << 18 ? 3 : 4, Compared = 1024;
  /// A word adds up so many bits of masses, which have 41.
  static constexpr int WordBits = Words == 3 ? 14 : 11;
  static_assert(Part <= 1 << 21);
  /// What the block needs: sums of classes, keys of the chosen one, sums of warps, numbers for all, what each block
  /// tells, logits.
  static constexpr int Numbers = (Warps + 4 + Splits + 1) / 2 * 2,
                       SharedBytes = (Classes * Words + Compared) * 4 + Numbers * 8 + (IsStaged ? Part * 4 : 0);

  const float *logits; // of the whole vocabulary
  uint8_t *shared;
  int rank;                 // of the block
  int first = 0, count = 0; // of the block's part
  float maximum = 0;        // the largest logit
  float inverse = 0;        // log2(e) / temperature

  __device__ uint32_t *words() const { return reinterpret_cast<uint32_t *>(shared); }
  __device__ uint32_t *list() const { return words() + Classes * Words; }
  __device__ uint64_t *warpSums() const { return reinterpret_cast<uint64_t *>(list() + Compared); }
  __device__ uint64_t *broadcast() const { return warpSums() + Warps; }
  __device__ uint64_t *told() const { return broadcast() + 4; } // by each block
  __device__ float *staged() const { return reinterpret_cast<float *>(warpSums() + Numbers); }

  __device__ static void syncAll() {
    if constexpr (Splits > 1)
      syncCluster();
    else
      __syncthreads();
  }
  /// What block `other` has at the place of `p`.
  template <typename T> __device__ static T of(const T *p, int other) { return Splits > 1 ? loadRemote(p, other) : *p; }
  /// Puts a number at the place of `p` in each block. By one thread; syncAll() follows.
  __device__ static void tellAll(uint64_t *p, uint64_t value) {
    if constexpr (Splits > 1)
      for (int other = 0; other < Splits; ++other)
        storeRemote(p, other, value);
    else
      *p = value;
  }

  /// Logit i of the block's part. NaN counts as -infinity, -0 as 0.
  __device__ static float clean(float v) { return v != v ? -kInfinity : v + 0.0f; }
  __device__ float logit(int i) const { return IsStaged ? staged()[i] : clean(logits[first + i]); }
  /// The logit's image among the unsigned integers, in the same order, and back.
  __device__ static uint32_t key(float v) {
    uint32_t bits = __float_as_uint(v);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  }
  __device__ static float fromKey(uint32_t k) { return __uint_as_float(k & 0x80000000u ? k & 0x7fffffffu : ~k); }
  __device__ uint64_t mass(float v) const {
    return v > -kInfinity ? uint64_t(exp2f((v - maximum) * inverse) * kMassOne) : 0;
  }

  /// Of what threads have in the order of blocks and threads: this thread's, the sum before it, that of all.
  struct Sums {
    uint64_t own, before, all;
  };
  __device__ Sums sumOver(uint64_t own) const {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    Sums sums{own, 0, 0};
    uint64_t through = own;
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
      sums.before += i < warp ? warpSums()[i] : 0;
      block += warpSums()[i];
    }
    sums.before += through - own;
    if (threadIdx.x == 0)
      tellAll(told() + rank, block);
    syncAll();
    for (int other = 0; other < Splits; ++other) {
      const uint64_t theirs = told()[other];
      sums.before += other < rank ? theirs : 0;
      sums.all += theirs;
    }
    return sums;
  }

  /// The largest key from which on there are `wanted` logits, of which there are more.
  __device__ uint32_t keyOfCount(int wanted) const {
    return findKey<false>(0, [=](uint64_t) { return uint64_t(wanted); });
  }
  /// The largest key from which on the logits have the part `share`, less than 1, of the mass of all at or above
  /// `floor`.
  __device__ uint32_t keyOfMass(float share, uint32_t floor) const {
    return findKey<true>(floor, [=](uint64_t all) {
      const uint64_t target = uint64_t(double(share) * double(all));
      return target ? target : 1;
    });
  }

private:
  /// A logit's class, 0 for the largest: 1/128 of a power of two of mass each, or 1/64 of a logit. The last one is of
  /// all that are further away.
  template <bool ByMass> __device__ int classOf(float v) const {
    const float scale = ByMass ? fminf(inverse * 128.0f, 1e30f) : 64.0f;
    const float distance = (maximum - v) * scale;
    return distance < float(Classes - 1) ? int(distance) : Classes - 1; // 0 times infinity is among the last
  }

  template <bool ByMass, typename Wanted> __device__ uint32_t findKey(uint32_t floor, Wanted wanted) const {
    constexpr int OwnClasses = Classes / Splits, EachClasses = (OwnClasses + Threads - 1) / Threads;
    countClasses<ByMass>(floor);
    syncAll();
    // Each block adds up some classes for all blocks, each thread neighbouring ones.
    uint64_t sums[EachClasses], own = 0;
#pragma unroll
    for (int i = 0; i < EachClasses; ++i) {
      const int c = threadIdx.x * EachClasses + i;
      sums[i] = c < OwnClasses ? sumOfClass<ByMass>(rank * OwnClasses + c) : 0;
      own += sums[i];
    }
    const Sums all = sumOver(own);
    const uint64_t target = wanted(all.all);
    if (all.before < target && target <= all.before + own) {
      uint64_t rest = target - all.before;
      int c = 0;
#pragma unroll
      for (int i = 0; i < EachClasses; ++i)
        if (c == i && sums[i] < rest)
          rest -= sums[i], ++c;
      tellAll(broadcast(), rank * OwnClasses + threadIdx.x * EachClasses + c);
      tellAll(broadcast() + 1, rest);
    }
    syncAll();
    const int listed = listClass<ByMass>(int(broadcast()[0]), floor);
    return listed <= Compared ? compare<ByMass>(listed, broadcast()[1]) : keyByDigits<ByMass>(target, floor);
  }

  /// The weights of the block's logits at or above `floor`, by class. Most logits may be of the last class: threads add
  /// those up first, rather than all at one place.
  template <bool ByMass> __device__ void countClasses(uint32_t floor) const {
    for (int i = threadIdx.x; i < Classes * Words; i += Threads)
      words()[i] = 0;
    __syncthreads();
    uint64_t last = 0;
#pragma unroll 4
    for (int i = threadIdx.x; i < count; i += Threads) {
      const float v = logit(i);
      if (key(v) < floor)
        continue;
      const uint64_t weight = ByMass ? mass(v) : 1;
      const int c = classOf<ByMass>(v);
      if (c == Classes - 1)
        last += weight;
      else
        addToClass<ByMass>(c, weight);
    }
    if (last)
      addToClass<ByMass>(Classes - 1, last);
  }
  template <bool ByMass> __device__ void addToClass(int c, uint64_t weight) const {
    if constexpr (!ByMass)
      atomicAdd(words() + c, uint32_t(weight));
    else
#pragma unroll
      for (int word = 0; word < Words; ++word)
        atomicAdd(words() + word * Classes + c,
                  uint32_t(weight >> WordBits * word) & (word + 1 < Words ? (1u << WordBits) - 1 : ~0u));
  }
  template <bool ByMass> __device__ uint64_t sumOfClass(int c) const {
    uint64_t sum = 0;
#pragma unroll
    for (int other = 0; other < Splits; ++other)
      for (int word = 0; word < (ByMass ? Words : 1); ++word)
        sum += uint64_t(of(words() + word * Classes + c, other)) << WordBits * word;
    return sum;
  }

  /// Lists the keys of a class that are at or above `floor`, each block its own; how many there are in all.
  template <bool ByMass> __device__ int listClass(int chosen, uint32_t floor) const {
    uint32_t *found = reinterpret_cast<uint32_t *>(broadcast() + 2);
    if (threadIdx.x == 0)
      *found = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < count; i += Threads) {
      const float v = logit(i);
      if (key(v) >= floor && classOf<ByMass>(v) == chosen)
        if (const uint32_t place = atomicAdd(found, 1u); place < Compared)
          list()[place] = key(v);
    }
    __syncthreads();
    if (threadIdx.x == 0)
      tellAll(told() + rank, *found);
    syncAll();
    int all = 0;
    for (int other = 0; other < Splits; ++other)
      all += int(told()[other]);
    return all;
  }

  /// Of all `listed` keys the largest from which on the weights sum to `wanted`. Every block finds it.
  template <bool ByMass> __device__ uint32_t compare(int listed, uint64_t wanted) const {
    // In the place of the sums.
    uint32_t *keys = words();
    uint64_t *weights = reinterpret_cast<uint64_t *>(words() + Compared);
    uint32_t *best = reinterpret_cast<uint32_t *>(broadcast() + 2);
    static_assert(Compared * 12 <= Classes * Words * 4);
    for (int other = 0, begin = 0; other < Splits; ++other) {
      const int theirs = int(told()[other]);
      for (int i = threadIdx.x; i < theirs; i += Threads) {
        const uint32_t k = of(list() + i, other);
        keys[begin + i] = k;
        weights[begin + i] = ByMass ? mass(fromKey(k)) : 1;
      }
      begin += theirs;
    }
    if (threadIdx.x == 0)
      *best = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < listed; i += Threads) {
      const uint32_t own = keys[i];
      uint64_t sum = 0;
#pragma unroll 4
      for (int j = 0; j < listed; ++j)
        sum += keys[j] >= own ? weights[j] : 0;
      if (sum >= wanted)
        atomicMax(best, own);
    }
    __syncthreads();
    return *best;
  }

  __device__ uint64_t *bins() const { return reinterpret_cast<uint64_t *>(shared); }
  __device__ uint64_t *totals() const { return bins() + 256; }

  /// The same digit by digit, from histograms of the keys: where one class has more logits than can be compared.
  template <bool ByMass> __device__ uint32_t keyByDigits(uint64_t wanted, uint32_t floor) const {
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
      prefix = prefix << 8 | uint32_t(broadcast()[0]);
      wanted = broadcast()[1];
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
    broadcast()[0] = bin, broadcast()[1] = chosenRest;
  }
};
