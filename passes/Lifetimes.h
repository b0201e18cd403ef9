// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// When arena buffers of an entry are alive, and which of them may share a place.
#ifndef MJOLNIR_PASSES_LIFETIMES_H
#define MJOLNIR_PASSES_LIFETIMES_H

#include "mjolnir/Dialect/Exec/ExecDialect.h"

namespace mjolnir {

/// The launches and copies of `entry`, in order: its steps, numbered from 0.
llvm::SmallVector<mlir::Operation *> getSteps(exec::EntryOp entry);

/// Numbers of the first and the last step that touch a buffer.
struct Lifetime {
  int64_t first, last;
  bool overlaps(Lifetime other) const { return first <= other.last && other.first <= last; }
};

/// The arena buffers of `entry` in order, with their lifetimes; a buffer that nothing touches has first > last.
llvm::SmallVector<std::pair<exec::ArenaBufferOp, Lifetime>> computeLifetimes(exec::EntryOp entry);

/// A launch that may write `written` over `read`, because its kernel says so for these operands and neither is another
/// operand of the launch.
struct InPlace {
  int64_t step;
  exec::LaunchOp launch;
  mlir::Value read, written;
};

/// The launches of `entry` with a pair of arena buffers that may be in place, in order. When `read` lives on after the
/// launch they may not; that is for the caller to see.
llvm::SmallVector<InPlace> findInPlace(exec::EntryOp entry, mlir::SymbolTable &symbols);

} // namespace mjolnir

#endif // MJOLNIR_PASSES_LIFETIMES_H
