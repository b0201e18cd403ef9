// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Offsets for blocks of memory that live for a while.
//
// To pack intervals of time into the least height is NP-hard (dynamic storage allocation; Garey and Johnson, SR2).
// Largest first at the lowest offset is nearly always good; what it leaves is found by trying other orders.
#include "passes/ArenaPacking.h"

#include "llvm/ADT/STLExtras.h"
#include <numeric>

using namespace mlir;
using namespace mjolnir;

/// Rounds of moving what lies at the top to the front.
static constexpr int kRounds = 200;

static int64_t countSteps(ArrayRef<ArenaBlock> blocks) {
  int64_t steps = 0;
  for (const ArenaBlock &block : blocks)
    steps = std::max(steps, block.lifetime.last + 1);
  return steps;
}

int64_t mjolnir::largestLiveSet(ArrayRef<ArenaBlock> blocks) {
  // What is taken at a step less what was given back before it, summed up.
  std::vector<int64_t> change(countSteps(blocks) + 1);
  for (const ArenaBlock &block : blocks) {
    change[block.lifetime.first] += block.bytes;
    change[block.lifetime.last + 1] -= block.bytes;
  }
  int64_t live = 0, largest = 0;
  for (int64_t difference : change) {
    live += difference;
    largest = std::max(largest, live);
  }
  return largest;
}

namespace {

/// Places blocks in an order.
class Packer {
public:
  explicit Packer(ArrayRef<ArenaBlock> blocks) : blocks(blocks), atStep(countSteps(blocks)), seen(blocks.size(), -1) {}

  /// Offsets by block; the end of the last one in `end`.
  std::vector<int64_t> pack(ArrayRef<unsigned> order, int64_t &end) {
    std::vector<int64_t> offsets(blocks.size());
    for (auto &placed : atStep)
      placed.clear();
    llvm::fill(seen, -1);
    end = 0;
    for (unsigned index : order) {
      const ArenaBlock &block = blocks[index];
      offsets[index] = findOffset(index, offsets);
      end = std::max(end, offsets[index] + block.bytes);
      for (int64_t step = block.lifetime.first; step <= block.lifetime.last; ++step)
        atStep[step].push_back(index);
    }
    return offsets;
  }

private:
  /// The lowest offset where the block fits beside every placed one that lives at the same time.
  int64_t findOffset(unsigned index, ArrayRef<int64_t> offsets) {
    const ArenaBlock &block = blocks[index];
    neighbours.clear();
    for (int64_t step = block.lifetime.first; step <= block.lifetime.last; ++step)
      for (unsigned other : atStep[step])
        if (seen[other] != int64_t(index)) {
          seen[other] = index;
          neighbours.push_back(other);
        }
    llvm::sort(neighbours, [&](unsigned a, unsigned b) { return std::pair(offsets[a], a) < std::pair(offsets[b], b); });
    int64_t offset = 0;
    for (unsigned neighbour : neighbours) {
      if (offset + block.bytes <= offsets[neighbour])
        break;
      offset = std::max(offset, offsets[neighbour] + blocks[neighbour].bytes);
    }
    return offset;
  }

  ArrayRef<ArenaBlock> blocks;
  std::vector<SmallVector<unsigned, 8>> atStep; ///< the placed blocks that live at each step
  std::vector<int64_t> seen;                    ///< by block: for which one it was last found to be a neighbour
  SmallVector<unsigned> neighbours;
};

} // namespace

int64_t mjolnir::packArena(MutableArrayRef<ArenaBlock> blocks) {
  Packer packer(blocks);
  const int64_t least = largestLiveSet(blocks);
  SmallVector<unsigned> bestOrder;
  std::vector<int64_t> best;
  int64_t bestEnd = std::numeric_limits<int64_t>::max();
  auto tryOrder = [&](ArrayRef<unsigned> order) {
    int64_t end;
    std::vector<int64_t> offsets = packer.pack(order, end);
    if (end >= bestEnd)
      return false;
    bestEnd = end;
    best = std::move(offsets);
    bestOrder.assign(order.begin(), order.end());
    return true;
  };

  // By size, by size times duration, by duration, by time.
  using Key = std::pair<double, double>;
  auto duration = [](const ArenaBlock &block) { return double(block.lifetime.last - block.lifetime.first + 1); };
  const std::function<Key(const ArenaBlock &)> keys[] = {
      [](const ArenaBlock &block) { return Key(-double(block.bytes), 0); },
      [&](const ArenaBlock &block) { return Key(-double(block.bytes) * duration(block), 0); },
      [&](const ArenaBlock &block) { return Key(-duration(block), -double(block.bytes)); },
      [](const ArenaBlock &block) { return Key(block.lifetime.first, -double(block.bytes)); },
  };
  for (const auto &key : keys) {
    SmallVector<unsigned> order(blocks.size());
    std::iota(order.begin(), order.end(), 0);
    llvm::sort(order,
               [&](unsigned a, unsigned b) { return std::pair(key(blocks[a]), a) < std::pair(key(blocks[b]), b); });
    tryOrder(order);
    if (bestEnd == least)
      break;
  }

  // What ends at the top was placed too late. It goes to the front of the order, whether that helped or not: the next
  // round then finds another one there.
  SmallVector<unsigned> order = bestOrder;
  std::vector<int64_t> offsets = best;
  int64_t end = bestEnd;
  for (int round = 0; round < kRounds && bestEnd > least; ++round) {
    auto top = llvm::find_if(order, [&](unsigned index) { return offsets[index] + blocks[index].bytes == end; });
    std::rotate(order.begin(), top, top + 1);
    tryOrder(order);
    offsets = packer.pack(order, end);
  }
  for (auto [block, offset] : llvm::zip(blocks, best))
    block.offset = offset;
  return blocks.empty() ? 0 : bestEnd;
}
