// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the driver is given as a kernel's parameters: the addresses of its operands, then its tensor maps.
#ifndef MJOLNIR_RUNTIME_CUDA_LAUNCHPARAMETERS_H
#define MJOLNIR_RUNTIME_CUDA_LAUNCHPARAMETERS_H

#include "Driver.h"

#include "mjolnir/schema/program_generated.h"

#include <vector>

namespace mjolnir::runtime::cuda {

/// A tensor map of a kernel as the driver wants it described, but for the address, which is each launch's. Dimensions
/// are the innermost first.
struct TensorMapLayout {
  explicit TensorMapLayout(const fb::TensorMap &map); ///< verified

  uint32_t operand;
  TensorMapDataType dataType;
  uint64_t sizes[2]; ///< elements
  uint64_t pitch;    ///< bytes from row to row
  uint32_t box[2];   ///< elements
};

/// The parameters of one launch after the other. The driver copies what they point to when it is given the launch.
class LaunchParameters {
public:
  /// Makes room for launches of that many operands and tensor maps, so that set() does not allocate.
  void reserve(size_t operands, size_t maps);

  /// Makes the parameters of a launch of `kernel`, a name for messages: `count` pointers from `operands` on, which
  /// stay the caller's, and the tensor maps `maps` of what they point to.
  Status set(const Driver &driver, const char *kernel, const std::vector<TensorMapLayout> &maps, void **operands,
             size_t count);
  void **data() { return places_.data(); }

private:
  std::vector<void *> places_; ///< of each parameter
  std::vector<TensorMap> maps_;
};

} // namespace mjolnir::runtime::cuda

#endif // MJOLNIR_RUNTIME_CUDA_LAUNCHPARAMETERS_H
