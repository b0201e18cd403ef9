// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The part of cuBLASLt's interface that the runtime uses, declared here so that building it needs no toolkit. Names,
// values and layouts are those of the ABI as documented in the cuBLAS Library reference (CUDA 12 and 13).
#ifndef MJOLNIR_RUNTIME_CUDA_CUBLASLTAPI_H
#define MJOLNIR_RUNTIME_CUDA_CUBLASLTAPI_H

#include "DriverApi.h"

namespace mjolnir::runtime::cuda::lt {

using Status = int; ///< cublasStatus_t
inline constexpr Status StatusSuccess = 0, StatusInvalidValue = 7, StatusNotSupported = 15;

using Handle = struct HandleTag *;
using MatmulDesc = struct MatmulDescTag *;
using MatrixLayout = struct MatrixLayoutTag *;
using Preference = struct PreferenceTag *;

/// cudaDataType_t.
enum DataType : int { R32F = 0, R16F = 2, R16BF = 14, R8F_E4M3 = 28 };
/// cublasComputeType_t: products and sums in f32, no TF32.
enum ComputeType : int { Compute32F = 68 };
/// cublasOperation_t.
enum Operation : int32_t { OperationN = 0, OperationT = 1 };
/// cublasLtEpilogue_t. GELU is the approximation by tanh.
enum Epilogue : uint32_t { EpilogueDefault = 1, EpilogueRelu = 2, EpilogueBias = 4, EpilogueGelu = 32 };
/// cublasLtReductionScheme_t: of parts of K, in the compute type.
enum ReductionScheme : uint32_t { ReductionComputeType = 2 };

/// cublasLtMatmulDescAttributes_t, with the types of the values.
enum MatmulDescAttribute : int {
  MatmulDescTransA = 3,         ///< int32_t
  MatmulDescTransB = 4,         ///< int32_t
  MatmulDescEpilogue = 7,       ///< uint32_t
  MatmulDescBiasPointer = 8,    ///< const void *
  MatmulDescAScalePointer = 17, ///< const void *, an f32
};

/// cublasLtMatmulPreferenceAttributes_t.
enum PreferenceAttribute : int {
  PreferenceMaxWorkspaceBytes = 1,   ///< uint64_t
  PreferenceReductionSchemeMask = 3, ///< uint32_t
  PreferenceMinAlignmentA = 5,       ///< uint32_t; then B, C and D
};

/// cublasLtMatmulAlgo_t: opaque, and the same in every process that has the same version of the library.
struct Algorithm {
  uint64_t data[8];
};

/// cublasLtMatmulHeuristicResult_t.
struct HeuristicResult {
  Algorithm algorithm;
  size_t workspaceBytes;
  Status state;
  float waves;
  int reserved[4];
};
static_assert(sizeof(HeuristicResult) == 96, "cublasLtMatmulHeuristicResult_t");

// As MJOLNIR_CUDA_FUNCTIONS; all return a Status.
#define MJOLNIR_CUBLASLT_FUNCTIONS(X)                                                                                  \
  X(create, "cublasLtCreate", (Handle * handle))                                                                       \
  X(destroy, "cublasLtDestroy", (Handle handle))                                                                       \
  X(matmulDescCreate, "cublasLtMatmulDescCreate", (MatmulDesc * desc, int computeType, int scaleType))                 \
  X(matmulDescDestroy, "cublasLtMatmulDescDestroy", (MatmulDesc desc))                                                 \
  X(matmulDescSetAttribute, "cublasLtMatmulDescSetAttribute",                                                          \
    (MatmulDesc desc, int attribute, const void *value, size_t bytes))                                                 \
  X(matrixLayoutCreate, "cublasLtMatrixLayoutCreate",                                                                  \
    (MatrixLayout * layout, int type, uint64_t rows, uint64_t columns, int64_t leadingDimension))                      \
  X(matrixLayoutDestroy, "cublasLtMatrixLayoutDestroy", (MatrixLayout layout))                                         \
  X(preferenceCreate, "cublasLtMatmulPreferenceCreate", (Preference * preference))                                     \
  X(preferenceDestroy, "cublasLtMatmulPreferenceDestroy", (Preference preference))                                     \
  X(preferenceSetAttribute, "cublasLtMatmulPreferenceSetAttribute",                                                    \
    (Preference preference, int attribute, const void *value, size_t bytes))                                           \
  X(getHeuristic, "cublasLtMatmulAlgoGetHeuristic",                                                                    \
    (Handle handle, MatmulDesc desc, MatrixLayout a, MatrixLayout b, MatrixLayout c, MatrixLayout d,                   \
     Preference preference, int wanted, HeuristicResult *results, int *count))                                         \
  X(checkAlgorithm, "cublasLtMatmulAlgoCheck",                                                                         \
    (Handle handle, MatmulDesc desc, MatrixLayout a, MatrixLayout b, MatrixLayout c, MatrixLayout d,                   \
     const Algorithm *algorithm, HeuristicResult *result))                                                             \
  X(matmul, "cublasLtMatmul",                                                                                          \
    (Handle handle, MatmulDesc desc, const void *alpha, const void *a, MatrixLayout layoutA, const void *b,            \
     MatrixLayout layoutB, const void *beta, const void *c, MatrixLayout layoutC, void *d, MatrixLayout layoutD,       \
     const Algorithm *algorithm, void *workspace, size_t workspaceBytes, Stream stream))

struct Functions {
#define MJOLNIR_CUBLASLT_DECLARE(name, symbol, parameters) Status(*name) parameters = nullptr;
  MJOLNIR_CUBLASLT_FUNCTIONS(MJOLNIR_CUBLASLT_DECLARE)
#undef MJOLNIR_CUBLASLT_DECLARE
};

} // namespace mjolnir::runtime::cuda::lt

#endif // MJOLNIR_RUNTIME_CUDA_CUBLASLTAPI_H
