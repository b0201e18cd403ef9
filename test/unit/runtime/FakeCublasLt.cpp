// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A stand-in for cuBLASLt (libcublasLt.so.13) beside the stand-in for the driver: what it is told of matrices, in the
// library's column-major terms, it computes on the host. It is strict where the library is: attributes have their
// sizes, matrices fit each other, an algorithm is one that it proposed. And stricter: the first call of an algorithm
// must not be captured, since that is when the library may load code.
//
// Environment: FAKE_CUBLASLT_VERSION ("130000"), FAKE_CUBLASLT_PROPOSALS (how many algorithms it proposes, "4"),
// FAKE_CUBLASLT_FASTEST (which of them takes a millisecond, "2"; the others take more), FAKE_CUBLASLT_REFUSE ("1":
// it refuses algorithms that it did not just propose), FAKE_CUBLASLT_FAIL (the name of a function that fails).
#include "cuda/CublasLtApi.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <set>

using namespace mjolnir::runtime::cuda;
using namespace mjolnir::runtime::cuda::lt;

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT bool fakeCudaHasContext();
EXPORT bool fakeCudaIsCapturing(Stream stream);
EXPORT void fakeCudaSubmit(Stream stream, const std::function<void()> &work, uint64_t milliseconds);

namespace mjolnir::runtime::cuda::lt {
struct HandleTag {};
struct MatmulDescTag {
  int32_t transA = OperationN, transB = OperationN;
  uint32_t epilogue = EpilogueDefault;
  const void *bias = nullptr, *scaleA = nullptr;
};
struct MatrixLayoutTag {
  int type;
  uint64_t rows, columns;
  int64_t leadingDimension;
};
struct PreferenceTag {
  uint64_t workspaceBytes = 0;
  uint32_t schemes = 7;
  uint32_t alignments[4] = {256, 256, 256, 256};
};
} // namespace mjolnir::runtime::cuda::lt

namespace {

constexpr uint64_t Magic = 0x6d6a6f6c6e697231;
constexpr size_t WorkspaceOfAlgorithm = 512;

struct Counts {
  int proposals = 0, matmuls = 0, objects = 0, lastAlgorithm = -1;
} counts;
std::set<uint64_t> loaded; // algorithms that ran outside a capture

size_t setting(const char *name, size_t fallback) {
  const char *text = getenv(name);
  return text ? strtoull(text, nullptr, 10) : fallback;
}

lt::Status enter(const char *function) {
  const char *failing = getenv("FAKE_CUBLASLT_FAIL");
  return failing && !strcmp(failing, function) ? 14 : fakeCudaHasContext() ? StatusSuccess : 1;
}

float fromE4m3(uint8_t bits) {
  const int exponent = (bits >> 3) & 15, mantissa = bits & 7;
  const float magnitude = exponent == 15 && mantissa == 7 ? NAN
                          : exponent                      ? std::ldexp(8.0f + float(mantissa), exponent - 10)
                                                          : std::ldexp(float(mantissa), -9);
  return bits & 0x80 ? -magnitude : magnitude;
}

/// IEEE binary16 of small finite numbers.
float fromHalf(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const float magnitude =
      exponent ? std::ldexp(float(1024 + mantissa), exponent - 25) : std::ldexp(float(mantissa), -24);
  return bits & 0x8000 ? -magnitude : magnitude;
}
uint16_t toHalf(float value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  exponent = value == 0 ? -13 : std::max(exponent, -13); // of the smallest normal number
  const int mantissa = int(std::nearbyint(std::ldexp(std::fabs(value), 11 - exponent))); // to even
  // What rounds up to the next power of two carries into the exponent; subnormal numbers have none.
  const int bits = mantissa + (mantissa >= 1024 || exponent > -13 ? (exponent + 14) << 10 : 1024) - 1024;
  return uint16_t(bits | (std::signbit(value) ? 0x8000 : 0));
}

float load(const void *data, int type, size_t index) {
  switch (type) {
  case R16F:
    return fromHalf(static_cast<const uint16_t *>(data)[index]);
  case R16BF: {
    uint32_t bits = uint32_t(static_cast<const uint16_t *>(data)[index]) << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
  }
  case R8F_E4M3:
    return fromE4m3(static_cast<const uint8_t *>(data)[index]);
  default:
    return static_cast<const float *>(data)[index];
  }
}

void store(void *data, int type, size_t index, float value) {
  if (type == R16F) {
    static_cast<uint16_t *>(data)[index] = toHalf(value);
  } else if (type == R16BF) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    static_cast<uint16_t *>(data)[index] = uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  } else {
    static_cast<float *>(data)[index] = value;
  }
}

/// One product, as cublasLtMatmul is documented to compute it; matrices are column-major.
struct Product {
  MatmulDescTag desc;
  MatrixLayoutTag a, b, c, d;
  float alpha, beta;
  const void *pointerA, *pointerB, *pointerC;
  void *pointerD;

  uint64_t rowsOf(const MatrixLayoutTag &matrix, int32_t operation) const {
    return operation == OperationT ? matrix.columns : matrix.rows;
  }
  uint64_t columnsOf(const MatrixLayoutTag &matrix, int32_t operation) const {
    return operation == OperationT ? matrix.rows : matrix.columns;
  }

  lt::Status check() const {
    for (const MatrixLayoutTag *matrix : {&a, &b, &c, &d})
      if (matrix->leadingDimension < int64_t(matrix->rows))
        return StatusInvalidValue;
    if (rowsOf(a, desc.transA) != d.rows || columnsOf(b, desc.transB) != d.columns ||
        columnsOf(a, desc.transA) != rowsOf(b, desc.transB) || c.rows != d.rows || c.columns != d.columns)
      return StatusInvalidValue;
    if (a.type != b.type || c.type != d.type)
      return StatusNotSupported;
    if (a.type == R8F_E4M3) {
      // "TN" alone, in multiples of 16.
      if (desc.transA != OperationT || desc.transB != OperationN || a.rows % 16 || d.rows % 16 || d.type != R16BF)
        return StatusNotSupported;
    } else if (desc.scaleA || (d.type != a.type && d.type != R32F)) {
      return StatusNotSupported;
    }
    return (desc.epilogue & EpilogueBias) && !desc.bias ? StatusInvalidValue : StatusSuccess;
  }

  float at(const void *data, const MatrixLayoutTag &matrix, int32_t operation, uint64_t row, uint64_t column) const {
    if (operation == OperationT)
      std::swap(row, column);
    return load(data, matrix.type, column * uint64_t(matrix.leadingDimension) + row);
  }

  void compute() const {
    const uint64_t inner = columnsOf(a, desc.transA);
    const float scale = desc.scaleA ? *static_cast<const float *>(desc.scaleA) : 1.0f;
    for (uint64_t column = 0; column < d.columns; ++column)
      for (uint64_t row = 0; row < d.rows; ++row) {
        float sum = 0;
        for (uint64_t i = 0; i < inner; ++i)
          sum += at(pointerA, a, desc.transA, row, i) * at(pointerB, b, desc.transB, i, column);
        float value = alpha * scale * sum;
        if (beta != 0)
          value += beta * at(pointerC, c, OperationN, row, column);
        if (desc.epilogue & EpilogueBias)
          value += load(desc.bias, d.type, row);
        if (desc.epilogue & EpilogueRelu)
          value = value > 0 ? value : 0;
        if (desc.epilogue & EpilogueGelu)
          value = 0.5f * value * (1 + std::tanh(0.7978845608f * (value + 0.044715f * value * value * value)));
        store(pointerD, d.type, column * uint64_t(d.leadingDimension) + row, value);
      }
  }
};

template <typename T, typename... Arguments> lt::Status make(const char *function, T **object, Arguments... arguments) {
  if (lt::Status status = enter(function))
    return status;
  ++counts.objects;
  *object = new T{arguments...};
  return StatusSuccess;
}

template <typename T> lt::Status destroyOne(T *object) {
  --counts.objects;
  delete object;
  return StatusSuccess;
}

template <typename T> lt::Status set(T &place, const void *value, size_t bytes) {
  if (!value || bytes != sizeof(place))
    return StatusInvalidValue;
  memcpy(&place, value, bytes);
  return StatusSuccess;
}

bool isOurs(const Algorithm &algorithm) {
  return algorithm.data[0] == Magic && algorithm.data[7] == ~algorithm.data[1];
}

} // namespace

/// {proposals, calls, objects that live, the algorithm of the last call}.
EXPORT const int *fakeCublasLtCounts() { return &counts.proposals; }

EXPORT size_t cublasLtGetVersion() { return setting("FAKE_CUBLASLT_VERSION", 130000); }
EXPORT lt::Status cublasLtCreate(Handle *handle) { return make("cublasLtCreate", handle); }
EXPORT lt::Status cublasLtDestroy(Handle handle) { return destroyOne(handle); }
EXPORT lt::Status cublasLtMatmulDescCreate(MatmulDesc *desc, int computeType, int scaleType) {
  return computeType == Compute32F && scaleType == R32F ? make("cublasLtMatmulDescCreate", desc) : StatusInvalidValue;
}
EXPORT lt::Status cublasLtMatmulDescDestroy(MatmulDesc desc) { return destroyOne(desc); }
EXPORT lt::Status cublasLtMatmulDescSetAttribute(MatmulDesc desc, int attribute, const void *value, size_t bytes) {
  switch (attribute) {
  case MatmulDescTransA:
    return set(desc->transA, value, bytes);
  case MatmulDescTransB:
    return set(desc->transB, value, bytes);
  case MatmulDescEpilogue:
    return set(desc->epilogue, value, bytes);
  case MatmulDescBiasPointer:
    return set(desc->bias, value, bytes);
  case MatmulDescAScalePointer:
    return set(desc->scaleA, value, bytes);
  }
  return StatusInvalidValue;
}
EXPORT lt::Status cublasLtMatrixLayoutCreate(MatrixLayout *layout, int type, uint64_t rows, uint64_t columns,
                                             int64_t leadingDimension) {
  return make("cublasLtMatrixLayoutCreate", layout, type, rows, columns, leadingDimension);
}
EXPORT lt::Status cublasLtMatrixLayoutDestroy(MatrixLayout layout) { return destroyOne(layout); }
EXPORT lt::Status cublasLtMatmulPreferenceCreate(Preference *preference) {
  return make("cublasLtMatmulPreferenceCreate", preference);
}
EXPORT lt::Status cublasLtMatmulPreferenceDestroy(Preference preference) { return destroyOne(preference); }
EXPORT lt::Status cublasLtMatmulPreferenceSetAttribute(Preference preference, int attribute, const void *value,
                                                       size_t bytes) {
  if (attribute == PreferenceMaxWorkspaceBytes)
    return set(preference->workspaceBytes, value, bytes);
  if (attribute == PreferenceReductionSchemeMask)
    return set(preference->schemes, value, bytes);
  if (attribute >= PreferenceMinAlignmentA && attribute < PreferenceMinAlignmentA + 4)
    return set(preference->alignments[attribute - PreferenceMinAlignmentA], value, bytes);
  return StatusInvalidValue;
}

EXPORT lt::Status cublasLtMatmulAlgoGetHeuristic(Handle, MatmulDesc desc, MatrixLayout a, MatrixLayout b,
                                                 MatrixLayout c, MatrixLayout d, Preference preference, int wanted,
                                                 HeuristicResult *results, int *count) {
  if (lt::Status status = enter("cublasLtMatmulAlgoGetHeuristic"))
    return status;
  if (lt::Status status = Product{*desc, *a, *b, *c, *d, 1, 0, nullptr, nullptr, nullptr, nullptr}.check())
    return status;
  ++counts.proposals;
  *count = std::min(wanted, int(setting("FAKE_CUBLASLT_PROPOSALS", 4)));
  for (int i = 0; i < *count; ++i) {
    // The last one asks for more memory than it may have: the state says so.
    const bool fits = WorkspaceOfAlgorithm <= preference->workspaceBytes;
    results[i] = {{{Magic, uint64_t(i), 0, 0, 0, 0, 0, ~uint64_t(i)}},
                  WorkspaceOfAlgorithm,
                  fits && preference->schemes == ReductionComputeType ? StatusSuccess : StatusNotSupported,
                  1.0f,
                  {}};
  }
  return *count ? StatusSuccess : StatusNotSupported;
}

EXPORT lt::Status cublasLtMatmulAlgoCheck(Handle, MatmulDesc desc, MatrixLayout a, MatrixLayout b, MatrixLayout c,
                                          MatrixLayout d, const Algorithm *algorithm, HeuristicResult *result) {
  if (lt::Status status = enter("cublasLtMatmulAlgoCheck"))
    return status;
  if (lt::Status status = Product{*desc, *a, *b, *c, *d, 1, 0, nullptr, nullptr, nullptr, nullptr}.check())
    return status;
  if (!isOurs(*algorithm) || setting("FAKE_CUBLASLT_REFUSE", 0))
    return StatusNotSupported;
  result->workspaceBytes = WorkspaceOfAlgorithm;
  result->state = StatusSuccess;
  return StatusSuccess;
}

EXPORT lt::Status cublasLtMatmul(Handle, MatmulDesc desc, const void *alpha, const void *a, MatrixLayout layoutA,
                                 const void *b, MatrixLayout layoutB, const void *beta, const void *c,
                                 MatrixLayout layoutC, void *d, MatrixLayout layoutD, const Algorithm *algorithm,
                                 void *workspace, size_t workspaceBytes, Stream stream) {
  if (lt::Status status = enter("cublasLtMatmul"))
    return status;
  const Product product{*desc,
                        *layoutA,
                        *layoutB,
                        *layoutC,
                        *layoutD,
                        *static_cast<const float *>(alpha),
                        *static_cast<const float *>(beta),
                        a,
                        b,
                        c,
                        d};
  if (lt::Status status = product.check())
    return status;
  for (const void *pointer : {a, b, c, static_cast<const void *>(d)})
    if (!pointer || reinterpret_cast<uintptr_t>(pointer) % 16 != 0)
      return StatusInvalidValue;
  if (!isOurs(*algorithm) || !workspace || reinterpret_cast<uintptr_t>(workspace) % 256 != 0 ||
      workspaceBytes < WorkspaceOfAlgorithm)
    return StatusInvalidValue;
  const uint64_t number = algorithm->data[1];
  if (fakeCudaIsCapturing(stream) && !loaded.count(number))
    return 13;
  loaded.insert(number);
  ++counts.matmuls;
  counts.lastAlgorithm = int(number);
  const uint64_t milliseconds = number == setting("FAKE_CUBLASLT_FASTEST", 2) ? 1 : 3 + number;
  fakeCudaSubmit(
      stream,
      [product, workspace] {
        memset(workspace, 0x5a, WorkspaceOfAlgorithm);
        product.compute();
      },
      milliseconds);
  return StatusSuccess;
}
