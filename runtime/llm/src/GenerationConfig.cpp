// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Implements GenerationConfig.h.

#include "GenerationConfig.h"

#include "Json.h"

#include <cmath>

namespace mjolnir::llm {

GenerationConfig GenerationConfig::parse(std::string_view text) {
  nlohmann::json document = parseJson(text, "generation_config.json");
  JsonView root(document, "generation_config.json");
  root.requireObject();
  GenerationConfig config;
  if (auto ids = root.find("eos_token_id")) {
    if (ids->raw().is_array())
      for (size_t i = 0, count = ids->requireArray(); i < count; ++i)
        config.endOfText.push_back(static_cast<int32_t>(ids->element(i).integer(0, INT32_MAX)));
    else
      config.endOfText.push_back(static_cast<int32_t>(ids->integer(0, INT32_MAX)));
  }
  if (!root.booleanOr("do_sample", false))
    return config;
  // What transformers takes for what the file leaves out.
  config.sampling.temperature = 1;
  config.sampling.topK = 50;
  if (auto value = root.find("temperature"))
    config.sampling.temperature = static_cast<float>(value->number());
  if (auto value = root.find("top_k"))
    config.sampling.topK = static_cast<int32_t>(value->integer(0, INT32_MAX));
  if (auto value = root.find("top_p"))
    config.sampling.topP = static_cast<float>(value->number());
  try {
    checkSampling(config.sampling);
  } catch (const Error &e) {
    throw Error(MJ_ERROR_MALFORMED, root.where() + ": " + e.what());
  }
  return config;
}

void checkSampling(const Sampling &sampling) {
  if (!std::isfinite(sampling.temperature) || sampling.temperature < 0)
    throw Error(MJ_ERROR_INVALID_ARGUMENT, "temperature is " + std::to_string(sampling.temperature) +
                                               "; it must be 0 (the most likely token) or more");
  if (sampling.topK < 0)
    throw Error(MJ_ERROR_INVALID_ARGUMENT,
                "top_k is " + std::to_string(sampling.topK) + "; it must be 0 (off) or more");
  if (!(sampling.topP > 0 && sampling.topP <= 1))
    throw Error(MJ_ERROR_INVALID_ARGUMENT,
                "top_p is " + std::to_string(sampling.topP) + "; it must be above 0 and at most 1 (off)");
}

} // namespace mjolnir::llm
