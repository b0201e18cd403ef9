// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A matmul of many rows in tiles: cp.async to shared memory some steps ahead, ldmatrix, mma.m16n8k16. Eight warps, two
// along M by four along N.
#pragma once
#include "small_matmul.cuh"

/// 16 bytes to shared memory, zeros where `inside` is false.
__device__ inline void copyAsync(void *to, const void *from, bool inside) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(sharedAddress(to)), "l"(from),
               "r"(inside ? 16 : 0));
}
__device__ inline void loadMatrices(uint32_t (&r)[4], const void *p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(sharedAddress(p)));
}

/// Elements of K in a step; a row of a tile is 128 bytes, its 16-byte pieces exchanged so that eight rows lie in
/// different banks.
constexpr int kStepK = 64;
__device__ inline int placeOf(int row, int piece) { return row * kStepK + (piece ^ (row & 7)) * 8; }

/// Rows [first, first + Rows) of a row-major matrix, elements [k, k + kStepK) of each.
template <int Rows, int K, int Threads, typename T>
__device__ inline void fetch(bf16 *tile, const T *matrix, int first, int end, int k) {
  for (int i = threadIdx.x; i < Rows * 8; i += Threads) {
    const int row = i / 8, piece = i % 8, column = k + piece * 8;
    const bool inside = first + row < end && column < K;
    const T *from = matrix + (inside ? int64_t(first + row) * K + column : 0);
    bf16 *to = tile + placeOf(row, piece);
    if constexpr (sizeof(T) == 2) {
      copyAsync(to, from, inside);
    } else {
      Pairs pairs{{0, 0, 0, 0}};
      if (inside)
        pairs = loadPairs(from);
      *reinterpret_cast<uint4 *>(to) = {pairs.p[0], pairs.p[1], pairs.p[2], pairs.p[3]};
    }
  }
}

/// `epilogue(row, column, acc)` for every element of the tile at (row, column) within (M, N); acc[w] is the product with
/// weights[w]. Shared memory: Stages x (TileM + Weights x TileN) x kStepK elements.
template <int M, int N, int K, int TileM, int TileN, int Stages, int Weights, typename X, typename W, typename Epilogue>
__device__ inline void largeMatmul(const X *x, const W *const (&weights)[Weights], int row, int column, uint8_t *shared,
                                   Epilogue epilogue) {
  constexpr int Threads = 256, TilesM = TileM / 2 / 16, TilesN = TileN / 4 / 8;
  constexpr int StageElements = (TileM + Weights * TileN) * kStepK, Steps = (K + kStepK - 1) / kStepK;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warpM = warp / 4 * (TileM / 2), warpN = warp % 4 * (TileN / 4);
  bf16 *stages = reinterpret_cast<bf16 *>(shared);
  float sums[Weights][TilesM][TilesN][4];
  for (auto &weight : sums)
    for (auto &line : weight)
      for (auto &part : line)
        for (float &sum : part)
          sum = 0.0f;

  auto fetchStep = [&](int step) {
    if (step < Steps) {
      bf16 *stage = stages + step % Stages * StageElements;
      fetch<TileM, K, Threads>(stage, x, row, M, step * kStepK);
      for (int w = 0; w < Weights; ++w)
        fetch<TileN, K, Threads>(stage + (TileM + w * TileN) * kStepK, weights[w], column, N, step * kStepK);
    }
    asm volatile("cp.async.commit_group;");
  };
  for (int step = 0; step < Stages - 1; ++step)
    fetchStep(step);
  for (int step = 0; step < Steps; ++step) {
    asm volatile("cp.async.wait_group %0;" ::"n"(Stages - 2));
    __syncthreads();
    fetchStep(step + Stages - 1);
    const bf16 *stage = stages + step % Stages * StageElements;
#pragma unroll
    for (int k = 0; k < kStepK / 16; ++k) {
      uint32_t a[TilesM][4];
      for (int i = 0; i < TilesM; ++i)
        loadMatrices(a[i], stage + placeOf(warpM + i * 16 + lane % 16, k * 2 + lane / 16));
      for (int w = 0; w < Weights; ++w)
        for (int j = 0; j < TilesN; j += 2) {
          uint32_t b[4];
          loadMatrices(b, stage + (TileM + w * TileN) * kStepK +
                              placeOf(warpN + j * 8 + lane % 8 + lane / 16 * 8, k * 2 + lane / 8 % 2));
          for (int i = 0; i < TilesM; ++i) {
            mma16816(sums[w][i][j], a[i], b[0], b[1]);
            mma16816(sums[w][i][j + 1], a[i], b[2], b[3]);
          }
        }
    }
  }
  asm volatile("cp.async.wait_group 0;");
#pragma unroll
  for (int i = 0; i < TilesM; ++i)
#pragma unroll
    for (int j = 0; j < TilesN; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int m = row + warpM + i * 16 + lane / 4 + e / 2 * 8, n = column + warpN + j * 8 + lane % 4 * 2 + e % 2;
        if (m >= M || n >= N)
          continue;
        float acc[Weights];
        for (int w = 0; w < Weights; ++w)
          acc[w] = sums[w][i][j][e];
        epilogue(m, n, acc);
      }
}

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
