// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The runtime's own kernel of packages for device cuda, for the driver that stands in for a GPU's.
#ifndef MJOLNIR_TEST_UNIT_RUNTIME_FINISH_RUN_H
#define MJOLNIR_TEST_UNIT_RUNTIME_FINISH_RUN_H

#include <stdint.h>

// See FinishRun.h. Operands: from, to, pieces of 16 bytes; positions, context_lengths, slots, window_slots, rows. A block has
// 128 of each.
void mj_finish_run(void *const *operands, int64_t tile) {
  const uint64_t *from = operands[0], pieces = (uint64_t)operands[2], rows = (uint64_t)operands[7];
  volatile uint64_t *to = operands[1];
  int32_t *positions = operands[3], *lengths = operands[4], *slots = operands[5], *windowSlots = operands[6];
  for (uint64_t i = (uint64_t)tile * 128; i < (uint64_t)(tile + 1) * 128; ++i) {
    if (i < pieces) {
      to[2 * i] = from[2 * i];
      to[2 * i + 1] = from[2 * i + 1];
    }
    if (i >= rows)
      continue;
    lengths[i] += lengths[i] > 0 ? 2 : 0;
    positions[i] += slots[i] >= 0 ? 2 : 0;
    slots[i] += slots[i] >= 0 ? 2 : 0;
    if (windowSlots)
      windowSlots[i] += windowSlots[i] >= 0 ? 2 : 0;
  }
}

#endif // MJOLNIR_TEST_UNIT_RUNTIME_FINISH_RUN_H
