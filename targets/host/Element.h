// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The element types that host kernels store. Arithmetic is f32 throughout.
#ifndef MJOLNIR_TARGETS_HOST_ELEMENT_H
#define MJOLNIR_TARGETS_HOST_ELEMENT_H

#include "mlir/IR/BuiltinTypes.h"

namespace mjolnir::host {

enum class Element { F32, BF16, F16, F8 }; // F8 is f8E4M3FN

/// Bytes of one element.
constexpr int64_t elementBytes(Element element) { return element == Element::F32 ? 4 : element == Element::F8 ? 1 : 2; }

inline mlir::FloatType elementType(Element element, mlir::MLIRContext *context) {
  switch (element) {
  case Element::F32:
    return mlir::Float32Type::get(context);
  case Element::BF16:
    return mlir::BFloat16Type::get(context);
  case Element::F16:
    return mlir::Float16Type::get(context);
  case Element::F8:
    return mlir::Float8E4M3FNType::get(context);
  }
  llvm_unreachable("unknown element");
}

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_ELEMENT_H
