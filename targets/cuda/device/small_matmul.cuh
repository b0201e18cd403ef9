// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A matmul of up to 64 rows, whose time is that of reading the weights. The weight is the left operand of mma.m16n8k16:
// 16 of its rows (columns of the result) by 8 rows of x. The order of K within a step is free, so a thread's 16 bytes
// of a weight row serve two steps, and x is read in the same order.
//
// Each warp brings its own weights to shared memory by bulk copies, the first of them before the kernel waits for x;
// no barrier of the block is between the weights and the products.
#pragma once
#include "async.cuh"

/// Eight elements of a weight row as four pairs of bf16.
struct Pairs {
  uint32_t p[4];
};
__device__ inline Pairs toPairs(uint4 v) { return {{v.x, v.y, v.z, v.w}}; }
/// E4M3 is exact in bf16.
__device__ inline Pairs toPairs(uint2 v) {
  Pairs pairs;
  for (int i = 0; i < 4; ++i) {
    const float2 two = unpackF8(v, i);
    pairs.p[i] = packBf16(two.x, two.y);
  }
  return pairs;
}
__device__ inline Pairs loadPairs(const bf16 *p) { return toPairs(loadStream(p)); }
__device__ inline Pairs loadPairs(const f8 *p) { return toPairs(loadStream8(p)); }
__device__ inline Pairs loadSharedPairs(const bf16 *p) { return toPairs(*reinterpret_cast<const uint4 *>(p)); }
__device__ inline Pairs loadSharedPairs(const f8 *p) { return toPairs(*reinterpret_cast<const uint2 *>(p)); }

//===--- x ------------------------------------------------------------------===//

/// Rows of K elements in memory: row `ids[m]`, or m where there are no ids.
template <int K> struct StoredRows {
  const bf16 *p;
  const int32_t *ids;
  static constexpr bool kIsNormed = false;
  __device__ const bf16 *at(int m, int k) const { return p + int64_t(ids ? ids[m] : m) * K + k; }
  __device__ uint4 loadEight(int m, int k, float &) const { return *reinterpret_cast<const uint4 *>(at(m, k)); }
};

/// The same under an RMS norm. Each row is only multiplied by the norm's weight here (1 where that is null); its factor
/// 1 / rms multiplies the products, so nobody waits for the sum of squares before.
template <int K, typename T> struct NormedRows {
  StoredRows<K> rows;
  const T *weight;
  float epsilon;
  static constexpr bool kIsNormed = true;
  __device__ uint4 loadEight(int m, int k, float &squares) const {
    float x[8], scale[8];
    ::loadEight(rows.at(m, k), x);
    if (weight)
      ::loadEight(weight + k, scale);
    for (int i = 0; i < 8; ++i) {
      squares = fmaf(x[i], x[i], squares);
      if (weight)
        x[i] *= scale[i];
    }
    return {packBf16(x[0], x[1]), packBf16(x[2], x[3]), packBf16(x[4], x[5]), packBf16(x[6], x[7])};
  }
  __device__ float scale(float squares) const { return rsqrtf(squares / K + epsilon); }
};

/// Rows that `function(m, k)` computes, in f32.
template <typename Function> struct ComputedRows {
  Function function;
  static constexpr bool kIsNormed = false;
  __device__ uint4 loadEight(int m, int k, float &) const {
    float x[8];
    for (int i = 0; i < 8; ++i)
      x[i] = function(m, k + i);
    return {packBf16(x[0], x[1]), packBf16(x[2], x[3]), packBf16(x[4], x[5]), packBf16(x[6], x[7])};
  }
};
template <typename Function> ComputedRows(Function) -> ComputedRows<Function>;

//===--- The epilogue --------------------------------------------------------===//

/// Four neighbouring elements, aligned to all of them.
template <typename T> __device__ inline void storeFour(T *p, int64_t i, float a, float b, float c, float d) {
  if constexpr (sizeof(T) == 4)
    *reinterpret_cast<float4 *>(p + i) = {a, b, c, d};
  else if constexpr (sizeof(T) == 2)
    *reinterpret_cast<uint2 *>(p + i) = {uint32_t(to<T>(a).bits) | uint32_t(to<T>(b).bits) << 16,
                                         uint32_t(to<T>(c).bits) | uint32_t(to<T>(d).bits) << 16};
  else
    *reinterpret_cast<uint32_t *>(p + i) = uint32_t(to<T>(a).bits) | uint32_t(to<T>(b).bits) << 8 |
                                           uint32_t(to<T>(c).bits) << 16 | uint32_t(to<T>(d).bits) << 24;
}

/// What becomes of the products at (m, n): `compute(m, n, acc, values)` makes `Results` numbers of them, `put(m, n,
/// values)` stores them, `putFour` those of n to n + 3 where `HasFours`: rows are multiples of four elements. A thread
/// computes several elements before it stores the first, so that it waits for what they read once.
template <int Results, bool HasFours, typename Compute, typename Put, typename PutFour> struct Epilogue {
  static constexpr int kResults = Results;
  static constexpr bool kHasFours = HasFours;
  Compute compute;
  Put put;
  PutFour putFour;
  template <int Weights> __device__ void operator()(int m, int n, const float (&acc)[Weights]) const {
    float values[Results];
    compute(m, n, acc, values);
    put(m, n, values);
  }
};

//===--- The product ---------------------------------------------------------===//

/// The columns [column, end) of `Weights` products of M rows of x, by a block: acc[w] = sum_k x(m, k) weights[w][n, k].
///
/// Columns are taken in groups of `GroupColumns`, 8 or 16, `Groups` of them a block; a warp has a group at a time, or a
/// slice of K of it where `Slices` warps share one. The blocks of a cluster, `Splits`, divide K before that. Weights
/// pass through `Stages` stages of `StageK` elements of K a warp. K is a multiple of 8, of 16 if weights are bytes;
/// where it is divided, and StageK, multiples of 32.
template <int M_, int K_, int GroupColumns_, int Weights_, int Groups_, int Slices_, int Splits_, int Warps_,
          int StageK_, int Stages_, typename W_>
struct SmallMatmul {
  using W = W_;
  static constexpr int M = M_, K = K_, GroupColumns = GroupColumns_, Weights = Weights_, Groups = Groups_,
                       Slices = Slices_, Splits = Splits_, Warps = Warps_, StageK = StageK_, Stages = Stages_;
  static constexpr int Rows = GroupColumns * Weights, Tiles = (Rows + 15) / 16, Octets = (M + 7) / 8;
  static constexpr int PartK = K / Splits, SliceK = PartK / Slices, Chunks = (SliceK + StageK - 1) / StageK;
  static constexpr int Rounds = (Groups * Slices + Warps - 1) / Warps, Items = Rounds * Chunks;
  static constexpr bool IsReduced = Slices > 1 || Splits > 1;
  // Eight rows of a quarter of a warp's reads lie in different banks.
  static constexpr int RowBytes = (StageK + 32) * sizeof(W), StageBytes = Rows * RowBytes,
                       RingBytes = Stages * StageBytes;
  static constexpr int XStride = PartK + 32, Pieces = (PartK + 255) / 256;
  static constexpr int PartStride = Rows + 4; // floats of one row of x
  static constexpr int BarrierBytes = (Warps * Stages * 8 + 127) / 128 * 128;
  // In the last round no more weights come, so that the sums of the only one may take their place.
  static constexpr int PartBytes = IsReduced && (Rounds > 1 || PartStride * M * 4 > RingBytes) ? PartStride * M * 4 : 0;
  /// What the block needs: barriers, stages, x, sums of squares, sums of each warp.
  static constexpr int SharedBytes =
      BarrierBytes + Warps * RingBytes + M * XStride * 2 + M * Pieces * 4 + Warps * PartBytes;
  static_assert(Warps % Slices == 0);

  uint8_t *shared;
  const W *weights[Weights];
  int column, end, rank; // rank: of the block in its cluster

  __device__ static int lane() { return threadIdx.x % 32; }
  __device__ static int warp() { return threadIdx.x / 32; }
  __device__ uint64_t *barriers() const { return reinterpret_cast<uint64_t *>(shared) + warp() * Stages; }
  __device__ uint8_t *ring(int warp) const { return shared + BarrierBytes + warp * RingBytes; }
  __device__ bf16 *x() const { return reinterpret_cast<bf16 *>(ring(Warps)); }
  __device__ float *squares() const { return reinterpret_cast<float *>(x() + M * XStride); }
  __device__ float *part(int warp) const {
    return PartBytes ? squares() + M * Pieces + warp * PartBytes / 4 : reinterpret_cast<float *>(ring(warp));
  }
  __device__ static int groupOf(int round) { return warp() / Slices + round * (Warps / Slices); }

  /// Begins to bring the first weights; nothing but weights is touched.
  __device__ void start() {
    if (lane() == 0) {
      for (int stage = 0; stage < Stages; ++stage)
        initBarrier(barriers() + stage, 1);
      fenceBarriers();
    }
    __syncwarp();
    for (int item = 0; item < Stages && item < Items; ++item)
      fetch(item);
  }

  /// Brings x to shared memory, for all warps.
  template <typename X> __device__ void stage(const X &rows) {
#pragma unroll 8
    for (int task = warp(); task < M * Pieces; task += Warps) {
      const int m = task / Pieces, k = task % Pieces * 256 + lane() * 8;
      float square = 0.0f;
      if (k < PartK)
        *reinterpret_cast<uint4 *>(x() + m * XStride + k) = rows.loadEight(m, rank * PartK + k, square);
      if constexpr (X::kIsNormed) {
        square = warpSum(square);
        if (lane() == 0)
          squares()[task] = square;
      }
    }
    __syncthreads();
  }

  /// `epilogue(m, n, acc)` for every element of the block's columns.
  template <typename X, typename Epilogue> __device__ void run(const X &rows, Epilogue epilogue) {
    // More chains of products than one: each waits for its last.
    constexpr int Chains = Tiles * Octets < 4 ? 2 : 1;
    const int t = lane() % 4, slice = warp() % Slices;
    for (int round = 0; round < Rounds; ++round) {
      const int group = groupOf(round);
      if (group < Groups) {
        float acc[Chains][Tiles][Octets][4] = {};
        for (int chunk = 0; chunk < Chunks; ++chunk) {
          const int item = round * Chunks + chunk, size = sizeOf(chunk);
          const bf16 *xs = x() + slice * SliceK + chunk * StageK;
          const uint8_t *stage = ring(warp()) + item % Stages * StageBytes;
          waitFor(barriers() + item % Stages, item / Stages % 2);
#pragma unroll 4
          for (int k = 0; k < size; k += 32)
            multiply(acc, xs + k + t * 8, stage + (k + t * 8) * sizeof(W), SliceK % 32 == 0 || k + t * 8 < size);
          __syncwarp();
          if (item + Stages < Items)
            fetch(item + Stages);
        }
        for (int i = 0; Chains > 1 && i < Tiles * Octets * 4; ++i)
          acc[0][i / (Octets * 4)][i / 4 % Octets][i % 4] += acc[Chains - 1][i / (Octets * 4)][i / 4 % Octets][i % 4];
        if constexpr (IsReduced)
          keep(acc[0]);
        else
          finish(rows, acc[0], column + group * GroupColumns, epilogue);
      }
      if constexpr (IsReduced) {
        syncAll();
        reduce(rows, round, epilogue);
        if (Splits > 1 || round < Rounds - 1)
          syncAll(); // others still read
      }
    }
  }

private:
  __device__ static int sizeOf(int chunk) { return chunk == Chunks - 1 ? SliceK - (Chunks - 1) * StageK : StageK; }

  __device__ static void syncAll() {
    if constexpr (Splits > 1)
      syncCluster();
    else
      __syncthreads();
  }

  __device__ void fetch(int item) {
    const int group = groupOf(item / Chunks), chunk = item % Chunks, stage = item % Stages;
    if (group >= Groups)
      return;
    const int first = column + group * GroupColumns, columns = min(max(end - first, 0), GroupColumns);
    const int k = chunk * StageK, bytes = sizeOf(chunk) * int(sizeof(W));
    if (lane() == 0)
      expectBytes(barriers() + stage, columns * Weights * bytes);
    __syncwarp();
    const int64_t from = int64_t(first) * K + rank * PartK + warp() % Slices * SliceK + k;
    uint8_t *to = ring(warp()) + stage * StageBytes;
    for (int w = 0; w < Weights; ++w)
      if (lane() < columns)
        copyBulk(to + (w * GroupColumns + lane()) * RowBytes, weights[w] + from + int64_t(lane()) * K, bytes,
                 barriers() + stage);
  }

  template <int Chains>
  __device__ void multiply(float (&acc)[Chains][Tiles][Octets][4], const bf16 *xs, const uint8_t *stage, bool inside) {
    const int g = lane() / 4;
    Pairs x[Octets];
    for (int octet = 0; octet < Octets; ++octet)
      x[octet] = inside && octet * 8 + g < M ? loadSharedPairs(xs + (octet * 8 + g) * XStride) : Pairs{{0, 0, 0, 0}};
    for (int tile = 0; tile < Tiles; ++tile) {
      const uint8_t *row = stage + (tile * 16 + g) * RowBytes;
      Pairs low{{0, 0, 0, 0}}, high{{0, 0, 0, 0}};
      if (inside)
        low = loadSharedPairs(reinterpret_cast<const W *>(row));
      if (inside && tile * 16 + 8 < Rows)
        high = loadSharedPairs(reinterpret_cast<const W *>(row + 8 * RowBytes));
      const uint32_t even[4] = {low.p[0], high.p[0], low.p[1], high.p[1]};
      const uint32_t odd[4] = {low.p[2], high.p[2], low.p[3], high.p[3]};
      for (int octet = 0; octet < Octets; ++octet) {
        cores::multiply<bf16>(acc[0][tile][octet], even, x[octet].p[0], x[octet].p[1]);
        cores::multiply<bf16>(acc[Chains - 1][tile][octet], odd, x[octet].p[2], x[octet].p[3]);
      }
    }
  }

  /// What the row's products are multiplied by.
  template <typename X> __device__ float scaleOf(const X &rows, int m) const {
    if constexpr (X::kIsNormed) {
      float sum = 0.0f;
      for (int split = 0; split < Splits; ++split)
        for (int piece = 0; piece < Pieces; ++piece) {
          const float *square = squares() + m * Pieces + piece;
          sum += Splits > 1 ? loadRemote(square, split) : *square;
        }
      return rows.scale(sum);
    }
    return 1.0f;
  }

  template <typename X, typename Epilogue>
  __device__ void finish(const X &rows, const float (&acc)[Tiles][Octets][4], int first, Epilogue epilogue) {
    const int g = lane() / 4, t = lane() % 4;
    constexpr int Columns = GroupColumns / 8;
    for (int octet = 0; octet < Octets; ++octet) {
      float values[2][Columns][Epilogue::kResults];
      for (int i = 0; i < 2; ++i) {
        const int m = octet * 8 + t * 2 + i;
        const float scale = m < M ? scaleOf(rows, m) : 0.0f;
        for (int c = 0; c < Columns; ++c) {
          float sums[Weights];
          for (int w = 0; w < Weights; ++w) {
            const int half = w * Columns + c;
            sums[w] = acc[half / 2][octet][half % 2 * 2 + i] * scale;
          }
          if (m < M && first + c * 8 + g < end)
            epilogue.compute(m, first + c * 8 + g, sums, values[i][c]);
        }
      }
      for (int i = 0; i < 2; ++i)
        for (int c = 0; c < Columns; ++c)
          if (const int m = octet * 8 + t * 2 + i; m < M && first + c * 8 + g < end)
            epilogue.put(m, first + c * 8 + g, values[i][c]);
    }
  }

  /// Leaves the warp's sums for the others.
  __device__ void keep(const float (&acc)[Tiles][Octets][4]) {
    const int g = lane() / 4, t = lane() % 4;
    for (int half = 0; half < Rows / 8; ++half)
      for (int octet = 0; octet < Octets; ++octet)
        for (int i = 0; i < 2; ++i)
          if (const int m = octet * 8 + t * 2 + i; m < M)
            part(warp())[m * PartStride + half * 8 + g] = acc[half / 2][octet][half % 2 * 2 + i];
  }

  /// Adds the slices of a round's groups one after the other, so that the order is always the same; the blocks of a
  /// cluster divide the elements.
  template <typename X, typename Epilogue> __device__ void reduce(const X &rows, int round, Epilogue epilogue) {
    constexpr int GroupsOfRound = Rounds == 1 ? Groups : Warps / Slices, Columns = GroupsOfRound * GroupColumns;
    const int first = column + round * Columns;
    constexpr int Step = Warps * 32 * Splits, All = (M * Columns + Step - 1) / Step, Batch = All < 4 ? All : 4;
    for (int j = 0; j < All; j += Batch) {
      float values[Batch][Epilogue::kResults];
      auto place = [&](int k, int &m, int &c) {
        const int i = threadIdx.x + rank * Warps * 32 + (j + k) * Step;
        m = i / Columns, c = i % Columns;
        return m < M && first + c < end;
      };
#pragma unroll
      for (int k = 0; k < Batch; ++k) {
        int m, c;
        if (!place(k, m, c))
          continue;
        float sums[Weights] = {};
#pragma unroll
        for (int split = 0; split < Splits; ++split)
#pragma unroll
          for (int slice = 0; slice < Slices; ++slice)
            for (int w = 0; w < Weights; ++w) {
              const float *sum =
                  part(c / GroupColumns * Slices + slice) + m * PartStride + w * GroupColumns + c % GroupColumns;
              sums[w] += Splits > 1 ? loadRemote(sum, split) : *sum;
            }
        const float scale = scaleOf(rows, m);
        for (float &sum : sums)
          sum *= scale;
        epilogue.compute(m, first + c, sums, values[k]);
      }
#pragma unroll
      for (int k = 0; k < Batch; ++k)
        if (int m, c; place(k, m, c))
          epilogue.put(m, first + c, values[k]);
    }
  }
};

/// The same for element types that the tensor cores do not multiply here, or a K that is no multiple of 32: a warp a
/// column, f32 products of what x(m, k) computes.
template <int M, int K, int Weights, int Threads, typename W, typename X, typename Epilogue>
__device__ inline void plainMatmul(const W *const (&weights)[Weights], int column, int end, X x, Epilogue epilogue) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int n = column + warp; n < end; n += Threads / 32)
    for (int first = 0; first < M; first += 8) {
      float sums[8][Weights] = {};
      for (int k = lane; k < K; k += 32)
        for (int w = 0; w < Weights; ++w) {
          const float weight = load(weights[w], int64_t(n) * K + k);
          for (int m = 0; m < 8; ++m)
            if (first + m < M)
              sums[m][w] = fmaf(x(first + m, k), weight, sums[m][w]);
        }
      for (int m = 0; m < 8; ++m) {
        for (int w = 0; w < Weights; ++w)
          sums[m][w] = warpSum(sums[m][w]);
        if (lane == 0 && first + m < M)
          epilogue(first + m, n, sums[m]);
      }
    }
}
