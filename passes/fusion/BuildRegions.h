// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// From a plan to mj.fusion; part of form-fusions.
#ifndef MJOLNIR_PASSES_FUSION_BUILDREGIONS_H
#define MJOLNIR_PASSES_FUSION_BUILDREGIONS_H

#include "passes/fusion/Plan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mjolnir::fusion {

/// Replaces the operations of `block` by the regions of `plan`, in its order. Regions that hold reshapes alone stay as
/// they are: the same memory. Constants that leave the entry get a region.
void buildRegions(mlir::Block &block, const FusionPlan &plan);

} // namespace mjolnir::fusion

#endif // MJOLNIR_PASSES_FUSION_BUILDREGIONS_H
