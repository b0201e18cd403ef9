// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-reduce: shrinks IR that shows a problem, guided by a script.
#include "mjolnir/Pipeline/Registration.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mjolnir::registerDialects(registry);
  mjolnir::registerPassesAndTargets();
  mlir::MLIRContext context(registry);
  return mlir::failed(mlir::mlirReduceMain(argc, argv, context));
}
