// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// One element of a computed tensor, followed through what moves elements down to what it is a sum of products of.
#ifndef MJOLNIR_PASSES_SYMBOLICELEMENT_H
#define MJOLNIR_PASSES_SYMBOLICELEMENT_H

#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace mjolnir {

/// Along an axis an element has a number, or the unknown index along an axis of the frame (the tensor whose element is
/// followed): any, and the same wherever it appears.
inline int64_t symbolic(int64_t frameAxis) { return -1 - frameAxis; }
inline bool isSymbolic(int64_t index) { return index < 0; }
inline int64_t frameAxis(int64_t index) { return -1 - index; }

struct Element {
  mlir::Value value;
  llvm::SmallVector<int64_t> index;
  bool operator==(const Element &other) const { return value == other.value && index == other.index; }
};

/// coefficient * the product of the factors.
struct Term {
  double coefficient = 1;
  llvm::SmallVector<Element, 2> factors;
};
using Sum = llvm::SmallVector<Term, 2>;

/// Element `index` of `value` as a sum of one or two products of one or two elements. What is behind one addition and
/// one multiplication is followed through movements, negations and widenings only. Null where an index cannot be
/// followed.
std::optional<Sum> evaluateSum(mlir::Value value, llvm::ArrayRef<int64_t> index);

} // namespace mjolnir

#endif // MJOLNIR_PASSES_SYMBOLICELEMENT_H
