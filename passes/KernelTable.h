// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Equal regions become one kernel; part of lower-to-exec.
#ifndef MJOLNIR_PASSES_KERNELTABLE_H
#define MJOLNIR_PASSES_KERNELTABLE_H

#include "mjolnir/Target/Target.h"

#include "llvm/ADT/StringMap.h"

namespace mjolnir {

/// Kernels by the text of their body and schedule, layers of the KV cache taken out.
class KernelTable {
public:
  /// New kernels go to the end of `module`, named among its `symbols`; `target` counts their tiles.
  KernelTable(mlir::ModuleOp module, mlir::SymbolTable &symbols, const Target &target)
      : builder(mlir::OpBuilder::atBlockEnd(module.getBody())), symbols(symbols), target(target) {}

  /// The kernel of `fusion`, which has a schedule: a new one, or that of an equal region before.
  exec::KernelOp get(mj::FusionOp fusion);

  size_t size() const { return kernels.size(); }

private:
  void planMemory(exec::KernelOp kernel);
  std::string nameOf(exec::KernelOp kernel);

  mlir::OpBuilder builder;
  mlir::SymbolTable &symbols;
  const Target &target;
  llvm::StringMap<exec::KernelOp> kernels;
};

} // namespace mjolnir

#endif // MJOLNIR_PASSES_KERNELTABLE_H
