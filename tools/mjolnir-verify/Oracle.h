// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Packages that exist as long as someone looks at them: the oracle, and variants that are tried.
#ifndef MJOLNIR_VERIFY_ORACLE_H
#define MJOLNIR_VERIFY_ORACLE_H

#include "mjolnir/Pipeline/Pipeline.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Error.h"
#include <string>

namespace mlir {
class MLIRContext;
}

namespace mjolnir::verify {

/// What packages are made of.
struct Source {
  std::string model;      ///< a folder, or a file of IR in phase input
  std::string checkpoint; ///< with a file of IR: the folder of its weights
};

/// A file in the folder of temporary files, which goes with this object.
class TemporaryPackage {
public:
  /// Compiles `source`; an error says `what` does not compile.
  static llvm::Expected<TemporaryPackage> compile(const Source &source, const PipelineOptions &options,
                                                  llvm::StringRef what);
  TemporaryPackage(TemporaryPackage &&other) : path_(std::move(other.path_)) { other.path_.clear(); }
  ~TemporaryPackage();

  std::string path() const { return path_; }

private:
  explicit TemporaryPackage(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

} // namespace mjolnir::verify

#endif // MJOLNIR_VERIFY_ORACLE_H
