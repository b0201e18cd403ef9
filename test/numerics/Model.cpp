// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Model.h.
#include "Model.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace mjolnir::numerics {
namespace {

template <typename T> T take(Result<T> result) {
  if (!result)
    throw std::runtime_error(result.error().message);
  return std::move(*result);
}

constexpr DLDataType kI32 = {kDLInt, 32, 1}, kI64 = {kDLInt, 64, 1}, kF32 = {kDLFloat, 32, 1};

} // namespace

bool sameBits(const std::vector<float> &a, const std::vector<float> &b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

Difference difference(const std::vector<float> &a, const std::vector<float> &b) {
  if (a.size() != b.size())
    throw std::runtime_error("lists of " + std::to_string(a.size()) + " and " + std::to_string(b.size()) + " numbers");
  Difference result;
  for (size_t i = 0; i < a.size(); ++i) {
    double d = std::abs(double(a[i]) - double(b[i]));
    if (std::isnan(d))
      d = std::numeric_limits<double>::infinity();
    result.largest = std::max(result.largest, d);
    result.rms += d * d;
  }
  result.rms = std::sqrt(result.rms / double(std::max<size_t>(1, a.size())));
  return result;
}

Tokens pagesFrom(int32_t first, int32_t count) {
  Tokens pages(count);
  std::iota(pages.begin(), pages.end(), first);
  return pages;
}

/// Layers with a window use the pages that the others do, whole sequences, where they have a pool of their own.
static Session createSession(const Package &package, uint32_t threads, uint32_t kvPages) {
  Session session = take(Session::create(package, threads, kvPages));
  return session.kvWindowPages() ? take(Session::create(package, threads, session.kvPages(), session.kvPages()))
                                 : std::move(session);
}

Model::Model(const std::string &path, uint32_t threads, uint32_t kvPages)
    : package(take(Package::open(path))), session(createSession(package, threads, kvPages)),
      kvInfo(take(package.kv())) {}

Stepped Model::step(const std::string &entry, const std::vector<Piece> &pieces) {
  size_t index = take(package.findEntry(entry));
  mj_entry_info info = take(package.entry(index));
  const int64_t rows = info.tokens, sequences = info.sequences, pagesEach = info.pages_per_sequence;
  const int64_t vocabulary = kvInfo.vocabulary, pageSize = kvInfo.page_size;
  if (int64_t(pieces.size()) > sequences)
    throw std::runtime_error(entry + " has no room for " + std::to_string(pieces.size()) + " sequences");

  // Padding rows hold a valid token at a valid position, block tables past the context anything.
  Tokens tokens(rows, int32_t(vocabulary - 1)), positions(rows, 3), slots(rows, -1);
  Tokens offsets(sequences + 1, 0), lengths(sequences, 0), tables(sequences * pagesEach, INT_MAX);
  Tokens logitRows(sequences, 0), topK(sequences, 0);
  std::vector<float> temperature(sequences, 0), topP(sequences, 1);
  std::vector<int64_t> seeds(sequences, 0);
  int64_t row = 0;
  for (int64_t b = 0; b < sequences; ++b) {
    if (b < int64_t(pieces.size())) {
      const Piece &piece = pieces[b];
      const int64_t count = piece.tokens.size(), length = piece.start + count;
      if (row + count > rows)
        throw std::runtime_error(entry + " has no room for " + std::to_string(row + count) + " tokens");
      if (int64_t(piece.pages.size()) > pagesEach || int64_t(piece.pages.size()) * pageSize < length)
        throw std::runtime_error(std::to_string(piece.pages.size()) + " pages for " + std::to_string(length) +
                                 " tokens");
      logitRows[b] = int32_t(row + (piece.logitToken < 0 ? count - 1 : piece.logitToken));
      for (int64_t i = 0; i < count; ++i, ++row) {
        int64_t position = piece.start + i;
        tokens[row] = piece.tokens[i];
        positions[row] = int32_t(position);
        slots[row] = int32_t(piece.pages[position / pageSize] * pageSize + position % pageSize);
      }
      lengths[b] = int32_t(length);
      std::copy_n(piece.pages.begin(), (length + pageSize - 1) / pageSize, tables.begin() + b * pagesEach);
      temperature[b] = piece.sampling.temperature;
      topK[b] = piece.sampling.topK;
      topP[b] = piece.sampling.topP;
      seeds[b] = piece.sampling.seed;
    }
    offsets[b + 1] = int32_t(row);
  }

  Tokens next(sequences, -1);
  std::vector<float> logits(sequences * vocabulary, std::numeric_limits<float>::quiet_NaN());
  std::vector<Tensor> inputs{{tokens.data(), kI32, {rows}},
                             {positions.data(), kI32, {rows}},
                             {offsets.data(), kI32, {sequences + 1}},
                             {lengths.data(), kI32, {sequences}},
                             {tables.data(), kI32, {sequences, pagesEach}},
                             {slots.data(), kI32, {rows}},
                             {logitRows.data(), kI32, {sequences}},
                             {temperature.data(), kF32, {sequences}},
                             {topK.data(), kI32, {sequences}},
                             {topP.data(), kF32, {sequences}},
                             {seeds.data(), kI64, {sequences}}};
  if (session.kvWindowPages()) {
    inputs.insert(inputs.begin() + 7, {{tables.data(), kI32, {sequences, pagesEach}}, {slots.data(), kI32, {rows}}});
  }
  std::vector<Tensor> outputs{{next.data(), kI32, {sequences}}, {logits.data(), kF32, {sequences, vocabulary}}};
  if (auto error = session.run(index, inputs, outputs))
    throw std::runtime_error(error->message);

  Stepped result;
  for (size_t b = 0; b < pieces.size(); ++b) {
    result.next.push_back(next[b]);
    result.logits.emplace_back(logits.begin() + b * vocabulary, logits.begin() + (b + 1) * vocabulary);
  }
  return result;
}

std::vector<std::vector<float>> Model::decode(const Tokens &tokens, const Tokens &pages, int32_t start,
                                              const std::string &entry) {
  std::vector<std::vector<float>> logits;
  for (size_t i = 0; i < tokens.size(); ++i)
    logits.push_back(step(entry, {{{tokens[i]}, start + int32_t(i), pages}}).logits[0]);
  return logits;
}

std::vector<float> Model::prefill(const std::string &entry, const Tokens &tokens, const Tokens &pages, size_t piece,
                                  int32_t start) {
  std::vector<float> last;
  for (size_t begin = 0; begin < tokens.size(); begin += piece) {
    size_t end = std::min(tokens.size(), begin + piece);
    Tokens part(tokens.begin() + begin, tokens.begin() + end);
    last = step(entry, {{part, start + int32_t(begin), pages}}).logits[0];
  }
  return last;
}

std::vector<std::vector<float>> Model::prefillEveryToken(const std::string &entry, const Tokens &tokens,
                                                         const Tokens &pages, size_t piece) {
  std::vector<std::vector<float>> logits;
  for (size_t begin = 0; begin < tokens.size(); begin += piece) {
    size_t end = std::min(tokens.size(), begin + piece);
    Tokens part(tokens.begin() + begin, tokens.begin() + end);
    for (size_t i = 0; i < part.size(); ++i)
      logits.push_back(step(entry, {{part, int32_t(begin), pages, int32_t(i)}}).logits[0]);
  }
  return logits;
}

} // namespace mjolnir::numerics
