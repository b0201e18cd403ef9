// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Reads a target's name into a HostTarget.
#include "targets/host/HostTarget.h"
#include "targets/host/TargetMachine.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;

namespace mjolnir::host {

// What the runtime can ask the CPU for. The order is part of the package: it must not change with the machine.
static constexpr llvm::StringLiteral kCheckableFeatures[] = {"avx",      "avx2",     "fma",      "f16c",
                                                             "bmi",      "bmi2",     "avx512f",  "avx512bw",
                                                             "avx512vl", "avx512dq", "avx512cd", "avx512bf16"};

// What LLVM would use by itself of newer CPUs, though kernels compute in f32 and ask for none of it. Packages name none
// of them, and kernels of Linux that are older than a CPU do not report them: no code has them.
static constexpr llvm::StringLiteral kUnusedFeatures[] = {"avx512vbmi",
                                                          "avx512ifma",
                                                          "avx512vbmi2",
                                                          "avx512vnni",
                                                          "avx512bitalg",
                                                          "avx512vpopcntdq",
                                                          "avx512fp16",
                                                          "gfni",
                                                          "avxvnni",
                                                          "avxifma",
                                                          "avxvnniint8",
                                                          "avxvnniint16",
                                                          "avxneconvert",
                                                          "avx10.1",
                                                          "avx10.2",
                                                          "egpr",
                                                          "push2pop2",
                                                          "ppx",
                                                          "ndd",
                                                          "ccmp",
                                                          "nf",
                                                          "zu",
                                                          "cf"};

FailureOr<HostTarget> HostTarget::parse(StringRef spec, llvm::raw_ostream &errors) {
  HostTarget result;
  auto [kind, cpu] = spec.split(':');
  if (kind != "host" || (cpu.empty() && spec.contains(':'))) {
    errors << "target '" << spec << "' is not a host target; write host, host:CPU such as host:x86-64-v3, or "
           << "host:aarch64[:CPU]\n";
    return failure();
  }

  if (cpu.empty()) {
    llvm::Triple process(llvm::sys::getProcessTriple());
    if (!process.isX86() && !process.isAArch64()) {
      errors << "target 'host' is " << process.str()
             << ", for which there are no kernels; x86-64 and aarch64 have them\n";
      return failure();
    }
    result.triple = process.isX86() ? "x86_64-unknown-linux-gnu" : "aarch64-unknown-linux-gnu";
    result.cpu = llvm::sys::getHostCPUName().str();
    // A virtual machine may hide features of the CPU it names.
    llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
    SmallVector<std::string> sorted;
    for (const auto &feature : features)
      sorted.push_back(feature.getKey().str());
    llvm::sort(sorted);
    for (const std::string &name : sorted)
      result.features += (result.features.empty() ? "" : ",") + std::string(features.lookup(name) ? "+" : "-") + name;
  } else if (cpu.consume_front("aarch64")) {
    if (!cpu.empty() && (!cpu.consume_front(":") || cpu.empty())) {
      errors << "target '" << spec << "' is not known; write host:aarch64 or host:aarch64:CPU\n";
      return failure();
    }
    result.triple = "aarch64-unknown-linux-gnu";
    result.cpu = cpu.empty() ? "generic" : cpu.str();
  } else {
    result.triple = "x86_64-unknown-linux-gnu";
    result.cpu = cpu.str();
  }

  const llvm::Target *target = lookupTarget(result.triple, errors);
  if (!target)
    return failure();
  llvm::Triple triple(result.triple);
  std::unique_ptr<llvm::MCSubtargetInfo> known(target->createMCSubtargetInfo(triple, "", ""));
  if (!known->isCPUStringValid(result.cpu)) {
    errors << "target '" << spec << "': LLVM knows no " << triple.getArchName() << " CPU '" << result.cpu << "'\n";
    return failure();
  }
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget(target->createMCSubtargetInfo(triple, result.cpu, result.features));

  if (triple.isAArch64()) {
    result.vectorLanes = 4;
    result.vectorRegisters = 32;
    return result;
  }
  auto has = [&](StringRef feature) { return subtarget->checkFeatures(("+" + feature).str()); };
  for (StringRef feature : kCheckableFeatures)
    if (has(feature))
      result.requiredFeatures.push_back(feature.str());
  for (StringRef feature : kUnusedFeatures)
    if (has(feature))
      result.features += (result.features.empty() ? "-" : ",-") + feature.str();
  if (!has("avx2") || !has("fma")) {
    errors << "target '" << spec << "': CPU '" << result.cpu
           << "' has no AVX2 and FMA, which the host kernels need; the least is host:x86-64-v3\n";
    return failure();
  }
  bool avx512 = has("avx512f") && has("avx512bw") && has("avx512vl") && has("avx512dq");
  result.vectorLanes = avx512 ? 16 : 8;
  result.vectorRegisters = avx512 ? 32 : 16;
  result.hasAvx512Bf16 = avx512 && has("avx512bf16");
  return result;
}

} // namespace mjolnir::host
