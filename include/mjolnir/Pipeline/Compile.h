// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The compiler as a library: from a model to a package.
#ifndef MJOLNIR_PIPELINE_COMPILE_H
#define MJOLNIR_PIPELINE_COMPILE_H

#include "mjolnir/Pipeline/Pipeline.h"
#include "mjolnir/Report/RemarkLog.h"
#include "mjolnir/Target/Target.h"

#include <functional>

namespace mjolnir {

/// Of the compiler; packages name it as their producer.
inline constexpr llvm::StringLiteral kVersion = "0.1.0";

/// What was put into a package, for people.
struct PackageSummary {
  std::vector<std::string> entries;
  size_t kernels = 0, weights = 0;
  uint64_t packageBytes = 0, weightBytes = 0;
  uint64_t pageBytes = 0, pageTokens = 0; ///< a page of the KV cache; 0 where the program has none
  int64_t maxContext = 0;                 ///< tokens a sequence may hold; 0 where the program is no language model
};

struct CompileRequest {
  /// A Hugging Face folder, or a file of IR (with compileFrom).
  std::string model;
  /// Where the package goes; unused when the compilation stops before it.
  std::string output;
  /// With a file of IR: the folder that its weights and tokenizer come from; may be empty.
  std::string checkpoint;
  PipelineOptions options;
  CodeOptions code;
  /// Sizes of entries were asked for, which only a program in phase input can be given.
  bool hasSizes = false;
  /// The phase that the file of IR is in; empty: what its mj.phase says.
  std::optional<Phase> compileFrom;
  /// Stop after this phase and write its IR to `output` ("-": standard output).
  std::optional<Phase> compileTo;
  /// Write the IR after every phase into this folder, numbered.
  std::string dumpPhases;
  /// Write reports of the compile, a page (.html) or data (.json), once there is a planned program.
  std::vector<std::string> reports;
  /// The remarks of the compile so far, for the reports; what `sendRemarks` of the context fills.
  const RemarkLog *remarks = nullptr;
  /// Told of what is being done: a phase's name, or how many weights of how many are written.
  std::function<void(llvm::StringRef what, size_t done, size_t total)> progress;
  /// Plan the KV cache for sessions when phase plan has ended, and fail when the memory does not hold them. Sizes are
  /// bytes, 0: not given; `kvBudget` is for the cache alone, `memory` for all, by default the chip's.
  struct KvRequest {
    uint64_t sessions = 0, memory = 0, kvBudget = 0;
  };
  std::optional<KvRequest> kv;
  /// Told that plan, for people.
  std::function<void(llvm::StringRef text)> tellKvPlan;
  /// Told what is in the package after it was written.
  std::function<void(const PackageSummary &)> summarize;
  /// Called with the scheduled program; it may add entries. What it returns becomes the package's member tuning.json.
  std::function<llvm::FailureOr<std::string>(mlir::ModuleOp, const Target &)> addCandidates;
  /// Adjusts a pass manager before it runs (timing, remarks, printing).
  std::function<void(mlir::PassManager &)> configure;
};

/// Compiles. Errors are diagnostics of `context`.
llvm::LogicalResult compile(mlir::MLIRContext &context, const CompileRequest &request);

} // namespace mjolnir

#endif // MJOLNIR_PIPELINE_COMPILE_H
