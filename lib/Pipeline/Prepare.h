// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Runs mj.prepare: the bytes of the package's weights from those of the checkpoint.
#ifndef MJOLNIR_LIB_PIPELINE_PREPARE_H
#define MJOLNIR_LIB_PIPELINE_PREPARE_H

#include "mjolnir/Target/Target.h"

#include "mlir/IR/SymbolTable.h"
#include <functional>
#include <vector>

namespace mjolnir {

/// The bytes of a tensor: the checkpoint's, or computed ones.
class TensorBytes {
public:
  TensorBytes() = default;
  explicit TensorBytes(llvm::ArrayRef<char> borrowed) : view(borrowed) {}
  explicit TensorBytes(std::vector<char> computed) : owned(std::move(computed)), view(owned) {}
  TensorBytes(TensorBytes &&other) { *this = std::move(other); }
  TensorBytes &operator=(TensorBytes &&other) {
    bool computed = other.view.data() == other.owned.data();
    owned = std::move(other.owned);
    view = computed ? llvm::ArrayRef<char>(owned) : other.view;
    return *this;
  }
  llvm::ArrayRef<char> bytes() const { return view; }

private:
  std::vector<char> owned;
  llvm::ArrayRef<char> view;
};

/// Computes weights one at a time; memory is that of the steps of one tensor.
class WeightEvaluator {
public:
  /// `read` gives the bytes of a tensor of the checkpoint, or fails with a diagnostic of its own.
  using ReadTensor = std::function<llvm::FailureOr<llvm::ArrayRef<char>>(mj::WeightOp weight)>;

  WeightEvaluator(mlir::ModuleOp module, const Target &target, ReadTensor read)
      : symbols(module), target(target), read(std::move(read)) {}

  /// The bytes of the mj.weight or mj.prepare called `name`, in its type's encoding.
  llvm::FailureOr<TensorBytes> evaluate(llvm::StringRef name);

private:
  llvm::FailureOr<TensorBytes> evaluate(mlir::Operation *op, llvm::ArrayRef<TensorBytes> operands);

  mlir::SymbolTable symbols;
  const Target &target;
  ReadTensor read;
};

} // namespace mjolnir

#endif // MJOLNIR_LIB_PIPELINE_PREPARE_H
