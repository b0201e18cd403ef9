// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The building blocks of decoder-only language models.
#include "DecoderBuilder.h"

#include "mjolnir/Import/HuggingFace.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"

#include <cmath>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::hf;
using llvm::StringRef;
using llvm::Twine;

// Enough to see a pattern; more would bury it.
static constexpr size_t kMaxProblems = 8;

DecoderBuilder::DecoderBuilder(MLIRContext *context, const Checkpoint &checkpoint, const DecoderConfig &config,
                               StringRef architecture, int64_t maxContext)
    : checkpoint(checkpoint), config(config), architecture(architecture), maxContext(maxContext), symbols(context),
      builder(context) {
  context->loadDialect<mj::MjDialect, arith::ArithDialect, math::MathDialect, func::FuncDialect>();
}

Location DecoderBuilder::at(const Twine &name) { return NameLoc::get(builder.getStringAttr(name)); }

RankedTensorType DecoderBuilder::rowsOf(ArrayRef<int64_t> columns) {
  SmallVector<int64_t> shape = {ShapedType::kDynamic};
  llvm::append_range(shape, columns);
  return RankedTensorType::get(shape, builder.getF32Type());
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

void DecoderBuilder::report(const Twine &problem) {
  if (problems.size() < kMaxProblems)
    problems.push_back(problem.str());
  else
    ++unreported;
}

bool DecoderBuilder::isHopeless() const { return unreported > 0; }

static std::string toText(ArrayRef<int64_t> shape) {
  std::string text = "[";
  llvm::raw_string_ostream stream(text);
  llvm::interleaveComma(shape, stream);
  stream << ']';
  return text;
}

/// "model.layers.3.self_attn.q_proj.weight" as "l3.q_proj": short, and unique where names below a layer are.
static std::string symbolOf(StringRef name) {
  name.consume_front("model.");
  std::string prefix;
  if (name.consume_front("layers.")) {
    auto [layer, rest] = name.split('.');
    prefix = ("l" + layer + ".").str();
    name = rest;
    for (StringRef group : {"self_attn.", "mlp."})
      name.consume_front(group);
  }
  name.consume_back(".weight");
  return prefix + name.str();
}

Value DecoderBuilder::weight(const Twine &twine, ArrayRef<int64_t> shape) {
  std::string name = twine.str();
  if (Value known = weights.lookup(name))
    return known;

  Type element = builder.getBF16Type();
  if (const TensorInfo *tensor = checkpoint.find(name)) {
    if (ArrayRef<int64_t>(tensor->shape) != shape)
      report(tensor->file + ": tensor '" + name + "' has the shape " + toText(tensor->shape) +
             " but config.json needs " + toText(shape));
    switch (tensor->dtype) {
    case DType::BF16:
      break;
    case DType::F16:
      element = builder.getF16Type();
      break;
    case DType::F32:
      element = builder.getF32Type();
      break;
    default:
      report(tensor->file + ": tensor '" + name + "' is stored as " + getName(tensor->dtype) +
             "; BF16, F16 and F32 are read: take the checkpoint that is not quantized");
    }
  } else {
    report(checkpoint.getPath() + ": tensor '" + name + "' of shape " + toText(shape) + " is missing");
  }

  std::string symbol = symbolOf(name);
  auto type = RankedTensorType::get(shape, element);
  mj::WeightOp::create(symbols, at(name), symbol, type, name);
  Value value = mj::GetWeightOp::create(builder, at(name), type, symbol);
  weights[name] = value;
  return value;
}

//===----------------------------------------------------------------------===//
// Building blocks
//===----------------------------------------------------------------------===//

Value DecoderBuilder::add(Location loc, Value a, Value b) { return arith::AddFOp::create(builder, loc, a, b); }

Value DecoderBuilder::bias(const Twine &name, Value x) {
  auto type = cast<RankedTensorType>(x.getType());
  Location loc = at(name);
  Value value = weight(name + ".bias", type.getShape().drop_front());
  auto stored = cast<RankedTensorType>(value.getType());
  if (!stored.getElementType().isF32())
    value = arith::ExtFOp::create(builder, loc, stored.clone(builder.getF32Type()), value);
  return add(loc, x, mj::BroadcastOp::create(builder, loc, type, value, x));
}

Value DecoderBuilder::linear(const Twine &name, Value x, int64_t n, bool hasBias) {
  int64_t k = cast<RankedTensorType>(x.getType()).getShape().back();
  Value w = weight(name + ".weight", {n, k});
  Value y = mj::MatmulOp::create(builder, at(name), rowsOf(n), x, w, /*transpose_b=*/true);
  return hasBias ? bias(name, y) : y;
}

Value DecoderBuilder::rmsNorm(const Twine &name, Value x) {
  auto type = cast<RankedTensorType>(x.getType());
  Value w = weight(name + ".weight", type.getShape().take_back());
  return mj::NormOp::create(builder, at(name), type, mj::NormKind::rms, x, w, /*bias=*/Value(),
                            llvm::APFloat(static_cast<float>(config.normEps)));
}

Value DecoderBuilder::splitHeads(Location loc, Value x, int64_t heads) {
  return mj::ReshapeOp::create(builder, loc, rowsOf({heads, config.headDim}), x);
}

Value DecoderBuilder::rotate(Location loc, Value x) {
  return mj::RopeOp::create(builder, loc, x.getType(), x, positions, ropeTable, mj::RopePairs::half);
}

Value DecoderBuilder::selfAttention(const Twine &twine, Value x, int64_t layer) {
  std::string name = twine.str();
  Location loc = at(name);
  int64_t queryColumns = config.heads * config.headDim, kvColumns = config.kvHeads * config.headDim;
  Value q = splitHeads(loc, linear(name + ".q_proj", x, queryColumns, config.qkvBias), config.heads);
  Value k = splitHeads(loc, linear(name + ".k_proj", x, kvColumns, config.qkvBias), config.kvHeads);
  Value v = splitHeads(loc, linear(name + ".v_proj", x, kvColumns, config.qkvBias), config.kvHeads);
  if (config.headNorms) {
    q = rmsNorm(name + ".q_norm", q);
    k = rmsNorm(name + ".k_norm", k);
  }
  q = rotate(loc, q);
  k = rotate(loc, k);

  kv = mj::KvAppendOp::create(builder, loc, kv, k, v, batch, layer);
  int64_t window = config.windows[layer];
  Value a = mj::AttentionOp::create(builder, loc, q.getType(), q, kv, batch, /*scales=*/Value(), builder.getI64IntegerAttr(layer),
                                    builder.getF32FloatAttr(1.0 / std::sqrt(static_cast<double>(config.headDim))),
                                    window ? builder.getI64IntegerAttr(window) : IntegerAttr());
  a = mj::ReshapeOp::create(builder, loc, rowsOf(queryColumns), a);
  return linear(name + ".o_proj", a, config.hidden, config.outputBias);
}

Value DecoderBuilder::silu(Location loc, Value x) {
  Value exp = math::ExpOp::create(builder, loc, arith::NegFOp::create(builder, loc, x));
  Value ones = mj::BroadcastOp::create(builder, loc, x.getType(), one, x);
  return arith::DivFOp::create(builder, loc, x, add(loc, ones, exp));
}

Value DecoderBuilder::gatedMlp(const Twine &twine, Value x) {
  std::string name = twine.str();
  Value gate = linear(name + ".gate_proj", x, config.intermediate, config.mlpBias);
  Value up = linear(name + ".up_proj", x, config.intermediate, config.mlpBias);
  Value product = arith::MulFOp::create(builder, at(name), silu(at(name + ".act_fn"), gate), up);
  return linear(name + ".down_proj", product, config.hidden, config.mlpBias);
}

Value DecoderBuilder::preNormLayer(Value x, int64_t layer) {
  std::string name = ("model.layers." + Twine(layer)).str();
  Value h = add(at(name), x, selfAttention(name + ".self_attn", rmsNorm(name + ".input_layernorm", x), layer));
  return add(at(name), h, gatedMlp(name + ".mlp", rmsNorm(name + ".post_attention_layernorm", h)));
}

//===----------------------------------------------------------------------===//
// The program
//===----------------------------------------------------------------------===//

/// What is known about the model as a whole.
static DictionaryAttr describe(Builder &builder, StringRef architecture, const DecoderConfig &config,
                               int64_t maxContext) {
  std::pair<StringRef, int64_t> sizes[] = {{"vocabulary", config.vocabulary}, {"max_context", maxContext},
                                           {"hidden_size", config.hidden},    {"layers", config.layers},
                                           {"heads", config.heads},           {"kv_heads", config.kvHeads},
                                           {"head_dim", config.headDim}};
  SmallVector<NamedAttribute> entries;
  entries.push_back(builder.getNamedAttr("architecture", builder.getStringAttr(architecture)));
  for (auto [name, size] : sizes)
    entries.push_back(builder.getNamedAttr(name, builder.getI64IntegerAttr(size)));
  return builder.getDictionaryAttr(entries);
}

void DecoderBuilder::buildProgram(LayerFn buildLayer) {
  Location loc = at("model");
  constexpr int64_t dynamic = ShapedType::kDynamic;
  module = ModuleOp::create(loc);
  (*module)->setAttr(mj::kPhaseAttr, builder.getStringAttr("input"));
  (*module)->setAttr(kModelAttr, describe(builder, architecture, config, maxContext));

  MLIRContext *context = builder.getContext();
  auto batchType = mj::BatchType::get(context, dynamic, dynamic, dynamic);
  auto kvType = mj::KvType::get(context, config.layers, config.kvHeads, config.headDim, builder.getF32Type());
  auto samplingType = mj::SamplingType::get(context, dynamic);
  auto tokensType = RankedTensorType::get({dynamic}, builder.getI32Type());
  auto logitsType = rowsOf(config.vocabulary);
  builder.setInsertionPointToEnd(module->getBody());
  auto function = func::FuncOp::create(
      builder, loc, "step",
      builder.getFunctionType({batchType, kvType, samplingType}, {tokensType, logitsType, kvType}));
  function->setAttr(mj::kEntryAttr, builder.getUnitAttr());
  for (auto [index, name] : llvm::enumerate(ArrayRef<StringRef>{"batch", "kv", "sampling"}))
    function.setArgAttr(index, kNameAttr, builder.getStringAttr(name));
  for (auto [index, name] : llvm::enumerate(ArrayRef<StringRef>{"next_tokens", "logits", "kv"}))
    function.setResultAttr(index, kNameAttr, builder.getStringAttr(name));
  symbols.setInsertionPoint(function);
  Block *entry = function.addEntryBlock();
  builder.setInsertionPointToEnd(entry);
  batch = entry->getArgument(0), kv = entry->getArgument(1), sampling = entry->getArgument(2);

  auto field = [&](mj::BatchField name) -> Value {
    return mj::BatchFieldOp::create(builder, loc, mj::getFieldType(batchType, name), batch, name);
  };
  positions = field(mj::BatchField::positions);
  const RopeConfig &rope = config.rope;
  ropeTable = mj::RopeTableOp::create(
      builder, at("model.rotary_emb"), RankedTensorType::get({maxContext, config.headDim / 2, 2}, builder.getF32Type()),
      builder.getF64FloatAttr(rope.theta),
      rope.llama3.empty() ? DenseF64ArrayAttr() : builder.getDenseF64ArrayAttr(rope.llama3),
      builder.getF64FloatAttr(rope.linear));
  one = arith::ConstantOp::create(builder, loc,
                                  DenseElementsAttr::get(RankedTensorType::get({}, builder.getF32Type()), 1.0f));

  Value table = weight("model.embed_tokens.weight", {config.vocabulary, config.hidden});
  Value x = mj::GatherOp::create(builder, at("model.embed_tokens"), rowsOf(config.hidden), table,
                                 field(mj::BatchField::tokens));
  for (int64_t layer = 0; layer < config.layers && !isHopeless(); ++layer)
    x = buildLayer(*this, x, layer);

  // Only the rows that were asked for go on to the head.
  x = mj::GatherOp::create(builder, at("model.norm"), rowsOf(config.hidden), x, field(mj::BatchField::logit_rows));
  x = rmsNorm("model.norm", x);
  Value logits = config.tied ? mj::MatmulOp::create(builder, at("lm_head"), logitsType, x, table, /*transpose_b=*/true)
                             : linear("lm_head", x, config.vocabulary, /*bias=*/false);
  Value next = mj::SampleOp::create(builder, loc, tokensType, logits, sampling, batch);
  func::ReturnOp::create(builder, loc, ValueRange{next, logits, kv});
}

llvm::Expected<OwningOpRef<ModuleOp>> DecoderBuilder::finish() {
  // Tensors that hold what is computed here, or what a tied head does not need.
  auto isSpare = [&](StringRef name) {
    return name.ends_with("rotary_emb.inv_freq") || (config.tied && name == "lm_head.weight");
  };
  // After too many problems the program is not whole, and most tensors would seem to be extra.
  if (!isHopeless())
    for (const TensorInfo *tensor : checkpoint.tensors())
      if (!weights.count(tensor->name) && !isSpare(tensor->name))
        report(tensor->file + ": tensor '" + tensor->name + "' of shape " + toText(tensor->shape) +
               " belongs to no part of a " + architecture + " with this config.json");
  if (!config.tied && !checkpoint.find("lm_head.weight"))
    report(checkpoint.getPath() + "/config.json: if the head shares the embedding's weight, set tie_word_embeddings to "
                                  "true");
  if (!problems.empty()) {
    std::string message = llvm::join(problems, "\n");
    if (unreported)
      message += "\nand more tensors that do not fit; config.json and the tensors may be of different checkpoints";
    return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
  }

  // What the verifier finds now is a defect of this importer; its words still go to whoever sees the error.
  std::string found;
  ScopedDiagnosticHandler handler(builder.getContext(), [&](Diagnostic &diagnostic) {
    found += diagnostic.str() + "\n";
    return success();
  });
  if (failed(verify(*module)))
    return llvm::createStringError(llvm::inconvertibleErrorCode(), checkpoint.getPath() + ": the imported program is " +
                                                                       "invalid, please report this:\n" + found);
  return std::move(module);
}
