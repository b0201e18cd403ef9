// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Measured ranges of activations and of the KV cache, from a file; part of quantize-fp8.
#ifndef MJOLNIR_PASSES_FP8CALIBRATION_H
#define MJOLNIR_PASSES_FP8CALIBRATION_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include <map>
#include <string>

namespace mjolnir {

/// The largest magnitudes that were seen. The file is JSON:
///
///     {"activations": {"l0.q_proj": 12.5, "model.layers.0.mlp.down_proj.weight": 201},
///      "kv": [{"key": [18.5, 20.25], "value": [3.5, 4]}, ...]}
///
/// `activations`: of the rows that are multiplied by a weight, called by its symbol or by its name in the checkpoint.
/// `kv`: for each layer, of the keys and the values of each KV head. Either may be left out.
struct Fp8Calibration {
  struct Layer {
    llvm::SmallVector<float> key, value;
  };
  std::map<std::string, float> activations;
  llvm::SmallVector<Layer> kv;

  /// Reads a file; an error names it and the field.
  static llvm::Expected<Fp8Calibration> read(llvm::StringRef path);
};

/// A magnitude for people: "64", "12.5".
std::string formatAmax(float amax);

} // namespace mjolnir

#endif // MJOLNIR_PASSES_FP8CALIBRATION_H
