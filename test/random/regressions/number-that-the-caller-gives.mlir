module attributes {mj.phase = "input"} {
  mj.weight @w0 : tensor<15xbf16> from "w0"
  mj.weight @w1 : tensor<15xbf16> from "w1"
  mj.weight @w2 : tensor<15xbf16> from "w2"
  mj.weight @w3 : tensor<15x15xbf16> from "w3"
  mj.weight @w4 : tensor<15xbf16> from "w4"
  func.func @main(%arg0: tensor<7x96xf32> {mj.name = "x0"}, %arg1: tensor<7x15xf32> {mj.name = "x1"}, %arg2: tensor<7x15xf32> {mj.name = "x2"}, %arg3: tensor<f32> {mj.name = "x3"}, %arg4: tensor<f32> {mj.name = "x4"}) -> (tensor<7x15xf32> {mj.name = "y0"}, tensor<7x15xf32> {mj.name = "y1"}, tensor<7x15xf16> {mj.name = "y2"}) attributes {mj.entry} {
    %0 = arith.maximumf %arg2, %arg2 : tensor<7x15xf32>
    %1 = mj.get_weight @w0 : tensor<15xbf16>
    %2 = mj.norm rms %arg1, weight %1 eps 1.000000e-03 : tensor<7x15xf32>, weight tensor<15xbf16> -> tensor<7x15xf32>
    %3 = arith.truncf %arg2 : tensor<7x15xf32> to tensor<7x15xbf16>
    %4 = arith.mulf %3, %3 : tensor<7x15xbf16>
    %cst = arith.constant dense<1.000000e+00> : tensor<bf16>
    %5 = mj.broadcast %cst like %3 : tensor<bf16>, tensor<7x15xbf16> -> tensor<7x15xbf16>
    %6 = arith.addf %4, %5 : tensor<7x15xbf16>
    %7 = arith.divf %3, %6 : tensor<7x15xbf16>
    %8 = arith.extf %7 : tensor<7x15xbf16> to tensor<7x15xf32>
    %9 = mj.get_weight @w1 : tensor<15xbf16>
    %10 = mj.get_weight @w2 : tensor<15xbf16>
    %11 = mj.norm layer %8, weight %9, bias %10 eps 9.99999974E-6 : tensor<7x15xf32>, weight tensor<15xbf16>, bias tensor<15xbf16> -> tensor<7x15xf32>
    %12 = arith.mulf %8, %arg1 : tensor<7x15xf32>
    %13 = mj.get_weight @w3 : tensor<15x15xbf16>
    %14 = mj.matmul %12, %13 {transpose_b} : tensor<7x15xf32>, tensor<15x15xbf16> -> tensor<7x15xf32>
    %15 = arith.addf %12, %14 : tensor<7x15xf32>
    %16 = mj.get_weight @w4 : tensor<15xbf16>
    %17 = mj.norm rms %15, weight %16 eps 9.99999974E-6 : tensor<7x15xf32>, weight tensor<15xbf16> -> tensor<7x15xf32>
    %18 = mj.broadcast %arg3 like %2 : tensor<f32>, tensor<7x15xf32> -> tensor<7x15xf32>
    %19 = arith.mulf %2, %18 : tensor<7x15xf32>
    %20 = mj.broadcast %arg4 like %11 : tensor<f32>, tensor<7x15xf32> -> tensor<7x15xf32>
    %21 = arith.mulf %11, %20 : tensor<7x15xf32>
    %cst_0 = arith.constant dense<0.222222224> : tensor<7x15xf32>
    %22 = arith.mulf %15, %cst_0 : tensor<7x15xf32>
    %23 = arith.addf %11, %22 : tensor<7x15xf32>
    %24 = arith.truncf %21 : tensor<7x15xf32> to tensor<7x15xf16>
    return %23, %21, %24 : tensor<7x15xf32>, tensor<7x15xf32>, tensor<7x15xf16>
  }
}
