// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Qwen2 and Qwen2.5: queries, keys and values have biases, always.
#include "Families.h"

using namespace mjolnir::hf;

static DecoderConfig readConfig(ConfigReader &reader) {
  DecoderConfig config = readDecoderConfig(reader);
  config.qkvBias = true;
  readLayerWindows(reader, config);
  return config;
}

const Family mjolnir::hf::kQwen2 = {"Qwen2ForCausalLM", readConfig, buildPreNormLayer};
