// Written by generate.py: cases for the CUDA kernels of class pointwise.
// gpu-check: options --precision=bf16
// gpu-check: options --precision=f32
// gpu-check: input m0 in -100000..100000
// gpu-check: input m1 in -100000..100000
// gpu-check: input m2 in -100000..100000
// gpu-check: input n0 in -128..127
// gpu-check: input n1 in -128..127
// gpu-check: input n2 in -128..127
module attributes {mj.phase = "input"} {
func.func @bf16_1(%a0: tensor<1xbf16> {mj.name = "a0"}, %a1: tensor<1xbf16> {mj.name = "a1"}) -> (tensor<1xbf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<1xbf16>
  %v1 = arith.addf %v0, %a0 : tensor<1xbf16>
  return %v1 : tensor<1xbf16>
}
func.func @bf16_7(%a0: tensor<7xbf16> {mj.name = "a0"}, %a1: tensor<7xbf16> {mj.name = "a1"}) -> (tensor<7xbf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<7xbf16>
  %v1 = arith.addf %v0, %a0 : tensor<7xbf16>
  return %v1 : tensor<7xbf16>
}
func.func @bf16_8(%a0: tensor<8xbf16> {mj.name = "a0"}, %a1: tensor<8xbf16> {mj.name = "a1"}) -> (tensor<8xbf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<8xbf16>
  %v1 = arith.addf %v0, %a0 : tensor<8xbf16>
  return %v1 : tensor<8xbf16>
}
func.func @bf16_2047(%a0: tensor<2047xbf16> {mj.name = "a0"}, %a1: tensor<2047xbf16> {mj.name = "a1"}) -> (tensor<2047xbf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<2047xbf16>
  %v1 = arith.addf %v0, %a0 : tensor<2047xbf16>
  return %v1 : tensor<2047xbf16>
}
func.func @bf16_2049(%a0: tensor<2049xbf16> {mj.name = "a0"}, %a1: tensor<2049xbf16> {mj.name = "a1"}) -> (tensor<2049xbf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<2049xbf16>
  %v1 = arith.addf %v0, %a0 : tensor<2049xbf16>
  return %v1 : tensor<2049xbf16>
}
func.func @bf16_3x5x7(%a0: tensor<3x5x7xbf16> {mj.name = "a0"}, %a1: tensor<3x5x7xbf16> {mj.name = "a1"}) -> (tensor<3x5x7xbf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<3x5x7xbf16>
  %v1 = arith.addf %v0, %a0 : tensor<3x5x7xbf16>
  return %v1 : tensor<3x5x7xbf16>
}
func.func @bf16_64x1024(%a0: tensor<64x1024xbf16> {mj.name = "a0"}, %a1: tensor<64x1024xbf16> {mj.name = "a1"}) -> (tensor<64x1024xbf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<64x1024xbf16>
  %v1 = arith.addf %v0, %a0 : tensor<64x1024xbf16>
  return %v1 : tensor<64x1024xbf16>
}
func.func @bf16_100x333(%a0: tensor<100x333xbf16> {mj.name = "a0"}, %a1: tensor<100x333xbf16> {mj.name = "a1"}) -> (tensor<100x333xbf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<100x333xbf16>
  %v1 = arith.addf %v0, %a0 : tensor<100x333xbf16>
  return %v1 : tensor<100x333xbf16>
}
func.func @bf16_functions(%a0: tensor<33x40xbf16> {mj.name = "a0"}, %a1: tensor<33x40xbf16> {mj.name = "a1"}) -> (tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>) attributes {mj.entry} {
  %v0 = math.exp %a0 : tensor<33x40xbf16>
  %v1 = math.tanh %a0 : tensor<33x40xbf16>
  %v2 = math.erf %a0 : tensor<33x40xbf16>
  %v3 = math.sin %a0 : tensor<33x40xbf16>
  %v4 = math.cos %a0 : tensor<33x40xbf16>
  %v5 = math.absf %a0 : tensor<33x40xbf16>
  %v6 = math.floor %a0 : tensor<33x40xbf16>
  %v7 = math.ceil %a0 : tensor<33x40xbf16>
  %v8 = math.roundeven %a0 : tensor<33x40xbf16>
  %v9 = arith.negf %a0 : tensor<33x40xbf16>
  %v10 = math.exp2 %a0 : tensor<33x40xbf16>
  %v11 = math.absf %a1 : tensor<33x40xbf16>
  %v12 = math.sqrt %v11 : tensor<33x40xbf16>
  %v13 = math.log1p %v11 : tensor<33x40xbf16>
  %v14 = arith.subf %a0, %a1 : tensor<33x40xbf16>
  %v15 = arith.maximumf %a0, %a1 : tensor<33x40xbf16>
  %v16 = arith.minimumf %a0, %a1 : tensor<33x40xbf16>
  %v17 = math.powf %v11, %a1 : tensor<33x40xbf16>
  %v18 = arith.cmpf olt, %a0, %a1 : tensor<33x40xbf16>
  %v19 = arith.select %v18, %a0, %v11 : tensor<33x40xi1>, tensor<33x40xbf16>
  return %v0, %v1, %v2, %v3, %v4, %v5, %v6, %v7, %v8, %v9, %v10, %v12, %v13, %v14, %v15, %v16, %v17, %v19 : tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>, tensor<33x40xbf16>
}
func.func @bf16_broadcasts(%a0: tensor<9x5x24xbf16> {mj.name = "a0"}, %a1: tensor<24xbf16> {mj.name = "a1"}, %a2: tensor<1x1x24xbf16> {mj.name = "a2"}, %a3: tensor<9x1x24xbf16> {mj.name = "a3"}, %a4: tensor<9x5x1xbf16> {mj.name = "a4"}, %a5: tensor<5x24xbf16> {mj.name = "a5"}, %a6: tensor<1x5x1xbf16> {mj.name = "a6"}) -> (tensor<9x5x24xbf16>) attributes {mj.entry} {
  %v0 = mj.broadcast %a1 like %a0 : tensor<24xbf16>, tensor<9x5x24xbf16> -> tensor<9x5x24xbf16>
  %v1 = arith.addf %a0, %v0 : tensor<9x5x24xbf16>
  %v2 = mj.broadcast %a2 like %v1 : tensor<1x1x24xbf16>, tensor<9x5x24xbf16> -> tensor<9x5x24xbf16>
  %v3 = arith.addf %v1, %v2 : tensor<9x5x24xbf16>
  %v4 = mj.broadcast %a3 like %v3 : tensor<9x1x24xbf16>, tensor<9x5x24xbf16> -> tensor<9x5x24xbf16>
  %v5 = arith.addf %v3, %v4 : tensor<9x5x24xbf16>
  %v6 = mj.broadcast %a4 like %v5 : tensor<9x5x1xbf16>, tensor<9x5x24xbf16> -> tensor<9x5x24xbf16>
  %v7 = arith.addf %v5, %v6 : tensor<9x5x24xbf16>
  %v8 = mj.broadcast %a5 like %v7 : tensor<5x24xbf16>, tensor<9x5x24xbf16> -> tensor<9x5x24xbf16>
  %v9 = arith.addf %v7, %v8 : tensor<9x5x24xbf16>
  %v10 = mj.broadcast %a6 like %v9 : tensor<1x5x1xbf16>, tensor<9x5x24xbf16> -> tensor<9x5x24xbf16>
  %v11 = arith.addf %v9, %v10 : tensor<9x5x24xbf16>
  return %v11 : tensor<9x5x24xbf16>
}
func.func @f16_1(%a0: tensor<1xf16> {mj.name = "a0"}, %a1: tensor<1xf16> {mj.name = "a1"}) -> (tensor<1xf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<1xf16>
  %v1 = arith.addf %v0, %a0 : tensor<1xf16>
  return %v1 : tensor<1xf16>
}
func.func @f16_7(%a0: tensor<7xf16> {mj.name = "a0"}, %a1: tensor<7xf16> {mj.name = "a1"}) -> (tensor<7xf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<7xf16>
  %v1 = arith.addf %v0, %a0 : tensor<7xf16>
  return %v1 : tensor<7xf16>
}
func.func @f16_8(%a0: tensor<8xf16> {mj.name = "a0"}, %a1: tensor<8xf16> {mj.name = "a1"}) -> (tensor<8xf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<8xf16>
  %v1 = arith.addf %v0, %a0 : tensor<8xf16>
  return %v1 : tensor<8xf16>
}
func.func @f16_2047(%a0: tensor<2047xf16> {mj.name = "a0"}, %a1: tensor<2047xf16> {mj.name = "a1"}) -> (tensor<2047xf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<2047xf16>
  %v1 = arith.addf %v0, %a0 : tensor<2047xf16>
  return %v1 : tensor<2047xf16>
}
func.func @f16_2049(%a0: tensor<2049xf16> {mj.name = "a0"}, %a1: tensor<2049xf16> {mj.name = "a1"}) -> (tensor<2049xf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<2049xf16>
  %v1 = arith.addf %v0, %a0 : tensor<2049xf16>
  return %v1 : tensor<2049xf16>
}
func.func @f16_3x5x7(%a0: tensor<3x5x7xf16> {mj.name = "a0"}, %a1: tensor<3x5x7xf16> {mj.name = "a1"}) -> (tensor<3x5x7xf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<3x5x7xf16>
  %v1 = arith.addf %v0, %a0 : tensor<3x5x7xf16>
  return %v1 : tensor<3x5x7xf16>
}
func.func @f16_64x1024(%a0: tensor<64x1024xf16> {mj.name = "a0"}, %a1: tensor<64x1024xf16> {mj.name = "a1"}) -> (tensor<64x1024xf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<64x1024xf16>
  %v1 = arith.addf %v0, %a0 : tensor<64x1024xf16>
  return %v1 : tensor<64x1024xf16>
}
func.func @f16_100x333(%a0: tensor<100x333xf16> {mj.name = "a0"}, %a1: tensor<100x333xf16> {mj.name = "a1"}) -> (tensor<100x333xf16>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<100x333xf16>
  %v1 = arith.addf %v0, %a0 : tensor<100x333xf16>
  return %v1 : tensor<100x333xf16>
}
func.func @f16_functions(%a0: tensor<33x40xf16> {mj.name = "a0"}, %a1: tensor<33x40xf16> {mj.name = "a1"}) -> (tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>) attributes {mj.entry} {
  %v0 = math.exp %a0 : tensor<33x40xf16>
  %v1 = math.tanh %a0 : tensor<33x40xf16>
  %v2 = math.erf %a0 : tensor<33x40xf16>
  %v3 = math.sin %a0 : tensor<33x40xf16>
  %v4 = math.cos %a0 : tensor<33x40xf16>
  %v5 = math.absf %a0 : tensor<33x40xf16>
  %v6 = math.floor %a0 : tensor<33x40xf16>
  %v7 = math.ceil %a0 : tensor<33x40xf16>
  %v8 = math.roundeven %a0 : tensor<33x40xf16>
  %v9 = arith.negf %a0 : tensor<33x40xf16>
  %v10 = math.exp2 %a0 : tensor<33x40xf16>
  %v11 = math.absf %a1 : tensor<33x40xf16>
  %v12 = math.sqrt %v11 : tensor<33x40xf16>
  %v13 = math.log1p %v11 : tensor<33x40xf16>
  %v14 = arith.subf %a0, %a1 : tensor<33x40xf16>
  %v15 = arith.maximumf %a0, %a1 : tensor<33x40xf16>
  %v16 = arith.minimumf %a0, %a1 : tensor<33x40xf16>
  %v17 = math.powf %v11, %a1 : tensor<33x40xf16>
  %v18 = arith.cmpf olt, %a0, %a1 : tensor<33x40xf16>
  %v19 = arith.select %v18, %a0, %v11 : tensor<33x40xi1>, tensor<33x40xf16>
  return %v0, %v1, %v2, %v3, %v4, %v5, %v6, %v7, %v8, %v9, %v10, %v12, %v13, %v14, %v15, %v16, %v17, %v19 : tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>, tensor<33x40xf16>
}
func.func @f16_broadcasts(%a0: tensor<9x5x24xf16> {mj.name = "a0"}, %a1: tensor<24xf16> {mj.name = "a1"}, %a2: tensor<1x1x24xf16> {mj.name = "a2"}, %a3: tensor<9x1x24xf16> {mj.name = "a3"}, %a4: tensor<9x5x1xf16> {mj.name = "a4"}, %a5: tensor<5x24xf16> {mj.name = "a5"}, %a6: tensor<1x5x1xf16> {mj.name = "a6"}) -> (tensor<9x5x24xf16>) attributes {mj.entry} {
  %v0 = mj.broadcast %a1 like %a0 : tensor<24xf16>, tensor<9x5x24xf16> -> tensor<9x5x24xf16>
  %v1 = arith.addf %a0, %v0 : tensor<9x5x24xf16>
  %v2 = mj.broadcast %a2 like %v1 : tensor<1x1x24xf16>, tensor<9x5x24xf16> -> tensor<9x5x24xf16>
  %v3 = arith.addf %v1, %v2 : tensor<9x5x24xf16>
  %v4 = mj.broadcast %a3 like %v3 : tensor<9x1x24xf16>, tensor<9x5x24xf16> -> tensor<9x5x24xf16>
  %v5 = arith.addf %v3, %v4 : tensor<9x5x24xf16>
  %v6 = mj.broadcast %a4 like %v5 : tensor<9x5x1xf16>, tensor<9x5x24xf16> -> tensor<9x5x24xf16>
  %v7 = arith.addf %v5, %v6 : tensor<9x5x24xf16>
  %v8 = mj.broadcast %a5 like %v7 : tensor<5x24xf16>, tensor<9x5x24xf16> -> tensor<9x5x24xf16>
  %v9 = arith.addf %v7, %v8 : tensor<9x5x24xf16>
  %v10 = mj.broadcast %a6 like %v9 : tensor<1x5x1xf16>, tensor<9x5x24xf16> -> tensor<9x5x24xf16>
  %v11 = arith.addf %v9, %v10 : tensor<9x5x24xf16>
  return %v11 : tensor<9x5x24xf16>
}
func.func @f32_1(%a0: tensor<1xf32> {mj.name = "a0"}, %a1: tensor<1xf32> {mj.name = "a1"}) -> (tensor<1xf32>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<1xf32>
  %v1 = arith.addf %v0, %a0 : tensor<1xf32>
  return %v1 : tensor<1xf32>
}
func.func @f32_7(%a0: tensor<7xf32> {mj.name = "a0"}, %a1: tensor<7xf32> {mj.name = "a1"}) -> (tensor<7xf32>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<7xf32>
  %v1 = arith.addf %v0, %a0 : tensor<7xf32>
  return %v1 : tensor<7xf32>
}
func.func @f32_8(%a0: tensor<8xf32> {mj.name = "a0"}, %a1: tensor<8xf32> {mj.name = "a1"}) -> (tensor<8xf32>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<8xf32>
  %v1 = arith.addf %v0, %a0 : tensor<8xf32>
  return %v1 : tensor<8xf32>
}
func.func @f32_2047(%a0: tensor<2047xf32> {mj.name = "a0"}, %a1: tensor<2047xf32> {mj.name = "a1"}) -> (tensor<2047xf32>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<2047xf32>
  %v1 = arith.addf %v0, %a0 : tensor<2047xf32>
  return %v1 : tensor<2047xf32>
}
func.func @f32_2049(%a0: tensor<2049xf32> {mj.name = "a0"}, %a1: tensor<2049xf32> {mj.name = "a1"}) -> (tensor<2049xf32>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<2049xf32>
  %v1 = arith.addf %v0, %a0 : tensor<2049xf32>
  return %v1 : tensor<2049xf32>
}
func.func @f32_3x5x7(%a0: tensor<3x5x7xf32> {mj.name = "a0"}, %a1: tensor<3x5x7xf32> {mj.name = "a1"}) -> (tensor<3x5x7xf32>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<3x5x7xf32>
  %v1 = arith.addf %v0, %a0 : tensor<3x5x7xf32>
  return %v1 : tensor<3x5x7xf32>
}
func.func @f32_64x1024(%a0: tensor<64x1024xf32> {mj.name = "a0"}, %a1: tensor<64x1024xf32> {mj.name = "a1"}) -> (tensor<64x1024xf32>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<64x1024xf32>
  %v1 = arith.addf %v0, %a0 : tensor<64x1024xf32>
  return %v1 : tensor<64x1024xf32>
}
func.func @f32_100x333(%a0: tensor<100x333xf32> {mj.name = "a0"}, %a1: tensor<100x333xf32> {mj.name = "a1"}) -> (tensor<100x333xf32>) attributes {mj.entry} {
  %v0 = arith.mulf %a0, %a1 : tensor<100x333xf32>
  %v1 = arith.addf %v0, %a0 : tensor<100x333xf32>
  return %v1 : tensor<100x333xf32>
}
func.func @f32_functions(%a0: tensor<33x40xf32> {mj.name = "a0"}, %a1: tensor<33x40xf32> {mj.name = "a1"}) -> (tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>) attributes {mj.entry} {
  %v0 = math.exp %a0 : tensor<33x40xf32>
  %v1 = math.tanh %a0 : tensor<33x40xf32>
  %v2 = math.erf %a0 : tensor<33x40xf32>
  %v3 = math.sin %a0 : tensor<33x40xf32>
  %v4 = math.cos %a0 : tensor<33x40xf32>
  %v5 = math.absf %a0 : tensor<33x40xf32>
  %v6 = math.floor %a0 : tensor<33x40xf32>
  %v7 = math.ceil %a0 : tensor<33x40xf32>
  %v8 = math.roundeven %a0 : tensor<33x40xf32>
  %v9 = arith.negf %a0 : tensor<33x40xf32>
  %v10 = math.exp2 %a0 : tensor<33x40xf32>
  %v11 = math.absf %a1 : tensor<33x40xf32>
  %v12 = math.sqrt %v11 : tensor<33x40xf32>
  %v13 = math.log1p %v11 : tensor<33x40xf32>
  %v14 = arith.subf %a0, %a1 : tensor<33x40xf32>
  %v15 = arith.maximumf %a0, %a1 : tensor<33x40xf32>
  %v16 = arith.minimumf %a0, %a1 : tensor<33x40xf32>
  %v17 = math.powf %v11, %a1 : tensor<33x40xf32>
  %v18 = arith.cmpf olt, %a0, %a1 : tensor<33x40xf32>
  %v19 = arith.select %v18, %a0, %v11 : tensor<33x40xi1>, tensor<33x40xf32>
  return %v0, %v1, %v2, %v3, %v4, %v5, %v6, %v7, %v8, %v9, %v10, %v12, %v13, %v14, %v15, %v16, %v17, %v19 : tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>, tensor<33x40xf32>
}
func.func @f32_broadcasts(%a0: tensor<9x5x24xf32> {mj.name = "a0"}, %a1: tensor<24xf32> {mj.name = "a1"}, %a2: tensor<1x1x24xf32> {mj.name = "a2"}, %a3: tensor<9x1x24xf32> {mj.name = "a3"}, %a4: tensor<9x5x1xf32> {mj.name = "a4"}, %a5: tensor<5x24xf32> {mj.name = "a5"}, %a6: tensor<1x5x1xf32> {mj.name = "a6"}) -> (tensor<9x5x24xf32>) attributes {mj.entry} {
  %v0 = mj.broadcast %a1 like %a0 : tensor<24xf32>, tensor<9x5x24xf32> -> tensor<9x5x24xf32>
  %v1 = arith.addf %a0, %v0 : tensor<9x5x24xf32>
  %v2 = mj.broadcast %a2 like %v1 : tensor<1x1x24xf32>, tensor<9x5x24xf32> -> tensor<9x5x24xf32>
  %v3 = arith.addf %v1, %v2 : tensor<9x5x24xf32>
  %v4 = mj.broadcast %a3 like %v3 : tensor<9x1x24xf32>, tensor<9x5x24xf32> -> tensor<9x5x24xf32>
  %v5 = arith.addf %v3, %v4 : tensor<9x5x24xf32>
  %v6 = mj.broadcast %a4 like %v5 : tensor<9x5x1xf32>, tensor<9x5x24xf32> -> tensor<9x5x24xf32>
  %v7 = arith.addf %v5, %v6 : tensor<9x5x24xf32>
  %v8 = mj.broadcast %a5 like %v7 : tensor<5x24xf32>, tensor<9x5x24xf32> -> tensor<9x5x24xf32>
  %v9 = arith.addf %v7, %v8 : tensor<9x5x24xf32>
  %v10 = mj.broadcast %a6 like %v9 : tensor<1x5x1xf32>, tensor<9x5x24xf32> -> tensor<9x5x24xf32>
  %v11 = arith.addf %v9, %v10 : tensor<9x5x24xf32>
  return %v11 : tensor<9x5x24xf32>
}
func.func @bf16_transpose_10(%a0: tensor<33x65xbf16> {mj.name = "a0"}) -> (tensor<65x33xbf16>) attributes {mj.entry} {
  %v0 = mj.transpose %a0 [1, 0] : tensor<33x65xbf16> -> tensor<65x33xbf16>
  return %v0 : tensor<65x33xbf16>
}
func.func @bf16_transpose_201(%a0: tensor<5x6x7xbf16> {mj.name = "a0"}) -> (tensor<7x5x6xbf16>) attributes {mj.entry} {
  %v0 = mj.transpose %a0 [2, 0, 1] : tensor<5x6x7xbf16> -> tensor<7x5x6xbf16>
  return %v0 : tensor<7x5x6xbf16>
}
func.func @bf16_transpose_021(%a0: tensor<5x6x7xbf16> {mj.name = "a0"}) -> (tensor<5x7x6xbf16>) attributes {mj.entry} {
  %v0 = mj.transpose %a0 [0, 2, 1] : tensor<5x6x7xbf16> -> tensor<5x7x6xbf16>
  return %v0 : tensor<5x7x6xbf16>
}
func.func @bf16_transpose_3120(%a0: tensor<2x3x4x5xbf16> {mj.name = "a0"}) -> (tensor<5x3x4x2xbf16>) attributes {mj.entry} {
  %v0 = mj.transpose %a0 [3, 1, 2, 0] : tensor<2x3x4x5xbf16> -> tensor<5x3x4x2xbf16>
  return %v0 : tensor<5x3x4x2xbf16>
}
func.func @bf16_slice(%a0: tensor<9x20x33xbf16> {mj.name = "a0"}) -> (tensor<5x6x15xbf16>, tensor<9x12x33xbf16>) attributes {mj.entry} {
  %v0 = mj.slice %a0 from [2, 1, 3] by [1, 3, 2] : tensor<9x20x33xbf16> -> tensor<5x6x15xbf16>
  %v1 = mj.slice %a0 from [0, 8, 0] by [1, 1, 1] : tensor<9x20x33xbf16> -> tensor<9x12x33xbf16>
  return %v0, %v1 : tensor<5x6x15xbf16>, tensor<9x12x33xbf16>
}
func.func @bf16_concat(%a0: tensor<9x20xbf16> {mj.name = "a0"}, %a1: tensor<9x13xbf16> {mj.name = "a1"}, %a2: tensor<4x20xbf16> {mj.name = "a2"}) -> (tensor<9x53xbf16>, tensor<13x20xbf16>) attributes {mj.entry} {
  %v0 = mj.concat %a0, %a1, %a0 axis 1 : tensor<9x20xbf16>, tensor<9x13xbf16>, tensor<9x20xbf16> -> tensor<9x53xbf16>
  %v1 = mj.concat %a0, %a2 axis 0 : tensor<9x20xbf16>, tensor<4x20xbf16> -> tensor<13x20xbf16>
  return %v0, %v1 : tensor<9x53xbf16>, tensor<13x20xbf16>
}
func.func @bf16_reshape(%a0: tensor<6x20x3xbf16> {mj.name = "a0"}) -> (tensor<4x5x18xbf16>, tensor<120x3xbf16>) attributes {mj.entry} {
  %v0 = mj.transpose %a0 [1, 0, 2] : tensor<6x20x3xbf16> -> tensor<20x6x3xbf16>
  %v1 = mj.reshape %v0 : tensor<20x6x3xbf16> -> tensor<4x5x18xbf16>
  %v2 = mj.reshape %a0 : tensor<6x20x3xbf16> -> tensor<120x3xbf16>
  return %v1, %v2 : tensor<4x5x18xbf16>, tensor<120x3xbf16>
}
func.func @f32_transpose_10(%a0: tensor<33x65xf32> {mj.name = "a0"}) -> (tensor<65x33xf32>) attributes {mj.entry} {
  %v0 = mj.transpose %a0 [1, 0] : tensor<33x65xf32> -> tensor<65x33xf32>
  return %v0 : tensor<65x33xf32>
}
func.func @f32_transpose_201(%a0: tensor<5x6x7xf32> {mj.name = "a0"}) -> (tensor<7x5x6xf32>) attributes {mj.entry} {
  %v0 = mj.transpose %a0 [2, 0, 1] : tensor<5x6x7xf32> -> tensor<7x5x6xf32>
  return %v0 : tensor<7x5x6xf32>
}
func.func @f32_transpose_021(%a0: tensor<5x6x7xf32> {mj.name = "a0"}) -> (tensor<5x7x6xf32>) attributes {mj.entry} {
  %v0 = mj.transpose %a0 [0, 2, 1] : tensor<5x6x7xf32> -> tensor<5x7x6xf32>
  return %v0 : tensor<5x7x6xf32>
}
func.func @f32_transpose_3120(%a0: tensor<2x3x4x5xf32> {mj.name = "a0"}) -> (tensor<5x3x4x2xf32>) attributes {mj.entry} {
  %v0 = mj.transpose %a0 [3, 1, 2, 0] : tensor<2x3x4x5xf32> -> tensor<5x3x4x2xf32>
  return %v0 : tensor<5x3x4x2xf32>
}
func.func @f32_slice(%a0: tensor<9x20x33xf32> {mj.name = "a0"}) -> (tensor<5x6x15xf32>, tensor<9x12x33xf32>) attributes {mj.entry} {
  %v0 = mj.slice %a0 from [2, 1, 3] by [1, 3, 2] : tensor<9x20x33xf32> -> tensor<5x6x15xf32>
  %v1 = mj.slice %a0 from [0, 8, 0] by [1, 1, 1] : tensor<9x20x33xf32> -> tensor<9x12x33xf32>
  return %v0, %v1 : tensor<5x6x15xf32>, tensor<9x12x33xf32>
}
func.func @f32_concat(%a0: tensor<9x20xf32> {mj.name = "a0"}, %a1: tensor<9x13xf32> {mj.name = "a1"}, %a2: tensor<4x20xf32> {mj.name = "a2"}) -> (tensor<9x53xf32>, tensor<13x20xf32>) attributes {mj.entry} {
  %v0 = mj.concat %a0, %a1, %a0 axis 1 : tensor<9x20xf32>, tensor<9x13xf32>, tensor<9x20xf32> -> tensor<9x53xf32>
  %v1 = mj.concat %a0, %a2 axis 0 : tensor<9x20xf32>, tensor<4x20xf32> -> tensor<13x20xf32>
  return %v0, %v1 : tensor<9x53xf32>, tensor<13x20xf32>
}
func.func @f32_reshape(%a0: tensor<6x20x3xf32> {mj.name = "a0"}) -> (tensor<4x5x18xf32>, tensor<120x3xf32>) attributes {mj.entry} {
  %v0 = mj.transpose %a0 [1, 0, 2] : tensor<6x20x3xf32> -> tensor<20x6x3xf32>
  %v1 = mj.reshape %v0 : tensor<20x6x3xf32> -> tensor<4x5x18xf32>
  %v2 = mj.reshape %a0 : tensor<6x20x3xf32> -> tensor<120x3xf32>
  return %v1, %v2 : tensor<4x5x18xf32>, tensor<120x3xf32>
}
func.func @i32_transpose_10(%m0: tensor<33x65xi32> {mj.name = "m0"}) -> (tensor<65x33xi32>) attributes {mj.entry} {
  %v0 = mj.transpose %m0 [1, 0] : tensor<33x65xi32> -> tensor<65x33xi32>
  return %v0 : tensor<65x33xi32>
}
func.func @i32_transpose_201(%m0: tensor<5x6x7xi32> {mj.name = "m0"}) -> (tensor<7x5x6xi32>) attributes {mj.entry} {
  %v0 = mj.transpose %m0 [2, 0, 1] : tensor<5x6x7xi32> -> tensor<7x5x6xi32>
  return %v0 : tensor<7x5x6xi32>
}
func.func @i32_transpose_021(%m0: tensor<5x6x7xi32> {mj.name = "m0"}) -> (tensor<5x7x6xi32>) attributes {mj.entry} {
  %v0 = mj.transpose %m0 [0, 2, 1] : tensor<5x6x7xi32> -> tensor<5x7x6xi32>
  return %v0 : tensor<5x7x6xi32>
}
func.func @i32_transpose_3120(%m0: tensor<2x3x4x5xi32> {mj.name = "m0"}) -> (tensor<5x3x4x2xi32>) attributes {mj.entry} {
  %v0 = mj.transpose %m0 [3, 1, 2, 0] : tensor<2x3x4x5xi32> -> tensor<5x3x4x2xi32>
  return %v0 : tensor<5x3x4x2xi32>
}
func.func @i32_slice(%m0: tensor<9x20x33xi32> {mj.name = "m0"}) -> (tensor<5x6x15xi32>, tensor<9x12x33xi32>) attributes {mj.entry} {
  %v0 = mj.slice %m0 from [2, 1, 3] by [1, 3, 2] : tensor<9x20x33xi32> -> tensor<5x6x15xi32>
  %v1 = mj.slice %m0 from [0, 8, 0] by [1, 1, 1] : tensor<9x20x33xi32> -> tensor<9x12x33xi32>
  return %v0, %v1 : tensor<5x6x15xi32>, tensor<9x12x33xi32>
}
func.func @i32_concat(%m0: tensor<9x20xi32> {mj.name = "m0"}, %m1: tensor<9x13xi32> {mj.name = "m1"}, %m2: tensor<4x20xi32> {mj.name = "m2"}) -> (tensor<9x53xi32>, tensor<13x20xi32>) attributes {mj.entry} {
  %v0 = mj.concat %m0, %m1, %m0 axis 1 : tensor<9x20xi32>, tensor<9x13xi32>, tensor<9x20xi32> -> tensor<9x53xi32>
  %v1 = mj.concat %m0, %m2 axis 0 : tensor<9x20xi32>, tensor<4x20xi32> -> tensor<13x20xi32>
  return %v0, %v1 : tensor<9x53xi32>, tensor<13x20xi32>
}
func.func @i32_reshape(%m0: tensor<6x20x3xi32> {mj.name = "m0"}) -> (tensor<4x5x18xi32>, tensor<120x3xi32>) attributes {mj.entry} {
  %v0 = mj.transpose %m0 [1, 0, 2] : tensor<6x20x3xi32> -> tensor<20x6x3xi32>
  %v1 = mj.reshape %v0 : tensor<20x6x3xi32> -> tensor<4x5x18xi32>
  %v2 = mj.reshape %m0 : tensor<6x20x3xi32> -> tensor<120x3xi32>
  return %v1, %v2 : tensor<4x5x18xi32>, tensor<120x3xi32>
}
func.func @i8_transpose_10(%n0: tensor<33x65xi8> {mj.name = "n0"}) -> (tensor<65x33xi8>) attributes {mj.entry} {
  %v0 = mj.transpose %n0 [1, 0] : tensor<33x65xi8> -> tensor<65x33xi8>
  return %v0 : tensor<65x33xi8>
}
func.func @i8_transpose_201(%n0: tensor<5x6x7xi8> {mj.name = "n0"}) -> (tensor<7x5x6xi8>) attributes {mj.entry} {
  %v0 = mj.transpose %n0 [2, 0, 1] : tensor<5x6x7xi8> -> tensor<7x5x6xi8>
  return %v0 : tensor<7x5x6xi8>
}
func.func @i8_transpose_021(%n0: tensor<5x6x7xi8> {mj.name = "n0"}) -> (tensor<5x7x6xi8>) attributes {mj.entry} {
  %v0 = mj.transpose %n0 [0, 2, 1] : tensor<5x6x7xi8> -> tensor<5x7x6xi8>
  return %v0 : tensor<5x7x6xi8>
}
func.func @i8_transpose_3120(%n0: tensor<2x3x4x5xi8> {mj.name = "n0"}) -> (tensor<5x3x4x2xi8>) attributes {mj.entry} {
  %v0 = mj.transpose %n0 [3, 1, 2, 0] : tensor<2x3x4x5xi8> -> tensor<5x3x4x2xi8>
  return %v0 : tensor<5x3x4x2xi8>
}
func.func @i8_slice(%n0: tensor<9x20x33xi8> {mj.name = "n0"}) -> (tensor<5x6x15xi8>, tensor<9x12x33xi8>) attributes {mj.entry} {
  %v0 = mj.slice %n0 from [2, 1, 3] by [1, 3, 2] : tensor<9x20x33xi8> -> tensor<5x6x15xi8>
  %v1 = mj.slice %n0 from [0, 8, 0] by [1, 1, 1] : tensor<9x20x33xi8> -> tensor<9x12x33xi8>
  return %v0, %v1 : tensor<5x6x15xi8>, tensor<9x12x33xi8>
}
func.func @i8_concat(%n0: tensor<9x20xi8> {mj.name = "n0"}, %n1: tensor<9x13xi8> {mj.name = "n1"}, %n2: tensor<4x20xi8> {mj.name = "n2"}) -> (tensor<9x53xi8>, tensor<13x20xi8>) attributes {mj.entry} {
  %v0 = mj.concat %n0, %n1, %n0 axis 1 : tensor<9x20xi8>, tensor<9x13xi8>, tensor<9x20xi8> -> tensor<9x53xi8>
  %v1 = mj.concat %n0, %n2 axis 0 : tensor<9x20xi8>, tensor<4x20xi8> -> tensor<13x20xi8>
  return %v0, %v1 : tensor<9x53xi8>, tensor<13x20xi8>
}
func.func @i8_reshape(%n0: tensor<6x20x3xi8> {mj.name = "n0"}) -> (tensor<4x5x18xi8>, tensor<120x3xi8>) attributes {mj.entry} {
  %v0 = mj.transpose %n0 [1, 0, 2] : tensor<6x20x3xi8> -> tensor<20x6x3xi8>
  %v1 = mj.reshape %v0 : tensor<20x6x3xi8> -> tensor<4x5x18xi8>
  %v2 = mj.reshape %n0 : tensor<6x20x3xi8> -> tensor<120x3xi8>
  return %v1, %v2 : tensor<4x5x18xi8>, tensor<120x3xi8>
}
func.func @gather(%a0: tensor<64x100xbf16> {mj.name = "a0"}, %n1: tensor<37xi8> {mj.name = "n1"}) -> (tensor<37x100xbf16>) attributes {mj.entry} {
  %v0 = arith.extui %n1 : tensor<37xi8> to tensor<37xi32>
  %v1 = arith.constant dense<63> : tensor<37xi32>
  %v2 = arith.andi %v0, %v1 : tensor<37xi32>
  %v3 = mj.gather %a0[%v2] : tensor<64x100xbf16>, tensor<37xi32> -> tensor<37x100xbf16>
  return %v3 : tensor<37x100xbf16>
}
}
