// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// flash::attend and flash::attendPlainly, thread by thread on the CPU, against attention in double.
#include "flash_attention.cuh"

#include "Attentions.h"

namespace {

template <int TileM_, int KeyWarps, int Keys, int D_, int E_> struct ByWarps {
  static constexpr int TileM = TileM_, D = D_, E = E_, Threads = TileM / 16 * KeyWarps * 32;
  template <typename Kv> static constexpr int sharedBytes() {
    return flash::sharedBytes<TileM, KeyWarps, Keys, D, E, sizeof(Kv)>();
  }
  template <typename T, typename Rows, typename Cache, typename Mask>
  static void run(const T *queries, const Rows &rows, const Cache &cache, const Mask &mask, float scale,
                  float valueScale, T *out) {
    flash::attend<TileM, KeyWarps, Keys, D, E>(queries, rows, cache, mask, scale, valueScale, out,
                                               emulated::sharedMemory());
  }
};

template <int TileM_, int KeyWarps, int D_, int E_> struct Plainly {
  static constexpr int TileM = TileM_, D = D_, E = E_, Threads = TileM / 16 * KeyWarps * 32;
  template <typename Kv> static constexpr int sharedBytes() { return Threads / 32 * D * 4; }
  template <typename T, typename Rows, typename Cache, typename Mask>
  static void run(const T *queries, const Rows &rows, const Cache &cache, const Mask &mask, float scale,
                  float valueScale, T *out) {
    flash::attendPlainly<TileM, Threads, D, E>(queries, rows, cache, mask, scale, valueScale, out,
                                               emulated::sharedMemory());
  }
};

TEST(AttendTest, OneOfEverything) { checkTensors<ByWarps<16, 4, 64, 8, 8>, bf16, 1, 1, 1, 1, false, 0, Kind::none>(); }
TEST(AttendTest, SharesOfKeys) {
  checkTensors<ByWarps<16, 4, 64, 64, 64>, bf16, 33, 2, 2, 130, false, 0, Kind::none>();
  checkTensors<ByWarps<32, 4, 64, 64, 64>, bf16, 33, 2, 1, 129, true, 0, Kind::none>();
  checkTensors<ByWarps<64, 2, 64, 32, 48>, bf16, 70, 2, 2, 100, true, 0, Kind::none>();
  checkTensors<ByWarps<128, 1, 64, 16, 16>, bf16, 130, 1, 1, 200, true, 0, Kind::none>();
  checkTensors<ByWarps<32, 1, 16, 16, 16>, bf16, 40, 1, 1, 50, false, 0, Kind::none>();
}
TEST(AttendTest, HeadSizes) {
  checkTensors<ByWarps<16, 2, 32, 80, 80>, bf16, 9, 3, 3, 70, true, 0, Kind::none>();
  checkTensors<ByWarps<16, 2, 32, 72, 40>, f16, 9, 3, 1, 70, false, 0, Kind::none>();
  checkTensors<ByWarps<16, 4, 64, 40, 104>, bf16, 9, 2, 2, 70, false, 0, Kind::none>();
  checkTensors<ByWarps<16, 4, 64, 128, 128>, bf16, 9, 4, 4, 70, true, 0, Kind::none>();
  checkTensors<ByWarps<16, 4, 64, 256, 256>, bf16, 9, 4, 2, 70, true, 0, Kind::none>();
  checkTensors<ByWarps<16, 2, 32, 136, 200>, bf16, 9, 2, 2, 40, false, 0, Kind::none>();
}
TEST(AttendTest, Windows) {
  checkTensors<ByWarps<16, 4, 64, 16, 16>, bf16, 90, 2, 1, 120, true, 1, Kind::none>();
  checkTensors<ByWarps<32, 4, 64, 16, 16>, bf16, 90, 2, 2, 120, true, 40, Kind::none>();
  checkTensors<ByWarps<64, 2, 64, 16, 16>, bf16, 90, 2, 2, 220, true, 66, Kind::none>();
  checkTensors<ByWarps<64, 2, 64, 16, 16>, bf16, 40, 2, 2, 9, true, 5, Kind::none>(); // fewer keys than rows
}
TEST(AttendTest, Masks) {
  checkTensors<ByWarps<16, 4, 64, 16, 16>, bf16, 21, 4, 2, 70, false, 0, Kind::floats>();
  checkTensors<ByWarps<16, 4, 64, 16, 16>, bf16, 21, 4, 2, 70, true, 0, Kind::headBooleans>();
  checkTensors<ByWarps<64, 2, 64, 16, 16>, f16, 21, 4, 2, 70, true, 0, Kind::floats>();
}
TEST(AttendTest, Plainly) {
  checkTensors<Plainly<16, 4, 9, 7>, float, 21, 4, 2, 70, true, 0, Kind::floats>();
  checkTensors<Plainly<32, 4, 33, 65>, float, 21, 4, 2, 70, true, 20, Kind::headBooleans>();
  checkTensors<Plainly<16, 4, 64, 64>, bf16, 9, 4, 2, 40, false, 0, Kind::none>();
}

TEST(AttendTest, Pages) {
  checkPages<ByWarps<16, 4, 64, 32, 32>, bf16, bf16, 4, 2, 0, 16>({5, 0, 40}, {5, 17, 100}, 7);
  checkPages<ByWarps<32, 4, 64, 80, 80>, bf16, bf16, 6, 3, 0, 16>({1, 33, 20}, {150, 33, 64}, 0);
  checkPages<ByWarps<64, 2, 64, 16, 16>, bf16, bf16, 4, 2, 0, 64>({70, 1, 3}, {70, 1, 190}, 100);
}
TEST(AttendTest, PagesOfF8) {
  checkPages<ByWarps<16, 4, 64, 32, 32>, bf16, f8, 4, 2, 0, 16>({5, 0, 40}, {5, 17, 100}, 7);
  checkPages<ByWarps<32, 4, 64, 72, 72>, bf16, f8, 6, 3, 0, 16>({1, 33, 20}, {150, 33, 64}, 3);
  checkPages<ByWarps<64, 2, 64, 128, 128>, f16, f8, 4, 2, 0, 64>({70, 1, 3}, {70, 1, 190}, 1);
}
TEST(AttendTest, WindowsOfPages) {
  checkPages<ByWarps<16, 4, 64, 32, 32>, bf16, bf16, 4, 2, 33, 16>({5, 2, 40}, {105, 17, 190}, 7);
  checkPages<ByWarps<64, 2, 64, 16, 16>, bf16, f8, 4, 2, 70, 16>({70, 1, 3}, {180, 150, 190}, 9);
}

} // namespace
