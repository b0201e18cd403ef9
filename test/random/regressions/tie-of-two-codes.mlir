// seed 1003494
module attributes {mj.phase = "input"} {
  mj.weight @w0 : tensor<32x32xbf16> from "w0"
  func.func @main(%arg0: tensor<40x32xbf16> {mj.name = "x0"}) -> (tensor<40x32xf32> {mj.name = "y0"}) attributes {mj.entry} {
    %0 = arith.extf %arg0 : tensor<40x32xbf16> to tensor<40x32xf32>
    %1 = mj.get_weight @w0 : tensor<32x32xbf16>
    %2 = mj.matmul %0, %1 {transpose_b} : tensor<40x32xf32>, tensor<32x32xbf16> -> tensor<40x32xf32>
    return %2 : tensor<40x32xf32>
  }
}
