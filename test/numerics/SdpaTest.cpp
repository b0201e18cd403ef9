// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Attention over tensors against its definition in f64: segments, masks, causality, windows, grouped heads, one past
// each tile.
#include "Program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace mjolnir::numerics;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLowest = -0x1.fep127; // of bf16: what exporters write for "not here"

enum class Mask { none, floats, headFloats, booleans, headBooleans, infinities, lowest };

struct Case {
  int64_t rows, heads, kvHeads, dim, columns;
  std::vector<int64_t> segments;
  Mask mask = Mask::none;
  bool causal = false;
  int64_t window = 0; // 0: none
};

bool isBoolean(Mask mask) { return mask == Mask::booleans || mask == Mask::headBooleans; }

Entry sdpa(const Case &c, uint32_t seed) {
  constexpr double scale = 0.125;
  Array query = randomArray({c.rows, c.heads, c.dim}, seed);
  Array allKeys({0}), allValues({0});
  int64_t count = 0;
  Entry entry{"sdpa" + std::to_string(seed), {query}, "", {"%y"}, {}};
  std::string keys, values, keyTypes, valueTypes;
  for (int64_t size : c.segments) {
    Array key = randomArray({size, c.kvHeads, c.dim}, seed + 100 + count);
    Array value = randomArray({size, c.kvHeads, c.columns}, seed + 200 + count);
    allKeys.data.insert(allKeys.data.end(), key.data.begin(), key.data.end());
    allValues.data.insert(allValues.data.end(), value.data.begin(), value.data.end());
    std::string comma = count ? ", " : "";
    keys += comma + "%a" + std::to_string(entry.inputs.size());
    values += comma + "%a" + std::to_string(entry.inputs.size() + 1);
    keyTypes += comma + key.type();
    valueTypes += comma + value.type();
    entry.inputs.insert(entry.inputs.end(), {key, value});
    count += size;
  }
  allKeys.shape = {count, c.kvHeads, c.dim};
  allValues.shape = {count, c.kvHeads, c.columns};

  bool hasHeads = c.mask == Mask::headFloats || c.mask == Mask::headBooleans;
  Array mask = randomArray(
      hasHeads ? std::vector<int64_t>{c.heads, c.rows, count} : std::vector<int64_t>{c.rows, count}, seed + 300);
  // Rows of these see a part of the keys, every third none.
  if (c.mask == Mask::infinities || c.mask == Mask::lowest)
    for (size_t i = 0; i < mask.data.size(); ++i)
      mask.data[i] = (i / count) % 3 == 1 || mask.data[i] > 1 ? (c.mask == Mask::lowest ? kLowest : -kInfinity) : 0;

  Array result({c.rows, c.heads, c.columns});
  for (int64_t row = 0; row < c.rows; ++row)
    for (int64_t head = 0; head < c.heads; ++head) {
      int64_t kvHead = head / (c.heads / c.kvHeads);
      std::vector<double> scores(count);
      for (int64_t s = 0; s < count; ++s) {
        for (int64_t d = 0; d < c.dim; ++d)
          scores[s] += scale * query({row, head, d}) * allKeys({s, kvHead, d});
        double of = hasHeads ? mask({head, row, s}) : mask({row, s});
        if (isBoolean(c.mask))
          scores[s] = of > 0 ? scores[s] : -kInfinity;
        else if (c.mask != Mask::none) // in f32: the lowest number takes the score away
          scores[s] = static_cast<float>(scores[s]) + static_cast<float>(of);
        int64_t last = count - c.rows + row;
        if (c.causal && (s > last || (c.window && s <= last - c.window)))
          scores[s] = -kInfinity;
      }
      double largest = *std::max_element(scores.begin(), scores.end()), sum = 0;
      if (largest == -kInfinity)
        continue;
      for (double &score : scores)
        sum += score = std::exp(static_cast<float>(score) - largest);
      for (int64_t s = 0; s < count; ++s)
        for (int64_t e = 0; e < c.columns; ++e)
          result({row, head, e}) += scores[s] / sum * allValues({s, kvHead, e});
    }

  std::string maskText, maskType;
  if (c.mask != Mask::none) {
    std::string name = "%a" + std::to_string(entry.inputs.size());
    entry.inputs.push_back(mask);
    if (isBoolean(c.mask)) {
      entry.body += "  %zero = arith.constant dense<0.0> : " + mask.type() + "\n  %m = arith.cmpf ogt, " + name +
                    ", %zero : " + mask.type() + "\n";
      name = "%m";
    }
    maskText = " mask " + name;
    maskType = ", " + mask.type(isBoolean(c.mask) ? "i1" : "f32");
  }
  entry.body += "  %y = mj.sdpa %a0 over [" + keys + "], [" + values + "]" + maskText + " scale 0.125" +
                (c.causal ? " causal" : "") + (c.window ? " window " + std::to_string(c.window) : "") + " : " +
                query.type() + ", [" + keyTypes + "], [" + valueTypes + "]" + maskType + " -> " + result.type();
  entry.expected = {result};
  entry.ulps = 64;
  return entry;
}

void expectSdpa(const std::string &name, const std::vector<Case> &cases) {
  std::vector<Entry> entries;
  for (const Case &c : cases)
    entries.push_back(sdpa(c, uint32_t(entries.size() + 1)));
  expectNumbers(name, entries);
}

TEST(SdpaTest, Shapes) {
  expectSdpa("shapes", {{1, 1, 1, 1, 1, {1}},         // one of everything
                        {5, 4, 2, 16, 16, {7}},       // grouped heads
                        {49, 24, 24, 64, 64, {33}},   // one past a tile of rows and a block of keys
                        {13, 8, 2, 128, 128, {64}},   // one past a tile of grouped rows
                        {7, 2, 1, 9, 7, {31}},        // nothing divides anything
                        {2, 3, 1, 40, 100, {3}},      // values wider than keys
                        {1, 8, 2, 128, 128, {100}}}); // one row
}

TEST(SdpaTest, Segments) {
  expectSdpa("segments", {{6, 4, 2, 16, 16, {5, 3}},
                          {33, 2, 2, 32, 32, {32, 33}},
                          {17, 6, 3, 24, 24, {1, 40, 9}},
                          {3, 2, 1, 16, 16, {64, 3}, Mask::none, true},
                          {40, 2, 2, 16, 16, {50, 1, 40}, Mask::headFloats, true}});
}

TEST(SdpaTest, Masks) {
  expectSdpa("masks", {{9, 4, 2, 16, 16, {37}, Mask::floats},
                       {9, 4, 2, 16, 16, {37}, Mask::headFloats},
                       {9, 4, 2, 16, 16, {37}, Mask::booleans},
                       {9, 4, 2, 16, 16, {32, 5}, Mask::headBooleans},
                       {9, 4, 2, 16, 16, {37}, Mask::infinities},
                       {9, 4, 2, 16, 16, {20, 45}, Mask::lowest}});
}

TEST(SdpaTest, Causality) {
  expectSdpa("causality", {{50, 8, 2, 32, 32, {50}, Mask::none, true},
                           {10, 4, 4, 16, 16, {5}, Mask::none, true}, // the first rows see nothing
                           {4, 2, 1, 16, 16, {70}, Mask::none, true}, // keys that were there before
                           {64, 2, 2, 16, 16, {64}, Mask::floats, true},
                           {65, 3, 1, 16, 16, {33, 32}, Mask::booleans, true}});
}

TEST(SdpaTest, Windows) {
  expectSdpa("windows", {{50, 8, 2, 32, 32, {50}, Mask::none, true, 1},        // each row sees itself
                         {100, 4, 2, 16, 16, {100}, Mask::none, true, 33},     // one past a block of keys
                         {10, 4, 4, 16, 16, {5}, Mask::none, true, 3},         // the first rows see nothing
                         {4, 2, 1, 16, 16, {70}, Mask::none, true, 7},         // keys that were there before
                         {40, 2, 2, 16, 16, {50, 1, 40}, Mask::none, true, 9}, // over segments, behind the first
                         {1, 2, 2, 16, 16, {64, 1}, Mask::none, true, 2},
                         {33, 2, 1, 16, 16, {33}, Mask::none, true, 33}, // hides nothing more
                         {33, 2, 1, 16, 16, {33}, Mask::none, true, 1000},
                         {64, 2, 2, 16, 16, {64}, Mask::floats, true, 20},
                         {65, 3, 1, 16, 16, {33, 32}, Mask::booleans, true, 16}});
}

} // namespace
