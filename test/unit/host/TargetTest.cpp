// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Names of host targets, and that every kernel compiles for each of them.
#include "targets/host/AttentionKernel.h"
#include "targets/host/KernelBuilder.h"
#include "targets/host/MatmulKernel.h"
#include "targets/host/SampleKernel.h"
#include "test/unit/host/KernelRunner.h"

#include <gtest/gtest.h>

using namespace mjolnir::host;
using namespace mjolnir::host::testing;

namespace {

HostTarget parse(llvm::StringRef spec) {
  auto target = HostTarget::parse(spec);
  EXPECT_TRUE(mlir::succeeded(target)) << spec.str();
  return mlir::succeeded(target) ? *target : HostTarget();
}

bool has(const HostTarget &target, llvm::StringRef feature) {
  return llvm::is_contained(target.requiredFeatures, feature);
}

TEST(HostTarget, NamesStandForCpus) {
  HostTarget v3 = parse("host:x86-64-v3");
  EXPECT_EQ(v3.triple, "x86_64-unknown-linux-gnu");
  EXPECT_EQ(v3.vectorLanes, 8);
  EXPECT_EQ(v3.vectorRegisters, 16);
  EXPECT_EQ(v3.requiredFeatures, (mlir::SmallVector<std::string>{"avx", "avx2", "fma", "f16c", "bmi", "bmi2"}));

  HostTarget v4 = parse("host:x86-64-v4");
  EXPECT_EQ(v4.vectorLanes, 16);
  EXPECT_EQ(v4.vectorRegisters, 32);
  EXPECT_FALSE(v4.hasAvx512Bf16);
  EXPECT_TRUE(has(v4, "avx512f") && has(v4, "avx512bw") && has(v4, "avx512vl"));

  HostTarget zen4 = parse("host:znver4");
  EXPECT_TRUE(zen4.hasAvx512Bf16);
  EXPECT_TRUE(has(zen4, "avx512bf16"));

  // Nothing that the runtime is not asked for: f16 arithmetic, which other CPUs with bf16's dot product lack.
  HostTarget xeon = parse("host:sapphirerapids");
  EXPECT_TRUE(xeon.hasAvx512Bf16 && has(xeon, "avx512bf16") && has(xeon, "avx512cd"));
  EXPECT_TRUE(llvm::StringRef(xeon.features).contains("-avx512fp16")) << xeon.features;
  EXPECT_TRUE(zen4.features.find("fp16") == std::string::npos) << zen4.features;

  HostTarget arm = parse("host:aarch64");
  EXPECT_EQ(arm.triple, "aarch64-unknown-linux-gnu");
  EXPECT_EQ(arm.cpu, "generic");
  EXPECT_EQ(arm.vectorLanes, 4);
  EXPECT_TRUE(arm.requiredFeatures.empty());
  EXPECT_EQ(parse("host:aarch64:neoverse-v2").cpu, "neoverse-v2");

  EXPECT_FALSE(parse("host").cpu.empty());
}

TEST(HostTarget, RefusesOthersWithAReason) {
  auto refused = [](llvm::StringRef spec) {
    std::string message;
    llvm::raw_string_ostream errors(message);
    EXPECT_TRUE(mlir::failed(HostTarget::parse(spec, errors))) << spec.str();
    return message;
  };
  EXPECT_NE(refused("cuda:sm_90a").find("is not a host target"), std::string::npos);
  EXPECT_NE(refused("host:").find("is not a host target"), std::string::npos);
  EXPECT_NE(refused("host:pentium9").find("knows no x86_64 CPU 'pentium9'"), std::string::npos);
  EXPECT_NE(refused("host:x86-64").find("has no AVX2"), std::string::npos);
  EXPECT_NE(refused("host:aarch64:").find("host:aarch64:CPU"), std::string::npos);
  EXPECT_NE(refused("host:aarch64:znver3").find("knows no aarch64 CPU"), std::string::npos);
}

class EveryTarget : public ::testing::TestWithParam<const char *> {};

TEST_P(EveryTarget, CompilesEveryKernelWithoutUndefinedSymbols) {
  HostTarget target = parse(GetParam());
  KernelModule kernels;
  for (Element element : {Element::F32, Element::BF16}) {
    std::string suffix = element == Element::F32 ? "f32" : "bf16";
    for (int64_t m : {1, 4, 7, 128}) {
      MatmulConfig config;
      config.m = m, config.n = 100, config.k = 513;
      config.x = config.weight = config.y = element;
      ASSERT_TRUE(mlir::succeeded(
          emitMatmul(kernels.builder, *kernels.module, "matmul" + std::to_string(m) + suffix, config, target)));
      EXPECT_GE(matmulTiles(config, target), 1);
    }
    for (int64_t rows : {1, 64}) {
      AttentionConfig config;
      config.rows = rows, config.sequences = 1, config.pages = 8, config.queryHeads = 4, config.kvHeads = 2;
      config.headDim = 72, config.pageSize = 16, config.pageStride = 2 * 2 * 16 * 72;
      config.element = config.cache = element;
      ASSERT_TRUE(mlir::succeeded(emitAttention(kernels.builder, *kernels.module,
                                                "attention" + std::to_string(rows) + suffix, config, target)));
    }
  }
  // Parts of vectors of bf16, which registers hold on some CPUs only as a whole: what an epilogue reads of the last
  // columns, and odd sums.
  for (int64_t n : {9, 37, 100}) {
    MatmulConfig config;
    config.m = n, config.n = n, config.k = 9;
    config.extras = {mlir::MemRefType::get({n, n}, mlir::BFloat16Type::get(&kernels.context))};
    config.epilogue = [](const MatmulEpilogue &e) {
      KernelBuilder b(e.builder, e.loc);
      return b.add(b.toF32(e.load(e.extras[0])), e.accumulators[0]);
    };
    ASSERT_TRUE(
        mlir::succeeded(emitMatmul(kernels.builder, *kernels.module, "residual" + std::to_string(n), config, target)));
  }
  ASSERT_TRUE(mlir::succeeded(emitSample(kernels.builder, *kernels.module, "sample", {2, 1001}, target)));
  auto image = compileToSharedObject(*kernels.module, target);
  ASSERT_TRUE(mlir::succeeded(image));
  // The ELF header names the machine: 62 is x86-64, 183 aarch64.
  EXPECT_EQ(static_cast<unsigned char>((*image)[18]), llvm::StringRef(GetParam()).contains("aarch64") ? 183 : 62);
}

INSTANTIATE_TEST_SUITE_P(HostTarget, EveryTarget,
                         ::testing::Values("host", "host:x86-64-v3", "host:x86-64-v4", "host:znver4", "host:znver5",
                                           "host:cooperlake", "host:sapphirerapids", "host:diamondrapids",
                                           "host:aarch64", "host:aarch64:neoverse-v2"));

} // namespace
