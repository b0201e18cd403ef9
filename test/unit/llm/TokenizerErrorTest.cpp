// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A tokenizer.json that is wrong, or asks for what is not supported, is refused with a sentence that names the place.

#include "Error.h"
#include "Tokenizer.h"

#include <gtest/gtest.h>

using namespace mjolnir::llm;

namespace {

const char *const valid = R"({
  "version": "1.0",
  "added_tokens": [{"id": 4, "content": "<s>", "special": true}],
  "normalizer": {"type": "NFC"},
  "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
    {"type": "Split", "pattern": {"Regex": "\\s+"}, "behavior": "Isolated", "invert": false},
    {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]},
  "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "special_tokens": {"<s>": {"id": "<s>", "ids": [4], "tokens": ["<s>"]}}},
  "decoder": {"type": "ByteLevel"},
  "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3}, "merges": ["a b"]}
})";

struct Case {
  const char *name;
  const char *pointer;     // what is replaced (JSON pointer)
  const char *replacement; // null: erased
  mj_status status;
  const char *message;
};

// The sentences, one for each way to be wrong.
const Case cases[] = {
    {"NoModel", "/model", nullptr, MJ_ERROR_MALFORMED, "tokenizer.json lacks 'model'"},
    {"ModelNotObject", "/model", "[]", MJ_ERROR_MALFORMED, "tokenizer.json.model is an array, not an object"},
    {"Unigram", "/model/type", "\"Unigram\"", MJ_ERROR_UNSUPPORTED,
     "tokenizer.json.model has type 'Unigram'; supported is BPE"},
    {"Prefix", "/model/continuing_subword_prefix", "\"##\"", MJ_ERROR_UNSUPPORTED,
     "tokenizer.json.model.continuing_subword_prefix is '##'; supported is none"},
    {"Suffix", "/model/end_of_word_suffix", "\"</w>\"", MJ_ERROR_UNSUPPORTED,
     "tokenizer.json.model.end_of_word_suffix is '</w>'; supported is none"},
    {"Dropout", "/model/dropout", "0.1", MJ_ERROR_UNSUPPORTED,
     "tokenizer.json.model.dropout is not 0: encoding would be random"},
    {"NoVocab", "/model/vocab", nullptr, MJ_ERROR_MALFORMED, "tokenizer.json.model lacks 'vocab'"},
    {"VocabNotObject", "/model/vocab", "3", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.vocab is a number, not an object"},
    {"NegativeId", "/model/vocab/a", "-1", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.vocab gives the token 'a' a number that is not an integer from 0 to 16777215"},
    {"HugeId", "/model/vocab/a", "16777216", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.vocab gives the token 'a' a number that is not an integer from 0 to 16777215"},
    {"FractionalId", "/model/vocab/a", "0.5", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.vocab gives the token 'a' a number that is not an integer from 0 to 16777215"},
    {"SameId", "/model/vocab/b", "0", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.vocab gives the number 0 to both 'a' and 'b'"},
    {"NullId", "/model/vocab/a", "null", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.vocab gives the token 'a' a number that is not an integer from 0 to 16777215"},
    {"ListId", "/model/vocab/a", "[0]", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.vocab gives the token 'a' a number that is not an integer from 0 to 16777215"},
    {"ObjectId", "/model/vocab/a", "{}", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.vocab gives the token 'a' a number that is not an integer from 0 to 16777215"},
    {"NoMerges", "/model/merges", nullptr, MJ_ERROR_MALFORMED, "tokenizer.json.model lacks 'merges'"},
    {"MergesNotArray", "/model/merges", "{}", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.merges is an object, not an array"},
    {"MergeOfOne", "/model/merges/0", "\"ab\"", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.merges[0] is 'ab', not two tokens separated by one space"},
    {"MergeOfThree", "/model/merges/0", "\"a b c\"", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.merges[0] is 'a b c', not two tokens separated by one space"},
    {"MergeNumber", "/model/merges/0", "[1, 2]", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.merges[0] is neither a string of two tokens nor a pair of strings"},
    {"MergePairOfOne", "/model/merges/0", "[\"a\"]", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.merges[0] is neither a string of two tokens nor a pair of strings"},
    {"MergePairOfThree", "/model/merges/0", "[\"a\", \"b\", \"b\"]", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.merges[0] is neither a string of two tokens nor a pair of strings"},
    {"MergeOfLists", "/model/merges/0", "[[\"a\"], \"b\"]", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.merges[0] is neither a string of two tokens nor a pair of strings"},
    {"MergeObject", "/model/merges/0", "{}", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.merges[0] is neither a string of two tokens nor a pair of strings"},
    {"MergeUnknownLeft", "/model/merges/0", "[\"x\", \"b\"]", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.merges[0] needs the token 'x', which is not in the vocabulary"},
    {"MergeUnknownRight", "/model/merges/0", "[\"a\", \"x\"]", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.merges[0] needs the token 'x', which is not in the vocabulary"},
    {"MergeUnknownResult", "/model/merges/0", "[\"b\", \"a\"]", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.merges[0] needs the token 'ba', which is not in the vocabulary"},
    {"UnknownToken", "/model/unk_token", "\"<unk>\"", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.unk_token is '<unk>', which is not in the vocabulary"},
    {"FlagNotBoolean", "/model/ignore_merges", "1", MJ_ERROR_MALFORMED,
     "tokenizer.json.model.ignore_merges is a number, not true or false"},
    {"Lowercase", "/normalizer/type", "\"Lowercase\"", MJ_ERROR_UNSUPPORTED,
     "tokenizer.json.normalizer has type 'Lowercase'; supported are NFC, NFD, NFKC, NFKD and Sequence"},
    {"NormalizerNoType", "/normalizer", "{}", MJ_ERROR_MALFORMED, "tokenizer.json.normalizer lacks 'type'"},
    {"Metaspace", "/pre_tokenizer/pretokenizers/0/type", "\"Metaspace\"", MJ_ERROR_UNSUPPORTED,
     "tokenizer.json.pre_tokenizer.pretokenizers[0] has type 'Metaspace'; supported are Split, ByteLevel and Sequence"},
    {"NoPattern", "/pre_tokenizer/pretokenizers/0/pattern", nullptr, MJ_ERROR_MALFORMED,
     "tokenizer.json.pre_tokenizer.pretokenizers[0] lacks 'pattern'"},
    {"OddPattern", "/pre_tokenizer/pretokenizers/0/pattern", "{\"Glob\": \"*\"}", MJ_ERROR_MALFORMED,
     "tokenizer.json.pre_tokenizer.pretokenizers[0].pattern has neither 'Regex' nor 'String'"},
    {"Regex", "/pre_tokenizer/pretokenizers/0/pattern/Regex", "\"[a&&b]\"", MJ_ERROR_UNSUPPORTED,
     "tokenizer.json.pre_tokenizer.pretokenizers[0].pattern.Regex: the regular expression '[a&&b]' uses an "
     "intersection of "
     "character classes (&&) at byte 2, which is not supported"},
    {"Behavior", "/pre_tokenizer/pretokenizers/0/behavior", "\"Odd\"", MJ_ERROR_MALFORMED,
     "tokenizer.json.pre_tokenizer.pretokenizers[0].behavior is 'Odd', not one of Removed, Isolated, "
     "MergedWithPrevious, "
     "MergedWithNext, Contiguous"},
    {"AddedNotArray", "/added_tokens", "{}", MJ_ERROR_MALFORMED,
     "tokenizer.json.added_tokens is an object, not an array"},
    {"AddedNoId", "/added_tokens/0/id", nullptr, MJ_ERROR_MALFORMED, "tokenizer.json.added_tokens[0] lacks 'id'"},
    {"AddedBadId", "/added_tokens/0/id", "-4", MJ_ERROR_MALFORMED,
     "tokenizer.json.added_tokens[0].id is -4, not an integer from 0 to 16777215"},
    {"AddedNoContent", "/added_tokens/0/content", "7", MJ_ERROR_MALFORMED,
     "tokenizer.json.added_tokens[0].content is a number, not a string"},
    {"AddedOtherId", "/added_tokens/0/content", "\"ab\"", MJ_ERROR_MALFORMED,
     "tokenizer.json.added_tokens gives 'ab' the number 4, but the vocabulary gives it 2"},
    {"AddedTakenId", "/added_tokens/0/id", "1", MJ_ERROR_MALFORMED,
     "tokenizer.json.added_tokens gives '<s>' the number 1, but the vocabulary gives that number to 'b'"},
    {"NoDecoder", "/decoder", "null", MJ_ERROR_UNSUPPORTED, "tokenizer.json has no decoder; supported is ByteLevel"},
    {"WordPiece", "/decoder/type", "\"WordPiece\"", MJ_ERROR_UNSUPPORTED,
     "tokenizer.json.decoder has type 'WordPiece'; supported is ByteLevel"},
    {"Bert", "/post_processor/type", "\"BertProcessing\"", MJ_ERROR_UNSUPPORTED,
     "tokenizer.json.post_processor has type 'BertProcessing'; supported are ByteLevel, TemplateProcessing and "
     "Sequence"},
    {"TemplateTwice", "/post_processor/single/0", "{\"Sequence\": {\"id\": \"A\"}}", MJ_ERROR_UNSUPPORTED,
     "tokenizer.json.post_processor.single[1] is not the only text, A, of the template"},
    {"TemplateNoText", "/post_processor/single/1", nullptr, MJ_ERROR_MALFORMED,
     "tokenizer.json.post_processor.single has no place for the text"},
    {"TemplateOdd", "/post_processor/single/0", "{}", MJ_ERROR_MALFORMED,
     "tokenizer.json.post_processor.single[0] is neither 'Sequence' nor 'SpecialToken'"},
    {"TemplateUnknown", "/post_processor/single/0/SpecialToken/id", "\"<x>\"", MJ_ERROR_MALFORMED,
     "tokenizer.json.post_processor.special_tokens lacks '<x>', which the template names"},
};

class TokenizerError : public ::testing::TestWithParam<Case> {};

TEST_P(TokenizerError, HasItsSentence) {
  const Case &c = GetParam();
  nlohmann::json document = nlohmann::json::parse(valid);
  nlohmann::json::json_pointer pointer(c.pointer);
  if (c.replacement) {
    document[pointer] = nlohmann::json::parse(c.replacement);
  } else {
    nlohmann::json &parent = document[pointer.parent_pointer()];
    if (parent.is_array())
      parent.erase(static_cast<size_t>(std::stoul(pointer.back())));
    else
      parent.erase(pointer.back());
  }
  try {
    Tokenizer tokenizer(document.dump());
    FAIL() << "was accepted";
  } catch (const Error &e) {
    EXPECT_EQ(std::string(e.what()), c.message);
    EXPECT_EQ(e.status(), c.status);
  }
}

INSTANTIATE_TEST_SUITE_P(Edits, TokenizerError, ::testing::ValuesIn(cases),
                         [](const auto &info) { return std::string(info.param.name); });

TEST(TokenizerFile, IsAcceptedUnchanged) {
  Tokenizer tokenizer(valid);
  std::vector<int32_t> ids;
  tokenizer.encode("ab ab<s>b", true, ids);
  EXPECT_EQ(ids, (std::vector<int32_t>{4, 2, 3, 2, 4, 1}));
  EXPECT_EQ(tokenizer.size(), 5u);
  EXPECT_EQ(tokenizer.find("ab"), 2);
  EXPECT_EQ(tokenizer.find("<s>"), 4);
  EXPECT_EQ(tokenizer.find("x"), -1);
}

TEST(TokenizerFile, VocabularyIsTheModelsOnly) {
  // Members of these names elsewhere are nothing special, nor is the order of members in the file.
  Tokenizer tokenizer(R"({"vocab": {"x": "y"}, "extra": {"merges": [1, {}], "model": {"vocab": {"q": null}}},
    "decoder": {"type": "ByteLevel"}, "model": {"merges": [["a", "b"]], "other": {"vocab": [1]}, "vocab": {"ab": 7, "a": 0, "b": 3}}})");
  std::vector<int32_t> ids;
  tokenizer.encode("abba", true, ids);
  EXPECT_EQ(ids, (std::vector<int32_t>{7, 3, 0}));
  EXPECT_EQ(tokenizer.size(), 8u);
  EXPECT_EQ(tokenizer.find("q"), -1);
  EXPECT_EQ(tokenizer.decode(ids.data(), ids.size(), true), "abba");
  try {
    Tokenizer twice(R"({"decoder": {"type": "ByteLevel"}, "model": {"vocab": {"a": 0, "a": 1}, "merges": []}})");
    FAIL();
  } catch (const Error &e) {
    EXPECT_STREQ(e.what(), "tokenizer.json.model.vocab has the token 'a' twice");
  }
}

TEST(TokenizerFile, MustBeJson) {
  for (const char *text : {"", "{", "nonsense", "{\"a\": 1,}"}) {
    try {
      Tokenizer tokenizer(text);
      FAIL();
    } catch (const Error &e) {
      EXPECT_EQ(std::string(e.what()).rfind("tokenizer.json is not valid JSON: ", 0), 0u) << e.what();
    }
  }
  EXPECT_THROW(Tokenizer("[]"), Error);
}

TEST(TokenizerModel, UnknownCharacters) {
  // Without an unknown token they are left out; with one they are it, fused on request; with byte fallback, bytes.
  auto encoded = [](const char *model, std::string_view text) {
    nlohmann::json document = nlohmann::json::parse(valid);
    document.erase("pre_tokenizer");
    document.erase("post_processor");
    document.erase("added_tokens");
    document["model"].update(nlohmann::json::parse(model));
    std::vector<int32_t> ids;
    Tokenizer(document.dump()).encode(text, false, ids);
    return ids;
  };
  EXPECT_EQ(encoded("{}", "axyb"), (std::vector<int32_t>{2}));
  EXPECT_EQ(encoded(R"({"unk_token": "Ġ"})", "axyb"), (std::vector<int32_t>{0, 3, 3, 1}));
  EXPECT_EQ(encoded(R"({"unk_token": "Ġ", "fuse_unk": true})", "axyb"), (std::vector<int32_t>{0, 3, 1}));
  EXPECT_EQ(encoded(R"({"byte_fallback": true, "vocab": {"a": 0, "<0xC3>": 1, "<0xA9>": 2}, "merges": []})", "aéx"),
            (std::vector<int32_t>{0, 1, 2}));
}

} // namespace
