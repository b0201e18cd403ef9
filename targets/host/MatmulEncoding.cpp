// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Packs weights for the host's matmul kernels.
#include "targets/host/MatmulEncoding.h"

#include "mjolnir/Support/FloatBits.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include <algorithm>

using namespace mlir;

namespace mjolnir::host {

std::optional<MatmulEncoding> MatmulEncoding::parse(StringRef name) {
  for (Element element : {Element::BF16, Element::F32, Element::F8})
    if (MatmulEncoding{element}.name() == name)
      return MatmulEncoding{element};
  return std::nullopt;
}

SmallVector<int64_t> MatmulEncoding::packedShape(int64_t n, int64_t k) const {
  SmallVector<int64_t> shape = {blocks(n), paddedK(k) / pair(), kRows};
  if (pair() > 1)
    shape.push_back(pair());
  return shape;
}

namespace {

template <typename Source, typename Target, Element sourceElement> Target convert(Source value) {
  if constexpr (std::is_same_v<Source, Target>)
    return value;
  float wide;
  if constexpr (sourceElement == Element::F32)
    wide = value;
  else if constexpr (sourceElement == Element::BF16)
    wide = widenBf16(value);
  else
    wide = widenF16(value);
  if constexpr (std::is_same_v<Target, float>)
    return wide;
  else
    return narrowToBf16(wide);
}

template <typename Source, typename Target, Element sourceElement>
void pack(const Source *source, int64_t n, int64_t k, Target *packed) {
  constexpr int64_t rows = MatmulEncoding::kRows;
  constexpr int64_t pair = sizeof(Target) == 2 ? 2 : 1;
  const int64_t paddedK = (k + pair - 1) / pair * pair;
  // A strip of 64 columns is a whole number of cache lines to read a row, and small enough to stay in L1 while written.
  constexpr int64_t strip = 64;
  for (int64_t block = 0; block * rows < n; ++block) {
    const int64_t present = std::min(rows, n - block * rows);
    Target *out = packed + block * rows * paddedK;
    for (int64_t first = 0; first < paddedK; first += strip) {
      const int64_t last = std::min(first + strip, paddedK);
      for (int64_t row = 0; row < rows; ++row) {
        Target *lane = out + row * pair;
        if (row >= present) {
          for (int64_t col = first; col < last; ++col)
            lane[col / pair * pair * rows + col % pair] = Target(0);
          continue;
        }
        const Source *in = source + (block * rows + row) * k;
        const int64_t end = std::min(last, k);
        int64_t col = first;
        for (; col < end; ++col)
          lane[col / pair * pair * rows + col % pair] = convert<Source, Target, sourceElement>(in[col]);
        for (; col < last; ++col)
          lane[col / pair * pair * rows + col % pair] = Target(0);
      }
    }
  }
}

} // namespace

void packWeight(const MatmulEncoding &encoding, Element sourceElement, const void *source, int64_t n, int64_t k,
                void *packed) {
  auto dispatch = [&](auto *out) {
    using Target = std::remove_pointer_t<decltype(out)>;
    switch (sourceElement) {
    case Element::F32:
      return pack<float, Target, Element::F32>(static_cast<const float *>(source), n, k, out);
    case Element::BF16:
      return pack<uint16_t, Target, Element::BF16>(static_cast<const uint16_t *>(source), n, k, out);
    case Element::F16:
      return pack<uint16_t, Target, Element::F16>(static_cast<const uint16_t *>(source), n, k, out);
    case Element::F8:
      llvm_unreachable("codes are packed as codes");
    }
  };
  if (encoding.element == Element::F8) {
    assert(sourceElement == Element::F8 && "quantization needs scales, which packing does not know");
    pack<uint8_t, uint8_t, Element::F8>(static_cast<const uint8_t *>(source), n, k, static_cast<uint8_t *>(packed));
  } else if (encoding.element == Element::F32) {
    dispatch(static_cast<float *>(packed));
  } else {
    dispatch(static_cast<uint16_t *>(packed));
  }
}

SmallVector<Value> packedIndices(OpBuilder &builder, Location loc, const MatmulEncoding &encoding, Value row,
                                 Value col) {
  auto constant = [&](int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); };
  Value rows = constant(MatmulEncoding::kRows);
  Value block = arith::DivUIOp::create(builder, loc, row, rows);
  Value lane = arith::RemUIOp::create(builder, loc, row, rows);
  if (encoding.pair() == 1)
    return {block, col, lane};
  Value pair = constant(encoding.pair());
  return {block, arith::DivUIOp::create(builder, loc, col, pair), lane,
          arith::RemUIOp::create(builder, loc, col, pair)};
}

} // namespace mjolnir::host
