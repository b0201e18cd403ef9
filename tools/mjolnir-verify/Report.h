// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What was compared, ranked, and which gate failed.
#ifndef MJOLNIR_VERIFY_REPORT_H
#define MJOLNIR_VERIFY_REPORT_H

#include "llvm/Support/raw_ostream.h"
#include <map>
#include <string>
#include <vector>

namespace mjolnir::verify {

struct Gates {
  double value = 0;   ///< of a value inside: error / size, both root mean square over all runs
  double output = 0;  ///< of an output, the same
  bool argmax = true; ///< of logits: the largest one is where the reference has it, unless the error could decide
};

/// The comparison of one value over all runs of one entry.
struct Comparison {
  std::string entry, name;
  bool isOutput = false;
  size_t order = 0; ///< in the program
  size_t count = 0, notFinite = 0;
  double squaredError = 0, squaredSize = 0, largest = 0;
  size_t codes = 0, saturated = 0; ///< elements in f8, and those with its largest code, that of all beyond it
  size_t decided = 0, flipped = 0; ///< rows of logits whose largest one the error cannot change, and those that differ

  void add(const std::vector<float> &got, const std::vector<float> &wanted);
  void addCodes(const std::vector<bool> &atLimit);
  /// Rows of `columns` logits.
  void addRows(const std::vector<float> &got, const std::vector<float> &wanted, size_t columns);
  /// Root mean square error in units of the reference's root mean square; of a reference of zeros, the error itself.
  double relative() const;
};

class Report {
public:
  Report(std::string package, std::string reference, Gates gates)
      : package(std::move(package)), reference(std::move(reference)), gates(gates) {}

  Comparison &at(const std::string &entry, const std::string &name, bool isOutput);
  /// A value that the package stores and the reference has not, or in another shape.
  void addUnmatched() { ++unmatched; }

  bool passed() const;
  /// `top` values with the largest errors, the gates, and the first value in the order of the program that fails.
  void print(llvm::raw_ostream &out, size_t top) const;
  void printJson(llvm::raw_ostream &out) const;

private:
  std::string failedGate(const Comparison &comparison) const;
  /// How many values fail each gate that fails.
  std::map<std::string, size_t> failures() const;
  void printCodes(llvm::raw_ostream &out, size_t top) const;
  std::vector<const Comparison *> ranked() const;
  const Comparison *firstFailed() const;

  std::string package, reference;
  Gates gates;
  std::map<std::pair<std::string, std::string>, Comparison> comparisons;
  size_t unmatched = 0;
};

} // namespace mjolnir::verify

#endif // MJOLNIR_VERIFY_REPORT_H
