// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What passes may know of a chip: data, and what its kernels can take into one region.
#ifndef MJOLNIR_TARGET_PROFILE_H
#define MJOLNIR_TARGET_PROFILE_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>

namespace mjolnir {

/// A chip as data. Rates are what a good kernel reaches, not what the data sheet promises; where they were not measured
/// `measured` is false and everything computed from them is a prediction.
struct Profile {
  std::string name;    ///< "sm_90a", "x86-64-v3"
  std::string product; ///< "H200": one product of this kind, which the rates are those of
  bool measured = false;

  int64_t processors = 1;          ///< streaming multiprocessors, or cores
  int64_t cacheBytes = 0;          ///< last-level cache
  int64_t sharedBytesPerBlock = 0; ///< 0 where there is no such memory
  int64_t sharedBytesPerProcessor = 0;
  int64_t threadsPerProcessor = 1;
  int64_t registersPerProcessor = 0; ///< 32-bit registers
  int64_t memoryBytes = 0;           ///< of the product; 0 where it is not part of the chip

  double copyBandwidth = 0; ///< bytes/s, read and written both counted
  double readBandwidth = 0; ///< bytes/s
  double launchSeconds = 0; ///< from one kernel to the next that depends on it, nothing computed
  double flopsF32 = 0;      ///< multiply and add are two
  double flopsBf16 = 0;     ///< matrix units where there are any
  double flopsF8 = 0;       ///< 0 where the chip has no f8 multiplication

  bool multipliesF8 = false; ///< f8 by f8 at a rate above bf16's, reached by this target's kernels
};

/// What one region may hold on a chip, beyond pointwise epilogues of matmuls and runs of row-wise operations.
struct FusionRules {
  /// Largest number of rows for which a norm is recomputed in the prologue of each matmul that reads it; 0: never.
  int64_t normPrologueRows = 0;
  /// Matmuls of one input and several weights (q, k, v) as one region with several results.
  bool parallelMatmuls = false;
  /// Kernels read some columns of a wider matrix where they lie, as those of several matmuls that became one; else each
  /// part is a copy.
  bool columnSlices = false;
  /// Norms, rotary embeddings and cache writes of this step's rows inside the attention that reads the cache.
  bool attentionPrologue = false;
  /// Quantization to f8 as part of an epilogue.
  bool quantizeEpilogue = false;
  /// Epilogues of a matmul may have several results (a residual that is stored and normalized, say).
  bool epilogueResults = false;
  /// Pointwise operations (and quantization, by quantizeEpilogue) after attention, mj.batch_matmul and matmuls by what is
  /// no weight, in their region.
  bool anchorEpilogue = false;
  /// What works on whole heads (rotary embeddings, norms of heads, cache writes) in the epilogue of the matmul whose
  /// columns are the heads: its tiles are then whole heads wide.
  bool headEpilogue = false;
  /// Row-wise operations on the same rows that share no value as one region.
  bool parallelRows = false;
  /// Pointwise operations repeated in each region that reads them, where that saves more than it costs.
  bool recomputeProducers = false;
};

/// Changes `rules` as `text` says, by the names above in lower case with dashes: "norm-prologue-rows=16",
/// "parallel-matmuls", "no-parallel-matmuls". False with a sentence in `error` if it cannot.
bool applyRule(llvm::StringRef text, FusionRules &rules, std::string &error);

} // namespace mjolnir

#endif // MJOLNIR_TARGET_PROFILE_H
