// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// recognize: right operands of products as kernels read them, and sums of several products in an order in which each
// takes its part.
#include "passes/RecognizePatterns.h"
#include "passes/TensorMatch.h"
#include "passes/Weights.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mjolnir;

namespace {

/// A weight of [K, N] is transposed when the package is written; of what the program transposes, [N, K] is read.
void recognizeRightOperand(mj::MatmulOp op) {
  Operation *producer = op.getWeight().getDefiningOp();
  bool isWeight = producer && dependsOnWeightsAlone(producer);
  OpBuilder builder(op);
  if (isWeight ? !op.getTransposeB() : isa_and_present<mj::TransposeOp>(producer)) {
    op.getWeightMutable().assign(createTranspose(builder, op.getLoc(), op.getWeight(), {1, 0}));
    op.setTransposeB(!op.getTransposeB());
    sayRecognized(op.getLoc(), "RightOperand",
                  llvm::formatv("matmul reads {0} as [{1}]",
                                isWeight ? nameOfWeight(op.getWeight()) : std::string("what was transposed for it"),
                                op.getTransposeB() ? "N, K" : "K, N")
                      .str());
  }
}

void recognizeRightOperand(mj::BatchMatmulOp op) {
  auto transpose = op.getB().getDefiningOp<mj::TransposeOp>();
  if (!transpose)
    return;
  // Without the order of the last two axes, is less moved?
  SmallVector<int64_t> permutation(transpose.getPermutation());
  std::swap(permutation[permutation.size() - 1], permutation[permutation.size() - 2]);
  auto keepsRows = [](ArrayRef<int64_t> order) { return order.back() == int64_t(order.size()) - 1; };
  if (!keepsRows(permutation) || keepsRows(transpose.getPermutation()))
    return;
  OpBuilder builder(op);
  op.getBMutable().assign(createTranspose(builder, op.getLoc(), transpose.getSource(), permutation));
  op.setTransposeB(!op.getTransposeB());
  sayRecognized(
      op.getLoc(), "RightOperand",
      llvm::formatv("batch_matmul reads what was transposed for it as [{0}]", op.getTransposeB() ? "N, K" : "K, N")
          .str());
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// The product that makes `value`, alone or in another shape.
mj::MatmulOp productOf(Value value) {
  while (auto reshape = value.getDefiningOp<mj::ReshapeOp>())
    value = reshape.getSource();
  return value.getDefiningOp<mj::MatmulOp>();
}

struct Addends {
  SmallVector<Value> products, weights, others;
  bool meet = false; ///< an addition with a product on both sides
};

/// Returns whether there is a product among the addends of `value`.
bool collect(Value value, Addends &addends, bool isRoot) {
  auto add = value.getDefiningOp<arith::AddFOp>();
  if (add && (isRoot || getOnlyReader(value))) {
    bool left = collect(add.getLhs(), addends, false), right = collect(add.getRhs(), addends, false);
    addends.meet |= left && right;
    return left || right;
  }
  if (getOnlyReader(value) && productOf(value)) {
    addends.products.push_back(value);
    return true;
  }
  View view = View::of(value).peel();
  bool isWeight = view.value.getDefiningOp() && dependsOnWeightsAlone(view.value.getDefiningOp());
  (isWeight ? addends.weights : addends.others).push_back(value);
  return false;
}

/// (a + x1 w1) + (b + x2 w2) adds two products that are computed by different kernels: as ((x1 w1 + b) + a) + x2 w2
/// each addition belongs to one of them.
void reorderSum(arith::AddFOp root) {
  Addends addends;
  collect(root.getResult(), addends, true);
  if (!addends.meet || addends.others.size() + addends.weights.size() == 0)
    return;
  // Products of the same rows are one kernel, which takes the sum as it is.
  mj::MatmulOp first = productOf(addends.products.front());
  if (llvm::all_of(addends.products, [&](Value value) { return productOf(value).getX() == first.getX(); }))
    return;
  OpBuilder builder(root);
  Value sum = addends.products.front();
  auto add = [&](ValueRange values) {
    for (Value value : values)
      sum = arith::AddFOp::create(builder, root.getLoc(), sum, value);
  };
  add(addends.weights);
  add(addends.others);
  add(ArrayRef(addends.products).drop_front());
  root.getResult().replaceAllUsesWith(sum);
  sayRecognized(root.getLoc(), "Residual",
                llvm::formatv("sum of {0} products and {1} other tensors, one after the other", addends.products.size(),
                              addends.weights.size() + addends.others.size())
                    .str());
}

} // namespace

void mjolnir::recognizeLinear(func::FuncOp entry) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(entry.getBody().front()))) {
    if (op.use_empty())
      continue;
    if (auto matmul = dyn_cast<mj::MatmulOp>(op))
      recognizeRightOperand(matmul);
    else if (auto product = dyn_cast<mj::BatchMatmulOp>(op))
      recognizeRightOperand(product);
    else if (auto sum = dyn_cast<arith::AddFOp>(op); sum && isElementwise(&op) && !dependsOnWeightsAlone(&op) &&
                                                     !isa_and_present<arith::AddFOp>(getOnlyReader(sum.getResult())))
      reorderSum(sum);
  }
}
