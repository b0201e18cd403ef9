// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The buffers that a kernel takes: how the values of a region's signature become the operands of a launch.
#ifndef MJOLNIR_DIALECT_EXEC_KERNELSIGNATURE_H
#define MJOLNIR_DIALECT_EXEC_KERNELSIGNATURE_H

#include "mjolnir/Dialect/Exec/ExecDialect.h"

#include "mlir/IR/Block.h"

namespace mjolnir::exec {

enum class SamplingField { temperature, top_k, top_p, seeds };
inline constexpr int kSamplingFields = 4;

/// The name of a sampling field in an entry's inputs.
llvm::StringRef stringifySamplingField(SamplingField field);
/// `tensor<B x element>` of a sampling field.
mlir::RankedTensorType getSamplingFieldType(mj::SamplingType type, SamplingField field);

/// One buffer of a launch.
struct KernelOperand {
  enum Kind {
    tensor,   ///< the body's argument `index`
    batch,    ///< a field of the batch that is argument `index`
    sampling, ///< a field of the sampling parameters that are argument `index`
    pool,     ///< the layer of the KV cache that is argument `index`
    result,   ///< the tensor result `index` of the body
  };
  Kind kind;
  unsigned index;
  mj::BatchField batchField = {};
  SamplingField samplingField = {};
  mlir::RankedTensorType type; ///< null for a pool
  Access access = Access::read;
};

/// The operands of a launch of `body` (of an mj.fusion or exec.kernel), in order: its arguments, each batch expanded to the
/// fields that the body reads, sampling parameters to all theirs; then the tensor results. Results of cache type are the
/// pool that came in.
llvm::SmallVector<KernelOperand> getKernelOperands(mlir::Block &body);

/// The fields of the batch that `op` reads.
llvm::SmallVector<mj::BatchField> getBatchFields(mlir::Operation *op);

/// What a launch stores in one of its buffers: `operand` of the launch holds the value that `label-values` called `name`.
struct StoredValue {
  int64_t operand;
  llvm::StringRef name;
  mlir::RankedTensorType type;
  double scale = 0; ///< of a quantized value: what its elements are multiplied by to be that value; 0: none is
};

/// `loc` carrying `stored`, for the location of a launch: names are no part of the program, which runs without them.
mlir::Location withStoredValues(mlir::Location loc, llvm::ArrayRef<StoredValue> stored);
/// What withStoredValues put there; empty where nothing is.
llvm::SmallVector<StoredValue> getStoredValues(mlir::Location loc);

} // namespace mjolnir::exec

#endif // MJOLNIR_DIALECT_EXEC_KERNELSIGNATURE_H
