// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What headers take of targets/cuda/device/async.cuh, for a block that is no part of a cluster.
#pragma once
#include "tensor_cores.cuh"

inline void syncCluster() { std::abort(); }
inline float loadRemote(const float *, int) { std::abort(); }
inline float4 loadRemoteFour(const float *, int) { std::abort(); }
