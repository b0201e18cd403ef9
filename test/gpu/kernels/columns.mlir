// Written by generate.py: cases for the CUDA kernels of class columns.
// gpu-check: options --precision=bf16
// gpu-check: options --precision=f32
module attributes {mj.phase = "input"} {
func.func @sum_rows(%a0: tensor<96x1024xbf16> {mj.name = "a0"}) -> (tensor<1024xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [0] : tensor<96x1024xbf16> -> tensor<1024xbf16>
  return %v0 : tensor<1024xbf16>
}
func.func @sum_to_one(%a0: tensor<9x33x1xbf16> {mj.name = "a0"}) -> (tensor<1xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [0, 1] : tensor<9x33x1xbf16> -> tensor<1xbf16>
  return %v0 : tensor<1xbf16>
}
func.func @mean_rows(%a0: tensor<96x1024xbf16> {mj.name = "a0"}) -> (tensor<1024xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce mean %a0 over [0] : tensor<96x1024xbf16> -> tensor<1024xbf16>
  return %v0 : tensor<1024xbf16>
}
func.func @mean_to_one(%a0: tensor<9x33x1xbf16> {mj.name = "a0"}) -> (tensor<1xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce mean %a0 over [0, 1] : tensor<9x33x1xbf16> -> tensor<1xbf16>
  return %v0 : tensor<1xbf16>
}
func.func @max_rows(%a0: tensor<96x1024xbf16> {mj.name = "a0"}) -> (tensor<1024xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce max %a0 over [0] : tensor<96x1024xbf16> -> tensor<1024xbf16>
  return %v0 : tensor<1024xbf16>
}
func.func @max_to_one(%a0: tensor<9x33x1xbf16> {mj.name = "a0"}) -> (tensor<1xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce max %a0 over [0, 1] : tensor<9x33x1xbf16> -> tensor<1xbf16>
  return %v0 : tensor<1xbf16>
}
func.func @min_rows(%a0: tensor<96x1024xbf16> {mj.name = "a0"}) -> (tensor<1024xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce min %a0 over [0] : tensor<96x1024xbf16> -> tensor<1024xbf16>
  return %v0 : tensor<1024xbf16>
}
func.func @min_to_one(%a0: tensor<9x33x1xbf16> {mj.name = "a0"}) -> (tensor<1xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce min %a0 over [0, 1] : tensor<9x33x1xbf16> -> tensor<1xbf16>
  return %v0 : tensor<1xbf16>
}
func.func @bf16_one(%a0: tensor<1x1xbf16> {mj.name = "a0"}) -> (tensor<1xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [0] : tensor<1x1xbf16> -> tensor<1xbf16>
  return %v0 : tensor<1xbf16>
}
func.func @bf16_line(%a0: tensor<1000x1xbf16> {mj.name = "a0"}) -> (tensor<1xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce mean %a0 over [0] : tensor<1000x1xbf16> -> tensor<1xbf16>
  return %v0 : tensor<1xbf16>
}
func.func @bf16_odd(%a0: tensor<7x31xbf16> {mj.name = "a0"}) -> (tensor<31xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [0] : tensor<7x31xbf16> -> tensor<31xbf16>
  return %v0 : tensor<31xbf16>
}
func.func @bf16_one_past(%a0: tensor<257x33xbf16> {mj.name = "a0"}) -> (tensor<33xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce max %a0 over [0] : tensor<257x33xbf16> -> tensor<33xbf16>
  return %v0 : tensor<33xbf16>
}
func.func @bf16_outer_and_inner(%a0: tensor<5x40x6xbf16> {mj.name = "a0"}) -> (tensor<40xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [0, 2] : tensor<5x40x6xbf16> -> tensor<40xbf16>
  return %v0 : tensor<40xbf16>
}
func.func @bf16_outer_two(%a0: tensor<5x40x6xbf16> {mj.name = "a0"}) -> (tensor<6xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce mean %a0 over [0, 1] : tensor<5x40x6xbf16> -> tensor<6xbf16>
  return %v0 : tensor<6xbf16>
}
func.func @bf16_outer_three(%a0: tensor<5x40x6x2xbf16> {mj.name = "a0"}) -> (tensor<2xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce min %a0 over [0, 1, 2] : tensor<5x40x6x2xbf16> -> tensor<2xbf16>
  return %v0 : tensor<2xbf16>
}
func.func @bf16_long(%a0: tensor<20000x3xbf16> {mj.name = "a0"}) -> (tensor<3xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [0] : tensor<20000x3xbf16> -> tensor<3xbf16>
  return %v0 : tensor<3xbf16>
}
func.func @f16_one(%a0: tensor<1x1xf16> {mj.name = "a0"}) -> (tensor<1xf16>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [0] : tensor<1x1xf16> -> tensor<1xf16>
  return %v0 : tensor<1xf16>
}
func.func @f16_line(%a0: tensor<1000x1xf16> {mj.name = "a0"}) -> (tensor<1xf16>) attributes {mj.entry} {
  %v0 = mj.reduce mean %a0 over [0] : tensor<1000x1xf16> -> tensor<1xf16>
  return %v0 : tensor<1xf16>
}
func.func @f16_odd(%a0: tensor<7x31xf16> {mj.name = "a0"}) -> (tensor<31xf16>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [0] : tensor<7x31xf16> -> tensor<31xf16>
  return %v0 : tensor<31xf16>
}
func.func @f16_one_past(%a0: tensor<257x33xf16> {mj.name = "a0"}) -> (tensor<33xf16>) attributes {mj.entry} {
  %v0 = mj.reduce max %a0 over [0] : tensor<257x33xf16> -> tensor<33xf16>
  return %v0 : tensor<33xf16>
}
func.func @f16_outer_and_inner(%a0: tensor<5x40x6xf16> {mj.name = "a0"}) -> (tensor<40xf16>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [0, 2] : tensor<5x40x6xf16> -> tensor<40xf16>
  return %v0 : tensor<40xf16>
}
func.func @f16_outer_two(%a0: tensor<5x40x6xf16> {mj.name = "a0"}) -> (tensor<6xf16>) attributes {mj.entry} {
  %v0 = mj.reduce mean %a0 over [0, 1] : tensor<5x40x6xf16> -> tensor<6xf16>
  return %v0 : tensor<6xf16>
}
func.func @f16_outer_three(%a0: tensor<5x40x6x2xf16> {mj.name = "a0"}) -> (tensor<2xf16>) attributes {mj.entry} {
  %v0 = mj.reduce min %a0 over [0, 1, 2] : tensor<5x40x6x2xf16> -> tensor<2xf16>
  return %v0 : tensor<2xf16>
}
func.func @f16_long(%a0: tensor<20000x3xf16> {mj.name = "a0"}) -> (tensor<3xf16>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [0] : tensor<20000x3xf16> -> tensor<3xf16>
  return %v0 : tensor<3xf16>
}
func.func @f32_one(%a0: tensor<1x1xf32> {mj.name = "a0"}) -> (tensor<1xf32>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [0] : tensor<1x1xf32> -> tensor<1xf32>
  return %v0 : tensor<1xf32>
}
func.func @f32_line(%a0: tensor<1000x1xf32> {mj.name = "a0"}) -> (tensor<1xf32>) attributes {mj.entry} {
  %v0 = mj.reduce mean %a0 over [0] : tensor<1000x1xf32> -> tensor<1xf32>
  return %v0 : tensor<1xf32>
}
func.func @f32_odd(%a0: tensor<7x31xf32> {mj.name = "a0"}) -> (tensor<31xf32>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [0] : tensor<7x31xf32> -> tensor<31xf32>
  return %v0 : tensor<31xf32>
}
func.func @f32_one_past(%a0: tensor<257x33xf32> {mj.name = "a0"}) -> (tensor<33xf32>) attributes {mj.entry} {
  %v0 = mj.reduce max %a0 over [0] : tensor<257x33xf32> -> tensor<33xf32>
  return %v0 : tensor<33xf32>
}
func.func @f32_outer_and_inner(%a0: tensor<5x40x6xf32> {mj.name = "a0"}) -> (tensor<40xf32>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [0, 2] : tensor<5x40x6xf32> -> tensor<40xf32>
  return %v0 : tensor<40xf32>
}
func.func @f32_outer_two(%a0: tensor<5x40x6xf32> {mj.name = "a0"}) -> (tensor<6xf32>) attributes {mj.entry} {
  %v0 = mj.reduce mean %a0 over [0, 1] : tensor<5x40x6xf32> -> tensor<6xf32>
  return %v0 : tensor<6xf32>
}
func.func @f32_outer_three(%a0: tensor<5x40x6x2xf32> {mj.name = "a0"}) -> (tensor<2xf32>) attributes {mj.entry} {
  %v0 = mj.reduce min %a0 over [0, 1, 2] : tensor<5x40x6x2xf32> -> tensor<2xf32>
  return %v0 : tensor<2xf32>
}
func.func @f32_long(%a0: tensor<20000x3xf32> {mj.name = "a0"}) -> (tensor<3xf32>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [0] : tensor<20000x3xf32> -> tensor<3xf32>
  return %v0 : tensor<3xf32>
}
func.func @many_columns(%a0: tensor<3x100000xbf16> {mj.name = "a0"}) -> (tensor<100000xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce mean %a0 over [0] : tensor<3x100000xbf16> -> tensor<100000xbf16>
  return %v0 : tensor<100000xbf16>
}
}
