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
#include <set>
#include <string>
#include <vector>

namespace mjolnir::verify {

/// The inputs of one run by name: the bytes of dense arrays of the entry's types and shapes.
using Inputs = std::map<std::string, std::vector<char>>;

/// A value that a run stored, as floats; of a quantized one, what its codes stand for.
struct Stored {
  std::string name; ///< of `label-values`; of an output, "output NAME"; of the cache, "layer L cached keys" or "values"
  DLDataType dtype;
  std::vector<int64_t> shape;
  std::vector<float> elements;
  std::vector<bool> atLimit = {}; ///< of f8: which elements have the largest code, that of all that is beyond it
  bool isCache = false;           ///< rows are the run's, without padding: [tokens, heads, head dim]
};

/// What a run is asked for.
struct Observer {
  /// Takes what the run stored, in the order of the program: what was appended to a layer's cache with the first launch
  /// that the cache is given to; outputs last.
  llvm::function_ref<void(Stored)> stored;
  /// Takes the rows that a weight was multiplied by, of products that are a launch of their own, as in an oracle.
  llvm::function_ref<void(llvm::StringRef weight, Stored rows)> multiplied = nullptr;
};

class ObservedPackage {
public:
  static llvm::Expected<std::unique_ptr<ObservedPackage>> open(const std::string &path, uint32_t threads,
                                                               uint32_t kvPages, uint32_t kvWindowPages);

  const runtime::Package &package() const { return *package_; }
  /// Index of the entry called `name`.
  llvm::Expected<size_t> findEntry(llvm::StringRef name) const;
  /// Whether the package says which values its launches store.
  bool hasNames() const { return hasNames_; }
  uint32_t kvPages() const { return session_->kvPages(); }
  uint32_t kvWindowPages() const { return session_->kvWindowPages(); }

  /// Runs `entry` once.
  llvm::Error run(size_t entry, const Inputs &inputs, Observer observer);

private:
  struct Tap {
    uint32_t operand;
    std::string name;
    DLDataType dtype;
    std::vector<int64_t> shape;
    double scale; ///< 0: not quantized
  };
  llvm::Error readDebugTables();
  Stored read(const Tap &tap, const void *memory) const;
  void takeProduct(size_t entry, size_t step, void *const *operands, const Observer &observer) const;
  /// Pools and offsets in their pages of the layers that a run has used so far.
  using TakenLayers = std::set<std::pair<uint32_t, uint64_t>>;
  void takeCache(const Inputs &inputs, const fb::Launch &launch, void *const *operands, TakenLayers &isTaken,
                 const Observer &observer) const;
  void takeCache(const Inputs &inputs, const fb::Launch &launch, void *const *operands, uint32_t pool,
                 TakenLayers &isTaken, const Observer &observer) const;

  std::string path_;
  std::unique_ptr<runtime::Package> package_;
  std::unique_ptr<runtime::Session> session_;
  std::vector<std::vector<std::vector<Tap>>> taps_; // by entry and step
  bool hasNames_ = false;
};

} // namespace mjolnir::verify

#endif // MJOLNIR_VERIFY_OBSERVEDPACKAGE_H
