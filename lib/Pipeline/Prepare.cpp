// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Runs mj.prepare on the host, with operations whose result does not depend on the machine.
#include "lib/Pipeline/Prepare.h"

#include "lib/Pipeline/PrepareOps.h"
#include "lib/Pipeline/QuantizeWeights.h"
#include "lib/Pipeline/RopeTable.h"
#include "mjolnir/Support/FloatBits.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"
#include <cstring>

using namespace mlir;
using namespace mjolnir;

template <typename From, typename To, typename Convert>
static TensorBytes convertElements(ArrayRef<char> source, Convert convert) {
  size_t count = source.size() / sizeof(From);
  std::vector<char> result(count * sizeof(To));
  for (size_t i = 0; i < count; ++i) {
    From from;
    std::memcpy(&from, source.data() + i * sizeof(From), sizeof(From));
    To to = convert(from);
    std::memcpy(result.data() + i * sizeof(To), &to, sizeof(To));
  }
  return TensorBytes(std::move(result));
}

static FailureOr<TensorBytes> convert(Operation *op, ArrayRef<char> source) {
  Type from = getElementTypeOrSelf(op->getOperand(0).getType()), to = getElementTypeOrSelf(op->getResult(0).getType());
  if (from.isF16() && to.isF32())
    return convertElements<uint16_t, float>(source, widenF16);
  if (from.isBF16() && to.isF32())
    return convertElements<uint16_t, float>(source, widenBf16);
  if (from.isF32() && to.isBF16())
    return convertElements<float, uint16_t>(source, narrowToBf16);
  if (from.isF32() && to.isF16())
    return convertElements<float, uint16_t>(source, narrowToF16);
  return op->emitError() << "packaging cannot convert " << from << " to " << to;
}

/// Products in f32, rounded once to the element type of both operands.
static FailureOr<TensorBytes> multiply(Operation *op, ArrayRef<char> a, ArrayRef<char> b) {
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  auto run = [&](auto sample, auto widen, auto narrow) {
    using Stored = decltype(sample);
    std::vector<char> result(a.size());
    for (size_t at = 0; at < a.size(); at += sizeof(Stored)) {
      Stored left, right;
      std::memcpy(&left, a.data() + at, sizeof(Stored));
      std::memcpy(&right, b.data() + at, sizeof(Stored));
      Stored product = narrow(widen(left) * widen(right));
      std::memcpy(result.data() + at, &product, sizeof(Stored));
    }
    return TensorBytes(std::move(result));
  };
  auto same = [](float value) { return value; };
  if (element.isF32())
    return run(float(), same, same);
  if (element.isBF16())
    return run(uint16_t(), widenBf16, narrowToBf16);
  if (element.isF16())
    return run(uint16_t(), widenF16, narrowToF16);
  return op->emitError() << "packaging cannot multiply elements of type " << element;
}

FailureOr<TensorBytes> WeightEvaluator::evaluate(StringRef name) {
  Operation *symbol = symbols.lookup(name);
  if (auto weight = dyn_cast_or_null<mj::WeightOp>(symbol)) {
    FailureOr<ArrayRef<char>> bytes = read(weight);
    if (failed(bytes))
      return failure();
    return TensorBytes(*bytes);
  }
  auto prepare = cast<mj::PrepareOp>(symbol);
  llvm::DenseMap<Value, TensorBytes> values;
  for (Operation &op : prepare.getBody().front().without_terminator()) {
    SmallVector<TensorBytes, 2> operands;
    for (Value operand : op.getOperands()) {
      // The last reader takes the tensor, so that only what is still needed is in memory.
      TensorBytes &value = values[operand];
      bool isLast = operand.hasOneUse();
      operands.push_back(isLast ? std::move(value) : TensorBytes(value.bytes()));
    }
    FailureOr<TensorBytes> result = evaluate(&op, operands);
    if (failed(result))
      return failure();
    values[op.getResult(0)] = std::move(*result);
  }
  return std::move(values[prepare.getBody().front().getTerminator()->getOperand(0)]);
}

FailureOr<TensorBytes> WeightEvaluator::evaluate(Operation *op, ArrayRef<TensorBytes> operands) {
  if (auto weight = dyn_cast<mj::GetWeightOp>(op))
    return evaluate(weight.getWeight());
  if (auto table = dyn_cast<mj::RopeTableOp>(op)) {
    std::vector<float> values = computeRopeTable(table);
    auto *data = reinterpret_cast<const char *>(values.data());
    return TensorBytes(std::vector<char>(data, data + values.size() * sizeof(float)));
  }
  if (isa<arith::ExtFOp, arith::TruncFOp>(op))
    return convert(op, operands[0].bytes());
  if (isa<arith::MulFOp>(op))
    return multiply(op, operands[0].bytes(), operands[1].bytes());
  if (auto scale = dyn_cast<mj::ChannelScaleOp>(op))
    return computeChannelScale(scale, operands[0].bytes());
  if (auto quantize = dyn_cast<mj::QuantizeChannelsOp>(op))
    return quantizeChannels(quantize, operands[0].bytes(), operands[1].bytes());
  if (auto pack = dyn_cast<mj::PackOp>(op)) {
    if (failed(checkCodes(pack, operands[0].bytes())))
      return failure();
    auto from = cast<RankedTensorType>(pack.getSource().getType()), to = cast<RankedTensorType>(pack.getType());
    FailureOr<int64_t> bytes = target.storageBytes(to);
    if (failed(bytes))
      return op->emitError() << "the target has no encoding " << to.getEncoding();
    std::vector<char> packed(*bytes);
    if (failed(target.pack(from, operands[0].bytes(), to, packed)))
      return op->emitError() << "the target cannot pack " << from << " as " << to;
    return TensorBytes(std::move(packed));
  }
  SmallVector<ArrayRef<char>> bytes;
  for (const TensorBytes &operand : operands)
    bytes.push_back(operand.bytes());
  if (std::optional<std::vector<char>> result = computePrepared(op, bytes))
    return TensorBytes(std::move(*result));
  return op->emitError() << "packaging cannot compute '" << op->getName() << "'";
}
