// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Lets kernels in the LLVM dialect hold bf16 as integers. Before this pass nothing computes with bf16 any more but the
// CPU's dot products; everything else moves it.
#include "targets/host/Lowering.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;

namespace mjolnir::host {
namespace {

/// bf16 is a type for LLVM's X86 only as whole registers of the CPUs that have its dot product: vectors of other sizes
/// are taken apart into scalars, which LLVM can neither shuffle nor, without a function that no kernel has, round.
/// Integers of 16 bits it moves on all CPUs.
struct MoveBf16AsIntegersPass : PassWrapper<MoveBf16AsIntegersPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(MoveBf16AsIntegersPass)
  StringRef getArgument() const override { return "mjolnir-host-move-bf16-as-integers"; }

  static bool isBf16(Type type) { return getElementTypeOrSelf(type).isBF16(); }

  static Type asInteger(Type type) {
    if (auto array = dyn_cast<LLVM::LLVMArrayType>(type))
      return LLVM::LLVMArrayType::get(asInteger(array.getElementType()), array.getNumElements());
    if (!isBf16(type))
      return type;
    Type integer = IntegerType::get(type.getContext(), 16);
    auto vector = dyn_cast<VectorType>(type);
    return vector ? Type(vector.clone(integer)) : integer;
  }

  /// Whether `op` does the same with integers.
  static bool moves(Operation *op) {
    return isa<LLVM::LoadOp, LLVM::StoreOp, LLVM::BitcastOp, LLVM::ShuffleVectorOp, LLVM::InsertElementOp,
               LLVM::ExtractElementOp, LLVM::ConstantOp, LLVM::UndefOp, LLVM::PoisonOp, LLVM::ZeroOp, LLVM::SelectOp,
               LLVM::BrOp, LLVM::CondBrOp, LLVM::SwitchOp, LLVM::MaskedLoadOp, LLVM::MaskedStoreOp, LLVM::masked_gather,
               LLVM::masked_scatter, LLVM::masked_expandload, LLVM::masked_compressstore, LLVM::vector_insert,
               LLVM::vector_extract, LLVM::AllocaOp, LLVM::GEPOp>(op);
  }

  static Attribute asInteger(Attribute value) {
    auto i16 = IntegerType::get(value.getContext(), 16);
    if (auto number = dyn_cast<FloatAttr>(value))
      return IntegerAttr::get(i16, number.getValue().bitcastToAPInt());
    return cast<DenseElementsAttr>(value).bitcast(i16);
  }

  void runOnOperation() override {
    // What does not move keeps its types, between casts.
    SmallVector<std::pair<OpOperand *, Type>> operands;
    SmallVector<Value> results;
    SmallVector<Operation *> moving;
    getOperation().walk([&](Operation *op) {
      if (moves(op)) {
        moving.push_back(op);
        return;
      }
      for (OpOperand &operand : op->getOpOperands())
        if (isBf16(operand.get().getType()))
          operands.emplace_back(&operand, operand.get().getType());
      for (Value result : op->getResults())
        if (isBf16(result.getType()))
          results.push_back(result);
    });
    for (Value result : results) {
      OpBuilder builder(result.getContext());
      builder.setInsertionPointAfterValue(result);
      auto cast = LLVM::BitcastOp::create(builder, result.getLoc(), asInteger(result.getType()), result);
      result.replaceAllUsesExcept(cast, cast);
    }
    for (auto function : getOperation().getOps<LLVM::LLVMFuncOp>())
      for (Block &block : llvm::drop_begin(function.getBody()))
        for (BlockArgument argument : block.getArguments())
          argument.setType(asInteger(argument.getType()));
    for (Operation *op : moving) {
      if (auto constant = dyn_cast<LLVM::ConstantOp>(op); constant && isBf16(constant.getType()))
        constant.setValueAttr(asInteger(constant.getValue()));
      if (auto alloca = dyn_cast<LLVM::AllocaOp>(op))
        alloca.setElemType(asInteger(alloca.getElemType()));
      if (auto address = dyn_cast<LLVM::GEPOp>(op))
        address.setElemType(asInteger(address.getElemType()));
      for (Value result : op->getResults())
        result.setType(asInteger(result.getType()));
    }
    for (auto [operand, type] : operands) {
      OpBuilder builder(operand->getOwner());
      auto made = operand->get().getDefiningOp<LLVM::BitcastOp>();
      Value source = made ? made.getArg() : operand->get();
      operand->set(LLVM::BitcastOp::create(builder, operand->getOwner()->getLoc(), type, source));
    }
    for (Operation *op : moving)
      if (isa<LLVM::BitcastOp>(op) && (op->use_empty() || op->getOperand(0).getType() == op->getResult(0).getType())) {
        op->getResult(0).replaceAllUsesWith(op->getOperand(0));
        op->erase();
      }
  }
};

} // namespace

std::unique_ptr<Pass> createMoveBf16AsIntegersPass() { return std::make_unique<MoveBf16AsIntegersPass>(); }

} // namespace mjolnir::host
