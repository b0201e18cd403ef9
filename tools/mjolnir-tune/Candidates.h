// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Programs that differ in the schedule of one kind of region.
#ifndef MJOLNIR_TOOLS_TUNE_CANDIDATES_H
#define MJOLNIR_TOOLS_TUNE_CANDIDATES_H

#include "mjolnir/Target/Target.h"

#include "mlir/IR/BuiltinOps.h"

namespace mjolnir::tune {

struct Counts {
  size_t regions = 0, candidates = 0;
};

/// Adds to a module in phase schedule, for each region and each schedule that the target lists for it, a copy of the
/// region's entry in which all equal regions have that schedule: 'decode_b1.7' is the seventh of decode_b1. Regions
/// that are equal in several entries are tried in the first of them. Returns the index of what there is to compare, as
/// docs/tuning.md says, or fails with a diagnostic where there is nothing.
llvm::FailureOr<std::string> addCandidates(mlir::ModuleOp module, const Target &target, Counts &counts);

} // namespace mjolnir::tune

#endif // MJOLNIR_TOOLS_TUNE_CANDIDATES_H
