// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The pipeline, as prose.
#include "mjolnir/Pipeline/Pipeline.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"
#include "passes/Passes.h"

#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace mjolnir;

static constexpr llvm::StringLiteral phaseNames[] = {"input",    "graph", "numerics", "fusion",
                                                     "schedule", "plan",  "code"};

llvm::StringRef mjolnir::stringifyPhase(Phase phase) { return phaseNames[static_cast<int>(phase)]; }

std::optional<Phase> mjolnir::symbolizePhase(llvm::StringRef name) {
  for (auto [index, phase] : llvm::enumerate(phaseNames))
    if (phase == name)
      return static_cast<Phase>(index);
  return std::nullopt;
}

std::optional<Precision> mjolnir::symbolizePrecision(llvm::StringRef name) {
  if (name == "bf16")
    return Precision::bf16;
  return name == "f32" ? std::optional(Precision::f32) : std::nullopt;
}

std::optional<Phase> mjolnir::getPhase(ModuleOp module) {
  auto name = module->getAttrOfType<StringAttr>(mj::kPhaseAttr);
  return name ? symbolizePhase(name) : std::nullopt;
}

void mjolnir::setPhase(ModuleOp module, Phase phase) {
  module->setAttr(mj::kPhaseAttr, StringAttr::get(module.getContext(), stringifyPhase(phase)));
}

static constexpr llvm::StringLiteral kFormFusions = "form-fusions";
static constexpr llvm::StringLiteral optionalNames[] = {"simplify", "recognize", "fold-sdpa-scale", "merge-projections",
                                                        kFormFusions};

llvm::ArrayRef<llvm::StringLiteral> mjolnir::optionalPasses() { return optionalNames; }

/// Adds one of the optional passes, unless it is to be left out.
static void addOptional(OpPassManager &manager, const PipelineOptions &options, std::unique_ptr<Pass> pass) {
  assert(llvm::is_contained(optionalNames, pass->getArgument()) && "a pass that optionalPasses() does not name");
  if (!llvm::is_contained(options.without, pass->getArgument()))
    manager.addPass(std::move(pass));
}

/// graph: what every target profits from, on static shapes.
static void buildGraph(OpPassManager &manager, const PipelineOptions &options) {
  // Before anything moves: what is computed keeps its name whatever computes it.
  manager.addPass(createLabelValues());
  // The oracle computes what was imported, as it was written.
  if (!options.oracle) {
    addOptional(manager, options, createSimplify());
    addOptional(manager, options, createRecognize());
    // What was recognized wants its operands in another order of axes, which may cancel with what there was.
    addOptional(manager, options, createSimplify());
  }
  SpecializeBucketsOptions buckets;
  buckets.decode = options.decode;
  buckets.prefill = options.prefill;
  buckets.maxBatch = options.maxBatch;
  buckets.pageSize = options.pageSize ? options.pageSize : 16;
  buckets.maxContext = options.maxContext;
  manager.addPass(createSpecializeBuckets(buckets));
  // Layers read the same fields and tables: once is enough.
  manager.addPass(createCSEPass());
  manager.addPass(createCanonicalizerPass());
  // After all that reads their numbers.
  manager.addPass(createStoreConstants());
  if (options.oracle)
    return;
  // Attention scales and joins by itself what exporters scale and join before it.
  addOptional(manager, options, createFoldSdpaScale());
  manager.addPass(createKvInPlace());
  // Once the rows are known: whether it pays depends on them.
  MergeProjectionsOptions merge;
  merge.target = options.target;
  addOptional(manager, options, createMergeProjections(merge));
}

/// f8E4M3FN for what is asked for.
static void buildFp8(OpPassManager &manager, const PipelineOptions &options) {
  const Fp8Options &fp8 = options.fp8;
  QuantizeFp8Options pass;
  pass.target = options.target;
  pass.matmuls = fp8.matmuls;
  pass.weightScales = fp8.weightScales;
  pass.activationAmax = fp8.activationAmax;
  pass.include = fp8.include;
  pass.exclude = fp8.exclude;
  pass.head = fp8.head;
  pass.kvCache = fp8.kvCache;
  pass.kvAmax = fp8.kvAmax;
  pass.calibration = fp8.calibration;
  manager.addPass(createQuantizeFp8(pass));
}

/// numerics: in which precision things are stored. The oracle, and precision f32, keep what was imported.
static void buildNumerics(OpPassManager &manager, const PipelineOptions &options) {
  if (options.oracle)
    return;
  if (options.precision == Precision::bf16)
    manager.addPass(createNarrowActivations());
  else
    manager.addPass(createWidenWeights());
  // After it: what is not quantized has its precision.
  if (options.fp8.isWanted())
    buildFp8(manager, options);
}

/// fusion: which operations become one kernel.
static void buildFusion(OpPassManager &manager, const PipelineOptions &options) {
  FormFusionsOptions fusions;
  fusions.unfused = options.oracle || llvm::is_contained(options.without, kFormFusions);
  fusions.target = options.target;
  manager.addPass(createFormFusions(fusions));
}

/// schedule: how each region becomes a kernel, how each weight is stored, and what packaging computes.
static void buildSchedule(OpPassManager &manager, const PipelineOptions &options) {
  SelectSchedulesOptions schedules;
  schedules.target = options.target;
  schedules.oracle = options.oracle;
  schedules.libraries = options.libraries;
  schedules.tuning = options.tuning;
  manager.addPass(createSelectSchedules(schedules));
  // After the encodings are known: packing is work on weights too.
  manager.addPass(createHoistWeightComputation());
}

/// plan: pages, launches, buffers at offsets, what may overlap.
static void buildPlan(OpPassManager &manager, const PipelineOptions &options) {
  manager.addPass(createPlanPagedKv(PlanPagedKvOptions{options.target, options.pageSize}));
  manager.addPass(createLowerToExec(LowerToExecOptions{options.target}));
  manager.addPass(createPlanMemory(PlanMemoryOptions{options.target, /*alignment=*/0}));
  // After the offsets are known: a place that is used again orders the steps that use it.
  manager.addPass(createSchedule());
}

void mjolnir::buildPhase(OpPassManager &manager, Phase phase, const PipelineOptions &options) {
  switch (phase) {
  case Phase::input:
  case Phase::code:
    return;
  case Phase::graph:
    buildGraph(manager, options);
    break;
  case Phase::numerics:
    buildNumerics(manager, options);
    break;
  case Phase::fusion:
    buildFusion(manager, options);
    break;
  case Phase::schedule:
    buildSchedule(manager, options);
    break;
  case Phase::plan:
    buildPlan(manager, options);
    break;
  }
  buildVerification(manager, phase);
}

void mjolnir::buildVerification(OpPassManager &manager, Phase phase) {
  manager.addPass(createVerifyPhase(VerifyPhaseOptions{stringifyPhase(phase).str()}));
}
