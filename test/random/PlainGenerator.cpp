// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Random entries over tensors of static shape: what models are made of, put together at random.
#include "test/random/ProgramBuilder.h"

#include <cmath>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::differential;

namespace {

class PlainGenerator {
public:
  explicit PlainGenerator(ProgramBuilder &build) : b(build), random(build.random) {
    rows = random.pick<int64_t>({1, 1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 33, 40});
    for (int i = 0; i < 2; ++i)
      widths.push_back(random.pick<int64_t>({1, 2, 3, 5, 7, 8, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 80, 96}));
  }

  void run() {
    for (int64_t count = random.between(1, 3); count > 0; --count)
      keep(addInput());
    for (int64_t count = random.between(2, 9); count > 0; --count)
      keep((this->*chooseMove())());
    finish();
  }

private:
  using Move = Value (PlainGenerator::*)();

  /// Moves by how often models make them.
  Move chooseMove() {
    struct Weighted {
      int weight;
      Move move;
    };
    static constexpr Weighted moves[] = {
        {4, &PlainGenerator::unary},         {6, &PlainGenerator::binary},
        {4, &PlainGenerator::withRow},       {3, &PlainGenerator::activation},
        {5, &PlainGenerator::normalize},     {6, &PlainGenerator::multiply},
        {3, &PlainGenerator::gateAndUp},     {2, &PlainGenerator::lookUp},
        {2, &PlainGenerator::pickRows},      {3, &PlainGenerator::rotate},
        {2, &PlainGenerator::select},        {2, &PlainGenerator::narrowArithmetic},
        {3, &PlainGenerator::residual},      {3, &PlainGenerator::moveElements},
        {2, &PlainGenerator::reduceRows},    {2, &PlainGenerator::softmax},
        {2, &PlainGenerator::spelledNorm},   {1, &PlainGenerator::spelledRope},
        {2, &PlainGenerator::reduceColumns}, {1, &PlainGenerator::addInput},
        {6, &PlainGenerator::attend},        {4, &PlainGenerator::attendSpelled},
        {3, &PlainGenerator::multiplyPairs},
    };
    int total = 0;
    for (const Weighted &each : moves)
      total += each.weight;
    int64_t drawn = random.below(total);
    for (const Weighted &each : moves)
      if ((drawn -= each.weight) < 0)
        return each.move;
    return moves[0].move;
  }

  void keep(Value value) {
    if (value)
      pool.push_back(value);
  }

  /// A value of the program, more likely a late one.
  Value any() { return pool[std::max(random.below(pool.size()), random.below(pool.size()))]; }
  Value anyMatrix() {
    Value x = any();
    if (shapeOf(x).size() == 3)
      x = b.reshape(x, {shapeOf(x)[0], shapeOf(x)[1] * shapeOf(x)[2]});
    return x;
  }
  /// One of the same shape as `x`; x itself where there is no other.
  Value another(Value x) {
    SmallVector<Value> same;
    for (Value value : pool)
      if (value.getType() == x.getType())
        same.push_back(value);
    return same.empty() ? x : same[random.below(same.size())];
  }
  int64_t width() { return random.pick<int64_t>(widths); }

  Value addInput() {
    Type element = random.pick<Type>({b.f32(), b.f32(), b.f32(), b.bf16(), b.f16()});
    return b.convert(b.argument({rows, width()}, element), b.f32());
  }

  Value unary() {
    Value x = b.tame(any(), 2);
    switch (random.below(9)) {
    case 0:
      return b.withScale(b.math<math::TanhOp>(x), 0.6);
    case 1:
      return b.withScale(b.math<math::ExpOp>(b.arith<arith::MinimumFOp>(x, b.constantLike(x, 1.5))), 2);
    case 2:
      return b.withScale(b.math<arith::NegFOp>(x), b.scale(x));
    case 3:
      return b.withScale(b.math<math::AbsFOp>(x), b.scale(x));
    case 4:
      return b.withScale(b.math<math::SqrtOp>(b.add(b.mul(x, x), b.constantLike(x, 0.25))), b.scale(x));
    case 5:
      return b.withScale(b.math<math::RsqrtOp>(b.add(b.mul(x, x), b.constantLike(x, 0.5))), 1);
    case 6:
      return b.withScale(b.math<math::ErfOp>(x), 0.6);
    case 7:
      return b.withScale(random.chance(0.5) ? b.math<math::SinOp>(x) : b.math<math::CosOp>(x), 0.7);
    default:
      return b.withScale(b.math<math::LogOp>(b.add(b.math<math::AbsFOp>(x), b.constantLike(x, 0.5))), 0.7);
    }
  }

  Value binary() {
    Value x = b.tame(any()), y = b.tame(another(x));
    double larger = std::max(b.scale(x), b.scale(y));
    switch (random.below(7)) {
    case 0:
    case 1:
      return b.withScale(b.add(x, y), b.scale(x) + b.scale(y));
    case 2:
      return b.withScale(b.sub(x, y), b.scale(x) + b.scale(y));
    case 3:
      return b.withScale(b.mul(x, y), b.scale(x) * b.scale(y) * 1.5);
    case 4:
      return b.withScale(b.arith<arith::MaximumFOp>(x, y), larger);
    case 5:
      return b.withScale(b.arith<arith::MinimumFOp>(x, y), larger);
    default:
      return b.withScale(b.div(x, b.add(b.mul(y, y), b.constantLike(y, 0.5))), 2 * b.scale(x));
    }
  }

  /// A bias or a scale: a weight or an argument, of a row or of one number.
  Value withRow() {
    Value x = b.tame(any());
    int64_t columns = shapeOf(x).back();
    SmallVector<int64_t> shape;
    if (random.chance(0.8))
      shape.push_back(columns);
    if (shapeOf(x).size() == 3 && random.chance(0.3))
      shape = {shapeOf(x)[1], columns};
    Value row;
    if (!shape.empty() && random.chance(0.7)) {
      Type stored = b.storedType();
      row = b.weightF32(shape, stored, 0.5, random.pick({0.0, 1.0}));
    } else {
      row = b.argument(shape, b.f32());
    }
    Value y = b.broadcast(row, x);
    if (random.chance(0.5))
      return b.withScale(b.add(x, y), b.scale(x) + b.scale(row));
    return b.withScale(b.mul(x, y), b.scale(x) * b.scale(row) * 1.5);
  }

  Value activation() {
    Value x = b.tame(any());
    return random.chance(0.5) ? b.silu(x) : b.gelu(x);
  }

  Value normalize() {
    Value x = any();
    int64_t columns = shapeOf(x).back();
    double eps = random.pick({1e-5, 1e-6, 1e-3});
    if (random.chance(0.6))
      return b.norm(mj::NormKind::rms, x, random.chance(0.8) ? normWeight(columns) : Value(), {}, eps);
    Value weight = random.chance(0.7) ? normWeight(columns) : Value();
    Value bias = weight && random.chance(0.7) ? b.weight({columns}, b.storedType(), 0.3) : Value();
    return b.norm(mj::NormKind::layer, x, weight, bias, eps);
  }
  Value normWeight(int64_t columns) { return b.weight({columns}, b.storedType(), 0.2, 1); }

  Value multiply() {
    Value x = b.tame(anyMatrix());
    int64_t columns = width();
    Type stored = b.storedType();
    Value y = b.matmul(x, columns, stored, random.chance(0.8));
    if (random.chance(0.3))
      y = b.withScale(b.add(y, b.broadcast(b.weightF32({shapeOf(y)[1]}, b.storedType(), 0.3), y)), b.scale(y) + 0.3);
    return y;
  }

  Value gateAndUp() {
    Value x = b.tame(anyMatrix());
    int64_t columns = width();
    Type stored = b.storedType();
    Value gate = b.matmul(x, columns, stored), up = b.matmul(x, columns, stored);
    Value active = random.chance(0.6) ? b.silu(gate) : b.gelu(gate);
    Value y = b.withScale(b.mul(active, up), b.scale(x) * b.scale(x));
    return random.chance(0.5) ? b.matmul(b.tame(y), shapeOf(x)[1], stored) : y;
  }

  /// Rows of a table, as an embedding.
  Value lookUp() {
    int64_t entries = random.between(1, 20), columns = width();
    Value table = b.weight({entries, columns}, b.storedType(), 1);
    return b.withScale(b.make<mj::GatherOp>(b.tensor({rows, columns}), table, b.indices(rows, entries)), 1);
  }

  /// Some rows of a value, as those whose logits are wanted; what comes of them is an output.
  Value pickRows() {
    Value x = any();
    SmallVector<int64_t> shape(shapeOf(x));
    Value which = b.indices(random.between(1, 6), shape[0]);
    shape[0] = shapeOf(which)[0];
    Value y = b.withScale(b.make<mj::GatherOp>(b.tensor(shape), x, which), b.scale(x));
    if (shape.size() == 2 && random.chance(0.5)) {
      int64_t columns = width();
      Type stored = b.storedType();
      y = b.matmul(b.norm(mj::NormKind::rms, y, normWeight(shape[1])), columns, stored);
    }
    picked.push_back(y);
    return {};
  }

  Value rotate() {
    Value x = anyMatrix();
    int64_t heads = random.between(1, 3), size = 2 * random.pick<int64_t>({1, 2, 3, 4, 8, 12});
    x = b.reshape(b.matmul(b.tame(x), heads * size, b.storedType()), {shapeOf(x)[0], heads, size});
    if (random.chance(0.4))
      x = b.norm(mj::NormKind::rms, x, normWeight(size));
    auto pairs = random.chance(0.5) ? mj::RopePairs::half : mj::RopePairs::interleaved;
    int64_t positions = random.between(1, 50);
    Value y = mj::RopeOp::create(b.builder, b.loc, x.getType(), x, b.indices(shapeOf(x)[0], positions),
                                 b.ropeTable(positions, size), pairs);
    return b.withScale(y, b.scale(x));
  }

  /// A choice that is continuous where it changes sides: nearly equal operands choose nearly equal results.
  Value select() {
    Value x = b.tame(any());
    auto predicate = random.pick({arith::CmpFPredicate::OGT, arith::CmpFPredicate::OGE, arith::CmpFPredicate::ULT});
    Value zero = b.constantLike(x, 0);
    Value isPositive = arith::CmpFOp::create(b.builder, b.loc, predicate, x, zero);
    Value y = arith::SelectOp::create(b.builder, b.loc, isPositive, x, b.mul(x, b.constantLike(x, 0.125)));
    return b.withScale(y, b.scale(x));
  }

  /// A few operations on bf16 or f16 values.
  Value narrowArithmetic() {
    Value x = b.convert(b.tame(any()), random.pick<Type>({b.bf16(), b.f16()}));
    Value y = b.add(b.mul(x, x), b.constantLike(x, 1));
    if (random.chance(0.5))
      y = b.div(x, y);
    double size = b.scale(x);
    return b.withScale(b.convert(y, b.f32()), std::max(1.0, size * size + 1));
  }

  Value residual() {
    Value x = b.tame(anyMatrix());
    Value y = b.matmul(x, shapeOf(x)[1], b.storedType());
    Value h = b.withScale(b.add(x, y), 1.5 * b.scale(x));
    if (random.chance(0.5))
      keep(h);
    return random.chance(0.5) ? b.norm(mj::NormKind::rms, h, normWeight(shapeOf(h)[1])) : h;
  }

  /// Transposes, slices, concatenations and reshapes.
  Value moveElements() {
    Value x = anyMatrix();
    int64_t height = shapeOf(x)[0], columns = shapeOf(x)[1];
    switch (random.below(5)) {
    case 0: {
      Value y =
          b.withScale(b.make<mj::TransposeOp>(b.tensor({columns, height}), x, ArrayRef<int64_t>{1, 0}), b.scale(x));
      // Most of the time back again, perhaps by way of something.
      if (random.chance(0.3))
        return y;
      y = random.chance(0.5) ? b.withScale(b.math<math::TanhOp>(y), 0.6) : y;
      return b.withScale(b.make<mj::TransposeOp>(x.getType(), y, ArrayRef<int64_t>{1, 0}), b.scale(y));
    }
    case 1: {
      int64_t stride = random.between(1, 2), offset = random.below(columns);
      int64_t size = random.between(1, (columns - offset + stride - 1) / stride);
      return b.withScale(
          b.make<mj::SliceOp>(b.tensor({height, size}), x, ArrayRef<int64_t>{0, offset}, ArrayRef<int64_t>{1, stride}),
          b.scale(x));
    }
    case 2: {
      int64_t offset = random.below(height), size = random.between(1, height - offset);
      return b.withScale(
          b.make<mj::SliceOp>(b.tensor({size, columns}), x, ArrayRef<int64_t>{offset, 0}, ArrayRef<int64_t>{1, 1}),
          b.scale(x));
    }
    case 3: {
      Value y = another(x);
      int64_t axis = random.below(2);
      SmallVector<int64_t> shape{height, columns};
      shape[axis] *= 2;
      return b.withScale(b.make<mj::ConcatOp>(b.tensor(shape), ValueRange{x, y}, axis),
                         std::max(b.scale(x), b.scale(y)));
    }
    default:
      return b.reshape(x, {columns, height});
    }
  }

  /// A number of each row, which what comes next reads as one or repeats.
  Value reduceRows() {
    Value x = b.tame(anyMatrix());
    int64_t height = shapeOf(x)[0], columns = shapeOf(x)[1];
    auto kind = random.pick({mj::ReduceKind::mean, mj::ReduceKind::max, mj::ReduceKind::min, mj::ReduceKind::sum});
    double size = b.scale(x) * (kind == mj::ReduceKind::sum ? std::sqrt(double(columns)) : 1);
    Value y = mj::ReduceOp::create(b.builder, b.loc, b.tensor({height}), kind, x, ArrayRef<int64_t>{1});
    y = b.tame(b.withScale(b.reshape(y, {height, 1}), size));
    if (random.chance(0.3))
      return y;
    return b.withScale(b.sub(x, b.broadcast(y, x)), b.scale(x) + b.scale(y));
  }

  /// A row of all rows, which is repeated over them.
  Value reduceColumns() {
    Value x = b.tame(anyMatrix());
    auto kind = random.pick({mj::ReduceKind::mean, mj::ReduceKind::max, mj::ReduceKind::min});
    Value y = mj::ReduceOp::create(b.builder, b.loc, b.tensor({shapeOf(x)[1]}), kind, x, ArrayRef<int64_t>{0});
    y = b.withScale(y, b.scale(x));
    return b.withScale(b.add(x, b.broadcast(y, x)), 2 * b.scale(x));
  }

  Value softmax() {
    Value x = b.tame(any());
    return b.withScale(b.make<mj::SoftmaxOp>(x.getType(), x), 0.5);
  }

  /// A norm in the words of exporters.
  Value spelledNorm() {
    Value x = b.tame(anyMatrix());
    int64_t height = shapeOf(x)[0], columns = shapeOf(x)[1];
    auto mean = [&](Value of) {
      Value y =
          mj::ReduceOp::create(b.builder, b.loc, b.tensor({height}), mj::ReduceKind::mean, of, ArrayRef<int64_t>{1});
      return b.reshape(y, {height, 1});
    };
    Value centred = x;
    bool isLayer = random.chance(0.4);
    if (isLayer)
      centred = b.sub(x, b.broadcast(mean(x), x));
    Value square =
        random.chance(0.5) ? b.mul(centred, centred) : b.arith<math::PowFOp>(centred, b.constantLike(centred, 2));
    Value total = mean(square);
    total = b.add(total, b.constantLike(total, 1e-3));
    Value y;
    if (random.chance(0.7))
      y = b.mul(centred, b.broadcast(b.math<math::RsqrtOp>(total), x));
    else
      y = b.div(centred, b.broadcast(b.math<math::SqrtOp>(total), x));
    y = b.withScale(y, 1);
    if (random.chance(0.8)) {
      Type stored = b.storedType();
      Value weight = b.broadcast(b.weightF32({columns}, stored, 0.2, 1), y);
      y = b.withScale(random.chance(0.5) ? b.mul(y, weight) : b.mul(weight, y), 1);
    }
    return y;
  }

  /// A rotary embedding as models compute it: x cos + rotate_half(x) sin.
  Value spelledRope() {
    Value x = b.tame(anyMatrix());
    int64_t height = shapeOf(x)[0], heads = random.between(1, 2), pairs = random.pick<int64_t>({1, 4, 6});
    Type stored = b.storedType();
    x = b.reshape(b.matmul(x, heads * pairs * 2, stored), {height, heads, pairs * 2});
    auto half = b.tensor({height, heads, pairs});
    Value first = b.make<mj::SliceOp>(half, x, ArrayRef<int64_t>{0, 0, 0}, ArrayRef<int64_t>{1, 1, 1});
    Value second = b.make<mj::SliceOp>(half, x, ArrayRef<int64_t>{0, 0, pairs}, ArrayRef<int64_t>{1, 1, 1});
    Value turned = b.make<mj::ConcatOp>(typeOf(x), ValueRange{b.math<arith::NegFOp>(second), first}, int64_t(2));
    Value cosine = b.argument({height, 1, pairs * 2}, b.f32(), 0.7);
    Value sine = b.argument({height, 1, pairs * 2}, b.f32(), 0.7);
    Value straight = b.mul(x, b.broadcast(cosine, x)), across = b.mul(turned, b.broadcast(sine, x));
    return b.withScale(b.add(straight, across), b.scale(x));
  }

  Value attend() {
    Value x = b.tame(anyMatrix());
    SmallVector<Value> others;
    for (int64_t count = random.below(3); count > 0; --count)
      others.push_back(random.chance(0.5) ? x : b.tame(anyMatrix()));
    return generateAttention(b, x, others);
  }
  Value attendSpelled() {
    Value x = b.tame(anyMatrix());
    Value other = random.chance(0.5) ? x : b.tame(anyMatrix());
    return generateSpelledAttention(b, x, other);
  }
  Value multiplyPairs() { return generateBatchMatmul(b, b.tame(anyMatrix())); }

  void finish() {
    SmallVector<Value> results(picked);
    results.push_back(pool.back());
    for (int64_t count = random.below(3); count > 0; --count)
      results.push_back(any());
    SmallVector<Value> stored;
    for (Value result : results)
      stored.push_back(random.chance(0.15) ? b.convert(result, random.pick<Type>({b.bf16(), b.f16()})) : result);
    b.finish(stored);
  }

  ProgramBuilder &b;
  Random &random;
  int64_t rows;
  SmallVector<int64_t> widths;
  SmallVector<Value> pool, picked;
};

} // namespace

void differential::generatePlain(ProgramBuilder &build) { PlainGenerator(build).run(); }
