// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// recognize: operations that were written out become operations.
#include "passes/Passes.h"
#include "passes/RecognizePatterns.h"
#include "passes/Weights.h"

#include "mlir/Dialect/Math/IR/Math.h"

namespace mjolnir {
#define GEN_PASS_DEF_RECOGNIZE
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

struct Recognize : mjolnir::impl::RecognizeBase<Recognize> {
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp entry : getEntries(getOperation())) {
      // Softmax before the attention around it; right operands last, since attention reads them its own way.
      for (auto recognize :
           {recognizeNorms, recognizeActivations, recognizeRotaryEmbeddings, recognizeAttention, recognizeLinear}) {
        recognize(entry);
        // What was replaced has readers no more, and should not look like one.
        for (Operation &op : llvm::make_early_inc_range(llvm::reverse(entry.getBody().front())))
          if (isOpTriviallyDead(&op))
            op.erase();
      }
    }
  }
};

} // namespace
