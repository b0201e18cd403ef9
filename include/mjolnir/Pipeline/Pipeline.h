// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The way from an imported model to planned programs, phase by phase.
#ifndef MJOLNIR_PIPELINE_PIPELINE_H
#define MJOLNIR_PIPELINE_PIPELINE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include <optional>
#include <string>

namespace mjolnir {

/// What is done between two phases is a pipeline; each ends in a verification of what the next may rely on.
enum class Phase { input, graph, numerics, fusion, schedule, plan, code };

llvm::StringRef stringifyPhase(Phase phase);
std::optional<Phase> symbolizePhase(llvm::StringRef name);

/// In which element type activations, matrices and the KV cache are stored; sums are f32 whatever it is.
enum class Precision { bf16, f32 };

std::optional<Precision> symbolizePrecision(llvm::StringRef name);

/// f8E4M3FN, the options of quantize-fp8.
struct Fp8Options {
  std::string matmuls = "none"; ///< auto, weights, full
  std::string weightScales = "channel";
  float activationAmax = 64;
  llvm::SmallVector<std::string> include, exclude;
  bool head = false;
  bool kvCache = false;
  float kvAmax = 448;
  std::string calibration;

  /// Whether anything is to be quantized.
  bool isWanted() const { return matmuls != "none" || kvCache; }
};

struct PipelineOptions {
  std::string target = "host";
  /// f32 activations, one region an operation, plain schedules.
  bool oracle = false;
  Precision precision = Precision::bf16;      ///< f32: what was imported stays as it is
  llvm::SmallVector<int64_t> decode = {1};    ///< sequences of the decode entries
  llvm::SmallVector<int64_t> prefill = {128}; ///< token rows of the prefill entries
  int64_t maxBatch = 1;                       ///< sequences of a prefill entry
  int64_t pageSize = 0;                       ///< tokens a page; 0: what the module states, or 16
  int64_t maxContext = 0;                     ///< tokens a sequence may hold; 0: what the model allows
  llvm::SmallVector<std::string> libraries;   ///< that launches may call instead of kernels: "cublaslt"
  std::string tuning;                         ///< a tuning table; empty: what the target chooses
  Fp8Options fp8;                             ///< not with oracle, which is f32
  llvm::SmallVector<std::string> without;     ///< of optionalPasses(), those to leave out
};

/// The passes that a program compiles without, only slower: leaving one out in a paired run shows what it is worth.
llvm::ArrayRef<llvm::StringLiteral> optionalPasses();

/// Adds the passes that lead from the phase before `phase` to it, its verification last. Phases input and code have
/// none.
void buildPhase(mlir::OpPassManager &manager, Phase phase, const PipelineOptions &options);

/// Adds the pass that checks that a module is in `phase`.
void buildVerification(mlir::OpPassManager &manager, Phase phase);

/// The phase that a module is in, by its `mj.phase`; nullopt where it does not say.
std::optional<Phase> getPhase(mlir::ModuleOp module);
void setPhase(mlir::ModuleOp module, Phase phase);

} // namespace mjolnir

#endif // MJOLNIR_PIPELINE_PIPELINE_H
