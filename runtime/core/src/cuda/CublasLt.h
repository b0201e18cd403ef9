// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// cuBLASLt, opened when a package calls it, and its products ready to be called.
#ifndef MJOLNIR_RUNTIME_CUDA_CUBLASLT_H
#define MJOLNIR_RUNTIME_CUDA_CUBLASLT_H

#include "../SessionPlan.h"
#include "../Status.h"
#include "CublasLtApi.h"
#include "Driver.h"

#include <memory>
#include <string>

namespace mjolnir::runtime::cuda {

/// The library with a handle for one context. The file stays loaded until the process ends.
class CublasLt : public lt::Functions {
public:
  ~CublasLt();
  CublasLt(const CublasLt &) = delete;
  CublasLt &operator=(const CublasLt &) = delete;

  /// Opens the file that MJOLNIR_CUBLASLT names, else the one of CUDA 13, else that of CUDA 12. MJ_ERROR_UNSUPPORTED
  /// says what to do where there is none that works here. The context must be current.
  static Status open(std::unique_ptr<CublasLt> &library);

  lt::Handle handle() const { return handle_; }
  size_t version() const { return version_; }
  /// Success, or a failure that names the status and what was being done.
  template <typename... Parts> Status check(lt::Status status, const Parts &...doing) const {
    return status == lt::StatusSuccess ? Status::ok() : describe(status, concat(doing...));
  }

private:
  CublasLt() = default;
  /// Empty, or why `file` cannot be used.
  std::string load(const char *file);
  Status describe(lt::Status status, const std::string &doing) const;

  lt::Handle handle_ = nullptr;
  size_t version_ = 0;
};

/// Bytes that an algorithm for the call may use beside its operands.
uint64_t workspaceOf(const fb::MatmulCall &call);

/// A product that the library computes: its description, and the algorithm once it is chosen. In column-major terms,
/// which are the library's, the result is the transpose of ours: D[n, m] = op(A) B, A the weight, B x, C the residual.
class LtMatmul {
public:
  LtMatmul(const CublasLt &library, const fb::MatmulCall &call) : library_(library), call_(call) {}
  ~LtMatmul();
  LtMatmul(const LtMatmul &) = delete;
  LtMatmul &operator=(const LtMatmul &) = delete;

  /// What algorithms depend on, one line: calls of equal keys are one problem.
  static std::string keyOf(const fb::MatmulCall &call);

  /// Describes the product of `operands`, as CallOperand counts them, to the library.
  Status describe(void *const *operands);
  /// Whether the library runs `algorithm` for this product within its workspace; then it is the one.
  bool accept(const lt::Algorithm &algorithm);
  /// The algorithms that the library proposes, the one that it likes best first, `capacity` of them at most.
  Status propose(lt::HeuristicResult *results, int capacity, int &count) const;

  /// Gives the stream `call`, whose key is this product's, over `operands`.
  Status enqueue(const fb::MatmulCall &call, void *const *operands, Stream stream);
  void use(const lt::Algorithm &algorithm) { algorithm_ = algorithm; }
  const lt::Algorithm &algorithm() const { return algorithm_; }
  std::string name() const;

private:
  Status place(void *const *operands);

  const CublasLt &library_;
  const fb::MatmulCall &call_; // of the package, the first with its key
  lt::MatmulDesc desc_ = nullptr;
  lt::MatrixLayout a_ = nullptr, b_ = nullptr, d_ = nullptr; // C has the layout of D
  lt::Algorithm algorithm_ = {};
};

} // namespace mjolnir::runtime::cuda

#endif // MJOLNIR_RUNTIME_CUDA_CUBLASLT_H
