// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Whether matmuls of one input are faster as one.
#include "passes/MergeCost.h"

#include "mjolnir/Target/Cost.h"

#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace mjolnir;

namespace {
struct Tile {
  int64_t rows, columns;
};
} // namespace

static Tile chooseTile(int64_t rows, const Profile &profile) {
  bool hasMatrixUnits = profile.sharedBytesPerBlock > 0;
  int64_t least = hasMatrixUnits ? 16 : 1, most = hasMatrixUnits ? 128 : 8;
  return {std::clamp<int64_t>(llvm::PowerOf2Ceil(rows), least, most), hasMatrixUnits ? 128 : 16};
}

int64_t mjolnir::countMatmulTiles(const MatmulSize &size, const Profile &profile) {
  Tile tile = chooseTile(size.rows, profile);
  return llvm::divideCeil(size.rows, tile.rows) * llvm::divideCeil(size.columns, tile.columns);
}

double mjolnir::predictMatmul(const MatmulSize &size, const Profile &profile) {
  KernelCost cost;
  cost.weightBytes = size.columns * size.inner * size.weightBits / 8;
  cost.bytesRead = cost.weightBytes + size.rows * size.inner * size.rowBits / 8;
  cost.bytesWritten = size.rows * size.columns * size.rowBits / 8;
  unsigned bits = std::max(size.rowBits, size.weightBits);
  Arithmetic arithmetic = bits <= 8 ? Arithmetic::f8 : bits <= 16 ? Arithmetic::bf16 : Arithmetic::f32;
  cost.flops[static_cast<int>(arithmetic)] = 2.0 * size.rows * size.columns * size.inner;
  Prediction prediction = predict(cost, profile);

  Tile tile = chooseTile(size.rows, profile);
  int64_t waves = llvm::divideCeil(countMatmulTiles(size, profile), profile.processors);
  double filled = double(size.rows) * size.columns / (double(waves) * profile.processors * tile.rows * tile.columns);
  return prediction.launchSeconds + std::max(prediction.memorySeconds, prediction.computeSeconds / filled);
}

MergePrediction mjolnir::predictMerge(llvm::ArrayRef<MatmulSize> sizes, const Profile &profile,
                                      const FusionRules &rules) {
  MergePrediction prediction;
  MatmulSize merged = sizes.front();
  merged.columns = 0;
  for (const MatmulSize &size : sizes) {
    prediction.separate += predictMatmul(size, profile);
    merged.columns += size.columns;
    if (rules.columnSlices)
      continue;
    KernelCost copy;
    copy.bytesRead = copy.bytesWritten = size.rows * size.columns * size.rowBits / 8;
    prediction.slices += predictSeconds(copy, profile);
  }
  prediction.merged = predictMatmul(merged, profile) + prediction.slices;
  return prediction;
}
