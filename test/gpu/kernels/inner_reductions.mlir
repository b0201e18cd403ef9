// Written by generate.py: cases for the CUDA kernels of class inner_reductions.
// gpu-check: options --precision=bf16
// gpu-check: options --precision=f32
module attributes {mj.phase = "input"} {
func.func @bf16_last(%a0: tensor<9x700xbf16> {mj.name = "a0"}) -> (tensor<9xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [1] : tensor<9x700xbf16> -> tensor<9xbf16>
  return %v0 : tensor<9xbf16>
}
func.func @bf16_middle(%a0: tensor<9x70x33xbf16> {mj.name = "a0"}) -> (tensor<9x33xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce mean %a0 over [1] : tensor<9x70x33xbf16> -> tensor<9x33xbf16>
  return %v0 : tensor<9x33xbf16>
}
func.func @bf16_middle_long(%a0: tensor<3x700x33xbf16> {mj.name = "a0"}) -> (tensor<3x33xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce max %a0 over [1] : tensor<3x700x33xbf16> -> tensor<3x33xbf16>
  return %v0 : tensor<3x33xbf16>
}
func.func @bf16_both(%a0: tensor<9x70x33xbf16> {mj.name = "a0"}) -> (tensor<9xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce min %a0 over [1, 2] : tensor<9x70x33xbf16> -> tensor<9xbf16>
  return %v0 : tensor<9xbf16>
}
func.func @bf16_first_inner(%a0: tensor<4x5x6x7xbf16> {mj.name = "a0"}) -> (tensor<4x6xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [1, 3] : tensor<4x5x6x7xbf16> -> tensor<4x6xbf16>
  return %v0 : tensor<4x6xbf16>
}
func.func @bf16_many_lines(%a0: tensor<3x4x5000xbf16> {mj.name = "a0"}) -> (tensor<3x5000xbf16>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [1] : tensor<3x4x5000xbf16> -> tensor<3x5000xbf16>
  return %v0 : tensor<3x5000xbf16>
}
func.func @f32_last(%a0: tensor<9x700xf32> {mj.name = "a0"}) -> (tensor<9xf32>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [1] : tensor<9x700xf32> -> tensor<9xf32>
  return %v0 : tensor<9xf32>
}
func.func @f32_middle(%a0: tensor<9x70x33xf32> {mj.name = "a0"}) -> (tensor<9x33xf32>) attributes {mj.entry} {
  %v0 = mj.reduce mean %a0 over [1] : tensor<9x70x33xf32> -> tensor<9x33xf32>
  return %v0 : tensor<9x33xf32>
}
func.func @f32_middle_long(%a0: tensor<3x700x33xf32> {mj.name = "a0"}) -> (tensor<3x33xf32>) attributes {mj.entry} {
  %v0 = mj.reduce max %a0 over [1] : tensor<3x700x33xf32> -> tensor<3x33xf32>
  return %v0 : tensor<3x33xf32>
}
func.func @f32_both(%a0: tensor<9x70x33xf32> {mj.name = "a0"}) -> (tensor<9xf32>) attributes {mj.entry} {
  %v0 = mj.reduce min %a0 over [1, 2] : tensor<9x70x33xf32> -> tensor<9xf32>
  return %v0 : tensor<9xf32>
}
func.func @f32_first_inner(%a0: tensor<4x5x6x7xf32> {mj.name = "a0"}) -> (tensor<4x6xf32>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [1, 3] : tensor<4x5x6x7xf32> -> tensor<4x6xf32>
  return %v0 : tensor<4x6xf32>
}
func.func @f32_many_lines(%a0: tensor<3x4x5000xf32> {mj.name = "a0"}) -> (tensor<3x5000xf32>) attributes {mj.entry} {
  %v0 = mj.reduce sum %a0 over [1] : tensor<3x4x5000xf32> -> tensor<3x5000xf32>
  return %v0 : tensor<3x5000xf32>
}
}
