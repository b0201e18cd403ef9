// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Emits matmul kernels over packed weights.
//
// A tile is a range of rows times a range of 16-column blocks; it walks K in pieces that fit the caches. The
// microkernel keeps R x C accumulators of 16 lanes in registers and walks a piece; between pieces they rest in a
// scratch, from which the epilogue takes them at the end. X is widened to f32 once a piece, to be broadcast from. Two
// loop orders:
//  - few rows (decode): weights stream from memory through registers, widened on the way;
//  - many rows (prefill): a panel of C column blocks is widened into L1 and meets all rows of the tile, whose X is in
//  L2.
// Every accumulator is one chain of FMAs in the order of k, so neither R, C, the pieces nor the order change a bit of
// the result.
#include "targets/host/MatmulKernel.h"
#include "targets/host/KernelBuilder.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace mjolnir::host {
namespace {

constexpr int64_t kLanes = MatmulEncoding::kRows;

/// Sizes of a kernel's loops, in rows, 16-column blocks and columns of X.
struct Schedule {
  bool panels;         ///< the order for many rows
  int64_t microRows;   ///< R: rows of the microkernel
  int64_t microBlocks; ///< C: column blocks of the microkernel
  int64_t tileRows;    ///< multiple of R
  int64_t tileBlocks;  ///< multiple of C
  int64_t pieceK;      ///< multiple of 16
  int64_t rowTiles, blockTiles;
};

/// The R up to `most` that takes the fewest steps over M, counting one row's worth of overhead a step.
int64_t chooseRows(int64_t m, int64_t most) {
  int64_t result = 1, best = std::numeric_limits<int64_t>::max();
  for (int64_t rows = 1; rows <= most; ++rows) {
    int64_t cost = llvm::divideCeil(m, rows) * (rows + 1);
    if (cost <= best) {
      best = cost;
      result = rows;
    }
  }
  return result;
}

Schedule chooseSchedule(const MatmulConfig &config, const HostTarget &target) {
  Schedule s;
  const int64_t blocks = llvm::divideCeil(config.n, kLanes);
  const int64_t registersPerBlock = kLanes / target.vectorLanes;
  const bool fewRegisters = target.vectorRegisters == 16;
  // Registers for accumulators, once the weights, a broadcast and what widening needs have theirs.
  // Widening a panel pays once about ten row blocks share it.
  s.panels = config.panels.value_or(config.m > 48);
  const int64_t mostRows = s.panels ? (fewRegisters ? 6 : target.vectorLanes == 16 ? 8 : 5) : fewRegisters ? 4 : 5;
  const int64_t accumulators = !fewRegisters ? 24 : s.panels ? 12 : 8;
  s.microRows = chooseRows(config.m, mostRows);
  // More than four streams of weights outrun the prefetchers.
  s.microBlocks = std::clamp<int64_t>(accumulators / (s.microRows * registersPerBlock), 1, 4);
  // What several rows and blocks keep alive at once would spill an accumulator, in the middle of its chain.
  if (fewRegisters && s.microRows > 1)
    s.microBlocks = 1;
  s.microBlocks = std::min(s.microBlocks, blocks);

  s.rowTiles = llvm::divideCeil(config.m, 132);
  s.tileRows = llvm::alignTo(llvm::divideCeil(config.m, s.rowTiles), s.microRows);
  s.rowTiles = llvm::divideCeil(config.m, s.tileRows);

  const int64_t wholeK = llvm::alignTo(config.k, 16);
  int64_t tileBlocks;
  if (s.panels) {
    // A widened panel fills half of L1; X's piece and the accumulators fill a part of L2. Narrow tiles would widen X
    // too often.
    s.pieceK = std::min(wholeK, 256 / s.microBlocks / 16 * 16);
    tileBlocks = std::clamp<int64_t>(blocks * s.rowTiles / 32, 4, 8);
    tileBlocks = std::max<int64_t>(1, std::min(tileBlocks, 1024 / s.tileRows / config.weights));
  } else {
    // Rows stream whole: pieces would cut the streams. About 128 KiB of weights a tile, yet 32 tiles to balance
    // threads.
    s.pieceK = std::min<int64_t>(wholeK, 16 * 1024 / s.microRows / 16 * 16);
    int64_t blockBytes = kLanes * config.k * elementBytes(config.weight) * config.weights;
    tileBlocks = std::max<int64_t>(1, 192 * 1024 / blockBytes);
    tileBlocks = std::min(tileBlocks, std::max<int64_t>(1, blocks / 32));
  }
  tileBlocks = std::max<int64_t>(1, config.tileBlocks.value_or(tileBlocks));
  s.tileBlocks = std::min<int64_t>(llvm::alignTo(tileBlocks, s.microBlocks), llvm::alignTo(blocks, s.microBlocks));
  s.blockTiles = llvm::divideCeil(blocks, s.tileBlocks);
  return s;
}

class MatmulEmitter {
public:
  MatmulEmitter(OpBuilder &builder, Location loc, const MatmulConfig &config, const HostTarget &target)
      : k(builder, loc), config(config), encoding{config.weight}, s(chooseSchedule(config, target)),
        blocks(encoding.blocks(config.n)),
        useDot(target.hasAvx512Bf16 && config.x == Element::BF16 && config.weight == Element::BF16) {}

  void emit(func::FuncOp function) {
    x = function.getArgument(0);
    for (int64_t w = 0; w < config.weights; ++w)
      weights.push_back(flattened(function.getArgument(1 + w)));
    for (size_t e = 0; e < config.extras.size(); ++e)
      extras.push_back(function.getArgument(1 + config.weights + e));
    y = function.getArgument(1 + config.weights + config.extras.size());
    Value tile = function.getArguments().back();

    Value rowTile = k.div(tile, s.blockTiles), blockTile = k.rem(tile, s.blockTiles);
    firstRow = k.mul(rowTile, s.tileRows);
    firstBlock = k.mul(blockTile, s.tileBlocks);
    rowsEnd = k.min(k.add(firstRow, s.tileRows), k.index(config.m));
    blocksEnd = k.min(k.add(firstBlock, s.tileBlocks), k.index(blocks));

    // Longer than a piece: an odd K is padded, and rows do not fall into the same cache sets.
    int64_t pitch = s.pieceK + 16, scratchRows = s.panels ? s.tileRows : s.microRows;
    Type bf16 = elementType(Element::BF16, k.builder().getContext());
    xScratch = k.stack({scratchRows, pitch}, useDot ? bf16 : k.f32());
    sums = k.stack({config.weights, s.tileRows, s.tileBlocks, kLanes}, k.f32());
    bool widenPanels = s.panels && !useDot && config.weight != Element::F32;
    if (widenPanels)
      panel = k.stack({s.microBlocks, s.pieceK + 16, kLanes}, k.f32());
    singlePiece = config.k <= s.pieceK;
    if (!singlePiece)
      clearSums();

    Value zero = k.index(0);
    k.loop(zero, k.index(config.k), s.pieceK, [&](Value firstK) {
      Piece piece{firstK, k.min(k.index(s.pieceK), k.sub(k.index(config.k), firstK))};
      if (!s.panels) {
        k.loop(firstRow, rowsEnd, s.microRows, [&](Value row) {
          widenX(row, s.microRows, piece);
          k.loop(firstBlock, blocksEnd, s.microBlocks, [&](Value block) {
            for (int64_t w = 0; w < config.weights; ++w)
              microkernel(w, row, zero, sourcesFrom(w, block), block, piece);
          });
        });
        return;
      }
      widenX(firstRow, s.tileRows, piece);
      k.loop(firstBlock, blocksEnd, s.microBlocks, [&](Value block) {
        for (int64_t w = 0; w < config.weights; ++w) {
          Sources sources = sourcesFrom(w, block);
          if (widenPanels)
            sources = widenPanel(sources, piece);
          k.loop(firstRow, rowsEnd, s.microRows,
                 [&](Value row) { microkernel(w, row, k.sub(row, firstRow), sources, block, piece); });
        }
      });
    });
    epilogue();
    k.done();
  }

private:
  /// Columns [first, first + length) of X.
  struct Piece {
    Value first, length;
  };
  /// Where the microkernel finds its C column blocks: `memref` at [blocks[c], firstStep + step, 0], `pair` neighbours
  /// of k a step.
  struct Sources {
    Value memref;
    SmallVector<Value> blocks;
    bool fromStart; ///< the first step of the piece is step 0 of the memref
    int64_t pair;
  };

  Sources sourcesFrom(int64_t w, Value block) {
    Sources sources{weights[w], {}, false, encoding.pair()};
    for (int64_t c = 0; c < s.microBlocks; ++c) // blocks past the end repeat the last
      sources.blocks.push_back(c == 0 ? block : k.min(k.add(block, c), k.index(blocks - 1)));
    return sources;
  }

  /// Packed pairs of a lane row as one dimension, to load 16 lanes x pair elements at once.
  Value flattened(Value packed) {
    if (encoding.pair() == 1)
      return packed;
    SmallVector<ReassociationIndices> groups = {{0}, {1}, {2, 3}};
    return memref::CollapseShapeOp::create(k.builder(), k.loc(), packed, groups);
  }

  void clearSums() {
    Value zero = k.constant(k.vec(k.f32(), kLanes), 0.0);
    for (int64_t w = 0; w < config.weights; ++w)
      k.loop(k.index(0), k.index(s.tileRows), 1, [&](Value row) {
        k.loop(k.index(0), k.index(s.tileBlocks), 1,
               [&](Value block) { k.storeVector(zero, sums, {k.index(w), row, block, k.index(0)}); });
      });
  }

  /// Copies rows of X from `row` on to the scratch, the piece's columns. Rows past the end repeat the last: they are
  /// computed and never stored.
  void widenX(Value row, int64_t rows, Piece piece) {
    Value zero = k.index(0);
    k.loop(zero, k.index(rows), 1, [&](Value r) {
      Value source = k.min(k.add(row, r), k.index(config.m - 1));
      Value whole = k.sub(piece.length, k.rem(piece.length, kLanes));
      k.loop(zero, whole, kLanes, [&](Value col) {
        Value v = k.load(x, {source, k.add(piece.first, col)}, kLanes);
        k.storeVector(useDot ? v : k.toF32(v), xScratch, {r, col});
      });
      if (config.k % kLanes != 0)
        k.loop(whole, piece.length, 1, [&](Value col) {
          Value v = k.load(x, {source, k.add(piece.first, col)});
          k.store(useDot ? v : k.toF32(v), xScratch, {r, col});
        });
      if (config.k % encoding.pair() != 0) // only ever read behind the last column
        k.store(k.constant(cast<MemRefType>(xScratch.getType()).getElementType(), 0.0), xScratch, {r, piece.length});
    });
  }

  /// Steps of `pair` columns in a piece, the last one padded.
  Value stepsOf(Piece piece, int64_t pair) { return k.div(k.add(piece.length, pair - 1), pair); }

  /// 16 packed weights as f32: of bf16 pairs element p of each. Codes of f8 lack a factor, which `finish` puts on sums.
  Value widen(Value packed, int64_t p) {
    if (config.weight == Element::F32)
      return packed;
    if (config.weight == Element::F8)
      return k.widenF8(packed, /*keepNan=*/false);
    Value bits = k.bitcastVector(k.vec(k.i32(), kLanes), packed);
    bits = p == 0 ? k.shl(bits, 16) : k.bitAnd(bits, k.constant(bits.getType(), int64_t(-65536)));
    return k.bitcastVector(k.vec(k.f32(), kLanes), bits);
  }

  Sources widenPanel(const Sources &packed, Piece piece) {
    Sources wide{panel, {}, true, 1};
    Value firstStep = k.div(piece.first, packed.pair);
    for (int64_t c = 0; c < s.microBlocks; ++c)
      wide.blocks.push_back(k.index(c));
    k.loop(k.index(0), stepsOf(piece, packed.pair), 1, [&](Value step) {
      for (int64_t c = 0; c < s.microBlocks; ++c) {
        Value v = k.load(packed.memref, {packed.blocks[c], k.add(firstStep, step), k.index(0)}, kLanes * packed.pair);
        for (int64_t p = 0; p < packed.pair; ++p)
          k.storeVector(widen(v, p), panel, {wide.blocks[c], k.add(k.mul(step, packed.pair), p), k.index(0)});
      }
    });
    return wide;
  }

  /// Rows `row` on of the result, which are rows `scratchRow` on of xScratch, times the sources, which are blocks
  /// `block` on.
  void microkernel(int64_t w, Value row, Value scratchRow, const Sources &sources, Value block, Piece piece) {
    int64_t rows = s.microRows, columns = s.microBlocks, pair = sources.pair;
    Value localRow = k.sub(row, firstRow), localBlock = k.sub(block, firstBlock);
    auto sumIndices = [&](int64_t r, int64_t c) {
      return SmallVector<Value>{k.index(w), k.add(localRow, r), k.add(localBlock, c), k.index(0)};
    };
    SmallVector<Value> accumulators;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        accumulators.push_back(singlePiece ? k.constant(k.vec(k.f32(), kLanes), 0.0)
                                           : k.load(sums, sumIndices(r, c), kLanes));

    Value firstStep = sources.fromStart ? k.index(0) : k.div(piece.first, pair);
    accumulators = k.loop(k.index(0), stepsOf(piece, pair), 1, accumulators, [&](Value step, ValueRange carried) {
      SmallVector<Value> next(carried);
      Value col = k.mul(step, pair);
      // Block by block: what is widened lives no longer than its FMAs.
      for (auto [c, source] : llvm::enumerate(sources.blocks)) {
        Value v = k.load(sources.memref, {source, k.add(firstStep, step), k.index(0)}, kLanes * pair);
        if (useDot)
          dotStep(v, c, scratchRow, col, next);
        else
          for (int64_t p = 0; p < pair; ++p)
            fmaStep(sources.fromStart ? v : widen(v, p), c, scratchRow, k.add(col, p), next);
      }
      return next;
    });

    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        k.storeVector(accumulators[r * columns + c], sums, sumIndices(r, c));
  }

  void fmaStep(Value wide, int64_t c, Value scratchRow, Value col, SmallVectorImpl<Value> &accumulators) {
    for (int64_t r = 0; r < s.microRows; ++r) {
      Value scalar = k.splat(k.load(xScratch, {k.add(scratchRow, r), col}), kLanes);
      Value &sum = accumulators[r * s.microBlocks + c];
      sum = k.fma(scalar, wide, sum);
    }
  }

  void dotStep(Value raw, int64_t c, Value scratchRow, Value col, SmallVectorImpl<Value> &accumulators) {
    Type pairs = k.vec(elementType(Element::BF16, k.builder().getContext()), 2 * kLanes);
    for (int64_t r = 0; r < s.microRows; ++r) {
      Value two = k.bitcastVector(k.vec(k.i32(), 1), k.load(xScratch, {k.add(scratchRow, r), col}, 2));
      Value broadcast = k.bitcastVector(pairs, k.splat(k.extract(two, 0), kLanes));
      Value &sum = accumulators[r * s.microBlocks + c];
      sum = x86vector::DotBF16Op::create(k.builder(), k.loc(), sum.getType(), sum, raw, broadcast);
    }
  }

  void epilogue() {
    int64_t partial = config.n % kLanes;
    k.loop(firstRow, rowsEnd, 1, [&](Value row) {
      Value wholeEnd = partial == 0 ? blocksEnd : k.min(blocksEnd, k.index(blocks - 1));
      k.loop(firstBlock, wholeEnd, 1, [&](Value block) { finish(row, block, kLanes); });
      if (partial != 0)
        k.ifThen(k.compare(arith::CmpIPredicate::eq, blocksEnd, k.index(blocks)),
                 [&] { finish(row, k.index(blocks - 1), partial); });
    });
  }

  void finish(Value row, Value block, int64_t count) {
    SmallVector<Value> accumulators;
    Value localRow = k.sub(row, firstRow), localBlock = k.sub(block, firstBlock);
    for (int64_t w = 0; w < config.weights; ++w) {
      Value sum = k.load(sums, {k.index(w), localRow, localBlock, k.index(0)}, kLanes);
      if (config.weight == Element::F8)
        sum = k.mul(sum, k.constant(sum.getType(), KernelBuilder::kHalfPlacedScale));
      accumulators.push_back(sum);
    }
    MatmulEpilogue context{k.builder(), k.loc(), accumulators, row, k.mul(block, kLanes), count, extras};
    Value result = config.epilogue ? config.epilogue(context) : accumulators.front();
    context.store(y, result);
  }

  KernelBuilder k;
  const MatmulConfig &config;
  MatmulEncoding encoding;
  Schedule s;
  int64_t blocks;
  bool useDot;
  bool singlePiece = false;
  Value x, y, xScratch, panel, sums, firstRow, firstBlock, rowsEnd, blocksEnd;
  SmallVector<Value> weights, extras;
};

} // namespace

Value MatmulEpilogue::load(Value memref) const {
  KernelBuilder k(builder, loc);
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<Value> indices;
  if (type.getRank() == 1 && type.getDimSize(0) == 1)
    return k.splat(k.load(memref, {k.index(0)}), kLanes);
  if (type.getRank() == 2)
    indices.push_back(type.getDimSize(0) == 1 ? k.index(0) : row);
  if (type.getRank() == 0 || type.getShape().back() == 1) {
    if (type.getRank() > 0)
      indices.push_back(k.index(0));
    return k.splat(k.load(memref, indices), kLanes);
  }
  indices.push_back(col);
  Value piece = k.load(memref, indices, count);
  if (count == kLanes)
    return piece;
  Type element = type.getElementType();
  Value zero = isa<FloatType>(element) ? k.constant(k.vec(element, kLanes), 0.0)
                                       : k.constant(k.vec(element, kLanes), int64_t(0));
  return k.insertSlice(piece, zero, 0);
}

void MatmulEpilogue::store(Value memref, Value vector) const {
  KernelBuilder k(builder, loc);
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  if (isa<FloatType>(element))
    vector = k.fromF32(element, vector);
  if (count < kLanes)
    vector = k.slice(vector, 0, count);
  k.storeVector(vector, memref, {row, col});
}

/// What the accumulators of a tile take on the stack, bytes, and the most that a schedule may ask for.
static int64_t sumsBytes(const MatmulConfig &config, int64_t tileRows, int64_t tileBlocks) {
  return config.weights * tileRows * tileBlocks * kLanes * int64_t(sizeof(float));
}
static constexpr int64_t kMostSums = 64 * 1024;

SmallVector<std::pair<bool, int64_t>> listMatmulLoops(const MatmulConfig &config, const HostTarget &target) {
  const int64_t blocks = llvm::divideCeil(config.n, kLanes);
  const Schedule chosen = chooseSchedule(config, target);
  SmallVector<std::pair<bool, int64_t>> loops;
  for (bool panels : {chosen.panels, !chosen.panels}) {
    MatmulConfig other = config;
    other.panels = panels;
    const Schedule s = chooseSchedule(other, target);
    for (int64_t tileBlocks : {s.tileBlocks, s.tileBlocks / 2, s.tileBlocks * 2}) {
      // As the kernel rounds it.
      tileBlocks = std::min<int64_t>(llvm::alignTo(tileBlocks, s.microBlocks), llvm::alignTo(blocks, s.microBlocks));
      bool isChosen = panels == chosen.panels && tileBlocks == chosen.tileBlocks;
      if (tileBlocks > 0 && sumsBytes(config, s.tileRows, tileBlocks) <= kMostSums && !isChosen &&
          !llvm::is_contained(loops, std::pair(panels, tileBlocks)))
        loops.emplace_back(panels, tileBlocks);
    }
  }
  return loops;
}

int64_t matmulTiles(const MatmulConfig &config, const HostTarget &target) {
  Schedule s = chooseSchedule(config, target);
  return s.rowTiles * s.blockTiles;
}

FailureOr<func::FuncOp> emitMatmul(OpBuilder &builder, ModuleOp module, StringRef name, const MatmulConfig &config,
                                   const HostTarget &target) {
  auto refuse = [&]() -> InFlightDiagnostic { return module.emitError("matmul kernel '") << name << "': "; };
  if (config.m < 1 || config.n < 1 || config.k < 1)
    return refuse() << "extents must be positive, not " << config.m << " x " << config.n << " x " << config.k;
  if (config.weights < 1 || (config.weights > 1 && !config.epilogue))
    return refuse() << "has " << config.weights << " weights, but no epilogue that combines them";
  for (Element element : {config.x, config.weight})
    if (element == Element::F16)
      return refuse() << "elements are f32, bf16 or f8E4M3FN; convert f16 weights to bf16 or f32 when they are packed";

  if (Schedule s = chooseSchedule(config, target);
      config.tileBlocks && sumsBytes(config, s.tileRows, s.tileBlocks) > kMostSums)
    return refuse() << "its schedule wants tiles of " << s.tileRows << " rows and " << s.tileBlocks
                    << " column blocks, whose sums do not fit the stack; leave out tile_blocks";

  MLIRContext *context = module.getContext();
  context->loadDialect<x86vector::X86VectorDialect>();
  SmallVector<MemRefType> operands = {MemRefType::get({config.m, config.k}, elementType(config.x, context))};
  MatmulEncoding encoding{config.weight};
  operands.append(config.weights,
                  MemRefType::get(encoding.packedShape(config.n, config.k), elementType(config.weight, context)));
  llvm::append_range(operands, config.extras);
  operands.push_back(MemRefType::get({config.m, config.n}, elementType(config.y, context)));

  OpBuilder::InsertionGuard guard(builder);
  func::FuncOp function = KernelBuilder::createKernel(builder, module, name, operands);
  MatmulEmitter(builder, function.getLoc(), config, target).emit(function);
  return function;
}

} // namespace mjolnir::host
