// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-lsp-server: the language server for editors, over Mjolnir's dialects.
#include "mjolnir/Pipeline/Registration.h"

#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mjolnir::registerDialects(registry);
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
