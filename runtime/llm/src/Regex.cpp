// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Regex.h over PCRE2, with its just-in-time compiler where there is one.

#include "Regex.h"

#include "Error.h"
#include "Unicode.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cctype>

namespace mjolnir::llm {

namespace {

// Oniguruma's \s is White_Space; PCRE2's adds U+180E. Oniguruma's \w is L, M, Nd, Pc; PCRE2's varies with its version.
constexpr const char *spaceClass =
    R"(\x09-\x0d\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr const char *wordClass = R"(\p{L}\p{M}\p{Nd}\p{Pc})";

class Translator {
public:
  explicit Translator(std::string_view pattern) : pattern(pattern) {}

  std::string run() {
    while (at < pattern.size()) {
      char c = pattern[at];
      if (c == '\\')
        escape();
      else if (c == '[')
        characterClass();
      else if (c == '(')
        group();
      else if (c == '{')
        interval();
      else
        copy(1);
    }
    return std::move(result);
  }

private:
  [[noreturn]] void refuse(const std::string &what) {
    throw Error(MJ_ERROR_UNSUPPORTED, "the regular expression '" + std::string(pattern) + "' uses " + what +
                                          " at byte " + std::to_string(at) + ", which is not supported");
  }
  [[noreturn]] void malformed(const std::string &what) {
    throw Error(MJ_ERROR_MALFORMED, "the regular expression '" + std::string(pattern) + "' " + what);
  }
  char peek(size_t ahead) const { return at + ahead < pattern.size() ? pattern[at + ahead] : '\0'; }
  void copy(size_t bytes) {
    result.append(pattern.substr(at, bytes));
    at += bytes;
  }

  void escape() {
    if (at + 1 >= pattern.size())
      malformed("ends with a lone backslash");
    char c = pattern[at + 1];
    if (!std::isalnum(static_cast<unsigned char>(c)))
      return copy(2);
    switch (c) {
    case 's':
    case 'w': {
      std::string members = c == 's' ? spaceClass : wordClass;
      result += inClass ? members : "[" + members + "]";
      at += 2;
      return;
    }
    case 'S':
    case 'W':
      if (inClass) {
        // A complement cannot be spelled as members; PCRE2's own \S differs for U+180E alone.
        if (c == 'W')
          refuse("\\W inside a character class");
        return copy(2);
      }
      result += std::string("[^") + (c == 'S' ? spaceClass : wordClass) + "]";
      at += 2;
      return;
    case 'v': // a vertical tab, where PCRE2 means all vertical white space
      result += "\\x0b";
      at += 2;
      return;
    case 'x':
      return hexadecimal();
    case 'u':
      for (size_t i = 2; i < 6; ++i)
        if (!std::isxdigit(static_cast<unsigned char>(peek(i))))
          malformed("has \\u without four hexadecimal digits");
      result += "\\x{" + std::string(pattern.substr(at + 2, 4)) + "}";
      at += 6;
      return;
    case 'p':
    case 'P': {
      size_t close = peek(2) == '{' ? pattern.find('}', at) : std::string_view::npos;
      if (close == std::string_view::npos)
        malformed("has \\p without a property in braces");
      property(pattern.substr(at + 3, close - at - 3));
      at = close + 1;
      return;
    }
    case 'd':
    case 'D':
    case 'r':
    case 'n':
    case 't':
    case 'f':
    case 'a':
    case 'e': // the same in both
      return copy(2);
    case 'b':
    case 'B':
    case 'A':
    case 'z':
    case 'Z':
    case 'G':
      if (inClass && c != 'b')
        refuse(std::string("\\") + c + " inside a character class");
      return copy(2);
    default:
      if (c >= '1' && c <= '9' && !inClass)
        return copy(2); // a back reference
      refuse(std::string("the escape \\") + c);
    }
  }

  /// The name of a script means the Script property; PCRE2 means Script_Extensions unless told.
  void property(std::string_view name) {
    result.append(pattern.substr(at, 3));
    if (!name.empty() && name[0] == '^') {
      result += '^';
      name.remove_prefix(1);
    }
    bool isScript = name.size() > 2 && name.find_first_of(":=") == std::string_view::npos &&
                    compiles("\\p{sc:" + std::string(name) + "}");
    (result += isScript ? "sc:" : "").append(name) += '}';
  }
  static bool compiles(const std::string &expression) {
    int error;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(), PCRE2_UTF,
                                     &error, &offset, nullptr);
    pcre2_code_free(code);
    return code != nullptr;
  }

  void hexadecimal() {
    if (peek(2) == '{') {
      size_t close = pattern.find('}', at);
      if (close == std::string_view::npos)
        malformed("has \\x{ without }");
      return copy(close + 1 - at);
    }
    if (!std::isxdigit(static_cast<unsigned char>(peek(2))) || !std::isxdigit(static_cast<unsigned char>(peek(3))))
      refuse("\\x without two hexadecimal digits");
    if (peek(2) >= '8') // Oniguruma reads a byte of a longer UTF-8 sequence, PCRE2 a character
      refuse("\\x80 to \\xff; write \\x{...}");
    copy(4);
  }

  void characterClass() {
    inClass = true;
    copy(1);
    if (peek(0) == '^')
      copy(1);
    if (peek(0) == ']')
      refuse("']' as the first member of a character class; write \\]");
    while (at < pattern.size() && pattern[at] != ']') {
      if (pattern[at] == '\\') {
        escape();
      } else if (pattern[at] == '[') {
        if (peek(1) != ':')
          refuse("a character class inside another; write \\[ for the bracket");
        size_t close = pattern.find(":]", at + 2);
        if (close == std::string_view::npos)
          malformed("has [: without :]");
        copy(close + 2 - at);
      } else if (pattern[at] == '&' && peek(1) == '&') {
        refuse("an intersection of character classes (&&)");
      } else {
        copy(1);
      }
    }
    if (at >= pattern.size())
      malformed("has a character class that is not closed");
    copy(1);
    inClass = false;
  }

  void group() {
    if (peek(1) == '*')
      refuse("a (*VERB)");
    if (peek(1) != '?')
      return copy(1);
    for (std::string_view form : {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"})
      if (pattern.substr(at, form.size()) == form)
        return copy(form.size());
    // Options. Oniguruma's m lets the dot match a newline, which PCRE2 calls s.
    size_t end = at + 2;
    std::string options;
    while (end < pattern.size() &&
           (pattern[end] == 'i' || pattern[end] == 'm' || pattern[end] == 'x' || pattern[end] == '-'))
      options += pattern[end] == 'm' ? 's' : pattern[end], ++end;
    if (options.empty() || end >= pattern.size() || (pattern[end] != ':' && pattern[end] != ')'))
      refuse("a group that is none of (?:, (?=, (?!, (?>, (?<=, (?<!, (?imx-imx)");
    result += "(?" + options + pattern[end];
    at = end + 1;
  }

  void interval() {
    size_t end = at + 1;
    while (end < pattern.size() && (std::isdigit(static_cast<unsigned char>(pattern[end])) || pattern[end] == ','))
      ++end;
    if (end == at + 1 || end >= pattern.size() || pattern[end] != '}')
      return copy(1); // a literal brace
    if (pattern[at + 1] == ',')
      refuse("an interval without a lower bound; write {0,n}");
    copy(end + 1 - at);
    if (peek(0) == '+') // PCRE2 reads a possessive interval, Oniguruma repeats it
      refuse("an interval followed by +");
  }

  std::string_view pattern;
  size_t at = 0;
  bool inClass = false;
  std::string result;
};

std::string messageOf(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof(text));
  return reinterpret_cast<const char *>(text);
}

struct MatchState {
  pcre2_match_data *data = nullptr;
  pcre2_match_context *context = nullptr;
  pcre2_jit_stack *stack = nullptr;
  ~MatchState() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
};

} // namespace

struct Regex::Code {
  pcre2_code *pcre = nullptr;
  ~Code() { pcre2_code_free(pcre); }
};

std::string translateOniguruma(std::string_view pattern) { return Translator(pattern).run(); }

Regex::Regex(std::string_view pattern) : source(pattern) {
  if (!isValidUtf8(pattern))
    throw Error(MJ_ERROR_MALFORMED, "a regular expression is not valid UTF-8");
  std::string translated = translateOniguruma(pattern);
  std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), &pcre2_compile_context_free);
  if (!context)
    throw Error(MJ_ERROR_OUT_OF_MEMORY, "no memory to compile the regular expression '" + source + "'");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF); // Oniguruma's only newline
  auto compiled = std::make_shared<Code>();
  int error = 0;
  PCRE2_SIZE offset = 0;
  compiled->pcre =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &offset, context.get());
  if (!compiled->pcre)
    throw Error(MJ_ERROR_MALFORMED, "the regular expression '" + source + "' does not compile: " + messageOf(error));
  pcre2_jit_compile(compiled->pcre, PCRE2_JIT_COMPLETE); // without it, pcre2_match interprets
  code = std::move(compiled);
}

void Regex::split(std::string_view text, std::vector<Piece> &pieces) const {
  MatchState state;
  state.data = pcre2_match_data_create_from_pattern(code->pcre, nullptr);
  state.context = pcre2_match_context_create(nullptr);
  state.stack = pcre2_jit_stack_create(32 * 1024, 16 * 1024 * 1024, nullptr);
  if (!state.data || !state.context)
    throw Error(MJ_ERROR_OUT_OF_MEMORY, "no memory to match the regular expression '" + source + "'");
  if (state.stack)
    pcre2_jit_stack_assign(state.context, nullptr, state.stack);

  constexpr size_t none = ~size_t(0);
  size_t start = 0, covered = 0, lastMatchEnd = none;
  while (start <= text.size()) {
    int matched = pcre2_match(code->pcre, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), start,
                              PCRE2_NO_UTF_CHECK, state.data, state.context);
    if (matched == PCRE2_ERROR_NOMATCH)
      break;
    if (matched < 0)
      throw Error(MJ_ERROR_UNSUPPORTED, "matching the regular expression '" + source + "' on " +
                                            std::to_string(text.size()) +
                                            " bytes of text failed: " + messageOf(matched));
    const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(state.data);
    size_t begin = bounds[0], end = bounds[1];
    // An empty match right behind the match before it does not count; look from the next character on.
    if (begin == end && end == lastMatchEnd) {
      start += start < text.size() ? scanUtf8(text.substr(start)).bytes : 1;
      continue;
    }
    if (begin > covered)
      pieces.push_back({covered, begin, false});
    pieces.push_back({begin, end, true});
    start = covered = lastMatchEnd = end;
  }
  if (covered < text.size())
    pieces.push_back({covered, text.size(), false});
}

} // namespace mjolnir::llm
