// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements AddedTokens.h.

#include "AddedTokens.h"

#include "Unicode.h"

#include <algorithm>

namespace mjolnir::llm {

namespace {

/// The character that ends at `at`, or 0 at the start. `text` is well-formed.
uint32_t characterBefore(std::string_view text, size_t at, size_t *begin) {
  size_t start = at;
  while (start > 0 && (static_cast<uint8_t>(text[--start]) & 0xC0) == 0x80)
    ;
  *begin = start;
  return at == 0 ? 0 : scanUtf8(text.substr(start)).codePoint;
}

bool wordBefore(std::string_view text, size_t at) {
  size_t begin;
  return at > 0 && isWordCharacter(characterBefore(text, at, &begin));
}

bool wordAfter(std::string_view text, size_t at) {
  return at < text.size() && isWordCharacter(scanUtf8(text.substr(at)).codePoint);
}

} // namespace

std::vector<AddedToken> AddedTokens::parse(const JsonView &json) {
  std::vector<AddedToken> tokens;
  size_t count = json.requireArray();
  tokens.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    JsonView entry = json.element(i);
    AddedToken token;
    token.id = static_cast<int32_t>(entry.member("id").integer(0, (1 << 24) - 1));
    token.content = entry.member("content").string();
    token.special = entry.booleanOr("special", false);
    token.singleWord = entry.booleanOr("single_word", false);
    token.lstrip = entry.booleanOr("lstrip", false);
    token.rstrip = entry.booleanOr("rstrip", false);
    token.normalized = entry.booleanOr("normalized", !token.special);
    if (!token.content.empty()) // an empty one is never found
      tokens.push_back(std::move(token));
  }
  return tokens;
}

AddedTokens::AddedTokens(std::vector<AddedToken> list, const Normalizer &normalizer) : tokens(std::move(list)) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    byId[tokens[i].id] = i;
    tokens[i].sought = tokens[i].normalized ? normalizer.apply(tokens[i].content) : tokens[i].content;
    (tokens[i].normalized ? normalizedPatterns : rawPatterns).add(tokens[i].sought, i);
  }
}

const AddedToken *AddedTokens::find(int32_t id) const {
  auto found = byId.find(id);
  return found == byId.end() ? nullptr : &tokens[found->second];
}

void AddedTokens::PatternSet::add(std::string text, size_t token) {
  if (text.empty())
    return;
  byFirstByte.resize(256);
  auto &bucket = byFirstByte[static_cast<uint8_t>(text[0])];
  auto longer = [&](const Pattern &pattern) { return pattern.text.size() >= text.size(); };
  auto place = std::partition_point(bucket.begin(), bucket.end(), longer);
  bucket.insert(place, {std::move(text), token});
}

const AddedTokens::Pattern *AddedTokens::PatternSet::longestAt(std::string_view text, size_t at) const {
  for (const Pattern &pattern : byFirstByte[static_cast<uint8_t>(text[at])])
    if (text.compare(at, pattern.text.size(), pattern.text) == 0)
      return &pattern;
  return nullptr;
}

void AddedTokens::split(std::string_view text, bool normalized, std::vector<TextPart> &parts) const {
  const PatternSet &patterns = normalized ? normalizedPatterns : rawPatterns;
  size_t covered = 0;
  for (size_t at = 0; !patterns.empty() && at < text.size();) {
    const Pattern *pattern = patterns.longestAt(text, at);
    if (!pattern) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + pattern->text.size();
    at = end; // matches do not overlap, whether they are taken or not
    const AddedToken &token = tokens[pattern->token];
    if (token.singleWord && (wordBefore(text, begin) || wordAfter(text, end)))
      continue;
    if (token.lstrip) {
      size_t before = begin;
      while (begin > 0 && isWhiteSpace(characterBefore(text, begin, &before)))
        begin = before;
      begin = std::max(begin, covered);
    }
    if (token.rstrip)
      while (end < text.size()) {
        Utf8Unit next = scanUtf8(text.substr(end));
        if (!isWhiteSpace(next.codePoint))
          break;
        end += next.bytes;
      }
    if (covered < begin)
      parts.push_back({covered, begin, -1});
    parts.push_back({begin, end, token.id});
    covered = end;
  }
  if (covered < text.size())
    parts.push_back({covered, text.size(), -1});
}

} // namespace mjolnir::llm
