// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The C API of mjolnir/llm.h: checks handles and arguments, and turns exceptions into statuses.

#include "mjolnir/llm.h"

#include "Error.h"
#include "Generator.h"
#include "PackageProgram.h"
#include "Tokenizer.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <future>
#include <memory>
#include <new>
#include <numeric>

using namespace mjolnir::llm;

struct mj_tokenizer {
  explicit mj_tokenizer(std::string_view json) : implementation(json) {}
  Tokenizer implementation;
};

struct mj_generator {
  std::unique_ptr<mj_tokenizer> tokenizer;
  Error tokenizerProblem = Error(MJ_OK, ""); // why there is none
  std::vector<mj_phase> phases;
  std::unique_ptr<Generator> implementation;
};

namespace {

/// Runs `body`; what it throws becomes the thread's last error.
template <typename Body> mj_status guarded(Body body) {
  try {
    body();
    return MJ_OK;
  } catch (const Error &e) {
    return mj_fail(e.status(), e.what());
  } catch (const std::bad_alloc &) {
    return mj_fail(MJ_ERROR_OUT_OF_MEMORY, "the process has no memory left");
  } catch (const std::exception &e) {
    return mj_fail(MJ_ERROR_INTERNAL, e.what());
  } catch (...) {
    return mj_fail(MJ_ERROR_INTERNAL, "an unknown exception was thrown");
  }
}

void require(const void *pointer, const char *name) {
  if (!pointer)
    throw Error(MJ_ERROR_INVALID_ARGUMENT, std::string(name) + " is null");
}
void requireArray(const void *pointer, size_t count, const char *name) {
  if (count > 0)
    require(pointer, name);
}

/// A copy of a caller's structure, which may be that of an older version: what it lacks is zero.
template <typename Struct> Struct copied(const Struct *given, const char *name) {
  if (given->struct_size < sizeof(size_t) || given->struct_size > sizeof(Struct))
    throw Error(MJ_ERROR_INVALID_ARGUMENT, std::string(name) + "->struct_size is " +
                                               std::to_string(given->struct_size) + "; set it to sizeof(" + name +
                                               "), " + std::to_string(sizeof(Struct)));
  Struct copy = {};
  std::memcpy(&copy, given, given->struct_size);
  return copy;
}

/// A member of the package; empty if there is none.
std::string_view memberOf(const mj_package *package, const char *name) {
  const void *data = nullptr;
  size_t bytes = 0;
  mj_status status = mj_package_member(package, name, &data, &bytes);
  if (status == MJ_ERROR_NOT_FOUND)
    return {};
  if (status != MJ_OK)
    throw Error(status, mj_last_error());
  return std::string_view(static_cast<const char *>(data), bytes);
}

/// The package's tokenizer, or why there is none.
void readTokenizer(const mj_package *package, mj_generator &generator) {
  std::string_view json = memberOf(package, "tokenizer.json");
  if (json.empty()) {
    generator.tokenizerProblem =
        Error(MJ_ERROR_NOT_FOUND, "the package has no tokenizer.json; give token ids instead of text");
    return;
  }
  try {
    generator.tokenizer = std::make_unique<mj_tokenizer>(json);
  } catch (const Error &e) {
    generator.tokenizerProblem = Error(e.status(), std::string("the package's tokenizer cannot be used, give token ids "
                                                               "instead of text: ") +
                                                       e.what());
  }
}

std::vector<size_t> rowsOf(size_t tokenCount, const size_t *rows, size_t rowCount) {
  if (rows)
    return std::vector<size_t>(rows, rows + rowCount);
  std::vector<size_t> all(tokenCount);
  std::iota(all.begin(), all.end(), size_t(0));
  return all;
}

const Tokenizer &tokenizerOf(const mj_generator *generator) {
  if (!generator->tokenizer)
    throw generator->tokenizerProblem;
  return generator->tokenizer->implementation;
}

} // namespace

// ---- tokenizer ----

mj_status mj_tokenizer_create(const void *json, size_t bytes, mj_tokenizer **tokenizer) {
  return guarded([&] {
    require(json, "json");
    require(tokenizer, "tokenizer");
    *tokenizer = nullptr;
    *tokenizer = new mj_tokenizer(std::string_view(static_cast<const char *>(json), bytes));
  });
}

void mj_tokenizer_destroy(mj_tokenizer *tokenizer) { delete tokenizer; }

size_t mj_tokenizer_size(const mj_tokenizer *tokenizer) { return tokenizer ? tokenizer->implementation.size() : 0; }

int32_t mj_tokenizer_find(const mj_tokenizer *tokenizer, const char *text) {
  int32_t id = -1;
  if (tokenizer && text)
    guarded([&] { id = tokenizer->implementation.find(text); });
  return id;
}

mj_status mj_tokenizer_encode(const mj_tokenizer *tokenizer, const char *text, size_t bytes, int addSpecialTokens,
                              int32_t *ids, size_t capacity, size_t *count) {
  return guarded([&] {
    require(tokenizer, "tokenizer");
    requireArray(text, bytes, "text");
    requireArray(ids, capacity, "ids");
    require(count, "count");
    std::vector<int32_t> encoded;
    tokenizer->implementation.encode(std::string_view(text, bytes), addSpecialTokens != 0, encoded);
    std::copy_n(encoded.begin(), std::min(capacity, encoded.size()), ids);
    *count = encoded.size();
  });
}

mj_status mj_tokenizer_decode(const mj_tokenizer *tokenizer, const int32_t *ids, size_t count, int skipSpecialTokens,
                              char *text, size_t capacity, size_t *bytes) {
  return guarded([&] {
    require(tokenizer, "tokenizer");
    requireArray(ids, count, "ids");
    requireArray(text, capacity, "text");
    require(bytes, "bytes");
    std::string decoded = tokenizer->implementation.decode(ids, count, skipSpecialTokens != 0);
    std::copy_n(decoded.begin(), std::min(capacity, decoded.size()), text);
    *bytes = decoded.size();
  });
}

// ---- generator ----

mj_status mj_generator_create(const mj_package *package, const mj_generator_options *options,
                              mj_generator **generator) {
  return guarded([&] {
    require(package, "package");
    require(generator, "generator");
    *generator = nullptr;
    mj_session_options session = {};
    session.struct_size = sizeof(session);
    uint32_t flags = 0;
    PackageProgram::Measuring measuring;
    if (options) {
      mj_generator_options given = copied(options, "mj_generator_options");
      session.threads = given.threads;
      session.kv_pages = given.kv_pages;
      session.kv_window_pages = given.kv_window_pages;
      session.flags = given.session_flags;
      flags = given.flags;
      constexpr uint32_t KnownFlags =
          MJ_GENERATOR_NO_RUN_AHEAD | MJ_GENERATOR_ALWAYS_RUN_AHEAD | MJ_GENERATOR_TIME_DEVICE;
      if (flags & ~KnownFlags)
        throw Error(MJ_ERROR_INVALID_ARGUMENT, "mj_generator_options.flags has bits that this runtime does not know: " +
                                                   std::to_string(flags & ~KnownFlags));
      measuring = {(flags & MJ_GENERATOR_TIME_DEVICE) != 0, given.profile, given.profile_user};
      if (given.profile) // what it is told would come between the steps of two runs
        flags = (flags & ~uint32_t(MJ_GENERATOR_ALWAYS_RUN_AHEAD)) | MJ_GENERATOR_NO_RUN_AHEAD;
    }
    auto made = std::make_unique<mj_generator>();
    // A vocabulary of a hundred thousand words takes longer to read than all the rest.
    uint64_t tokenizerNanoseconds = 0;
    std::future<void> reading = std::async(std::launch::async, [&] {
      auto begin = std::chrono::steady_clock::now();
      readTokenizer(package, *made);
      tokenizerNanoseconds = static_cast<uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin).count());
    });
    std::string_view settings = memberOf(package, "generation_config.json");
    GenerationConfig config = settings.empty() ? GenerationConfig() : GenerationConfig::parse(settings);
    auto program = std::make_unique<PackageProgram>(package, session, measuring);
    const mj_phase *phases = nullptr;
    size_t phaseCount = mj_session_phases(program->get(), &phases);
    made->phases.assign(phases, phases + phaseCount);
    reading.get();
    made->phases.push_back({"read the tokenizer", tokenizerNanoseconds});
    made->implementation = std::make_unique<Generator>(
        std::move(program), made->tokenizer ? &made->tokenizer->implementation : nullptr, std::move(config), flags);
    *generator = made.release();
  });
}

size_t mj_generator_phases(const mj_generator *generator, const mj_phase **phases) {
  if (!generator || !phases)
    return 0;
  *phases = generator->phases.data();
  return generator->phases.size();
}

void mj_generator_destroy(mj_generator *generator) { delete generator; }

mj_status mj_generator_get_info(const mj_generator *generator, mj_generator_info *info) {
  return guarded([&] {
    require(generator, "generator");
    require(info, "info");
    *info = generator->implementation->info();
  });
}

mj_status mj_generator_tokenizer(const mj_generator *generator, const mj_tokenizer **tokenizer) {
  return guarded([&] {
    require(generator, "generator");
    require(tokenizer, "tokenizer");
    *tokenizer = nullptr;
    tokenizerOf(generator);
    *tokenizer = generator->tokenizer.get();
  });
}

mj_status mj_request_init(const mj_generator *generator, mj_request *request) {
  return guarded([&] {
    require(generator, "generator");
    require(request, "request");
    const Sampling &sampling = generator->implementation->config().sampling;
    *request = {};
    request->struct_size = sizeof(*request);
    request->add_special_tokens = 1;
    request->temperature = sampling.temperature;
    request->top_k = static_cast<uint32_t>(sampling.topK);
    request->top_p = sampling.topP;
  });
}

mj_status mj_generator_submit(mj_generator *generator, const mj_request *request, uint64_t *id) {
  return guarded([&] {
    require(generator, "generator");
    require(request, "request");
    mj_request given = copied(request, "mj_request");
    std::vector<int32_t> prompt;
    if (given.tokens) {
      prompt.assign(given.tokens, given.tokens + given.token_count);
    } else {
      requireArray(given.text, given.text_bytes, "text");
      tokenizerOf(generator).encode(std::string_view(given.text, given.text_bytes), given.add_special_tokens != 0,
                                    prompt);
    }
    requireArray(given.stop_tokens, given.stop_token_count, "stop_tokens");
    requireArray(given.stop_texts, given.stop_text_count, "stop_texts");
    if (given.top_k > INT32_MAX)
      throw Error(MJ_ERROR_INVALID_ARGUMENT,
                  "top_k is " + std::to_string(given.top_k) + "; it must be at most 2147483647");
    Generator::Options options;
    options.maxNewTokens = given.max_new_tokens;
    options.sampling = {given.temperature, static_cast<int32_t>(given.top_k), given.top_p, given.seed};
    options.ignoreEndOfText = given.ignore_eos != 0;
    options.keepSpecialTokens = given.keep_special_tokens != 0;
    options.stopTokens.assign(given.stop_tokens, given.stop_tokens + given.stop_token_count);
    for (size_t i = 0; i < given.stop_text_count; ++i) {
      require(given.stop_texts[i], "stop_texts[i]");
      options.stopTexts.emplace_back(given.stop_texts[i]);
    }
    options.callback = given.callback;
    options.user = given.user;
    uint64_t number = generator->implementation->submit(std::move(prompt), std::move(options));
    if (id)
      *id = number;
  });
}

mj_status mj_generator_submit_score(mj_generator *generator, const int32_t *tokens, size_t tokenCount,
                                    const size_t *rows, size_t rowCount, mj_event_callback callback, void *user,
                                    uint64_t *id) {
  return guarded([&] {
    require(generator, "generator");
    requireArray(tokens, tokenCount, "tokens");
    uint64_t number = generator->implementation->submitScore(std::vector<int32_t>(tokens, tokens + tokenCount),
                                                             rowsOf(tokenCount, rows, rowCount), callback, user);
    if (id)
      *id = number;
  });
}

mj_status mj_generator_cancel(mj_generator *generator, uint64_t id) {
  return guarded([&] {
    require(generator, "generator");
    generator->implementation->cancel(id);
  });
}

mj_status mj_generator_step(mj_generator *generator, size_t *unfinished) {
  return guarded([&] {
    require(generator, "generator");
    size_t left = generator->implementation->step();
    if (unfinished)
      *unfinished = left;
  });
}

mj_status mj_generator_run(mj_generator *generator) {
  return guarded([&] {
    require(generator, "generator");
    while (generator->implementation->step() > 0)
      ;
  });
}

mj_status mj_generator_score(mj_generator *generator, const int32_t *tokens, size_t tokenCount, const size_t *rows,
                             size_t rowCount, float *logits) {
  struct State {
    float *next;
    size_t vocabulary;
    mj_finish finish;
  };
  return guarded([&] {
    require(generator, "generator");
    requireArray(tokens, tokenCount, "tokens");
    require(logits, "logits");
    Generator &implementation = *generator->implementation;
    State state = {logits, implementation.info().vocabulary, MJ_FINISH_NONE};
    auto callback = [](void *user, const mj_event *event) {
      State &state = *static_cast<State *>(user);
      if (event->logits)
        state.next = std::copy_n(event->logits, state.vocabulary, state.next);
      state.finish = event->finish;
      return 0;
    };
    uint64_t id = implementation.submitScore(std::vector<int32_t>(tokens, tokens + tokenCount),
                                             rowsOf(tokenCount, rows, rowCount), callback, &state);
    try {
      while (state.finish == MJ_FINISH_NONE)
        implementation.step();
    } catch (...) {
      implementation.drop(id); // it points at this frame
      throw;
    }
    if (state.finish != MJ_FINISH_SCORED)
      throw Error(MJ_ERROR_INVALID_ARGUMENT, "the scoring request was cancelled by a callback of another request");
  });
}

mj_status mj_generator_get_stats(const mj_generator *generator, mj_generator_stats *stats) {
  return guarded([&] {
    require(generator, "generator");
    require(stats, "stats");
    *stats = generator->implementation->stats();
  });
}

mj_status mj_generator_reset_stats(mj_generator *generator) {
  return guarded([&] {
    require(generator, "generator");
    generator->implementation->resetStats();
  });
}
