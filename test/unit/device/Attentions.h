// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the tests of attention of many rows share: random tensors and pages, attention in double. A kernel is a struct
// of TileM, Threads, D and E, sharedBytes<T>() and run(), as flash::attend() but of the block's shared memory.
#ifndef MJOLNIR_TEST_UNIT_DEVICE_ATTENTIONS_H
#define MJOLNIR_TEST_UNIT_DEVICE_ATTENTIONS_H

#include "attention_tiles.cuh"

#include <gtest/gtest.h>

inline std::mt19937 randomNumbers(1);

inline float normal() { return std::normal_distribution<float>()(randomNumbers); }

template <typename T> std::vector<T> randomElements(int64_t count) {
  std::vector<T> elements(count);
  for (T &element : elements)
    element = to<T>(normal());
  return elements;
}
template <> inline std::vector<f8> randomElements<f8>(int64_t count) {
  std::vector<f8> elements(count);
  for (f8 &element : elements)
    element.bits = uint8_t(randomNumbers() % 64 + (randomNumbers() % 2 ? 128 : 0)); // up to 1.875
  return elements;
}

/// What vector `place` sees and how its scores are masked: score(position, q . k) -> score, -infinity where hidden.
using Masked = std::function<double(int64_t place, int position, double product)>;

template <typename T, typename Row>
void expectAttention(const std::vector<T> &queries, const std::vector<T> &out, int64_t vectors, int heads, int group,
                     int d, int e, int keys, Row row, const Masked &masked, double valueScale, double tolerance) {
  for (int64_t place = 0; place < vectors; ++place) {
    int kvHead = int(place % heads) / group;
    std::vector<double> scores(keys), wanted(e);
    double most = -kInfinity, mass = 0;
    for (int s = 0; s < keys; ++s) {
      double product = 0;
      for (int i = 0; i < d; ++i)
        product += double(toFloat(queries[place * d + i])) * row(s, kvHead, false, i);
      most = std::max(most, scores[s] = masked(place, s, product));
    }
    for (int s = 0; s < keys && most > -kInfinity; ++s) {
      double weight = std::exp(scores[s] - most);
      mass += weight;
      for (int i = 0; i < e; ++i)
        wanted[i] += weight * row(s, kvHead, true, i);
    }
    for (int i = 0; i < e; ++i)
      ASSERT_NEAR(toFloat(out[place * e + i]), mass > 0 ? wanted[i] / mass * valueScale : 0.0, tolerance)
          << "vector " << place << ", element " << i;
  }
}

enum class Kind { none, floats, headBooleans };

template <typename Kernel, typename T, int Rows, int Heads, int Group, int All, bool Causal, int Window, Kind Masks>
void checkTensors() {
  constexpr int D = Kernel::D, E = Kernel::E, TileM = Kernel::TileM;
  constexpr int KvHeads = Heads / Group, First = All > 5 && All % 3 ? All / 3 : All, Segments = First < All ? 2 : 1;
  auto queries = randomElements<T>(int64_t(Rows) * Heads * D);
  auto k0 = randomElements<T>(int64_t(First) * KvHeads * D), v0 = randomElements<T>(int64_t(First) * KvHeads * E);
  auto k1 = randomElements<T>(int64_t(All) * KvHeads * D), v1 = randomElements<T>(int64_t(All) * KvHeads * E);
  std::vector<T> out(int64_t(Rows) * Heads * E, to<T>(777.0f));
  std::vector<float> floats(int64_t(Rows) * All);
  std::unique_ptr<bool[]> booleans(new bool[int64_t(Heads) * Rows * All]);
  for (float &value : floats)
    value = randomNumbers() % 7 == 0 ? -std::numeric_limits<float>::max() : normal();
  for (int64_t i = 0; i < int64_t(Heads) * Rows * All; ++i)
    booleans[i] = i / All % 5 != 2 && randomNumbers() % 2; // every fifth row sees nothing
  constexpr float scale = 0.3f;
  constexpr int Tiles = (Rows * Group + TileM - 1) / TileM;
  for (int block = 0; block < Tiles * KvHeads; ++block)
    emulated::launchCluster(1, Kernel::Threads, Kernel::template sharedBytes<T>(), block, block + 1, [&] {
      const int head = blockIdx.x % KvHeads, first = (Tiles - 1 - blockIdx.x / KvHeads) * TileM;
      const flash::TensorRows<Rows, Heads, Group, All, Causal, Window> rows{head, first};
      flash::SegmentedCache<Segments, KvHeads, D, E, T> cache{{k0.data()}, {v0.data()}, {First}, head};
      if constexpr (Segments == 2)
        cache.keys[1] = k1.data(), cache.values[1] = v1.data(), cache.ends[1] = All;
      const auto run = [&](const auto &mask) {
        Kernel::run(queries.data(), rows, cache, mask, scale, 1.0f, out.data());
      };
      if constexpr (Masks == Kind::none)
        run(flash::NoMask{});
      else if constexpr (Masks == Kind::floats)
        run(flash::TensorMask<Rows, Group, All, false, float>{floats.data(), head, first});
      else
        run(flash::TensorMask<Rows, Group, All, true, bool>{booleans.get(), head, first});
    });
  auto row = [&](int s, int head, bool isValue, int i) {
    int size = isValue ? E : D;
    const auto &segment = s < First ? (isValue ? v0 : k0) : (isValue ? v1 : k1);
    return double(toFloat(segment[(int64_t(s < First ? s : s - First) * KvHeads + head) * size + i]));
  };
  Masked masked = [&](int64_t place, int s, double product) {
    int64_t t = place / Heads, h = place % Heads, last = Causal ? All - Rows + t : All - 1;
    if (s > last || (Window && s <= last - Window))
      return double(-kInfinity);
    if (Masks == Kind::headBooleans && !booleans[(h * Rows + t) * All + s])
      return double(-kInfinity);
    return double(float(product * scale) + (Masks == Kind::floats ? floats[t * All + s] : 0.0f));
  };
  expectAttention(queries, out, int64_t(Rows) * Heads, Heads, Group, D, E, All, row, masked, 1.0,
                  sizeof(T) == 4 ? 1e-5 : 0.02);
}

/// A ragged batch over pages in any order: sequences of `counts` new rows behind some cached ones, then padding.
template <typename Kernel, typename T, typename Kv, int Heads, int Group, int Window, int PageSize>
void checkPages(std::vector<int> counts, std::vector<int> lengths, int padding) {
  constexpr int D = Kernel::D, TileM = Kernel::TileM;
  constexpr int KvHeads = Heads / Group, Sequences = 3, Pages = 400 / PageSize + 1;
  constexpr int64_t Stride = int64_t(2) * KvHeads * PageSize * D * sizeof(Kv) + 32;
  std::vector<int32_t> offsets{0}, table(Sequences * Pages, -(1 << 30));
  for (int count : counts)
    offsets.push_back(offsets.back() + count);
  const int tokens = offsets.back() + padding;
  // Pages that nobody may read are far from all memory.
  std::vector<int32_t> free(Sequences * Pages);
  for (size_t i = 0; i < free.size(); ++i)
    free[i] = int32_t(i);
  std::shuffle(free.begin(), free.end(), randomNumbers);
  for (int sequence = 0, next = 0; sequence < Sequences; ++sequence)
    for (int page = 0; page * PageSize < lengths[sequence]; ++page)
      if (!Window || (page + 1) * PageSize > lengths[sequence] - counts[sequence] + 1 - Window)
        table[sequence * Pages + page] = free[next++];
  std::vector<uint4> pool(free.size() * Stride / 16 + 16);
  auto elements = randomElements<Kv>(pool.size() * 16 / sizeof(Kv));
  std::memcpy(pool.data(), elements.data(), elements.size() * sizeof(Kv));
  auto queries = randomElements<T>(int64_t(tokens) * Heads * D);
  std::vector<T> out(queries.size(), to<T>(777.0f));
  constexpr float scale = 0.2f, keyScale = 0.5f, valueScale = 0.25f;
  const int tiles = (tokens * Group + TileM - 1) / TileM + Sequences;
  using Pool = PagedCache<Kv, PageSize, D, KvHeads, Stride>;
  const uint8_t *const bytes = reinterpret_cast<const uint8_t *>(pool.data());
  for (int block = 0; block < tiles * KvHeads; ++block)
    emulated::launchCluster(1, Kernel::Threads, Kernel::template sharedBytes<Kv>(), block, block, [&] {
      const int head = blockIdx.x % KvHeads, tile = tiles - 1 - blockIdx.x / KvHeads;
      const flash::TilePlace at = flash::findTile<Sequences, TileM, Group>(offsets.data(), tokens, tile);
      if (at.sequence < 0)
        return;
      const bool isPadding = at.sequence == Sequences;
      const int sequence = isPadding ? 0 : at.sequence, begin = offsets[at.sequence];
      const int end = isPadding ? tokens : offsets[sequence + 1];
      const flash::PagedRows<Heads, Group, Window> rows{head, at.first, begin, end - begin,
                                                        isPadding ? 0 : lengths[sequence]};
      const Pool cache{bytes, table.data() + sequence * Pages};
      const flash::PagedKeys<Pool, Kv> keys{cache, head};
      Kernel::run(queries.data(), rows, keys, flash::NoMask{}, scale * keyScale, valueScale, out.data());
    });
  for (int sequence = 0; sequence <= Sequences; ++sequence) {
    bool isPadding = sequence == Sequences;
    int begin = offsets[sequence], count = isPadding ? padding : counts[sequence],
        length = isPadding ? 0 : lengths[sequence];
    Pool cache{bytes, table.data() + (isPadding ? 0 : sequence) * Pages};
    std::vector<T> own(queries.begin() + int64_t(begin) * Heads * D,
                       queries.begin() + int64_t(begin + count) * Heads * D);
    std::vector<T> result(out.begin() + int64_t(begin) * Heads * D, out.begin() + int64_t(begin + count) * Heads * D);
    Masked masked = [&](int64_t place, int s, double product) {
      int last = length - count + int(place / Heads);
      return s > last || (Window && s <= last - Window) ? double(-kInfinity) : product * scale * keyScale;
    };
    auto row = [&](int s, int head, bool isValue, int i) {
      return cache.table[s / PageSize] < 0 ? 0.0 : double(toFloat(cache.row(s, head, isValue)[i]));
    };
    expectAttention(own, result, int64_t(count) * Heads, Heads, Group, D, D, length, row, masked, valueScale, 0.02);
  }
}

#endif // MJOLNIR_TEST_UNIT_DEVICE_ATTENTIONS_H
