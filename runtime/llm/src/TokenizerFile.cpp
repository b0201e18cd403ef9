// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements TokenizerFile.h with the event interface of nlohmann's parser.

#include "TokenizerFile.h"

#include "Error.h"

namespace mjolnir::llm {

namespace {

using json = nlohmann::json;

class Handler : public json::json_sax_t {
public:
  explicit Handler(TokenizerFile &file) : file(file) {}

  bool null() override { return inTables() ? odd() : value(nullptr); }
  bool boolean(bool v) override { return inTables() ? odd() : value(v); }
  bool number_integer(number_integer_t v) override { return inTables() ? number(v) : value(v); }
  bool number_unsigned(number_unsigned_t v) override {
    return inTables() ? number(v < maxTokens ? static_cast<int64_t>(v) : -1) : value(v);
  }
  bool number_float(number_float_t v, const string_t &) override { return inTables() ? odd() : value(v); }
  bool binary(binary_t &) override { return false; } // not of JSON
  bool string(string_t &v) override {
    if (!inTables())
      return value(std::move(v));
    if (part == Part::Vocabulary)
      return odd();
    return part == Part::Merges ? splitMerge(v) : pairMember(v);
  }
  bool key(string_t &v) override {
    if (part == Part::Vocabulary)
      file.vocabulary.push_back({keep(file.tokenTexts, v), -1});
    else
      pendingKey = std::move(v);
    return true;
  }
  bool start_object(size_t) override {
    if (inTables())
      return odd();
    bool isVocabulary = atModel() && pendingKey == "vocab";
    open(json::object());
    if (isVocabulary)
      part = Part::Vocabulary;
    return true;
  }
  bool end_object() override {
    part = Part::Document;
    places.pop_back();
    return true;
  }
  bool start_array(size_t) override {
    if (part == Part::Merges) {
      part = Part::MergePair;
      pairMembers = 0;
      file.merges.emplace_back();
      return true;
    }
    if (inTables())
      return odd();
    bool isMerges = atModel() && pendingKey == "merges";
    open(json::array());
    if (isMerges)
      part = Part::Merges;
    return true;
  }
  bool end_array() override {
    if (part == Part::MergePair) {
      if (pairMembers != 2)
        return odd();
      part = Part::Merges;
      return true;
    }
    part = Part::Document;
    places.pop_back();
    return true;
  }
  bool parse_error(size_t, const std::string &, const nlohmann::detail::exception &e) override {
    throw Error(MJ_ERROR_MALFORMED, std::string("tokenizer.json is not valid JSON: ") + e.what());
  }

private:
  enum class Part { Document, Vocabulary, Merges, MergePair };

  bool inTables() const { return part != Part::Document; }
  /// Whether the value to come is a member of the file's "model".
  bool atModel() const {
    if (places.size() != 2 || !file.document.is_object())
      return false;
    auto model = file.document.find("model");
    return model != file.document.end() && &*model == places[1] && model->is_object();
  }
  json *put(json &&v) {
    if (places.empty()) {
      file.document = std::move(v);
      return &file.document;
    }
    json &parent = *places.back();
    if (parent.is_array()) {
      parent.push_back(std::move(v));
      return &parent.back();
    }
    return &(parent[pendingKey] = std::move(v));
  }
  bool value(json &&v) {
    put(std::move(v));
    return true;
  }
  // Elements of an array are not touched after the next is added, so these pointers stay good.
  void open(json &&v) { places.push_back(put(std::move(v))); }

  static TextSpan keep(std::string &arena, std::string_view text) {
    if (arena.size() + text.size() > UINT32_MAX)
      throw Error(MJ_ERROR_MALFORMED, "tokenizer.json.model has more than 4 GiB of tokens");
    TextSpan span = {static_cast<uint32_t>(arena.size()), static_cast<uint32_t>(text.size())};
    arena += text;
    return span;
  }
  bool number(int64_t v) {
    if (part != Part::Vocabulary || v < 0 || v >= maxTokens)
      return odd();
    file.vocabulary.back().id = static_cast<int32_t>(v);
    return true;
  }
  bool splitMerge(const std::string &both) {
    size_t space = both.find(' ');
    if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos)
      throw Error(MJ_ERROR_MALFORMED, "tokenizer.json.model.merges[" + std::to_string(file.merges.size()) + "] is '" +
                                          both + "', not two tokens separated by one space");
    std::string_view text = both;
    TextSpan left = keep(file.mergeTexts, text.substr(0, space));
    file.merges.push_back({left, keep(file.mergeTexts, text.substr(space + 1))});
    return true;
  }
  bool pairMember(const std::string &text) {
    if (++pairMembers > 2)
      return odd();
    (pairMembers == 1 ? file.merges.back().left : file.merges.back().right) = keep(file.mergeTexts, text);
    return true;
  }
  /// Something in a table that does not belong there.
  bool odd() {
    if (part == Part::Vocabulary)
      throw Error(MJ_ERROR_MALFORMED, "tokenizer.json.model.vocab gives the token '" +
                                          std::string(file.vocabulary.back().text.of(file.tokenTexts)) +
                                          "' a number that is not an integer from 0 to " +
                                          std::to_string(maxTokens - 1));
    size_t index = part == Part::MergePair ? file.merges.size() - 1 : file.merges.size();
    throw Error(MJ_ERROR_MALFORMED, "tokenizer.json.model.merges[" + std::to_string(index) +
                                        "] is neither a string of two tokens nor a pair of strings");
  }

  TokenizerFile &file;
  Part part = Part::Document;
  std::string pendingKey;
  std::vector<json *> places; // the containers that are open
  int pairMembers = 0;
};

} // namespace

TokenizerFile TokenizerFile::parse(std::string_view text) {
  TokenizerFile file;
  Handler handler(file);
  // False without an exception is not possible: every event throws or returns true.
  json::sax_parse(text.begin(), text.end(), &handler);
  return file;
}

} // namespace mjolnir::llm
