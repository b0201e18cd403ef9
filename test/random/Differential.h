// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Compiles and runs one random program in several ways and compares each with the reference.
#ifndef MJOLNIR_TEST_RANDOM_DIFFERENTIAL_H
#define MJOLNIR_TEST_RANDOM_DIFFERENTIAL_H

#include "test/random/Program.h"

#include "mjolnir/Pipeline/Pipeline.h"

#include "mlir/IR/MLIRContext.h"
#include <optional>

namespace mjolnir::differential {

/// A way to compile.
enum class Variant {
  oracle, ///< f32, unfused, plain schedules
  f32,    ///< fused, nothing narrowed
  bf16,   ///< what users get
  fp8,    ///< bf16 with weights, activations and caches in f8E4M3FN, in one of its ways
  fp8F32, ///< the same with f32 for the rest, where rounding hides nothing
};
llvm::StringRef stringify(Variant variant);
std::optional<Variant> symbolizeVariant(llvm::StringRef name);

/// What came of a program.
struct Outcome {
  std::string failure; ///< empty: everything agreed
  /// Why there is no package of it for the target: it lacks a kernel. Everything else agreed.
  std::string refusal;
  /// The largest error in units of its bound, and of the bf16 program in units of the model's.
  double worstF32 = 0, worstBf16 = 0;
  /// Elements of outputs, and those of them that rounding alone does not decide.
  uint64_t elements = 0, compared = 0;
};

class Differential {
public:
  /// Files go to `folder`. `context` has Mjolnir's dialects; its passes and targets are registered.
  Differential(mlir::MLIRContext &context, std::string folder, std::string target = "host")
      : context(context), folder(std::move(folder)), target(std::move(target)) {}

  /// Generates and checks the program of `seed`: the IR after each phase, interpreted, and the packages of `variants`,
  /// run, which takes the target "host"; without `runs` the IR alone. See README.md for what has to agree with what.
  Outcome check(uint64_t seed, llvm::ArrayRef<Variant> variants, bool runs = true);
  Outcome check(const Program &program, llvm::ArrayRef<Variant> variants, bool runs = true);

  /// Checks the IR after each phase and writes the package of `variant` for another machine to run: SEED-VARIANT.mjp
  /// and SEED-VARIANT.safetensors in `cases` (see CaseFile.h), or SEED-VARIANT.refused, which says why there is none.
  Outcome emit(uint64_t seed, Variant variant, llvm::StringRef cases);

private:
  mlir::MLIRContext &context;
  std::string folder, target;
};

/// The program of `seed` as text, with the numbers of its weights and inputs left out.
std::string print(const Program &program);

/// Options to compile `program` with. How a quantized program is quantized depends on its seed.
PipelineOptions optionsOf(const Program &program, Variant variant, llvm::StringRef target = "host");

} // namespace mjolnir::differential

#endif // MJOLNIR_TEST_RANDOM_DIFFERENTIAL_H
