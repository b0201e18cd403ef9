// Written by generate.py: cases for the CUDA kernels of class batch_matmul.
// gpu-check: options --precision=bf16
// gpu-check: options --precision=f32
module attributes {mj.phase = "input"} {
func.func @one(%a0: tensor<1x1x1xbf16> {mj.name = "a0"}, %a1: tensor<1x1x1xbf16> {mj.name = "a1"}) -> (tensor<1x1x1xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 : tensor<1x1x1xbf16>, tensor<1x1x1xbf16> -> tensor<1x1x1xbf16>
  return %v0 : tensor<1x1x1xbf16>
}
func.func @odd(%a0: tensor<3x17x7xbf16> {mj.name = "a0"}, %a1: tensor<3x7x33xbf16> {mj.name = "a1"}) -> (tensor<3x17x33xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 : tensor<3x17x7xbf16>, tensor<3x7x33xbf16> -> tensor<3x17x33xbf16>
  return %v0 : tensor<3x17x33xbf16>
}
func.func @m64n64k64(%a0: tensor<2x3x64x64xbf16> {mj.name = "a0"}, %a1: tensor<2x3x64x64xbf16> {mj.name = "a1"}) -> (tensor<2x3x64x64xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 : tensor<2x3x64x64xbf16>, tensor<2x3x64x64xbf16> -> tensor<2x3x64x64xbf16>
  return %v0 : tensor<2x3x64x64xbf16>
}
func.func @m65n64k72(%a0: tensor<2x3x65x72xbf16> {mj.name = "a0"}, %a1: tensor<2x3x72x64xbf16> {mj.name = "a1"}) -> (tensor<2x3x65x64xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 : tensor<2x3x65x72xbf16>, tensor<2x3x72x64xbf16> -> tensor<2x3x65x64xbf16>
  return %v0 : tensor<2x3x65x64xbf16>
}
func.func @m1n72k64(%a0: tensor<2x3x1x64xbf16> {mj.name = "a0"}, %a1: tensor<2x3x64x72xbf16> {mj.name = "a1"}) -> (tensor<2x3x1x72xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 : tensor<2x3x1x64xbf16>, tensor<2x3x64x72xbf16> -> tensor<2x3x1x72xbf16>
  return %v0 : tensor<2x3x1x72xbf16>
}
func.func @m63n128k136(%a0: tensor<2x3x63x136xbf16> {mj.name = "a0"}, %a1: tensor<2x3x136x128xbf16> {mj.name = "a1"}) -> (tensor<2x3x63x128xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 : tensor<2x3x63x136xbf16>, tensor<2x3x136x128xbf16> -> tensor<2x3x63x128xbf16>
  return %v0 : tensor<2x3x63x128xbf16>
}
func.func @m129n136k8(%a0: tensor<2x3x129x8xbf16> {mj.name = "a0"}, %a1: tensor<2x3x8x136xbf16> {mj.name = "a1"}) -> (tensor<2x3x129x136xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 : tensor<2x3x129x8xbf16>, tensor<2x3x8x136xbf16> -> tensor<2x3x129x136xbf16>
  return %v0 : tensor<2x3x129x136xbf16>
}
func.func @m96n200k40(%a0: tensor<2x3x96x40xbf16> {mj.name = "a0"}, %a1: tensor<2x3x40x200xbf16> {mj.name = "a1"}) -> (tensor<2x3x96x200xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 : tensor<2x3x96x40xbf16>, tensor<2x3x40x200xbf16> -> tensor<2x3x96x200xbf16>
  return %v0 : tensor<2x3x96x200xbf16>
}
func.func @tile128(%a0: tensor<66x129x72xbf16> {mj.name = "a0"}, %a1: tensor<66x72x8xbf16> {mj.name = "a1"}) -> (tensor<66x129x8xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 : tensor<66x129x72xbf16>, tensor<66x72x8xbf16> -> tensor<66x129x8xbf16>
  return %v0 : tensor<66x129x8xbf16>
}
func.func @tile128_wide(%a0: tensor<70x8x64xbf16> {mj.name = "a0"}, %a1: tensor<70x64x136xbf16> {mj.name = "a1"}) -> (tensor<70x8x136xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 : tensor<70x8x64xbf16>, tensor<70x64x136xbf16> -> tensor<70x8x136xbf16>
  return %v0 : tensor<70x8x136xbf16>
}
func.func @unaligned(%a0: tensor<2x70x65xbf16> {mj.name = "a0"}, %a1: tensor<2x65x66xbf16> {mj.name = "a1"}) -> (tensor<2x70x66xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 : tensor<2x70x65xbf16>, tensor<2x65x66xbf16> -> tensor<2x70x66xbf16>
  return %v0 : tensor<2x70x66xbf16>
}
func.func @to_f32(%a0: tensor<2x70x64xbf16> {mj.name = "a0"}, %a1: tensor<2x64x72xbf16> {mj.name = "a1"}) -> (tensor<2x70x72xf32>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 : tensor<2x70x64xbf16>, tensor<2x64x72xbf16> -> tensor<2x70x72xf32>
  return %v0 : tensor<2x70x72xf32>
}
func.func @f16(%a0: tensor<5x65x80xf16> {mj.name = "a0"}, %a1: tensor<5x80x72xf16> {mj.name = "a1"}) -> (tensor<5x65x72xf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 : tensor<5x65x80xf16>, tensor<5x80x72xf16> -> tensor<5x65x72xf16>
  return %v0 : tensor<5x65x72xf16>
}
func.func @f32(%a0: tensor<5x65x80xf32> {mj.name = "a0"}, %a1: tensor<5x80x72xf32> {mj.name = "a1"}) -> (tensor<5x65x72xf32>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 : tensor<5x65x80xf32>, tensor<5x80x72xf32> -> tensor<5x65x72xf32>
  return %v0 : tensor<5x65x72xf32>
}
func.func @one_t(%a0: tensor<1x1x1xbf16> {mj.name = "a0"}, %a1: tensor<1x1x1xbf16> {mj.name = "a1"}) -> (tensor<1x1x1xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 {transpose_b} : tensor<1x1x1xbf16>, tensor<1x1x1xbf16> -> tensor<1x1x1xbf16>
  return %v0 : tensor<1x1x1xbf16>
}
func.func @odd_t(%a0: tensor<3x17x7xbf16> {mj.name = "a0"}, %a1: tensor<3x33x7xbf16> {mj.name = "a1"}) -> (tensor<3x17x33xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 {transpose_b} : tensor<3x17x7xbf16>, tensor<3x33x7xbf16> -> tensor<3x17x33xbf16>
  return %v0 : tensor<3x17x33xbf16>
}
func.func @m64n64k64_t(%a0: tensor<2x3x64x64xbf16> {mj.name = "a0"}, %a1: tensor<2x3x64x64xbf16> {mj.name = "a1"}) -> (tensor<2x3x64x64xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 {transpose_b} : tensor<2x3x64x64xbf16>, tensor<2x3x64x64xbf16> -> tensor<2x3x64x64xbf16>
  return %v0 : tensor<2x3x64x64xbf16>
}
func.func @m65n64k72_t(%a0: tensor<2x3x65x72xbf16> {mj.name = "a0"}, %a1: tensor<2x3x64x72xbf16> {mj.name = "a1"}) -> (tensor<2x3x65x64xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 {transpose_b} : tensor<2x3x65x72xbf16>, tensor<2x3x64x72xbf16> -> tensor<2x3x65x64xbf16>
  return %v0 : tensor<2x3x65x64xbf16>
}
func.func @m1n72k64_t(%a0: tensor<2x3x1x64xbf16> {mj.name = "a0"}, %a1: tensor<2x3x72x64xbf16> {mj.name = "a1"}) -> (tensor<2x3x1x72xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 {transpose_b} : tensor<2x3x1x64xbf16>, tensor<2x3x72x64xbf16> -> tensor<2x3x1x72xbf16>
  return %v0 : tensor<2x3x1x72xbf16>
}
func.func @m63n128k136_t(%a0: tensor<2x3x63x136xbf16> {mj.name = "a0"}, %a1: tensor<2x3x128x136xbf16> {mj.name = "a1"}) -> (tensor<2x3x63x128xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 {transpose_b} : tensor<2x3x63x136xbf16>, tensor<2x3x128x136xbf16> -> tensor<2x3x63x128xbf16>
  return %v0 : tensor<2x3x63x128xbf16>
}
func.func @m129n136k8_t(%a0: tensor<2x3x129x8xbf16> {mj.name = "a0"}, %a1: tensor<2x3x136x8xbf16> {mj.name = "a1"}) -> (tensor<2x3x129x136xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 {transpose_b} : tensor<2x3x129x8xbf16>, tensor<2x3x136x8xbf16> -> tensor<2x3x129x136xbf16>
  return %v0 : tensor<2x3x129x136xbf16>
}
func.func @m96n200k40_t(%a0: tensor<2x3x96x40xbf16> {mj.name = "a0"}, %a1: tensor<2x3x200x40xbf16> {mj.name = "a1"}) -> (tensor<2x3x96x200xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 {transpose_b} : tensor<2x3x96x40xbf16>, tensor<2x3x200x40xbf16> -> tensor<2x3x96x200xbf16>
  return %v0 : tensor<2x3x96x200xbf16>
}
func.func @tile128_t(%a0: tensor<66x129x72xbf16> {mj.name = "a0"}, %a1: tensor<66x8x72xbf16> {mj.name = "a1"}) -> (tensor<66x129x8xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 {transpose_b} : tensor<66x129x72xbf16>, tensor<66x8x72xbf16> -> tensor<66x129x8xbf16>
  return %v0 : tensor<66x129x8xbf16>
}
func.func @tile128_wide_t(%a0: tensor<70x8x64xbf16> {mj.name = "a0"}, %a1: tensor<70x136x64xbf16> {mj.name = "a1"}) -> (tensor<70x8x136xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 {transpose_b} : tensor<70x8x64xbf16>, tensor<70x136x64xbf16> -> tensor<70x8x136xbf16>
  return %v0 : tensor<70x8x136xbf16>
}
func.func @unaligned_t(%a0: tensor<2x70x65xbf16> {mj.name = "a0"}, %a1: tensor<2x66x65xbf16> {mj.name = "a1"}) -> (tensor<2x70x66xbf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 {transpose_b} : tensor<2x70x65xbf16>, tensor<2x66x65xbf16> -> tensor<2x70x66xbf16>
  return %v0 : tensor<2x70x66xbf16>
}
func.func @to_f32_t(%a0: tensor<2x70x64xbf16> {mj.name = "a0"}, %a1: tensor<2x72x64xbf16> {mj.name = "a1"}) -> (tensor<2x70x72xf32>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 {transpose_b} : tensor<2x70x64xbf16>, tensor<2x72x64xbf16> -> tensor<2x70x72xf32>
  return %v0 : tensor<2x70x72xf32>
}
func.func @f16_t(%a0: tensor<5x65x80xf16> {mj.name = "a0"}, %a1: tensor<5x72x80xf16> {mj.name = "a1"}) -> (tensor<5x65x72xf16>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 {transpose_b} : tensor<5x65x80xf16>, tensor<5x72x80xf16> -> tensor<5x65x72xf16>
  return %v0 : tensor<5x65x72xf16>
}
func.func @f32_t(%a0: tensor<5x65x80xf32> {mj.name = "a0"}, %a1: tensor<5x72x80xf32> {mj.name = "a1"}) -> (tensor<5x65x72xf32>) attributes {mj.entry} {
  %v0 = mj.batch_matmul %a0, %a1 {transpose_b} : tensor<5x65x80xf32>, tensor<5x72x80xf32> -> tensor<5x65x72xf32>
  return %v0 : tensor<5x65x72xf32>
}
}
