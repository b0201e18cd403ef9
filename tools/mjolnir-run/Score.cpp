// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// mjolnir-run --perplexity and --logits: feeds given tokens and looks at what the model would have said.

#include "Commands.h"
#include "Npy.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <numeric>

namespace mjolnir::run {

namespace {

/// -log softmax(logits)[token], in double.
double negativeLogLikelihood(const float *logits, size_t vocabulary, int32_t token) {
  double largest = *std::max_element(logits, logits + vocabulary);
  double sum = 0;
  for (size_t v = 0; v < vocabulary; ++v)
    sum += std::exp(logits[v] - largest);
  return largest + std::log(sum) - logits[token];
}

struct Totals {
  double negativeLogLikelihood = 0;
  size_t predicted = 0;
  size_t vocabulary = 0;
  size_t windowsLeft = 0;
};

struct Window {
  size_t begin, end;     // tokens of the text
  size_t firstPredicted; // the first that this window predicts
  const std::vector<int32_t> *text;
  Totals *totals;

  static int take(void *user, const mj_event *event) {
    Window &self = *static_cast<Window *>(user);
    if (event->logits) {
      int32_t next = (*self.text)[self.begin + event->row + 1];
      self.totals->negativeLogLikelihood += negativeLogLikelihood(event->logits, self.totals->vocabulary, next);
      ++self.totals->predicted;
    }
    self.totals->windowsLeft -= event->finish != MJ_FINISH_NONE;
    return 0;
  }
};

std::vector<Window> cutIntoWindows(const std::vector<int32_t> &text, size_t window, size_t stride, Totals &totals) {
  std::vector<Window> windows;
  size_t covered = 0;
  for (size_t begin = 0; covered < text.size(); begin += stride) {
    size_t end = std::min(begin + window, text.size());
    size_t first = std::max(covered, begin + 1);
    if (first < end)
      windows.push_back({begin, end, first, &text, &totals});
    covered = end;
  }
  return windows;
}

/// KV pages so that many windows fit at once, within a gigabyte; 0: let the session decide.
uint32_t pagesForWindows(const Package &package, size_t window, size_t windows) {
  auto kv = package.kv();
  if (!kv || kv->page_size == 0)
    return 0;
  uint32_t most = 1;
  for (size_t i = 0; i < package.entryCount(); ++i)
    if (auto entry = package.entry(i); entry && entry->kind == MJ_ENTRY_RAGGED)
      most = std::max(most, entry->sequences);
  uint64_t pages = (window + kv->page_size - 1) / kv->page_size;
  uint64_t affordable = kv->bytes_per_page ? (uint64_t(1) << 30) / (kv->bytes_per_page * pages) : most;
  uint64_t together = std::max<uint64_t>(1, std::min<uint64_t>({most, windows, affordable}));
  return static_cast<uint32_t>(std::min<uint64_t>(pages * together, UINT32_MAX));
}

/// The tokens of --perplexity's file. Throws NpyError.
std::vector<int32_t> textTokens(const Package &package, const Options &options) {
  const std::string &path = options.perplexityFile;
  if (path.size() > 4 && path.compare(path.size() - 4, 4, ".npy") == 0) {
    NpyArray array = readNpy(path);
    if (array.descr != "<i4" || array.shape.size() != 1)
      throw NpyError("'" + path + "' holds " + array.descr + shapeText(array.shape) +
                     ", not a list of token ids, <i4[N]");
    std::vector<int32_t> tokens(array.data.size() / sizeof(int32_t));
    std::memcpy(tokens.data(), array.data.data(), array.data.size());
    return tokens;
  }
  std::string contents = readWholeFile(path);
  // The text has to be cut before the session can be made in its size; the tokenizer is independent of it.
  auto json = package.member("tokenizer.json");
  if (!json)
    throw NpyError("the package has no tokenizer.json; give the text as token ids in a .npy file");
  mj_tokenizer *handle = nullptr;
  if (mj_tokenizer_create(json->data(), json->size(), &handle) != MJ_OK)
    throw NpyError(mj_last_error());
  std::unique_ptr<mj_tokenizer, decltype(&mj_tokenizer_destroy)> owner(handle, &mj_tokenizer_destroy);
  auto encoded = TokenizerRef(handle).encode(contents, !options.noSpecialTokens);
  if (!encoded)
    throw NpyError(encoded.error().message);
  return std::move(*encoded);
}

} // namespace

int perplexity(const Package &package, const Options &options) {
  std::vector<int32_t> text = textTokens(package, options);
  if (text.size() < 2)
    return fail("the text has " + std::to_string(text.size()) + " tokens; at least 2 are needed to predict one");

  auto kv = package.kv();
  if (!kv)
    return fail(kv.error().message);
  size_t longest = kv->max_context ? kv->max_context : text.size();
  size_t window = options.window ? options.window : longest;
  size_t stride = options.stride ? options.stride : window;
  if (window < 2 || window > longest)
    return fail("--window is " + std::to_string(window) + "; it must be from 2 to the longest context, " +
                std::to_string(longest));
  if (stride > window)
    return fail("--stride is " + std::to_string(stride) + "; above the window, " + std::to_string(window) +
                ", tokens would be left out");
  Totals totals;
  totals.vocabulary = kv->vocabulary;
  std::vector<Window> windows = cutIntoWindows(text, window, stride, totals);
  totals.windowsLeft = windows.size();

  uint32_t pages =
      options.kvPages ? options.kvPages : pagesForWindows(package, std::min(window, text.size()), windows.size());
  auto generator = Generator::create(package, options.threads, pages);
  if (!generator)
    return fail(generator.error().message);
  size_t toPredict = 0;
  std::vector<size_t> rows;
  for (Window &w : windows) {
    rows.resize(w.end - w.firstPredicted);
    std::iota(rows.begin(), rows.end(), w.firstPredicted - 1 - w.begin);
    toPredict += rows.size();
    if (mj_generator_submit_score(generator->get(), &text[w.begin], w.end - w.begin, rows.data(), rows.size(),
                                  &Window::take, &w, nullptr) != MJ_OK)
      return fail(mj_last_error());
  }
  bool terminal = isatty(STDERR_FILENO);
  auto start = std::chrono::steady_clock::now(), shown = start;
  while (totals.windowsLeft > 0) {
    auto left = generator->step();
    if (!left)
      return fail(left.error().message);
    auto now = std::chrono::steady_clock::now();
    if (terminal && now - shown > std::chrono::milliseconds(200)) {
      std::fprintf(stderr, "\r%zu of %zu tokens ", totals.predicted, toPredict);
      shown = now;
    }
  }
  if (terminal)
    std::fprintf(stderr, "\r\033[K");
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  double mean = totals.negativeLogLikelihood / static_cast<double>(totals.predicted);
  if (!std::isfinite(mean))
    return fail("the logits are not finite numbers");
  std::printf("perplexity %.6f  (mean negative log likelihood %.8f of %zu tokens; %zu tokens in %zu windows of %zu, "
              "stride %zu)\n",
              std::exp(mean), mean, totals.predicted, text.size(), windows.size(), window, stride);
  if (options.stats)
    std::fprintf(stderr, "%.1f s, %.1f tokens/s\n", seconds, static_cast<double>(totals.predicted) / seconds);
  return std::fflush(stdout) == 0 ? ExitOk : fail("cannot write to standard output");
}

int logits(const Package &package, const Options &options) {
  auto generator = Generator::create(package, options.threads, options.kvPages, 0, 0, options.kvWindowPages);
  if (!generator)
    return fail(generator.error().message);
  auto tokens = promptTokens(*generator, options);
  if (!tokens)
    return fail(tokens.error().message);
  auto scores = generator->score(*tokens);
  if (!scores)
    return fail(scores.error().message);
  NpyArray array;
  array.descr = "<f4";
  array.shape = {static_cast<int64_t>(tokens->size()), static_cast<int64_t>(generator->info().vocabulary)};
  array.data.resize(scores->size() * sizeof(float));
  std::memcpy(array.data.data(), scores->data(), array.data.size());
  writeNpy(options.logitsFile, array);
  return ExitOk;
}

} // namespace mjolnir::run
