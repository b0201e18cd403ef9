// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// tokenizer.json as it is read: a JSON document without its two large parts, the vocabulary and the merges, which go
// straight into flat tables. Of a file of ten megabytes these are nearly all, and a document of them takes longer to
// build than to read.
#ifndef MJOLNIR_LLM_TOKENIZERFILE_H
#define MJOLNIR_LLM_TOKENIZERFILE_H

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mjolnir::llm {

/// Ids of tokens are below this: a bound on the memory that a damaged file can ask for.
constexpr int32_t maxTokens = 1 << 24;

/// A part of a longer text.
struct TextSpan {
  uint32_t offset = 0, length = 0;

  std::string_view of(std::string_view whole) const { return whole.substr(offset, length); }
};

struct TokenizerFile {
  struct Token {
    TextSpan text;
    int32_t id;
  };
  struct Merge {
    TextSpan left, right;
  };

  nlohmann::json document; // model.vocab and model.merges, if an object and an array, are empty
  std::vector<Token> vocabulary;
  std::vector<Merge> merges;
  std::string tokenTexts, mergeTexts; // what their spans are of

  /// Throws Error, MJ_ERROR_MALFORMED: no JSON, or a vocabulary or merge of another form.
  static TokenizerFile parse(std::string_view json);
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_TOKENIZERFILE_H
