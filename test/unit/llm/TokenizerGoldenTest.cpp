// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The tokenizer against what the `tokenizers` package said (test/numerics/tokenizer/make_goldens.py), encode and
// decode, and the incremental decoder against the whole one.

#include "Tokenizer.h"

#include "TestFiles.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sstream>

using namespace mjolnir::llm;

namespace {

std::string fromBase64(const std::string &text) {
  static const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    size_t value = alphabet.find(c);
    if (value == std::string::npos)
      break;
    bits = bits << 6 | static_cast<uint32_t>(value);
    if ((count += 6) >= 8)
      bytes.push_back(static_cast<char>(bits >> (count -= 8)));
  }
  return bytes;
}

std::string decodedInPieces(const Tokenizer &tokenizer, const std::vector<int32_t> &ids, bool skipSpecialTokens) {
  IncrementalDecoder decoder(tokenizer, skipSpecialTokens);
  std::string text;
  for (int32_t id : ids) {
    std::string piece;
    decoder.push(id, piece);
    EXPECT_TRUE(isValidUtf8(piece)); // a piece is never half a character
    text += piece;
  }
  decoder.finish(text);
  return text;
}

class TokenizerGolden : public ::testing::TestWithParam<const char *> {};

TEST_P(TokenizerGolden, EqualsTokenizersPackage) {
  std::string folder = MJOLNIR_TOKENIZER_GOLDENS;
  Tokenizer tokenizer(readTestFile(folder + "/" + GetParam() + ".tokenizer.json"));
  std::istringstream lines(readTestFile(folder + "/" + GetParam() + ".jsonl"));
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  ASSERT_TRUE(nlohmann::json::parse(line).contains("tokenizers"));
  size_t count = 0;
  while (std::getline(lines, line)) {
    nlohmann::json row = nlohmann::json::parse(line);
    SCOPED_TRACE(line);
    bool bytes = row[0].is_object();
    std::string input = bytes ? fromBase64(row[0]["base64"]) : row[0].get<std::string>();
    auto ids = row[1].get<std::vector<int32_t>>();
    auto withSpecial = row[2].is_null() ? ids : row[2].get<std::vector<int32_t>>();
    std::string whole = row[3].is_null() ? input : row[3].get<std::string>();
    std::string plain = row[4].is_null() ? whole : row[4].get<std::string>();

    std::vector<int32_t> encoded, encodedWithSpecial;
    tokenizer.encode(input, /*addSpecialTokens=*/false, encoded);
    tokenizer.encode(input, /*addSpecialTokens=*/true, encodedWithSpecial);
    EXPECT_EQ(encoded, ids);
    EXPECT_EQ(encodedWithSpecial, withSpecial);
    EXPECT_EQ(tokenizer.decode(ids.data(), ids.size(), /*skipSpecialTokens=*/false), whole);
    EXPECT_EQ(tokenizer.decode(ids.data(), ids.size(), /*skipSpecialTokens=*/true), plain);
    EXPECT_EQ(decodedInPieces(tokenizer, ids, false), whole);
    EXPECT_EQ(decodedInPieces(tokenizer, ids, true), plain);
    ++count;
  }
  EXPECT_GE(count, 1500u);
}

INSTANTIATE_TEST_SUITE_P(Files, TokenizerGolden, ::testing::Values("qwen", "llama3", "odd"),
                         [](const auto &info) { return std::string(info.param); });

} // namespace
