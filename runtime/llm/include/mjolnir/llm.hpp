// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The C API of text generation for C++17, in the manner of runtime.hpp: handles that release themselves, results that
// are a value or an error. Header-only; throws nothing of its own.
//
//   auto generator = mjolnir::Generator::create(package);
//   mjolnir::Request request = generator->request("Once upon a time");
//   request.maxNewTokens = 100;
//   auto generated = generator->generate(request, [](const mj_event &event) {
//     std::cout.write(event.text, event.text_bytes).flush();
//     return true;
//   });
#ifndef MJOLNIR_LLM_HPP
#define MJOLNIR_LLM_HPP

#include "mjolnir/llm.h"
#include "mjolnir/runtime.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace mjolnir {

/// A tokenizer that a generator owns, or none.
class TokenizerRef {
public:
  explicit TokenizerRef(const mj_tokenizer *handle) : handle_(handle) {}

  const mj_tokenizer *get() const { return handle_; }
  size_t size() const { return mj_tokenizer_size(handle_); }

  Result<std::vector<int32_t>> encode(const std::string &text, bool addSpecialTokens = true) const {
    std::vector<int32_t> ids(text.size() + 16);
    for (size_t count = 0;; ids.resize(count)) {
      if (mj_status code = mj_tokenizer_encode(handle_, text.data(), text.size(), addSpecialTokens ? 1 : 0, ids.data(),
                                               ids.size(), &count))
        return detail::lastError(code);
      if (count <= ids.size()) {
        ids.resize(count);
        return ids;
      }
    }
  }
  Result<std::string> decode(const std::vector<int32_t> &ids, bool skipSpecialTokens = true) const {
    std::string text(ids.size() * 8, '\0');
    for (size_t bytes = 0;; text.resize(bytes)) {
      if (mj_status code = mj_tokenizer_decode(handle_, ids.data(), ids.size(), skipSpecialTokens ? 1 : 0, text.data(),
                                               text.size(), &bytes))
        return detail::lastError(code);
      if (bytes <= text.size()) {
        text.resize(bytes);
        return text;
      }
    }
  }

private:
  const mj_tokenizer *handle_;
};

/// What to generate: mj_request with storage of its own. Made by Generator::request, which fills in the package's
/// defaults.
struct Request {
  std::string text;            // the prompt, unless `tokens` has some
  std::vector<int32_t> tokens; // the prompt
  bool addSpecialTokens = true;
  uint32_t maxNewTokens = 0;
  float temperature = 0;
  uint32_t topK = 0;
  float topP = 1;
  uint64_t seed = 0;
  bool ignoreEos = false;
  bool keepSpecialTokens = false;
  std::vector<int32_t> stopTokens;
  std::vector<std::string> stopTexts;
};

/// What a request brought.
struct Generated {
  std::string text;
  std::vector<int32_t> tokens;
  mj_finish finish = MJ_FINISH_NONE;
  mj_request_stats stats = {};
};

/// Generates text with a package, which must outlive it. One thread at a time.
class Generator {
public:
  /// `threads` 0: one for each core; `kvPages` 0: enough for one sequence of the longest context; `flags`: of
  /// mj_generator_flags; `sessionFlags`: of mj_session_flags; `kvWindowPages`, of the pool of layers with a window, 0:
  /// what the sequences of a step use.
  static Result<Generator> create(const Package &package, uint32_t threads = 0, uint32_t kvPages = 0,
                                  uint32_t flags = 0, uint32_t sessionFlags = 0, uint32_t kvWindowPages = 0) {
    mj_generator_options options = {};
    options.struct_size = sizeof(options);
    options.threads = threads;
    options.kv_pages = kvPages;
    options.flags = flags;
    options.session_flags = sessionFlags;
    options.kv_window_pages = kvWindowPages;
    return create(package, options);
  }
  static Result<Generator> create(const Package &package, const mj_generator_options &options) {
    mj_generator *handle = nullptr;
    if (mj_status code = mj_generator_create(package.get(), &options, &handle))
      return detail::lastError(code);
    return Generator(handle);
  }

  mj_generator *get() const { return handle_.get(); }

  mj_generator_info info() const {
    mj_generator_info info = {};
    (void)mj_generator_get_info(get(), &info);
    return info;
  }
  mj_generator_stats stats() const {
    mj_generator_stats stats = {};
    (void)mj_generator_get_stats(get(), &stats);
    return stats;
  }
  void resetStats() { (void)mj_generator_reset_stats(get()); }
  Result<TokenizerRef> tokenizer() const {
    const mj_tokenizer *handle = nullptr;
    if (mj_status code = mj_generator_tokenizer(get(), &handle))
      return detail::lastError(code);
    return TokenizerRef(handle);
  }

  /// A request with the package's defaults.
  Request request(std::string text) const {
    Request request = defaults();
    request.text = std::move(text);
    return request;
  }
  Request request(std::vector<int32_t> tokens) const {
    Request request = defaults();
    request.tokens = std::move(tokens);
    return request;
  }

  /// Takes a request; `callback` and `user` as in mj_request.
  Result<uint64_t> submit(const Request &request, mj_event_callback callback, void *user) {
    std::vector<const char *> stops;
    for (const std::string &stop : request.stopTexts)
      stops.push_back(stop.c_str());
    mj_request raw = {};
    raw.struct_size = sizeof(raw);
    raw.text = request.text.data();
    raw.text_bytes = request.text.size();
    raw.add_special_tokens = request.addSpecialTokens ? 1 : 0;
    raw.tokens = request.tokens.empty() ? nullptr : request.tokens.data();
    raw.token_count = request.tokens.size();
    raw.max_new_tokens = request.maxNewTokens;
    raw.temperature = request.temperature;
    raw.top_k = request.topK;
    raw.top_p = request.topP;
    raw.seed = request.seed;
    raw.ignore_eos = request.ignoreEos ? 1 : 0;
    raw.keep_special_tokens = request.keepSpecialTokens ? 1 : 0;
    raw.stop_tokens = request.stopTokens.data();
    raw.stop_token_count = request.stopTokens.size();
    raw.stop_texts = stops.data();
    raw.stop_text_count = stops.size();
    raw.callback = callback;
    raw.user = user;
    uint64_t id = 0;
    if (mj_status code = mj_generator_submit(get(), &raw, &id))
      return detail::lastError(code);
    return id;
  }

  /// Runs the program once; how many requests are left.
  Result<size_t> step() {
    size_t unfinished = 0;
    if (mj_status code = mj_generator_step(get(), &unfinished))
      return detail::lastError(code);
    return unfinished;
  }

  using Watcher = std::function<bool(const mj_event &)>;

  /// Generates for several requests at once and waits for all. `watch`, if given, sees every event (`which` counts
  /// `requests`) and returns whether to go on with that request.
  Result<std::vector<Generated>> generate(const std::vector<Request> &requests,
                                          const std::function<bool(size_t which, const mj_event &)> &watch = {}) {
    std::vector<std::unique_ptr<Collector>> collectors;
    std::vector<uint64_t> ids;
    std::optional<Error> failed;
    for (size_t i = 0; i < requests.size() && !failed; ++i) {
      collectors.push_back(std::make_unique<Collector>(i, watch ? &watch : nullptr));
      auto id = submit(requests[i], &Collector::take, collectors.back().get());
      if (id)
        ids.push_back(*id);
      else
        failed = id.error();
    }
    auto anyOpen = [&] {
      for (const auto &collector : collectors)
        if (collector->result.finish == MJ_FINISH_NONE)
          return true;
      return false;
    };
    while (!failed && anyOpen())
      if (auto left = step(); !left)
        failed = left.error();
    if (failed) {
      // Those that are still open end at the next step, whoever makes it; until then what they point at stays.
      for (uint64_t id : ids)
        (void)mj_generator_cancel(get(), id);
      for (auto &collector : collectors) {
        collector->watch = nullptr;
        cancelled_.push_back(std::move(collector));
      }
      return *failed;
    }
    std::vector<Generated> results;
    for (auto &collector : collectors)
      results.push_back(std::move(collector->result));
    return results;
  }
  Result<Generated> generate(const Request &request, const Watcher &watch = {}) {
    auto results =
        watch ? generate(std::vector<Request>{request}, [&](size_t, const mj_event &event) { return watch(event); })
              : generate(std::vector<Request>{request});
    if (!results)
      return results.error();
    return std::move((*results)[0]);
  }

  /// Logits [rows, vocabulary] of what follows each of `rows` (ascending; empty: all) of `tokens`.
  Result<std::vector<float>> score(const std::vector<int32_t> &tokens, const std::vector<size_t> &rows = {}) {
    std::vector<float> logits((rows.empty() ? tokens.size() : rows.size()) * info().vocabulary);
    if (mj_status code = mj_generator_score(get(), tokens.data(), tokens.size(), rows.empty() ? nullptr : rows.data(),
                                            rows.size(), logits.data()))
      return detail::lastError(code);
    return logits;
  }

private:
  explicit Generator(mj_generator *handle) : handle_(handle) {}

  struct Collector {
    Collector(size_t index, const std::function<bool(size_t, const mj_event &)> *watch) : index(index), watch(watch) {}

    Generated result;
    size_t index;
    const std::function<bool(size_t, const mj_event &)> *watch;

    static int take(void *user, const mj_event *event) {
      Collector &self = *static_cast<Collector *>(user);
      self.result.text.append(event->text, event->text_bytes);
      self.result.tokens.insert(self.result.tokens.end(), event->tokens, event->tokens + event->token_count);
      if (event->finish != MJ_FINISH_NONE) {
        self.result.finish = event->finish;
        self.result.stats = *event->stats;
      }
      return self.watch && !(*self.watch)(self.index, *event) ? 1 : 0;
    }
  };

  Request defaults() const {
    mj_request raw = {};
    (void)mj_request_init(get(), &raw);
    Request request;
    request.addSpecialTokens = raw.add_special_tokens != 0;
    request.temperature = raw.temperature;
    request.topK = raw.top_k;
    request.topP = raw.top_p;
    return request;
  }

  struct Destroy {
    void operator()(mj_generator *handle) const { mj_generator_destroy(handle); }
  };
  std::vector<std::unique_ptr<Collector>> cancelled_; // outlives the handle
  std::unique_ptr<mj_generator, Destroy> handle_;
};

} // namespace mjolnir

#endif // MJOLNIR_LLM_HPP
