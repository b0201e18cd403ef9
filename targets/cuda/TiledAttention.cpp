// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Tiles of attention from its shape and the chip.
#include "targets/cuda/TiledAttention.h"

#include "mjolnir/Dialect/Mj/Tensors.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using mj::tensorOf;

TiledAttention::TiledAttention(mj::SdpaOp sdpa) {
  RankedTensorType queries = tensorOf(sdpa.getQuery()), keys = tensorOf(sdpa.getKeys().front());
  rows = queries.getDimSize(0);
  heads = queries.getDimSize(1);
  kvHeads = keys.getDimSize(1);
  d = queries.getDimSize(2);
  e = tensorOf(sdpa.getValues().front()).getDimSize(2);
  query = queries.getElementType();
  cache = keys.getElementType();
  hasPositiveScale = sdpa.getScale().convertToFloat() > 0;
}

TiledAttention::TiledAttention(mj::AttentionOp attention) {
  RankedTensorType queries = tensorOf(attention.getQuery());
  mj::KvType kv = attention.getKv().getType();
  rows = queries.getDimSize(0);
  heads = queries.getDimSize(1);
  kvHeads = kv.getHeads();
  d = e = kv.getHeadDim();
  query = queries.getElementType();
  cache = kv.getElementType();
  hasPositiveScale = attention.getScale().convertToFloat() > 0;
}

static int64_t bytesOf(Type element) { return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8); }

bool TiledAttention::usesTensorCores() const {
  bool isHalf = query.isBF16() || query.isF16();
  return isHalf && (cache == query || isa<Float8E4M3FNType>(cache)) && d % 8 == 0 && e % 8 == 0 && d <= 256 && e <= 256;
}

bool TiledAttention::usesGroups(const CudaProfile &profile) const {
  auto isWhole = [](int64_t size) { return size == 64 || size == 128; };
  return profile.matrixUnit == MatrixUnit::wgmma && query.isBF16() && cache == query && isWhole(d) && isWhole(e) &&
         hasPositiveScale;
}

/// As flash::sharedBytes() computes it.
int64_t TiledAttention::sharedBytes(int64_t tile, int64_t keys, int64_t keyWarps) const {
  if (!usesTensorCores())
    return tile / 16 * keyWarps * d * 4;
  int64_t strideK = llvm::alignTo(d, 16) + 8, strideV = llvm::alignTo(e, 16) + 8;
  int64_t stage = keys * (strideK + strideV) * 2;
  int64_t steps = cache == query ? 2 * stage : stage + keys * (d + e) * bytesOf(cache);
  int64_t parts = keyWarps / 2 * (tile / 16) * 32 * (llvm::alignTo(e, 16) / 2 + 4) * 4;
  return tile * strideK * 2 + std::max(steps, parts);
}

int64_t TiledAttention::sharedBytes(mj::ScheduleAttr schedule) const {
  // As GroupAttention::SharedBytes says: queries, two stages of keys and values, their barriers.
  if (int64_t groups = getParameter(schedule, "groups"))
    return 64 * groups * d * 2 + 2 * getParameter(schedule, "keys") * (d + e) * 2 + 4 * 2 * 8;
  return sharedBytes(getParameter(schedule, "rows"), getParameter(schedule, "keys"),
                     getParameter(schedule, "key_warps"));
}

namespace {
struct Shape {
  int64_t tile, keyWarps;
};
} // namespace

/// From what reads keys least often to what has most blocks: a step's keys are divided among warps where there are few
/// query vectors.
static constexpr Shape shapes[] = {{128, 1}, {64, 2}, {32, 4}, {16, 4}};

mj::ScheduleAttr TiledAttention::chooseSchedule(MLIRContext *context, StringRef name,
                                                const CudaProfile &profile) const {
  auto countBlocks = [&](int64_t tile) { return int64_t(llvm::divideCeil(rows * group(), tile)) * kvHeads; };
  // Two groups share what is fetched; one has more blocks; where even those are few, more warps divide a tile's keys.
  for (int64_t groups : {2, 1})
    if (usesGroups(profile) && countBlocks(64 * groups) >= profile.processors / (groups == 2 ? 1 : 3))
      return makeSchedule(context, name,
                          {{"groups", groups}, {"keys", 128}, {"rows", 64 * groups}, {"threads", 128 * (groups + 1)}});
  const Shape *best = nullptr;
  int64_t steps = 0;
  for (const Shape &shape : shapes) {
    int64_t keys = 64;
    while (keys > 16 * shape.keyWarps && sharedBytes(shape.tile, keys, shape.keyWarps) > profile.sharedBytesPerBlock)
      keys /= 2;
    if (sharedBytes(shape.tile, keys, shape.keyWarps) > profile.sharedBytesPerBlock)
      continue;
    best = &shape;
    steps = keys;
    if (countBlocks(shape.tile) >= profile.processors)
      break;
  }
  if (!best) {
    best = &shapes[std::size(shapes) - 1];
    steps = 64;
  }
  return makeSchedule(context, name,
                      {{"key_warps", best->keyWarps},
                       {"keys", steps},
                       {"rows", best->tile},
                       {"threads", best->tile / 16 * best->keyWarps * 32}});
}

void TiledAttention::setLaunch(mj::ScheduleAttr schedule, KernelSource &source) const {
  int64_t groups = getParameter(schedule, "groups");
  source.threads = getParameter(schedule, "threads");
  source.sharedBytes = sharedBytes(schedule);
  // Registers before blocks: sums and queries stay in them. Groups begin with as many as GroupAttention divides.
  source.blocks = groups == 1 ? 2 : 1;
  source.dividesRegisters = groups > 0;
  if (groups)
    source.alignment = 1024;
}

int64_t TiledAttention::countTiles(mj::ScheduleAttr schedule, int64_t parts) const {
  return llvm::divideCeil(rows * group(), getParameter(schedule, "rows")) + parts - 1;
}

std::string TiledAttention::printCallee(mj::ScheduleAttr schedule) const {
  int64_t tile = getParameter(schedule, "rows");
  if (!usesTensorCores())
    return llvm::formatv("flash::attendPlainly<{0}, {1}, {2}, {3}>", tile, getParameter(schedule, "threads"), d, e);
  if (int64_t groups = getParameter(schedule, "groups"))
    return llvm::formatv("flash::attendByGroups<{0}, {1}, {2}, {3}>", groups, getParameter(schedule, "keys"), d, e);
  return llvm::formatv("flash::attend<{0}, {1}, {2}, {3}, {4}>", tile, getParameter(schedule, "key_warps"),
                       getParameter(schedule, "keys"), d, e);
}

std::string TiledAttention::printMemoryCheck(mj::ScheduleAttr schedule) const {
  if (!usesTensorCores())
    return "";
  if (int64_t groups = getParameter(schedule, "groups"))
    return llvm::formatv("static_assert(flash::GroupAttention<{0}, {1}, {2}, {3}>::SharedBytes == {4});", groups,
                         getParameter(schedule, "keys"), d, e, sharedBytes(schedule));
  return llvm::formatv("static_assert(flash::sharedBytes<{0}, {1}, {2}, {3}, {4}, {5}>() == {6});",
                       getParameter(schedule, "rows"), getParameter(schedule, "key_warps"),
                       getParameter(schedule, "keys"), d, e, bytesOf(cache), sharedBytes(schedule));
}
