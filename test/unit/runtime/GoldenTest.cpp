// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Packages of every format version that this runtime promises to run, as they were written then. Never regenerated:
// when the format changes, a new one is added beside them (mjolnir_write_test_packages --golden FILE).
#include "PackageView.h"
#include "TestPackage.h"

#include "mjolnir/runtime.hpp"

#include "gtest/gtest.h"

using namespace mjolnir;
using namespace mjolnir::test;

namespace {

constexpr char Golden10[] = MJOLNIR_TEST_GOLDEN "/1.0/test.mjp";
constexpr char Golden11[] = MJOLNIR_TEST_GOLDEN "/1.1/test.mjp";
constexpr char Golden12[] = MJOLNIR_TEST_GOLDEN "/1.2/test.mjp";
constexpr char Golden14[] = MJOLNIR_TEST_GOLDEN "/1.4/test.mjp";

/// The program of a package; `view` points into `file`.
void parse(const char *path, runtime::MappedFile &file, runtime::PackageView &view) {
  runtime::Status status = file.open(path);
  ASSERT_FALSE(status) << status.message();
  status = view.parse(file.bytes());
  ASSERT_FALSE(status) << status.message();
}

TEST(Golden, Format10IsRead) {
  runtime::MappedFile file;
  runtime::PackageView view;
  ASSERT_NO_FATAL_FAILURE(parse(Golden10, file, view));
  EXPECT_EQ(view.program().version_major(), 1u);
  EXPECT_EQ(view.program().version_minor(), 0u);
  EXPECT_EQ(view.program().kernels()->size(), 6u);
  EXPECT_EQ(view.program().weights()->Get(2)->encoding()->str(), "rows of 12, zero filled");
  EXPECT_EQ(view.program().language_model()->activations()->str(), "f32");
}

TEST(Golden, Format11IsRead) {
  runtime::MappedFile file;
  runtime::PackageView view;
  ASSERT_NO_FATAL_FAILURE(parse(Golden11, file, view));
  EXPECT_EQ(view.program().version_major(), 1u);
  EXPECT_EQ(view.program().version_minor(), 1u);
  const fb::Step &scale = *view.program().entries()->Get(Affine)->steps()->Get(1);
  EXPECT_EQ(scale.waits(), fb::Waits::named);
  ASSERT_EQ(scale.after()->size(), 1u);
  EXPECT_EQ(scale.after()->Get(0), 0u);
  EXPECT_TRUE(view.program().entries()->Get(Affine)->graph());
  EXPECT_FALSE(view.program().entries()->Get(Count)->graph());
  EXPECT_EQ(view.program().kv_pools()->Get(0)->window(), 8u);
  EXPECT_FALSE(view.program().kv_pools()->Get(0)->own_tables()) << "what came later is not there";
}

TEST(Golden, CallsOfFormat13AreRead) {
  runtime::MappedFile file;
  runtime::PackageView view;
  ASSERT_NO_FATAL_FAILURE(parse(MJOLNIR_TEST_GOLDEN "/1.3/calls.mjp", file, view));
  EXPECT_EQ(view.program().version_minor(), 3u);
  ASSERT_EQ(view.program().libraries()->size(), 1u);
  EXPECT_EQ(view.program().libraries()->Get(0)->name()->str(), "cublaslt");
  const fb::MatmulCall *call = view.program().entries()->Get(Multiply)->steps()->Get(0)->kind_as_MatmulCall();
  ASSERT_NE(call, nullptr);
  EXPECT_EQ(call->m(), 4u);
  EXPECT_EQ(call->n(), 16u);
  EXPECT_EQ(call->k(), 32u);
  EXPECT_EQ(call->x_dtype(), fb::DType::bf16);
  EXPECT_TRUE(call->weight_transposed());
  EXPECT_EQ(call->bias()->index(), 2u);
  EXPECT_EQ(call->residual()->index(), 3u);
  EXPECT_EQ(call->weight_scale(), nullptr);
  EXPECT_EQ(call->workspace()->bytes(), 2048u);
  EXPECT_EQ(call->activation(), fb::Activation::none);
  EXPECT_EQ(call->alpha(), 1.0f);
}

TEST(Golden, Format12IsRead) {
  runtime::MappedFile file;
  runtime::PackageView view;
  ASSERT_NO_FATAL_FAILURE(parse(Golden12, file, view));
  EXPECT_EQ(view.program().version_major(), 1u);
  EXPECT_EQ(view.program().version_minor(), 2u);
  ASSERT_EQ(view.program().kv_pools()->size(), 2u);
  EXPECT_TRUE(view.program().kv_pools()->Get(1)->own_tables());
  EXPECT_EQ(view.program().kv_pools()->Get(1)->window(), 8u);
  EXPECT_EQ(view.program().entries()->Get(Step)->inputs()->Get(12)->name()->str(), "window_slots");
  EXPECT_FALSE(view.program().states()) << "what came later is not there";
}

TEST(Golden, Format14IsRead) {
  runtime::MappedFile file;
  runtime::PackageView view;
  ASSERT_NO_FATAL_FAILURE(parse(Golden14, file, view));
  EXPECT_EQ(view.program().version_major(), 1u);
  EXPECT_EQ(view.program().version_minor(), 4u);
  ASSERT_TRUE(view.program().states());
  ASSERT_EQ(view.program().states()->size(), 1u);
  EXPECT_EQ(view.program().states()->Get(0)->name()->str(), "x");
  const fb::Launch &add = *view.program().entries()->Get(Tick)->steps()->Get(0)->kind_as_Launch();
  EXPECT_EQ(add.operands()->Get(0)->space(), fb::Space::state);
}

TEST(Golden, TensorMapsOfFormat15AreRead) {
  runtime::MappedFile file;
  runtime::PackageView view;
  ASSERT_NO_FATAL_FAILURE(parse(MJOLNIR_TEST_GOLDEN "/1.5/maps.mjp", file, view));
  EXPECT_EQ(view.program().version_minor(), 5u);
  EXPECT_FALSE(view.program().kernels()->Get(0)->tensor_maps());
  const fb::Kernel &show = *view.program().kernels()->Get(6);
  ASSERT_TRUE(show.tensor_maps());
  ASSERT_EQ(show.tensor_maps()->size(), 3u);
  const fb::TensorMap &map = *show.tensor_maps()->Get(1);
  EXPECT_EQ(map.operand(), 2u);
  EXPECT_EQ(map.dtype(), fb::DType::f32);
  EXPECT_EQ(map.rows(), 2u);
  EXPECT_EQ(map.columns(), 32u);
  EXPECT_EQ(map.box_rows(), 256u);
  EXPECT_EQ(map.box_columns(), 16u);
}

class GoldenRuns : public testing::TestWithParam<const char *> {};

TEST_P(GoldenRuns, AsItWasWritten) {
  auto package = Package::open(GetParam());
#if !defined(__x86_64__)
  ASSERT_FALSE(package);
  EXPECT_EQ(package.error().code, MJ_ERROR_UNSUPPORTED);
#else
  ASSERT_TRUE(package) << package.error().message;
  auto session = Session::create(*package, 2);
  ASSERT_TRUE(session) << session.error().message;
  std::vector<float> a(256), b(256, 0.5f), y(256), sum(256);
  for (int i = 0; i < 256; ++i)
    a[i] = static_cast<float>(i);
  DLDataType f32 = {kDLFloat, 32, 1};
  auto error = session->run(Affine, {{a.data(), f32, {4, 64}}, {b.data(), f32, {4, 64}}},
                            {{y.data(), f32, {4, 64}}, {sum.data(), f32, {4, 64}}});
  ASSERT_FALSE(error) << error->message;
  for (int i = 0; i < 256; ++i) {
    ASSERT_EQ(sum[i], static_cast<float>(i) + 0.5f);
    ASSERT_EQ(y[i], (static_cast<float>(i) + 0.5f) * static_cast<float>(i % 64 + 1));
  }
#endif
}

INSTANTIATE_TEST_SUITE_P(Formats, GoldenRuns, testing::Values(Golden10, Golden11, Golden12, Golden14),
                         [](const auto &info) { return std::string("Format1") + "0124"[info.index]; });

} // namespace
