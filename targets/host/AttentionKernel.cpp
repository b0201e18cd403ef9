// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Emits paged attention kernels.
//
// A tile is a block of rows times one KV head; its query vectors are those rows times the G query heads that share the
// KV head. For each sequence that has rows in the tile, the kernel walks the context in blocks of 32 tokens: it writes
// the keys transposed and widened into a scratch, so that scores are outer products like a matmul's, then softmax
// weights, then adds the weighted values to the accumulators. Blocks start at multiples of 32 whatever the rows are,
// and a block that a row may not see changes nothing in it: decode and prefill agree bit by bit. The running maximum
// and sum are those of Milakov and Gimelshein, "Online normalizer calculation for softmax" (2018).
#include "targets/host/AttentionKernel.h"
#include "targets/host/KernelBuilder.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

namespace mjolnir::host {
namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kTokens = 32; // of a block of the context

struct Schedule {
  int64_t group;    ///< query heads that share a KV head
  int64_t tileRows; ///< rows of a tile
  int64_t rowTiles;
  int64_t microQueries; ///< query vectors of a microkernel
  int64_t microBlocks;  ///< 16-lane columns of a microkernel, 1 or 2
  bool prefetch;        ///< few queries a token: the kernel waits for memory
  int64_t queries;      ///< query vectors a tile has room for, a multiple of microQueries
};

Schedule chooseSchedule(const AttentionConfig &config, const HostTarget &target) {
  Schedule s;
  s.group = config.queryHeads / config.kvHeads;
  // Decode has one row a sequence, and tiles of one row; elsewhere rows share the transposed keys.
  bool decode = config.rows == config.sequences;
  s.tileRows = decode ? 1 : std::clamp<int64_t>(48 / s.group, 1, config.rows);
  s.rowTiles = llvm::divideCeil(config.rows, s.tileRows);
  int64_t queries = s.tileRows * s.group;
  s.microQueries = llvm::divideCeil(queries, llvm::divideCeil(queries, 6));
  s.prefetch = queries <= 16;
  s.queries = llvm::alignTo(queries, s.microQueries);
  // Few queries leave registers for a second column, whose chains of FMAs hide the latency.
  int64_t registers = target.vectorRegisters == 16 ? 12 : 24;
  s.microBlocks = s.microQueries * 2 * (kLanes / target.vectorLanes) <= registers ? 2 : 1;
  return s;
}

class AttentionEmitter {
public:
  AttentionEmitter(OpBuilder &builder, Location loc, const AttentionConfig &config, const HostTarget &target)
      : k(builder, loc), config(config), s(chooseSchedule(config, target)), dim(config.headDim),
        element(elementType(config.element, builder.getContext())) {}

  void emit(func::FuncOp function) {
    q = function.getArgument(0), pool = function.getArgument(1), offsets = function.getArgument(2);
    contexts = function.getArgument(3), tables = function.getArgument(4);
    if (config.scaled)
      scales = function.getArgument(5);
    out = function.getArgument(config.scaled ? 6 : 5);
    Value tile = function.getArguments().back();

    queryScratch = k.stack({s.queries, dim}, k.f32());
    outScratch = k.stack({s.queries, dim}, k.f32());
    keyScratch = k.stack({kTokens / kLanes, dim, kLanes}, k.f32());
    maxima = k.stack({s.queries}, k.f32());
    sums = k.stack({s.queries, kLanes}, k.f32());
    weights = k.stack({s.microQueries, kTokens}, k.f32());
    rescale = k.stack({s.microQueries}, k.f32());
    tokenOffsets = k.stack({kTokens}, k.builder().getIndexType());
    nextOffsets = k.stack({kTokens}, k.builder().getIndexType());

    // Later rows see more context: the longest tiles go first, so that the last ones to finish are short.
    kvHead = k.rem(tile, config.kvHeads);
    Value rowTile = k.sub(k.index(s.rowTiles - 1), k.div(tile, config.kvHeads));
    keyFactor = cacheFactor(0), valueFactor = cacheFactor(1);
    Value firstRow = k.mul(rowTile, s.tileRows);
    Value lastRow = k.min(k.add(firstRow, s.tileRows), k.index(config.rows));

    clearRows(firstRow, lastRow);
    k.loop(k.index(0), k.index(config.sequences), 1, [&](Value sequence) {
      Value begin = loadIndex(offsets, {sequence}), end = loadIndex(offsets, {k.add(sequence, 1)});
      Segment segment;
      segment.begin = k.max(begin, firstRow);
      segment.end = k.min(end, lastRow);
      k.ifThen(k.compare(CmpIPredicate::slt, segment.begin, segment.end), [&] {
        Value context = k.min(loadIndex(contexts, {sequence}), k.index(config.pages * config.pageSize));
        segment.sequence = sequence;
        segment.position = k.add(k.sub(context, end), segment.begin);
        attend(segment);
      });
    });
    k.done();
  }

private:
  /// Rows [begin, end) of one sequence; the first of them has `position`.
  struct Segment {
    Value sequence, begin, end, position;
  };

  Value loadIndex(Value memref, ValueRange indices) { return k.toIndex(k.load(memref, indices)); }

  /// Calls `body(d, lanes)` for pieces of the head dimension: `width` lanes, and 8 at the end where D asks for it.
  void overDim(int64_t width, llvm::function_ref<void(Value, int64_t)> body) {
    int64_t whole = dim / width * width;
    k.loop(k.index(0), k.index(whole), width, [&](Value d) { body(d, width); });
    for (int64_t rest = whole; rest < dim;) {
      int64_t lanes = dim - rest >= 16 ? 16 : 8;
      body(k.index(rest), lanes);
      rest += lanes;
    }
  }

  /// What the sums over the widened keys (0) or values (1) of this tile's head lack; null if nothing.
  Value cacheFactor(int64_t which) {
    double placed = config.cache == Element::F8 ? KernelBuilder::kHalfPlacedScale : 1.0;
    if (config.scaled)
      return k.mul(k.load(scales, {k.index(which), kvHead}), k.constant(k.f32(), placed));
    return placed == 1.0 ? Value() : k.constant(k.f32(), placed);
  }

  Value zeros(int64_t lanes) { return k.constant(k.vec(k.f32(), lanes), 0.0); }

  void clearRows(Value firstRow, Value lastRow) {
    k.loop(firstRow, lastRow, 1, [&](Value row) {
      k.loop(k.index(0), k.index(s.group), 1, [&](Value g) {
        Value head = k.add(k.mul(kvHead, s.group), g);
        overDim(kLanes,
                [&](Value d, int64_t lanes) { k.storeVector(k.fromF32(element, zeros(lanes)), out, {row, head, d}); });
      });
    });
  }

  /// Row and query head of query vector `query` of a segment.
  std::pair<Value, Value> locate(const Segment &segment, Value query) {
    return {k.add(segment.begin, k.div(query, s.group)), k.add(k.mul(kvHead, s.group), k.rem(query, s.group))};
  }

  void attend(const Segment &segment) {
    Value count = k.mul(k.sub(segment.end, segment.begin), s.group);
    // Whole microkernels; the queries past `count` repeat the last and are not stored.
    Value padded = k.mul(k.div(k.add(count, s.microQueries - 1), s.microQueries), s.microQueries);
    loadQueries(segment, count, padded);

    Value last = k.add(segment.position, k.sub(k.sub(segment.end, segment.begin), 1));
    Value first = k.index(0);
    if (config.window > 0)
      first = k.max(k.sub(segment.position, config.window - 1), first);
    Value start = k.mul(k.div(first, kTokens), kTokens);
    if (s.prefetch)
      locateTokens(segment, start, first, last, nextOffsets);
    k.loop(start, k.add(last, 1), kTokens, [&](Value token) {
      if (s.prefetch)
        k.loop(k.index(0), k.index(kTokens), 1, [&](Value j) { k.store(k.load(nextOffsets, {j}), tokenOffsets, {j}); });
      else
        locateTokens(segment, token, first, last, tokenOffsets);
      if (s.prefetch) {
        locateTokens(segment, k.add(token, kTokens), first, last, nextOffsets);
        prefetchTokens();
      }
      transposeKeys();
      Value present = k.min(k.index(kTokens), k.sub(k.add(last, 1), token));
      k.loop(k.index(0), padded, s.microQueries, [&](Value query) {
        scores(query);
        softmax(segment, query, token);
        addValues(query, present);
      });
    });
    storeQueries(segment, count);
  }

  /// Queries times scale and log2(e), so that weights are powers of two.
  void loadQueries(const Segment &segment, Value count, Value padded) {
    double factor = static_cast<double>(config.scale) * 1.4426950408889634;
    k.loop(k.index(0), padded, 1, [&](Value query) {
      auto [row, head] = locate(segment, k.min(query, k.sub(count, 1)));
      overDim(kLanes, [&](Value d, int64_t lanes) {
        Value v = k.toF32(k.load(q, {row, head, d}, lanes));
        v = k.mul(v, k.constant(v.getType(), factor));
        k.storeVector(keyFactor ? k.mul(v, k.splat(keyFactor, lanes)) : v, queryScratch, {query, d});
        k.storeVector(zeros(lanes), outScratch, {query, d});
      });
      k.store(k.negativeInfinity(k.f32()), maxima, {query});
      k.storeVector(zeros(kLanes), sums, {query, k.index(0)});
    });
  }

  /// Where the keys of the block's tokens start in the pool. Tokens that no row may see stand for ones that some may:
  /// what lies in their place was never written, or its page was given back.
  void locateTokens(const Segment &segment, Value token, Value first, Value last, Value offsets) {
    k.loop(k.index(0), k.index(kTokens), 1, [&](Value j) {
      Value t = k.max(k.min(k.add(token, j), last), first);
      Value page = loadIndex(tables, {segment.sequence, k.div(t, config.pageSize)});
      Value slot = k.add(k.mul(kvHead, config.pageSize), k.rem(t, config.pageSize));
      k.store(k.add(k.mul(page, config.pageStride), k.mul(slot, dim)), offsets, {j});
    });
  }

  /// Pages lie anywhere: at the start of each the hardware's prefetchers would have to learn their way again.
  void prefetchTokens() {
    int64_t line = 64 / elementBytes(config.cache), values = config.kvHeads * config.pageSize * dim;
    k.loop(k.index(0), k.index(kTokens), 1, [&](Value j) {
      Value start = k.load(nextOffsets, {j});
      for (int64_t d = 0; d < dim; d += line) {
        k.prefetch(pool, {k.add(start, d)});
        k.prefetch(pool, {k.add(start, values + d)});
      }
    });
  }

  Value shuffle(Value a, Value b, ArrayRef<int64_t> mask) {
    return vector::ShuffleOp::create(k.builder(), k.loc(), a, b, mask);
  }

  /// keyScratch[block][d][lane] = key[d] of token 16 * block + lane. Moves 8 tokens x 4 words at a time, a word being
  /// an f32 or two neighbouring bf16 or f8.
  void transposeKeys() {
    bool pairs = config.cache != Element::F32;
    int64_t perWord = pairs ? 2 : 1;
    Type word = config.cache == Element::F8 ? k.builder().getI16Type() : pairs ? k.i32() : k.f32();
    k.loop(k.index(0), k.index(kTokens), 8, [&](Value firstToken) {
      Value block = k.div(firstToken, kLanes), lane = k.rem(firstToken, kLanes);
      SmallVector<Value> rows;
      for (int64_t j = 0; j < 8; ++j)
        rows.push_back(k.load(tokenOffsets, {k.add(firstToken, j)}));
      k.loop(k.index(0), k.index(dim), 4 * perWord, [&](Value d) {
        // Registers of [token j | token j + 4], then a 4 x 4 transposition in both halves.
        Value v[4];
        for (int64_t j = 0; j < 4; ++j) {
          auto words = [&](Value row) {
            Value loaded = k.load(pool, {k.add(row, d)}, 4 * perWord);
            return pairs ? k.bitcastVector(k.vec(word, 4), loaded) : loaded;
          };
          v[j] = shuffle(words(rows[j]), words(rows[j + 4]), {0, 1, 2, 3, 4, 5, 6, 7});
        }
        static constexpr int64_t low[] = {0, 8, 1, 9, 4, 12, 5, 13}, high[] = {2, 10, 3, 11, 6, 14, 7, 15};
        static constexpr int64_t first[] = {0, 1, 8, 9, 4, 5, 12, 13}, second[] = {2, 3, 10, 11, 6, 7, 14, 15};
        Value ab0 = shuffle(v[0], v[1], low), ab1 = shuffle(v[0], v[1], high);
        Value cd0 = shuffle(v[2], v[3], low), cd1 = shuffle(v[2], v[3], high);
        Value columns[] = {shuffle(ab0, cd0, first), shuffle(ab0, cd0, second), shuffle(ab1, cd1, first),
                           shuffle(ab1, cd1, second)};
        for (int64_t w = 0; w < 4; ++w)
          for (int64_t p = 0; p < perWord; ++p) {
            Value column = pairs ? widenHalf(columns[w], p) : columns[w];
            k.storeVector(column, keyScratch, {block, k.add(d, w * perWord + p), lane});
          }
      });
    });
  }

  /// Element p of the pairs of bf16 or f8 in 8 words as f32; of f8 it lacks keyFactor's part.
  Value widenHalf(Value words, int64_t p) {
    if (config.cache == Element::F8) {
      Value upper = p == 0 ? k.shl(words, 8) : words;
      return k.widenPlacedF8(k.sar(upper, 1), /*keepNan=*/true);
    }
    Value bits = p == 0 ? k.shl(words, 16) : k.bitAnd(words, k.constant(words.getType(), int64_t(-65536)));
    return k.bitcastVector(k.vec(k.f32(), 8), bits);
  }

  /// weights[i][t] = query i . key t
  void scores(Value query) {
    for (int64_t block = 0; block < kTokens / kLanes; block += s.microBlocks) {
      SmallVector<Value> accumulators(s.microQueries * s.microBlocks, zeros(kLanes));
      accumulators = k.loop(k.index(0), k.index(dim), 1, accumulators, [&](Value d, ValueRange carried) {
        SmallVector<Value> next(carried), keys;
        for (int64_t c = 0; c < s.microBlocks; ++c)
          keys.push_back(k.load(keyScratch, {k.index(block + c), d, k.index(0)}, kLanes));
        for (int64_t i = 0; i < s.microQueries; ++i) {
          Value x = k.splat(k.load(queryScratch, {k.add(query, i), d}), kLanes);
          for (int64_t c = 0; c < s.microBlocks; ++c) {
            Value &sum = next[i * s.microBlocks + c];
            sum = k.fma(x, keys[c], sum);
          }
        }
        return next;
      });
      for (int64_t i = 0; i < s.microQueries; ++i)
        for (int64_t c = 0; c < s.microBlocks; ++c)
          k.storeVector(accumulators[i * s.microBlocks + c], weights, {k.index(i), k.index((block + c) * kLanes)});
    }
  }

  /// Turns scores into weights relative to the new maximum; rescale is what the old sums and accumulators are worth
  /// now.
  void softmax(const Segment &segment, Value query, Value token) {
    SmallVector<int32_t> iota(kLanes);
    for (int64_t lane = 0; lane < kLanes; ++lane)
      iota[lane] = static_cast<int32_t>(lane);
    auto lanesType = cast<VectorType>(k.vec(k.i32(), kLanes));
    Value lanes =
        arith::ConstantOp::create(k.builder(), k.loc(), DenseElementsAttr::get(lanesType, ArrayRef<int32_t>(iota)));
    Value minusInfinity = k.negativeInfinity(k.vec(k.f32(), kLanes));

    k.loop(k.index(0), k.index(s.microQueries), 1, [&](Value i) {
      Value vector = k.add(query, i);
      Value position = k.add(segment.position, k.div(vector, s.group));
      // A token is seen if it is not later than the row, nor `window` or more earlier.
      Value relative = k.add(lanes, k.splat(k.fromIndex(k.i32(), k.sub(token, position)), kLanes));
      SmallVector<Value> score;
      for (int64_t block = 0; block < kTokens / kLanes; ++block) {
        Value r = k.add(relative, block * kLanes);
        Value seen = k.compare(CmpIPredicate::sle, r, k.constant(lanesType, int64_t(0)));
        if (config.window > 0)
          seen = k.bitAnd(seen, k.compare(CmpIPredicate::sgt, r, k.constant(lanesType, -config.window)));
        score.push_back(k.select(seen, k.load(weights, {i, k.index(block * kLanes)}, kLanes), minusInfinity));
      }
      Value old = k.load(maxima, {vector});
      Value maximum = k.max(old, k.reduceMax(k.max(score[0], score[1])));
      k.store(maximum, maxima, {vector});
      // Nothing seen so far: any finite reference gives weights of zero, infinity minus infinity would not.
      Value nothing = k.compare(CmpFPredicate::OEQ, maximum, k.negativeInfinity(k.f32()));
      Value reference = k.select(nothing, k.constant(k.f32(), 0.0), maximum);
      Value factor = k.exp2(k.sub(old, reference));
      k.store(factor, rescale, {i});
      Value sum = k.mul(k.load(sums, {vector, k.index(0)}, kLanes), k.splat(factor, kLanes));
      for (int64_t block = 0; block < kTokens / kLanes; ++block) {
        Value weight = k.exp2(k.sub(score[block], k.splat(reference, kLanes)));
        k.storeVector(weight, weights, {i, k.index(block * kLanes)});
        sum = k.add(sum, weight);
      }
      k.storeVector(sum, sums, {vector, k.index(0)});
    });
  }

  /// outScratch[i] = outScratch[i] * rescale[i] + sum over t of weights[i][t] * value[t]
  void addValues(Value query, Value present) {
    int64_t valueOffset = config.kvHeads * config.pageSize * dim;
    overDim(kLanes * s.microBlocks, [&](Value d, int64_t width) {
      int64_t lanes = std::min(width, kLanes), columns = width / lanes;
      SmallVector<Value> accumulators;
      for (int64_t i = 0; i < s.microQueries; ++i) {
        Value factor = k.splat(k.load(rescale, {k.index(i)}), lanes);
        for (int64_t c = 0; c < columns; ++c)
          accumulators.push_back(k.mul(k.load(outScratch, {k.add(query, i), k.add(d, c * lanes)}, lanes), factor));
      }
      Value column = k.add(d, valueOffset);
      accumulators = k.loop(k.index(0), present, 1, accumulators, [&](Value t, ValueRange carried) {
        SmallVector<Value> next(carried), values;
        Value start = k.add(k.load(tokenOffsets, {t}), column);
        for (int64_t c = 0; c < columns; ++c)
          values.push_back(widenValues(k.load(pool, {k.add(start, c * lanes)}, lanes)));
        for (int64_t i = 0; i < s.microQueries; ++i) {
          Value weight = k.splat(k.load(weights, {k.index(i), t}), lanes);
          for (int64_t c = 0; c < columns; ++c) {
            Value &sum = next[i * columns + c];
            sum = k.fma(weight, values[c], sum);
          }
        }
        return next;
      });
      for (int64_t i = 0; i < s.microQueries; ++i)
        for (int64_t c = 0; c < columns; ++c)
          k.storeVector(accumulators[i * columns + c], outScratch, {k.add(query, i), k.add(d, c * lanes)});
    });
  }

  /// A row of values as f32; of f8 it lacks valueFactor's part.
  Value widenValues(Value loaded) {
    return config.cache == Element::F8 ? k.widenF8(loaded, /*keepNan=*/true) : k.toF32(loaded);
  }

  void storeQueries(const Segment &segment, Value count) {
    k.loop(k.index(0), count, 1, [&](Value query) {
      auto [row, head] = locate(segment, query);
      Value sum = k.reduceAdd(k.load(sums, {query, k.index(0)}, kLanes));
      // A row before the start of its sequence sees no token: zeros, not NaN.
      Value empty = k.compare(CmpFPredicate::OEQ, sum, k.constant(k.f32(), 0.0));
      Value inverse = k.select(empty, k.constant(k.f32(), 0.0), k.divf(k.constant(k.f32(), 1.0), sum));
      if (valueFactor)
        inverse = k.mul(inverse, valueFactor);
      Value rowIndex = row, headIndex = head;
      overDim(kLanes, [&](Value d, int64_t lanes) {
        Value v = k.mul(k.load(outScratch, {query, d}, lanes), k.splat(inverse, lanes));
        k.storeVector(k.fromF32(element, v), out, {rowIndex, headIndex, d});
      });
    });
  }

  KernelBuilder k;
  const AttentionConfig &config;
  Schedule s;
  int64_t dim;
  Type element;
  Value q, pool, offsets, contexts, tables, scales, out, kvHead, keyFactor, valueFactor;
  Value queryScratch, outScratch, keyScratch, maxima, sums, weights, rescale, tokenOffsets, nextOffsets;
};

} // namespace

SmallVector<MemRefType> attentionOperandTypes(MLIRContext *context, const AttentionConfig &config) {
  Type element = elementType(config.element, context), i32 = IntegerType::get(context, 32);
  auto rows = MemRefType::get({config.rows, config.queryHeads, config.headDim}, element);
  // Bare pointers ask for static shapes; a bound that is not reached says nothing about how many pages there are.
  auto pool = MemRefType::get({int64_t(1) << 46}, elementType(config.cache, context));
  SmallVector<MemRefType> types{rows, pool, MemRefType::get({config.sequences + 1}, i32),
                                MemRefType::get({config.sequences}, i32),
                                MemRefType::get({config.sequences, config.pages}, i32)};
  if (config.scaled)
    types.push_back(MemRefType::get({2, config.kvHeads}, Float32Type::get(context)));
  types.push_back(rows);
  return types;
}

int64_t attentionTiles(const AttentionConfig &config, const HostTarget &target) {
  return chooseSchedule(config, target).rowTiles * config.kvHeads;
}

FailureOr<func::FuncOp> emitAttention(OpBuilder &builder, ModuleOp module, StringRef name,
                                      const AttentionConfig &config, const HostTarget &target) {
  auto refuse = [&]() -> InFlightDiagnostic { return module.emitError("attention kernel '") << name << "': "; };
  if (config.rows < 1 || config.sequences < 1 || config.pages < 1 || config.pageSize < 1 || config.window < 0)
    return refuse() << "rows, sequences, pages and page size must be positive, and the window not negative";
  if (config.kvHeads < 1 || config.queryHeads < 1 || config.queryHeads % config.kvHeads != 0)
    return refuse() << config.queryHeads << " query heads are not a multiple of " << config.kvHeads << " KV heads";
  if (config.headDim < 8 || config.headDim > 256 || config.headDim % 8 != 0)
    return refuse() << "the head dimension must be a multiple of 8 up to 256, not " << config.headDim;
  if ((config.element != Element::F32 && config.element != Element::BF16) || config.cache == Element::F16)
    return refuse() << "elements are f32 or bf16, of the cache f32, bf16 or f8E4M3FN";
  if (config.pageStride < 2 * config.kvHeads * config.pageSize * config.headDim)
    return refuse() << "a page stride of " << config.pageStride << " elements is less than one layer's keys and values";

  SmallVector<MemRefType> operands = attentionOperandTypes(module.getContext(), config);
  OpBuilder::InsertionGuard guard(builder);
  func::FuncOp function = KernelBuilder::createKernel(builder, module, name, operands);
  AttentionEmitter(builder, function.getLoc(), config, target).emit(function);
  return function;
}

} // namespace mjolnir::host
