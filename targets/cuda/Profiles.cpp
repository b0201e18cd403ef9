// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The table of NVIDIA chips. Sizes are those of the CUDA C++ Programming Guide's table of compute capabilities and of
// the products' data sheets. What was measured and what is predicted stands beside each number.
#include "targets/cuda/Profiles.h"

using namespace mjolnir;
using namespace mjolnir::cuda;

/// Of a data sheet's memory bandwidth, what a copy reaches: 4.27 of 4.8 TB/s, measured on an H200. Other products are
/// predicted by it.
static constexpr double kReachedBandwidth = 4.27 / 4.8;

/// Fitted to the kernels of Qwen3-0.6B's and Llama-3.2-1B's shapes within a step, on an H200: decoding 1, 4, 32 and 128
/// sequences at a context of 512, prefill of 512 and 8192 tokens (gpu-check's `predictions`, 2026-11-21).
static KernelTimes fitTimes() {
  KernelTimes times;
  times.areFitted = true;
  times.matmulStart = 0.8e-6;
  times.matmulRows = 1.6e-6;
  times.stagedByte = 16e-12;
  times.warpProduct = 16e-9;
  times.clusterSums = 1.1e-6;
  times.tileStart = 2.3e-6;
  times.tileEpilogue = 2.4e-6;
  times.tileReach = 0.8;
  times.tileBandwidth = 67e9;
  times.tileSums = 3.5e-6;
  times.tileMemory = 0.45;
  // Of 292 tiles of 30 shapes; what is chosen by them takes 3.5% more than the fastest, in the mean.
  times.mapStart = 0.67e-6;
  times.mapEpilogue = 3.0e-6;
  times.mapReach = 0.71;
  times.mapBandwidth = 115e9;
  times.mapPairBandwidth = 91e9;
  times.mapSums = 1.14e-6;
  times.mapMemory = 0.5;
  times.decodeStart = 3.4e-6;
  times.decodeNorm = 0.5e-6;
  times.decodeTurn = 0.4e-6;
  times.decodeCodes = 1.8e-6;
  times.prefillStart = 0;
  times.prefillWave = 2.0e-6;
  times.prefillReach = 0.19;
  times.groupReach = 0.55;
  times.linesStart = 0.8e-6;
  times.linesReach = 0.95;
  times.rowsStart = 0.1e-6;
  times.rowsWave = 0;
  times.gatherStart = 1.6e-6;
  times.rowsReduction = 1.1e-6;
  times.rowsReach = 0.38;
  times.sampleStart = 7.5e-6;
  return times;
}

/// The same kernels at another clock: predicted. `tileReach` is assumed.
static KernelTimes scaleTimes(double clock, double tileReach) {
  KernelTimes times = fitTimes();
  double slower = times.clock / clock;
  for (double *seconds :
       {&times.matmulStart,   &times.matmulRows,   &times.stagedByte, &times.warpProduct, &times.clusterSums,
        &times.tileStart,     &times.tileEpilogue, &times.tileSums,   &times.mapStart,    &times.mapEpilogue,
        &times.mapSums,       &times.decodeStart,  &times.decodeNorm, &times.decodeCodes, &times.decodeTurn,
        &times.prefillStart,  &times.prefillWave,  &times.linesStart, &times.rowsStart,   &times.rowsWave,
        &times.rowsReduction, &times.sampleStart})
    *seconds *= slower;
  times.tileBandwidth /= slower;
  times.mapBandwidth /= slower;
  times.mapPairBandwidth /= slower;
  times.clock = clock;
  times.tileReach = tileReach;
  times.areFitted = false;
  return times;
}

/// Compute capability 9.0 with its architecture's own instructions: H200 SXM.
static CudaProfile makeSm90a() {
  CudaProfile chip;
  chip.name = "sm_90a";
  chip.product = "H200";
  chip.measured = true; // bandwidth and launch; multiplications are the data sheet's
  chip.computeCapability = 90;
  chip.processors = 132;
  chip.cacheBytes = int64_t(50) << 20;
  chip.sharedBytesPerProcessor = 228 << 10;
  chip.sharedBytesPerBlock = 227 << 10;
  chip.threadsPerProcessor = 2048;
  chip.registersPerProcessor = 64 << 10;
  chip.memoryBytes = int64_t(141) * 1000 * 1000 * 1000;
  chip.copyBandwidth = 4.27e12; // measured
  chip.readBandwidth = 4.27e12; // a head of 0.3 GB was read at 4.0e12, launch included
  chip.cacheBandwidth = 5.5e12; // published microbenchmarks of the same die; not measured here
  chip.launchSeconds = 0.5e-6;  // measured: 0.48 µs with programmatic dependent launch, 0.55 without
  chip.flopsF32 = 67e12;        // data sheet
  chip.flopsBf16 = 989e12;      // data sheet, dense
  chip.flopsF8 = 1979e12;       // data sheet, dense
  chip.multipliesF8 = true;     // by wgmma; mma.sync on f8 is emulated here
  chip.matrixUnit = MatrixUnit::wgmma;
  chip.matrixUnitF8 = MatrixUnit::wgmma;
  chip.hasClusters = true;
  // Measured with 64 rows: gate and up of Qwen3-1.7B take 78 µs by kernels of few rows, 31 by those of many.
  chip.smallMatmulRows = 32;
  chip.times = fitTimes();
  return chip;
}

/// Compute capability 11.0 and its family: Jetson AGX Thor. Its memory is the CPU's, too.
static CudaProfile makeSm110f() {
  CudaProfile chip;
  chip.name = "sm_110f";
  chip.product = "Jetson Thor";
  chip.computeCapability = 110;
  chip.processors = 20;
  chip.cacheBytes = int64_t(32) << 20;
  chip.sharedBytesPerProcessor = 228 << 10;
  chip.sharedBytesPerBlock = 227 << 10;
  chip.threadsPerProcessor = 1536;
  chip.registersPerProcessor = 64 << 10;
  chip.memoryBytes = int64_t(128) * 1000 * 1000 * 1000;
  chip.copyBandwidth = 273e9 * kReachedBandwidth; // data sheet: 273 GB/s, LPDDR5X
  chip.readBandwidth = chip.copyBandwidth;
  chip.cacheBandwidth = 0.8e12; // as sm_90a, by multiprocessors and clock
  chip.launchSeconds = 0.5e-6;  // as on sm_90a
  chip.flopsF32 = 8.0e12;       // 20 x 128 multiply-adds a cycle at 1.57 GHz
  chip.flopsBf16 = 258e12;      // half of f8
  chip.flopsF8 = 517e12;        // data sheet, dense
  chip.multipliesF8 = false;    // tcgen05 does, the kernels here do not use it; mma.sync on f8 is emulated
  chip.matrixUnit = MatrixUnit::tcgen05;
  chip.matrixUnitF8 = MatrixUnit::tcgen05;
  chip.hasClusters = true;
  // Its kernels multiply by mma.sync, which is taken to reach half of what tcgen05 does.
  chip.times = scaleTimes(1.57e9, 0.4);
  return chip;
}

/// Compute capability 12.0 and its family: RTX PRO 4000 Blackwell.
static CudaProfile makeSm120f() {
  CudaProfile chip;
  chip.name = "sm_120f";
  chip.product = "RTX PRO 4000 Blackwell";
  chip.computeCapability = 120;
  chip.processors = 70;
  chip.cacheBytes = int64_t(48) << 20;
  chip.sharedBytesPerProcessor = 100 << 10;
  chip.sharedBytesPerBlock = 99 << 10;
  chip.threadsPerProcessor = 1536;
  chip.registersPerProcessor = 64 << 10;
  chip.memoryBytes = int64_t(24) * 1000 * 1000 * 1000;
  chip.copyBandwidth = 672e9 * kReachedBandwidth; // data sheet: 672 GB/s, GDDR7
  chip.readBandwidth = chip.copyBandwidth;
  chip.cacheBandwidth = 4.3e12; // as sm_90a, by multiprocessors and clock
  chip.launchSeconds = 0.5e-6;  // as on sm_90a
  chip.flopsF32 = 46.9e12;      // data sheet
  chip.flopsBf16 = 147e12;      // data sheet: 1178 TOPS of sparse f4, an eighth of it dense in bf16
  chip.flopsF8 = 294e12;        // a quarter
  chip.multipliesF8 = true;     // mma.sync on f8 is native
  chip.matrixUnit = MatrixUnit::mmaSync;
  chip.matrixUnitF8 = MatrixUnit::mmaSync;
  chip.hasClusters = true;
  chip.times = scaleTimes(2.62e9, 0.6); // boost clock
  return chip;
}

/// What the kernels of all chips can take into one region. A dependent step costs 3.3 to 5 µs in decode whatever it
/// computes (measured: four steps a layer, batch 1), so few steps a layer come before everything else.
static FusionRules makeRules(const CudaProfile &chip) {
  FusionRules rules;
  rules.normPrologueRows = chip.smallMatmulRows; // the cost refuses what is too much to recompute below that
  rules.parallelMatmuls = true;
  rules.attentionPrologue = true;
  rules.quantizeEpilogue = true;
  rules.epilogueResults = true;
  rules.anchorEpilogue = false; // attention stores what it computes
  rules.parallelRows = true;
  rules.recomputeProducers = true;
  return rules;
}

llvm::ArrayRef<CudaProfile> cuda::getProfiles() {
  static const std::vector<CudaProfile> profiles = [] {
    std::vector<CudaProfile> chips{makeSm90a(), makeSm110f(), makeSm120f()};
    for (CudaProfile &chip : chips)
      chip.rules = makeRules(chip);
    return chips;
  }();
  return profiles;
}
