// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What each matmul or layer costs in f8E4M3FN, one at a time: a ranking of what to exclude.
#ifndef MJOLNIR_VERIFY_SENSITIVITY_H
#define MJOLNIR_VERIFY_SENSITIVITY_H

#include "Oracle.h"
#include "Steps.h"

#include "llvm/Support/raw_ostream.h"

namespace mjolnir::verify {

struct SensitivityRequest {
  Source source;
  PipelineOptions options;          ///< of the oracle; what is tried has its sizes
  Fp8Options fp8;                   ///< the calibration, the amax and the scales to try with
  std::vector<std::string> weights; ///< by symbol, what rows are multiplied by
  bool byLayer = false;             ///< all weights of a layer (the part of their names before the first dot) together
  /// Steps of a package that is tried, or of the oracle.
  std::function<llvm::Expected<std::vector<Step>>(const ObservedPackage &)> steps;
  std::vector<std::vector<int32_t>> windows; ///< of a language model: what `steps` feeds; perplexity is of them
  std::function<void(llvm::StringRef name, size_t done, size_t total)> progress;
};

class Sensitivity {
public:
  /// Compiles and runs a program in f32 with one group in f8 by f8, for each of the groups.
  static llvm::Expected<Sensitivity> measure(const SensitivityRequest &request);

  /// The ranking, the largest error first.
  void print(llvm::raw_ostream &out) const;
  void printJson(llvm::raw_ostream &out) const;

private:
  struct Group {
    std::string name;
    std::vector<std::string> weights;
    double error = 0;      ///< root mean square of what outputs differ by, over that of the oracle's
    double perplexity = 0; ///< of a language model
  };
  double perplexity = 0; ///< the oracle's; 0 where there are no tokens
  size_t predicted = 0;  ///< tokens
  std::vector<Group> groups;
  std::vector<std::string> kept; ///< what quantize-fp8 leaves alone
};

} // namespace mjolnir::verify

#endif // MJOLNIR_VERIFY_SENSITIVITY_H
