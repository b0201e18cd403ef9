// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-run --prompt: generates and prints text as it comes.

#include "Commands.h"
#include "Npy.h"
#include "Trace.h"

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <iostream>

namespace mjolnir::run {

namespace {

double perSecond(uint64_t count, uint64_t nanoseconds) {
  return nanoseconds ? static_cast<double>(count) * 1e9 / static_cast<double>(nanoseconds) : 0;
}

double millisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

/// Microseconds.
double perStep(uint64_t nanoseconds, uint64_t steps) {
  return static_cast<double>(nanoseconds) * 1e-3 / static_cast<double>(steps);
}

void printPhase(const mj_phase &phase) {
  std::fprintf(stderr, "  %-22s %9.1f ms\n", phase.name, static_cast<double>(phase.nanoseconds) * 1e-6);
}

const char *reasonText(mj_finish finish) {
  switch (finish) {
  case MJ_FINISH_STOP:
    return "a stop token or stop text";
  case MJ_FINISH_LENGTH:
    return "max-new-tokens";
  case MJ_FINISH_CONTEXT_FULL:
    return "the context is full";
  case MJ_FINISH_PAGES_FULL:
    return "the KV pages are full";
  default:
    return "cancelled";
  }
}

} // namespace

Result<std::vector<int32_t>> promptTokens(const Generator &generator, const Options &options) {
  if (!options.tokens.empty())
    return options.tokens;
  std::string text = options.promptFile ? readWholeFile(*options.promptFile) : *options.prompt;
  auto tokenizer = generator.tokenizer();
  if (!tokenizer)
    return tokenizer.error();
  return tokenizer->encode(text, !options.noSpecialTokens);
}

int generate(const Package &package, const Options &options) {
  Trace trace;
  mj_generator_options settings = {};
  settings.struct_size = sizeof(settings);
  settings.threads = options.threads;
  settings.kv_pages = options.kvPages;
  settings.kv_window_pages = options.kvWindowPages;
  settings.flags =
      (options.noRunAhead ? MJ_GENERATOR_NO_RUN_AHEAD : 0) | (options.stats ? MJ_GENERATOR_TIME_DEVICE : 0);
  if (!options.traceFile.empty()) {
    settings.profile = Trace::take;
    settings.profile_user = &trace;
  }
  auto generator = Generator::create(package, settings);
  if (!generator)
    return fail(generator.error().message);
  const double loadMs = millisecondsSince(options.started);
  double firstTokenMs = 0;
  if (!options.printTokens)
    if (auto tokenizer = generator->tokenizer(); !tokenizer) {
      if (options.tokens.empty())
        return fail(tokenizer.error().message);
      return fail(tokenizer.error().message + " (and print them with --print-tokens)");
    }
  auto prompt = promptTokens(*generator, options);
  if (!prompt)
    return fail(prompt.error().message);

  Request request = generator->request(*prompt);
  request.maxNewTokens = options.maxNewTokens;
  request.temperature = options.temperature.value_or(request.temperature);
  request.topK = options.topK.value_or(request.topK);
  request.topP = options.topP.value_or(request.topP);
  request.seed = options.seed;
  request.stopTexts = options.stops;
  request.ignoreEos = options.ignoreEos;

  bool first = true;
  auto printToken = [&](int32_t token) {
    std::cout << (first ? "" : ",") << token;
    first = false;
  };
  if (options.echo && options.printTokens) {
    for (int32_t token : *prompt)
      printToken(token);
  } else if (options.echo) {
    auto text = generator->tokenizer()->decode(*prompt);
    if (!text)
      return fail(text.error().message);
    std::cout << *text;
  }
  auto generated = generator->generate(request, [&](const mj_event &event) {
    if (firstTokenMs == 0 && event.token_count > 0)
      firstTokenMs = millisecondsSince(options.started);
    if (options.printTokens)
      for (size_t i = 0; i < event.token_count; ++i)
        printToken(event.tokens[i]);
    else
      std::cout.write(event.text, static_cast<std::streamsize>(event.text_bytes));
    return static_cast<bool>(std::cout.flush());
  });
  if (!generated)
    return fail(generated.error().message);
  std::cout << std::endl;
  if (!std::cout)
    return fail("cannot write to standard output");
  if (!options.traceFile.empty())
    trace.write(options.traceFile);

  if (generated->finish == MJ_FINISH_CONTEXT_FULL)
    std::fprintf(stderr, "mjolnir-run: note: ended because the context of %" PRIu32 " tokens is full\n",
                 generator->info().max_context);
  if (generated->finish == MJ_FINISH_PAGES_FULL)
    std::fprintf(stderr, "mjolnir-run: note: ended because all %" PRIu32 " KV pages are full; see --kv-pages\n",
                 generator->info().kv_pages);
  if (options.stats) {
    mj_generator_stats stats = generator->stats();
    const mj_request_stats &request = generated->stats;
    std::fprintf(stderr, "load     %9.1f ms\n", loadMs);
    const mj_phase *phases = nullptr;
    for (size_t i = 0, count = mj_package_phases(package.get(), &phases); i < count; ++i)
      printPhase(phases[i]);
    for (size_t i = 0, count = mj_generator_phases(generator->get(), &phases); i < count; ++i)
      printPhase(phases[i]);
    std::fprintf(stderr, "first token %6.1f ms after the start of loading\n", firstTokenMs);
    std::fprintf(stderr, "prefill  %9.1f ms  %6" PRIu64 " tokens  %9.1f tokens/s\n",
                 static_cast<double>(stats.prefill_nanoseconds) * 1e-6, stats.prefill_tokens,
                 perSecond(stats.prefill_tokens, stats.prefill_nanoseconds));
    std::fprintf(stderr, "decode   %9.1f ms  %6" PRIu64 " tokens  %9.1f tokens/s\n",
                 static_cast<double>(stats.decode_nanoseconds) * 1e-6, stats.decode_tokens,
                 perSecond(stats.decode_tokens, stats.decode_nanoseconds));
    if (stats.decode_steps > 0)
      std::fprintf(stderr,
                   "step     %9.1f us: host %.1f us, device %.1f us, printing %.1f us; %" PRIu64 " of %" PRIu64
                   " started ahead, %" PRIu64 " tokens dropped\n",
                   perStep(stats.decode_nanoseconds, stats.decode_steps),
                   perStep(stats.decode_host_nanoseconds, stats.decode_steps),
                   perStep(stats.decode_device_nanoseconds, stats.decode_steps),
                   perStep(stats.callback_nanoseconds, stats.decode_steps + stats.prefill_steps), stats.ahead_steps,
                   stats.decode_steps, stats.dropped_tokens);
    if (stats.capture_nanoseconds > 0)
      std::fprintf(stderr, "graphs   %9.1f ms, made when an entry first ran\n",
                   static_cast<double>(stats.capture_nanoseconds) * 1e-6);
    std::fprintf(stderr, "prompt %zu tokens, new %zu tokens, first after %.1f ms, all in %.1f ms; ended by %s\n",
                 request.prompt_tokens, request.new_tokens, static_cast<double>(request.first_token_nanoseconds) * 1e-6,
                 static_cast<double>(request.total_nanoseconds) * 1e-6, reasonText(generated->finish));
  }
  return ExitOk;
}

} // namespace mjolnir::run
