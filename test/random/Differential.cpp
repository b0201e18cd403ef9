// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Differential.h.
#include "test/random/Differential.h"

#include "test/random/Interpreter.h"
#include "test/random/PackageRun.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::differential;

/// How far an error may exceed its bound. The bounds hold to first order; what is left out is of second order, and
/// roundings of intermediate results that only some kernels make.
static constexpr double kBoundFactor = 2;
/// The gate of bf16: the error of a compiled program against that of the model.
static constexpr double kModelFactor = 2;
/// Runs of the model, and as many again where the first ones say that the gate failed: of an output of few elements a
/// single run may be right by chance.
static constexpr int kModelRuns = 3, kModelRunsAgain = 60;

StringRef differential::stringify(Variant variant) {
  switch (variant) {
  case Variant::oracle:
    return "oracle";
  case Variant::f32:
    return "f32";
  case Variant::bf16:
    return "bf16";
  }
  llvm_unreachable("every variant is a case");
}

PipelineOptions differential::optionsOf(const Program &program, Variant variant) {
  PipelineOptions options;
  options.oracle = variant == Variant::oracle;
  options.precision = variant == Variant::bf16 ? Precision::bf16 : Precision::f32;
  if (program.isLanguageModel) {
    options.decode = {program.decode};
    options.prefill = {program.prefill};
    options.maxBatch = program.maxBatch;
    options.pageSize = program.pageSize;
  }
  return options;
}

std::string differential::print(const Program &program) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "// seed " << program.seed;
  if (program.isLanguageModel)
    stream << llvm::formatv(": decode={0} prefill={1} batch={2} page={3}", program.decode, program.prefill,
                            program.maxBatch, program.pageSize);
  stream << "\n";
  (*program.module)->print(stream);
  return text;
}

namespace {

/// The largest difference in units of the bound, and where it is.
struct Deviation {
  double ratio = 0;
  std::string place;
};

Deviation compare(const Outputs &got, const Outputs &reference) {
  Deviation worst;
  for (size_t step = 0; step < reference.size(); ++step)
    for (size_t output = 0; output < reference[step].size(); ++output) {
      const Array &a = got[step][output], &b = reference[step][output];
      for (size_t i = 0; i < b.values.size(); ++i) {
        if (std::isinf(b.errors[i]))
          continue;
        double difference = std::abs(a.values[i] - b.values[i]);
        double ratio = difference == 0 ? 0 : difference / b.errors[i];
        if (std::isnan(ratio))
          ratio = std::numeric_limits<double>::infinity();
        if (ratio <= worst.ratio)
          continue;
        worst.ratio = ratio;
        worst.place = llvm::formatv("step {0}, output {1}, element {2}: {3} instead of {4}, bound {5}", step, output, i,
                                    a.values[i], b.values[i], b.errors[i])
                          .str();
      }
    }
  return worst;
}

/// The root of the mean square error of an output, over elements that have a bound.
double errorOf(const Array &got, const Array &reference) {
  double sum = 0, count = 0;
  for (size_t i = 0; i < reference.values.size(); ++i)
    if (std::isfinite(reference.errors[i])) {
      sum += std::pow(got.values[i] - reference.values[i], 2);
      ++count;
    }
  return count ? std::sqrt(sum / count) : 0;
}

double sizeOf(const Array &array) {
  double sum = 0;
  for (double value : array.values)
    sum += value * value;
  return std::sqrt(sum / double(std::max<size_t>(1, array.values.size())));
}

/// One check of one program.
class Check {
public:
  Check(MLIRContext &context, const Program &program) : context(context), program(program) {}

  Outcome run(ArrayRef<Variant> variants, StringRef folder) {
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      said += diagnostic.str() + "\n";
      return success();
    });
    if (failed(verify(*program.module)))
      fail("the generated program is invalid: " + said);
    else if (prepareReferences() && checkPhases() && prepareModel())
      for (Variant variant : variants)
        if (outcome.failure.empty())
          checkPackage(variant, folder);
    return outcome;
  }

private:
  bool fail(const llvm::Twine &what) {
    outcome.failure = what.str();
    return false;
  }

  Outputs interpret(ModuleOp module, Rounding rounding, double unit, uint64_t seed = 0) {
    Interpreter interpreter(module, program.weights, rounding, unit, seed);
    if (!program.isLanguageModel)
      return {interpreter.run(module.lookupSymbol<func::FuncOp>("main"), program.inputs)};
    auto model = module.getOps<func::FuncOp>();
    mj::KvType type;
    for (func::FuncOp entry : model)
      for (Type argument : entry.getArgumentTypes())
        if (auto kv = dyn_cast<mj::KvType>(argument))
          type = kv;
    CacheState cache(type.getLayers(), type.getHeads(), type.getHeadDim(), program.pageSize,
                     program.pool * program.pageSize);
    Outputs outputs;
    for (const Program::Step &step : program.steps) {
      // Before specialize-buckets there is one entry for all.
      auto entry = module.lookupSymbol<func::FuncOp>(step.entry);
      if (!entry)
        entry = module.lookupSymbol<func::FuncOp>("step");
      outputs.push_back(interpreter.run(entry, {}, &step.batch, &cache));
    }
    return outputs;
  }

  bool prepareReferences() {
    exact = interpret(*program.module, Rounding::none, kUnitF32);
    narrow = interpret(*program.module, Rounding::none, kUnitBf16);
    return true;
  }

  bool runPhase(ModuleOp module, Phase phase, Variant variant) {
    PassManager manager(&context);
    buildPhase(manager, phase, optionsOf(program, variant));
    if (failed(manager.run(module)))
      return fail(llvm::formatv("phase {0} of {1} fails: {2}", stringifyPhase(phase), stringify(variant), said));
    return true;
  }

  /// What each phase of the f32 pipeline makes of the program computes the same, to the last digits of f32: passes may
  /// reassociate and fold constants.
  bool checkPhases() {
    OwningOpRef<ModuleOp> module = (*program.module).clone();
    for (Phase phase : {Phase::graph, Phase::numerics, Phase::fusion, Phase::schedule}) {
      if (!runPhase(*module, phase, Variant::f32))
        return false;
      Deviation deviation = compare(interpret(*module, Rounding::none, kUnitF32), exact);
      if (deviation.ratio > kBoundFactor)
        return fail(llvm::formatv("the program after phase {0} computes something else: {1}", stringifyPhase(phase),
                                  deviation.place));
    }
    return true;
  }

  /// Runs narrowed IR, unfused, rounding every result: the bf16 program that the gate compares with. That it is one is
  /// checked against the bounds of the imported program.
  bool prepareModel() {
    narrowed = (*program.module).clone();
    if (!runPhase(*narrowed, Phase::graph, Variant::bf16) || !runPhase(*narrowed, Phase::numerics, Variant::bf16))
      return false;
    models.push_back(interpret(*narrowed, Rounding::nearest, 0));
    addModels(kModelRuns);
    Deviation deviation = compare(models.front(), narrow);
    if (deviation.ratio > kBoundFactor)
      return fail("the narrowed program computes something else: " + deviation.place);
    return true;
  }

  void addModels(int count) {
    for (int i = 0; i < count; ++i)
      models.push_back(interpret(*narrowed, Rounding::stochastic, 0, program.seed * 1000 + models.size()));
  }

  /// The error of `got` in units of the model's largest.
  double compareWithModels(const Array &got, size_t step, size_t output) {
    const Array &reference = narrow[step][output];
    double largest = 1e-6 * sizeOf(reference);
    for (const Outputs &model : models)
      largest = std::max(largest, errorOf(model[step][output], reference));
    double error = errorOf(got, reference);
    return error == 0 ? 0 : error / largest;
  }

  void checkPackage(Variant variant, StringRef folder) {
    llvm::Expected<Outputs> got = compileAndRun(context, program, optionsOf(program, variant), folder);
    if (!got) {
      fail(stringify(variant) + ": " + llvm::toString(got.takeError()));
      return;
    }
    const Outputs &reference = variant == Variant::bf16 ? narrow : exact;
    Deviation deviation = compare(*got, reference);
    if (deviation.ratio > kBoundFactor) {
      fail(stringify(variant) + " is off by more than its bound: " + deviation.place);
      return;
    }
    if (variant != Variant::bf16) {
      outcome.worstF32 = std::max(outcome.worstF32, deviation.ratio);
      return;
    }
    for (size_t step = 0; step < reference.size(); ++step)
      for (size_t output = 0; output < reference[step].size(); ++output) {
        double ratio = compareWithModels((*got)[step][output], step, output);
        if (ratio > kModelFactor && models.size() <= kModelRuns + 1) {
          addModels(kModelRunsAgain);
          ratio = compareWithModels((*got)[step][output], step, output);
        }
        outcome.worstBf16 = std::max(outcome.worstBf16, ratio);
        if (ratio > kModelFactor)
          fail(llvm::formatv("bf16: the error of output {0} in step {1} is {2:f2} times the model's", output, step,
                             ratio));
      }
  }

  MLIRContext &context;
  const Program &program;
  std::string said;
  Outcome outcome;
  Outputs exact, narrow; ///< the same numbers; bounds for f32 and for bf16
  OwningOpRef<ModuleOp> narrowed;
  std::vector<Outputs> models;
};

} // namespace

Outcome Differential::check(uint64_t seed, ArrayRef<Variant> variants) {
  return check(generate(context, seed), variants);
}

Outcome Differential::check(const Program &program, ArrayRef<Variant> variants) {
  Outcome outcome;
  if (llvm::Error error = writeFiles(program, folder))
    outcome.failure = llvm::toString(std::move(error));
  else
    outcome = Check(context, program).run(variants, folder);
  if (!outcome.failure.empty())
    outcome.failure = llvm::formatv("seed {0}: {1}\n{2}", program.seed, outcome.failure, print(program));
  return outcome;
}
