// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Finding cuBLASLt, and describing products to it.
#include "CublasLt.h"

#include <cstdlib>
#include <dlfcn.h>

namespace mjolnir::runtime::cuda {

//===----------------------------------------------------------------------===//
// CublasLt
//===----------------------------------------------------------------------===//

CublasLt::~CublasLt() {
  if (handle_)
    destroy(handle_);
}

Status CublasLt::open(std::unique_ptr<CublasLt> &result) {
  const char *named = getenv("MJOLNIR_CUBLASLT");
  std::string reasons;
  for (const char *file : {named, "libcublasLt.so.13", "libcublasLt.so.12"}) {
    // Who names a file wants that one.
    if (!file || (named && file != named))
      continue;
    std::unique_ptr<CublasLt> library(new CublasLt);
    const std::string reason = library->load(file);
    if (reason.empty()) {
      result = std::move(library);
      return Status::ok();
    }
    reasons += (reasons.empty() ? "" : "; ") + reason;
  }
  return failure(MJ_ERROR_UNSUPPORTED, "the package calls NVIDIA's cuBLASLt, which cannot be used (", reasons,
                 "); put libcublasLt.so.13 or .12 where the loader finds it (the CUDA toolkit has it, and the Python "
                 "package nvidia-cublas), name the file in MJOLNIR_CUBLASLT, or compile the model with "
                 "--libraries=none");
}

std::string CublasLt::load(const char *file) {
  void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = dlerror();
    return reason ? reason : std::string(file) + ": it cannot be loaded";
  }
  auto find = [&](const char *symbol, auto &function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, symbol));
    return function != nullptr;
  };
#define MJOLNIR_CUBLASLT_FIND(name, symbol, parameters)                                                                \
  if (!find(symbol, name))                                                                                             \
    return std::string(file) + ": it has no " + symbol;
  MJOLNIR_CUBLASLT_FUNCTIONS(MJOLNIR_CUBLASLT_FIND)
#undef MJOLNIR_CUBLASLT_FIND
  size_t (*getVersion)() = nullptr;
  if (!find("cublasLtGetVersion", getVersion))
    return std::string(file) + ": it has no cublasLtGetVersion";
  version_ = getVersion();
  // Fails where the driver is older than the library needs.
  if (Status status = check(create(&handle_), file, ": starting it"))
    return handle_ = nullptr, status.message();
  return "";
}

Status CublasLt::describe(lt::Status status, const std::string &doing) const {
  const std::pair<lt::Status, const char *> names[] = {
      {1, "CUBLAS_STATUS_NOT_INITIALIZED"}, {3, "CUBLAS_STATUS_ALLOC_FAILED"},   {7, "CUBLAS_STATUS_INVALID_VALUE"},
      {8, "CUBLAS_STATUS_ARCH_MISMATCH"},   {11, "CUBLAS_STATUS_MAPPING_ERROR"}, {13, "CUBLAS_STATUS_EXECUTION_FAILED"},
      {14, "CUBLAS_STATUS_INTERNAL_ERROR"}, {15, "CUBLAS_STATUS_NOT_SUPPORTED"}};
  const char *name = "an unknown status";
  for (auto [number, text] : names)
    if (number == status)
      name = text;
  return failure(MJ_ERROR_INTERNAL, doing, ": ", name, " (", status, ")");
}

//===----------------------------------------------------------------------===//
// LtMatmul
//===----------------------------------------------------------------------===//

namespace {

lt::DataType toDataType(fb::DType type) {
  switch (type) {
  case fb::DType::f16:
    return lt::R16F;
  case fb::DType::bf16:
    return lt::R16BF;
  case fb::DType::f8e4m3fn:
    return lt::R8F_E4M3;
  default: // the verifier lets no other through
    return lt::R32F;
  }
}

/// What the address of an operand is a multiple of, whatever the run: a caller's tensor promises less than our memory.
uint32_t alignmentOf(const fb::Operand &operand) {
  const bool isCallers = operand.space() == fb::Space::input || operand.space() == fb::Space::output;
  return isCallers ? 16 : 64;
}

/// The operand that C is: where nothing is added the library is given the result, and reads none of it.
const fb::Operand &sourceOfC(const fb::MatmulCall &call) { return call.residual() ? *call.residual() : *call.result(); }

} // namespace

uint64_t workspaceOf(const fb::MatmulCall &call) { return call.workspace() ? call.workspace()->bytes() : 0; }

LtMatmul::~LtMatmul() {
  for (lt::MatrixLayout layout : {a_, b_, d_})
    if (layout)
      library_.matrixLayoutDestroy(layout);
  if (desc_)
    library_.matmulDescDestroy(desc_);
}

std::string LtMatmul::name() const {
  return concat("a product of ", call_.m(), " x ", call_.k(), " by ", call_.k(), " x ", call_.n(), " in ",
                fb::EnumNameDType(call_.x_dtype()));
}

std::string LtMatmul::keyOf(const fb::MatmulCall &call) {
  std::string key = concat(call.m(), "x", call.n(), "x", call.k(), " ", fb::EnumNameDType(call.x_dtype()), " ",
                           fb::EnumNameDType(call.result_dtype()), call.weight_transposed() ? " transposed" : "");
  if (call.activation() != fb::Activation::none)
    key += std::string(" ") + fb::EnumNameActivation(call.activation());
  for (auto [operand, name] :
       {std::pair(call.weight_scale(), " scale"), {call.bias(), " bias"}, {call.residual(), " residual"}})
    key += operand ? name : "";
  key += " aligned";
  for (const fb::Operand *operand : {call.weight(), call.x(), &sourceOfC(call), call.result()})
    key += concat(" ", alignmentOf(*operand));
  return key + concat(" workspace ", workspaceOf(call));
}

Status LtMatmul::describe(void *const *operands) {
  const lt::DataType type = toDataType(call_.x_dtype()), resultType = toDataType(call_.result_dtype());
  const uint64_t m = call_.m(), n = call_.n(), k = call_.k();
  const bool isTransposed = call_.weight_transposed();
  uint32_t epilogue = call_.activation() == fb::Activation::relu        ? lt::EpilogueRelu
                      : call_.activation() == fb::Activation::gelu_tanh ? lt::EpilogueGelu
                                                                        : 0;
  epilogue |= call_.bias() ? lt::EpilogueBias : 0;
  if (epilogue == 0)
    epilogue = lt::EpilogueDefault;
  auto check = [&](lt::Status status) { return library_.check(status, "describing ", name(), " to cuBLASLt"); };
  if (Status status = check(library_.matmulDescCreate(&desc_, lt::Compute32F, lt::R32F)))
    return status;
  // Rows of ours are its columns: a weight of [n, k] is k x n to it.
  const int32_t transA = isTransposed ? lt::OperationT : lt::OperationN, transB = lt::OperationN;
  for (auto [attribute, value] : {std::pair<int, const void *>(lt::MatmulDescTransA, &transA),
                                  {lt::MatmulDescTransB, &transB},
                                  {lt::MatmulDescEpilogue, &epilogue}})
    if (Status status = check(library_.matmulDescSetAttribute(desc_, attribute, value, 4)))
      return status;
  const uint64_t rowsA = isTransposed ? k : n, columnsA = isTransposed ? n : k;
  if (Status status = check(library_.matrixLayoutCreate(&a_, type, rowsA, columnsA, static_cast<int64_t>(rowsA))))
    return status;
  if (Status status = check(library_.matrixLayoutCreate(&b_, type, k, m, static_cast<int64_t>(k))))
    return status;
  if (Status status = check(library_.matrixLayoutCreate(&d_, resultType, n, m, static_cast<int64_t>(n))))
    return status;
  return place(operands);
}

/// Puts the addresses that are part of the description into it.
Status LtMatmul::place(void *const *operands) {
  const std::pair<int, const void *> pointers[] = {{lt::MatmulDescBiasPointer, operands[CallBias]},
                                                   {lt::MatmulDescAScalePointer, operands[CallWeightScale]}};
  for (const auto &[attribute, pointer] : pointers)
    if (pointer)
      if (Status status = library_.check(library_.matmulDescSetAttribute(desc_, attribute, &pointer, sizeof(pointer)),
                                         "describing ", name(), " to cuBLASLt"))
        return status;
  return Status::ok();
}

bool LtMatmul::accept(const lt::Algorithm &algorithm) {
  lt::HeuristicResult result = {};
  if (library_.checkAlgorithm(library_.handle(), desc_, a_, b_, d_, d_, &algorithm, &result) != lt::StatusSuccess ||
      result.workspaceBytes > workspaceOf(call_))
    return false;
  algorithm_ = algorithm;
  return true;
}

Status LtMatmul::propose(lt::HeuristicResult *results, int capacity, int &count) const {
  lt::Preference preference = nullptr;
  auto check = [&](lt::Status status) { return library_.check(status, "asking cuBLASLt for ", name()); };
  if (Status status = check(library_.preferenceCreate(&preference)))
    return status;
  const uint64_t workspace = workspaceOf(call_);
  const uint32_t schemes = lt::ReductionComputeType;
  Status status = check(
      library_.preferenceSetAttribute(preference, lt::PreferenceMaxWorkspaceBytes, &workspace, sizeof(workspace)));
  if (!status)
    status = check(
        library_.preferenceSetAttribute(preference, lt::PreferenceReductionSchemeMask, &schemes, sizeof(schemes)));
  int attribute = lt::PreferenceMinAlignmentA;
  for (const fb::Operand *operand : {call_.weight(), call_.x(), &sourceOfC(call_), call_.result()}) {
    const uint32_t alignment = alignmentOf(*operand);
    if (!status)
      status = check(library_.preferenceSetAttribute(preference, attribute, &alignment, sizeof(alignment)));
    ++attribute;
  }
  count = 0;
  if (!status) {
    // That it knows none is no failure yet.
    lt::Status answer =
        library_.getHeuristic(library_.handle(), desc_, a_, b_, d_, d_, preference, capacity, results, &count);
    if (answer == lt::StatusNotSupported)
      count = 0;
    else
      status = check(answer);
  }
  library_.preferenceDestroy(preference);
  return status;
}

Status LtMatmul::enqueue(const fb::MatmulCall &call, void *const *operands, Stream stream) {
  constexpr uintptr_t Alignment = 16;
  for (CallOperand index : {CallX, CallWeight, CallResult, CallBias, CallResidual})
    if (reinterpret_cast<uintptr_t>(operands[index]) % Alignment != 0)
      return failure(MJ_ERROR_INVALID_ARGUMENT, "cuBLASLt is given a tensor at an address that is no multiple of ",
                     Alignment, "; tensors on the device must begin at one");
  if (Status status = place(operands))
    return status;
  const float alpha = call.alpha(), beta = call.residual() ? 1.0f : 0.0f;
  void *c = call.residual() ? operands[CallResidual] : operands[CallResult];
  return library_.check(library_.matmul(library_.handle(), desc_, &alpha, operands[CallWeight], a_, operands[CallX], b_,
                                        &beta, c, d_, operands[CallResult], d_, &algorithm_, operands[CallWorkspace],
                                        workspaceOf(call), stream),
                        "calling cuBLASLt for ", name());
}

} // namespace mjolnir::runtime::cuda
