// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Mistral: Llama with a sliding window over all layers. Later checkpoints set the window to null and have none.
#include "Families.h"

using namespace mjolnir::hf;

static DecoderConfig readConfig(ConfigReader &reader) {
  DecoderConfig config = readDecoderConfig(reader);
  // An absent setting is transformers' default, a null one is no window.
  if (reader.has("sliding_window") || !reader.mentions("sliding_window"))
    config.windows.assign(config.layers, reader.size("sliding_window", 4096));
  return config;
}

const Family mjolnir::hf::kMistral = {"MistralForCausalLM", readConfig, buildPreNormLayer};
