// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The byte-pair encoding model of tokenizer.json: a vocabulary and ranked merges (Sennrich et al. 2016).
#ifndef MJOLNIR_LLM_BPE_H
#define MJOLNIR_LLM_BPE_H

#include "Json.h"

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
  Bpe(Bpe &&) = default; // `texts` points into `vocabulary`
  Bpe &operator=(Bpe &&) = default;
  static Bpe parse(const JsonView &json);

  /// Appends the tokens of `word` (well-formed UTF-8, not empty) to `ids`. `cache` may be null.
  void encode(std::string_view word, Cache *cache, std::vector<int32_t> &ids) const;

  /// The token's text; null if there is no such token.
  const std::string *text(int32_t id) const;
  /// The token's number, -1 if there is none.
  int32_t find(const std::string &text) const;
  /// One more than the largest number of a token.
  size_t size() const { return texts.size(); }

private:
  struct Merge {
    uint32_t rank;
    int32_t id;
  };
  struct Symbol {
    int32_t id;
    int32_t previous, next; // -1: none
    bool alive;
  };

  void parseVocabulary(const JsonView &json);
  void parseMerges(const JsonView &json);
  void symbolsOf(std::string_view word, std::vector<int32_t> &ids) const;
  void merge(std::vector<int32_t> &ids) const;
  const Merge *mergeOf(int32_t left, int32_t right) const;

  std::unordered_map<std::string, int32_t> vocabulary;
  std::vector<const std::string *> texts; // by number; points at keys of `vocabulary`
  std::unordered_map<uint64_t, Merge> merges;
  std::array<int32_t, 256> byteFallback; // <0x00> .. <0xFF>, when all are asked for and there
  int32_t unknown = -1;
  bool fuseUnknown = false, ignoreMerges = false, hasByteFallback = false;
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_BPE_H
