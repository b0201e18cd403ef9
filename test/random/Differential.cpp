// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Differential.h.
#include "test/random/Differential.h"

#include "test/random/CaseFile.h"
#include "test/random/Interpreter.h"
#include "test/random/PackageRun.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/TypeUtilities.h"
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
/// The gates of bf16 and of FP8 in it: the error of a compiled program against that of the model. Where a number
/// becomes another code, that is a sixteenth of it at once: of an output of few elements no run of the model may have
/// it.
static constexpr double kModelFactor = 2, kModelFactorF8 = 4;
/// Runs of the model, and as many again where the first ones say that the gate failed: of an output of few elements a
/// single run may be right by chance.
static constexpr int kModelRuns = 3, kModelRunsAgain = 60;

static constexpr std::pair<Variant, llvm::StringLiteral> kVariants[] = {{Variant::oracle, "oracle"},
                                                                        {Variant::f32, "f32"},
                                                                        {Variant::bf16, "bf16"},
                                                                        {Variant::fp8, "fp8"},
                                                                        {Variant::fp8F32, "fp8-f32"}};

static bool isQuantized(Variant variant) { return variant == Variant::fp8 || variant == Variant::fp8F32; }
static double modelFactorOf(Variant variant) { return isQuantized(variant) ? kModelFactorF8 : kModelFactor; }
static bool isNarrow(Variant variant) { return variant == Variant::bf16 || variant == Variant::fp8; }

StringRef differential::stringify(Variant variant) {
  for (auto [each, name] : kVariants)
    if (each == variant)
      return name;
  llvm_unreachable("every variant has a name");
}

std::optional<Variant> differential::symbolizeVariant(StringRef name) {
  for (auto [variant, known] : kVariants)
    if (known == name)
      return variant;
  return std::nullopt;
}

/// Whether pages of bytes have layers at places that targets allow, multiples of 64 bytes.
static bool holdsCodes(const Program &program) {
  if (!program.isLanguageModel)
    return false;
  for (Type argument : (*program.module).lookupSymbol<func::FuncOp>("step").getArgumentTypes())
    if (auto kv = dyn_cast<mj::KvType>(argument))
      return program.pageSize * 2 * kv.getHeads() * kv.getHeadDim() % 64 == 0;
  return false;
}

/// Of the largest magnitudes the smaller ones saturate: numbers are of the order of 1.
static Fp8Options drawFp8(const Program &program) {
  Random random(program.seed ^ 0x65346d33);
  Fp8Options fp8;
  fp8.matmuls = random.pick<const char *>({"full", "full", "full", "weights", "auto"});
  fp8.weightScales = random.chance(0.75) ? "channel" : "tensor";
  fp8.activationAmax = random.pick({64.0f, 64.0f, 8.0f, 2.0f, 37.5f});
  fp8.head = random.chance(0.3);
  fp8.kvCache = random.chance(0.7) && holdsCodes(program);
  fp8.kvAmax = random.pick({448.0f, 8.0f, 2.0f, 5.5f});
  return fp8;
}

PipelineOptions differential::optionsOf(const Program &program, Variant variant, StringRef target) {
  PipelineOptions options;
  options.target = target.str();
  options.oracle = variant == Variant::oracle;
  options.precision = isNarrow(variant) ? Precision::bf16 : Precision::f32;
  if (isQuantized(variant))
    options.fp8 = drawFp8(program);
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

/// The root of the mean square error of an output, over elements that have a bound in `felt`.
double errorOf(const Array &got, const Array &reference, const Array &felt) {
  double sum = 0, count = 0;
  for (size_t i = 0; i < reference.values.size(); ++i)
    if (std::isfinite(felt.errors[i])) {
      sum += std::pow(got.values[i] - reference.values[i], 2);
      ++count;
    }
  if (std::isnan(sum))
    return std::numeric_limits<double>::infinity();
  return count ? std::sqrt(sum / count) : 0;
}

double sizeOf(const Array &array) {
  double sum = 0;
  for (double value : array.values)
    sum += value * value;
  return std::sqrt(sum / double(std::max<size_t>(1, array.values.size())));
}

/// What the package of a variant is compared with.
struct Reference {
  Outputs outputs;             ///< with bounds
  OwningOpRef<ModuleOp> model; ///< IR to run with rounding; null: only the bounds count
  std::vector<Outputs> runs;   ///< of the model
  /// The bounds say which elements the model's error is about: those that f32 computes at all, and whole numbers that
  /// no rounding changes. That bounds of bf16 are infinite, as after a few layers, does not matter there.
  Outputs felt;
};

/// One check of one program.
class Check {
public:
  Check(MLIRContext &context, const Program &program, StringRef target)
      : context(context), program(program), target(target) {}

  Outcome run(ArrayRef<Variant> variants, bool runs, StringRef folder) {
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      said += diagnostic.str() + "\n";
      return success();
    });
    if (!prepare())
      return outcome;
    for (Variant variant : variants)
      if (Reference reference; outcome.failure.empty() && prepareReference(variant, reference)) {
        count(reference);
        if (runs)
          checkPackage(variant, reference, folder);
      }
    return outcome;
  }

  Outcome emit(Variant variant, StringRef folder, StringRef cases) {
    ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
      said += diagnostic.str() + "\n";
      return success();
    });
    Reference reference;
    if (!prepare() || !prepareReference(variant, reference))
      return outcome;
    count(reference);
    if (reference.model)
      addRuns(reference, kModelRunsAgain);
    std::string stem = llvm::formatv("{0}/{1}-{2}", cases, program.seed, stringify(variant));
    if (llvm::Error error = compileTo(context, program, optionsOf(program, variant, target), folder, stem + ".mjp")) {
      std::string message = llvm::toString(std::move(error));
      if (!isRefusal(message)) {
        fail(stringify(variant) + ": " + message);
        return outcome;
      }
      outcome.refusal = message;
    }
    if (llvm::Error error = outcome.refusal.empty() ? writeCase(stem + ".safetensors", describe(variant, reference))
                                                    : writeText(stem + ".refused", outcome.refusal))
      fail(llvm::toString(std::move(error)));
    return outcome;
  }

private:
  bool fail(const llvm::Twine &what) {
    outcome.failure = what.str();
    return false;
  }

  /// How many elements are compared, with their bound or as part of an output.
  void count(const Reference &reference) {
    const Outputs &bounded = reference.model ? reference.felt : reference.outputs;
    for (const std::vector<Array> &step : bounded)
      for (const Array &output : step) {
        outcome.elements += output.errors.size();
        outcome.compared += llvm::count_if(output.errors, [](double error) { return std::isfinite(error); });
      }
  }

  /// Whether a compilation stopped because the target has no kernel for a region, or wants larger pages, and says so.
  static bool isRefusal(StringRef message) {
    return message.contains("no CUDA kernels") || message.contains("the GPU has kernels") ||
           message.contains("the GPU's kernel") || message.contains("layers begin at multiples");
  }

  bool prepare() {
    if (failed(verify(*program.module)))
      return fail("the generated program is invalid: " + said);
    exact = interpret(*program.module, Rounding::none, kUnitF32);
    narrow = interpret(*program.module, Rounding::none, kUnitBf16);
    return checkPhases(Variant::f32, {Phase::graph, Phase::numerics, Phase::fusion, Phase::schedule},
                       (*program.module).clone(), exact);
  }

  Outputs interpret(ModuleOp module, Rounding rounding, double unit, uint64_t seed = 0, Codes codes = Codes::rounded) {
    Interpreter interpreter(module, program.weights, rounding, unit, seed, codes);
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

  bool runPhase(ModuleOp module, Phase phase, Variant variant) {
    PassManager manager(&context);
    buildPhase(manager, phase, optionsOf(program, variant, target));
    if (failed(manager.run(module)))
      return fail(llvm::formatv("phase {0} of {1} fails: {2}", stringifyPhase(phase), stringify(variant), said));
    return true;
  }

  /// What each of the phases of the pipeline makes of `module` computes the same, within the bounds of `reference`:
  /// passes may reassociate and fold constants.
  bool checkPhases(Variant variant, ArrayRef<Phase> phases, OwningOpRef<ModuleOp> module, const Outputs &reference) {
    for (Phase phase : phases) {
      if (!runPhase(*module, phase, variant))
        return false;
      Deviation deviation = compare(interpret(*module, Rounding::none, kUnitF32), reference);
      if (deviation.ratio > kBoundFactor)
        return fail(llvm::formatv("the {0} program after phase {1} computes something else: {2}", stringify(variant),
                                  stringifyPhase(phase), deviation.place));
    }
    return true;
  }

  /// For bf16 and for what is quantized the reference of a package is the IR after phase numerics. That this is the
  /// program is checked first; of a quantized one with codes that hold any number.
  bool prepareReference(Variant variant, Reference &reference) {
    if (variant == Variant::f32 || variant == Variant::oracle) {
      reference.outputs = exact;
      return true;
    }
    OwningOpRef<ModuleOp> module = (*program.module).clone();
    if (!runPhase(*module, Phase::graph, variant) || !runPhase(*module, Phase::numerics, variant))
      return false;
    const Outputs &imported = isNarrow(variant) ? narrow : exact;
    if (isQuantized(variant)) {
      Deviation deviation = compare(interpret(*module, Rounding::none, 0, 0, Codes::ideal), imported);
      if (deviation.ratio > kBoundFactor)
        return fail(stringify(variant) +
                    ": but for its roundings the quantized program computes something else: " + deviation.place);
      reference.outputs = interpret(*module, Rounding::none, isNarrow(variant) ? kUnitBf16 : kUnitF32);
      if (!checkPhases(variant, {Phase::fusion, Phase::schedule}, (*module).clone(), reference.outputs))
        return false;
    } else {
      reference.outputs = narrow;
    }
    if (!isNarrow(variant))
      return true;
    reference.model = std::move(module);
    reference.felt = isQuantized(variant) ? interpret(*reference.model, Rounding::none, kUnitF32) : exact;
    for (auto [felt, step] : llvm::zip(reference.felt, reference.outputs))
      for (auto [index, output] : llvm::enumerate(step))
        if (isWhole(index))
          felt[index].errors = output.errors;
    reference.runs.push_back(interpret(*reference.model, Rounding::nearest, 0));
    addRuns(reference, kModelRuns);
    Deviation deviation = compare(reference.runs.front(), reference.outputs);
    if (deviation.ratio > kBoundFactor)
      return fail(stringify(variant) + ": the narrowed program computes something else: " + deviation.place);
    return true;
  }

  /// Whether an output holds integers.
  bool isWhole(size_t output) {
    auto main = (*program.module).lookupSymbol<func::FuncOp>(program.isLanguageModel ? "step" : "main");
    return !isa<FloatType>(getElementTypeOrSelf(main.getResultTypes()[output]));
  }

  void addRuns(Reference &reference, int count) {
    for (int i = 0; i < count; ++i)
      reference.runs.push_back(
          interpret(*reference.model, Rounding::stochastic, 0, program.seed * 1000 + reference.runs.size()));
  }

  /// The largest root mean square error of the model, never less than what is no error.
  static double errorOfModel(const Reference &reference, size_t step, size_t output) {
    const Array &expected = reference.outputs[step][output];
    double largest = 1e-6 * sizeOf(expected);
    for (const Outputs &run : reference.runs)
      largest = std::max(largest, errorOf(run[step][output], expected, reference.felt[step][output]));
    return largest;
  }

  void checkPackage(Variant variant, Reference &reference, StringRef folder) {
    llvm::Expected<Outputs> got = compileAndRun(context, program, optionsOf(program, variant, target), folder);
    if (!got) {
      fail(stringify(variant) + ": " + llvm::toString(got.takeError()));
      return;
    }
    Deviation deviation = compare(*got, reference.outputs);
    if (deviation.ratio > kBoundFactor) {
      fail(stringify(variant) + " is off by more than its bound: " + deviation.place);
      return;
    }
    if (!reference.model) {
      outcome.worstF32 = std::max(outcome.worstF32, deviation.ratio);
      return;
    }
    for (size_t step = 0; step < reference.outputs.size(); ++step)
      for (size_t output = 0; output < reference.outputs[step].size(); ++output) {
        double error = errorOf((*got)[step][output], reference.outputs[step][output], reference.felt[step][output]);
        // Both may be infinite: bf16 may make a NaN of what f32 computes.
        auto ratioOf = [&] {
          double model = errorOfModel(reference, step, output);
          return error == 0 || std::isinf(model) ? 0 : error / model;
        };
        double ratio = ratioOf();
        if (ratio > modelFactorOf(variant) && reference.runs.size() <= kModelRuns + 1) {
          addRuns(reference, kModelRunsAgain);
          ratio = ratioOf();
        }
        outcome.worstBf16 = std::max(outcome.worstBf16, ratio);
        if (ratio > modelFactorOf(variant))
          fail(llvm::formatv("{0}: the error of output {1} in step {2} is {3:f2} times the model's", stringify(variant),
                             output, step, ratio));
      }
  }

  /// The case of a package that another machine runs.
  Case describe(Variant variant, const Reference &reference) {
    Case result;
    result.seed = program.seed;
    result.variant = stringify(variant).str();
    result.kvPages = program.pool;
    result.boundFactor = kBoundFactor, result.modelFactor = modelFactorOf(variant);
    auto main = (*program.module).lookupSymbol<func::FuncOp>(program.isLanguageModel ? "step" : "main");
    auto nameOf = [](DictionaryAttr attributes) { return attributes.getAs<StringAttr>("mj.name").str(); };
    for (size_t step = 0; step < reference.outputs.size(); ++step) {
      Case::Step &written = result.steps.emplace_back();
      written.entry = program.isLanguageModel ? program.steps[step].entry : "main";
      if (program.isLanguageModel)
        written.inputs = fieldsOf(program.steps[step].batch);
      for (auto [index, input] : llvm::enumerate(program.inputs))
        written.inputs[nameOf(main.getArgAttrDict(index))] = input;
      // The cache, which is no tensor, is no output of the package.
      size_t next = 0;
      for (auto [index, type] : llvm::enumerate(main.getResultTypes()))
        if (isa<RankedTensorType>(type)) {
          double modelError = reference.model ? errorOfModel(reference, step, next) : -1;
          Case::Output &output = written.outputs[nameOf(main.getResultAttrDict(index))];
          output = {reference.outputs[step][next], modelError, {}};
          if (reference.model)
            output.felt = reference.felt[step][next];
          ++next;
        }
    }
    return result;
  }

  MLIRContext &context;
  const Program &program;
  StringRef target;
  std::string said;
  Outcome outcome;
  Outputs exact, narrow; ///< of the imported program: the same numbers; bounds for f32 and for bf16
};

} // namespace

Outcome Differential::check(uint64_t seed, ArrayRef<Variant> variants, bool runs) {
  return check(generate(context, seed), variants, runs);
}

/// A failure as people read it, with the program.
static Outcome tell(const Program &program, Outcome outcome) {
  if (!outcome.failure.empty())
    outcome.failure = llvm::formatv("seed {0}: {1}\n{2}", program.seed, outcome.failure, print(program));
  return outcome;
}

Outcome Differential::check(const Program &program, ArrayRef<Variant> variants, bool runs) {
  Outcome outcome;
  if (llvm::Error error = writeFiles(program, folder))
    outcome.failure = llvm::toString(std::move(error));
  else
    outcome = Check(context, program, target).run(variants, runs, folder);
  return tell(program, std::move(outcome));
}

Outcome Differential::emit(uint64_t seed, Variant variant, StringRef cases) {
  Program program = generate(context, seed);
  Outcome outcome;
  if (llvm::Error error = writeFiles(program, folder))
    outcome.failure = llvm::toString(std::move(error));
  else
    outcome = Check(context, program, target).emit(variant, folder, cases);
  return tell(program, std::move(outcome));
}
