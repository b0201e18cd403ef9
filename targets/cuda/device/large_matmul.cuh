// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A matmul of many rows in tiles: cp.async to shared memory some steps ahead, products by eight warps with mma.m16n8k16
// (m16n8k32 of f8) or by two groups of four warps with wgmma. Blocks of a cluster may divide K. Sums go through shared
// memory, so that the epilogue's threads have neighbouring columns.
#pragma once
#include "async.cuh"
#include "matmul_operands.cuh"
#include "tile_sums.cuh"
#include "wgmma.cuh"

/// The byte of a tile where a 16-byte piece of a row lies. A row is 128 bytes; pieces are exchanged so that eight rows
/// lie in different banks.
__device__ inline int placeOf(int row, int piece) { return row * 128 + (piece ^ (row & 7)) * 16; }

/// `epilogue(m, n, acc)` for every element of the tile at (row, column) within (M, N): acc[w] = sum_k x[m, k]
/// weights[w][n, k]. Operands are multiplied as elements of type E, bf16 or f8; narrower ones are widened on their way.
/// K is a multiple of 8, of 16 where an operand has bytes. `UsesGroups`: by wgmma, TileM 64 or 128.
template <int M, int N, int K, int TileM, int TileN, int Stages, int Splits, int Weights, bool UsesGroups, typename E,
          typename X, typename W>
struct LargeMatmul {
  static constexpr int Threads = 256, StepK = 128 / sizeof(E), AllSteps = (K + StepK - 1) / StepK;
  static constexpr int Share = (AllSteps + Splits - 1) / Splits; // steps of a block of a cluster
  static constexpr int StageBytes = (TileM + Weights * TileN) * 128;
  // Products of the last step may still be on their way when the next copies begin.
  static constexpr int Ahead = UsesGroups ? Stages - 2 : Stages - 1;
  using Sums = TileSums<M, TileM, TileN, Splits, Weights>;
  static constexpr int RingBytes = Stages * StageBytes, SharedBytes = RingBytes > Sums::Bytes ? RingBytes : Sums::Bytes;
  static_assert(Ahead > 0 && TileM % 32 == 0 && TileN % 32 == 0);

  const X *x;
  const W *weights[Weights];
  int row, column, rank; // rank: of the block in its cluster
  uint8_t *shared;

  template <typename Epilogue> __device__ void run(Epilogue epilogue) {
    if constexpr (UsesGroups)
      multiplyByGroups();
    else
      multiplyByWarps();
    if constexpr (Splits > 1)
      syncCluster();
    else
      __syncthreads();
    Sums{reinterpret_cast<const float *>(shared), row, column, N, rank}.finish(epilogue);
    if constexpr (Splits > 1)
      syncCluster(); // others still read
  }

private:
  __device__ int steps() const { return max(min(Share, AllSteps - rank * Share), 0); }

  /// Rows [first, first + Rows) of a row-major matrix, a step of each. `IsWhole`: there are as many rows and elements.
  template <int Rows, bool IsWhole, typename T>
  __device__ void fetch(uint8_t *tile, const T *matrix, int first, int end, int k) {
    constexpr int Elements = 16 / sizeof(E); // of a piece
    // A thread's rows are 32 apart: their places differ by constants, from and to.
    const int r = threadIdx.x / 8, piece = threadIdx.x % 8, at = k + piece * Elements;
    const T *from = matrix + int64_t(first + r) * K + at;
    uint8_t *to = tile + placeOf(r, piece);
#pragma unroll
    for (int i = 0; i < Rows / 32; ++i) {
      const bool inside = IsWhole || (first + r + i * 32 < end && at < K);
      if constexpr (sizeof(T) == sizeof(E)) {
        cores::copyAsync<16>(to + i * 32 * 128, inside ? from + int64_t(i) * 32 * K : matrix, inside);
      } else {
        Pairs pairs{{0, 0, 0, 0}};
        if (inside)
          pairs = loadPairs(from + int64_t(i) * 32 * K);
        *reinterpret_cast<uint4 *>(to + i * 32 * 128) = {pairs.p[0], pairs.p[1], pairs.p[2], pairs.p[3]};
      }
    }
  }

  __device__ void fetchStep(int step) {
    if (step < steps()) {
      uint8_t *stage = shared + step % Stages * StageBytes;
      const int k = (rank * Share + step) * StepK;
      fetch<TileM, M % TileM == 0 && K % StepK == 0>(stage, x, row, M, k);
      for (int w = 0; w < Weights; ++w)
        fetch<TileN, N % TileN == 0 && K % StepK == 0>(stage + (TileM + w * TileN) * 128, weights[w], column, N, k);
    }
    cores::commitCopies();
  }

  /// Two neighbouring sums, of matmul w at (m, n) of the tile.
  __device__ void keep(int w, int m, int n, float first, float second) {
    *reinterpret_cast<float2 *>(reinterpret_cast<float *>(shared) + Sums::placeOf(w, m, n)) = {first, second};
  }

  __device__ void multiplyByGroups() {
    // A group has 64 rows of the tile, or half the columns of one of 64 rows.
    constexpr int GroupN = TileM == 128 ? TileN : TileN / 2;
    const int group = threadIdx.x / 128, firstRow = TileM == 128 ? group * 64 : 0,
              firstColumn = TileM == 128 ? 0 : group * GroupN;
    float acc[Weights][GroupN / 2];
#pragma unroll
    for (int w = 0; w < Weights; ++w)
#pragma unroll
      for (int i = 0; i < GroupN / 2; ++i)
        acc[w][i] = 0.0f;
    for (int step = 0; step < Ahead; ++step)
      fetchStep(step);
    const int count = steps();
    for (int step = 0; step < count; ++step) {
      cores::waitForCopies<Ahead - 1>();
      showToProducts();
      __syncthreads();
      const uint8_t *stage = shared + step % Stages * StageBytes;
      const uint64_t a = describeOperand(stage + firstRow * 128);
      beginProducts();
#pragma unroll
      for (int k = 0; k < 4; ++k)
#pragma unroll
        for (int w = 0; w < Weights; ++w)
          Products<GroupN, sizeof(E)>::add(acc[w], a + 2 * k,
                                           describeOperand(stage + (TileM + w * TileN + firstColumn) * 128) + 2 * k);
      commitProducts();
      waitForProducts<1>(); // the step before: its stage is free in all groups behind the next barrier
      fetchStep(step + Ahead);
    }
    waitForProducts<0>();
    cores::waitForCopies();
    __syncthreads();
    const int lane = threadIdx.x % 32, m = firstRow + threadIdx.x / 32 % 4 * 16 + lane / 4;
#pragma unroll
    for (int w = 0; w < Weights; ++w)
#pragma unroll
      for (int i = 0; i < GroupN / 2; i += 2) {
        const int n = firstColumn + i / 4 * 8 + lane % 4 * 2;
        keep(w, m + i / 2 % 2 * 8, n, acc[w][i], acc[w][i + 1]);
      }
  }

  __device__ void multiplyByWarps() {
    constexpr int TilesM = TileM / 2 / 16, TilesN = TileN / 4 / 8;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warpM = warp / 4 * (TileM / 2),
              warpN = warp % 4 * (TileN / 4);
    float acc[Weights][TilesM][TilesN][4] = {};
    for (int step = 0; step < Ahead; ++step)
      fetchStep(step);
    const int count = steps();
    for (int step = 0; step < count; ++step) {
      cores::waitForCopies<Ahead - 1>();
      __syncthreads();
      fetchStep(step + Ahead);
      const uint8_t *stage = shared + step % Stages * StageBytes;
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        uint32_t a[TilesM][4];
        for (int i = 0; i < TilesM; ++i)
          cores::loadMatrices<false>(a[i], stage + placeOf(warpM + i * 16 + lane % 16, k * 2 + lane / 16));
        for (int w = 0; w < Weights; ++w)
          for (int j = 0; j < TilesN; j += 2) {
            uint32_t b[4];
            cores::loadMatrices<false>(b, stage + (TileM + w * TileN) * 128 +
                                              placeOf(warpN + j * 8 + lane % 8 + lane / 16 * 8, k * 2 + lane / 8 % 2));
            for (int i = 0; i < TilesM; ++i) {
              cores::multiply<E>(acc[w][i][j], a[i], b[0], b[1]);
              cores::multiply<E>(acc[w][i][j + 1], a[i], b[2], b[3]);
            }
          }
      }
    }
    cores::waitForCopies();
    __syncthreads();
    for (int w = 0; w < Weights; ++w)
      for (int i = 0; i < TilesM; ++i)
        for (int j = 0; j < TilesN; ++j)
          for (int half = 0; half < 2; ++half)
            keep(w, warpM + i * 16 + half * 8 + lane / 4, warpN + j * 8 + lane % 4 * 2, acc[w][i][j][half * 2],
                 acc[w][i][j][half * 2 + 1]);
  }
};

/// The same for element types that the tensor cores do not multiply here, or a K that is no multiple of 8: a thread an
/// element.
template <int M, int N, int K, int TileM, int TileN, int Weights, typename X, typename W, typename Epilogue>
__device__ inline void plainLargeMatmul(const X *x, const W *const (&weights)[Weights], int row, int column,
                                        Epilogue epilogue) {
  for (int i = threadIdx.x; i < TileM * TileN; i += 256) {
    const int m = row + i / TileN, n = column + i % TileN;
    if (m >= M || n >= N)
      continue;
    float acc[Weights] = {};
    for (int k = 0; k < K; ++k)
      for (int w = 0; w < Weights; ++w)
        acc[w] = fmaf(load(x, int64_t(m) * K + k), load(weights[w], int64_t(n) * K + k), acc[w]);
    epilogue(m, n, acc);
  }
}
