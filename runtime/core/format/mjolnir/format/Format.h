// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// What the reader and the writer of packages must agree on beside the schema: versions, names, alignments, element
// sizes.
#ifndef MJOLNIR_FORMAT_FORMAT_H
#define MJOLNIR_FORMAT_FORMAT_H

#include "mjolnir/schema/program_generated.h"

#include <cstdint>

namespace mjolnir::format {

// The package format. See the version rule in program.fbs.
constexpr uint32_t VersionMajor = 1;
constexpr uint32_t VersionMinor = 5;

constexpr char ProgramMember[] = "program.fb";
constexpr char WeightsMember[] = "weights.safetensors";

// Members start at multiples of this in the file, so that what is mapped is aligned whatever it holds.
constexpr uint64_t MemberAlignment = 4096;
// Offsets of weights, and of what launches touch in the arena and in weights: a cache line, the widest vector.
constexpr uint64_t DataAlignment = 64;
// Where what a tensor map describes begins, and how far its rows are apart.
constexpr uint64_t TensorMapAlignment = 16;

/// Bytes of one element; 0 for a value that is no DType.
constexpr uint64_t elementBytes(fb::DType type) {
  switch (type) {
  case fb::DType::f32:
  case fb::DType::i32:
  case fb::DType::u32:
    return 4;
  case fb::DType::f16:
  case fb::DType::bf16:
    return 2;
  case fb::DType::f8e4m3fn:
  case fb::DType::i8:
  case fb::DType::u8:
  case fb::DType::boolean:
    return 1;
  case fb::DType::i64:
  case fb::DType::u64:
    return 8;
  }
  return 0;
}

constexpr uint64_t alignUp(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

} // namespace mjolnir::format

#endif // MJOLNIR_FORMAT_FORMAT_H
