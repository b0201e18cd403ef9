// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Matmul kernels against a plain f64 product, over shapes at and past the edges of every block.
#include "targets/host/KernelBuilder.h"
#include "targets/host/MatmulKernel.h"
#include "test/unit/host/KernelRunner.h"

#include <gtest/gtest.h>

using namespace mjolnir::host;
using namespace mjolnir::host::testing;

namespace {

struct Case {
  int64_t m, n, k;
  Element x, weight, y;
  uint32_t seed = 1;
};

HostTarget thisMachine() {
  auto target = HostTarget::parse("host");
  EXPECT_TRUE(mlir::succeeded(target));
  return *target;
}

/// Packs row-major floats, given as the elements of `encoding`.
Buffer packed(const MatmulEncoding &encoding, const Buffer &source, int64_t n, int64_t k) {
  Buffer result(encoding.element, encoding.packedElements(n, k));
  packWeight(encoding, source.element, source.data(), n, k, result.data());
  return result;
}

void checkProduct(const MatmulConfig &config, const Buffer &x, const Buffer &w, const Buffer &y) {
  double rounding = config.y == Element::BF16 ? 1.0 / 256 : config.y == Element::F8 ? 1.0 / 16 : 0;
  for (int64_t row = 0; row < config.m; ++row)
    for (int64_t col = 0; col < config.n; ++col) {
      double sum = 0, magnitude = 0;
      for (int64_t k = 0; k < config.k; ++k) {
        double product = double(x.get(row * config.k + k)) * double(w.get(col * config.k + k));
        sum += product;
        magnitude += std::abs(product);
      }
      double allowed = magnitude * 6e-8 * (2 + std::sqrt(double(config.k))) + std::abs(sum) * rounding + 1e-30;
      ASSERT_NEAR(y.get(row * config.n + col), sum, allowed) << "at " << row << ", " << col;
    }
}

TEST(Matmul, EqualsPlainProduct) {
  const Element f = Element::F32, h = Element::BF16, e = Element::F8;
  std::vector<Case> cases = {
      {1, 1, 1, h, h, h},      {1, 16, 16, h, h, h},    {1, 17, 3, h, h, f},      {2, 15, 33, h, h, h},
      {3, 65, 127, f, h, f},   {4, 64, 64, h, h, h},    {5, 31, 257, h, h, h},    {6, 48, 255, h, h, f},
      {7, 33, 513, h, h, h},   {8, 130, 66, h, h, h},   {13, 100, 1025, h, h, h}, {37, 70, 300, h, h, f},
      {128, 96, 256, h, h, h}, {133, 40, 272, h, h, h}, {300, 24, 31, h, h, h},   {1, 1, 1, f, f, f},
      {1, 50, 1000, f, f, f},  {9, 17, 19, f, f, f},    {131, 90, 261, f, f, f},  {1, 300, 5001, h, h, f},
      {12, 20, 777, h, f, h},  {2, 40, 9001, h, h, f},  {1, 33, 515, h, e, f},    {6, 48, 255, h, e, h},
      {5, 31, 257, f, e, f},   {133, 40, 273, h, e, f}, {1, 17, 35, e, e, f},     {131, 90, 261, e, e, f},
      {9, 40, 64, e, h, f},    {60, 24, 2100, e, e, h}};
  HostTarget target = thisMachine();
  KernelModule kernels;
  std::vector<MatmulConfig> configs;
  for (auto [index, test] : llvm::enumerate(cases)) {
    MatmulConfig config;
    config.m = test.m, config.n = test.n, config.k = test.k;
    config.x = test.x, config.weight = test.weight, config.y = test.y;
    configs.push_back(config);
    ASSERT_TRUE(mlir::succeeded(
        emitMatmul(kernels.builder, *kernels.module, "matmul" + std::to_string(index), config, target)));
  }
  auto library = kernels.compile(target);
  ASSERT_TRUE(library);
  for (auto [index, config] : llvm::enumerate(configs)) {
    SCOPED_TRACE(::testing::Message() << config.m << " x " << config.n << " x " << config.k);
    Buffer x(config.x, config.m * config.k), w(config.weight, config.n * config.k), y(config.y, config.m * config.n);
    x.fill(2 * index + 1);
    w.fill(2 * index + 2);
    Buffer weights = packed({config.weight}, w, config.n, config.k);
    launch(library->symbol(("matmul" + std::to_string(index)).c_str()), {x.data(), weights.data(), y.data()},
           matmulTiles(config, target), 2);
    checkProduct(config, x, w, y);
    EXPECT_TRUE(y.guardIntact());
  }
}

TEST(Matmul, RowsDoNotDependOnM) {
  const int64_t n = 80, k = 1100, most = 140;
  HostTarget target = thisMachine();
  KernelModule kernels;
  std::vector<int64_t> ms = {1, 2, 3, 4, 5, 6, 8, 17, 140};
  MatmulConfig config;
  config.n = n, config.k = k, config.y = Element::F32;
  for (int64_t m : ms) {
    config.m = m;
    ASSERT_TRUE(mlir::succeeded(emitMatmul(kernels.builder, *kernels.module, "m" + std::to_string(m), config, target)));
  }
  auto library = kernels.compile(target);
  ASSERT_TRUE(library);
  Buffer x(Element::BF16, most * k), w(Element::BF16, n * k), expected(Element::F32, most * n);
  x.fill(1);
  w.fill(2);
  Buffer weights = packed({Element::BF16}, w, n, k);
  config.m = most;
  launch(library->symbol("m140"), {x.data(), weights.data(), expected.data()}, matmulTiles(config, target));
  for (int64_t m : ms) {
    Buffer y(Element::F32, m * n);
    config.m = m;
    launch(library->symbol(("m" + std::to_string(m)).c_str()), {x.data(), weights.data(), y.data()},
           matmulTiles(config, target));
    EXPECT_EQ(std::memcmp(y.data(), expected.data(), m * n * 4), 0) << "M = " << m;
  }
}

TEST(Matmul, EpilogueSeesBothWeightsAndItsOperands) {
  // y = residual + bias + a * b, with a partial block at the right edge.
  const int64_t m = 7, n = 37, k = 50;
  HostTarget target = thisMachine();
  KernelModule kernels;
  auto bf16 = mlir::BFloat16Type::get(&kernels.context);
  auto f32 = mlir::Float32Type::get(&kernels.context);
  MatmulConfig config;
  config.m = m, config.n = n, config.k = k, config.weights = 2;
  config.y = Element::F32;
  config.extras = {mlir::MemRefType::get({m, n}, bf16), mlir::MemRefType::get({n}, f32)};
  config.epilogue = [](const MatmulEpilogue &e) {
    KernelBuilder b(e.builder, e.loc);
    mlir::Value product = b.mul(e.accumulators[0], e.accumulators[1]);
    return b.add(b.add(b.toF32(e.load(e.extras[0])), e.load(e.extras[1])), product);
  };
  ASSERT_TRUE(mlir::succeeded(emitMatmul(kernels.builder, *kernels.module, "gated", config, target)));
  auto library = kernels.compile(target);
  ASSERT_TRUE(library);
  Buffer x(Element::BF16, m * k), a(Element::BF16, n * k), b(Element::BF16, n * k), residual(Element::BF16, m * n),
      bias(Element::F32, n), y(Element::F32, m * n);
  x.fill(1), a.fill(2), b.fill(3), residual.fill(4), bias.fill(5);
  Buffer packedA = packed({Element::BF16}, a, n, k), packedB = packed({Element::BF16}, b, n, k);
  launch(library->symbol("gated"), {x.data(), packedA.data(), packedB.data(), residual.data(), bias.data(), y.data()},
         matmulTiles(config, target));
  for (int64_t row = 0; row < m; ++row)
    for (int64_t col = 0; col < n; ++col) {
      double sumA = 0, sumB = 0;
      for (int64_t i = 0; i < k; ++i) {
        sumA += double(x.get(row * k + i)) * a.get(col * k + i);
        sumB += double(x.get(row * k + i)) * b.get(col * k + i);
      }
      ASSERT_NEAR(y.get(row * n + col), residual.get(row * n + col) + bias.get(col) + sumA * sumB, 1e-4);
    }
  EXPECT_TRUE(y.guardIntact());
}

TEST(Matmul, RoundsToF8AtItsEnd) {
  const int64_t m = 3, n = 21, k = 40;
  HostTarget target = thisMachine();
  KernelModule kernels;
  MatmulConfig config;
  config.m = m, config.n = n, config.k = k;
  config.x = config.weight = config.y = Element::F8;
  config.epilogue = [](const MatmulEpilogue &e) {
    KernelBuilder b(e.builder, e.loc);
    return b.saturateToF8(b.mul(e.accumulators[0], b.constant(e.accumulators[0].getType(), 128.0)));
  };
  ASSERT_TRUE(mlir::succeeded(emitMatmul(kernels.builder, *kernels.module, "matmul", config, target)));
  auto library = kernels.compile(target);
  ASSERT_TRUE(library);
  Buffer x(Element::F8, m * k), w(Element::F8, n * k), y(Element::F8, m * n);
  x.fill(1), w.fill(2);
  Buffer weights = packed({Element::F8}, w, n, k);
  launch(library->symbol("matmul"), {x.data(), weights.data(), y.data()}, matmulTiles(config, target));
  bool saturated = false;
  for (int64_t row = 0; row < m; ++row)
    for (int64_t col = 0; col < n; ++col) {
      double sum = 0; // exact: 4 bits times 4 bits, few terms
      for (int64_t i = 0; i < k; ++i)
        sum += double(x.get(row * k + i)) * w.get(col * k + i);
      EXPECT_EQ(y.get(row * n + col), mjolnir::widenE4M3(mjolnir::narrowToE4M3(float(sum * 128))));
      saturated |= std::abs(sum * 128) > 464;
    }
  EXPECT_TRUE(saturated);
  EXPECT_TRUE(y.guardIntact());
}

TEST(Matmul, NanAndInfinityPass) {
  const int64_t m = 8, n = 16, k = 32;
  HostTarget target = thisMachine();
  KernelModule kernels;
  MatmulConfig config;
  config.m = m, config.n = n, config.k = k;
  ASSERT_TRUE(mlir::succeeded(emitMatmul(kernels.builder, *kernels.module, "matmul", config, target)));
  auto library = kernels.compile(target);
  ASSERT_TRUE(library);
  Buffer x(Element::BF16, m * k), w(Element::BF16, n * k), y(Element::BF16, m * n);
  x.fill(1), w.fill(2);
  // The NaN with all payload bits set is the one that careless rounding turns into a zero or an infinity.
  reinterpret_cast<uint16_t *>(x.data())[1 * k + 5] = 0x7fff;
  x.set(2 * k + 7, INFINITY);
  w.set(0 * k + 7, 1.0f);
  Buffer weights = packed({Element::BF16}, w, n, k);
  launch(library->symbol("matmul"), {x.data(), weights.data(), y.data()}, matmulTiles(config, target));
  for (int64_t col = 0; col < n; ++col)
    EXPECT_TRUE(std::isnan(y.get(1 * n + col)));
  EXPECT_EQ(y.get(2 * n), INFINITY);
  EXPECT_TRUE(std::isfinite(y.get(0)));
}

TEST(Matmul, RefusesWhatItCannotDo) {
  HostTarget target = thisMachine();
  KernelModule kernels;
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&kernels.context, [&](mlir::Diagnostic &diagnostic) {
    message = diagnostic.str();
    return mlir::success();
  });
  MatmulConfig config;
  config.m = 0, config.n = 4, config.k = 4;
  EXPECT_TRUE(mlir::failed(emitMatmul(kernels.builder, *kernels.module, "mm", config, target)));
  EXPECT_NE(message.find("extents must be positive"), std::string::npos) << message;
  config.m = 1, config.weight = Element::F16;
  EXPECT_TRUE(mlir::failed(emitMatmul(kernels.builder, *kernels.module, "mm", config, target)));
  EXPECT_NE(message.find("f32, bf16 or f8E4M3FN"), std::string::npos) << message;
  config.weight = Element::BF16, config.weights = 2;
  EXPECT_TRUE(mlir::failed(emitMatmul(kernels.builder, *kernels.module, "mm", config, target)));
  EXPECT_NE(message.find("no epilogue"), std::string::npos) << message;
}

TEST(MatmulEncoding, OffsetsNameTheElementsAndPaddingIsZero) {
  for (Element element : {Element::BF16, Element::F32, Element::F8})
    for (auto [n, k] : {std::pair<int64_t, int64_t>{1, 1}, {16, 2}, {17, 5}, {40, 131}}) {
      MatmulEncoding encoding{element};
      EXPECT_EQ(MatmulEncoding::parse(encoding.name()), encoding);
      Buffer source(element, n * k);
      source.fill(7);
      Buffer result = packed(encoding, source, n, k);
      EXPECT_TRUE(result.guardIntact());
      std::vector<bool> seen(encoding.packedElements(n, k));
      for (int64_t row = 0; row < n; ++row)
        for (int64_t col = 0; col < k; ++col) {
          int64_t offset = encoding.offset(row, col, k);
          ASSERT_LT(offset, encoding.packedElements(n, k));
          ASSERT_FALSE(seen[offset]);
          seen[offset] = true;
          ASSERT_EQ(result.get(offset), source.get(row * k + col));
        }
      for (size_t offset = 0; offset < seen.size(); ++offset)
        if (!seen[offset])
          ASSERT_EQ(result.get(offset), 0.0f);
    }
  EXPECT_EQ(MatmulEncoding::parse("rows8"), std::nullopt);
}

TEST(MatmulEncoding, ConvertsBetweenElements) {
  // Values that f16 and bf16 hold exactly, and f32 values that round to even, up and to NaN.
  const uint16_t halves[] = {0x0000, 0x8000, 0x3c00, 0xc000, 0x7c00, 0xfc00, 0x7e00, 0x0400, 0x0001, 0x8200};
  const float expected[] = {0, -0.0f, 1, -2, INFINITY, -INFINITY, NAN, 0x1p-14f, 0x1p-24f, -0x1p-15f};
  Buffer wide(Element::F32, MatmulEncoding{Element::F32}.packedElements(1, 10));
  packWeight({Element::F32}, Element::F16, halves, 1, 10, wide.data());
  for (int64_t col = 0; col < 10; ++col) {
    float value = wide.get(MatmulEncoding{Element::F32}.offset(0, col, 10));
    if (std::isnan(expected[col]))
      EXPECT_TRUE(std::isnan(value));
    else
      EXPECT_EQ(std::memcmp(&value, &expected[col], 4), 0) << col;
  }
  const uint32_t bits[] = {0x3f808000, 0x3f818000, 0x3f808001, 0x7fffffff, 0x7f7fffff};
  const uint16_t rounded[] = {0x3f80, 0x3f82, 0x3f81, 0x7fff, 0x7f80};
  Buffer narrow(Element::BF16, MatmulEncoding{Element::BF16}.packedElements(1, 5));
  packWeight({Element::BF16}, Element::F32, bits, 1, 5, narrow.data());
  for (int64_t col = 0; col < 5; ++col)
    EXPECT_EQ(static_cast<uint16_t *>(narrow.data())[MatmulEncoding{Element::BF16}.offset(0, col, 5)], rounded[col]);
}

} // namespace
