// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Scheduler.h.

#include "Scheduler.h"

#include "Error.h"

#include <algorithm>
#include <tuple>

namespace mjolnir::llm {

Scheduler::Scheduler(const Program::Info &info)
    : shapes(info.entries), blocks(info.pages), windowBlocks(info.windowPages) {
  for (size_t i = 0; i < shapes.size(); ++i)
    (shapes[i].isDecode() ? decodeEntries : prefillEntries).push_back(i);
  auto smaller = [&](size_t a, size_t b) {
    return std::tie(shapes[a].tokens, shapes[a].sequences) < std::tie(shapes[b].tokens, shapes[b].sequences);
  };
  std::sort(prefillEntries.begin(), prefillEntries.end(), smaller);
  std::sort(decodeEntries.begin(), decodeEntries.end(), smaller);
  if (shapes.empty())
    throw Error(MJ_ERROR_UNSUPPORTED, "the program has no ragged entries");
  for (size_t entry : decodeEntries.empty() ? prefillEntries : decodeEntries)
    activeLimit = std::max(activeLimit, shapes[entry].sequences);
  for (size_t entry : prefillEntries)
    rowLimit = std::max(rowLimit, shapes[entry].tokens);
  active.reserve(activeLimit);
}

void Scheduler::submit(Sequence *sequence) { waiting.push_back(sequence); }

void Scheduler::remove(Sequence *sequence) {
  blocks.release(sequence->pages);
  windowBlocks.release(sequence->windowPages);
  active.erase(std::remove(active.begin(), active.end(), sequence), active.end());
  waiting.erase(std::remove(waiting.begin(), waiting.end(), sequence), waiting.end());
}

void Scheduler::admit() {
  while (!waiting.empty() && active.size() < activeLimit) {
    Sequence *first = waiting.front();
    // Those behind one that does not fit wait too: none is passed over for ever.
    if (first->pagesNeeded > blocks.available() || first->windowPagesNeeded > windowBlocks.available())
      return;
    first->pages.reserve(first->pagesNeeded);
    first->windowPages.reserve(first->windowPagesNeeded);
    blocks.allocate(first->pagesNeeded, first->pages);
    windowBlocks.allocate(first->windowPagesNeeded, first->windowPages);
    active.push_back(first);
    waiting.pop_front();
  }
}

bool Scheduler::repeats(const Batch &batch) const {
  const bool someoneJoins =
      !waiting.empty() && active.size() < activeLimit && waiting.front()->pagesNeeded <= blocks.available();
  return batch.decode && shapes[batch.entry].isDecode() && batch.items.size() == active.size() && !someoneJoins;
}

size_t Scheduler::smallestEntry(const std::vector<size_t> &entries, uint64_t rows, size_t sequences) const {
  for (size_t entry : entries)
    if (shapes[entry].tokens >= rows && shapes[entry].sequences >= sequences)
      return entry;
  return entries.back();
}

bool Scheduler::next(Batch &batch) {
  admit();
  batch.items.clear();
  if (active.empty())
    return false;
  auto isLong = [](const Sequence *sequence) { return sequence->pending() > 1; };
  bool anyLong = std::any_of(active.begin(), active.end(), isLong);
  bool anyShort = !std::all_of(active.begin(), active.end(), isLong);
  // Prompts first, so that decoding is done for many at once; but those that decode get every other step.
  bool prefill = anyLong && !(anyShort && lastWasPrefill);
  lastWasPrefill = prefill;
  batch.decode = !prefill;
  if (prefill && prefillEntries.empty())
    fill(batch, decodeEntries, /*manyRows=*/false); // prompts token by token
  else if (prefill)
    fill(batch, prefillEntries, /*manyRows=*/true);
  else
    fill(batch, decodeEntries.empty() ? prefillEntries : decodeEntries, /*manyRows=*/false);
  return true;
}

void Scheduler::fill(Batch &batch, const std::vector<size_t> &entries, bool manyRows) {
  // Without entries for prefill, every sequence takes part in every step, long or not.
  auto takesPart = [&](const Sequence *sequence) {
    return batch.decode ? sequence->pending() == 1 : sequence->pending() > 1 || !manyRows;
  };
  uint64_t rows = 0;
  size_t sequences = 0;
  for (const Sequence *sequence : active)
    if (takesPart(sequence)) {
      rows += manyRows ? sequence->pending() : 1;
      ++sequences;
    }
  batch.entry = smallestEntry(entries, rows, sequences);
  const RaggedShape &shape = shapes[batch.entry];
  uint32_t free = shape.tokens;
  for (Sequence *sequence : active) {
    if (free == 0 || batch.items.size() == shape.sequences)
      break;
    if (!takesPart(sequence))
      continue;
    uint32_t count = manyRows ? std::min(sequence->pending(), free) : 1;
    batch.items.push_back({sequence, count});
    free -= count;
  }
  // Those that came first do not keep the others out, should there be more than fit.
  if (batch.items.size() < sequences && !manyRows)
    std::rotate(active.begin(), active.begin() + 1, active.end());
}

} // namespace mjolnir::llm
