// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The way of a package's weights from its mapped file to the device.
#ifndef MJOLNIR_RUNTIME_CUDA_UPLOAD_H
#define MJOLNIR_RUNTIME_CUDA_UPLOAD_H

#include "../Device.h"
#include "Driver.h"

namespace mjolnir::runtime::cuda {

struct UploadSource {
  ByteSpan bytes; ///< mapped
  int file = -1;  ///< the descriptor of the mapped file, and where the bytes are in it
  uint64_t fileOffset = 0;
  /// Whether the device's memory is the CPU's: then what was copied leaves the file cache too, so that weights are
  /// never twice in memory.
  bool sharesMemory = false;
};

/// Copies the bytes to `to`. Several threads fill page-locked buffers while others travel, and give the file's pages
/// back behind them. The context must be current; it is made current on the threads too.
Status upload(const Driver &driver, Context context, const UploadSource &source, DevicePointer to,
              const Progress &progress);

} // namespace mjolnir::runtime::cuda

#endif // MJOLNIR_RUNTIME_CUDA_UPLOAD_H
