// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Norms, softmax, reductions and rotary embeddings of a row.
#include "targets/host/RowOperations.h"

#include "targets/host/RegionKernels.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::host;

AffineMap host::loopAxes(MLIRContext *context, int64_t rank, int64_t first, int64_t count) {
  SmallVector<AffineExpr> dims;
  for (int64_t dim = first; dim < first + count; ++dim)
    dims.push_back(getAffineDimExpr(dim, context));
  return AffineMap::get(rank, 0, dims, context);
}

static void overIndices(KernelBuilder &k, ArrayRef<int64_t> shape, SmallVector<Value> &indices,
                        llvm::function_ref<void(ArrayRef<Value>)> body) {
  if (indices.size() == shape.size())
    return body(indices);
  k.loop(k.index(0), k.index(shape[indices.size()]), 1, [&](Value index) {
    indices.push_back(index);
    overIndices(k, shape, indices, body);
    indices.pop_back();
  });
}

void host::overIndices(KernelBuilder &k, ArrayRef<int64_t> shape, llvm::function_ref<void(ArrayRef<Value>)> body) {
  SmallVector<Value> indices;
  ::overIndices(k, shape, indices, body);
}

static ArrayRef<int64_t> shapeOf(Value memref) { return cast<MemRefType>(memref.getType()).getShape(); }

Value host::loadPiece(KernelBuilder &k, Value memref, ArrayRef<Value> indices, Value last, int64_t lanes) {
  SmallVector<Value> at(indices);
  at.push_back(last);
  return k.toF32(lanes == 1 ? k.load(memref, at) : k.load(memref, at, lanes));
}

void host::storePiece(KernelBuilder &k, Value value, Value memref, ArrayRef<Value> indices, Value last) {
  SmallVector<Value> at(indices);
  at.push_back(last);
  value = k.fromF32(getElementTypeOrSelf(memref.getType()), value);
  isa<VectorType>(value.getType()) ? k.storeVector(value, memref, at) : k.store(value, memref, at);
}

void host::overPieces(KernelBuilder &k, int64_t size, llvm::function_ref<void(Value, int64_t)> body) {
  int64_t whole = size / kLanes * kLanes;
  if (whole > 0)
    k.loop(k.index(0), k.index(whole), kLanes, [&](Value first) { body(first, kLanes); });
  if (whole < size)
    k.loop(k.index(whole), k.index(size), 1, [&](Value first) { body(first, 1); });
}

/// The type of `lanes` f32 elements.
static Type f32Lanes(KernelBuilder &k, int64_t lanes) { return lanes == 1 ? k.f32() : k.vec(k.f32(), lanes); }
static Value spread(KernelBuilder &k, Value scalar, int64_t lanes) {
  return lanes == 1 ? scalar : k.splat(scalar, lanes);
}

//===----------------------------------------------------------------------===//
// Norm
//===----------------------------------------------------------------------===//

/// Stores in `sums`, for each of the leading axes of `x`, what `accumulate` makes of the last one: of its elements in
/// f32, less their mean if `means` is not null.
static void reduceLast(KernelBuilder &k, Value x, Value means, Value sums,
                       llvm::function_ref<Value(Value sum, Value element)> accumulate) {
  ArrayRef<int64_t> shape = shapeOf(x);
  overIndices(k, shape.drop_back(), [&](ArrayRef<Value> indices) {
    Value mean = means ? k.load(means, indices) : Value();
    Value sum = sumInOrder(k, shape.back(), [&](Value sumSoFar, Value first, int64_t lanes) {
      Value element = loadPiece(k, x, indices, first, lanes);
      if (mean)
        element = k.sub(element, spread(k, mean, lanes));
      return accumulate(sumSoFar, element);
    });
    k.store(sum, sums, indices);
  });
}

void host::emitNorm(KernelBuilder &k, mj::NormOp norm, Value x, Value weight, Value bias, Value y) {
  OpBuilder &b = k.builder();
  Location loc = k.loc();
  int64_t rank = shapeOf(x).size(), size = shapeOf(x).back();
  ArrayRef<int64_t> leading = shapeOf(x).drop_back();
  auto axes = [&](int64_t loops, int64_t first, int64_t count) {
    return loopAxes(b.getContext(), loops, first, count);
  };
  Value sums = k.stack(leading, k.f32());
  Value means;
  bool isLayer = norm.getKind() == mj::NormKind::layer;
  if (isLayer) {
    means = k.stack(leading, k.f32());
    reduceLast(k, x, Value(), means, [&](Value sum, Value element) { return k.add(sum, element); });
    overIndices(k, leading, [&](ArrayRef<Value> indices) {
      k.store(k.mul(k.load(means, indices), k.constant(k.f32(), double(1.0f / size))), means, indices);
    });
  }
  reduceLast(k, x, means, sums, [&](Value sum, Value centred) { return multiplyAdd(k, centred, centred, sum); });

  // The factor of each row, once: 1 / sqrt(mean + eps).
  Value factors = k.stack(leading, k.f32());
  auto rowIdentity = axes(rank - 1, 0, rank - 1);
  linalg::GenericOp::create(
      b, loc, sums, factors, ArrayRef{rowIdentity, rowIdentity},
      SmallVector<utils::IteratorType>(rank - 1, utils::IteratorType::parallel),
      [&](OpBuilder &inner, Location, ValueRange elements) {
        Value inverse = arith::ConstantFloatOp::create(inner, loc, inner.getF32Type(), APFloat(1.0f / size));
        Value mean = arith::MulFOp::create(inner, loc, elements.front(), inverse);
        Value eps = arith::ConstantFloatOp::create(inner, loc, inner.getF32Type(), norm.getEps());
        Value root = math::SqrtOp::create(inner, loc, arith::AddFOp::create(inner, loc, mean, eps));
        Value one = arith::ConstantFloatOp::create(inner, loc, inner.getF32Type(), APFloat(1.0f));
        linalg::YieldOp::create(inner, loc, arith::DivFOp::create(inner, loc, one, root).getResult());
      });

  auto identity = axes(rank, 0, rank);
  SmallVector<Value> inputs{x, factors};
  SmallVector<AffineMap> maps{identity, axes(rank, 0, rank - 1)};
  if (isLayer) {
    inputs.push_back(means);
    maps.push_back(axes(rank, 0, rank - 1));
  }
  for (Value affine : {weight, bias})
    if (affine) {
      inputs.push_back(affine);
      maps.push_back(axes(rank, rank - 1, 1));
    }
  maps.push_back(identity);
  linalg::GenericOp::create(b, loc, inputs, y, maps,
                            SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
                            [&](OpBuilder &inner, Location, ValueRange elements) {
                              unsigned next = isLayer ? 3 : 2;
                              Value value = widen(inner, loc, elements[0]);
                              if (isLayer)
                                value = arith::SubFOp::create(inner, loc, value, elements[2]);
                              value = arith::MulFOp::create(inner, loc, value, elements[1]);
                              if (weight)
                                value = arith::MulFOp::create(inner, loc, value, widen(inner, loc, elements[next++]));
                              if (bias)
                                value = arith::AddFOp::create(inner, loc, value, widen(inner, loc, elements[next++]));
                              linalg::YieldOp::create(inner, loc, value);
                            });
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// Two partial results as one. A maximum or minimum of a NaN is NaN.
static Value combine(KernelBuilder &k, mj::ReduceKind kind, Value lhs, Value rhs) {
  if (kind == mj::ReduceKind::max)
    return arith::MaximumFOp::create(k.builder(), k.loc(), lhs, rhs);
  if (kind == mj::ReduceKind::min)
    return arith::MinimumFOp::create(k.builder(), k.loc(), lhs, rhs);
  return k.add(lhs, rhs);
}

static Value neutral(KernelBuilder &k, mj::ReduceKind kind, Type type) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return k.constant(type, kind == mj::ReduceKind::max ? -infinity : kind == mj::ReduceKind::min ? infinity : 0.0);
}

/// The reduction of `size` elements that `load` gives: lanes side by side, then these by halves, then what is left over
/// one by one, as sumInOrder does.
static Value reduceInOrder(KernelBuilder &k, mj::ReduceKind kind, int64_t size,
                           llvm::function_ref<Value(Value first, int64_t lanes)> load) {
  if (kind == mj::ReduceKind::sum || kind == mj::ReduceKind::mean)
    return sumInOrder(k, size, [&](Value sum, Value first, int64_t lanes) { return k.add(sum, load(first, lanes)); });
  const int64_t whole = size / kLanes * kLanes;
  Value result = neutral(k, kind, k.f32());
  if (whole > 0) {
    Value lanes = k.loop(k.index(0), k.index(whole), kLanes, neutral(k, kind, k.vec(k.f32(), kLanes)),
                         [&](Value first, ValueRange carried) {
                           return KernelBuilder::Values{combine(k, kind, carried.front(), load(first, kLanes))};
                         })
                      .front();
    for (int64_t half = kLanes / 2; half > 0; half /= 2)
      lanes = combine(k, kind, k.slice(lanes, 0, half), k.slice(lanes, half, half));
    result = k.extract(lanes, 0);
  }
  if (whole == size)
    return result;
  return k
      .loop(k.index(whole), k.index(size), 1, result,
            [&](Value first, ValueRange carried) {
              return KernelBuilder::Values{combine(k, kind, carried.front(), load(first, 1))};
            })
      .front();
}

void host::emitReduce(KernelBuilder &k, mj::ReduceKind kind, ArrayRef<int64_t> axes, Value x, Value y) {
  ArrayRef<int64_t> shape = shapeOf(x);
  const int64_t rank = shape.size();
  const bool isLastReduced = axes.back() == rank - 1;
  int64_t count = 1;
  for (int64_t axis : axes)
    count *= shape[axis];
  SmallVector<int64_t> kept, outer; // outer: reduced axes but the last axis of x
  for (int64_t axis = 0; axis < rank; ++axis)
    if (llvm::is_contained(axes, axis)) {
      if (axis != rank - 1)
        outer.push_back(axis);
    } else {
      kept.push_back(axis);
    }

  // Combines what `load` gives for each index of the outer reduced axes, one after the other.
  using Indices = SmallVector<Value>;
  std::function<Value(unsigned, Value, Indices &, llvm::function_ref<Value(ArrayRef<Value>)>)> overOuter =
      [&](unsigned depth, Value sum, Indices &indices, llvm::function_ref<Value(ArrayRef<Value>)> load) -> Value {
    if (depth == outer.size())
      return combine(k, kind, sum, load(indices));
    return k
        .loop(k.index(0), k.index(shape[outer[depth]]), 1, sum,
              [&](Value index, ValueRange carried) {
                indices[outer[depth]] = index;
                return KernelBuilder::Values{overOuter(depth + 1, carried.front(), indices, load)};
              })
        .front();
  };
  auto finish = [&](Value value) {
    return kind == mj::ReduceKind::mean ? k.divf(value, k.constant(value.getType(), double(count))) : value;
  };

  SmallVector<int64_t> loops;
  for (int64_t axis : isLastReduced ? ArrayRef(kept) : ArrayRef(kept).drop_back())
    loops.push_back(shape[axis]);
  overIndices(k, loops, [&](ArrayRef<Value> at) {
    Indices indices(rank - 1);
    for (auto [axis, index] : llvm::zip(kept, at))
      indices[axis] = index;
    if (isLastReduced) {
      auto loadLast = [&](ArrayRef<Value> leading) {
        return reduceInOrder(k, kind, shape.back(),
                             [&](Value first, int64_t lanes) { return loadPiece(k, x, leading, first, lanes); });
      };
      Value result = outer.empty() ? loadLast(indices) : overOuter(0, neutral(k, kind, k.f32()), indices, loadLast);
      return k.store(k.fromF32(getElementTypeOrSelf(y.getType()), finish(result)), y, at);
    }
    overPieces(k, shape.back(), [&](Value first, int64_t lanes) {
      Value result = overOuter(0, neutral(k, kind, f32Lanes(k, lanes)), indices,
                               [&](ArrayRef<Value> leading) { return loadPiece(k, x, leading, first, lanes); });
      storePiece(k, finish(result), y, at, first);
    });
  });
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

void host::emitSoftmax(KernelBuilder &k, Value x, Value y) {
  ArrayRef<int64_t> shape = shapeOf(x);
  overIndices(k, shape.drop_back(), [&](ArrayRef<Value> indices) {
    auto load = [&](Value first, int64_t lanes) { return loadPiece(k, x, indices, first, lanes); };
    Value largest = reduceInOrder(k, mj::ReduceKind::max, shape.back(), load);
    // Nothing but -infinity: its exponentials are 0, and so is what they are divided into.
    Value isEmpty = k.compare(arith::CmpFPredicate::OEQ, largest, k.negativeInfinity(k.f32()));
    Value shift = k.select(isEmpty, k.constant(k.f32(), 0.0), largest);
    Value sum = sumInOrder(k, shape.back(), [&](Value sumSoFar, Value first, int64_t lanes) {
      Value shifted = k.sub(load(first, lanes), spread(k, shift, lanes));
      Value power = math::ExpOp::create(k.builder(), k.loc(), shifted);
      storePiece(k, power, y, indices, first);
      return k.add(sumSoFar, power);
    });
    Value divisor = k.select(isEmpty, k.constant(k.f32(), 1.0), sum);
    overPieces(k, shape.back(), [&](Value first, int64_t lanes) {
      Value power = loadPiece(k, y, indices, first, lanes);
      storePiece(k, k.divf(power, spread(k, divisor, lanes)), y, indices, first);
    });
  });
}

//===----------------------------------------------------------------------===//
// Rotary embedding
//===----------------------------------------------------------------------===//

/// Elements `first`, `first + step`, ... of the last axis of a [heads, D] view.
static Value lastAxis(KernelBuilder &k, Value memref, int64_t first, int64_t count, int64_t step) {
  OpBuilder &b = k.builder();
  SmallVector<OpFoldResult> offsets{b.getIndexAttr(0), b.getIndexAttr(first)},
      sizes{b.getIndexAttr(shapeOf(memref).front()), b.getIndexAttr(count)},
      strides{b.getIndexAttr(1), b.getIndexAttr(step)};
  return memref::SubViewOp::create(b, k.loc(), memref, offsets, sizes, strides);
}

void host::emitRope(KernelBuilder &k, mj::RopePairs kind, Value x, Value angles, Value y) {
  OpBuilder &b = k.builder();
  Location loc = k.loc();
  int64_t pairs = shapeOf(x).back() / 2;
  auto part = [&](Value memref, int64_t which) {
    return kind == mj::RopePairs::half ? lastAxis(k, memref, which * pairs, pairs, 1)
                                       : lastAxis(k, memref, which, pairs, 2);
  };
  // [pairs, 2]: cosines and sines.
  auto trigonometric = [&](int64_t which) {
    SmallVector<OpFoldResult> offsets{b.getIndexAttr(0), b.getIndexAttr(which)},
        sizes{b.getIndexAttr(pairs), b.getIndexAttr(1)}, strides(2, b.getIndexAttr(1));
    auto type = memref::SubViewOp::inferRankReducedResultType({pairs}, cast<MemRefType>(angles.getType()), offsets,
                                                              sizes, strides);
    return memref::SubViewOp::create(b, loc, cast<MemRefType>(type), angles, offsets, sizes, strides).getResult();
  };
  auto identity = loopAxes(b.getContext(), 2, 0, 2);
  AffineMap byPair = loopAxes(b.getContext(), 2, 1, 1);
  for (int64_t which : {0, 1})
    linalg::GenericOp::create(b, loc,
                              ValueRange{part(x, which), part(x, 1 - which), trigonometric(0), trigonometric(1)},
                              part(y, which), ArrayRef{identity, identity, byPair, byPair, identity},
                              SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
                              [&](OpBuilder &inner, Location, ValueRange elements) {
                                Value own = widen(inner, loc, elements[0]), other = widen(inner, loc, elements[1]);
                                Value straight = arith::MulFOp::create(inner, loc, own, elements[2]);
                                Value across = arith::MulFOp::create(inner, loc, other, elements[3]);
                                Value rotated = which == 0
                                                    ? arith::SubFOp::create(inner, loc, straight, across).getResult()
                                                    : arith::AddFOp::create(inner, loc, straight, across).getResult();
                                linalg::YieldOp::create(inner, loc, rotated);
                              });
}
