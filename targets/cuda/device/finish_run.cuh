// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The end of a run: inputs of its sequences become what they are likely to be some steps later.
#pragma once
#include "prelude.cuh"

/// Of each `rows` elements; a pool without tables of its own has no windowSlots.
struct MovedInputs {
  int32_t *positions, *lengths, *slots, *windowSlots;
  uint64_t rows;
};

/// An element of each, read when this is made: nothing in a run stores its inputs, so that the launches before this one
/// may still be running. They must be complete before it is stored. Rows of no sequence stay as they are.
template <int Steps> struct MovedRow {
  MovedInputs inputs;
  uint64_t row;
  bool isRow, isWindowed;
  int32_t position, length, slot, windowSlot;

  __device__ MovedRow(const MovedInputs &inputs, uint64_t row)
      : inputs(inputs), row(row), isRow(row < inputs.rows), isWindowed(isRow && inputs.windowSlots),
        position(isRow ? inputs.positions[row] : 0), length(isRow ? inputs.lengths[row] : 0),
        slot(isRow ? inputs.slots[row] : -1), windowSlot(isWindowed ? inputs.windowSlots[row] : -1) {}

  __device__ void store() const {
    if (isRow) {
      inputs.positions[row] = slot >= 0 ? position + Steps : position;
      inputs.lengths[row] = length > 0 ? length + Steps : length;
      inputs.slots[row] = slot >= 0 ? slot + Steps : slot;
    }
    if (isWindowed)
      inputs.windowSlots[row] = windowSlot >= 0 ? windowSlot + Steps : windowSlot;
  }
};
