// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The one thing that is checked at each run: what callers write into the index inputs of a ragged entry decides which
// memory the kernels touch.
#ifndef MJOLNIR_RUNTIME_RAGGEDCHECK_H
#define MJOLNIR_RUNTIME_RAGGEDCHECK_H

#include "RaggedForm.h"
#include "Status.h"

#include <array>
#include <cstdint>

namespace mjolnir::runtime {

struct RaggedLimits {
  int64_t tokens = 0, sequences = 0, pagesPerSequence = 0; // T, B, P
  int64_t pageSize = 0;                                    // tokens
  int64_t pages = 0;                                       // of the session
  int64_t windowPages = 0;                                 // of the pool with tables of its own; 0: there is none
  int64_t vocabulary = 0;
  int64_t maxContext = 0; // tokens a sequence may hold; at most pagesPerSequence * pageSize
};

/// The memory of the inputs, by RaggedInput; null for those of a pool that is not there.
using RaggedPointers = std::array<const void *, RaggedInputCount>;

/// Refuses (MJ_ERROR_INVALID_ARGUMENT) what mj_session_run's comment forbids; the message names the input, the index
/// and the value. Allocates only to say so.
Status checkRaggedInputs(const RaggedLimits &limits, const RaggedPointers &inputs);

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_RAGGEDCHECK_H
