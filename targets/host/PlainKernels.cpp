// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Matmul and attention as their definitions say, for the oracle: nothing is packed, tiled or fused, every sum is f32.
#include "targets/host/KernelBuilder.h"
#include "targets/host/ObjectCode.h"
#include "targets/host/RegionKernels.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::host;

static constexpr int64_t kColumnsPerTile = 16;
/// Elements of a head whose sums over the positions are made side by side.
static constexpr int64_t kValueLanes = 32;

int64_t host::countPlainMatmulTiles(Block &body) {
  auto matmul = *body.getOps<mj::MatmulOp>().begin();
  return llvm::divideCeil(cast<RankedTensorType>(matmul.getResult().getType()).getDimSize(1), kColumnsPerTile);
}

/// `lanes` f32 elements of `memref` from `indices` on.
static Value loadWide(KernelBuilder &k, Value memref, ValueRange indices, int64_t lanes) {
  return k.toF32(lanes == 1 ? k.load(memref, indices) : k.load(memref, indices, lanes));
}

LogicalResult host::emitPlainMatmul(KernelContext &context) {
  auto matmul = *context.body().getOps<mj::MatmulOp>().begin();
  if (llvm::range_size(context.body().without_terminator()) != 1)
    return context.kernel.emitOpError("holds more than a matmul; schedule ")
           << kPlainMatmulSchedule << " has no epilogue";
  func::FuncOp function = context.createFunction();
  function->setAttr(kOptimizeAttr, UnitAttr::get(function.getContext()));
  OpBuilder builder = OpBuilder::atBlockEnd(&function.getBody().front());
  KernelBuilder k(builder, context.kernel.getLoc());
  Value x = function.getArgument(context.find(matmul.getX()));
  Value weight = function.getArgument(context.find(matmul.getWeight()));
  Value y = function.getArgument(context.find(exec::KernelOperand::result)), weightScale;
  if (Value scale = matmul.getWeightScale())
    weightScale = function.getArgument(context.find(scale));
  auto shape = cast<MemRefType>(x.getType()).getShape();
  int64_t n = cast<MemRefType>(y.getType()).getDimSize(1);
  bool transposed = matmul.getTransposeB();

  Value first = k.mul(function.getArguments().back(), kColumnsPerTile);
  Value last = k.min(k.add(first, kColumnsPerTile), k.index(n));
  k.loop(k.index(0), k.index(shape[0]), 1, [&](Value row) {
    k.loop(first, last, 1, [&](Value column) {
      Value sum;
      if (transposed) {
        sum = sumInOrder(k, shape[1], [&](Value sums, Value inner, int64_t lanes) {
          return multiplyAdd(k, loadWide(k, x, {row, inner}, lanes), loadWide(k, weight, {column, inner}, lanes), sums);
        });
      } else {
        sum = k.loop(k.index(0), k.index(shape[1]), 1, k.constant(k.f32(), 0.0), [&](Value inner, ValueRange sums) {
                 Value a = k.toF32(k.load(x, {row, inner})), b = k.toF32(k.load(weight, {inner, column}));
                 return KernelBuilder::Values{multiplyAdd(k, a, b, sums.front())};
               }).front();
      }
      if (weightScale)
        sum = k.mul(sum,
                    k.load(weightScale, {matmul.getWeightScale().getType().getDimSize(0) == 1 ? k.index(0) : column}));
      if (auto scale = matmul.getXScale())
        sum = k.mul(sum, k.constant(k.f32(), double(scale->convertToFloat())));
      Type stored = cast<MemRefType>(y.getType()).getElementType();
      k.store(narrow(k.builder(), k.loc(), sum, stored), y, ValueRange{row, column});
    });
  });
  k.done();
  return success();
}

namespace {
/// Attention of one row: where its keys and values are.
struct PlainAttention {
  KernelContext &context;
  mj::AttentionOp attention;
  KernelBuilder &k;
  Value query, pool, offsets, lengths, tables, out;
  Value scales; ///< null, or the keys' and the values' scale of each KV head
  int64_t heads, kvHeads, size, pageSize, sequences;

  /// The sequence that owns `row`, or -1.
  Value findSequence(Value row) {
    return k
        .loop(k.index(0), k.index(sequences), 1, ValueRange{k.index(-1)},
              [&](Value sequence, ValueRange found) -> KernelBuilder::Values {
                Value begin = k.toIndex(k.load(offsets, ValueRange{sequence}));
                Value end = k.toIndex(k.load(offsets, ValueRange{k.add(sequence, 1)}));
                Value isOwner =
                    arith::AndIOp::create(k.builder(), k.loc(), k.compare(arith::CmpIPredicate::sge, row, begin),
                                          k.compare(arith::CmpIPredicate::slt, row, end));
                return {k.select(isOwner, sequence, found.front())};
              })
        .front();
  }

  /// Where the keys (0) or values (1) of `head` at `position` start in the pool.
  Value findVector(Value sequence, Value head, Value position, int64_t which) {
    Value page = k.toIndex(k.load(tables, ValueRange{sequence, k.div(position, pageSize)}));
    Value inPage = k.mul(k.add(k.mul(k.add(head, which * kvHeads), pageSize), k.rem(position, pageSize)), size);
    return k.add(k.mul(page, context.pageStride()), inPage);
  }

  /// `value` times the scale of the keys (0) or values (1) of `kvHead`.
  Value scaled(Value value, int64_t which, Value kvHead) {
    if (!scales)
      return value;
    Value scale = k.load(scales, {k.index(which), kvHead});
    auto vector = dyn_cast<VectorType>(value.getType());
    return k.mul(value, vector ? k.splat(scale, vector.getNumElements()) : scale);
  }

  void emitHead(Value row, Value head, Value sequence, Value begin, Value end, Value scores) {
    Value kvHead = k.div(head, heads / kvHeads);
    Value scale = k.constant(k.f32(), double(attention.getScale().convertToFloat()));
    Value largest = k.loop(begin, end, 1, ValueRange{k.negativeInfinity(k.f32())},
                           [&](Value position, ValueRange so_far) -> KernelBuilder::Values {
                             Value start = findVector(sequence, kvHead, position, 0);
                             Value dot = sumInOrder(k, size, [&](Value sums, Value i, int64_t lanes) {
                               return multiplyAdd(k, loadWide(k, query, {row, head, i}, lanes),
                                                  loadWide(k, pool, k.add(start, i), lanes), sums);
                             });
                             Value score = k.mul(scaled(dot, 0, kvHead), scale);
                             k.store(score, scores, ValueRange{position});
                             return {k.max(so_far.front(), score)};
                           })
                        .front();
    Value sum = k.loop(begin, end, 1, ValueRange{k.constant(k.f32(), 0.0)},
                       [&](Value position, ValueRange so_far) -> KernelBuilder::Values {
                         Value shifted = k.sub(k.load(scores, ValueRange{position}), largest);
                         Value weight = math::ExpOp::create(k.builder(), k.loc(), shifted);
                         k.store(weight, scores, ValueRange{position});
                         return {k.add(so_far.front(), weight)};
                       })
                    .front();
    for (int64_t i = 0; i < size; i += kValueLanes)
      emitValues(row, head, sequence, begin, end, scores, sum, i, std::min(kValueLanes, size - i));
  }

  /// Elements `first` to `first + lanes` of the row's result: the weighted sum of the values, position by position.
  void emitValues(Value row, Value head, Value sequence, Value begin, Value end, Value scores, Value sum, int64_t first,
                  int64_t lanes) {
    Value kvHead = k.div(head, heads / kvHeads);
    Value total = k.loop(begin, end, 1, k.constant(k.vec(k.f32(), lanes), 0.0), [&](Value position, ValueRange so_far) {
                     Value start = k.add(findVector(sequence, kvHead, position, 1), first);
                     Value value = k.toF32(k.load(pool, start, lanes));
                     Value weight = k.splat(k.load(scores, position), lanes);
                     return KernelBuilder::Values{multiplyAdd(k, weight, value, so_far.front())};
                   }).front();
    Type stored = cast<MemRefType>(out.getType()).getElementType();
    Value mean = scaled(k.divf(total, k.splat(sum, lanes)), 1, kvHead);
    k.storeVector(narrow(k.builder(), k.loc(), mean, stored), out, {row, head, k.index(first)});
  }

  void emitRow(Value row, Value scores) {
    Value sequence = findSequence(row);
    Value isUsed = k.compare(arith::CmpIPredicate::sge, sequence, k.index(0));
    k.ifThen(
        isUsed,
        [&] {
          Value begin = k.toIndex(k.load(offsets, ValueRange{sequence}));
          Value end = k.toIndex(k.load(offsets, ValueRange{k.add(sequence, 1)}));
          Value length = k.toIndex(k.load(lengths, ValueRange{sequence}));
          // Position p of the row: the last row of the sequence is at length - 1.
          Value stop = k.add(k.sub(length, k.sub(end, begin)), k.add(k.sub(row, begin), 1));
          Value start = k.index(0);
          if (auto window = attention.getWindow())
            start = k.max(start, k.sub(stop, *window));
          k.loop(k.index(0), k.index(heads), 1,
                 [&](Value head) { emitHead(row, head, sequence, start, stop, scores); });
        },
        [&] {
          Type stored = cast<MemRefType>(out.getType()).getElementType();
          Value zero = narrow(k.builder(), k.loc(), k.constant(k.f32(), 0.0), stored);
          k.loop(k.index(0), k.index(heads), 1, [&](Value head) {
            k.loop(k.index(0), k.index(size), 1, [&](Value i) { k.store(zero, out, ValueRange{row, head, i}); });
          });
        });
  }
};
} // namespace

LogicalResult host::emitPlainAttention(KernelContext &context) {
  auto attention = *context.body().getOps<mj::AttentionOp>().begin();
  func::FuncOp function = context.createFunction();
  function->setAttr(kOptimizeAttr, UnitAttr::get(function.getContext()));
  OpBuilder builder = OpBuilder::atBlockEnd(&function.getBody().front());
  KernelBuilder k(builder, context.kernel.getLoc());
  using Operand = exec::KernelOperand;
  mj::KvType kv = attention.getKv().getType();
  mj::BatchType batch = attention.getBatch().getType();
  PlainAttention emitter{context,
                         attention,
                         k,
                         function.getArgument(context.find(attention.getQuery())),
                         function.getArgument(context.find(Operand::pool)),
                         function.getArgument(context.find(Operand::batch, mj::BatchField::sequence_offsets)),
                         function.getArgument(context.find(Operand::batch, mj::BatchField::context_lengths)),
                         function.getArgument(context.find(Operand::batch, mj::BatchField::block_tables)),
                         function.getArgument(context.find(Operand::result)),
                         attention.getScales() ? function.getArgument(context.find(attention.getScales())) : Value(),
                         cast<RankedTensorType>(attention.getQuery().getType()).getDimSize(1),
                         kv.getHeads(),
                         kv.getHeadDim(),
                         int64_t(context.pool.getPageSize()),
                         batch.getSequences()};
  // Softmax weights of the longest context; 40 thousand tokens are 160 KiB of stack.
  Value scores = k.stack({batch.getPages() * emitter.pageSize}, k.f32());
  emitter.emitRow(function.getArguments().back(), scores);
  k.done();
  return success();
}
