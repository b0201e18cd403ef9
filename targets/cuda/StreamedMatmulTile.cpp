// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Two kinds of tiles. Where a block has few columns, two of successive launches share a multiprocessor, so that one's
// weights come while the other multiplies. Where it has many, it has the multiprocessor for itself, since weights come
// while it multiplies its own.
#include "targets/cuda/StreamedMatmulTile.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;

StreamedMatmulTile::StreamedMatmulTile(mj::ScheduleAttr schedule)
    : columns(getParameter(schedule, "columns")), groupColumns(getParameter(schedule, "group_columns")),
      splits(getParameter(schedule, "splits")), blocks(getParameter(schedule, "blocks")),
      stages(getParameter(schedule, "stages")), window(getParameter(schedule, "window")),
      held(getParameter(schedule, "held")), threads(getParameter(schedule, "threads")),
      late(getParameter(schedule, "late")) {}

mj::ScheduleAttr StreamedMatmulTile::toSchedule(MLIRContext *context) const {
  return makeSchedule(context, kStreamedMatmulSchedule,
                      {{"blocks", blocks},
                       {"columns", columns},
                       {"group_columns", groupColumns},
                       {"held", held},
                       {"late", late},
                       {"splits", splits},
                       {"stages", stages},
                       {"threads", threads},
                       {"window", window}});
}

int64_t StreamedMatmulTile::sharedBytes(const MatmulShape &shape) const {
  constexpr int64_t barrierBytes = 1024, paddedUnit = 80, padding = 16;
  int64_t sliceK = shape.k / splits / warps(), buffers = groups() > 1 ? 2 : 1;
  int64_t floats = buffers * (groupColumns * shape.widest + 4) * shape.rows, xBytes = 0;
  if (shape.rows > 2) // in registers, through a part of shared memory
    floats = std::max(floats, shape.rows * paddedUnit / 2);
  else
    xBytes = warps() * shape.rows * (sliceK + padding) * 2;
  int64_t received = splits > 1 ? columns * shape.widest * shape.rows : 0;
  return barrierBytes + warps() * stages * kBoxRows * kBoxK + xBytes +
         (columns * shape.widest + warps() * floats + received + (splits + warps()) * shape.rows) * 4;
}

int64_t StreamedMatmulTile::boxes(const MatmulShape &shape) const {
  return shape.k / (splits * warps() * kBoxK) * (groupColumns * shape.widest / kBoxRows) * groups();
}

bool StreamedMatmulTile::fits(const MatmulShape &shape) const {
  if (shape.weightBytes != 1 || shape.rows > kMostRows || threads % 32 || shape.k % (splits * warps() * kBoxK) ||
      groupColumns % kBoxRows || columns % groupColumns || columns % (2 * splits))
    return false;
  return stages <= boxes(shape) && warps() * stages * 8 <= 1024 && window <= stages &&
         (held == 0 || (groups() == 1 && held <= stages && held + stages <= boxes(shape)));
}

namespace {
/// Measured on an H200 with 1 to 16 rows, 4096 to 65536 columns and K of 4096 to 12288; other chips' kernels of few
/// rows are SmallMatmul's.
class StreamedMatmulChoice {
public:
  StreamedMatmulChoice(const MatmulShape &shape, ArrayRef<int64_t> columns, const CudaProfile &profile)
      : shape(shape), setColumns(columns), profile(profile) {}

  SmallVector<StreamedMatmulTile> list() {
    int64_t columns = shape.columns * shape.widest;
    // Weights that shared memory holds as a whole come before the wait in any case.
    if (profile.matrixUnit != MatrixUnit::wgmma || shape.weightBytes != 1 ||
        shape.rows > StreamedMatmulTile::kMostRows || shape.k < kShortest ||
        columns * shape.k < profile.processors * profile.sharedBytesPerProcessor / 2)
      return {};
    if (columns > kPairColumns * profile.processors ||
        columns * shape.k > profile.processors * profile.sharedBytesPerProcessor)
      listAlone();
    else if (shape.rows <= 8 && kPairColumns % (shape.widest * StreamedMatmulTile::kBoxRows) == 0)
      listPairs();
    // Others, for who measures.
    for (size_t i = 0, count = tiles.size(); i < count; ++i)
      for (int64_t window = 1; window <= 4; ++window) {
        StreamedMatmulTile other = tiles[i];
        other.window = window;
        if (window != tiles[i].window)
          add(other);
      }
    return std::move(tiles);
  }

private:
  static constexpr int64_t kShortest = 4096;    ///< K that gives each of 16 warps two boxes
  static constexpr int64_t kPairColumns = 32;   ///< of each of two blocks of a multiprocessor
  static constexpr int64_t kMostRegisters = 64; ///< of a thread that hold x

  /// Two blocks, of successive launches, on a multiprocessor. More rows than eight take so long to multiply that
  /// nothing is gained by weights that come meanwhile.
  void listPairs() {
    StreamedMatmulTile tile;
    tile.blocks = 2, tile.threads = 256, tile.window = 2;
    tile.columns = tile.groupColumns = kPairColumns / shape.widest;
    // As many as registers are left beside x.
    int64_t most = shape.rows <= 2 ? 3 : 1;
    setStages(tile);
    tile.held = std::clamp<int64_t>(tile.boxes(shape) - tile.stages, 0, most);
    // Where all of the weights come before the wait, those of the next launch do not stand in their way.
    tile.late = tile.stages + tile.held < tile.boxes(shape);
    add(tile);
  }

  /// A block that has the multiprocessor for itself.
  void listAlone() {
    StreamedMatmulTile tile;
    tile.blocks = 1, tile.threads = 512;
    tile.window = shape.rows <= 8 ? 2 : 1;
    tile.late = startsNextLate(shape.rows);
    for (tile.splits = 1; tile.splits <= 2; tile.splits *= 2) {
      // A barrier a group: at least two boxes of each warp.
      bool isLong = shape.k / tile.splits >= 2 * tile.warps() * StreamedMatmulTile::kBoxK;
      tile.groupColumns = isLong || shape.widest > 1 ? 16 : 32;
      tile.columns = tile.groupColumns;
      while (countBlocks(tile) > profile.processors)
        tile.columns += tile.groupColumns;
      add(tile);
    }
    // Blocks that divide K bring less of x each, where that is much. And where the weights are many times what a block
    // has on their way, warps drift apart, and memory is read in pieces: then warps that meet more often are faster, by
    // a third for 600 MB.
    constexpr int64_t ringBytes = 192 << 10;
    if (tiles.size() == 2 && (registersOfX(tiles.front()) > 32 || bytesOfBlock(tiles.front()) > 3 * ringBytes))
      std::swap(tiles[0], tiles[1]);
    tile.splits = 2;
    if (tiles.empty() && registersOfX(tile) > kMostRegisters)
      listQuarters();
  }

  /// K divided among four blocks, and each warp with 256 of it: of more, so many rows of x do not fit into registers.
  void listQuarters() {
    StreamedMatmulTile tile;
    tile.blocks = 1, tile.splits = 4, tile.window = 1;
    tile.threads = shape.k / (4 * 256) * 32;
    tile.late = startsNextLate(shape.rows);
    if (tile.threads > 512)
      return;
    tile.columns = tile.groupColumns = 16;
    // Clusters of four reach 120 of 132 multiprocessors (cudaOccupancyMaxActiveClusters).
    while (countBlocks(tile) > profile.processors * 10 / 11)
      tile.columns += tile.groupColumns;
    add(tile);
  }

  int64_t bytesOfBlock(const StreamedMatmulTile &tile) const {
    return tile.columns * shape.widest * (shape.k / tile.splits);
  }

  /// Registers of a thread that hold x, two elements each; rows of which there are up to two are in shared memory.
  int64_t registersOfX(const StreamedMatmulTile &tile) const {
    return shape.rows <= 2 ? 0 : llvm::divideCeil(shape.rows, 8) * (shape.k / tile.splits / tile.warps() / 8);
  }

  int64_t countBlocks(const StreamedMatmulTile &tile) const {
    int64_t blocks = 0;
    for (int64_t columns : setColumns)
      blocks += llvm::divideCeil(columns, tile.columns) * tile.splits;
    return blocks;
  }

  /// As many stages as there is room for.
  void setStages(StreamedMatmulTile &tile) const {
    // A KiB of each block's shared memory is the system's.
    int64_t budget = std::min(profile.sharedBytesPerBlock, profile.sharedBytesPerProcessor / tile.blocks - 1024);
    for (tile.stages = 16; tile.stages > 0; --tile.stages)
      if (tile.fits(shape) && tile.sharedBytes(shape) <= budget)
        return;
  }

  /// A tile, if most multiprocessors get a block and none two.
  void add(StreamedMatmulTile tile) {
    constexpr double leastFilled = 0.85;
    setStages(tile);
    int64_t blocks = countBlocks(tile);
    if (tile.stages > tile.window && registersOfX(tile) <= kMostRegisters && blocks <= profile.processors &&
        blocks >= leastFilled * profile.processors)
      tiles.push_back(tile);
  }

  const MatmulShape &shape;
  ArrayRef<int64_t> setColumns;
  const CudaProfile &profile;
  SmallVector<StreamedMatmulTile> tiles;
};
} // namespace

SmallVector<StreamedMatmulTile> cuda::listStreamedMatmuls(const MatmulShape &shape, ArrayRef<int64_t> columns,
                                                          const CudaProfile &profile) {
  return StreamedMatmulChoice(shape, columns, profile).list();
}
