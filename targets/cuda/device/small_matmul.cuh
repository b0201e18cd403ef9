// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A matmul of up to 64 rows, whose time is that of reading the weights. The weight is the left operand of mma.m16n8k16:
// 16 of its rows (columns of the result) by 8 rows of x. The order of K within a step is free, so a thread's 16 bytes of
// a weight row serve two steps and x is read from shared memory in the same order.
#pragma once
#include "prelude.cuh"

__device__ inline void mma16816(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
               "{%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Eight elements of a weight row as four pairs of bf16.
struct Pairs {
  uint32_t p[4];
};
__device__ inline Pairs loadPairs(const bf16 *p) {
  uint4 v = loadStream(p);
  return {{v.x, v.y, v.z, v.w}};
}
/// E4M3 is exact in bf16.
__device__ inline Pairs loadPairs(const f8 *p) {
  uint2 v = loadStream8(p);
  Pairs pairs;
  for (int i = 0; i < 4; ++i) {
    const float2 two = unpackF8(v, i);
    pairs.p[i] = packBf16(two.x, two.y);
  }
  return pairs;
}

/// x as it lies in memory: rows of K elements.
template <int K> struct StoredRows {
  const bf16 *p;
};
template <typename X> constexpr bool kIsStored = false;
template <int K> constexpr bool kIsStored<StoredRows<K>> = true;

/// The columns [column, column + Columns) of `Weights` products for all M rows:
///   sums[w][c][m] = sum_k x(m, k) * weights[w][(column + c) * K + k]
/// left in shared memory as floats [Weights][Columns][MPad], MPad = M rounded up to 8. `x` is StoredRows, or a function
/// x(m, k) that computes an element in f32; then ChunkK elements of each row at a time are rounded to bf16 and kept in
/// `chunkMemory`. Columns is a multiple of 16, K of 8; columns at and past `end` are not read. Warps that share 16 columns
/// divide K among them; `parts` holds what each of them summed, Slices x Weights x Columns x MPad floats, and may be
/// `sums` when there is one slice.
template <int M, int K, int Columns, int Weights, int Threads, int ChunkK, typename W, typename X>
__device__ inline void smallMatmul(const W *const (&weights)[Weights], int column, int end, X x, float *sums, float *parts,
                                   uint8_t *chunkMemory) {
  constexpr bool IsStored = kIsStored<X>;
  constexpr int MPad = (M + 7) / 8 * 8, Groups = Columns / 16, Warps = Threads / 32;
  constexpr int Slices = Warps / Groups > 0 ? Warps / Groups : 1, Rounds = (Groups * Slices + Warps - 1) / Warps;
  constexpr int Chunk = IsStored ? K : ChunkK, Stride = Chunk + 8; // elements: rows of x in different banks
  bf16 *chunk = reinterpret_cast<bf16 *>(chunkMemory);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;

  float acc[Rounds][Weights][MPad / 8][4];
  for (auto &round : acc)
    for (auto &weight : round)
      for (auto &part : weight)
        for (float &sum : part)
          sum = 0.0f;

  for (int first = 0; first < K; first += Chunk) {
    const int size = K - first < Chunk ? K - first : Chunk;
    if constexpr (!IsStored) {
      __syncthreads();
      for (int m = 0; m < M; ++m)
        for (int k = threadIdx.x; k < size; k += Threads)
          chunk[m * Stride + k] = to<bf16>(x(m, first + k));
      __syncthreads();
    }
    for (int round = 0; round < Rounds; ++round) {
      const int group = (warp + round * Warps) / Slices, slice = (warp + round * Warps) % Slices;
      if (group >= Groups)
        break;
      const int low = column + group * 16 + g, high = low + 8;
      const int steps = (size + 31) / 32;
#pragma unroll 4
      for (int step = slice; step < steps; step += Slices) {
        const int k = step * 32 + t * 8;
        const bool inside = k < size;
        Pairs xs[MPad / 8];
        for (int part = 0; part < MPad / 8; ++part) {
          const int m = part * 8 + g;
          uint4 v = {0, 0, 0, 0};
          if (inside && m < M) {
            if constexpr (IsStored)
              v = *reinterpret_cast<const uint4 *>(x.p + int64_t(m) * K + k);
            else
              v = *reinterpret_cast<const uint4 *>(chunk + m * Stride + k);
          }
          xs[part] = {{v.x, v.y, v.z, v.w}};
        }
        for (int w = 0; w < Weights; ++w) {
          Pairs a{{0, 0, 0, 0}}, b{{0, 0, 0, 0}};
          if (inside && low < end)
            a = loadPairs(weights[w] + int64_t(low) * K + first + k);
          if (inside && high < end)
            b = loadPairs(weights[w] + int64_t(high) * K + first + k);
          const uint32_t even[4] = {a.p[0], b.p[0], a.p[1], b.p[1]}, odd[4] = {a.p[2], b.p[2], a.p[3], b.p[3]};
          for (int part = 0; part < MPad / 8; ++part) {
            mma16816(acc[round][w][part], even, xs[part].p[0], xs[part].p[1]);
            mma16816(acc[round][w][part], odd, xs[part].p[2], xs[part].p[3]);
          }
        }
      }
    }
  }

  constexpr int Sums = Weights * Columns * MPad;
  for (int round = 0; round < Rounds; ++round) {
    const int group = (warp + round * Warps) / Slices, slice = (warp + round * Warps) % Slices;
    if (group >= Groups)
      break;
    for (int w = 0; w < Weights; ++w)
      for (int part = 0; part < MPad / 8; ++part)
        for (int i = 0; i < 4; ++i)
          parts[slice * Sums + (w * Columns + group * 16 + g + i / 2 * 8) * MPad + part * 8 + t * 2 + i % 2] =
              acc[round][w][part][i];
  }
  __syncthreads();
  // Slices are added one after the other, so that the order is always the same.
  if constexpr (Slices > 1) {
    for (int i = threadIdx.x; i < Sums; i += Threads) {
      float sum = parts[i];
      for (int slice = 1; slice < Slices; ++slice)
        sum += parts[slice * Sums + i];
      sums[i] = sum;
    }
    __syncthreads();
  }
}

/// The same for element types that the tensor cores do not multiply here, or a K that is no multiple of 8: a warp a
/// column, f32 products.
template <int M, int K, int Columns, int Weights, int Threads, typename W, typename X>
__device__ inline void plainMatmul(const W *const (&weights)[Weights], int column, int end, X x, float *acc) {
  constexpr int MPad = (M + 7) / 8 * 8, Warps = Threads / 32;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int c = warp; c < Columns && column + c < end; c += Warps)
    for (int w = 0; w < Weights; ++w)
      for (int first = 0; first < M; first += 8) {
        float sums[8] = {};
        for (int k = lane; k < K; k += 32) {
          float weight = load(weights[w], int64_t(column + c) * K + k);
          for (int m = 0; m < 8; ++m)
            if (first + m < M)
              sums[m] = fmaf(x(first + m, k), weight, sums[m]);
        }
        for (int m = 0; m < 8; ++m) {
          float sum = warpSum(sums[m]);
          if (lane == 0 && first + m < M)
            acc[(w * Columns + c) * MPad + first + m] = sum;
        }
      }
  __syncthreads();
}
