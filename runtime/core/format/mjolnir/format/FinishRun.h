// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What code generation for CUDA and the runtime must agree on about the kernel that ends a run.
#ifndef MJOLNIR_FORMAT_FINISHRUN_H
#define MJOLNIR_FORMAT_FINISHRUN_H

#include <cstdint>

namespace mjolnir::format {

// A kernel of the runtime's own, for device cuda. It stores an output to the host's memory, and moves inputs of the run
// on to what they are likely to be when their memory is used next, FinishSteps steps later: each sequence has that many
// tokens more. A package has it as machine code and, if it is portable, as PTX, in members that no kernel of the program
// names; without it, the driver copies outputs, and the host sends all inputs.
//
// Parameters, of 8 bytes each: from, to, and how many pieces of FinishPiece bytes to store; then `positions`,
// `context_lengths`, `slots` and `window_slots` (or null) of int32, and how many elements of each to move on. Positions
// and slots move on where the slot is not negative, lengths where they are positive. A block has FinishThreads threads;
// each stores a piece and moves one element of each input on. Before it touches anything but these inputs, it waits for the
// launches before it.
constexpr char FinishImage[] = "runtime/finish_run.cubin";
constexpr char FinishPortableImage[] = "runtime/finish_run.portable.ptx";
constexpr char FinishSymbol[] = "mj_finish_run";
constexpr uint32_t FinishThreads = 128, FinishPiece = 16, FinishSteps = 2;

} // namespace mjolnir::format

#endif // MJOLNIR_FORMAT_FINISHRUN_H
