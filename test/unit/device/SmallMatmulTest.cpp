// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// SmallMatmul, thread by thread on the CPU, against products in double: rings that go round, slices and blocks that
// divide K, rows that are loaded, copied or under a norm, codes of weights as f16 and as bf16.
#include "small_matmul.cuh"

#include "FewRows.h"

namespace {

/// How a kernel has its tiles.
struct Tile {
  int groupColumns, groups, slices, splits, shares, warps, stageK, stages, held = 0;
};

/// `IsNormed`: x is under an RMS norm with weights. `rows` makes of a pointer to x what the kernel multiplies.
template <typename W, int M, int N, int K, int Weights, Tile T, bool IsNormed, typename MakeRows>
void run(const Operands<bf16, W, M, N, K, Weights> &operands, Results<M, N, Weights> &results, MakeRows rows) {
  using Matmul = SmallMatmul<M, K, T.groupColumns, Weights, T.groups, T.slices, T.splits, T.shares, T.warps, T.stageK,
                             T.stages, IsNormed, W, T.held>;
  std::vector<float> scales[Weights];
  for (int w = 0; w < Weights; ++w)
    scales[w] = makeScales<N>(w);
  constexpr int Columns = T.groupColumns * T.groups;
  for (int column = 0; column < N; column += Columns * Matmul::Sharers)
    emulated::launchCluster(Matmul::Blocks, T.warps * 32, Matmul::SharedBytes, 0, column + M + K, [&] {
      Matmul matmul;
      matmul.shared = emulated::sharedMemory();
      matmul.split = blockIdx.x / Matmul::Sharers, matmul.share = blockIdx.x % Matmul::Sharers;
      matmul.column = column + matmul.share * Columns, matmul.end = std::min(matmul.column + Columns, N);
      for (int w = 0; w < Weights; ++w) {
        matmul.weights[w] = operands.weights[w].data();
        if constexpr (Matmul::HasCodes)
          matmul.fetchScales(w, scales[w].data());
      }
      matmul.start();
      const auto x = rows(operands.x.data()); // here a kernel waits for its inputs
      matmul.stage(x);
      matmul.run(x, ScaledSink<W, Matmul, Sink<M, N, Weights, false>>{{&results}, &matmul, scales});
    });
}

template <typename W, int M, int N, int K, int Weights, Tile T> void check() {
  checkRows<W, M, N, K, Weights>([](const auto &operands, auto &results, auto rows) {
    run<W, M, N, K, Weights, T, false>(operands, results, rows);
  });
}
template <typename W, int M, int N, int K, int Weights, Tile T> void checkNorm() {
  checkRowsUnderANorm<W, M, N, K, Weights>([](const auto &operands, auto &results, auto rows) {
    run<W, M, N, K, Weights, T, true>(operands, results, rows);
  });
}

TEST(SmallMatmulTest, Bf16) {
  check<bf16, 1, 40, 64, 1, Tile{8, 2, 1, 1, 0, 2, 64, 1}>();
  check<bf16, 3, 33, 320, 2, Tile{8, 1, 2, 1, 0, 2, 64, 3}>();    // a ring that goes round
  check<bf16, 5, 48, 256, 1, Tile{16, 3, 1, 2, 0, 2, 64, 2}>();   // rounds, blocks that divide K
  check<bf16, 12, 70, 256, 1, Tile{16, 1, 4, 1, 2, 4, 128, 2}>(); // copied rows, blocks that share them
}
TEST(SmallMatmulTest, Bf16UnderANorm) {
  checkNorm<bf16, 4, 24, 256, 1, Tile{8, 1, 2, 1, 0, 2, 128, 2}>();
  checkNorm<bf16, 12, 40, 256, 1, Tile{16, 1, 2, 2, 1, 2, 64, 2}>();
}
TEST(SmallMatmulTest, CodesAsHalves) {
  check<f8, 1, 40, 64, 1, Tile{8, 2, 1, 1, 0, 2, 64, 1}>();
  check<f8, 1, 96, 1024, 1, Tile{32, 1, 4, 1, 0, 4, 1024, 1}>(); // whole pieces of x
  check<f8, 8, 50, 768, 2, Tile{16, 1, 4, 1, 0, 4, 256, 2}>();   // slices that end within one
  check<f8, 3, 44, 656, 1, Tile{16, 2, 1, 1, 0, 2, 128, 3}>();   // K that ends within a step
  check<f8, 7, 48, 768, 1, Tile{16, 3, 1, 2, 0, 2, 128, 2}>();   // rounds, blocks that divide K
  check<f8, 5, 64, 512, 1, Tile{8, 2, 2, 1, 2, 4, 256, 2}>();    // copied rows
  check<f8, 6, 40, 1024, 2, Tile{8, 1, 2, 2, 2, 2, 256, 2}>();
}
TEST(SmallMatmulTest, CodesAsHalvesUnderANorm) {
  checkNorm<f8, 4, 24, 512, 2, Tile{8, 1, 2, 1, 0, 2, 256, 2}>();
  checkNorm<f8, 7, 40, 768, 1, Tile{16, 1, 2, 2, 1, 2, 128, 2}>();
}
TEST(SmallMatmulTest, CodesAsBf16) {
  check<f8, 9, 40, 256, 1, Tile{16, 1, 2, 1, 0, 2, 128, 2}>();
  check<f8, 17, 34, 256, 1, Tile{16, 2, 1, 1, 2, 2, 64, 2}>(); // nothing but copies before the epilogue
  checkNorm<f8, 12, 24, 256, 1, Tile{8, 1, 2, 1, 2, 2, 128, 2}>();
}

/// Threads hold what they multiply: in registers, or the rest in shared memory.
TEST(SmallMatmulTest, HeldWeights) {
  check<bf16, 12, 70, 256, 1, Tile{16, 1, 4, 1, 2, 4, 256, 1, 2}>();
  check<bf16, 20, 100, 512, 2, Tile{24, 1, 4, 1, 2, 4, 512, 1, 99}>(); // all in registers
  check<bf16, 9, 50, 128, 1, Tile{8, 3, 1, 1, 1, 3, 128, 1, 1}>();     // nothing to add up
  check<f8, 9, 40, 512, 1, Tile{16, 1, 2, 1, 1, 2, 512, 1, 3}>();
  check<f8, 33, 44, 256, 2, Tile{24, 1, 2, 1, 2, 2, 256, 1, 12}>();
}
TEST(SmallMatmulTest, HeldWeightsUnderANorm) {
  checkNorm<bf16, 12, 40, 256, 1, Tile{16, 1, 2, 2, 1, 2, 128, 1, 3}>(); // blocks that divide K
  checkNorm<bf16, 32, 64, 512, 1, Tile{32, 1, 4, 1, 2, 4, 512, 1, 12}>();
  checkNorm<f8, 10, 48, 256, 1, Tile{8, 2, 2, 1, 2, 4, 256, 1, 1}>(); // two groups
}

/// What is far outside of f16's range, and far apart from one piece of a row to the next.
TEST(SmallMatmulTest, CodesAsHalvesOverTheRangeOfBf16) {
  checkRowsOverTheRangeOfBf16<16, 1024>(
      [](const auto &operands, auto &results, auto rows) {
        run<f8, 3, 16, 1024, 1, Tile{16, 1, 2, 1, 0, 2, 512, 2}, false>(operands, results, rows);
      },
      [](int k) { return k / 256 * 30 - 60; });
}

TEST(SmallMatmulTest, CodesAsHalvesOfNoNumbers) {
  checkNoNumbers<8, 512>([](const auto &operands, auto &results, auto rows) {
    run<f8, 3, 8, 512, 1, Tile{8, 1, 2, 1, 0, 2, 256, 2}, false>(operands, results, rows);
  });
}

} // namespace
