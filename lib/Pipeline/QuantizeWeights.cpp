// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Quantizes weights with operations whose result does not depend on the machine: comparisons, one division, rounding.
#include "lib/Pipeline/QuantizeWeights.h"

#include "mjolnir/Support/FloatBits.h"

#include "mlir/IR/TypeUtilities.h"
#include <cmath>
#include <cstring>

using namespace mlir;
using namespace mjolnir;

/// Element `index` of a weight as f32.
template <typename Stored> static float loadElement(ArrayRef<char> weight, int64_t index, float (*widen)(Stored)) {
  Stored stored;
  std::memcpy(&stored, weight.data() + index * sizeof(Stored), sizeof(Stored));
  return widen(stored);
}

/// Calls `body` with a function that gives element `index` of `weight` as f32.
template <typename Body> static auto withElements(Value value, ArrayRef<char> weight, Body body) {
  Type element = getElementTypeOrSelf(value.getType());
  if (element.isF32())
    return body([=](int64_t i) { return loadElement<float>(weight, i, [](float stored) { return stored; }); });
  if (element.isBF16())
    return body([=](int64_t i) { return loadElement<uint16_t>(weight, i, widenBf16); });
  return body([=](int64_t i) { return loadElement<uint16_t>(weight, i, widenF16); });
}

static LogicalResult refuse(Operation *op, int64_t row, float value) {
  return op->emitError()
         << "row " << row << " of the weight holds " << (std::isnan(value) ? "a NaN" : "an infinity")
         << ", which has no place in f8E4M3FN: exclude the weight from quantization, or mend the checkpoint";
}

FailureOr<TensorBytes> mjolnir::computeChannelScale(mj::ChannelScaleOp op, ArrayRef<char> weight) {
  ArrayRef<int64_t> shape = cast<RankedTensorType>(op.getWeight().getType()).getShape();
  bool perChannel = op.getType().getDimSize(0) == shape[0] && shape[0] > 1;
  return withElements(op.getWeight(), weight, [&](auto at) -> FailureOr<TensorBytes> {
    std::vector<float> largest(perChannel ? shape[0] : 1, 0.0f);
    for (int64_t row = 0; row < shape[0]; ++row) {
      float &amax = largest[perChannel ? row : 0];
      for (int64_t i = row * shape[1]; i < (row + 1) * shape[1]; ++i) {
        float magnitude = std::fabs(at(i));
        if (!std::isfinite(magnitude))
          return refuse(op, row, magnitude);
        amax = std::max(amax, magnitude);
      }
    }
    std::vector<char> bytes(largest.size() * sizeof(float));
    for (float &amax : largest) {
      // A channel of the smallest denormals has no scale that f32 can hold either: its codes are zeros.
      float scale = amax / kE4M3Max;
      amax = scale > 0 ? scale : 1.0f;
    }
    std::memcpy(bytes.data(), largest.data(), bytes.size());
    return TensorBytes(std::move(bytes));
  });
}

FailureOr<TensorBytes> mjolnir::quantizeChannels(mj::QuantizeChannelsOp op, ArrayRef<char> weight,
                                                 ArrayRef<char> scales) {
  ArrayRef<int64_t> shape = op.getType().getShape();
  bool perChannel = cast<RankedTensorType>(op.getScales().getType()).getDimSize(0) > 1;
  return withElements(op.getWeight(), weight, [&](auto at) -> FailureOr<TensorBytes> {
    std::vector<char> codes(shape[0] * shape[1]);
    for (int64_t row = 0; row < shape[0]; ++row) {
      float scale = loadElement<float>(scales, perChannel ? row : 0, [](float stored) { return stored; });
      for (int64_t i = row * shape[1]; i < (row + 1) * shape[1]; ++i) {
        float value = at(i);
        if (!std::isfinite(value))
          return refuse(op, row, value);
        codes[i] = char(narrowToE4M3(value / scale));
      }
    }
    return TensorBytes(std::move(codes));
  });
}

LogicalResult mjolnir::checkCodes(mj::PackOp op, ArrayRef<char> source) {
  if (!isa<Float8E4M3FNType>(getElementTypeOrSelf(op.getType())))
    return success();
  for (auto [index, code] : llvm::enumerate(source))
    if ((code & 0x7f) == 0x7f)
      return op.emitError() << "element " << index << " of the weight is a NaN in f8E4M3FN: mend the checkpoint";
  return success();
}
