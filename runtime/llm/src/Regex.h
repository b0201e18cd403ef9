// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The regular expressions of tokenizer.json. They are written for Oniguruma; PCRE2 runs them here, after a translation
// that makes the few constructs the two read differently mean what Oniguruma means, and refuses those it cannot.
#ifndef MJOLNIR_LLM_REGEX_H
#define MJOLNIR_LLM_REGEX_H

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mjolnir::llm {

/// A part of a text, in bytes, and whether a pattern matched it.
struct Piece {
  size_t begin, end;
  bool matched;
};

class Regex {
public:
  /// Compiles an Oniguruma pattern. Throws Error (MJ_ERROR_UNSUPPORTED or MJ_ERROR_MALFORMED) that says what in it is
  /// wrong.
  explicit Regex(std::string_view pattern);

  /// Cuts `text`, which must be well-formed UTF-8, into matches and what lies between, appended to `pieces` in order.
  /// Text before or after `text` is invisible to the pattern. May be called from several threads.
  void split(std::string_view text, std::vector<Piece> &pieces) const;

private:
  struct Code;
  std::shared_ptr<const Code> code;
  std::string source;
};

/// The PCRE2 pattern (for UTF, UCP and MULTILINE) that means what the Oniguruma pattern means.
std::string translateOniguruma(std::string_view pattern);

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_REGEX_H
