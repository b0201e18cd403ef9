// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a CUDA target lists beside the schedule that it chooses.
#include "targets/cuda/MatmulSchedules.h"
#include "targets/cuda/Profiles.h"
#include "targets/cuda/Schedules.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"
#include "gtest/gtest.h"

#include <set>

using namespace mjolnir;

namespace {

class Candidates : public testing::Test {
protected:
  Candidates() {
    mlir::DialectRegistry registry;
    registry.insert<mj::MjDialect, mlir::arith::ArithDialect, mlir::func::FuncDialect>();
    context.appendDialectRegistry(registry);
  }

  /// Chooses and lists for the only region of `text` on an H200.
  void list(llvm::StringRef text) {
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    ASSERT_TRUE(module);
    const cuda::CudaProfile &profile = cuda::getProfiles().front();
    ASSERT_EQ(profile.name, "sm_90a");
    module->walk([&](mj::FusionOp fusion) {
      llvm::FailureOr<mj::ScheduleAttr> schedule = cuda::chooseSchedule(fusion, profile);
      ASSERT_TRUE(succeeded(schedule));
      chosen = *schedule;
      others = cuda::listSchedules(fusion, chosen, profile);
    });
  }

  /// The values that the candidates have for a parameter.
  std::set<int64_t> valuesOf(llvm::StringRef parameter) {
    std::set<int64_t> values;
    for (mj::ScheduleAttr other : others)
      values.insert(cuda::getParameter(other, parameter));
    return values;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mj::ScheduleAttr chosen;
  llvm::SmallVector<mj::ScheduleAttr> others;
};

TEST_F(Candidates, DecodeAttentionVariesItsBlocksAndKeepsWhenTheNextKernelStarts) {
  list(R"(
    func.func @decode(%q: tensor<32x16x128xbf16>, %batch: !mj.batch<32 x 32 x 64>, %kv: !mj.kv<1 x 8 x 128 x bf16>)
        -> tensor<32x16x128xbf16> {
      %a = mj.fusion(%0 = %q : tensor<32x16x128xbf16>, %1 = %kv : !mj.kv<1 x 8 x 128 x bf16>,
                     %2 = %batch : !mj.batch<32 x 32 x 64>) -> tensor<32x16x128xbf16> {
        %r = mj.attention %0, %1[0] over %2 scale 0.5
            : tensor<32x16x128xbf16>, <1 x 8 x 128 x bf16>, <32 x 32 x 64> -> tensor<32x16x128xbf16>
        mj.yield %r : tensor<32x16x128xbf16>
      }
      return %a : tensor<32x16x128xbf16>
    })");
  ASSERT_FALSE(others.empty());
  EXPECT_EQ(valuesOf("late"), std::set<int64_t>{cuda::getParameter(chosen, "late")});
  EXPECT_EQ(valuesOf("threads"), (std::set<int64_t>{64, 128, 256}));
  EXPECT_GT(valuesOf("splits").size(), 1u);
  EXPECT_GT(valuesOf("stages").size(), 1u);
  EXPECT_EQ(valuesOf("keys"), (std::set<int64_t>{16, 32}));
  EXPECT_GT(valuesOf("blocks").size(), 1u);
}

/// Sums of 16 slices do not fit beside weights of 48 rows; 15 do not divide K.
TEST_F(Candidates, SlicesOfSmallMatmulsDivideK) {
  list(R"(
    func.func @matmul(%x: tensor<32x1024xbf16>, %n: tensor<1024xbf16>, %g: tensor<3072x1024xbf16>,
                      %u: tensor<3072x1024xbf16>) -> tensor<32x3072xbf16> {
      %a = mj.fusion(%0 = %x : tensor<32x1024xbf16>, %1 = %n : tensor<1024xbf16>, %2 = %g : tensor<3072x1024xbf16>,
                     %3 = %u : tensor<3072x1024xbf16>) -> tensor<32x3072xbf16> {
        %4 = mj.norm rms %0, weight %1 eps 1.0e-6
            : tensor<32x1024xbf16>, weight tensor<1024xbf16> -> tensor<32x1024xbf16>
        %5 = mj.matmul %4, %2 {transpose_b} : tensor<32x1024xbf16>, tensor<3072x1024xbf16> -> tensor<32x3072xbf16>
        %6 = mj.matmul %4, %3 {transpose_b} : tensor<32x1024xbf16>, tensor<3072x1024xbf16> -> tensor<32x3072xbf16>
        %7 = arith.mulf %5, %6 : tensor<32x3072xbf16>
        mj.yield %7 : tensor<32x3072xbf16>
      }
      return %a : tensor<32x3072xbf16>
    })");
  EXPECT_EQ(chosen.getName(), cuda::kSmallMatmulSchedule);
  ASSERT_FALSE(others.empty());
  for (int64_t slices : valuesOf("slices"))
    EXPECT_EQ(1024 % (slices * 32), 0) << slices;
  for (mj::ScheduleAttr other : others)
    EXPECT_EQ(cuda::getParameter(other, "stage_k") % (cuda::getParameter(other, "slices") * 32), 0);
}

/// Weights that threads hold where a block has 16 columns, and none where it has 128, which would not fit.
TEST_F(Candidates, HeldWeightsFit) {
  auto matmul = [](int64_t columns) {
    std::string text = R"(
    func.func @matmul(%x: tensor<32x2048xbf16>, %w: tensor<Nx2048xbf16>) -> tensor<32xNxbf16> {
      %a = mj.fusion(%0 = %x : tensor<32x2048xbf16>, %1 = %w : tensor<Nx2048xbf16>) -> tensor<32xNxbf16> {
        %r = mj.matmul %0, %1 {transpose_b} : tensor<32x2048xbf16>, tensor<Nx2048xbf16> -> tensor<32xNxbf16>
        mj.yield %r : tensor<32xNxbf16>
      }
      return %a : tensor<32xNxbf16>
    })";
    for (size_t place; (place = text.find('N')) != std::string::npos;)
      text.replace(place, 1, std::to_string(columns));
    return text;
  };
  const int64_t most = cuda::getProfiles().front().sharedBytesPerBlock;
  for (auto [columns, canBeHeld] : {std::pair(2048, true), std::pair(16384, false)}) {
    list(matmul(columns));
    EXPECT_EQ(chosen.getName(), cuda::kSmallMatmulSchedule);
    bool isHeld = false;
    for (mj::ScheduleAttr other : others) {
      cuda::SmallMatmulTile tile(other);
      isHeld |= tile.held > 0;
      if (tile.held)
        EXPECT_LE(tile.sharedBytes(32, 2048, 1, 2, false), most) << columns << " columns, " << tile.held << " held";
    }
    EXPECT_EQ(isHeld, canBeHeld) << columns << " columns";
  }
}

/// With the window and the split of K, and the kernel that is not for codes alone.
TEST_F(Candidates, StreamedMatmulsVaryWhatIsOnItsWay) {
  list(R"(
    func.func @matmul(%x: tensor<4x4096xbf16>, %w: tensor<14336x4096xf8E4M3FN>) -> tensor<4x14336xbf16> {
      %a = mj.fusion(%0 = %x : tensor<4x4096xbf16>, %1 = %w : tensor<14336x4096xf8E4M3FN>) -> tensor<4x14336xbf16> {
        %r = mj.matmul %0, %1 {transpose_b} : tensor<4x4096xbf16>, tensor<14336x4096xf8E4M3FN> -> tensor<4x14336xbf16>
        mj.yield %r : tensor<4x14336xbf16>
      }
      return %a : tensor<4x14336xbf16>
    })");
  EXPECT_EQ(chosen.getName(), cuda::kStreamedMatmulSchedule);
  std::set<int64_t> windows{cuda::getParameter(chosen, "window")}, splits;
  bool hasSmall = false;
  for (mj::ScheduleAttr other : others) {
    hasSmall |= other.getName() == cuda::kSmallMatmulSchedule;
    if (other.getName() == cuda::kStreamedMatmulSchedule) {
      windows.insert(cuda::getParameter(other, "window"));
      splits.insert(cuda::getParameter(other, "splits"));
    }
  }
  EXPECT_TRUE(hasSmall);
  EXPECT_EQ(windows, (std::set<int64_t>{1, 2, 3, 4}));
  EXPECT_EQ(splits, (std::set<int64_t>{1, 2}));
}

TEST_F(Candidates, StreamedMatmulsDivideKWhereWeightsOrRowsAreMany) {
  auto splitsOf = [&](int64_t rows, int64_t n, int64_t k) {
    std::string x = llvm::formatv("tensor<{0}x{1}xbf16>", rows, k), w = llvm::formatv("tensor<{0}x{1}xf8E4M3FN>", n, k),
                y = llvm::formatv("tensor<{0}x{1}xbf16>", rows, n);
    list(llvm::formatv(R"(
    func.func @matmul(%x: {0}, %w: {1}) -> {2} {{
      %a = mj.fusion(%0 = %x : {0}, %1 = %w : {1}) -> {2} {{
        %r = mj.matmul %0, %1 {{transpose_b} : {0}, {1} -> {2}
        mj.yield %r : {2}
      }
      return %a : {2}
    })",
                       x, w, y)
             .str());
    return chosen.getName() == cuda::kStreamedMatmulSchedule ? cuda::getParameter(chosen, "splits") : 0;
  };
  EXPECT_EQ(splitsOf(1, 14336, 4096), 1);  // 448 KiB a block
  EXPECT_EQ(splitsOf(1, 65536, 4096), 2);  // many times what is on its way
  EXPECT_EQ(splitsOf(8, 8192, 8192), 2);   // much of x
  EXPECT_EQ(splitsOf(16, 4096, 12288), 4); // x does not fit otherwise
  EXPECT_EQ(cuda::getParameter(chosen, "threads"), 12 * 32);
}

TEST_F(Candidates, TensorMatmulsAreOfOneTypeThatTheyMultiply) {
  auto matmul = [](llvm::StringRef element) {
    std::string text = R"(
    func.func @matmul(%x: tensor<512x1024xT>, %w: tensor<2048x1024xT>) -> tensor<512x2048xT> {
      %a = mj.fusion(%0 = %x : tensor<512x1024xT>, %1 = %w : tensor<2048x1024xT>) -> tensor<512x2048xT> {
        %r = mj.matmul %0, %1 {transpose_b} : tensor<512x1024xT>, tensor<2048x1024xT> -> tensor<512x2048xT>
        mj.yield %r : tensor<512x2048xT>
      }
      return %a : tensor<512x2048xT>
    })";
    for (size_t place; (place = text.find("xT")) != std::string::npos;)
      text.replace(place, 2, ("x" + element).str());
    return text;
  };
  list(matmul("bf16"));
  EXPECT_EQ(chosen.getName(), cuda::kTensorMatmulSchedule);
  ASSERT_FALSE(others.empty());
  for (mj::ScheduleAttr other : others)
    EXPECT_EQ(other.getName(), cuda::kTensorMatmulSchedule);
  EXPECT_EQ(valuesOf("tile_m"), (std::set<int64_t>{64, 128}));
  list(matmul("f16"));
  EXPECT_EQ(chosen.getName(), cuda::kLargeMatmulSchedule); // wgmma here multiplies bf16 and f8
}

} // namespace
