// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// When matmuls of one input are worth merging: times worked out by hand in the comments, on chips like those that the
// field uses.
#include "passes/MergeCost.h"

#include "gtest/gtest.h"

using namespace mjolnir;

namespace {

/// 100 processors, 1 TB/s, 100 TFLOP/s, 1 us a launch: round numbers.
Profile roundChip() {
  Profile profile;
  profile.name = "round";
  profile.processors = 100;
  profile.sharedBytesPerBlock = 227 << 10;
  profile.copyBandwidth = profile.readBandwidth = 1e12;
  profile.launchSeconds = 1e-6;
  profile.flopsF32 = profile.flopsBf16 = 100e12;
  return profile;
}

/// A chip of 20 processors behind slow memory: a robot's.
Profile smallChip() {
  Profile profile = roundChip();
  profile.name = "small";
  profile.processors = 20;
  profile.copyBandwidth = profile.readBandwidth = 273e9;
  profile.launchSeconds = 2e-6;
  profile.flopsBf16 = 250e12;
  return profile;
}

FusionRules slicesInPlace() {
  FusionRules rules;
  rules.columnSlices = true;
  return rules;
}

TEST(MergeCost, CountsTiles) {
  EXPECT_EQ(countMatmulTiles({1, 1024, 64, 16, 16}, roundChip()), 8);     // one row of tiles, 1024 / 128
  EXPECT_EQ(countMatmulTiles({129, 1024, 64, 16, 16}, roundChip()), 16);  // a second row for one row of the matrix
  EXPECT_EQ(countMatmulTiles({44, 1025, 64, 16, 16}, roundChip()), 9);    // a ninth tile for one column
  EXPECT_EQ(countMatmulTiles({960, 3072, 64, 16, 16}, roundChip()), 192); // ceil(960 / 128) * 24
  Profile cpu = roundChip();
  cpu.sharedBytesPerBlock = 0;
  EXPECT_EQ(countMatmulTiles({20, 1000, 64, 16, 16}, cpu), 189); // ceil(20 / 8) * ceil(1000 / 16)
}

TEST(MergeCost, BoundByMemory) {
  // 1 us + (10 * 1000 + 1000 * 1000) * 2 bytes read and 10 * 1000 * 2 written at 1 TB/s; 20 MFLOP on 8 tiles of 100
  // processors, 10 of 16 rows and 1000 of 1024 columns filled: 0.2 us / (0.08 * 0.625 * 0.977) = 4.096 us is longer.
  EXPECT_NEAR(predictMatmul({10, 1000, 1000, 16, 16}, roundChip()), 1e-6 + 4.096e-6, 1e-10);
  // The same with 100,000 columns: 202 MB take 202 us, and the 782 tiles fill 8 waves of which 782 / 800 is used.
  EXPECT_NEAR(predictMatmul({10, 100000, 1000, 16, 16}, roundChip()), 1e-6 + 202.02e-6, 1e-10);
}

TEST(MergeCost, BoundByWaves) {
  // 128 rows, 101 tiles: two waves where one is nearly all there is to do, so 2 * 100 tiles' time of 128 * 128 * 2 *
  // 65536 operations: 4.295 ms / 1e3.
  double wave = 100 * 128.0 * 128 * 2 * 65536 / 100e12;
  EXPECT_NEAR(predictMatmul({128, 101 * 128, 65536, 16, 16}, roundChip()), 1e-6 + 2 * wave, 1e-9);
}

TEST(MergeCost, FewTilesAreBetterTogether) {
  // Three of 30 tiles each on 100 processors: one wave each, one wave together.
  MatmulSize size{128, 30 * 128, 65536, 16, 16};
  MergePrediction prediction = predictMerge({size, size, size}, roundChip(), slicesInPlace());
  double wave = 100 * 128.0 * 128 * 2 * 65536 / 100e12;
  EXPECT_NEAR(prediction.separate, 3 * (1e-6 + wave), 1e-9);
  EXPECT_NEAR(prediction.merged, 1e-6 + wave, 1e-9);
  EXPECT_EQ(prediction.slices, 0);
  EXPECT_GT(prediction.gain(), kLeastMergeGain);
}

TEST(MergeCost, FullChipGainsNothing) {
  // Three of 200 tiles each: two waves each, six together.
  MatmulSize size{128, 200 * 128, 65536, 16, 16};
  MergePrediction prediction = predictMerge({size, size, size}, roundChip(), slicesInPlace());
  EXPECT_LT(prediction.gain(), kLeastMergeGain);
  EXPECT_GT(prediction.gain(), 0);
}

// What was measured by hand: three projections of 3072 x 3072 on 44 rows and 20 processors are not worth merging.
TEST(MergeCost, FewRowsOnFewProcessors) {
  MatmulSize size{44, 3072, 3072, 16, 16};
  MergePrediction prediction = predictMerge({size, size, size}, smallChip(), slicesInPlace());
  EXPECT_LT(prediction.gain(), kLeastMergeGain);
}

TEST(MergeCost, CopiesCostMoreThanLaunches) {
  // Two launches are saved, three copies added.
  MatmulSize size{1, 64, 64, 16, 16};
  MergePrediction inPlace = predictMerge({size, size, size}, roundChip(), slicesInPlace());
  MergePrediction copied = predictMerge({size, size, size}, roundChip(), FusionRules());
  EXPECT_GT(inPlace.gain(), 0);
  EXPECT_LT(copied.gain(), 0);
  EXPECT_NEAR(copied.slices, 3 * (1e-6 + 256e-12), 1e-12); // 128 bytes read and written each
}

} // namespace
