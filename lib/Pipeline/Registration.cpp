// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What every tool of the compiler registers.
#include "mjolnir/Pipeline/Registration.h"

#include "mjolnir/Dialect/Exec/ExecDialect.h"
#include "mjolnir/Pipeline/Pipeline.h"
#include "passes/Passes.h"
#include "targets/cuda/CudaTarget.h"
#include "targets/host/HostBackend.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mjolnir;

void mjolnir::registerDialects(DialectRegistry &registry) {
  registry.insert<mj::MjDialect, exec::ExecDialect, arith::ArithDialect, math::MathDialect, func::FuncDialect>();
  host::registerDialects(registry);
}

namespace {
/// Options of the `mjolnir-to-PHASE` pipelines.
struct PhaseOptions : PassPipelineOptions<PhaseOptions> {
  Option<std::string> target{*this, "target", llvm::cl::desc("The target"), llvm::cl::init("host")};
  Option<bool> oracle{*this, "oracle", llvm::cl::desc("The unfused f32 program"), llvm::cl::init(false)};
  Option<Precision> precision{*this, "precision", llvm::cl::desc("How activations are stored"),
                              llvm::cl::values(clEnumValN(Precision::bf16, "bf16", "bf16, sums in f32"),
                                               clEnumValN(Precision::f32, "f32", "f32, as imported")),
                              llvm::cl::init(Precision::bf16)};
  ListOption<int64_t> decode{*this, "decode", llvm::cl::desc("Decode sizes (sequences)")};
  ListOption<int64_t> prefill{*this, "prefill", llvm::cl::desc("Prefill sizes (token rows)")};
  Option<int64_t> maxBatch{*this, "max-batch", llvm::cl::desc("Sequences of a prefill entry"), llvm::cl::init(1)};
  Option<int64_t> pageSize{*this, "page-size", llvm::cl::desc("Tokens a page"), llvm::cl::init(0)};
  Option<int64_t> maxContext{*this, "max-context", llvm::cl::desc("Tokens a sequence may hold"), llvm::cl::init(0)};
  Option<std::string> fp8{*this, "fp8", llvm::cl::desc("Matmuls in f8E4M3FN: auto, weights, full"),
                          llvm::cl::init("none")};
  Option<std::string> tuning{*this, "tuning", llvm::cl::desc("A tuning table"), llvm::cl::init("")};
  ListOption<std::string> without{*this, "without", llvm::cl::desc("Passes to leave out")};
  Option<bool> fp8Kv{*this, "fp8-kv", llvm::cl::desc("The KV cache in f8E4M3FN"), llvm::cl::init(false)};

  PipelineOptions get() const {
    PipelineOptions options;
    options.target = target;
    options.oracle = oracle;
    options.precision = precision;
    if (!decode.empty())
      options.decode.assign(decode.begin(), decode.end());
    if (!prefill.empty())
      options.prefill.assign(prefill.begin(), prefill.end());
    options.maxBatch = maxBatch;
    options.pageSize = pageSize;
    options.maxContext = maxContext;
    options.tuning = tuning;
    options.without.assign(without.begin(), without.end());
    options.fp8.matmuls = fp8;
    options.fp8.kvCache = fp8Kv;
    return options;
  }
};
} // namespace

void mjolnir::registerPassesAndTargets() {
  registerMjolnirPasses();
  registerTransformsPasses();
  host::registerHostTarget();
  cuda::registerCudaTarget();
  for (int index = static_cast<int>(Phase::graph); index <= static_cast<int>(Phase::plan); ++index) {
    auto phase = static_cast<Phase>(index);
    std::string name = ("mjolnir-to-" + stringifyPhase(phase)).str();
    std::string help = ("From the phase before " + stringifyPhase(phase) + " to it").str();
    registerPassPipeline(
        name, help,
        [phase](OpPassManager &manager, StringRef text, function_ref<LogicalResult(const Twine &)> complain) {
          PhaseOptions options;
          if (failed(options.parseFromString(text)))
            return failure();
          for (const std::string &pass : options.without)
            if (!llvm::is_contained(optionalPasses(), pass))
              return complain("'" + pass + "' is no pass that can be left out; there are " +
                              llvm::join(optionalPasses(), ", "));
          buildPhase(manager, phase, options.get());
          return success();
        },
        [](function_ref<void(const detail::PassOptions &)> see) { see(PhaseOptions()); });
  }
}
