// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// CPU features by LLVM's names, against what the compiler's own detection says.
#include "CpuFeatures.h"

#include "gtest/gtest.h"

using namespace mjolnir;
using namespace mjolnir::runtime;

namespace {

#if defined(__x86_64__)
constexpr char Triple[] = "x86_64-unknown-linux-gnu";
constexpr char OtherTriple[] = "aarch64-unknown-linux-gnu";
#else
constexpr char Triple[] = "aarch64-unknown-linux-gnu";
constexpr char OtherTriple[] = "x86_64-unknown-linux-gnu";
#endif

Status check(const char *triple, std::vector<std::string> features) {
  fb::TargetT target;
  target.kind = "host";
  target.triple = triple;
  target.features = std::move(features);
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::Target::Pack(builder, &target));
  return checkHostTarget(*flatbuffers::GetRoot<fb::Target>(builder.GetBufferPointer()));
}

TEST(CpuFeatures, ArchitectureIsChecked) {
  EXPECT_FALSE(check(Triple, {}));
  Status status = check(OtherTriple, {});
  EXPECT_EQ(status.code(), MJ_ERROR_UNSUPPORTED);
  EXPECT_EQ(status.message().find(std::string("the package holds code for '") + OtherTriple + "'; this machine is "),
            0u);
}

TEST(CpuFeatures, UnknownOnesAreRefused) {
  Status status = check(Triple, {"neuralink"});
  EXPECT_EQ(status.code(), MJ_ERROR_UNSUPPORTED);
  EXPECT_EQ(status.message(), "the package needs the CPU feature 'neuralink', which this runtime does not know");
}

#if defined(__x86_64__)
TEST(CpuFeatures, AgreeWithTheCompiler) {
  struct {
    const char *name;
    bool present;
  } features[] = {
      {"sse3", bool(__builtin_cpu_supports("sse3"))},
      {"sse4.1", bool(__builtin_cpu_supports("sse4.1"))},
      {"sse4.2", bool(__builtin_cpu_supports("sse4.2"))},
      {"popcnt", bool(__builtin_cpu_supports("popcnt"))},
      {"avx", bool(__builtin_cpu_supports("avx"))},
      {"avx2", bool(__builtin_cpu_supports("avx2"))},
      {"fma", bool(__builtin_cpu_supports("fma"))},
      {"bmi", bool(__builtin_cpu_supports("bmi"))},
      {"bmi2", bool(__builtin_cpu_supports("bmi2"))},
      {"avx512f", bool(__builtin_cpu_supports("avx512f"))},
      {"avx512bw", bool(__builtin_cpu_supports("avx512bw"))},
      {"avx512vl", bool(__builtin_cpu_supports("avx512vl"))},
      {"avx512bf16", bool(__builtin_cpu_supports("avx512bf16"))},
      {"avx512vnni", bool(__builtin_cpu_supports("avx512vnni"))},
  };
  for (const auto &feature : features) {
    Status status = check(Triple, {feature.name});
    EXPECT_EQ(!status, feature.present) << feature.name << ": " << status.message();
    if (!feature.present) {
      EXPECT_EQ(status.message(), std::string("the package needs CPU features that this machine lacks: '") +
                                      feature.name + "'; compile it for this machine or for an older one");
    }
  }
}
#endif

} // namespace
