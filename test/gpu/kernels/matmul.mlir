// Written by generate.py: cases for the CUDA kernels of class matmul.
// gpu-check: options --precision=bf16
// gpu-check: options --precision=f32
module attributes {mj.phase = "input"} {
func.func @rows1(%a0: tensor<1x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<1x200xbf16> {mj.name = "a3"}) -> (tensor<1x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<1x264xbf16>, tensor<200x264xbf16> -> tensor<1x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<1x200xbf16> -> tensor<1x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<1x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<1x200xbf16>
  %v4 = math.tanh %v3 : tensor<1x200xbf16>
  return %v4 : tensor<1x200xbf16>
}
func.func @rows2(%a0: tensor<2x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<2x200xbf16> {mj.name = "a3"}) -> (tensor<2x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<2x264xbf16>, tensor<200x264xbf16> -> tensor<2x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<2x200xbf16> -> tensor<2x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<2x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<2x200xbf16>
  %v4 = math.tanh %v3 : tensor<2x200xbf16>
  return %v4 : tensor<2x200xbf16>
}
func.func @rows4(%a0: tensor<4x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<4x200xbf16> {mj.name = "a3"}) -> (tensor<4x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<4x264xbf16>, tensor<200x264xbf16> -> tensor<4x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<4x200xbf16> -> tensor<4x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<4x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<4x200xbf16>
  %v4 = math.tanh %v3 : tensor<4x200xbf16>
  return %v4 : tensor<4x200xbf16>
}
func.func @rows7(%a0: tensor<7x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<7x200xbf16> {mj.name = "a3"}) -> (tensor<7x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<7x264xbf16>, tensor<200x264xbf16> -> tensor<7x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<7x200xbf16> -> tensor<7x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<7x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<7x200xbf16>
  %v4 = math.tanh %v3 : tensor<7x200xbf16>
  return %v4 : tensor<7x200xbf16>
}
func.func @rows8(%a0: tensor<8x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<8x200xbf16> {mj.name = "a3"}) -> (tensor<8x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<8x264xbf16>, tensor<200x264xbf16> -> tensor<8x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<8x200xbf16> -> tensor<8x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<8x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<8x200xbf16>
  %v4 = math.tanh %v3 : tensor<8x200xbf16>
  return %v4 : tensor<8x200xbf16>
}
func.func @rows9(%a0: tensor<9x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<9x200xbf16> {mj.name = "a3"}) -> (tensor<9x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<9x264xbf16>, tensor<200x264xbf16> -> tensor<9x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<9x200xbf16> -> tensor<9x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<9x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<9x200xbf16>
  %v4 = math.tanh %v3 : tensor<9x200xbf16>
  return %v4 : tensor<9x200xbf16>
}
func.func @rows16(%a0: tensor<16x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<16x200xbf16> {mj.name = "a3"}) -> (tensor<16x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<16x264xbf16>, tensor<200x264xbf16> -> tensor<16x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<16x200xbf16> -> tensor<16x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<16x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<16x200xbf16>
  %v4 = math.tanh %v3 : tensor<16x200xbf16>
  return %v4 : tensor<16x200xbf16>
}
func.func @rows17(%a0: tensor<17x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<17x200xbf16> {mj.name = "a3"}) -> (tensor<17x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<17x264xbf16>, tensor<200x264xbf16> -> tensor<17x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<17x200xbf16> -> tensor<17x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<17x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<17x200xbf16>
  %v4 = math.tanh %v3 : tensor<17x200xbf16>
  return %v4 : tensor<17x200xbf16>
}
func.func @rows33(%a0: tensor<33x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<33x200xbf16> {mj.name = "a3"}) -> (tensor<33x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<33x264xbf16>, tensor<200x264xbf16> -> tensor<33x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<33x200xbf16> -> tensor<33x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<33x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<33x200xbf16>
  %v4 = math.tanh %v3 : tensor<33x200xbf16>
  return %v4 : tensor<33x200xbf16>
}
func.func @rows63(%a0: tensor<63x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<63x200xbf16> {mj.name = "a3"}) -> (tensor<63x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<63x264xbf16>, tensor<200x264xbf16> -> tensor<63x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<63x200xbf16> -> tensor<63x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<63x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<63x200xbf16>
  %v4 = math.tanh %v3 : tensor<63x200xbf16>
  return %v4 : tensor<63x200xbf16>
}
func.func @rows64(%a0: tensor<64x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<64x200xbf16> {mj.name = "a3"}) -> (tensor<64x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<64x264xbf16>, tensor<200x264xbf16> -> tensor<64x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<64x200xbf16> -> tensor<64x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<64x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<64x200xbf16>
  %v4 = math.tanh %v3 : tensor<64x200xbf16>
  return %v4 : tensor<64x200xbf16>
}
func.func @rows65(%a0: tensor<65x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<65x200xbf16> {mj.name = "a3"}) -> (tensor<65x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<65x264xbf16>, tensor<200x264xbf16> -> tensor<65x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<65x200xbf16> -> tensor<65x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<65x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<65x200xbf16>
  %v4 = math.tanh %v3 : tensor<65x200xbf16>
  return %v4 : tensor<65x200xbf16>
}
func.func @rows127(%a0: tensor<127x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<127x200xbf16> {mj.name = "a3"}) -> (tensor<127x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<127x264xbf16>, tensor<200x264xbf16> -> tensor<127x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<127x200xbf16> -> tensor<127x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<127x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<127x200xbf16>
  %v4 = math.tanh %v3 : tensor<127x200xbf16>
  return %v4 : tensor<127x200xbf16>
}
func.func @rows129(%a0: tensor<129x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<129x200xbf16> {mj.name = "a3"}) -> (tensor<129x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<129x264xbf16>, tensor<200x264xbf16> -> tensor<129x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<129x200xbf16> -> tensor<129x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<129x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<129x200xbf16>
  %v4 = math.tanh %v3 : tensor<129x200xbf16>
  return %v4 : tensor<129x200xbf16>
}
func.func @rows513(%a0: tensor<513x264xbf16> {mj.name = "a0"}, %a1: tensor<200x264xbf16> {mj.name = "a1"}, %a2: tensor<200xbf16> {mj.name = "a2"}, %a3: tensor<513x200xbf16> {mj.name = "a3"}) -> (tensor<513x200xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<513x264xbf16>, tensor<200x264xbf16> -> tensor<513x200xbf16>
  %v1 = mj.broadcast %a2 like %v0 : tensor<200xbf16>, tensor<513x200xbf16> -> tensor<513x200xbf16>
  %v2 = arith.addf %v0, %v1 : tensor<513x200xbf16>
  %v3 = arith.addf %v2, %a3 : tensor<513x200xbf16>
  %v4 = math.tanh %v3 : tensor<513x200xbf16>
  return %v4 : tensor<513x200xbf16>
}
func.func @m3n1k8(%a0: tensor<3x8xbf16> {mj.name = "a0"}, %a1: tensor<1x8xbf16> {mj.name = "a1"}) -> (tensor<3x1xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<3x8xbf16>, tensor<1x8xbf16> -> tensor<3x1xbf16>
  return %v0 : tensor<3x1xbf16>
}
func.func @m70n1k8(%a0: tensor<70x8xbf16> {mj.name = "a0"}, %a1: tensor<1x8xbf16> {mj.name = "a1"}) -> (tensor<70x1xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<70x8xbf16>, tensor<1x8xbf16> -> tensor<70x1xbf16>
  return %v0 : tensor<70x1xbf16>
}
func.func @m3n7k16(%a0: tensor<3x16xbf16> {mj.name = "a0"}, %a1: tensor<7x16xbf16> {mj.name = "a1"}) -> (tensor<3x7xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<3x16xbf16>, tensor<7x16xbf16> -> tensor<3x7xbf16>
  return %v0 : tensor<3x7xbf16>
}
func.func @m70n7k16(%a0: tensor<70x16xbf16> {mj.name = "a0"}, %a1: tensor<7x16xbf16> {mj.name = "a1"}) -> (tensor<70x7xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<70x16xbf16>, tensor<7x16xbf16> -> tensor<70x7xbf16>
  return %v0 : tensor<70x7xbf16>
}
func.func @m3n33k7(%a0: tensor<3x7xbf16> {mj.name = "a0"}, %a1: tensor<33x7xbf16> {mj.name = "a1"}) -> (tensor<3x33xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<3x7xbf16>, tensor<33x7xbf16> -> tensor<3x33xbf16>
  return %v0 : tensor<3x33xbf16>
}
func.func @m70n33k7(%a0: tensor<70x7xbf16> {mj.name = "a0"}, %a1: tensor<33x7xbf16> {mj.name = "a1"}) -> (tensor<70x33xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<70x7xbf16>, tensor<33x7xbf16> -> tensor<70x33xbf16>
  return %v0 : tensor<70x33xbf16>
}
func.func @m3n129k65(%a0: tensor<3x65xbf16> {mj.name = "a0"}, %a1: tensor<129x65xbf16> {mj.name = "a1"}) -> (tensor<3x129xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<3x65xbf16>, tensor<129x65xbf16> -> tensor<3x129xbf16>
  return %v0 : tensor<3x129xbf16>
}
func.func @m70n129k65(%a0: tensor<70x65xbf16> {mj.name = "a0"}, %a1: tensor<129x65xbf16> {mj.name = "a1"}) -> (tensor<70x129xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<70x65xbf16>, tensor<129x65xbf16> -> tensor<70x129xbf16>
  return %v0 : tensor<70x129xbf16>
}
func.func @m3n1000k72(%a0: tensor<3x72xbf16> {mj.name = "a0"}, %a1: tensor<1000x72xbf16> {mj.name = "a1"}) -> (tensor<3x1000xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<3x72xbf16>, tensor<1000x72xbf16> -> tensor<3x1000xbf16>
  return %v0 : tensor<3x1000xbf16>
}
func.func @m70n1000k72(%a0: tensor<70x72xbf16> {mj.name = "a0"}, %a1: tensor<1000x72xbf16> {mj.name = "a1"}) -> (tensor<70x1000xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<70x72xbf16>, tensor<1000x72xbf16> -> tensor<70x1000xbf16>
  return %v0 : tensor<70x1000xbf16>
}
func.func @m3n40k3000(%a0: tensor<3x3000xbf16> {mj.name = "a0"}, %a1: tensor<40x3000xbf16> {mj.name = "a1"}) -> (tensor<3x40xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<3x3000xbf16>, tensor<40x3000xbf16> -> tensor<3x40xbf16>
  return %v0 : tensor<3x40xbf16>
}
func.func @m70n40k3000(%a0: tensor<70x3000xbf16> {mj.name = "a0"}, %a1: tensor<40x3000xbf16> {mj.name = "a1"}) -> (tensor<70x40xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<70x3000xbf16>, tensor<40x3000xbf16> -> tensor<70x40xbf16>
  return %v0 : tensor<70x40xbf16>
}
func.func @m3n257k512(%a0: tensor<3x512xbf16> {mj.name = "a0"}, %a1: tensor<257x512xbf16> {mj.name = "a1"}) -> (tensor<3x257xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<3x512xbf16>, tensor<257x512xbf16> -> tensor<3x257xbf16>
  return %v0 : tensor<3x257xbf16>
}
func.func @m70n257k512(%a0: tensor<70x512xbf16> {mj.name = "a0"}, %a1: tensor<257x512xbf16> {mj.name = "a1"}) -> (tensor<70x257xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<70x512xbf16>, tensor<257x512xbf16> -> tensor<70x257xbf16>
  return %v0 : tensor<70x257xbf16>
}
func.func @f32_f32_1(%a0: tensor<1x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xf32> {mj.name = "a1"}) -> (tensor<1x136xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<1x256xf32>, tensor<136x256xf32> -> tensor<1x136xf32>
  return %v0 : tensor<1x136xf32>
}
func.func @f32_f32_5(%a0: tensor<5x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xf32> {mj.name = "a1"}) -> (tensor<5x136xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<5x256xf32>, tensor<136x256xf32> -> tensor<5x136xf32>
  return %v0 : tensor<5x136xf32>
}
func.func @f32_f32_40(%a0: tensor<40x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xf32> {mj.name = "a1"}) -> (tensor<40x136xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<40x256xf32>, tensor<136x256xf32> -> tensor<40x136xf32>
  return %v0 : tensor<40x136xf32>
}
func.func @f32_f32_65(%a0: tensor<65x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xf32> {mj.name = "a1"}) -> (tensor<65x136xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<65x256xf32>, tensor<136x256xf32> -> tensor<65x136xf32>
  return %v0 : tensor<65x136xf32>
}
func.func @f32_f32_130(%a0: tensor<130x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xf32> {mj.name = "a1"}) -> (tensor<130x136xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<130x256xf32>, tensor<136x256xf32> -> tensor<130x136xf32>
  return %v0 : tensor<130x136xf32>
}
func.func @f32_f32_300(%a0: tensor<300x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xf32> {mj.name = "a1"}) -> (tensor<300x136xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<300x256xf32>, tensor<136x256xf32> -> tensor<300x136xf32>
  return %v0 : tensor<300x136xf32>
}
func.func @f16_f16_1(%a0: tensor<1x256xf16> {mj.name = "a0"}, %a1: tensor<136x256xf16> {mj.name = "a1"}) -> (tensor<1x136xf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<1x256xf16>, tensor<136x256xf16> -> tensor<1x136xf16>
  return %v0 : tensor<1x136xf16>
}
func.func @f16_f16_5(%a0: tensor<5x256xf16> {mj.name = "a0"}, %a1: tensor<136x256xf16> {mj.name = "a1"}) -> (tensor<5x136xf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<5x256xf16>, tensor<136x256xf16> -> tensor<5x136xf16>
  return %v0 : tensor<5x136xf16>
}
func.func @f16_f16_40(%a0: tensor<40x256xf16> {mj.name = "a0"}, %a1: tensor<136x256xf16> {mj.name = "a1"}) -> (tensor<40x136xf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<40x256xf16>, tensor<136x256xf16> -> tensor<40x136xf16>
  return %v0 : tensor<40x136xf16>
}
func.func @f16_f16_65(%a0: tensor<65x256xf16> {mj.name = "a0"}, %a1: tensor<136x256xf16> {mj.name = "a1"}) -> (tensor<65x136xf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<65x256xf16>, tensor<136x256xf16> -> tensor<65x136xf16>
  return %v0 : tensor<65x136xf16>
}
func.func @f16_f16_130(%a0: tensor<130x256xf16> {mj.name = "a0"}, %a1: tensor<136x256xf16> {mj.name = "a1"}) -> (tensor<130x136xf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<130x256xf16>, tensor<136x256xf16> -> tensor<130x136xf16>
  return %v0 : tensor<130x136xf16>
}
func.func @f16_f16_300(%a0: tensor<300x256xf16> {mj.name = "a0"}, %a1: tensor<136x256xf16> {mj.name = "a1"}) -> (tensor<300x136xf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<300x256xf16>, tensor<136x256xf16> -> tensor<300x136xf16>
  return %v0 : tensor<300x136xf16>
}
func.func @bf16_f8E4M3FN_1(%a0: tensor<1x256xbf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<1x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 {transpose_b} : tensor<1x256xbf16>, tensor<136x256xf8E4M3FN> -> tensor<1x136xbf16>
  return %v1 : tensor<1x136xbf16>
}
func.func @bf16_f8E4M3FN_5(%a0: tensor<5x256xbf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<5x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 {transpose_b} : tensor<5x256xbf16>, tensor<136x256xf8E4M3FN> -> tensor<5x136xbf16>
  return %v1 : tensor<5x136xbf16>
}
func.func @bf16_f8E4M3FN_40(%a0: tensor<40x256xbf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<40x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 {transpose_b} : tensor<40x256xbf16>, tensor<136x256xf8E4M3FN> -> tensor<40x136xbf16>
  return %v1 : tensor<40x136xbf16>
}
func.func @bf16_f8E4M3FN_65(%a0: tensor<65x256xbf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<65x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 {transpose_b} : tensor<65x256xbf16>, tensor<136x256xf8E4M3FN> -> tensor<65x136xbf16>
  return %v1 : tensor<65x136xbf16>
}
func.func @bf16_f8E4M3FN_130(%a0: tensor<130x256xbf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<130x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 {transpose_b} : tensor<130x256xbf16>, tensor<136x256xf8E4M3FN> -> tensor<130x136xbf16>
  return %v1 : tensor<130x136xbf16>
}
func.func @bf16_f8E4M3FN_300(%a0: tensor<300x256xbf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<300x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 {transpose_b} : tensor<300x256xbf16>, tensor<136x256xf8E4M3FN> -> tensor<300x136xbf16>
  return %v1 : tensor<300x136xbf16>
}
func.func @f8E4M3FN_f8E4M3FN_1(%a0: tensor<1x256xbf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<1x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<1x256xbf16> -> tensor<1x256xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 {transpose_b, x_scale = 0.001428571 : f32} : tensor<1x256xf8E4M3FN>, tensor<136x256xf8E4M3FN> -> tensor<1x136xbf16>
  return %v2 : tensor<1x136xbf16>
}
func.func @f8E4M3FN_f8E4M3FN_5(%a0: tensor<5x256xbf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<5x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<5x256xbf16> -> tensor<5x256xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 {transpose_b, x_scale = 0.001428571 : f32} : tensor<5x256xf8E4M3FN>, tensor<136x256xf8E4M3FN> -> tensor<5x136xbf16>
  return %v2 : tensor<5x136xbf16>
}
func.func @f8E4M3FN_f8E4M3FN_40(%a0: tensor<40x256xbf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<40x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<40x256xbf16> -> tensor<40x256xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 {transpose_b, x_scale = 0.001428571 : f32} : tensor<40x256xf8E4M3FN>, tensor<136x256xf8E4M3FN> -> tensor<40x136xbf16>
  return %v2 : tensor<40x136xbf16>
}
func.func @f8E4M3FN_f8E4M3FN_65(%a0: tensor<65x256xbf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<65x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<65x256xbf16> -> tensor<65x256xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 {transpose_b, x_scale = 0.001428571 : f32} : tensor<65x256xf8E4M3FN>, tensor<136x256xf8E4M3FN> -> tensor<65x136xbf16>
  return %v2 : tensor<65x136xbf16>
}
func.func @f8E4M3FN_f8E4M3FN_130(%a0: tensor<130x256xbf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<130x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<130x256xbf16> -> tensor<130x256xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 {transpose_b, x_scale = 0.001428571 : f32} : tensor<130x256xf8E4M3FN>, tensor<136x256xf8E4M3FN> -> tensor<130x136xbf16>
  return %v2 : tensor<130x136xbf16>
}
func.func @f8E4M3FN_f8E4M3FN_300(%a0: tensor<300x256xbf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<300x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<300x256xbf16> -> tensor<300x256xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 {transpose_b, x_scale = 0.001428571 : f32} : tensor<300x256xf8E4M3FN>, tensor<136x256xf8E4M3FN> -> tensor<300x136xbf16>
  return %v2 : tensor<300x136xbf16>
}
func.func @f32_bf16_1(%a0: tensor<1x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<1x136xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<1x256xf32>, tensor<136x256xbf16> -> tensor<1x136xf32>
  return %v0 : tensor<1x136xf32>
}
func.func @f32_bf16_5(%a0: tensor<5x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<5x136xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<5x256xf32>, tensor<136x256xbf16> -> tensor<5x136xf32>
  return %v0 : tensor<5x136xf32>
}
func.func @f32_bf16_40(%a0: tensor<40x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<40x136xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<40x256xf32>, tensor<136x256xbf16> -> tensor<40x136xf32>
  return %v0 : tensor<40x136xf32>
}
func.func @f32_bf16_65(%a0: tensor<65x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<65x136xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<65x256xf32>, tensor<136x256xbf16> -> tensor<65x136xf32>
  return %v0 : tensor<65x136xf32>
}
func.func @f32_bf16_130(%a0: tensor<130x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<130x136xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<130x256xf32>, tensor<136x256xbf16> -> tensor<130x136xf32>
  return %v0 : tensor<130x136xf32>
}
func.func @f32_bf16_300(%a0: tensor<300x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<300x136xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<300x256xf32>, tensor<136x256xbf16> -> tensor<300x136xf32>
  return %v0 : tensor<300x136xf32>
}
func.func @f32_f8E4M3FN_1(%a0: tensor<1x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<1x136xf32>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 {transpose_b} : tensor<1x256xf32>, tensor<136x256xf8E4M3FN> -> tensor<1x136xf32>
  return %v1 : tensor<1x136xf32>
}
func.func @f32_f8E4M3FN_5(%a0: tensor<5x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<5x136xf32>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 {transpose_b} : tensor<5x256xf32>, tensor<136x256xf8E4M3FN> -> tensor<5x136xf32>
  return %v1 : tensor<5x136xf32>
}
func.func @f32_f8E4M3FN_40(%a0: tensor<40x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<40x136xf32>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 {transpose_b} : tensor<40x256xf32>, tensor<136x256xf8E4M3FN> -> tensor<40x136xf32>
  return %v1 : tensor<40x136xf32>
}
func.func @f32_f8E4M3FN_65(%a0: tensor<65x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<65x136xf32>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 {transpose_b} : tensor<65x256xf32>, tensor<136x256xf8E4M3FN> -> tensor<65x136xf32>
  return %v1 : tensor<65x136xf32>
}
func.func @f32_f8E4M3FN_130(%a0: tensor<130x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<130x136xf32>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 {transpose_b} : tensor<130x256xf32>, tensor<136x256xf8E4M3FN> -> tensor<130x136xf32>
  return %v1 : tensor<130x136xf32>
}
func.func @f32_f8E4M3FN_300(%a0: tensor<300x256xf32> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<300x136xf32>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x256xbf16> -> tensor<136x256xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 {transpose_b} : tensor<300x256xf32>, tensor<136x256xf8E4M3FN> -> tensor<300x136xf32>
  return %v1 : tensor<300x136xf32>
}
func.func @f16_bf16_1(%a0: tensor<1x256xf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<1x136xf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<1x256xf16>, tensor<136x256xbf16> -> tensor<1x136xf16>
  return %v0 : tensor<1x136xf16>
}
func.func @f16_bf16_5(%a0: tensor<5x256xf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<5x136xf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<5x256xf16>, tensor<136x256xbf16> -> tensor<5x136xf16>
  return %v0 : tensor<5x136xf16>
}
func.func @f16_bf16_40(%a0: tensor<40x256xf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<40x136xf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<40x256xf16>, tensor<136x256xbf16> -> tensor<40x136xf16>
  return %v0 : tensor<40x136xf16>
}
func.func @f16_bf16_65(%a0: tensor<65x256xf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<65x136xf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<65x256xf16>, tensor<136x256xbf16> -> tensor<65x136xf16>
  return %v0 : tensor<65x136xf16>
}
func.func @f16_bf16_130(%a0: tensor<130x256xf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<130x136xf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<130x256xf16>, tensor<136x256xbf16> -> tensor<130x136xf16>
  return %v0 : tensor<130x136xf16>
}
func.func @f16_bf16_300(%a0: tensor<300x256xf16> {mj.name = "a0"}, %a1: tensor<136x256xbf16> {mj.name = "a1"}) -> (tensor<300x136xf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {transpose_b} : tensor<300x256xf16>, tensor<136x256xbf16> -> tensor<300x136xf16>
  return %v0 : tensor<300x136xf16>
}
func.func @bf16_untransposed_m1n1k1(%a0: tensor<1x1xbf16> {mj.name = "a0"}, %a1: tensor<1x1xbf16> {mj.name = "a1"}) -> (tensor<1x1xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {} : tensor<1x1xbf16>, tensor<1x1xbf16> -> tensor<1x1xbf16>
  return %v0 : tensor<1x1xbf16>
}
func.func @f32_untransposed_m1n1k1(%a0: tensor<1x1xf32> {mj.name = "a0"}, %a1: tensor<1x1xf32> {mj.name = "a1"}) -> (tensor<1x1xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {} : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32>
  return %v0 : tensor<1x1xf32>
}
func.func @f8E4M3FN_untransposed_m1n1k1(%a0: tensor<1x1xbf16> {mj.name = "a0"}, %a1: tensor<1x1xbf16> {mj.name = "a1"}) -> (tensor<1x1xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<1x1xbf16> -> tensor<1x1xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<1x1xbf16> -> tensor<1x1xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 {x_scale = 0.001428571 : f32} : tensor<1x1xf8E4M3FN>, tensor<1x1xf8E4M3FN> -> tensor<1x1xbf16>
  return %v2 : tensor<1x1xbf16>
}
func.func @bf16_untransposed_m5n24k40(%a0: tensor<5x40xbf16> {mj.name = "a0"}, %a1: tensor<40x24xbf16> {mj.name = "a1"}) -> (tensor<5x24xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {} : tensor<5x40xbf16>, tensor<40x24xbf16> -> tensor<5x24xbf16>
  return %v0 : tensor<5x24xbf16>
}
func.func @f32_untransposed_m5n24k40(%a0: tensor<5x40xf32> {mj.name = "a0"}, %a1: tensor<40x24xf32> {mj.name = "a1"}) -> (tensor<5x24xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {} : tensor<5x40xf32>, tensor<40x24xf32> -> tensor<5x24xf32>
  return %v0 : tensor<5x24xf32>
}
func.func @f8E4M3FN_untransposed_m5n24k40(%a0: tensor<5x40xbf16> {mj.name = "a0"}, %a1: tensor<40x24xbf16> {mj.name = "a1"}) -> (tensor<5x24xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<5x40xbf16> -> tensor<5x40xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<40x24xbf16> -> tensor<40x24xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 {x_scale = 0.001428571 : f32} : tensor<5x40xf8E4M3FN>, tensor<40x24xf8E4M3FN> -> tensor<5x24xbf16>
  return %v2 : tensor<5x24xbf16>
}
func.func @bf16_untransposed_m300n24k40(%a0: tensor<300x40xbf16> {mj.name = "a0"}, %a1: tensor<40x24xbf16> {mj.name = "a1"}) -> (tensor<300x24xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {} : tensor<300x40xbf16>, tensor<40x24xbf16> -> tensor<300x24xbf16>
  return %v0 : tensor<300x24xbf16>
}
func.func @f32_untransposed_m300n24k40(%a0: tensor<300x40xf32> {mj.name = "a0"}, %a1: tensor<40x24xf32> {mj.name = "a1"}) -> (tensor<300x24xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {} : tensor<300x40xf32>, tensor<40x24xf32> -> tensor<300x24xf32>
  return %v0 : tensor<300x24xf32>
}
func.func @f8E4M3FN_untransposed_m300n24k40(%a0: tensor<300x40xbf16> {mj.name = "a0"}, %a1: tensor<40x24xbf16> {mj.name = "a1"}) -> (tensor<300x24xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<300x40xbf16> -> tensor<300x40xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<40x24xbf16> -> tensor<40x24xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 {x_scale = 0.001428571 : f32} : tensor<300x40xf8E4M3FN>, tensor<40x24xf8E4M3FN> -> tensor<300x24xbf16>
  return %v2 : tensor<300x24xbf16>
}
func.func @bf16_untransposed_m130n131k65(%a0: tensor<130x65xbf16> {mj.name = "a0"}, %a1: tensor<65x131xbf16> {mj.name = "a1"}) -> (tensor<130x131xbf16>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {} : tensor<130x65xbf16>, tensor<65x131xbf16> -> tensor<130x131xbf16>
  return %v0 : tensor<130x131xbf16>
}
func.func @f32_untransposed_m130n131k65(%a0: tensor<130x65xf32> {mj.name = "a0"}, %a1: tensor<65x131xf32> {mj.name = "a1"}) -> (tensor<130x131xf32>) attributes {mj.entry} {
  %v0 = mj.matmul %a0, %a1 {} : tensor<130x65xf32>, tensor<65x131xf32> -> tensor<130x131xf32>
  return %v0 : tensor<130x131xf32>
}
func.func @f8E4M3FN_untransposed_m130n131k65(%a0: tensor<130x65xbf16> {mj.name = "a0"}, %a1: tensor<65x131xbf16> {mj.name = "a1"}) -> (tensor<130x131xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<130x65xbf16> -> tensor<130x65xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<65x131xbf16> -> tensor<65x131xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 {x_scale = 0.001428571 : f32} : tensor<130x65xf8E4M3FN>, tensor<65x131xf8E4M3FN> -> tensor<130x131xbf16>
  return %v2 : tensor<130x131xbf16>
}
func.func @f8_m65n33k16(%a0: tensor<65x16xbf16> {mj.name = "a0"}, %a1: tensor<33x16xbf16> {mj.name = "a1"}, %a2: tensor<33xbf16> {mj.name = "a2"}, %a3: tensor<65x33xbf16> {mj.name = "a3"}) -> (tensor<65x33xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<65x16xbf16> -> tensor<65x16xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<33x16xbf16> -> tensor<33x16xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 {transpose_b, x_scale = 0.001428571 : f32} : tensor<65x16xf8E4M3FN>, tensor<33x16xf8E4M3FN> -> tensor<65x33xbf16>
  %v3 = mj.broadcast %a2 like %v2 : tensor<33xbf16>, tensor<65x33xbf16> -> tensor<65x33xbf16>
  %v4 = arith.addf %v2, %v3 : tensor<65x33xbf16>
  %v5 = arith.addf %v4, %a3 : tensor<65x33xbf16>
  return %v5 : tensor<65x33xbf16>
}
func.func @f8_m129n129k208(%a0: tensor<129x208xbf16> {mj.name = "a0"}, %a1: tensor<129x208xbf16> {mj.name = "a1"}, %a2: tensor<129xbf16> {mj.name = "a2"}, %a3: tensor<129x129xbf16> {mj.name = "a3"}) -> (tensor<129x129xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<129x208xbf16> -> tensor<129x208xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<129x208xbf16> -> tensor<129x208xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 {transpose_b, x_scale = 0.001428571 : f32} : tensor<129x208xf8E4M3FN>, tensor<129x208xf8E4M3FN> -> tensor<129x129xbf16>
  %v3 = mj.broadcast %a2 like %v2 : tensor<129xbf16>, tensor<129x129xbf16> -> tensor<129x129xbf16>
  %v4 = arith.addf %v2, %v3 : tensor<129x129xbf16>
  %v5 = arith.addf %v4, %a3 : tensor<129x129xbf16>
  return %v5 : tensor<129x129xbf16>
}
func.func @f8_m513n264k1040(%a0: tensor<513x1040xbf16> {mj.name = "a0"}, %a1: tensor<264x1040xbf16> {mj.name = "a1"}, %a2: tensor<264xbf16> {mj.name = "a2"}, %a3: tensor<513x264xbf16> {mj.name = "a3"}) -> (tensor<513x264xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<513x1040xbf16> -> tensor<513x1040xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<264x1040xbf16> -> tensor<264x1040xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 {transpose_b, x_scale = 0.001428571 : f32} : tensor<513x1040xf8E4M3FN>, tensor<264x1040xf8E4M3FN> -> tensor<513x264xbf16>
  %v3 = mj.broadcast %a2 like %v2 : tensor<264xbf16>, tensor<513x264xbf16> -> tensor<513x264xbf16>
  %v4 = arith.addf %v2, %v3 : tensor<513x264xbf16>
  %v5 = arith.addf %v4, %a3 : tensor<513x264xbf16>
  return %v5 : tensor<513x264xbf16>
}
func.func @f8_odd(%a0: tensor<130x40xbf16> {mj.name = "a0"}, %a1: tensor<72x40xbf16> {mj.name = "a1"}, %a2: tensor<72xbf16> {mj.name = "a2"}, %a3: tensor<130x72xbf16> {mj.name = "a3"}) -> (tensor<130x72xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<130x40xbf16> -> tensor<130x40xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<72x40xbf16> -> tensor<72x40xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 {transpose_b, x_scale = 0.001428571 : f32} : tensor<130x40xf8E4M3FN>, tensor<72x40xf8E4M3FN> -> tensor<130x72xbf16>
  %v3 = mj.broadcast %a2 like %v2 : tensor<72xbf16>, tensor<130x72xbf16> -> tensor<130x72xbf16>
  %v4 = arith.addf %v2, %v3 : tensor<130x72xbf16>
  %v5 = arith.addf %v4, %a3 : tensor<130x72xbf16>
  return %v5 : tensor<130x72xbf16>
}
func.func @f8_weights_odd(%a0: tensor<5x40xbf16> {mj.name = "a0"}, %a1: tensor<72x40xbf16> {mj.name = "a1"}, %a2: tensor<72xbf16> {mj.name = "a2"}, %a3: tensor<5x72xbf16> {mj.name = "a3"}) -> (tensor<5x72xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<72x40xbf16> -> tensor<72x40xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 {transpose_b} : tensor<5x40xbf16>, tensor<72x40xf8E4M3FN> -> tensor<5x72xbf16>
  %v2 = mj.broadcast %a2 like %v1 : tensor<72xbf16>, tensor<5x72xbf16> -> tensor<5x72xbf16>
  %v3 = arith.addf %v1, %v2 : tensor<5x72xbf16>
  %v4 = arith.addf %v3, %a3 : tensor<5x72xbf16>
  %v5 = math.tanh %v4 : tensor<5x72xbf16>
  return %v5 : tensor<5x72xbf16>
}
func.func @f8_scaled_m1n136k528(%a0: tensor<1x528xbf16> {mj.name = "a0"}, %a1: tensor<136x528xbf16> {mj.name = "a1"}, %a2: tensor<136xf32> {mj.name = "a2"}) -> (tensor<1x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x528xbf16> -> tensor<136x528xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<1x528xbf16>, tensor<136x528xf8E4M3FN>, tensor<136xf32> -> tensor<1x136xbf16>
  return %v1 : tensor<1x136xbf16>
}
func.func @f8_f8_scaled_m1n136k528(%a0: tensor<1x528xbf16> {mj.name = "a0"}, %a1: tensor<136x528xbf16> {mj.name = "a1"}, %a2: tensor<136xf32> {mj.name = "a2"}) -> (tensor<1x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<1x528xbf16> -> tensor<1x528xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<136x528xbf16> -> tensor<136x528xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 scaled by %a2 {transpose_b, x_scale = 0.001428571 : f32} : tensor<1x528xf8E4M3FN>, tensor<136x528xf8E4M3FN>, tensor<136xf32> -> tensor<1x136xbf16>
  return %v2 : tensor<1x136xbf16>
}
func.func @f8_scaled_m3n137k512(%a0: tensor<3x512xbf16> {mj.name = "a0"}, %a1: tensor<137x512xbf16> {mj.name = "a1"}, %a2: tensor<137xf32> {mj.name = "a2"}) -> (tensor<3x137xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<137x512xbf16> -> tensor<137x512xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<3x512xbf16>, tensor<137x512xf8E4M3FN>, tensor<137xf32> -> tensor<3x137xbf16>
  return %v1 : tensor<3x137xbf16>
}
func.func @f8_f8_scaled_m3n137k512(%a0: tensor<3x512xbf16> {mj.name = "a0"}, %a1: tensor<137x512xbf16> {mj.name = "a1"}, %a2: tensor<137xf32> {mj.name = "a2"}) -> (tensor<3x137xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<3x512xbf16> -> tensor<3x512xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<137x512xbf16> -> tensor<137x512xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 scaled by %a2 {transpose_b, x_scale = 0.001428571 : f32} : tensor<3x512xf8E4M3FN>, tensor<137x512xf8E4M3FN>, tensor<137xf32> -> tensor<3x137xbf16>
  return %v2 : tensor<3x137xbf16>
}
func.func @f8_scaled_m4n4096k1024(%a0: tensor<4x1024xbf16> {mj.name = "a0"}, %a1: tensor<4096x1024xbf16> {mj.name = "a1"}, %a2: tensor<4096xf32> {mj.name = "a2"}) -> (tensor<4x4096xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<4096x1024xbf16> -> tensor<4096x1024xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<4x1024xbf16>, tensor<4096x1024xf8E4M3FN>, tensor<4096xf32> -> tensor<4x4096xbf16>
  return %v1 : tensor<4x4096xbf16>
}
func.func @f8_f8_scaled_m4n4096k1024(%a0: tensor<4x1024xbf16> {mj.name = "a0"}, %a1: tensor<4096x1024xbf16> {mj.name = "a1"}, %a2: tensor<4096xf32> {mj.name = "a2"}) -> (tensor<4x4096xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<4x1024xbf16> -> tensor<4x1024xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<4096x1024xbf16> -> tensor<4096x1024xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 scaled by %a2 {transpose_b, x_scale = 0.001428571 : f32} : tensor<4x1024xf8E4M3FN>, tensor<4096x1024xf8E4M3FN>, tensor<4096xf32> -> tensor<4x4096xbf16>
  return %v2 : tensor<4x4096xbf16>
}
func.func @f8_scaled_m8n72k1040(%a0: tensor<8x1040xbf16> {mj.name = "a0"}, %a1: tensor<72x1040xbf16> {mj.name = "a1"}, %a2: tensor<72xf32> {mj.name = "a2"}) -> (tensor<8x72xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<72x1040xbf16> -> tensor<72x1040xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<8x1040xbf16>, tensor<72x1040xf8E4M3FN>, tensor<72xf32> -> tensor<8x72xbf16>
  return %v1 : tensor<8x72xbf16>
}
func.func @f8_f8_scaled_m8n72k1040(%a0: tensor<8x1040xbf16> {mj.name = "a0"}, %a1: tensor<72x1040xbf16> {mj.name = "a1"}, %a2: tensor<72xf32> {mj.name = "a2"}) -> (tensor<8x72xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<8x1040xbf16> -> tensor<8x1040xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<72x1040xbf16> -> tensor<72x1040xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 scaled by %a2 {transpose_b, x_scale = 0.001428571 : f32} : tensor<8x1040xf8E4M3FN>, tensor<72x1040xf8E4M3FN>, tensor<72xf32> -> tensor<8x72xbf16>
  return %v2 : tensor<8x72xbf16>
}
func.func @f8_scaled_m9n136k528(%a0: tensor<9x528xbf16> {mj.name = "a0"}, %a1: tensor<136x528xbf16> {mj.name = "a1"}, %a2: tensor<136xf32> {mj.name = "a2"}) -> (tensor<9x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x528xbf16> -> tensor<136x528xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<9x528xbf16>, tensor<136x528xf8E4M3FN>, tensor<136xf32> -> tensor<9x136xbf16>
  return %v1 : tensor<9x136xbf16>
}
func.func @f8_f8_scaled_m9n136k528(%a0: tensor<9x528xbf16> {mj.name = "a0"}, %a1: tensor<136x528xbf16> {mj.name = "a1"}, %a2: tensor<136xf32> {mj.name = "a2"}) -> (tensor<9x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<9x528xbf16> -> tensor<9x528xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<136x528xbf16> -> tensor<136x528xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 scaled by %a2 {transpose_b, x_scale = 0.001428571 : f32} : tensor<9x528xf8E4M3FN>, tensor<136x528xf8E4M3FN>, tensor<136xf32> -> tensor<9x136xbf16>
  return %v2 : tensor<9x136xbf16>
}
func.func @f8_scaled_m33n136k528(%a0: tensor<33x528xbf16> {mj.name = "a0"}, %a1: tensor<136x528xbf16> {mj.name = "a1"}, %a2: tensor<136xf32> {mj.name = "a2"}) -> (tensor<33x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<136x528xbf16> -> tensor<136x528xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<33x528xbf16>, tensor<136x528xf8E4M3FN>, tensor<136xf32> -> tensor<33x136xbf16>
  return %v1 : tensor<33x136xbf16>
}
func.func @f8_f8_scaled_m33n136k528(%a0: tensor<33x528xbf16> {mj.name = "a0"}, %a1: tensor<136x528xbf16> {mj.name = "a1"}, %a2: tensor<136xf32> {mj.name = "a2"}) -> (tensor<33x136xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a0 by 7.0 : tensor<33x528xbf16> -> tensor<33x528xf8E4M3FN>
  %v1 = mj.quantize %a1 by 100.0 : tensor<136x528xbf16> -> tensor<136x528xf8E4M3FN>
  %v2 = mj.matmul %v0, %v1 scaled by %a2 {transpose_b, x_scale = 0.001428571 : f32} : tensor<33x528xf8E4M3FN>, tensor<136x528xf8E4M3FN>, tensor<136xf32> -> tensor<33x136xbf16>
  return %v2 : tensor<33x136xbf16>
}
func.func @f8_streamed_m1n4096k4096(%a0: tensor<1x4096xbf16> {mj.name = "a0"}, %a1: tensor<4096x4096xbf16> {mj.name = "a1"}, %a2: tensor<4096xf32> {mj.name = "a2"}) -> (tensor<1x4096xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<4096x4096xbf16> -> tensor<4096x4096xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<1x4096xbf16>, tensor<4096x4096xf8E4M3FN>, tensor<4096xf32> -> tensor<1x4096xbf16>
  return %v1 : tensor<1x4096xbf16>
}
func.func @f8_streamed_m2n4094k4096(%a0: tensor<2x4096xbf16> {mj.name = "a0"}, %a1: tensor<4094x4096xbf16> {mj.name = "a1"}, %a2: tensor<4094xf32> {mj.name = "a2"}) -> (tensor<2x4094xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<4094x4096xbf16> -> tensor<4094x4096xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<2x4096xbf16>, tensor<4094x4096xf8E4M3FN>, tensor<4094xf32> -> tensor<2x4094xbf16>
  return %v1 : tensor<2x4094xbf16>
}
func.func @f8_streamed_m3n4096k4096(%a0: tensor<3x4096xbf16> {mj.name = "a0"}, %a1: tensor<4096x4096xbf16> {mj.name = "a1"}, %a2: tensor<4096xf32> {mj.name = "a2"}) -> (tensor<3x4096xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<4096x4096xbf16> -> tensor<4096x4096xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<3x4096xbf16>, tensor<4096x4096xf8E4M3FN>, tensor<4096xf32> -> tensor<3x4096xbf16>
  return %v1 : tensor<3x4096xbf16>
}
func.func @f8_streamed_m8n4090k4096(%a0: tensor<8x4096xbf16> {mj.name = "a0"}, %a1: tensor<4090x4096xbf16> {mj.name = "a1"}, %a2: tensor<4090xf32> {mj.name = "a2"}) -> (tensor<8x4090xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<4090x4096xbf16> -> tensor<4090x4096xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<8x4096xbf16>, tensor<4090x4096xf8E4M3FN>, tensor<4090xf32> -> tensor<8x4090xbf16>
  return %v1 : tensor<8x4090xbf16>
}
func.func @f8_streamed_m12n6144k4096(%a0: tensor<12x4096xbf16> {mj.name = "a0"}, %a1: tensor<6144x4096xbf16> {mj.name = "a1"}, %a2: tensor<6144xf32> {mj.name = "a2"}) -> (tensor<12x6144xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<6144x4096xbf16> -> tensor<6144x4096xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<12x4096xbf16>, tensor<6144x4096xf8E4M3FN>, tensor<6144xf32> -> tensor<12x6144xbf16>
  return %v1 : tensor<12x6144xbf16>
}
func.func @f8_streamed_m5n6139k4096(%a0: tensor<5x4096xbf16> {mj.name = "a0"}, %a1: tensor<6139x4096xbf16> {mj.name = "a1"}, %a2: tensor<6139xf32> {mj.name = "a2"}) -> (tensor<5x6139xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<6139x4096xbf16> -> tensor<6139x4096xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<5x4096xbf16>, tensor<6139x4096xf8E4M3FN>, tensor<6139xf32> -> tensor<5x6139xbf16>
  return %v1 : tensor<5x6139xbf16>
}
func.func @f8_streamed_m7n8190k8192(%a0: tensor<7x8192xbf16> {mj.name = "a0"}, %a1: tensor<8190x8192xbf16> {mj.name = "a1"}, %a2: tensor<8190xf32> {mj.name = "a2"}) -> (tensor<7x8190xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<8190x8192xbf16> -> tensor<8190x8192xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<7x8192xbf16>, tensor<8190x8192xf8E4M3FN>, tensor<8190xf32> -> tensor<7x8190xbf16>
  return %v1 : tensor<7x8190xbf16>
}
func.func @f8_streamed_m1n4096k12288(%a0: tensor<1x12288xbf16> {mj.name = "a0"}, %a1: tensor<4096x12288xbf16> {mj.name = "a1"}, %a2: tensor<4096xf32> {mj.name = "a2"}) -> (tensor<1x4096xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<4096x12288xbf16> -> tensor<4096x12288xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<1x12288xbf16>, tensor<4096x12288xf8E4M3FN>, tensor<4096xf32> -> tensor<1x4096xbf16>
  return %v1 : tensor<1x4096xbf16>
}
func.func @f8_streamed_m16n4094k12288(%a0: tensor<16x12288xbf16> {mj.name = "a0"}, %a1: tensor<4094x12288xbf16> {mj.name = "a1"}, %a2: tensor<4094xf32> {mj.name = "a2"}) -> (tensor<16x4094xbf16>) attributes {mj.entry} {
  %v0 = mj.quantize %a1 by 100.0 : tensor<4094x12288xbf16> -> tensor<4094x12288xf8E4M3FN>
  %v1 = mj.matmul %a0, %v0 scaled by %a2 {transpose_b} : tensor<16x12288xbf16>, tensor<4094x12288xf8E4M3FN>, tensor<4094xf32> -> tensor<16x4094xbf16>
  return %v1 : tensor<16x4094xbf16>
}
}
