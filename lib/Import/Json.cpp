// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Guards around llvm::json.
#include "Json.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;
using namespace mjolnir;

// Deeper than any file of a checkpoint, far from the end of the stack.
static constexpr int kMaxNesting = 64;

Error mjolnir::fileError(StringRef path, const Twine &message) {
  return createStringError(inconvertibleErrorCode(), path + ": " + message);
}

/// Calls `visit(depth, first, last)` for each bracket and each string of `text` with the nesting around it, until it
/// returns false. Knows no more of JSON than where strings end.
static void walkTokens(StringRef text, function_ref<bool(int depth, size_t first, size_t last)> visit) {
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    size_t first = i;
    if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i)
        if (text[i] == '\\')
          ++i;
    } else if (text[i] == '}' || text[i] == ']') {
      --depth;
    } else if (text[i] != '{' && text[i] != '[') {
      continue;
    }
    if (!visit(depth, first, std::min(i + 1, text.size())))
      return;
    if (text[first] == '{' || text[first] == '[')
      ++depth;
  }
}

Expected<json::Value> mjolnir::parseJson(StringRef text, StringRef path) {
  bool tooDeep = false;
  walkTokens(text, [&](int depth, size_t, size_t) { return !(tooDeep = depth > kMaxNesting); });
  if (tooDeep)
    return fileError(path, "nests JSON more than " + Twine(kMaxNesting) + " deep; no checkpoint does");
  Expected<json::Value> value = json::parse(text);
  if (!value)
    return fileError(path, "is not well-formed JSON: " + toString(value.takeError()) + "; download it again");
  return value;
}

std::optional<std::string> mjolnir::findDuplicateKey(StringRef text) {
  StringSet<> seen;
  std::optional<std::string> duplicate;
  walkTokens(text, [&](int depth, size_t first, size_t last) {
    if (depth != 1 || text[first] != '"' || !text.substr(last).ltrim(" \t\r\n").starts_with(":"))
      return true;
    // Keys may be spelled with escapes: compare what they mean.
    Expected<json::Value> key = json::parse(text.slice(first, last));
    if (!key) {
      consumeError(key.takeError());
      return true;
    }
    StringRef name = *key->getAsString();
    if (!seen.insert(name).second)
      duplicate = name.str();
    return !duplicate;
  });
  return duplicate;
}
