// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Compiles and runs one random program in several ways and compares each with the reference.
#ifndef MJOLNIR_TEST_RANDOM_DIFFERENTIAL_H
#define MJOLNIR_TEST_RANDOM_DIFFERENTIAL_H

#include "test/random/Program.h"

#include "mjolnir/Pipeline/Pipeline.h"

#include "mlir/IR/MLIRContext.h"

namespace mjolnir::differential {

/// A way to compile.
enum class Variant {
  oracle, ///< f32, unfused, plain schedules
  f32,    ///< fused, nothing narrowed
  bf16,   ///< what users get
};
llvm::StringRef stringify(Variant variant);

/// What came of a program.
struct Outcome {
  std::string failure; ///< empty: everything agreed
  /// The largest error in units of its bound, and of the bf16 program in units of the model's.
  double worstF32 = 0, worstBf16 = 0;
};

class Differential {
public:
  /// Files go to `folder`. `context` has Mjolnir's dialects; its passes and targets are registered.
  Differential(mlir::MLIRContext &context, std::string folder) : context(context), folder(std::move(folder)) {}

  /// Generates and checks the program of `seed`: the IR after each phase, interpreted, and the packages of `variants`,
  /// run. See README.md for what has to agree with what.
  Outcome check(uint64_t seed, llvm::ArrayRef<Variant> variants);
  Outcome check(const Program &program, llvm::ArrayRef<Variant> variants);

private:
  mlir::MLIRContext &context;
  std::string folder;
};

/// The program of `seed` as text, with the numbers of its weights and inputs left out.
std::string print(const Program &program);

/// Options to compile `program` with.
PipelineOptions optionsOf(const Program &program, Variant variant);

} // namespace mjolnir::differential

#endif // MJOLNIR_TEST_RANDOM_DIFFERENTIAL_H
