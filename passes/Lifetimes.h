// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// When arena buffers of an entry are alive.
#ifndef MJOLNIR_PASSES_LIFETIMES_H
#define MJOLNIR_PASSES_LIFETIMES_H

#include "mjolnir/Dialect/Exec/ExecDialect.h"

namespace mjolnir {

/// Positions of the first and the last step that touch a buffer.
struct Lifetime {
  int64_t first, last;
  bool overlaps(Lifetime other) const { return first <= other.last && other.first <= last; }
};

/// The arena buffers of `entry` in order, with their lifetimes; a buffer that nothing touches has first > last.
llvm::SmallVector<std::pair<exec::ArenaBufferOp, Lifetime>> computeLifetimes(exec::EntryOp entry);

} // namespace mjolnir

#endif // MJOLNIR_PASSES_LIFETIMES_H
