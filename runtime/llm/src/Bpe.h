// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The byte-pair encoding model of tokenizer.json: a vocabulary and ranked merges (Sennrich et al. 2016).
#ifndef MJOLNIR_LLM_BPE_H
#define MJOLNIR_LLM_BPE_H

#include "Json.h"
#include "TokenTables.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mjolnir::llm {

class Bpe {
public:
  /// Words that were merged before. Belongs to one thread at a time.
  class Cache {
    friend class Bpe;
    std::unordered_map<std::string, std::vector<int32_t>> words;
  };

  Bpe() = default;
  /// `json` is the file's "model"; takes its vocabulary and merges.
  static Bpe parse(const JsonView &json, TokenizerFile &file);

  /// Appends the tokens of `word` (well-formed UTF-8, not empty) to `ids`. `cache` may be null.
  void encode(std::string_view word, Cache *cache, std::vector<int32_t> &ids) const;

  /// Tokens by text and id.
  const TokenTable &tokens() const { return vocabulary; }

private:
  struct Symbol {
    int32_t id;
    int32_t previous, next; // -1: none
    bool alive;
  };

  void takeVocabulary(TokenizerFile &file);
  void takeMerges(const TokenizerFile &file);
  void symbolsOf(std::string_view word, std::vector<int32_t> &ids) const;
  void merge(std::vector<int32_t> &ids) const;

  TokenTable vocabulary;
  MergeTable merges;
  std::array<int32_t, 256> byteFallback; // <0x00> .. <0xFF>, when all are asked for and there
  int32_t unknown = -1;
  bool fuseUnknown = false, ignoreMerges = false, hasByteFallback = false;
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_BPE_H
