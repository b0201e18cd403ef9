// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The host as a target: CPUs, through linalg and vectors to LLVM object code.
#ifndef MJOLNIR_TARGETS_HOST_HOSTBACKEND_H
#define MJOLNIR_TARGETS_HOST_HOSTBACKEND_H

#include "mlir/IR/DialectRegistry.h"

namespace mjolnir::host {

/// Makes "host" and "host:CPU" known to createTarget.
void registerHostTarget();

/// Dialects that the host's code generation creates.
void registerDialects(mlir::DialectRegistry &registry);

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_HOSTBACKEND_H
