// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Schedule host.rows: regions that work row by row, through linalg.
//
// A row is what the first axes of all results index, usually one axis; a tile is a range of rows. For one row, operands
// are views and every value is either memory (a view, a buffer on the stack, the result) or a chain of pointwise
// operations that is written out where somebody needs it. All arithmetic on floats is f32; results are rounded when
// they are stored. LLVM vectorizes the loops that linalg becomes.
#include "targets/host/KernelBuilder.h"
#include "targets/host/MatmulEncoding.h"
#include "targets/host/ObjectCode.h"
#include "targets/host/RegionKernels.h"
#include "targets/host/RowOperations.h"
#include "targets/host/RowPlan.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::host;

namespace {

/// Emits the computation of one row.
class RowEmitter {
public:
  RowEmitter(KernelContext &context, const RowPlan &plan, func::FuncOp function, OpBuilder &builder)
      : context(context), plan(plan), function(function), k(builder, context.kernel.getLoc()), b(k.builder()),
        loc(k.loc()) {
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
    row.resize(plan.shape.size());
    for (size_t axis = row.size(); axis-- > 0; rowIndex = axis ? k.div(rowIndex, plan.shape[axis]) : Value())
      row[axis] = axis ? k.rem(rowIndex, plan.shape[axis]) : rowIndex;
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

  /// The part of `memref` that has `indices` as its first ones, as a view of lower rank.
  Value rowOf(Value memref, ArrayRef<Value> indices) {
    if (indices.empty())
      return memref;
    auto type = cast<MemRefType>(memref.getType());
    SmallVector<OpFoldResult> offsets(indices), sizes(indices.size(), b.getIndexAttr(1));
    for (int64_t size : type.getShape().drop_front(indices.size())) {
      offsets.push_back(b.getIndexAttr(0));
      sizes.push_back(b.getIndexAttr(size));
    }
    return view(memref, offsets, sizes, SmallVector<OpFoldResult>(type.getRank(), b.getIndexAttr(1)), indices.size());
  }
  Value rowOf(Value memref) { return rowOf(memref, row); }

  /// A subview without the first `dropped` axes, whose sizes are 1.
  Value view(Value memref, ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes, ArrayRef<OpFoldResult> strides,
             size_t dropped) {
    auto type = cast<MemRefType>(memref.getType());
    SmallVector<int64_t> shape;
    for (OpFoldResult size : sizes.drop_front(dropped))
      shape.push_back(*getConstantIntValue(size));
    auto reduced = memref::SubViewOp::inferRankReducedResultType(shape, type, offsets, sizes, strides);
    return memref::SubViewOp::create(b, loc, cast<MemRefType>(reduced), memref, offsets, sizes, strides);
  }

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

  /// The same with elements of the last axis that follow each other, as vectors are loaded.
  Value vectorsOf(Value value) {
    Value known = memoryOf(value);
    auto type = cast<MemRefType>(known.getType());
    if (type.getRank() == 0 || type.getStridesAndOffset().first.back() == 1)
      return known;
    return dense(known);
  }

  /// A copy of a view.
  Value dense(Value source) {
    auto type = cast<MemRefType>(source.getType());
    Value buffer = k.stack(type.getShape(), type.getElementType());
    copy(source, buffer);
    return buffer;
  }

  /// An operand that is not indexed by row: a weight, a table, a constant.
  Value whole(Value value) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      return arguments[argument.getArgNumber()];
    auto type = cast<RankedTensorType>(value.getType());
    Value buffer = k.stack(type.getShape(), storageElement(type.getElementType()));
    store(value, buffer);
    return buffer;
  }

  ArrayRef<int64_t> rowShape(Value value) {
    return cast<RankedTensorType>(value.getType()).getShape().drop_front(row.size());
  }

  Value stackFor(Value value) {
    Type element = getElementTypeOrSelf(value.getType());
    return k.stack(rowShape(value), isa<FloatType>(element) ? k.f32() : storageElement(element));
  }

  AffineMap axes(int64_t rank, int64_t first, int64_t count) { return loopAxes(b.getContext(), rank, first, count); }

  //===--- Pointwise chains -------------------------------------------------===//

  /// What a chain reads: memory of elements of `element`, and which of the result's axes index it.
  struct Leaf {
    Value memory;
    AffineMap map;
    Type element;
  };
  /// The leaf of a value. Operations are made in its order, so it must not depend on addresses.
  using LeafMap = llvm::MapVector<Value, unsigned>;

  /// Writes `value`, or its row, to `destination`.
  void store(Value value, Value destination) {
    if (auto concat = value.getDefiningOp<mj::ConcatOp>(); concat && !memory.count(value))
      return store(concat, destination);
    Type element = getElementTypeOrSelf(value.getType());
    Type stored = cast<MemRefType>(destination.getType()).getElementType();
    if (isInMemory(value)) {
      Value source = memoryOf(value);
      if (cast<MemRefType>(source.getType()).getElementType() == stored)
        return copy(source, destination);
    }
    ArrayRef<int64_t> shape = cast<MemRefType>(destination.getType()).getShape();
    int64_t rank = shape.size();
    SmallVector<Leaf> leaves;
    LeafMap leafOf;
    collectLeaves(value, rank, leaves, leafOf);
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (const Leaf &leaf : leaves) {
      inputs.push_back(leaf.memory);
      maps.push_back(leaf.map);
    }
    maps.push_back(axes(rank, 0, rank));
    SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
    linalg::GenericOp::create(b, loc, inputs, destination, maps, iterators,
                              [&](OpBuilder &inner, Location, ValueRange elements) {
                                llvm::DenseMap<Value, Value> scalars;
                                for (auto [leaf, index] : leafOf)
                                  scalars[leaf] = fromStorage(inner, loc, elements[index], leaves[index].element);
                                Value result = evaluate(inner, value, scalars);
                                linalg::YieldOp::create(inner, loc, toStorage(inner, loc, result, element, stored));
                              });
  }

  /// Writes each part of a concatenation to its place.
  void store(mj::ConcatOp concat, Value destination) {
    auto type = cast<MemRefType>(destination.getType());
    int64_t axis = int64_t(concat.getAxis()) - int64_t(row.size()), first = 0;
    for (Value source : concat.getSources()) {
      int64_t size = cast<RankedTensorType>(source.getType()).getDimSize(concat.getAxis());
      if (axis < 0) {
        // Of this row's place in the result: one source has it.
        Value index = k.sub(row[concat.getAxis()], first);
        Value isInside = b.createOrFold<arith::AndIOp>(loc, k.compare(arith::CmpIPredicate::sge, index, k.index(0)),
                                                       k.compare(arith::CmpIPredicate::slt, index, k.index(size)));
        k.ifThen(isInside, [&] {
          if (isConstant(source))
            return store(source, destination);
          SmallVector<Value> at(row);
          at[concat.getAxis()] = index;
          copy(rowOf(whole(source), at), destination, getElementTypeOrSelf(source.getType()));
        });
      } else {
        SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)), sizes,
            strides(type.getRank(), b.getIndexAttr(1));
        for (int64_t extent : type.getShape())
          sizes.push_back(b.getIndexAttr(extent));
        offsets[axis] = b.getIndexAttr(first);
        sizes[axis] = b.getIndexAttr(size);
        store(source, memref::SubViewOp::create(b, loc, destination, offsets, sizes, strides));
      }
      first += size;
    }
  }

  /// Copies memory, elements of a tensor of `element` in another width if need be.
  void copy(Value source, Value destination, Type element = Type()) {
    auto type = cast<MemRefType>(destination.getType());
    int64_t rank = type.getRank();
    auto identity = axes(rank, 0, rank);
    linalg::GenericOp::create(b, loc, source, destination, ArrayRef{identity, identity},
                              SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
                              [&](OpBuilder &inner, Location, ValueRange elements) {
                                Value value = elements.front();
                                if (value.getType() != type.getElementType())
                                  value = toStorage(inner, loc, fromStorage(inner, loc, value, element), element,
                                                    type.getElementType());
                                linalg::YieldOp::create(inner, loc, value);
                              });
  }

  /// Whether `value` is computed where it is needed.
  bool isLazy(Value value) {
    return value.getDefiningOp() && mj::isPointwise(value.getDefiningOp()) && !memory.count(value);
  }
  static bool isConstant(Value value) { return value.getDefiningOp() && isa<arith::ConstantOp>(value.getDefiningOp()); }
  bool isInMemory(Value value) { return !isLazy(value) && !isConstant(value); }

  void collectLeaves(Value value, int64_t rank, SmallVector<Leaf> &leaves, LeafMap &leafOf) {
    if (leafOf.count(value) || isConstant(value))
      return;
    if (isLazy(value)) {
      if (auto broadcast = value.getDefiningOp<mj::BroadcastOp>())
        return collectBroadcast(broadcast, rank, leaves, leafOf);
      for (Value operand : value.getDefiningOp()->getOperands())
        collectLeaves(operand, rank, leaves, leafOf);
      return;
    }
    leafOf[value] = leaves.size();
    leaves.push_back({memoryOf(value), axes(rank, 0, rank), getElementTypeOrSelf(value.getType())});
  }

  /// The source of a broadcast is indexed by the result's last axes, where it has more than one element.
  void collectBroadcast(mj::BroadcastOp broadcast, int64_t rank, SmallVector<Leaf> &leaves, LeafMap &leafOf) {
    Value source = broadcast.getSource();
    auto type = cast<RankedTensorType>(source.getType());
    if (isConstant(source))
      return;
    if (type == broadcast.getType())
      return collectLeaves(source, rank, leaves, leafOf);
    Value data;
    if (auto argument = dyn_cast<BlockArgument>(source)) {
      // The first axes that the source has of the row's.
      SmallVector<Value> indices;
      int64_t missing = broadcast.getType().getRank() - type.getRank();
      for (int64_t axis = missing; axis < int64_t(row.size()); ++axis)
        indices.push_back(type.getDimSize(axis - missing) == 1 ? k.index(0) : row[axis]);
      data = rowOf(arguments[argument.getArgNumber()], indices);
    } else {
      data = memoryOf(source);
    }
    ArrayRef<int64_t> shape = cast<MemRefType>(data.getType()).getShape();
    SmallVector<AffineExpr> exprs;
    for (auto [axis, size] : llvm::enumerate(shape))
      exprs.push_back(size == 1 ? b.getAffineConstantExpr(0) : b.getAffineDimExpr(rank - shape.size() + axis));
    leafOf[broadcast.getResult()] = leaves.size();
    leaves.push_back({data, AffineMap::get(rank, 0, exprs, b.getContext()), type.getElementType()});
  }

  /// The element of `value`, floats as f32, from those of the leaves.
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
      if (plan.isStored(op))
        memoryOf(op->getResult(0));
      return success();
    }
    return llvm::TypeSwitch<Operation *, LogicalResult>(op)
        .Case<mj::NormOp, mj::SoftmaxOp, mj::ReduceOp, mj::RopeOp, mj::GatherOp, mj::ReshapeOp, mj::SliceOp,
              mj::TransposeOp, mj::ConcatOp, mj::KvAppendOp>([&](auto known) { return emitOp(known); })
        .Default([&](Operation *) {
          return context.kernel.emitOpError("holds '")
                 << op->getName() << "', which schedule " << kRowsSchedule << " does not know";
        });
  }

  /// A buffer for the result of `op`, as what is known of it from here on.
  Value bufferFor(Operation *op) { return memory[op->getResult(0)] = stackFor(op->getResult(0)); }

  LogicalResult emitOp(mj::NormOp norm) {
    Value x = vectorsOf(norm.getX());
    Value weight = norm.getWeight() ? whole(norm.getWeight()) : Value();
    Value bias = norm.getBias() ? whole(norm.getBias()) : Value();
    emitNorm(k, norm, x, weight, bias, bufferFor(norm));
    return success();
  }

  LogicalResult emitOp(mj::SoftmaxOp softmax) {
    Value x = vectorsOf(softmax.getX());
    emitSoftmax(k, x, bufferFor(softmax));
    return success();
  }

  LogicalResult emitOp(mj::ReduceOp reduce) {
    Value x = vectorsOf(reduce.getX());
    SmallVector<int64_t> inner;
    for (int64_t axis : reduce.getAxes())
      inner.push_back(axis - row.size());
    emitReduce(k, reduce.getKind(), inner, x, bufferFor(reduce));
    return success();
  }

  LogicalResult emitOp(mj::RopeOp rope) {
    Value x = memoryOf(rope.getX());
    Value position =
        rope.getPositions() ? k.toIndex(k.load(memoryOf(rope.getPositions()), ValueRange())) : row.front();
    Value angles = rowOf(whole(rope.getTable()), position);
    emitRope(k, rope.getPairs(), x, angles, bufferFor(rope));
    return success();
  }

  LogicalResult emitOp(mj::GatherOp gather) {
    Value index = k.toIndex(k.load(memoryOf(gather.getIndices()), ValueRange()));
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
    // To one line, then to the new shape.
    auto type = cast<MemRefType>(source.getType());
    ArrayRef<int64_t> shape = rowShape(reshape.getResult());
    if (type.getRank() != 1) {
      ReassociationIndices all = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
      SmallVector<ReassociationIndices> groups(type.getRank() ? 1 : 0, all);
      if (!memref::CollapseShapeOp::isGuaranteedCollapsible(type, groups))
        source = dense(source);
      source = type.getRank() ? memref::CollapseShapeOp::create(b, loc, source, groups).getResult()
                              : memref::ExpandShapeOp::create(b, loc, ArrayRef<int64_t>{1}, source, groups).getResult();
    }
    if (shape.size() != 1) {
      ReassociationIndices all = llvm::to_vector(llvm::seq<int64_t>(0, shape.size()));
      SmallVector<ReassociationIndices> groups(shape.empty() ? 0 : 1, all);
      source = shape.empty() ? memref::CollapseShapeOp::create(b, loc, source, groups).getResult()
                             : memref::ExpandShapeOp::create(b, loc, shape, source, groups).getResult();
    }
    memory[reshape.getResult()] = source;
    return success();
  }

  /// Elements of a constant are all the same, whichever `op` takes.
  LogicalResult emitConstant(Operation *op) {
    store(op->getOperand(0), bufferFor(op));
    return success();
  }

  LogicalResult emitOp(mj::SliceOp slice) {
    if (isConstant(slice.getSource()))
      return emitConstant(slice);
    // Of an argument any row can be read; what the region computes has this row only, which is taken whole.
    auto argument = dyn_cast<BlockArgument>(slice.getSource());
    Value source = argument ? arguments[argument.getArgNumber()] : memoryOf(slice.getSource());
    size_t dropped = argument ? row.size() : 0;
    SmallVector<OpFoldResult> offsets, sizes, strides;
    for (int64_t axis = argument ? 0 : row.size(); axis < slice.getType().getRank(); ++axis) {
      int64_t offset = slice.getOffsets()[axis], stride = slice.getStrides()[axis];
      bool isOfRow = axis < int64_t(row.size());
      offsets.push_back(isOfRow ? OpFoldResult(k.add(k.mul(row[axis], stride), offset)) : b.getIndexAttr(offset));
      sizes.push_back(b.getIndexAttr(isOfRow ? 1 : slice.getType().getDimSize(axis)));
      strides.push_back(b.getIndexAttr(isOfRow ? 1 : stride));
    }
    memory[slice.getResult()] = view(source, offsets, sizes, strides, dropped);
    return success();
  }

  LogicalResult emitOp(mj::TransposeOp transpose) {
    if (isConstant(transpose.getSource()))
      return emitConstant(transpose);
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    auto argument = dyn_cast<BlockArgument>(transpose.getSource());
    Value source = argument ? arguments[argument.getArgNumber()] : memoryOf(transpose.getSource());
    size_t first = argument ? 0 : row.size();
    // Axes of the source that this row fixes go away, the others keep their order.
    auto type = cast<MemRefType>(source.getType());
    SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)), sizes,
        strides(type.getRank(), b.getIndexAttr(1));
    for (int64_t size : type.getShape())
      sizes.push_back(b.getIndexAttr(size));
    SmallVector<int64_t> left = llvm::to_vector(llvm::seq<int64_t>(first, permutation.size()));
    if (argument)
      for (auto [index, axis] : llvm::zip(row, permutation)) {
        offsets[axis] = index;
        sizes[axis] = b.getIndexAttr(1);
        llvm::erase(left, axis);
      }
    SmallVector<int64_t> shape;
    for (int64_t axis : left)
      shape.push_back(type.getDimSize(axis - first));
    if (argument) {
      auto reduced = memref::SubViewOp::inferRankReducedResultType(shape, type, offsets, sizes, strides);
      source = memref::SubViewOp::create(b, loc, cast<MemRefType>(reduced), source, offsets, sizes, strides);
    }
    SmallVector<AffineExpr> order;
    for (int64_t axis : permutation.drop_front(row.size()))
      order.push_back(b.getAffineDimExpr(llvm::find(left, axis) - left.begin()));
    auto map = AffineMap::get(left.size(), 0, order, b.getContext());
    if (!map.isIdentity())
      source = memref::TransposeOp::create(b, loc, source, AffineMapAttr::get(map));
    memory[transpose.getResult()] = source;
    return success();
  }

  /// Parts are written where the whole is needed; where several need it, to a buffer.
  LogicalResult emitOp(mj::ConcatOp concat) {
    if (!concat->hasOneUse() || !concat->user_begin()->hasTrait<OpTrait::IsTerminator>())
      memoryOf(concat.getResult());
    return success();
  }

  LogicalResult emitOp(mj::KvAppendOp append) {
    // What is stored comes to memory outside of the condition: other operations may read it.
    memoryOf(append.getKey());
    memoryOf(append.getValue());
    mj::KvType kv = append.getKv().getType();
    int64_t pageSize = context.pool.getPageSize(), heads = kv.getHeads(), size = kv.getHeadDim();
    Value slot = k.toIndex(k.load(slots, row));
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
        storeToCache(value, append.getScales(), which, destination);
      }
    });
    return success();
  }

  /// Writes keys (0) or values (1), [heads, head dim], each head divided by its number of `scales` where there are any.
  void storeToCache(Value value, Value scales, int64_t which, Value destination) {
    Type stored = cast<MemRefType>(destination.getType()).getElementType();
    bool isF8 = isa<Float8E4M3FNType>(stored);
    if (!scales && !isF8)
      return store(value, destination);
    SmallVector<Value> inputs{memoryOf(value)};
    SmallVector<AffineMap> maps{axes(2, 0, 2)};
    if (scales) {
      inputs.push_back(rowOf(whole(scales), k.index(which)));
      maps.push_back(axes(2, 0, 1));
    }
    maps.push_back(axes(2, 0, 2));
    linalg::GenericOp::create(b, loc, inputs, destination, maps,
                              SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
                              [&](OpBuilder &inner, Location, ValueRange elements) {
                                Value result = widen(inner, loc, elements[0]);
                                if (scales)
                                  result = arith::DivFOp::create(inner, loc, result, elements[1]);
                                if (isF8)
                                  result = KernelBuilder(inner, loc).saturateToF8(result);
                                linalg::YieldOp::create(inner, loc, narrow(inner, loc, result, stored));
                              });
  }

  KernelContext &context;
  const RowPlan &plan;
  func::FuncOp function;
  KernelBuilder k;
  OpBuilder &b;
  Location loc;
  SmallVector<Value> row; ///< indices of the row
  Value pool, slots;
  llvm::DenseMap<unsigned, Value> arguments, results;
  llvm::DenseMap<Value, Value> memory;
};

} // namespace

int64_t host::countRowTiles(Block &body) { return std::min<int64_t>(RowPlan(body).countRows(), 32); }

LogicalResult host::emitRows(KernelContext &context) {
  func::FuncOp function = context.createFunction();
  function->setAttr(kOptimizeAttr, UnitAttr::get(function.getContext()));
  OpBuilder builder = OpBuilder::atBlockEnd(&function.getBody().front());
  KernelBuilder k(builder, context.kernel.getLoc());
  RowPlan plan(context.body());
  int64_t rows = plan.countRows(), rowsPerTile = llvm::divideCeil(rows, context.kernel.getTiles());
  Value tile = function.getArguments().back();
  Value first = k.mul(tile, rowsPerTile);
  Value last = k.min(k.add(first, rowsPerTile), k.index(rows));
  LogicalResult result = success();
  k.loop(first, last, 1, [&](Value row) { result = RowEmitter(context, plan, function, k.builder()).emit(row); });
  k.done();
  return result;
}
