// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Generator.h. A step in its steady state allocates nothing: what a request needs is reserved when it is
// taken.

#include "Generator.h"

#include "Error.h"

#include "mjolnir/format/KvPlan.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace mjolnir::llm {

namespace {

using Clock = std::chrono::steady_clock;

uint64_t nanosecondsSince(Clock::time_point begin) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count());
}

} // namespace

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

  uint64_t age() const { return nanosecondsSince(submitted); }
};

Generator::Generator(std::unique_ptr<Program> programToRun, const Tokenizer *tokenizer, GenerationConfig config,
                     uint32_t flags)
    : program(std::move(programToRun)), tokenizer(tokenizer), defaults(std::move(config)), scheduler(program->info()),
      runsAhead(!(flags & MJ_GENERATOR_NO_RUN_AHEAD) &&
                ((flags & MJ_GENERATOR_ALWAYS_RUN_AHEAD) || program->gainsFromRunningAhead())) {
  for (Flight &flight : flights)
    flight.batch.items.reserve(scheduler.maxActive());
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
    return {whole, 0, UINT32_MAX};
  if (info.windowPages == 0)
    return roomInWindow(tokens, info.pages);
  Room window = roomInWindow(tokens, info.windowPages);
  return {whole, window.pages, window.rows};
}

/// The same of a pool of `available` pages that keeps the window.
Generator::Room Generator::roomInWindow(uint64_t tokens, uint32_t available) const {
  const Program::Info &info = program->info();
  const uint64_t whole = format::kvPages(tokens, info.pageSize);
  // As many rows a step as there are entries for; with few pages fewer, so that the window stays.
  const uint64_t most = scheduler.maxRows(), least = format::kvWindowPages(info.window, 1, info.pageSize);
  const uint64_t wanted = std::min(whole, format::kvWindowPages(info.window, most, info.pageSize));
  if (wanted <= available || whole <= least)
    return {std::min(wanted, whole), 0, static_cast<uint32_t>(most)};
  if (least > available)
    return {least, 0, static_cast<uint32_t>(most)};
  uint64_t rows = (uint64_t(available) - 1) * info.pageSize + 2 - info.window;
  return {available, 0, static_cast<uint32_t>(std::min(rows, most))};
}

bool Generator::isThere(const Room &room) const {
  return room.pages <= program->info().pages && room.windowPages <= program->info().windowPages;
}

/// What a message adds on pages that keep a window: those of a pool of their own, or all.
std::string Generator::windowText(bool inWindowPool) const {
  uint32_t window = inWindowPool || program->info().windowPages == 0 ? program->info().window : 0;
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
  Room room = roomFor(limit - 1);
  while (!isThere(room)) {
    const bool lacksWindow = room.pages <= info.pages;
    const uint32_t pages = lacksWindow ? info.windowPages : info.pages;
    uint64_t tokens = uint64_t(pages) * info.pageSize;
    if (options.maxNewTokens != 0 || length > tokens) {
      Room asked = options.maxNewTokens != 0 ? room : roomFor(length);
      throw Error(MJ_ERROR_OUT_OF_MEMORY,
                  "the request needs " + std::to_string(lacksWindow ? asked.windowPages : asked.pages) +
                      (lacksWindow ? " KV pages of layers with a window (" : " KV pages (") + std::to_string(length) +
                      " prompt tokens + " + std::to_string(options.maxNewTokens != 0 ? limit - 1 - length : 0) +
                      " generated, " + std::to_string(info.pageSize) + " tokens a page" + windowText(lacksWindow) +
                      "), but the session has " + std::to_string(pages) + " pages for " + std::to_string(tokens) +
                      " tokens; ask for fewer tokens, or make the session with more pages (" +
                      (lacksWindow ? "kv_window_pages)" : "kv_pages)"));
    }
    limit = tokens + 1;
    room = roomFor(tokens);
    request->atLimit = MJ_FINISH_PAGES_FULL;
  }
  request->limit = limit;
  request->pagesNeeded = static_cast<uint32_t>(room.pages);
  request->windowPagesNeeded = static_cast<uint32_t>(room.windowPages);
  request->maxRows = room.rows;
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
  Room room = roomFor(tokens.size());
  if (!isThere(room)) {
    const bool lacksWindow = room.pages <= info.pages;
    throw Error(MJ_ERROR_OUT_OF_MEMORY, "scoring " + std::to_string(tokens.size()) + " tokens needs " +
                                            std::to_string(lacksWindow ? room.windowPages : room.pages) +
                                            (lacksWindow ? " KV pages of layers with a window (" : " KV pages (") +
                                            std::to_string(info.pageSize) + " tokens a page" + windowText(lacksWindow) +
                                            "), but the session has " +
                                            std::to_string(lacksWindow ? info.windowPages : info.pages) +
                                            "; score shorter windows, or make the session with more pages (" +
                                            (lacksWindow ? "kv_window_pages)" : "kv_pages)"));
  }
  auto request = std::make_unique<Request>();
  request->scoring = true;
  request->promptTokens = request->limit = tokens.size();
  request->pagesNeeded = static_cast<uint32_t>(room.pages);
  request->windowPagesNeeded = static_cast<uint32_t>(room.windowPages);
  request->maxRows = room.rows;
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
    if (request->id == id && !request->finished)
      leave(*request);
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

  const auto begin = Clock::now();
  const uint64_t calledBefore = totals.callback_nanoseconds, capturedBefore = program->captureNanoseconds();
  uint64_t waited = 0;
  try {
    // What was run ahead for requests that have all ended tells nobody anything.
    if (flying == 1 && flights[first].batch.isEmpty()) {
      waited += waitForFirst();
      totals.dropped_tokens += flights[first].batch.items.size();
      land();
    }
    if (flying == 0) {
      if (!scheduler.next(flights[first].batch))
        return requests.size();
      start(flights[first]);
      flying = 1;
    }
    if (canRunAhead(flights[first])) {
      startAhead(flights[first], flights[1 - first]);
      flying = 2;
    }
    waited += waitForFirst();
  } catch (...) {
    failFlights();
    sweep();
    throw;
  }
  Flight &flight = flights[first];
  const uint64_t rows = takeResults(flight);
  const bool decode = flight.batch.decode;
  totals.ahead_steps += flight.ahead;
  land();
  const auto read = Clock::now();
  const uint64_t device = program->deviceNanoseconds(), measuring = nanosecondsSince(read),
                 nanoseconds = nanosecondsSince(begin), captured = program->captureNanoseconds() - capturedBefore,
                 elsewhere = waited + captured + measuring + totals.callback_nanoseconds - calledBefore;
  totals.capture_nanoseconds += captured;
  (decode ? totals.decode_steps : totals.prefill_steps) += 1;
  (decode ? totals.decode_tokens : totals.prefill_tokens) += rows;
  (decode ? totals.decode_nanoseconds : totals.prefill_nanoseconds) += nanoseconds;
  (decode ? totals.decode_host_nanoseconds : totals.prefill_host_nanoseconds) += nanoseconds - elsewhere;
  (decode ? totals.decode_device_nanoseconds : totals.prefill_device_nanoseconds) += device;
  sweep();
  if (!invalidTokens.empty())
    throw Error(MJ_ERROR_INTERNAL, std::exchange(invalidTokens, {}));
  return requests.size();
}

/// Whether the next step is decided but for the tokens that this one draws: the same requests, none of which ends for
/// having enough.
bool Generator::canRunAhead(const Flight &flight) const {
  if (!runsAhead || flying == 2 || !scheduler.repeats(flight.batch))
    return false;
  for (const Batch::Item &item : flight.batch.items) {
    const auto *request = static_cast<const Request *>(item.sequence);
    if (!request || request->scoring || request->cancelled || request->cached + 1 != request->tokens.size() ||
        request->tokens.size() + 1 >= request->limit)
      return false;
  }
  return true;
}

void Generator::start(Flight &flight) {
  RaggedStep &ragged = program->step(flight.batch.entry, first);
  ragged.clear();
  bool wantLogits = false;
  for (const Batch::Item &item : flight.batch.items) {
    const Sequence &sequence = *item.sequence;
    ragged.add(&sequence.tokens[sequence.cached], item.count, sequence.cached, sequence.pages, sequence.windowPages,
               sequence.sampling);
    wantLogits |= sequence.cached + item.count == sequence.nextWantedRow + 1;
  }
  ragged.finish();
  flight.ahead = false;
  program->start(flight.batch.entry, first, wantLogits, /*continues=*/false);
}

/// Pages of a request are taken for all of it when it joins, so that one more step of its finds room. Should it have
/// ended by then, that step stores a row into pages that are given back already: whoever gets them stores later, in the
/// order of the device.
void Generator::startAhead(const Flight &before, Flight &flight) {
  const unsigned turn = 1 - first;
  RaggedStep &ragged = program->step(before.batch.entry, turn);
  ragged.clear();
  const int32_t drawnByThen = 0;
  for (const Batch::Item &item : before.batch.items)
    ragged.add(&drawnByThen, 1, item.sequence->cached + 1, item.sequence->pages, item.sequence->windowPages,
               item.sequence->sampling);
  ragged.finish();
  flight.batch.entry = before.batch.entry;
  flight.batch.decode = true;
  flight.batch.items.assign(before.batch.items.begin(), before.batch.items.end());
  flight.ahead = true;
  program->start(before.batch.entry, turn, /*wantLogits=*/false, /*continues=*/true);
}

/// Nanoseconds that it took.
uint64_t Generator::waitForFirst() {
  const auto begin = Clock::now();
  program->wait();
  return nanosecondsSince(begin);
}

/// Hands on what the step brought; its rows.
uint64_t Generator::takeResults(Flight &flight) {
  RaggedStep &ragged = program->step(flight.batch.entry, first);
  uint64_t rows = 0;
  for (size_t i = 0; i < flight.batch.items.size(); ++i) {
    const Batch::Item item = flight.batch.items[i];
    if (!item.sequence) {
      ++totals.dropped_tokens;
      continue;
    }
    Request &request = static_cast<Request &>(*item.sequence);
    request.cached += item.count;
    rows += item.count;
    if (request.scoring) {
      if (request.cached == request.nextWantedRow + 1)
        takeLogits(request, &ragged.logits[i * ragged.vocabulary]);
    } else if (request.cached == request.tokens.size()) {
      takeToken(request, ragged.nextTokens[i]);
    }
  }
  return rows;
}

void Generator::land() {
  flights[first].batch.items.clear();
  first = 1 - first;
  --flying;
}

/// Ends the requests of all steps under way, and waits until nothing is.
void Generator::failFlights() {
  for (Flight &flight : flights)
    for (size_t i = 0; i < flight.batch.items.size(); ++i)
      if (Sequence *sequence = flight.batch.items[i].sequence)
        finish(static_cast<Request &>(*sequence), MJ_FINISH_ERROR, {});
  program->drain();
  for (Flight &flight : flights)
    flight.batch.items.clear();
  first = flying = 0;
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
  if (!request.callback)
    return;
  const auto begin = Clock::now();
  if (request.callback(request.user, &event) != 0)
    request.cancelled = true;
  totals.callback_nanoseconds += nanosecondsSince(begin);
}

void Generator::finish(Request &request, mj_finish reason, mj_event event) {
  leave(request);
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

/// Out of the scheduler, and out of what is under way.
void Generator::leave(Request &request) {
  request.finished = true;
  scheduler.remove(&request);
  for (Flight &flight : flights)
    for (Batch::Item &item : flight.batch.items)
      if (item.sequence == &request)
        item.sequence = nullptr;
}

void Generator::sweep() {
  requests.erase(
      std::remove_if(requests.begin(), requests.end(), [](const auto &request) { return request->finished; }),
      requests.end());
}

} // namespace mjolnir::llm
