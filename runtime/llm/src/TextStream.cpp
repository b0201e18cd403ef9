// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements TextStream.h.

#include "TextStream.h"

#include <algorithm>

namespace mjolnir::llm {

TextStream::TextStream(const Tokenizer &tokenizer, bool skipSpecialTokens, std::vector<std::string> stops)
    : decoder(tokenizer, skipSpecialTokens), stops(std::move(stops)) {
  held.reserve(1024);
}

bool TextStream::push(int32_t id, std::string &text) {
  if (stopped)
    return true;
  decoder.push(id, held);
  return release(text, /*last=*/false);
}

void TextStream::finish(std::string &text) {
  if (stopped)
    return;
  decoder.finish(held);
  release(text, /*last=*/true);
}

bool TextStream::release(std::string &text, bool last) {
  size_t stop = std::string::npos;
  for (const std::string &s : stops)
    stop = std::min(stop, held.find(s));
  if (stop != std::string::npos) {
    text.append(held, 0, stop);
    held.clear();
    stopped = true;
    return true;
  }
  // Keep the longest end that is the beginning of a stop string.
  size_t keep = 0;
  if (!last)
    for (const std::string &s : stops)
      for (size_t n = std::min(s.size() - 1, held.size()); n > keep; --n)
        if (held.compare(held.size() - n, n, s, 0, n) == 0)
          keep = n;
  text.append(held, 0, held.size() - keep);
  held.erase(0, held.size() - keep);
  return false;
}

} // namespace mjolnir::llm
