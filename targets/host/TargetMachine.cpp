// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Registers LLVM's CPU targets and makes the TargetMachine of a HostTarget.
#include "targets/host/TargetMachine.h"

#include "llvm/Config/Targets.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

extern "C" {
#if LLVM_HAS_X86_TARGET
void LLVMInitializeX86TargetInfo(void);
void LLVMInitializeX86Target(void);
void LLVMInitializeX86TargetMC(void);
void LLVMInitializeX86AsmPrinter(void);
#endif
#if LLVM_HAS_AARCH64_TARGET
void LLVMInitializeAArch64TargetInfo(void);
void LLVMInitializeAArch64Target(void);
void LLVMInitializeAArch64TargetMC(void);
void LLVMInitializeAArch64AsmPrinter(void);
#endif
}

namespace mjolnir::host {

const llvm::Target *lookupTarget(llvm::StringRef triple, llvm::raw_ostream &errors) {
  [[maybe_unused]] static const bool registered = [] {
#if LLVM_HAS_X86_TARGET
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
#endif
#if LLVM_HAS_AARCH64_TARGET
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
#endif
    return true;
  }();
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(llvm::Triple(triple), message);
  if (!target)
    errors << "this LLVM generates no code for " << triple << ": " << message << "\n";
  return target;
}

std::unique_ptr<llvm::TargetMachine> createTargetMachine(const HostTarget &target, llvm::raw_ostream &errors) {
  const llvm::Target *llvmTarget = lookupTarget(target.triple, errors);
  if (!llvmTarget)
    return nullptr;
  llvm::TargetOptions options;
  // Kernels ask for FMA by name where its rounding matters; elsewhere a fused multiply-add only rounds less.
  options.AllowFPOpFusion = llvm::FPOpFusion::Fast;
  // One section a function would only leave padding behind in so small an object.
  options.FunctionSections = false;
  std::unique_ptr<llvm::TargetMachine> machine(
      llvmTarget->createTargetMachine(llvm::Triple(target.triple), target.cpu, target.features, options,
                                      llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    errors << "LLVM has no target machine for " << target.triple << "\n";
  return machine;
}

} // namespace mjolnir::host
