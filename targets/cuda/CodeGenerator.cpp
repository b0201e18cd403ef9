// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Kernels to machine code, by NVRTC: printed one after the other, compiled side by side, those that were compiled
// before taken from a cache.
#include "targets/cuda/CodeGenerator.h"

#include "targets/cuda/KernelCache.h"
#include "targets/cuda/KernelFiles.h"
#include "targets/cuda/KernelSource.h"
#include "targets/cuda/NvrtcProcesses.h"

#include "mjolnir/format/FinishRun.h"

#include "mlir/IR/Remarks.h"
#include "mlir/IR/Threading.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/Support/FormatVariadic.h"

#include <optional>

using namespace mlir;
using namespace mjolnir;
using namespace mjolnir::cuda;

/// Blocks of a kernel that a multiprocessor holds at a time.
static int64_t countResidentBlocks(const KernelSource &source, const CompiledKernel &compiled, int64_t shared,
                                   const CudaProfile &profile) {
  int64_t blocks = profile.threadsPerProcessor / source.threads;
  // The register file is given out in units of 256 to a warp.
  if (int64_t registers = llvm::alignTo(compiled.registers * 32, 256) * llvm::divideCeil(source.threads, 32))
    blocks = std::min(blocks, profile.registersPerProcessor / registers);
  if (shared)
    blocks = std::min(blocks, profile.sharedBytesPerProcessor / shared);
  return blocks;
}

/// Checks a compiled kernel against the chip, notes on `kernel` what it takes, and says it.
static LogicalResult noteResources(exec::KernelOp kernel, const KernelSource &source, const CompiledKernel &compiled,
                                   const CudaProfile &profile) {
  int64_t shared = source.sharedBytes + compiled.sharedBytes;
  if (shared > profile.sharedBytesPerBlock)
    return kernel.emitOpError("needs ") << shared << " bytes of shared memory; a block has "
                                        << profile.sharedBytesPerBlock << " on " << profile.name;
  int64_t blocks = countResidentBlocks(source, compiled, shared, profile);
  if (blocks < 1)
    return kernel.emitOpError("needs ") << compiled.registers << " registers for each of " << source.threads
                                        << " threads; a multiprocessor has " << profile.registersPerProcessor << " on "
                                        << profile.name;
  Builder builder(kernel.getContext());
  NamedAttrList resources;
  for (auto [name, value] : {std::pair("registers", compiled.registers),
                             {"spill_bytes", compiled.spillBytes},
                             {"stack_bytes", compiled.stackBytes},
                             {"shared_bytes", shared},
                             {"blocks", blocks}})
    resources.append(name, builder.getI64IntegerAttr(value));
  kernel->setAttr(kResourcesAttr, resources.getDictionary(kernel.getContext()));
  if (auto remark = remark::analysis(kernel.getLoc(), remark::RemarkOpts::name("Resources").category("cuda")))
    remark << llvm::formatv(
                  "@{0}: {1} threads, {2} registers, {3} bytes spilled, {4} bytes of stack, {5} bytes of shared "
                  "memory: {6} blocks on a multiprocessor",
                  kernel.getSymName(), source.threads, compiled.registers, compiled.spillBytes, compiled.stackBytes,
                  shared, blocks)
                  .str();
  return success();
}

/// Says which kernels multiply f8 by f8 in another precision than it: a wider one, whose products are the same.
static void notePrecision(ModuleOp module, ArrayRef<exec::KernelOp> kernels, ArrayRef<KernelSource> sources,
                          const CudaProfile &profile) {
  int64_t count = 0;
  for (auto [kernel, source] : llvm::zip_equal(kernels, sources)) {
    if (source.precision.empty())
      continue;
    ++count;
    if (auto remark =
            remark::missed(exec::KernelOp(kernel).getLoc(), remark::RemarkOpts::name("Precision").category("cuda")))
      remark << ("@" + exec::KernelOp(kernel).getSymName() + " multiplies f8 by f8 as " + source.precision +
                 ": products are the same, the rate is not that of f8")
                    .str();
  }
  if (count)
    module.emitWarning() << count << " kernels multiply f8 by f8 as bf16 or f32, not by the f8 tensor cores of "
                         << profile.name
                         << ": products are the same, the rate is not; --remarks-filter=cuda names them";
}

/// Writes the tensor maps that a launch of `kernel` takes; what they say of its operands is verified.
static LogicalResult noteTensorMaps(exec::KernelOp kernel, ArrayRef<TensorMap> maps) {
  if (maps.empty())
    return success();
  MLIRContext *context = kernel.getContext();
  SmallVector<Attribute> attributes;
  for (const TensorMap &map : maps) {
    auto attribute = exec::TensorMapAttr::getChecked([&] { return kernel.emitOpError(); }, context, map.operand,
                                                     map.rows, map.columns, map.boxRows, map.boxColumns);
    if (!attribute)
      return failure();
    attributes.push_back(attribute);
  }
  kernel.setTensorMapsAttr(ArrayAttr::get(context, attributes));
  return kernel.verifyRegions();
}

/// Takes each kernel from the cache or compiles it; one result a request.
static LogicalResult compileAll(ArrayRef<exec::KernelOp> kernels, ArrayRef<CompileKernelRequest> requests,
                                const KernelCache &cache, SmallVectorImpl<CompiledKernel> &results) {
  llvm::Expected<const Nvrtc *> nvrtc = Nvrtc::get();
  if (!nvrtc)
    return kernels.front()->getParentOp()->emitError() << llvm::toString(nvrtc.takeError());
  std::string version = (*nvrtc)->version();
  NvrtcProcesses processes(**nvrtc);
  results.resize(requests.size());
  SmallVector<std::string> errors(requests.size());
  std::atomic<size_t> compiled = 0;
  parallelFor(kernels.front()->getContext(), 0, requests.size(), [&](size_t index) {
    std::string key = KernelCache::keyOf(requests[index], version);
    if (std::optional<CompiledKernel> found = cache.find(key)) {
      results[index] = std::move(*found);
      return;
    }
    llvm::Expected<CompiledKernel> result = processes.compile(requests[index]);
    if (!result) {
      errors[index] = llvm::toString(result.takeError());
      return;
    }
    results[index] = std::move(*result);
    cache.store(key, results[index]);
    ++compiled;
  });
  if (compiled)
    cache.prune();
  bool isGood = true;
  for (auto [kernel, error] : llvm::zip_equal(kernels, errors))
    if (!error.empty()) {
      exec::KernelOp(kernel).emitOpError() << error;
      isGood = false;
    }
  return success(isGood);
}

/// Puts sources of the user's into `requests`, and notes which kernels they replace.
static void replaceSources(ArrayRef<exec::KernelOp> kernels, MutableArrayRef<CompileKernelRequest> requests,
                           const LoadedKernels &loaded) {
  for (size_t index : loaded.apply(requests)) {
    exec::KernelOp kernel = kernels[index];
    kernel->setAttr(kReplacedAttr, UnitAttr::get(kernel.getContext()));
    if (auto remark = remark::passed(kernel.getLoc(), remark::RemarkOpts::name("Replaced").category("cuda")))
      remark << ("@" + kernel.getSymName() + " is compiled from a source that was loaded, not from the generated one")
                    .str();
  }
}

/// Compiles kernels that spill again, leaving fewer blocks to a multiprocessor and more registers to them, and keeps
/// what spills less. `requests` and `compiled` are machine code, then PTX, of all kernels. What was dumped is what was
/// compiled first, so that it is known again when it is loaded.
static LogicalResult compileSpillingAgain(ArrayRef<exec::KernelOp> kernels, MutableArrayRef<KernelSource> sources,
                                          MutableArrayRef<CompileKernelRequest> requests,
                                          MutableArrayRef<CompiledKernel> compiled, const KernelCache &cache,
                                          const CudaProfile &profile) {
  size_t count = sources.size();
  SmallVector<KernelSource> others;
  SmallVector<size_t> places; // in requests, of what is compiled again
  SmallVector<exec::KernelOp> again;
  SmallVector<CompileKernelRequest> wanted;
  for (size_t i = 0; i < count; ++i) {
    exec::KernelOp kernel = kernels[i];
    if (compiled[i].spillBytes == 0 || sources[i].blocks == 1 || sources[i].dividesRegisters ||
        kernel->hasAttr(kReplacedAttr))
      continue;
    FailureOr<KernelSource> source = printKernel(kernel, exec::getPagesOf(kernel), profile, /*fewestBlocks=*/true);
    if (failed(source))
      return failure();
    for (size_t place = i; place < requests.size(); place += count) {
      places.push_back(place);
      again.push_back(kernel);
      wanted.push_back(requests[place]);
      wanted.back().source = source->text;
      others.push_back(*source);
    }
  }
  SmallVector<CompiledKernel> results;
  if (wanted.empty() || failed(compileAll(again, wanted, cache, results)))
    return success(wanted.empty());
  llvm::BitVector isBetter(count);
  for (auto [number, place] : llvm::enumerate(places)) {
    size_t i = place % count;
    if (place < count && results[number].spillBytes < compiled[i].spillBytes)
      isBetter.set(i);
    if (!isBetter[i])
      continue;
    sources[i] = others[number];
    requests[place] = std::move(wanted[number]);
    compiled[place] = std::move(results[number]);
  }
  return success();
}

/// See format::FinishImage.
static std::string printFinishRun() {
  return llvm::formatv(R"cuda(// The end of a run: an output to the host, inputs to the next run but one.
#include "finish_run.cuh"

extern "C" __global__ void __launch_bounds__({0}) {1}(const uint4 *from, uint4 *to, uint64_t count, int32_t *positions,
                                                     int32_t *lengths, int32_t *slots, int32_t *windowSlots,
                                                     uint64_t rows) {{
  const uint64_t i = uint64_t(blockIdx.x) * {0} + threadIdx.x;
  const MovedRow<{2}> moved({{positions, lengths, slots, windowSlots, rows}, i);
  waitForInputs();
  if (i < count)
    to[i] = from[i];
  moved.store();
}
)cuda",
                       format::FinishThreads, format::FinishSymbol, format::FinishSteps);
}

FailureOr<SmallVector<Image>> cuda::generateCode(ModuleOp module, const CudaProfile &profile,
                                                 const CodeOptions &options, bool portable) {
  SmallVector<Image> images;
  SmallVector<exec::KernelOp> kernels; // but for those that are calls of a library
  for (auto kernel : module.getOps<exec::KernelOp>())
    if (!kernel.getLibraryAttr())
      kernels.push_back(kernel);
  if (kernels.empty())
    return images;
  SmallVector<KernelSource> sources;
  SmallVector<CompileKernelRequest> requests;
  for (exec::KernelOp kernel : kernels) {
    FailureOr<KernelSource> source = printKernel(kernel, exec::getPagesOf(kernel), profile);
    if (failed(source))
      return failure();
    requests.push_back({kernel.getSymName().str(), source->text, getDeviceHeaders().vec(), profile.name});
    sources.push_back(std::move(*source));
  }
  if (!options.dumpKernels.empty())
    if (llvm::Error error = dumpKernels(requests, options.dumpKernels))
      return module.emitError() << llvm::toString(std::move(error));
  std::optional<LoadedKernels> loaded;
  if (!options.loadKernels.empty()) {
    llvm::Expected<LoadedKernels> read = LoadedKernels::read(options.loadKernels, requests);
    if (!read)
      return module.emitError() << llvm::toString(read.takeError());
    loaded = std::move(*read);
    replaceSources(kernels, requests, *loaded);
  }
  llvm::Expected<KernelCache> cache = KernelCache::open(options.kernelCache);
  if (!cache)
    return module.emitError() << llvm::toString(cache.takeError());
  // Machine code first, then PTX, all side by side.
  if (portable) {
    kernels.append(llvm::to_vector(kernels));
    for (size_t i = 0, count = requests.size(); i < count; ++i) {
      CompileKernelRequest request = requests[i];
      request.architecture = kPortableArchitecture.str();
      requests.push_back(std::move(request));
    }
  }
  const size_t count = requests.size();
  for (StringRef architecture : {StringRef(profile.name), StringRef(kPortableArchitecture)}) {
    if (architecture == kPortableArchitecture && !portable)
      continue;
    requests.push_back({format::FinishSymbol, printFinishRun(), getDeviceHeaders().vec(), architecture.str()});
    kernels.push_back(kernels.front());
  }
  SmallVector<CompiledKernel> compiled;
  if (failed(compileAll(kernels, requests, *cache, compiled)))
    return failure();
  for (size_t i = count; i < compiled.size(); ++i)
    images.push_back({i == count ? format::FinishImage : format::FinishPortableImage, std::move(compiled[i].code)});
  compiled.truncate(count);
  requests.truncate(count);
  kernels.truncate(sources.size());
  if (failed(compileSpillingAgain(kernels, sources, requests, compiled, *cache, profile)))
    return failure();
  notePrecision(module, kernels, sources, profile);
  Builder builder(module.getContext());
  for (auto [index, kernel] : llvm::enumerate(kernels)) {
    const KernelSource &source = sources[index];
    CompiledKernel &code = compiled[index];
    if (failed(noteResources(kernel, source, code, profile)) || failed(noteTensorMaps(kernel, source.tensorMaps)))
      return failure();
    kernel->setAttr("threads", builder.getI64IntegerAttr(source.threads));
    kernel->setAttr("shared_bytes", builder.getI64IntegerAttr(source.sharedBytes));
    images.push_back({("kernels/" + kernel.getSymName() + ".cubin").str(), std::move(code.code)});
    kernel->setAttr("image", builder.getStringAttr(images.back().member));
    if (!portable)
      continue;
    images.push_back(
        {("kernels/" + kernel.getSymName() + ".portable.ptx").str(), std::move(compiled[sources.size() + index].code)});
    kernel->setAttr("portable_image", builder.getStringAttr(images.back().member));
  }
  return images;
}
