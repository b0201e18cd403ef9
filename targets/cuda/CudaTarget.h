// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// NVIDIA GPUs as targets: "cuda:sm_90a", "cuda:sm_110f", "cuda:sm_120f".
#ifndef MJOLNIR_TARGETS_CUDA_CUDATARGET_H
#define MJOLNIR_TARGETS_CUDA_CUDATARGET_H

namespace mjolnir::cuda {

/// Makes "cuda:CHIP" known to createTarget.
void registerCudaTarget();

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_CUDATARGET_H
