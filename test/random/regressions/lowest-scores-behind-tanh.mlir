module attributes {mj.phase = "input"} {
  func.func @main(%arg0: tensor<8x2x8xf32> {mj.name = "x0"}, %arg1: tensor<2x2x8xf32> {mj.name = "x1"}, %arg2: tensor<2x2x8xf32> {mj.name = "x2"}, %arg3: tensor<8x2xf32> {mj.name = "x3"}) -> (tensor<8x2x8xf32> {mj.name = "y0"}, tensor<8x2x8xf32> {mj.name = "y1"}) attributes {mj.entry} {
    %cst = arith.constant dense<0.000000e+00> : tensor<8x2xf32>
    %cst_0 = arith.constant dense<-3.38953139E+38> : tensor<8x2xf32>
    %0 = arith.cmpf ogt, %arg3, %cst : tensor<8x2xf32>
    %1 = arith.select %0, %cst, %cst_0 : tensor<8x2xi1>, tensor<8x2xf32>
    %2 = mj.sdpa %arg0 over[%arg1], [%arg2] mask %1 scale 3.535534e-01 : tensor<8x2x8xf32>, [tensor<2x2x8xf32>], [tensor<2x2x8xf32>], tensor<8x2xf32> -> tensor<8x2x8xf32>
    %3 = math.tanh %2 : tensor<8x2x8xf32>
    return %3, %2 : tensor<8x2x8xf32>, tensor<8x2x8xf32>
  }
}
