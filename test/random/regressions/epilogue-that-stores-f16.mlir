module attributes {mj.phase = "input"} {
  mj.weight @w0 : tensor<8x64xf16> from "w0"
  mj.weight @w1 : tensor<65x65xbf16> from "w1"
  func.func @main(%arg0: tensor<9x65xf32> {mj.name = "x0"}, %arg1: tensor<9x65xf32> {mj.name = "x1"}, %arg2: tensor<9x64xf32> {mj.name = "x2"}, %arg3: tensor<9xi32> {mj.name = "i3"}) -> (tensor<9x64xf32> {mj.name = "y0"}, tensor<9x64xf32> {mj.name = "y1"}, tensor<9x65xf16> {mj.name = "y2"}) attributes {mj.entry} {
    %0 = arith.subf %arg2, %arg2 : tensor<9x64xf32>
    %1 = mj.get_weight @w0 : tensor<8x64xf16>
    %2 = mj.gather %1[%arg3] : tensor<8x64xf16>, tensor<9xi32> -> tensor<9x64xf32>
    %3 = mj.get_weight @w1 : tensor<65x65xbf16>
    %4 = mj.matmul %arg1, %3 {transpose_b} : tensor<9x65xf32>, tensor<65x65xbf16> -> tensor<9x65xf32>
    %5 = arith.addf %arg1, %4 : tensor<9x65xf32>
    %6 = arith.truncf %2 : tensor<9x64xf32> to tensor<9x64xf16>
    %7 = arith.mulf %6, %6 : tensor<9x64xf16>
    %cst = arith.constant dense<1.000000e+00> : tensor<f16>
    %8 = mj.broadcast %cst like %6 : tensor<f16>, tensor<9x64xf16> -> tensor<9x64xf16>
    %9 = arith.addf %7, %8 : tensor<9x64xf16>
    %10 = arith.extf %9 : tensor<9x64xf16> to tensor<9x64xf32>
    %11 = arith.truncf %5 : tensor<9x65xf32> to tensor<9x65xf16>
    return %10, %0, %11 : tensor<9x64xf32>, tensor<9x64xf32>, tensor<9x65xf16>
  }
}
