// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The reference against results that mathematics gives, and its bounds against errors that are there.
#include "test/random/Interpreter.h"

#include "mjolnir/Pipeline/Registration.h"

#include "mlir/Parser/Parser.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::differential;

namespace {

class InterpreterTest : public ::testing::Test {
protected:
  InterpreterTest() {
    registerDialects(registry);
    context.appendDialectRegistry(registry);
  }

  /// The first result of the entry @f of `text`.
  Array run(llvm::StringRef text, std::vector<Array> inputs, Rounding rounding = Rounding::none, double unit = kUnitF32,
            Codes codes = Codes::rounded) {
    module = parseSourceString<ModuleOp>(text, &context);
    if (!module)
      return {};
    Interpreter interpreter(*module, {}, rounding, unit, 1, codes);
    return interpreter.run(module->lookupSymbol<func::FuncOp>("f"), inputs).front();
  }

  static Array array(llvm::ArrayRef<int64_t> shape, std::vector<double> values) {
    Array result(shape);
    result.values = std::move(values);
    return result;
  }

  static void expectNear(const Array &got, std::vector<double> wanted) {
    ASSERT_EQ(got.values.size(), wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i)
      EXPECT_NEAR(got.values[i], wanted[i], 1e-12) << "element " << i;
  }

  DialectRegistry registry;
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

TEST_F(InterpreterTest, MultipliesBothWays) {
  Array x = array({1, 2}, {2, 3}), w = array({2, 2}, {1, 10, 100, 1000});
  expectNear(run("func.func @f(%x: tensor<1x2xf32>, %w: tensor<2x2xf32>) -> tensor<1x2xf32> {\n"
                 "%y = mj.matmul %x, %w : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>\n"
                 "return %y : tensor<1x2xf32> }",
                 {x, w}),
             {302, 3020});
  expectNear(run("func.func @f(%x: tensor<1x2xf32>, %w: tensor<2x2xf32>) -> tensor<1x2xf32> {\n"
                 "%y = mj.matmul %x, %w {transpose_b} : tensor<1x2xf32>, tensor<2x2xf32> -> tensor<1x2xf32>\n"
                 "return %y : tensor<1x2xf32> }",
                 {x, w}),
             {32, 3200});
}

TEST_F(InterpreterTest, Normalizes) {
  // Mean square 4 * 4 / 4 and 12.5; mean 2.5 and variance 1.25 of 1, 2, 3, 4.
  expectNear(run("func.func @f(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {\n"
                 "%y = mj.norm rms %x eps 0.0 : tensor<1x2xf32> -> tensor<1x2xf32>\n"
                 "return %y : tensor<1x2xf32> }",
                 {array({1, 2}, {3, 4})}),
             {3 / std::sqrt(12.5), 4 / std::sqrt(12.5)});
  double root = std::sqrt(1.25);
  expectNear(run("func.func @f(%x: tensor<1x4xf32>) -> tensor<1x4xf32> {\n"
                 "%y = mj.norm layer %x eps 0.0 : tensor<1x4xf32> -> tensor<1x4xf32>\n"
                 "return %y : tensor<1x4xf32> }",
                 {array({1, 4}, {1, 2, 3, 4})}),
             {-1.5 / root, -0.5 / root, 0.5 / root, 1.5 / root});
}

TEST_F(InterpreterTest, AttendsToWhatIsVisible) {
  // Keys of zeros: every row takes the mean of the values that it sees, the last one of them all.
  const char *text =
      "func.func @f(%q: tensor<2x2x1xf32>, %a: tensor<1x1x1xf32>, %b: tensor<2x1x1xf32>, %v: tensor<1x1x1xf32>,\n"
      "             %w: tensor<2x1x1xf32>) -> tensor<2x2x1xf32> {\n"
      "%y = mj.sdpa %q over [%a, %b], [%v, %w] scale 1.0 causal : tensor<2x2x1xf32>, [tensor<1x1x1xf32>,\n"
      "     tensor<2x1x1xf32>], [tensor<1x1x1xf32>, tensor<2x1x1xf32>] -> tensor<2x2x1xf32>\n"
      "return %y : tensor<2x2x1xf32> }";
  expectNear(run(text, {array({2, 2, 1}, {1, 2, 3, 4}), array({1, 1, 1}, {0}), array({2, 1, 1}, {0, 0}),
                        array({1, 1, 1}, {6}), array({2, 1, 1}, {2, 1})}),
             {4, 4, 3, 3});
  // The last two of them.
  std::string windowed = text;
  windowed.replace(windowed.find("causal"), 6, "causal window 2");
  expectNear(run(windowed, {array({2, 2, 1}, {1, 2, 3, 4}), array({1, 1, 1}, {0}), array({2, 1, 1}, {0, 0}),
                            array({1, 1, 1}, {6}), array({2, 1, 1}, {2, 1})}),
             {4, 4, 1.5, 1.5});
}

TEST_F(InterpreterTest, RotatesByAPosition) {
  // One pair turns by one radian a position.
  expectNear(run("func.func @f(%x: tensor<2x1x2xf32>, %p: tensor<2xi32>) -> tensor<2x1x2xf32> {\n"
                 "%t = mj.rope_table theta 1.0e4 : tensor<3x1x2xf32>\n"
                 "%y = mj.rope half %x at %p, %t : tensor<2x1x2xf32>, tensor<2xi32>, tensor<3x1x2xf32> -> "
                 "tensor<2x1x2xf32>\nreturn %y : tensor<2x1x2xf32> }",
                 {array({2, 1, 2}, {1, 0, 0, 1}), array({2}, {0, 2})}),
             {1, 0, -std::sin(2.0), std::cos(2.0)});
}

TEST_F(InterpreterTest, ReducesAndMoves) {
  Array x = array({2, 3}, {1, 2, 3, 4, 5, 9});
  expectNear(run("func.func @f(%x: tensor<2x3xf32>) -> tensor<3xf32> {\n"
                 "%y = mj.reduce mean %x over [0] : tensor<2x3xf32> -> tensor<3xf32>\n"
                 "return %y : tensor<3xf32> }",
                 {x}),
             {2.5, 3.5, 6});
  expectNear(run("func.func @f(%x: tensor<2x3xf32>) -> tensor<2x2xf32> {\n"
                 "%t = mj.transpose %x [1, 0] : tensor<2x3xf32> -> tensor<3x2xf32>\n"
                 "%y = mj.slice %t from [0, 0] by [2, 1] : tensor<3x2xf32> -> tensor<2x2xf32>\n"
                 "return %y : tensor<2x2xf32> }",
                 {x}),
             {1, 4, 3, 9});
}

TEST_F(InterpreterTest, BoundsHoldAndAreNotIdle) {
  // The same sum in f32, one term after the other, is within the bound, which is n units of the sum of sizes.
  constexpr int64_t n = 1000;
  Random random(7);
  Array x(llvm::ArrayRef<int64_t>{1, n}), w(llvm::ArrayRef<int64_t>{1, n});
  float sum = 0;
  double sizes = 0;
  for (int64_t i = 0; i < n; ++i) {
    x.values[i] = float(random.normal());
    w.values[i] = float(random.normal());
    sum += float(x.values[i]) * float(w.values[i]);
    sizes += std::abs(x.values[i] * w.values[i]);
  }
  const char *text = "func.func @f(%x: tensor<1x1000xf32>, %w: tensor<1x1000xf32>) -> tensor<1x1xf32> {\n"
                     "%y = mj.matmul %x, %w {transpose_b} : tensor<1x1000xf32>, tensor<1x1000xf32> -> tensor<1x1xf32>\n"
                     "return %y : tensor<1x1xf32> }";
  Array exact = run(text, {x, w});
  EXPECT_LE(std::abs(sum - exact.values[0]), exact.errors[0]);
  EXPECT_LE(exact.errors[0], (n + 10) * kUnitF32 * sizes);
  // bf16 operands: the model's error is within its bound, too.
  Array model = run(text, {x, w}, Rounding::stochastic), bound = run(text, {x, w}, Rounding::none, kUnitBf16);
  EXPECT_LE(std::abs(model.values[0] - bound.values[0]), bound.errors[0]);
}

TEST_F(InterpreterTest, SaysWhatIsUndecided) {
  // Whether 1 is larger than 1 + 1e-9 is lost in f32; whether it is larger than 2 is not.
  Array y = run("func.func @f(%x: tensor<2xf32>, %o: tensor<2xf32>, %a: tensor<2xf32>, %b: tensor<2xf32>) -> "
                "tensor<2xf32> {\n%c = arith.cmpf ogt, %x, %o : tensor<2xf32>\n"
                "%y = arith.select %c, %a, %b : tensor<2xi1>, tensor<2xf32>\nreturn %y : tensor<2xf32> }",
                {array({2}, {1, 1}), array({2}, {1 + 1e-9, 2}), array({2}, {5, 5}), array({2}, {7, 7})});
  EXPECT_GE(y.errors[0], 2);
  EXPECT_LE(y.errors[1], 1e-5);
}

TEST_F(InterpreterTest, BoundsNothingThatMayBeAnything) {
  // 1 / 0 behind functions whose values are bounded, and 1 / 2.
  for (const char *function : {"%y = math.tanh %q : tensor<2xf32>", "%y = math.sin %q : tensor<2xf32>",
                               "%c = arith.cmpf ogt, %q, %b : tensor<2xf32>\n"
                               "%y = arith.select %c, %a, %b : tensor<2xi1>, tensor<2xf32>",
                               "%z = mj.quantize %q by 1.0 : tensor<2xf32> -> tensor<2xf8E4M3FN>\n"
                               "%y = mj.dequantize %z by 1.0 : tensor<2xf8E4M3FN> -> tensor<2xf32>"}) {
    Array y = run(std::string("func.func @f(%a: tensor<2xf32>, %b: tensor<2xf32>) -> tensor<2xf32> {\n"
                              "%q = arith.divf %a, %b : tensor<2xf32>\n") +
                      function + "\nreturn %y : tensor<2xf32> }",
                  {array({2}, {1, 1}), array({2}, {0, 2})});
    EXPECT_TRUE(std::isinf(y.errors[0])) << function;
    EXPECT_LE(y.errors[1], 1e-5) << function;
  }
}

TEST_F(InterpreterTest, QuantizesAndScales) {
  // Codes of 0.8, 8, -800 and 460 (beyond 448) are 13/16, 8, -448 and 448; 232 lies in the middle of 224 and 240, whose
  // mantissa is odd.
  Array x = array({1, 5}, {0.1, 1, -100, 57.5, 29});
  std::string text = "func.func @f(%x: tensor<1x5xf32>) -> tensor<1x5xf32> {\n"
                     "%q = mj.quantize %x by 8.0 : tensor<1x5xf32> -> tensor<1x5xf8E4M3FN>\n"
                     "%y = mj.dequantize %q by 0.25 : tensor<1x5xf8E4M3FN> -> tensor<1x5xf32>\n"
                     "return %y : tensor<1x5xf32> }";
  expectNear(run(text, {x}), {0.203125, 2, -112, 112, 56});
  // 232 is a tie: another program's number may be beyond it. The others are nowhere near one.
  Array bounds = run(text, {x});
  EXPECT_LE(bounds.errors[1], 1e-6);
  EXPECT_LE(bounds.errors[2], 1e-5);
  EXPECT_GE(bounds.errors[4], 4);
  expectNear(run(text, {x}, Rounding::none, kUnitF32, Codes::ideal), {0.2, 2, -200, 115, 58});

  // 225 / 64 times the f32 next to 448 / 37.5, which is a little more than that, is 42 in f32: the middle of 40, whose
  // mantissa is even, and 44.
  expectNear(run("func.func @f(%x: tensor<1x1xf32>) -> tensor<1x1xf32> {\n"
                 "%q = mj.quantize %x by 11.9466667 : tensor<1x1xf32> -> tensor<1x1xf8E4M3FN>\n"
                 "%y = mj.dequantize %q by 1.0 : tensor<1x1xf8E4M3FN> -> tensor<1x1xf32>\n"
                 "return %y : tensor<1x1xf32> }",
                 {array({1, 1}, {3.515625})}),
             {40});

  // Rows of 2 and -448 / 64, and of 3: scales of 7 / 448 and 3 / 448, codes of 128 and -448, and 448.
  expectNear(run("func.func @f(%w: tensor<2x2xf32>) -> tensor<2x2xf32> {\n"
                 "%s = mj.channel_scale %w : tensor<2x2xf32> -> tensor<2xf32>\n"
                 "%q = mj.quantize_channels %w by %s : tensor<2x2xf32>, tensor<2xf32> -> tensor<2x2xf8E4M3FN>\n"
                 "%y = mj.dequantize %q by 1.0 : tensor<2x2xf8E4M3FN> -> tensor<2x2xf32>\n"
                 "return %y : tensor<2x2xf32> }",
                 {array({2, 2}, {2, -7, 3, 0})}),
             {128, -448, 448, 0});

  // Sums are scaled: (1 * 2 + 3 * 4) * 0.5 * 0.125.
  expectNear(run("func.func @f(%x: tensor<1x2xf32>, %w: tensor<1x2xf32>, %s: tensor<1xf32>) -> tensor<1x1xf32> {\n"
                 "%q = mj.quantize %x by 1.0 : tensor<1x2xf32> -> tensor<1x2xf8E4M3FN>\n"
                 "%y = mj.matmul %q, %w scaled by %s {transpose_b, x_scale = 0.125 : f32} : tensor<1x2xf8E4M3FN>,\n"
                 "     tensor<1x2xf32>, tensor<1xf32> -> tensor<1x1xf32>\n"
                 "return %y : tensor<1x1xf32> }",
                 {array({1, 2}, {1, 3}), array({1, 2}, {2, 4}), array({1}, {0.5})}),
             {0.875});
}

TEST_F(InterpreterTest, HidesWhatIsFarBelow) {
  // Scores of which one is the lowest number: no error of it matters. All of them the lowest: equal where that is
  // exact, else anything goes.
  const char *text = "func.func @f(%x: tensor<1x3xf32>, %m: tensor<1x3xf32>) -> tensor<1x3xf32> {\n"
                     "%s = arith.addf %x, %m : tensor<1x3xf32>\n"
                     "%y = mj.softmax %s : tensor<1x3xf32> -> tensor<1x3xf32>\nreturn %y : tensor<1x3xf32> }";
  Array some = run(text, {array({1, 3}, {1, 1, 5}), array({1, 3}, {0, 0, -0x1.fep127})});
  expectNear(some, {0.5, 0.5, 0});
  EXPECT_LE(some.errors[0], 1e-5);
  EXPECT_EQ(some.errors[2], 0);
  double lowest = -0x1.fep127;
  Array all = array({1, 3}, {lowest, lowest, lowest});
  EXPECT_TRUE(std::isinf(run(text, {array({1, 3}, {0.1, 2, 3}), all}).errors[0]));
  Array same = run(text, {array({1, 3}, {1, 2, 3}), all});
  expectNear(same, {1.0 / 3, 1.0 / 3, 1.0 / 3});
  EXPECT_LE(same.errors[0], 1e-5);
}

TEST_F(InterpreterTest, LosesWhatALargeMaskAbsorbs) {
  // f32 has multiples of 64 near 1e9, and 2^76 of them to the next below 2^100: of scores 1 and 2 nothing is left, and
  // the row is the mean of the values. 40 would become 64. Beside a visible score, a hidden one has no weight.
  auto attend = [&](double size, double hidden, double other) {
    return run(
        "func.func @f(%q: tensor<1x1x1xf32>, %k: tensor<2x1x1xf32>, %v: tensor<2x1x1xf32>, %m: tensor<1x2xf32>) ->\n"
        "     tensor<1x1x1xf32> {\n"
        "%y = mj.sdpa %q over [%k], [%v] mask %m scale 1.0 : tensor<1x1x1xf32>, [tensor<2x1x1xf32>],\n"
        "     [tensor<2x1x1xf32>], tensor<1x2xf32> -> tensor<1x1x1xf32>\nreturn %y : tensor<1x1x1xf32> }",
        {array({1, 1, 1}, {size}), array({2, 1, 1}, {1, 2}), array({2, 1, 1}, {3, 7}), array({1, 2}, {hidden, other})});
  };
  for (double hidden : {-1e9, -0x1p100, -0x1.fep127}) {
    Array mean = attend(1, hidden, hidden);
    expectNear(mean, {5});
    EXPECT_LE(mean.errors[0], 1e-4);
    expectNear(attend(1, hidden, 0), {7});
  }
  EXPECT_TRUE(std::isinf(attend(20, -1e9, -1e9).errors[0]));
  expectNear(attend(20, -0x1p100, -0x1p100), {5});
}

TEST(Rounding, RoundsToNearestEven) {
  MLIRContext context;
  auto bf16 = BFloat16Type::get(&context);
  EXPECT_EQ(roundTo(bf16, 1 + 0x1p-8), 1);
  EXPECT_EQ(roundTo(bf16, 1 + 0x3p-8), 1 + 0x1p-6);
  EXPECT_EQ(roundTo(Float16Type::get(&context), 65504.0), 65504);
}

} // namespace
