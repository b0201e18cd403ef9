// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What mjolnir-run can do with a package. Each command returns an exit code and has said on stderr what failed.
#ifndef MJOLNIR_RUN_COMMANDS_H
#define MJOLNIR_RUN_COMMANDS_H

#include "mjolnir/llm.hpp"
#include "mjolnir/runtime.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mjolnir::run {

enum ExitCode : int { ExitOk = 0, ExitFailure = 1, ExitUsage = 2 };

struct Options {
  std::string package;
  uint32_t threads = 0, kvPages = 0, kvWindowPages = 0;
  bool stats = false, noRunAhead = false;
  std::string traceFile;
  std::chrono::steady_clock::time_point started; // before anything was loaded

  // The prompt: one of these.
  std::optional<std::string> prompt, promptFile;
  std::vector<int32_t> tokens;
  bool noSpecialTokens = false;

  // Generation. What is not given is the package's default.
  uint32_t maxNewTokens = 128;
  std::optional<float> temperature, topP;
  std::optional<uint32_t> topK;
  uint64_t seed = 0;
  std::vector<std::string> stops;
  bool ignoreEos = false, printTokens = false, echo = false;

  // Scoring.
  std::string perplexityFile, logitsFile;
  uint32_t window = 0, stride = 0; // 0: the longest context; the window

  // One entry.
  std::string entry;
  std::vector<std::string> inputs, outputs; // NAME=@FILE
  uint32_t repeat = 1;
};

int generate(const Package &package, const Options &options);
int perplexity(const Package &package, const Options &options);
int logits(const Package &package, const Options &options);
int runEntry(const Package &package, const Options &options);

/// Says `message` on stderr and returns ExitFailure.
int fail(const std::string &message);
/// The prompt's tokens, as the options give them. Throws NpyError if a file cannot be read.
Result<std::vector<int32_t>> promptTokens(const Generator &generator, const Options &options);

} // namespace mjolnir::run

#endif // MJOLNIR_RUN_COMMANDS_H
