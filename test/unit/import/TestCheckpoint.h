// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Writes small checkpoints, whole and broken ones, into a folder that goes away with the test.
#ifndef MJOLNIR_TEST_UNIT_IMPORT_TESTCHECKPOINT_H
#define MJOLNIR_TEST_UNIT_IMPORT_TESTCHECKPOINT_H

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mjolnir::test {

/// A folder for one test.
class TempDir {
public:
  TempDir() {
    if (std::error_code code = llvm::sys::fs::createUniqueDirectory("mjolnir-import", path)) {
      llvm::errs() << "no folder for the test: " << code.message() << "\n";
      std::abort();
    }
  }
  ~TempDir() { llvm::sys::fs::remove_directories(path); }

  std::string str() const { return path.str().str(); }

  std::string join(llvm::StringRef name) const {
    llvm::SmallString<128> file(path);
    llvm::sys::path::append(file, name);
    return file.str().str();
  }

  void write(llvm::StringRef name, llvm::StringRef contents) const {
    std::error_code code;
    llvm::raw_fd_ostream(join(name), code) << contents;
  }

private:
  llvm::SmallString<128> path;
};

/// A safetensors file: the header's length, the header, the data.
inline std::string safetensors(llvm::StringRef header, llvm::StringRef data) {
  std::string file;
  for (int i = 0; i < 8; ++i)
    file.push_back(static_cast<char>(static_cast<uint64_t>(header.size()) >> 8 * i));
  return file + header.str() + data.str();
}

struct TestTensor {
  std::string dtype;
  std::vector<int64_t> shape;
};

using TestTensors = std::map<std::string, TestTensor>;

/// A valid file of these tensors, zeros all.
inline std::string safetensors(const TestTensors &tensors) {
  llvm::json::Object header;
  int64_t place = 0;
  for (const auto &[name, tensor] : tensors) {
    int64_t bytes = tensor.dtype == "F32" ? 4 : tensor.dtype == "F8_E4M3" ? 1 : 2;
    for (int64_t size : tensor.shape)
      bytes *= size;
    header[name] = llvm::json::Object{{"dtype", tensor.dtype},
                                      {"shape", llvm::json::Array(tensor.shape)},
                                      {"data_offsets", llvm::json::Array{place, place + bytes}}};
    place += bytes;
  }
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(std::move(header));
  return safetensors(text, std::string(place, '\0'));
}

/// The configuration of a decoder of one layer: hidden 8, 4 heads of 4 elements, 2 kv heads, MLP 16, vocabulary 32.
inline llvm::json::Object tinyConfig(llvm::StringRef architecture, int64_t layers = 1) {
  return llvm::json::Object{{"architectures", llvm::json::Array{architecture}},
                            {"vocab_size", 32},
                            {"hidden_size", 8},
                            {"intermediate_size", 16},
                            {"num_hidden_layers", layers},
                            {"num_attention_heads", 4},
                            {"num_key_value_heads", 2},
                            {"head_dim", 4},
                            {"hidden_act", "silu"},
                            {"max_position_embeddings", 64},
                            {"rms_norm_eps", 1e-6},
                            {"rope_theta", 1e6},
                            {"tie_word_embeddings", true},
                            {"torch_dtype", "bfloat16"}};
}

/// The tensors that `tinyConfig` needs in every family.
inline TestTensors tinyTensors(int64_t layers = 1) {
  TestTensors tensors = {{"model.embed_tokens.weight", {"BF16", {32, 8}}}, {"model.norm.weight", {"BF16", {8}}}};
  for (int64_t layer = 0; layer < layers; ++layer) {
    std::string name = "model.layers." + std::to_string(layer) + ".";
    tensors[name + "input_layernorm.weight"] = {"BF16", {8}};
    tensors[name + "post_attention_layernorm.weight"] = {"BF16", {8}};
    tensors[name + "self_attn.q_proj.weight"] = {"BF16", {16, 8}};
    tensors[name + "self_attn.k_proj.weight"] = {"BF16", {8, 8}};
    tensors[name + "self_attn.v_proj.weight"] = {"BF16", {8, 8}};
    tensors[name + "self_attn.o_proj.weight"] = {"BF16", {8, 16}};
    tensors[name + "mlp.gate_proj.weight"] = {"BF16", {16, 8}};
    tensors[name + "mlp.up_proj.weight"] = {"BF16", {16, 8}};
    tensors[name + "mlp.down_proj.weight"] = {"BF16", {8, 16}};
  }
  return tensors;
}

/// Adds the norms of Qwen3's heads.
inline void addHeadNorms(TestTensors &tensors, int64_t layers = 1) {
  for (int64_t layer = 0; layer < layers; ++layer)
    for (llvm::StringRef norm : {"q_norm", "k_norm"})
      tensors[("model.layers." + llvm::Twine(layer) + ".self_attn." + norm + ".weight").str()] = {"BF16", {4}};
}

} // namespace mjolnir::test

#endif // MJOLNIR_TEST_UNIT_IMPORT_TESTCHECKPOINT_H
