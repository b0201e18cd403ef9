// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// LargeMatmul by mma.sync, thread by thread on the CPU, against products in double: elements of 16 bits, f8 as they
// are, f8 that are widened on their way.
#include "large_matmul.cuh"

#include <gtest/gtest.h>

namespace {

template <int Count, bool HasFours> struct Sink {
  static constexpr int kResults = Count;
  static constexpr bool kHasFours = HasFours;
  std::vector<float> *out;
  int columns;
  template <int Weights> void compute(int, int, const float (&acc)[Weights], float (&values)[Count]) const {
    std::copy(acc, acc + Count, values);
  }
  void put(int m, int n, const float (&values)[Count]) const {
    for (int w = 0; w < Count; ++w)
      out[w][m * columns + n] = values[w];
  }
  void putFour(int m, int n, const float (&values)[4][Count]) const {
    for (int v = 0; v < 4; ++v)
      put(m, n + v, values[v]);
  }
};

template <typename T> void fill(std::vector<T> &elements, std::mt19937 &random) {
  std::normal_distribution<float> normal;
  for (T &element : elements)
    if constexpr (sizeof(T) == 1)
      do
        element.bits = uint8_t(random());
      while (!(std::fabs(toFloat(element)) <= 16)); // not the NaNs, and no range that hides small numbers
    else
      element = to<T>(normal(random));
}

/// `E`: what is multiplied.
template <typename E, typename X, typename W, int M, int N, int K, int TileM, int TileN, int Stages, int Weights,
          bool HasFours>
void check() {
  std::mt19937 random(M * 1000 + N);
  std::vector<X> x(M * K);
  std::vector<W> weights[Weights];
  std::vector<float> out[Weights];
  fill(x, random);
  for (int w = 0; w < Weights; ++w) {
    weights[w].resize(N * K);
    fill(weights[w], random);
    out[w].assign(M * N, 777.0f);
  }
  using Matmul = LargeMatmul<M, N, K, TileM, TileN, Stages, 1, Weights, false, E, X, W>;
  std::vector<uint4> shared(Matmul::SharedBytes / 16 + 1);
  for (int row = 0; row < M; row += TileM)
    for (int column = 0; column < N; column += TileN) {
      std::fill(shared.begin(), shared.end(), uint4{~0u, ~0u, ~0u, ~0u});
      emulated::launch(256, 0, row + column, [&] {
        Matmul matmul{x.data(), {}, row, column, 0, reinterpret_cast<uint8_t *>(shared.data())};
        for (int w = 0; w < Weights; ++w)
          matmul.weights[w] = weights[w].data();
        matmul.run(Sink<Weights, HasFours>{out, N});
      });
    }
  for (int w = 0; w < Weights; ++w)
    for (int m = 0; m < M; ++m)
      for (int n = 0; n < N; ++n) {
        double sum = 0, magnitude = 0;
        for (int k = 0; k < K; ++k) {
          double product = double(toFloat(x[m * K + k])) * toFloat(weights[w][n * K + k]);
          sum += product, magnitude += std::fabs(product);
        }
        ASSERT_NEAR(out[w][m * N + n], sum, magnitude * 0x1p-20) << w << ": " << m << ", " << n;
      }
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

} // namespace
