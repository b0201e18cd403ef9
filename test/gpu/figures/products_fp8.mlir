// Written by generate.py.
// Few rows times a matrix in FP8: --fp8 chooses how it is multiplied.
// gpu-check: options --fp8
// gpu-check: options --fp8=weights
// gpu-check: options --fp8=full
module attributes {mj.phase = "input"} {
mj.weight @w4096x4096 : tensor<4096x4096xbf16> from "w4096x4096"
mj.weight @w8192x8192 : tensor<8192x8192xbf16> from "w8192x8192"
mj.weight @w14336x4096 : tensor<14336x4096xbf16> from "w14336x4096"
func.func @n4096_k4096_m1(%x: tensor<1x4096xbf16> {mj.name = "x"}) -> (tensor<1x4096xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w4096x4096 : tensor<4096x4096xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<1x4096xbf16>, tensor<4096x4096xbf16> -> tensor<1x4096xbf16>
  return %y : tensor<1x4096xbf16>
}
func.func @n4096_k4096_m2(%x: tensor<2x4096xbf16> {mj.name = "x"}) -> (tensor<2x4096xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w4096x4096 : tensor<4096x4096xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<2x4096xbf16>, tensor<4096x4096xbf16> -> tensor<2x4096xbf16>
  return %y : tensor<2x4096xbf16>
}
func.func @n4096_k4096_m4(%x: tensor<4x4096xbf16> {mj.name = "x"}) -> (tensor<4x4096xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w4096x4096 : tensor<4096x4096xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<4x4096xbf16>, tensor<4096x4096xbf16> -> tensor<4x4096xbf16>
  return %y : tensor<4x4096xbf16>
}
func.func @n4096_k4096_m8(%x: tensor<8x4096xbf16> {mj.name = "x"}) -> (tensor<8x4096xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w4096x4096 : tensor<4096x4096xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<8x4096xbf16>, tensor<4096x4096xbf16> -> tensor<8x4096xbf16>
  return %y : tensor<8x4096xbf16>
}
func.func @n4096_k4096_m16(%x: tensor<16x4096xbf16> {mj.name = "x"}) -> (tensor<16x4096xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w4096x4096 : tensor<4096x4096xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<16x4096xbf16>, tensor<4096x4096xbf16> -> tensor<16x4096xbf16>
  return %y : tensor<16x4096xbf16>
}
func.func @n8192_k8192_m1(%x: tensor<1x8192xbf16> {mj.name = "x"}) -> (tensor<1x8192xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w8192x8192 : tensor<8192x8192xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<1x8192xbf16>, tensor<8192x8192xbf16> -> tensor<1x8192xbf16>
  return %y : tensor<1x8192xbf16>
}
func.func @n8192_k8192_m2(%x: tensor<2x8192xbf16> {mj.name = "x"}) -> (tensor<2x8192xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w8192x8192 : tensor<8192x8192xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<2x8192xbf16>, tensor<8192x8192xbf16> -> tensor<2x8192xbf16>
  return %y : tensor<2x8192xbf16>
}
func.func @n8192_k8192_m4(%x: tensor<4x8192xbf16> {mj.name = "x"}) -> (tensor<4x8192xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w8192x8192 : tensor<8192x8192xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<4x8192xbf16>, tensor<8192x8192xbf16> -> tensor<4x8192xbf16>
  return %y : tensor<4x8192xbf16>
}
func.func @n8192_k8192_m8(%x: tensor<8x8192xbf16> {mj.name = "x"}) -> (tensor<8x8192xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w8192x8192 : tensor<8192x8192xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<8x8192xbf16>, tensor<8192x8192xbf16> -> tensor<8x8192xbf16>
  return %y : tensor<8x8192xbf16>
}
func.func @n8192_k8192_m16(%x: tensor<16x8192xbf16> {mj.name = "x"}) -> (tensor<16x8192xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w8192x8192 : tensor<8192x8192xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<16x8192xbf16>, tensor<8192x8192xbf16> -> tensor<16x8192xbf16>
  return %y : tensor<16x8192xbf16>
}
func.func @n14336_k4096_m1(%x: tensor<1x4096xbf16> {mj.name = "x"}) -> (tensor<1x14336xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w14336x4096 : tensor<14336x4096xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<1x4096xbf16>, tensor<14336x4096xbf16> -> tensor<1x14336xbf16>
  return %y : tensor<1x14336xbf16>
}
func.func @n14336_k4096_m2(%x: tensor<2x4096xbf16> {mj.name = "x"}) -> (tensor<2x14336xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w14336x4096 : tensor<14336x4096xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<2x4096xbf16>, tensor<14336x4096xbf16> -> tensor<2x14336xbf16>
  return %y : tensor<2x14336xbf16>
}
func.func @n14336_k4096_m4(%x: tensor<4x4096xbf16> {mj.name = "x"}) -> (tensor<4x14336xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w14336x4096 : tensor<14336x4096xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<4x4096xbf16>, tensor<14336x4096xbf16> -> tensor<4x14336xbf16>
  return %y : tensor<4x14336xbf16>
}
func.func @n14336_k4096_m8(%x: tensor<8x4096xbf16> {mj.name = "x"}) -> (tensor<8x14336xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w14336x4096 : tensor<14336x4096xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<8x4096xbf16>, tensor<14336x4096xbf16> -> tensor<8x14336xbf16>
  return %y : tensor<8x14336xbf16>
}
func.func @n14336_k4096_m16(%x: tensor<16x4096xbf16> {mj.name = "x"}) -> (tensor<16x14336xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w14336x4096 : tensor<14336x4096xbf16>
  %y = mj.matmul %x, %w {transpose_b} : tensor<16x4096xbf16>, tensor<14336x4096xbf16> -> tensor<16x14336xbf16>
  return %y : tensor<16x14336xbf16>
}
}
