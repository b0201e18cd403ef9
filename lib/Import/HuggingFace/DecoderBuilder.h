// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The building blocks of decoder-only language models as Hugging Face checkpoints name them. A family says which blocks
// make one of its layers; embedding, head and sampling are common to all.
#ifndef MJOLNIR_LIB_IMPORT_HUGGINGFACE_DECODERBUILDER_H
#define MJOLNIR_LIB_IMPORT_HUGGINGFACE_DECODERBUILDER_H

#include "Config.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"
#include "mjolnir/Import/Checkpoint.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace mjolnir::hf {

/// Builds the module. Names are paths of modules in the checkpoint, such as "model.layers.0.mlp.up_proj"; they name
/// tensors (with ".weight" or ".bias" appended) and locate operations. A tensor that is missing or has another shape is
/// remembered, and building goes on: `finish` reports all of them together. Activations are [T, columns] in f32.
class DecoderBuilder {
public:
  DecoderBuilder(mlir::MLIRContext *context, const Checkpoint &checkpoint, const DecoderConfig &config,
                 llvm::StringRef architecture, int64_t maxContext);

  using LayerFn = llvm::function_ref<mlir::Value(DecoderBuilder &, mlir::Value hidden, int64_t layer)>;

  /// The whole program: embedding, `buildLayer` for each layer, final norm, head and sampling.
  void buildProgram(LayerFn buildLayer);

  /// Checks that the checkpoint and the program agree and returns the module, or what is wrong.
  llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> finish();

  //===--------------------------------------------------------------------===//
  // Building blocks
  //===--------------------------------------------------------------------===//

  const DecoderConfig &getConfig() const { return config; }

  /// The layer of Llama and its descendants: x + attention(norm(x)), then h + mlp(norm(h)).
  mlir::Value preNormLayer(mlir::Value hidden, int64_t layer);

  /// x * W^T (+ b), [T, n], with the tensors NAME.weight [n, columns of x] and NAME.bias [n].
  mlir::Value linear(const llvm::Twine &name, mlir::Value x, int64_t n, bool bias);

  /// RMS norm over the last axis with NAME.weight.
  mlir::Value rmsNorm(const llvm::Twine &name, mlir::Value x);

  /// Causal self-attention of `layer` with grouped queries, q/k norms, window and biases as the configuration says.
  mlir::Value selfAttention(const llvm::Twine &name, mlir::Value x, int64_t layer);

  /// down(silu(gate(x)) * up(x)).
  mlir::Value gatedMlp(const llvm::Twine &name, mlir::Value x);

  /// x / (1 + exp(-x)).
  mlir::Value silu(mlir::Location loc, mlir::Value x);

  /// a + b of the same type.
  mlir::Value add(mlir::Location loc, mlir::Value a, mlir::Value b);

  /// [T, heads * head_dim] as [T, heads, head_dim].
  mlir::Value splitHeads(mlir::Location loc, mlir::Value x, int64_t heads);

  /// The value of the tensor `name`, whose shape must be `shape`, in the checkpoint's element type.
  mlir::Value weight(const llvm::Twine &name, llvm::ArrayRef<int64_t> shape);

  /// The location of the module `name`.
  mlir::Location at(const llvm::Twine &name);

private:
  /// tensor<? x columns... x f32>
  mlir::RankedTensorType rowsOf(llvm::ArrayRef<int64_t> columns);
  mlir::Value bias(const llvm::Twine &name, mlir::Value x);
  mlir::Value rotate(mlir::Location loc, mlir::Value x);
  /// Records what is wrong with the tensor `name`, unless enough is.
  void report(const llvm::Twine &problem);
  /// Whether so much is wrong that more would not help.
  bool isHopeless() const;

  const Checkpoint &checkpoint;
  const DecoderConfig &config;
  std::string architecture;
  int64_t maxContext;

  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// Where the next mj.weight and the next operation of the entry function go.
  mlir::OpBuilder symbols, builder;
  llvm::StringMap<mlir::Value> weights;
  std::vector<std::string> problems;
  size_t unreported = 0;

  // Values that the whole program shares.
  mlir::Value batch, kv, sampling, positions, ropeTable, one;
};

} // namespace mjolnir::hf

#endif // MJOLNIR_LIB_IMPORT_HUGGINGFACE_DECODERBUILDER_H
