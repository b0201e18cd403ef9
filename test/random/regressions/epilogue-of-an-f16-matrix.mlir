module attributes {mj.phase = "input"} {
  mj.weight @w0 : tensor<65x65xf16> from "w0"
  mj.weight @w1 : tensor<7x65xbf16> from "w1"
  mj.weight @w2 : tensor<8x65xf16> from "w2"
  mj.weight @w3 : tensor<63x8xf32> from "w3"
  func.func @main(%arg0: tensor<33x65xf16> {mj.name = "x0"}, %arg1: tensor<33x65xbf16> {mj.name = "x1"}, %arg2: tensor<33x65xf16> {mj.name = "x2"}, %arg3: tensor<33xi32> {mj.name = "i3"}, %arg4: tensor<33xi32> {mj.name = "i4"}) -> (tensor<33x63xf32> {mj.name = "y0"}, tensor<33x63xf32> {mj.name = "y1"}, tensor<33x65xf32> {mj.name = "y2"}) attributes {mj.entry} {
    %0 = arith.extf %arg0 : tensor<33x65xf16> to tensor<33x65xf32>
    %1 = arith.extf %arg1 : tensor<33x65xbf16> to tensor<33x65xf32>
    %2 = arith.extf %arg2 : tensor<33x65xf16> to tensor<33x65xf32>
    %3 = mj.get_weight @w0 : tensor<65x65xf16>
    %4 = mj.matmul %1, %3 {transpose_b} : tensor<33x65xf32>, tensor<65x65xf16> -> tensor<33x65xf32>
    %5 = arith.addf %1, %4 : tensor<33x65xf32>
    %6 = mj.get_weight @w1 : tensor<7x65xbf16>
    %7 = mj.gather %6[%arg3] : tensor<7x65xbf16>, tensor<33xi32> -> tensor<33x65xf32>
    %8 = arith.minimumf %5, %1 : tensor<33x65xf32>
    %9 = mj.get_weight @w2 : tensor<8x65xf16>
    %10 = mj.matmul %2, %9 {transpose_b} : tensor<33x65xf32>, tensor<8x65xf16> -> tensor<33x8xf32>
    %11 = mj.reshape %10 : tensor<33x8xf32> -> tensor<33x2x4xf32>
    %12 = mj.rope_table theta 1.000000e+04 : tensor<3x2x2xf32>
    %13 = mj.rope half %11 at %arg4, %12 : tensor<33x2x4xf32>, tensor<33xi32>, tensor<3x2x2xf32> -> tensor<33x2x4xf32>
    %14 = mj.norm layer %13 eps 9.99999974E-6 : tensor<33x2x4xf32> -> tensor<33x2x4xf32>
    %15 = mj.reshape %13 : tensor<33x2x4xf32> -> tensor<33x8xf32>
    %16 = mj.get_weight @w3 : tensor<63x8xf32>
    %17 = mj.matmul %15, %16 {transpose_b} : tensor<33x8xf32>, tensor<63x8xf32> -> tensor<33x63xf32>
    return %17, %17, %5 : tensor<33x63xf32>, tensor<33x63xf32>, tensor<33x65xf32>
  }
}
