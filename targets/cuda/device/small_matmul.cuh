// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A matmul of up to 64 rows, whose time is that of reading the weights. The weight is the left operand of mma.m16n8k16:
// 16 of its rows (columns of the result) by 8 rows of x. The order of K within a step is free, so a thread's 16 bytes
// of a weight row serve two steps, and x is read in the same order.
//
// Weights come to shared memory by bulk copies, the first of them before the kernel waits for x. No barrier of the
// block is between the weights and the products. Rows of x that lie in memory come by bulk copies, too: each block of a
// cluster fetches some of them for all.
#pragma once
#include "async.cuh"
#include "epilogue.cuh"
#include "small_matmul_rows.cuh"

/// The columns [column, end) of `Weights` products of M rows of x, by a block: acc[w] = sum_k x(m, k) weights[w][n, k].
///
/// Columns are taken in groups of `GroupColumns`, a multiple of 8 up to 32, `Groups` of them a block; a warp has a
/// group at a time, or a slice of K of it where `Slices` warps share one. The blocks of a cluster, `Splits`, divide K
/// before that. Weights of a group pass through `Stages` stages of `StageK` elements of K. K is a multiple of 8, of 16
/// if weights are bytes; what is divided, and StageK, are multiples of 32 times the parts.
///
/// x passes through the registers of all threads, or, where `Shares` is not zero, is copied: each of `Shares` blocks of
/// a cluster fetches some of the rows for all of them. Rows of a norm (`IsNormed`) are then in shared memory as they
/// are in memory. The norm's weight multiplies what the tensor cores get, and they add up the squares: the products of
/// x by its own rows, whose diagonal is kept.
///
/// With `Held_` weights pass through no stages: each thread brings the pieces that it multiplies itself, all of them
/// before the wait, `Held_` of them to registers and the rest to a place of its own in shared memory. That leaves room
/// for the next kernel's blocks beside this one's.
template <int M_, int K_, int GroupColumns_, int Weights_, int Groups_, int Slices_, int Splits_, int Shares_,
          int Warps_, int StageK_, int Stages_, bool IsNormed_, typename W_, int Held_ = 0>
struct SmallMatmul {
  using W = W_;
  static constexpr int M = M_, K = K_, GroupColumns = GroupColumns_, Weights = Weights_, Groups = Groups_,
                       Slices = Slices_, Splits = Splits_, Shares = Shares_, Warps = Warps_, StageK = StageK_,
                       Stages = Stages_;
  static constexpr int Rows = GroupColumns * Weights, Tiles = (Rows + 15) / 16, Octets = (M + 7) / 8;
  static constexpr int PartK = K / Splits, Chunks = (PartK + StageK - 1) / StageK;
  static constexpr int Rounds = (Groups * Slices + Warps - 1) / Warps, Items = Rounds * Chunks;
  static constexpr bool IsReduced = Slices > 1 || Splits > 1;
  static constexpr bool IsCopied = Shares > 0, IsNormed = IsNormed_ && IsCopied;
  static constexpr bool HasCodes = sizeof(W) == 1, HasHalves = HasCodes && M <= 8;
  static constexpr int Sharers = IsCopied ? Shares : 1, Blocks = Splits * Sharers; // of a cluster
  static constexpr int Lanes = Warps / Slices; // groups that are worked on at a time
  // Weights that threads hold: 16 bytes of a row at a time, of four neighbouring threads those of HeldK elements.
  static constexpr bool IsHeld = Held_ > 0;
  static constexpr int HeldEach = 16 / sizeof(W), HeldK = 4 * HeldEach, SliceK = PartK / Slices,
                       HeldPieces = IsHeld ? SliceK / HeldK * (Rows / 8) : 0,
                       InRegisters = Held_ < HeldPieces ? Held_ : HeldPieces, InShared = HeldPieces - InRegisters;
  // Rows of a quarter of a warp's reads lie in different banks.
  static constexpr int RowBytes = (StageK + 32) * sizeof(W), StageBytes = Rows * RowBytes,
                       RingBytes = IsHeld ? InShared * Slices * 512 : Stages * StageBytes;
  static constexpr int XStride = PartK + (IsHeld && HasCodes ? 8 : 32), Pieces = (PartK + 255) / 256;
  // Sums of squares of a row in a block; rows of which a warp of the first round adds up squares, 16 at a time.
  static constexpr int Squares = IsCopied && !IsNormed ? 0 : IsCopied && !HasHalves ? Slices : Pieces;
  static constexpr int FirstGroups = Groups < Lanes ? Groups : Lanes, Pairs16 = (Octets + 1) / 2,
                       OwnPairs16 = IsNormed && !HasHalves ? (Pairs16 + FirstGroups - 1) / FirstGroups : 1;
  // What undoes the scaling of each piece of a row of x.
  static constexpr int Factors = HasHalves ? Pieces * Octets * 8 : 0;
  static constexpr int Columns = Groups * GroupColumns, ColumnScales = HasCodes ? Weights * Columns : 0;
  static constexpr int PartStride = Rows + 4; // floats of one row of x
  static constexpr int BarrierBytes = ((IsHeld ? 1 : Lanes * Stages + 1) * 8 + 127) / 128 * 128;
  // In the last round no more weights come, so that the sums of the only one may take their place; where threads hold
  // weights, that of x, too.
  static constexpr int PartBytes =
      IsReduced && !IsHeld && (Rounds > 1 || Slices * PartStride * M * 4 > RingBytes) ? PartStride * M * 4 : 0;
  /// What the block needs: barriers, stages, x, the norm's weight, sums of squares, sums of each warp.
  static constexpr int SharedBytes = BarrierBytes + Lanes * RingBytes + M * XStride * 2 + (IsNormed ? PartK * 2 : 0) +
                                     (Factors + ColumnScales + M * Squares) * 4 + Warps * PartBytes;
  static_assert(Warps % Slices == 0);
  static_assert(!IsHeld || (Rounds == 1 && IsCopied && !HasHalves && SliceK % HeldK == 0 && PartK % Slices == 0));
  static_assert(!IsHeld || !IsReduced || Warps * PartStride * M * 4 <= Lanes * RingBytes + M * XStride * 2);

  uint8_t *shared;
  const W *weights[Weights];
  int column, end;
  int split, share; // which of the parts of K, and of the rows of x, the block has in its cluster
  uint4 held[InRegisters > 0 ? InRegisters : 1];

  __device__ static int lane() { return threadIdx.x % 32; }
  __device__ static int warp() { return threadIdx.x / 32; }
  __device__ static int slice() { return warp() % Slices; }
  __device__ uint64_t *barriers() const { return reinterpret_cast<uint64_t *>(shared) + warp() / Slices * Stages; }
  __device__ uint8_t *ring(int lane) const { return shared + BarrierBytes + lane * RingBytes; }
  __device__ uint64_t *barrierOfX() const {
    return reinterpret_cast<uint64_t *>(shared) + (IsHeld ? 0 : Lanes * Stages);
  }
  __device__ bf16 *x() const { return reinterpret_cast<bf16 *>(ring(Lanes)); }
  __device__ bf16 *scales() const { return x() + M * XStride; }
  __device__ float *factors() const { return reinterpret_cast<float *>(scales() + (IsNormed ? PartK : 0)); }
  __device__ float *columnScales() const { return factors() + Factors; }
  __device__ float *squares() const { return columnScales() + ColumnScales; }
  __device__ float *part(int warp) const {
    return IsHeld      ? reinterpret_cast<float *>(ring(0)) + warp * PartStride * M
           : PartBytes ? squares() + M * Squares + warp * PartBytes / 4
                       : reinterpret_cast<float *>(ring(warp / Slices)) + warp % Slices * PartStride * M;
  }
  /// The number, in the cluster, of the block with the same columns and another part of K.
  __device__ int rankOf(int split) const { return split * Sharers + share; }
  __device__ static int groupOf(int round) { return warp() / Slices + round * Lanes; }

  /// Begins to bring the first weights; nothing but weights is touched.
  __device__ void start() {
    if (lane() == 0) {
      for (int stage = 0; !IsHeld && slice() == 0 && stage < Stages; ++stage)
        initBarrier(barriers() + stage, 1);
      if (IsCopied && warp() == 0)
        initBarrier(barrierOfX(), 1);
      fenceBarriers();
    }
    __syncthreads();
    if constexpr (IsCopied && Blocks > 1)
      arriveInCluster();
    if constexpr (IsHeld)
      hold();
    else
      for (int item = 0; item < Stages && item < Items; ++item)
        fetch(item);
  }

  /// Begins to bring what multiplies the columns of a weight, for columnScale(). Pairs of columns: their number is
  /// even.
  __device__ void fetchScales(int weight, const float *scales) {
    static_assert(ColumnScales > 0);
    for (int c = threadIdx.x * 2; c < Columns; c += Warps * 64)
      cores::copyAsync<8>(columnScales() + weight * Columns + c, scales + column + c, column + c < end);
    cores::commitCopies();
  }
  __device__ float columnScale(int weight, int n) const { return columnScales()[weight * Columns + n - column]; }

  /// Brings x to shared memory, for all warps.
  template <typename X> __device__ void stage(const X &rows) {
    if constexpr (HasCodes)
      cores::waitForCopies(); // a barrier of the block follows
    const SmallMatmulRows<SmallMatmul> stager{*this};
    if constexpr (IsCopied)
      stager.copy(rows);
    else if constexpr (HasHalves)
      stager.loadHalves(rows);
    else
      stager.load(rows);
    if constexpr (IsCopied && HasCodes && !HasHalves)
      __syncthreads();
  }

  /// `epilogue(m, n, acc)` for every element of the block's columns.
  template <typename X, typename Epilogue> __device__ void run(const X &rows, Epilogue epilogue) {
    // More chains of products than one: each waits for its last.
    constexpr int Chains = Tiles * Octets < 4 ? 2 : 1;
    const int t = lane() % 4;
    if constexpr (IsCopied)
      waitFor(barrierOfX(), 0);
    if constexpr (IsCopied && HasHalves)
      SmallMatmulRows<SmallMatmul>{*this}.scale(rows);
    for (int round = 0; round < Rounds; ++round) {
      const int group = groupOf(round);
      float acc[Chains][Tiles][Octets][4] = {}, gram[OwnPairs16][2][4] = {}, sums[Tiles][Octets][4] = {};
      if constexpr (IsHeld) {
        if (group < Groups)
          multiplyHeld(rows, acc, gram);
        if (IsReduced)
          __syncthreads(); // sums take the place of x
      }
      if (group < Groups) {
        for (int chunk = 0; !IsHeld && chunk < Chunks; ++chunk) {
          const int item = round * Chunks + chunk, size = sizeOf(chunk) / Slices, from = slice() * size;
          const bf16 *xs = x() + chunk * StageK + from;
          const uint8_t *stage = ring(warp() / Slices) + item % Stages * StageBytes + from * sizeof(W);
          waitFor(barriers() + item % Stages, item / Stages % 2);
          if constexpr (HasHalves) {
            for (int k = 0; k < size;) {
              const int place = chunk * StageK + from + k, piece = place / 256, last = min(size, k + 256 - place % 256);
#pragma unroll 2
              for (; k < last; k += 32)
                multiplyCodes(acc, xs + k + t * 8, stage + k + t * 8, PartK % 32 == 0 || k + t * 8 < size);
              addPiece(sums, acc, piece);
            }
          } else {
#pragma unroll 4
            for (int k = 0; k < size; k += 32)
              multiply(rows, acc, gram, xs + k + t * 8, PartK % 32 == 0 || k + t * 8 < size, round == 0, [&](int row) {
                return loadSharedPairs(
                    reinterpret_cast<const W *>(stage + (row + lane() / 4) * RowBytes + (k + t * 8) * sizeof(W)));
              });
          }
          // Another warp of the group may still read the stage that is filled next, or that takes the sums.
          if (item + Stages < Items || (IsReduced && !PartBytes))
            syncGroup();
          if (item + Stages < Items)
            fetch(item + Stages);
        }
        for (int i = 0; !HasHalves && Chains > 1 && i < Tiles * Octets * 4; ++i)
          acc[0][i / (Octets * 4)][i / 4 % Octets][i % 4] += acc[Chains - 1][i / (Octets * 4)][i / 4 % Octets][i % 4];
      }
      if constexpr (IsNormed && !HasHalves)
        if (round == 0) {
          if (group < Groups)
            keepSquares(gram, group);
          if (!IsReduced)
            __syncthreads();
        }
      if (group < Groups) {
        if constexpr (IsReduced)
          keep(HasHalves ? sums : acc[0]);
        else
          finish(rows, HasHalves ? sums : acc[0], column + group * GroupColumns, epilogue);
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
  __device__ static int sizeOf(int chunk) { return chunk == Chunks - 1 ? PartK - (Chunks - 1) * StageK : StageK; }

  __device__ static void syncAll() {
    if constexpr (Splits > 1)
      syncCluster();
    else
      __syncthreads();
  }

  /// The warps that share a group.
  __device__ static void syncGroup() {
    if constexpr (Slices > 1)
      syncWarps(1 + warp() / Slices, Slices * 32);
    else
      __syncwarp();
  }

  __device__ void fetch(int item) {
    const int group = groupOf(item / Chunks), chunk = item % Chunks, stage = item % Stages;
    if (group >= Groups)
      return;
    const int first = column + group * GroupColumns, columns = min(max(end - first, 0), GroupColumns);
    const int bytes = sizeOf(chunk) * int(sizeof(W));
    if (slice() == 0 && lane() == 0)
      expectBytes(barriers() + stage, columns * Weights * bytes);
    __syncwarp();
    uint8_t *to = ring(warp() / Slices) + stage * StageBytes;
    for (int row = slice() + lane() * Slices; row < Rows; row += 32 * Slices) {
      const int c = row % GroupColumns;
      if (c >= columns)
        continue;
      const W *from = weights[0];
      for (int w = 1; w < Weights; ++w)
        from = row / GroupColumns == w ? weights[w] : from;
      copyBulk(to + row * RowBytes, from + int64_t(first + c) * K + split * PartK + chunk * StageK, bytes,
               barriers() + stage);
    }
  }

  /// A step of 32 elements of K, 8 of them this thread's, of which `weightsOf` gives those of every eighth row of the
  /// left operand.
  template <typename X, int Chains, typename WeightsOf>
  __device__ void multiply(const X &rows, float (&acc)[Chains][Tiles][Octets][4], float (&gram)[OwnPairs16][2][4],
                           const bf16 *xs, bool inside, bool isFirstRound, WeightsOf weightsOf) {
    const int g = lane() / 4;
    Pairs x[Octets], scale;
    for (int octet = 0; octet < Octets; ++octet)
      x[octet] = inside && octet * 8 + g < M ? loadSharedPairs(xs + (octet * 8 + g) * XStride) : Pairs{{0, 0, 0, 0}};
    // The norm's weight goes to what there is less of.
    constexpr bool ScalesX = Octets <= 2 * Tiles;
    bool isScaled = false;
    if constexpr (IsNormed) {
      if (isFirstRound)
        addSquares(gram, x, groupOf(0));
      isScaled = rows.weight != nullptr;
      if (isScaled) {
        scale = inside ? loadSharedPairs(scales() + (xs - this->x())) : Pairs{{0, 0, 0, 0}};
        for (int octet = 0; ScalesX && octet < Octets; ++octet)
          x[octet] = scaled(x[octet], scale);
      }
    }
    for (int tile = 0; tile < Tiles; ++tile) {
      Pairs low{{0, 0, 0, 0}}, high{{0, 0, 0, 0}};
      if (inside)
        low = weightsOf(tile * 16);
      if (inside && tile * 16 + 8 < Rows)
        high = weightsOf(tile * 16 + 8);
      if (!ScalesX && isScaled)
        low = scaled(low, scale), high = scaled(high, scale);
      const uint32_t even[4] = {low.p[0], high.p[0], low.p[1], high.p[1]};
      const uint32_t odd[4] = {low.p[2], high.p[2], low.p[3], high.p[3]};
      for (int octet = 0; octet < Octets; ++octet) {
        cores::multiply<bf16>(acc[0][tile][octet], even, x[octet].p[0], x[octet].p[1]);
        cores::multiply<bf16>(acc[Chains - 1][tile][octet], odd, x[octet].p[2], x[octet].p[3]);
      }
    }
  }

  //===--- Weights that threads hold ----------------------------------------===//

  /// The thread's piece `piece` that is not in registers.
  __device__ uint8_t *heldInShared(int piece) const {
    return ring(0) + ((piece - InRegisters) * Warps * 32 + threadIdx.x) * 16;
  }

  /// Begins to bring all weights of the group to the threads that multiply them.
  __device__ void hold() {
    const int first = column + groupOf(0) * GroupColumns;
    const int64_t place = int64_t(first + lane() / 4) * K + split * PartK + slice() * SliceK + lane() % 4 * HeldEach;
#pragma unroll
    for (int piece = 0; piece < HeldPieces; ++piece) {
      const int step = piece % (SliceK / HeldK), row = piece / (SliceK / HeldK) * 8, c = row % GroupColumns;
      const bool inside = groupOf(0) < Groups && first + c + lane() / 4 < end;
      const W *from = weights[row / GroupColumns] + place + int64_t(c) * K + step * HeldK;
      if (piece < InRegisters)
        held[piece] = inside ? loadStream(from) : uint4{0, 0, 0, 0};
      else
        cores::copyAsync<16>(heldInShared(piece), from, inside);
    }
    cores::commitCopies();
  }

  template <typename X, int Chains>
  __device__ void multiplyHeld(const X &rows, float (&acc)[Chains][Tiles][Octets][4], float (&gram)[OwnPairs16][2][4]) {
    cores::waitForCopies();
    constexpr int Octets8 = Rows / 8;
#pragma unroll
    for (int step = 0; step < SliceK / HeldK; ++step) {
      uint4 all[Octets8];
#pragma unroll
      for (int i = 0; i < Octets8; ++i) {
        const int piece = i * (SliceK / HeldK) + step;
        all[i] = piece < InRegisters ? held[piece < InRegisters ? piece : 0]
                                     : *reinterpret_cast<const uint4 *>(heldInShared(piece));
      }
#pragma unroll
      for (int part = 0; part < HeldEach / 8; ++part)
        multiply(rows, acc, gram, x() + slice() * SliceK + step * HeldK + lane() % 4 * HeldEach + part * 8, true, true,
                 [&](int row) {
                   if constexpr (HasCodes)
                     return toPairs(part ? uint2{all[row / 8].z, all[row / 8].w}
                                         : uint2{all[row / 8].x, all[row / 8].y});
                   else
                     return toPairs(all[row / 8]);
                 });
    }
  }

  /// The same of codes, which f16 holds as exactly.
  template <int Chains>
  __device__ void multiplyCodes(float (&acc)[Chains][Tiles][Octets][4], const bf16 *xs, const uint8_t *stage,
                                bool inside) {
    const int g = lane() / 4;
    Pairs x[Octets];
    for (int octet = 0; octet < Octets; ++octet)
      x[octet] = inside && octet * 8 + g < M ? loadSharedPairs(xs + (octet * 8 + g) * XStride) : Pairs{{0, 0, 0, 0}};
    for (int tile = 0; tile < Tiles; ++tile) {
      const uint8_t *row = stage + (tile * 16 + g) * RowBytes;
      uint2 low = {0, 0}, high = {0, 0};
      if (inside)
        low = *reinterpret_cast<const uint2 *>(row);
      if (inside && tile * 16 + 8 < Rows)
        high = *reinterpret_cast<const uint2 *>(row + 8 * RowBytes);
      const uint32_t even[4] = {widenLow(low.x), widenLow(high.x), widenHigh(low.x), widenHigh(high.x)};
      const uint32_t odd[4] = {widenLow(low.y), widenLow(high.y), widenHigh(low.y), widenHigh(high.y)};
      for (int octet = 0; octet < Octets; ++octet) {
        cores::multiply<f16>(acc[0][tile][octet], even, x[octet].p[0], x[octet].p[1]);
        cores::multiply<f16>(acc[Chains - 1][tile][octet], odd, x[octet].p[2], x[octet].p[3]);
      }
    }
  }
  __device__ static uint32_t widenLow(uint32_t four) { return cores::widenPair<f16>(uint16_t(four)); }
  __device__ static uint32_t widenHigh(uint32_t four) { return cores::widenPair<f16>(uint16_t(four >> 16)); }

  /// Adds the products of a piece of the rows, and begins anew.
  template <int Chains>
  __device__ void addPiece(float (&sums)[Tiles][Octets][4], float (&acc)[Chains][Tiles][Octets][4], int piece) const {
    for (int octet = 0; octet < Octets; ++octet) {
      const float2 factor =
          *reinterpret_cast<const float2 *>(factors() + (piece * Octets + octet) * 8 + lane() % 4 * 2);
      for (int tile = 0; tile < Tiles; ++tile)
        for (int i = 0; i < 4; ++i) {
          float sum = acc[0][tile][octet][i];
          if (Chains > 1)
            sum += acc[Chains - 1][tile][octet][i];
          sums[tile][octet][i] = fmaf(sum, i % 2 ? factor.y : factor.x, sums[tile][octet][i]);
          acc[0][tile][octet][i] = acc[Chains - 1][tile][octet][i] = 0.0f;
        }
    }
  }

  /// The products of 16 rows of x by each of their octets. A row's registers are the same in both operands.
  __device__ static void addSquares(float (&gram)[OwnPairs16][2][4], const Pairs (&x)[Octets], int group) {
    for (int pair = 0; pair < Pairs16; ++pair)
      if (pair % FirstGroups == group) {
        const bool isWhole = pair * 2 + 1 < Octets;
        const Pairs &low = x[pair * 2], high = isWhole ? x[isWhole ? pair * 2 + 1 : 0] : Pairs{{0, 0, 0, 0}};
        const uint32_t even[4] = {low.p[0], high.p[0], low.p[1], high.p[1]};
        const uint32_t odd[4] = {low.p[2], high.p[2], low.p[3], high.p[3]};
        float (&sums)[2][4] = gram[pair / FirstGroups];
        cores::multiply<bf16>(sums[0], even, low.p[0], low.p[1]);
        cores::multiply<bf16>(sums[0], odd, low.p[2], low.p[3]);
        if (isWhole) {
          cores::multiply<bf16>(sums[1], even, high.p[0], high.p[1]);
          cores::multiply<bf16>(sums[1], odd, high.p[2], high.p[3]);
        }
      }
  }

  /// Leaves the sums of squares of a slice for all.
  __device__ void keepSquares(const float (&gram)[OwnPairs16][2][4], int group) const {
    const int g = lane() / 4, t = lane() % 4;
    if (t != g / 2)
      return;
    for (int pair = 0; pair < Pairs16; ++pair)
      if (pair % FirstGroups == group) {
        const float (&sums)[2][4] = gram[pair / FirstGroups];
        const int m = pair * 16 + g;
        if (m < M)
          squares()[m * Slices + slice()] = g % 2 ? sums[0][1] : sums[0][0];
        if (m + 8 < M)
          squares()[(m + 8) * Slices + slice()] = g % 2 ? sums[1][3] : sums[1][2];
      }
  }

  /// What the row's products are multiplied by.
  template <typename X> __device__ float scaleOf(const X &rows, int m) const {
    if constexpr (X::kIsNormed) {
      float sum = 0.0f;
      for (int other = 0; other < Splits; ++other)
        for (int i = 0; i < Squares; ++i) {
          const float *square = squares() + m * Squares + i;
          sum += Splits > 1 ? loadRemote(square, rankOf(other)) : *square;
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
    constexpr int GroupsOfRound = Rounds == 1 ? Groups : Lanes, Columns = GroupsOfRound * GroupColumns;
    const int first = column + round * Columns;
    constexpr int Step = Warps * 32 * Splits, All = (M * Columns + Step - 1) / Step, Batch = All < 4 ? All : 4;
    for (int j = 0; j < All; j += Batch) {
      float values[Batch][Epilogue::kResults];
      auto place = [&](int k, int &m, int &c) {
        const int i = threadIdx.x + split * Warps * 32 + (j + k) * Step;
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
        for (int other = 0; other < Splits; ++other)
#pragma unroll
          for (int slice = 0; slice < Slices; ++slice)
            for (int w = 0; w < Weights; ++w) {
              const float *sum =
                  part(c / GroupColumns * Slices + slice) + m * PartStride + w * GroupColumns + c % GroupColumns;
              sums[w] += Splits > 1 ? loadRemote(sum, rankOf(other)) : *sum;
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
