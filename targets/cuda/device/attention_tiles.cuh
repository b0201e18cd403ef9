// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a tile of attention of many rows reads: query vectors, keys and values, masks, of tensors and of pages.
//
// What differs between attention over tensors and over pages is behind three template parameters:
//   Rows   place(m): index of query vector m of the tile among all [rows x heads], -1 for none; range(m): the keys that
//          it sees; span<TileM>(): what all vectors of the tile see together.
//   Cache  Element; key(s), value(s): the elements of position s. Positions of one multiple of kTogether to the next lie
//          kKeysApart and kValuesApart elements apart.
//   Mask   kExists; kIsAdded; operator()(score, m, s): the masked score.
// Scores are in units of log 2, as exponents of 2 are cheap, but natural where a mask is added: it may be the lowest
// float.
#pragma once
#include "attention.cuh"

namespace flash {

/// Positions [begin, end).
struct KeyRange {
  int begin, end;
};

//===--- Rows -------------------------------------------------------------===//

/// Rows of a tensor over `Keys` keys. With `Causal` row t sees the keys up to Keys - Rows + t, the last `Window` of
/// them if that is not 0.
template <int Rows, int Heads, int Group, int Keys, bool Causal, int Window> struct TensorRows {
  int head;  // of keys and values
  int first; // query vector of the tile

  __device__ int row(int m) const { return (first + m) / Group; }
  __device__ int64_t place(int m) const {
    return row(m) < Rows ? int64_t(row(m)) * Heads + head * Group + (first + m) % Group : -1;
  }
  __device__ KeyRange rangeOf(int row) const {
    const int end = Causal ? max(min(Keys - Rows + row + 1, Keys), 0) : Keys;
    return {Window > 0 ? max(end - Window, 0) : 0, end};
  }
  __device__ KeyRange range(int m) const { return row(m) < Rows ? rangeOf(row(m)) : KeyRange{0, 0}; }
  template <int TileM> __device__ KeyRange span() const {
    return {rangeOf(row(0)).begin, rangeOf(min(row(TileM - 1), Rows - 1)).end};
  }
};

/// Rows of one sequence of a ragged batch, or of its padding, which sees nothing. `Window` 0: all before.
template <int Heads, int Group, int Window> struct PagedRows {
  int head;
  int first;
  int begin, count; // of the rows of the sequence
  int length;       // tokens of the sequence, the rows' own among them; 0 for padding

  __device__ int64_t place(int m) const {
    const int row = (first + m) / Group;
    return row < count ? int64_t(begin + row) * Heads + head * Group + (first + m) % Group : -1;
  }
  __device__ KeyRange rangeOf(int row) const {
    const int end = max(length - (count - 1 - row), 0);
    return {Window > 0 ? max(end - Window, 0) : 0, end};
  }
  __device__ KeyRange range(int m) const {
    const int row = (first + m) / Group;
    return row < count ? rangeOf(row) : KeyRange{0, 0};
  }
  template <int TileM> __device__ KeyRange span() const {
    return {rangeOf(first / Group).begin, rangeOf(min((first + TileM - 1) / Group, count - 1)).end};
  }
};

/// Sequence and first query vector of a tile; sequence `Sequences` is the padding, -1 means that there is no such tile.
struct TilePlace {
  int sequence, first;
};

/// Tiles hold vectors of one sequence each: those of sequence 0 come first. Called by whole warps.
template <int Sequences, int TileM, int Group>
__device__ inline TilePlace findTile(const int32_t *offsets, int tokens, int tile) {
  const int lane = threadIdx.x % 32;
  int before = 0;
  for (int base = 0; base <= Sequences; base += 32) {
    const int sequence = base + lane;
    int tiles = 0;
    if (sequence <= Sequences) {
      const int end = sequence < Sequences ? offsets[sequence + 1] : tokens;
      tiles = (max(end - offsets[sequence], 0) * Group + TileM - 1) / TileM;
    }
    int through = tiles; // of this and the lanes before
    for (int distance = 1; distance < 32; distance *= 2) {
      const int other = __shfl_up_sync(kAllLanes, through, distance);
      through += lane >= distance ? other : 0;
    }
    const uint32_t found = __ballot_sync(kAllLanes, tile < before + through);
    if (found) {
      const int owner = __ffs(found) - 1;
      return {base + owner, (tile - before - __shfl_sync(kAllLanes, through - tiles, owner)) * TileM};
    }
    before += __shfl_sync(kAllLanes, through, 31);
  }
  return {-1, 0};
}

//===--- Keys and values --------------------------------------------------===//

/// Tensors [size x KvHeads x D] (values: x E) one after the other; `ends[i]` is where segment i ends.
template <int Segments, int KvHeads, int D, int E, typename T> struct SegmentedCache {
  using Element = T;
  static constexpr int kTogether = Segments == 1 ? 1 << 30 : 1, kKeysApart = KvHeads * D, kValuesApart = KvHeads * E;
  const T *keys[Segments], *values[Segments];
  int ends[Segments];
  int head;

  __device__ const T *at(const T *const (&tensors)[Segments], int size, int position) const {
    const T *tensor = tensors[0];
    int start = 0;
#pragma unroll
    for (int i = 1; i < Segments; ++i)
      if (position >= ends[i - 1]) {
        tensor = tensors[i];
        start = ends[i - 1];
      }
    return tensor + (int64_t(position - start) * KvHeads + head) * size;
  }
  __device__ const T *key(int position) const { return at(keys, D, position); }
  __device__ const T *value(int position) const { return at(values, E, position); }
};

/// One head of a layer of a paged cache.
template <typename Pages, typename T> struct PagedKeys {
  using Element = T;
  static constexpr int kTogether = Pages::kPageSize, kKeysApart = Pages::kSize, kValuesApart = Pages::kSize;
  Pages pages;
  int head;

  __device__ const T *key(int position) const { return pages.row(position, head, false); }
  __device__ const T *value(int position) const { return pages.row(position, head, true); }
};

//===--- Masks ------------------------------------------------------------===//

struct NoMask {
  static constexpr bool kExists = false, kIsAdded = false;
  __device__ float operator()(float score, int, int) const { return score; }
};

/// [Rows x Keys], with `Headed` [heads x Rows x Keys]: booleans say what is seen, floats are added.
template <int Rows, int Group, int Keys, bool Headed, typename M> struct TensorMask {
  static constexpr bool kExists = true, kIsAdded = sizeof(M) > 1;
  const M *mask;
  int head, first;

  __device__ float operator()(float score, int m, int key) const {
    const int row = (first + m) / Group, h = head * Group + (first + m) % Group;
    const auto value = load(mask, (int64_t(Headed ? h * Rows : 0) + row) * Keys + key);
    if constexpr (kIsAdded)
      return score + value;
    else
      return value ? score : -kInfinity;
  }
};

} // namespace flash
