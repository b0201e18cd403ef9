// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// TensorMatmul, thread by thread on the CPU, against products in double: rings that go round, ends of rows, columns
// and K within a tile, blocks of a cluster that divide K.
#include "tensor_matmul.cuh"

#include "Matmuls.h"

namespace {

template <typename E, int M, int N, int K, int TileM, int TileN, int Stages, int Splits, int Weights, bool HasFours>
void check() {
  // What blocks of a cluster have in shared memory is sums alone.
  constexpr int Early = Splits == 1 ? Weights % 2 + 1 : 0;
  const Operands<E, E, M, N, K, Weights> operands;
  Results<M, N, Weights> results;
  auto mapOf = [](const std::vector<E> &matrix, int rows, int boxRows) {
    return TensorMap{reinterpret_cast<const uint8_t *>(matrix.data()), rows, K, boxRows, int(sizeof(E))};
  };
  TensorMap weights[Weights];
  for (int w = 0; w < Weights; ++w)
    weights[w] = mapOf(operands.weights[w], N, TileN);
  using Matmul = TensorMatmul<M, K, TileM, TileN, Stages, Splits, Weights, E>;
  const TensorMap computed = mapOf(operands.x, M, TileM);
  uint32_t seed = M + N + K;
  for (int row = 0; row < M; row += TileM)
    for (int column = 0; column < N; column += TileN)
      emulated::launchCluster(Splits, Matmul::Threads, Matmul::SharedBytes, 0, ++seed, [&] {
        TensorMap x = computed;
        x.matrix = nullptr;
        Matmul matmul{&x, {}, row, column, N, int(blockIdx.x), emulated::sharedMemory()};
        for (int w = 0; w < Weights; ++w)
          matmul.weights[w] = &weights[w];
        matmul.start();
        x = computed; // here a kernel waits for its inputs
        matmul.run(Sink<M, N, Weights, HasFours, Early>{&results});
      });
  operands.expectProducts(results);
}

TEST(TensorMatmulTest, Bf16) {
  check<bf16, 1, 8, 8, 64, 64, 3, 1, 1, true>(); // fewer steps than stages
  check<bf16, 128, 64, 256, 128, 64, 4, 1, 1, true>();
  check<bf16, 100, 41, 200, 128, 32, 3, 1, 1, false>(); // a step that ends before K does
  check<bf16, 65, 68, 456, 64, 64, 5, 1, 2, true>();
  check<bf16, 61, 127, 648, 64, 128, 8, 1, 1, false>();
  check<bf16, 131, 100, 456, 128, 128, 3, 1, 1, true>();
  check<bf16, 127, 255, 328, 128, 256, 4, 1, 1, false>();
}
TEST(TensorMatmulTest, F8) {
  check<f8, 128, 64, 512, 128, 64, 3, 1, 1, true>();
  check<f8, 64, 33, 656, 64, 64, 3, 1, 2, false>();
  check<f8, 129, 36, 1296, 128, 32, 8, 1, 1, true>();
  check<f8, 63, 132, 912, 64, 128, 6, 1, 1, true>();
  check<f8, 67, 100, 784, 128, 128, 4, 1, 2, false>();
}
TEST(TensorMatmulTest, Splits) {
  check<bf16, 70, 100, 584, 64, 128, 3, 2, 1, true>();
  check<bf16, 100, 31, 456, 128, 32, 3, 2, 2, false>();
  check<bf16, 128, 64, 312, 128, 64, 3, 4, 1, true>();  // steps: 2, 2, 1, 0
  check<bf16, 33, 68, 1096, 64, 64, 3, 4, 2, true>();   // steps: 5, 5, 5, 3
  check<bf16, 50, 200, 328, 128, 256, 2, 2, 1, true>(); // sums take more than the ring
  check<f8, 67, 65, 912, 128, 64, 3, 2, 1, false>();
  check<f8, 120, 124, 1424, 128, 128, 4, 2, 1, true>();
  check<f8, 64, 63, 64, 64, 64, 3, 4, 1, false>(); // steps: 1, 0, 0, 0
}

} // namespace
