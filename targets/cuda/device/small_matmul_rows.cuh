// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// How the rows of x that a block of a SmallMatmul multiplies come to its shared memory.
#pragma once
#include "async.cuh"
#include "matmul_operands.cuh"

/// A piece is 256 elements of a row, 8 of each lane of a warp.
template <typename Matmul> struct SmallMatmulRows {
  static constexpr int M = Matmul::M, PartK = Matmul::PartK, XStride = Matmul::XStride, Pieces = Matmul::Pieces,
                       Octets = Matmul::Octets, Warps = Matmul::Warps, Sharers = Matmul::Sharers,
                       Blocks = Matmul::Blocks;
  static constexpr bool IsNormed = Matmul::IsNormed;

  const Matmul &matmul;

  /// Through registers.
  template <typename X> __device__ void load(const X &rows) const {
#pragma unroll 8
    for (int task = Matmul::warp(); task < M * Pieces; task += Warps) {
      const int m = task / Pieces, k = task % Pieces * 256 + Matmul::lane() * 8;
      float square = 0.0f;
      if (k < PartK)
        *reinterpret_cast<uint4 *>(matmul.x() + m * XStride + k) = rows.loadEight(m, matmul.split * PartK + k, square);
      if constexpr (X::kIsNormed) {
        square = warpSum(square);
        if (Matmul::lane() == 0)
          matmul.squares()[task] = square;
      }
    }
    __syncthreads();
  }

  /// The same of rows that become f16. All loads of a batch come before the first is needed.
  template <typename X> __device__ void loadHalves(const X &rows) const {
    constexpr int All = (M * Pieces + Warps - 1) / Warps, Batch = All < 4 ? All : 4;
#pragma unroll 1
    for (int first = 0; first < All; first += Batch) {
      uint4 eight[Batch];
      float squares[Batch] = {};
#pragma unroll
      for (int i = 0; i < Batch; ++i) {
        const int task = Matmul::warp() + (first + i) * Warps, m = task / Pieces,
                  k = task % Pieces * 256 + Matmul::lane() * 8;
        eight[i] = {0, 0, 0, 0};
        if (task < M * Pieces && k < PartK)
          eight[i] = rows.loadEight(m, matmul.split * PartK + k, squares[i]);
      }
#pragma unroll
      for (int i = 0; i < Batch; ++i) {
        const int task = Matmul::warp() + (first + i) * Warps, m = task / Pieces,
                  k = task % Pieces * 256 + Matmul::lane() * 8;
        if (task >= M * Pieces)
          break;
        if constexpr (X::kIsNormed) {
          const float square = warpSum(squares[i]);
          if (Matmul::lane() == 0)
            matmul.squares()[task] = square;
        }
        keepPiece(eight[i], m, task % Pieces, k);
      }
    }
    __syncthreads();
  }

  /// Makes f16 of the rows that were copied.
  template <typename X> __device__ void scale(const X &rows) const {
    bool isScaled = false;
    if constexpr (IsNormed)
      isScaled = rows.weight != nullptr;
#pragma unroll 4
    for (int task = Matmul::warp(); task < M * Pieces; task += Warps) {
      const int m = task / Pieces, k = task % Pieces * 256 + Matmul::lane() * 8;
      uint4 eight = {0, 0, 0, 0};
      if (k < PartK)
        eight = *reinterpret_cast<const uint4 *>(matmul.x() + m * XStride + k);
      if constexpr (IsNormed) {
        const Pairs pairs = toPairs(eight);
        float square = 0.0f;
        for (uint32_t pair : pairs.p) {
          const float low = __uint_as_float(pair << 16), high = __uint_as_float(pair & 0xffff0000u);
          square = fmaf(low, low, fmaf(high, high, square));
        }
        square = warpSum(square);
        if (Matmul::lane() == 0)
          matmul.squares()[task] = square;
        if (isScaled && k < PartK) {
          const Pairs all = scaled(pairs, loadSharedPairs(matmul.scales() + k));
          eight = {all.p[0], all.p[1], all.p[2], all.p[3]};
        }
      }
      keepPiece(eight, m, task % Pieces, k);
    }
    __syncthreads();
  }

  /// Starts the copies of this block's share of the rows, and of the norm's weight.
  template <typename X> __device__ void copy(const X &rows) const {
    // The barriers of the others are ready.
    if constexpr (Blocks > 1)
      waitForCluster();
    if (Matmul::warp() > 0)
      return;
    const bf16 *weight = nullptr;
    if constexpr (IsNormed)
      weight = rows.weight;
    if (Matmul::lane() == 0) {
      expectBytes(matmul.barrierOfX(), (M * PartK + (weight ? PartK : 0)) * 2);
      if (weight)
        copyBulk(matmul.scales(), weight + matmul.split * PartK, PartK * 2, matmul.barrierOfX());
    }
    __syncwarp();
    // Clusters begin with different rows, so that the cache is not asked for the same ones by all at once.
    constexpr int OwnRows = (M + Sharers - 1) / Sharers;
    for (int i = Matmul::lane(); i < OwnRows; i += 32)
      if (const int m = (i + blockIdx.x / Blocks) % OwnRows * Sharers + matmul.share; m < M) {
        const bf16 *from = rows.stored().at(m, matmul.split * PartK);
        if constexpr (Sharers > 1)
          copyBulkToMany(matmul.x() + m * XStride, from, PartK * 2, matmul.barrierOfX(),
                         ((1 << Sharers) - 1) << matmul.split * Sharers);
        else
          copyBulk(matmul.x() + m * XStride, from, PartK * 2, matmul.barrierOfX());
      }
  }

private:
  /// Leaves a piece of row m, of which this thread has eight elements from k on, as f16.
  __device__ void keepPiece(uint4 eight, int m, int piece, int k) const {
    const float factor = scaleToF16(eight);
    if (k < PartK)
      *reinterpret_cast<uint4 *>(matmul.x() + m * XStride + k) = eight;
    if (Matmul::lane() == 0)
      matmul.factors()[piece * Octets * 8 + m] = factor;
  }
};
