// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// flash::GroupAttention, thread by thread on the CPU, against attention in double: fewer steps than stages and rings
// that go round, one group of warps and two, steps that begin before what is seen does and end behind it.
#include "flash_groups.cuh"

#include "Attentions.h"

namespace {

template <int Groups, int Keys, int D_, int E_> struct ByGroups {
  using Attention = flash::GroupAttention<Groups, Keys, D_, E_>;
  static constexpr int TileM = Attention::TileM, D = D_, E = E_, Threads = Attention::Threads;
  template <typename Kv> static constexpr int sharedBytes() { return Attention::SharedBytes; }
  template <typename T, typename Rows, typename Cache, typename Mask>
  static void run(const T *queries, const Rows &rows, const Cache &cache, const Mask &mask, float scale,
                  float valueScale, T *out) {
    flash::attendByGroups<Groups, Keys, D, E>(queries, rows, cache, mask, scale, valueScale, out,
                                              emulated::sharedMemory());
  }
};

TEST(GroupAttentionTest, Sizes) {
  checkTensors<ByGroups<1, 64, 64, 64>, bf16, 1, 1, 1, 1, false, 0, Kind::none>();
  checkTensors<ByGroups<2, 128, 128, 128>, bf16, 129, 1, 1, 385, false, 0, Kind::none>();
  checkTensors<ByGroups<1, 128, 128, 128>, bf16, 65, 2, 1, 257, true, 0, Kind::none>();
  checkTensors<ByGroups<2, 64, 128, 128>, bf16, 70, 2, 2, 191, true, 0, Kind::none>();
  checkTensors<ByGroups<1, 64, 128, 64>, bf16, 33, 2, 2, 301, false, 0, Kind::none>();
  checkTensors<ByGroups<2, 64, 64, 128>, bf16, 51, 6, 3, 301, true, 0, Kind::none>();
  checkTensors<ByGroups<2, 128, 64, 64>, bf16, 130, 1, 1, 639, true, 0, Kind::none>();
  checkTensors<ByGroups<1, 128, 64, 128>, bf16, 17, 4, 4, 511, false, 0, Kind::none>();
}
TEST(GroupAttentionTest, Windows) {
  checkTensors<ByGroups<1, 64, 64, 64>, bf16, 150, 1, 1, 420, true, 1, Kind::none>();
  checkTensors<ByGroups<2, 64, 64, 64>, bf16, 160, 2, 2, 420, true, 66, Kind::none>();
  checkTensors<ByGroups<2, 128, 64, 64>, bf16, 150, 1, 1, 420, true, 200, Kind::none>();
}
TEST(GroupAttentionTest, RowsThatSeeNothing) {
  checkTensors<ByGroups<1, 64, 64, 64>, bf16, 150, 1, 1, 9, true, 0, Kind::none>(); // tiles of 0 steps
  checkTensors<ByGroups<2, 128, 64, 128>, bf16, 290, 1, 1, 140, true, 5, Kind::none>();
}
TEST(GroupAttentionTest, Masks) {
  checkTensors<ByGroups<1, 64, 64, 64>, bf16, 37, 4, 2, 230, false, 0, Kind::floats>();
  checkTensors<ByGroups<2, 128, 64, 64>, bf16, 67, 4, 2, 270, true, 0, Kind::headBooleans>();
  checkTensors<ByGroups<2, 64, 64, 128>, bf16, 131, 1, 1, 231, true, 90, Kind::floats>();
}
TEST(GroupAttentionTest, Pages) {
  checkPages<ByGroups<1, 64, 64, 64>, bf16, bf16, 4, 2, 0, 16>({5, 0, 40}, {5, 17, 391}, 7);
  checkPages<ByGroups<2, 128, 128, 128>, bf16, bf16, 3, 3, 0, 64>({70, 1, 3}, {70, 1, 399}, 50);
  checkPages<ByGroups<2, 64, 64, 64>, bf16, bf16, 2, 1, 70, 16>({131, 1, 3}, {333, 150, 190}, 9);
  checkPages<ByGroups<1, 128, 64, 64>, bf16, bf16, 4, 4, 33, 16>({33, 2, 40}, {300, 17, 190}, 70);
}

} // namespace
