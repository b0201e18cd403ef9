// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Regions that cuBLASLt computes: one matmul of many rows by a weight with what its epilogues can do.
#ifndef MJOLNIR_TARGETS_CUDA_LIBRARYMATMUL_H
#define MJOLNIR_TARGETS_CUDA_LIBRARYMATMUL_H

#include "targets/cuda/Schedules.h"

#include "mjolnir/Dialect/Exec/ExecDialect.h"

namespace mjolnir::cuda {

/// The name of the library, and of the schedule of the regions that are its calls: `workspace` bytes of memory that it
/// may use within one.
inline constexpr llvm::StringLiteral kCublasLt = "cublaslt";

/// As Target::chooseLibrary.
mj::ScheduleAttr chooseCublasLt(mj::FusionOp fusion, const CudaProfile &profile, std::string &reason);

/// The call of a region that chooseCublasLt accepts.
exec::LibraryMatmulAttr describeCublasLtCall(mlir::Block &body);

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_LIBRARYMATMUL_H
