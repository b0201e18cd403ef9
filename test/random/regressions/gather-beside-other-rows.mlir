module attributes {mj.phase = "input"} {
  mj.weight @w0 : tensor<16xf32> from "w0"
  mj.weight @w1 : tensor<16x16xbf16> from "w1"
  mj.weight @w2 : tensor<3xbf16> from "w2"
  mj.weight @w3 : tensor<3x3xf16> from "w3"
  mj.weight @w4 : tensor<3xbf16> from "w4"
  mj.weight @w5 : tensor<20x3xf32> from "w5"
  func.func @main(%arg0: tensor<17x16xbf16> {mj.name = "x0"}, %arg1: tensor<17x3xf32> {mj.name = "x1"}, %arg2: tensor<3xf32> {mj.name = "x2"}, %arg3: tensor<6xi32> {mj.name = "i3"}, %arg4: tensor<17xi32> {mj.name = "i4"}) -> (tensor<6x16xf32> {mj.name = "y0"}, tensor<17x3xf32> {mj.name = "y1"}, tensor<17x3xf32> {mj.name = "y2"}, tensor<17x3xf32> {mj.name = "y3"}) attributes {mj.entry} {
    %0 = arith.extf %arg0 : tensor<17x16xbf16> to tensor<17x16xf32>
    %1 = mj.broadcast %arg2 like %arg1 : tensor<3xf32>, tensor<17x3xf32> -> tensor<17x3xf32>
    %2 = arith.mulf %arg1, %1 : tensor<17x3xf32>
    %3 = mj.gather %0[%arg3] : tensor<17x16xf32>, tensor<6xi32> -> tensor<6x16xf32>
    %4 = mj.get_weight @w0 : tensor<16xf32>
    %5 = mj.norm rms %3, weight %4 eps 9.99999974E-6 : tensor<6x16xf32>, weight tensor<16xf32> -> tensor<6x16xf32>
    %6 = mj.get_weight @w1 : tensor<16x16xbf16>
    %7 = mj.matmul %5, %6 {transpose_b} : tensor<6x16xf32>, tensor<16x16xbf16> -> tensor<6x16xf32>
    %8 = mj.get_weight @w2 : tensor<3xbf16>
    %9 = arith.extf %8 : tensor<3xbf16> to tensor<3xf32>
    %10 = mj.broadcast %9 like %2 : tensor<3xf32>, tensor<17x3xf32> -> tensor<17x3xf32>
    %11 = arith.addf %2, %10 : tensor<17x3xf32>
    %12 = arith.maximumf %arg1, %11 : tensor<17x3xf32>
    %13 = arith.negf %12 : tensor<17x3xf32>
    %14 = math.exp %13 : tensor<17x3xf32>
    %cst = arith.constant dense<1.000000e+00> : tensor<f32>
    %15 = mj.broadcast %cst like %12 : tensor<f32>, tensor<17x3xf32> -> tensor<17x3xf32>
    %16 = arith.addf %15, %14 : tensor<17x3xf32>
    %cst_0 = arith.constant dense<1.000000e+00> : tensor<f32>
    %17 = mj.broadcast %cst_0 like %12 : tensor<f32>, tensor<17x3xf32> -> tensor<17x3xf32>
    %18 = arith.divf %17, %16 : tensor<17x3xf32>
    %19 = arith.mulf %12, %18 : tensor<17x3xf32>
    %20 = mj.get_weight @w3 : tensor<3x3xf16>
    %21 = mj.matmul %12, %20 : tensor<17x3xf32>, tensor<3x3xf16> -> tensor<17x3xf32>
    %22 = mj.get_weight @w4 : tensor<3xbf16>
    %23 = arith.extf %22 : tensor<3xbf16> to tensor<3xf32>
    %24 = mj.broadcast %23 like %21 : tensor<3xf32>, tensor<17x3xf32> -> tensor<17x3xf32>
    %25 = arith.addf %21, %24 : tensor<17x3xf32>
    %26 = mj.get_weight @w5 : tensor<20x3xf32>
    %27 = mj.gather %26[%arg4] : tensor<20x3xf32>, tensor<17xi32> -> tensor<17x3xf32>
    return %7, %27, %25, %19 : tensor<6x16xf32>, tensor<17x3xf32>, tensor<17x3xf32>, tensor<17x3xf32>
  }
}
