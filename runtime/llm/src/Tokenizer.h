// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The tokenizer of a package: byte-level BPE as tokenizer.json describes it, text to token ids and back. Its results
// equal those of the `tokenizers` package on the same file.
#ifndef MJOLNIR_LLM_TOKENIZER_H
#define MJOLNIR_LLM_TOKENIZER_H

#include "AddedTokens.h"
#include "Bpe.h"
#include "PreTokenizer.h"

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace mjolnir::llm {

/// Immutable; may be shared by threads.
class Tokenizer {
public:
  /// Reads the contents of a tokenizer.json. `truncation` and `padding` are ignored: they concern batches for training.
  /// Throws Error: MJ_ERROR_MALFORMED, or MJ_ERROR_UNSUPPORTED with the component and what is supported.
  explicit Tokenizer(std::string_view json);

  /// Appends the tokens of `text` to `ids`. Bytes that are not UTF-8 count as U+FFFD, one a maximal subpart. With
  /// `addSpecialTokens` what the post-processor adds (a begin-of-text token) is added.
  void encode(std::string_view text, bool addSpecialTokens, std::vector<int32_t> &ids) const;

  /// The text of `ids`; bytes that are no UTF-8 become U+FFFD. Ids without a token, which padded models can produce,
  /// are left out, and with `skipSpecialTokens` the special added tokens too.
  std::string decode(const int32_t *ids, size_t count, bool skipSpecialTokens) const;

  /// Appends the bytes of one token, which need not be whole characters. Without a token: appends nothing.
  void appendBytes(int32_t id, bool skipSpecialTokens, std::string &bytes) const;

  /// The number of the token whose text in the file is `text`, -1 if there is none.
  int32_t find(const std::string &text) const;
  /// One more than the largest token id.
  size_t size() const;

private:
  void parsePostProcessor(const JsonView &json);
  void parseTemplate(const JsonView &json);
  void encodeText(std::string_view text, Bpe::Cache *cache, std::vector<int32_t> &ids) const;

  Normalizer normalizer;
  PreTokenizer preTokenizer;
  Bpe model;
  AddedTokens added;
  std::vector<int32_t> prefix, suffix; // what the post-processor puts around a text
  mutable std::mutex cacheMutex;
  mutable Bpe::Cache cache;
};

/// Turns a stream of tokens into text as it comes. Bytes at the end that may be the start of a character are held back.
/// All its pieces together equal Tokenizer::decode of all the tokens.
class IncrementalDecoder {
public:
  IncrementalDecoder(const Tokenizer &tokenizer, bool skipSpecialTokens)
      : tokenizer(&tokenizer), skipSpecialTokens(skipSpecialTokens) {
    pending.reserve(512); // no token is longer, or hardly one
  }

  /// Appends to `text` what `id` makes certain.
  void push(int32_t id, std::string &text);
  /// Appends U+FFFD for a character that was never completed, and starts anew.
  void finish(std::string &text);

private:
  const Tokenizer *tokenizer;
  bool skipSpecialTokens;
  std::string pending;
};

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_TOKENIZER_H
