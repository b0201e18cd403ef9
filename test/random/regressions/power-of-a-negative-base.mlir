module attributes {mj.phase = "input"} {
  mj.weight @w0 : tensor<16x16xbf16> from "w0"
  mj.weight @w1 : tensor<16x16xbf16> from "w1"
  mj.weight @w2 : tensor<16x16xbf16> from "w2"
  mj.weight @w3 : tensor<16xf16> from "w3"
  mj.weight @w4 : tensor<16x16xf32> from "w4"
  mj.weight @w5 : tensor<16x16xf32> from "w5"
  func.func @main(%arg0: tensor<5x16xbf16> {mj.name = "x0"}, %arg1: tensor<5x16xf32> {mj.name = "x1"}) -> (tensor<5x16xf32> {mj.name = "y0"}) attributes {mj.entry} {
    %0 = arith.extf %arg0 : tensor<5x16xbf16> to tensor<5x16xf32>
    %1 = mj.get_weight @w0 : tensor<16x16xbf16>
    %2 = mj.matmul %0, %1 {transpose_b} : tensor<5x16xf32>, tensor<16x16xbf16> -> tensor<5x16xf32>
    %3 = mj.get_weight @w1 : tensor<16x16xbf16>
    %4 = mj.matmul %0, %3 {transpose_b} : tensor<5x16xf32>, tensor<16x16xbf16> -> tensor<5x16xf32>
    %cst = arith.constant dense<5.000000e-01> : tensor<f32>
    %5 = mj.broadcast %cst like %2 : tensor<f32>, tensor<5x16xf32> -> tensor<5x16xf32>
    %6 = arith.mulf %5, %2 : tensor<5x16xf32>
    %cst_0 = arith.constant dense<3.000000e+00> : tensor<f32>
    %7 = mj.broadcast %cst_0 like %2 : tensor<f32>, tensor<5x16xf32> -> tensor<5x16xf32>
    %8 = math.powf %2, %7 : tensor<5x16xf32>
    %cst_1 = arith.constant dense<4.471500e-02> : tensor<f32>
    %9 = mj.broadcast %cst_1 like %2 : tensor<f32>, tensor<5x16xf32> -> tensor<5x16xf32>
    %10 = arith.mulf %9, %8 : tensor<5x16xf32>
    %11 = arith.addf %2, %10 : tensor<5x16xf32>
    %cst_2 = arith.constant dense<0.797884583> : tensor<f32>
    %12 = mj.broadcast %cst_2 like %2 : tensor<f32>, tensor<5x16xf32> -> tensor<5x16xf32>
    %13 = arith.mulf %11, %12 : tensor<5x16xf32>
    %14 = math.tanh %13 : tensor<5x16xf32>
    %cst_3 = arith.constant dense<1.000000e+00> : tensor<5x16xf32>
    %15 = arith.addf %14, %cst_3 : tensor<5x16xf32>
    %16 = arith.mulf %6, %15 : tensor<5x16xf32>
    %17 = arith.mulf %16, %4 : tensor<5x16xf32>
    %18 = arith.subf %17, %arg1 : tensor<5x16xf32>
    %19 = mj.get_weight @w2 : tensor<16x16xbf16>
    %20 = mj.matmul %17, %19 : tensor<5x16xf32>, tensor<16x16xbf16> -> tensor<5x16xf32>
    %21 = mj.get_weight @w3 : tensor<16xf16>
    %22 = arith.extf %21 : tensor<16xf16> to tensor<16xf32>
    %23 = mj.broadcast %22 like %20 : tensor<16xf32>, tensor<5x16xf32> -> tensor<5x16xf32>
    %24 = arith.addf %20, %23 : tensor<5x16xf32>
    %25 = mj.get_weight @w4 : tensor<16x16xf32>
    %26 = mj.matmul %24, %25 {transpose_b} : tensor<5x16xf32>, tensor<16x16xf32> -> tensor<5x16xf32>
    %27 = mj.get_weight @w5 : tensor<16x16xf32>
    %28 = mj.matmul %24, %27 {transpose_b} : tensor<5x16xf32>, tensor<16x16xf32> -> tensor<5x16xf32>
    %29 = arith.negf %26 : tensor<5x16xf32>
    %30 = math.exp %29 : tensor<5x16xf32>
    %cst_4 = arith.constant dense<1.000000e+00> : tensor<f32>
    %31 = mj.broadcast %cst_4 like %26 : tensor<f32>, tensor<5x16xf32> -> tensor<5x16xf32>
    %32 = arith.addf %31, %30 : tensor<5x16xf32>
    %cst_5 = arith.constant dense<1.000000e+00> : tensor<5x16xf32>
    %33 = arith.divf %cst_5, %32 : tensor<5x16xf32>
    %34 = arith.mulf %26, %33 : tensor<5x16xf32>
    %35 = arith.mulf %34, %28 : tensor<5x16xf32>
    %36 = arith.subf %18, %35 : tensor<5x16xf32>
    %37 = arith.subf %18, %18 : tensor<5x16xf32>
    %38 = mj.norm layer %arg1 eps 9.99999974E-6 : tensor<5x16xf32> -> tensor<5x16xf32>
    %39 = mj.norm layer %17 eps 1.000000e-03 : tensor<5x16xf32> -> tensor<5x16xf32>
    %cst_6 = arith.constant dense<5.000000e-01> : tensor<5x16xf32>
    %40 = arith.mulf %cst_6, %24 : tensor<5x16xf32>
    %cst_7 = arith.constant dense<0.707106769> : tensor<f32>
    %41 = mj.broadcast %cst_7 like %24 : tensor<f32>, tensor<5x16xf32> -> tensor<5x16xf32>
    %42 = arith.mulf %24, %41 : tensor<5x16xf32>
    %43 = math.erf %42 : tensor<5x16xf32>
    %cst_8 = arith.constant dense<1.000000e+00> : tensor<f32>
    %44 = mj.broadcast %cst_8 like %24 : tensor<f32>, tensor<5x16xf32> -> tensor<5x16xf32>
    %45 = arith.addf %43, %44 : tensor<5x16xf32>
    %46 = arith.mulf %40, %45 : tensor<5x16xf32>
    return %46 : tensor<5x16xf32>
  }
}
