// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What every tool of the compiler registers.
#ifndef MJOLNIR_PIPELINE_REGISTRATION_H
#define MJOLNIR_PIPELINE_REGISTRATION_H

#include "mlir/IR/DialectRegistry.h"

namespace mjolnir {

/// Mjolnir's dialects, the upstream ones that they are mixed with, and what the targets generate.
void registerDialects(mlir::DialectRegistry &registry);

/// All passes, the pipelines of Pipeline.h, and the targets. Call it once a process.
void registerPassesAndTargets();

} // namespace mjolnir

#endif // MJOLNIR_PIPELINE_REGISTRATION_H
