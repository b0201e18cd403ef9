// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// DecodeAttention, thread by thread on the CPU, in a kernel as the compiler prints it, against attention in double.
#include "decode_attention.cuh"

#include "Attentions.h"

namespace {

/// What kernels differ in.
struct Shape {
  int group, d, warps, stages, splits, keys, kvHeads, sequences, clusters, window, pageSize;
};

/// Rows of a batch of as many sequences: `offsets` as the runtime gives them, `lengths` of the sequences. Pages that
/// nobody may read are far from all memory. `magnitude` of queries.
template <typename T, Shape S, bool HasOwn>
void check(std::vector<int32_t> offsets, std::vector<int32_t> lengths, float magnitude = 1.0f) {
  constexpr int Pages = 800 / S.pageSize + 1, Items = S.sequences * S.kvHeads, Heads = S.kvHeads * S.group;
  constexpr int64_t Stride = int64_t(2) * S.kvHeads * S.pageSize * S.d * sizeof(T) + 32;
  using Cache = PagedCache<T, S.pageSize, S.d, S.kvHeads, Stride>;
  using Batch = DecodeBatch<S.sequences, Pages, S.window>;
  using Attention =
      DecodeAttention<Cache, T, Batch, S.group, S.d, S.warps, S.stages, S.splits, S.keys, HasOwn, Items, S.clusters>;
  const int rows = offsets.back();
  // Pages in any order; of what a window hides there are none.
  std::vector<int32_t> free(S.sequences * Pages), table(S.sequences * Pages, -(1 << 30)), slots(S.sequences, -1);
  for (size_t i = 0; i < free.size(); ++i)
    free[i] = int32_t(i);
  std::shuffle(free.begin(), free.end(), randomNumbers);
  for (int sequence = 0, next = 0; sequence < S.sequences; ++sequence)
    for (int page = 0; page * S.pageSize < lengths[sequence]; ++page)
      if (!S.window || (page + 1) * S.pageSize > lengths[sequence] - S.window)
        table[sequence * Pages + page] = free[next++];
  std::vector<uint4> pool(free.size() * Stride / 16 + 16);
  auto elements = randomElements<T>(pool.size() * 16 / sizeof(T));
  std::memcpy(pool.data(), elements.data(), elements.size() * sizeof(T));
  auto own = randomElements<T>(int64_t(2) * S.sequences * S.kvHeads * S.d);
  auto ownAt = [&](int row, int head, bool isValue, int d) {
    return own[((int64_t(isValue) * S.sequences + row) * S.kvHeads + head) * S.d + d];
  };
  std::vector<float> queries(int64_t(S.sequences) * Heads * S.d), out(queries.size(), 777.0f);
  for (float &query : queries)
    query = toFloat(to<bf16>(normal())) * magnitude;
  std::vector<int> sequenceOfRow(S.sequences, -1);
  for (int sequence = 0; sequence < S.sequences; ++sequence)
    for (int row = offsets[sequence]; row < offsets[sequence + 1]; ++row) {
      sequenceOfRow[row] = sequence;
      const int position = lengths[sequence] - 1;
      slots[row] = table[sequence * Pages + position / S.pageSize] * S.pageSize + position % S.pageSize;
    }
  constexpr float keyScale = 0.5f, valueScale = 0.25f;
  const float scale = 0.2f / magnitude;
  uint8_t *const bytes = reinterpret_cast<uint8_t *>(pool.data());
  const auto cached = pool; // before rows are appended
  const Batch batch{offsets.data(), lengths.data(), table.data()};
  for (int cluster = 0; cluster < S.clusters; ++cluster)
    emulated::launchCluster(
        S.splits, S.warps * 32, Attention::SharedBytes + S.group * S.d * 4, cluster * S.splits, cluster + 1, [&] {
          uint8_t *const shared = emulated::sharedMemory();
          const int rank = blockIdx.x % S.splits, first = blockIdx.x / S.splits;
          float *const staged = reinterpret_cast<float *>(shared + Attention::SharedBytes);
          Attention attention{shared, bytes, batch, rank};
          attention.begin(first);
          for (int item = first; item < Items; item += S.clusters) {
            const int row = item / S.kvHeads, head = item % S.kvHeads;
            const auto part = attention.partOfItem(item, batch.find(row));
            for (int i = threadIdx.x; i < S.group * S.d; i += S.warps * 32)
              staged[i] = queries[(int64_t(row) * Heads + head * S.group) * S.d + i];
            if (HasOwn)
              for (int d = threadIdx.x; d < S.d; d += S.warps * 32)
                for (bool isValue : {false, true})
                  attention.ownRow(isValue)[d] = ownAt(row, head, isValue, d);
            __syncthreads();
            if (HasOwn && rank == 0 && part.sequence >= 0 && slots[row] >= 0)
              attention.storeOwn(bytes + slots[row] / S.pageSize * Stride, slots[row] % S.pageSize, head);
            attention.run(part, staged, scale * 1.4426950408889634f * keyScale, valueScale);
            attention.finish([&](int h, int d, float y) {
              float &to = out[(int64_t(row) * Heads + head * S.group + h) * S.d + d];
              ASSERT_EQ(to, 777.0f) << "written twice";
              to = y;
            });
          }
        });
  for (int row = 0; row < S.sequences; ++row) {
    const int sequence = sequenceOfRow[row], length = sequence < 0 ? 0 : lengths[sequence];
    const Cache before{reinterpret_cast<const uint8_t *>(cached.data()), table.data() + std::max(sequence, 0) * Pages},
        after{bytes, before.table};
    auto line = [&](int s, int head, bool isValue, int i) {
      if (s < length - S.window && S.window)
        return 0.0;
      return double(
          toFloat(HasOwn && s == length - 1 ? ownAt(row, head, isValue, i) : before.row(s, head, isValue)[i]));
    };
    for (int head = 0; HasOwn && length && head < S.kvHeads; ++head)
      for (int d = 0; d < S.d; ++d)
        ASSERT_EQ(toFloat(after.row(length - 1, head, true)[d]), toFloat(ownAt(row, head, true, d)));
    std::vector<float> ownQueries(queries.begin() + int64_t(row) * Heads * S.d,
                                  queries.begin() + int64_t(row + 1) * Heads * S.d),
        result(out.begin() + int64_t(row) * Heads * S.d, out.begin() + int64_t(row + 1) * Heads * S.d);
    Masked masked = [&](int64_t, int s, double product) {
      return S.window && s < length - S.window ? double(-kInfinity) : product * scale * keyScale;
    };
    SCOPED_TRACE("row " + std::to_string(row));
    expectAttention(ownQueries, result, Heads, Heads, S.group, S.d, S.d, length, line, masked, valueScale, 0.01);
  }
  EXPECT_LE(rows, S.sequences);
}

//                          group d  warps stages splits keys kvHeads sequences clusters window pageSize
constexpr Shape Plain = {2, 64, 2, 2, 1, 16, 2, 3, 6, 0, 16};
constexpr Shape Turns = {2, 64, 2, 3, 1, 16, 2, 5, 3, 0, 64};
constexpr Shape Wide = {1, 128, 4, 2, 1, 32, 1, 3, 2, 0, 16};
constexpr Shape OddPages = {3, 64, 2, 2, 1, 32, 1, 3, 2, 0, 24};
constexpr Shape ManyHeads = {9, 48, 2, 2, 1, 16, 1, 2, 2, 0, 16};
constexpr Shape Splits = {2, 64, 2, 2, 4, 16, 2, 2, 4, 0, 16};
constexpr Shape SplitTurns = {4, 32, 2, 3, 2, 32, 2, 4, 3, 0, 32};
constexpr Shape Windows = {2, 64, 2, 3, 2, 16, 2, 3, 2, 37, 16};

TEST(DecodeAttentionTest, ContextsOfAnyLength) {
  check<bf16, Plain, true>({0, 1, 2, 3}, {1, 16, 17});
  check<bf16, Plain, true>({0, 1, 2, 3}, {15, 33, 64});
  check<bf16, Plain, false>({0, 1, 2, 3}, {1, 32, 130});
  check<bf16, Wide, true>({0, 1, 2, 3}, {2, 97, 160});
}
TEST(DecodeAttentionTest, TablesOfManyPages) {
  check<bf16, Plain, true>({0, 1, 2, 3}, {700, 513, 512});
  check<f8, Windows, true>({0, 1, 2, 3}, {700, 513, 549});
}
TEST(DecodeAttentionTest, ItemsInTurns) {
  check<bf16, Turns, true>({0, 1, 2, 3, 4, 5}, {1, 200, 3, 64, 65});
  check<f8, Turns, true>({0, 1, 2, 3, 4, 5}, {70, 1, 1, 1, 130});
  check<bf16, SplitTurns, true>({0, 1, 2, 3, 4}, {1, 200, 33, 64});
  check<f8, SplitTurns, false>({0, 1, 2, 3, 4}, {65, 1, 190, 128});
}
TEST(DecodeAttentionTest, RowsThatAreNotThoseOfTheSequencesOfTheirNumbers) {
  check<bf16, Plain, true>({0, 0, 1, 2}, {9, 20, 40});
  check<bf16, Turns, true>({0, 1, 1, 1, 2, 3}, {30, 9, 9, 64, 65});
  check<bf16, SplitTurns, false>({0, 0, 0, 0, 1}, {9, 9, 9, 77});
  check<bf16, Plain, true>({0, 0, 0, 0}, {9, 20, 40}); // padding alone
}
TEST(DecodeAttentionTest, HeadsAndPages) {
  check<bf16, OddPages, true>({0, 1, 2, 3}, {24, 25, 90});
  check<f8, OddPages, true>({0, 1, 2, 3}, {23, 49, 100});
  check<bf16, ManyHeads, true>({0, 1, 2}, {50, 16});
}
TEST(DecodeAttentionTest, ClustersDivideTheContext) {
  check<bf16, Splits, true>({0, 1, 2}, {1, 70});
  check<f8, Splits, true>({0, 1, 2}, {48, 300});
  check<bf16, Splits, false>({0, 1, 2}, {17, 129});
}
TEST(DecodeAttentionTest, WindowsHideWhatIsBefore) {
  check<bf16, Windows, true>({0, 1, 2, 3}, {20, 37, 150});
  check<bf16, Windows, false>({0, 1, 2, 3}, {38, 100, 33});
}
/// f16 holds numbers up to 65504.
TEST(DecodeAttentionTest, LargeQueriesOfF8) { check<f8, Turns, true>({0, 1, 2, 3, 4, 5}, {9, 70, 3, 64, 65}, 1e6f); }

} // namespace
