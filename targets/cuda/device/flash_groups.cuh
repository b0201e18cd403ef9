// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Attention of many rows by wgmma (compute capability 9.0 with its own instructions: sm_90a): groups of four warps that
// have 64 query vectors each, and one that fetches keys and values for them (Shah et al., FlashAttention-3, 2024).
#pragma once
#include "async.cuh"
#include "attention_tiles.cuh"
#include "flash_attention.cuh"
#include "wgmma.cuh"

namespace flash {

/// As attend(), of 64 x Groups query vectors, by 128 x (Groups + 1) threads. D and E are 64 or 128, T is bf16 and what
/// the cache holds. Shared memory is aligned to 1024 bytes: rows of 64 elements lie as wgmma wants them.
template <int Groups, int Keys, int D, int E> struct GroupAttention {
  static constexpr int TileM = 64 * Groups, Stages = 2, Threads = 128 * (Groups + 1), Producers = 128;
  static constexpr int QueryBytes = TileM * D * 2, KeyBytes = Keys * D * 2, ValueBytes = Keys * E * 2;
  static constexpr int DataBytes = QueryBytes + Stages * (KeyBytes + ValueBytes);
  static constexpr int SharedBytes = DataBytes + 4 * Stages * 8;

  /// The barriers of a stage: its keys have come, its values have, and both are free again.
  enum Event { KeysCame, ValuesCame, KeysRead, ValuesRead };

  uint8_t *shared;

  __device__ uint64_t *barrier(Event event, int step) const {
    return reinterpret_cast<uint64_t *>(shared + DataBytes) + event * Stages + step % Stages;
  }
  /// The step'th use of a stage has the parity of its round.
  __device__ static int round(int step) { return step / Stages & 1; }
  __device__ uint8_t *keys(int step) const { return shared + QueryBytes + step % Stages * KeyBytes; }
  __device__ uint8_t *values(int step) const {
    return shared + QueryBytes + Stages * KeyBytes + step % Stages * ValueBytes;
  }
  /// Where a 16-byte piece of a row lies among `Rows` rows.
  template <int Rows> __device__ static int placeIn(int row, int piece) {
    return piece / 8 * Rows * 128 + row * 128 + (piece % 8 ^ row % 8) * 16;
  }

  template <typename T, typename Rows, typename Cache, typename Mask, typename Out>
  __device__ void run(const T *queries, const Rows &rows, const Cache &cache, const Mask &mask, float scale,
                      float valueScale, Out *out) {
    if (threadIdx.x == 0) {
      for (int stage = 0; stage < Stages; ++stage) {
        initBarrier(barrier(KeysCame, stage), Producers);
        initBarrier(barrier(ValuesCame, stage), Producers);
        initBarrier(barrier(KeysRead, stage), 4 * Groups);
        initBarrier(barrier(ValuesRead, stage), 4 * Groups);
      }
      fenceBarriers();
    }
    __syncthreads();
    const KeyRange span = rows.template span<TileM>();
    const int firstStep = span.begin / Keys,
              steps = span.end > span.begin ? (span.end + Keys - 1) / Keys - firstStep : 0;
    if (threadIdx.x >= 128 * Groups) {
      giveRegisters<40>();
      fetchAll(cache, span, firstStep, steps, reinterpret_cast<const T *>(queries));
    } else {
      takeRegisters<Groups == 2 ? 232 : 208>();
      attend(queries, rows, mask, scale, valueScale, out, firstStep, steps);
    }
  }

private:
  /// Brings `Keys` positions from `base` on to a stage, `Size` elements each; at(s) is where position s lies. A place
  /// is looked up once for the positions that lie together: one for each took 40% of the time of 8192 rows on an H200.
  template <int Size, int Together, int Apart, typename T, typename At>
  __device__ void fetch(uint8_t *to, int base, KeyRange span, const T *nowhere, At at) const {
    constexpr int Pieces = Size / 8, AtOnce = Producers / Pieces, Run = Together < Keys ? Together : Keys;
    const int thread = threadIdx.x % Producers, piece = thread % Pieces, first = thread / Pieces;
    if constexpr (Run >= AtOnce) {
      static_assert(Keys % Run == 0 && Run % AtOnce == 0 && AtOnce % 8 == 0);
      const bool isWhole = base >= span.begin && base + Keys <= span.end;
#pragma unroll
      for (int run = 0; run < Keys; run += Run) {
        // Of a run that is seen in part, the place of a position that is seen leads to the others.
        const int start = base + run, known = min(max(start, span.begin), span.end - 1);
        const bool isSeen = known >= start && known < start + Run;
        const T *const from = isSeen ? at(known) + int64_t(start - known + first) * Apart + piece * 8 : nowhere;
        uint8_t *const place = to + placeIn<Keys>(run + first, piece);
        if (isWhole) {
#pragma unroll
          for (int row = 0; row < Run; row += AtOnce)
            cores::copyAsync<16>(place + row * 128, from + int64_t(row) * Apart, true);
        } else {
#pragma unroll 4
          for (int row = 0; row < Run; row += AtOnce) {
            const int s = start + first + row;
            const bool inside = s >= span.begin && s < span.end;
            cores::copyAsync<16>(place + row * 128, inside ? from + int64_t(row) * Apart : nowhere, inside);
          }
        }
      }
    } else {
#pragma unroll 4
      for (int row = first; row < Keys; row += AtOnce) {
        const int s = base + row;
        const bool inside = s >= span.begin && s < span.end;
        cores::copyAsync<16>(to + placeIn<Keys>(row, piece), inside ? at(s) + piece * 8 : nowhere, inside);
      }
    }
  }

  template <typename T, typename Cache>
  __device__ void fetchAll(const Cache &cache, KeyRange span, int firstStep, int steps, const T *nowhere) const {
    for (int step = 0; step < steps; ++step) {
      const int base = (firstStep + step) * Keys;
      if (step >= Stages)
        waitFor(barrier(KeysRead, step), round(step - Stages));
      fetch<D, Cache::kTogether, Cache::kKeysApart>(keys(step), base, span, nowhere,
                                                    [&](int s) { return cache.key(s); });
      arriveWithCopies(barrier(KeysCame, step));
      if (step >= Stages)
        waitFor(barrier(ValuesRead, step), round(step - Stages));
      fetch<E, Cache::kTogether, Cache::kValuesApart>(values(step), base, span, nowhere,
                                                      [&](int s) { return cache.value(s); });
      arriveWithCopies(barrier(ValuesCame, step));
    }
    cores::commitCopies(); // only groups are waited for
    cores::waitForCopies();
  }

  template <typename T, typename Rows, typename Mask, typename Out>
  __device__ void attend(const T *queries, const Rows &rows, const Mask &mask, float scale, float valueScale, Out *out,
                         int firstStep, int steps) const {
    const int group = threadIdx.x / 128, lane = threadIdx.x % 32, firstRow = group * 64;
    for (int i = threadIdx.x % 128; i < 64 * (D / 8); i += 128) {
      const int row = firstRow + i / (D / 8), piece = i % (D / 8);
      const int64_t place = rows.place(row);
      cores::copyAsync<16>(shared + placeIn<TileM>(row, piece), place >= 0 ? queries + place * D + piece * 8 : queries,
                           place >= 0);
    }
    cores::commitCopies();
    cores::waitForCopies();
    showToProducts();
    syncWarps(1 + group, 128);

    // Of a product to a score, unless what is added comes between: then of a product to its exponent, which is one
    // instruction with the difference from the largest.
    const float factor = Mask::kIsAdded ? 1.0f : scale * kLog2E;
    const int warpRow = firstRow + threadIdx.x / 32 % 4 * 16 + lane / 4, vectors[2] = {warpRow, warpRow + 8};
    const KeyRange seen[2] = {rows.range(vectors[0]), rows.range(vectors[1])};
    float sums[E / 2], largest[2] = {-kInfinity, -kInfinity}, mass[2] = {0.0f, 0.0f};
#pragma unroll
    for (int i = 0; i < E / 2; ++i)
      sums[i] = 0.0f;
    for (int step = 0; steps;) {
      // Behind the values of the step before, which are still multiplied.
      float scores[Keys / 2]; // of this step: products overwrite them
      waitFor(barrier(KeysCame, step), round(step));
      showToProducts();
      beginProducts();
#pragma unroll
      for (int d = 0; d < D; d += 16)
        Products<Keys, 2>::add(scores, describeOperand(shared + d / 64 * TileM * 128 + firstRow * 128) + d % 64 / 8,
                               describeOperand(keys(step) + d / 64 * Keys * 128) + d % 64 / 8, d > 0);
      commitProducts();
      waitForProducts<0>();
      if (lane == 0) {
        arrive(barrier(KeysRead, step));
        if (step)
          arrive(barrier(ValuesRead, step - 1));
      }
      const int base = (firstStep + step) * Keys;
      const bool isWhole = !Mask::kExists && seen[0].begin <= base && seen[1].begin <= base &&
                           seen[0].end >= base + Keys && seen[1].end >= base + Keys;
      float rescale[2], shift[2];
      if (!isWhole) {
#pragma unroll
        for (int i = 0; i < Keys / 2; ++i) {
          const int s = base + i / 4 * 8 + lane % 4 * 2 + i % 2, half = i / 2 % 2;
          scores[i] = s >= seen[half].begin && s < seen[half].end
                          ? mask(Mask::kIsAdded ? scores[i] * scale : scores[i], vectors[half], s)
                          : -kInfinity;
        }
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float most = -kInfinity;
#pragma unroll
        for (int i = 2 * half; i < Keys / 2; i += 4)
          most = fmaxf(most, fmaxf(scores[i], scores[i + 1]));
        most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 1));
        most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, 2));
        most = fmaxf(most * factor, largest[half]);
        shift[half] = most == -kInfinity ? 0.0f : most;
        rescale[half] = power<Mask::kIsAdded>(largest[half] - shift[half]);
        largest[half] = most;
        mass[half] *= rescale[half];
      }
      uint32_t weights[Keys / 16][4];
#pragma unroll
      for (int i = 0; i < Keys / 2; i += 2) {
        const int half = i / 2 % 2;
        const float low = power<Mask::kIsAdded>(fmaf(scores[i], factor, -shift[half])),
                    high = power<Mask::kIsAdded>(fmaf(scores[i + 1], factor, -shift[half]));
        mass[half] += low + high;
        weights[i / 8][i / 2 % 4] = cores::packPair<T>(low, high);
      }
#pragma unroll
      for (int i = 0; i < E / 2; ++i)
        sums[i] *= rescale[i / 2 % 2];
      waitFor(barrier(ValuesCame, step), round(step));
      showToProducts();
      beginProducts();
#pragma unroll
      for (int s = 0; s < Keys; s += 16)
        RowProducts<E>::add(sums, weights[s / 16], describeRows(values(step) + s * 128, Keys * 128));
      commitProducts();
      if (++step == steps) {
        waitForProducts<0>();
        break;
      }
    }

#pragma unroll
    for (int half = 0; half < 2; ++half) {
      mass[half] += __shfl_xor_sync(kAllLanes, mass[half], 1);
      mass[half] += __shfl_xor_sync(kAllLanes, mass[half], 2);
      const int64_t place = rows.place(vectors[half]);
      if (place < 0)
        continue;
      const float share = mass[half] == 0.0f ? 0.0f : valueScale / mass[half];
#pragma unroll
      for (int n = 0; n < E / 8; ++n)
        cores::storePair(out, place * E + n * 8 + lane % 4 * 2, sums[4 * n + 2 * half] * share,
                         sums[4 * n + 2 * half + 1] * share);
    }
  }
};

template <int Groups, int Keys, int D, int E, typename T, typename Rows, typename Cache, typename Mask, typename Out>
__device__ inline void attendByGroups(const T *queries, const Rows &rows, const Cache &cache, const Mask &mask,
                                      float scale, float valueScale, Out *out, uint8_t *shared) {
  GroupAttention<Groups, Keys, D, E>{shared}.run(queries, rows, cache, mask, scale, valueScale, out);
}

} // namespace flash
