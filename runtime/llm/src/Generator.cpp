// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Generator.h. A step in its steady state allocates nothing: what a request needs is reserved when it is
// taken.

#include "Generator.h"

#include "Error.h"

#include "mjolnir/format/KvPlan.h"

#include <algorithm>
#include <utility>

namespace mjolnir::llm {

struct Generator::Request : Sequence {
  uint64_t id = 0;
  size_t promptTokens = 0;
  size_t limit = 0;                     // tokens it may hold
  mj_finish atLimit = MJ_FINISH_LENGTH; // why it ends there
  std::vector<int32_t> stopTokens;      // sorted
  std::vector<size_t> rows;             // scoring: what is wanted
  size_t nextRow = 0;                   // scoring: the next of them
  bool scoring = false, cancelled = false, finished = false;
  std::optional<TextStream> stream;
  mj_event_callback callback = nullptr;
  void *user = nullptr;
  Clock::time_point submitted = Clock::now();
  uint64_t firstTokenNanoseconds = 0;

  uint64_t age() const {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - submitted).count());
  }
};

Generator::Generator(std::unique_ptr<Program> programToRun, const Tokenizer *tokenizer, GenerationConfig config)
    : program(std::move(programToRun)), tokenizer(tokenizer), defaults(std::move(config)), scheduler(program->info()) {
  batch.items.reserve(scheduler.maxActive());
  text.reserve(1024);
}

Generator::~Generator() = default;

mj_generator_info Generator::info() const {
  const Program::Info &info = program->info();
  return {info.maxContext, info.vocabulary, info.pageSize, info.pages, scheduler.maxActive()};
}

void Generator::checkTokens(const std::vector<int32_t> &tokens, const char *what) const {
  if (tokens.empty())
    throw Error(MJ_ERROR_INVALID_ARGUMENT,
                std::string(what) + " has no tokens; at least one is needed to predict from");
  uint32_t vocabulary = program->info().vocabulary;
  for (size_t i = 0; i < tokens.size(); ++i)
    if (tokens[i] < 0 || static_cast<uint32_t>(tokens[i]) >= vocabulary)
      throw Error(MJ_ERROR_INVALID_ARGUMENT, std::string(what) + " has the token " + std::to_string(tokens[i]) +
                                                 " at " + std::to_string(i) + "; the vocabulary has " +
                                                 std::to_string(vocabulary) + " tokens");
}

Generator::Room Generator::roomFor(uint64_t tokens) const {
  const Program::Info &info = program->info();
  const uint64_t whole = format::kvPages(tokens, info.pageSize);
  if (info.window == 0)
    return {whole, UINT32_MAX};
  // As many rows a step as there are entries for; with few pages fewer, so that the window stays.
  const uint64_t most = scheduler.maxRows(), least = format::kvWindowPages(info.window, 1, info.pageSize);
  const uint64_t wanted = std::min(whole, format::kvWindowPages(info.window, most, info.pageSize));
  if (wanted <= info.pages || whole <= least)
    return {std::min(wanted, whole), static_cast<uint32_t>(most)};
  if (least > info.pages)
    return {least, static_cast<uint32_t>(most)};
  uint64_t rows = (uint64_t(info.pages) - 1) * info.pageSize + 2 - info.window;
  return {info.pages, static_cast<uint32_t>(std::min(rows, most))};
}

std::string Generator::windowText() const {
  uint32_t window = program->info().window;
  return window ? ", a window of " + std::to_string(window) + " tokens" : "";
}

uint64_t Generator::submit(std::vector<int32_t> prompt, Options options) {
  checkTokens(prompt, "the prompt");
  checkSampling(options.sampling);
  for (const std::string &stop : options.stopTexts)
    if (stop.empty())
      throw Error(MJ_ERROR_INVALID_ARGUMENT, "a stop text is empty");
  if (!options.stopTexts.empty() && !tokenizer)
    throw Error(MJ_ERROR_UNSUPPORTED, "stop texts need a tokenizer, and the package has none that can be used");

  const Program::Info &info = program->info();
  uint64_t length = prompt.size();
  if (length >= info.maxContext)
    throw Error(MJ_ERROR_INVALID_ARGUMENT,
                "the prompt has " + std::to_string(length) + " tokens, but a sequence holds " +
                    std::to_string(info.maxContext) +
                    " at most, the generated ones included; shorten it, or compile the model with "
                    "a larger --max-context");
  auto request = std::make_unique<Request>();
  uint64_t limit = info.maxContext;
  request->atLimit = MJ_FINISH_CONTEXT_FULL;
  if (options.maxNewTokens != 0 && length + options.maxNewTokens <= limit) {
    limit = length + options.maxNewTokens;
    request->atLimit = MJ_FINISH_LENGTH;
  }
  // The last token is handed out, but never fed to the program.
  auto [needed, rows] = roomFor(limit - 1);
  if (needed > info.pages) {
    uint64_t room = uint64_t(info.pages) * info.pageSize;
    if (options.maxNewTokens != 0 || length > room)
      throw Error(MJ_ERROR_OUT_OF_MEMORY,
                  "the request needs " + std::to_string(options.maxNewTokens != 0 ? needed : roomFor(length).pages) +
                      " KV pages (" + std::to_string(length) + " prompt tokens + " +
                      std::to_string(options.maxNewTokens != 0 ? limit - 1 - length : 0) + " generated, " +
                      std::to_string(info.pageSize) + " tokens a page" + windowText() + "), but the session has " +
                      std::to_string(info.pages) + " pages for " + std::to_string(room) +
                      " tokens; ask for fewer tokens, or make the session with more "
                      "pages (kv_pages)");
    needed = info.pages;
    limit = room + 1;
    request->atLimit = MJ_FINISH_PAGES_FULL;
  }
  request->limit = limit;
  request->pagesNeeded = static_cast<uint32_t>(needed);
  request->maxRows = rows;
  request->promptTokens = prompt.size();
  request->tokens = std::move(prompt);
  request->tokens.reserve(limit);
  request->sampling = options.sampling;
  request->stopTokens = std::move(options.stopTokens);
  if (!options.ignoreEndOfText)
    request->stopTokens.insert(request->stopTokens.end(), defaults.endOfText.begin(), defaults.endOfText.end());
  std::sort(request->stopTokens.begin(), request->stopTokens.end());
  if (tokenizer)
    request->stream.emplace(*tokenizer, !options.keepSpecialTokens, std::move(options.stopTexts));
  request->callback = options.callback;
  request->user = options.user;
  return take(std::move(request));
}

uint64_t Generator::submitScore(std::vector<int32_t> tokens, std::vector<size_t> rows, mj_event_callback callback,
                                void *user) {
  checkTokens(tokens, "the text to score");
  const Program::Info &info = program->info();
  if (tokens.size() > info.maxContext)
    throw Error(MJ_ERROR_INVALID_ARGUMENT, "the text to score has " + std::to_string(tokens.size()) +
                                               " tokens, but a sequence holds " + std::to_string(info.maxContext) +
                                               " at most; score it in windows");
  for (size_t i = 0; i < rows.size(); ++i)
    if (rows[i] >= tokens.size() || (i > 0 && rows[i] <= rows[i - 1]))
      throw Error(MJ_ERROR_INVALID_ARGUMENT, "rows to score must be ascending and below " +
                                                 std::to_string(tokens.size()) + ", the number of tokens; row " +
                                                 std::to_string(i) + " is " + std::to_string(rows[i]));
  if (rows.empty())
    throw Error(MJ_ERROR_INVALID_ARGUMENT, "no rows to score were given");
  // What comes after the last wanted row changes nothing.
  tokens.resize(rows.back() + 1);
  auto [needed, stepRows] = roomFor(tokens.size());
  if (needed > info.pages)
    throw Error(MJ_ERROR_OUT_OF_MEMORY, "scoring " + std::to_string(tokens.size()) + " tokens needs " +
                                            std::to_string(needed) + " KV pages (" + std::to_string(info.pageSize) +
                                            " tokens a page" + windowText() + "), but the session has " +
                                            std::to_string(info.pages) +
                                            "; score shorter windows, or make the session with more pages (kv_pages)");
  auto request = std::make_unique<Request>();
  request->scoring = true;
  request->promptTokens = request->limit = tokens.size();
  request->pagesNeeded = static_cast<uint32_t>(needed);
  request->maxRows = stepRows;
  request->tokens = std::move(tokens);
  request->rows = std::move(rows);
  request->nextWantedRow = request->rows[0];
  request->callback = callback;
  request->user = user;
  return take(std::move(request));
}

uint64_t Generator::take(std::unique_ptr<Request> request) {
  uint64_t id = request->id = ++lastId;
  requests.push_back(std::move(request));
  try {
    scheduler.submit(requests.back().get());
  } catch (...) {
    requests.pop_back();
    throw;
  }
  return id;
}

void Generator::cancel(uint64_t id) {
  for (auto &request : requests)
    if (request->id == id && !request->finished) {
      request->cancelled = true;
      return;
    }
  throw Error(MJ_ERROR_NOT_FOUND, "there is no unfinished request " + std::to_string(id));
}

void Generator::drop(uint64_t id) {
  for (auto &request : requests)
    if (request->id == id && !request->finished) {
      scheduler.remove(request.get());
      request->finished = true;
    }
  sweep();
}

size_t Generator::step() {
  if (stepping)
    throw Error(MJ_ERROR_INVALID_ARGUMENT, "a callback cannot step the generator that called it");
  struct Guard {
    bool &flag;
    explicit Guard(bool &flag) : flag(flag) { flag = true; }
    ~Guard() { flag = false; }
  } guard(stepping);

  // By number: callbacks may submit.
  for (size_t i = 0; i < requests.size(); ++i)
    if (requests[i]->cancelled && !requests[i]->finished)
      finish(*requests[i], MJ_FINISH_CANCELLED, {});
  sweep();

  auto start = Clock::now();
  if (!scheduler.next(batch))
    return requests.size();
  RaggedStep &ragged = program->step(batch.entry);
  ragged.clear();
  bool wantLogits = false;
  uint64_t rows = 0;
  for (const Batch::Item &item : batch.items) {
    const Sequence &sequence = *item.sequence;
    ragged.add(&sequence.tokens[sequence.cached], item.count, sequence.cached, sequence.pages, sequence.sampling);
    wantLogits |= sequence.cached + item.count == sequence.nextWantedRow + 1;
    rows += item.count;
  }
  ragged.finish();
  try {
    program->run(batch.entry, wantLogits);
  } catch (...) {
    failBatch();
    sweep();
    throw;
  }
  for (size_t i = 0; i < batch.items.size(); ++i) {
    Request &request = static_cast<Request &>(*batch.items[i].sequence);
    request.cached += batch.items[i].count;
    if (request.scoring) {
      if (request.cached == request.nextWantedRow + 1)
        takeLogits(request, &ragged.logits[i * ragged.vocabulary]);
    } else if (request.cached == request.tokens.size()) {
      takeToken(request, ragged.nextTokens[i]);
    }
  }
  auto nanoseconds =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count());
  (batch.decode ? totals.decode_steps : totals.prefill_steps) += 1;
  (batch.decode ? totals.decode_tokens : totals.prefill_tokens) += rows;
  (batch.decode ? totals.decode_nanoseconds : totals.prefill_nanoseconds) += nanoseconds;
  sweep();
  if (!invalidTokens.empty())
    throw Error(MJ_ERROR_INTERNAL, std::exchange(invalidTokens, {}));
  return requests.size();
}

void Generator::takeToken(Request &request, int32_t token) {
  mj_event event = {};
  text.clear();
  if (token < 0 || static_cast<uint32_t>(token) >= program->info().vocabulary) {
    // The program's own doing: logits that are not numbers, for one.
    invalidTokens = "the program drew the token " + std::to_string(token) + " for request " +
                    std::to_string(request.id) + ", which is outside the vocabulary of " +
                    std::to_string(program->info().vocabulary);
    finish(request, MJ_FINISH_ERROR, event);
    return;
  }
  if (request.tokens.size() == request.promptTokens)
    request.firstTokenNanoseconds = request.age();
  request.tokens.push_back(token);
  event.tokens = &request.tokens.back();
  event.token_count = 1;
  mj_finish reason = MJ_FINISH_NONE;
  if (std::binary_search(request.stopTokens.begin(), request.stopTokens.end(), token))
    reason = MJ_FINISH_STOP;
  else if (request.stream && request.stream->push(token, text))
    reason = MJ_FINISH_STOP;
  else if (request.tokens.size() >= request.limit)
    reason = request.atLimit;
  if (reason != MJ_FINISH_NONE)
    finish(request, reason, event);
  else
    notify(request, event);
}

void Generator::takeLogits(Request &request, const float *logits) {
  mj_event event = {};
  event.logits = logits;
  event.row = request.rows[request.nextRow++];
  text.clear();
  if (request.nextRow == request.rows.size()) {
    finish(request, MJ_FINISH_SCORED, event);
    return;
  }
  request.nextWantedRow = request.rows[request.nextRow];
  notify(request, event);
}

void Generator::notify(Request &request, mj_event &event) {
  event.request = request.id;
  event.text = text.data();
  event.text_bytes = text.size();
  if (request.callback && request.callback(request.user, &event) != 0)
    request.cancelled = true;
}

void Generator::finish(Request &request, mj_finish reason, mj_event event) {
  request.finished = true;
  scheduler.remove(&request);
  if (event.token_count == 0)
    text.clear();
  if (request.stream)
    request.stream->finish(text);
  mj_request_stats stats = {request.promptTokens, request.tokens.size() - request.promptTokens,
                            request.firstTokenNanoseconds, request.age()};
  event.finish = reason;
  event.stats = &stats;
  notify(request, event);
}

void Generator::failBatch() {
  for (size_t i = 0; i < batch.items.size(); ++i)
    finish(static_cast<Request &>(*batch.items[i].sequence), MJ_FINISH_ERROR, {});
}

void Generator::sweep() {
  requests.erase(
      std::remove_if(requests.begin(), requests.end(), [](const auto &request) { return request->finished; }),
      requests.end());
}

} // namespace mjolnir::llm
