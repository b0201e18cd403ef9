// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// kv-in-place: attention reads cached and new keys and values where they lie.
#include "passes/Passes.h"
#include "passes/ReturnedConcat.h"
#include "passes/SessionState.h"
#include "passes/Weights.h"

#include "mjolnir/Target/Target.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

namespace mjolnir {
#define GEN_PASS_DEF_KVINPLACE
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

/// Rows of a value: `base`, seen through `views`, innermost first; `axes[i]` is the axis of the rows behind view i.
struct Piece {
  Value base;
  SmallVector<Operation *> views;
  SmallVector<int64_t> axes;
  int64_t rows;
};

int64_t sizeOf(Value value, int64_t axis) { return cast<RankedTensorType>(value.getType()).getDimSize(axis); }

/// The axis of the source of `view` whose elements are those of `axis` of its result, if there is one.
std::optional<int64_t> traceAxis(Operation *view, int64_t axis) {
  if (auto transpose = dyn_cast<mj::TransposeOp>(view))
    return transpose.getPermutation()[axis];
  if (isa<arith::ExtFOp, arith::TruncFOp>(view))
    return axis;
  auto reshape = dyn_cast<mj::ReshapeOp>(view);
  if (!reshape)
    return std::nullopt;
  // In row-major order an axis is what lies in front of it and its size.
  auto source = cast<RankedTensorType>(reshape.getSource().getType()),
       result = cast<RankedTensorType>(reshape.getType());
  if (!source.hasStaticShape() || !result.hasStaticShape())
    return std::nullopt;
  int64_t front = ShapedType::getNumElements(result.getShape().take_front(axis)), product = 1;
  for (auto [index, size] : llvm::enumerate(source.getShape())) {
    if (product == front && size == result.getDimSize(axis))
      return index;
    product *= size;
  }
  return std::nullopt;
}

/// Appends the pieces that the rows (`axis`) of `value` were concatenated from; `value` itself if they were not.
/// `outer` are the views between `value` and what is taken apart, outermost first.
void takeApart(Value value, int64_t axis, SmallVectorImpl<std::pair<Operation *, int64_t>> &outer,
               SmallVectorImpl<Piece> &pieces) {
  Operation *op = value.getDefiningOp();
  if (auto concat = dyn_cast_or_null<mj::ConcatOp>(op); concat && int64_t(concat.getAxis()) == axis) {
    for (Value source : concat.getSources())
      takeApart(source, axis, outer, pieces);
    return;
  }
  if (std::optional<int64_t> inner = op ? traceAxis(op, axis) : std::nullopt) {
    // A view is taken apart only if what it shows was concatenated.
    SmallVector<Piece> behind;
    outer.emplace_back(op, axis);
    takeApart(op->getOperand(0), *inner, outer, behind);
    outer.pop_back();
    if (behind.size() > 1) {
      pieces.append(behind);
      return;
    }
  }
  Piece &piece = pieces.emplace_back(Piece{value, {}, {}, sizeOf(value, axis)});
  for (auto [view, viewAxis] : llvm::reverse(outer)) {
    piece.views.push_back(view);
    piece.axes.push_back(viewAxis);
  }
}

SmallVector<Piece> takeApart(ValueRange segments) {
  SmallVector<Piece> pieces;
  for (Value segment : segments) {
    SmallVector<std::pair<Operation *, int64_t>> outer;
    takeApart(segment, 0, outer, pieces);
  }
  return pieces;
}

/// The views of `piece` on its rows alone.
Value build(OpBuilder &builder, const Piece &piece) {
  Value value = piece.base;
  for (auto [view, axis] : llvm::zip(piece.views, piece.axes)) {
    auto type = cast<RankedTensorType>(view->getResult(0).getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[axis] = piece.rows;
    IRMapping mapping;
    mapping.map(view->getOperand(0), value);
    Operation *copy = builder.clone(*view, mapping);
    copy->getResult(0).setType(type.clone(shape));
    value = copy->getResult(0);
  }
  return value;
}

struct KvInPlace : mjolnir::impl::KvInPlaceBase<KvInPlace> {
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp entry : getEntries(getOperation())) {
      Block &block = entry.getBody().front();
      for (Operation &op : llvm::make_early_inc_range(block))
        if (auto sdpa = dyn_cast<mj::SdpaOp>(op))
          takeApartSegments(sdpa);
      // The concatenations that nothing reads any more, and the views of them.
      for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
        if (isa<mj::ConcatOp, mj::ReshapeOp, mj::TransposeOp, arith::ExtFOp, arith::TruncFOp>(op) && op.use_empty())
          op.erase();
      for (OpOperand &result : block.getTerminator()->getOpOperands()) {
        // A state's memory is the session's: see lower-to-exec.
        if (!stateOfResult(entry, result.getOperandNumber()).empty())
          continue;
        moveBehindReshapes(result);
        explainState(entry, result);
      }
    }
  }

  static void takeApartSegments(mj::SdpaOp sdpa) {
    SmallVector<Piece> keys = takeApart(sdpa.getKeys()), values = takeApart(sdpa.getValues());
    if (keys.size() == sdpa.getKeys().size() && values.size() == sdpa.getValues().size())
      return;
    auto options = remark::RemarkOpts::name("Segments").category("kv-in-place");
    auto rowsOf = [](ArrayRef<Piece> pieces) {
      return llvm::map_to_vector(pieces, [](const Piece &piece) { return piece.rows; });
    };
    if (rowsOf(keys) != rowsOf(values)) {
      if (auto remark = remark::missed(sdpa.getLoc(), options))
        remark << llvm::formatv("the concatenation before 'mj.sdpa' stays: keys are made of {0} rows, values of {1}",
                                listRows(keys), listRows(values))
                      .str();
      return;
    }
    OpBuilder builder(sdpa);
    int64_t bytes = 0;
    auto buildAll = [&](ArrayRef<Piece> pieces) {
      return llvm::map_to_vector(pieces, [&](const Piece &piece) {
        Value value = build(builder, piece);
        bytes += denseBytes(cast<RankedTensorType>(value.getType()));
        return value;
      });
    };
    sdpa.getKeysMutable().assign(buildAll(keys));
    sdpa.getValuesMutable().assign(buildAll(values));
    if (auto remark = remark::passed(sdpa.getLoc(), options))
      remark << llvm::formatv("'mj.sdpa' reads segments of {0} rows where they lie: {1} bytes are not copied",
                              listRows(keys), bytes)
                    .str();
  }

  /// "960 + 44".
  static std::string listRows(ArrayRef<Piece> pieces) {
    std::string text;
    for (auto [index, piece] : llvm::enumerate(pieces))
      text += (index ? " + " : "") + std::to_string(piece.rows);
    return text;
  }

  /// A result that is a reshaped concatenation becomes a concatenation of reshaped parts, if each is in one piece.
  static void moveBehindReshapes(OpOperand &result) {
    auto reshape = result.get().getDefiningOp<mj::ReshapeOp>();
    while (reshape && reshape.getSource().getDefiningOp<mj::ReshapeOp>())
      reshape = reshape.getSource().getDefiningOp<mj::ReshapeOp>();
    auto concat = reshape ? reshape.getSource().getDefiningOp<mj::ConcatOp>() : mj::ConcatOp();
    auto type = dyn_cast<RankedTensorType>(result.get().getType());
    if (!concat || !whyNoParts(concat).empty())
      return;
    // The axis along which the result's elements divide as the parts do.
    ArrayRef<int64_t> shape = type.getShape();
    int64_t axis = 0;
    while (axis + 1 < type.getRank() && shape[axis] == 1)
      ++axis;
    int64_t inner = ShapedType::getNumElements(shape.drop_front(axis + 1));
    auto elements = [](Value value) { return cast<RankedTensorType>(value.getType()).getNumElements(); };
    if (llvm::any_of(concat.getSources(), [&](Value source) { return elements(source) % inner; }))
      return;
    OpBuilder builder(result.getOwner());
    SmallVector<Value> parts;
    for (Value source : concat.getSources()) {
      SmallVector<int64_t> part(shape);
      part[axis] = elements(source) / inner;
      parts.push_back(source.getType() == type.clone(part)
                          ? source
                          : mj::ReshapeOp::create(builder, concat.getLoc(), type.clone(part), source).getResult());
    }
    Operation *unread = result.get().getDefiningOp();
    result.set(mj::ConcatOp::create(builder, concat.getLoc(), type, parts, axis));
    while (unread && unread->use_empty() && isa<mj::ReshapeOp, mj::ConcatOp>(unread)) {
      Operation *next = unread->getOperand(0).getDefiningOp();
      unread->erase();
      unread = next;
    }
  }

  /// Says of a result that is an argument and new rows how it is written, or what stands in the way of doing so in
  /// place.
  static void explainState(func::FuncOp entry, OpOperand &result) {
    auto type = dyn_cast<RankedTensorType>(result.get().getType());
    Operation *op = result.get().getDefiningOp();
    while (op && isa<mj::ReshapeOp, mj::TransposeOp, arith::ExtFOp, arith::TruncFOp>(op))
      op = op->getOperand(0).getDefiningOp();
    auto concat = dyn_cast_or_null<mj::ConcatOp>(op);
    if (!concat || !type || !type.hasStaticShape())
      return;
    for (Value source : concat.getSources()) {
      bool isPart = false, isAsItIs = argumentBehind(source) != nullptr;
      while (Operation *view = source.getDefiningOp()) {
        if (!isa<mj::ReshapeOp, mj::TransposeOp, mj::SliceOp, arith::ExtFOp, arith::TruncFOp>(view))
          break;
        isPart |= isa<mj::SliceOp>(view);
        source = view->getOperand(0);
      }
      auto argument = dyn_cast<BlockArgument>(source);
      if (!argument)
        continue;
      auto options = remark::RemarkOpts::name("State").category("kv-in-place");
      if (isAsItIs && result.get() == concat.getResult() && isReturnedInPlace(concat)) {
        if (auto remark = remark::passed(concat.getLoc(), options))
          remark << llvm::formatv(
                        "result {0} of @{1} holds argument {2} and new rows: these are written where they go, "
                        "and the argument's {3} bytes are copied only if the caller's memory for the result "
                        "is not where they lie",
                        result.getOperandNumber(), entry.getSymName(), argument.getArgNumber(),
                        denseBytes(cast<RankedTensorType>(argument.getType())))
                        .str();
        return;
      }
      std::string reason = whyNoParts(concat);
      if (isPart)
        reason = "some rows of the argument are dropped or replaced";
      else if (reason.empty())
        reason = result.get() != concat.getResult() ? "it is returned in another type or order"
                 : concat->hasOneUse()              ? "the argument comes in another type or order"
                                                    : "another operation or result reads it, too";
      if (auto remark = remark::missed(concat.getLoc(), options))
        remark << llvm::formatv("result {0} of @{1} holds argument {2} and new rows, {3} bytes that every call copies: "
                                "{4}; return the new rows alone, keep the cache in an !mj.kv, or, if its size stays, "
                                "give both the name of a state (mj.state)",
                                result.getOperandNumber(), entry.getSymName(), argument.getArgNumber(),
                                denseBytes(type), reason)
                      .str();
      return;
    }
  }
};

} // namespace
