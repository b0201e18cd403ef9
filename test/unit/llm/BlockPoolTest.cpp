// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Pages are handed out once, all or none, and come back.

#include "BlockPool.h"

#include "Error.h"

#include <gtest/gtest.h>

#include <set>

using namespace mjolnir::llm;

TEST(BlockPool, HandsOutEachPageOnce) {
  BlockPool pool(10);
  std::vector<int32_t> a, b, c;
  ASSERT_TRUE(pool.allocate(4, a));
  ASSERT_TRUE(pool.allocate(6, b));
  EXPECT_EQ(pool.available(), 0u);
  std::set<int32_t> all(a.begin(), a.end());
  all.insert(b.begin(), b.end());
  EXPECT_EQ(all.size(), 10u);
  EXPECT_EQ(*all.begin(), 0);
  EXPECT_EQ(*all.rbegin(), 9);
  EXPECT_FALSE(pool.allocate(1, c));
  EXPECT_TRUE(pool.allocate(0, c));
  pool.release(a);
  EXPECT_TRUE(a.empty());
  EXPECT_EQ(pool.available(), 4u);
}

TEST(BlockPool, GivesAllOrNothing) {
  BlockPool pool(3);
  std::vector<int32_t> pages;
  EXPECT_FALSE(pool.allocate(4, pages));
  EXPECT_TRUE(pages.empty());
  EXPECT_EQ(pool.available(), 3u);
}

TEST(BlockPool, RepeatsItsOrder) {
  BlockPool pool(5);
  std::vector<int32_t> pages, again;
  pool.allocate(3, pages);
  std::vector<int32_t> first = pages;
  pool.release(pages);
  pool.allocate(3, again);
  EXPECT_EQ(again, first);
}

TEST(BlockPool, RefusesPagesThatWereNotTaken) {
  BlockPool pool(2);
  for (int32_t page : {0, 2, -1}) {
    std::vector<int32_t> pages = {page};
    try {
      pool.release(pages);
      FAIL();
    } catch (const Error &e) {
      EXPECT_EQ(std::string(e.what()), "KV page " + std::to_string(page) + " is given back, but was not taken");
    }
  }
  EXPECT_EQ(pool.available(), 2u);
}

