// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The toy model of ToyProgram.h as kernels of a package: a shared object that needs nothing. Sizes are those of
// ToyPackage.h.
#include "../runtime/finish_run.h"

#include <stdint.h>

enum { PageSize = 4, PageInts = 16, PagesPerSequence = 24, Vocabulary = 2056 };

static uint64_t mix(uint64_t hash, uint64_t value) {
  hash ^= value + 0x9E3779B97F4A7C15u + (hash << 6) + (hash >> 2);
  return (hash * 0xBF58476D1CE4E5B9u) ^ (hash >> 31);
}

// A page holds the tokens of its slots, and their positions in its second half. Operands: pool, tokens, positions,
// sequence_offsets, slots.
void toy_append(void *const *operands, int64_t tile) {
  int32_t *pool = operands[0];
  const int32_t *tokens = operands[1], *positions = operands[2], *offsets = operands[3], *slots = operands[4];
  for (int32_t row = offsets[tile]; row < offsets[tile + 1]; ++row) {
    int32_t *page = pool + slots[row] / PageSize * PageInts;
    page[slots[row] % PageSize] = tokens[row];
    page[PageInts / 2 + slots[row] % PageSize] = positions[row];
  }
}

// Operands: pool, context_lengths, block_tables, temperature, seeds, next_tokens, logits.
void toy_predict(void *const *operands, int64_t tile) {
  const int32_t *pool = operands[0], *tables = operands[2];
  int32_t length = ((const int32_t *)operands[1])[tile];
  uint64_t hash = 1;
  for (int32_t i = 0; i < length; ++i) {
    const int32_t *page = pool + tables[tile * PagesPerSequence + i / PageSize] * PageInts;
    hash = mix(mix(hash, (uint64_t)page[PageInts / 2 + i % PageSize]), (uint64_t)page[i % PageSize]);
  }
  uint64_t seed = (uint64_t)((const int64_t *)operands[4])[tile];
  uint64_t drawn = ((const float *)operands[3])[tile] == 0 ? hash : mix(mix(hash, seed), (uint64_t)length);
  ((int32_t *)operands[5])[tile] = (int32_t)(drawn % Vocabulary);
  float *logits = (float *)operands[6] + tile * Vocabulary;
  for (uint64_t v = 0; v < Vocabulary; ++v)
    logits[v] = (float)(mix(hash, v) >> 40) / 4194304;
}

// out[i] = in[i] + 1. Operands: in, out.
void toy_increment(void *const *operands, int64_t tile) {
  (void)tile;
  for (int i = 0; i < 6; ++i)
    ((float *)operands[1])[i] = ((const float *)operands[0])[i] + 1;
}
