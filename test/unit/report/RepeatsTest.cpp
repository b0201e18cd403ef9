// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Which repetitions are found in sequences of kernels.
#include "lib/Report/Sections.h"

#include "gtest/gtest.h"

using namespace mjolnir::report;

namespace {

/// The repetitions of the letters of `text`: "first period count", one after the other.
std::string repeatsOf(llvm::StringRef text) {
  std::vector<int64_t> sequence(text.begin(), text.end());
  std::string result;
  for (Repeat repeat : findRepeats(sequence))
    result += (result.empty() ? "" : "; ") + std::to_string(repeat.first) + " " + std::to_string(repeat.period) + " " +
              std::to_string(repeat.count);
  return result;
}

TEST(Repeats, LayersBetweenAnEmbeddingAndAHead) { EXPECT_EQ(repeatsOf("eabcabcabcabcnh"), "1 3 4"); }

TEST(Repeats, AnInterruptedRepetitionIsTwo) { EXPECT_EQ(repeatsOf("abcabcxabcabcabc"), "0 3 2; 7 3 3"); }

TEST(Repeats, TheWholePeriodNotAMultiple) { EXPECT_EQ(repeatsOf("abababab"), "0 2 4"); }

TEST(Repeats, AnIncompleteLastOneIsNotCounted) { EXPECT_EQ(repeatsOf("xabcabcab"), "1 3 2"); }

TEST(Repeats, TwoKindsOfLayers) { EXPECT_EQ(repeatsOf("ababababcdecde"), "0 2 4; 8 3 2"); }

TEST(Repeats, WhatDiffersDoesNotRepeat) {
  EXPECT_EQ(repeatsOf(""), "");
  EXPECT_EQ(repeatsOf("a"), "");
  EXPECT_EQ(repeatsOf("abcdef"), "");
  EXPECT_EQ(repeatsOf("abac"), "");
}

} // namespace
