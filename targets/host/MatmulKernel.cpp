// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Emits matmul kernels over packed weights.
//
// A tile is a range of rows times a range of 16-column blocks. For each piece of K that fits the caches, and each block of R
// rows, X is widened once into a scratch that the microkernel broadcasts from; the microkernel keeps R x C accumulators
// of 16 lanes in registers and walks K. Between pieces of K accumulators rest in a second scratch, from which the epilogue
// takes them at the end. Every accumulator is one chain of FMAs in the order of k, so neither R, C nor the pieces change
// a bit of the result.
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
  int64_t microRows;   ///< R: rows of the microkernel
  int64_t microBlocks; ///< C: column blocks of the microkernel
  int64_t tileRows;    ///< multiple of R
  int64_t tileBlocks;  ///< multiple of C
  int64_t pieceK;      ///< multiple of 16
  int64_t rowTiles, blockTiles;
};

int64_t microBlocksFor(int64_t rows, const HostTarget &target) {
  // Registers left for accumulators once the weights, a broadcast and a mask have theirs.
  int64_t registersPerBlock = kLanes / target.vectorLanes;
  int64_t budget = target.vectorRegisters == 16 ? 12 : 24;
  int64_t blocks = budget / (rows * registersPerBlock);
  // More than four streams of weights outrun the prefetchers.
  return std::clamp<int64_t>(blocks, 1, 4);
}

Schedule chooseSchedule(const MatmulConfig &config, const HostTarget &target) {
  Schedule s;
  int64_t maxRows = target.vectorRegisters == 16 ? 6 : target.vectorLanes == 16 ? 8 : 5;
  // The fewest steps over M, counting one row's worth of overhead a step.
  s.microRows = 1;
  int64_t best = std::numeric_limits<int64_t>::max();
  for (int64_t rows = 1; rows <= maxRows; ++rows) {
    int64_t cost = llvm::divideCeil(config.m, rows) * (rows + 1);
    if (cost <= best) {
      best = cost;
      s.microRows = rows;
    }
  }
  int64_t blocks = llvm::divideCeil(config.n, kLanes);
  s.microBlocks = std::min(microBlocksFor(s.microRows, target), blocks);

  // The widened piece of X stays in L1.
  constexpr int64_t kPieceBytes = 12 * 1024;
  s.pieceK = std::min<int64_t>(llvm::alignTo(config.k, 16), kPieceBytes / 4 / s.microRows / 16 * 16);
  // One row streams through whole weight rows; pieces would only cut the streams.
  if (config.m <= s.microRows)
    s.pieceK = std::min<int64_t>(llvm::alignTo(config.k, 16), 32 * 1024 / s.microRows / 16 * 16);

  // A tile's weights (all of K if rows are few, else a piece) fill a part of L2, its accumulators a part of L1 and L2.
  s.rowTiles = llvm::divideCeil(config.m, 132);
  s.tileRows = llvm::alignTo(llvm::divideCeil(config.m, s.rowTiles), s.microRows);
  s.rowTiles = llvm::divideCeil(config.m, s.tileRows);
  int64_t blockBytes = kLanes * config.k * elementBytes(config.weight) * config.weights;
  int64_t tileBlocks = std::max<int64_t>(1, 192 * 1024 / blockBytes);
  tileBlocks = std::min(tileBlocks, std::max<int64_t>(1, 14 * 1024 / (s.tileRows * kLanes * config.weights)));
  // Enough tiles to balance a few threads, unless there is hardly any work.
  tileBlocks = std::min(tileBlocks, std::max<int64_t>(s.microBlocks, blocks * s.rowTiles / 32));
  tileBlocks = llvm::alignTo(tileBlocks, s.microBlocks);
  s.tileBlocks = std::min<int64_t>(tileBlocks, llvm::alignTo(blocks, s.microBlocks));
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

    // One more than needed in a row: an odd K is padded, and rows do not fall into the same cache sets.
    int64_t pitch = s.pieceK + 16;
    xScratch = useDot ? k.stack({s.microRows, pitch}, elementType(Element::BF16, k.builder().getContext()))
                      : k.stack({s.microRows, pitch}, k.f32());
    sums = k.stack({config.weights, s.tileRows, s.tileBlocks, kLanes}, k.f32());
    singlePiece = config.k <= s.pieceK;
    if (!singlePiece)
      clearSums();

    auto piece = [&](Value firstK) {
      Value lengthK = k.min(k.index(s.pieceK), k.sub(k.index(config.k), firstK));
      k.loop(firstRow, rowsEnd, s.microRows, [&](Value row) {
        widenX(row, firstK, lengthK);
        k.loop(firstBlock, blocksEnd, s.microBlocks, [&](Value block) {
          for (int64_t w = 0; w < config.weights; ++w)
            microkernel(w, row, block, firstK, lengthK);
        });
      });
    };
    if (singlePiece)
      piece(k.index(0));
    else
      k.loop(k.index(0), k.index(config.k), s.pieceK, piece);
    epilogue();
    k.done();
  }

private:
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

  /// Copies R rows of X from `row` on, columns [firstK, firstK + lengthK), to the scratch. Rows past the end repeat the last:
  /// they are computed and never stored.
  void widenX(Value row, Value firstK, Value lengthK) {
    Value zero = k.index(0);
    k.loop(zero, k.index(s.microRows), 1, [&](Value r) {
      Value source = k.min(k.add(row, r), k.index(config.m - 1));
      Value whole = k.sub(lengthK, k.rem(lengthK, kLanes));
      k.loop(zero, whole, kLanes, [&](Value col) {
        Value v = k.load(x, {source, k.add(firstK, col)}, kLanes);
        k.storeVector(useDot ? v : k.toF32(v), xScratch, {r, col});
      });
      k.loop(whole, lengthK, 1, [&](Value col) {
        Value v = k.load(x, {source, k.add(firstK, col)});
        k.store(useDot ? v : k.toF32(v), xScratch, {r, col});
      });
      if (config.k % encoding.pair() != 0) // only ever read behind the last column
        k.store(k.constant(cast<MemRefType>(xScratch.getType()).getElementType(), 0.0), xScratch, {r, lengthK});
    });
  }

  void microkernel(int64_t w, Value row, Value block, Value firstK, Value lengthK) {
    int64_t rows = s.microRows, columns = s.microBlocks;
    Value localRow = k.sub(row, firstRow), localBlock = k.sub(block, firstBlock);
    auto sumIndices = [&](int64_t r, int64_t c) {
      return SmallVector<Value>{k.index(w), k.add(localRow, r), k.add(localBlock, c), k.index(0)};
    };
    SmallVector<Value> sources; // blocks past the end repeat the last
    for (int64_t c = 0; c < columns; ++c)
      sources.push_back(c == 0 ? block : k.min(k.add(block, c), k.index(blocks - 1)));

    SmallVector<Value> accumulators;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        accumulators.push_back(singlePiece ? k.constant(k.vec(k.f32(), kLanes), 0.0)
                                           : k.load(sums, sumIndices(r, c), kLanes));

    int64_t pair = encoding.pair();
    Value steps = k.div(k.add(lengthK, pair - 1), pair);
    Value firstStep = k.div(firstK, pair);
    accumulators = k.loop(k.index(0), steps, 1, accumulators, [&](Value step, ValueRange carried) {
      SmallVector<Value> next(carried);
      SmallVector<Value> raw;
      for (int64_t c = 0; c < columns; ++c)
        raw.push_back(
            k.load(weights[w], {sources[c], k.add(firstStep, step), k.index(0)}, kLanes * pair));
      Value scratchCol = k.mul(step, pair);
      if (useDot)
        dotStep(raw, scratchCol, next);
      else
        for (int64_t p = 0; p < pair; ++p)
          fmaStep(raw, p, k.add(scratchCol, p), next);
      return next;
    });

    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < columns; ++c)
        k.storeVector(accumulators[r * columns + c], sums, sumIndices(r, c));
  }

  void fmaStep(ArrayRef<Value> raw, int64_t p, Value scratchCol, SmallVectorImpl<Value> &sums) {
    SmallVector<Value> wide;
    for (Value v : raw) {
      if (encoding.pair() == 2) {
        Value bits = k.bitcastVector(k.vec(k.i32(), kLanes), v);
        bits = p == 0 ? k.shl(bits, 16) : k.bitAnd(bits, k.constant(bits.getType(), int64_t(-65536)));
        v = k.bitcastVector(k.vec(k.f32(), kLanes), bits);
      }
      wide.push_back(v);
    }
    for (int64_t r = 0; r < s.microRows; ++r) {
      Value scalar = k.splat(k.load(xScratch, {k.index(r), scratchCol}), kLanes);
      for (auto [c, v] : llvm::enumerate(wide)) {
        Value &sum = sums[r * s.microBlocks + c];
        sum = k.fma(scalar, v, sum);
      }
    }
  }

  void dotStep(ArrayRef<Value> raw, Value scratchCol, SmallVectorImpl<Value> &sums) {
    Type pairs = k.vec(elementType(Element::BF16, k.builder().getContext()), 2 * kLanes);
    for (int64_t r = 0; r < s.microRows; ++r) {
      Value two = k.bitcastVector(k.vec(k.i32(), 1), k.load(xScratch, {k.index(r), scratchCol}, 2));
      Value broadcast = k.bitcastVector(pairs, k.splat(k.extract(two, 0), kLanes));
      for (auto [c, v] : llvm::enumerate(raw)) {
        Value &sum = sums[r * s.microBlocks + c];
        sum = x86vector::DotBF16Op::create(k.builder(), k.loc(), sum.getType(), sum, v, broadcast);
      }
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
    for (int64_t w = 0; w < config.weights; ++w)
      accumulators.push_back(k.load(sums, {k.index(w), localRow, localBlock, k.index(0)}, kLanes));
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
  Value x, y, xScratch, sums, firstRow, firstBlock, rowsEnd, blocksEnd;
  SmallVector<Value> weights, extras;
};

} // namespace

Value MatmulEpilogue::load(Value memref) const {
  KernelBuilder k(builder, loc);
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<Value> indices;
  if (type.getRank() == 2)
    indices.push_back(type.getDimSize(0) == 1 ? k.index(0) : row);
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
  for (Element element : {config.x, config.weight, config.y})
    if (element == Element::F16)
      return refuse() << "elements are f32 or bf16; convert f16 weights to bf16 or f32 when they are packed";

  MLIRContext *context = module.getContext();
  context->loadDialect<x86vector::X86VectorDialect>();
  SmallVector<MemRefType> operands = {MemRefType::get({config.m, config.k}, elementType(config.x, context))};
  MatmulEncoding encoding{config.weight};
  operands.append(config.weights, MemRefType::get(encoding.packedShape(config.n, config.k),
                                                  elementType(config.weight, context)));
  llvm::append_range(operands, config.extras);
  operands.push_back(MemRefType::get({config.m, config.n}, elementType(config.y, context)));

  OpBuilder::InsertionGuard guard(builder);
  func::FuncOp function = KernelBuilder::createKernel(builder, module, name, operands);
  MatmulEmitter(builder, function.getLoc(), config, target).emit(function);
  return function;
}

} // namespace mjolnir::host
