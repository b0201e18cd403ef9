// Pointwise operations and norms over odd shapes: one row, one element past a block of threads, a prime number of rows.
// gpu-check: options --precision=f32
// gpu-check: options --precision=bf16
// gpu-check: input rows in 0..6
module attributes {mj.phase = "input"} {
mj.weight @scale : tensor<257xbf16> from "scale"
mj.weight @table : tensor<7x257xbf16> from "table"
func.func @norm(%x: tensor<13x257xf32> {mj.name = "x"}) -> (tensor<13x257xf32> {mj.name = "y"}) attributes {mj.entry} {
  %scale = mj.get_weight @scale : tensor<257xbf16>
  %y = mj.norm rms %x, weight %scale eps 1.0e-5 : tensor<13x257xf32>, weight tensor<257xbf16> -> tensor<13x257xf32>
  return %y : tensor<13x257xf32>
}
func.func @gather(%rows: tensor<1xi32> {mj.name = "rows"}) -> (tensor<1x257xf32> {mj.name = "y"}) attributes {mj.entry} {
  %table = mj.get_weight @table : tensor<7x257xbf16>
  %y = mj.gather %table[%rows] : tensor<7x257xbf16>, tensor<1xi32> -> tensor<1x257xf32>
  return %y : tensor<1x257xf32>
}
func.func @pointwise(%x: tensor<1025xf32> {mj.name = "x"}) -> (tensor<1025xf32> {mj.name = "y"}) attributes {mj.entry} {
  %t = math.tanh %x : tensor<1025xf32>
  %y = arith.mulf %t, %x : tensor<1025xf32>
  return %y : tensor<1025xf32>
}
}
