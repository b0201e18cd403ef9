// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// batch::multiply and batch::multiplyPlainly, thread by thread on the CPU, against products in double.
#include "batch_matmul.cuh"

#include <gtest/gtest.h>

namespace {

template <int M, int N, int K, int TileM, int TileN, int Stages, bool Transposed, typename T, bool Plain = false>
void check() {
  std::mt19937 random(M * 1000 + N);
  std::normal_distribution<float> normal;
  std::vector<T> a(M * K), b(K * N);
  for (auto *elements : {&a, &b})
    for (T &element : *elements)
      element = to<T>(normal(random));
  std::vector<float> out(M * N, 777.0f);
  std::vector<uint4> shared(Plain ? 16 * (TileM + TileN + 2) / 4 + 1
                                  : batch::sharedBytes<TileM, TileN, 64, Stages, Transposed>() / 16 + 1);
  for (int row = 0; row < M; row += TileM)
    for (int column = 0; column < N; column += TileN) {
      std::fill(shared.begin(), shared.end(), uint4{~0u, ~0u, ~0u, ~0u});
      emulated::launch(256, 0, row + column, [&] {
        const auto write = [&](int m, int n, float sum) { out[m * N + n] = sum; };
        uint8_t *const memory = reinterpret_cast<uint8_t *>(shared.data());
        if constexpr (Plain)
          batch::multiplyPlainly<M, N, K, TileM, TileN, Transposed>(a.data(), b.data(), row, column, memory, write);
        else
          batch::multiply<M, N, K, TileM, TileN, 64, Stages, Transposed>(a.data(), b.data(), row, column, memory,
                                                                         write);
      });
    }
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) {
      double sum = 0;
      for (int k = 0; k < K; ++k)
        sum += double(toFloat(a[m * K + k])) * toFloat(b[Transposed ? n * K + k : k * N + n]);
      ASSERT_NEAR(out[m * N + n], sum, 1e-3) << m << ", " << n;
    }
}

TEST(StacksTest, TensorCores) {
  check<1, 8, 8, 64, 64, 2, false, bf16>();
  check<1, 1, 8, 64, 64, 4, true, bf16>();
  check<65, 72, 200, 64, 64, 4, false, bf16>();
  check<65, 70, 200, 64, 64, 3, true, bf16>();
  check<64, 64, 64, 64, 64, 2, true, f16>();
  check<130, 136, 72, 128, 128, 2, false, f16>();
  check<129, 129, 320, 128, 128, 3, true, bf16>();
}
TEST(StacksTest, PlainCores) {
  check<1, 1, 1, 64, 64, 2, false, float, true>();
  check<65, 66, 33, 64, 64, 2, false, float, true>();
  check<17, 70, 7, 64, 64, 2, true, bf16, true>();
}

} // namespace
