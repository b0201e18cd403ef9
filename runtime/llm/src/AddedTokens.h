// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The `added_tokens` of tokenizer.json: strings that are found in a text before the model sees it, such as
// <|im_start|>.
#ifndef MJOLNIR_LLM_ADDEDTOKENS_H
#define MJOLNIR_LLM_ADDEDTOKENS_H

#include "PreTokenizer.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mjolnir::llm {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;                // left out when decoding with skip_special_tokens
  bool singleWord = false;             // only where no word character touches it
  bool lstrip = false, rstrip = false; // takes the white space before or after it
  bool normalized = false;             // is looked for in the normalized text, itself normalized
  std::string sought;                  // `content`, normalized if so; also what it decodes to
};

/// A part of a text: an added token's, or (id -1) text for the model.
struct TextPart {
  size_t begin, end;
  int32_t id;
};

class AddedTokens {
public:
  static std::vector<AddedToken> parse(const JsonView &json);

  AddedTokens() = default;
  AddedTokens(std::vector<AddedToken> tokens, const Normalizer &normalizer);

  const std::vector<AddedToken> &all() const { return tokens; }
  const AddedToken *find(int32_t id) const;

  /// Cuts `text` at the tokens to be found in raw (or, with `normalized`, in normalized) text: leftmost, then longest.
  void split(std::string_view text, bool normalized, std::vector<TextPart> &parts) const;
  bool hasNormalized() const { return !normalizedPatterns.empty(); }

private:
  // Patterns by their first byte, longest first.
  struct Pattern {
    std::string text;
    size_t token;
  };
  class PatternSet {
  public:
    void add(std::string text, size_t token);
    bool empty() const { return byFirstByte.empty(); }
    const Pattern *longestAt(std::string_view text, size_t at) const;

  private:
    std::vector<std::vector<Pattern>> byFirstByte; // 256, or none
  };

  std::vector<AddedToken> tokens;
  std::unordered_map<int32_t, size_t> byId;
  PatternSet rawPatterns, normalizedPatterns;
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_ADDEDTOKENS_H
