// Written by generate.py: cases for the CUDA kernels of class norms.
// gpu-check: options --precision=bf16
// gpu-check: options --precision=f32
module attributes {mj.phase = "input"} {
func.func @bf16_rms_1x1(%a0: tensor<1x1xbf16> {mj.name = "a0"}, %a1: tensor<1xbf16> {mj.name = "a1"}) -> (tensor<1x1xbf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<1x1xbf16>, weight tensor<1xbf16> -> tensor<1x1xbf16>
  return %v0 : tensor<1x1xbf16>
}
func.func @bf16_rms_3x7(%a0: tensor<3x7xbf16> {mj.name = "a0"}, %a1: tensor<7xbf16> {mj.name = "a1"}) -> (tensor<3x7xbf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<3x7xbf16>, weight tensor<7xbf16> -> tensor<3x7xbf16>
  return %v0 : tensor<3x7xbf16>
}
func.func @bf16_rms_5x33(%a0: tensor<5x33xbf16> {mj.name = "a0"}, %a1: tensor<33xbf16> {mj.name = "a1"}) -> (tensor<5x33xbf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<5x33xbf16>, weight tensor<33xbf16> -> tensor<5x33xbf16>
  return %v0 : tensor<5x33xbf16>
}
func.func @bf16_rms_19x1024(%a0: tensor<19x1024xbf16> {mj.name = "a0"}, %a1: tensor<1024xbf16> {mj.name = "a1"}) -> (tensor<19x1024xbf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<19x1024xbf16>, weight tensor<1024xbf16> -> tensor<19x1024xbf16>
  return %v0 : tensor<19x1024xbf16>
}
func.func @bf16_rms_2x1030(%a0: tensor<2x1030xbf16> {mj.name = "a0"}, %a1: tensor<1030xbf16> {mj.name = "a1"}) -> (tensor<2x1030xbf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<2x1030xbf16>, weight tensor<1030xbf16> -> tensor<2x1030xbf16>
  return %v0 : tensor<2x1030xbf16>
}
func.func @bf16_rms_3x5000(%a0: tensor<3x5000xbf16> {mj.name = "a0"}, %a1: tensor<5000xbf16> {mj.name = "a1"}) -> (tensor<3x5000xbf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<3x5000xbf16>, weight tensor<5000xbf16> -> tensor<3x5000xbf16>
  return %v0 : tensor<3x5000xbf16>
}
func.func @bf16_layer_1x1(%a0: tensor<1x1xbf16> {mj.name = "a0"}, %a1: tensor<1xbf16> {mj.name = "a1"}, %a2: tensor<1xbf16> {mj.name = "a2"}) -> (tensor<1x1xbf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<1x1xbf16>, weight tensor<1xbf16>, bias tensor<1xbf16> -> tensor<1x1xbf16>
  return %v0 : tensor<1x1xbf16>
}
func.func @bf16_layer_3x7(%a0: tensor<3x7xbf16> {mj.name = "a0"}, %a1: tensor<7xbf16> {mj.name = "a1"}, %a2: tensor<7xbf16> {mj.name = "a2"}) -> (tensor<3x7xbf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<3x7xbf16>, weight tensor<7xbf16>, bias tensor<7xbf16> -> tensor<3x7xbf16>
  return %v0 : tensor<3x7xbf16>
}
func.func @bf16_layer_5x33(%a0: tensor<5x33xbf16> {mj.name = "a0"}, %a1: tensor<33xbf16> {mj.name = "a1"}, %a2: tensor<33xbf16> {mj.name = "a2"}) -> (tensor<5x33xbf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<5x33xbf16>, weight tensor<33xbf16>, bias tensor<33xbf16> -> tensor<5x33xbf16>
  return %v0 : tensor<5x33xbf16>
}
func.func @bf16_layer_19x1024(%a0: tensor<19x1024xbf16> {mj.name = "a0"}, %a1: tensor<1024xbf16> {mj.name = "a1"}, %a2: tensor<1024xbf16> {mj.name = "a2"}) -> (tensor<19x1024xbf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<19x1024xbf16>, weight tensor<1024xbf16>, bias tensor<1024xbf16> -> tensor<19x1024xbf16>
  return %v0 : tensor<19x1024xbf16>
}
func.func @bf16_layer_2x1030(%a0: tensor<2x1030xbf16> {mj.name = "a0"}, %a1: tensor<1030xbf16> {mj.name = "a1"}, %a2: tensor<1030xbf16> {mj.name = "a2"}) -> (tensor<2x1030xbf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<2x1030xbf16>, weight tensor<1030xbf16>, bias tensor<1030xbf16> -> tensor<2x1030xbf16>
  return %v0 : tensor<2x1030xbf16>
}
func.func @bf16_layer_3x5000(%a0: tensor<3x5000xbf16> {mj.name = "a0"}, %a1: tensor<5000xbf16> {mj.name = "a1"}, %a2: tensor<5000xbf16> {mj.name = "a2"}) -> (tensor<3x5000xbf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<3x5000xbf16>, weight tensor<5000xbf16>, bias tensor<5000xbf16> -> tensor<3x5000xbf16>
  return %v0 : tensor<3x5000xbf16>
}
func.func @bf16_plain(%a0: tensor<9x3072xbf16> {mj.name = "a0"}) -> (tensor<9x3072xbf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0 eps 1.0e-6 : tensor<9x3072xbf16> -> tensor<9x3072xbf16>
  return %v0 : tensor<9x3072xbf16>
}
func.func @bf16_heads(%a0: tensor<9x5x128xbf16> {mj.name = "a0"}, %a1: tensor<128xbf16> {mj.name = "a1"}) -> (tensor<9x5x128xbf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<9x5x128xbf16>, weight tensor<128xbf16> -> tensor<9x5x128xbf16>
  return %v0 : tensor<9x5x128xbf16>
}
func.func @bf16_vector(%a0: tensor<700xbf16> {mj.name = "a0"}) -> (tensor<700xbf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0 eps 1.0e-6 : tensor<700xbf16> -> tensor<700xbf16>
  return %v0 : tensor<700xbf16>
}
func.func @bf16_softmax_1x1(%a0: tensor<1x1xbf16> {mj.name = "a0"}) -> (tensor<1x1xbf16>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<1x1xbf16> -> tensor<1x1xbf16>
  return %v0 : tensor<1x1xbf16>
}
func.func @bf16_softmax_3x7(%a0: tensor<3x7xbf16> {mj.name = "a0"}) -> (tensor<3x7xbf16>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<3x7xbf16> -> tensor<3x7xbf16>
  return %v0 : tensor<3x7xbf16>
}
func.func @bf16_softmax_65x700(%a0: tensor<65x700xbf16> {mj.name = "a0"}) -> (tensor<65x700xbf16>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<65x700xbf16> -> tensor<65x700xbf16>
  return %v0 : tensor<65x700xbf16>
}
func.func @bf16_softmax_2x20000(%a0: tensor<2x20000xbf16> {mj.name = "a0"}) -> (tensor<2x20000xbf16>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<2x20000xbf16> -> tensor<2x20000xbf16>
  return %v0 : tensor<2x20000xbf16>
}
func.func @bf16_softmax_9x4x33(%a0: tensor<9x4x33xbf16> {mj.name = "a0"}) -> (tensor<9x4x33xbf16>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<9x4x33xbf16> -> tensor<9x4x33xbf16>
  return %v0 : tensor<9x4x33xbf16>
}
func.func @bf16_softmax_700(%a0: tensor<700xbf16> {mj.name = "a0"}) -> (tensor<700xbf16>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<700xbf16> -> tensor<700xbf16>
  return %v0 : tensor<700xbf16>
}
func.func @bf16_rope_half(%a0: tensor<9x3x64xbf16> {mj.name = "a0"}, %a1: tensor<9x32x2xf32> {mj.name = "a1"}) -> (tensor<9x3x64xbf16>) attributes {mj.entry} {
  %v0 = mj.rope half %a0, %a1 : tensor<9x3x64xbf16>, tensor<9x32x2xf32> -> tensor<9x3x64xbf16>
  return %v0 : tensor<9x3x64xbf16>
}
func.func @bf16_rope_interleaved(%a0: tensor<9x3x80xbf16> {mj.name = "a0"}, %a1: tensor<9x40x2xf32> {mj.name = "a1"}) -> (tensor<9x3x80xbf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0 eps 1.0e-6 : tensor<9x3x80xbf16> -> tensor<9x3x80xbf16>
  %v1 = mj.rope interleaved %v0, %a1 : tensor<9x3x80xbf16>, tensor<9x40x2xf32> -> tensor<9x3x80xbf16>
  return %v1 : tensor<9x3x80xbf16>
}
func.func @f16_rms_1x1(%a0: tensor<1x1xf16> {mj.name = "a0"}, %a1: tensor<1xf16> {mj.name = "a1"}) -> (tensor<1x1xf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<1x1xf16>, weight tensor<1xf16> -> tensor<1x1xf16>
  return %v0 : tensor<1x1xf16>
}
func.func @f16_rms_3x7(%a0: tensor<3x7xf16> {mj.name = "a0"}, %a1: tensor<7xf16> {mj.name = "a1"}) -> (tensor<3x7xf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<3x7xf16>, weight tensor<7xf16> -> tensor<3x7xf16>
  return %v0 : tensor<3x7xf16>
}
func.func @f16_rms_5x33(%a0: tensor<5x33xf16> {mj.name = "a0"}, %a1: tensor<33xf16> {mj.name = "a1"}) -> (tensor<5x33xf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<5x33xf16>, weight tensor<33xf16> -> tensor<5x33xf16>
  return %v0 : tensor<5x33xf16>
}
func.func @f16_rms_19x1024(%a0: tensor<19x1024xf16> {mj.name = "a0"}, %a1: tensor<1024xf16> {mj.name = "a1"}) -> (tensor<19x1024xf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<19x1024xf16>, weight tensor<1024xf16> -> tensor<19x1024xf16>
  return %v0 : tensor<19x1024xf16>
}
func.func @f16_rms_2x1030(%a0: tensor<2x1030xf16> {mj.name = "a0"}, %a1: tensor<1030xf16> {mj.name = "a1"}) -> (tensor<2x1030xf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<2x1030xf16>, weight tensor<1030xf16> -> tensor<2x1030xf16>
  return %v0 : tensor<2x1030xf16>
}
func.func @f16_rms_3x5000(%a0: tensor<3x5000xf16> {mj.name = "a0"}, %a1: tensor<5000xf16> {mj.name = "a1"}) -> (tensor<3x5000xf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<3x5000xf16>, weight tensor<5000xf16> -> tensor<3x5000xf16>
  return %v0 : tensor<3x5000xf16>
}
func.func @f16_layer_1x1(%a0: tensor<1x1xf16> {mj.name = "a0"}, %a1: tensor<1xf16> {mj.name = "a1"}, %a2: tensor<1xf16> {mj.name = "a2"}) -> (tensor<1x1xf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<1x1xf16>, weight tensor<1xf16>, bias tensor<1xf16> -> tensor<1x1xf16>
  return %v0 : tensor<1x1xf16>
}
func.func @f16_layer_3x7(%a0: tensor<3x7xf16> {mj.name = "a0"}, %a1: tensor<7xf16> {mj.name = "a1"}, %a2: tensor<7xf16> {mj.name = "a2"}) -> (tensor<3x7xf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<3x7xf16>, weight tensor<7xf16>, bias tensor<7xf16> -> tensor<3x7xf16>
  return %v0 : tensor<3x7xf16>
}
func.func @f16_layer_5x33(%a0: tensor<5x33xf16> {mj.name = "a0"}, %a1: tensor<33xf16> {mj.name = "a1"}, %a2: tensor<33xf16> {mj.name = "a2"}) -> (tensor<5x33xf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<5x33xf16>, weight tensor<33xf16>, bias tensor<33xf16> -> tensor<5x33xf16>
  return %v0 : tensor<5x33xf16>
}
func.func @f16_layer_19x1024(%a0: tensor<19x1024xf16> {mj.name = "a0"}, %a1: tensor<1024xf16> {mj.name = "a1"}, %a2: tensor<1024xf16> {mj.name = "a2"}) -> (tensor<19x1024xf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<19x1024xf16>, weight tensor<1024xf16>, bias tensor<1024xf16> -> tensor<19x1024xf16>
  return %v0 : tensor<19x1024xf16>
}
func.func @f16_layer_2x1030(%a0: tensor<2x1030xf16> {mj.name = "a0"}, %a1: tensor<1030xf16> {mj.name = "a1"}, %a2: tensor<1030xf16> {mj.name = "a2"}) -> (tensor<2x1030xf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<2x1030xf16>, weight tensor<1030xf16>, bias tensor<1030xf16> -> tensor<2x1030xf16>
  return %v0 : tensor<2x1030xf16>
}
func.func @f16_layer_3x5000(%a0: tensor<3x5000xf16> {mj.name = "a0"}, %a1: tensor<5000xf16> {mj.name = "a1"}, %a2: tensor<5000xf16> {mj.name = "a2"}) -> (tensor<3x5000xf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<3x5000xf16>, weight tensor<5000xf16>, bias tensor<5000xf16> -> tensor<3x5000xf16>
  return %v0 : tensor<3x5000xf16>
}
func.func @f16_plain(%a0: tensor<9x3072xf16> {mj.name = "a0"}) -> (tensor<9x3072xf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0 eps 1.0e-6 : tensor<9x3072xf16> -> tensor<9x3072xf16>
  return %v0 : tensor<9x3072xf16>
}
func.func @f16_heads(%a0: tensor<9x5x128xf16> {mj.name = "a0"}, %a1: tensor<128xf16> {mj.name = "a1"}) -> (tensor<9x5x128xf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<9x5x128xf16>, weight tensor<128xf16> -> tensor<9x5x128xf16>
  return %v0 : tensor<9x5x128xf16>
}
func.func @f16_vector(%a0: tensor<700xf16> {mj.name = "a0"}) -> (tensor<700xf16>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0 eps 1.0e-6 : tensor<700xf16> -> tensor<700xf16>
  return %v0 : tensor<700xf16>
}
func.func @f16_softmax_1x1(%a0: tensor<1x1xf16> {mj.name = "a0"}) -> (tensor<1x1xf16>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<1x1xf16> -> tensor<1x1xf16>
  return %v0 : tensor<1x1xf16>
}
func.func @f16_softmax_3x7(%a0: tensor<3x7xf16> {mj.name = "a0"}) -> (tensor<3x7xf16>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<3x7xf16> -> tensor<3x7xf16>
  return %v0 : tensor<3x7xf16>
}
func.func @f16_softmax_65x700(%a0: tensor<65x700xf16> {mj.name = "a0"}) -> (tensor<65x700xf16>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<65x700xf16> -> tensor<65x700xf16>
  return %v0 : tensor<65x700xf16>
}
func.func @f16_softmax_2x20000(%a0: tensor<2x20000xf16> {mj.name = "a0"}) -> (tensor<2x20000xf16>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<2x20000xf16> -> tensor<2x20000xf16>
  return %v0 : tensor<2x20000xf16>
}
func.func @f16_softmax_9x4x33(%a0: tensor<9x4x33xf16> {mj.name = "a0"}) -> (tensor<9x4x33xf16>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<9x4x33xf16> -> tensor<9x4x33xf16>
  return %v0 : tensor<9x4x33xf16>
}
func.func @f16_softmax_700(%a0: tensor<700xf16> {mj.name = "a0"}) -> (tensor<700xf16>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<700xf16> -> tensor<700xf16>
  return %v0 : tensor<700xf16>
}
func.func @f16_rope_half(%a0: tensor<9x3x64xf16> {mj.name = "a0"}, %a1: tensor<9x32x2xf32> {mj.name = "a1"}) -> (tensor<9x3x64xf16>) attributes {mj.entry} {
  %v0 = mj.rope half %a0, %a1 : tensor<9x3x64xf16>, tensor<9x32x2xf32> -> tensor<9x3x64xf16>
  return %v0 : tensor<9x3x64xf16>
}
func.func @f16_rope_interleaved(%a0: tensor<9x3x80xf16> {mj.name = "a0"}, %a1: tensor<9x40x2xf32> {mj.name = "a1"}) -> (tensor<9x3x80xf16>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0 eps 1.0e-6 : tensor<9x3x80xf16> -> tensor<9x3x80xf16>
  %v1 = mj.rope interleaved %v0, %a1 : tensor<9x3x80xf16>, tensor<9x40x2xf32> -> tensor<9x3x80xf16>
  return %v1 : tensor<9x3x80xf16>
}
func.func @f32_rms_1x1(%a0: tensor<1x1xf32> {mj.name = "a0"}, %a1: tensor<1xf32> {mj.name = "a1"}) -> (tensor<1x1xf32>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<1x1xf32>, weight tensor<1xf32> -> tensor<1x1xf32>
  return %v0 : tensor<1x1xf32>
}
func.func @f32_rms_3x7(%a0: tensor<3x7xf32> {mj.name = "a0"}, %a1: tensor<7xf32> {mj.name = "a1"}) -> (tensor<3x7xf32>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<3x7xf32>, weight tensor<7xf32> -> tensor<3x7xf32>
  return %v0 : tensor<3x7xf32>
}
func.func @f32_rms_5x33(%a0: tensor<5x33xf32> {mj.name = "a0"}, %a1: tensor<33xf32> {mj.name = "a1"}) -> (tensor<5x33xf32>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<5x33xf32>, weight tensor<33xf32> -> tensor<5x33xf32>
  return %v0 : tensor<5x33xf32>
}
func.func @f32_rms_19x1024(%a0: tensor<19x1024xf32> {mj.name = "a0"}, %a1: tensor<1024xf32> {mj.name = "a1"}) -> (tensor<19x1024xf32>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<19x1024xf32>, weight tensor<1024xf32> -> tensor<19x1024xf32>
  return %v0 : tensor<19x1024xf32>
}
func.func @f32_rms_2x1030(%a0: tensor<2x1030xf32> {mj.name = "a0"}, %a1: tensor<1030xf32> {mj.name = "a1"}) -> (tensor<2x1030xf32>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<2x1030xf32>, weight tensor<1030xf32> -> tensor<2x1030xf32>
  return %v0 : tensor<2x1030xf32>
}
func.func @f32_rms_3x5000(%a0: tensor<3x5000xf32> {mj.name = "a0"}, %a1: tensor<5000xf32> {mj.name = "a1"}) -> (tensor<3x5000xf32>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<3x5000xf32>, weight tensor<5000xf32> -> tensor<3x5000xf32>
  return %v0 : tensor<3x5000xf32>
}
func.func @f32_layer_1x1(%a0: tensor<1x1xf32> {mj.name = "a0"}, %a1: tensor<1xf32> {mj.name = "a1"}, %a2: tensor<1xf32> {mj.name = "a2"}) -> (tensor<1x1xf32>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<1x1xf32>, weight tensor<1xf32>, bias tensor<1xf32> -> tensor<1x1xf32>
  return %v0 : tensor<1x1xf32>
}
func.func @f32_layer_3x7(%a0: tensor<3x7xf32> {mj.name = "a0"}, %a1: tensor<7xf32> {mj.name = "a1"}, %a2: tensor<7xf32> {mj.name = "a2"}) -> (tensor<3x7xf32>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<3x7xf32>, weight tensor<7xf32>, bias tensor<7xf32> -> tensor<3x7xf32>
  return %v0 : tensor<3x7xf32>
}
func.func @f32_layer_5x33(%a0: tensor<5x33xf32> {mj.name = "a0"}, %a1: tensor<33xf32> {mj.name = "a1"}, %a2: tensor<33xf32> {mj.name = "a2"}) -> (tensor<5x33xf32>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<5x33xf32>, weight tensor<33xf32>, bias tensor<33xf32> -> tensor<5x33xf32>
  return %v0 : tensor<5x33xf32>
}
func.func @f32_layer_19x1024(%a0: tensor<19x1024xf32> {mj.name = "a0"}, %a1: tensor<1024xf32> {mj.name = "a1"}, %a2: tensor<1024xf32> {mj.name = "a2"}) -> (tensor<19x1024xf32>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<19x1024xf32>, weight tensor<1024xf32>, bias tensor<1024xf32> -> tensor<19x1024xf32>
  return %v0 : tensor<19x1024xf32>
}
func.func @f32_layer_2x1030(%a0: tensor<2x1030xf32> {mj.name = "a0"}, %a1: tensor<1030xf32> {mj.name = "a1"}, %a2: tensor<1030xf32> {mj.name = "a2"}) -> (tensor<2x1030xf32>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<2x1030xf32>, weight tensor<1030xf32>, bias tensor<1030xf32> -> tensor<2x1030xf32>
  return %v0 : tensor<2x1030xf32>
}
func.func @f32_layer_3x5000(%a0: tensor<3x5000xf32> {mj.name = "a0"}, %a1: tensor<5000xf32> {mj.name = "a1"}, %a2: tensor<5000xf32> {mj.name = "a2"}) -> (tensor<3x5000xf32>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0, weight %a1, bias %a2 eps 1.0e-6 : tensor<3x5000xf32>, weight tensor<5000xf32>, bias tensor<5000xf32> -> tensor<3x5000xf32>
  return %v0 : tensor<3x5000xf32>
}
func.func @f32_plain(%a0: tensor<9x3072xf32> {mj.name = "a0"}) -> (tensor<9x3072xf32>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0 eps 1.0e-6 : tensor<9x3072xf32> -> tensor<9x3072xf32>
  return %v0 : tensor<9x3072xf32>
}
func.func @f32_heads(%a0: tensor<9x5x128xf32> {mj.name = "a0"}, %a1: tensor<128xf32> {mj.name = "a1"}) -> (tensor<9x5x128xf32>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<9x5x128xf32>, weight tensor<128xf32> -> tensor<9x5x128xf32>
  return %v0 : tensor<9x5x128xf32>
}
func.func @f32_vector(%a0: tensor<700xf32> {mj.name = "a0"}) -> (tensor<700xf32>) attributes {mj.entry} {
  %v0 = mj.norm layer %a0 eps 1.0e-6 : tensor<700xf32> -> tensor<700xf32>
  return %v0 : tensor<700xf32>
}
func.func @f32_softmax_1x1(%a0: tensor<1x1xf32> {mj.name = "a0"}) -> (tensor<1x1xf32>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<1x1xf32> -> tensor<1x1xf32>
  return %v0 : tensor<1x1xf32>
}
func.func @f32_softmax_3x7(%a0: tensor<3x7xf32> {mj.name = "a0"}) -> (tensor<3x7xf32>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<3x7xf32> -> tensor<3x7xf32>
  return %v0 : tensor<3x7xf32>
}
func.func @f32_softmax_65x700(%a0: tensor<65x700xf32> {mj.name = "a0"}) -> (tensor<65x700xf32>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<65x700xf32> -> tensor<65x700xf32>
  return %v0 : tensor<65x700xf32>
}
func.func @f32_softmax_2x20000(%a0: tensor<2x20000xf32> {mj.name = "a0"}) -> (tensor<2x20000xf32>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<2x20000xf32> -> tensor<2x20000xf32>
  return %v0 : tensor<2x20000xf32>
}
func.func @f32_softmax_9x4x33(%a0: tensor<9x4x33xf32> {mj.name = "a0"}) -> (tensor<9x4x33xf32>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<9x4x33xf32> -> tensor<9x4x33xf32>
  return %v0 : tensor<9x4x33xf32>
}
func.func @f32_softmax_700(%a0: tensor<700xf32> {mj.name = "a0"}) -> (tensor<700xf32>) attributes {mj.entry} {
  %v0 = mj.softmax %a0 : tensor<700xf32> -> tensor<700xf32>
  return %v0 : tensor<700xf32>
}
func.func @f32_rope_half(%a0: tensor<9x3x64xf32> {mj.name = "a0"}, %a1: tensor<9x32x2xf32> {mj.name = "a1"}) -> (tensor<9x3x64xf32>) attributes {mj.entry} {
  %v0 = mj.rope half %a0, %a1 : tensor<9x3x64xf32>, tensor<9x32x2xf32> -> tensor<9x3x64xf32>
  return %v0 : tensor<9x3x64xf32>
}
func.func @f32_rope_interleaved(%a0: tensor<9x3x80xf32> {mj.name = "a0"}, %a1: tensor<9x40x2xf32> {mj.name = "a1"}) -> (tensor<9x3x80xf32>) attributes {mj.entry} {
  %v0 = mj.norm rms %a0 eps 1.0e-6 : tensor<9x3x80xf32> -> tensor<9x3x80xf32>
  %v1 = mj.rope interleaved %v0, %a1 : tensor<9x3x80xf32>, tensor<9x40x2xf32> -> tensor<9x3x80xf32>
  return %v1 : tensor<9x3x80xf32>
}
}
