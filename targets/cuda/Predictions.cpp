// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Times of kernels from how they work: what is hidden behind what, and what follows one after the other.
#include "targets/cuda/Predictions.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "targets/cuda/DecodeAttention.h"
#include "targets/cuda/MatmulSchedules.h"
#include "targets/cuda/Reductions.h"
#include "targets/cuda/Schedules.h"
#include "targets/cuda/TensorMatmulTile.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using mj::tensorOf;

namespace {

class Predictor {
public:
  Predictor(mj::ScheduleAttr schedule, Block &body, const KernelCost &cost, const CudaProfile &profile)
      : schedule(schedule), body(body), cost(cost), profile(profile), times(profile.times),
        result(predict(cost, profile)), blocks(countBlocks(schedule, body)) {}

  Prediction run() {
    StringRef name = schedule.getName().getValue();
    if (name == kSmallMatmulSchedule && parameter("stages") > 0)
      predictSmallMatmul();
    else if (name == kStreamedMatmulSchedule)
      predictStreamedMatmul();
    else if (name == kLargeMatmulSchedule)
      predictLargeMatmul();
    else if (name == kTensorMatmulSchedule)
      predictTensorMatmul();
    else if (name == kDecodeAttentionSchedule)
      predictDecodeAttention();
    else if (name == kPrefillAttentionSchedule || name == kSdpaSchedule)
      predictPrefillAttention();
    else if (name == kLinesSchedule)
      predictLines();
    else if (name == kRowsSchedule || name == kGatherSchedule)
      predictRows();
    else if (name == kSampleSchedule)
      result.latencySeconds = times.sampleStart;
    result.findBound();
    return result;
  }

private:
  int64_t parameter(StringRef name) const { return getParameter(schedule, name); }
  double waves(double blocksPerProcessor) const { return blocks / (profile.processors * blocksPerProcessor); }

  /// Weights are on their way before the kernel waits, so that only what they take longer counts: x, then the products
  /// of the rounds, of which all but the last hide behind weights of the next, unless the blocks of a cluster meet in
  /// each.
  void predictSmallMatmul() {
    MatmulShape shape = getMatmulShape(findMatmulColumns(body));
    int64_t rows = shape.rows;
    int64_t splits = parameter("splits"), slices = parameter("slices"), groupColumns = parameter("group_columns");
    int64_t warps = parameter("threads") / 32, partK = shape.k / splits;
    double groups = double(llvm::divideCeil(parameter("columns"), groupColumns));
    double rounds = std::ceil(groups * slices / warps);
    double products = groups * slices / warps * (partK / slices / 16.0) * double(llvm::divideCeil(rows, 8)) *
                      (groupColumns * shape.widest / 16.0) * times.warpProduct;
    result.latencySeconds = times.matmulStart + (rows > 1 ? times.matmulRows : 0) + rows * partK * 2 * times.stagedByte;
    if (splits == 1) {
      result.latencySeconds += products / rounds;
      result.computeSeconds = products * (1 - 1 / rounds);
    } else {
      result.latencySeconds += products + times.clusterSums * rounds * double(splits - 1) * rows / 32;
      result.computeSeconds = 0;
    }
  }

  /// Products hide behind weights that come, x does not.
  void predictStreamedMatmul() {
    MatmulShape shape = getMatmulShape(findMatmulColumns(body));
    result.latencySeconds = times.matmulStart + (shape.rows > 1 ? times.matmulRows : 0);
    result.computeSeconds = 0;
  }

  /// Waves of tiles, each of steps along K that take as long as their products, or as bringing their operands.
  void predictLargeMatmul() {
    MatmulShape shape = getMatmulShape(findMatmulColumns(body));
    int64_t tileM = parameter("tile_m"), tileN = parameter("tile_n") * shape.widest, tileK = parameter("tile_k");
    int64_t splits = parameter("splits");
    double steps = double(llvm::divideCeil(llvm::divideCeil(shape.k, tileK), splits)), area = tileM * tileN / 32768.0;
    bool isF8 = tileK == 128;
    double rate = (isF8 ? profile.flopsF8 : profile.flopsBf16) / profile.processors * times.tileReach;
    double step = std::max(2.0 * tileM * tileN * tileK / rate,
                           double(tileM + tileN) * tileK * (isF8 ? 1 : 2) / times.tileBandwidth);
    result.computeSeconds = std::ceil(waves(1)) * (steps * step + area * times.tileEpilogue);
    result.latencySeconds =
        times.tileStart + times.tileSums * double(splits - 1) * area + times.tileMemory * result.memorySeconds;
    result.memorySeconds = 0;
  }

  /// Operands that come from memory do so behind products of others.
  void predictTensorMatmul() {
    TensorMatmulTile tile(schedule);
    result.computeSeconds =
        tile.seconds(int64_t(blocks) / tile.splits, getMatmulShape(findMatmulColumns(body)), profile);
  }

  /// A block of eight warps has so much on its way that half of the multiprocessors take the whole bandwidth. Items
  /// that blocks take in turn follow each other closely.
  void predictDecodeAttention() {
    double norms = double(llvm::range_size(body.getOps<mj::NormOp>())), turns = 1, codes = 0;
    for (auto attention : body.getOps<mj::AttentionOp>()) {
      DecodeAttentionShape shape(schedule, attention);
      turns = double(llvm::divideCeil(shape.items, shape.clusters));
      codes = shape.elementBytes == 1 ? times.decodeCodes : 0;
    }
    result.memorySeconds /= std::min(1.0, waves(1) * std::max(parameter("threads") / 128.0, 1.0));
    result.latencySeconds = times.decodeStart + norms * times.decodeNorm + (turns - 1) * times.decodeTurn + codes;
    result.computeSeconds = 0;
  }

  void predictPrefillAttention() {
    int64_t size = 128;
    for (Operation &op : body)
      if (isa<mj::AttentionOp, mj::SdpaOp>(op))
        size = tensorOf(op.getOperand(0)).getDimSize(2);
    // Scores and softmax run beside the products.
    double products = cost.flops[static_cast<int>(Arithmetic::bf16)] / profile.flopsBf16;
    products += cost.flops[static_cast<int>(Arithmetic::f8)] / profile.flopsBf16; // codes are multiplied as bf16
    double reach = (parameter("groups") ? times.groupReach : times.prefillReach) * (size < 128 ? 0.75 : 1.0);
    result.computeSeconds = products / reach;
    result.latencySeconds = times.prefillStart + waves(1) * times.prefillWave;
  }

  /// As many blocks at a time as threads fit; a block reduces its lines one after the other.
  void predictRows() {
    int64_t reductions =
        llvm::count_if(body, [](Operation &op) { return isLineReduction(&op) || isa<mj::RopeOp>(op); });
    double perProcessor = std::max<double>(1, double(profile.threadsPerProcessor) / 2 / parameter("threads"));
    double block = times.rowsWave + reductions * times.rowsReduction;
    bool isGather = schedule.getName().getValue() == kGatherSchedule;
    result.latencySeconds = isGather ? times.gatherStart : times.rowsStart;
    result.memorySeconds /= times.rowsReach;
    result.computeSeconds = std::max(result.computeSeconds, waves(perProcessor) * block);
  }

  /// Lines are read and written once, by as many blocks at a time as are needed to keep memory busy.
  void predictLines() {
    result.latencySeconds = times.linesStart;
    result.memorySeconds /= times.linesReach;
  }

  mj::ScheduleAttr schedule;
  Block &body;
  const KernelCost &cost;
  const CudaProfile &profile;
  const KernelTimes &times;
  Prediction result;
  double blocks;
};

} // namespace

Prediction cuda::predictLaunch(mj::ScheduleAttr schedule, Block &body, const KernelCost &cost,
                               const CudaProfile &profile) {
  return Predictor(schedule, body, cost, profile).run();
}
