// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Schedules of attention where each sequence has one row.
#include "targets/cuda/DecodeAttention.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using mj::tensorOf;

namespace {
/// What is not left to choose(). `blocks` are those that a multiprocessor holds at a time.
struct Wishes {
  std::optional<int64_t> splits = {}, keys = {}, warps = {}, blocks = {};
};
} // namespace

DecodeAttentionShape::DecodeAttentionShape(mj::AttentionOp attention)
    : warps(4), stages(2), splits(1), keys(16), clusters(0) {
  mj::KvType kv = attention.getKv().getType();
  items = attention.getBatch().getType().getSequences() * kv.getHeads();
  group = tensorOf(attention.getQuery()).getDimSize(1) / kv.getHeads();
  size = kv.getHeadDim();
  elementBytes = kv.getElementType().getIntOrFloatBitWidth() / 8;
  isF16 = kv.getElementType().isF16();
  clusters = items;
}

DecodeAttentionShape::DecodeAttentionShape(mj::ScheduleAttr schedule, mj::AttentionOp attention)
    : DecodeAttentionShape(attention) {
  warps = getParameter(schedule, "threads") / 32;
  stages = getParameter(schedule, "stages");
  splits = getParameter(schedule, "splits");
  if (int64_t number = getParameter(schedule, "keys"))
    keys = number;
  if (int64_t blocks = getParameter(schedule, "blocks"))
    clusters = std::clamp<int64_t>(blocks / splits, 1, items);
}

bool DecodeAttentionShape::usesTensorCores() const {
  return elementBytes <= 2 && !isF16 && size % (elementBytes == 1 ? 32 : 16) == 0;
}

int64_t DecodeAttentionShape::fixedBytes() const {
  int64_t buffers = splits > 1 && items > clusters ? 2 : 1;
  return 2 * size * elementBytes + buffers * splits * warps * (group * size / splits + 2 * group) * 4;
}

int64_t DecodeAttentionShape::heldBlocks(const CudaProfile &profile) const {
  int64_t wanted = llvm::divideCeil(clusters * splits, profile.processors);
  return std::max<int64_t>(std::min(wanted, profile.sharedBytesPerProcessor / sharedBytes()), 1);
}

/// The part of the time that the last of `slots` has something to do while items are taken in turn.
static double reach(int64_t items, int64_t slots) {
  return double(items) / double(slots * llvm::divideCeil(items, slots));
}

/// Blocks that a multiprocessor holds at a time. Measured on an H200, within steps: one, where that is enough for all
/// items, as two places would be taken by blocks of one multiprocessor first (8 sequences of 8192: 82 µs with two, 67
/// with one); four of half as many warps where there are items for that and codes take longer than bytes (128 sequences
/// of 512: 45 with two, 41 with four).
static int64_t chooseBlocks(const DecodeAttentionShape &shape, const CudaProfile &profile) {
  int64_t blocks = shape.items * shape.splits, processors = profile.processors;
  // Clusters of four and more do not reach all multiprocessors: 120 of 132.
  if (blocks <= (shape.splits > 2 ? processors * 9 / 10 : processors))
    return 1;
  if (shape.elementBytes == 1 && shape.splits == 1 && shape.items > 4 * processors)
    return 4;
  bool takesTurns = blocks > 2 * processors;
  return takesTurns && reach(blocks, processors) > 1.1 * reach(blocks, 2 * processors) ? 1 : 2;
}

/// A cluster for each row and kv head, so large that all multiprocessors have a block; where there are more than they
/// hold, clusters take turns. Tiles of 8 KB for each warp, measured.
static mj::ScheduleAttr choose(mj::FusionOp fusion, mj::AttentionOp attention, const CudaProfile &profile,
                               const Wishes &wishes) {
  DecodeAttentionShape shape(attention);
  if (!shape.usesTensorCores())
    return makeSchedule(fusion.getContext(), kDecodeAttentionSchedule,
                        {{"late", 0}, {"splits", 1}, {"stages", 0}, {"threads", 512}});
  while (profile.hasClusters && shape.splits < 8 && shape.items * shape.splits * 2 <= profile.processors &&
         shape.group * shape.size % (shape.splits * 2) == 0)
    shape.splits *= 2;
  // Clusters of four that do not all find a multiprocessor for each block share some: half as many blocks are 4% faster
  // (whole steps of 4 sequences of 2048).
  if (shape.splits > 2 && chooseBlocks(shape, profile) > 1)
    shape.splits /= 2;
  shape.splits = wishes.splits.value_or(shape.splits);
  int64_t held = wishes.blocks.value_or(chooseBlocks(shape, profile));
  int64_t blocks = std::min(shape.items * shape.splits,
                            std::max(profile.processors * held / shape.splits, int64_t(1)) * shape.splits);
  shape.clusters = blocks / shape.splits;
  bool takesTurns = shape.items > shape.clusters;
  // Many warps with small tiles where a block does one item and is combined by itself.
  bool isSmall = shape.stageBytes() < 8 << 10,
       hasMany = held == 1 || (held == 2 && isSmall && shape.splits == 1 && !takesTurns);
  shape.warps = wishes.warps.value_or(hasMany ? 8 : held > 2 ? 2 : 4);
  int64_t tileBytes = hasMany && held > 1 ? 4 << 10 : 8 << 10;
  // Sums of many heads leave no registers to scores of more keys.
  bool hasFewSums = llvm::divideCeil(shape.group, 8) * shape.size <= 256;
  shape.keys = wishes.keys.value_or(shape.stageBytes() < tileBytes && hasFewSums ? 32 : 16);
  // What the prologue keeps, and what the driver keeps of each block.
  int64_t prologueBytes = shape.size * (6 * shape.group + 12) + (3 << 9);
  auto fits = [&](int64_t stages) {
    shape.stages = stages;
    int64_t most = std::min(profile.sharedBytesPerProcessor / held, profile.sharedBytesPerBlock);
    return shape.sharedBytes() + prologueBytes <= most;
  };
  while (shape.keys > 16 && !fits(2))
    shape.keys /= 2;
  while (shape.warps > 1 && !fits(2))
    shape.warps /= 2;
  // What is loaded ahead of the next item is in registers.
  if (takesTurns && shape.group * shape.size > 16 * shape.warps * 32) {
    shape.clusters = shape.items;
    blocks = shape.items * shape.splits;
  }
  // So many that a multiprocessor holds no more blocks than that.
  int64_t stages = 2;
  while (stages < 6 && fits(stages + 1)) {
    shape.stages = stages;
    if (shape.sharedBytes() * (held + 1) > profile.sharedBytesPerProcessor)
      break;
    ++stages;
  }
  return makeSchedule(fusion.getContext(), kDecodeAttentionSchedule,
                      {{"blocks", blocks},
                       {"keys", shape.keys},
                       {"late", startsNextLate(attention.getBatch().getType().getSequences())},
                       {"splits", shape.splits},
                       {"stages", stages},
                       {"threads", shape.warps * 32}});
}

mj::ScheduleAttr cuda::chooseDecodeAttention(mj::FusionOp fusion, mj::AttentionOp attention,
                                             const CudaProfile &profile) {
  return choose(fusion, attention, profile, {});
}

void cuda::listDecodeAttention(mj::FusionOp fusion, mj::AttentionOp attention, mj::ScheduleAttr chosen,
                               const CudaProfile &profile, SmallVectorImpl<mj::ScheduleAttr> &schedules) {
  DecodeAttentionShape shape(chosen, attention);
  if (!shape.usesTensorCores())
    return;
  for (int64_t splits : {1, 2, 4, 8})
    if ((splits == 1 || profile.hasClusters) && shape.group * shape.size % splits == 0)
      schedules.push_back(choose(fusion, attention, profile, {.splits = splits}));
  for (int64_t keys : {16, 32})
    for (int64_t warps : {2, 4, 8})
      for (int64_t blocks : {1, 2, 4})
        schedules.push_back(choose(fusion, attention, profile,
                                   {.splits = shape.splits, .keys = keys, .warps = warps, .blocks = blocks}));
}

LogicalResult cuda::verifyDecodeAttention(Operation *op, mj::ScheduleAttr schedule, mj::AttentionOp attention) {
  if (getParameter(schedule, "stages") == 0)
    return success();
  DecodeAttentionShape shape(schedule, attention);
  auto refuse = [&](StringRef name, const Twine &why) {
    return op->emitOpError("has the schedule '")
           << kDecodeAttentionSchedule << "' with " << name << " = " << getParameter(schedule, name) << ": " << why
           << "; select-schedules chooses the parameters of a schedule";
  };
  if (!shape.usesTensorCores())
    return refuse("stages", "the tensor cores do not multiply these keys, so that there are none");
  if (shape.stages < 2)
    return refuse("stages", "a warp brings a tile while it works on another");
  if (shape.splits > 8 || !llvm::isPowerOf2_64(shape.splits) || shape.group * shape.size % shape.splits)
    return refuse("splits", "1, 2, 4 or 8 blocks of a cluster divide the elements of the results");
  if (getParameter(schedule, "threads") % 32 || shape.warps > 16)
    return refuse("threads", "a block is up to 16 warps");
  if (shape.keys % 16 || shape.keys > 64)
    return refuse("keys", "the tensor cores take 16 at a time, and a warp up to 64");
  if (getParameter(schedule, "blocks") % shape.splits)
    return refuse("blocks", "they are whole clusters");
  return success();
}
