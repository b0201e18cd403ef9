// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The pipeline from kernel functions to the LLVM dialect, and its own small passes.
#include "targets/host/Lowering.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/Vector/Transforms/Passes.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace mjolnir::host {
namespace {

struct VerifyNoAllocationPass : PassWrapper<VerifyNoAllocationPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(VerifyNoAllocationPass)
  StringRef getArgument() const override { return "mjolnir-host-verify-no-allocation"; }

  void runOnOperation() override {
    getOperation().walk([&](Operation *op) {
      if (!isa<memref::AllocOp, memref::ReallocOp>(op))
        return;
      op->emitError(
          "a kernel may not allocate memory: this buffer is neither an operand nor small enough for the stack");
      signalPassFailure();
    });
  }
};

struct ExportKernelPass : PassWrapper<ExportKernelPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExportKernelPass)
  StringRef getArgument() const override { return "mjolnir-host-export-kernel"; }

  void runOnOperation() override {
    LLVM::LLVMFuncOp kernel;
    for (auto function : getOperation().getOps<LLVM::LLVMFuncOp>()) {
      if (function.isExternal()) {
        function.emitError("a kernel calls the function '") << function.getSymName() << "', which has no body";
        return signalPassFailure();
      }
      if (SymbolTable::getSymbolVisibility(function) == SymbolTable::Visibility::Public &&
          function.getLinkage() == LLVM::Linkage::External) {
        assert(!kernel && "one kernel a module");
        kernel = function;
      } else {
        function.setLinkage(LLVM::Linkage::Internal);
      }
    }
    MLIRContext *context = &getContext();
    Location loc = kernel.getLoc();
    std::string name = kernel.getSymName().str();
    kernel.setSymName(name + ".body");
    kernel.setLinkage(LLVM::Linkage::Internal);
    SymbolTable::setSymbolVisibility(kernel, SymbolTable::Visibility::Private);

    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    Type pointer = LLVM::LLVMPointerType::get(context);
    Type i64 = builder.getI64Type();
    auto wrapper = LLVM::LLVMFuncOp::create(
        builder, loc, name, LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), {pointer, i64}));
    Block *entry = wrapper.addEntryBlock(builder);
    builder.setInsertionPointToStart(entry);
    SmallVector<Value> arguments;
    unsigned operands = kernel.getNumArguments() - 1;
    for (unsigned index = 0; index < operands; ++index) {
      Value slot = LLVM::GEPOp::create(builder, loc, pointer, pointer, entry->getArgument(0),
                                       ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
      arguments.push_back(LLVM::LoadOp::create(builder, loc, pointer, slot));
    }
    arguments.push_back(entry->getArgument(1));
    LLVM::CallOp::create(builder, loc, kernel, arguments);
    LLVM::ReturnOp::create(builder, loc, ValueRange());
  }
};

/// Loads the type that a value is reinterpreted as: without LLVM's optimizer a vector would be taken apart.
struct LoadBitcastTypePass : PassWrapper<LoadBitcastTypePass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LoadBitcastTypePass)
  StringRef getArgument() const override { return "mjolnir-host-load-bitcast-type"; }

  void runOnOperation() override {
    SmallVector<LLVM::LoadOp> loads;
    getOperation().walk([&](LLVM::LoadOp load) { loads.push_back(load); });
    for (LLVM::LoadOp load : loads) {
      if (load.getVolatile_() || load->use_empty() || !llvm::all_of(load->getUsers(), llvm::IsaPred<LLVM::BitcastOp>))
        continue;
      Type type = load->user_begin()->getResult(0).getType();
      if (!llvm::all_of(load->getUsers(), [&](Operation *cast) { return cast->getResult(0).getType() == type; }))
        continue;
      SmallVector<Operation *> casts(load->getUsers());
      load.getResult().setType(type);
      for (Operation *cast : casts) {
        cast->getResult(0).replaceAllUsesWith(load.getResult());
        cast->erase();
      }
    }
  }
};

} // namespace

std::unique_ptr<Pass> createLoadBitcastTypePass() { return std::make_unique<LoadBitcastTypePass>(); }
std::unique_ptr<Pass> createVerifyNoAllocationPass() { return std::make_unique<VerifyNoAllocationPass>(); }
std::unique_ptr<Pass> createExportKernelPass() { return std::make_unique<ExportKernelPass>(); }

void buildLoweringPipeline(OpPassManager &passes) {
  auto cleanUp = [&] {
    passes.addPass(createCanonicalizerPass());
    passes.addPass(createCSEPass());
  };

  // Tensors become their buffers; kernels are written so that everything is in place or on the stack.
  passes.addPass(createInlinerPass());
  passes.addPass(createSymbolDCEPass());
  cleanUp();
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = false;
  bufferize.bufferAlignment = 64;
  passes.addPass(bufferization::createOneShotBufferizePass(bufferize));
  cleanUp();
  passes.addNestedPass<func::FuncOp>(bufferization::createPromoteBuffersToStackPass());
  passes.addPass(createVerifyNoAllocationPass());

  // Vectors of one dimension, without transfers that need a loop.
  passes.addNestedPass<func::FuncOp>(
      vector::createLowerVectorMultiReductionPass(vector::VectorMultiReductionLowering::InnerReduction));
  passes.addPass(createConvertVectorToSCFPass(VectorTransferToSCFOptions().enableFullUnroll()));
  passes.addPass(createConvertLinalgToLoopsPass());

  // No bf16 and f16 arithmetic, and no call into a math library.
  arith::ArithEmulateUnsupportedFloatsOptions floats;
  floats.sourceTypeStrs = {"bf16", "f16"};
  floats.targetTypeStr = "f32";
  passes.addPass(arith::createArithEmulateUnsupportedFloats(floats));
  passes.addPass(createExpandLibraryCallsPass());
  cleanUp();
  passes.addPass(createLoopInvariantCodeMotionPass());

  passes.addPass(memref::createFoldMemRefAliasOpsPass());
  passes.addPass(memref::createExpandStridedMetadataPass());
  passes.addPass(createLowerAffinePass());
  passes.addPass(createSCFToControlFlowPass());
  cleanUp();
  ConvertVectorToLLVMPassOptions vectors;
  vectors.reassociateFPReductions = true;
  vectors.x86Vector = true;
  passes.addPass(createConvertVectorToLLVMPass(vectors));
  passes.addPass(createConvertMathToLLVMPass());
  passes.addPass(createFinalizeMemRefToLLVMConversionPass());
  passes.addPass(createArithToLLVMConversionPass());
  passes.addPass(createConvertIndexToLLVMPass());
  passes.addPass(createUBToLLVMConversionPass());
  ConvertFuncToLLVMPassOptions functions;
  functions.useBarePtrCallConv = true;
  passes.addPass(createConvertFuncToLLVMPass(functions));
  passes.addPass(createConvertControlFlowToLLVMPass());
  passes.addPass(createReconcileUnrealizedCastsPass());
  cleanUp();
  passes.addPass(createMoveBf16AsIntegersPass());
  passes.addPass(createLoadBitcastTypePass());
  passes.addPass(createExportKernelPass());
}

} // namespace mjolnir::host
