// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The safetensors header. Format: https://huggingface.co/docs/safetensors, "Format".
#include "mjolnir/Package/SafetensorsWriter.h"

#include "mjolnir/format/Format.h"

#include <string_view>
#include <unordered_set>

namespace mjolnir::package {
namespace {

const char *safetensorsName(fb::DType type) {
  switch (type) {
  case fb::DType::f32:
    return "F32";
  case fb::DType::f16:
    return "F16";
  case fb::DType::bf16:
    return "BF16";
  case fb::DType::f8e4m3fn:
    return "F8_E4M3";
  case fb::DType::i8:
    return "I8";
  case fb::DType::u8:
    return "U8";
  case fb::DType::i32:
    return "I32";
  case fb::DType::i64:
    return "I64";
  case fb::DType::u32:
    return "U32";
  case fb::DType::u64:
    return "U64";
  case fb::DType::boolean:
    return "BOOL";
  }
  return nullptr;
}

std::string quoteJson(std::string_view text) {
  constexpr char Hex[] = "0123456789abcdef";
  std::string json = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      json += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      json += "\\u00";
      json += Hex[c >> 4];
      json += Hex[c & 15];
    } else {
      json += c;
    }
  }
  return json + "\"";
}

std::string joinShape(const std::vector<uint64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

} // namespace

Error layOutSafetensors(const std::vector<std::unique_ptr<fb::WeightT>> &weights, SafetensorsLayout &layout) {
  layout = {};
  std::string metadata, tensors;
  auto add = [&](std::string_view name, const char *type, const std::string &shape, uint64_t bytes) {
    tensors += "," + quoteJson(name) + ":{\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":[" +
               std::to_string(layout.dataBytes) + "," + std::to_string(layout.dataBytes + bytes) + "]}";
    layout.dataBytes += bytes;
  };

  std::unordered_set<std::string_view> names;
  unsigned paddings = 0;
  for (const std::unique_ptr<fb::WeightT> &weight : weights) {
    std::string quoted = "weight '" + weight->name + "'";
    if (weight->name.rfind("__", 0) == 0)
      return Error(quoted + " has a name that is kept for padding and metadata");
    if (!names.insert(weight->name).second)
      return Error(quoted + " is there twice");
    const char *type = safetensorsName(weight->dtype);
    if (!type)
      return Error(quoted + " has a dtype that safetensors lacks");
    if (uint64_t over = layout.dataBytes % format::DataAlignment) {
      uint64_t padding = format::DataAlignment - over;
      add("__padding_" + std::to_string(paddings++), "U8", "[" + std::to_string(padding) + "]", padding);
    }
    layout.offsets.push_back(layout.dataBytes);
    if (weight->encoding.empty()) {
      add(weight->name, type, joinShape(weight->shape), weight->bytes);
    } else {
      metadata += "," + quoteJson(weight->name) + ":" +
                  quoteJson(std::string(type) + joinShape(weight->shape) + " encoded as " + weight->encoding);
      add(weight->name, "U8", "[" + std::to_string(weight->bytes) + "]", weight->bytes);
    }
  }

  std::string json = "{\"__metadata__\":{\"format\":\"mjolnir\"" + metadata + "}" + tensors + "}";
  uint64_t padded = format::alignUp(8 + json.size(), format::DataAlignment) - 8;
  json.append(padded - json.size(), ' ');
  for (int byte = 0; byte < 8; ++byte)
    layout.header += static_cast<char>(padded >> (8 * byte));
  layout.header += json;
  return Error::success();
}

} // namespace mjolnir::package
