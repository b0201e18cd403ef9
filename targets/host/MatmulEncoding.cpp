// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Packs weights for the host's matmul kernels.
#include "targets/host/MatmulEncoding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include <algorithm>
#include <cstring>

using namespace mlir;

namespace mjolnir::host {

std::optional<MatmulEncoding> MatmulEncoding::parse(StringRef name) {
  for (Element element : {Element::BF16, Element::F32})
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

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

float halfToFloat(uint16_t half) {
  uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  uint32_t magnitude = half & 0x7fff;
  if (magnitude >= 0x7c00) // infinity and NaN keep their mantissa
    return floatOf(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  // Shifted into f32's fields the value is too small by 2^112; the product is exact, denormals included.
  return floatOf(sign | bitsOf(floatOf(magnitude << 13) * floatOf((254 - 15) << 23)));
}

uint16_t floatToBf16(float value) {
  uint32_t bits = bitsOf(value);
  uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  uint32_t quiet = bits >> 16 | 0x40;
  return static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
}

template <typename Source, typename Target, Element sourceElement> Target convert(Source value) {
  if constexpr (std::is_same_v<Source, Target>)
    return value;
  float wide;
  if constexpr (sourceElement == Element::F32)
    wide = value;
  else if constexpr (sourceElement == Element::BF16)
    wide = floatOf(static_cast<uint32_t>(value) << 16);
  else
    wide = halfToFloat(value);
  if constexpr (std::is_same_v<Target, float>)
    return wide;
  else
    return floatToBf16(wide);
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
    }
  };
  if (encoding.element == Element::F32)
    dispatch(static_cast<float *>(packed));
  else
    dispatch(static_cast<uint16_t *>(packed));
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
