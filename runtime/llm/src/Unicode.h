// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// UTF-8 and Unicode properties for the tokenizer: scanning bytes that may be invalid, normalization forms, and the two
// character classes that added tokens ask for.
#ifndef MJOLNIR_LLM_UNICODE_H
#define MJOLNIR_LLM_UNICODE_H

#include <cstdint>
#include <string>
#include <string_view>

namespace mjolnir::llm {

/// What stands at one place of a byte string.
struct Utf8Unit {
  enum Kind : uint8_t {
    Valid,     // a whole character
    Invalid,   // a maximal subpart of an ill-formed sequence: one U+FFFD stands for its `bytes` bytes
    Incomplete // the string ends inside a sequence that is well-formed so far; `bytes` reaches to the end
  };
  Kind kind;
  uint8_t bytes;      // 1..4
  uint32_t codePoint; // Valid only
};

/// The unit at the front of `text`, which must not be empty. Ill-formed input is cut as the Unicode Standard recommends
/// (section 3.9, "U+FFFD Substitution of Maximal Subparts"), which is also what Python and Rust do.
Utf8Unit scanUtf8(std::string_view text);

/// Appends the UTF-8 form of a code point.
void appendUtf8(std::string &text, uint32_t codePoint);

/// Whether `text` is well-formed.
bool isValidUtf8(std::string_view text);

/// `text` with each ill-formed maximal subpart, and an incomplete end, replaced by U+FFFD.
std::string replaceInvalidUtf8(std::string_view text);

enum class NormalizationForm { NFC, NFD, NFKC, NFKD };

/// `text`, which must be well-formed, in the given normalization form.
std::string normalizeUtf8(std::string_view text, NormalizationForm form);

/// White_Space of the Unicode character database.
bool isWhiteSpace(uint32_t codePoint);

/// A word character as UTS #18 defines \w: Alphabetic, M, Nd, Pc, Join_Control.
bool isWordCharacter(uint32_t codePoint);

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_UNICODE_H
