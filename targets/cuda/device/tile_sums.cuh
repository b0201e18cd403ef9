// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// From the sums of a tile in shared memory to what becomes of them, so that an epilogue's threads have neighbouring
// columns.
#pragma once
#include "async.cuh"

/// The epilogue of sums[w][m][n] of a tile at (row, column) within M rows and `end` columns, by 256 threads. `Splits`
/// blocks of a cluster, of which this is number `rank`, hold parts that are added up, and divide the tile.
template <int M, int TileM, int TileN, int Splits, int Weights> struct TileSums {
  static constexpr int Threads = 256, Stride = TileN + 4, Bytes = Weights * TileM * Stride * 4;

  const float *sums;
  int row, column, end, rank;

  __device__ static int placeOf(int w, int m, int n) { return (w * TileM + m) * Stride + n; }

  template <typename Epilogue> __device__ void finish(Epilogue epilogue) const {
    if constexpr (Epilogue::kHasFours)
      finishFours(epilogue);
    else
      finishOnes(epilogue);
  }

private:
  /// The epilogue of the block's part of the tile, element by element.
  template <typename Epilogue> __device__ void finishOnes(Epilogue epilogue) const {
    constexpr int Step = Threads * Splits, All = TileM * TileN / Step, Batch = All < 8 ? All : 8;
    static_assert(TileM * TileN % (Step * Batch) == 0);
    for (int j = 0; j < All; j += Batch) {
      float acc[Batch][Weights], values[Batch][Epilogue::kResults];
      auto place = [&](int k, int &m, int &n) {
        const int i = threadIdx.x + rank * Threads + (j + k) * Step;
        m = i / TileN, n = i % TileN;
        return row + m < M && column + n < end;
      };
#pragma unroll
      for (int k = 0; k < Batch; ++k) {
        int m, n;
        place(k, m, n);
#pragma unroll
        for (int w = 0; w < Weights; ++w) {
          acc[k][w] = 0.0f;
#pragma unroll
          for (int split = 0; split < Splits; ++split) {
            const float *sum = sums + placeOf(w, m, n);
            acc[k][w] += Splits > 1 ? loadRemote(sum, split) : *sum;
          }
        }
      }
#pragma unroll
      for (int k = 0; k < Batch; ++k)
        if (int m, n; place(k, m, n))
          epilogue.compute(row + m, column + n, acc[k], values[k]);
#pragma unroll
      for (int k = 0; k < Batch; ++k)
        if (int m, n; place(k, m, n))
          epilogue.put(row + m, column + n, values[k]);
    }
  }

  /// The same, four neighbours at a time.
  template <typename Epilogue> __device__ void finishFours(Epilogue epilogue) const {
    constexpr int Step = Threads * Splits, All = TileM * TileN / 4 / Step, Batch = All < 2 ? All : 2;
    static_assert(TileM * TileN / 4 % (Step * Batch) == 0);
    for (int j = 0; j < All; j += Batch) {
      float4 acc[Batch][Weights];
      float values[Batch][4][Epilogue::kResults];
      auto place = [&](int k, int &m, int &n) {
        const int i = threadIdx.x + rank * Threads + (j + k) * Step;
        m = i / (TileN / 4), n = i % (TileN / 4) * 4;
        return row + m < M && column + n < end;
      };
#pragma unroll
      for (int k = 0; k < Batch; ++k) {
        int m, n;
        place(k, m, n);
#pragma unroll
        for (int w = 0; w < Weights; ++w) {
          acc[k][w] = {0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
          for (int split = 0; split < Splits; ++split) {
            const float *sum = sums + placeOf(w, m, n);
            const float4 four = Splits > 1 ? loadRemoteFour(sum, split) : *reinterpret_cast<const float4 *>(sum);
            acc[k][w].x += four.x, acc[k][w].y += four.y, acc[k][w].z += four.z, acc[k][w].w += four.w;
          }
        }
      }
#pragma unroll
      for (int k = 0; k < Batch; ++k)
        if (int m, n; place(k, m, n)) {
#pragma unroll
          for (int v = 0; v < 4; ++v) {
            float element[Weights];
#pragma unroll
            for (int w = 0; w < Weights; ++w)
              element[w] = v == 0 ? acc[k][w].x : v == 1 ? acc[k][w].y : v == 2 ? acc[k][w].z : acc[k][w].w;
            epilogue.compute(row + m, column + n + v, element, values[k][v]);
          }
        }
#pragma unroll
      for (int k = 0; k < Batch; ++k)
        if (int m, n; place(k, m, n))
          epilogue.putFour(row + m, column + n, values[k]);
    }
  }
};
