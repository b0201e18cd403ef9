// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Links objects in memory to a shared object in memory. Private to targets/host.
#ifndef MJOLNIR_TARGETS_HOST_LINKER_H
#define MJOLNIR_TARGETS_HOST_LINKER_H

#include "mlir/Support/LLVM.h"
#include "llvm/Support/raw_ostream.h"

namespace mjolnir::host {

/// Links `objects` in their order with lld, in this process. Undefined symbols are an error. The bytes depend on the
/// objects only. Thread-safe: links run one after the other. On failure the linker's messages are in `errors`.
mlir::FailureOr<mlir::SmallVector<char, 0>> linkSharedObject(llvm::ArrayRef<mlir::SmallVector<char, 0>> objects,
                                                             llvm::raw_ostream &errors);

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_LINKER_H
