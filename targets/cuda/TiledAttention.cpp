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
}

static int64_t bytesOf(Type element) { return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8); }

bool TiledAttention::usesTensorCores() const {
  bool isHalf = query.isBF16() || query.isF16();
  return isHalf && (cache == query || isa<Float8E4M3FNType>(cache)) && d % 8 == 0 && e % 8 == 0 && d <= 256 && e <= 256;
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
    if (int64_t(llvm::divideCeil(rows * group(), shape.tile)) * kvHeads >= profile.processors)
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

int64_t TiledAttention::countTiles(mj::ScheduleAttr schedule, int64_t parts) const {
  return llvm::divideCeil(rows * group(), getParameter(schedule, "rows")) + parts - 1;
}

std::string TiledAttention::printCallee(mj::ScheduleAttr schedule) const {
  int64_t tile = getParameter(schedule, "rows");
  if (!usesTensorCores())
    return llvm::formatv("flash::attendPlainly<{0}, {1}, {2}, {3}>", tile, getParameter(schedule, "threads"), d, e);
  return llvm::formatv("flash::attend<{0}, {1}, {2}, {3}, {4}>", tile, getParameter(schedule, "key_warps"),
                       getParameter(schedule, "keys"), d, e);
}

std::string TiledAttention::printMemoryCheck(mj::ScheduleAttr schedule) const {
  if (!usesTensorCores())
    return "";
  return llvm::formatv("static_assert(flash::sharedBytes<{0}, {1}, {2}, {3}, {4}, {5}>() == {6});",
                       getParameter(schedule, "rows"), getParameter(schedule, "key_warps"),
                       getParameter(schedule, "keys"), d, e, bytesOf(cache), sharedBytes(schedule));
}
