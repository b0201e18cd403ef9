// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Generated tokens to text as it becomes certain: whole characters, and nothing that may turn out to be a stop string.
#ifndef MJOLNIR_LLM_TEXTSTREAM_H
#define MJOLNIR_LLM_TEXTSTREAM_H

#include "Tokenizer.h"

#include <string>
#include <vector>

namespace mjolnir::llm {

class TextStream {
public:
  /// Stop strings are not empty.
  TextStream(const Tokenizer &tokenizer, bool skipSpecialTokens, std::vector<std::string> stops);

  /// Takes a token and appends to `text` what is certain now. True when a stop string came; the text ends before it.
  bool push(int32_t id, std::string &text);
  /// No more tokens will come: appends what was held back.
  void finish(std::string &text);

private:
  bool release(std::string &text, bool last);

  IncrementalDecoder decoder;
  std::vector<std::string> stops;
  std::string held;
  bool stopped = false;
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_TEXTSTREAM_H
