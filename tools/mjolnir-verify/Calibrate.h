// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Ranges for quantize-fp8, as the oracle's runs show them.
#ifndef MJOLNIR_VERIFY_CALIBRATE_H
#define MJOLNIR_VERIFY_CALIBRATE_H

#include "Steps.h"

#include "llvm/Support/raw_ostream.h"

namespace mjolnir::verify {

/// The largest magnitudes that were seen: of the rows that each weight multiplies, and of the keys and values of each
/// layer's KV heads.
class Ranges {
public:
  /// Runs `steps` on `oracle` and takes note.
  llvm::Error observe(ObservedPackage &oracle, const std::vector<Step> &steps);

  /// The weights that were seen in a product.
  std::vector<std::string> weights() const;
  /// The JSON that quantize-fp8 reads. Fails where nothing was seen, or no number.
  llvm::Error write(llvm::raw_ostream &out) const;

private:
  struct Layer {
    std::vector<float> key, value;
  };
  std::map<std::string, float> activations;
  std::map<size_t, Layer> layers;
};

} // namespace mjolnir::verify

#endif // MJOLNIR_VERIFY_CALIBRATE_H
