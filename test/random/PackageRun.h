// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Compiles a program to a package in this process and runs it there.
#ifndef MJOLNIR_TEST_RANDOM_PACKAGERUN_H
#define MJOLNIR_TEST_RANDOM_PACKAGERUN_H

#include "test/random/Program.h"

#include "mjolnir/Pipeline/Pipeline.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/Error.h"

namespace mjolnir::differential {

/// The outputs of each step (a plain entry is one step), in the entry's order.
using Outputs = std::vector<std::vector<Array>>;

/// Writes `program` and its weights into `folder` as files of IR and of a checkpoint.
llvm::Error writeFiles(const Program &program, llvm::StringRef folder);

/// Compiles what writeFiles wrote to `folder` with `options` to the package `output`.
llvm::Error compileTo(mlir::MLIRContext &context, const Program &program, const PipelineOptions &options,
                      llvm::StringRef folder, llvm::StringRef output);

/// The same, and runs all steps in one session of two threads.
llvm::Expected<Outputs> compileAndRun(mlir::MLIRContext &context, const Program &program,
                                      const PipelineOptions &options, llvm::StringRef folder);

/// The ragged inputs of a step by name, as entries of packages call them.
std::map<std::string, Array> fieldsOf(const Batch &batch);

} // namespace mjolnir::differential

#endif // MJOLNIR_TEST_RANDOM_PACKAGERUN_H
