// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Llama 2 and 3.x: biases only where the configuration asks for them; 3.1 and later rescale the rotary embedding.
#include "Families.h"

using namespace mjolnir::hf;

static DecoderConfig readConfig(ConfigReader &reader) {
  DecoderConfig config = readDecoderConfig(reader);
  config.qkvBias = config.outputBias = reader.flag("attention_bias", false);
  config.mlpBias = reader.flag("mlp_bias", false);
  return config;
}

const Family mjolnir::hf::kLlama = {"LlamaForCausalLM", readConfig, buildPreNormLayer};
