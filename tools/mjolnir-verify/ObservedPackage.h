// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A package whose runs are looked into: what each launch stores is read after it, before anything can be put in its
// place. The program is the one that users run; nothing is added to it.
#ifndef MJOLNIR_VERIFY_OBSERVEDPACKAGE_H
#define MJOLNIR_VERIFY_OBSERVEDPACKAGE_H

#include "Package.h"
#include "Session.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace mjolnir::verify {

/// The inputs of one run by name: the bytes of dense arrays of the entry's types and shapes.
using Inputs = std::map<std::string, std::vector<char>>;

/// A value that a run stored, as floats.
struct Stored {
  std::string name; ///< of `label-values`; of an output, "output NAME"
  DLDataType dtype;
  std::vector<int64_t> shape;
  std::vector<float> elements;
};

class ObservedPackage {
public:
  static llvm::Expected<std::unique_ptr<ObservedPackage>> open(const std::string &path, uint32_t threads,
                                                               uint32_t kvPages);

  const runtime::Package &package() const { return *package_; }
  /// Index of the entry called `name`.
  llvm::Expected<size_t> findEntry(llvm::StringRef name) const;
  /// Whether the package says which values its launches store.
  bool hasNames() const { return hasNames_; }
  uint32_t kvPages() const { return session_->kvPages(); }

  /// Runs `entry` once and gives what it stored to `take`, in the order of the program; outputs last.
  llvm::Error run(size_t entry, const Inputs &inputs, llvm::function_ref<void(Stored)> take);

private:
  struct Tap {
    uint32_t operand;
    std::string name;
    DLDataType dtype;
    std::vector<int64_t> shape;
  };
  llvm::Error readDebugTables();

  std::string path_;
  std::unique_ptr<runtime::Package> package_;
  std::unique_ptr<runtime::Session> session_;
  std::vector<std::vector<std::vector<Tap>>> taps_; // by entry and step
  bool hasNames_ = false;
};

} // namespace mjolnir::verify

#endif // MJOLNIR_VERIFY_OBSERVEDPACKAGE_H
