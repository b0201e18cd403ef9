// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// The layout of the weights member: a safetensors file that Python's safetensors opens, each tensor at a multiple of 64
// bytes. The format allows no holes, so what fills them are tensors of their own, U8, named "__padding_<n>".
#ifndef MJOLNIR_PACKAGE_SAFETENSORSWRITER_H
#define MJOLNIR_PACKAGE_SAFETENSORSWRITER_H

#include "mjolnir/Package/Error.h"
#include "mjolnir/schema/program_generated.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mjolnir::package {

struct SafetensorsLayout {
  std::string header;            // the length field, the JSON, and spaces up to a multiple of 64 bytes
  std::vector<uint64_t> offsets; // of each tensor, from the end of the header
  uint64_t dataBytes = 0;        // of all tensors and padding
};

/// Lays out `weights` in their order. A row-major one keeps its dtype and shape; an encoded one is stored as U8[bytes],
/// and the file's metadata say what it is. Names must be UTF-8, distinct, and must not begin with "__".
Error layOutSafetensors(const std::vector<std::unique_ptr<fb::WeightT>> &weights, SafetensorsLayout &layout);

} // namespace mjolnir::package

#endif // MJOLNIR_PACKAGE_SAFETENSORSWRITER_H
