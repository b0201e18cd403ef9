// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a region may be, whatever the target: form-fusions makes such regions, verify-phase checks them.
#ifndef MJOLNIR_PASSES_FUSION_REGIONRULES_H
#define MJOLNIR_PASSES_FUSION_REGIONRULES_H

#include "mjolnir/Dialect/Mj/MjDialect.h"

namespace mjolnir::fusion {

/// The rows that `op` works on one by one: the leading size of its result, or of the keys that it appends; nullopt of
/// constants and of what has no rows.
std::optional<int64_t> rowsOf(mlir::Operation *op);

/// Whether attention over `batch` may share a region with the append of this step's rows: each sequence has one row at
/// most, so that who reads a row from the cache is who appends it.
bool mayAppendAndAttend(mj::BatchType batch);

/// Why the operations of `body` cannot be one kernel; empty if they can.
std::string whyNotRegion(mlir::Block &body);

} // namespace mjolnir::fusion

#endif // MJOLNIR_PASSES_FUSION_REGIONRULES_H
