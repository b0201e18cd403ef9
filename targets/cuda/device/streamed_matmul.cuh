// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A matmul of up to 16 rows by codes of many columns: weights stream through rings of shared memory, one a warp, filled
// by tensor maps. What is copied before the kernel waits for x is paced. More on its way than memory needs to be busy
// delays x behind it, and the kernel before, which still runs.
//
// As in SmallMatmul the weight is the left operand of mma.m16n8k16, codes are multiplied as f16, and x is made f16.
#pragma once
#include "epilogue.cuh"
#include "matmul_operands.cuh"
#include "tensor_map.cuh"

/// `epilogue(m, n, acc)` for the columns [column, end) of `Weights` products of M rows of x, by a block: acc[w] = sum_k
/// x(m, k) weights[w][n, k].
///
/// Columns are taken in groups of `GroupColumns`, a multiple of 16, `Groups` of them one after the other. All warps
/// work on a group: of every `Warps` times 128 elements of K a warp has 128. The blocks of a cluster, `Splits`, divide
/// K before that, and each adds up a part of the columns in the end. K is a multiple of 128 times the warps and splits.
///
/// A box of a map is 128 elements of 16 rows of a weight; a warp has `Stages` of them in shared memory, `Window` on
/// their way before the wait at the most, and `Held` of the first in registers, which leaves their places to others.
///
/// A warp multiplies its own part of x alone, so it brings that by itself, and no barrier comes between x and the
/// products: up to two rows lie in shared memory, more in registers, each thread's as its products take them.
template <int M_, int K_, int GroupColumns_, int Weights_, int Groups_, int Splits_, int Warps_, int Stages_,
          int Window_, int Held_>
struct StreamedMatmul {
  static constexpr int M = M_, K = K_, GroupColumns = GroupColumns_, Weights = Weights_, Groups = Groups_,
                       Splits = Splits_, Warps = Warps_, Stages = Stages_, Window = Window_, Held = Held_;
  static constexpr int BoxRows = 16, BoxK = 128, BoxBytes = BoxRows * BoxK;
  static constexpr int Tiles = GroupColumns * Weights / 16, Octets = (M + 7) / 8, Threads = Warps * 32;
  static constexpr int PartK = K / Splits, SliceK = PartK / Warps, Steps = SliceK / BoxK;
  static constexpr int GroupBoxes = Steps * Tiles, Boxes = Groups * GroupBoxes;
  static constexpr bool KeepsX = M > 2; // in registers
  static constexpr int XStride = KeepsX ? 80 : SliceK + 16;
  static constexpr int Columns = Groups * GroupColumns, OwnColumns = Columns / Splits;
  static constexpr int PartStride = Tiles * 16 + 4; // floats of one row of x
  // Two, so that one barrier a group is enough. Rows of x pass through them first.
  static constexpr int Buffers = Groups > 1 ? 2 : 1, BufferFloats = PartStride * M,
                       WarpFloats = KeepsX && Buffers * BufferFloats < M * XStride / 2 ? M * XStride / 2
                                                                                       : Buffers * BufferFloats;
  static constexpr int BarrierBytes = 1024, XBytes = KeepsX ? 0 : Warps * M * XStride * 2;
  static constexpr int ReceivedFloats = Splits > 1 ? Columns * Weights * M : 0;
  /// What the block needs: barriers, stages, x, scales of columns, sums of warps and of other blocks, sums of squares.
  static constexpr int SharedBytes =
      BarrierBytes + Warps * Stages * BoxBytes + XBytes +
      (Columns * Weights + Warps * WarpFloats + ReceivedFloats + (Splits + Warps) * M) * 4;
  static_assert(GroupColumns % 16 == 0 && PartK % (Warps * BoxK) == 0 && Columns % (2 * Splits) == 0 && M <= 16);
  static_assert(Warps * Stages * 8 <= BarrierBytes && Window <= Stages && Stages <= Boxes);
  static_assert(Held == 0 || (Groups == 1 && Held <= Stages && Held + Stages <= Boxes));

  uint8_t *shared; // aligned to 1024 bytes
  const TensorMap *weights[Weights];
  int column, end;
  int split; // which part of K the block has in its cluster
  uint32_t held[Held ? Held : 1][4][4];

  __device__ static int lane() { return threadIdx.x % 32; }
  __device__ static int warp() { return threadIdx.x / 32; }

  /// Begins to bring weights; nothing else is touched.
  __device__ void start() {
    if (lane() == 0) {
      for (int stage = 0; stage < Stages; ++stage)
        initBarrier(full(stage), 1);
      fenceBarriers();
      for (int box = 0; box < Window; ++box)
        fetch(box);
    }
    __syncwarp();
    if constexpr (Splits > 1)
      arriveInCluster();
  }

  /// Brings as many more as there is room for, as they come.
  __device__ void fill() {
    if (lane() == 0) {
#pragma unroll 1
      for (int box = Window; box < Stages; ++box) {
        waitFor(full(box - Window), 0);
        fetch(box);
      }
    }
    __syncwarp();
#pragma unroll
    for (int box = 0; box < Held; ++box) {
      waitFor(full(box), 0);
      loadCodes(held[box], box);
      refill(box);
    }
  }

  /// Begins to bring what multiplies the columns of a weight, for columnScale(). Pairs of columns: their number is
  /// even.
  __device__ void fetchScales(int weight, const float *scales) {
    for (int c = threadIdx.x * 2; c < Columns; c += Threads * 2)
      cores::copyAsync<8>(columnScales() + weight * Columns + c, scales + column + c, column + c < end);
    cores::commitCopies();
  }
  __device__ float columnScale(int weight, int n) const { return columnScales()[weight * Columns + n - column]; }

  /// Asks for the block's share of the rows at p, one of `blocks`, to be brought to the cache that all blocks read
  /// through. May come before the kernel waits, whoever writes there meanwhile: nothing is read.
  __device__ static void prefetchRows(const bf16 *p, int block, int blocks) {
    const int lines = (M * K * 2 + 127) / 128, share = (lines + blocks - 1) / blocks;
    for (int i = threadIdx.x; i < share && block * share + i < lines; i += Threads)
      prefetchToCache(p + (block * share + i) * 64);
  }

  template <typename X, typename Epilogue> __device__ void run(const X &rows, Epilogue epilogue) {
    // More chains of products than one: each waits for its last.
    constexpr int Chains = Tiles * Octets < 4 ? 2 : 1;
    const int g = lane() / 4, t = lane() % 4;
    uint32_t kept[KeepsX ? Octets : 1][KeepsX ? Steps : 1][16];
    float2 factors[Octets]; // of rows t * 2 and t * 2 + 1 of an octet
    if constexpr (KeepsX)
      keepRows(rows, kept, factors);
    else
      stageRows(rows, factors[0]);
    cores::waitForCopies(); // a barrier of the block follows
    int stage = 0, phase = 0;
#pragma unroll 1
    for (int group = 0; group < Groups; ++group) {
      float acc[Chains][Tiles][Octets][4] = {};
#pragma unroll
      for (int step = 0; step < Steps; ++step) {
        uint32_t x[Octets][16];
#pragma unroll
        for (int octet = 0; octet < Octets; ++octet)
#pragma unroll
          for (int c = 0; c < 8; ++c)
            if constexpr (KeepsX) {
              x[octet][c * 2] = kept[octet][step][c * 2], x[octet][c * 2 + 1] = kept[octet][step][c * 2 + 1];
            } else {
              uint2 four = {0, 0};
              if (g < M)
                four = *reinterpret_cast<const uint2 *>(xOfWarp() + g * XStride + step * BoxK + c * 16 + t * 4);
              x[octet][c * 2] = four.x, x[octet][c * 2 + 1] = four.y;
            }
#pragma unroll
        for (int tile = 0; tile < Tiles; ++tile) {
          constexpr int Last = Held ? Held - 1 : 0;
          const int box = step * Tiles + tile;
          uint32_t codes[4][4];
          if (box < Held) {
#pragma unroll
            for (int i = 0; i < 16; ++i)
              codes[i / 4][i % 4] = held[box < Held ? box : Last][i / 4][i % 4];
          } else {
            waitFor(full(stage), phase);
            loadCodes(codes, stage);
          }
#pragma unroll
          for (int j = 0; j < 8; ++j) {
            const uint32_t low = codes[j / 2][j % 2 * 2], high = codes[j / 2][j % 2 * 2 + 1];
            const uint32_t a[4] = {widenLow(low), widenLow(high), widenHigh(low), widenHigh(high)};
#pragma unroll
            for (int octet = 0; octet < Octets; ++octet)
              cores::multiply<f16>(acc[j % Chains][tile][octet], a, x[octet][2 * j], x[octet][2 * j + 1]);
          }
          if (box >= Held)
            refill(group * GroupBoxes + box);
          if (++stage == Stages)
            stage = 0, phase ^= 1;
        }
      }
#pragma unroll
      for (int i = 0; Chains > 1 && i < Tiles * Octets * 4; ++i)
        acc[0][i / (Octets * 4)][i / 4 % Octets][i % 4] += acc[Chains - 1][i / (Octets * 4)][i / 4 % Octets][i % 4];
      keepSums(acc[0], factors, group);
      __syncthreads();
      reduce(rows, group, epilogue);
    }
    if constexpr (Splits > 1)
      finish(rows, epilogue);
  }

private:
  __device__ uint64_t *full(int stage) const { return reinterpret_cast<uint64_t *>(shared) + warp() * Stages + stage; }
  __device__ uint8_t *stageAt(int stage) const { return shared + BarrierBytes + (warp() * Stages + stage) * BoxBytes; }
  __device__ bf16 *xOfWarp() const {
    return reinterpret_cast<bf16 *>(shared + BarrierBytes + Warps * Stages * BoxBytes) + warp() * M * XStride;
  }
  __device__ float *columnScales() const {
    return reinterpret_cast<float *>(shared + BarrierBytes + Warps * Stages * BoxBytes + XBytes);
  }
  __device__ float *sumsOf(int warp, int group) const {
    return columnScales() + Columns * Weights + warp * WarpFloats + group % Buffers * BufferFloats;
  }
  /// Of the block's own columns, from each block of the cluster.
  __device__ float *received(int from, int weight, int m) const {
    return sumsOf(Warps, 0) + ((from * Weights + weight) * M + m) * OwnColumns;
  }
  /// Sums of squares of row m: of each warp, and of each block of the cluster.
  __device__ float *squaresOfWarp(int m, int warp) const {
    return sumsOf(Warps, 0) + ReceivedFloats + m * Warps + warp;
  }
  __device__ float *squaresOfBlock(int m, int block) const { return squaresOfWarp(M, 0) + m * Splits + block; }

  /// Where element i of the warp's part is in a row.
  __device__ int placeOf(int i) const { return split * PartK + (i / BoxK * Warps + warp()) * BoxK + i % BoxK; }

  /// By one thread of the warp.
  __device__ void fetch(int box) {
    const int group = box / GroupBoxes, step = box % GroupBoxes / Tiles, row = box % Tiles * BoxRows,
              stage = box % Stages;
    const TensorMap *map = weights[0];
#pragma unroll
    for (int w = 1; w < Weights; ++w)
      map = row / GroupColumns == w ? weights[w] : map;
    expectBytes(full(stage), BoxBytes);
    copyBox(stageAt(stage), map, column + group * GroupColumns + row % GroupColumns, placeOf(step * BoxK), full(stage));
  }
  /// Behind the reads of a box: brings another in its place.
  __device__ void refill(int box) {
    if (box + Stages >= Boxes)
      return;
    __syncwarp();
    if (lane() == 0) {
      fenceReads();
      fetch(box + Stages);
    }
  }

  /// The codes of a box as the left operands of eight products of 16 elements of K: of rows g and g + 8 each four codes
  /// from 4 t on of one 16-byte piece of the row, and of the next.
  __device__ void loadCodes(uint32_t (&codes)[4][4], int stage) const {
    const int row = lane() % 16;
    const uint8_t *from = stageAt(stage) + row * BoxK;
#pragma unroll
    for (int pair = 0; pair < 4; ++pair)
      cores::loadMatrices<false>(codes[pair], from + ((pair * 2 + lane() / 16) ^ (row % 8)) * 16);
  }
  __device__ static uint32_t widenLow(uint32_t four) { return cores::widenPair<f16>(uint16_t(four)); }
  __device__ static uint32_t widenHigh(uint32_t four) { return cores::widenPair<f16>(uint16_t(four >> 16)); }

  /// Rows in shared memory, as f16. A row's part of the warp has one power of two that brings it into f16's range.
  template <typename X> __device__ void stageRows(const X &rows, float2 &factors) {
    constexpr int Eights = (SliceK + 255) / 256; // of a lane
    uint4 eight[M][Eights];
    float squares[M] = {};
#pragma unroll
    for (int m = 0; m < M; ++m)
#pragma unroll
      for (int i = 0; i < Eights; ++i) {
        const int k = (i * 32 + lane()) * 8;
        eight[m][i] = {0, 0, 0, 0};
        if (SliceK % 256 == 0 || k < SliceK)
          eight[m][i] = rows.loadEight(m, placeOf(k), squares[m]);
      }
    factors = {1.0f, 1.0f};
#pragma unroll
    for (int m = 0; m < M; ++m) {
      uint32_t most = 0;
#pragma unroll
      for (int i = 0; i < Eights; ++i)
        most = largestOf(eight[m][i], most);
      const F16Scale scale(warpMaximum(max(most >> 16, most & 0xffffu)));
#pragma unroll
      for (int i = 0; i < Eights; ++i)
        if (const int k = (i * 32 + lane()) * 8; SliceK % 256 == 0 || k < SliceK)
          *reinterpret_cast<uint4 *>(xOfWarp() + m * XStride + k) = scale.apply(eight[m][i]);
      if (m % 2 == 0 && lane() % 4 == m / 2)
        factors.x = scale.undo();
      if (m % 2 == 1 && lane() % 4 == m / 2)
        factors.y = scale.undo();
      if constexpr (X::kIsNormed) {
        const float square = warpSum(squares[m]);
        if (lane() == 0)
          *squaresOfWarp(m, warp()) = square;
      }
    }
    __syncwarp();
  }

  /// Rows in registers, likewise. A read of the warp is 128 bytes of four rows, and what the products take of 64
  /// elements of K passes through shared memory.
  template <typename X>
  __device__ void keepRows(const X &rows, uint32_t (&kept)[KeepsX ? Octets : 1][KeepsX ? Steps : 1][16],
                           float2 (&factors)[Octets]) {
    constexpr int Units = SliceK / 64, Fours = (M + 3) / 4;
    const int g = lane() / 4, t = lane() % 4, ownRow = lane() / 8, ownK = lane() % 8 * 8;
    uint4 eight[Units][Fours];
    float squares[Fours] = {}, undo[Fours];
#pragma unroll
    for (int unit = 0; unit < Units; ++unit)
#pragma unroll
      for (int four = 0; four < Fours; ++four) {
        eight[unit][four] = {0, 0, 0, 0};
        if (M % 4 == 0 || four * 4 + ownRow < M)
          eight[unit][four] = rows.loadEight(four * 4 + ownRow, placeOf(unit * 64 + ownK), squares[four]);
      }
#pragma unroll
    for (int four = 0; four < Fours; ++four) {
      uint32_t most = 0;
#pragma unroll
      for (int unit = 0; unit < Units; ++unit)
        most = largestOf(eight[unit][four], most);
      most = max(most >> 16, most & 0xffffu);
#pragma unroll
      for (int distance = 1; distance < 8; distance *= 2)
        most = max(most, __shfl_xor_sync(kAllLanes, most, distance));
      const F16Scale scale(most);
#pragma unroll
      for (int unit = 0; unit < Units; ++unit)
        eight[unit][four] = scale.apply(eight[unit][four]);
      undo[four] = scale.undo();
      if constexpr (X::kIsNormed) {
#pragma unroll
        for (int distance = 1; distance < 8; distance *= 2)
          squares[four] += __shfl_xor_sync(kAllLanes, squares[four], distance);
        if (const int m = four * 4 + ownRow; m < M && lane() % 8 == 0)
          *squaresOfWarp(m, warp()) = squares[four];
      }
    }
#pragma unroll
    for (int octet = 0; octet < Octets; ++octet) {
      constexpr int Last = Fours - 1;
      const int low = octet * 2, high = octet * 2 + 1 < Fours ? octet * 2 + 1 : Last, from = t % 2 * 16;
      const float even[2] = {__shfl_sync(kAllLanes, undo[low], from), __shfl_sync(kAllLanes, undo[high], from)},
                  odd[2] = {__shfl_sync(kAllLanes, undo[low], from + 8), __shfl_sync(kAllLanes, undo[high], from + 8)};
      factors[octet] = {t < 2 ? even[0] : even[1], t < 2 ? odd[0] : odd[1]};
    }
    bf16 *own = reinterpret_cast<bf16 *>(sumsOf(warp(), 0));
#pragma unroll
    for (int unit = 0; unit < Units; ++unit) {
#pragma unroll
      for (int four = 0; four < Fours; ++four)
        if (M % 4 == 0 || four * 4 + ownRow < M)
          *reinterpret_cast<uint4 *>(own + (four * 4 + ownRow) * XStride + ownK) = eight[unit][four];
      __syncwarp();
#pragma unroll
      for (int octet = 0; octet < Octets; ++octet)
#pragma unroll
        for (int c = 0; c < 4; ++c) {
          uint2 four = {0, 0};
          if (M % 8 == 0 || octet * 8 + g < M)
            four = *reinterpret_cast<const uint2 *>(own + (octet * 8 + g) * XStride + c * 16 + t * 4);
          kept[octet][unit / 2][unit % 2 * 8 + c * 2] = four.x,
                                                   kept[octet][unit / 2][unit % 2 * 8 + c * 2 + 1] = four.y;
        }
      __syncwarp();
    }
  }

  /// Leaves the warp's sums for the others.
  __device__ void keepSums(const float (&acc)[Tiles][Octets][4], const float2 (&factors)[Octets], int group) {
    float *to = sumsOf(warp(), group);
#pragma unroll
    for (int tile = 0; tile < Tiles; ++tile)
#pragma unroll
      for (int octet = 0; octet < Octets; ++octet)
#pragma unroll
        for (int i = 0; i < 4; ++i)
          if (const int m = octet * 8 + lane() % 4 * 2 + i % 2; m < M)
            to[m * PartStride + tile * 16 + lane() / 4 + i / 2 * 8] =
                acc[tile][octet][i] * (i % 2 ? factors[octet].y : factors[octet].x);
  }

  /// Adds the warps' sums one after the other, so that the order is always the same.
  template <typename X, typename Epilogue> __device__ void reduce(const X &rows, int group, Epilogue epilogue) {
    constexpr int All = M * GroupColumns;
    if constexpr (Splits > 1)
      if (group == 0) {
        waitForCluster(); // the other blocks have begun
        if constexpr (X::kIsNormed)
          for (int i = threadIdx.x; i < M * Splits; i += Threads)
            storeRemote(squaresOfBlock(i / Splits, split), i % Splits, squaresIn(i / Splits));
      }
    for (int i = threadIdx.x; i < All; i += Threads) {
      const int m = i / GroupColumns, c = i % GroupColumns, n = group * GroupColumns + c;
      float sums[Weights] = {};
#pragma unroll
      for (int w = 0; w < Weights; ++w)
#pragma unroll
        for (int other = 0; other < Warps; ++other)
          sums[w] += sumsOf(other, group)[m * PartStride + w * GroupColumns + c];
      if constexpr (Splits > 1) {
#pragma unroll
        for (int w = 0; w < Weights; ++w)
          storeRemote(received(split, w, m) + n % OwnColumns, n / OwnColumns, sums[w]);
      } else if (column + n < end) {
        put(rows, m, n, sums, X::kIsNormed ? squaresIn(m) : 0.0f, epilogue);
      }
    }
  }

  /// Adds what the blocks of the cluster have sent.
  template <typename X, typename Epilogue> __device__ void finish(const X &rows, Epilogue epilogue) {
    syncCluster();
#pragma unroll 4
    for (int i = threadIdx.x; i < M * OwnColumns; i += Threads) {
      const int m = i / OwnColumns, c = i % OwnColumns, n = split * OwnColumns + c;
      float sums[Weights] = {}, squares = 0.0f;
#pragma unroll
      for (int other = 0; other < Splits; ++other) {
#pragma unroll
        for (int w = 0; w < Weights; ++w)
          sums[w] += received(other, w, m)[c];
        if constexpr (X::kIsNormed)
          squares += *squaresOfBlock(m, other);
      }
      if (column + n < end)
        put(rows, m, n, sums, squares, epilogue);
    }
  }

  __device__ float squaresIn(int m) const {
    float sum = 0.0f;
#pragma unroll
    for (int other = 0; other < Warps; ++other)
      sum += *squaresOfWarp(m, other);
    return sum;
  }

  template <typename X, typename Epilogue>
  __device__ void put(const X &rows, int m, int n, float (&sums)[Weights], float squares, Epilogue epilogue) const {
    if constexpr (X::kIsNormed)
      for (float &sum : sums)
        sum *= rows.scale(squares);
    float values[Epilogue::kResults];
    epilogue.compute(m, column + n, sums, values);
    epilogue.put(m, column + n, values);
  }
};
