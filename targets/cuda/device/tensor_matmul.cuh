// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A matmul of many rows in tiles that one warp fetches by tensor maps and two groups of four warps multiply by wgmma
// (compute capability 9.0 with its own instructions: sm_90a).
#pragma once
#include "tensor_map.cuh"
#include "tile_sums.cuh"
#include "wgmma.cuh"

/// `epilogue(m, n, acc)` for every element of the block's tile within M rows and `end` columns: acc[w] = sum_k x[m, k]
/// weights[w][n, k]. Elements are of type E, bf16 or f8, and K is a multiple of 16 bytes. A box of a map is a step of
/// K, 128 bytes, of the tile's rows or columns. The `Splits` blocks of a cluster divide K.
///
/// A stage is fetched again when all eight warps have multiplied what it held. Weights of the first stages are fetched
/// before the kernel waits for its inputs. Tried, and slower: blocks of a cluster that fetch for each other
/// (multicast).
template <int M, int K, int TileM, int TileN, int Stages, int Splits, int Weights, typename E> struct TensorMatmul {
  static constexpr int Producer = 256, Threads = Producer + 32; // the first thread of the warp that fetches
  static constexpr int StepK = 128 / sizeof(E), AllSteps = (K + StepK - 1) / StepK;
  static constexpr int Share = (AllSteps + Splits - 1) / Splits; // steps of a block
  static constexpr int XBytes = TileM * 128, WeightBytes = TileN * 128, StageBytes = XBytes + Weights * WeightBytes;
  static constexpr int GroupN = TileM == 128 ? TileN : TileN / 2; // columns of a group of warps; its rows are 64
  using Sums = TileSums<M, TileM, TileN, Splits, Weights>;
  static constexpr int RingBytes = Stages * StageBytes;
  static constexpr int DataBytes = Splits > 1 && Sums::Bytes > RingBytes ? Sums::Bytes : RingBytes;
  static constexpr int SharedBytes = DataBytes + 2 * Stages * int(sizeof(uint64_t));
  static_assert((TileM == 64 || TileM == 128) && GroupN % 32 == 0 && Stages > 1);

  const TensorMap *x, *weights[Weights];
  int row, column, end; // of the tile
  int rank;             // of the block in its cluster
  uint8_t *shared;      // aligned to 1024 bytes

  /// What needs no inputs: barriers, and the first weights on their way.
  __device__ void start() {
    if (threadIdx.x == Producer) {
      prefetchMap(x);
#pragma unroll
      for (int w = 0; w < Weights; ++w)
        prefetchMap(weights[w]);
      for (int stage = 0; stage < Stages; ++stage) {
        initBarrier(full(stage), 1);
        initBarrier(empty(stage), Producer / 32);
      }
      fenceBarriers();
    }
    __syncthreads();
    if (threadIdx.x == Producer)
      for (int step = 0; step < Stages && step < steps(); ++step)
        fetchWeights(step);
  }

  template <typename Epilogue> __device__ void run(Epilogue epilogue) {
    if (threadIdx.x >= Producer) {
      if (threadIdx.x == Producer)
        fetchAll();
      if constexpr (Splits > 1) {
        __syncwarp(); // the cluster's barrier takes whole warps
        syncCluster();
        syncCluster();
      }
      return;
    }
    float acc[Weights][GroupN / 2];
    multiply(acc);
    if constexpr (Splits > 1) {
      syncWarps(1, Producer); // both groups have read the last stages
      keep(acc);
      syncCluster();
      Sums{reinterpret_cast<const float *>(shared), row, column, end, rank}.finish(epilogue);
      syncCluster(); // others still read
    } else {
      finish(acc, epilogue);
    }
  }

private:
  __device__ uint64_t *full(int stage) const { return reinterpret_cast<uint64_t *>(shared + DataBytes) + stage; }
  __device__ uint64_t *empty(int stage) const { return full(stage) + Stages; }
  __device__ int steps() const { return max(min(Share, AllSteps - rank * Share), 0); }
  __device__ int firstOf(int step) const { return (rank * Share + step) * StepK; }

  /// The first half of fetching a step; the barrier waits for both.
  __device__ void fetchWeights(int step) const {
    const int stage = step % Stages;
    expectBytes(full(stage), StageBytes);
#pragma unroll
    for (int w = 0; w < Weights; ++w)
      copyBox(shared + stage * StageBytes + XBytes + w * WeightBytes, weights[w], column, firstOf(step), full(stage));
  }
  __device__ void fetchAll() const {
    const int count = steps();
    for (int step = 0; step < count; ++step) {
      const int stage = step % Stages;
      if (step >= Stages) {
        waitFor(empty(stage), (step / Stages - 1) & 1);
        fetchWeights(step);
      }
      copyBox(shared + stage * StageBytes, x, row, firstOf(step), full(stage));
    }
  }

  __device__ void multiply(float (&acc)[Weights][GroupN / 2]) const {
    const int group = threadIdx.x / 128, firstRow = TileM == 128 ? group * 64 : 0,
              firstColumn = TileM == 128 ? 0 : group * GroupN;
#pragma unroll
    for (int w = 0; w < Weights; ++w)
#pragma unroll
      for (int i = 0; i < GroupN / 2; ++i)
        acc[w][i] = 0.0f;
    const int count = steps();
    for (int step = 0; step < count; ++step) {
      waitFor(full(step % Stages), step / Stages & 1);
      const uint8_t *stage = shared + step % Stages * StageBytes;
      const uint64_t a = describeOperand(stage + firstRow * 128);
      beginProducts();
#pragma unroll
      for (int k = 0; k < 4; ++k)
#pragma unroll
        for (int w = 0; w < Weights; ++w)
          Products<GroupN, sizeof(E)>::add(
              acc[w], a + 2 * k, describeOperand(stage + XBytes + w * WeightBytes + firstColumn * 128) + 2 * k);
      commitProducts();
      waitForProducts<1>();
      if (step && threadIdx.x % 32 == 0) // the products of the step before are done
        arrive(empty((step - 1) % Stages));
    }
    waitForProducts<0>();
  }

  /// Sums to shared memory, for the blocks of the cluster.
  __device__ void keep(const float (&acc)[Weights][GroupN / 2]) const {
    const int group = threadIdx.x / 128, lane = threadIdx.x % 32,
              m = (TileM == 128 ? group * 64 : 0) + threadIdx.x / 32 % 4 * 16 + lane / 4;
#pragma unroll
    for (int w = 0; w < Weights; ++w)
#pragma unroll
      for (int i = 0; i < GroupN / 2; i += 2) {
        const int n = (TileM == 128 ? 0 : group * GroupN) + i / 4 * 8 + lane % 4 * 2;
        *reinterpret_cast<float2 *>(reinterpret_cast<float *>(shared) +
                                    Sums::placeOf(w, m + i / 2 % 2 * 8, n)) = {acc[w][i], acc[w][i + 1]};
      }
  }

  /// The epilogue from registers. The four lanes that share rows exchange columns first, so that each has eight
  /// neighbours. What the epilogue reads comes for two times eight at once.
  template <typename Epilogue> __device__ void finish(float (&acc)[Weights][GroupN / 2], Epilogue epilogue) const {
    const int group = threadIdx.x / 128, lane = threadIdx.x % 32, quarter = lane % 4,
              firstM = row + (TileM == 128 ? group * 64 : 0) + threadIdx.x / 32 % 4 * 16 + lane / 4,
              firstN = column + (TileM == 128 ? 0 : group * GroupN) + quarter * 8;
    constexpr int Octets = GroupN / 8, Batch = Octets >= 8 ? 2 : 1, Early = Epilogue::kEarly;
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int j = 0; j < Octets; j += 4 * Batch) {
        const int m = firstM + half * 8;
        float early[Batch][Early + 1][8]; // one more, since there may be none
#pragma unroll
        for (int b = 0; b < Batch; ++b)
          if (const int n = firstN + (j + 4 * b) * 8; m < M && n < end)
            if constexpr (Early > 0)
              epilogue.fetch(m, n, early[b]);
#pragma unroll
        for (int b = 0; b < Batch; ++b) {
          float all[Weights][8];
#pragma unroll
          for (int w = 0; w < Weights; ++w)
            exchange(acc[w] + (j + 4 * b) * 4 + half * 2, all[w]);
          if (m < M)
            finishEight(m, firstN + (j + 4 * b) * 8, all, early[b], epilogue);
        }
      }
  }

  /// Of sums[16 j + 4 p + 0, 1], j-th octet of columns: all[2 p + 0, 1] of the octet `lane % 4` from the lanes p.
  __device__ static void exchange(const float *sums, float (&all)[8]) {
    float pairs[4][2];
#pragma unroll
    for (int j = 0; j < 4; ++j)
      pairs[j][0] = sums[4 * j], pairs[j][1] = sums[4 * j + 1];
#pragma unroll
    for (int bit = 1; bit < 4; bit *= 2) {
      const bool upper = threadIdx.x & bit;
#pragma unroll
      for (int j = 0; j < 4; ++j)
        if (!(j & bit))
#pragma unroll
          for (int v = 0; v < 2; ++v) {
            const float got = __shfl_xor_sync(0xffffffff, upper ? pairs[j][v] : pairs[j | bit][v], bit);
            (upper ? pairs[j][v] : pairs[j | bit][v]) = got;
          }
    }
#pragma unroll
    for (int i = 0; i < 8; ++i)
      all[i] = pairs[i / 2][i % 2];
  }

  template <typename Epilogue>
  __device__ void finishEight(int m, int n, const float (&all)[Weights][8],
                              const float (&early)[Epilogue::kEarly + 1][8], Epilogue epilogue) const {
    constexpr int Known = Weights + Epilogue::kEarly;
    float values[8][Epilogue::kResults];
#pragma unroll
    for (int v = 0; v < 8; ++v) {
      float element[Known];
#pragma unroll
      for (int i = 0; i < Known; ++i)
        element[i] = i < Weights ? all[i][v] : early[i - Weights][v];
      if (n + v < end)
        epilogue.compute(m, n + v, element, values[v]);
    }
    if constexpr (Epilogue::kHasFours) {
#pragma unroll
      for (int v = 0; v < 8; v += 4)
        if (n + v < end)
          epilogue.putFour(m, n + v, reinterpret_cast<const float (&)[4][Epilogue::kResults]>(values[v]));
    } else {
#pragma unroll
      for (int v = 0; v < 8; ++v)
        if (n + v < end)
          epilogue.put(m, n + v, values[v]);
    }
  }
};
