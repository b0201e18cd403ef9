// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the end of a run makes of the inputs of sequences.
#include "finish_run.cuh"

#include <gtest/gtest.h>

namespace {

TEST(FinishRunTest, RowsOfSequencesMoveOn) {
  for (bool isWindowed : {true, false}) {
    std::vector<int32_t> positions = {0, 63, 0, 511}, lengths = {1, 64, 0, 512}, slots = {7, 128, -1, 63},
                         windowSlots = {3, 0, -1, 9};
    const auto windowsBefore = windowSlots;
    const MovedInputs inputs = {positions.data(), lengths.data(), slots.data(),
                                isWindowed ? windowSlots.data() : nullptr, 3};
    for (uint64_t i = 0; i < 128; ++i)
      MovedRow<2>(inputs, i).store();
    EXPECT_EQ(positions, (std::vector<int32_t>{2, 65, 0, 511}));
    EXPECT_EQ(lengths, (std::vector<int32_t>{3, 66, 0, 512}));
    EXPECT_EQ(slots, (std::vector<int32_t>{9, 130, -1, 63}));
    EXPECT_EQ(windowSlots, isWindowed ? (std::vector<int32_t>{5, 2, -1, 9}) : windowsBefore);
  }
}

// Of outputs only.
TEST(FinishRunTest, NothingMovesWithoutRows) { MovedRow<2>({nullptr, nullptr, nullptr, nullptr, 0}, 0).store(); }

} // namespace
