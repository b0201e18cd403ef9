module attributes {mj.phase = "input"} {
  func.func @main(%arg0: tensor<2x8x8xf32> {mj.name = "x0"}, %arg1: tensor<2x2x8xf32> {mj.name = "x1"}, %arg2: tensor<2x2x8xf32> {mj.name = "x2"}, %arg3: tensor<8x2xf32> {mj.name = "x3"}) -> (tensor<2x8x8xf32> {mj.name = "y0"}) attributes {mj.entry} {
    %0 = mj.batch_matmul %arg0, %arg1 {transpose_b} : tensor<2x8x8xf32>, tensor<2x2x8xf32> -> tensor<2x8x2xf32>
    %cst = arith.constant dense<1.600000e+01> : tensor<f32>
    %1 = mj.broadcast %cst like %0 : tensor<f32>, tensor<2x8x2xf32> -> tensor<2x8x2xf32>
    %2 = arith.mulf %0, %1 : tensor<2x8x2xf32>
    %cst_0 = arith.constant dense<0.000000e+00> : tensor<8x2xf32>
    %3 = arith.cmpf ogt, %arg3, %cst_0 : tensor<8x2xf32>
    %cst_1 = arith.constant dense<-1.000000e+09> : tensor<2x8x2xf32>
    %4 = mj.broadcast %3 like %2 : tensor<8x2xi1>, tensor<2x8x2xf32> -> tensor<2x8x2xi1>
    %5 = arith.select %4, %2, %cst_1 : tensor<2x8x2xi1>, tensor<2x8x2xf32>
    %6 = mj.softmax %5 : tensor<2x8x2xf32> -> tensor<2x8x2xf32>
    %7 = mj.batch_matmul %6, %arg2 : tensor<2x8x2xf32>, tensor<2x2x8xf32> -> tensor<2x8x8xf32>
    return %7 : tensor<2x8x8xf32>
  }
}
