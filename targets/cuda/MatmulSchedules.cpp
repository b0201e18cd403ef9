// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which kernel a matmul by weights gets, and the tiles of those of few rows, from the shape and the chip.
#include "targets/cuda/MatmulSchedules.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "mjolnir/Target/Cost.h"
#include "targets/cuda/Predictions.h"
#include "targets/cuda/StreamedMatmulTile.h"
#include "targets/cuda/TensorMatmulTile.h"

#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"
#include <limits>

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

RowsInMemory cuda::findRowsInMemory(Value x) {
  RowsInMemory rows;
  Value value = x;
  rows.norm = value.getDefiningOp<mj::NormOp>();
  if (mj::NormOp norm = rows.norm) {
    if (norm.getKind() != mj::NormKind::rms || norm.getBias() ||
        (norm.getWeight() && !isa<BlockArgument>(norm.getWeight())))
      return {};
    value = norm.getX();
  }
  if (auto gather = value.getDefiningOp<mj::GatherOp>()) {
    value = gather.getTable();
    rows.ids = gather.getIndices();
    if (!isa<BlockArgument>(rows.ids) || !tensorOf(rows.ids).getElementType().isInteger(32))
      return {};
  }
  if (!isa<BlockArgument>(value) || !tensorOf(value).getElementType().isBF16() || tensorOf(value).getRank() != 2)
    return {};
  rows.memory = value;
  return rows;
}

bool RowsInMemory::canBeCopied() const {
  mj::NormOp op = norm;
  return memory && (!op || !op.getWeight() || tensorOf(op.getWeight()).getElementType().isBF16());
}

MatmulShape cuda::getMatmulShape(ArrayRef<MatmulColumns> sets) {
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

/// What is not left to SmallMatmulChoice.
namespace {
struct SmallWishes {
  std::optional<int64_t> splits = {}, columns = {}, groupColumns = {}, slices = {}, shares = {}, held = {};
  int64_t stageBytes = 8 << 10;
};
} // namespace

/// Rows of x up to which codes are multiplied as f16, and x is made f16 for it: what that costs grows with them.
static constexpr int64_t kHalvesRows = 8;

SmallMatmulTile::SmallMatmulTile(mj::ScheduleAttr schedule)
    : columns(getParameter(schedule, "columns")), groupColumns(getParameter(schedule, "group_columns")),
      held(getParameter(schedule, "held")), late(getParameter(schedule, "late")),
      slices(getParameter(schedule, "slices")), splits(getParameter(schedule, "splits")),
      shares(getParameter(schedule, "shares")), stageK(getParameter(schedule, "stage_k")),
      stages(getParameter(schedule, "stages")), threads(getParameter(schedule, "threads")) {}

mj::ScheduleAttr SmallMatmulTile::toSchedule(MLIRContext *context) const {
  SmallVector<std::pair<StringRef, int64_t>> parameters{{"columns", columns}, {"group_columns", groupColumns},
                                                        {"late", late},       {"shares", shares},
                                                        {"slices", slices},   {"splits", splits},
                                                        {"stage_k", stageK},  {"stages", stages},
                                                        {"threads", threads}};
  if (held)
    parameters.push_back({"held", held});
  return makeSchedule(context, kSmallMatmulSchedule, parameters);
}

int64_t SmallMatmulTile::heldPieces(int64_t k, int64_t weights, int64_t elementBytes) const {
  return k / splits / slices * elementBytes / 64 * (groupColumns * weights / 8);
}

bool SmallMatmulTile::canHold(int64_t rows, int64_t k, int64_t weights, int64_t elementBytes) const {
  int64_t pieces = std::max<int64_t>(heldPieces(k, weights, elementBytes) - held, 0), x = k / splits * 2;
  bool hasRoomForSums = (slices == 1 && splits == 1) ||
                        threads / 32 * (groupColumns * weights + 4) * rows * 4 <= threads * 16 * pieces + rows * x;
  return shares > 0 && (elementBytes == 2 || rows > kHalvesRows) && groups() <= lanes() &&
         k % (splits * slices * 64 / elementBytes) == 0 && hasRoomForSums;
}

int64_t SmallMatmulTile::sharedBytes(int64_t rows, int64_t k, int64_t weights, int64_t elementBytes,
                                     bool isNormed) const {
  int64_t partK = k / splits, ringBytes = stages * groupColumns * weights * (stageK + 32) * elementBytes;
  if (held)
    ringBytes = std::max<int64_t>(heldPieces(k, weights, elementBytes) - held, 0) * slices * 512;
  int64_t partBytes = (groupColumns * weights + 4) * rows * 4;
  bool isReduced = slices > 1 || splits > 1;
  if (!isReduced || held || (groups() <= lanes() && slices * partBytes <= ringBytes))
    partBytes = 0; // sums take the place of the weights
  bool hasHalves = elementBytes == 1 && rows <= kHalvesRows;
  int64_t pieces = llvm::divideCeil(partK, 256);
  int64_t squares = shares && !isNormed ? 0 : shares && !hasHalves ? slices : pieces;
  int64_t scales = shares && isNormed ? partK * 2 : 0;
  int64_t factors =
      (hasHalves ? pieces * kHalvesRows : 0) + (elementBytes == 1 ? weights * groups() * groupColumns : 0);
  return llvm::alignTo((held ? 1 : lanes() * stages + 1) * 8, 128) + lanes() * ringBytes + threads / 32 * partBytes +
         rows * (partK + (held && elementBytes == 1 ? 8 : 32)) * 2 + scales + (factors + rows * squares) * 4;
}

namespace {
/// A block on every multiprocessor, with as many columns as that takes. Rows of x that are many are divided among the
/// blocks of a cluster along K, so that not every block reads all of them.
class SmallMatmulChoice {
public:
  SmallMatmulChoice(const MatmulShape &shape, bool canCopyX, const CudaProfile &profile, const SmallWishes &wishes = {})
      : shape(shape), profile(profile), wishes(wishes),
        copiesX(canCopyX && profile.hasClusters && wishes.shares.value_or(shape.rows > kOctet)),
        hasHalves(shape.weightBytes == 1 && shape.rows <= kHalvesRows) {}

  SmallMatmulTile choose() {
    tile.held = 0;
    tile.late = startsNextLate(shape.rows);
    chooseCluster();
    chooseWarps();
    chooseStages();
    // Sums of slices that neither fit beside the weights nor in their place.
    while (tile.slices > 1 && sharedBytes() > profile.sharedBytesPerBlock) {
      mostSlices = tile.slices - 1;
      while (!divides(tile.splits * mostSlices))
        --mostSlices;
      chooseWarps();
      chooseStages();
    }
    chooseHolders();
    return tile;
  }

private:
  static constexpr int64_t kOctet = 8; // columns that half an mma.m16n8k16 takes
  static constexpr int64_t kShortestSlice = 128;

  bool divides(int64_t parts) const { return shape.k % (parts * 32) == 0; }
  int64_t partK() const { return shape.k / tile.splits; }
  int64_t sharedBytes() const {
    return tile.sharedBytes(shape.rows, shape.k, shape.widest, shape.weightBytes, /*isNormed=*/true);
  }

  void chooseCluster() {
    // Rows of x in a block. Through registers: so few that weights on their way and the next kernel's blocks fit beside
    // them. Copied: so few that the weights fit.
    int64_t mostBytes =
        copiesX ? profile.sharedBytesPerBlock * 3 / 5 : std::min<int64_t>(64 << 10, profile.sharedBytesPerBlock / 3);
    tile.splits = 1;
    while (profile.hasClusters && tile.splits < 8 && shape.rows * partK() * 2 > mostBytes && divides(2 * tile.splits))
      tile.splits *= 2;
    tile.splits = wishes.splits.value_or(tile.splits);
    // Measured: two blocks that fetch x for each other halve the time; more of them wait for a place to start in.
    tile.shares = !copiesX ? 0 : wishes.shares.value_or(tile.splits == 1 ? 2 : 1);
    int64_t blocks = profile.processors * profile.smallMatmulBlocks;
    tile.columns = llvm::alignTo(llvm::divideCeil(shape.columns * tile.splits, blocks), kOctet);
    tile.columns = wishes.columns.value_or(tile.columns);
  }

  void chooseWarps() {
    // Measured: enough to hide each other's latency, few enough to add up.
    int64_t mostWarps = hasHalves ? 16 : copiesX ? 8 : 12;
    tile.groupColumns = shape.widest == 1 && tile.columns % 16 == 0 ? 16 : kOctet;
    // Many rows of x are read from shared memory once a group: few groups, where a block does not stream them anyhow.
    // By codes, any rows: they are few bytes beside x.
    constexpr int64_t mostSums = 48; // rows of the left operand
    // Codes that become bf16 are widened by the warps of a group: of 32 rows of 1024 by 4096 columns two groups of 16
    // took 1.7 us less than one of 32 (mjolnir-tune on an H200).
    int64_t mostColumns = shape.weightBytes == 1 && !hasHalves && shape.widest == 1 ? 16 : 32;
    if ((copiesX || hasHalves) && tile.columns <= 64)
      for (int64_t candidate = kOctet; candidate <= mostColumns && candidate * shape.widest <= mostSums;
           candidate += kOctet)
        if (tile.columns % candidate == 0)
          tile.groupColumns = candidate;
    tile.groupColumns = wishes.groupColumns.value_or(tile.groupColumns);
    tile.slices = 1;
    for (int64_t candidate = 2; candidate * tile.groups() <= mostWarps && candidate <= mostSlices; ++candidate)
      if (divides(tile.splits * candidate) && partK() / candidate >= kShortestSlice)
        tile.slices = candidate;
    tile.slices = std::min(wishes.slices.value_or(tile.slices), mostSlices);
    int64_t warps = tile.groups() * tile.slices, usual = profile.smallMatmulThreads / 32;
    tile.threads = 32 * (warps <= mostWarps ? warps : std::max<int64_t>(usual / tile.slices, 1) * tile.slices);
  }

  void chooseStages() {
    int64_t warpBytes = wishes.stageBytes;
    int64_t warps = tile.threads / 32, all = tile.groups() * tile.slices, unit = 32 * tile.slices;
    // A quarter is left to the next kernel's first stage, unless rows of x leave none.
    int64_t budget = std::min(profile.sharedBytesPerBlock, profile.sharedBytesPerProcessor / profile.smallMatmulBlocks);
    budget = (copiesX || hasHalves ? budget - (8 << 10) : budget * 3 / 4) - shape.rows * (partK() + 32) * 2;
    // Sums that cannot take the place of the weights.
    if ((tile.slices > 1 || tile.splits > 1) && all > warps)
      budget -= warps * (tile.groupColumns * shape.widest + 4) * shape.rows * 4;
    int64_t laneBytes = budget / tile.lanes(), rowBytes = tile.groupColumns * shape.widest * shape.weightBytes;
    auto bytesOf = [&](int64_t k) { return rowBytes * (k + 32); };
    tile.stageK = partK();
    tile.stages = 1;
    bool isWhole = all <= warps && partK() % unit == 0 &&
                   bytesOf(partK()) <= (copiesX ? laneBytes : std::min(laneBytes, 2 * warpBytes * tile.slices));
    if (isWhole)
      return;
    tile.stageK = std::min<int64_t>(llvm::alignTo(partK(), unit),
                                    std::max(warpBytes * tile.slices / rowBytes / unit * unit, unit));
    while (2 * bytesOf(tile.stageK) > laneBytes && tile.stageK > unit)
      tile.stageK = llvm::alignTo(tile.stageK / 2, unit);
    int64_t items = llvm::divideCeil(partK(), tile.stageK) * llvm::divideCeil(tile.groups(), tile.lanes());
    // None: rows of x that leave no room.
    tile.stages = std::max<int64_t>(std::min({laneBytes / bytesOf(tile.stageK), items, int64_t(8)}), 0);
  }

  /// Stages that leave no room for the next kernel's blocks keep them from bringing what they read before they wait.
  /// Where threads hold what they multiply, registers take most of it. Measured within steps of 32 rows on an H200: q,
  /// k, v by 1024 elements of bf16 1325 -> 1263 us with 12 of 16 pieces in registers, 1280 with all, 1293 with 8; gate
  /// and up in FP8 1012 -> 997. With more pieces (gate and up in bf16), K divided among blocks (down), or beyond half
  /// of the shared memory anyway (o), it is slower by up to 7%.
  void chooseHolders() {
    constexpr int64_t mostPieces = 16, mostInRegisters = 12;
    const int64_t half = profile.sharedBytesPerProcessor / 2, staged = sharedBytes(),
                  pieces = tile.heldPieces(shape.k, shape.widest, shape.weightBytes);
    const bool isWorthwhile = tile.splits == 1 && pieces <= mostPieces && staged > half;
    tile.held = wishes.held.value_or(isWorthwhile ? std::min(pieces, mostInRegisters) : 0);
    if (!tile.canHold(shape.rows, shape.k, shape.widest, shape.weightBytes) ||
        sharedBytes() > (wishes.held ? profile.sharedBytesPerBlock : half))
      tile.held = 0;
  }

  const MatmulShape &shape;
  const CudaProfile &profile;
  const SmallWishes wishes;
  const bool copiesX, hasHalves;
  int64_t mostSlices = std::numeric_limits<int64_t>::max();
  SmallMatmulTile tile;
};
} // namespace

/// Of the time that the kernel of few rows is predicted to take, what that of many rows must be predicted to take at
/// most: both predictions err.
static constexpr double kSurelyFaster = 0.75;

/// By tensor maps a matmul of few rows multiplies rows that are not there, but a block fetches the part of x that it
/// multiplies and no more: of 32 rows of 8192 elements all blocks of the other kernel fetch 512 KB each.
static mj::ScheduleAttr chooseOfTwo(mj::FusionOp fusion, mj::ScheduleAttr few, mj::ScheduleAttr many,
                                    const CudaProfile &profile) {
  KernelCost cost = computeCost(fusion);
  auto seconds = [&](mj::ScheduleAttr schedule) {
    return predictLaunch(schedule, fusion.getBody().front(), cost, profile).seconds();
  };
  return seconds(many) < kSurelyFaster * seconds(few) ? many : few;
}

FailureOr<mj::ScheduleAttr> cuda::chooseMatmul(mj::FusionOp fusion, const CudaProfile &profile) {
  Block &body = fusion.getBody().front();
  SmallVector<MatmulColumns> sets = findMatmulColumns(body);
  Value x = sets.front().matmuls.front().getX();
  bool isF8 = true, isBf16 = true;
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
      isBf16 &= tensorOf(x).getElementType().isBF16() && tensorOf(matmul.getWeight()).getElementType().isBF16();
    }
  MatmulShape shape = getMatmulShape(sets);
  bool hasPrologue = x.getDefiningOp() != nullptr;
  bool isTransposed = llvm::all_of(body.getOps<mj::MatmulOp>(), [](mj::MatmulOp op) { return op.getTransposeB(); });
  SmallVector<int64_t> columns;
  for (const MatmulColumns &set : sets)
    columns.push_back(set.columns());
  mj::ScheduleAttr byMaps;
  if ((isF8 || isBf16) && isTransposed && !hasPrologue && canUseTensorMaps(shape, isF8, profile))
    byMaps = listTensorMatmuls(shape, columns, profile).front().toSchedule(fusion.getContext());
  if (shape.rows <= profile.smallMatmulRows && isTransposed) {
    if (findRowsInMemory(x).memory)
      if (SmallVector<StreamedMatmulTile> tiles = listStreamedMatmuls(shape, columns, profile); !tiles.empty())
        return tiles.front().toSchedule(fusion.getContext());
    mj::ScheduleAttr few =
        SmallMatmulChoice(shape, findRowsInMemory(x).canBeCopied(), profile).choose().toSchedule(fusion.getContext());
    return byMaps && shape.rows > 8 ? chooseOfTwo(fusion, few, byMaps, profile) : few;
  }
  if (!isTransposed && !hasPrologue && llvm::hasSingleElement(body.without_terminator()))
    return chooseBatchMatmul(fusion, profile);
  if (hasPrologue || !isTransposed)
    return fusion.emitOpError("computes what surrounds a matmul of ")
           << shape.rows << (isTransposed ? " rows" : " rows by a weight that is not transposed")
           << "; the GPU's kernels do that for up to " << profile.smallMatmulRows << " rows and transposed weights";
  if (byMaps)
    return byMaps;
  return chooseLargeMatmul(fusion.getContext(), shape, columns, isF8, profile);
}

/// Whether the kernel's template, and a cluster, take a schedule of SmallMatmulChoice.
static bool isPossible(mj::ScheduleAttr schedule) {
  SmallMatmulTile tile(schedule);
  return tile.stages > 0 && tile.threads / 32 % tile.slices == 0 && tile.cluster() <= 8;
}

/// One wish at a time: what follows from it is chosen as ever.
static void listSmall(MLIRContext *context, const MatmulShape &shape, bool canCopyX, const CudaProfile &profile,
                      mj::ScheduleAttr chosen, SmallVectorImpl<mj::ScheduleAttr> &schedules) {
  SmallMatmulTile tile(chosen);
  auto add = [&](const SmallWishes &wishes) {
    mj::ScheduleAttr schedule = SmallMatmulChoice(shape, canCopyX, profile, wishes).choose().toSchedule(context);
    if (isPossible(schedule))
      schedules.push_back(schedule);
  };
  for (int64_t wish : {1, 2, 4, 8})
    if ((wish == 1 || profile.hasClusters) && shape.k % (wish * 32) == 0)
      add({.splits = wish});
  for (int64_t wish : {0, 1, 2, 4})
    if (wish == 0 || (canCopyX && profile.hasClusters))
      add({.shares = wish});
  for (int64_t wish : {tile.columns / 2, tile.columns * 2})
    if (wish >= 8 && wish % 8 == 0)
      add({.splits = tile.splits, .columns = wish});
  for (int64_t wish : {8, 16, 24, 32})
    if (tile.columns % wish == 0)
      add({.splits = tile.splits, .columns = tile.columns, .groupColumns = wish});
  for (int64_t wish = 1; wish <= 16; ++wish)
    if (shape.k % (tile.splits * wish * 32) == 0 && shape.k / tile.splits / wish >= 64)
      add({.splits = tile.splits, .slices = wish});
  for (int64_t wish : {0, 8, 12, 16})
    if (wish == 0 || tile.canHold(shape.rows, shape.k, shape.widest, shape.weightBytes))
      add({.held = wish});
  for (int64_t wish : {2 << 10, 4 << 10, 16 << 10})
    add({.stageBytes = wish});
}

void cuda::listMatmuls(mj::FusionOp fusion, mj::ScheduleAttr chosen, const CudaProfile &profile,
                       SmallVectorImpl<mj::ScheduleAttr> &schedules) {
  MLIRContext *context = fusion.getContext();
  SmallVector<MatmulColumns> sets = findMatmulColumns(fusion.getBody().front());
  MatmulShape shape = getMatmulShape(sets);
  StringRef name = chosen.getName().getValue();
  SmallVector<int64_t> columns;
  for (const MatmulColumns &set : sets)
    columns.push_back(set.columns());
  if (name == kSmallMatmulSchedule || name == kStreamedMatmulSchedule) {
    bool canCopyX = findRowsInMemory(sets.front().matmuls.front().getX()).canBeCopied();
    if (name == kStreamedMatmulSchedule) {
      for (const StreamedMatmulTile &tile : listStreamedMatmuls(shape, columns, profile))
        schedules.push_back(tile.toSchedule(context));
      chosen = SmallMatmulChoice(shape, canCopyX, profile).choose().toSchedule(context);
      if (isPossible(chosen))
        schedules.push_back(chosen);
    }
    if (isPossible(chosen))
      listSmall(context, shape, canCopyX, profile, chosen, schedules);
    return;
  }
  bool isF8 = getParameter(chosen, "tile_k") == 128;
  if (name == kTensorMatmulSchedule)
    for (const TensorMatmulTile &tile : listTensorMatmuls(shape, columns, profile))
      schedules.push_back(tile.toSchedule(context));
  else
    chooseLargeMatmul(context, shape, columns, isF8, profile, &schedules);
}

int64_t cuda::countMatmulBlocks(mj::ScheduleAttr schedule, Block &body) {
  StringRef name = schedule.getName().getValue();
  if (name == kBatchMatmulSchedule) {
    RankedTensorType result = StackedProduct(body).result;
    return ShapedType::getNumElements(result.getShape().drop_back(2)) *
           llvm::divideCeil(result.getShape().take_back(2).front(), getParameter(schedule, "tile_m")) *
           llvm::divideCeil(result.getShape().back(), getParameter(schedule, "tile_n"));
  }
  bool isSmall = name == kSmallMatmulSchedule || name == kStreamedMatmulSchedule;
  int64_t blocks = 0, rows = 0;
  for (const MatmulColumns &set : findMatmulColumns(body)) {
    mj::MatmulOp first = set.matmuls.front();
    rows = tensorOf(first.getX()).getDimSize(0);
    blocks += llvm::divideCeil(set.columns(), getParameter(schedule, isSmall ? "columns" : "tile_n"));
  }
  if (isSmall)
    blocks = llvm::alignTo(blocks, SmallMatmulTile(schedule).sharers());
  blocks *= getParameter(schedule, "splits");
  return isSmall ? blocks : blocks * llvm::divideCeil(rows, getParameter(schedule, "tile_m"));
}
