// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Divides regions into rows.
#include "targets/host/RowPlan.h"

#include "mjolnir/Dialect/Mj/MjDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::host;

/// Rows up to which further axes are divided, too: they keep all cores busy.
static constexpr int64_t kManyRows = 32;
/// Elements below which a row is not divided further.
static constexpr int64_t kFewElements = 64;
/// Buffers that stay in the cache.
static constexpr int64_t kSmallBuffers = 64 << 10;

/// The tensors that have rows: what is computed and returned, and what is appended to the cache.
static SmallVector<RankedTensorType> getRowTypes(Block &body) {
  SmallVector<RankedTensorType> types;
  auto add = [&](Type type) {
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      types.push_back(tensor);
  };
  for (Operation &op : body.without_terminator()) {
    if (auto append = dyn_cast<mj::KvAppendOp>(op))
      add(append.getKey().getType());
    else if (!isa<arith::ConstantOp>(op))
      llvm::for_each(op.getResultTypes(), add);
  }
  llvm::for_each(body.getTerminator()->getOperandTypes(), add);
  return types;
}

/// How many leading axes `op` treats as independent.
static int64_t countIndependentAxes(Operation *op) {
  constexpr int64_t any = INT64_MAX;
  auto rankOf = [](Value value) { return cast<RankedTensorType>(value.getType()).getRank(); };
  return llvm::TypeSwitch<Operation *, int64_t>(op)
      .Case<mj::GatherOp, mj::RopeOp, mj::KvAppendOp>([](auto) { return 1; })
      .Case<mj::NormOp, mj::SoftmaxOp>([&](auto known) { return rankOf(known.getX()) - 1; })
      .Case([](mj::ReduceOp reduce) { return reduce.getAxes().front(); })
      .Case([](mj::ReshapeOp reshape) {
        auto source = reshape.getSource().getType(), result = reshape.getType();
        auto [from, to] = std::mismatch(source.getShape().begin(), source.getShape().end(), result.getShape().begin(),
                                        result.getShape().end());
        (void)to;
        return int64_t(from - source.getShape().begin());
      })
      .Case([&](mj::TransposeOp transpose) {
        // Any part of an argument can be read.
        int64_t kept = 0;
        while (kept < rankOf(transpose) && transpose.getPermutation()[kept] == kept)
          ++kept;
        return isa<BlockArgument>(transpose.getSource()) ? any : kept;
      })
      .Case([&](mj::ConcatOp concat) { return concat.getAxis() == 0 ? any : int64_t(concat.getAxis()); })
      .Default(any);
}

/// Elements behind the first `axes` of `type`.
static int64_t rowElements(RankedTensorType type, int64_t axes) {
  return ShapedType::getNumElements(type.getShape().drop_front(axes));
}

/// Whether a row of the result of `op`, of a constant all of it, must be in memory.
static bool needsBuffer(Operation *op) {
  bool isConstant = isa<arith::ConstantOp>(op);
  if (!isConstant && !mj::isPointwise(op))
    return !isa<mj::KvAppendOp>(op);
  return llvm::any_of(op->getUses(), [isConstant](OpOperand &use) {
    Operation *user = use.getOwner();
    if (auto broadcast = dyn_cast<mj::BroadcastOp>(user))
      return !isConstant && use.getOperandNumber() == 0 && broadcast.getType() != use.get().getType();
    return !mj::isPointwise(user) && !user->hasTrait<OpTrait::IsTerminator>() &&
           !isa<mj::ConcatOp, mj::KvAppendOp>(user);
  });
}

RowPlan::RowPlan(Block &body) {
  SmallVector<RankedTensorType> types = getRowTypes(body);
  if (types.empty())
    return;
  ArrayRef<int64_t> common = types.front().getShape();
  for (RankedTensorType type : types) {
    size_t kept = 0;
    while (kept < common.size() && kept < size_t(type.getRank()) && common[kept] == type.getDimSize(kept))
      ++kept;
    common = common.take_front(kept);
  }
  for (Operation &op : body.without_terminator())
    common = common.take_front(std::min<int64_t>(common.size(), countIndependentAxes(&op)));

  auto bytesOf = [](Operation &op, int64_t axes) -> int64_t {
    auto type = dyn_cast<RankedTensorType>(op.getResult(0).getType());
    return type ? rowElements(type, isa<arith::ConstantOp>(op) ? 0 : axes) * 4 : 0;
  };
  auto needed = [&](int64_t axes) {
    int64_t sum = 0;
    for (Operation &op : body.without_terminator())
      if (needsBuffer(&op))
        sum += bytesOf(op, axes);
    return sum;
  };
  int64_t axes = std::min<int64_t>(common.size(), 1);
  auto rows = [&] { return ShapedType::getNumElements(common.take_front(axes)); };
  for (; axes > 0 && axes < int64_t(common.size()); ++axes) {
    int64_t elements = 0;
    for (RankedTensorType type : types)
      elements = std::max(elements, rowElements(type, axes + 1));
    bool isTooLarge = needed(axes) > kStackLimit;
    if (!isTooLarge && (elements < kFewElements || (rows() >= kManyRows && needed(axes) <= kSmallBuffers)))
      break;
  }
  shape.assign(common.begin(), common.begin() + axes);
  bytes = needed(axes);
  for (Operation &op : body.without_terminator()) {
    if (!mj::isPointwise(&op) || isa<mj::BroadcastOp>(op) || llvm::range_size(op.getUsers()) < 2)
      continue;
    int64_t more = needsBuffer(&op) ? 0 : bytesOf(op, axes);
    if (bytes + more > kStackLimit)
      continue;
    bytes += more;
    stored.insert(&op);
  }
}

int64_t RowPlan::countRows() const { return ShapedType::getNumElements(shape); }
