// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Kernels for the runtime's tests, built as packages hold them: a shared object that needs nothing.
#include "finish_run.h"

#include <stdint.h>

enum { Row = 64, PageSize = 4, PageFloats = 64, HeadDim = 8, PagesPerSequence = 4, Vocabulary = 16 };

// out[tile] = a[tile] + b[tile], rows of 64 floats. Operands: out, a, b.
void test_add(void *const *operands, int64_t tile) {
  float *out = (float *)operands[0] + tile * Row;
  const float *a = (const float *)operands[1] + tile * Row, *b = (const float *)operands[2] + tile * Row;
  for (int i = 0; i < Row; ++i)
    out[i] = a[i] + b[i];
}

// out[tile] = in[tile] * weight, rows of 64 floats. Operands: out, in, weight.
void test_scale(void *const *operands, int64_t tile) {
  float *out = (float *)operands[0] + tile * Row;
  const float *in = (const float *)operands[1] + tile * Row, *weight = (const float *)operands[2];
  for (int i = 0; i < Row; ++i)
    out[i] = in[i] * weight[i];
}

// pool[tile] += x[0]; total[tile] = pool[tile]. Operands: pool, x, total.
void test_count(void *const *operands, int64_t tile) {
  float *pool = operands[0];
  pool[tile] += *(const float *)operands[1];
  ((float *)operands[2])[tile] = pool[tile];
}

// Touches 6 MiB of stack. Operands: out.
void test_stack(void *const *operands, int64_t tile) {
  volatile char frame[6 << 20];
  for (int i = (int)sizeof(frame) - 1; i >= 0; i -= 1024)
    frame[i] = (char)tile;
  ((float *)operands[0])[tile] = (float)frame[sizeof(frame) - 1];
}

// Stores the tokens of sequence `tile` into their slots. Operands: pool, tokens, sequence_offsets, slots.
void test_append(void *const *operands, int64_t tile) {
  float *pool = operands[0];
  const int32_t *tokens = operands[1], *offsets = operands[2], *slots = operands[3];
  for (int32_t t = offsets[tile]; t < offsets[tile + 1]; ++t)
    pool[slots[t] / PageSize * PageFloats + slots[t] % PageSize * HeadDim] = (float)tokens[t];
}

// Sums what sequence `tile` has in the pool. Operands: pool, context_lengths, block_tables, next_tokens, logits.
void test_sum(void *const *operands, int64_t tile) {
  const float *pool = operands[0];
  const int32_t *lengths = operands[1], *tables = operands[2];
  float sum = 0;
  for (int32_t j = 0; j < lengths[tile]; ++j)
    sum += pool[tables[tile * PagesPerSequence + j / PageSize] * PageFloats + j % PageSize * HeadDim];
  ((int32_t *)operands[3])[tile] = (int32_t)sum;
  for (int v = 0; v < Vocabulary; ++v)
    ((float *)operands[4])[tile * Vocabulary + v] = sum + (float)v;
}

// Rows of 128 bytes: the addresses of the operands, then the tensor maps as they came. Operands: rows, x, weight; behind
// them, three tensor maps.
void test_show(void *const *operands, int64_t tile) {
  uint64_t *rows = operands[0];
  for (int i = 0; i < 3; ++i)
    rows[i] = (uint64_t)operands[i];
  for (int map = 0; map < 3; ++map)
    for (int i = 0; i < 16; ++i)
      rows[16 * (map + 1) + i] = ((const uint64_t *)operands[3 + map])[i];
  (void)tile;
}
