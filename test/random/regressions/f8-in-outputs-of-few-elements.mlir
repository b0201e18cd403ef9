module attributes {mj.phase = "input"} {
  mj.weight @w0 : tensor<19x64xbf16> from "w0"
  mj.weight @w1 : tensor<48x64xf16> from "w1"
  mj.weight @w2 : tensor<48x64xbf16> from "w2"
  mj.weight @w3 : tensor<48x64xf16> from "w3"
  mj.weight @w4 : tensor<16xf16> from "w4"
  mj.weight @w5 : tensor<192x48xf32> from "w5"
  mj.weight @w6 : tensor<64x64xbf16> from "w6"
  mj.weight @w7 : tensor<2x64xbf16> from "w7"
  mj.weight @w8 : tensor<64x48xbf16> from "w8"
  mj.weight @w9 : tensor<48xbf16> from "w9"
  func.func @main(%arg0: tensor<4x16xbf16> {mj.name = "x0"}, %arg1: tensor<4x64xf32> {mj.name = "x1"}, %arg2: tensor<4xi32> {mj.name = "i2"}, %arg3: tensor<4x4xf32> {mj.name = "x3"}) -> (tensor<4x3x16xf32> {mj.name = "y0"}, tensor<4x3x16xf32> {mj.name = "y1"}) attributes {mj.entry} {
    %0 = arith.extf %arg0 : tensor<4x16xbf16> to tensor<4x16xf32>
    %1 = mj.get_weight @w0 : tensor<19x64xbf16>
    %2 = mj.gather %1[%arg2] : tensor<19x64xbf16>, tensor<4xi32> -> tensor<4x64xf32>
    %3 = mj.get_weight @w1 : tensor<48x64xf16>
    %4 = mj.matmul %arg1, %3 {transpose_b} : tensor<4x64xf32>, tensor<48x64xf16> -> tensor<4x48xf32>
    %5 = mj.reshape %4 : tensor<4x48xf32> -> tensor<4x3x16xf32>
    %6 = mj.transpose %5 [1, 0, 2] : tensor<4x3x16xf32> -> tensor<3x4x16xf32>
    %7 = mj.get_weight @w2 : tensor<48x64xbf16>
    %8 = mj.matmul %2, %7 {transpose_b} : tensor<4x64xf32>, tensor<48x64xbf16> -> tensor<4x48xf32>
    %9 = mj.reshape %8 : tensor<4x48xf32> -> tensor<4x3x16xf32>
    %10 = mj.transpose %9 [1, 0, 2] : tensor<4x3x16xf32> -> tensor<3x4x16xf32>
    %11 = mj.get_weight @w3 : tensor<48x64xf16>
    %12 = mj.matmul %2, %11 {transpose_b} : tensor<4x64xf32>, tensor<48x64xf16> -> tensor<4x48xf32>
    %13 = mj.reshape %12 : tensor<4x48xf32> -> tensor<4x3x16xf32>
    %14 = mj.transpose %13 [1, 0, 2] : tensor<4x3x16xf32> -> tensor<3x4x16xf32>
    %cst = arith.constant dense<2.500000e-01> : tensor<3x4x16xf32>
    %15 = arith.mulf %6, %cst : tensor<3x4x16xf32>
    %16 = mj.transpose %10 [0, 2, 1] : tensor<3x4x16xf32> -> tensor<3x16x4xf32>
    %17 = mj.batch_matmul %15, %16 : tensor<3x4x16xf32>, tensor<3x16x4xf32> -> tensor<3x4x4xf32>
    %18 = mj.broadcast %arg3 like %17 : tensor<4x4xf32>, tensor<3x4x4xf32> -> tensor<3x4x4xf32>
    %19 = arith.addf %17, %18 : tensor<3x4x4xf32>
    %20 = mj.softmax %19 : tensor<3x4x4xf32> -> tensor<3x4x4xf32>
    %21 = mj.batch_matmul %20, %14 : tensor<3x4x4xf32>, tensor<3x4x16xf32> -> tensor<3x4x16xf32>
    %22 = mj.transpose %21 [1, 0, 2] : tensor<3x4x16xf32> -> tensor<4x3x16xf32>
    %23 = arith.addf %22, %22 : tensor<4x3x16xf32>
    %24 = mj.get_weight @w4 : tensor<16xf16>
    %25 = arith.extf %24 : tensor<16xf16> to tensor<16xf32>
    %26 = mj.broadcast %25 like %22 : tensor<16xf32>, tensor<4x3x16xf32> -> tensor<4x3x16xf32>
    %27 = arith.mulf %22, %26 : tensor<4x3x16xf32>
    %cst_0 = arith.constant dense<0.000000e+00> : tensor<f32>
    %28 = mj.broadcast %cst_0 like %23 : tensor<f32>, tensor<4x3x16xf32> -> tensor<4x3x16xf32>
    %29 = arith.cmpf oge, %23, %28 : tensor<4x3x16xf32>
    %cst_1 = arith.constant dense<1.250000e-01> : tensor<4x3x16xf32>
    %30 = arith.mulf %23, %cst_1 : tensor<4x3x16xf32>
    %31 = arith.select %29, %23, %30 : tensor<4x3x16xi1>, tensor<4x3x16xf32>
    %32 = mj.reshape %31 : tensor<4x3x16xf32> -> tensor<4x48xf32>
    %33 = mj.get_weight @w5 : tensor<192x48xf32>
    %34 = mj.matmul %32, %33 {transpose_b} : tensor<4x48xf32>, tensor<192x48xf32> -> tensor<4x192xf32>
    %35 = mj.reshape %34 : tensor<4x192xf32> -> tensor<4x6x32xf32>
    %36 = mj.get_weight @w6 : tensor<64x64xbf16>
    %37 = mj.matmul %arg1, %36 {transpose_b} : tensor<4x64xf32>, tensor<64x64xbf16> -> tensor<4x64xf32>
    %38 = mj.reshape %37 : tensor<4x64xf32> -> tensor<4x2x32xf32>
    %39 = mj.get_weight @w7 : tensor<2x64xbf16>
    %40 = mj.matmul %arg1, %39 {transpose_b} : tensor<4x64xf32>, tensor<2x64xbf16> -> tensor<4x2xf32>
    %41 = mj.reshape %40 : tensor<4x2xf32> -> tensor<4x2x1xf32>
    %42 = mj.sdpa %35 over[%38], [%41] scale 0.176776692 causal : tensor<4x6x32xf32>, [tensor<4x2x32xf32>], [tensor<4x2x1xf32>] -> tensor<4x6x1xf32>
    %43 = mj.reshape %27 : tensor<4x3x16xf32> -> tensor<4x48xf32>
    %44 = mj.get_weight @w8 : tensor<64x48xbf16>
    %45 = mj.matmul %43, %44 {transpose_b} : tensor<4x48xf32>, tensor<64x48xbf16> -> tensor<4x64xf32>
    %46 = mj.reshape %31 : tensor<4x3x16xf32> -> tensor<4x48xf32>
    %cst_2 = arith.constant dense<2.000000e+00> : tensor<f32>
    %47 = mj.broadcast %cst_2 like %46 : tensor<f32>, tensor<4x48xf32> -> tensor<4x48xf32>
    %48 = math.powf %46, %47 : tensor<4x48xf32>
    %49 = mj.reduce mean %48 over [1] : tensor<4x48xf32> -> tensor<4xf32>
    %50 = mj.reshape %49 : tensor<4xf32> -> tensor<4x1xf32>
    %cst_3 = arith.constant dense<1.000000e-03> : tensor<4x1xf32>
    %51 = arith.addf %50, %cst_3 : tensor<4x1xf32>
    %52 = math.sqrt %51 : tensor<4x1xf32>
    %53 = mj.broadcast %52 like %46 : tensor<4x1xf32>, tensor<4x48xf32> -> tensor<4x48xf32>
    %54 = arith.divf %46, %53 : tensor<4x48xf32>
    %55 = mj.get_weight @w9 : tensor<48xbf16>
    %56 = arith.extf %55 : tensor<48xbf16> to tensor<48xf32>
    %57 = mj.broadcast %56 like %54 : tensor<48xf32>, tensor<4x48xf32> -> tensor<4x48xf32>
    %58 = arith.mulf %57, %54 : tensor<4x48xf32>
    %59 = arith.mulf %22, %22 : tensor<4x3x16xf32>
    %cst_4 = arith.constant dense<5.000000e-01> : tensor<4x3x16xf32>
    %60 = arith.addf %59, %cst_4 : tensor<4x3x16xf32>
    %61 = arith.divf %31, %60 : tensor<4x3x16xf32>
    return %61, %22 : tensor<4x3x16xf32>, tensor<4x3x16xf32>
  }
}
