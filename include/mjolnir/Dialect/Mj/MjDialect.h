// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The mj dialect: models as tensor programs with value semantics.
#ifndef MJOLNIR_DIALECT_MJ_MJDIALECT_H
#define MJOLNIR_DIALECT_MJ_MJDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "mjolnir/Dialect/Mj/MjEnums.h.inc"

#include "mjolnir/Dialect/Mj/MjDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "mjolnir/Dialect/Mj/MjAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "mjolnir/Dialect/Mj/MjTypes.h.inc"

#include "mjolnir/Dialect/Mj/MjInterfaces.h.inc"

#define GET_OP_CLASSES
#include "mjolnir/Dialect/Mj/MjOps.h.inc"

namespace mjolnir::mj {

/// Attribute of an entry function: the unit that becomes an entry point of the package. An entry is one block over
/// tensors, at most one batch, one KV cache and one set of sampling parameters; it returns tensors and its cache.
inline constexpr llvm::StringLiteral kEntryAttr = "mj.entry";

/// The module's description of the model, a dictionary; `max_context` in it is the longest sequence, in tokens.
inline constexpr llvm::StringLiteral kModelAttr = "mj.model";

/// Tokens in a page of the KV cache, an i64 of the module; `specialize-buckets` states for which its block tables are
/// made.
inline constexpr llvm::StringLiteral kPageSizeAttr = "mj.page_size";

/// The tensor type of a field of `batch`; sizes that the batch leaves open are dynamic.
mlir::RankedTensorType getFieldType(BatchType batch, BatchField field);

/// The module's phase, "input" .. "code"; empty where none is set.
inline constexpr llvm::StringLiteral kPhaseAttr = "mj.phase";

} // namespace mjolnir::mj

#endif // MJOLNIR_DIALECT_MJ_MJDIALECT_H
