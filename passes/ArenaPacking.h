// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Offsets for blocks of memory that live for a while; part of plan-memory.
#ifndef MJOLNIR_PASSES_ARENAPACKING_H
#define MJOLNIR_PASSES_ARENAPACKING_H

#include "passes/Lifetimes.h"

namespace mjolnir {

/// Memory that is taken from one step to another. Steps count from 0 without gaps.
struct ArenaBlock {
  Lifetime lifetime;
  int64_t bytes;
  int64_t offset = 0; ///< what is sought
};

/// The most bytes that live at one step: no packing is smaller.
int64_t largestLiveSet(llvm::ArrayRef<ArenaBlock> blocks);

/// Gives every block an offset at which it overlaps no other that lives at the same time, and returns where the last
/// one ends. Places block after block at the lowest offset that is free for as long as it lives, in several orders;
/// where none reaches the largest live set, moves the blocks at the top of the best to its front and tries again, a
/// number of times. Deterministic; equal blocks keep their order. Time grows with the sum of lifetimes.
int64_t packArena(llvm::MutableArrayRef<ArenaBlock> blocks);

} // namespace mjolnir

#endif // MJOLNIR_PASSES_ARENAPACKING_H
