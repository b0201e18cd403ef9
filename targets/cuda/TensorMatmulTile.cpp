// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The choice among tiles by the time that they take: waves of blocks, each of steps along K that take as long as their
// products, or as bringing their operands, and of what goes before and after.
#include "targets/cuda/TensorMatmulTile.h"

#include "targets/cuda/Schedules.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;

TensorMatmulTile::TensorMatmulTile(mj::ScheduleAttr schedule)
    : m(getParameter(schedule, "tile_m")), n(getParameter(schedule, "tile_n")),
      splits(getParameter(schedule, "splits")), blocks(getParameter(schedule, "blocks")),
      stages(getParameter(schedule, "stages")), elementBytes(128 / getParameter(schedule, "tile_k")) {}

mj::ScheduleAttr TensorMatmulTile::toSchedule(MLIRContext *context) const {
  return makeSchedule(context, kTensorMatmulSchedule,
                      {{"blocks", blocks},
                       {"splits", splits},
                       {"stages", stages},
                       {"threads", kThreads},
                       {"tile_k", stepK()},
                       {"tile_m", m},
                       {"tile_n", n}});
}

int64_t TensorMatmulTile::sharedBytes(int64_t weights) const {
  int64_t ringBytes = stages * stageBytes(weights), sumBytes = splits > 1 ? weights * m * (n + 4) * 4 : 0;
  return std::max(ringBytes, sumBytes) + 2 * stages * 8;
}

double TensorMatmulTile::seconds(int64_t tiles, const MatmulShape &shape, const CudaProfile &profile) const {
  const KernelTimes &times = profile.times;
  int64_t sums = n * shape.widest, all = tiles * splits;
  double rate = (elementBytes == 1 ? profile.flopsF8 : profile.flopsBf16) / profile.processors * times.mapReach;
  double bandwidth = blocks == 1 ? times.mapBandwidth : times.mapPairBandwidth;
  double step = std::max(2.0 * m * sums * stepK() / rate, stageBytes(shape.widest) / bandwidth);
  double steps = double(llvm::divideCeil(llvm::divideCeil(shape.k, stepK()), splits));
  // A cluster's blocks lie beside each other: some of larger ones, each of which fills a multiprocessor, wait for
  // places.
  double places = splits > 2 && blocks == 1 ? profile.processors * 0.9 : profile.processors;
  // Blocks that share a multiprocessor hide each other's beginnings and ends, not their steps.
  double block = times.mapStart + times.mapEpilogue * m * sums / (128 * 128);
  block += times.mapSums * llvm::Log2_64(splits);
  double weightSeconds = double(shape.columns * shape.widest * shape.k * elementBytes) / profile.readBandwidth;
  return std::max(std::ceil(all / places) * steps * step + std::ceil(all / (places * blocks)) * block, weightSeconds) +
         times.mapMemory * weightSeconds;
}

bool cuda::canUseTensorMaps(const MatmulShape &shape, bool isF8, const CudaProfile &profile) {
  int64_t elementBytes = isF8 ? 1 : 2;
  return (isF8 ? profile.matrixUnitF8 : profile.matrixUnit) == MatrixUnit::wgmma && (!isF8 || profile.multipliesF8) &&
         shape.k * elementBytes % 16 == 0;
}

SmallVector<TensorMatmulTile> cuda::listTensorMatmuls(const MatmulShape &shape, ArrayRef<int64_t> columns,
                                                      const CudaProfile &profile) {
  constexpr std::pair<int64_t, int64_t> sizes[] = {{128, 256}, {128, 128}, {128, 64}, {128, 32}, {64, 128}, {64, 64}};
  constexpr int64_t fewestStages = 3, mostStages = 8;
  SmallVector<TensorMatmulTile> tiles;
  SmallVector<std::pair<double, size_t>> order; // equal times in the order above
  for (auto [m, n] : sizes)
    for (int64_t splits : {1, 2, 4})
      for (int64_t blocks : {1, 2}) {
        TensorMatmulTile tile;
        tile.m = m, tile.n = n, tile.splits = splits, tile.blocks = blocks;
        tile.elementBytes = shape.xBytes;
        int64_t steps = llvm::divideCeil(llvm::divideCeil(shape.k, tile.stepK()), splits);
        // What two blocks of 288 threads have of registers holds 64 sums a thread, and 128 that of one block.
        bool fits = m * n * shape.widest <= 128 * 256 / blocks;
        // A KiB of each block's shared memory is the system's.
        int64_t budget =
            std::min(profile.sharedBytesPerBlock, profile.sharedBytesPerProcessor / blocks - 1024) - 2 * mostStages * 8;
        tile.stages = std::min({budget / tile.stageBytes(shape.widest), mostStages, std::max(steps, fewestStages)});
        int64_t count = 0;
        for (int64_t each : columns)
          count += llvm::divideCeil(each, n) * llvm::divideCeil(shape.rows, m);
        // Blocks that divide K serve multiprocessors that have none.
        bool isWorth = splits == 1 || (steps >= 4 && count * splits <= profile.processors);
        if (!fits || !isWorth || tile.stages < fewestStages || tile.sharedBytes(shape.widest) > budget)
          continue;
        order.emplace_back(tile.seconds(count, shape, profile), tiles.size());
        tiles.push_back(tile);
      }
  llvm::sort(order);
  return llvm::map_to_vector(order, [&](auto &place) { return tiles[place.second]; });
}
