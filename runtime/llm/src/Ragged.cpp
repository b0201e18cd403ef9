// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Ragged.h.

#include "Ragged.h"

#include "mjolnir/format/KvPlan.h"

#include <algorithm>

namespace mjolnir::llm {

RaggedStep::RaggedStep(RaggedShape shape, uint32_t pageSize, uint32_t vocabulary, bool hasWindowPool)
    : shape(shape), pageSize(pageSize), vocabulary(vocabulary), tokens(shape.tokens), positions(shape.tokens),
      sequenceOffsets(shape.sequences + 1), contextLengths(shape.sequences),
      blockTables(size_t(shape.sequences) * shape.pagesPerSequence), slots(shape.tokens), logitRows(shape.sequences),
      topK(shape.sequences), windowBlockTables(hasWindowPool ? blockTables.size() : 0),
      windowSlots(hasWindowPool ? slots.size() : 0), temperature(shape.sequences), topP(shape.sequences),
      seeds(shape.sequences), nextTokens(shape.sequences) {}

void RaggedStep::clear() {
  used = rows = 0;
  sequenceOffsets[0] = 0;
}

/// The slots of the sequence's new rows, and its block table.
void RaggedStep::addPages(uint32_t count, uint32_t position, const std::vector<int32_t> &pages,
                          std::vector<int32_t> &tables, std::vector<int32_t> &places) {
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t place = position + i;
    int32_t page = pages[place / pageSize % pages.size()];
    places[rows + i] = static_cast<int32_t>(page * pageSize + place % pageSize);
  }
  int32_t *table = &tables[size_t(used) * shape.pagesPerSequence];
  size_t needed = format::kvPages(position + count, pageSize);
  for (size_t page = 0; page < needed; page += pages.size())
    std::copy_n(pages.begin(), std::min(pages.size(), needed - page), table + page);
  std::fill(table + needed, table + shape.pagesPerSequence, 0);
}

void RaggedStep::add(const int32_t *newTokens, uint32_t count, uint32_t position, const std::vector<int32_t> &pages,
                     const std::vector<int32_t> &windowPages, const Sampling &sampling) {
  addPages(count, position, pages, blockTables, slots);
  if (!windowSlots.empty())
    addPages(count, position, windowPages, windowBlockTables, windowSlots);
  for (uint32_t i = 0; i < count; ++i) {
    tokens[rows + i] = newTokens[i];
    positions[rows + i] = static_cast<int32_t>(position + i);
  }
  rows += count;
  contextLengths[used] = static_cast<int32_t>(position + count);
  logitRows[used] = static_cast<int32_t>(rows - 1);
  temperature[used] = sampling.temperature;
  topK[used] = sampling.topK;
  topP[used] = sampling.topP;
  seeds[used] = static_cast<int64_t>(sampling.seed);
  sequenceOffsets[++used] = static_cast<int32_t>(rows);
}

void RaggedStep::finish() {
  std::fill(tokens.begin() + rows, tokens.end(), 0);
  std::fill(positions.begin() + rows, positions.end(), 0);
  std::fill(slots.begin() + rows, slots.end(), -1);
  if (!windowSlots.empty()) {
    std::fill(windowSlots.begin() + rows, windowSlots.end(), -1);
    std::fill(windowBlockTables.begin() + size_t(used) * shape.pagesPerSequence, windowBlockTables.end(), 0);
  }
  std::fill(sequenceOffsets.begin() + used + 1, sequenceOffsets.end(), static_cast<int32_t>(rows));
  std::fill(contextLengths.begin() + used, contextLengths.end(), 0);
  std::fill(blockTables.begin() + size_t(used) * shape.pagesPerSequence, blockTables.end(), 0);
  std::fill(logitRows.begin() + used, logitRows.end(), 0);
  std::fill(temperature.begin() + used, temperature.end(), 0.0f);
  std::fill(topK.begin() + used, topK.end(), 0);
  std::fill(topP.begin() + used, topP.end(), 1.0f);
  std::fill(seeds.begin() + used, seeds.end(), 0);
}

void Program::describe(Info info) {
  description = std::move(info);
  steps.clear();
  for (RaggedShape shape : description.entries)
    for (unsigned turn = 0; turn < Turns; ++turn)
      steps.push_back(std::make_unique<RaggedStep>(shape, description.pageSize, description.vocabulary,
                                                   description.windowPages != 0));
}

void Program::start(size_t entry, unsigned turn, bool wantLogits, bool continues) {
  RaggedStep &ragged = step(entry, turn);
  if (wantLogits && ragged.logits.empty())
    ragged.logits.resize(size_t(ragged.shape.sequences) * ragged.vocabulary);
  launch(entry, turn, wantLogits, continues);
}

} // namespace mjolnir::llm
