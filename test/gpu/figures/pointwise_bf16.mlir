// Written by generate.py.
// Arithmetic and norms on tensors of 64 MiB.
// gpu-check: options --precision=bf16
module attributes {mj.phase = "input"} {
func.func @add(%x: tensor<8192x4096xbf16> {mj.name = "x"}, %y: tensor<8192x4096xbf16> {mj.name = "y"}) -> (tensor<8192x4096xbf16>) attributes {mj.entry} {
  %z = arith.addf %x, %y : tensor<8192x4096xbf16>
  return %z : tensor<8192x4096xbf16>
}
func.func @silu_mul(%x: tensor<8192x4096xbf16> {mj.name = "x"}, %y: tensor<8192x4096xbf16> {mj.name = "y"}) -> (tensor<8192x4096xbf16>) attributes {mj.entry} {
  %one = arith.constant dense<1.000000e+00> : tensor<bf16>
  %negative = arith.negf %x : tensor<8192x4096xbf16>
  %power = math.exp %negative : tensor<8192x4096xbf16>
  %ones = mj.broadcast %one like %x : tensor<bf16>, tensor<8192x4096xbf16> -> tensor<8192x4096xbf16>
  %sum = arith.addf %ones, %power : tensor<8192x4096xbf16>
  %silu = arith.divf %x, %sum : tensor<8192x4096xbf16>
  %z = arith.mulf %silu, %y : tensor<8192x4096xbf16>
  return %z : tensor<8192x4096xbf16>
}
func.func @rmsnorm(%x: tensor<8192x4096xbf16> {mj.name = "x"}, %w: tensor<4096xbf16> {mj.name = "w"}) -> (tensor<8192x4096xbf16>) attributes {mj.entry} {
  %z = mj.norm rms %x, weight %w eps 1.0e-6 : tensor<8192x4096xbf16>, weight tensor<4096xbf16> -> tensor<8192x4096xbf16>
  return %z : tensor<8192x4096xbf16>
}
func.func @layernorm(%x: tensor<8192x4096xbf16> {mj.name = "x"}, %w: tensor<4096xbf16> {mj.name = "w"}, %b: tensor<4096xbf16> {mj.name = "b"}) -> (tensor<8192x4096xbf16>) attributes {mj.entry} {
  %z = mj.norm layer %x, weight %w, bias %b eps 1.0e-6 : tensor<8192x4096xbf16>, weight tensor<4096xbf16>, bias tensor<4096xbf16> -> tensor<8192x4096xbf16>
  return %z : tensor<8192x4096xbf16>
}
func.func @softmax(%x: tensor<8192x4096xbf16> {mj.name = "x"}) -> (tensor<8192x4096xbf16>) attributes {mj.entry} {
  %z = mj.softmax %x : tensor<8192x4096xbf16> -> tensor<8192x4096xbf16>
  return %z : tensor<8192x4096xbf16>
}
func.func @residual_rmsnorm(%x: tensor<8192x4096xbf16> {mj.name = "x"}, %y: tensor<8192x4096xbf16> {mj.name = "y"}, %w: tensor<4096xbf16> {mj.name = "w"}) -> (tensor<8192x4096xbf16>, tensor<8192x4096xbf16>) attributes {mj.entry} {
  %sum = arith.addf %x, %y : tensor<8192x4096xbf16>
  %z = mj.norm rms %sum, weight %w eps 1.0e-6 : tensor<8192x4096xbf16>, weight tensor<4096xbf16> -> tensor<8192x4096xbf16>
  return %sum, %z : tensor<8192x4096xbf16>, tensor<8192x4096xbf16>
}
}
