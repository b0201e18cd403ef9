// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Whether this machine runs the code of a host package: its architecture and CPU features, in LLVM's spelling.
#ifndef MJOLNIR_RUNTIME_CPUFEATURES_H
#define MJOLNIR_RUNTIME_CPUFEATURES_H

#include "Status.h"

#include "mjolnir/schema/program_generated.h"

#include <cstdint>

namespace mjolnir::runtime {

/// MJ_ERROR_UNSUPPORTED names what is missing, or the feature that this runtime does not know.
Status checkHostTarget(const fb::Target &target);

/// The ELF machine number of this process.
uint16_t hostElfMachine();

/// Threads that this process may run at the same time: its affinity, and its control group's share of the machine.
unsigned usableCores();

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_CPUFEATURES_H
