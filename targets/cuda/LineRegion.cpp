// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which regions are made line by line, and how many threads hold a line.
#include "targets/cuda/LineRegion.h"

#include "mjolnir/Dialect/Mj/Tensors.h"
#include "targets/cuda/KernelSource.h"
#include "targets/cuda/Reductions.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;
using mj::tensorOf;

/// Vectors of a line in the registers of one thread: measured on an H200 with norms and softmax of 256 to 32768
/// elements (bf16, f32; 64 MiB), four reach 97% of a copy, eight 80 to 85%.
static constexpr int64_t kVectors = 4;

static SmallVector<int64_t> withoutOnes(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> sizes(shape);
  llvm::erase(sizes, 1);
  return sizes;
}

namespace {

/// Follows a root to its operands, and sees whether each element needs its own line alone.
class LineWalk {
public:
  LineWalk(ArrayRef<int64_t> leading, int64_t length) : leading(leading), shape(leading) { shape.push_back(length); }

  /// A value of `shape`, or one that no reduction is beneath.
  bool isMadeOfLines(Value value) { return remember(lines, value, &LineWalk::computeMadeOfLines); }
  /// A value of one element for each line.
  bool isMadeOfScalars(Value value) { return remember(scalars, value, &LineWalk::computeMadeOfScalars); }

private:
  using Known = llvm::SmallDenseMap<Value, bool>;
  bool remember(Known &known, Value value, bool (LineWalk::*compute)(Value)) {
    auto [found, isNew] = known.try_emplace(value);
    if (!isNew)
      return found->second;
    bool result = (this->*compute)(value);
    return known[value] = result;
  }

  /// No reduction beneath: any place of it can be read by itself.
  bool isFree(Value value) { return remember(free, value, &LineWalk::computeFree); }
  bool computeFree(Value value) {
    Operation *op = value.getDefiningOp();
    return !op ||
           (!isLineReduction(op) && llvm::all_of(op->getOperands(), [&](Value operand) { return isFree(operand); }));
  }

  bool computeMadeOfLines(Value value) {
    if (isFree(value))
      return true;
    Operation *op = value.getDefiningOp();
    if (auto broadcast = dyn_cast<mj::BroadcastOp>(op))
      return isSpread(broadcast);
    if (tensorOf(value).getShape() != ArrayRef(shape))
      return false;
    if (auto rope = dyn_cast<mj::RopeOp>(op))
      return isMadeOfLines(rope.getX()) && isFree(rope.getTable()) &&
             (!rope.getPositions() || isFree(rope.getPositions()));
    if (auto norm = dyn_cast<mj::NormOp>(op))
      return isMadeOfLines(norm.getX()) &&
             llvm::all_of(norm->getOperands().drop_front(), [&](Value affine) { return isFree(affine); });
    if (isa<mj::SoftmaxOp>(op) || mj::isPointwise(op))
      return llvm::all_of(op->getOperands(), [&](Value operand) { return isMadeOfLines(operand); });
    return false;
  }

  bool computeMadeOfScalars(Value value) {
    if (isFree(value))
      return true;
    Operation *op = value.getDefiningOp();
    if (withoutOnes(tensorOf(value).getShape()) != withoutOnes(leading))
      return false;
    if (auto reduce = dyn_cast<mj::ReduceOp>(op))
      return reduce.getAxes().size() == 1 && tensorOf(reduce.getX()).getShape() == ArrayRef(shape) &&
             reduce.getAxes()[0] == int64_t(leading.size()) && isMadeOfLines(reduce.getX());
    if (isa<mj::ReshapeOp>(op))
      return isMadeOfScalars(op->getOperand(0));
    return mj::isPointwise(op) && !isa<mj::BroadcastOp>(op) &&
           llvm::all_of(op->getOperands(), [&](Value operand) { return isMadeOfScalars(operand); });
  }

  /// A number of each line along the line.
  bool isSpread(mj::BroadcastOp broadcast) {
    ArrayRef<int64_t> from = tensorOf(broadcast.getSource()).getShape();
    SmallVector<int64_t> spread(leading);
    spread.push_back(1);
    if (tensorOf(broadcast.getResult()).getShape() != ArrayRef(shape) || from.size() > spread.size())
      return false;
    SmallVector<int64_t> padded(spread.size() - from.size(), 1);
    llvm::append_range(padded, from);
    return padded == spread && isMadeOfScalars(broadcast.getSource());
  }

  SmallVector<int64_t> leading, shape;
  Known lines, scalars, free;
};

} // namespace

/// The one length of all lines that the region combines, rotates or appends; 0 if there are several or none.
static int64_t findLength(Block &body) {
  int64_t length = 0;
  for (Operation &op : body.without_terminator()) {
    if (!isLineReduction(&op) && !isa<mj::RopeOp, mj::KvAppendOp>(op))
      continue;
    auto append = dyn_cast<mj::KvAppendOp>(op);
    int64_t own = tensorOf(append ? append.getKey() : op.getOperand(0)).getShape().back();
    if (length && length != own)
      return 0;
    length = own;
  }
  return length;
}

std::optional<LineRegion> LineRegion::find(Block &body) {
  LineRegion region;
  region.length = findLength(body);
  if (!region.length)
    return std::nullopt;
  auto add = [&](LineRoot root) {
    auto isLine = [&] { return tensorOf(root.value).getShape().back() == region.length; };
    if (tensorOf(root.value).getRank() == 0)
      return false;
    SmallVector<int64_t> leading(tensorOf(root.value).getShape());
    Value whole = root.value;
    while (!isLine() && root.value.getDefiningOp<mj::ReshapeOp>())
      root.value = root.value.getDefiningOp()->getOperand(0);
    // A result of one number a line may have as many columns as a line has elements.
    root.isScalar = !isLine() || (!root.append && LineWalk(leading, region.length).isMadeOfScalars(whole) &&
                                  !LineWalk(ArrayRef(leading).drop_back(), region.length).isMadeOfLines(whole));
    if (root.isScalar)
      root.value = whole;
    else
      leading.assign(tensorOf(root.value).getShape().begin(), tensorOf(root.value).getShape().end() - 1);
    LineWalk walk(leading, region.length);
    if (leading.empty() || !(root.isScalar ? walk.isMadeOfScalars(root.value) : walk.isMadeOfLines(root.value)))
      return false;
    LineSet *set = llvm::find_if(region.sets, [&](const LineSet &other) { return other.leading == leading; });
    if (set == region.sets.end()) {
      region.sets.push_back({leading, ShapedType::getNumElements(leading), {}});
      set = &region.sets.back();
    }
    set->roots.push_back(root);
    return set->count <= INT32_MAX;
  };
  for (auto [index, value] : llvm::enumerate(body.getTerminator()->getOperands()))
    if (isa<RankedTensorType>(value.getType()) && !add({value, int(index), {}, false, false}))
      return std::nullopt;
  for (auto append : body.getOps<mj::KvAppendOp>())
    if (!add({append.getKey(), -1, append, true, false}) || !add({append.getValue(), -1, append, false, false}))
      return std::nullopt;
  if (region.sets.empty())
    return std::nullopt;
  region.width = countVectorElements(body);
  while (region.length % region.width)
    region.width /= 2;
  region.rotates =
      llvm::any_of(body.getOps<mj::RopeOp>(), [](mj::RopeOp rope) { return rope.getPairs() == mj::RopePairs::half; });
  int64_t most = 0;
  for (const LineSet &set : region.sets)
    most = std::max(most, set.count);
  for (Value argument : body.getArguments())
    if (auto type = dyn_cast<RankedTensorType>(argument.getType()))
      region.operands += type.getNumElements() == most * region.length;
  return region;
}

int64_t LineRegion::countVectors(int64_t lanes) const { return llvm::divideCeil(length / width, lanes); }

bool LineRegion::takesLanes(int64_t lanes, int64_t threads) const {
  return llvm::isPowerOf2_64(lanes) && threads <= 1024 && (lanes > 32 ? threads == lanes : threads % 32 == 0) &&
         countVectors(lanes) <= kMostVectors;
}

int64_t LineRegion::chooseLanes(const CudaProfile &profile) const {
  int64_t vectors = length / width, lines = 0;
  for (const LineSet &set : sets)
    lines += set.count;
  int64_t lanes = llvm::PowerOf2Ceil(llvm::divideCeil(vectors, operands > 2 || rotates ? kVectors / 2 : kVectors));
  // Where there are few lines, more threads share each.
  while (lines * lanes < profile.processors * 256 && lanes < vectors && lanes < 512)
    lanes *= 2;
  lanes = std::min<int64_t>(lanes, 1024);
  // A thread holds both elements of a pair where it can.
  if (rotates && vectors % 2 == 0)
    while (lanes > 1 && (vectors / 2) % lanes)
      lanes /= 2;
  return countVectors(lanes) <= kMostVectors ? lanes : 0;
}

int64_t LineRegion::countBlocks(const LineSet &set, int64_t threads, int64_t lanes) {
  return llvm::divideCeil(set.count, threads / lanes);
}
