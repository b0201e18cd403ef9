// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A kernel as CUDA C++: the anchor from a template of targets/cuda/device, what is around it printed from the region.
#ifndef MJOLNIR_TARGETS_CUDA_KERNELSOURCE_H
#define MJOLNIR_TARGETS_CUDA_KERNELSOURCE_H

#include "targets/cuda/ElementPrinter.h"
#include "targets/cuda/Profiles.h"

#include "mjolnir/Dialect/Exec/ExecDialect.h"
#include "mjolnir/Dialect/Exec/KernelSignature.h"

namespace mjolnir::cuda {

/// A parameter of a kernel behind its pointers: a tensor map (`TensorMap` of device/tensor_map.cuh), through which bulk
/// tensor copies move boxes of a dense, row-major matrix of the operand's element type. Rows of a box are swizzled
/// within 128 bytes in shared memory; what lies outside the matrix is read as zeros.
struct TensorMap {
  int64_t operand; ///< in KernelContext::operands
  int64_t rows, columns;
  int64_t boxRows, boxColumns; ///< 1 to 256 each; a row is a multiple of 16 bytes, 128 at most
};

/// Source, and what a launch of it needs.
struct KernelSource {
  std::string text;
  int64_t threads = 0;
  int64_t sharedBytes = 0; ///< dynamic
  int64_t alignment = 128; ///< of dynamic shared memory
  int64_t cluster = 1;     ///< blocks that read each other's shared memory
  /// Blocks that a multiprocessor is to hold; 0 leaves the trade of registers against blocks to the assembler.
  int64_t blocks = 0;
  /// Whether warps take each other's registers, which are counted on what `threads` and `blocks` leave.
  bool dividesRegisters = false;
  /// Whether the next kernel may start only once this one has its inputs, not with it.
  bool letsNextStartLate = false;
  /// What multiplies f8 by f8 where that is not the chip's f8 tensor cores: "bf16 by mma.sync".
  std::string precision;
  llvm::SmallVector<TensorMap> tensorMaps; ///< named KernelContext::tensorMap(index)
};

/// The source of `kernel`, or an error on it. `pool` is what holds its KV pages, null if it takes none. `fewestBlocks`:
/// a multiprocessor need not hold more than one block, so that each thread has as many registers as it can.
llvm::FailureOr<KernelSource> printKernel(exec::KernelOp kernel, exec::KvPoolOp pool, const CudaProfile &profile,
                                          bool fewestBlocks = false);

/// What the printers of kernels share: the parameters, and the text so far.
struct KernelContext {
  exec::KernelOp kernel;
  exec::KvPoolOp pool;
  const CudaProfile &profile;
  llvm::SmallVector<exec::KernelOperand> operands;
  std::string beforeWait; ///< statements that touch nothing but weights and the caller's inputs
  std::string body;
  llvm::raw_string_ostream os{body};

  KernelContext(exec::KernelOp kernel, exec::KvPoolOp pool, const CudaProfile &profile);

  mlir::Block &block() { return kernel.getBody().front(); }
  int64_t parameter(llvm::StringRef name);
  /// The pointer of a tensor argument, of a field of the batch or of the sampling parameters, of a result, of the pool.
  std::string argument(mlir::Value value);
  std::string field(mj::BatchField field);
  std::string field(exec::SamplingField field);
  std::string result(unsigned index);
  std::string nameOf(const exec::KernelOperand &operand);
  /// The parameter of KernelSource::tensorMaps[index].
  std::string tensorMap(size_t index);
  /// Makes all tensor arguments leaves of `printer`.
  void setArguments(ElementPrinter &printer);
  /// Prints the stores of all appends of the region for row `row`: threads `thread`, `thread + threads`, ... over the
  /// elements of heads `heads` from `firstHead`.
  llvm::LogicalResult printAppends(ElementPrinter &printer, llvm::StringRef row, llvm::StringRef firstHead,
                                   int64_t heads, llvm::StringRef thread, int64_t threads);
};

/// Elements that a thread loads at a time, so that they are 16 bytes of the smallest type: 8 of bf16, 4 of f32.
int64_t countVectorElements(mlir::Block &block);
/// The declaration of an array for `width` elements of `type` while they are computed.
std::string declareVector(llvm::StringRef values, mlir::RankedTensorType type, int64_t width);

// One printer a schedule; each fills `context.body` with statements and says what a launch needs.
llvm::LogicalResult printPointwiseKernel(KernelContext &context, KernelSource &source);
llvm::LogicalResult printRowsKernel(KernelContext &context, KernelSource &source);
llvm::LogicalResult printLinesKernel(KernelContext &context, KernelSource &source);
llvm::LogicalResult printColumnsKernel(KernelContext &context, KernelSource &source);
llvm::LogicalResult printSmallMatmulKernel(KernelContext &context, KernelSource &source);
llvm::LogicalResult printStreamedMatmulKernel(KernelContext &context, KernelSource &source);
llvm::LogicalResult printLargeMatmulKernel(KernelContext &context, KernelSource &source);
llvm::LogicalResult printTensorMatmulKernel(KernelContext &context, KernelSource &source);
llvm::LogicalResult printDecodeAttentionKernel(KernelContext &context, KernelSource &source);
llvm::LogicalResult printPrefillAttentionKernel(KernelContext &context, KernelSource &source);
llvm::LogicalResult printBatchMatmulKernel(KernelContext &context, KernelSource &source);
llvm::LogicalResult printSdpaKernel(KernelContext &context, KernelSource &source);
llvm::LogicalResult printSampleKernel(KernelContext &context, KernelSource &source);

} // namespace mjolnir::cuda

#endif // MJOLNIR_TARGETS_CUDA_KERNELSOURCE_H
