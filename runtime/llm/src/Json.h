// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A JSON value together with where it stands in which file, so that every complaint about it can say so.
#ifndef MJOLNIR_LLM_JSON_H
#define MJOLNIR_LLM_JSON_H

#include "Error.h"

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace mjolnir::llm {

class JsonView {
public:
  JsonView(const nlohmann::json &value, std::string place) : value(&value), place(std::move(place)) {}

  const nlohmann::json &raw() const { return *value; }
  const std::string &where() const { return place; }
  bool isNull() const { return value->is_null(); }

  /// Throws: the file is not what it should be.
  [[noreturn]] void malformed(const std::string &what) const { throw Error(MJ_ERROR_MALFORMED, place + " " + what); }
  /// Throws: the file is fine, this library cannot do what it asks for.
  [[noreturn]] void unsupported(const std::string &what) const {
    throw Error(MJ_ERROR_UNSUPPORTED, place + " " + what);
  }

  void requireObject() const {
    if (!value->is_object())
      malformed(std::string("is ") + kindName() + ", not an object");
  }
  size_t requireArray() const {
    if (!value->is_array())
      malformed(std::string("is ") + kindName() + ", not an array");
    return value->size();
  }

  /// The member `key` if it is there and not null.
  std::optional<JsonView> find(const char *key) const {
    requireObject();
    auto member = value->find(key);
    if (member == value->end() || member->is_null())
      return std::nullopt;
    return JsonView(*member, place + "." + key);
  }
  JsonView member(const char *key) const {
    if (auto found = find(key))
      return *found;
    malformed(std::string("lacks '") + key + "'");
  }
  JsonView element(size_t index) const { return JsonView((*value)[index], place + "[" + std::to_string(index) + "]"); }

  const std::string &string() const {
    if (!value->is_string())
      malformed(std::string("is ") + kindName() + ", not a string");
    return value->get_ref<const std::string &>();
  }
  bool boolean() const {
    if (!value->is_boolean())
      malformed(std::string("is ") + kindName() + ", not true or false");
    return value->get<bool>();
  }
  double number() const {
    if (!value->is_number())
      malformed(std::string("is ") + kindName() + ", not a number");
    return value->get<double>();
  }
  /// An integer in [low, high].
  int64_t integer(int64_t low, int64_t high) const {
    bool fits = value->is_number_unsigned() ? value->get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX)
                                            : value->is_number_integer();
    if (!fits || value->get<int64_t>() < low || value->get<int64_t>() > high)
      malformed("is " + value->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                ", not an integer from " + std::to_string(low) + " to " + std::to_string(high));
    return value->get<int64_t>();
  }

  bool booleanOr(const char *key, bool fallback) const {
    auto found = find(key);
    return found ? found->boolean() : fallback;
  }
  std::string stringOr(const char *key, std::string fallback) const {
    auto found = find(key);
    return found ? found->string() : fallback;
  }

private:
  const char *kindName() const {
    switch (value->type()) {
    case nlohmann::json::value_t::null:
      return "null";
    case nlohmann::json::value_t::object:
      return "an object";
    case nlohmann::json::value_t::array:
      return "an array";
    case nlohmann::json::value_t::string:
      return "a string";
    case nlohmann::json::value_t::boolean:
      return "a boolean";
    default:
      return "a number";
    }
  }

  const nlohmann::json *value;
  std::string place;
};

/// Parses `text`, the contents of the file `name`.
inline nlohmann::json parseJson(std::string_view text, const std::string &name) {
  try {
    return nlohmann::json::parse(text.begin(), text.end());
  } catch (const nlohmann::json::exception &e) {
    throw Error(MJ_ERROR_MALFORMED, name + " is not valid JSON: " + e.what());
  }
}

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_JSON_H
