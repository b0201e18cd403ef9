// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What generation_config.json says about ending and sampling.
#ifndef MJOLNIR_LLM_GENERATIONCONFIG_H
#define MJOLNIR_LLM_GENERATIONCONFIG_H

#include "Ragged.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace mjolnir::llm {

struct GenerationConfig {
  std::vector<int32_t> endOfText; // eos_token_id: a number or a list
  Sampling sampling;              // temperature 0 unless do_sample

  /// Reads the contents of a generation_config.json. Throws Error, MJ_ERROR_MALFORMED.
  static GenerationConfig parse(std::string_view json);
};

/// Throws Error (MJ_ERROR_INVALID_ARGUMENT) if a parameter is out of its range.
void checkSampling(const Sampling &sampling);

} // namespace mjolnir::llm

#endif // MJOLNIR_LLM_GENERATIONCONFIG_H
