// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements Tokenizer.h: reads the file's components, and runs them in order.

#include "Tokenizer.h"

#include "ByteLevel.h"
#include "Unicode.h"

#include <algorithm>

namespace mjolnir::llm {

Tokenizer::Tokenizer(std::string_view text) {
  TokenizerFile file = TokenizerFile::parse(text);
  JsonView root(file.document, "tokenizer.json");
  root.requireObject();

  model = Bpe::parse(root.member("model"), file);
  if (auto json = root.find("normalizer"))
    normalizer = Normalizer::parse(*json);
  if (auto json = root.find("pre_tokenizer"))
    preTokenizer = PreTokenizer::parse(*json);
  if (auto json = root.find("added_tokens")) {
    std::vector<AddedToken> tokens = AddedTokens::parse(*json);
    for (const AddedToken &token : tokens) {
      int32_t inModel = model.tokens().find(token.content);
      bool idIsTaken = model.tokens().has(token.id) && model.tokens().text(token.id) != token.content;
      if ((inModel >= 0 && inModel != token.id) || idIsTaken)
        json->malformed("gives '" + token.content + "' the number " + std::to_string(token.id) +
                        ", but the vocabulary gives " +
                        (inModel >= 0 && inModel != token.id
                             ? "it " + std::to_string(inModel)
                             : "that number to '" + std::string(model.tokens().text(token.id)) + "'"));
    }
    added = AddedTokens(std::move(tokens), normalizer);
  }
  auto decoder = root.find("decoder");
  if (!decoder)
    throw Error(MJ_ERROR_UNSUPPORTED, "tokenizer.json has no decoder; supported is ByteLevel");
  const std::string type = decoder->member("type").string();
  if (type != "ByteLevel")
    decoder->unsupported("has type '" + type + "'; supported is ByteLevel");
  if (auto json = root.find("post_processor"))
    parsePostProcessor(*json);
}

void Tokenizer::parsePostProcessor(const JsonView &json) {
  const std::string type = json.member("type").string();
  if (type == "Sequence") {
    JsonView list = json.member("processors");
    for (size_t i = 0, count = list.requireArray(); i < count; ++i)
      parsePostProcessor(list.element(i));
  } else if (type == "TemplateProcessing") {
    parseTemplate(json);
  } else if (type != "ByteLevel") { // ByteLevel moves offsets only, and those do not exist here
    json.unsupported("has type '" + type + "'; supported are ByteLevel, TemplateProcessing and Sequence");
  }
}

void Tokenizer::parseTemplate(const JsonView &json) {
  JsonView single = json.member("single");
  std::vector<int32_t> before, after;
  bool seenText = false;
  for (size_t i = 0, count = single.requireArray(); i < count; ++i) {
    JsonView piece = single.element(i);
    if (auto sequence = piece.find("Sequence")) {
      if (sequence->member("id").string() != "A" || seenText)
        piece.unsupported("is not the only text, A, of the template");
      seenText = true;
    } else if (auto special = piece.find("SpecialToken")) {
      const std::string name = special->member("id").string();
      JsonView table = json.member("special_tokens");
      auto entry = table.find(name.c_str());
      if (!entry)
        table.malformed("lacks '" + name + "', which the template names");
      JsonView ids = entry->member("ids");
      for (size_t k = 0, n = ids.requireArray(); k < n; ++k)
        (seenText ? after : before).push_back(static_cast<int32_t>(ids.element(k).integer(0, (1 << 24) - 1)));
    } else {
      piece.malformed("is neither 'Sequence' nor 'SpecialToken'");
    }
  }
  if (!seenText)
    single.malformed("has no place for the text");
  // One template's output is the next one's text.
  prefix.insert(prefix.begin(), before.begin(), before.end());
  suffix.insert(suffix.end(), after.begin(), after.end());
}

void Tokenizer::encodeText(std::string_view text, Bpe::Cache *words, std::vector<int32_t> &ids) const {
  Words split;
  preTokenizer.apply(text, split);
  for (Words::Range range : split.ranges)
    model.encode(std::string_view(split.text).substr(range.begin, range.end - range.begin), words, ids);
}

void Tokenizer::encode(std::string_view bytes, bool addSpecialTokens, std::vector<int32_t> &ids) const {
  std::string repaired;
  if (!isValidUtf8(bytes)) {
    repaired = replaceInvalidUtf8(bytes);
    bytes = repaired;
  }
  // Another thread may be using the cache; then this one does without.
  std::unique_lock<std::mutex> lock(cacheMutex, std::try_to_lock);
  Bpe::Cache *words = lock.owns_lock() ? &cache : nullptr;

  if (addSpecialTokens)
    ids.insert(ids.end(), prefix.begin(), prefix.end());
  std::vector<TextPart> rawParts, normalParts;
  added.split(bytes, /*normalized=*/false, rawParts);
  std::string normal;
  for (const TextPart &raw : rawParts) {
    if (raw.id >= 0) {
      ids.push_back(raw.id);
      continue;
    }
    std::string_view text = bytes.substr(raw.begin, raw.end - raw.begin);
    if (!normalizer.isIdentity()) {
      normal = normalizer.apply(text);
      text = normal;
    }
    normalParts.clear();
    added.split(text, /*normalized=*/true, normalParts);
    for (const TextPart &part : normalParts) {
      if (part.id >= 0)
        ids.push_back(part.id);
      else
        encodeText(text.substr(part.begin, part.end - part.begin), words, ids);
    }
  }
  if (addSpecialTokens)
    ids.insert(ids.end(), suffix.begin(), suffix.end());
}

void Tokenizer::appendBytes(int32_t id, bool skipSpecialTokens, std::string &bytes) const {
  const AddedToken *token = added.find(id);
  if (token && token->special && skipSpecialTokens)
    return;
  if (!token && !model.tokens().has(id))
    return;
  std::string_view text = token ? token->sought : model.tokens().text(id);
  const ByteLevel &table = ByteLevel::get();
  size_t before = bytes.size();
  for (std::string_view rest = text; !rest.empty();) {
    Utf8Unit unit = scanUtf8(rest);
    int byte = unit.kind == Utf8Unit::Valid ? table.byteOfCharacter(unit.codePoint) : -1;
    if (byte < 0) {
      // Some character is not of the byte alphabet: the token, an added one, is text.
      bytes.resize(before);
      bytes += text;
      return;
    }
    bytes.push_back(static_cast<char>(byte));
    rest.remove_prefix(unit.bytes);
  }
}

std::string Tokenizer::decode(const int32_t *ids, size_t count, bool skipSpecialTokens) const {
  std::string bytes;
  for (size_t i = 0; i < count; ++i)
    appendBytes(ids[i], skipSpecialTokens, bytes);
  return isValidUtf8(bytes) ? bytes : replaceInvalidUtf8(bytes);
}

int32_t Tokenizer::find(const std::string &text) const {
  for (const AddedToken &token : added.all())
    if (token.content == text)
      return token.id;
  return model.tokens().find(text);
}

size_t Tokenizer::size() const {
  size_t size = model.tokens().size();
  for (const AddedToken &token : added.all())
    size = std::max(size, static_cast<size_t>(token.id) + 1);
  return size;
}

void IncrementalDecoder::push(int32_t id, std::string &text) {
  tokenizer->appendBytes(id, skipSpecialTokens, pending);
  size_t used = 0;
  while (used < pending.size()) {
    Utf8Unit unit = scanUtf8(std::string_view(pending).substr(used));
    if (unit.kind == Utf8Unit::Incomplete)
      break;
    if (unit.kind == Utf8Unit::Valid)
      text.append(pending, used, unit.bytes);
    else
      appendUtf8(text, 0xFFFD);
    used += unit.bytes;
  }
  pending.erase(0, used);
}

void IncrementalDecoder::finish(std::string &text) {
  if (!pending.empty())
    appendUtf8(text, 0xFFFD);
  pending.clear();
}

} // namespace mjolnir::llm
