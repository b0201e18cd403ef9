// Written by generate.py: cases for the CUDA kernels of class quantize.
// gpu-check: options --precision=bf16
// gpu-check: options --precision=f32
module attributes {mj.phase = "input"} {
func.func @bf16_1(%a0: tensor<1xbf16> {mj.name = "a0"}) -> (tensor<1xbf16>, tensor<1xbf16>, tensor<1xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<1xbf16> -> tensor<1xf8E4M3FN>
  %v1 = mj.dequantize %v0 by 0.142857143 : tensor<1xf8E4M3FN> -> tensor<1xbf16>
  %v2 = mj.quantize %a0 by 300.0 : tensor<1xbf16> -> tensor<1xf8E4M3FN>
  %v3 = mj.dequantize %v2 by 0.003333333 : tensor<1xf8E4M3FN> -> tensor<1xbf16>
  %v4 = mj.quantize %a0 by 0.01 : tensor<1xbf16> -> tensor<1xf8E4M3FN>
  %v5 = mj.dequantize %v4 by 100.000000000 : tensor<1xf8E4M3FN> -> tensor<1xbf16>
  return %v1, %v3, %v5 : tensor<1xbf16>, tensor<1xbf16>, tensor<1xbf16>
}
func.func @bf16_33(%a0: tensor<33xbf16> {mj.name = "a0"}) -> (tensor<33xbf16>, tensor<33xbf16>, tensor<33xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<33xbf16> -> tensor<33xf8E4M3FN>
  %v1 = mj.dequantize %v0 by 0.142857143 : tensor<33xf8E4M3FN> -> tensor<33xbf16>
  %v2 = mj.quantize %a0 by 300.0 : tensor<33xbf16> -> tensor<33xf8E4M3FN>
  %v3 = mj.dequantize %v2 by 0.003333333 : tensor<33xf8E4M3FN> -> tensor<33xbf16>
  %v4 = mj.quantize %a0 by 0.01 : tensor<33xbf16> -> tensor<33xf8E4M3FN>
  %v5 = mj.dequantize %v4 by 100.000000000 : tensor<33xf8E4M3FN> -> tensor<33xbf16>
  return %v1, %v3, %v5 : tensor<33xbf16>, tensor<33xbf16>, tensor<33xbf16>
}
func.func @bf16_64x1024(%a0: tensor<64x1024xbf16> {mj.name = "a0"}) -> (tensor<64x1024xbf16>, tensor<64x1024xbf16>, tensor<64x1024xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<64x1024xbf16> -> tensor<64x1024xf8E4M3FN>
  %v1 = mj.dequantize %v0 by 0.142857143 : tensor<64x1024xf8E4M3FN> -> tensor<64x1024xbf16>
  %v2 = mj.quantize %a0 by 300.0 : tensor<64x1024xbf16> -> tensor<64x1024xf8E4M3FN>
  %v3 = mj.dequantize %v2 by 0.003333333 : tensor<64x1024xf8E4M3FN> -> tensor<64x1024xbf16>
  %v4 = mj.quantize %a0 by 0.01 : tensor<64x1024xbf16> -> tensor<64x1024xf8E4M3FN>
  %v5 = mj.dequantize %v4 by 100.000000000 : tensor<64x1024xf8E4M3FN> -> tensor<64x1024xbf16>
  return %v1, %v3, %v5 : tensor<64x1024xbf16>, tensor<64x1024xbf16>, tensor<64x1024xbf16>
}
func.func @bf16_7x5x3(%a0: tensor<7x5x3xbf16> {mj.name = "a0"}) -> (tensor<7x5x3xbf16>, tensor<7x5x3xbf16>, tensor<7x5x3xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<7x5x3xbf16> -> tensor<7x5x3xf8E4M3FN>
  %v1 = mj.dequantize %v0 by 0.142857143 : tensor<7x5x3xf8E4M3FN> -> tensor<7x5x3xbf16>
  %v2 = mj.quantize %a0 by 300.0 : tensor<7x5x3xbf16> -> tensor<7x5x3xf8E4M3FN>
  %v3 = mj.dequantize %v2 by 0.003333333 : tensor<7x5x3xf8E4M3FN> -> tensor<7x5x3xbf16>
  %v4 = mj.quantize %a0 by 0.01 : tensor<7x5x3xbf16> -> tensor<7x5x3xf8E4M3FN>
  %v5 = mj.dequantize %v4 by 100.000000000 : tensor<7x5x3xf8E4M3FN> -> tensor<7x5x3xbf16>
  return %v1, %v3, %v5 : tensor<7x5x3xbf16>, tensor<7x5x3xbf16>, tensor<7x5x3xbf16>
}
func.func @f16_1(%a0: tensor<1xf16> {mj.name = "a0"}) -> (tensor<1xf16>, tensor<1xf16>, tensor<1xf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<1xf16> -> tensor<1xf8E4M3FN>
  %v1 = mj.dequantize %v0 by 0.142857143 : tensor<1xf8E4M3FN> -> tensor<1xf16>
  %v2 = mj.quantize %a0 by 300.0 : tensor<1xf16> -> tensor<1xf8E4M3FN>
  %v3 = mj.dequantize %v2 by 0.003333333 : tensor<1xf8E4M3FN> -> tensor<1xf16>
  %v4 = mj.quantize %a0 by 0.01 : tensor<1xf16> -> tensor<1xf8E4M3FN>
  %v5 = mj.dequantize %v4 by 100.000000000 : tensor<1xf8E4M3FN> -> tensor<1xf16>
  return %v1, %v3, %v5 : tensor<1xf16>, tensor<1xf16>, tensor<1xf16>
}
func.func @f16_33(%a0: tensor<33xf16> {mj.name = "a0"}) -> (tensor<33xf16>, tensor<33xf16>, tensor<33xf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<33xf16> -> tensor<33xf8E4M3FN>
  %v1 = mj.dequantize %v0 by 0.142857143 : tensor<33xf8E4M3FN> -> tensor<33xf16>
  %v2 = mj.quantize %a0 by 300.0 : tensor<33xf16> -> tensor<33xf8E4M3FN>
  %v3 = mj.dequantize %v2 by 0.003333333 : tensor<33xf8E4M3FN> -> tensor<33xf16>
  %v4 = mj.quantize %a0 by 0.01 : tensor<33xf16> -> tensor<33xf8E4M3FN>
  %v5 = mj.dequantize %v4 by 100.000000000 : tensor<33xf8E4M3FN> -> tensor<33xf16>
  return %v1, %v3, %v5 : tensor<33xf16>, tensor<33xf16>, tensor<33xf16>
}
func.func @f16_64x1024(%a0: tensor<64x1024xf16> {mj.name = "a0"}) -> (tensor<64x1024xf16>, tensor<64x1024xf16>, tensor<64x1024xf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<64x1024xf16> -> tensor<64x1024xf8E4M3FN>
  %v1 = mj.dequantize %v0 by 0.142857143 : tensor<64x1024xf8E4M3FN> -> tensor<64x1024xf16>
  %v2 = mj.quantize %a0 by 300.0 : tensor<64x1024xf16> -> tensor<64x1024xf8E4M3FN>
  %v3 = mj.dequantize %v2 by 0.003333333 : tensor<64x1024xf8E4M3FN> -> tensor<64x1024xf16>
  %v4 = mj.quantize %a0 by 0.01 : tensor<64x1024xf16> -> tensor<64x1024xf8E4M3FN>
  %v5 = mj.dequantize %v4 by 100.000000000 : tensor<64x1024xf8E4M3FN> -> tensor<64x1024xf16>
  return %v1, %v3, %v5 : tensor<64x1024xf16>, tensor<64x1024xf16>, tensor<64x1024xf16>
}
func.func @f16_7x5x3(%a0: tensor<7x5x3xf16> {mj.name = "a0"}) -> (tensor<7x5x3xf16>, tensor<7x5x3xf16>, tensor<7x5x3xf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<7x5x3xf16> -> tensor<7x5x3xf8E4M3FN>
  %v1 = mj.dequantize %v0 by 0.142857143 : tensor<7x5x3xf8E4M3FN> -> tensor<7x5x3xf16>
  %v2 = mj.quantize %a0 by 300.0 : tensor<7x5x3xf16> -> tensor<7x5x3xf8E4M3FN>
  %v3 = mj.dequantize %v2 by 0.003333333 : tensor<7x5x3xf8E4M3FN> -> tensor<7x5x3xf16>
  %v4 = mj.quantize %a0 by 0.01 : tensor<7x5x3xf16> -> tensor<7x5x3xf8E4M3FN>
  %v5 = mj.dequantize %v4 by 100.000000000 : tensor<7x5x3xf8E4M3FN> -> tensor<7x5x3xf16>
  return %v1, %v3, %v5 : tensor<7x5x3xf16>, tensor<7x5x3xf16>, tensor<7x5x3xf16>
}
func.func @f32_1(%a0: tensor<1xf32> {mj.name = "a0"}) -> (tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<1xf32> -> tensor<1xf8E4M3FN>
  %v1 = mj.dequantize %v0 by 0.142857143 : tensor<1xf8E4M3FN> -> tensor<1xf32>
  %v2 = mj.quantize %a0 by 300.0 : tensor<1xf32> -> tensor<1xf8E4M3FN>
  %v3 = mj.dequantize %v2 by 0.003333333 : tensor<1xf8E4M3FN> -> tensor<1xf32>
  %v4 = mj.quantize %a0 by 0.01 : tensor<1xf32> -> tensor<1xf8E4M3FN>
  %v5 = mj.dequantize %v4 by 100.000000000 : tensor<1xf8E4M3FN> -> tensor<1xf32>
  return %v1, %v3, %v5 : tensor<1xf32>, tensor<1xf32>, tensor<1xf32>
}
func.func @f32_33(%a0: tensor<33xf32> {mj.name = "a0"}) -> (tensor<33xf32>, tensor<33xf32>, tensor<33xf32>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<33xf32> -> tensor<33xf8E4M3FN>
  %v1 = mj.dequantize %v0 by 0.142857143 : tensor<33xf8E4M3FN> -> tensor<33xf32>
  %v2 = mj.quantize %a0 by 300.0 : tensor<33xf32> -> tensor<33xf8E4M3FN>
  %v3 = mj.dequantize %v2 by 0.003333333 : tensor<33xf8E4M3FN> -> tensor<33xf32>
  %v4 = mj.quantize %a0 by 0.01 : tensor<33xf32> -> tensor<33xf8E4M3FN>
  %v5 = mj.dequantize %v4 by 100.000000000 : tensor<33xf8E4M3FN> -> tensor<33xf32>
  return %v1, %v3, %v5 : tensor<33xf32>, tensor<33xf32>, tensor<33xf32>
}
func.func @f32_64x1024(%a0: tensor<64x1024xf32> {mj.name = "a0"}) -> (tensor<64x1024xf32>, tensor<64x1024xf32>, tensor<64x1024xf32>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<64x1024xf32> -> tensor<64x1024xf8E4M3FN>
  %v1 = mj.dequantize %v0 by 0.142857143 : tensor<64x1024xf8E4M3FN> -> tensor<64x1024xf32>
  %v2 = mj.quantize %a0 by 300.0 : tensor<64x1024xf32> -> tensor<64x1024xf8E4M3FN>
  %v3 = mj.dequantize %v2 by 0.003333333 : tensor<64x1024xf8E4M3FN> -> tensor<64x1024xf32>
  %v4 = mj.quantize %a0 by 0.01 : tensor<64x1024xf32> -> tensor<64x1024xf8E4M3FN>
  %v5 = mj.dequantize %v4 by 100.000000000 : tensor<64x1024xf8E4M3FN> -> tensor<64x1024xf32>
  return %v1, %v3, %v5 : tensor<64x1024xf32>, tensor<64x1024xf32>, tensor<64x1024xf32>
}
func.func @f32_7x5x3(%a0: tensor<7x5x3xf32> {mj.name = "a0"}) -> (tensor<7x5x3xf32>, tensor<7x5x3xf32>, tensor<7x5x3xf32>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<7x5x3xf32> -> tensor<7x5x3xf8E4M3FN>
  %v1 = mj.dequantize %v0 by 0.142857143 : tensor<7x5x3xf8E4M3FN> -> tensor<7x5x3xf32>
  %v2 = mj.quantize %a0 by 300.0 : tensor<7x5x3xf32> -> tensor<7x5x3xf8E4M3FN>
  %v3 = mj.dequantize %v2 by 0.003333333 : tensor<7x5x3xf8E4M3FN> -> tensor<7x5x3xf32>
  %v4 = mj.quantize %a0 by 0.01 : tensor<7x5x3xf32> -> tensor<7x5x3xf8E4M3FN>
  %v5 = mj.dequantize %v4 by 100.000000000 : tensor<7x5x3xf8E4M3FN> -> tensor<7x5x3xf32>
  return %v1, %v3, %v5 : tensor<7x5x3xf32>, tensor<7x5x3xf32>, tensor<7x5x3xf32>
}
}
