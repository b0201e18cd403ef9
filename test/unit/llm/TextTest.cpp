// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The parts under the tokenizer and the stream of text: UTF-8 that is not, regular expressions, text held back.

#include "Error.h"
#include "GenerationConfig.h"
#include "Regex.h"
#include "TestFiles.h"
#include "TextStream.h"
#include "Unicode.h"

#include <gtest/gtest.h>

#include <functional>

using namespace mjolnir::llm;

namespace {

const Tokenizer &tokenizer() {
  static const Tokenizer instance(readTestFile(MJOLNIR_TOKENIZER_GOLDENS "/qwen.tokenizer.json"));
  return instance;
}

std::string messageOf(const std::function<void()> &body) {
  try {
    body();
  } catch (const Error &e) {
    return e.what();
  }
  return "no error";
}

// ---- UTF-8 ----

TEST(Unicode, ReplacesMaximalSubparts) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(replaceInvalidUtf8("a\x80z"), "a" + r + "z");
  EXPECT_EQ(replaceInvalidUtf8("\xC0\xAF"), r + r);                 // an overlong form has no subpart
  EXPECT_EQ(replaceInvalidUtf8("\xE0\x80\x80"), r + r + r);         // nor has this one
  EXPECT_EQ(replaceInvalidUtf8("\xED\xA0\x80"), r + r + r);         // a surrogate
  EXPECT_EQ(replaceInvalidUtf8("\xF4\x90\x80\x80"), r + r + r + r); // above U+10FFFF
  EXPECT_EQ(replaceInvalidUtf8("\xF0\x9F\x91z"), r + "z");          // cut short: one
  EXPECT_EQ(replaceInvalidUtf8("\xE6\xBC"), r);                     // cut short by the end
  EXPECT_EQ(replaceInvalidUtf8("\xF1\x80\x80\xE1\x80\xC2z"), r + r + r + "z");
  EXPECT_EQ(replaceInvalidUtf8("\xF4\x8F\xBF\xBF"), "\xF4\x8F\xBF\xBF");
}

TEST(Unicode, AppendsEveryLength) {
  std::string text;
  for (uint32_t c : {0x41u, 0x7Fu, 0x80u, 0x7FFu, 0x800u, 0xFFFFu, 0x10000u, 0x10FFFFu}) {
    text.clear();
    appendUtf8(text, c);
    Utf8Unit unit = scanUtf8(text);
    EXPECT_EQ(unit.kind, Utf8Unit::Valid);
    EXPECT_EQ(unit.codePoint, c);
    EXPECT_EQ(unit.bytes, text.size());
  }
}

TEST(Unicode, Normalizes) {
  EXPECT_EQ(normalizeUtf8("e\u0301", NormalizationForm::NFC), "\u00e9");
  EXPECT_EQ(normalizeUtf8("\u00e9", NormalizationForm::NFD), "e\u0301");
  EXPECT_EQ(normalizeUtf8("\ufb01", NormalizationForm::NFC), "\ufb01");
  EXPECT_EQ(normalizeUtf8("\ufb01", NormalizationForm::NFKC), "fi");
  EXPECT_EQ(normalizeUtf8(std::string_view("\0\u00e9\0", 4), NormalizationForm::NFD), std::string("\0e\u0301\0", 5));
}

// ---- regular expressions ----

std::string cut(const char *pattern, std::string_view text) {
  std::vector<Piece> pieces;
  Regex(pattern).split(text, pieces);
  std::string shown;
  for (const Piece &piece : pieces)
    (shown += piece.matched ? '[' : '(').append(text.substr(piece.begin, piece.end - piece.begin)) +=
        piece.matched ? ']' : ')';
  return shown;
}

TEST(Regex, CutsIntoMatchesAndRest) {
  EXPECT_EQ(cut("b+", "abba"), "(a)[bb](a)");
  EXPECT_EQ(cut("b", "bb"), "[b][b]");
  EXPECT_EQ(cut("x*", "aé"), "[](a)[](é)[]"); // empty matches, at characters
  EXPECT_EQ(cut("x*", "xa"), "[x](a)[]");     // none right behind a match
  EXPECT_EQ(cut("a", ""), "");
}

TEST(Regex, MeansWhatOnigurumaMeans) {
  EXPECT_EQ(cut("\\s+", "a\u180e\u2003b"), "(a\u180e)[\u2003](b)"); // U+180E is not white space
  EXPECT_EQ(cut("[\\s]+", "a\u180e\u2003b"), "(a\u180e)[\u2003](b)");
  EXPECT_EQ(cut("\\w+", "e\u0301_\u203f-½"), "[e\u0301_\u203f](-½)");
  EXPECT_EQ(cut("\\v", "\n\x0b"), "(\n)[\x0b]");
  EXPECT_EQ(cut("\\p{Han}", "\u3025\u3013"), "[\u3025](\u3013)"); // the script, not its extensions
  EXPECT_EQ(cut("\\p{^L}", "a1"), "(a)[1]");
  EXPECT_EQ(cut("^.", "ab\ncd"), "[a](b\n)[c](d)"); // ^ is at every line
  EXPECT_EQ(cut("(?m:.+)", "a\nb"), "[a\nb]");      // m: the dot takes newlines
  EXPECT_EQ(cut("(?i:'S)x\\u00e9", "'sxé"), "['sxé]");
}

TEST(Regex, RefusesWhatItCannotTranslate) {
  auto refusal = [](const char *pattern) { return messageOf([&] { Regex regex(pattern); }); };
  const std::string begin = "the regular expression '";
  EXPECT_EQ(refusal("a\\h"), begin + "a\\h' uses the escape \\h at byte 1, which is not supported");
  EXPECT_EQ(refusal("[a&&b]"), begin + "[a&&b]' uses an intersection of character classes (&&) at byte 2, which is not "
                                       "supported");
  EXPECT_EQ(refusal("[a[b]]"),
            begin + "[a[b]]' uses a character class inside another; write \\[ for the bracket at byte 2, "
                    "which is not supported");
  EXPECT_EQ(refusal("[]a]"),
            begin + "[]a]' uses ']' as the first member of a character class; write \\] at byte 1, which is "
                    "not supported");
  EXPECT_EQ(refusal("a{2}+"), begin + "a{2}+' uses an interval followed by + at byte 4, which is not supported");
  EXPECT_EQ(refusal("a{,2}"), begin +
                                  "a{,2}' uses an interval without a lower bound; write {0,n} at byte 1, which is not "
                                  "supported");
  EXPECT_EQ(refusal("(?~a)"),
            begin + "(?~a)' uses a group that is none of (?:, (?=, (?!, (?>, (?<=, (?<!, (?imx-imx) at byte "
                    "0, which is not supported");
  EXPECT_EQ(refusal("(*FAIL)"), begin + "(*FAIL)' uses a (*VERB) at byte 0, which is not supported");
  EXPECT_EQ(refusal("\\xff"), begin + "\\xff' uses \\x80 to \\xff; write \\x{...} at byte 0, which is not supported");
  EXPECT_EQ(refusal("[^\\W]"), begin + "[^\\W]' uses \\W inside a character class at byte 2, which is not supported");
  EXPECT_EQ(refusal("a\\"), begin + "a\\' ends with a lone backslash");
  EXPECT_EQ(refusal("[a"), begin + "[a' has a character class that is not closed");
  EXPECT_EQ(refusal("\\pL"), begin + "\\pL' has \\p without a property in braces");
  EXPECT_EQ(refusal("\xff"), "a regular expression is not valid UTF-8");
  EXPECT_EQ(refusal("(a").rfind(begin + "(a' does not compile: ", 0), 0u);
  EXPECT_EQ(refusal("\\p{Klingon}").rfind(begin + "\\p{Klingon}' does not compile: ", 0), 0u);
}

TEST(Regex, TakesLongTexts) {
  std::string text(1 << 20, ' ');
  EXPECT_EQ(cut("\\s+(?!\\S)|\\s+", text + "x").size(), text.size() + 7); // all but one space, one space, x
}

// ---- incremental text ----

std::vector<int32_t> encode(std::string_view text) {
  std::vector<int32_t> ids;
  tokenizer().encode(text, false, ids);
  return ids;
}

TEST(IncrementalDecoder, HoldsBackHalfCharacters) {
  // One token a byte: each byte of a character is in the vocabulary.
  std::string family = "👩‍👧é";
  std::vector<int32_t> bytes;
  for (char c : family) {
    std::string single(1, c), alphabet;
    for (int32_t id = 0; id < 256; ++id) {
      alphabet.clear();
      tokenizer().appendBytes(id, true, alphabet);
      if (alphabet == single)
        bytes.push_back(id);
    }
  }
  ASSERT_EQ(bytes.size(), family.size());
  IncrementalDecoder decoder(tokenizer(), true);
  std::string all;
  size_t empty = 0;
  for (int32_t id : bytes) {
    std::string piece;
    decoder.push(id, piece);
    EXPECT_TRUE(isValidUtf8(piece));
    EXPECT_EQ(piece.find("\uFFFD"), std::string::npos);
    empty += piece.empty();
    all += piece;
  }
  EXPECT_EQ(all, family);
  EXPECT_EQ(empty, 3u + 2 + 3 + 1);
  // Cut short, the rest is one replacement character.
  std::string rest;
  decoder.push(bytes[0], rest);
  decoder.push(bytes[1], rest);
  EXPECT_EQ(rest, "");
  decoder.finish(rest);
  EXPECT_EQ(rest, "\uFFFD");
}

TEST(IncrementalDecoder, SkipsSpecialAndUnknownTokens) {
  std::vector<int32_t> ids = encode("a<|im_end|>b<think>");
  ids.insert(ids.begin() + 1, {-1, 1 << 30, static_cast<int32_t>(tokenizer().size())});
  EXPECT_EQ(tokenizer().decode(ids.data(), ids.size(), true), "ab<think>");
  EXPECT_EQ(tokenizer().decode(ids.data(), ids.size(), false), "a<|im_end|>b<think>");
}

TEST(TextStream, HoldsBackWhatMayBecomeAStop) {
  TextStream stream(tokenizer(), true, {"ab", "bcd"});
  std::string text;
  auto push = [&](const char *piece) {
    text.clear();
    bool stopped = false;
    for (int32_t id : encode(piece))
      stopped = stream.push(id, text);
    return stopped;
  };
  EXPECT_FALSE(push("xa"));
  EXPECT_EQ(text, "x");
  EXPECT_FALSE(push("c"));
  EXPECT_EQ(text, "ac");
  EXPECT_FALSE(push("bc"));
  EXPECT_EQ(text, "");
  EXPECT_FALSE(push("bc"));
  EXPECT_EQ(text, "bc");
  EXPECT_TRUE(push("dz"));
  EXPECT_EQ(text, "");
  stream.finish(text);
  EXPECT_EQ(text, ""); // nothing comes after a stop
}

TEST(TextStream, ReleasesAllAtTheEnd) {
  TextStream stream(tokenizer(), true, {"abc"});
  std::string text;
  for (int32_t id : encode("zab"))
    EXPECT_FALSE(stream.push(id, text));
  EXPECT_EQ(text, "z");
  stream.finish(text);
  EXPECT_EQ(text, "zab");
}

// ---- generation_config.json ----

TEST(GenerationConfig, ReadsBothFormsOfEndOfText) {
  GenerationConfig one = GenerationConfig::parse(R"({"eos_token_id": 7, "temperature": 0.5})");
  EXPECT_EQ(one.endOfText, std::vector<int32_t>{7});
  EXPECT_EQ(one.sampling.temperature, 0.0f); // without do_sample
  GenerationConfig list = GenerationConfig::parse(
      R"({"eos_token_id": [7, 8], "do_sample": true, "temperature": 0.5, "top_k": 20, "top_p": 0.95, "bos_token_id": 1})");
  EXPECT_EQ(list.endOfText, (std::vector<int32_t>{7, 8}));
  EXPECT_EQ(list.sampling.temperature, 0.5f);
  EXPECT_EQ(list.sampling.topK, 20);
  EXPECT_EQ(list.sampling.topP, 0.95f);
  GenerationConfig plain = GenerationConfig::parse(R"({"do_sample": true, "eos_token_id": null})");
  EXPECT_TRUE(plain.endOfText.empty());
  EXPECT_EQ(plain.sampling.temperature, 1.0f);
  EXPECT_EQ(plain.sampling.topK, 50); // as transformers
}

TEST(GenerationConfig, NamesWhatIsWrong) {
  auto refusal = [](const char *json) { return messageOf([&] { GenerationConfig::parse(json); }); };
  EXPECT_EQ(refusal("[]"), "generation_config.json is an array, not an object");
  EXPECT_EQ(refusal(R"({"eos_token_id": "x"})"),
            "generation_config.json.eos_token_id is \"x\", not an integer from 0 to 2147483647");
  EXPECT_EQ(refusal(R"({"eos_token_id": [1, -1]})"),
            "generation_config.json.eos_token_id[1] is -1, not an integer from 0 to 2147483647");
  EXPECT_EQ(refusal(R"({"do_sample": 1})"), "generation_config.json.do_sample is a number, not true or false");
  EXPECT_EQ(refusal(R"({"do_sample": true, "top_p": 1.5})"),
            "generation_config.json: top_p is 1.500000; it must be above 0 and at most 1 (off)");
  EXPECT_EQ(refusal("{").rfind("generation_config.json is not valid JSON: ", 0), 0u);
}

} // namespace
