// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// From a configuration and tensors to a program: what each setting changes, and what is refused. The whole programs of
// the families are in test/import.
#include "TestCheckpoint.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"
#include "mjolnir/Import/HuggingFace.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace mjolnir;
using namespace mjolnir::test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

namespace {

/// A checkpoint of one layer that a test changes before it has it imported.
class HuggingFace : public testing::Test {
protected:
  HuggingFace() { use("Qwen3ForCausalLM"); }

  void use(llvm::StringRef architecture, int64_t layers = 1) {
    config = tinyConfig(architecture, layers);
    tensors = tinyTensors(layers);
    if (architecture == "Qwen3ForCausalLM")
      addHeadNorms(tensors, layers);
    if (architecture == "Qwen2ForCausalLM")
      for (int64_t layer = 0; layer < layers; ++layer)
        addBiases(layer, {{"q_proj", 16}, {"k_proj", 8}, {"v_proj", 8}});
  }

  void addBiases(int64_t layer, std::vector<std::pair<std::string, int64_t>> biases) {
    for (auto &[name, size] : biases)
      tensors["model.layers." + std::to_string(layer) + ".self_attn." + name + ".bias"] = {"BF16", {size}};
  }

  /// Imports; on failure the module is null and `error` says why.
  mlir::ModuleOp import(ImportOptions options = {}) {
    error.clear();
    warnings.clear();
    module = nullptr;
    std::string text;
    llvm::raw_string_ostream(text) << llvm::json::Value(llvm::json::Object(config));
    dir.write("config.json", text);
    dir.write("model.safetensors", safetensors(tensors));
    auto checkpoint = Checkpoint::open(dir.str());
    EXPECT_TRUE(static_cast<bool>(checkpoint)) << llvm::toString(checkpoint.takeError());
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
      EXPECT_EQ(diagnostic.getSeverity(), mlir::DiagnosticSeverity::Warning) << diagnostic.str();
      warnings.push_back(diagnostic.str());
      return mlir::success();
    });
    auto imported = importHuggingFace(&context, **checkpoint, options);
    if (imported)
      module = std::move(*imported);
    else
      error = llvm::toString(imported.takeError());
    return module ? *module : mlir::ModuleOp();
  }

  std::string refusal() {
    EXPECT_FALSE(import());
    return error;
  }

  template <typename Op> std::vector<Op> all() {
    std::vector<Op> ops;
    module->walk([&](Op op) { ops.push_back(op); });
    return ops;
  }

  /// The windows of the layers, 0 for none.
  std::vector<int64_t> windows() {
    std::vector<int64_t> sizes;
    for (mj::AttentionOp op : all<mj::AttentionOp>())
      sizes.push_back(op.getWindow().value_or(0));
    return sizes;
  }

  mj::RopeTableOp ropeTable() { return all<mj::RopeTableOp>().front(); }

  mlir::MLIRContext context;
  TempDir dir;
  llvm::json::Object config;
  TestTensors tensors;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string error;
  std::vector<std::string> warnings;
};

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

TEST_F(HuggingFace, DescribesTheModel) {
  ASSERT_TRUE(import()) << error;
  EXPECT_THAT(warnings, IsEmpty());
  auto model = (*module)->getAttrOfType<mlir::DictionaryAttr>(kModelAttr);
  EXPECT_EQ(model.getAs<mlir::StringAttr>("architecture"), "Qwen3ForCausalLM");
  EXPECT_EQ(model.getAs<mlir::IntegerAttr>("vocabulary").getInt(), 32);
  EXPECT_EQ(model.getAs<mlir::IntegerAttr>("max_context").getInt(), 64);
  EXPECT_EQ((*module)->getAttrOfType<mlir::StringAttr>(mj::kPhaseAttr), "input");
}

TEST_F(HuggingFace, NamesModulesOfTheCheckpointAsLocations) {
  ASSERT_TRUE(import()) << error;
  std::vector<std::string> names;
  for (mj::MatmulOp op : all<mj::MatmulOp>())
    names.push_back(mlir::cast<mlir::NameLoc>(op.getLoc()).getName().str());
  EXPECT_THAT(names, ElementsAre("model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.k_proj",
                                 "model.layers.0.self_attn.v_proj", "model.layers.0.self_attn.o_proj",
                                 "model.layers.0.mlp.gate_proj", "model.layers.0.mlp.up_proj",
                                 "model.layers.0.mlp.down_proj", "lm_head"));
}

TEST_F(HuggingFace, KeepsTheElementTypeOfEachTensor) {
  tensors["model.norm.weight"].dtype = "F32";
  tensors["model.layers.0.mlp.up_proj.weight"].dtype = "F16";
  ASSERT_TRUE(import()) << error;
  for (mj::WeightOp op : all<mj::WeightOp>()) {
    auto element = mlir::cast<mlir::RankedTensorType>(op.getType()).getElementType();
    if (op.getSymName() == "norm")
      EXPECT_TRUE(element.isF32());
    else if (op.getSymName() == "l0.up_proj")
      EXPECT_TRUE(element.isF16());
    else
      EXPECT_TRUE(element.isBF16()) << op.getSymName().str();
  }
}

TEST_F(HuggingFace, UsesTheEmbeddingAsATiedHead) {
  // A tied head that was saved all the same changes nothing.
  for (bool saved : {false, true}) {
    if (saved)
      tensors["lm_head.weight"] = {"BF16", {32, 8}};
    ASSERT_TRUE(import()) << error;
    auto head = all<mj::MatmulOp>().back().getWeight().getDefiningOp<mj::GetWeightOp>();
    EXPECT_EQ(head.getWeight(), "embed_tokens");
  }
  config["tie_word_embeddings"] = false;
  ASSERT_TRUE(import()) << error;
  auto head = all<mj::MatmulOp>().back().getWeight().getDefiningOp<mj::GetWeightOp>();
  EXPECT_EQ(head.getWeight(), "lm_head");
}

TEST_F(HuggingFace, IgnoresBuffersThatItComputes) {
  tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = {"F32", {2}};
  EXPECT_TRUE(import()) << error;
}

TEST_F(HuggingFace, LimitsTheContext) {
  ImportOptions options;
  options.maxContext = 16;
  ASSERT_TRUE(import(options)) << error;
  EXPECT_EQ(ropeTable().getType().getDimSize(0), 16);
  EXPECT_THAT(warnings, IsEmpty());
  options.maxContext = 65;
  ASSERT_TRUE(import(options)) << error;
  EXPECT_EQ(ropeTable().getType().getDimSize(0), 64);
  EXPECT_THAT(warnings, ElementsAre(dir.join("config.json") +
                                    ": the model has 64 positions; the maximal context is that, not 65"));
  options.maxContext = 0;
  EXPECT_FALSE(import(options));
  EXPECT_THAT(error, HasSubstr("a maximal context of 0 positions serves no model"));
}

TEST_F(HuggingFace, DerivesTheSizeOfHeads) {
  config.erase("head_dim");
  EXPECT_THAT(refusal(), HasSubstr("q_proj.weight' has the shape [16, 8] but config.json needs [512, 8]"));
  use("LlamaForCausalLM");
  config["head_dim"] = nullptr;
  EXPECT_THAT(refusal(), HasSubstr("q_proj.weight' has the shape [16, 8] but config.json needs [8, 8]"));
  config.erase("num_key_value_heads");
  EXPECT_THAT(refusal(), Not(HasSubstr("k_proj")));
}

TEST_F(HuggingFace, ReadsBiasesWhereTheConfigurationHasThem) {
  use("LlamaForCausalLM");
  config["attention_bias"] = true;
  config["mlp_bias"] = true;
  addBiases(0, {{"q_proj", 16}, {"k_proj", 8}, {"v_proj", 8}, {"o_proj", 8}});
  for (auto [name, size] : {std::pair("gate_proj", 16), {"up_proj", 16}, {"down_proj", 8}})
    tensors[std::string("model.layers.0.mlp.") + name + ".bias"] = {"F32", {size}};
  EXPECT_TRUE(import()) << error;
  EXPECT_EQ(all<mj::WeightOp>().size(), tensors.size());
  config["mlp_bias"] = false;
  EXPECT_THAT(refusal(), HasSubstr("tensor 'model.layers.0.mlp.down_proj.bias' of shape [8] belongs to no part"));
}

//===----------------------------------------------------------------------===//
// Rotary embeddings
//===----------------------------------------------------------------------===//

llvm::json::Object llama3() {
  return llvm::json::Object{{"rope_type", "llama3"},
                            {"factor", 8.0},
                            {"low_freq_factor", 1.0},
                            {"high_freq_factor", 4.0},
                            {"original_max_position_embeddings", 32}};
}

TEST_F(HuggingFace, ReadsRopeInBothStyles) {
  use("LlamaForCausalLM");
  for (bool current : {false, true}) {
    config = tinyConfig("LlamaForCausalLM");
    llvm::json::Object scaling = llama3();
    if (current) {
      config.erase("rope_theta");
      scaling["rope_theta"] = 1e6;
    }
    config[current ? "rope_parameters" : "rope_scaling"] = std::move(scaling);
    ASSERT_TRUE(import()) << error;
    EXPECT_EQ(ropeTable().getTheta().convertToDouble(), 1e6);
    EXPECT_THAT(*ropeTable().getLlama3(), ElementsAre(8.0, 1.0, 4.0, 32.0));
    EXPECT_EQ(ropeTable().getLinear().convertToDouble(), 1.0);
  }
}

TEST_F(HuggingFace, ReadsLinearRopeAndTheOldNameOfItsType) {
  for (llvm::StringRef key : {"type", "rope_type"}) {
    config["rope_scaling"] = llvm::json::Object{{key, "linear"}, {"factor", 4}};
    ASSERT_TRUE(import()) << error;
    EXPECT_EQ(ropeTable().getLinear().convertToDouble(), 4.0);
    EXPECT_FALSE(ropeTable().getLlama3());
  }
  // What transformers assumes where nothing is said.
  config.erase("rope_scaling");
  config.erase("rope_theta");
  ASSERT_TRUE(import()) << error;
  EXPECT_EQ(ropeTable().getTheta().convertToDouble(), 10000.0);
}

TEST_F(HuggingFace, RefusesOtherRope) {
  auto refusalOf = [&](llvm::StringRef scaling) {
    config["rope_scaling"] = llvm::cantFail(llvm::json::parse(scaling));
    return refusal();
  };
  EXPECT_THAT(refusalOf(R"({"type":"yarn","factor":4})"),
              HasSubstr("config.json: 'rope_scaling' has the type 'yarn'; known are default, linear and llama3 (remove "
                        "the setting from config.json to serve the original context length)"));
  EXPECT_THAT(refusalOf(R"({"rope_type":"mrope"})"), HasSubstr("has the type 'mrope'; known are"));
  EXPECT_THAT(refusalOf(R"({"type":"linear"})"),
              HasSubstr("'rope_scaling': 'factor' is absent, but must be a positive"));
  EXPECT_THAT(refusalOf(R"({"type":"linear","factor":2,"mscale":1})"),
              HasSubstr("'rope_scaling': has 'mscale', which the type 'linear' does not have"));
  EXPECT_THAT(refusalOf(R"({"rope_type":"default","partial_rotary_factor":0.5})"),
              HasSubstr("'partial_rotary_factor' is 0.5, but only whole heads are rotated"));
  llvm::json::Object reversed = llama3();
  reversed["low_freq_factor"] = 8;
  config["rope_scaling"] = std::move(reversed);
  EXPECT_THAT(refusal(), HasSubstr("'low_freq_factor' is 8, but must be below high_freq_factor"));
  EXPECT_THAT(refusalOf(R"({"rope_type":"default","rope_theta":0.5})"), HasSubstr("which must be above 1"));
  config["rope_parameters"] = llama3();
  EXPECT_THAT(refusal(), HasSubstr("has both 'rope_scaling' and 'rope_parameters'"));
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

TEST_F(HuggingFace, GivesMistralItsWindow) {
  use("MistralForCausalLM", 2);
  config["sliding_window"] = 16;
  ASSERT_TRUE(import()) << error;
  EXPECT_THAT(windows(), ElementsAre(16, 16));
  config["sliding_window"] = nullptr;
  ASSERT_TRUE(import()) << error;
  EXPECT_THAT(windows(), ElementsAre(0, 0));
  config.erase("sliding_window");
  ASSERT_TRUE(import()) << error;
  EXPECT_THAT(windows(), ElementsAre(4096, 4096));
  config["sliding_window"] = 0;
  EXPECT_THAT(refusal(), HasSubstr("'sliding_window' is 0, but must be a whole number from 1 to 2147483647"));
}

TEST_F(HuggingFace, GivesQwenLayersTheirWindows) {
  for (llvm::StringRef architecture : {"Qwen2ForCausalLM", "Qwen3ForCausalLM"}) {
    use(architecture, 3);
    config["sliding_window"] = 16;
    config["max_window_layers"] = 1;
    ASSERT_TRUE(import()) << error;
    EXPECT_THAT(windows(), ElementsAre(0, 0, 0));
    config["use_sliding_window"] = true;
    ASSERT_TRUE(import()) << error;
    EXPECT_THAT(windows(), ElementsAre(0, 16, 16));
    config["layer_types"] = llvm::json::Array{"sliding_attention", "full_attention", "sliding_attention"};
    ASSERT_TRUE(import()) << error;
    EXPECT_THAT(windows(), ElementsAre(16, 0, 16));
    config["sliding_window"] = nullptr;
    EXPECT_THAT(refusal(), HasSubstr("asks for sliding_attention in layer 0 without use_sliding_window set to true"));
    config["layer_types"] = llvm::json::Array{"full_attention", "linear_attention", "full_attention"};
    EXPECT_THAT(refusal(), HasSubstr("has a layer of type \"linear_attention\"; known are"));
    config["layer_types"] = llvm::json::Array{"full_attention"};
    EXPECT_THAT(refusal(), HasSubstr("has 1 layer_types for 3 layers"));
  }
}

//===----------------------------------------------------------------------===//
// Settings
//===----------------------------------------------------------------------===//

TEST_F(HuggingFace, RefusesUnknownArchitectures) {
  config["architectures"] = llvm::json::Array{"BertModel"};
  EXPECT_EQ(refusal(), dir.join("config.json") +
                           ": the architecture 'BertModel' is not known; known are LlamaForCausalLM, "
                           "MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM");
  config.erase("architectures");
  EXPECT_THAT(refusal(), HasSubstr("has no 'architectures' with one name; known are LlamaForCausalLM"));
  config["architectures"] = llvm::json::Array{1};
  EXPECT_THAT(refusal(), HasSubstr("has no 'architectures' with one name"));
}

TEST_F(HuggingFace, RefusesMissingAndImpossibleSettings) {
  for (llvm::StringRef key : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                              "num_attention_heads", "max_position_embeddings", "rms_norm_eps"}) {
    llvm::json::Value saved = *config.get(key);
    config.erase(key);
    EXPECT_THAT(refusal(), HasSubstr("config.json: '" + key.str() + "' is absent, but must be a "));
    for (llvm::json::Value wrong : {llvm::json::Value("7"), llvm::json::Value(-1), llvm::json::Value(0),
                                    llvm::json::Value(llvm::json::Array())}) {
      config[key] = wrong;
      EXPECT_THAT(refusal(), HasSubstr("config.json: '" + key.str() + "' is "));
    }
    config[key] = saved;
  }
  config["num_hidden_layers"] = 2000000000;
  EXPECT_THAT(refusal(), HasSubstr("'num_hidden_layers' is 2000000000, but must be a whole number from 1 to 10000"));
}

TEST_F(HuggingFace, ReportsAllProblemsOfTheConfiguration) {
  config["num_key_value_heads"] = 3;
  config["head_dim"] = 5;
  config["hidden_act"] = "gelu";
  config["tie_word_embeddings"] = "yes";
  EXPECT_THAT(refusal(), HasSubstr("has 4 attention heads, which its 3 key-value heads do not divide"));
  EXPECT_THAT(error, HasSubstr("has heads of 5 elements; a rotary embedding needs an even number"));
  EXPECT_THAT(error, HasSubstr("'hidden_act' is \"gelu\", but only \"silu\" is known"));
  EXPECT_THAT(error, HasSubstr("'tie_word_embeddings' is \"yes\", but must be true or false"));
}

TEST_F(HuggingFace, RefusesSettingsThatItWouldNotHonour) {
  auto refusalOf = [&](llvm::StringRef key, llvm::json::Value value) {
    config[key] = std::move(value);
    std::string message = refusal();
    config.erase(key);
    return message;
  };
  EXPECT_THAT(refusalOf("quantization_config", llvm::json::Object{{"quant_method", "fp8"}}),
              HasSubstr("config.json: 'quantization_config' is {\"quant_method\":\"fp8\"}, which models of this "
                        "architecture do not have in Mjolnir; it would change the results"));
  EXPECT_THAT(refusalOf("attn_logit_softcapping", 50.0), HasSubstr("'attn_logit_softcapping' is 50"));
  EXPECT_THAT(refusalOf("mlp_bias", true), HasSubstr("'mlp_bias' is true"));
  EXPECT_THAT(refusalOf("num_experts", 8), HasSubstr("'num_experts' is 8"));
  // At the value that changes nothing they are welcome.
  config["mlp_bias"] = false;
  config["partial_rotary_factor"] = 1.0;
  config["quantization_config"] = nullptr;
  EXPECT_TRUE(import()) << error;
  EXPECT_THAT(warnings, IsEmpty());
}

TEST_F(HuggingFace, WarnsOfSettingsThatItDoesNotKnow) {
  config["flux_capacitor"] = 1.21;
  EXPECT_TRUE(import()) << error;
  EXPECT_THAT(warnings, ElementsAre(dir.join("config.json") +
                                    ": 'flux_capacitor' is not known for a Qwen3ForCausalLM and is ignored"));
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

TEST_F(HuggingFace, NamesTensorsThatDoNotFit) {
  tensors.erase("model.norm.weight");
  tensors["model.layers.0.mlp.up_proj.weight"].shape = {8, 16};
  tensors["model.layers.0.mlp.up_proj.scale"] = {"F32", {1}};
  tensors["model.embed_tokens.weight"].dtype = "F8_E4M3";
  std::string file = dir.join("model.safetensors");
  EXPECT_EQ(refusal(),
            file +
                ": tensor 'model.embed_tokens.weight' is stored as F8_E4M3; BF16, F16 and F32 are read: take the "
                "checkpoint that is not quantized\n" +
                file +
                ": tensor 'model.layers.0.mlp.up_proj.weight' has the shape [8, 16] but config.json needs [16, "
                "8]\n" +
                dir.str() + ": tensor 'model.norm.weight' of shape [8] is missing\n" + file +
                ": tensor 'model.layers.0.mlp.up_proj.scale' of shape [1] belongs to no part of a Qwen3ForCausalLM "
                "with this config.json");
}

TEST_F(HuggingFace, SaysWhatAMissingHeadMayMean) {
  config["tie_word_embeddings"] = false;
  EXPECT_THAT(refusal(), HasSubstr("tensor 'lm_head.weight' of shape [32, 8] is missing"));
  EXPECT_THAT(error, HasSubstr("if the head shares the embedding's weight, set tie_word_embeddings to true"));
}

TEST_F(HuggingFace, StopsAtACheckpointThatDoesNotFitAtAll) {
  config["num_hidden_layers"] = 10000;
  EXPECT_THAT(refusal(), HasSubstr("tensor 'model.layers.1.input_layernorm.weight' of shape [8] is missing"));
  EXPECT_THAT(error, HasSubstr("\nand more tensors that do not fit; config.json and the tensors may be of different"));
  EXPECT_THAT(error, Not(HasSubstr("model.layers.9999")));
}

} // namespace
