module attributes {mj.phase = "input"} {
  mj.weight @w0 : tensor<80x1xf16> from "w0"
  mj.weight @w1 : tensor<9x9xf32> from "w1"
  mj.weight @w2 : tensor<9xf32> from "w2"
  func.func @main(%arg0: tensor<9x1xf32> {mj.name = "x0"}, %arg1: tensor<9x1xf16> {mj.name = "x1"}, %arg2: tensor<9x1xf16> {mj.name = "x2"}) -> (tensor<1x9xf32> {mj.name = "y0"}, tensor<1x9xbf16> {mj.name = "y1"}, tensor<1x9xf32> {mj.name = "y2"}) attributes {mj.entry} {
    %0 = arith.extf %arg1 : tensor<9x1xf16> to tensor<9x1xf32>
    %1 = arith.extf %arg2 : tensor<9x1xf16> to tensor<9x1xf32>
    %2 = mj.get_weight @w0 : tensor<80x1xf16>
    %3 = mj.matmul %1, %2 {transpose_b} : tensor<9x1xf32>, tensor<80x1xf16> -> tensor<9x80xf32>
    %4 = mj.transpose %0 [1, 0] : tensor<9x1xf32> -> tensor<1x9xf32>
    %5 = mj.get_weight @w1 : tensor<9x9xf32>
    %6 = mj.matmul %4, %5 {transpose_b} : tensor<1x9xf32>, tensor<9x9xf32> -> tensor<1x9xf32>
    %7 = arith.addf %4, %6 : tensor<1x9xf32>
    %8 = mj.get_weight @w2 : tensor<9xf32>
    %9 = mj.norm rms %7, weight %8 eps 9.99999974E-6 : tensor<1x9xf32>, weight tensor<9xf32> -> tensor<1x9xf32>
    %10 = arith.truncf %4 : tensor<1x9xf32> to tensor<1x9xbf16>
    return %9, %10, %4 : tensor<1x9xf32>, tensor<1x9xbf16>, tensor<1x9xf32>
  }
}
