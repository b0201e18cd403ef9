// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Schedule host.rows: regions that work row by row, through linalg.
//
// A tile is a range of rows. For one row, operands are views and every value is either memory (a view, a buffer on the
// stack, the result) or a chain of pointwise operations that is written out where somebody needs it. All arithmetic is
// f32; results are rounded when they are stored. LLVM vectorizes the loops that linalg becomes.
#include "targets/host/KernelBuilder.h"
#include "targets/host/MatmulEncoding.h"
#include "targets/host/ObjectCode.h"
#include "targets/host/RegionKernels.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::host;

/// Rows that one launch is over: those of the first result, or of the keys that are appended.
static int64_t countRows(Block &body) {
  for (Value result : body.getTerminator()->getOperands())
    if (auto type = dyn_cast<RankedTensorType>(result.getType()); type && type.getRank() > 0)
      return type.getDimSize(0);
  for (auto append : body.getOps<mj::KvAppendOp>())
    return cast<RankedTensorType>(append.getKey().getType()).getDimSize(0);
  return 1;
}

int64_t host::countRowTiles(Block &body) { return std::min<int64_t>(countRows(body), 32); }

namespace {

/// Emits the computation of one row.
class RowEmitter {
public:
  RowEmitter(KernelContext &context, func::FuncOp function, OpBuilder &builder)
      : context(context), function(function), k(builder, context.kernel.getLoc()), b(k.builder()), loc(k.loc()) {
    for (auto [index, operand] : llvm::enumerate(context.operands))
      if (operand.kind == exec::KernelOperand::tensor)
        arguments[operand.index] = function.getArgument(index);
      else if (operand.kind == exec::KernelOperand::result)
        results[operand.index] = function.getArgument(index);
      else if (operand.kind == exec::KernelOperand::pool)
        pool = function.getArgument(index);
      else if (operand.kind == exec::KernelOperand::batch && operand.batchField == mj::BatchField::slots)
        slots = function.getArgument(index);
  }

  LogicalResult emit(Value rowIndex) {
    row = rowIndex;
    for (Operation &op : context.body().without_terminator())
      if (failed(emit(&op)))
        return failure();
    for (auto [index, value] : llvm::enumerate(context.body().getTerminator()->getOperands()))
      if (results.count(index))
        store(value, rowOf(results[index]));
    return success();
  }

private:
  //===--- Rows of memory ---------------------------------------------------===//

  /// Row `index` of a memref, as a view of one rank less.
  Value rowOf(Value memref, Value index) {
    auto type = cast<MemRefType>(memref.getType());
    SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)), sizes,
        strides(type.getRank(), b.getIndexAttr(1));
    offsets[0] = index;
    sizes.push_back(b.getIndexAttr(1));
    for (int64_t size : type.getShape().drop_front())
      sizes.push_back(b.getIndexAttr(size));
    auto view =
        memref::SubViewOp::inferRankReducedResultType(type.getShape().drop_front(), type, offsets, sizes, strides);
    return memref::SubViewOp::create(b, loc, cast<MemRefType>(view), memref, offsets, sizes, strides);
  }
  Value rowOf(Value memref) { return rowOf(memref, row); }

  /// A value of the region as memory: an argument's row, or what was computed.
  Value memoryOf(Value value) {
    if (Value known = memory.lookup(value))
      return known;
    if (auto argument = dyn_cast<BlockArgument>(value))
      return memory[value] = rowOf(arguments[argument.getArgNumber()]);
    Value buffer = stackFor(value);
    store(value, buffer);
    return memory[value] = buffer;
  }

  /// An argument that is not indexed by row: a weight.
  Value whole(Value value) { return arguments[cast<BlockArgument>(value).getArgNumber()]; }

  static ArrayRef<int64_t> rowShape(Value value) {
    return cast<RankedTensorType>(value.getType()).getShape().drop_front();
  }

  Value stackFor(Value value) { return k.stack(rowShape(value), k.f32()); }

  /// The map from `rank` loops to the first or the last `count` of them.
  AffineMap axes(int64_t rank, int64_t first, int64_t count) {
    SmallVector<AffineExpr> dims;
    for (int64_t dim = first; dim < first + count; ++dim)
      dims.push_back(b.getAffineDimExpr(dim));
    return AffineMap::get(rank, 0, dims, b.getContext());
  }
  AffineMap firstAxes(int64_t rank, int64_t count) { return axes(rank, 0, count); }
  AffineMap lastAxes(int64_t rank, int64_t count) { return axes(rank, rank - count, count); }

  //===--- Pointwise chains -------------------------------------------------===//

  /// What a chain reads: memory, and which of the result's axes index it.
  struct Leaf {
    Value memory;
    AffineMap map;
  };
  /// The leaf of a value. Operations are made in its order, so it must not depend on addresses.
  using LeafMap = llvm::MapVector<Value, unsigned>;

  /// Writes the row of `value` to `destination`.
  void store(Value value, Value destination) {
    int64_t rank = rowShape(value).size();
    SmallVector<Leaf> leaves;
    LeafMap leafOf;
    collectLeaves(value, rank, leaves, leafOf);
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (const Leaf &leaf : leaves) {
      inputs.push_back(leaf.memory);
      maps.push_back(leaf.map);
    }
    maps.push_back(firstAxes(rank, rank));
    SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
    linalg::GenericOp::create(b, loc, inputs, destination, maps, iterators,
                              [&](OpBuilder &inner, Location, ValueRange elements) {
                                llvm::DenseMap<Value, Value> scalars;
                                for (auto [leaf, index] : leafOf)
                                  scalars[leaf] = widen(inner, loc, elements[index]);
                                Value result = evaluate(inner, value, scalars);
                                Type stored = cast<MemRefType>(destination.getType()).getElementType();
                                linalg::YieldOp::create(inner, loc, narrow(inner, loc, result, stored));
                              });
  }

  /// Whether `value` is computed where it is needed.
  bool isLazy(Value value) {
    return value.getDefiningOp() && mj::isPointwise(value.getDefiningOp()) && !memory.count(value);
  }

  void collectLeaves(Value value, int64_t rank, SmallVector<Leaf> &leaves, LeafMap &leafOf) {
    if (leafOf.count(value) || (value.getDefiningOp() && isa<arith::ConstantOp>(value.getDefiningOp())))
      return;
    if (isLazy(value)) {
      if (auto broadcast = value.getDefiningOp<mj::BroadcastOp>())
        return collectBroadcast(broadcast, rank, leaves, leafOf);
      for (Value operand : value.getDefiningOp()->getOperands())
        collectLeaves(operand, rank, leaves, leafOf);
      return;
    }
    leafOf[value] = leaves.size();
    leaves.push_back({memoryOf(value), firstAxes(rank, rank)});
  }

  /// The source of a broadcast is indexed by the trailing axes of the result.
  void collectBroadcast(mj::BroadcastOp broadcast, int64_t rank, SmallVector<Leaf> &leaves, LeafMap &leafOf) {
    Value source = broadcast.getSource();
    auto type = cast<RankedTensorType>(source.getType());
    if (source.getDefiningOp() && isa<arith::ConstantOp>(source.getDefiningOp()))
      return;
    if (type.getRank() == rank + 1)
      return collectLeaves(source, rank, leaves, leafOf);
    if (leafOf.count(source))
      return;
    leafOf[source] = leaves.size();
    leaves.push_back({whole(source), lastAxes(rank, type.getRank())});
  }

  /// The f32 element of `value` from those of the leaves.
  Value evaluate(OpBuilder &inner, Value value, llvm::DenseMap<Value, Value> &scalars) {
    if (Value known = scalars.lookup(value))
      return known;
    Operation *op = value.getDefiningOp();
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      auto splat = cast<SplatElementsAttr>(constant.getValue());
      if (Type element = splat.getElementType(); !isa<FloatType>(element))
        return scalars[value] = arith::ConstantOp::create(inner, loc, splat.getSplatValue<TypedAttr>());
      APFloat number = splat.getSplatValue<APFloat>();
      bool lossy;
      number.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven, &lossy);
      return scalars[value] = arith::ConstantFloatOp::create(inner, loc, inner.getF32Type(), number);
    }
    SmallVector<Value> operands;
    for (Value operand : isa<mj::BroadcastOp>(op) ? op->getOperands().take_front() : op->getOperands())
      operands.push_back(evaluate(inner, operand, scalars));
    return scalars[value] = clonePointwise(inner, op, operands, inner.getF32Type());
  }

  //===--- Operations -------------------------------------------------------===//

  LogicalResult emit(Operation *op) {
    if (isa<arith::ConstantOp>(op))
      return success();
    if (mj::isPointwise(op)) {
      // A value that several operations read is computed once.
      if (!isa<mj::BroadcastOp>(op) && llvm::range_size(op->getUsers()) > 1)
        memoryOf(op->getResult(0));
      return success();
    }
    return llvm::TypeSwitch<Operation *, LogicalResult>(op)
        .Case<mj::NormOp, mj::RopeOp, mj::GatherOp, mj::ReshapeOp, mj::KvAppendOp>(
            [&](auto known) { return emitOp(known); })
        .Default([&](Operation *) {
          return context.kernel.emitOpError("holds '")
                 << op->getName() << "', which schedule " << kRowsSchedule << " does not know";
        });
  }

  /// Calls `body` with each index of `shape`.
  void overIndices(ArrayRef<int64_t> shape, SmallVector<Value> &indices, llvm::function_ref<void()> body) {
    if (indices.size() == shape.size())
      return body();
    k.loop(k.index(0), k.index(shape[indices.size()]), 1, [&](Value index) {
      indices.push_back(index);
      overIndices(shape, indices, body);
      indices.pop_back();
    });
  }

  /// Stores in `sums`, for each of the leading axes of `x`, what `accumulate` makes of the last one: of its elements
  /// in f32, less their mean if `means` is not null.
  void reduceLast(Value x, Value means, Value sums, llvm::function_ref<Value(Value sum, Value element)> accumulate) {
    ArrayRef<int64_t> shape = cast<MemRefType>(x.getType()).getShape();
    SmallVector<Value> indices;
    overIndices(shape.drop_back(), indices, [&] {
      Value mean = means ? k.load(means, indices) : Value();
      Value sum = sumInOrder(k, shape.back(), [&](Value sumSoFar, Value first, int64_t lanes) {
        SmallVector<Value> at(indices);
        at.push_back(first);
        Value element = k.toF32(lanes == 1 ? k.load(x, at) : k.load(x, at, lanes));
        if (mean)
          element = k.sub(element, lanes == 1 ? mean : k.splat(mean, lanes));
        return accumulate(sumSoFar, element);
      });
      k.store(sum, sums, indices);
    });
  }

  LogicalResult emitOp(mj::NormOp norm) {
    Value x = memoryOf(norm.getX());
    auto type = cast<MemRefType>(x.getType());
    int64_t rank = type.getRank(), size = type.getShape().back();
    ArrayRef<int64_t> leading = type.getShape().drop_back();
    Value sums = k.stack(leading, k.f32());
    Value means;
    bool isLayer = norm.getKind() == mj::NormKind::layer;
    if (isLayer) {
      means = k.stack(leading, k.f32());
      reduceLast(x, Value(), means, [&](Value sum, Value element) { return k.add(sum, element); });
      SmallVector<Value> indices;
      overIndices(leading, indices, [&] {
        k.store(k.mul(k.load(means, indices), k.constant(k.f32(), double(1.0f / size))), means, indices);
      });
    }
    reduceLast(x, means, sums, [&](Value sum, Value centred) { return multiplyAdd(k, centred, centred, sum); });

    // The factor of each row, once: 1 / sqrt(mean + eps).
    Value factors = k.stack(type.getShape().drop_back(), k.f32());
    auto rowIdentity = firstAxes(rank - 1, rank - 1);
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

    Value y = stackFor(norm.getResult());
    auto identity = firstAxes(rank, rank);
    SmallVector<Value> inputs{x, factors};
    SmallVector<AffineMap> maps{identity, firstAxes(rank, rank - 1)};
    if (isLayer) {
      inputs.push_back(means);
      maps.push_back(firstAxes(rank, rank - 1));
    }
    for (Value affine : {norm.getWeight(), norm.getBias()})
      if (affine) {
        inputs.push_back(whole(affine));
        maps.push_back(lastAxes(rank, 1));
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
                                if (norm.getWeight())
                                  value = arith::MulFOp::create(inner, loc, value, widen(inner, loc, elements[next++]));
                                if (norm.getBias())
                                  value = arith::AddFOp::create(inner, loc, value, widen(inner, loc, elements[next++]));
                                linalg::YieldOp::create(inner, loc, value);
                              });
    memory[norm.getResult()] = y;
    return success();
  }

  /// Elements `first`, `first + step`, ... of the last axis of a [heads, D] view.
  Value lastAxis(Value memref, int64_t first, int64_t count, int64_t step) {
    auto type = cast<MemRefType>(memref.getType());
    SmallVector<OpFoldResult> offsets{b.getIndexAttr(0), b.getIndexAttr(first)},
        sizes{b.getIndexAttr(type.getDimSize(0)), b.getIndexAttr(count)},
        strides{b.getIndexAttr(1), b.getIndexAttr(step)};
    return memref::SubViewOp::create(b, loc, memref, offsets, sizes, strides);
  }

  LogicalResult emitOp(mj::RopeOp rope) {
    Value x = memoryOf(rope.getX());
    Value position = k.toIndex(k.load(whole(rope.getPositions()), ValueRange{row}));
    Value angles = rowOf(whole(rope.getTable()), position);
    Value y = stackFor(rope.getResult());
    int64_t pairs = rowShape(rope.getX()).back() / 2;
    bool half = rope.getPairs() == mj::RopePairs::half;
    auto part = [&](Value memref, int64_t which) {
      return half ? lastAxis(memref, which * pairs, pairs, 1) : lastAxis(memref, which, pairs, 2);
    };
    // [pairs, 2]: cosines and sines.
    auto trigonometric = [&](int64_t which) {
      SmallVector<OpFoldResult> offsets{b.getIndexAttr(0), b.getIndexAttr(which)},
          sizes{b.getIndexAttr(pairs), b.getIndexAttr(1)}, strides(2, b.getIndexAttr(1));
      auto type = memref::SubViewOp::inferRankReducedResultType({pairs}, cast<MemRefType>(angles.getType()), offsets,
                                                                sizes, strides);
      return memref::SubViewOp::create(b, loc, cast<MemRefType>(type), angles, offsets, sizes, strides).getResult();
    };
    auto identity = firstAxes(2, 2);
    AffineMap byPair = lastAxes(2, 1);
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
    memory[rope.getResult()] = y;
    return success();
  }

  LogicalResult emitOp(mj::GatherOp gather) {
    Value index = k.toIndex(k.load(whole(gather.getIndices()), ValueRange{row}));
    auto table = cast<RankedTensorType>(gather.getTable().getType());
    auto encoding = dyn_cast_or_null<mj::EncodingAttr>(table.getEncoding());
    if (!encoding) {
      memory[gather.getResult()] = rowOf(whole(gather.getTable()), index);
      return success();
    }
    // A row of a packed matrix is spread over its block.
    auto packed = MatmulEncoding::parse(encoding.getName().getValue());
    Value y = stackFor(gather.getResult());
    k.loop(k.index(0), k.index(table.getDimSize(1)), 1, [&](Value column) {
      Value element = k.load(whole(gather.getTable()), packedIndices(b, loc, *packed, index, column));
      k.store(widen(b, loc, element), y, ValueRange{column});
    });
    memory[gather.getResult()] = y;
    return success();
  }

  LogicalResult emitOp(mj::ReshapeOp reshape) {
    Value source = memoryOf(reshape.getSource());
    // To one line, then to the new shape; rows are dense.
    auto type = cast<MemRefType>(source.getType());
    ArrayRef<int64_t> shape = rowShape(reshape.getResult());
    if (type.getRank() > 1) {
      ReassociationIndices all = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
      source = memref::CollapseShapeOp::create(b, loc, source, ArrayRef{all});
    }
    if (shape.size() > 1) {
      ReassociationIndices all = llvm::to_vector(llvm::seq<int64_t>(0, shape.size()));
      source = memref::ExpandShapeOp::create(b, loc, shape, source, ArrayRef{all});
    }
    memory[reshape.getResult()] = source;
    return success();
  }

  LogicalResult emitOp(mj::KvAppendOp append) {
    // What is stored comes to memory outside of the condition: other operations may read it.
    memoryOf(append.getKey());
    memoryOf(append.getValue());
    mj::KvType kv = append.getKv().getType();
    int64_t pageSize = context.pool.getPageSize(), heads = kv.getHeads(), size = kv.getHeadDim();
    Value slot = k.toIndex(k.load(slots, ValueRange{row}));
    Value isUsed = k.compare(arith::CmpIPredicate::sge, slot, k.index(0));
    k.ifThen(isUsed, [&] {
      Value page = k.mul(k.div(slot, pageSize), context.pageStride());
      Value offset = k.add(page, k.mul(k.rem(slot, pageSize), size));
      for (auto [which, value] : {std::pair<int64_t, Value>{0, append.getKey()}, {1, append.getValue()}}) {
        Value start = k.add(offset, which * heads * pageSize * size);
        auto layout = StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, {pageSize * size, 1});
        auto type = MemRefType::get({heads, size}, kv.getElementType(), layout);
        Value destination = memref::ReinterpretCastOp::create(
            b, loc, type, pool, OpFoldResult(start),
            ArrayRef<OpFoldResult>{b.getIndexAttr(heads), b.getIndexAttr(size)},
            ArrayRef<OpFoldResult>{b.getIndexAttr(pageSize * size), b.getIndexAttr(1)});
        store(value, destination);
      }
    });
    return success();
  }

  KernelContext &context;
  func::FuncOp function;
  KernelBuilder k;
  OpBuilder &b;
  Location loc;
  Value row, pool, slots;
  llvm::DenseMap<unsigned, Value> arguments, results;
  llvm::DenseMap<Value, Value> memory;
};

} // namespace

LogicalResult host::emitRows(KernelContext &context) {
  func::FuncOp function = context.createFunction();
  function->setAttr(kOptimizeAttr, UnitAttr::get(function.getContext()));
  OpBuilder builder = OpBuilder::atBlockEnd(&function.getBody().front());
  KernelBuilder k(builder, context.kernel.getLoc());
  int64_t rows = countRows(context.body());
  int64_t rowsPerTile = llvm::divideCeil(rows, context.kernel.getTiles());
  Value tile = function.getArguments().back();
  Value first = k.mul(tile, rowsPerTile);
  Value last = k.min(k.add(first, rowsPerTile), k.index(rows));
  LogicalResult result = success();
  k.loop(first, last, 1, [&](Value row) { result = RowEmitter(context, function, k.builder()).emit(row); });
  k.done();
  return result;
}
