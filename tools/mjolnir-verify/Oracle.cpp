// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Oracle.h.
#include "Oracle.h"

#include "mjolnir/Pipeline/Compile.h"
#include "mjolnir/Pipeline/Registration.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/FileSystem.h"

using namespace mjolnir;
using namespace mjolnir::verify;

/// The dialects, passes and targets of this process.
static const mlir::DialectRegistry &registry() {
  static const mlir::DialectRegistry instance = [] {
    mlir::DialectRegistry made;
    registerDialects(made);
    registerPassesAndTargets();
    return made;
  }();
  return instance;
}

TemporaryPackage::~TemporaryPackage() {
  if (!path_.empty())
    (void)llvm::sys::fs::remove(path_);
}

llvm::Expected<TemporaryPackage> TemporaryPackage::compile(const Source &source, const PipelineOptions &options,
                                                           llvm::StringRef what) {
  auto fail = [&](const llvm::Twine &reason) {
    return llvm::createStringError(llvm::inconvertibleErrorCode(), what + " does not compile: " + reason);
  };
  llvm::SmallString<128> path;
  if (std::error_code error = llvm::sys::fs::createTemporaryFile("mjolnir", "mjp", path))
    return fail("there is no room for it in the folder of temporary files: " + error.message());
  TemporaryPackage package(path.str().str());
  mlir::MLIRContext context(registry());
  std::string said;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
      said += (said.empty() ? "" : "\n") + diagnostic.str();
    return mlir::success();
  });
  CompileRequest request;
  request.model = source.model;
  request.checkpoint = source.checkpoint;
  request.output = package.path();
  request.options = options;
  if (failed(mjolnir::compile(context, request)))
    return fail(said);
  return package;
}
