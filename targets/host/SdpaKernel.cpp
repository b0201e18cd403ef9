// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Attention over tensors: segments of keys and values one after the other, a mask, causality, windows, grouped heads.
#include "targets/host/RowOperations.h"
#include "targets/host/RowPlan.h"
#include "targets/host/TensorKernels.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::host;
using arith::CmpIPredicate;

namespace {

/// Sizes of an sdpa.
struct Sizes {
  explicit Sizes(mj::SdpaOp sdpa) {
    auto shapeOf = [](Value value) { return cast<RankedTensorType>(value.getType()).getShape(); };
    rows = shapeOf(sdpa.getQuery())[0], heads = shapeOf(sdpa.getQuery())[1], dim = shapeOf(sdpa.getQuery())[2];
    kvHeads = shapeOf(sdpa.getKeys().front())[1];
    columns = shapeOf(sdpa.getValues().front())[2];
    group = heads / kvHeads;
    for (Value key : sdpa.getKeys()) {
      segments.push_back(shapeOf(key)[0]);
      keys += segments.back();
    }
    if (Value mask = sdpa.getMask()) {
      maskElement = getElementTypeOrSelf(mask.getType());
      hasHeadMask = shapeOf(mask).size() == 3;
    }
    isCausal = sdpa.getCausal();
    // One that is longer than all keys hides nothing.
    if (auto size = sdpa.getWindow(); size && int64_t(*size) < keys)
      window = *size;
    scale = sdpa.getScale().convertToFloat();
  }

  int64_t rows, heads, kvHeads, group, dim, columns, keys = 0;
  SmallVector<int64_t> segments;
  Type maskElement; ///< null without a mask
  bool hasHeadMask = false, isCausal;
  int64_t window = 0; ///< 0 without one
  double scale;
};

/// How the rows of an sdpa are divided.
struct Schedule {
  Schedule(const Sizes &sizes, const HostTarget &target) {
    columns = llvm::alignTo(sizes.columns, kPanelColumns);
    tileRows = std::clamp<int64_t>(48 / sizes.group, 1, sizes.rows);
    for (;; tileRows = llvm::divideCeil(tileRows, 2)) {
      int64_t count = tileRows * sizes.group;
      block = llvm::divideCeil(count, llvm::divideCeil(count, panelRows(target)));
      queries = llvm::alignTo(count, block);
      bytes = 4 * (queries * (sizes.dim + columns + kLanes + 1) + kPanelColumns * (sizes.dim + columns + block + 1) +
                   2 * block);
      if (bytes <= kStackLimit / 2 || tileRows == 1)
        return;
    }
  }

  int64_t tileRows;
  int64_t queries; ///< query vectors of a tile, a multiple of `block`
  int64_t block;   ///< query vectors that are multiplied at a time
  int64_t columns; ///< of a value, padded
  int64_t bytes;
};

class SdpaEmitter {
public:
  SdpaEmitter(KernelBuilder &k, mj::SdpaOp sdpa, const SdpaBuffers &buffers, const HostTarget &target)
      : k(k), z(sdpa), s(z, target), buffers(buffers) {}

  void emit(Value tile) {
    queries = k.stack({s.queries, z.dim}, k.f32());
    sums = k.stack({s.queries, s.columns}, k.f32());
    maxima = k.stack({s.queries}, k.f32());
    masses = k.stack({s.queries, kLanes}, k.f32());
    keyPanel = k.stack({z.dim, kPanelColumns}, k.f32());
    valuePanel = k.stack({kPanelColumns, s.columns}, k.f32());
    weights = k.stack({s.block, kPanelColumns}, k.f32());
    rescale = k.stack({s.block}, k.f32());
    maskPiece = k.stack({kPanelColumns}, k.f32());

    // With causality later rows see more keys: the longest tiles go first.
    int64_t rowTiles = llvm::divideCeil(z.rows, s.tileRows);
    kvHead = k.rem(tile, z.kvHeads);
    firstRow = k.mul(k.sub(k.index(rowTiles - 1), k.div(tile, z.kvHeads)), s.tileRows);
    Value rows = k.min(k.index(s.tileRows), k.sub(k.index(z.rows), firstRow));
    count = k.mul(rows, z.group);
    // Whole blocks; the queries past `count` repeat the last and are not stored.
    padded = k.mul(k.div(k.add(count, s.block - 1), s.block), s.block);
    loadQueries();
    k.loop(k.index(0), k.index(kPanelColumns), 1, [&](Value j) {
      for (int64_t c = z.columns / kLanes * kLanes; c < s.columns; c += kLanes)
        k.storeVector(zeros(), valuePanel, {j, k.index(c)});
    });
    int64_t before = 0;
    for (auto [index, size] : llvm::enumerate(z.segments)) {
      Value begin = k.index(0), end = k.index(size);
      if (z.window) {
        // The first row sees the least keys at the end, and the most before.
        Value hidden = k.add(firstRow, z.keys - z.rows + 1 - z.window - before);
        begin = k.max(hidden, begin);
      }
      if (z.isCausal) {
        // The last row sees the keys up to keys - rows + row.
        Value visible = k.add(k.add(firstRow, rows), z.keys - z.rows - before);
        end = k.max(k.min(visible, end), k.index(0));
      }
      k.loop(begin, end, kPanelColumns, [&](Value first) { attend(index, before, first); });
      before += size;
    }
    storeRows();
  }

private:
  Value zeros() { return k.constant(k.vec(k.f32(), kLanes), 0.0); }

  /// Row and head of a query vector of the tile.
  std::pair<Value, Value> locate(Value query) {
    Value existing = k.min(query, k.sub(count, 1));
    return {k.add(firstRow, k.div(existing, z.group)), k.add(k.mul(kvHead, z.group), k.rem(existing, z.group))};
  }

  void loadQueries() {
    k.loop(k.index(0), padded, 1, [&](Value query) {
      auto [row, head] = locate(query);
      Value at[] = {row, head};
      overPieces(k, z.dim, [&](Value d, int64_t lanes) {
        storePiece(k, loadPiece(k, buffers.query, at, d, lanes), queries, {query}, d);
      });
      k.loop(k.index(0), k.index(s.columns), kLanes, [&](Value c) { k.storeVector(zeros(), sums, {query, c}); });
      k.store(k.negativeInfinity(k.f32()), maxima, {query});
      k.storeVector(zeros(), masses, {query, k.index(0)});
    });
  }

  /// Keys [first, first + 32) of a segment, which `before` others precede.
  void attend(size_t segment, int64_t before, Value first) {
    int64_t size = z.segments[segment];
    Value present = k.min(k.index(kPanelColumns), k.sub(k.index(size), first));
    k.loop(k.index(0), k.index(kPanelColumns), 1, [&](Value j) {
      // Past the end the last key stands for others, with a weight of 0.
      Value key = k.add(first, k.min(j, k.sub(present, 1)));
      fillColumn(k, buffers.keys[segment], {key, kvHead, k.index(0)}, z.dim, keyPanel, j);
      Value at[] = {key, kvHead};
      overPieces(k, z.columns, [&](Value c, int64_t lanes) {
        storePiece(k, loadPiece(k, buffers.values[segment], at, c, lanes), valuePanel, {j}, c);
      });
    });
    k.loop(k.index(0), padded, s.block, [&](Value query) {
      KernelBuilder::Values scores(2 * s.block, zeros());
      scores = multiplyPanel(k, queries, query, keyPanel, k.index(0), k.index(z.dim), scores);
      for (int64_t r = 0; r < s.block; ++r)
        for (int64_t c = 0; c < 2; ++c)
          k.storeVector(scores[2 * r + c], weights, {k.index(r), k.index(c * kLanes)});
      k.loop(k.index(0), k.index(s.block), 1,
             [&](Value r) { softmax(k.add(query, r), r, k.add(first, before), present); });
      addValues(query);
    });
  }

  /// The mask of one query for the block of keys from `key` on, in maskPiece: what is added to a score.
  void loadMask(Value row, Value head, Value key, Value present) {
    SmallVector<Value> at;
    if (z.hasHeadMask)
      at.push_back(head);
    at.push_back(row);
    auto addend = [&](Value loaded) -> Value {
      Value known = fromStorage(k.builder(), k.loc(), loaded, z.maskElement);
      if (!z.maskElement.isInteger(1))
        return known;
      Type type = isa<VectorType>(known.getType()) ? k.vec(k.f32(), kLanes) : k.f32();
      return k.select(known, k.constant(type, 0.0), k.negativeInfinity(type));
    };
    auto load = [&](Value from, Value to, int64_t lanes) {
      k.loop(from, to, lanes, [&](Value j) {
        SmallVector<Value> indices(at);
        indices.push_back(k.add(key, j));
        Value loaded = lanes == 1 ? k.load(buffers.mask, indices) : k.load(buffers.mask, indices, lanes);
        storePiece(k, addend(loaded), maskPiece, {}, j);
      });
    };
    Value whole = k.mul(k.div(present, kLanes), kLanes);
    load(k.index(0), whole, kLanes);
    load(whole, present, 1);
  }

  /// Scores of a query in row `r` of `weights` to softmax weights relative to the new maximum; the sum of its weights.
  /// `key` counts from the first segment on.
  void softmax(Value query, Value r, Value key, Value present) {
    auto [row, head] = locate(query);
    if (z.maskElement)
      loadMask(row, head, key, present);
    Value visible = present;
    if (z.isCausal)
      visible = k.min(present, k.sub(k.add(row, z.keys - z.rows + 1), key));
    Value limit = k.splat(k.fromIndex(k.i32(), visible), kLanes), start;
    if (z.window)
      start = k.splat(k.fromIndex(k.i32(), k.sub(k.add(row, z.keys - z.rows + 1 - z.window), key)), kLanes);
    Value score[2];
    for (int64_t c = 0; c < 2; ++c) {
      SmallVector<int32_t> lane;
      for (int32_t j = 0; j < kLanes; ++j)
        lane.push_back(c * kLanes + j);
      Value lanes = arith::ConstantOp::create(
          k.builder(), k.loc(), DenseElementsAttr::get(cast<VectorType>(k.vec(k.i32(), kLanes)), ArrayRef(lane)));
      Value column = k.index(c * kLanes);
      Value raw = k.load(weights, {r, column}, kLanes);
      raw = k.mul(raw, k.constant(raw.getType(), z.scale));
      if (z.maskElement)
        raw = k.add(raw, k.load(maskPiece, column, kLanes));
      Value nothing = k.negativeInfinity(raw.getType());
      score[c] = k.select(k.compare(CmpIPredicate::slt, lanes, limit), raw, nothing);
      if (z.window)
        score[c] = k.select(k.compare(CmpIPredicate::sge, lanes, start), score[c], nothing);
    }
    Value old = k.load(maxima, {query});
    Value largest = k.max(old, k.reduceMax(k.max(score[0], score[1])));
    // Where nothing was seen yet the shift is 0, and weights are 2^-infinity.
    Value isEmpty = k.compare(arith::CmpFPredicate::OEQ, largest, k.negativeInfinity(k.f32()));
    Value shift = k.select(isEmpty, k.constant(k.f32(), 0.0), largest);
    constexpr double log2e = 1.4426950408889634;
    auto power = [&](Value shifted) { return k.exp2(k.mul(shifted, k.constant(shifted.getType(), log2e))); };
    Value factor = power(k.sub(old, shift));
    Value mass = k.mul(k.load(masses, {query, k.index(0)}, kLanes), k.splat(factor, kLanes));
    for (int64_t c = 0; c < 2; ++c) {
      Value weight = power(k.sub(score[c], k.splat(shift, kLanes)));
      k.storeVector(weight, weights, {r, k.index(c * kLanes)});
      mass = k.add(mass, weight);
    }
    k.storeVector(mass, masses, {query, k.index(0)});
    k.store(largest, maxima, {query});
    k.store(factor, rescale, {r});
  }

  /// sums = sums * rescale + weights * values
  void addValues(Value query) {
    k.loop(k.index(0), k.index(s.columns), kPanelColumns, [&](Value column) {
      KernelBuilder::Values block;
      for (int64_t r = 0; r < s.block; ++r)
        for (int64_t c = 0; c < 2; ++c) {
          Value sum = k.load(sums, {k.add(query, r), k.add(column, c * kLanes)}, kLanes);
          block.push_back(k.mul(sum, k.splat(k.load(rescale, {k.index(r)}), kLanes)));
        }
      block = multiplyPanel(k, weights, k.index(0), valuePanel, column, k.index(kPanelColumns), block);
      for (int64_t r = 0; r < s.block; ++r)
        for (int64_t c = 0; c < 2; ++c)
          k.storeVector(block[2 * r + c], sums, {k.add(query, r), k.add(column, c * kLanes)});
    });
  }

  void storeRows() {
    k.loop(k.index(0), count, 1, [&](Value query) {
      auto [row, head] = locate(query);
      Value at[] = {row, head};
      Value lanes = k.load(masses, {query, k.index(0)}, kLanes);
      for (int64_t half = kLanes / 2; half > 0; half /= 2)
        lanes = k.add(k.slice(lanes, 0, half), k.slice(lanes, half, half));
      Value mass = k.extract(lanes, 0);
      // A row that sees nothing is 0 / 1.
      Value isEmpty = k.compare(arith::CmpFPredicate::OEQ, mass, k.constant(k.f32(), 0.0));
      Value divisor = k.select(isEmpty, k.constant(k.f32(), 1.0), mass);
      overPieces(k, z.columns, [&](Value c, int64_t width) {
        Value sum = loadPiece(k, sums, {query}, c, width);
        storePiece(k, k.divf(sum, width == 1 ? divisor : k.splat(divisor, width)), buffers.result, at, c);
      });
    });
  }

  KernelBuilder &k;
  Sizes z;
  Schedule s;
  const SdpaBuffers &buffers;
  Value queries, sums, maxima, masses, keyPanel, valuePanel, weights, rescale, maskPiece;
  Value kvHead, firstRow, count, padded;
};

} // namespace

int64_t host::sdpaTiles(mj::SdpaOp sdpa, const HostTarget &target, bool plain) {
  Sizes sizes(sdpa);
  return plain ? sizes.rows : llvm::divideCeil(sizes.rows, Schedule(sizes, target).tileRows) * sizes.kvHeads;
}

int64_t host::sdpaStackBytes(mj::SdpaOp sdpa, const HostTarget &target, bool plain) {
  Sizes sizes(sdpa);
  return plain ? sizes.keys * 4 : Schedule(sizes, target).bytes;
}

void host::emitSdpa(KernelBuilder &k, mj::SdpaOp sdpa, const SdpaBuffers &buffers, Value tile,
                    const HostTarget &target) {
  SdpaEmitter(k, sdpa, buffers, target).emit(tile);
}

void host::emitPlainSdpa(KernelBuilder &k, mj::SdpaOp sdpa, const SdpaBuffers &buffers, Value row) {
  Sizes z(sdpa);
  Value scores = k.stack({z.keys}, k.f32());
  Value nothing = k.negativeInfinity(k.f32());
  // Calls `body(segment, key in it, key)` for all keys, carrying a value.
  auto overKeys = [&](Value initial, llvm::function_ref<Value(size_t, Value, Value, Value)> body) {
    int64_t before = 0;
    for (auto [index, size] : llvm::enumerate(z.segments)) {
      initial = k.loop(k.index(0), k.index(size), 1, initial, [&, index = index](Value key, ValueRange carried) {
                   return KernelBuilder::Values{body(index, key, k.add(key, before), carried.front())};
                 }).front();
      before += size;
    }
    return initial;
  };
  k.loop(k.index(0), k.index(z.heads), 1, [&](Value head) {
    Value kvHead = k.div(head, z.group);
    Value largest = overKeys(nothing, [&](size_t segment, Value inSegment, Value key, Value soFar) {
      Value dot = sumInOrder(k, z.dim, [&](Value sums, Value d, int64_t lanes) {
        return multiplyAdd(k, loadPiece(k, buffers.query, {row, head}, d, lanes),
                           loadPiece(k, buffers.keys[segment], {inSegment, kvHead}, d, lanes), sums);
      });
      Value score = k.mul(dot, k.constant(k.f32(), z.scale));
      if (z.maskElement) {
        SmallVector<Value> at{head, row, key};
        Value loaded = k.load(buffers.mask, ArrayRef(at).drop_front(z.hasHeadMask ? 0 : 1));
        Value mask = fromStorage(k.builder(), k.loc(), loaded, z.maskElement);
        score = z.maskElement.isInteger(1) ? k.select(mask, score, nothing) : k.add(score, mask);
      }
      if (z.isCausal)
        score = k.select(k.compare(CmpIPredicate::sle, key, k.add(row, z.keys - z.rows)), score, nothing);
      if (z.window)
        score = k.select(k.compare(CmpIPredicate::sgt, key, k.add(row, z.keys - z.rows - z.window)), score, nothing);
      k.store(score, scores, {key});
      return k.max(soFar, score);
    });
    Value isEmpty = k.compare(arith::CmpFPredicate::OEQ, largest, nothing);
    Value shift = k.select(isEmpty, k.constant(k.f32(), 0.0), largest);
    Value mass = overKeys(k.constant(k.f32(), 0.0), [&](size_t, Value, Value key, Value soFar) {
      Value weight = math::ExpOp::create(k.builder(), k.loc(), k.sub(k.load(scores, {key}), shift));
      k.store(weight, scores, {key});
      return k.add(soFar, weight);
    });
    Value divisor = k.select(isEmpty, k.constant(k.f32(), 1.0), mass);
    overPieces(k, z.columns, [&](Value c, int64_t lanes) {
      auto spread = [&](Value scalar) { return lanes == 1 ? scalar : k.splat(scalar, lanes); };
      Value zero = spread(k.constant(k.f32(), 0.0));
      Value sum = overKeys(zero, [&](size_t segment, Value inSegment, Value key, Value soFar) {
        Value value = loadPiece(k, buffers.values[segment], {inSegment, kvHead}, c, lanes);
        return multiplyAdd(k, spread(k.load(scores, {key})), value, soFar);
      });
      storePiece(k, k.divf(sum, spread(divisor)), buffers.result, {row, head}, c);
    });
  });
}
