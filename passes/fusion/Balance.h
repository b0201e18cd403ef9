// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What a join gains and costs; part of form-fusions.
#ifndef MJOLNIR_PASSES_FUSION_BALANCE_H
#define MJOLNIR_PASSES_FUSION_BALANCE_H

#include "mjolnir/Target/Profile.h"
#include "passes/fusion/Plan.h"

namespace mjolnir::fusion {

/// Bytes that a region moves between memory and itself: what it reads, each value once, and what others need of it.
/// Reshapes alone move nothing. Keys and values of the cache count as read by attention (see CostOptions).
int64_t bytesOf(const FusionPlan &plan, FusionPlan::Id region);

/// The part of it that is read.
int64_t bytesReadBy(llvm::ArrayRef<mlir::Operation *> ops);

/// Operations on elements that `ops` compute, in f32.
double flopsOf(llvm::ArrayRef<mlir::Operation *> ops);

/// Bytes of a tensor; 0 of what is none.
int64_t bytesOf(mlir::Value value);

/// What changes when regions become one, or operations are repeated in several.
struct Balance {
  int64_t bytesBefore = 0;
  int64_t bytesAfter = 0;
  /// Work that is done again, in all thread blocks (or cores) together.
  double flopsRepeated = 0;
  int64_t launchesSaved = 0;

  /// Seconds won on a chip, below zero if it loses. Bytes at copy bandwidth, a launch each, repeated work at the rate
  /// of the vector units: what is repeated in every block of a grid keeps all of them busy for it.
  double secondsSaved(const Profile &profile) const;

  /// "saves 2.1 MB of 4.2 MB and 1 launch, repeats 0.3 MFLOP".
  std::string text() const;
};

} // namespace mjolnir::fusion

#endif // MJOLNIR_PASSES_FUSION_BALANCE_H
