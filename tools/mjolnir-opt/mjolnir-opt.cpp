// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-opt: runs passes and pipelines on the IR of any phase.
#include "mjolnir/Pipeline/Registration.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mjolnir::registerDialects(registry);
  mjolnir::registerPassesAndTargets();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "Mjolnir's optimizer driver\n", registry));
}
