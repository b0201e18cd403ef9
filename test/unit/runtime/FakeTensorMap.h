// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the stand-in for the CUDA driver makes a tensor map of: the arguments that it was given, for tests to read.
#ifndef MJOLNIR_TEST_FAKETENSORMAP_H
#define MJOLNIR_TEST_FAKETENSORMAP_H

#include <cstdint>

namespace mjolnir::test {

struct FakeTensorMap {
  uint64_t address;
  uint64_t sizes[2], pitch;
  uint32_t box[2], elementStrides[2];
  uint32_t dataType, rank, interleave, swizzle, l2Promotion, fill;
  uint64_t padding[7];
};
static_assert(sizeof(FakeTensorMap) == 128, "CUtensorMap");

} // namespace mjolnir::test

#endif // MJOLNIR_TEST_FAKETENSORMAP_H
