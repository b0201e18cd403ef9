// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Bytes and operations of regions, counted by hand in the comments, and times on a made-up chip.
#include "mjolnir/Target/Cost.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mjolnir;

namespace {

class Cost : public testing::Test {
protected:
  Cost() {
    mlir::DialectRegistry registry;
    registry.insert<mj::MjDialect, exec::ExecDialect, mlir::arith::ArithDialect, mlir::math::MathDialect,
                    mlir::func::FuncDialect>();
    context.appendDialectRegistry(registry);
  }

  /// The cost of the only region of `text`.
  KernelCost costOf(llvm::StringRef text, CostOptions options = {}) {
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module);
    KernelCost cost;
    if (module)
      module->walk([&](mj::FusionOp fusion) { cost += computeCost(fusion, options); });
    return cost;
  }

  static double f32(const KernelCost &cost) { return cost.flops[0]; }
  static double bf16(const KernelCost &cost) { return cost.flops[1]; }
  static double f8(const KernelCost &cost) { return cost.flops[2]; }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

TEST_F(Cost, MatmulReadsItsWeightOnceAndTheResidualToo) {
  KernelCost cost = costOf(R"mlir(
    mj.weight @w : tensor<8x4xbf16> from "w"
    func.func @f(%x: tensor<2x4xbf16>, %r: tensor<2x8xbf16>) -> tensor<2x8xbf16> {
      %w = mj.get_weight @w : tensor<8x4xbf16>
      %y = mj.fusion(%a = %x : tensor<2x4xbf16>, %b = %w : tensor<8x4xbf16>, %c = %r : tensor<2x8xbf16>) -> tensor<2x8xbf16> {
        %0 = mj.matmul %a, %b {transpose_b} : tensor<2x4xbf16>, tensor<8x4xbf16> -> tensor<2x8xbf16>
        %1 = arith.addf %0, %c : tensor<2x8xbf16>
        mj.yield %1 : tensor<2x8xbf16>
      }
      return %y : tensor<2x8xbf16>
    })mlir");
  EXPECT_EQ(cost.weightBytes, 8 * 4 * 2);
  EXPECT_EQ(cost.bytesRead, 8 * 4 * 2 + 2 * 4 * 2 + 2 * 8 * 2); // weight, x, residual
  EXPECT_EQ(cost.bytesWritten, 2 * 8 * 2);
  EXPECT_EQ(bf16(cost), 2 * 2 * 8 * 4); // a product and a sum for each of M * N * K
  EXPECT_EQ(f32(cost), 2 * 8);          // the residual
  EXPECT_EQ(f8(cost), 0);
  EXPECT_EQ(cost.kvBytes, 0);
  EXPECT_EQ(cost.unknownOps, 0);
}

TEST_F(Cost, AnOperandOfTwoOperationsIsReadOnce) {
  KernelCost cost = costOf(R"mlir(
    mj.weight @g : tensor<8x4xbf16> from "g"
    mj.weight @u : tensor<8x4xbf16> from "u"
    func.func @f(%x: tensor<2x4xbf16>) -> tensor<2x8xbf16> {
      %g = mj.get_weight @g : tensor<8x4xbf16>
      %u = mj.get_weight @u : tensor<8x4xbf16>
      %y = mj.fusion(%a = %x : tensor<2x4xbf16>, %b = %g : tensor<8x4xbf16>, %c = %u : tensor<8x4xbf16>) -> tensor<2x8xbf16> {
        %0 = mj.matmul %a, %b {transpose_b} : tensor<2x4xbf16>, tensor<8x4xbf16> -> tensor<2x8xbf16>
        %1 = mj.matmul %a, %c {transpose_b} : tensor<2x4xbf16>, tensor<8x4xbf16> -> tensor<2x8xbf16>
        %2 = arith.mulf %0, %1 : tensor<2x8xbf16>
        mj.yield %2 : tensor<2x8xbf16>
      }
      return %y : tensor<2x8xbf16>
    })mlir");
  EXPECT_EQ(cost.bytesRead, 2 * (8 * 4 * 2) + 2 * 4 * 2);
  EXPECT_EQ(cost.weightBytes, 2 * (8 * 4 * 2));
  EXPECT_EQ(bf16(cost), 2 * (2 * 2 * 8 * 4));
}

TEST_F(Cost, F8WeightsMultiplyInTheWiderOperandsPrecision) {
  const char *text = R"mlir(
    mj.weight @w : tensor<8x4xf8E4M3FN> from "w"
    mj.weight @s : tensor<8xf32> from "s"
    func.func @f(%x: tensor<2x4xTYPE>) -> tensor<2x8xbf16> {
      %w = mj.get_weight @w : tensor<8x4xf8E4M3FN>
      %s = mj.get_weight @s : tensor<8xf32>
      %y = mj.fusion(%a = %x : tensor<2x4xTYPE>, %b = %w : tensor<8x4xf8E4M3FN>, %c = %s : tensor<8xf32>) -> tensor<2x8xbf16> {
        %0 = mj.matmul %a, %b scaled by %c {transpose_bEXTRA}
          : tensor<2x4xTYPE>, tensor<8x4xf8E4M3FN>, tensor<8xf32> -> tensor<2x8xbf16>
        mj.yield %0 : tensor<2x8xbf16>
      }
      return %y : tensor<2x8xbf16>
    })mlir";
  auto with = [&](std::string type, std::string extra) {
    std::string result = text;
    for (auto [from, to] : {std::pair<std::string, std::string>{"TYPE", type}, {"EXTRA", extra}})
      for (size_t at; (at = result.find(from)) != std::string::npos;)
        result.replace(at, from.size(), to);
    return costOf(result);
  };
  KernelCost narrowWeights = with("bf16", "");
  EXPECT_EQ(narrowWeights.weightBytes, 8 * 4 * 1 + 8 * 4); // a byte an element, an f32 a row
  EXPECT_EQ(narrowWeights.bytesRead, 8 * 4 * 1 + 8 * 4 + 2 * 4 * 2);
  EXPECT_EQ(bf16(narrowWeights), 128);
  EXPECT_EQ(f32(narrowWeights), 16); // the scales, once a result
  KernelCost both = with("f8E4M3FN", ", x_scale = 0.5 : f32");
  EXPECT_EQ(both.bytesRead, 8 * 4 * 1 + 8 * 4 + 2 * 4 * 1);
  EXPECT_EQ(f8(both), 128);
  EXPECT_EQ(f32(both), 16);
  EXPECT_EQ(f32(with("f32", "")), 128 + 16);
}

TEST_F(Cost, AGatherReadsRowsNotTheTable) {
  const char *text = R"mlir(
    mj.weight @embed : tensor<ROWSx4xbf16> from "embed"
    func.func @f(%i: tensor<3xi32>) -> tensor<3x4xbf16> {
      %e = mj.get_weight @embed : tensor<ROWSx4xbf16>
      %y = mj.fusion(%a = %e : tensor<ROWSx4xbf16>, %b = %i : tensor<3xi32>) -> tensor<3x4xbf16> {
        %0 = mj.gather %a[%b] : tensor<ROWSx4xbf16>, tensor<3xi32> -> tensor<3x4xbf16>
        mj.yield %0 : tensor<3x4xbf16>
      }
      return %y : tensor<3x4xbf16>
    })mlir";
  auto with = [&](std::string rows) {
    std::string result = text;
    for (size_t at; (at = result.find("ROWS")) != std::string::npos;)
      result.replace(at, 4, rows);
    return costOf(result);
  };
  KernelCost large = with("100");
  EXPECT_EQ(large.weightBytes, 3 * 4 * 2);
  EXPECT_EQ(large.bytesRead, 3 * 4 * 2 + 3 * 4); // three rows, three indices
  EXPECT_EQ(large.bytesWritten, 3 * 4 * 2);
  EXPECT_EQ(large.totalFlops(), 0);
  // Two of three rows are the same: memory is read once.
  EXPECT_EQ(with("2").weightBytes, 2 * 4 * 2);
}

const char *const kAttention = R"mlir(
    func.func @f(%q: tensor<4x4x8xbf16>, %kv: !mj.kv<3 x 2 x 8 x bf16>, %batch: !mj.batch<4 x 2 x 16>) -> tensor<4x4x8xbf16> {
      %y = mj.fusion(%a = %q : tensor<4x4x8xbf16>, %c = %kv : !mj.kv<3 x 2 x 8 x bf16>, %b = %batch : !mj.batch<4 x 2 x 16>)
          -> tensor<4x4x8xbf16> {
        %0 = mj.attention %a, %c[1] over %b scale 0.5 WINDOW
          : tensor<4x4x8xbf16>, <3 x 2 x 8 x bf16>, <4 x 2 x 16> -> tensor<4x4x8xbf16>
        mj.yield %0 : tensor<4x4x8xbf16>
      }
      return %y : tensor<4x4x8xbf16>
    })mlir";

std::string attention(std::string window) {
  std::string text = kAttention;
  text.replace(text.find("WINDOW"), 6, window);
  return text;
}

TEST_F(Cost, AttentionReadsTheContextOfOneLayer) {
  KernelCost cost = costOf(attention(""), {/*contextTokens=*/100});
  // Each of 2 sequences: 100 tokens of keys and values, 2 heads of 8 elements, 2 bytes each.
  EXPECT_EQ(cost.kvBytes, 2 * 100 * 2 * 2 * 8 * 2);
  // Also the query, sequence_offsets [3], context_lengths [2], block_tables [2, 16].
  EXPECT_EQ(cost.bytesRead, cost.kvBytes + 4 * 4 * 8 * 2 + (3 + 2 + 32) * 4);
  EXPECT_EQ(cost.bytesWritten, 4 * 4 * 8 * 2);
  // The two rows of a sequence see 99 and 100 tokens: 398 pairs of a row and a token, for each of 4 heads.
  EXPECT_EQ(bf16(cost), 398 * 4 * (2 * 8 + 2 * 8));
  EXPECT_EQ(f32(cost), 398 * 4 * 6); // scale and the five operations of softmax
}

TEST_F(Cost, AttentionOfASequenceThatStartsSeesATriangle) {
  KernelCost cost = costOf(attention(""), {/*contextTokens=*/0, /*sequences=*/1});
  EXPECT_EQ(cost.kvBytes, 4 * 2 * 2 * 8 * 2);         // the four rows' own tokens
  EXPECT_EQ(bf16(cost), (1 + 2 + 3 + 4) * 4 * 4 * 8); // 10 pairs, 4 heads
}

TEST_F(Cost, AttentionWithAWindowReadsTheWindow) {
  KernelCost cost = costOf(attention("window 16"), {/*contextTokens=*/100});
  // The last row sees 16 tokens, the row before it one further back: 17 tokens of each sequence.
  EXPECT_EQ(cost.kvBytes, 2 * 17 * 2 * 2 * 8 * 2);
  EXPECT_EQ(bf16(cost), 4 * 16 * 4 * 4 * 8);
}

TEST_F(Cost, AppendWritesTheRowsOfAStep) {
  KernelCost cost = costOf(R"mlir(
    func.func @f(%k: tensor<4x2x8xbf16>, %kv: !mj.kv<3 x 2 x 8 x f8E4M3FN>, %batch: !mj.batch<4 x 2 x 16>) -> !mj.kv<3 x 2 x 8 x f8E4M3FN> {
      %y = mj.fusion(%a = %k : tensor<4x2x8xbf16>, %c = %kv : !mj.kv<3 x 2 x 8 x f8E4M3FN>, %b = %batch : !mj.batch<4 x 2 x 16>)
          -> !mj.kv<3 x 2 x 8 x f8E4M3FN> {
        %0 = mj.kv_append %c[1], %a, %a at %b
          : <3 x 2 x 8 x f8E4M3FN>, tensor<4x2x8xbf16>, tensor<4x2x8xbf16>, <4 x 2 x 16> -> <3 x 2 x 8 x f8E4M3FN>
        mj.yield %0 : !mj.kv<3 x 2 x 8 x f8E4M3FN>
      }
      return %y : !mj.kv<3 x 2 x 8 x f8E4M3FN>
    })mlir");
  EXPECT_EQ(cost.bytesWritten, 4 * 2 * 2 * 8); // four rows, keys and values, a byte an element
  EXPECT_EQ(cost.kvBytes, cost.bytesWritten);
  EXPECT_EQ(cost.bytesRead, 4 * 2 * 8 * 2 + 4 * 4); // the tensor that is both, and the slots
}

TEST_F(Cost, TensorAttentionCountsItsPairs) {
  const char *text = R"mlir(
    func.func @f(%q: tensor<2x4x8xbf16>, %k: tensor<3x2x8xbf16>, %n: tensor<2x2x8xbf16>) -> tensor<2x4x8xbf16> {
      %y = mj.fusion(%a = %q : tensor<2x4x8xbf16>, %b = %k : tensor<3x2x8xbf16>, %c = %n : tensor<2x2x8xbf16>) -> tensor<2x4x8xbf16> {
        %0 = mj.sdpa %a over [%b, %c], [%b, %c] scale 0.5 CAUSAL
          : tensor<2x4x8xbf16>, [tensor<3x2x8xbf16>, tensor<2x2x8xbf16>], [tensor<3x2x8xbf16>, tensor<2x2x8xbf16>] -> tensor<2x4x8xbf16>
        mj.yield %0 : tensor<2x4x8xbf16>
      }
      return %y : tensor<2x4x8xbf16>
    })mlir";
  auto with = [&](std::string causal) {
    std::string result = text;
    result.replace(result.find("CAUSAL"), 6, causal);
    return costOf(result);
  };
  EXPECT_EQ(bf16(with("")), 2 * 5 * 4 * (2 * 8 + 2 * 8));         // every row sees both segments
  EXPECT_EQ(bf16(with("causal")), (4 + 5) * 4 * (2 * 8 + 2 * 8)); // the first row does not see the last
  EXPECT_EQ(bf16(with("causal window 2")), (2 + 2) * 4 * (2 * 8 + 2 * 8));
  EXPECT_EQ(bf16(with("causal window 9")), (4 + 5) * 4 * (2 * 8 + 2 * 8));
  EXPECT_EQ(with("").bytesRead, (2 * 4 * 8 + 3 * 2 * 8 + 2 * 2 * 8) * 2);
}

TEST_F(Cost, RowOperationsCountWhatTheyDoToAnElement) {
  KernelCost cost = costOf(R"mlir(
    mj.weight @n : tensor<8xf32> from "n"
    func.func @f(%x: tensor<2x8xbf16>) -> (tensor<2x8xbf16>, tensor<2x8xf8E4M3FN>, tensor<2xf32>, tensor<2x8xf32>) {
      %n = mj.get_weight @n : tensor<8xf32>
      %y:4 = mj.fusion(%a = %x : tensor<2x8xbf16>, %b = %n : tensor<8xf32>)
          -> (tensor<2x8xbf16>, tensor<2x8xf8E4M3FN>, tensor<2xf32>, tensor<2x8xf32>) {
        %0 = mj.norm rms %a, weight %b eps 0.0 : tensor<2x8xbf16>, weight tensor<8xf32> -> tensor<2x8xbf16>
        %1 = mj.quantize %0 by 7.0 : tensor<2x8xbf16> -> tensor<2x8xf8E4M3FN>
        %2 = mj.reduce sum %0 over [1] : tensor<2x8xbf16> -> tensor<2xf32>
        %3 = mj.softmax %0 : tensor<2x8xbf16> -> tensor<2x8xf32>
        mj.yield %0, %1, %2, %3 : tensor<2x8xbf16>, tensor<2x8xf8E4M3FN>, tensor<2xf32>, tensor<2x8xf32>
      }
      return %y#0, %y#1, %y#2, %y#3 : tensor<2x8xbf16>, tensor<2x8xf8E4M3FN>, tensor<2xf32>, tensor<2x8xf32>
    })mlir");
  EXPECT_EQ(cost.bytesRead, 16 * 2 + 8 * 4);
  EXPECT_EQ(cost.bytesWritten, 16 * 2 + 16 * 1 + 2 * 4 + 16 * 4);
  EXPECT_EQ(f32(cost), 16 * 4 + 16 * 1 + 16 * 1 + 16 * 5); // norm, quantize, reduce, softmax
}

TEST_F(Cost, RopeReadsThePositionsRowsOfItsTable) {
  KernelCost cost = costOf(R"mlir(
    func.func @f(%x: tensor<2x3x8xbf16>, %p: tensor<2xi32>) -> tensor<2x3x8xbf16> {
      %t = mj.rope_table theta 1.0e4 : tensor<64x4x2xf32>
      %y = mj.fusion(%a = %x : tensor<2x3x8xbf16>, %b = %p : tensor<2xi32>, %c = %t : tensor<64x4x2xf32>) -> tensor<2x3x8xbf16> {
        %0 = mj.rope half %a at %b, %c : tensor<2x3x8xbf16>, tensor<2xi32>, tensor<64x4x2xf32> -> tensor<2x3x8xbf16>
        mj.yield %0 : tensor<2x3x8xbf16>
      }
      return %y : tensor<2x3x8xbf16>
    })mlir");
  EXPECT_EQ(cost.weightBytes, 2 * 4 * 2 * 4); // two of 64 rows
  EXPECT_EQ(cost.bytesRead, 2 * 3 * 8 * 2 + 2 * 4 + 2 * 4 * 2 * 4);
  EXPECT_EQ(f32(cost), 48 * 3); // 24 pairs, four products and two sums each
}

TEST_F(Cost, ShapesAndConversionsComputeNothing) {
  KernelCost cost = costOf(R"mlir(
    func.func @f(%x: tensor<4x8xbf16>, %l: tensor<2x8xf32>) -> tensor<4x8xf32> {
      %y = mj.fusion(%a = %x : tensor<4x8xbf16>, %b = %l : tensor<2x8xf32>) -> tensor<4x8xf32> {
        %one = arith.constant dense<1.0> : tensor<f32>
        %0 = mj.slice %a from [2, 0] by [1, 1] : tensor<4x8xbf16> -> tensor<2x8xbf16>
        %1 = arith.extf %0 : tensor<2x8xbf16> to tensor<2x8xf32>
        %2 = mj.broadcast %one like %b : tensor<f32>, tensor<2x8xf32> -> tensor<2x8xf32>
        %3 = mj.concat %1, %2 axis 0 : tensor<2x8xf32>, tensor<2x8xf32> -> tensor<4x8xf32>
        mj.yield %3 : tensor<4x8xf32>
      }
      return %y : tensor<4x8xf32>
    })mlir");
  EXPECT_EQ(cost.bytesRead, 2 * 8 * 2); // the slice; `like` gives only its shape
  EXPECT_EQ(cost.bytesWritten, 4 * 8 * 4);
  EXPECT_EQ(cost.totalFlops(), 0);
}

TEST_F(Cost, ALaunchKnowsItsWeightsByItsBuffers) {
  module = mlir::parseSourceString<mlir::ModuleOp>(R"mlir(
    mj.weight @w : tensor<8x4xf32> from "w"
    exec.kernel @k schedule <"host.matmul"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<write>] {
    ^bb0(%a: tensor<2x4xf32>, %b: tensor<8x4xf32>):
      %0 = mj.matmul %a, %b {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
      exec.return %0 : tensor<2x8xf32>
    }
    exec.entry @main inputs [#exec.binding<"x", tensor<2x4xf32>>] outputs [#exec.binding<"y", tensor<2x8xf32>>] {
    ^bb0(%x: !exec.buffer, %y: !exec.buffer):
      %w = exec.weight_buffer @w
      exec.launch @k(%x, %w, %y)
    })mlir",
                                                   &context);
  ASSERT_TRUE(module);
  exec::KernelOp kernel = *module->getOps<exec::KernelOp>().begin();
  KernelCost cost;
  module->walk([&](exec::LaunchOp launch) { cost = computeCost(launch, kernel); });
  EXPECT_EQ(cost.weightBytes, 8 * 4 * 4);
  EXPECT_EQ(cost.bytesRead, 8 * 4 * 4 + 2 * 4 * 4);
  EXPECT_EQ(cost.bytesWritten, 2 * 8 * 4);
  EXPECT_EQ(f32(cost), 2 * 2 * 8 * 4);
}

/// A chip whose numbers are easy to divide by.
Profile chip() {
  Profile profile;
  profile.copyBandwidth = 100;
  profile.readBandwidth = 200;
  profile.launchSeconds = 1;
  profile.flopsF32 = 10;
  profile.flopsBf16 = 100;
  return profile;
}

TEST(Predict, WhatIsOnlyReadIsReadAtReadBandwidth) {
  KernelCost cost;
  cost.bytesRead = 1000;
  cost.bytesWritten = 100;
  Prediction prediction = predict(cost, chip());
  EXPECT_DOUBLE_EQ(prediction.memorySeconds, 200.0 / 100 + 900.0 / 200);
  EXPECT_DOUBLE_EQ(prediction.seconds(), 1 + 6.5);
  EXPECT_EQ(prediction.bound, Bound::memory);
  std::swap(cost.bytesRead, cost.bytesWritten);
  EXPECT_DOUBLE_EQ(predict(cost, chip()).memorySeconds, 200.0 / 100 + 900.0 / 100);
}

TEST(Predict, TheLongestPartIsTheBound) {
  KernelCost cost;
  cost.bytesRead = 100;
  EXPECT_EQ(predict(cost, chip()).bound, Bound::launch); // half a second of reading
  cost.flops = {20, 100, 0};
  Prediction prediction = predict(cost, chip());
  EXPECT_DOUBLE_EQ(prediction.computeSeconds, 20.0 / 10 + 100.0 / 100);
  EXPECT_DOUBLE_EQ(predictSeconds(cost, chip()), 1 + 3);
  EXPECT_EQ(prediction.bound, Bound::compute);
}

TEST(Predict, AMissingRateIsTheNextWiderOnes) {
  KernelCost cost;
  cost.flops = {0, 0, 600};
  Profile profile = chip();
  EXPECT_DOUBLE_EQ(predict(cost, profile).computeSeconds, 6);
  profile.flopsF8 = 200;
  EXPECT_DOUBLE_EQ(predict(cost, profile).computeSeconds, 6); // this target's kernels do not use it
  profile.multipliesF8 = true;
  EXPECT_DOUBLE_EQ(predict(cost, profile).computeSeconds, 3);
  profile.flopsBf16 = 0;
  profile.multipliesF8 = false;
  EXPECT_DOUBLE_EQ(predict(cost, profile).computeSeconds, 60);
}

} // namespace
