// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The ragged form of a language model's entries, seen from the host.
//
// A ragged entry runs one step over T token rows of up to B sequences, whose keys and values lie in pages of
// `page_size` tokens:
//   tokens            i32[T]     token of each row
//   positions         i32[T]     its position in its sequence, from 0
//   sequence_offsets  i32[B+1]   sequence i has rows sequence_offsets[i] .. sequence_offsets[i+1]; rows at and past
//                                sequence_offsets[B] are padding
//   context_lengths   i32[B]     tokens of sequence i in the cache after this step: those of before and its rows
//   block_tables      i32[B,P]   block_tables[i][p] is the page of tokens p*page_size .. (p+1)*page_size of sequence i
//   slots             i32[T]     page * page_size + offset where the row's keys and values go; -1 for padding
//   logit_rows        i32[B]     the row whose logits are wanted for sequence i
//   temperature       f32[B]     0: the most likely token
//   top_k             i32[B]     0: off
//   top_p             f32[B]     1: off
//   window_block_tables i32[B,P], window_slots i32[T]   the same for the pages of layers with a window, where those
//                                have a pool of their own
//   seeds             i64[B]     key of the counter-based random numbers; the counter is context_lengths[i], so the
//   program keeps
//                                no state and a token can be drawn again
// to
//   next_tokens       i32[B]     the token drawn from the logits of row logit_rows[i]
//   logits            f32[B,V]   those logits
// A sequence that is not used has an empty range of rows, context length 0 and logit row 0. Padding rows hold token 0
// at position 0; block tables are 0 past the pages that the context needs. Where pages keep a window, those of a
// sequence are used in turn: page p of the block table is pages[p % n], and what it holds for tokens before the window
// is never read: pages that the window left are the ones that come next. An entry with T == B is for decoding, one row
// a sequence; an entry with T > B is for prefill, several rows a sequence.
#ifndef MJOLNIR_LLM_RAGGED_H
#define MJOLNIR_LLM_RAGGED_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace mjolnir::llm {

struct Sampling {
  float temperature = 0;
  int32_t topK = 0;
  float topP = 1;
  uint64_t seed = 0;
};

struct RaggedShape {
  uint32_t tokens, sequences, pagesPerSequence; // T, B, P
  bool isDecode() const { return tokens == sequences; }
};

/// The inputs and outputs of one entry, allocated once. Used for a step: clear, add, ..., finish, run.
class RaggedStep {
public:
  /// `hasWindowPool`: whether layers with a window have a pool of their own.
  RaggedStep(RaggedShape shape, uint32_t pageSize, uint32_t vocabulary, bool hasWindowPool);

  void clear();
  /// Adds a sequence with `count` new tokens, the first of them at `position`, whose pages are `pages`, and in the pool
  /// of layers with a window, if there is one, `windowPages`; where those are fewer than the context takes, they are
  /// used in turn. Logits are those of the last row. The caller has made sure that it fits: rows, sequences, pages.
  void add(const int32_t *newTokens, uint32_t count, uint32_t position, const std::vector<int32_t> &pages,
           const std::vector<int32_t> &windowPages, const Sampling &sampling);
  /// Pads what is left.
  void finish();

  uint32_t usedSequences() const { return used; }
  uint32_t usedRows() const { return rows; }

  const RaggedShape shape;
  const uint32_t pageSize, vocabulary;
  std::vector<int32_t> tokens, positions, sequenceOffsets, contextLengths, blockTables, slots, logitRows, topK;
  std::vector<int32_t> windowBlockTables, windowSlots; // empty without such a pool
  std::vector<float> temperature, topP;
  std::vector<int64_t> seeds;
  std::vector<int32_t> nextTokens;
  std::vector<float> logits; // empty until a step that wants them

private:
  void addPages(uint32_t count, uint32_t position, const std::vector<int32_t> &pages, std::vector<int32_t> &tables,
                std::vector<int32_t> &places);

  uint32_t used = 0, rows = 0;
};

/// A language model's program as the generator sees it: what entries it has, and running them.
class Program {
public:
  virtual ~Program() = default;

  struct Info {
    std::vector<RaggedShape> entries;
    uint32_t pageSize = 0;
    uint32_t pages = 0;
    uint32_t vocabulary = 0;
    uint32_t maxContext = 0; // tokens a sequence may hold
    // Tokens that the pages keep, the current row's included; 0: all. With `windowPages`, the pages of a second pool of
    // so many: the first keeps all.
    uint32_t window = 0, windowPages = 0;
  };

  const Info &info() const { return description; }
  /// Two steps of an entry can be under way; each has memory of its own, `turn` 0 or 1.
  static constexpr unsigned Turns = 2;
  RaggedStep &step(size_t entry, unsigned turn) { return *steps[entry * Turns + turn]; }

  /// Starts the entry on what its step of this turn holds. `wantLogits`: fill `logits` as well. `continues`: the step's
  /// tokens are those that the step started before it draws, of the same decoding entry. At most two are under way.
  /// Throws Error.
  void start(size_t entry, unsigned turn, bool wantLogits, bool continues);
  /// Waits for the step that was started first of those under way; then its outputs are there. Throws Error.
  virtual void wait() = 0;
  /// Waits until nothing is under way, whatever comes of it.
  virtual void drain() = 0;
  /// What the device worked for the step that was waited for last; 0 where that is not measured.
  virtual uint64_t deviceNanoseconds() const { return 0; }
  /// What was done for steps once and for all, so far.
  virtual uint64_t captureNanoseconds() const { return 0; }
  /// Whether starting a step before the one before it is known gains anything.
  virtual bool gainsFromRunningAhead() const = 0;

protected:
  /// To be called by constructors: makes the steps.
  void describe(Info info);
  virtual void launch(size_t entry, unsigned turn, bool wantLogits, bool continues) = 0;

private:
  Info description;
  std::vector<std::unique_ptr<RaggedStep>> steps; // by entry, then turn
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_RAGGED_H
