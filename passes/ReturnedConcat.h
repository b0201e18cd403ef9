// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Concatenations that are places in a result of the entry and no work.
#ifndef MJOLNIR_PASSES_RETURNEDCONCAT_H
#define MJOLNIR_PASSES_RETURNEDCONCAT_H

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include <string>

namespace mjolnir {

/// Where the parts of a result begin: what kernels write starts at a multiple of this many bytes.
inline constexpr int64_t kPartAlignment = 64;

/// Why the sources of `concat`, of which some are arguments of the entry, cannot be put where they go in its result; ""
/// if they can: they lie there one after the other, each from a multiple of kPartAlignment on.
std::string whyNoParts(mj::ConcatOp concat);

/// Whether `op` is an mj.concat of arguments and what is computed, that the entry returns and nothing else reads, and
/// whose sources can be put where they go, in an output: it needs no kernel. What is computed is written there;
/// arguments are copied, unless the caller's memory for the result is where the argument lies.
bool isReturnedInPlace(mlir::Operation *op);

/// The argument whose elements `value` shows in their order, null if there is none.
mlir::BlockArgument argumentBehind(mlir::Value value);

} // namespace mjolnir

#endif // MJOLNIR_PASSES_RETURNEDCONCAT_H
