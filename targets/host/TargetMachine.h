// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// LLVM's side of a HostTarget: registration and the TargetMachine. Private to targets/host.
#ifndef MJOLNIR_TARGETS_HOST_TARGETMACHINE_H
#define MJOLNIR_TARGETS_HOST_TARGETMACHINE_H

#include "targets/host/HostTarget.h"

#include <memory>

namespace llvm {
class Target;
class TargetMachine;
} // namespace llvm

namespace mjolnir::host {

/// LLVM's target for `triple`, or null with a sentence in `errors`. Registers the targets on first use; thread-safe.
const llvm::Target *lookupTarget(llvm::StringRef triple, llvm::raw_ostream &errors);

/// Position-independent, -O3, contraction of f32 multiply and add allowed.
std::unique_ptr<llvm::TargetMachine> createTargetMachine(const HostTarget &target, llvm::raw_ostream &errors);

} // namespace mjolnir::host

#endif // MJOLNIR_TARGETS_HOST_TARGETMACHINE_H
