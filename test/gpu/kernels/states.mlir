// What a session keeps from run to run: values that are added to where they lie, that are read after they were replaced,
// that roll, change places, begin anew, and that another entry reads.
// gpu-check: options --precision=bf16
// gpu-check: options --precision=f32
// gpu-check: runs 3
module attributes {mj.phase = "input"} {
mj.weight @w : tensor<64x64xbf16> from "w"
func.func @accumulate(%x: tensor<3x65xf32> {mj.state = "sum"}, %v: tensor<3x65xf32> {mj.name = "v"})
    -> (tensor<3x65xf32>, tensor<3x65xf32> {mj.state = "sum"}) attributes {mj.entry} {
  %0 = arith.addf %x, %v : tensor<3x65xf32>
  return %0, %0 : tensor<3x65xf32>, tensor<3x65xf32>
}
func.func @accumulate_bf16(%x: tensor<2047xbf16> {mj.state = "sum_bf16"}, %v: tensor<2047xbf16> {mj.name = "v"})
    -> (tensor<2047xbf16>, tensor<2047xbf16> {mj.state = "sum_bf16"}) attributes {mj.entry} {
  %0 = arith.addf %x, %v : tensor<2047xbf16>
  return %0, %0 : tensor<2047xbf16>, tensor<2047xbf16>
}
func.func @replace(%x: tensor<3x65xf32> {mj.state = "sum"}, %v: tensor<3x65xf32> {mj.name = "v"})
    -> (tensor<3x65xf32>, tensor<3x65xf32>, tensor<3x65xf32> {mj.state = "sum"}) attributes {mj.entry} {
  %0 = arith.subf %x, %v : tensor<3x65xf32>
  %1 = arith.mulf %x, %0 : tensor<3x65xf32>
  return %1, %x, %0 : tensor<3x65xf32>, tensor<3x65xf32>, tensor<3x65xf32>
}
func.func @roll(%cache: tensor<7x64xbf16> {mj.state = "cache"}, %new: tensor<3x64xbf16> {mj.name = "new"})
    -> (tensor<7x64xbf16>, tensor<7x64xbf16> {mj.state = "cache"}) attributes {mj.entry} {
  %0 = mj.slice %cache from [3, 0] by [1, 1] : tensor<7x64xbf16> -> tensor<4x64xbf16>
  %1 = mj.concat %0, %new axis 0 : tensor<4x64xbf16>, tensor<3x64xbf16> -> tensor<7x64xbf16>
  return %1, %1 : tensor<7x64xbf16>, tensor<7x64xbf16>
}
func.func @multiply(%cache: tensor<7x64xbf16> {mj.state = "cache"}, %b: tensor<7x64xbf16> {mj.state = "product"})
    -> (tensor<7x64xbf16>, tensor<7x64xbf16> {mj.state = "product"}) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<64x64xbf16>
  %0 = mj.matmul %cache, %w : tensor<7x64xbf16>, tensor<64x64xbf16> -> tensor<7x64xbf16>
  %1 = arith.addf %0, %b : tensor<7x64xbf16>
  return %1, %1 : tensor<7x64xbf16>, tensor<7x64xbf16>
}
func.func @swap(%a: tensor<7x64xbf16> {mj.state = "cache"}, %b: tensor<7x64xbf16> {mj.state = "product"})
    -> (tensor<7x64xbf16>, tensor<7x64xbf16> {mj.state = "cache"}, tensor<7x64xbf16> {mj.state = "product"})
    attributes {mj.entry} {
  %0 = arith.subf %a, %b : tensor<7x64xbf16>
  return %0, %b, %a : tensor<7x64xbf16>, tensor<7x64xbf16>, tensor<7x64xbf16>
}
func.func @begin(%v: tensor<7x64xbf16> {mj.name = "v"}) -> (tensor<7x64xbf16> {mj.state = "product"}) attributes {mj.entry} {
  %0 = arith.addf %v, %v : tensor<7x64xbf16>
  return %0 : tensor<7x64xbf16>
}
}
