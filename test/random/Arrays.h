// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Numbers of the reference: tensors in double with a bound of the error that a compiled program may make in each.
#ifndef MJOLNIR_TEST_RANDOM_ARRAYS_H
#define MJOLNIR_TEST_RANDOM_ARRAYS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <vector>

namespace mjolnir::differential {

/// A dense row-major tensor of floats, integers or booleans.
struct Array {
  Array() = default;
  explicit Array(llvm::ArrayRef<int64_t> shape) : shape(shape) {
    values.resize(size());
    errors.resize(size());
  }

  int64_t size() const {
    int64_t count = 1;
    for (int64_t extent : shape)
      count *= extent;
    return count;
  }
  /// Elements of the last axis.
  int64_t columns() const { return shape.empty() ? 1 : shape.back(); }

  llvm::SmallVector<int64_t> shape;
  std::vector<double> values;
  /// How far a program that computes in floating point may be off: absolute, infinite where it may say anything.
  std::vector<double> errors;
};

/// The ragged inputs of one step, as `!mj.batch` and `!mj.sampling` bundle them.
struct Batch {
  int64_t tokenRows = 0, sequences = 0, pages = 0;
  std::vector<int32_t> tokens, positions, sequenceOffsets, contextLengths, blockTables, slots, logitRows;
  std::vector<float> temperature, topP;
  std::vector<int32_t> topK;
  std::vector<int64_t> seeds;
};

/// Keys and values of all layers by slot (page * page size + offset), which a run extends.
struct CacheState {
  CacheState(int64_t layers, int64_t heads, int64_t headDim, int64_t pageSize, int64_t slots)
      : heads(heads), headDim(headDim), pageSize(pageSize), slots(slots),
        contents(llvm::ArrayRef<int64_t>{layers, 2, slots, heads, headDim}) {}

  /// Where the head's elements start in `contents`; `which` is 0 for keys, 1 for values.
  int64_t place(int64_t layer, int64_t which, int64_t slot, int64_t head) const {
    return (((layer * 2 + which) * slots + slot) * heads + head) * headDim;
  }

  int64_t heads, headDim, pageSize, slots;
  Array contents;
};

} // namespace mjolnir::differential

#endif // MJOLNIR_TEST_RANDOM_ARRAYS_H
