// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements PreTokenizer.h. What each component does is defined by the `tokenizers` package, whose file format this
// is.

#include "PreTokenizer.h"

#include "ByteLevel.h"

#include <algorithm>

namespace mjolnir::llm {

namespace {

// The cut that ByteLevel does itself with use_regex (GPT-2's).
constexpr const char *gpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

} // namespace

// ---- Normalizer ----

Normalizer Normalizer::parse(const JsonView &json) {
  Normalizer normalizer;
  if (!json.isNull())
    normalizer.add(json);
  return normalizer;
}

void Normalizer::add(const JsonView &json) {
  const std::string type = json.member("type").string();
  if (type == "Sequence") {
    JsonView list = json.member("normalizers");
    for (size_t i = 0, count = list.requireArray(); i < count; ++i)
      add(list.element(i));
  } else if (type == "NFC") {
    forms.push_back(NormalizationForm::NFC);
  } else if (type == "NFD") {
    forms.push_back(NormalizationForm::NFD);
  } else if (type == "NFKC") {
    forms.push_back(NormalizationForm::NFKC);
  } else if (type == "NFKD") {
    forms.push_back(NormalizationForm::NFKD);
  } else {
    json.unsupported("has type '" + type + "'; supported are NFC, NFD, NFKC, NFKD and Sequence");
  }
}

std::string Normalizer::apply(std::string_view text) const {
  std::string result(text);
  for (NormalizationForm form : forms)
    result = normalizeUtf8(result, form);
  return result;
}

// ---- PreTokenizer ----

PreTokenizer PreTokenizer::parse(const JsonView &json) {
  PreTokenizer preTokenizer;
  if (!json.isNull())
    preTokenizer.add(json);
  return preTokenizer;
}

void PreTokenizer::parsePattern(const JsonView &json, Step &step) {
  JsonView pattern = json.member("pattern");
  if (auto regex = pattern.find("Regex")) {
    try {
      step.regex = std::make_unique<Regex>(regex->string());
    } catch (const Error &e) {
      throw Error(e.status(), regex->where() + ": " + e.what());
    }
  } else if (auto literal = pattern.find("String")) {
    step.literal = literal->string();
  } else {
    pattern.malformed("has neither 'Regex' nor 'String'");
  }
}

void PreTokenizer::add(const JsonView &json) {
  const std::string type = json.member("type").string();
  if (type == "Sequence") {
    JsonView list = json.member("pretokenizers");
    for (size_t i = 0, count = list.requireArray(); i < count; ++i)
      add(list.element(i));
    return;
  }
  Step step;
  if (type == "Split") {
    step.splits = true;
    parsePattern(json, step);
    step.invert = json.booleanOr("invert", false);
    JsonView behavior = json.member("behavior");
    const std::string &name = behavior.string();
    if (name == "Removed")
      step.behavior = Behavior::Removed;
    else if (name == "Isolated")
      step.behavior = Behavior::Isolated;
    else if (name == "MergedWithPrevious")
      step.behavior = Behavior::MergedWithPrevious;
    else if (name == "MergedWithNext")
      step.behavior = Behavior::MergedWithNext;
    else if (name == "Contiguous")
      step.behavior = Behavior::Contiguous;
    else
      behavior.malformed("is '" + name +
                         "', not one of Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
  } else if (type == "ByteLevel") {
    step.toByteLevel = true;
    step.addPrefixSpace = json.booleanOr("add_prefix_space", true);
    if (json.booleanOr("use_regex", true)) {
      step.splits = true;
      step.regex = std::make_unique<Regex>(gpt2Pattern);
    }
  } else {
    json.unsupported("has type '" + type + "'; supported are Split, ByteLevel and Sequence");
  }
  steps.push_back(std::move(step));
}

void PreTokenizer::apply(std::string_view text, Words &words) const {
  words.text.assign(text);
  words.ranges.clear();
  if (!text.empty())
    words.ranges.push_back({0, text.size()});
  for (const Step &step : steps) {
    if (step.toByteLevel && step.addPrefixSpace) {
      std::string spaced;
      for (Words::Range &range : words.ranges) {
        size_t begin = spaced.size();
        if (words.text[range.begin] != ' ')
          spaced += ' ';
        spaced.append(words.text, range.begin, range.end - range.begin);
        range = {begin, spaced.size()};
      }
      words.text = std::move(spaced);
    }
    if (step.splits)
      split(step, words);
    if (step.toByteLevel)
      mapToByteLevel(words);
  }
}

void PreTokenizer::arrange(std::vector<Piece> &pieces, Behavior behavior) {
  auto mergeMatchesIntoNeighbor = [&](bool &previousMatched, std::vector<Piece> &out, const Piece &piece, auto extend) {
    if (piece.matched && !previousMatched && !out.empty())
      extend(out.back(), piece);
    else
      out.push_back(piece);
    previousMatched = piece.matched;
  };
  std::vector<Piece> out;
  bool previousMatched = false;
  switch (behavior) {
  case Behavior::Isolated:
    return;
  case Behavior::Removed:
    pieces.erase(std::remove_if(pieces.begin(), pieces.end(), [](const Piece &piece) { return piece.matched; }),
                 pieces.end());
    return;
  case Behavior::MergedWithPrevious:
    for (const Piece &piece : pieces)
      mergeMatchesIntoNeighbor(previousMatched, out, piece,
                               [](Piece &last, const Piece &match) { last.end = match.end; });
    break;
  case Behavior::MergedWithNext:
    std::reverse(pieces.begin(), pieces.end());
    for (const Piece &piece : pieces)
      mergeMatchesIntoNeighbor(previousMatched, out, piece,
                               [](Piece &last, const Piece &match) { last.begin = match.begin; });
    std::reverse(out.begin(), out.end());
    break;
  case Behavior::Contiguous:
    for (const Piece &piece : pieces) {
      if (piece.matched == previousMatched && !out.empty())
        out.back().end = piece.end;
      else
        out.push_back(piece);
      previousMatched = piece.matched;
    }
    break;
  }
  pieces = std::move(out);
}

void PreTokenizer::split(const Step &step, Words &words) {
  std::vector<Words::Range> ranges;
  std::vector<Piece> pieces;
  for (Words::Range word : words.ranges) {
    std::string_view text = std::string_view(words.text).substr(word.begin, word.end - word.begin);
    pieces.clear();
    if (step.regex) {
      step.regex->split(text, pieces);
    } else if (step.literal.empty()) {
      pieces.push_back({0, text.size(), false});
    } else {
      size_t covered = 0;
      for (size_t at = text.find(step.literal); at != std::string_view::npos; at = text.find(step.literal, covered)) {
        if (at > covered)
          pieces.push_back({covered, at, false});
        covered = at + step.literal.size();
        pieces.push_back({at, covered, true});
      }
      if (covered < text.size())
        pieces.push_back({covered, text.size(), false});
    }
    if (step.invert)
      for (Piece &piece : pieces)
        piece.matched = !piece.matched;
    arrange(pieces, step.behavior);
    for (const Piece &piece : pieces)
      if (piece.begin < piece.end)
        ranges.push_back({word.begin + piece.begin, word.begin + piece.end});
  }
  words.ranges = std::move(ranges);
}

void PreTokenizer::mapToByteLevel(Words &words) {
  const ByteLevel &table = ByteLevel::get();
  std::string mapped;
  mapped.reserve(words.text.size() + words.text.size() / 2);
  for (Words::Range &range : words.ranges) {
    size_t begin = mapped.size();
    for (size_t i = range.begin; i < range.end; ++i)
      appendUtf8(mapped, table.characterOf[static_cast<uint8_t>(words.text[i])]);
    range = {begin, mapped.size()};
  }
  words.text = std::move(mapped);
}

} // namespace mjolnir::llm
