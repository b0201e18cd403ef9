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
/// tensors, at most one batch, one KV cache (two once `plan-paged-kv` has divided it) and one set of sampling
/// parameters; it returns tensors and its cache.
inline constexpr llvm::StringLiteral kEntryAttr = "mj.entry";

/// Attribute of an argument of cache type: the symbol of its exec.kv_pool, where there are two.
inline constexpr llvm::StringLiteral kPoolAttr = "mj.pool";

/// Attribute, a string, of an argument or a result of an entry: it is a state of the session and no input or output.
/// The argument is what the result of that name held when the run before ended, of this entry or of another that has
/// the state; zeros at first. An entry may have either, or both, of one type.
inline constexpr llvm::StringLiteral kStateAttr = "mj.state";

/// The module's description of the model, a dictionary; `max_context` in it is the longest sequence, in tokens.
inline constexpr llvm::StringLiteral kModelAttr = "mj.model";

/// Tokens in a page of the KV cache, an i64 of the module; `specialize-buckets` states for which its block tables are
/// made.
inline constexpr llvm::StringLiteral kPageSizeAttr = "mj.page_size";

/// The tensor type of a field of `batch`; sizes that the batch leaves open are dynamic.
mlir::RankedTensorType getFieldType(BatchType batch, BatchField field);

/// The module's phase, "input" .. "code"; empty where none is set.
inline constexpr llvm::StringLiteral kPhaseAttr = "mj.phase";

//===----------------------------------------------------------------------===//
// What operations need of each other's results; a row of a tensor is what has one leading index.
//===----------------------------------------------------------------------===//

/// Whether `op` computes each element of its results from one element of each operand: upstream's elementwise
/// operations, quantization, and broadcasts, whose element may be one of fewer.
bool isPointwise(mlir::Operation *op);

/// Whether `op` is what a kernel is built around, one a region: matmuls, attention, sampling.
bool isAnchor(mlir::Operation *op);

/// Whether `op`, no anchor, makes row i of its results from row i of its operands, and from operands that it reads
/// whole (see readsWhole). Others mix rows or have another number of them: a reduction over the leading axis, a reshape
/// of it.
bool isRowwise(mlir::Operation *op);

/// Whether a row-wise operation reads other rows of an operand than the one it makes, so that all of them must be there
/// before: a gather's table, what is broadcast along the leading axis, what is transposed or sliced there.
bool readsWhole(mlir::OpOperand &operand);

} // namespace mjolnir::mj

#endif // MJOLNIR_DIALECT_MJ_MJDIALECT_H
