// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Bpe.h: a word's symbols are a linked list, candidate merges a heap ordered by rank, then place, so that a
// word of n characters takes O(n log n).

#include "Bpe.h"

#include "Unicode.h"

#include <algorithm>
#include <cstdio>

namespace mjolnir::llm {

namespace {

constexpr size_t maxCachedWords = 16384;
constexpr size_t maxCachedBytes = 256; // of a word

} // namespace

Bpe Bpe::parse(const JsonView &json, TokenizerFile &file) {
  std::string type = json.stringOr("type", "BPE"); // older files leave it out
  if (type != "BPE")
    json.unsupported("has type '" + type + "'; supported is BPE");
  for (const char *key : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (auto affix = json.find(key))
      if (!affix->string().empty())
        affix->unsupported("is '" + affix->string() + "'; supported is none");
  if (auto dropout = json.find("dropout"))
    if (dropout->number() != 0)
      dropout->unsupported("is not 0: encoding would be random");

  Bpe bpe;
  json.member("vocab").requireObject();
  json.member("merges").requireArray();
  bpe.takeVocabulary(file);
  bpe.takeMerges(file);
  bpe.ignoreMerges = json.booleanOr("ignore_merges", false);
  bpe.fuseUnknown = json.booleanOr("fuse_unk", false);
  if (auto token = json.find("unk_token")) {
    bpe.unknown = bpe.vocabulary.find(token->string());
    if (bpe.unknown < 0)
      token->malformed("is '" + token->string() + "', which is not in the vocabulary");
  }
  bpe.byteFallback.fill(-1);
  bpe.hasByteFallback = json.booleanOr("byte_fallback", false);
  for (unsigned byte = 0; bpe.hasByteFallback && byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof(name), "<0x%02X>", byte);
    bpe.byteFallback[byte] = bpe.vocabulary.find(name);
  }
  return bpe;
}

void Bpe::takeVocabulary(TokenizerFile &file) {
  vocabulary.reset(std::move(file.tokenTexts), file.vocabulary.size());
  for (const TokenizerFile::Token &token : file.vocabulary)
    if (int32_t taken = vocabulary.add(token.text, token.id); taken >= 0) {
      std::string text(vocabulary.view(token.text)), other(vocabulary.text(taken));
      throw Error(MJ_ERROR_MALFORMED, text == other
                                          ? "tokenizer.json.model.vocab has the token '" + text + "' twice"
                                          : "tokenizer.json.model.vocab gives the number " + std::to_string(taken) +
                                                " to both '" + other + "' and '" + text + "'");
    }
}

void Bpe::takeMerges(const TokenizerFile &file) {
  merges.reset(file.merges.size());
  std::string merged;
  for (size_t i = 0; i < file.merges.size(); ++i) {
    std::string_view left = file.merges[i].left.of(file.mergeTexts), right = file.merges[i].right.of(file.mergeTexts);
    merged.assign(left).append(right);
    const std::string_view texts[3] = {left, right, merged};
    int32_t ids[3];
    for (unsigned k = 0; k < 3; ++k)
      if ((ids[k] = vocabulary.find(texts[k])) < 0)
        throw Error(MJ_ERROR_MALFORMED, "tokenizer.json.model.merges[" + std::to_string(i) + "] needs the token '" +
                                            std::string(texts[k]) + "', which is not in the vocabulary");
    merges.add({ids[0], ids[1], static_cast<uint32_t>(i), ids[2]});
  }
}

void Bpe::encode(std::string_view word, Cache *cache, std::vector<int32_t> &ids) const {
  if (ignoreMerges) {
    if (int32_t id = vocabulary.find(word); id >= 0) {
      ids.push_back(id);
      return;
    }
  }
  if (word.size() > maxCachedBytes)
    cache = nullptr;
  std::string key(word);
  if (cache) {
    auto known = cache->words.find(key);
    if (known != cache->words.end()) {
      ids.insert(ids.end(), known->second.begin(), known->second.end());
      return;
    }
  }
  std::vector<int32_t> symbols;
  symbolsOf(word, symbols);
  merge(symbols);
  ids.insert(ids.end(), symbols.begin(), symbols.end());
  if (cache) {
    if (cache->words.size() >= maxCachedWords)
      cache->words.clear();
    cache->words.emplace(std::move(key), std::move(symbols));
  }
}

void Bpe::symbolsOf(std::string_view word, std::vector<int32_t> &ids) const {
  bool unknownPending = false;
  auto flushUnknown = [&] {
    if (unknownPending)
      ids.push_back(unknown);
    unknownPending = false;
  };
  while (!word.empty()) {
    std::string_view character = word.substr(0, scanUtf8(word).bytes);
    word.remove_prefix(character.size());
    if (int32_t id = vocabulary.find(character); id >= 0) {
      flushUnknown();
      ids.push_back(id);
      continue;
    }
    auto tokenOfByte = [&](char byte) { return byteFallback[static_cast<uint8_t>(byte)]; };
    if (hasByteFallback &&
        std::all_of(character.begin(), character.end(), [&](char c) { return tokenOfByte(c) >= 0; })) {
      for (char byte : character)
        ids.push_back(tokenOfByte(byte));
      continue;
    }
    // Without an unknown token, a character that the vocabulary lacks is left out, as the `tokenizers` package does.
    if (unknown < 0)
      continue;
    if (!fuseUnknown)
      flushUnknown();
    unknownPending = true;
  }
  flushUnknown();
}

void Bpe::merge(std::vector<int32_t> &ids) const {
  struct Candidate {
    uint32_t rank;
    int32_t place, id;
    // The heap's top is its largest element.
    bool operator<(const Candidate &other) const {
      return rank != other.rank ? rank > other.rank : place > other.place;
    }
  };
  int32_t count = static_cast<int32_t>(ids.size());
  if (count < 2)
    return;
  std::vector<Symbol> symbols(ids.size());
  for (int32_t i = 0; i < count; ++i)
    symbols[i] = {ids[i], i - 1, i + 1 < count ? i + 1 : -1, true};

  std::vector<Candidate> heap;
  auto consider = [&](int32_t left) {
    if (left < 0 || symbols[left].next < 0)
      return;
    if (const MergeTable::Merge *merge = merges.find(symbols[left].id, symbols[symbols[left].next].id)) {
      heap.push_back({merge->rank, left, merge->id});
      std::push_heap(heap.begin(), heap.end());
    }
  };
  for (int32_t i = 0; i < count; ++i)
    consider(i);
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    Candidate top = heap.back();
    heap.pop_back();
    Symbol &left = symbols[top.place];
    if (!left.alive || left.next < 0)
      continue;
    // The pair may have changed since the candidate was found.
    Symbol &right = symbols[left.next];
    const MergeTable::Merge *merge = merges.find(left.id, right.id);
    if (!merge || merge->id != top.id)
      continue;
    left.id = top.id;
    left.next = right.next;
    right.alive = false;
    if (left.next >= 0)
      symbols[left.next].previous = top.place;
    consider(left.previous);
    consider(top.place);
  }
  ids.clear();
  for (int32_t i = 0; i >= 0; i = symbols[i].next)
    ids.push_back(symbols[i].id);
}

} // namespace mjolnir::llm
