// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The thread pool: every tile once, results visible, no lost wake-ups. Meant to be run under ThreadSanitizer, too.
#include "ThreadPool.h"

#include "gtest/gtest.h"

#include <chrono>
#include <thread>

using namespace mjolnir::runtime;

namespace {

// Operands: int counts, one a tile. Not atomic: the pool orders what it runs.
void countTile(void *const *operands, int64_t tile) { ++static_cast<int *>(operands[0])[tile]; }

// Operands: the numbers before and after. Each tile reads all of the first.
void sumAll(void *const *operands, int64_t tile) {
  const auto *before = static_cast<const int64_t *>(operands[0]);
  int64_t sum = tile;
  for (int i = 0; i < 16; ++i)
    sum += before[i];
  static_cast<int64_t *>(operands[1])[tile] = sum % 1000003;
}

TEST(ThreadPool, RunsEachTileOnce) {
  for (unsigned threads : {1u, 2u, 3u, 8u}) {
    std::unique_ptr<ThreadPool> pool;
    ASSERT_FALSE(ThreadPool::create(threads, pool));
    EXPECT_EQ(pool->threads(), threads);
    for (uint32_t tiles : {1u, 2u, 3u, 7u, 64u, 1000u}) {
      std::vector<int> counts(tiles);
      void *operands[] = {counts.data()};
      for (int repeat = 0; repeat < 50; ++repeat)
        pool->run(countTile, operands, tiles);
      EXPECT_EQ(counts, std::vector<int>(tiles, 50));
    }
  }
}

// Each launch reads what all tiles of the one before wrote: a tile too early or a stale launch changes the result.
TEST(ThreadPool, LaunchesAreOrdered) {
  auto compute = [](unsigned threads) {
    std::unique_ptr<ThreadPool> pool;
    EXPECT_FALSE(ThreadPool::create(threads, pool));
    std::vector<int64_t> x(16, 1), y(16);
    void *there[] = {x.data(), y.data()}, *back[] = {y.data(), x.data()};
    for (int i = 0; i < 5000; ++i) {
      pool->run(sumAll, there, 16);
      pool->run(sumAll, back, i % 3 == 0 ? 1 : 16);
    }
    return x;
  };
  std::vector<int64_t> expected = compute(1);
  EXPECT_EQ(compute(2), expected);
  EXPECT_EQ(compute(5), expected);
}

// Workers sleep between launches: every wake-up counts.
TEST(ThreadPool, WakesSleepers) {
  std::unique_ptr<ThreadPool> pool;
  ASSERT_FALSE(ThreadPool::create(3, pool));
  std::vector<int> counts(32);
  void *operands[] = {counts.data()};
  for (int i = 0; i < 300; ++i) {
    pool->run(countTile, operands, 32);
    // Around the time after which workers go to sleep.
    std::this_thread::sleep_for(std::chrono::microseconds(i % 5 * 60));
  }
  EXPECT_EQ(counts, std::vector<int>(32, 300));
}

TEST(ThreadPool, StopsWhileSpinningAndWhileSleeping) {
  for (int i = 0; i < 100; ++i) {
    std::unique_ptr<ThreadPool> pool;
    ASSERT_FALSE(ThreadPool::create(3, pool));
    if (i % 2)
      std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
}

} // namespace
