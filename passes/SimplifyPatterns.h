// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The patterns of simplify, by what they work on. Every one is exact: no number is computed in another way.
#ifndef MJOLNIR_PASSES_SIMPLIFYPATTERNS_H
#define MJOLNIR_PASSES_SIMPLIFYPATTERNS_H

#include "mlir/IR/PatternMatch.h"

namespace mjolnir {

/// Shape operations on shape operations: pairs become one, what moves nothing goes.
void populateShapePatterns(mlir::RewritePatternSet &patterns);
/// Shape operations and casts on their way down, past what computes.
void populateMotionPatterns(mlir::RewritePatternSet &patterns);
/// Constants and what they leave as it is.
void populateConstantPatterns(mlir::RewritePatternSet &patterns);

} // namespace mjolnir

#endif // MJOLNIR_PASSES_SIMPLIFYPATTERNS_H
