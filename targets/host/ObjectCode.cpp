// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Drives a module of kernels through lowering, LLVM's code generator and the linker, one kernel an LLVM module.
#include "targets/host/ObjectCode.h"
#include "targets/host/Linker.h"
#include "targets/host/Lowering.h"
#include "targets/host/TargetMachine.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/Threading.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;

namespace mjolnir::host {

void registerObjectCodeDialects(DialectRegistry &registry) {
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registerAllToLLVMIRTranslations(registry);
}

namespace {

/// Clones each public function, with the symbols it refers to, into a module of its own within one container, so that
/// kernels are lowered in parallel and their compile times do not add up in one LLVM module.
FailureOr<OwningOpRef<ModuleOp>> splitKernels(ModuleOp kernels) {
  OwningOpRef<ModuleOp> container = ModuleOp::create(kernels.getLoc());
  SymbolTable symbols(kernels);
  for (auto function : kernels.getOps<func::FuncOp>()) {
    if (!function.isPublic())
      continue;
    unsigned arguments = function.getNumArguments();
    if (function.isExternal() || function.getNumResults() != 0 || arguments == 0 ||
        !function.getArgumentTypes().back().isIndex())
      return function.emitError("a kernel has a body, no results and a last argument of type index, the tile");
    for (Type type : function.getArgumentTypes().drop_back()) {
      auto memref = dyn_cast<MemRefType>(type);
      if (!memref || !memref.hasStaticShape() || !memref.getLayout().isIdentity())
        return function.emitError("operands of a kernel are dense memrefs of static shape, but one is ") << type;
    }
    auto module = ModuleOp::create(function.getLoc());
    container->getBody()->push_back(module);
    SmallVector<Operation *> pending = {function};
    llvm::SmallPtrSet<Operation *, 8> seen = {function.getOperation()};
    for (size_t next = 0; next < pending.size(); ++next) {
      Operation *clone = pending[next]->clone();
      module.getBody()->push_back(clone);
      std::optional<SymbolTable::UseRange> uses = SymbolTable::getSymbolUses(pending[next]);
      if (!uses)
        continue;
      for (SymbolTable::SymbolUse use : *uses) {
        Operation *used = symbols.lookup(use.getSymbolRef().getRootReference());
        if (!used || !seen.insert(used).second)
          continue;
        if (SymbolTable::getSymbolVisibility(used) == SymbolTable::Visibility::Public && isa<func::FuncOp>(used))
          return function.emitError("a kernel may not call another kernel: make the callee private");
        pending.push_back(used);
      }
    }
  }
  if (container->getBody()->empty())
    return kernels.emitError("there is no kernel to compile: no public function");
  return container;
}

void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  // There is no C library: loops must not become calls of memset or memcpy.
  llvm::TargetLibraryInfoImpl libraries(machine.getTargetTriple());
  libraries.disableAllFunctions();
  functions.registerPass([&] { return llvm::TargetLibraryAnalysis(libraries); });
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = true;
  tuning.SLPVectorization = true;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, modules);
}

/// Code of one kernel's module in the LLVM dialect. Touches nothing shared; diagnostics go to the module's context.
LogicalResult generateCode(ModuleOp kernel, bool runOptimizer, const HostTarget &target, llvm::CodeGenFileType kind,
                           SmallVectorImpl<char> &code) {
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> module = translateModuleToLLVMIR(kernel, llvmContext, "kernel");
  if (!module)
    return kernel.emitError("could not be translated to LLVM IR");
  std::string message;
  llvm::raw_string_ostream errors(message);
  std::unique_ptr<llvm::TargetMachine> machine = createTargetMachine(target, errors);
  if (!machine)
    return kernel.emitError(message);
  module->setTargetTriple(llvm::Triple(target.triple));
  module->setDataLayout(machine->createDataLayout());
  module->setSourceFileName("");
  if (runOptimizer)
    optimize(*module, *machine);
  llvm::raw_svector_ostream stream(code);
  llvm::legacy::PassManager codegen;
  if (machine->addPassesToEmitFile(codegen, stream, nullptr, kind))
    return kernel.emitError("LLVM cannot write this kind of file for ") << target.triple;
  codegen.run(*module);
  return success();
}

LogicalResult generateAll(ModuleOp kernels, const HostTarget &target, llvm::CodeGenFileType kind,
                          SmallVectorImpl<SmallVector<char, 0>> &codes) {
  MLIRContext *context = kernels.getContext();
  FailureOr<OwningOpRef<ModuleOp>> container = splitKernels(kernels);
  if (failed(container))
    return failure();
  // Lowering replaces the functions, and with them the attribute.
  SmallVector<bool> runOptimizer;
  for (auto module : (*container)->getOps<ModuleOp>())
    runOptimizer.push_back(llvm::any_of(module.getOps<func::FuncOp>(),
                                        [](func::FuncOp function) { return function->hasAttr(kOptimizeAttr); }));

  PassManager passes(context, ModuleOp::getOperationName());
  passes.enableVerifier(false);
  buildLoweringPipeline(passes.nest<ModuleOp>());
  if (failed(passes.run(**container)))
    return failure();

  SmallVector<ModuleOp> modules(((*container)).get().getOps<ModuleOp>());
  codes.resize(modules.size());
  return failableParallelForEachN(context, 0, modules.size(), [&](size_t index) {
    return generateCode(modules[index], runOptimizer[index], target, kind, codes[index]);
  });
}

} // namespace

FailureOr<SmallVector<char, 0>> compileToSharedObject(ModuleOp kernels, const HostTarget &target) {
  SmallVector<SmallVector<char, 0>> objects;
  if (failed(generateAll(kernels, target, llvm::CodeGenFileType::ObjectFile, objects)))
    return failure();
  std::string message;
  llvm::raw_string_ostream errors(message);
  FailureOr<SmallVector<char, 0>> image = linkSharedObject(objects, errors);
  if (failed(image))
    return kernels.emitError("the kernels could not be linked: ") << message;
  return image;
}

FailureOr<std::string> compileToAssembly(ModuleOp kernels, const HostTarget &target) {
  SmallVector<SmallVector<char, 0>> texts;
  if (failed(generateAll(kernels, target, llvm::CodeGenFileType::AssemblyFile, texts)))
    return failure();
  std::string result;
  for (const SmallVector<char, 0> &text : texts)
    result.append(text.begin(), text.end());
  return result;
}

} // namespace mjolnir::host
