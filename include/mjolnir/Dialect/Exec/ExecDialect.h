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

#endif // MJOLNIR_DIALECT_EXEC_EXECDIALECT_H
