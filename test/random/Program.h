// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A random program with all that running it takes.
#ifndef MJOLNIR_TEST_RANDOM_PROGRAM_H
#define MJOLNIR_TEST_RANDOM_PROGRAM_H

#include "test/random/Arrays.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"
#include <map>
#include <string>

namespace mjolnir::differential {

/// A tensor of the checkpoint: rounded to its element type, so that the numbers are what a program reads.
struct WeightData {
  mlir::RankedTensorType type;
  std::vector<double> values;
};

/// An entry `main` over static tensors, or the ragged entry `step` of a language model, in phase input.
struct Program {
  uint64_t seed = 0;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::map<std::string, WeightData> weights; ///< by the name in the checkpoint
  std::vector<Array> inputs;                 ///< of `main`, in the order of its arguments, rounded to their types
  /// Of `step`: buckets and steps, which go on with the cache of the steps before.
  bool isLanguageModel = false;
  int64_t decode = 1, prefill = 1, maxBatch = 1, pageSize = 16, maxContext = 64, pool = 0;
  struct Step {
    std::string entry;
    Batch batch;
  };
  std::vector<Step> steps;
};

/// The program that `seed` names. It is valid, its numbers are of the order of 1.
Program generate(mlir::MLIRContext &context, uint64_t seed);

/// The program in the file at `path`, which print() wrote, with numbers and steps drawn from `seed` or, where its
/// first line gives one, from that.
llvm::Expected<Program> load(mlir::MLIRContext &context, llvm::StringRef path, uint64_t seed);

/// Rounds to the nearest element of `type` (f32, f16, bf16; others unchanged), ties to even.
double roundTo(mlir::Type type, double value);

} // namespace mjolnir::differential

#endif // MJOLNIR_TEST_RANDOM_PROGRAM_H
