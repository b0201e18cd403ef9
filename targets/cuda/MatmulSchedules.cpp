// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Tiles of matmuls from the shape and the chip.
#include "targets/cuda/MatmulSchedules.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using mj::tensorOf;

static int64_t elementBytes(Value value) { return llvm::divideCeil(tensorOf(value).getElementTypeBitWidth(), 8); }

int64_t MatmulColumns::columns() const {
  auto first = matmuls.front();
  return tensorOf(first.getResult()).getDimSize(1);
}

SmallVector<MatmulColumns> cuda::findMatmulColumns(Block &body) {
  llvm::EquivalenceClasses<Operation *> classes;
  for (auto matmul : body.getOps<mj::MatmulOp>())
    classes.insert(matmul);
  // What follows the matmuls belongs to those that it reads.
  for (Operation &op : body.without_terminator()) {
    if (isa<mj::MatmulOp>(op))
      continue;
    // A broadcast's `like` gives a shape only.
    for (Value operand : isa<mj::BroadcastOp>(op) ? op.getOperands().take_front() : op.getOperands())
      if (Operation *producer = operand.getDefiningOp(); producer && classes.contains(producer))
        classes.unionSets(producer, &op);
  }
  llvm::MapVector<Operation *, MatmulColumns> sets;
  for (auto matmul : body.getOps<mj::MatmulOp>())
    sets[classes.getLeaderValue(matmul)].matmuls.push_back(matmul);
  SmallVector<MatmulColumns> result;
  for (auto &[leader, set] : sets)
    result.push_back(std::move(set));
  return result;
}

/// What the tiles of all matmuls of a region have to hold.
namespace {
struct MatmulShape {
  int64_t rows = 0, k = 0;
  int64_t columns = 0;     ///< of all sets
  int64_t widest = 0;      ///< matmuls of one set
  int64_t weightBytes = 0; ///< of an element
  int64_t xBytes = 0;      ///< of an element
};
} // namespace

static MatmulShape getShape(ArrayRef<MatmulColumns> sets) {
  MatmulShape shape;
  for (const MatmulColumns &set : sets) {
    mj::MatmulOp first = set.matmuls.front();
    shape.rows = tensorOf(first.getX()).getDimSize(0);
    shape.k = tensorOf(first.getX()).getDimSize(1);
    shape.xBytes = elementBytes(first.getX());
    shape.columns += set.columns();
    shape.widest = std::max<int64_t>(shape.widest, set.matmuls.size());
    shape.weightBytes = std::max(shape.weightBytes, elementBytes(first.getWeight()));
  }
  return shape;
}

/// A block on every multiprocessor, with as many columns as that takes. Rows of x that are many are divided among the
/// blocks of a cluster along K, so that not every block reads all of them.
static mj::ScheduleAttr chooseSmall(MLIRContext *context, const MatmulShape &shape, const CudaProfile &profile) {
  constexpr int64_t octet = 8;      // columns that half an mma.m16n8k16 takes
  constexpr int64_t mostWarps = 12; // measured: enough to hide each other's latency, few enough to add up
  constexpr int64_t shortestSlice = 128;
  constexpr int64_t xBytes = 64 << 10; // of a block, so that the next kernel's blocks fit beside
  constexpr int64_t stageBytes = 8 << 10;
  auto divides = [&](int64_t parts) { return shape.k % (parts * 32) == 0; };
  int64_t splits = 1;
  while (profile.hasClusters && splits < 8 && shape.rows * (shape.k / splits) * 2 > xBytes && divides(2 * splits))
    splits *= 2;
  int64_t blocks = profile.processors * profile.smallMatmulBlocks;
  int64_t columns = llvm::alignTo(llvm::divideCeil(shape.columns * splits, blocks), octet);
  int64_t groupColumns = shape.widest == 1 && columns % 16 == 0 ? 16 : 8, groups = columns / groupColumns;
  int64_t slices = 1;
  for (int64_t candidate = 2; candidate * groups <= mostWarps; ++candidate)
    if (divides(splits * candidate) && shape.k / splits / candidate >= shortestSlice)
      slices = candidate;
  int64_t warps = groups * slices <= mostWarps ? groups * slices : profile.smallMatmulThreads / 32;
  // A quarter is left to the next kernel's first stage.
  int64_t budget =
      std::min(profile.sharedBytesPerBlock, profile.sharedBytesPerProcessor / profile.smallMatmulBlocks) * 3 / 4 -
      shape.rows * (shape.k / splits + 32) * 2;
  int64_t sliceK = shape.k / splits / slices, stageK = sliceK, stages = 1;
  int64_t rowBytes = groupColumns * shape.widest * shape.weightBytes, warpBytes = budget / warps;
  auto bytesOf = [&](int64_t k) { return rowBytes * (k + 32); };
  if (sliceK % 32 || bytesOf(sliceK) > std::min(warpBytes, 2 * stageBytes) || groups * slices > warps) {
    stageK = std::min<int64_t>(llvm::alignTo(sliceK, 32), std::max<int64_t>(stageBytes / rowBytes / 32 * 32, 32));
    while (2 * bytesOf(stageK) > warpBytes && stageK > 32)
      stageK = llvm::alignTo(stageK / 2, 32);
    int64_t items = llvm::divideCeil(sliceK, stageK) * llvm::divideCeil(groups * slices, warps);
    stages = std::min<int64_t>({warpBytes / bytesOf(stageK), items, 8}); // none: rows of x that leave no room
  }
  return makeSchedule(context, kSmallMatmulSchedule,
                      {{"columns", columns},
                       {"group_columns", groupColumns},
                       {"slices", slices},
                       {"splits", splits},
                       {"stage_k", stageK},
                       {"stages", stages},
                       {"threads", warps * 32}});
}

static StringRef nameOf(MatrixUnit unit) {
  switch (unit) {
  case MatrixUnit::mmaSync:
    return "mma.sync";
  case MatrixUnit::wgmma:
    return "wgmma";
  case MatrixUnit::tcgen05:
    return "tcgen05";
  }
  llvm_unreachable("all units are covered");
}

namespace {
struct Tile {
  int64_t m, n;
  double reach; ///< of the matrix units' rate that the inner loop of such a tile gets; operands come from shared memory
};
} // namespace

/// The larger the tile, the more products an operand serves; what counts is the time of all waves together.
static constexpr Tile tiles[] = {{128, 256, 1.0}, {128, 128, 0.9}, {64, 256, 0.85},
                                 {128, 64, 0.7},  {64, 128, 0.7},  {64, 64, 0.5}};

/// The tile whose waves over the grid take the least time. `stacks` is how many matrices there are.
static mj::ScheduleAttr chooseLarge(MLIRContext *context, StringRef name, const MatmulShape &shape,
                                    ArrayRef<int64_t> columns, int64_t stacks, bool isF8, const CudaProfile &profile) {
  const Tile *best = nullptr;
  double least = 0;
  int64_t tileK = 128 / std::max(shape.xBytes, shape.weightBytes);
  int64_t budget = profile.sharedBytesPerBlock - (8 << 10);
  auto stageBytes = [&](const Tile &tile) {
    return tileK * (tile.m * shape.xBytes + tile.n * shape.widest * shape.weightBytes);
  };
  for (const Tile &tile : tiles) {
    // Accumulators of all matmuls of a set stay on the chip, and two steps are in flight at least.
    if (tile.n * shape.widest > 256 || 2 * stageBytes(tile) > budget)
      continue;
    int64_t blocks = 0;
    for (int64_t n : columns)
      blocks += llvm::divideCeil(n, tile.n);
    blocks *= llvm::divideCeil(shape.rows, tile.m) * stacks;
    double time = double(llvm::divideCeil(blocks, profile.processors)) * tile.m * tile.n / tile.reach;
    if (!best || time < least) {
      best = &tile;
      least = time;
    }
  }
  if (!best)
    best = &tiles[std::size(tiles) - 1];
  MatrixUnit unit = isF8 ? profile.matrixUnitF8 : profile.matrixUnit;
  // f32 operands are multiplied as tf32 pairs or plainly, which only warps do.
  if (shape.xBytes == 4 || shape.weightBytes == 4)
    unit = MatrixUnit::mmaSync;
  int64_t stages = std::clamp<int64_t>(budget / stageBytes(*best), 2, 6);
  // Four warps multiply 64 rows by wgmma, and four more fetch; elsewhere eight warps do both.
  int64_t threads = unit == MatrixUnit::wgmma ? best->m / 64 * 128 + 128 : 256;
  mj::ScheduleAttr schedule = makeSchedule(
      context, name,
      {{"tile_m", best->m}, {"tile_n", best->n}, {"tile_k", tileK}, {"stages", stages}, {"threads", threads}});
  SmallVector<NamedAttribute> parameters(schedule.getParameters().getValue());
  parameters.emplace_back(StringAttr::get(context, "unit"), StringAttr::get(context, nameOf(unit)));
  return mj::ScheduleAttr::get(context, schedule.getName(), DictionaryAttr::get(context, parameters));
}

FailureOr<mj::ScheduleAttr> cuda::chooseMatmul(mj::FusionOp fusion, const CudaProfile &profile) {
  Block &body = fusion.getBody().front();
  SmallVector<MatmulColumns> sets = findMatmulColumns(body);
  Value x = sets.front().matmuls.front().getX();
  bool isF8 = true;
  for (const MatmulColumns &set : sets)
    for (mj::MatmulOp matmul : set.matmuls) {
      if (matmul.getX() != x)
        return fusion.emitOpError("holds matmuls of different inputs; the GPU's kernels read one");
      if (tensorOf(matmul.getResult()).getDimSize(1) != set.columns())
        return fusion.emitOpError("joins matmuls of ")
               << set.columns() << " and " << tensorOf(matmul.getResult()).getDimSize(1)
               << " columns; results that meet have the same columns";
      isF8 &= isa<Float8E4M3FNType>(tensorOf(x).getElementType()) &&
              isa<Float8E4M3FNType>(tensorOf(matmul.getWeight()).getElementType());
    }
  MatmulShape shape = getShape(sets);
  bool hasPrologue = x.getDefiningOp() != nullptr;
  bool isTransposed = llvm::all_of(body.getOps<mj::MatmulOp>(), [](mj::MatmulOp op) { return op.getTransposeB(); });
  if (shape.rows <= profile.smallMatmulRows && isTransposed)
    return chooseSmall(fusion.getContext(), shape, profile);
  if (!isTransposed && !hasPrologue && llvm::hasSingleElement(body.without_terminator()))
    return chooseBatchMatmul(fusion, profile);
  if (hasPrologue || !isTransposed)
    return fusion.emitOpError("computes what surrounds a matmul of ")
           << shape.rows << (isTransposed ? " rows" : " rows by a weight that is not transposed")
           << "; the GPU's kernels do that for up to " << profile.smallMatmulRows << " rows and transposed weights";
  SmallVector<int64_t> columns;
  for (const MatmulColumns &set : sets)
    columns.push_back(set.columns());
  return chooseLarge(fusion.getContext(), kLargeMatmulSchedule, shape, columns, 1, isF8, profile);
}

StackedProduct::StackedProduct(Block &body) {
  for (Operation &candidate : body.without_terminator()) {
    if (auto matmul = dyn_cast<mj::MatmulOp>(candidate)) {
      a = matmul.getX(), b = matmul.getWeight(), isTransposed = matmul.getTransposeB();
    } else if (auto stacks = dyn_cast<mj::BatchMatmulOp>(candidate)) {
      a = stacks.getA(), b = stacks.getB(), isTransposed = stacks.getTransposeB();
    } else {
      continue;
    }
    op = &candidate;
    result = tensorOf(op->getResult(0));
    return;
  }
}

bool StackedProduct::usesTensorCores() const {
  Type element = tensorOf(a).getElementType();
  return (element.isBF16() || element.isF16()) && tensorOf(b).getElementType() == element &&
         tensorOf(a).getShape().back() % 8 == 0 && tensorOf(b).getShape().back() % 8 == 0;
}

int64_t cuda::stageBytesOfStacks(int64_t tileM, int64_t tileN, int64_t tileK, bool isTransposed) {
  return 2 * (tileM * (tileK + 8) + (isTransposed ? tileN * (tileK + 8) : tileK * (tileN + 8)));
}

mj::ScheduleAttr cuda::chooseBatchMatmul(mj::FusionOp fusion, const CudaProfile &profile) {
  StackedProduct product(fusion.getBody().front());
  ArrayRef<int64_t> shape = product.result.getShape();
  int64_t m = shape.take_back(2).front(), n = shape.back(), stacks = ShapedType::getNumElements(shape.drop_back(2));
  // The larger tile where it leaves a block for every multiprocessor: an operand then serves twice the products.
  int64_t tile = 128;
  if (!product.usesTensorCores() ||
      int64_t(llvm::divideCeil(m, tile) * llvm::divideCeil(n, tile)) * stacks < profile.processors)
    tile = 64;
  constexpr int64_t tileK = 64;
  int64_t stages = std::clamp<int64_t>(
      profile.sharedBytesPerBlock / stageBytesOfStacks(tile, tile, tileK, product.isTransposed), 2, 4);
  return makeSchedule(fusion.getContext(), kBatchMatmulSchedule,
                      {{"stages", stages}, {"threads", 256}, {"tile_k", tileK}, {"tile_m", tile}, {"tile_n", tile}});
}

int64_t cuda::countMatmulBlocks(mj::ScheduleAttr schedule, Block &body) {
  StringRef name = schedule.getName().getValue();
  if (name == kBatchMatmulSchedule) {
    RankedTensorType result = StackedProduct(body).result;
    return ShapedType::getNumElements(result.getShape().drop_back(2)) *
           llvm::divideCeil(result.getShape().take_back(2).front(), getParameter(schedule, "tile_m")) *
           llvm::divideCeil(result.getShape().back(), getParameter(schedule, "tile_n"));
  }
  bool isSmall = name == kSmallMatmulSchedule;
  int64_t blocks = 0, rows = 0;
  for (const MatmulColumns &set : findMatmulColumns(body)) {
    mj::MatmulOp first = set.matmuls.front();
    rows = tensorOf(first.getX()).getDimSize(0);
    blocks += llvm::divideCeil(set.columns(), getParameter(schedule, isSmall ? "columns" : "tile_n"));
  }
  return isSmall ? blocks * getParameter(schedule, "splits")
                 : blocks * llvm::divideCeil(rows, getParameter(schedule, "tile_m"));
}
