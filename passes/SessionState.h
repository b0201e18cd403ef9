// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// States of a session: arguments and results of entries that are neither inputs nor outputs; part of lower-to-exec.
#ifndef MJOLNIR_PASSES_SESSIONSTATE_H
#define MJOLNIR_PASSES_SESSIONSTATE_H

#include "mjolnir/Dialect/Exec/ExecDialect.h"
#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>

namespace mjolnir {

/// The name of the state that an argument, or result `index`, of `entry` is; empty if it is none.
llvm::StringRef stateOf(mlir::BlockArgument argument);
llvm::StringRef stateOfResult(mlir::func::FuncOp entry, unsigned index);

/// Makes an exec.state for each state of the entries of `module`. Fails where entries disagree on its type, or the name
/// is that of something else.
mlir::LogicalResult declareStates(mlir::ModuleOp module, mlir::SymbolTable &symbols);

/// Why `kernel`, of `fusion`, cannot store result `result` where the state lies that the entry takes as `before`; "" if
/// it can. `before` is null where the entry does not take it.
std::string whyNotOverState(mj::FusionOp fusion, unsigned result, mlir::BlockArgument before, exec::KernelOp kernel);

} // namespace mjolnir

#endif // MJOLNIR_PASSES_SESSIONSTATE_H
