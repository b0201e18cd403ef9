// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Paged attention kernels against plain attention in f64.
#include "targets/host/AttentionKernel.h"
#include "test/unit/host/KernelRunner.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace mjolnir::host;
using namespace mjolnir::host::testing;

namespace {

HostTarget thisMachine() {
  auto target = HostTarget::parse("host");
  EXPECT_TRUE(mlir::succeeded(target));
  return *target;
}

/// A batch: what each sequence adds in this step, how long it is then, and where its pages are.
struct Batch {
  std::vector<int32_t> offsets, contexts, tables;
  int64_t poolPages = 0;

  /// Lengths added and context lengths. Pages are handed out in a scrambled order; unused table entries point nowhere.
  Batch(const AttentionConfig &config, llvm::ArrayRef<std::pair<int, int>> sequences) : offsets{0} {
    tables.assign(config.sequences * config.pages, -1000000);
    for (auto [index, sequence] : llvm::enumerate(sequences)) {
      offsets.push_back(offsets.back() + sequence.first);
      contexts.push_back(sequence.second);
    }
    offsets.resize(config.sequences + 1, offsets.back());
    contexts.resize(config.sequences, 0);
    int64_t total = 0;
    for (int context : contexts)
      total += (context + config.pageSize - 1) / config.pageSize;
    poolPages = total + 3;
    int64_t next = 0;
    for (auto [index, context] : llvm::enumerate(contexts))
      for (int64_t page = 0; page * config.pageSize < context; ++page)
        tables[index * config.pages + page] = static_cast<int32_t>((next++ * 7 + 2) % poolPages);
    while (total > 0 && poolPages % 7 == 0) // 7 has to be prime to the number of pages
      ++poolPages;
    next = 0;
    for (auto [index, context] : llvm::enumerate(contexts))
      for (int64_t page = 0; page * config.pageSize < context; ++page)
        tables[index * config.pages + page] = static_cast<int32_t>((next++ * 7 + 2) % poolPages);
  }
};

int64_t poolOffset(const AttentionConfig &config, const Batch &batch, int64_t sequence, int64_t token, bool value,
                   int64_t head) {
  int64_t page = batch.tables[sequence * config.pages + token / config.pageSize];
  return page * config.pageStride +
         (((value ? config.kvHeads : 0) + head) * config.pageSize + token % config.pageSize) * config.headDim;
}

/// A pool with a value for each token in use and NaN everywhere else.
Buffer makePool(const AttentionConfig &config, const Batch &batch, uint32_t seed) {
  Buffer pool(config.cache, batch.poolPages * config.pageStride);
  for (int64_t index = 0; index < pool.count; ++index)
    pool.set(index, NAN);
  Buffer row(config.cache, config.headDim);
  for (int64_t sequence = 0; sequence < config.sequences; ++sequence)
    for (int64_t token = 0; token < batch.contexts[sequence]; ++token)
      for (int64_t head = 0; head < config.kvHeads; ++head)
        for (bool value : {false, true}) {
          row.fill(seed + sequence * 100003 + token * 101 + head * 7 + value);
          for (int64_t d = 0; d < config.headDim; ++d)
            pool.set(poolOffset(config, batch, sequence, token, value, head) + d, row.get(d));
        }
  return pool;
}

/// A scale for the keys and the values of each KV head; ones where the kernel has none.
std::vector<float> makeScales(const AttentionConfig &config) {
  std::vector<float> scales(2 * config.kvHeads, 1.0f);
  for (size_t index = 0; config.scaled && index < scales.size(); ++index)
    scales[index] = 0.4f + 0.3f * (index % 3);
  return scales;
}

std::vector<double> reference(const AttentionConfig &config, const Batch &batch, const Buffer &q, const Buffer &pool) {
  std::vector<double> out(config.rows * config.queryHeads * config.headDim, 0.0);
  std::vector<float> scales = makeScales(config);
  for (int64_t sequence = 0; sequence < config.sequences; ++sequence)
    for (int64_t row = batch.offsets[sequence]; row < batch.offsets[sequence + 1]; ++row)
      for (int64_t head = 0; head < config.queryHeads; ++head) {
        int64_t kvHead = head / (config.queryHeads / config.kvHeads);
        int64_t position = batch.contexts[sequence] - batch.offsets[sequence + 1] + row;
        int64_t first = config.window > 0 ? std::max<int64_t>(0, position - config.window + 1) : 0;
        const int64_t at = (row * config.queryHeads + head) * config.headDim;
        std::vector<double> weights;
        double largest = -std::numeric_limits<double>::infinity(), total = 0;
        for (int64_t token = first; token <= position; ++token) {
          int64_t key = poolOffset(config, batch, sequence, token, false, kvHead);
          double score = 0;
          for (int64_t d = 0; d < config.headDim; ++d)
            score += double(q.get(at + d)) * pool.get(key + d);
          weights.push_back(score * config.scale * scales[kvHead]);
          largest = std::max(largest, weights.back());
        }
        for (double &weight : weights)
          total += weight = std::exp(weight - largest);
        for (int64_t token = first; token <= position; ++token) {
          int64_t value = poolOffset(config, batch, sequence, token, true, kvHead);
          for (int64_t d = 0; d < config.headDim; ++d)
            out[at + d] += weights[token - first] / total * pool.get(value + d) * scales[config.kvHeads + kvHead];
        }
      }
  return out;
}

struct Case {
  const char *name;
  int64_t rows, sequences, queryHeads, kvHeads, headDim, pageSize, window;
  Element element;
  std::vector<std::pair<int, int>> batch;
  bool isF8 = false; ///< the cache is f8E4M3FN with scales
};

AttentionConfig configOf(const Case &test) {
  AttentionConfig config;
  config.rows = test.rows, config.sequences = test.sequences;
  config.queryHeads = test.queryHeads, config.kvHeads = test.kvHeads, config.headDim = test.headDim;
  config.pageSize = test.pageSize, config.window = test.window, config.element = config.cache = test.element;
  if (test.isF8)
    config.cache = Element::F8, config.scaled = true;
  for (auto [added, context] : test.batch)
    config.pages = std::max<int64_t>(config.pages, (context + test.pageSize - 1) / test.pageSize);
  config.pages += 1;
  config.pageStride = 3 * 2 * test.kvHeads * test.pageSize * test.headDim; // three layers
  config.scale = static_cast<float>(3.0 / std::sqrt(double(test.headDim)));
  return config;
}

TEST(Attention, EqualsPlainAttention) {
  const Element f = Element::F32, h = Element::BF16;
  std::vector<Case> cases = {
      {"one token", 1, 1, 2, 1, 64, 16, 0, f, {{1, 1}}},
      {"decode", 1, 1, 16, 8, 128, 16, 0, h, {{1, 777}}},
      {"decode at a block's edge", 1, 1, 4, 4, 64, 16, 0, f, {{1, 64}}},
      {"decode past a block's edge", 1, 1, 4, 2, 64, 16, 0, f, {{1, 65}}},
      {"decode of a batch", 4, 4, 14, 2, 64, 32, 0, h, {{1, 5}, {1, 100}, {1, 33}, {1, 200}}},
      {"decode of a batch with padding", 4, 4, 8, 1, 64, 16, 0, f, {{1, 5}, {1, 100}}},
      {"prefill", 128, 1, 4, 2, 128, 16, 0, f, {{128, 128}}},
      {"prefill, bf16", 128, 2, 6, 2, 64, 16, 0, h, {{100, 100}}},
      {"a later piece of a prefill", 40, 1, 2, 2, 32, 16, 0, f, {{37, 150}}},
      {"ragged prefill", 64, 5, 6, 3, 40, 8, 0, f, {{1, 90}, {17, 17}, {20, 33}, {0, 12}, {9, 9}}},
      {"pages of odd size", 32, 2, 4, 2, 24, 5, 0, f, {{7, 23}, {11, 64}}},
      {"pages of one token", 8, 2, 2, 1, 8, 1, 0, f, {{3, 40}, {5, 5}}},
      {"large pages", 16, 2, 2, 1, 256, 256, 0, h, {{3, 300}, {13, 513}}},
      {"window", 64, 2, 4, 2, 64, 16, 20, f, {{30, 100}, {34, 34}}},
      {"window of one", 16, 1, 2, 1, 16, 16, 1, f, {{16, 50}}},
      {"decode in a window", 2, 2, 4, 2, 64, 16, 33, h, {{1, 300}, {1, 20}}},
      {"48 heads on one", 3, 3, 48, 1, 72, 16, 0, f, {{1, 20}, {1, 50}, {1, 3}}},
      {"71 heads on one", 20, 1, 71, 1, 64, 16, 0, f, {{20, 40}}},
      {"decode, f8", 1, 1, 16, 8, 128, 16, 0, h, {{1, 777}}, true},
      {"prefill, f8", 128, 2, 6, 2, 64, 16, 0, h, {{100, 100}}, true},
      {"ragged prefill, f8", 64, 5, 6, 3, 40, 8, 0, f, {{1, 90}, {17, 17}, {20, 33}, {0, 12}, {9, 9}}, true},
      {"pages of odd size, f8", 32, 2, 4, 2, 24, 5, 0, f, {{7, 23}, {11, 64}}, true},
      {"decode in a window, f8", 2, 2, 4, 2, 64, 16, 33, h, {{1, 300}, {1, 20}}, true},
  };
  HostTarget target = thisMachine();
  KernelModule kernels;
  for (auto [index, test] : llvm::enumerate(cases))
    ASSERT_TRUE(mlir::succeeded(
        emitAttention(kernels.builder, *kernels.module, "attention" + std::to_string(index), configOf(test), target)))
        << test.name;
  auto library = kernels.compile(target);
  ASSERT_TRUE(library);
  for (auto [index, test] : llvm::enumerate(cases)) {
    SCOPED_TRACE(test.name);
    AttentionConfig config = configOf(test);
    Batch batch(config, test.batch);
    Buffer q(config.element, config.rows * config.queryHeads * config.headDim), out(config.element, q.count);
    q.fill(5);
    for (int64_t at = batch.offsets.back() * config.queryHeads * config.headDim; at < q.count; ++at)
      q.set(at, NAN); // padding rows
    Buffer pool = makePool(config, batch, 11);
    std::vector<float> scales = makeScales(config);
    std::vector<void *> operands{q.data(), pool.data(), batch.offsets.data(), batch.contexts.data(),
                                 batch.tables.data()};
    if (config.scaled)
      operands.push_back(scales.data());
    operands.push_back(out.data());
    launch(library->symbol(("attention" + std::to_string(index)).c_str()), operands, attentionTiles(config, target), 2);
    std::vector<double> expected = reference(config, batch, q, pool);
    double tolerance = config.element == f ? 2e-6 : 5e-3;
    for (int64_t at = 0; at < out.count; ++at)
      ASSERT_NEAR(out.get(at), expected[at], tolerance) << "at " << at;
    EXPECT_TRUE(out.guardIntact());
  }
}

TEST(Attention, DecodeHasTheBitsOfPrefill) {
  HostTarget target = thisMachine();
  for (int64_t window : {0, 50}) {
    KernelModule kernels;
    Case test = {"", 150, 1, 4, 2, 64, 16, window, Element::BF16, {{150, 150}}};
    AttentionConfig prefill = configOf(test), decode = prefill;
    decode.rows = 1;
    ASSERT_TRUE(mlir::succeeded(emitAttention(kernels.builder, *kernels.module, "prefill", prefill, target)));
    ASSERT_TRUE(mlir::succeeded(emitAttention(kernels.builder, *kernels.module, "decode", decode, target)));
    auto library = kernels.compile(target);
    ASSERT_TRUE(library);
    Batch batch(prefill, test.batch);
    const int64_t rowElements = 4 * 64;
    Buffer q(Element::BF16, 150 * rowElements), whole(Element::BF16, q.count), one(Element::BF16, rowElements);
    q.fill(3);
    Buffer pool = makePool(prefill, batch, 1);
    launch(library->symbol("prefill"),
           {q.data(), pool.data(), batch.offsets.data(), batch.contexts.data(), batch.tables.data(), whole.data()},
           attentionTiles(prefill, target));
    for (int32_t row : {0, 1, 31, 32, 33, 80, 149}) {
      int32_t offsets[] = {0, 1}, context = row + 1;
      launch(library->symbol("decode"),
             {static_cast<uint16_t *>(q.data()) + row * rowElements, pool.data(), offsets, &context,
              batch.tables.data(), one.data()},
             attentionTiles(decode, target));
      EXPECT_EQ(std::memcmp(one.data(), static_cast<uint16_t *>(whole.data()) + row * rowElements, rowElements * 2), 0)
          << "row " << row << ", window " << window;
    }
  }
}

TEST(Attention, RefusesWhatItCannotDo) {
  HostTarget target = thisMachine();
  KernelModule kernels;
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&kernels.context, [&](mlir::Diagnostic &diagnostic) {
    message = diagnostic.str();
    return mlir::success();
  });
  auto expect = [&](Case test, llvm::StringRef sentence) {
    message.clear();
    EXPECT_TRUE(mlir::failed(emitAttention(kernels.builder, *kernels.module, "a", configOf(test), target)));
    EXPECT_NE(message.find(sentence.str()), std::string::npos) << message;
  };
  expect({"", 1, 1, 3, 2, 64, 16, 0, Element::F32, {{1, 1}}}, "not a multiple of 2 KV heads");
  expect({"", 1, 1, 2, 2, 60, 16, 0, Element::F32, {{1, 1}}}, "multiple of 8 up to 256");
  expect({"", 1, 1, 2, 2, 264, 16, 0, Element::F32, {{1, 1}}}, "multiple of 8 up to 256");
  expect({"", 1, 1, 2, 2, 64, 16, -1, Element::F32, {{1, 1}}}, "window not negative");
  expect({"", 1, 1, 2, 2, 64, 16, 0, Element::F16, {{1, 1}}}, "f32 or bf16");
}

} // namespace
