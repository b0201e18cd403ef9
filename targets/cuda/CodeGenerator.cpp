// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Kernels to machine code, by NVRTC.
#include "targets/cuda/CodeGenerator.h"

#include "targets/cuda/KernelSource.h"
#include "targets/cuda/Nvrtc.h"

#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;

/// Checks a compiled kernel against the chip and says what it takes.
static LogicalResult checkResources(exec::KernelOp kernel, const KernelSource &source, const CompiledKernel &compiled,
                                    const CudaProfile &profile) {
  int64_t shared = source.sharedBytes + compiled.sharedBytes;
  if (shared > profile.sharedBytesPerBlock)
    return kernel.emitOpError("needs ") << shared << " bytes of shared memory; a block has "
                                        << profile.sharedBytesPerBlock << " on " << profile.name;
  int64_t blocks = profile.threadsPerProcessor / source.threads;
  // The register file is given out in units of 256 to a warp.
  if (int64_t registers = llvm::alignTo(compiled.registers * 32, 256) * llvm::divideCeil(source.threads, 32))
    blocks = std::min(blocks, profile.registersPerProcessor / registers);
  if (shared)
    blocks = std::min(blocks, profile.sharedBytesPerProcessor / shared);
  if (auto remark = remark::analysis(kernel.getLoc(), remark::RemarkOpts::name("Resources").category("cuda")))
    remark << llvm::formatv(
                  "@{0}: {1} threads, {2} registers, {3} bytes spilled, {4} bytes of stack, {5} bytes of shared "
                  "memory: {6} blocks on a multiprocessor",
                  kernel.getSymName(), source.threads, compiled.registers, compiled.spillBytes, compiled.stackBytes,
                  shared, blocks)
                  .str();
  return success();
}

FailureOr<SmallVector<Image>> cuda::generateCode(ModuleOp module, const CudaProfile &profile) {
  SmallVector<Image> images;
  auto kernels = llvm::to_vector(module.getOps<exec::KernelOp>());
  if (kernels.empty())
    return images;
  llvm::Expected<const Nvrtc *> nvrtc = Nvrtc::get();
  if (!nvrtc)
    return module.emitError() << llvm::toString(nvrtc.takeError());
  auto pools = module.getOps<exec::KvPoolOp>();
  exec::KvPoolOp pool = pools.empty() ? exec::KvPoolOp() : *pools.begin();
  Builder builder(module.getContext());
  for (exec::KernelOp kernel : kernels) {
    FailureOr<KernelSource> source = printKernel(kernel, pool, profile);
    if (failed(source))
      return failure();
    llvm::Expected<CompiledKernel> compiled = (*nvrtc)->compile(kernel.getSymName(), source->text, profile.name);
    if (!compiled)
      return kernel.emitOpError() << llvm::toString(compiled.takeError());
    if (failed(checkResources(kernel, *source, *compiled, profile)))
      return failure();
    kernel->setAttr("threads", builder.getI64IntegerAttr(source->threads));
    kernel->setAttr("shared_bytes", builder.getI64IntegerAttr(source->sharedBytes));
    images.push_back({("kernels/" + kernel.getSymName() + ".cubin").str(), std::move(compiled->cubin)});
    kernel->setAttr("image", builder.getStringAttr(images.back().member));
  }
  return images;
}
