// Written by generate.py.
// Arithmetic and norms on tensors of 64 MiB.
// gpu-check: options --precision=f32
module attributes {mj.phase = "input"} {
func.func @add(%x: tensor<4096x4096xf32> {mj.name = "x"}, %y: tensor<4096x4096xf32> {mj.name = "y"}) -> (tensor<4096x4096xf32>) attributes {mj.entry} {
  %z = arith.addf %x, %y : tensor<4096x4096xf32>
  return %z : tensor<4096x4096xf32>
}
func.func @silu_mul(%x: tensor<4096x4096xf32> {mj.name = "x"}, %y: tensor<4096x4096xf32> {mj.name = "y"}) -> (tensor<4096x4096xf32>) attributes {mj.entry} {
  %one = arith.constant dense<1.000000e+00> : tensor<f32>
  %negative = arith.negf %x : tensor<4096x4096xf32>
  %power = math.exp %negative : tensor<4096x4096xf32>
  %ones = mj.broadcast %one like %x : tensor<f32>, tensor<4096x4096xf32> -> tensor<4096x4096xf32>
  %sum = arith.addf %ones, %power : tensor<4096x4096xf32>
  %silu = arith.divf %x, %sum : tensor<4096x4096xf32>
  %z = arith.mulf %silu, %y : tensor<4096x4096xf32>
  return %z : tensor<4096x4096xf32>
}
func.func @rmsnorm(%x: tensor<4096x4096xf32> {mj.name = "x"}, %w: tensor<4096xf32> {mj.name = "w"}) -> (tensor<4096x4096xf32>) attributes {mj.entry} {
  %z = mj.norm rms %x, weight %w eps 1.0e-6 : tensor<4096x4096xf32>, weight tensor<4096xf32> -> tensor<4096x4096xf32>
  return %z : tensor<4096x4096xf32>
}
func.func @layernorm(%x: tensor<4096x4096xf32> {mj.name = "x"}, %w: tensor<4096xf32> {mj.name = "w"}, %b: tensor<4096xf32> {mj.name = "b"}) -> (tensor<4096x4096xf32>) attributes {mj.entry} {
  %z = mj.norm layer %x, weight %w, bias %b eps 1.0e-6 : tensor<4096x4096xf32>, weight tensor<4096xf32>, bias tensor<4096xf32> -> tensor<4096x4096xf32>
  return %z : tensor<4096x4096xf32>
}
func.func @softmax(%x: tensor<4096x4096xf32> {mj.name = "x"}) -> (tensor<4096x4096xf32>) attributes {mj.entry} {
  %z = mj.softmax %x : tensor<4096x4096xf32> -> tensor<4096x4096xf32>
  return %z : tensor<4096x4096xf32>
}
func.func @residual_rmsnorm(%x: tensor<4096x4096xf32> {mj.name = "x"}, %y: tensor<4096x4096xf32> {mj.name = "y"}, %w: tensor<4096xf32> {mj.name = "w"}) -> (tensor<4096x4096xf32>, tensor<4096x4096xf32>) attributes {mj.entry} {
  %sum = arith.addf %x, %y : tensor<4096x4096xf32>
  %z = mj.norm rms %sum, weight %w eps 1.0e-6 : tensor<4096x4096xf32>, weight tensor<4096xf32> -> tensor<4096x4096xf32>
  return %sum, %z : tensor<4096x4096xf32>, tensor<4096x4096xf32>
}
}
