// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A language model for tests: what it draws depends on every token of the context, read back through block tables and
// slots from its own paged memory, so that any mistake in feeding it shows. It also checks each rule of the ragged
// form.
#ifndef MJOLNIR_TEST_UNIT_LLM_TOYPROGRAM_H
#define MJOLNIR_TEST_UNIT_LLM_TOYPROGRAM_H

#include "Error.h"
#include "Ragged.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <utility>

namespace mjolnir::llm {

struct ToyModel {
  static uint64_t mix(uint64_t hash, uint64_t value) {
    hash ^= value + 0x9E3779B97F4A7C15u + (hash << 6) + (hash >> 2);
    return (hash * 0xBF58476D1CE4E5B9u) ^ (hash >> 31);
  }
  /// The hash of a context, of its last `window` tokens if that is not 0.
  static uint64_t read(const std::vector<int32_t> &tokens, size_t window = 0) {
    uint64_t hash = 1;
    for (size_t i = window && tokens.size() > window ? tokens.size() - window : 0; i < tokens.size(); ++i)
      hash = mix(mix(hash, i), static_cast<uint64_t>(tokens[i]));
    return hash;
  }
  static float logit(uint64_t hash, uint32_t token) { return static_cast<float>(mix(hash, token) >> 40) / 4194304; }
  static int32_t draw(uint64_t hash, uint32_t vocabulary, const Sampling &sampling, size_t length) {
    if (sampling.temperature == 0)
      return static_cast<int32_t>(hash % vocabulary);
    return static_cast<int32_t>(mix(mix(hash, sampling.seed), length) % vocabulary);
  }
  /// What the model continues `prompt` with.
  static std::vector<int32_t> continuation(std::vector<int32_t> prompt, size_t count, uint32_t vocabulary,
                                           const Sampling &sampling = {}, size_t window = 0) {
    std::vector<int32_t> result;
    for (size_t i = 0; i < count; ++i) {
      result.push_back(draw(read(prompt, window), vocabulary, sampling, prompt.size()));
      prompt.push_back(result.back());
    }
    return result;
  }
};

class ToyProgram : public Program {
public:
  explicit ToyProgram(Info info)
      : whole(size_t(info.pages) * info.pageSize), window(size_t(info.windowPages) * info.pageSize) {
    describe(std::move(info));
  }

  std::vector<size_t> ran;       // the entries, in order
  std::vector<uint32_t> rowsRan; // and their rows
  bool failNext = false;         // the next run throws
  int32_t forceToken = -2;       // draw this instead, unless -2
  bool quiet = false;            // do not record
  bool failNextWait = false;     // the next wait throws
  bool isAsynchronous = false;   // what it says of itself
  size_t underWay = 0;
  std::chrono::nanoseconds captureAtLaunch{0}; // takes so long once, the next time

  /// A step's tokens show when it has been waited for, not before.
  void wait() override {
    check(underWay > 0, "something is under way");
    RaggedStep &step = *flights[0];
    flights[0] = flights[1];
    --underWay;
    step.nextTokens = drawn[0];
    drawn[0] = drawn[1];
    if (failNextWait) {
      failNextWait = false;
      throw Error(MJ_ERROR_IO, "the toy was told to fail late");
    }
  }
  void drain() override { underWay = 0; }
  bool gainsFromRunningAhead() const override { return isAsynchronous; }
  uint64_t captureNanoseconds() const override { return uint64_t(captured.count()); }

protected:
  void launch(size_t entry, unsigned turn, bool wantLogits, bool continues) override {
    if (failNext) {
      failNext = false;
      throw Error(MJ_ERROR_IO, "the toy was told to fail");
    }
    std::this_thread::sleep_for(captureAtLaunch);
    captured += std::exchange(captureAtLaunch, std::chrono::nanoseconds(0));
    RaggedStep &ragged = step(entry, turn);
    check(underWay < Turns, "no more than two are under way");
    check(underWay == 0 || flights[0] != &ragged, "each has a turn of its own");
    if (continues) {
      check(ragged.shape.isDecode() && entry == last, "a step continues one of its own decoding entry");
      std::copy_n(lastDrawn.begin(), ragged.usedRows(), ragged.tokens.begin());
    }
    execute(entry, ragged, wantLogits);
    last = entry;
    lastDrawn = drawn[underWay] = ragged.nextTokens;
    std::fill(ragged.nextTokens.begin(), ragged.nextTokens.end(), -7);
    flights[underWay++] = &ragged;
  }

private:
  void execute(size_t entry, RaggedStep &step, bool wantLogits) {
    if (!quiet) {
      ran.push_back(entry);
      rowsRan.push_back(step.usedRows());
    }
    uint32_t B = step.shape.sequences, T = step.shape.tokens, P = step.shape.pagesPerSequence;
    check(step.sequenceOffsets.size() == B + 1 && step.sequenceOffsets[0] == 0, "offsets start at 0");
    int32_t end = step.sequenceOffsets[B];
    check(end <= static_cast<int32_t>(T), "rows fit");
    for (uint32_t row = 0; row < T; ++row) {
      bool padding = static_cast<int32_t>(row) >= end;
      check(padding == (step.slots[row] == -1), "slot -1 is padding and nothing else");
      check(step.windowSlots.empty() || padding == (step.windowSlots[row] == -1), "the same in the window's pool");
      check(!padding || (step.tokens[row] == 0 && step.positions[row] == 0), "padding holds token 0 at position 0");
    }
    for (uint32_t i = 0; i < B; ++i)
      append(step, i, P);
    for (uint32_t i = 0; i < B; ++i)
      if (step.contextLengths[i] > 0)
        predict(step, i, P, wantLogits);
  }

  /// A pool: tokens and their positions, by slot.
  struct Memory {
    explicit Memory(size_t slots) : tokens(slots, -1), places(slots, -1) {}
    std::vector<int32_t> tokens, places;
  };

  static void check(bool holds, const char *rule) {
    if (!holds)
      throw Error(MJ_ERROR_INTERNAL, std::string("the toy program was fed wrongly: ") + rule);
  }

  void append(RaggedStep &step, uint32_t i, uint32_t P) {
    int32_t begin = step.sequenceOffsets[i], end = step.sequenceOffsets[i + 1], length = step.contextLengths[i];
    check(begin <= end, "offsets ascend");
    check((begin == end) == (length == 0), "an unused sequence has no rows and no context");
    if (begin == end) {
      check(step.logitRows[i] == 0 && step.temperature[i] == 0 && step.topP[i] == 1, "an unused sequence has defaults");
      return;
    }
    check(!step.shape.isDecode() || end - begin == 1, "decode entries take a row a sequence");
    check(step.logitRows[i] == end - 1, "logits of the last row");
    for (int32_t row = begin; row < end; ++row) {
      int32_t position = step.positions[row];
      check(position == length - (end - row), "positions are the last of the context");
      store(whole, step, row, step.blockTables[i * P + position / step.pageSize], step.slots[row]);
      if (info().windowPages)
        store(window, step, row, step.windowBlockTables[i * P + position / step.pageSize], step.windowSlots[row]);
    }
  }

  void store(Memory &memory, const RaggedStep &step, int32_t row, int32_t page, int32_t slot) {
    int32_t size = static_cast<int32_t>(step.pageSize), position = step.positions[row];
    check(slot == page * size + position % size, "the slot is where the block table says");
    check(static_cast<size_t>(slot) < memory.tokens.size(), "the slot exists");
    memory.tokens[slot] = step.tokens[row];
    memory.places[slot] = position;
  }

  /// The hash of what a step reads of `memory` through `tables`: the last `reach` tokens (0: all).
  uint64_t read(const Memory &memory, const std::vector<int32_t> &tables, const RaggedStep &step, uint32_t i,
                uint32_t P, uint32_t reach) {
    uint64_t hash = 1;
    int32_t length = step.contextLengths[i], rows = step.sequenceOffsets[i + 1] - step.sequenceOffsets[i];
    int32_t back = reach ? static_cast<int32_t>(reach) : length;
    // What the first row of the step reads must be there, too; what is drawn depends on what the last one reads.
    for (int32_t position = std::max(0, length - rows + 1 - back); position < length; ++position) {
      size_t slot = static_cast<size_t>(tables[i * P + position / step.pageSize]) * step.pageSize +
                    static_cast<size_t>(position) % step.pageSize;
      check(memory.places[slot] == position, "the cache holds what the block table claims");
      if (position >= length - back)
        hash = ToyModel::mix(ToyModel::mix(hash, static_cast<uint64_t>(position)),
                             static_cast<uint64_t>(memory.tokens[slot]));
    }
    return hash;
  }

  void predict(RaggedStep &step, uint32_t i, uint32_t P, bool wantLogits) {
    // With a pool of its own the window is what other layers read; what is drawn depends on all of both.
    int32_t length = step.contextLengths[i];
    uint64_t hash = read(whole, step.blockTables, step, i, P, info().windowPages ? 0 : info().window);
    if (info().windowPages)
      read(window, step.windowBlockTables, step, i, P, info().window);
    Sampling sampling = {step.temperature[i], step.topK[i], step.topP[i], static_cast<uint64_t>(step.seeds[i])};
    step.nextTokens[i] =
        forceToken != -2 ? forceToken : ToyModel::draw(hash, step.vocabulary, sampling, static_cast<size_t>(length));
    for (uint32_t v = 0; wantLogits && v < step.vocabulary; ++v)
      step.logits[size_t(i) * step.vocabulary + v] = ToyModel::logit(hash, v);
  }

  Memory whole, window;
  RaggedStep *flights[Turns] = {};   // under way
  std::vector<int32_t> drawn[Turns]; // what they drew
  std::vector<int32_t> lastDrawn;
  size_t last = SIZE_MAX;
  std::chrono::nanoseconds captured{0};
};

} // namespace mjolnir::llm

#endif // MJOLNIR_TEST_UNIT_LLM_TOYPROGRAM_H
