// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Schedules host.tensor and host.plain_tensor: batch matmuls and reductions over the leading axis; sdpa has a file of
// its own.
#include "targets/host/TensorKernels.h"

#include "targets/host/ObjectCode.h"
#include "targets/host/RowOperations.h"
#include "targets/host/RowPlan.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "mjolnir/Target/Target.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::host;
using mj::tensorOf;

//===----------------------------------------------------------------------===//
// Blocks on the stack
//===----------------------------------------------------------------------===//

int64_t host::panelRows(const HostTarget &target) {
  // Sums of two vectors a row, beside a panel's two and one element.
  int64_t registers = target.vectorRegisters == 16 ? 12 : 24;
  return std::max<int64_t>(1, registers / (2 * kLanes / target.vectorLanes));
}

KernelBuilder::Values host::multiplyPanel(KernelBuilder &k, Value left, Value row, Value panel, Value column,
                                          Value count, KernelBuilder::Values sums) {
  const int64_t rows = sums.size() / 2;
  return k.loop(k.index(0), count, 1, sums, [&](Value i, ValueRange carried) {
    KernelBuilder::Values next(carried);
    Value low = k.load(panel, {i, column}, kLanes), high = k.load(panel, {i, k.add(column, kLanes)}, kLanes);
    for (int64_t r = 0; r < rows; ++r) {
      Value element = k.splat(k.load(left, {k.add(row, r), i}), kLanes);
      next[2 * r] = multiplyAdd(k, element, low, next[2 * r]);
      next[2 * r + 1] = multiplyAdd(k, element, high, next[2 * r + 1]);
    }
    return next;
  });
}

void host::fillColumn(KernelBuilder &k, Value source, ArrayRef<Value> firsts, int64_t size, Value panel, Value column) {
  Value start = firsts.back();
  overPieces(k, size, [&](Value first, int64_t lanes) {
    Value piece = loadPiece(k, source, firsts.drop_back(), k.add(start, first), lanes);
    for (int64_t lane = 0; lane < lanes; ++lane)
      k.store(lanes == 1 ? piece : k.extract(piece, lane), panel, {k.add(first, lane), column});
  });
}

//===----------------------------------------------------------------------===//
// The region
//===----------------------------------------------------------------------===//

Operation *host::getTensorOperation(Block &body) {
  for (Operation &op : body.without_terminator()) {
    auto reduce = dyn_cast<mj::ReduceOp>(op);
    if (isa<mj::SdpaOp, mj::BatchMatmulOp>(op) || (reduce && reduce.getAxes().front() == 0))
      return &op;
  }
  return nullptr;
}

std::string host::whyNoTensorKernel(Operation *op, const HostTarget &target, bool plain) {
  for (Operation &other : op->getBlock()->without_terminator())
    if (&other != op && !isa<arith::ConstantOp>(other))
      return ("it holds '" + other.getName().getStringRef() + "', too; '" + op->getName().getStringRef() +
              "' is a region of its own")
          .str();
  int64_t bytes = 0;
  for (Value operand : op->getOperands()) {
    Type element = tensorOf(operand).getElementType();
    if (isa<Float8E4M3FNType>(element))
      return "its operands are f8E4M3FN; the host computes '" + op->getName().getStringRef().str() +
             "' in f32, bf16 and f16: dequantize them before";
    if (operand.getDefiningOp())
      bytes += denseBytes(tensorOf(operand));
  }
  if (auto sdpa = dyn_cast<mj::SdpaOp>(op))
    bytes += sdpaStackBytes(sdpa, target, plain);
  if (bytes > kStackLimit)
    return "it needs " + std::to_string(bytes) + " bytes of buffers for a tile; the host's kernels have " +
           std::to_string(kStackLimit);
  return "";
}

//===----------------------------------------------------------------------===//
// Batch matmul
//===----------------------------------------------------------------------===//

namespace {

/// Sizes of a batch matmul, its leading axes as one.
struct BatchMatmul {
  static constexpr int64_t kTileRows = 48, kDepth = 256;

  explicit BatchMatmul(mj::BatchMatmulOp op) : transposed(op.getTransposeB()) {
    ArrayRef<int64_t> a = tensorOf(op.getA()).getShape(), result = tensorOf(op.getResult()).getShape();
    batches = ShapedType::getNumElements(a.drop_back(2));
    m = a[a.size() - 2], depth = a.back(), n = result.back();
  }
  int64_t rowTiles() const { return llvm::divideCeil(m, kTileRows); }
  int64_t columnTiles() const { return llvm::divideCeil(n, kPanelColumns); }

  int64_t batches, m, n, depth;
  bool transposed;
};

} // namespace

/// `memref`, which is dense, with all but its last two axes as one.
static Value asMatrices(KernelBuilder &k, Value memref, int64_t batches) {
  auto type = cast<MemRefType>(memref.getType());
  int64_t rows = type.getDimSize(type.getRank() - 2), columns = type.getShape().back();
  OpBuilder &b = k.builder();
  SmallVector<int64_t> sizes{batches, rows, columns}, strides{rows * columns, columns, 1};
  auto shaped = MemRefType::get(sizes, type.getElementType(), StridedLayoutAttr::get(b.getContext(), 0, strides));
  return memref::ReinterpretCastOp::create(b, k.loc(), shaped, memref, /*offset=*/0, sizes, strides);
}

/// A tile is a block of rows and columns of one product. Blocks of both factors are widened to the stack, `b` as a
/// panel whose rows are those of the contracted axis.
static void emitBatchMatmul(KernelBuilder &k, mj::BatchMatmulOp op, ValueRange buffers, Value tile,
                            const HostTarget &target) {
  BatchMatmul sizes(op);
  constexpr int64_t kRows = BatchMatmul::kTileRows, kDepth = BatchMatmul::kDepth;
  Value a = asMatrices(k, buffers[0], sizes.batches), b = asMatrices(k, buffers[1], sizes.batches);
  Value y = asMatrices(k, buffers[2], sizes.batches);
  int64_t perBatch = sizes.rowTiles() * sizes.columnTiles();
  Value batch = k.div(tile, perBatch), inBatch = k.rem(tile, perBatch);
  Value firstRow = k.mul(k.div(inBatch, sizes.columnTiles()), kRows);
  Value firstColumn = k.mul(k.rem(inBatch, sizes.columnTiles()), kPanelColumns);
  Value rows = k.min(k.index(kRows), k.sub(k.index(sizes.m), firstRow));
  Value columns = k.min(k.index(kPanelColumns), k.sub(k.index(sizes.n), firstColumn));

  const int64_t blockRows = std::min(panelRows(target), sizes.m);
  const int64_t depth = std::min(kDepth, sizes.depth);
  const int64_t stackRows = llvm::alignTo(kRows, blockRows);
  Value left = k.stack({stackRows, depth}, k.f32());
  Value panel = k.stack({depth, kPanelColumns}, k.f32());
  Value sums = k.stack({stackRows, kPanelColumns}, k.f32());
  Value zeros = k.constant(k.vec(k.f32(), kLanes), 0.0);
  // The rows behind the last repeat it, the columns behind the last are zeros; neither is stored.
  Value padded = k.mul(k.div(k.add(rows, blockRows - 1), blockRows), blockRows);
  auto overColumns = [&](llvm::function_ref<void(Value)> body) {
    k.loop(k.index(0), k.index(kPanelColumns), kLanes, body);
  };
  k.loop(k.index(0), padded, 1,
         [&](Value row) { overColumns([&](Value column) { k.storeVector(zeros, sums, {row, column}); }); });
  k.loop(k.index(0), k.index(depth), 1,
         [&](Value i) { overColumns([&](Value column) { k.storeVector(zeros, panel, {i, column}); }); });

  auto multiply = [&](Value start, int64_t size) {
    k.loop(k.index(0), padded, 1, [&](Value row) {
      Value source = k.add(firstRow, k.min(row, k.sub(rows, 1)));
      overPieces(k, size, [&](Value first, int64_t lanes) {
        storePiece(k, loadPiece(k, a, {batch, source}, k.add(start, first), lanes), left, {row}, first);
      });
    });
    if (sizes.transposed) {
      k.loop(k.index(0), columns, 1,
             [&](Value column) { fillColumn(k, b, {batch, k.add(firstColumn, column), start}, size, panel, column); });
    } else {
      k.loop(k.index(0), k.index(size), 1, [&](Value i) {
        auto fill = [&](Value from, Value to, int64_t lanes) {
          k.loop(from, to, lanes, [&](Value column) {
            Value piece = loadPiece(k, b, {batch, k.add(start, i)}, k.add(firstColumn, column), lanes);
            storePiece(k, piece, panel, {i}, column);
          });
        };
        Value whole = k.mul(k.div(columns, kLanes), kLanes);
        fill(k.index(0), whole, kLanes);
        fill(whole, columns, 1);
      });
    }
    k.loop(k.index(0), padded, blockRows, [&](Value row) {
      KernelBuilder::Values block;
      for (int64_t r = 0; r < blockRows; ++r)
        for (int64_t c = 0; c < kPanelColumns; c += kLanes)
          block.push_back(k.load(sums, {k.add(row, r), k.index(c)}, kLanes));
      block = multiplyPanel(k, left, row, panel, k.index(0), k.index(size), block);
      for (int64_t r = 0; r < blockRows; ++r)
        for (int64_t c = 0; c < 2; ++c)
          k.storeVector(block[2 * r + c], sums, {k.add(row, r), k.index(c * kLanes)});
    });
  };
  int64_t whole = sizes.depth / depth * depth;
  k.loop(k.index(0), k.index(whole), depth, [&](Value start) { multiply(start, depth); });
  if (whole < sizes.depth)
    multiply(k.index(whole), sizes.depth - whole);

  k.loop(k.index(0), rows, 1, [&](Value row) {
    Value whole = k.mul(k.div(columns, kLanes), kLanes);
    auto write = [&](Value from, Value to, int64_t lanes) {
      k.loop(from, to, lanes, [&](Value column) {
        storePiece(k, loadPiece(k, sums, {row}, column, lanes), y, {batch, k.add(firstRow, row)},
                   k.add(firstColumn, column));
      });
    };
    write(k.index(0), whole, kLanes);
    write(whole, columns, 1);
  });
}

/// A tile is a row of one product.
static void emitPlainBatchMatmul(KernelBuilder &k, mj::BatchMatmulOp op, ValueRange buffers, Value tile) {
  BatchMatmul sizes(op);
  Value a = asMatrices(k, buffers[0], sizes.batches), b = asMatrices(k, buffers[1], sizes.batches);
  Value y = asMatrices(k, buffers[2], sizes.batches);
  Value batch = k.div(tile, sizes.m), row = k.rem(tile, sizes.m);
  if (sizes.transposed) {
    k.loop(k.index(0), k.index(sizes.n), 1, [&](Value column) {
      Value sum = sumInOrder(k, sizes.depth, [&](Value sums, Value first, int64_t lanes) {
        return multiplyAdd(k, loadPiece(k, a, {batch, row}, first, lanes),
                           loadPiece(k, b, {batch, column}, first, lanes), sums);
      });
      storePiece(k, sum, y, {batch, row}, column);
    });
    return;
  }
  overPieces(k, sizes.n, [&](Value column, int64_t lanes) {
    Value zero = k.constant(lanes == 1 ? k.f32() : k.vec(k.f32(), lanes), 0.0);
    Value sum =
        k.loop(k.index(0), k.index(sizes.depth), 1, zero, [&](Value i, ValueRange carried) {
           Value element = loadPiece(k, a, {batch, row}, i, 1);
           return KernelBuilder::Values{multiplyAdd(k, lanes == 1 ? element : k.splat(element, lanes),
                                                    loadPiece(k, b, {batch, i}, column, lanes), carried.front())};
         }).front();
    storePiece(k, sum, y, {batch, row}, column);
  });
}

//===----------------------------------------------------------------------===//
// Reductions over the leading axis
//===----------------------------------------------------------------------===//

namespace {

/// A tile is a part of the longest axis that is kept.
struct LeadingReduction {
  explicit LeadingReduction(mj::ReduceOp reduce) {
    ArrayRef<int64_t> shape = tensorOf(reduce.getX()).getShape();
    for (int64_t i = 0, kept = 0; i < int64_t(shape.size()); ++i) {
      if (llvm::is_contained(reduce.getAxes(), i))
        continue;
      if (shape[i] > size || kept == 0)
        size = shape[i], axis = i, resultAxis = kept;
      ++kept;
    }
    part = llvm::divideCeil(size, 32);
    if (axis == int64_t(shape.size()) - 1)
      part = llvm::alignTo(part, kLanes);
  }
  int64_t tiles() const { return llvm::divideCeil(size, part); }

  int64_t axis = 0, resultAxis = 0, size = 0, part = 1;
};

} // namespace

static void emitLeadingReduction(KernelBuilder &k, mj::ReduceOp reduce, ValueRange buffers, Value tile) {
  LeadingReduction plan(reduce);
  auto partOf = [&](Value memref, int64_t axis, int64_t size) {
    OpBuilder &b = k.builder();
    auto type = cast<MemRefType>(memref.getType());
    SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)), sizes,
        strides(type.getRank(), b.getIndexAttr(1));
    for (int64_t extent : type.getShape())
      sizes.push_back(b.getIndexAttr(extent));
    offsets[axis] = k.mul(tile, plan.part);
    sizes[axis] = b.getIndexAttr(size);
    return memref::SubViewOp::create(b, k.loc(), memref, offsets, sizes, strides).getResult();
  };
  auto emit = [&](int64_t size) {
    emitReduce(k, reduce.getKind(), reduce.getAxes(), partOf(buffers[0], plan.axis, size),
               partOf(buffers[1], plan.resultAxis, size));
  };
  int64_t last = plan.size - (plan.tiles() - 1) * plan.part;
  if (last == plan.part)
    return emit(plan.part);
  k.ifThen(
      k.compare(arith::CmpIPredicate::slt, tile, k.index(plan.tiles() - 1)), [&] { emit(plan.part); },
      [&] { emit(last); });
}

//===----------------------------------------------------------------------===//
// The schedules
//===----------------------------------------------------------------------===//

int64_t host::countTensorTiles(Block &body, const HostTarget &target, bool plain) {
  Operation *op = getTensorOperation(body);
  if (auto sdpa = dyn_cast<mj::SdpaOp>(op))
    return sdpaTiles(sdpa, target, plain);
  if (auto reduce = dyn_cast<mj::ReduceOp>(op))
    return LeadingReduction(reduce).tiles();
  BatchMatmul sizes(cast<mj::BatchMatmulOp>(op));
  return sizes.batches * (plain ? sizes.m : sizes.rowTiles() * sizes.columnTiles());
}

/// The memory of `value`: an argument's, or for a constant a buffer that is filled with it.
static Value memoryOf(KernelContext &context, KernelBuilder &k, func::FuncOp function, Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    for (auto [index, operand] : llvm::enumerate(context.operands))
      if (operand.kind == exec::KernelOperand::tensor && operand.index == argument.getArgNumber())
        return function.getArgument(index);
    llvm_unreachable("a tensor argument is an operand of the kernel");
  }
  auto splat = cast<SplatElementsAttr>(value.getDefiningOp<arith::ConstantOp>().getValue());
  Type element = splat.getElementType(), stored = storageElement(element);
  Value buffer = k.stack(tensorOf(value).getShape(), stored);
  Value scalar = arith::ConstantOp::create(k.builder(), k.loc(), splat.getSplatValue<TypedAttr>());
  if (stored != element)
    scalar = toStorage(k.builder(), k.loc(), scalar, element, stored);
  overIndices(k, tensorOf(value).getShape(), [&](ArrayRef<Value> indices) { k.store(scalar, buffer, indices); });
  return buffer;
}

LogicalResult host::emitTensor(KernelContext &context, bool plain) {
  Operation *op = getTensorOperation(context.body());
  if (!op || op->getResult(0) != context.body().getTerminator()->getOperand(0))
    return context.kernel.emitOpError("has the schedule '")
           << context.kernel.getSchedule().getName().getValue() << "', but holds no operation that it knows";
  if (std::string reason = whyNoTensorKernel(op, context.target, plain); !reason.empty())
    return context.kernel.emitOpError() << reason;
  func::FuncOp function = context.createFunction();
  // What is made of vectors by hand goes to the code generator as it is.
  if (plain || isa<mj::ReduceOp>(op))
    function->setAttr(kOptimizeAttr, UnitAttr::get(function.getContext()));
  OpBuilder builder = OpBuilder::atBlockEnd(&function.getBody().front());
  KernelBuilder k(builder, context.kernel.getLoc());
  Value tile = function.getArguments().back(), result = function.getArgument(context.operands.size() - 1);
  auto bufferOf = [&](Value value) { return memoryOf(context, k, function, value); };

  if (auto sdpa = dyn_cast<mj::SdpaOp>(op)) {
    SdpaBuffers buffers;
    buffers.query = bufferOf(sdpa.getQuery());
    for (Value key : sdpa.getKeys())
      buffers.keys.push_back(bufferOf(key));
    for (Value value : sdpa.getValues())
      buffers.values.push_back(bufferOf(value));
    buffers.mask = sdpa.getMask() ? bufferOf(sdpa.getMask()) : Value();
    buffers.result = result;
    plain ? emitPlainSdpa(k, sdpa, buffers, tile) : emitSdpa(k, sdpa, buffers, tile, context.target);
  } else {
    SmallVector<Value> buffers;
    for (Value operand : op->getOperands())
      buffers.push_back(bufferOf(operand));
    buffers.push_back(result);
    if (auto reduce = dyn_cast<mj::ReduceOp>(op))
      emitLeadingReduction(k, reduce, buffers, tile);
    else if (plain)
      emitPlainBatchMatmul(k, cast<mj::BatchMatmulOp>(op), buffers, tile);
    else
      emitBatchMatmul(k, cast<mj::BatchMatmulOp>(op), buffers, tile, context.target);
  }
  k.done();
  return success();
}
