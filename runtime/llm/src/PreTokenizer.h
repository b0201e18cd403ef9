// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The two stages before the model: normalization, and the cut of a text into words that merges never cross.
#ifndef MJOLNIR_LLM_PRETOKENIZER_H
#define MJOLNIR_LLM_PRETOKENIZER_H

#include "Json.h"
#include "Regex.h"
#include "Unicode.h"

#include <memory>
#include <string>
#include <vector>

namespace mjolnir::llm {

/// The `normalizer` of tokenizer.json: null, one Unicode normalization form, or a Sequence of them.
class Normalizer {
public:
  Normalizer() = default;
  static Normalizer parse(const JsonView &json);

  bool isIdentity() const { return forms.empty(); }
  std::string apply(std::string_view text) const;

private:
  void add(const JsonView &json);
  std::vector<NormalizationForm> forms;
};

/// Words as ranges of one buffer. A range is never empty.
struct Words {
  struct Range {
    size_t begin, end;
  };
  std::string text;
  std::vector<Range> ranges;
};

/// The `pre_tokenizer` of tokenizer.json: Split and ByteLevel, in any Sequence.
class PreTokenizer {
public:
  PreTokenizer() = default;
  static PreTokenizer parse(const JsonView &json);

  /// Cuts `text` (well-formed UTF-8) into `words`.
  void apply(std::string_view text, Words &words) const;

private:
  enum class Behavior { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };
  struct Step {
    std::unique_ptr<Regex> regex; // null: split at `literal`
    std::string literal;
    Behavior behavior = Behavior::Isolated;
    bool splits = false, invert = false;
    bool toByteLevel = false, addPrefixSpace = false;
  };

  void add(const JsonView &json);
  static void parsePattern(const JsonView &json, Step &step);
  static void arrange(std::vector<Piece> &pieces, Behavior behavior);
  static void split(const Step &step, Words &words);
  static void mapToByteLevel(Words &words);

  std::vector<Step> steps;
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_PRETOKENIZER_H
