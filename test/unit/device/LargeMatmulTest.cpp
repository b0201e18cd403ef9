// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// LargeMatmul by mma.sync and by wgmma, thread by thread on the CPU, against products in double: elements of 16 bits,
// f8 as they are, f8 that are widened on their way.
#include "large_matmul.cuh"

#include "Matmuls.h"

namespace {

/// `E`: what is multiplied.
template <typename E, typename X, typename W, int M, int N, int K, int TileM, int TileN, int Stages, int Weights,
          bool HasFours, bool UsesGroups = false, int Splits = 1>
void check() {
  const Operands<X, W, M, N, K, Weights> operands;
  Results<M, N, Weights> results;
  using Matmul = LargeMatmul<M, N, K, TileM, TileN, Stages, Splits, Weights, UsesGroups, E, X, W>;
  for (int row = 0; row < M; row += TileM)
    for (int column = 0; column < N; column += TileN)
      emulated::launchCluster(Splits, Matmul::Threads, Matmul::SharedBytes, 0, row + column, [&] {
        Matmul matmul{operands.x.data(), {}, row, column, int(blockIdx.x), emulated::sharedMemory()};
        for (int w = 0; w < Weights; ++w)
          matmul.weights[w] = operands.weights[w].data();
        matmul.run(Sink<M, N, Weights, HasFours>{&results});
      });
  operands.expectProducts(results);
}

TEST(LargeMatmulTest, Bf16) {
  check<bf16, bf16, bf16, 65, 72, 200, 64, 64, 2, 1, true>();
  check<bf16, bf16, bf16, 64, 33, 64, 64, 64, 4, 2, false>();
}
TEST(LargeMatmulTest, F8WidenedToBf16) {
  check<bf16, f8, f8, 65, 72, 208, 64, 64, 2, 1, true>();
  check<bf16, bf16, f8, 64, 64, 64, 64, 64, 3, 1, true>();
}
TEST(LargeMatmulTest, F8AsItIs) {
  check<f8, f8, f8, 64, 64, 128, 64, 64, 2, 1, true>();
  check<f8, f8, f8, 65, 72, 208, 64, 64, 4, 1, true>(); // a step that ends before K does
  check<f8, f8, f8, 130, 129, 400, 128, 64, 2, 1, false>();
  check<f8, f8, f8, 70, 64, 256, 64, 64, 3, 2, true>();
}
TEST(LargeMatmulTest, Splits) {
  check<bf16, bf16, bf16, 65, 72, 200, 64, 64, 2, 1, true, false, 2>();
  check<f8, f8, f8, 64, 33, 640, 64, 64, 3, 2, false, false, 4>(); // steps: 2, 2, 1, 0
}
TEST(LargeMatmulTest, ByGroups) {
  check<bf16, bf16, bf16, 65, 72, 456, 64, 64, 3, 1, true, true>();
  check<f8, f8, f8, 130, 33, 400, 128, 64, 4, 1, false, true>();
  check<bf16, f8, f8, 64, 64, 208, 64, 64, 3, 2, true, true, 2>();
}

} // namespace
