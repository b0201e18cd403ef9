// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The exec dialect: planned programs of launches over buffers.
#ifndef MJOLNIR_DIALECT_EXEC_EXECDIALECT_H
#define MJOLNIR_DIALECT_EXEC_EXECDIALECT_H

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mjolnir/Dialect/Exec/ExecEnums.h.inc"

#include "mjolnir/Dialect/Exec/ExecDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "mjolnir/Dialect/Exec/ExecAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "mjolnir/Dialect/Exec/ExecTypes.h.inc"

#define GET_OP_CLASSES
#include "mjolnir/Dialect/Exec/ExecOps.h.inc"

namespace mjolnir::exec {

/// The pool with block tables and slots of its own, `window_block_tables` and `window_slots`: the one that keeps a
/// window beside one that keeps whole sequences. Null where a program has no two pools.
KvPoolOp getWindowPool(mlir::ModuleOp module);

/// A pool whose pages are those of the cache that `kernel` takes, null if it takes none. Where two pools have pages of
/// one shape, either stands for both: what a kernel knows of its pool is that shape.
KvPoolOp getPagesOf(KernelOp kernel);

} // namespace mjolnir::exec

#endif // MJOLNIR_DIALECT_EXEC_EXECDIALECT_H
