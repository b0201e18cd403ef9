// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The inputs and outputs of ragged entries, as program.fbs describes them: one table for the verifier and for the
// checks of each run.
#ifndef MJOLNIR_RUNTIME_RAGGEDFORM_H
#define MJOLNIR_RUNTIME_RAGGEDFORM_H

#include "mjolnir/schema/program_generated.h"

#include <cstddef>

namespace mjolnir::runtime {

enum class RaggedExtent { None, Tokens, Sequences, SequencesPlusOne, Pages, Vocabulary };

struct RaggedBinding {
  const char *name;
  fb::DType dtype;
  RaggedExtent shape[2]; // None fills the rest
};

// Positions in RaggedInputs of those that are checked at each run.
enum RaggedInput : size_t {
  RaggedTokens,
  RaggedPositions,
  RaggedSequenceOffsets,
  RaggedContextLengths,
  RaggedBlockTables,
  RaggedSlots,
  RaggedLogitRows,
  RaggedTemperature,
  RaggedTopK,
  RaggedTopP,
  RaggedSeeds,
  RaggedWindowBlockTables, // from here on only where a pool has tables of its own
  RaggedWindowSlots,
  RaggedInputCount
};
inline constexpr size_t RaggedCommonInputCount = RaggedWindowBlockTables;

inline constexpr RaggedBinding RaggedInputs[RaggedInputCount] = {
    {"tokens", fb::DType::i32, {RaggedExtent::Tokens, RaggedExtent::None}},
    {"positions", fb::DType::i32, {RaggedExtent::Tokens, RaggedExtent::None}},
    {"sequence_offsets", fb::DType::i32, {RaggedExtent::SequencesPlusOne, RaggedExtent::None}},
    {"context_lengths", fb::DType::i32, {RaggedExtent::Sequences, RaggedExtent::None}},
    {"block_tables", fb::DType::i32, {RaggedExtent::Sequences, RaggedExtent::Pages}},
    {"slots", fb::DType::i32, {RaggedExtent::Tokens, RaggedExtent::None}},
    {"logit_rows", fb::DType::i32, {RaggedExtent::Sequences, RaggedExtent::None}},
    {"temperature", fb::DType::f32, {RaggedExtent::Sequences, RaggedExtent::None}},
    {"top_k", fb::DType::i32, {RaggedExtent::Sequences, RaggedExtent::None}},
    {"top_p", fb::DType::f32, {RaggedExtent::Sequences, RaggedExtent::None}},
    {"seeds", fb::DType::i64, {RaggedExtent::Sequences, RaggedExtent::None}},
    {"window_block_tables", fb::DType::i32, {RaggedExtent::Sequences, RaggedExtent::Pages}},
    {"window_slots", fb::DType::i32, {RaggedExtent::Tokens, RaggedExtent::None}},
};

enum RaggedOutput : size_t { RaggedNextTokens, RaggedLogits, RaggedOutputCount };

inline constexpr RaggedBinding RaggedOutputs[RaggedOutputCount] = {
    {"next_tokens", fb::DType::i32, {RaggedExtent::Sequences, RaggedExtent::None}},
    {"logits", fb::DType::f32, {RaggedExtent::Sequences, RaggedExtent::Vocabulary}},
};

} // namespace mjolnir::runtime

#endif // MJOLNIR_RUNTIME_RAGGEDFORM_H
