// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Remarks of a compile: kept for the report, printed for people, written as YAML for programs, all from one run.
#ifndef MJOLNIR_REPORT_REMARKLOG_H
#define MJOLNIR_REPORT_REMARKLOG_H

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/LogicalResult.h"

#include <string>
#include <vector>

namespace mjolnir {

/// What a pass did or declined, and why.
struct RemarkRecord {
  std::string kind;    ///< "passed", "missed", "failed" or "analysis"
  std::string pass;    ///< the remark's category
  std::string name;    ///< "Epilogue"
  std::string where;   ///< the model's module that it is about, "model.layers.0.mlp"; or file:line:column; or empty
  std::string message; ///< the sentence
  unsigned count = 1;  ///< how often it was said: entries of several buckets repeat it
};

/// Remarks in the order in which they came, equal ones counted.
using RemarkLog = std::vector<RemarkRecord>;

/// Where remarks go.
struct RemarkOutput {
  /// Passes whose whole name matches are written; empty: none. By kind, and for all kinds.
  std::string all, passed, missed, failed, analysis;
  /// As diagnostics of the context, or into `file`.
  enum class Format { diagnostics, yaml, bitstream } format = Format::diagnostics;
  std::string file;
  /// Gets all remarks, whatever is written; may be null.
  RemarkLog *log = nullptr;

  bool isUsed() const;
};

/// Sends the remarks of `context` to `output`, from now until the context is destroyed, which is when files are
/// complete. Fails with a sentence in `error` when a file cannot be written or a regular expression is none.
llvm::LogicalResult sendRemarks(mlir::MLIRContext &context, const RemarkOutput &output, std::string &error);

} // namespace mjolnir

#endif // MJOLNIR_REPORT_REMARKLOG_H
