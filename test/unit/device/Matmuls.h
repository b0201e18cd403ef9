// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the tests of matmuls share: random operands, an epilogue that keeps sums, and products in double.
#ifndef MJOLNIR_TEST_UNIT_DEVICE_MATMULS_H
#define MJOLNIR_TEST_UNIT_DEVICE_MATMULS_H

#include <prelude.cuh> // the one that device headers include

#include <gtest/gtest.h>

/// The results of `Count` matmuls of M rows and N columns. Each element is written once.
template <int M, int N, int Count> struct Results {
  std::vector<float> sums[Count];
  std::vector<int> times = std::vector<int>(M * N);

  Results() {
    for (std::vector<float> &each : sums)
      each.assign(M * N, 777.0f);
  }
  bool has(int m, int n) const {
    if (m >= 0 && m < M && n >= 0 && n < N)
      return true;
    ADD_FAILURE() << "there is no element " << m << ", " << n;
    return false;
  }
  void put(int m, int n, const float (&values)[Count]) {
    if (!has(m, n))
      return;
    ++times[m * N + n];
    for (int w = 0; w < Count; ++w)
      sums[w][m * N + n] = values[w];
  }
};

/// An epilogue that keeps sums, behind which it wants what it fetched of `Early` operands.
template <int M, int N, int Count, bool HasFours, int Early = 0> struct Sink {
  static constexpr int kResults = Count, kEarly = Early;
  static constexpr bool kHasFours = HasFours;
  Results<M, N, Count> *results;
  static float operand(int i, int m, int n) { return float((i * M + m) * N + n); }
  void fetch(int m, int n, float (&early)[Early + 1][8]) const {
    for (int i = 0; i < Early; ++i)
      for (int v = 0; v < 8 && n + v < N; ++v)
        if (results->has(m, n + v))
          early[i][v] = operand(i, m, n + v);
  }
  void compute(int m, int n, const float (&known)[Count + Early], float (&values)[Count]) const {
    if (results->has(m, n)) // a kernel's epilogue reads operands there
      std::copy(known, known + Count, values);
    for (int i = 0; i < Early; ++i)
      EXPECT_EQ(known[Count + i], operand(i, m, n)) << m << ", " << n;
  }
  void put(int m, int n, const float (&values)[Count]) const { results->put(m, n, values); }
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

/// Operands, filled from their sizes.
template <typename X, typename W, int M, int N, int K, int Count> struct Operands {
  std::vector<X> x = std::vector<X>(M * K);
  std::vector<W> weights[Count];

  Operands() {
    std::mt19937 random(M * 1000 + N);
    fill(x, random);
    for (std::vector<W> &each : weights) {
      each.resize(N * K);
      fill(each, random);
    }
  }

  void expectProducts(const Results<M, N, Count> &results) const {
    auto numbers = [](const auto &elements) {
      std::vector<double> numbers;
      for (auto element : elements)
        numbers.push_back(toFloat(element));
      return numbers;
    };
    const std::vector<double> left = numbers(x);
    for (int w = 0; w < Count; ++w) {
      const std::vector<double> right = numbers(weights[w]);
      for (int m = 0; m < M; ++m)
        for (int n = 0; n < N; ++n) {
          double sum = 0, magnitude = 0;
          for (int k = 0; k < K; ++k) {
            double product = left[m * K + k] * right[n * K + k];
            sum += product, magnitude += std::fabs(product);
          }
          ASSERT_NEAR(results.sums[w][m * N + n], sum, magnitude * 0x1p-20) << w << ": " << m << ", " << n;
          ASSERT_EQ(results.times[m * N + n], 1) << m << ", " << n;
        }
    }
  }
};

#endif // MJOLNIR_TEST_UNIT_DEVICE_MATMULS_H
