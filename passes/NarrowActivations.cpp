// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// narrow-activations: activations, matrices and the KV cache in bf16.
#include "passes/Passes.h"
#include "passes/Weights.h"

#include "mlir/IR/Remarks.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/FormatVariadic.h"

namespace mjolnir {
#define GEN_PASS_DEF_NARROWACTIVATIONS
#include "passes/Passes.h.inc"
} // namespace mjolnir

using namespace mlir;
using namespace mjolnir;

namespace {

bool isNarrowable(Type element) { return element.isF32() || element.isF16(); }
bool isWide(Type element) { return isNarrowable(element) || element.isBF16(); }

/// The type in which a value of `type` is stored. A number alone stays as it is: there is nothing to save.
Type narrowed(Type type) {
  auto bf16 = BFloat16Type::get(type.getContext());
  if (auto kv = dyn_cast<mj::KvType>(type); kv && isNarrowable(kv.getElementType()))
    return mj::KvType::get(type.getContext(), kv.getLayers(), kv.getHeads(), kv.getHeadDim(), bf16);
  if (auto tensor = dyn_cast<RankedTensorType>(type);
      tensor && tensor.getRank() > 0 && isNarrowable(tensor.getElementType()))
    return tensor.clone(bf16);
  return type;
}

/// `value` with elements of `element`, by way of f32.
Value convert(OpBuilder &builder, Value value, Type element) {
  Location loc = value.getLoc();
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getElementType() == element)
    return value;
  if (type.getElementTypeBitWidth() < 32) {
    type = type.clone(builder.getF32Type());
    value = arith::ExtFOp::create(builder, loc, type, value);
  }
  return element.isF32() ? value : arith::TruncFOp::create(builder, loc, type.clone(element), value).getResult();
}

/// Narrows one entry.
class Narrowing {
public:
  explicit Narrowing(func::FuncOp entry) : entry(entry), body(entry.getBody().front()) {}

  LogicalResult run() {
    collectExact();
    narrowArguments();
    for (Operation &op : llvm::make_early_inc_range(body.without_terminator()))
      if (!dependsOnWeightsAlone(&op) && failed(narrow(&op)))
        return failure();

    // Floats that leave a plain entry leave as it was declared.
    Operation *terminator = body.getTerminator();
    OpBuilder builder(terminator);
    for (auto [operand, declared] : llvm::zip(terminator->getOpOperands(), entry.getResultTypes()))
      if (auto tensor = dyn_cast<RankedTensorType>(declared); tensor && operand.get().getType() != declared)
        operand.set(convert(builder, operand.get(), tensor.getElementType()));
    entry.setFunctionType(
        FunctionType::get(entry.getContext(), body.getArgumentTypes(), terminator->getOperandTypes()));
    if (auto remark =
            remark::passed(entry.getLoc(), remark::RemarkOpts::name("Narrowed").category("narrow-activations")))
      remark << llvm::formatv("@{0}: {1} values are stored in bf16, {2} operands read weights as bf16",
                              entry.getSymName(), values, weights)
                    .str();
    return success();
  }

private:
  /// Whether `op` reads its operands in bf16 even where its result stays f32.
  static bool readsNarrow(Operation *op) { return isa<mj::MatmulOp, mj::BatchMatmulOp, mj::SdpaOp>(op); }

  /// Whether `use` is what an sdpa adds to its scores: rounding to bf16 would make an infinity of the lowest f32, which
  /// says "not here" where nothing else is to be seen either.
  static bool isMask(OpOperand &use) {
    auto sdpa = dyn_cast<mj::SdpaOp>(use.getOwner());
    return sdpa && sdpa.getMask() && &use == &*sdpa.getMaskMutable().begin();
  }

  /// Whether `use` is one of the scales of what is f8, which are f32.
  static bool isScale(OpOperand &use) {
    if (auto matmul = dyn_cast<mj::MatmulOp>(use.getOwner()))
      return use.get() == matmul.getWeightScale();
    if (auto append = dyn_cast<mj::KvAppendOp>(use.getOwner()))
      return use.get() == append.getScales();
    auto attention = dyn_cast<mj::AttentionOp>(use.getOwner());
    return attention && use.get() == attention.getScales();
  }

  /// Whether `use` wants f32: it leaves the entry, decides the next token, is a mask or a scale, or is computed with
  /// for that. Matmuls and attention read rows in bf16 whatever they make. Computation on weights keeps the types it
  /// has.
  bool isReadExactly(OpOperand &use) {
    Operation *user = use.getOwner();
    // A rotary table that is no weight is f32 all the same.
    if (auto rope = dyn_cast<mj::RopeOp>(user))
      return &use == &rope.getTableMutable();
    return user == body.getTerminator() || isMask(use) || isScale(use) || dependsOnWeightsAlone(user) ||
           readsExactly(user);
  }

  /// Whether `op` computes with f32 operands: what it makes stays f32, or is no float (positions that are compared).
  bool readsExactly(Operation *op) {
    if (isa<mj::SampleOp>(op))
      return true;
    if (exact.contains(op))
      return !readsNarrow(op);
    return OpTrait::hasElementwiseMappableTraits(op) &&
           !isa<FloatType>(getElementTypeOrSelf(op->getResult(0).getType()));
  }

  /// Whether the result of `op` may stay f32: it is computed in f32, or moved.
  static bool mayBeExact(Operation *op) {
    if (isConstant(op) || dependsOnWeightsAlone(op) || isa<arith::ExtFOp, arith::TruncFOp, mj::QuantizeOp>(op))
      return false;
    return mj::isPointwise(op) || readsNarrow(op) ||
           isa<mj::ReduceOp, mj::SoftmaxOp, mj::ReshapeOp, mj::TransposeOp, mj::SliceOp, mj::ConcatOp>(op);
  }

  /// Finds operations whose result is only sampled, returned or a mask.
  void collectExact() {
    for (Operation &op : llvm::reverse(body.without_terminator())) {
      if (!mayBeExact(&op))
        continue;
      auto type = dyn_cast<RankedTensorType>(op.getResult(0).getType());
      if (!type || !type.getElementType().isF32() || op.use_empty() ||
          !llvm::all_of(op.getUses(), [&](OpOperand &use) { return isReadExactly(use); }))
        continue;
      exact.insert(&op);
      if (auto remark =
              remark::analysis(op.getLoc(), remark::RemarkOpts::name("KeptF32").category("narrow-activations")))
        remark
            << llvm::formatv("result of '{0}' stays f32: it is only sampled, returned or a mask", op.getName()).str();
    }
  }

  /// Float arguments of plain entries stay as the caller gives them and are rounded on the way in.
  void narrowArguments() {
    OpBuilder builder = OpBuilder::atBlockBegin(&body);
    for (BlockArgument argument : body.getArguments()) {
      Type type = narrowed(argument.getType());
      if (type == argument.getType())
        continue;
      if (isa<mj::KvType>(type)) {
        argument.setType(type);
        continue;
      }
      SmallVector<OpOperand *> uses;
      for (OpOperand &use : argument.getUses())
        if (!isReadExactly(use))
          uses.push_back(&use);
      if (uses.empty())
        continue;
      Value rounded = convert(builder, argument, cast<RankedTensorType>(type).getElementType());
      for (OpOperand *use : uses)
        use->set(rounded);
    }
  }

  LogicalResult narrow(Operation *op) {
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      narrowConstant(constant);
      return success();
    }
    if (isRounding(op))
      return success();
    if (isa<arith::BitcastOp>(op))
      return op->emitError() << "'" << op->getName()
                             << "' reads the bits of its operand, which narrow-activations would change";
    if (readsExactly(op)) {
      OpBuilder builder(op);
      for (OpOperand &operand : op->getOpOperands())
        if (auto type = dyn_cast<RankedTensorType>(operand.get().getType());
            type && isWide(type.getElementType()) && &operand != likeOf(op))
          operand.set(convert(builder, operand.get(), builder.getF32Type()));
      return success();
    }
    narrowWeights(op);
    if (exact.contains(op))
      return success();
    if (auto broadcast = dyn_cast<mj::BroadcastOp>(op); broadcast && isNumber(broadcast.getSource())) {
      roundBehind(broadcast);
      return success();
    }
    for (Value result : op->getResults())
      if (Type type = narrowed(result.getType()); type != result.getType()) {
        result.setType(type);
        ++values;
      }
    // A conversion that is one no more.
    if (isa<arith::ExtFOp, arith::TruncFOp>(op) && op->getOperand(0).getType() == op->getResult(0).getType()) {
      op->getResult(0).replaceAllUsesWith(op->getOperand(0));
      op->erase();
    }
    return success();
  }

  /// Whether `op` rounds an argument on the way in: this pass made it.
  bool isRounding(Operation *op) {
    if (roundings.contains(op))
      return true;
    if (!isa<arith::TruncFOp, arith::ExtFOp>(op))
      return false;
    Value source = op->getOperand(0);
    if (auto widened = source.getDefiningOp<arith::ExtFOp>(); widened && isa<arith::TruncFOp>(op))
      source = widened.getIn();
    return isa<BlockArgument>(source) && narrowed(source.getType()) != source.getType();
  }

  /// Whether `value` is one float that the caller gives, which keeps its type.
  static bool isNumber(Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    return isa<BlockArgument>(value) && type.getRank() == 0 && isNarrowable(type.getElementType());
  }

  /// Rounds what a number is repeated to, except where it is read exactly.
  void roundBehind(mj::BroadcastOp broadcast) {
    OpBuilder builder(broadcast->getContext());
    builder.setInsertionPointAfter(broadcast);
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : broadcast->getUses())
      if (!isReadExactly(use))
        uses.push_back(&use);
    if (uses.empty())
      return;
    Value rounded = convert(builder, broadcast, builder.getBF16Type());
    for (Operation *made = rounded.getDefiningOp(); made != broadcast; made = made->getOperand(0).getDefiningOp())
      roundings.insert(made);
    for (OpOperand *use : uses)
      use->set(rounded);
    ++values;
  }

  static OpOperand *likeOf(Operation *op) {
    auto broadcast = dyn_cast<mj::BroadcastOp>(op);
    return broadcast ? &broadcast.getLikeMutable() : nullptr;
  }

  /// Users that keep f32 keep the constant as it was.
  void narrowConstant(arith::ConstantOp constant) {
    auto type = dyn_cast<RankedTensorType>(constant.getType());
    auto elements = dyn_cast<DenseFPElementsAttr>(constant.getValue());
    if (!type || !elements || !isNarrowable(type.getElementType()) ||
        llvm::all_of(constant->getUses(), [&](OpOperand &use) { return isReadExactly(use); }))
      return;
    Type bf16 = BFloat16Type::get(entry.getContext());
    DenseElementsAttr rounded = elements.mapValues(bf16, [](const APFloat &element) {
      bool lossy;
      APFloat value = element;
      value.convert(APFloat::BFloat(), APFloat::rmNearestTiesToEven, &lossy);
      return value.bitcastToAPInt();
    });
    OpBuilder builder(constant);
    auto replacement = arith::ConstantOp::create(builder, constant.getLoc(), rounded);
    constant.getResult().replaceUsesWithIf(replacement, [&](OpOperand &use) { return !isReadExactly(use); });
    if (constant->use_empty())
      constant.erase();
  }

  /// Matrices, tables and biases in bf16. Norm weights and rotary tables stay as they are: their kernels compute in
  /// f32.
  void narrowWeights(Operation *op) {
    bool isF32Kernel = isa<mj::NormOp, mj::RopeOp>(op);
    OpBuilder builder(op);
    for (OpOperand &operand : op->getOpOperands()) {
      auto type = dyn_cast<RankedTensorType>(operand.get().getType());
      Operation *producer = operand.get().getDefiningOp();
      if (!type || !producer || !dependsOnWeightsAlone(producer) || !isNarrowable(type.getElementType()) ||
          isMask(operand) || isScale(operand))
        continue;
      if (isF32Kernel) {
        if (auto remark =
                remark::analysis(op->getLoc(), remark::RemarkOpts::name("KeptWeight").category("narrow-activations")))
          remark << llvm::formatv("{0} stays {1}: '{2}' computes in f32", nameOfWeight(operand.get()),
                                  type.getElementType(), op->getName())
                        .str();
        continue;
      }
      // A widening that the importer wrote is taken back.
      Value weight = operand.get();
      if (auto widened = weight.getDefiningOp<arith::ExtFOp>())
        weight = widened.getIn();
      operand.set(convert(builder, weight, builder.getBF16Type()));
      ++weights;
    }
  }

  func::FuncOp entry;
  Block &body;
  llvm::SmallPtrSet<Operation *, 8> exact;     ///< operations whose result stays f32
  llvm::SmallPtrSet<Operation *, 4> roundings; ///< conversions that this pass made behind an operation
  unsigned values = 0, weights = 0;
};

struct NarrowActivations : mjolnir::impl::NarrowActivationsBase<NarrowActivations> {
  using Base::Base;

  void runOnOperation() override {
    for (func::FuncOp entry : getEntries(getOperation()))
      if (failed(Narrowing(entry).run()))
        return signalPassFailure();
  }
};

} // namespace
