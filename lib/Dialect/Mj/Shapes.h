// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the verifiers of mj operations share about shapes.
#ifndef MJOLNIR_LIB_DIALECT_MJ_SHAPES_H
#define MJOLNIR_LIB_DIALECT_MJ_SHAPES_H

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "llvm/ADT/STLExtras.h"

namespace mjolnir::mj {

/// Two sizes agree when they are equal or one is still symbolic.
inline bool agree(int64_t a, int64_t b) {
  return mlir::ShapedType::isDynamic(a) || mlir::ShapedType::isDynamic(b) || a == b;
}

inline bool agree(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b) {
  return a.size() == b.size() &&
         llvm::all_of(llvm::zip(a, b), [](auto pair) { return agree(std::get<0>(pair), std::get<1>(pair)); });
}

} // namespace mjolnir::mj

#endif // MJOLNIR_LIB_DIALECT_MJ_SHAPES_H
