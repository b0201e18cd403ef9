// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// StreamedMatmul, thread by thread on the CPU, against products in double: rings that go round, boxes that registers
// hold, columns that end within a box, blocks that divide K, rows in shared memory and in registers, under a norm.
#include "streamed_matmul.cuh"

#include "FewRows.h"

namespace {

/// How a kernel has its tiles.
struct Tile {
  int groupColumns, groups, splits, warps, stages, window, held;
};

/// `rows` makes of a pointer to x what the kernel multiplies.
template <int M, int N, int K, int Weights, Tile T, typename MakeRows>
void run(const Operands<bf16, f8, M, N, K, Weights> &operands, Results<M, N, Weights> &results, MakeRows rows) {
  using Matmul = StreamedMatmul<M, K, T.groupColumns, Weights, T.groups, T.splits, T.warps, T.stages, T.window, T.held>;
  std::vector<float> scales[Weights];
  TensorMap maps[Weights];
  for (int w = 0; w < Weights; ++w) {
    scales[w] = makeScales<N>(w);
    maps[w] = {reinterpret_cast<const uint8_t *>(operands.weights[w].data()), N, K, Matmul::BoxRows, 1};
  }
  for (int column = 0; column < N; column += Matmul::Columns)
    emulated::launchCluster(T.splits, Matmul::Threads, Matmul::SharedBytes, 0, column + M + K, [&] {
      Matmul matmul;
      matmul.shared = emulated::sharedMemory();
      matmul.split = blockIdx.x;
      matmul.column = column, matmul.end = std::min(column + Matmul::Columns, N);
      for (int w = 0; w < Weights; ++w)
        matmul.weights[w] = &maps[w];
      matmul.start();
      for (int w = 0; w < Weights; ++w)
        matmul.fetchScales(w, scales[w].data());
      matmul.fill();
      const auto x = rows(operands.x.data()); // here a kernel waits for its inputs
      matmul.run(x, ScaledSink<f8, Matmul, Sink<M, N, Weights, false>>{{&results}, &matmul, scales});
    });
}

template <int M, int N, int K, int Weights, Tile T> void check() {
  checkRows<f8, M, N, K, Weights>(
      [](const auto &operands, auto &results, auto rows) { run<M, N, K, Weights, T>(operands, results, rows); });
}
template <int M, int N, int K, int Weights, Tile T> void checkNorm() {
  checkRowsUnderANorm<f8, M, N, K, Weights>(
      [](const auto &operands, auto &results, auto rows) { run<M, N, K, Weights, T>(operands, results, rows); });
}

TEST(StreamedMatmulTest, RowsInSharedMemory) {
  check<1, 40, 512, 1, Tile{16, 1, 1, 2, 2, 1, 0}>();
  check<2, 32, 512, 1, Tile{32, 1, 1, 2, 2, 2, 2}>(); // all boxes before the wait
  check<1, 64, 768, 1, Tile{32, 1, 1, 2, 3, 2, 1}>();
  check<2, 48, 256, 2, Tile{16, 3, 1, 1, 3, 1, 0}>(); // a ring that goes round
}
TEST(StreamedMatmulTest, RowsInRegisters) {
  check<3, 40, 512, 1, Tile{16, 2, 1, 2, 2, 1, 0}>();
  check<8, 32, 1024, 1, Tile{32, 1, 1, 2, 5, 2, 1}>();
  check<5, 34, 512, 2, Tile{16, 1, 1, 4, 2, 1, 0}>();
  check<12, 64, 512, 1, Tile{16, 2, 1, 2, 3, 2, 0}>();
  check<16, 48, 256, 1, Tile{48, 1, 1, 2, 2, 1, 1}>();
}
TEST(StreamedMatmulTest, BlocksThatDivideK) {
  check<1, 40, 1024, 1, Tile{16, 2, 2, 2, 3, 1, 0}>();
  check<7, 64, 1024, 1, Tile{32, 1, 2, 2, 3, 2, 1}>();
  check<16, 62, 1024, 2, Tile{16, 2, 4, 2, 2, 1, 0}>();
}
TEST(StreamedMatmulTest, UnderANorm) {
  checkNorm<2, 48, 512, 1, Tile{16, 3, 1, 2, 2, 1, 0}>();
  checkNorm<6, 32, 512, 2, Tile{16, 1, 1, 2, 2, 2, 0}>();
  checkNorm<13, 64, 1024, 1, Tile{32, 2, 2, 2, 2, 1, 0}>();
}

/// What is far outside of f16's range, and far apart from one warp's part of the row to the next's.
TEST(StreamedMatmulTest, RangeOfBf16) {
  checkRowsOverTheRangeOfBf16<16, 512>(
      [](const auto &operands, auto &results, auto rows) {
        run<3, 16, 512, 1, Tile{16, 1, 1, 2, 2, 1, 0}>(operands, results, rows);
      },
      [](int k) { return k / 128 % 2 * 60 - 60; });
}

TEST(StreamedMatmulTest, NoNumbers) {
  checkNoNumbers<16, 512>([](const auto &operands, auto &results, auto rows) {
    run<3, 16, 512, 1, Tile{16, 1, 1, 2, 2, 1, 0}>(operands, results, rows);
  });
}

} // namespace
