// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// A golden checkpoint and what transformers computes from it (goldens/make_goldens.py describes the files), and its
// packages.
#ifndef MJOLNIR_TEST_NUMERICS_GOLDEN_H
#define MJOLNIR_TEST_NUMERICS_GOLDEN_H

#include "Model.h"

#include <string>
#include <vector>

namespace mjolnir::numerics {

/// The golden checkpoints: each family, tied and untied heads, bf16, f16 and f32, windows over all layers and over some.
inline const char *const goldenNames[] = {"qwen3-tied-bf16",   "qwen3-untied-f32",    "qwen2-tied-bf16",
                                          "qwen2-untied-f16",  "llama2-sharded-bf16", "llama3-tied-bf16",
                                          "llama3-untied-f32", "mistral-window-bf16", "qwen2-mixed-bf16"};

/// Path of a golden checkpoint.
std::string goldenFolder(const std::string &name);

/// The unfused program in f32; the one that users get, in bf16 with f32 accumulation; with matmuls and cache in FP8.
enum class Path { oracle, normal, fp8 };

/// Its package with the entries decode_b1, decode_b4, prefill_t32 and prefill_t320 (4 sequences each).
std::string goldenPackage(const std::string &name, Path path);

/// The rows of a two-dimensional .npy file of f32, the numbers of one of i32. Throw std::runtime_error if it is
/// neither.
std::vector<std::vector<float>> readRows(const std::string &path);
std::vector<int32_t> readIntegers(const std::string &path);

struct Golden {
  explicit Golden(const std::string &name);

  std::vector<Tokens> prompts;                        // 4, of lengths 1, 23, 96 and 200
  std::vector<std::vector<float>> logits, logitsBf16; // after each token of the last prompt
  std::vector<std::vector<float>> lastLogits;         // after the last token of each prompt
  Tokens greedyPrompt, greedy;                        // 10 tokens, the 64 that follow
};

/// All rows after each other.
std::vector<float> flat(const std::vector<std::vector<float>> &rows);

} // namespace mjolnir::numerics

#endif // MJOLNIR_TEST_NUMERICS_GOLDEN_H
