// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// How long kernels take on a GPU.
#ifndef MJOLNIR_TARGETS_CUDA_PREDICTIONS_H
#define MJOLNIR_TARGETS_CUDA_PREDICTIONS_H

#include "mjolnir/Dialect/Mj/MjDialect.h"
#include "mjolnir/Target/Cost.h"
#include "targets/cuda/Profiles.h"

namespace mjolnir::cuda {

/// As Target::predictLaunch: each class of kernel as it works, with the constants of the profile. docs/report.md has
/// the formulas.
Prediction predictLaunch(mj::ScheduleAttr schedule, mlir::Block &body, const KernelCost &cost,
                         const CudaProfile &profile);

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_PREDICTIONS_H
