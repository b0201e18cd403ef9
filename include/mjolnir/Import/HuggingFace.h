// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// From a Hugging Face checkpoint to a module of phase `input`.
#ifndef MJOLNIR_IMPORT_HUGGINGFACE_H
#define MJOLNIR_IMPORT_HUGGINGFACE_H

#include "mjolnir/Import/Checkpoint.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace mjolnir {

/// Attribute of the module: a dictionary of what is known about the model as a whole (architecture, vocabulary,
/// max_context, hidden_size, layers, heads, kv_heads, head_dim).
inline constexpr llvm::StringLiteral kModelAttr = "mj.model";

/// Attribute of an entry function's arguments and results: the name that users of the package see.
inline constexpr llvm::StringLiteral kNameAttr = "mj.name";

struct ImportOptions {
  /// Positions that the program serves; the model's max_position_embeddings where unset. More than the model has is
  /// reduced to what it has, with a warning.
  std::optional<int64_t> maxContext;
};

/// The architectures that `importHuggingFace` knows, by their names in config.json.
llvm::SmallVector<llvm::StringRef> getHuggingFaceArchitectures();

/// Writes the model of `checkpoint` as one entry function
///
///     @step(!mj.batch<? x ? x ?>, !mj.kv<layers x kv heads x head_dim x f32>, !mj.sampling<?>)
///         -> (next_tokens: tensor<?xi32>, logits: tensor<?xVxf32>, kv)
///
/// and an `mj.weight` for each tensor in the checkpoint's own element type; everything else is f32. Operations carry
/// the module's path in the checkpoint as their location. Oddities that change nothing are warnings of the context's
/// diagnostics. A setting or a tensor that the program would not honour is an error that names it.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
importHuggingFace(mlir::MLIRContext *context, const Checkpoint &checkpoint, const ImportOptions &options = {});

} // namespace mjolnir

#endif // MJOLNIR_IMPORT_HUGGINGFACE_H
