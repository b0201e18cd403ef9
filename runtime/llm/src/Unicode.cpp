// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Unicode.h over utf8proc.

#include "Unicode.h"

#include "Error.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace mjolnir::llm {

Utf8Unit scanUtf8(std::string_view text) {
  auto byteAt = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  uint8_t lead = byteAt(0);
  if (lead < 0x80)
    return {Utf8Unit::Valid, 1, lead};
  // Table 3-7 of the Unicode Standard: the lead decides the length and the range of the second byte.
  unsigned length = lead >= 0xC2 && lead <= 0xDF   ? 2
                    : lead >= 0xE0 && lead <= 0xEF ? 3
                    : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                   : 0;
  if (length == 0)
    return {Utf8Unit::Invalid, 1, 0};
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  uint32_t codePoint = lead & (0x7F >> length);
  for (unsigned i = 1; i < length; ++i) {
    if (i == text.size())
      return {Utf8Unit::Incomplete, static_cast<uint8_t>(i), 0};
    uint8_t next = byteAt(i);
    if (next < low || next > high)
      return {Utf8Unit::Invalid, static_cast<uint8_t>(i), 0};
    codePoint = codePoint << 6 | (next & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {Utf8Unit::Valid, static_cast<uint8_t>(length), codePoint};
}

void appendUtf8(std::string &text, uint32_t codePoint) {
  auto put = [&](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (codePoint < 0x80) {
    put(codePoint);
  } else if (codePoint < 0x800) {
    put(0xC0 | codePoint >> 6);
    put(0x80 | (codePoint & 0x3F));
  } else if (codePoint < 0x10000) {
    put(0xE0 | codePoint >> 12);
    put(0x80 | (codePoint >> 6 & 0x3F));
    put(0x80 | (codePoint & 0x3F));
  } else {
    put(0xF0 | codePoint >> 18);
    put(0x80 | (codePoint >> 12 & 0x3F));
    put(0x80 | (codePoint >> 6 & 0x3F));
    put(0x80 | (codePoint & 0x3F));
  }
}

bool isValidUtf8(std::string_view text) {
  while (!text.empty()) {
    Utf8Unit unit = scanUtf8(text);
    if (unit.kind != Utf8Unit::Valid)
      return false;
    text.remove_prefix(unit.bytes);
  }
  return true;
}

std::string replaceInvalidUtf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    Utf8Unit unit = scanUtf8(text);
    if (unit.kind == Utf8Unit::Valid)
      result.append(text.substr(0, unit.bytes));
    else
      appendUtf8(result, 0xFFFD);
    text.remove_prefix(unit.bytes);
  }
  return result;
}

std::string normalizeUtf8(std::string_view text, NormalizationForm form) {
  // ASCII is the same in every form, and most of what is tokenized is ASCII.
  if (std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; }))
    return std::string(text);
  int options = UTF8PROC_STABLE;
  options |= form == NormalizationForm::NFC || form == NormalizationForm::NFKC ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == NormalizationForm::NFKC || form == NormalizationForm::NFKD)
    options |= UTF8PROC_COMPAT;
  utf8proc_uint8_t *data = nullptr;
  utf8proc_ssize_t bytes =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t *>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &data, static_cast<utf8proc_option_t>(options));
  std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(data, &std::free);
  if (bytes < 0)
    throw Error(bytes == UTF8PROC_ERROR_NOMEM ? MJ_ERROR_OUT_OF_MEMORY : MJ_ERROR_INTERNAL,
                "normalizing " + std::to_string(text.size()) + " bytes of text failed: " + utf8proc_errmsg(bytes));
  return std::string(reinterpret_cast<const char *>(data), static_cast<size_t>(bytes));
}

bool isWhiteSpace(uint32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool isWordCharacter(uint32_t c) {
  // Join_Control, and the symbols that are Alphabetic by Other_Alphabetic alone (circled and squared letters).
  if (c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
      (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189))
    return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_MC:
  case UTF8PROC_CATEGORY_ME:
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_PC:
    return true;
  default:
    return false;
  }
}

} // namespace mjolnir::llm
