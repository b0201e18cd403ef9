// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Calls of cuBLASLt on stand-ins for the driver and the library: that the library is told of the product that the
// package means, that the fastest algorithm is found and remembered, and what goes wrong.
#include "TestSession.h"

#include "mjolnir/format/Format.h"
#include "mjolnir/runtime.h"

#include "gtest/gtest.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>

using namespace mjolnir;
using namespace mjolnir::test;
using fb::DType;

namespace {

enum Count { Proposals, Calls, Objects, LastAlgorithm };

/// A count of the library, which a package has loaded.
int countOf(Count index) {
  void *library = dlopen("libcublasLt.so.13", RTLD_NOW | RTLD_NOLOAD);
  if (!library)
    return 0;
  auto counts = reinterpret_cast<const int *(*)()>(dlsym(library, "fakeCublasLtCounts"));
  return counts()[index];
}

mj_status open(Handles &handles, const CallOptions &options, uint32_t flags = 0) {
  if (mj_status status = openPackage(handles, makeCallProgram(options)))
    return status;
  mj_session_options session = {};
  session.struct_size = sizeof(session);
  session.kv_pages = 4;
  session.flags = flags;
  return mj_session_create(handles.package, &session, &handles.session);
}

/// Numbers as a dtype holds them: small integers and halves, which all dtypes hold exactly.
struct Numbers {
  std::vector<int64_t> shape;
  std::vector<float> values;
  std::vector<uint8_t> bytes;
  DLTensor tensor;

  Numbers(DType dtype, std::vector<int64_t> extents, int seed) : shape(std::move(extents)) {
    size_t count = 1;
    for (int64_t extent : shape)
      count *= size_t(extent);
    for (size_t i = 0; i < count; ++i)
      values.push_back(float(int((i * 7 + size_t(seed) * 13) % 9) - 4) / 2);
    bytes.resize(count * format::elementBytes(dtype));
    for (size_t i = 0; i < count; ++i)
      put(dtype, i, values[i]);
    const bool isF8 = dtype == DType::f8e4m3fn;
    const DLDataType type = {uint8_t(isF8                   ? 10
                                     : dtype == DType::bf16 ? int(kDLBfloat)
                                                            : int(kDLFloat)),
                             uint8_t(8 * format::elementBytes(dtype)), 1};
    tensor = {bytes.data(), {kDLCPU, 0}, int32_t(shape.size()), type, shape.data(), nullptr, 0};
  }
  Numbers(const Numbers &) = delete;

  void put(DType dtype, size_t index, float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if (dtype == DType::f32) {
      memcpy(&bytes[4 * index], &bits, 4);
    } else if (dtype == DType::bf16) {
      const uint16_t half = uint16_t(bits >> 16); // exact here
      memcpy(&bytes[2 * index], &half, 2);
    } else if (dtype == DType::f16) {
      // sign, 5 bits of exponent with bias 15, 10 of mantissa
      const int exponent = value == 0 ? 0 : int(bits >> 23 & 255) - 127 + 15;
      const auto half = uint16_t((bits >> 16 & 0x8000) | unsigned(exponent) << 10 | (bits >> 13 & 1023));
      memcpy(&bytes[2 * index], &half, 2);
    } else {
      // sign, 4 bits of exponent with bias 7, 3 of mantissa: 0.5 and up are normal numbers
      const int exponent = value == 0 ? 0 : int(bits >> 23 & 255) - 127 + 7;
      bytes[index] = value == 0 ? 0 : uint8_t(bits >> 24 & 0x80) | uint8_t(exponent << 3) | uint8_t(bits >> 20 & 7);
    }
  }
  float get(DType dtype, size_t index) const {
    if (dtype == DType::f16) {
      uint16_t half;
      memcpy(&half, &bytes[2 * index], 2);
      const int exponent = half >> 10 & 31;
      const double magnitude = std::ldexp(double((half & 1023) + (exponent ? 1024 : 0)), std::max(exponent, 1) - 25);
      return float(half & 0x8000 ? -magnitude : magnitude);
    }
    uint32_t bits = 0;
    memcpy(reinterpret_cast<char *>(&bits) + (dtype == DType::bf16 ? 2 : 0),
           &bytes[format::elementBytes(dtype) * index], format::elementBytes(dtype));
    float value;
    memcpy(&value, &bits, 4);
    return value;
  }
};

/// Runs `multiply` on numbers that follow from `seed` and compares each element with the schema's formula.
void checkMultiply(mj_session *session, const CallOptions &o, int seed) {
  const auto m = int64_t(o.m), n = int64_t(o.n), k = int64_t(o.k);
  Numbers x(o.dtype, {m, k}, seed), weight(o.dtype, o.isTransposed ? std::vector{n, k} : std::vector{k, n}, seed + 1);
  Numbers scale(DType::f32, {1}, seed + 2), bias(o.resultDtype, {n}, seed + 3),
      residual(o.resultDtype, {m, n}, seed + 4);
  Numbers result(o.resultDtype, {m, n}, 0);
  scale.put(DType::f32, 0, scale.values[0] = 0.25f);
  std::vector<const DLTensor *> inputs{&x.tensor, &weight.tensor};
  for (auto [wanted, tensor] :
       {std::pair(o.hasScale, &scale.tensor), {o.hasBias, &bias.tensor}, {o.hasResidual, &residual.tensor}})
    if (wanted)
      inputs.push_back(tensor);
  const DLTensor *outputs[] = {&result.tensor};
  ASSERT_EQ(mj_session_run(session, Multiply, inputs.data(), inputs.size(), outputs, 1), MJ_OK) << mj_last_error();
  const double epsilon = o.resultDtype == DType::bf16 ? 0x1p-8 : o.resultDtype == DType::f16 ? 0x1p-11 : 0x1p-20;
  for (int64_t row = 0; row < m; ++row)
    for (int64_t column = 0; column < n; ++column) {
      double sum = 0;
      for (int64_t i = 0; i < k; ++i)
        sum += double(x.values[size_t(row * k + i)]) *
               double(weight.values[size_t(o.isTransposed ? column * k + i : i * n + column)]);
      double value = double(o.alpha) * (o.hasScale ? 0.25 : 1.0) * sum;
      value += o.hasBias ? double(bias.values[size_t(column)]) : 0;
      value += o.hasResidual ? double(residual.values[size_t(row * n + column)]) : 0;
      if (o.activation == fb::Activation::relu)
        value = std::max(value, 0.0);
      if (o.activation == fb::Activation::gelu_tanh)
        value /= 1 + std::exp(-2 * std::sqrt(2 / M_PI) * (value + 0.044715 * value * value * value));
      ASSERT_NEAR(result.get(o.resultDtype, size_t(row * n + column)), value, epsilon * std::abs(value) + 1e-6)
          << row << ", " << column;
    }
}

class CublasLt : public testing::Test {
protected:
  void SetUp() override {
    folder = temporaryPath("cache");
    std::filesystem::remove_all(folder);
    setenv("XDG_CACHE_HOME", folder.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("XDG_CACHE_HOME");
    EXPECT_EQ(countOf(Objects), 0) << "objects of the library were not destroyed";
  }
  std::string file() const { return folder + "/mjolnir/cublaslt-algorithms"; }
  std::string folder;
};

TEST_F(CublasLt, ComputesWhatCallsSay) {
  const std::pair<DType, DType> types[] = {{DType::bf16, DType::bf16},
                                           {DType::bf16, DType::f32},
                                           {DType::f16, DType::f16},
                                           {DType::f32, DType::f32},
                                           {DType::f8e4m3fn, DType::bf16}};
  for (auto [dtype, resultDtype] : types)
    for (int parts = 0; parts < 16; ++parts)
      for (auto activation : fb::EnumValuesActivation()) {
        const bool isF8 = dtype == DType::f8e4m3fn;
        CallOptions options;
        options.dtype = dtype;
        options.resultDtype = resultDtype;
        options.m = 5;
        options.n = isF8 ? 16 : 3;
        options.k = isF8 ? 32 : 7;
        options.hasBias = parts & 1;
        options.hasResidual = parts & 2;
        options.isTransposed = isF8 || parts & 4;
        options.hasScale = isF8 && parts & 4;
        options.alpha = parts & 8 ? 0.5f : 1.0f;
        options.activation = activation;
        SCOPED_TRACE(testing::Message() << fb::EnumNameDType(dtype) << " to " << fb::EnumNameDType(resultDtype) << ", "
                                        << parts << ", " << fb::EnumNameActivation(activation));
        Handles handles;
        ASSERT_EQ(open(handles, options, parts % 3 ? 0u : uint32_t(MJ_SESSION_NO_GRAPHS)), MJ_OK) << mj_last_error();
        for (int seed : {1, 2})
          ASSERT_NO_FATAL_FAILURE(checkMultiply(handles.session, options, seed));
      }
}

TEST_F(CublasLt, CapturesAllGraphsAtOnce) {
  Handles handles;
  ASSERT_EQ(open(handles, {}, MJ_SESSION_EAGER_GRAPHS), MJ_OK) << mj_last_error();
  const int calls = countOf(Calls);
  checkMultiply(handles.session, {}, 3);
  EXPECT_EQ(countOf(Calls), calls) << "a replay calls nothing";
}

TEST_F(CublasLt, TakesTheFastestAlgorithmAndRemembersIt) {
  int proposals = countOf(Proposals);
  auto run = [&](int expectedProposals, int expectedAlgorithm, const char *what) {
    Handles handles;
    ASSERT_EQ(open(handles, {}), MJ_OK) << what << ": " << mj_last_error();
    checkMultiply(handles.session, {}, 1);
    EXPECT_EQ(countOf(Proposals) - proposals, expectedProposals) << what;
    EXPECT_EQ(countOf(LastAlgorithm), expectedAlgorithm) << what;
    proposals = countOf(Proposals);
  };
  {
    Setting fastest("FAKE_CUBLASLT_FASTEST", "3");
    run(1, 3, "the first load");
  }
  // Now another would be faster, but nobody tries.
  Setting fastest("FAKE_CUBLASLT_FASTEST", "1");
  run(0, 3, "a load that remembers");
  {
    Setting version("FAKE_CUBLASLT_VERSION", "130100");
    run(1, 1, "another version of the library");
    run(0, 1, "that version again");
  }
  run(0, 3, "both versions are remembered");
  {
    Setting refuse("FAKE_CUBLASLT_REFUSE", "1");
    run(1, 1, "the library refuses what is remembered");
  }
  {
    // A second session of a package does not even look at the file.
    std::string path = temporaryPath("two.mjp");
    CallOptions other;
    other.m = 64;
    ASSERT_FALSE(writeTestPackage(path, testImage(), makeCallProgram(other)));
    Handles handles;
    ASSERT_EQ(mj_package_open(path.c_str(), &handles.package), MJ_OK) << mj_last_error();
    ASSERT_EQ(mj_session_create(handles.package, nullptr, &handles.session), MJ_OK) << mj_last_error();
    EXPECT_EQ(countOf(Proposals) - proposals, 1) << "another problem";
    mj_session *second = nullptr;
    ASSERT_EQ(mj_session_create(handles.package, nullptr, &second), MJ_OK) << mj_last_error();
    EXPECT_EQ(countOf(Proposals) - proposals, 1) << "the same package";
    mj_session_destroy(second);
    proposals = countOf(Proposals);
  }
}

TEST_F(CublasLt, DamagedMemoryIsIgnored) {
  auto load = [&](const char *what, bool isIgnored) {
    const int proposals = countOf(Proposals);
    testing::internal::CaptureStderr();
    {
      Handles handles;
      EXPECT_EQ(open(handles, {}), MJ_OK) << what << ": " << mj_last_error();
      checkMultiply(handles.session, {}, 1);
    }
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(said.find("cublaslt-algorithms' is damaged") != std::string::npos, isIgnored) << what << ": " << said;
    EXPECT_EQ(countOf(Proposals) - proposals, isIgnored ? 1 : 0) << what;
  };
  {
    Handles handles;
    ASSERT_EQ(open(handles, {}), MJ_OK) << mj_last_error();
  }
  const std::string good = readFile(file());
  load("the file as it was written", false);
  for (size_t at : {size_t(0), good.find('\n') + 1, good.find('\n') + 30, good.size() - 3}) {
    std::string bad = good;
    bad[at] ^= 1;
    writeFile(file(), bad);
    load("a flipped bit", true);
    EXPECT_EQ(readFile(file()), good) << "written anew";
  }
  writeFile(file(), good.substr(0, good.size() - 1));
  load("a cut line", true);
  writeFile(file(), "");
  load("an empty file", true);
  writeFile(file(), good + std::string(size_t(2) << 20, 'x'));
  load("far more than it would write", true);
  // A folder that nothing can be written to costs a line and time.
  std::filesystem::remove_all(folder);
  writeFile(folder, "no folder");
  testing::internal::CaptureStderr();
  Handles handles;
  EXPECT_EQ(open(handles, {}), MJ_OK) << mj_last_error();
  checkMultiply(handles.session, {}, 1);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("algorithms of cuBLASLt"), std::string::npos);
  std::filesystem::remove(folder);
}

void expectRefused(mj_status code, const std::string &sentence, const CallOptions &options = {}) {
  Handles handles;
  EXPECT_EQ(open(handles, options), code);
  EXPECT_NE(std::string(mj_last_error()).find(sentence), std::string::npos) << mj_last_error();
}

TEST_F(CublasLt, SaysWhatToDoWithoutTheLibrary) {
  Setting elsewhere("MJOLNIR_CUBLASLT", "/nowhere/libcublasLt.so.13");
  expectRefused(MJ_ERROR_UNSUPPORTED, "the package calls NVIDIA's cuBLASLt, which cannot be used (/nowhere/");
  expectRefused(MJ_ERROR_UNSUPPORTED, "or compile the model with --libraries=none");
}

TEST_F(CublasLt, SaysWhatTheLibraryRefuses) {
  {
    Setting fail("FAKE_CUBLASLT_FAIL", "cublasLtCreate");
    expectRefused(MJ_ERROR_UNSUPPORTED, "libcublasLt.so.13: starting it: CUBLAS_STATUS_INTERNAL_ERROR (14)");
  }
  {
    Setting none("FAKE_CUBLASLT_PROPOSALS", "0");
    expectRefused(MJ_ERROR_UNSUPPORTED, "cuBLASLt has no algorithm for a product of 4 x 32 by 32 x 16 in bf16 on this "
                                        "device within 2048 bytes; compile the model with --libraries=none");
  }
  for (const char *function : {"cublasLtMatmulDescCreate", "cublasLtMatrixLayoutCreate"}) {
    Setting fail("FAKE_CUBLASLT_FAIL", function);
    expectRefused(MJ_ERROR_INTERNAL, "describing a product of 4 x 32 by 32 x 16 in bf16 to cuBLASLt: CUBLAS_STATUS_");
  }
  {
    Setting fail("FAKE_CUBLASLT_FAIL", "cublasLtMatmul");
    expectRefused(MJ_ERROR_INTERNAL, "calling cuBLASLt for a product of 4 x 32 by 32 x 16 in bf16: CUBLAS_STATUS_");
  }
  Handles handles;
  ASSERT_EQ(open(handles, {}, MJ_SESSION_NO_GRAPHS), MJ_OK) << mj_last_error();
  Setting fail("FAKE_CUBLASLT_FAIL", "cublasLtMatmul");
  Numbers x(DType::bf16, {4, 32}, 1), weight(DType::bf16, {16, 32}, 1), bias(DType::bf16, {16}, 1),
      residual(DType::bf16, {4, 16}, 1), result(DType::bf16, {4, 16}, 1);
  const DLTensor *inputs[] = {&x.tensor, &weight.tensor, &bias.tensor, &residual.tensor}, *outputs[] = {&result.tensor};
  EXPECT_EQ(mj_session_run(handles.session, Multiply, inputs, 4, outputs, 1), MJ_ERROR_INTERNAL);
  EXPECT_NE(std::string(mj_last_error()).find("entry 'multiply': calling cuBLASLt for"), std::string::npos)
      << mj_last_error();
}

TEST_F(CublasLt, ProfilesCallsByName) {
  Handles handles;
  ASSERT_EQ(open(handles, {}), MJ_OK) << mj_last_error();
  ASSERT_EQ(mj_session_set_profiling(handles.session, MJ_PROFILE_STEPS), MJ_OK);
  checkMultiply(handles.session, {}, 1);
  const mj_step_profile *steps = nullptr;
  ASSERT_EQ(mj_session_profile(handles.session, &steps), 1u);
  EXPECT_STREQ(steps[0].kernel, "product");
  EXPECT_EQ(steps[0].nanoseconds, 1000000u);
}

} // namespace
