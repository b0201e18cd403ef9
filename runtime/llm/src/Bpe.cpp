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
constexpr int32_t maxTokens = 1 << 24; // a bound on memory that a damaged file can ask for

uint64_t pairKey(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

} // namespace

Bpe Bpe::parse(const JsonView &json) {
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
  bpe.parseVocabulary(json.member("vocab"));
  bpe.parseMerges(json.member("merges"));
  bpe.ignoreMerges = json.booleanOr("ignore_merges", false);
  bpe.fuseUnknown = json.booleanOr("fuse_unk", false);
  if (auto token = json.find("unk_token")) {
    bpe.unknown = bpe.find(token->string());
    if (bpe.unknown < 0)
      token->malformed("is '" + token->string() + "', which is not in the vocabulary");
  }
  bpe.byteFallback.fill(-1);
  bpe.hasByteFallback = json.booleanOr("byte_fallback", false);
  for (unsigned byte = 0; bpe.hasByteFallback && byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof(name), "<0x%02X>", byte);
    bpe.byteFallback[byte] = bpe.find(name);
  }
  return bpe;
}

void Bpe::parseVocabulary(const JsonView &json) {
  json.requireObject();
  vocabulary.reserve(json.raw().size());
  for (const auto &[text, id] : json.raw().items()) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() >= maxTokens)
      json.malformed("gives the token '" + text + "' a number that is not an integer from 0 to " +
                     std::to_string(maxTokens - 1));
    int32_t number = id.get<int32_t>();
    auto place = vocabulary.emplace(text, number).first;
    if (static_cast<size_t>(number) >= texts.size())
      texts.resize(std::max<size_t>(number + 1, json.raw().size()), nullptr);
    if (texts[number])
      json.malformed("gives the number " + std::to_string(number) + " to both '" + *texts[number] + "' and '" + text +
                     "'");
    texts[number] = &place->first;
  }
  while (!texts.empty() && !texts.back())
    texts.pop_back();
}

void Bpe::parseMerges(const JsonView &json) {
  size_t count = json.requireArray();
  merges.reserve(count);
  std::string merged;
  for (size_t i = 0; i < count; ++i) {
    const nlohmann::json &entry = json.raw()[i];
    std::string left, right;
    if (entry.is_string()) {
      const std::string &both = entry.get_ref<const std::string &>();
      size_t space = both.find(' ');
      if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos)
        json.element(i).malformed("is '" + both + "', not two tokens separated by one space");
      left = both.substr(0, space);
      right = both.substr(space + 1);
    } else if (entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string()) {
      left = entry[0].get_ref<const std::string &>();
      right = entry[1].get_ref<const std::string &>();
    } else {
      json.element(i).malformed("is neither a string of two tokens nor a pair of strings");
    }
    merged = left + right;
    int32_t ids[3] = {find(left), find(right), find(merged)};
    for (unsigned k = 0; k < 3; ++k)
      if (ids[k] < 0)
        json.element(i).malformed("needs the token '" +
                                  (k == 0   ? left
                                   : k == 1 ? right
                                            : merged) +
                                  "', which is not in the vocabulary");
    merges[pairKey(ids[0], ids[1])] = {static_cast<uint32_t>(i), ids[2]};
  }
}

const std::string *Bpe::text(int32_t id) const {
  return id >= 0 && static_cast<size_t>(id) < texts.size() ? texts[id] : nullptr;
}

int32_t Bpe::find(const std::string &text) const {
  auto found = vocabulary.find(text);
  return found == vocabulary.end() ? -1 : found->second;
}

const Bpe::Merge *Bpe::mergeOf(int32_t left, int32_t right) const {
  auto found = merges.find(pairKey(left, right));
  return found == merges.end() ? nullptr : &found->second;
}

void Bpe::encode(std::string_view word, Cache *cache, std::vector<int32_t> &ids) const {
  std::string key(word);
  if (ignoreMerges) {
    if (int32_t id = find(key); id >= 0) {
      ids.push_back(id);
      return;
    }
  }
  if (word.size() > maxCachedBytes)
    cache = nullptr;
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
  std::string character;
  bool unknownPending = false;
  auto flushUnknown = [&] {
    if (unknownPending)
      ids.push_back(unknown);
    unknownPending = false;
  };
  while (!word.empty()) {
    character.assign(word.substr(0, scanUtf8(word).bytes));
    word.remove_prefix(character.size());
    if (int32_t id = find(character); id >= 0) {
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
    if (const Merge *merge = mergeOf(symbols[left].id, symbols[symbols[left].next].id)) {
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
    const Merge *merge = mergeOf(left.id, right.id);
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
