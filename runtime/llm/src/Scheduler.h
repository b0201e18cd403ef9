// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Decides what each step runs: which sequences, how many tokens of each, through which entry. Sequences join and leave
// between steps (continuous batching). Pages for the whole of a sequence are taken when it joins, so that it never has
// to stop half way; one that does not fit yet waits, first come first served.
#ifndef MJOLNIR_LLM_SCHEDULER_H
#define MJOLNIR_LLM_SCHEDULER_H

#include "BlockPool.h"
#include "Ragged.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

namespace mjolnir::llm {

struct Sequence {
  std::vector<int32_t> tokens;             // all of them, those that are not yet in the cache at the end
  uint32_t cached = 0;                     // tokens in the cache
  std::vector<int32_t> pages, windowPages; // the latter of the pool of layers with a window, if there is one
  uint32_t pagesNeeded = 0, windowPagesNeeded = 0;
  uint32_t maxRows = UINT32_MAX; // tokens a step may take: more would not leave the window in the pages
  Sampling sampling;
  /// Token after which the next step for this sequence must end, though more are known: its logits are wanted.
  /// SIZE_MAX: none.
  size_t nextWantedRow = SIZE_MAX;

  /// Tokens that the next step should take at most.
  uint32_t pending() const {
    size_t end = nextWantedRow < tokens.size() ? nextWantedRow + 1 : tokens.size();
    return static_cast<uint32_t>(std::min<size_t>(end - cached, maxRows));
  }
};

struct Batch {
  struct Item {
    Sequence *sequence; // null: it has left since
    uint32_t count;     // tokens
  };
  size_t entry = 0;
  bool decode = false; // one token a sequence, and no sequence in the middle of its prompt
  std::vector<Item> items;

  /// Whether all its sequences have left.
  bool isEmpty() const {
    return std::all_of(items.begin(), items.end(), [](const Item &item) { return !item.sequence; });
  }
};

class Scheduler {
public:
  /// Throws Error if there are no entries.
  explicit Scheduler(const Program::Info &info);

  /// Tokens of one sequence in one step at most.
  uint32_t maxRows() const { return rowLimit; }
  /// Sequences in one step at most.
  uint32_t maxActive() const { return activeLimit; }
  const BlockPool &pool() const { return blocks; }
  size_t size() const { return waiting.size() + active.size(); }

  /// Takes a sequence, whose needs are at most what the pools have; it must stay where it is until removed.
  void submit(Sequence *sequence);
  /// Forgets a sequence and frees its pages.
  void remove(Sequence *sequence);

  /// What to run next; false if there is nothing. The caller then advances `cached` and `tokens` of those in the batch.
  bool next(Batch &batch);
  /// Whether next() would give a batch of one token a sequence again once each of its sequences has one more.
  bool repeats(const Batch &batch) const;

private:
  void admit();
  size_t smallestEntry(const std::vector<size_t> &entries, uint64_t rows, size_t sequences) const;
  void fill(Batch &batch, const std::vector<size_t> &entries, bool manyRows);

  const std::vector<RaggedShape> shapes;
  std::vector<size_t> prefillEntries, decodeEntries; // ascending by T, then B
  BlockPool blocks, windowBlocks;
  uint32_t activeLimit = 0, rowLimit = 1;
  std::deque<Sequence *> waiting;
  std::vector<Sequence *> active; // in the order they came
  bool lastWasPrefill = false;
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_SCHEDULER_H
