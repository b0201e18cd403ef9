// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Random attention over tensors, as an operation and in the words of exporters, and products of two activations.
#include "test/random/ProgramBuilder.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::differential;

namespace {

/// What exporters write for "not here": the lowest bf16.
constexpr double kLowest = -0x1.fep127;

class AttentionGenerator {
public:
  explicit AttentionGenerator(ProgramBuilder &build) : b(build), random(build.random) {
    kvHeads = random.between(1, 3);
    heads = kvHeads * random.pick<int64_t>({1, 1, 2, 3});
    size = drawSize();
    columns = random.chance(0.75) ? size : drawSize();
  }

  /// `mj.sdpa` of rows that `x` is projected to, over segments that `others` are projected to and such as a cache
  /// holds.
  Value attend(Value x, ArrayRef<Value> others) {
    rows = shapeOf(x)[0];
    Value query = project(x, heads, size);
    if (random.chance(0.3))
      query = b.norm(mj::NormKind::rms, query, b.weight({size}, b.storedType(), 0.2, 1));
    SmallVector<Value> keyList, valueList;
    for (Value other : others) {
      keyList.push_back(project(other, kvHeads, size));
      valueList.push_back(project(other, kvHeads, columns));
    }
    if (others.empty() || random.chance(0.3)) {
      int64_t cached = random.between(1, 40);
      Type stored = random.pick<Type>({b.f32(), b.bf16(), b.f16()});
      keyList.insert(keyList.begin(), b.convert(b.argument({cached, kvHeads, size}, stored), b.f32()));
      valueList.insert(valueList.begin(), b.convert(b.argument({cached, kvHeads, columns}, stored), b.f32()));
    }
    keys = 0;
    for (Value key : keyList)
      keys += shapeOf(key)[0];
    Value mask = random.chance(0.5) ? drawMask() : Value();
    llvm::APFloat scale(drawScale());
    bool isCausal = random.chance(0.4);
    IntegerAttr window =
        isCausal && random.chance(0.3) ? b.builder.getI64IntegerAttr(random.between(1, 12)) : IntegerAttr();
    Value y = mj::SdpaOp::create(b.builder, b.loc, b.tensor({rows, heads, columns}), query, keyList, valueList, mask,
                                 scale, isCausal, window);
    return b.withScale(y, b.scale(x));
  }

  /// The same of one segment as a softmax between two stacks of products.
  Value attendSpelled(Value x, Value other) {
    rows = shapeOf(x)[0], keys = shapeOf(other)[0];
    Value query = headsFirst(project(x, heads, size), heads);
    Value key = headsFirst(project(other, kvHeads, size), heads);
    Value value = headsFirst(project(other, kvHeads, columns), heads);
    bool scalesQuery = random.chance(0.3);
    if (scalesQuery)
      query = b.mul(query, b.constantLike(query, drawScale()));
    Value scores = multiply(query, key, random.chance(0.5), /*transposed=*/true);
    if (!scalesQuery)
      scores = random.chance(0.5) ? b.mul(scores, b.constantLike(scores, drawScale()))
                                  : b.div(scores, b.constantLike(scores, 1 / drawScale()));
    if (random.chance(0.5)) {
      Value mask = random.chance(0.4) ? drawBand() : drawMask();
      if (typeOf(mask).getElementType().isInteger(1)) {
        Value hidden = b.constantLike(scores, random.pick({-std::numeric_limits<double>::infinity(), -1e9}));
        scores = arith::SelectOp::create(b.builder, b.loc, b.broadcast(mask, scores), scores, hidden);
      } else {
        scores = b.add(scores, b.broadcast(mask, scores));
      }
    }
    Value weights = b.make<mj::SoftmaxOp>(scores.getType(), scores);
    Value y = multiply(weights, value, random.chance(0.3), /*transposed=*/false);
    y = b.make<mj::TransposeOp>(b.tensor({rows, heads, columns}), y, ArrayRef<int64_t>{1, 0, 2});
    return b.withScale(y, b.scale(x));
  }

private:
  /// Half of them what tensor cores like.
  int64_t drawSize() { return random.pick<int64_t>({8, 16, 32, 64, 1, 3, 7, 12, 20, 40}); }
  float drawScale() {
    return random.chance(0.7) ? float(1 / std::sqrt(double(size))) : random.pick({0.125f, 0.3f, 1.0f});
  }

  Value project(Value x, int64_t count, int64_t width) {
    Value y = b.matmul(x, count * width, b.storedType());
    return b.withScale(b.reshape(y, {shapeOf(x)[0], count, width}), b.scale(x));
  }

  /// [rows, kv heads, width] as [count, rows, width], each head as often as it takes.
  Value headsFirst(Value x, int64_t count) {
    int64_t length = shapeOf(x)[0], own = shapeOf(x)[1], width = shapeOf(x)[2], group = count / own;
    Value y = b.make<mj::TransposeOp>(b.tensor({own, length, width}), x, ArrayRef<int64_t>{1, 0, 2});
    if (group > 1) {
      y = b.reshape(y, {own, 1, length, width});
      auto grouped = b.tensor({own, group, length, width});
      Value like = arith::ConstantOp::create(b.builder, b.loc, b.builder.getZeroAttr(grouped));
      y = b.reshape(b.make<mj::BroadcastOp>(grouped, y, like), {count, length, width});
    }
    return b.withScale(y, b.scale(x));
  }

  /// a times b, or a times b transposed; `moved`: with b the other way round and turned back by a transpose.
  Value multiply(Value left, Value right, bool moved, bool transposed) {
    SmallVector<int64_t> shape(shapeOf(left));
    shape.back() = shapeOf(right)[transposed ? 1 : 2];
    if (moved) {
      SmallVector<int64_t> turned{shapeOf(right)[0], shapeOf(right)[2], shapeOf(right)[1]};
      right = b.make<mj::TransposeOp>(b.tensor(turned), right, ArrayRef<int64_t>{0, 2, 1});
      transposed = !transposed;
    }
    return mj::BatchMatmulOp::create(b.builder, b.loc, b.tensor(shape), left, right, transposed);
  }

  /// What is added to scores, or says which of them count; a number for all heads or one a head. Numbers that decide
  /// are exact, so that no rounding changes what is seen.
  Value drawMask() {
    SmallVector<int64_t> shape{rows, keys};
    if (random.chance(0.4))
      shape.insert(shape.begin(), heads);
    auto kind = random.below(4);
    if (kind == 0)
      return b.argument(shape, b.f32());
    Value x = b.argument(shape, b.f32());
    double hidden = kind == 1 ? -std::numeric_limits<double>::infinity() : kind == 2 ? kLowest : -1;
    for (double &number : b.program.inputs.back().values)
      number = number < -0.5 ? hidden : kind == 3 ? 1 : 0;
    if (kind != 3)
      return x;
    return arith::CmpFOp::create(b.builder, b.loc, arith::CmpFPredicate::OGT, x, b.constantLike(x, 0));
  }

  /// A constant: what is known of the past, all of it or as much as a window has.
  Value drawBand() {
    int64_t window = random.chance(0.5) ? keys : random.between(1, 8), shift = keys - rows;
    float hidden = random.pick({-std::numeric_limits<float>::infinity(), float(kLowest)});
    std::vector<float> numbers;
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t key = 0; key < keys; ++key)
        numbers.push_back(key <= row + shift && key > row + shift - window ? 0 : hidden);
    auto elements = DenseElementsAttr::get(b.tensor({rows, keys}), llvm::ArrayRef<float>(numbers));
    return arith::ConstantOp::create(b.builder, b.loc, elements);
  }

  ProgramBuilder &b;
  Random &random;
  int64_t heads, kvHeads, size, columns, rows = 0, keys = 0;
};

} // namespace

Value differential::generateAttention(ProgramBuilder &build, Value x, ArrayRef<Value> others) {
  return AttentionGenerator(build).attend(x, others);
}

Value differential::generateSpelledAttention(ProgramBuilder &build, Value x, Value other) {
  return AttentionGenerator(build).attendSpelled(x, other);
}

Value differential::generateBatchMatmul(ProgramBuilder &b, Value x) {
  // Heads of the rows times heads of the same rows: [heads, rows, size] by [heads, rows, size] transposed, then perhaps
  // by [heads, rows, size] again.
  int64_t rows = shapeOf(x)[0], heads = b.random.between(1, 4), size = b.random.pick<int64_t>({1, 5, 8, 16, 24, 33});
  bool isStacked = heads % 2 == 0 && b.random.chance(0.4);
  SmallVector<int64_t> shape{heads, rows, size};
  auto project = [&] {
    Value y = b.reshape(b.matmul(x, heads * size, b.storedType()), {rows, heads, size});
    y = b.make<mj::TransposeOp>(b.tensor({heads, rows, size}), y, ArrayRef<int64_t>{1, 0, 2});
    return isStacked ? b.reshape(y, {2, heads / 2, rows, size}) : y;
  };
  if (isStacked)
    shape = {2, heads / 2, rows, size};
  double inputSize = b.scale(x);
  Value left = project(), right = project();
  SmallVector<int64_t> square(shape);
  square.back() = rows;
  Value y = mj::BatchMatmulOp::create(b.builder, b.loc, b.tensor(square), left, right, /*transpose_b=*/true);
  y = b.tame(b.withScale(y, std::sqrt(double(size)) * inputSize * inputSize), 1);
  int64_t width = rows;
  if (b.random.chance(0.6)) {
    y = mj::BatchMatmulOp::create(b.builder, b.loc, b.tensor(shape), y, project(), /*transpose_b=*/false);
    y = b.withScale(y, std::sqrt(double(rows)) * inputSize);
    width = size;
  }
  if (b.random.chance(0.5))
    return b.reshape(y, {heads * rows, width});
  y = b.reshape(y, {heads, rows, width});
  return b.withScale(b.make<mj::TransposeOp>(b.tensor({rows, heads, width}), y, ArrayRef<int64_t>{1, 0, 2}),
                     b.scale(y));
}
