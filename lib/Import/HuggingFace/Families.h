// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The model families that the importer knows. docs/adding-a-family.md walks through adding one.
#ifndef MJOLNIR_LIB_IMPORT_HUGGINGFACE_FAMILIES_H
#define MJOLNIR_LIB_IMPORT_HUGGINGFACE_FAMILIES_H

#include "DecoderBuilder.h"

namespace mjolnir::hf {

struct Family {
  /// As `architectures` in config.json has it.
  llvm::StringLiteral architecture;
  /// Reads the configuration; what it does not read is refused if it matters.
  DecoderConfig (*readConfig)(ConfigReader &reader);
  /// Builds layer `layer` on [T, hidden].
  mlir::Value (*buildLayer)(DecoderBuilder &builder, mlir::Value hidden, int64_t layer);
};

extern const Family kLlama, kMistral, kQwen2, kQwen3;

/// All families.
llvm::ArrayRef<const Family *> getFamilies();

/// The layer that most families share.
inline mlir::Value buildPreNormLayer(DecoderBuilder &builder, mlir::Value hidden, int64_t layer) {
  return builder.preNormLayer(hidden, layer);
}

} // namespace mjolnir::hf

#endif // MJOLNIR_LIB_IMPORT_HUGGINGFACE_FAMILIES_H
