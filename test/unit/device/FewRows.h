// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the tests of matmuls of few rows share: rows in memory and under a norm, and scales of columns.
#ifndef MJOLNIR_TEST_UNIT_DEVICE_FEWROWS_H
#define MJOLNIR_TEST_UNIT_DEVICE_FEWROWS_H

#include "matmul_operands.cuh"

#include "Matmuls.h"

/// A Sink that also looks at the scales of columns, where weights have some.
template <typename W, typename Matmul, typename Base> struct ScaledSink : Base {
  const Matmul *matmul;
  const std::vector<float> *scales;
  void compute(int m, int n, const float (&known)[Matmul::Weights], float (&values)[Matmul::Weights]) const {
    Base::compute(m, n, known, values);
    if constexpr (sizeof(W) == 1)
      for (int w = 0; w < Matmul::Weights; ++w)
        ASSERT_EQ(matmul->columnScale(w, n), scales[w][n]) << n;
  }
};

/// Scales that tell columns, and the weights of a set, apart.
template <int N> std::vector<float> makeScales(int weight) {
  std::vector<float> scales;
  for (int n = 0; n < N; ++n)
    scales.push_back(float(n + 1000 * weight));
  return scales;
}

/// `run(operands, results, rows)` computes; `rows` makes of a pointer to x what the kernel multiplies.
template <typename W, int M, int N, int K, int Weights, typename Run> void checkRows(Run run) {
  const Operands<bf16, W, M, N, K, Weights> operands;
  Results<M, N, Weights> results;
  run(operands, results, [](const bf16 *x) { return StoredRows<K>{x, nullptr}; });
  operands.expectProducts(results);
}

/// The same of rows under a norm, in another order.
template <typename W, int M, int N, int K, int Weights, typename Run> void checkRowsUnderANorm(Run run) {
  Operands<bf16, W, M, N, K, Weights> operands;
  Results<M, N, Weights> results;
  std::vector<bf16> norm(K);
  std::mt19937 random(1);
  fill(norm, random);
  std::vector<int32_t> ids(M);
  for (int m = 0; m < M; ++m)
    ids[m] = M - 1 - m;
  run(operands, results, [&](const bf16 *x) { return NormedRows<K, bf16>{{x, ids.data()}, norm.data(), 0.25f}; });
  const std::vector<bf16> x = operands.x;
  for (int m = 0; m < M; ++m) {
    double squares = 0;
    for (int k = 0; k < K; ++k) {
      const float value = toFloat(x[ids[m] * K + k]);
      squares += double(value) * value;
      operands.x[m * K + k] = to<bf16>(value * toFloat(norm[k]));
    }
    for (std::vector<float> &sums : results.sums)
      for (int n = 0; n < N; ++n)
        sums[m * N + n] = float(sums[m * N + n] * std::sqrt(squares / K + 0.25));
  }
  operands.expectProducts(results);
}

/// Rows far outside of f16's range, and a third one whose elements are far apart: by powers of two, `exponentOf(k)`.
template <int N, int K, typename Run, typename ExponentOf>
void checkRowsOverTheRangeOfBf16(Run run, ExponentOf exponentOf) {
  constexpr int M = 3;
  Operands<bf16, f8, M, N, K, 1> operands;
  for (int m = 0; m < M; ++m)
    for (int k = 0; k < K; ++k) {
      const int exponent = m == 0 ? 80 : m == 1 ? -110 : exponentOf(k);
      operands.x[m * K + k] = to<bf16>(std::ldexp(toFloat(operands.x[m * K + k]), exponent + k % 24));
    }
  Results<M, N, 1> results;
  run(operands, results, [](const bf16 *x) { return StoredRows<K>{x, nullptr}; });
  operands.expectProducts(results);
}

/// An infinity or a NaN makes the row's results what they are without codes, and no other row's.
template <int N, int K, typename Run> void checkNoNumbers(Run run) {
  constexpr int M = 3;
  Operands<bf16, f8, M, N, K, 1> operands;
  for (f8 &code : operands.weights[0])
    code = {0x38}; // 1
  operands.x[0 * K + 3] = to<bf16>(kInfinity);
  operands.x[1 * K + 300] = {0x7fc0};
  Results<M, N, 1> results;
  run(operands, results, [](const bf16 *x) { return StoredRows<K>{x, nullptr}; });
  for (int n = 0; n < N; ++n) {
    EXPECT_EQ(results.sums[0][n], kInfinity);
    EXPECT_TRUE(std::isnan(results.sums[0][N + n]));
    EXPECT_TRUE(std::isfinite(results.sums[0][2 * N + n]));
  }
}

#endif // MJOLNIR_TEST_UNIT_DEVICE_FEWROWS_H
