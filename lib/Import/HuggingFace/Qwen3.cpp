// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Qwen3: queries and keys of each head are normalized; heads of 128 elements whatever the hidden size.
#include "Families.h"

using namespace mjolnir::hf;

static DecoderConfig readConfig(ConfigReader &reader) {
  DecoderConfig config = readDecoderConfig(reader, /*headDim=*/128);
  config.qkvBias = config.outputBias = reader.flag("attention_bias", false);
  config.headNorms = true;
  readLayerWindows(reader, config);
  return config;
}

const Family mjolnir::hf::kQwen3 = {"Qwen3ForCausalLM", readConfig, buildPreNormLayer};
