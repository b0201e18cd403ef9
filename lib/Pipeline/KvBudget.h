// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What sessions need of a planned program's memory.
#ifndef MJOLNIR_LIB_PIPELINE_KVBUDGET_H
#define MJOLNIR_LIB_PIPELINE_KVBUDGET_H

#include "mjolnir/Target/Target.h"
#include "mjolnir/format/KvPlan.h"

namespace mjolnir {

/// Fills in what `module`, in phase plan, says: pages, weights (by their types: no byte of them is needed), arenas. The
/// sessions' context is the longest that the program allows, the memory that of the target's chip unless `demand`
/// states one. Then plans. Lines for people; a diagnostic with the arithmetic when the memory holds no session, or not
/// all.
llvm::FailureOr<std::string> planKvBudget(mlir::ModuleOp module, const Target &target, format::KvDemand demand);

} // namespace mjolnir

#endif // MJOLNIR_LIB_PIPELINE_KVBUDGET_H
