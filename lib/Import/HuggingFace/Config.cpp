// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Typed access to config.json and the settings that decoders share.
#include "Config.h"

#include "llvm/ADT/StringExtras.h"

#include <cmath>

using namespace llvm;
using namespace mjolnir::hf;

static std::string toText(const json::Value &value) {
  std::string text;
  raw_string_ostream(text) << value;
  return text.size() <= 80 ? text : text.substr(0, 77) + "...";
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

const json::Value *ConfigReader::get(StringRef key) {
  read.insert(key);
  const json::Value *value = object.get(key);
  return value && value->kind() != json::Value::Null ? value : nullptr;
}

bool ConfigReader::has(StringRef key) { return get(key) != nullptr; }

void ConfigReader::refuseSetting(StringRef key, const Twine &why) {
  const json::Value *value = get(key);
  refuse("'" + key + "' is " + (value ? toText(*value) : "absent") + ", " + why);
}

int64_t ConfigReader::size(StringRef key, std::optional<int64_t> fallback, int64_t least, int64_t most) {
  const json::Value *value = get(key);
  if (!value && fallback)
    return *fallback;
  std::optional<int64_t> number = value ? value->getAsInteger() : std::nullopt;
  if (number && *number >= least && *number <= most)
    return *number;
  refuseSetting(key, "but must be a whole number from " + Twine(least) + " to " + Twine(most));
  return 1;
}

double ConfigReader::number(StringRef key, std::optional<double> fallback) {
  const json::Value *value = get(key);
  if (!value && fallback)
    return *fallback;
  std::optional<double> number = value ? value->getAsNumber() : std::nullopt;
  if (number && std::isfinite(*number) && *number > 0)
    return *number;
  refuseSetting(key, "but must be a positive number");
  return 1.0;
}

bool ConfigReader::flag(StringRef key, bool fallback) {
  const json::Value *value = get(key);
  if (!value)
    return fallback;
  if (std::optional<bool> flag = value->getAsBoolean())
    return *flag;
  refuseSetting(key, "but must be true or false");
  return fallback;
}

std::string ConfigReader::string(StringRef key, StringRef fallback) {
  const json::Value *value = get(key);
  if (!value)
    return fallback.str();
  if (std::optional<StringRef> text = value->getAsString())
    return text->str();
  refuseSetting(key, "but must be a string");
  return fallback.str();
}

const json::Object *ConfigReader::section(StringRef key) {
  const json::Value *value = get(key);
  if (value && !value->getAsObject())
    refuseSetting(key, "but must be an object");
  return value ? value->getAsObject() : nullptr;
}

const json::Array *ConfigReader::list(StringRef key) {
  const json::Value *value = get(key);
  if (value && !value->getAsArray())
    refuseSetting(key, "but must be a list");
  return value ? value->getAsArray() : nullptr;
}

//===----------------------------------------------------------------------===//
// What was not read
//===----------------------------------------------------------------------===//

// Settings that change the computation of some decoder, with the value at which they change nothing (null always does).
static constexpr std::pair<StringLiteral, StringLiteral> kRelevant[] = {
    {"add_cross_attention", "false"},
    {"attention_bias", "false"},
    {"attention_chunk_size", "null"},
    {"attention_multiplier", "null"},
    {"attn_logit_softcapping", "null"},
    {"attn_temperature_tuning", "false"},
    {"clip_qkv", "null"},
    {"embedding_multiplier", "1"},
    {"final_logit_softcapping", "null"},
    {"first_k_dense_replace", "null"},
    {"head_bias", "false"},
    {"is_encoder_decoder", "false"},
    {"layer_types", "null"},
    {"logit_scale", "1"},
    {"logits_scaling", "1"},
    {"lm_head_bias", "false"},
    {"mlp_bias", "false"},
    {"moe_intermediate_size", "null"},
    {"n_routed_experts", "null"},
    {"no_rope_layers", "null"},
    {"num_experts", "null"},
    {"num_local_experts", "null"},
    {"original_max_position_embeddings", "null"},
    {"parallel_residual", "false"},
    {"partial_rotary_factor", "1"},
    {"pruned_heads", "{}"},
    {"q_lora_rank", "null"},
    {"qk_layernorm", "false"},
    {"quantization_config", "null"},
    {"query_pre_attn_scalar", "null"},
    {"residual_multiplier", "1"},
    {"rope_interleaved", "false"},
    {"rope_parameters", "null"},
    {"rope_scaling", "null"},
    {"scale_attn_weights", "true"},
    {"sliding_window", "null"},
    {"use_mrope", "false"},
    {"use_qk_norm", "false"},
    {"use_sliding_window", "false"},
};

// Settings that every configuration may have and that change nothing here: training, generation (which reads
// generation_config.json), bookkeeping. `max_window_layers` means nothing without `use_sliding_window`.
static constexpr StringLiteral kIrrelevant[] = {
    // clang-format off
    "_attn_implementation", "_attn_implementation_autoset", "_name_or_path", "_num_labels", "architectures",
    "attention_dropout", "attn_implementation", "bad_words_ids", "begin_suppress_tokens", "bos_token_id",
    "chunk_size_feed_forward", "cross_attention_hidden_size", "decoder_start_token_id", "diversity_penalty",
    "do_sample", "dtype", "early_stopping", "embd_pdrop", "encoder_no_repeat_ngram_size", "eos_token_id",
    "exponential_decay_length_penalty", "finetuning_task", "forced_bos_token_id", "forced_eos_token_id",
    "hidden_dropout", "id2label", "initializer_range", "is_decoder", "label2id", "length_penalty", "max_length",
    "max_window_layers", "min_length", "model_type", "no_repeat_ngram_size", "num_beam_groups", "num_beams",
    "num_return_sequences", "output_attentions", "output_hidden_states", "output_scores", "pad_token_id", "prefix",
    "pretraining_tp", "problem_type", "remove_invalid_values", "repetition_penalty", "resid_pdrop", "return_dict",
    "return_dict_in_generate", "sep_token_id", "suppress_tokens", "task_specific_params", "temperature",
    "tf_legacy_loss", "tie_encoder_decoder", "tokenizer_class", "top_k", "top_p", "torch_dtype", "torchscript",
    "transformers_version", "typical_p", "unsloth_fixed", "unsloth_version", "use_bfloat16", "use_cache",
    // clang-format on
};

std::vector<std::string> ConfigReader::checkUnread() {
  std::vector<std::string> unknown;
  for (const auto &[objectKey, value] : object) {
    StringRef key = objectKey;
    if (read.contains(key) || llvm::is_contained(kIrrelevant, key))
      continue;
    const auto *relevant = llvm::find_if(kRelevant, [&](const auto &entry) { return entry.first == key; });
    if (relevant == std::end(kRelevant))
      unknown.push_back(key.str());
    else if (value.kind() != json::Value::Null && toText(value) != relevant->second)
      refuse("'" + key + "' is " + toText(value) + ", which models of this architecture do not have in Mjolnir; it " +
             "would change the results");
  }
  llvm::sort(unknown);
  return unknown;
}

//===----------------------------------------------------------------------===//
// Decoders
//===----------------------------------------------------------------------===//

// Keeps an absurd number in a damaged file from filling the memory before a tensor is missed.
static constexpr int64_t kMaxLayers = 10000;

/// Reads the type and the numbers of a rope_scaling or rope_parameters object into `rope`.
static void readRopeSection(ConfigReader &outer, StringRef key, const json::Object &object, RopeConfig &rope) {
  ConfigReader reader(object, ("'" + key + "'").str());
  // Older configurations call it "type".
  std::string type = reader.string("rope_type", reader.string("type", "default"));
  rope.theta = reader.number("rope_theta", rope.theta);
  if (reader.number("partial_rotary_factor", 1.0) != 1.0)
    reader.refuseSetting("partial_rotary_factor", "but only whole heads are rotated");
  if (type == "linear") {
    rope.linear = reader.number("factor");
  } else if (type == "llama3") {
    for (StringRef name : {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"})
      rope.llama3.push_back(reader.number(name));
    if (rope.llama3[1] >= rope.llama3[2])
      reader.refuseSetting("low_freq_factor", "but must be below high_freq_factor");
  } else if (type != "default") {
    outer.refuse("'" + key + "' has the type '" + type + "'; known are default, linear and llama3" +
                 (type == "yarn" || type == "dynamic" || type == "longrope"
                      ? " (remove the setting from config.json to serve the original context length)"
                      : ""));
    return;
  }
  for (const std::string &name : reader.checkUnread())
    reader.refuse("has '" + name + "', which the type '" + type + "' does not have");
  for (const std::string &problem : reader.problems())
    outer.refuse(problem);
}

static RopeConfig readRope(ConfigReader &reader) {
  RopeConfig rope;
  rope.theta = reader.number("rope_theta", rope.theta);
  const json::Object *scaling = reader.section("rope_scaling"), *parameters = reader.section("rope_parameters");
  if (scaling && parameters)
    reader.refuse("has both 'rope_scaling' and 'rope_parameters'; keep the one that the model was trained with");
  else if (scaling)
    readRopeSection(reader, "rope_scaling", *scaling, rope);
  else if (parameters)
    readRopeSection(reader, "rope_parameters", *parameters, rope);
  if (rope.theta <= 1.0)
    reader.refuse("has a rope_theta of " + Twine(std::to_string(rope.theta)) + ", which must be above 1");
  return rope;
}

DecoderConfig mjolnir::hf::readDecoderConfig(ConfigReader &reader, std::optional<int64_t> headDim) {
  DecoderConfig config;
  config.vocabulary = reader.size("vocab_size");
  config.hidden = reader.size("hidden_size");
  config.intermediate = reader.size("intermediate_size");
  config.layers = reader.size("num_hidden_layers", std::nullopt, 1, kMaxLayers);
  config.heads = reader.size("num_attention_heads");
  config.kvHeads = reader.size("num_key_value_heads", config.heads);
  config.maxPositions = reader.size("max_position_embeddings");
  config.normEps = reader.number("rms_norm_eps");
  config.tied = reader.flag("tie_word_embeddings", false);
  config.rope = readRope(reader);

  if (config.heads % config.kvHeads)
    reader.refuse("has " + Twine(config.heads) + " attention heads, which its " + Twine(config.kvHeads) +
                  " key-value heads do not divide");
  if (!reader.has("head_dim") && !headDim && config.hidden % config.heads)
    reader.refuse("has no head_dim, and num_attention_heads does not divide hidden_size");
  config.headDim = reader.size("head_dim", headDim.value_or(std::max<int64_t>(1, config.hidden / config.heads)));
  if (config.headDim % 2)
    reader.refuse("has heads of " + Twine(config.headDim) + " elements; a rotary embedding needs an even number");
  if (std::string activation = reader.string("hidden_act", "silu"); activation != "silu" && activation != "swish")
    reader.refuseSetting("hidden_act", "but only \"silu\" is known");
  config.windows.assign(config.layers, 0);
  return config;
}

void mjolnir::hf::readLayerWindows(ConfigReader &reader, DecoderConfig &config) {
  // A window of null is none; one that is not mentioned is the default of transformers.
  bool hasWindow = reader.has("sliding_window") || !reader.mentions("sliding_window");
  bool use = reader.flag("use_sliding_window", false) && hasWindow;
  int64_t window = use ? reader.size("sliding_window", 4096) : 0;
  int64_t first = use ? reader.size("max_window_layers", 28, 0) : config.layers;
  const json::Array *types = reader.list("layer_types");
  if (!types) {
    // transformers: the layers from max_window_layers on have the window.
    for (int64_t layer = first; layer < config.layers; ++layer)
      config.windows[layer] = window;
    return;
  }
  if (static_cast<int64_t>(types->size()) != config.layers)
    return reader.refuse("has " + Twine(types->size()) + " layer_types for " + Twine(config.layers) + " layers");
  for (auto [layer, type] : llvm::enumerate(*types)) {
    if (type == json::Value("full_attention"))
      continue;
    if (type != json::Value("sliding_attention"))
      return reader.refuse("has a layer of type " + toText(type) + "; known are full_attention and sliding_attention");
    if (!use)
      return reader.refuse("asks for sliding_attention in layer " + Twine(layer) +
                           " without use_sliding_window set to true and a sliding_window");
    config.windows[layer] = window;
  }
}
