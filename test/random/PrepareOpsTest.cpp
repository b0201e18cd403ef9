// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What packaging computes on weights, against the reference interpreter: to the bit.
#include "lib/Pipeline/PrepareOps.h"
#include "test/random/Interpreter.h"

#include "mjolnir/Pipeline/Registration.h"

#include "mlir/IR/TypeUtilities.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/DenseMap.h"
#include <cstring>
#include <gtest/gtest.h>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::differential;

namespace {

constexpr llvm::StringLiteral kProgram = R"mlir(
func.func @f(%a: tensor<3x4x5xf32>, %b: tensor<4x5xf32>, %v: tensor<5xf32>)
    -> (tensor<5x3x4xf32>, tensor<12x5xf32>, tensor<2x2x3xf32>, tensor<3x8x5xf32>, tensor<4x10xf32>, tensor<5xf32>,
        tensor<4x5xf32>) {
  %t = mj.transpose %a [2, 0, 1] : tensor<3x4x5xf32> -> tensor<5x3x4xf32>
  %r = mj.reshape %a : tensor<3x4x5xf32> -> tensor<12x5xf32>
  %s = mj.slice %a from [1, 0, 0] by [1, 2, 2] : tensor<3x4x5xf32> -> tensor<2x2x3xf32>
  %c = mj.concat %a, %a axis 1 : tensor<3x4x5xf32>, tensor<3x4x5xf32> -> tensor<3x8x5xf32>
  %d = mj.concat %b, %b axis 1 : tensor<4x5xf32>, tensor<4x5xf32> -> tensor<4x10xf32>
  %one = arith.constant dense<1.0> : tensor<5xf32>
  %steps = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>
  %p = arith.addf %v, %one : tensor<5xf32>
  %q = arith.divf %p, %steps : tensor<5xf32>
  %n = arith.negf %b : tensor<4x5xf32>
  %m = arith.subf %n, %b : tensor<4x5xf32>
  return %t, %r, %s, %c, %d, %q, %m : tensor<5x3x4xf32>, tensor<12x5xf32>, tensor<2x2x3xf32>, tensor<3x8x5xf32>,
      tensor<4x10xf32>, tensor<5xf32>, tensor<4x5xf32>
}
)mlir";

std::vector<char> toBytes(const Array &array) {
  std::vector<char> bytes;
  for (double value : array.values) {
    float number = float(value);
    const char *data = reinterpret_cast<const char *>(&number);
    bytes.insert(bytes.end(), data, data + sizeof(float));
  }
  return bytes;
}

TEST(PrepareOpsTest, ComputesWhatTheOperationsMean) {
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  auto module = parseSourceString<ModuleOp>(kProgram, &context);
  ASSERT_TRUE(module);
  auto function = module->lookupSymbol<func::FuncOp>("f");
  Random random(3);
  std::vector<Array> inputs;
  llvm::DenseMap<Value, std::vector<char>> bytes;
  for (BlockArgument argument : function.getArguments()) {
    Array array(cast<RankedTensorType>(argument.getType()).getShape());
    for (double &value : array.values)
      value = float(random.normal());
    bytes[argument] = toBytes(array);
    inputs.push_back(std::move(array));
  }
  Operation *terminator = function.getBody().front().getTerminator();
  for (Operation &op : function.getBody().front().without_terminator()) {
    std::vector<std::vector<char>> operands;
    for (Value operand : op.getOperands())
      operands.push_back(bytes[operand]);
    std::vector<llvm::ArrayRef<char>> views(operands.begin(), operands.end());
    std::optional<std::vector<char>> result = computePrepared(&op, views);
    ASSERT_TRUE(result.has_value()) << op.getName().getStringRef().str();
    bytes[op.getResult(0)] = std::move(*result);
  }
  auto expected = Interpreter(*module, {}, Rounding::nearest).run(function, inputs);
  ASSERT_EQ(expected.size(), terminator->getNumOperands());
  for (auto [value, array] : llvm::zip(terminator->getOperands(), expected))
    EXPECT_EQ(bytes[value], toBytes(array)) << value.getDefiningOp()->getName().getStringRef().str();
}

TEST(PrepareOpsTest, LeavesTheRest) {
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  auto module = parseSourceString<ModuleOp>("func.func @f(%x: tensor<2xf32>, %h: tensor<2xf16>) {\n"
                                            "%e = math.exp %x : tensor<2xf32>\n"
                                            "%a = arith.addf %h, %h : tensor<2xf16>\n"
                                            "return }",
                                            &context);
  ASSERT_TRUE(module);
  std::vector<char> data(8);
  for (Operation &op : module->lookupSymbol<func::FuncOp>("f").getBody().front().without_terminator())
    EXPECT_FALSE(computePrepared(&op, {data, data}).has_value()) << op.getName().getStringRef().str();
}

} // namespace
