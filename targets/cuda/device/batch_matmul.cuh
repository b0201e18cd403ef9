// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Products of stacks of matrices, both of them activations: cp.async to shared memory some steps ahead, ldmatrix,
// mma.m16n8k16. Eight warps, two along M by four along N.
#pragma once
#include "tensor_cores.cuh"

namespace batch {

/// [Rows x Columns] elements of a row-major matrix whose rows have `Width` of them and of which `end` exist, from (row,
/// column), to a tile whose rows are `Stride` apart; zeros outside.
template <int Rows, int Columns, int Stride, int Width, int Threads, typename T>
__device__ inline void fetch(T *tile, const T *matrix, int row, int end, int column) {
  for (int i = threadIdx.x; i < Rows * (Columns / 8); i += Threads) {
    const int r = i / (Columns / 8), c = i % (Columns / 8) * 8;
    const bool inside = row + r < end && column + c < Width;
    cores::copyAsync<16>(tile + r * Stride + c, matrix + (inside ? int64_t(row + r) * Width + column + c : 0), inside);
  }
}

/// Shared memory of multiply(), in bytes.
template <int TileM, int TileN, int TileK, int Stages, bool Transposed> constexpr int sharedBytes() {
  return Stages * (TileM * (TileK + 8) + (Transposed ? TileN * (TileK + 8) : TileK * (TileN + 8))) * 2;
}

/// Calls `write(m, n, sum)` for the elements of the tile at (row, column) of a b: a is [M x K], b is [K x N], or [N x
/// K] if `Transposed`; all row-major, elements of a and b bf16 or f16, their rows of whole 16 bytes. Products and sums
/// are f32.
template <int M, int N, int K, int TileM, int TileN, int TileK, int Stages, bool Transposed, typename T, typename Write>
__device__ inline void multiply(const T *a, const T *b, int row, int column, uint8_t *shared, Write write) {
  constexpr int Threads = 256, TilesM = TileM / 32, TilesN = TileN / 32, Steps = (K + TileK - 1) / TileK;
  constexpr int StrideA = TileK + 8, StrideB = Transposed ? TileK + 8 : TileN + 8;
  constexpr int ElementsA = TileM * StrideA, Stage = ElementsA + (Transposed ? TileN : TileK) * StrideB;
  static_assert(TilesN % 2 == 0 && TileK % 16 == 0);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int warpM = warp / 4 * (TileM / 2), warpN = warp % 4 * (TileN / 4);
  T *const stages = reinterpret_cast<T *>(shared);
  const auto fetchStep = [&](int step) {
    if (step < Steps) {
      T *const stage = stages + step % Stages * Stage;
      fetch<TileM, TileK, StrideA, K, Threads>(stage, a, row, M, step * TileK);
      if constexpr (Transposed)
        fetch<TileN, TileK, StrideB, K, Threads>(stage + ElementsA, b, column, N, step * TileK);
      else
        fetch<TileK, TileN, StrideB, N, Threads>(stage + ElementsA, b, step * TileK, K, column);
    }
    cores::commitCopies();
  };

  float sums[TilesM][TilesN][4];
#pragma unroll
  for (int i = 0; i < TilesM; ++i)
#pragma unroll
    for (int j = 0; j < TilesN; ++j)
      for (int e = 0; e < 4; ++e)
        sums[i][j][e] = 0.0f;
  for (int step = 0; step < Stages - 1; ++step)
    fetchStep(step);
  for (int step = 0; step < Steps; ++step) {
    cores::waitForCopies<Stages - 2>();
    __syncthreads();
    fetchStep(step + Stages - 1);
    const T *const tileA = stages + step % Stages * Stage, *const tileB = tileA + ElementsA;
#pragma unroll
    for (int k = 0; k < TileK; k += 16) {
      uint32_t left[TilesM][4];
#pragma unroll
      for (int i = 0; i < TilesM; ++i)
        cores::loadMatrices<false>(left[i], tileA + (warpM + i * 16 + lane % 16) * StrideA + k + lane / 16 * 8);
#pragma unroll
      for (int j = 0; j < TilesN; j += 2) {
        uint32_t right[4];
        if constexpr (Transposed)
          cores::loadMatrices<false>(right, tileB + (warpN + j * 8 + lane % 8 + lane / 16 * 8) * StrideB + k +
                                                lane / 8 % 2 * 8);
        else
          cores::loadMatrices<true>(right, tileB + (k + lane % 16) * StrideB + warpN + j * 8 + lane / 16 * 8);
#pragma unroll
        for (int i = 0; i < TilesM; ++i) {
          cores::multiply<T>(sums[i][j], left[i], right[0], right[1]);
          cores::multiply<T>(sums[i][j + 1], left[i], right[2], right[3]);
        }
      }
    }
  }
  cores::waitForCopies();
#pragma unroll
  for (int i = 0; i < TilesM; ++i)
#pragma unroll
    for (int j = 0; j < TilesN; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int m = row + warpM + i * 16 + lane / 4 + e / 2 * 8, n = column + warpN + j * 8 + lane % 4 * 2 + e % 2;
        if (m < M && n < N)
          write(m, n, sums[i][j][e]);
      }
}

/// The same for any element types and sizes: f32 products of elements from shared memory, 256 threads, each of which
/// keeps TileM x TileN / 256 sums. TileM and TileN are multiples of 16.
template <int M, int N, int K, int TileM, int TileN, bool Transposed, typename A, typename B, typename Write>
__device__ inline void multiplyPlainly(const A *a, const B *b, int row, int column, uint8_t *shared, Write write) {
  constexpr int Step = 16, Rows = TileM / 16, Columns = TileN / 16;
  float (*const left)[TileM + 1] = reinterpret_cast<float (*)[TileM + 1]>(shared);
  float (*const right)[TileN + 1] = reinterpret_cast<float (*)[TileN + 1]>(shared + Step * (TileM + 1) * 4);
  const int m0 = threadIdx.x / 16, n0 = threadIdx.x % 16;
  float sums[Rows][Columns] = {};
  for (int k = 0; k < K; k += Step) {
    __syncthreads();
    for (int i = threadIdx.x; i < TileM * Step; i += 256) {
      const int m = row + i / Step, at = k + i % Step;
      left[i % Step][i / Step] = m < M && at < K ? float(load(a, int64_t(m) * K + at)) : 0.0f;
    }
    for (int i = threadIdx.x; i < TileN * Step; i += 256) {
      const int c = Transposed ? i / Step : i % TileN, r = Transposed ? i % Step : i / TileN;
      const int n = column + c, at = k + r;
      right[r][c] = n < N && at < K ? float(load(b, Transposed ? int64_t(n) * K + at : int64_t(at) * N + n)) : 0.0f;
    }
    __syncthreads();
    for (int step = 0; step < Step; ++step)
#pragma unroll
      for (int i = 0; i < Rows; ++i)
#pragma unroll
        for (int j = 0; j < Columns; ++j)
          sums[i][j] = fmaf(left[step][m0 + i * 16], right[step][n0 + j * 16], sums[i][j]);
  }
#pragma unroll
  for (int i = 0; i < Rows; ++i)
#pragma unroll
    for (int j = 0; j < Columns; ++j) {
      const int m = row + m0 + i * 16, n = column + n0 + j * 16;
      if (m < M && n < N)
        write(m, n, sums[i][j]);
    }
}

} // namespace batch
