// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The two hash tables of a BPE model, with open addressing: tokens by text, and merges by the pair of tokens they
// merge.
#ifndef MJOLNIR_LLM_TOKENTABLES_H
#define MJOLNIR_LLM_TOKENTABLES_H

#include "TokenizerFile.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mjolnir::llm {

/// The smallest power of two that keeps a table of `count` at most half full.
inline size_t tableSize(size_t count) {
  size_t size = 16;
  while (size < 2 * count)
    size *= 2;
  return size;
}

/// Tokens, found by text and by id.
class TokenTable {
public:
  /// For texts of `arena`, at most `count` of them.
  void reset(std::string arenaOfTexts, size_t count) {
    arena = std::move(arenaOfTexts);
    slots.assign(tableSize(count), -1);
    byId.clear();
  }
  /// Adds a token. Returns the id of what is there already, -1 if nothing is: the same text, or another text of the
  /// same id.
  int32_t add(TextSpan text, int32_t id) {
    if (static_cast<size_t>(id) >= byId.size())
      byId.resize(id + 1, {0, absent});
    if (byId[id].length != absent)
      return id;
    size_t slot = slotOf(view(text));
    if (slots[slot] >= 0)
      return slots[slot];
    slots[slot] = id;
    byId[id] = text;
    return -1;
  }
  /// The id of the token `text`, -1 if there is none.
  int32_t find(std::string_view text) const { return slots.empty() ? -1 : slots[slotOf(text)]; }
  bool has(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < byId.size() && byId[id].length != absent; }
  /// Of a token that is there.
  std::string_view text(int32_t id) const { return view(byId[id]); }
  /// One more than the largest id.
  size_t size() const { return byId.size(); }
  /// The text that a span given to add is of.
  std::string_view view(TextSpan span) const { return span.of(arena); }

private:
  static constexpr uint32_t absent = UINT32_MAX;

  /// The slot of `text`, or the free one where it belongs.
  size_t slotOf(std::string_view text) const {
    size_t mask = slots.size() - 1, slot = std::hash<std::string_view>()(text) & mask;
    while (slots[slot] >= 0 && view(byId[slots[slot]]) != text)
      slot = (slot + 1) & mask;
    return slot;
  }

  std::string arena;
  std::vector<TextSpan> byId;
  std::vector<int32_t> slots; // ids; -1: free
};

/// Merges, found by the pair of tokens.
class MergeTable {
public:
  struct Merge {
    int32_t left, right; // left -1: free
    uint32_t rank;
    int32_t id; // what they become
  };

  void reset(size_t count) { slots.assign(tableSize(count), {-1, -1, 0, -1}); }
  /// Adds a merge; a later one of the same pair takes the place of the earlier.
  void add(const Merge &merge) { slots[slotOf(merge.left, merge.right)] = merge; }
  /// Null if the pair is not merged.
  const Merge *find(int32_t left, int32_t right) const {
    if (slots.empty())
      return nullptr;
    const Merge &merge = slots[slotOf(left, right)];
    return merge.left < 0 ? nullptr : &merge;
  }

private:
  size_t slotOf(int32_t left, int32_t right) const {
    uint64_t key = static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
    key *= 0x9E3779B97F4A7C15u; // Fibonacci hashing (Knuth, TAOCP 6.4)
    size_t mask = slots.size() - 1, slot = (key >> 32) & mask;
    while (slots[slot].left >= 0 && (slots[slot].left != left || slots[slot].right != right))
      slot = (slot + 1) & mask;
    return slot;
  }

  std::vector<Merge> slots;
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_TOKENTABLES_H
