// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Pages of sequences, and how many sequences a memory holds. Expected numbers are worked out by hand or by simulation.
#include "mjolnir/format/KvPlan.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <set>

using namespace mjolnir::format;
using testing::HasSubstr;

namespace {

TEST(KvPlan, CountsPages) {
  EXPECT_EQ(kvPages(0, 16), 0u);
  EXPECT_EQ(kvPages(1, 16), 1u);
  EXPECT_EQ(kvPages(16, 16), 1u);
  EXPECT_EQ(kvPages(17, 16), 2u);
}

// A sequence that grows by up to `rows` tokens a step: no page that a step touches is one that it has overwritten, and
// with a page less some step would.
TEST(KvPlan, WindowPagesAreEnoughAndOneLessIsNot) {
  for (uint64_t window : {1, 2, 5, 8, 16})
    for (uint64_t rows : {1, 2, 3, 7, 16})
      for (uint64_t page : {1, 3, 4, 16}) {
        uint64_t most = 0;
        for (uint64_t begin = 0; begin < 200; ++begin) {
          uint64_t first = begin + 1 > window ? begin + 1 - window : 0;
          std::set<uint64_t> touched;
          for (uint64_t token = first; token < begin + rows; ++token)
            touched.insert(token / page);
          most = std::max<uint64_t>(most, touched.size());
        }
        EXPECT_EQ(kvWindowPages(window, rows, page), most) << window << " " << rows << " " << page;
      }
}

TEST(KvPlan, ReadsSizes) {
  uint64_t bytes = 0;
  for (auto [text, expected] : {std::pair<const char *, uint64_t>{"1000", 1000},
                                {"24GB", 24000000000},
                                {"8GiB", 8589934592},
                                {"512MiB", 536870912},
                                {"3KiB", 3072}}) {
    EXPECT_TRUE(parseBytes(text, bytes)) << text;
    EXPECT_EQ(bytes, expected);
  }
  for (const char *text :
       {"", "GB", "-1", "1.5GiB", "8 GiB", "0", "0GiB", "8gib", "9999999999999999999", "99999999TiB"})
    EXPECT_FALSE(parseBytes(text, bytes)) << text;
}

// Qwen3-8B: 36 layers, 8 KV heads of 128, bf16; 20 sessions of 20,000 tokens on 128 GB.
TEST(KvPlan, HoldsTwentySessionsOfQwen8BOnThor) {
  KvDemand demand;
  demand.pageTokens = 64;
  demand.pageBytes = 36 * 2 * 8 * 64 * 128 * 2; // 9 MiB
  demand.weightBytes = 16000000000;
  demand.stepBytes = 1000000000;
  demand.memory = 128000000000;
  demand.sessions = 20;
  demand.context = 20000;
  KvPlan plan;
  std::string text;
  ASSERT_TRUE(planKv(demand, plan, text)) << text;
  EXPECT_EQ(plan.pagesPerSession, 313u);
  EXPECT_EQ(plan.pages, 6260u);
  EXPECT_EQ(plan.bytes, uint64_t(6260) * 9437184);
  EXPECT_EQ(plan.budget, 111000000000u);
  EXPECT_EQ(plan.budgetPages, 11761u);
  EXPECT_EQ(plan.sessionsThatFit, 37u);
  EXPECT_THAT(text, HasSubstr("sessions  20: 6260 pages, 59076771840 bytes (55.02 GiB)"));
}

TEST(KvPlan, RefusesWithTheArithmetic) {
  KvDemand demand;
  demand.pageTokens = 16;
  demand.pageBytes = 1000;
  demand.weightBytes = 500;
  demand.stepBytes = 100;
  demand.memory = 10000;
  demand.context = 160;
  KvPlan plan;
  std::string text;
  EXPECT_FALSE(planKv(demand, plan, text));
  EXPECT_EQ(text,
            "the memory does not hold one session: a session of 160 tokens needs 10 pages (160 tokens / 16 a page) "
            "of 1000 bytes = 10000 bytes; of 10000 bytes the weights take 500 bytes, a step 100 bytes, which leaves "
            "9400 bytes = 9 pages");
  demand.budget = 10000;
  EXPECT_TRUE(planKv(demand, plan, text)) << "the budget is for the cache alone";
  EXPECT_EQ(plan.pages, 10u) << "for the session that fits";
  demand.sessions = 2;
  EXPECT_FALSE(planKv(demand, plan, text));
  EXPECT_THAT(text, HasSubstr("the memory holds 1 of 2 sessions"));
  demand.memory = 300;
  demand.budget = 0;
  EXPECT_FALSE(planKv(demand, plan, text));
  EXPECT_THAT(text, HasSubstr("which leaves 0 bytes = 0 pages"));
}

TEST(KvPlan, WithoutAMemorySaysWhatSessionsNeed) {
  KvDemand demand;
  demand.pageTokens = 16;
  demand.pageBytes = 1000;
  demand.context = 17;
  demand.sessions = 3;
  KvPlan plan;
  std::string text;
  ASSERT_TRUE(planKv(demand, plan, text));
  EXPECT_EQ(plan.bytes, 6000u);
  EXPECT_EQ(plan.budget, 0u);
}

TEST(KvPlan, AWindowBoundsWhatASessionNeeds) {
  KvDemand demand;
  demand.pageTokens = 16;
  demand.pageBytes = 1000;
  demand.window = 64;
  demand.stepRows = 32;
  demand.context = 100000;
  demand.sessions = 1;
  KvPlan plan;
  std::string text;
  ASSERT_TRUE(planKv(demand, plan, text));
  EXPECT_EQ(plan.pages, 7u); // 64 - 1 + 32 tokens in a line lie in 7 pages at most
  demand.context = 50;
  ASSERT_TRUE(planKv(demand, plan, text));
  EXPECT_EQ(plan.pages, 4u);
}

// Three pages of 16 tokens for 40 of them, and of layers with a window of 8 in steps of 4 rows 2: 10 tokens in a line.
TEST(KvPlan, LayersWithAWindowHavePagesOfTheirOwn) {
  KvDemand demand;
  demand.pageTokens = 16;
  demand.pageBytes = 1000;
  demand.windowPageBytes = 300;
  demand.window = 8;
  demand.stepRows = 4;
  demand.context = 40;
  demand.budget = 8000;
  KvPlan plan;
  std::string text;
  ASSERT_TRUE(planKv(demand, plan, text)) << text;
  EXPECT_EQ(plan.pagesPerSession, 3u);
  EXPECT_EQ(plan.windowPagesPerSession, 2u);
  EXPECT_EQ(plan.bytesPerSession, 3600u);
  EXPECT_EQ(plan.sessionsThatFit, 2u);
  EXPECT_EQ(plan.pages, 6u);
  EXPECT_EQ(plan.windowPages, 4u);
  EXPECT_EQ(plan.bytes, 7200u);
  EXPECT_THAT(text, HasSubstr("page      16 tokens, 1000 bytes, of layers with a window 300 bytes\n"));
  EXPECT_THAT(text,
              HasSubstr("session   3 pages and 2 of layers with a window = 40 tokens / 16 a page, and a window of 8 "
                        "tokens and a step of 4 / 16 a page, 3600 bytes\n"));
  EXPECT_THAT(text, HasSubstr("sessions  2: 6 pages and 4 of layers with a window, 7200 bytes\n"));
  EXPECT_THAT(text, HasSubstr("memory    the cache may take 8000 bytes, 2 sessions\n"));
  demand.sessions = 3;
  EXPECT_FALSE(planKv(demand, plan, text));
  EXPECT_EQ(text,
            "the memory holds 2 of 3 sessions: a session of 40 tokens needs 3 pages and 2 of layers with a window "
            "(40 tokens / 16 a page, and a window of 8 tokens and a step of 4 / 16 a page) of 1000 and 300 bytes = "
            "3600 bytes, all of them 9 pages and 6 of layers with a window; the cache may take 8000 bytes");
  demand.sessions = 0;
  demand.context = 10; // as short as the window: as many pages of both
  ASSERT_TRUE(planKv(demand, plan, text)) << text;
  EXPECT_EQ(plan.windowPagesPerSession, 1u);
}

TEST(KvPlan, OverflowIsRefused) {
  KvDemand demand;
  demand.pageTokens = 1;
  demand.pageBytes = uint64_t(1) << 40;
  demand.context = uint64_t(1) << 40;
  KvPlan plan;
  std::string text;
  EXPECT_FALSE(planKv(demand, plan, text));
  EXPECT_THAT(text, HasSubstr("more than can be addressed"));
  demand.context = 1;
  demand.sessions = uint64_t(1) << 40;
  EXPECT_FALSE(planKv(demand, plan, text));
  EXPECT_THAT(text, HasSubstr("more than can be addressed"));
}

} // namespace
