// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The KV cache in f8E4M3FN: its type everywhere, and where the scales come from.
#include "passes/Fp8Cache.h"

#include "passes/Weights.h"

#include "mjolnir/Support/FloatBits.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;

static bool isF8(mj::KvType kv) { return isa<Float8E4M3FNType>(kv.getElementType()); }

InFlightDiagnostic Fp8Cache::refuse() {
  return module.emitError() << "quantize-fp8: calibration '" << calibration << "': ";
}

LogicalResult Fp8Cache::quantize(func::FuncOp entry) {
  Block &body = entry.getBody().front();
  for (BlockArgument argument : body.getArguments())
    if (auto kv = dyn_cast<mj::KvType>(argument.getType()); kv && !isF8(kv) && failed(narrow(entry, argument)))
      return failure();
  for (Operation &op : body) {
    auto append = dyn_cast<mj::KvAppendOp>(op);
    auto attention = dyn_cast<mj::AttentionOp>(op);
    if ((!append && !attention) || (append ? append.getScales() : attention.getScales()))
      continue;
    mj::KvType kv = append ? append.getKv().getType() : attention.getKv().getType();
    if (append)
      append.getResult().setType(kv);
    FailureOr<Value> scales = getScales(&op, kv, append ? append.getLayer() : attention.getLayer());
    if (failed(scales))
      return failure();
    (append ? append.getScalesMutable() : attention.getScalesMutable()).assign(*scales);
  }
  entry.setFunctionType(
      FunctionType::get(entry.getContext(), body.getArgumentTypes(), body.getTerminator()->getOperandTypes()));
  return success();
}

LogicalResult Fp8Cache::narrow(func::FuncOp entry, BlockArgument argument) {
  auto kv = cast<mj::KvType>(argument.getType());
  if (!measured.kv.empty() && int64_t(measured.kv.size()) != kv.getLayers())
    return refuse() << "'kv' has " << measured.kv.size() << " layers, the model " << kv.getLayers();
  auto f8 = Float8E4M3FNType::get(entry.getContext());
  argument.setType(mj::KvType::get(entry.getContext(), kv.getLayers(), kv.getHeads(), kv.getHeadDim(), f8));
  if (auto remark = remark::passed(entry.getLoc(), remark::RemarkOpts::name("KvCache").category("quantize-fp8")))
    remark << llvm::formatv("@{0}: the KV cache is stored in f8E4M3FN, {1}", entry.getSymName(),
                            measured.kv.empty() ? llvm::formatv("amax {0} for every head", formatAmax(amax)).str()
                                                : "amax of each head from the calibration")
                  .str();
  return success();
}

/// [2, heads] in f32, of the keys and of the values: one tensor for all layers, or with a calibration one a layer.
FailureOr<Value> Fp8Cache::getScales(Operation *user, mj::KvType kv, int64_t layer) {
  int64_t heads = kv.getHeads();
  std::string name = measured.kv.empty() ? "kv_scales" : llvm::formatv("l{0}.kv_scales", layer).str();
  mj::PrepareOp &tensor = prepared[name];
  OpBuilder builder(user);
  if (!tensor) {
    SmallVector<float> numbers(2 * heads, amax / kE4M3Max);
    if (!measured.kv.empty()) {
      const Fp8Calibration::Layer &ranges = measured.kv[layer];
      for (auto [which, name, list] : {std::tuple{0, "key", &ranges.key}, {1, "value", &ranges.value}}) {
        if (int64_t(list->size()) != heads)
          return refuse() << "'kv[" << layer << "]." << name << "' has " << list->size() << " numbers for " << heads
                          << " heads";
        for (auto [head, largest] : llvm::enumerate(*list))
          numbers[which * heads + head] = largest / kE4M3Max;
      }
    }
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(getEntries(module).front());
    auto type = RankedTensorType::get({2, heads}, builder.getF32Type());
    tensor = mj::PrepareOp::create(builder, user->getLoc(), name, type);
    builder.createBlock(&tensor.getBody());
    auto constant = DenseElementsAttr::get(type, ArrayRef<float>(numbers));
    mj::YieldOp::create(builder, user->getLoc(),
                        arith::ConstantOp::create(builder, user->getLoc(), constant).getResult());
    symbols.insert(tensor);
  }
  return Value(mj::GetWeightOp::create(builder, user->getLoc(), tensor.getType(), tensor.getSymName()));
}
