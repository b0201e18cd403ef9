// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which algorithm of a library was the fastest for a problem on a device: found by trial, remembered in a small file.
#ifndef MJOLNIR_RUNTIME_CUDA_ALGORITHMSTORE_H
#define MJOLNIR_RUNTIME_CUDA_ALGORITHMSTORE_H

#include "CublasLtApi.h"

#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace mjolnir::runtime::cuda {

/// The file is `mjolnir/cublaslt-algorithms` in $XDG_CACHE_HOME or ~/.cache: text, a line a problem with its checksum.
/// Processes share it: it is written anew and renamed, with what others wrote meanwhile. It is a cache: what cannot be
/// read or written costs time alone, and a line on stderr. Safe to use from several threads.
class AlgorithmStore {
public:
  /// `machine` tells devices, drivers and versions of the library apart; keys are within one.
  void open(const std::string &machine);

  bool find(const std::string &key, lt::Algorithm &algorithm);
  void add(const std::string &key, const lt::Algorithm &algorithm);
  /// Writes what was added, if anything was.
  void save();

private:
  using Rows = std::vector<std::pair<std::string, lt::Algorithm>>;
  /// False where the file is damaged; one that is not there is empty.
  static bool read(const std::string &path, Rows &rows);
  static void merge(Rows &rows, const std::string &key, const lt::Algorithm &algorithm);

  std::mutex mutex_;
  std::string path_, machine_; // no path: nothing is kept
  Rows rows_;                  // by machine and key
  Rows added_;
};

} // namespace mjolnir::runtime::cuda

#endif // MJOLNIR_RUNTIME_CUDA_ALGORITHMSTORE_H
