// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Serves requests over a program: feeds prompts, collects tokens, decides when each request ends, and tells its
// callback.
#ifndef MJOLNIR_LLM_GENERATOR_H
#define MJOLNIR_LLM_GENERATOR_H

#include "GenerationConfig.h"
#include "Scheduler.h"
#include "TextStream.h"

#include "mjolnir/llm.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mjolnir::llm {

class Generator {
public:
  /// `tokenizer` may be null; requests with text or stop strings are then refused. `flags`: of mj_generator_flags.
  Generator(std::unique_ptr<Program> program, const Tokenizer *tokenizer, GenerationConfig config, uint32_t flags = 0);
  ~Generator();

  mj_generator_info info() const;
  const GenerationConfig &config() const { return defaults; }

  struct Options {
    uint32_t maxNewTokens = 0;
    Sampling sampling;
    bool ignoreEndOfText = false, keepSpecialTokens = false;
    std::vector<int32_t> stopTokens;
    std::vector<std::string> stopTexts;
    mj_event_callback callback = nullptr;
    void *user = nullptr;
  };
  /// As mj_generator_submit. Throws Error.
  uint64_t submit(std::vector<int32_t> prompt, Options options);
  /// As mj_generator_submit_score; `rows` are ascending.
  uint64_t submitScore(std::vector<int32_t> tokens, std::vector<size_t> rows, mj_event_callback callback, void *user);
  void cancel(uint64_t id);
  /// Forgets a request, if there still is one of this number, without an event.
  void drop(uint64_t id);
  /// As mj_generator_step: returns how many requests are left. Throws Error after the step's requests have ended with
  /// it.
  size_t step();

  const mj_generator_stats &stats() const { return totals; }
  void resetStats() { totals = {}; }

private:
  struct Request;

  /// What a sequence of `tokens` tokens gets: pages of each pool, and how many rows a step may give it. Pages are more
  /// than a pool has when it cannot run.
  struct Room {
    uint64_t pages, windowPages;
    uint32_t rows;
  };
  Room roomFor(uint64_t tokens) const;
  Room roomInWindow(uint64_t tokens, uint32_t available) const;
  bool isThere(const Room &room) const;
  std::string windowText(bool inWindowPool) const;
  void checkTokens(const std::vector<int32_t> &tokens, const char *what) const;
  /// A step that was started, and is not known yet.
  struct Flight {
    Batch batch;
    bool ahead = false; // started before the step before it was known
  };
  bool canRunAhead(const Flight &flight) const;
  void start(Flight &flight);
  void startAhead(const Flight &first, Flight &second);
  uint64_t waitForFirst();
  uint64_t takeResults(Flight &flight);
  void land();
  void failFlights();
  uint64_t take(std::unique_ptr<Request> request);
  void takeToken(Request &request, int32_t token);
  void takeLogits(Request &request, const float *logits);
  void notify(Request &request, mj_event &event);
  void finish(Request &request, mj_finish reason, mj_event event);
  void leave(Request &request);
  void sweep();

  std::unique_ptr<Program> program;
  const Tokenizer *tokenizer;
  GenerationConfig defaults;
  Scheduler scheduler;
  std::vector<std::unique_ptr<Request>> requests; // in the order they came
  Flight flights[Program::Turns];                 // by turn
  unsigned first = 0, flying = 0;                 // the oldest of those under way, and how many there are
  const bool runsAhead;
  std::string text;          // of the event at hand
  std::string invalidTokens; // what a step's program did wrong
  uint64_t lastId = 0;
  bool stepping = false;
  mj_generator_stats totals = {};
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_GENERATOR_H
