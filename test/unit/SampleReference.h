// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What mj.sample may draw: a reference that sorts, in f64.
#ifndef MJOLNIR_TEST_SAMPLEREFERENCE_H
#define MJOLNIR_TEST_SAMPLEREFERENCE_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

namespace mjolnir::test {

/// Philox4x32-10 of Salmon et al., SC 2011.
inline void philox(uint32_t counter[4], uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = 0xD2511F53ull * counter[0], product1 = 0xCD9E8D57ull * counter[2];
    uint32_t next[4] = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<uint32_t>(product1),
                        static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<uint32_t>(product0)};
    std::memcpy(counter, next, sizeof(next));
    key0 += 0x9E3779B9, key1 += 0xBB67AE85;
  }
}

struct SampleParameters {
  float temperature;
  int32_t topK;
  float topP;
  int64_t seed;
  int32_t context;
};

/// Tokens that a correct sampler may choose: one, or two where the draw falls within `tolerance` of a boundary.
inline std::vector<int32_t> allowedTokens(std::vector<double> clean, const SampleParameters &p,
                                          double tolerance = 1e-6) {
  const int64_t n = clean.size();
  for (double &value : clean)
    if (std::isnan(value))
      value = -INFINITY;
  double largest = *std::max_element(clean.begin(), clean.end());
  int32_t argmax = std::find(clean.begin(), clean.end(), largest) - clean.begin();
  if (!(p.temperature > 0) || std::isinf(largest))
    return {argmax};
  std::vector<int32_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](int a, int b) { return clean[a] > clean[b]; });
  double least = p.topK > 0 && p.topK < n ? clean[order[p.topK - 1]] : -INFINITY;
  auto mass = [&](int32_t token) { return std::exp((clean[token] - largest) / p.temperature); };
  auto total = [&] {
    double sum = 0;
    for (int32_t token = 0; token < n; ++token)
      if (clean[token] >= least)
        sum += mass(token);
    return sum;
  };
  if (p.topP < 1) {
    double target = p.topP * total(), sum = 0;
    for (size_t next = 0; next < order.size();) {
      double level = clean[order[next]];
      for (; next < order.size() && clean[order[next]] == level; ++next)
        sum += mass(order[next]);
      if (sum >= target || next == order.size() || clean[order[next]] < least) {
        least = level;
        break;
      }
    }
  }
  uint32_t counter[4] = {static_cast<uint32_t>(p.context), 0, 0, 0};
  philox(counter, static_cast<uint32_t>(p.seed), static_cast<uint32_t>(static_cast<uint64_t>(p.seed) >> 32));
  double all = total(), target = (counter[0] >> 8) * 0x1p-24 * all, sum = 0;
  std::vector<int32_t> result;
  for (int32_t token = 0; token < n; ++token) {
    if (clean[token] < least)
      continue;
    double before = sum;
    sum += mass(token);
    if (sum > target - tolerance * all && before <= target + tolerance * all && mass(token) > 0)
      result.push_back(token);
  }
  return result;
}

} // namespace mjolnir::test

#endif // MJOLNIR_TEST_SAMPLEREFERENCE_H
