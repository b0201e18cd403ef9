// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Concatenations that are places in a result of the entry and no work.
#include "passes/ReturnedConcat.h"
#include "passes/SessionState.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "mjolnir/Target/Target.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using mj::tensorOf;

BlockArgument mjolnir::argumentBehind(Value value) {
  while (auto reshape = value.getDefiningOp<mj::ReshapeOp>())
    value = reshape.getSource();
  return dyn_cast<BlockArgument>(value);
}

std::string mjolnir::whyNoParts(mj::ConcatOp concat) {
  auto type = tensorOf(concat.getResult());
  if (!type.hasStaticShape())
    return "its size is symbolic";
  if (ShapedType::getNumElements(type.getShape().take_front(concat.getAxis())) != 1)
    return llvm::formatv("its parts lie in {0} pieces each",
                         ShapedType::getNumElements(type.getShape().take_front(concat.getAxis())));
  int64_t offset = 0;
  for (Value source : concat.getSources()) {
    if (offset % kPartAlignment)
      return llvm::formatv("a part would begin at byte {0}, which is no multiple of {1}", offset, kPartAlignment);
    offset += denseBytes(tensorOf(source));
  }
  return "";
}

bool mjolnir::isReturnedInPlace(Operation *op) {
  auto concat = dyn_cast<mj::ConcatOp>(op);
  // A constant has no memory that it could be copied from; a state is in the session's memory.
  return concat && concat->hasOneUse() && isa<func::ReturnOp>(*concat->user_begin()) &&
         llvm::any_of(concat.getSources(), [](Value source) { return argumentBehind(source) != nullptr; }) &&
         llvm::none_of(concat.getSources(), [](Value source) { return source.getDefiningOp<arith::ConstantOp>(); }) &&
         stateOfResult(cast<func::FuncOp>((*concat->user_begin())->getParentOp()),
                       concat->use_begin()->getOperandNumber())
             .empty() &&
         whyNoParts(concat).empty();
}
