// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The checks of ragged inputs.
#include "RaggedCheck.h"

namespace mjolnir::runtime {
namespace {

template <typename... Parts> Status refuse(const char *input, int64_t index, int64_t value, const Parts &...parts) {
  return failure(MJ_ERROR_INVALID_ARGUMENT, input, "[", index, "] is ", value, ": ", parts...);
}

/// The block tables and slots of one pool of `pages` pages; the common inputs are in order.
Status checkPages(const RaggedLimits &limits, const RaggedPointers &inputs, RaggedInput tablesInput,
                  RaggedInput slotsInput, int64_t pages) {
  auto values = [&](RaggedInput input) { return static_cast<const int32_t *>(inputs[input]); };
  const int32_t *offsets = values(RaggedSequenceOffsets), *lengths = values(RaggedContextLengths);
  const int32_t *tables = values(tablesInput), *slots = values(slotsInput);
  for (int64_t b = 0; b < limits.sequences; ++b) {
    int64_t used = (lengths[b] + limits.pageSize - 1) / limits.pageSize;
    for (int64_t page = 0; page < used; ++page) {
      int64_t place = b * limits.pagesPerSequence + page;
      if (tables[place] < 0 || tables[place] >= pages)
        return refuse(RaggedInputs[tablesInput].name, place, tables[place], "the session has ", pages, " pages");
    }
  }
  int64_t slotCount = pages * limits.pageSize, live = offsets[limits.sequences];
  for (int64_t t = 0; t < limits.tokens; ++t) {
    if (t >= live && slots[t] == -1)
      continue; // padding is not stored
    if (slots[t] < 0 || slots[t] >= slotCount)
      return refuse(RaggedInputs[slotsInput].name, t, slots[t], "the session has ", slotCount, " slots");
  }
  return Status::ok();
}

} // namespace

Status checkRaggedInputs(const RaggedLimits &limits, const RaggedPointers &inputs) {
  auto values = [&](RaggedInput input) { return static_cast<const int32_t *>(inputs[input]); };
  const int32_t *tokens = values(RaggedTokens), *positions = values(RaggedPositions);
  const int32_t *offsets = values(RaggedSequenceOffsets), *lengths = values(RaggedContextLengths);
  const int32_t *rows = values(RaggedLogitRows);

  if (offsets[0] != 0)
    return refuse("sequence_offsets", 0, offsets[0], "the first sequence starts at 0");
  for (int64_t b = 0; b < limits.sequences; ++b) {
    if (offsets[b + 1] < offsets[b])
      return refuse("sequence_offsets", b + 1, offsets[b + 1], "less than the one before, ", offsets[b]);
    if (offsets[b + 1] > limits.tokens)
      return refuse("sequence_offsets", b + 1, offsets[b + 1], "the entry has ", limits.tokens, " tokens");
    int64_t count = offsets[b + 1] - offsets[b], length = lengths[b];
    if (length < count)
      return refuse("context_lengths", b, length, "fewer than the ", count, " tokens of the sequence in this step");
    if (length > limits.maxContext)
      return refuse("context_lengths", b, length, "a sequence holds at most ", limits.maxContext, " tokens");
    for (int64_t t = offsets[b]; t < offsets[b + 1]; ++t)
      if (positions[t] >= length)
        return refuse("positions", t, positions[t], "not below the context length of sequence ", b, ", ", length);
    if (rows[b] < 0 || rows[b] >= limits.tokens)
      return refuse("logit_rows", b, rows[b], "the entry has ", limits.tokens, " tokens");
  }
  for (int64_t t = 0; t < limits.tokens; ++t) {
    if (tokens[t] < 0 || tokens[t] >= limits.vocabulary)
      return refuse("tokens", t, tokens[t], "the vocabulary has ", limits.vocabulary, " tokens");
    if (positions[t] < 0 || positions[t] >= limits.maxContext)
      return refuse("positions", t, positions[t], "a sequence holds at most ", limits.maxContext, " tokens");
  }
  Status status = checkPages(limits, inputs, RaggedBlockTables, RaggedSlots, limits.pages);
  if (!status && limits.windowPages)
    status = checkPages(limits, inputs, RaggedWindowBlockTables, RaggedWindowSlots, limits.windowPages);
  return status;
}

} // namespace mjolnir::runtime
