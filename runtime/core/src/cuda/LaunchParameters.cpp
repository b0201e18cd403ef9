// Part of Mjolnir, under the Apache License v2.0 with LLVM Exceptions.
//
// Encoding tensor maps for a launch.
#include "LaunchParameters.h"

#include "mjolnir/format/Format.h"

namespace mjolnir::runtime::cuda {

/// Copies move f8 and i8 as they are: to the driver both are bytes.
static TensorMapDataType dataTypeOf(fb::DType type) {
  switch (type) {
  case fb::DType::f32:
    return TensorMapFloat32;
  case fb::DType::f16:
    return TensorMapFloat16;
  case fb::DType::bf16:
    return TensorMapBfloat16;
  default:
    return TensorMapUint8;
  }
}

TensorMapLayout::TensorMapLayout(const fb::TensorMap &map)
    : operand(map.operand()), dataType(dataTypeOf(map.dtype())), sizes{map.columns(), map.rows()},
      pitch(map.columns() * format::elementBytes(map.dtype())), box{map.box_columns(), map.box_rows()} {}

void LaunchParameters::reserve(size_t operands, size_t maps) {
  places_.reserve(operands + maps);
  maps_.reserve(maps);
}

Status LaunchParameters::set(const Driver &driver, const char *kernel, const std::vector<TensorMapLayout> &maps,
                             void **operands, size_t count) {
  constexpr uint32_t Rank = 2, ElementStrides[Rank] = {1, 1};
  places_.clear();
  for (size_t i = 0; i < count; ++i)
    places_.push_back(&operands[i]);
  maps_.resize(maps.size());
  for (size_t i = 0; i < maps.size(); ++i) {
    const TensorMapLayout &map = maps[i];
    if (Status status =
            driver.check(driver.tensorMapEncodeTiled(&maps_[i], map.dataType, Rank, operands[map.operand], map.sizes,
                                                     &map.pitch, map.box, ElementStrides, TensorMapInterleaveNone,
                                                     TensorMapSwizzle128, TensorMapL2Promotion128, TensorMapFillZeros),
                         "making a tensor map of operand ", map.operand, " of kernel ", kernel))
      return status;
    places_.push_back(&maps_[i]);
  }
  return Status::ok();
}

} // namespace mjolnir::runtime::cuda
