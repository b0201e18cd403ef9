// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The passes of Mjolnir; Passes.td documents each.
#ifndef MJOLNIR_PASSES_PASSES_H
#define MJOLNIR_PASSES_PASSES_H

#include "mjolnir/Dialect/Exec/ExecDialect.h"
#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mjolnir {

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

} // namespace mjolnir

#endif // MJOLNIR_PASSES_PASSES_H
