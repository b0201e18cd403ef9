// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Reading config.json: typed access that collects problems, and the settings that decoders share.
#ifndef MJOLNIR_LIB_IMPORT_HUGGINGFACE_CONFIG_H
#define MJOLNIR_LIB_IMPORT_HUGGINGFACE_CONFIG_H

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace mjolnir::hf {

/// Reads settings by name. A problem does not stop the reading: the caller gets some valid value and asks for
/// `problems` once, at the end. A setting that is null counts as absent, as in transformers. Remembers what was read,
/// so that a setting that matters and was not read can be refused.
class ConfigReader {
public:
  ConfigReader(const llvm::json::Object &object, std::string where) : object(object), where(std::move(where)) {}

  /// A size or a count from `least` to `most`.
  int64_t size(llvm::StringRef key, std::optional<int64_t> fallback = std::nullopt, int64_t least = 1,
               int64_t most = std::numeric_limits<int32_t>::max());
  /// A positive, finite number.
  double number(llvm::StringRef key, std::optional<double> fallback = std::nullopt);
  bool flag(llvm::StringRef key, bool fallback);
  std::string string(llvm::StringRef key, llvm::StringRef fallback);
  const llvm::json::Object *section(llvm::StringRef key);
  const llvm::json::Array *list(llvm::StringRef key);

  /// Whether the setting is there and not null.
  bool has(llvm::StringRef key);
  /// Whether the setting is written down, as null or otherwise.
  bool mentions(llvm::StringRef key) const { return object.get(key) != nullptr; }

  /// Records "<where>: <message>".
  void refuse(const llvm::Twine &message) { found.push_back((where + ": " + message).str()); }
  /// Refuses `key`, which has its value for the reason given.
  void refuseSetting(llvm::StringRef key, const llvm::Twine &why);

  /// Refuses all settings that change the computation, were not read, and are not at the value that changes nothing;
  /// returns those that are neither read nor known to change nothing.
  std::vector<std::string> checkUnread();

  llvm::ArrayRef<std::string> problems() const { return found; }

private:
  const llvm::json::Value *get(llvm::StringRef key);

  const llvm::json::Object &object;
  std::string where;
  llvm::StringSet<> read;
  std::vector<std::string> found;
};

/// A rotary position embedding: theta^(-2i/D), rescaled.
struct RopeConfig {
  double theta = 10000.0;
  double linear = 1.0;
  /// factor, low_freq_factor, high_freq_factor, original_max_position_embeddings; empty without Llama 3's rescaling.
  llvm::SmallVector<double, 4> llama3;
};

/// What a decoder-only language model is, as far as the shared building blocks need it.
struct DecoderConfig {
  int64_t vocabulary, hidden, intermediate, layers, heads, kvHeads, headDim, maxPositions;
  double normEps;
  bool tied;
  RopeConfig rope;
  /// Which linear layers have a bias.
  bool qkvBias = false, outputBias = false, mlpBias = false;
  /// Whether the heads of queries and keys are normalized before the rotary embedding.
  bool headNorms = false;
  /// The attention window of each layer, 0 for none.
  llvm::SmallVector<int64_t> windows;
};

/// Reads what the configurations of Llama and its descendants have in common: sizes, activation, RoPE (both the old
/// rope_theta with rope_scaling and transformers 5's rope_parameters), tied embeddings. No layer has a window.
/// `headDim` is what an absent head_dim means, hidden_size / num_attention_heads where it is not given.
DecoderConfig readDecoderConfig(ConfigReader &reader, std::optional<int64_t> headDim = std::nullopt);

/// Windows as Qwen writes them: use_sliding_window, sliding_window, and the layers by layer_types or max_window_layers.
void readLayerWindows(ConfigReader &reader, DecoderConfig &config);

} // namespace mjolnir::hf

#endif // MJOLNIR_LIB_IMPORT_HUGGINGFACE_CONFIG_H
