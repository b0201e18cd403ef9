// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Whether matmuls of one input are faster as one; part of merge-projections.
#ifndef MJOLNIR_PASSES_MERGECOST_H
#define MJOLNIR_PASSES_MERGECOST_H

#include "mjolnir/Target/Profile.h"

#include "llvm/ADT/ArrayRef.h"

namespace mjolnir {

/// [rows, inner] times a weight of [columns, inner]; sizes of an element in bits.
struct MatmulSize {
  int64_t rows, columns, inner;
  unsigned rowBits, weightBits;
};

/// Seconds of a matmul as a kernel of its own: the roofline of `predict`, its arithmetic divided by the part of the
/// processors' time that tiles fill. The last wave of tiles, and the last rows and columns of the matrix, leave
/// processors idle. A tile has 128 columns and 16 to 128 rows where there is shared memory, and so matrix units that
/// are fed from it; else 16 columns and up to 8 rows.
double predictMatmul(const MatmulSize &size, const Profile &profile);

/// How many tiles a matmul has.
int64_t countMatmulTiles(const MatmulSize &size, const Profile &profile);

/// Seconds of some matmuls of one input, one after the other and as one.
struct MergePrediction {
  double separate = 0;
  double merged = 0;
  double slices = 0; ///< part of `merged`: copies of each one's columns, where kernels cannot read them in place

  /// Part of the separate time that merging saves; negative if it costs.
  double gain() const { return (separate - merged) / separate; }
};

/// `sizes` agree in all but their columns.
MergePrediction predictMerge(llvm::ArrayRef<MatmulSize> sizes, const Profile &profile, const FusionRules &rules);

/// The least gain that merging is done for. Below it the model cannot tell: what it predicts is launches saved, and on
/// a chip of 20 processors three projections of 44 rows were measured to be faster than one, against a gain predicted
/// as some percent.
inline constexpr double kLeastMergeGain = 0.05;

} // namespace mjolnir

#endif // MJOLNIR_PASSES_MERGECOST_H
