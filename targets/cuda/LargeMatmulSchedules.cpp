// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Tiles of matmuls of many rows, by weights and of stacks, from the shape and the chip.
#include "targets/cuda/MatmulSchedules.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "targets/cuda/Schedules.h"

#include "llvm/Support/MathExtras.h"
#include <limits>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using mj::tensorOf;

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

static constexpr Tile tiles[] = {{128, 256, 0.9}, {128, 128, 0.85}, {128, 64, 0.7}, {64, 128, 0.6}, {64, 64, 0.5}};

mj::ScheduleAttr cuda::chooseLargeMatmul(MLIRContext *context, const MatmulShape &shape, ArrayRef<int64_t> columns,
                                         bool isF8, const CudaProfile &profile,
                                         SmallVectorImpl<mj::ScheduleAttr> *candidates) {
  constexpr double reduceSeconds = 1e-6; // sums of a cluster's blocks
  MatrixUnit unit = isF8 ? profile.matrixUnitF8 : profile.matrixUnit;
  // f32 operands are multiplied plainly.
  bool isPlain = shape.xBytes == 4 || shape.weightBytes == 4;
  if (isPlain)
    unit = MatrixUnit::mmaSync;
  bool usesGroups = unit == MatrixUnit::wgmma;
  bool multipliesF8 = isF8 && profile.multipliesF8 && unit != MatrixUnit::tcgen05;
  int64_t elementBytes = multipliesF8 ? 1 : 2, tileK = 128 / elementBytes;
  int64_t budget = profile.sharedBytesPerBlock - (4 << 10), fewestStages = usesGroups ? 3 : 2;
  double rate = (elementBytes == 1 ? profile.flopsF8 : profile.flopsBf16) / profile.processors;
  auto stageBytes = [&](const Tile &tile) { return 128 * (tile.m + tile.n * shape.widest); };
  auto scheduleOf = [&](const Tile &tile, int64_t splits) {
    int64_t stages = std::clamp<int64_t>(budget / stageBytes(tile), fewestStages, 6);
    mj::ScheduleAttr schedule = makeSchedule(context, kLargeMatmulSchedule,
                                             {{"tile_m", tile.m},
                                              {"tile_n", tile.n},
                                              {"tile_k", tileK},
                                              {"splits", splits},
                                              {"stages", stages},
                                              {"threads", 256}});
    SmallVector<NamedAttribute> parameters(schedule.getParameters().getValue());
    parameters.emplace_back(StringAttr::get(context, "unit"), StringAttr::get(context, nameOf(unit)));
    return mj::ScheduleAttr::get(context, schedule.getName(), DictionaryAttr::get(context, parameters));
  };
  const Tile *best = &tiles[std::size(tiles) - 1];
  int64_t bestSplits = 1;
  double least = std::numeric_limits<double>::infinity();
  for (const Tile &tile : tiles) {
    // Sums of all matmuls of a set stay in registers, then in shared memory.
    int64_t sums = tile.n * shape.widest;
    if (sums > 256 || fewestStages * stageBytes(tile) > budget || tile.m * (sums + 4 * shape.widest) * 4 > budget)
      continue;
    int64_t blocks = 0;
    for (int64_t n : columns)
      blocks += llvm::divideCeil(n, tile.n);
    blocks *= llvm::divideCeil(shape.rows, tile.m);
    for (int64_t splits = 1; splits <= (profile.hasClusters && !isPlain ? 4 : 1); splits *= 2) {
      int64_t steps = llvm::divideCeil(llvm::divideCeil(shape.k, tileK), splits), all = blocks * splits;
      if (splits > 1 && (all > profile.processors || steps < 4))
        break;
      double products =
          double(llvm::divideCeil(all, profile.processors)) * 2 * tile.m * sums * steps * tileK / (rate * tile.reach);
      double bytes = double(llvm::divideCeil(all, profile.processors)) * steps * stageBytes(tile);
      double seconds =
          std::max(products, bytes / (profile.cacheBandwidth / profile.processors)) + (splits > 1 ? reduceSeconds : 0);
      if (candidates)
        candidates->push_back(scheduleOf(tile, splits));
      if (seconds < least) {
        best = &tile;
        bestSplits = splits;
        least = seconds;
      }
    }
  }
  return scheduleOf(*best, bestSplits);
}

//===----------------------------------------------------------------------===//
// Stacks
//===----------------------------------------------------------------------===//

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
