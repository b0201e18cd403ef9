// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Tensor maps as parameters of kernels, against a stand-in for the driver whose maps hold what it was given. The
// numbers of data types, swizzles and the like are those of CUDA's cuda.h.
#include "FakeTensorMap.h"
#include "TestSession.h"

#include "gtest/gtest.h"

#include <cstdlib>
#include <cstring>
#include <iostream>

using namespace mjolnir;
using namespace mjolnir::test;

namespace {

/// What the kernel of entry `show` was given.
struct Shown {
  uint64_t rows, x, weight, rest[13];
  FakeTensorMap maps[3];
};
static_assert(sizeof(Shown) == 512);

/// Runs `show` over `x`, 20 x 64 elements of two bytes on `device`.
mj_status show(mj_session *session, void *x, DLDeviceType device, Shown &shown) {
  int64_t xShape[] = {20, 64}, rowsShape[] = {4, 16};
  DLTensor input = {x, {device, 0}, 2, {kDLBfloat, 16, 1}, xShape, nullptr, 0};
  DLTensor output = {&shown, {kDLCPU, 0}, 2, {kDLUInt, 64, 1}, rowsShape, nullptr, 0};
  const DLTensor *inputs[] = {&input}, *outputs[] = {&output};
  return mj_session_run(session, Show, inputs, 1, outputs, 1);
}

void expectMap(const FakeTensorMap &map, uint64_t address, uint32_t dataType, uint64_t rows, uint64_t columns,
               uint64_t pitch, uint32_t boxRows, uint32_t boxColumns) {
  EXPECT_EQ(map.address, address);
  EXPECT_EQ(map.dataType, dataType);
  EXPECT_EQ(map.rank, 2u);
  EXPECT_EQ(map.sizes[0], columns); // the innermost dimension first
  EXPECT_EQ(map.sizes[1], rows);
  EXPECT_EQ(map.pitch, pitch);
  EXPECT_EQ(map.box[0], boxColumns);
  EXPECT_EQ(map.box[1], boxRows);
  EXPECT_EQ(map.elementStrides[0], 1u);
  EXPECT_EQ(map.elementStrides[1], 1u);
  EXPECT_EQ(map.interleave, 0u);  // CU_TENSOR_MAP_INTERLEAVE_NONE
  EXPECT_EQ(map.swizzle, 3u);     // CU_TENSOR_MAP_SWIZZLE_128B
  EXPECT_EQ(map.l2Promotion, 2u); // CU_TENSOR_MAP_L2_PROMOTION_L2_128B
  EXPECT_EQ(map.fill, 0u);        // CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE
}

void expectMaps(const Shown &shown) {
  expectMap(shown.maps[0], shown.x, /*CU_TENSOR_MAP_DATA_TYPE_BFLOAT16=*/9, 18, 64, 128, 8, 64);
  expectMap(shown.maps[1], shown.weight, /*CU_TENSOR_MAP_DATA_TYPE_FLOAT32=*/7, 2, 32, 128, 256, 16);
  expectMap(shown.maps[2], shown.x, /*CU_TENSOR_MAP_DATA_TYPE_UINT8=*/0, 9, 128, 128, 1, 128);
}

TEST(TensorMaps, ReachKernelsHoweverTheyAreLaunched) {
  for (uint32_t flags : {0, int(MJ_SESSION_NO_GRAPHS), int(MJ_SESSION_EAGER_GRAPHS)})
    for (int profiling : {0, 1}) {
      Handles handles;
      openSession(handles, makeMapProgram(), flags);
      ASSERT_EQ(mj_session_set_profiling(handles.session, profiling), MJ_OK);
      std::vector<uint16_t> x(20 * 64);
      for (int run = 0; run < 2; ++run) {
        Shown shown = {};
        ASSERT_EQ(show(handles.session, x.data(), kDLCPU, shown), MJ_OK) << mj_last_error();
        ASSERT_NE(shown.x, 0u);
        expectMaps(shown);
      }
    }
}

// A graph holds the maps that it was captured with: one of other addresses is another graph.
TEST(TensorMaps, FollowTheCallersTensors) {
  Handles handles;
  openSession(handles, makeMapProgram());
  alignas(16) static uint16_t tensors[3][20 * 64];
  for (int i : {0, 1, 1, 2, 0}) {
    Shown shown = {};
    ASSERT_EQ(show(handles.session, tensors[i], kDLCUDA, shown), MJ_OK) << mj_last_error();
    EXPECT_EQ(shown.x, reinterpret_cast<uint64_t>(tensors[i]) + 256);
    expectMaps(shown);
  }
}

TEST(TensorMaps, AreEncodedWhenAGraphIsCapturedAndNotAgain) {
  Handles handles;
  openSession(handles, makeMapProgram());
  std::vector<uint16_t> x(20 * 64);
  Shown shown = {};
  ASSERT_EQ(show(handles.session, x.data(), kDLCPU, shown), MJ_OK) << mj_last_error();
  Setting setting("FAKE_CUDA_FAIL", "cuTensorMapEncodeTiled");
  ASSERT_EQ(show(handles.session, x.data(), kDLCPU, shown), MJ_OK) << mj_last_error();
  expectMaps(shown);
}

TEST(TensorMaps, AFailureOfTheDriverSaysOfWhat) {
  Setting setting("FAKE_CUDA_FAIL", "cuTensorMapEncodeTiled");
  for (uint32_t flags : {0, int(MJ_SESSION_NO_GRAPHS)}) {
    Handles handles;
    openSession(handles, makeMapProgram(), flags);
    std::vector<uint16_t> x(20 * 64);
    Shown shown = {};
    EXPECT_EQ(show(handles.session, x.data(), kDLCPU, shown), MJ_ERROR_INTERNAL);
    EXPECT_EQ(std::string(mj_last_error()),
              "entry 'show': making a tensor map of operand 1 of kernel show: CUDA_ERROR_NOT_SUPPORTED (801): as the "
              "fake driver was told");
  }
}

TEST(TensorMaps, NeedADeviceThatHasThem) {
  Setting setting("FAKE_CUDA_CAPABILITY", "86");
  fb::ProgramT program = makeMapProgram();
  program.target->features = {"compute_75"};
  Handles handles;
  EXPECT_EQ(openPackage(handles, std::move(program)), MJ_ERROR_UNSUPPORTED);
  EXPECT_NE(std::string(mj_last_error())
                .find("kernel 'show' takes tensor maps, which devices have from sm_90 on; 'Fake' is sm_86"),
            std::string::npos)
      << mj_last_error();
}

// In a process of its own, which loads another driver.
TEST(TensorMapsDeathTest, NeedADriverThatMakesThem) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Setting setting("LD_LIBRARY_PATH", MJOLNIR_OLD_DRIVER);
  EXPECT_EXIT(
      {
        Handles handles;
        mj_status status = openPackage(handles, makeMapProgram());
        std::cerr << mj_last_error();
        _exit(status == MJ_ERROR_UNSUPPORTED ? 0 : 1);
      },
      testing::ExitedWithCode(0),
      "kernel 'show' takes tensor maps, and the CUDA driver is too old to make them: it has no cuTensorMapEncodeTiled");
  EXPECT_EXIT(
      {
        Handles handles;
        fb::ProgramT program = makeMapProgram();
        program.kernels.back()->tensor_maps.clear();
        mj_status status = openPackage(handles, std::move(program));
        std::cerr << mj_last_error();
        _exit(status == MJ_OK ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

} // namespace
