// Written by generate.py: cases for the CUDA kernels of class sdpa.
// gpu-check: options --precision=bf16
// gpu-check: options --precision=f32
module attributes {mj.phase = "input"} {
func.func @one(%a0: tensor<1x1x8xbf16> {mj.name = "a0"}, %a1: tensor<1x1x8xbf16> {mj.name = "a1"}, %a2: tensor<1x1x8xbf16> {mj.name = "a2"}) -> (tensor<1x1x8xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.353553 : tensor<1x1x8xbf16>, [tensor<1x1x8xbf16>], [tensor<1x1x8xbf16>] -> tensor<1x1x8xbf16>
  return %v0 : tensor<1x1x8xbf16>
}
func.func @head64(%a0: tensor<33x4x64xbf16> {mj.name = "a0"}, %a1: tensor<65x2x64xbf16> {mj.name = "a1"}, %a2: tensor<65x2x64xbf16> {mj.name = "a2"}) -> (tensor<33x4x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<33x4x64xbf16>, [tensor<65x2x64xbf16>], [tensor<65x2x64xbf16>] -> tensor<33x4x64xbf16>
  return %v0 : tensor<33x4x64xbf16>
}
func.func @head64_causal(%a0: tensor<65x4x64xbf16> {mj.name = "a0"}, %a1: tensor<65x2x64xbf16> {mj.name = "a1"}, %a2: tensor<65x2x64xbf16> {mj.name = "a2"}) -> (tensor<65x4x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal : tensor<65x4x64xbf16>, [tensor<65x2x64xbf16>], [tensor<65x2x64xbf16>] -> tensor<65x4x64xbf16>
  return %v0 : tensor<65x4x64xbf16>
}
func.func @head80(%a0: tensor<33x4x80xbf16> {mj.name = "a0"}, %a1: tensor<65x2x80xbf16> {mj.name = "a1"}, %a2: tensor<65x2x80xbf16> {mj.name = "a2"}) -> (tensor<33x4x80xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.111803 : tensor<33x4x80xbf16>, [tensor<65x2x80xbf16>], [tensor<65x2x80xbf16>] -> tensor<33x4x80xbf16>
  return %v0 : tensor<33x4x80xbf16>
}
func.func @head80_causal(%a0: tensor<65x4x80xbf16> {mj.name = "a0"}, %a1: tensor<65x2x80xbf16> {mj.name = "a1"}, %a2: tensor<65x2x80xbf16> {mj.name = "a2"}) -> (tensor<65x4x80xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.111803 causal : tensor<65x4x80xbf16>, [tensor<65x2x80xbf16>], [tensor<65x2x80xbf16>] -> tensor<65x4x80xbf16>
  return %v0 : tensor<65x4x80xbf16>
}
func.func @head96(%a0: tensor<33x4x96xbf16> {mj.name = "a0"}, %a1: tensor<65x2x96xbf16> {mj.name = "a1"}, %a2: tensor<65x2x96xbf16> {mj.name = "a2"}) -> (tensor<33x4x96xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.102062 : tensor<33x4x96xbf16>, [tensor<65x2x96xbf16>], [tensor<65x2x96xbf16>] -> tensor<33x4x96xbf16>
  return %v0 : tensor<33x4x96xbf16>
}
func.func @head96_causal(%a0: tensor<65x4x96xbf16> {mj.name = "a0"}, %a1: tensor<65x2x96xbf16> {mj.name = "a1"}, %a2: tensor<65x2x96xbf16> {mj.name = "a2"}) -> (tensor<65x4x96xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.102062 causal : tensor<65x4x96xbf16>, [tensor<65x2x96xbf16>], [tensor<65x2x96xbf16>] -> tensor<65x4x96xbf16>
  return %v0 : tensor<65x4x96xbf16>
}
func.func @head128(%a0: tensor<33x4x128xbf16> {mj.name = "a0"}, %a1: tensor<65x2x128xbf16> {mj.name = "a1"}, %a2: tensor<65x2x128xbf16> {mj.name = "a2"}) -> (tensor<33x4x128xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.088388 : tensor<33x4x128xbf16>, [tensor<65x2x128xbf16>], [tensor<65x2x128xbf16>] -> tensor<33x4x128xbf16>
  return %v0 : tensor<33x4x128xbf16>
}
func.func @head128_causal(%a0: tensor<65x4x128xbf16> {mj.name = "a0"}, %a1: tensor<65x2x128xbf16> {mj.name = "a1"}, %a2: tensor<65x2x128xbf16> {mj.name = "a2"}) -> (tensor<65x4x128xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.088388 causal : tensor<65x4x128xbf16>, [tensor<65x2x128xbf16>], [tensor<65x2x128xbf16>] -> tensor<65x4x128xbf16>
  return %v0 : tensor<65x4x128xbf16>
}
func.func @head256(%a0: tensor<33x4x256xbf16> {mj.name = "a0"}, %a1: tensor<65x2x256xbf16> {mj.name = "a1"}, %a2: tensor<65x2x256xbf16> {mj.name = "a2"}) -> (tensor<33x4x256xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.062500 : tensor<33x4x256xbf16>, [tensor<65x2x256xbf16>], [tensor<65x2x256xbf16>] -> tensor<33x4x256xbf16>
  return %v0 : tensor<33x4x256xbf16>
}
func.func @head256_causal(%a0: tensor<65x4x256xbf16> {mj.name = "a0"}, %a1: tensor<65x2x256xbf16> {mj.name = "a1"}, %a2: tensor<65x2x256xbf16> {mj.name = "a2"}) -> (tensor<65x4x256xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.062500 causal : tensor<65x4x256xbf16>, [tensor<65x2x256xbf16>], [tensor<65x2x256xbf16>] -> tensor<65x4x256xbf16>
  return %v0 : tensor<65x4x256xbf16>
}
func.func @odd_head8(%a0: tensor<17x3x8xbf16> {mj.name = "a0"}, %a1: tensor<49x1x8xbf16> {mj.name = "a1"}, %a2: tensor<49x1x8xbf16> {mj.name = "a2"}) -> (tensor<17x3x8xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.353553 : tensor<17x3x8xbf16>, [tensor<49x1x8xbf16>], [tensor<49x1x8xbf16>] -> tensor<17x3x8xbf16>
  return %v0 : tensor<17x3x8xbf16>
}
func.func @odd_head24(%a0: tensor<17x3x24xbf16> {mj.name = "a0"}, %a1: tensor<49x1x24xbf16> {mj.name = "a1"}, %a2: tensor<49x1x24xbf16> {mj.name = "a2"}) -> (tensor<17x3x24xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.204124 : tensor<17x3x24xbf16>, [tensor<49x1x24xbf16>], [tensor<49x1x24xbf16>] -> tensor<17x3x24xbf16>
  return %v0 : tensor<17x3x24xbf16>
}
func.func @odd_head40(%a0: tensor<17x3x40xbf16> {mj.name = "a0"}, %a1: tensor<49x1x40xbf16> {mj.name = "a1"}, %a2: tensor<49x1x40xbf16> {mj.name = "a2"}) -> (tensor<17x3x40xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.158114 : tensor<17x3x40xbf16>, [tensor<49x1x40xbf16>], [tensor<49x1x40xbf16>] -> tensor<17x3x40xbf16>
  return %v0 : tensor<17x3x40xbf16>
}
func.func @odd_head72(%a0: tensor<17x3x72xbf16> {mj.name = "a0"}, %a1: tensor<49x1x72xbf16> {mj.name = "a1"}, %a2: tensor<49x1x72xbf16> {mj.name = "a2"}) -> (tensor<17x3x72xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.117851 : tensor<17x3x72xbf16>, [tensor<49x1x72xbf16>], [tensor<49x1x72xbf16>] -> tensor<17x3x72xbf16>
  return %v0 : tensor<17x3x72xbf16>
}
func.func @odd_head104(%a0: tensor<17x3x104xbf16> {mj.name = "a0"}, %a1: tensor<49x1x104xbf16> {mj.name = "a1"}, %a2: tensor<49x1x104xbf16> {mj.name = "a2"}) -> (tensor<17x3x104xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.098058 : tensor<17x3x104xbf16>, [tensor<49x1x104xbf16>], [tensor<49x1x104xbf16>] -> tensor<17x3x104xbf16>
  return %v0 : tensor<17x3x104xbf16>
}
func.func @odd_head136(%a0: tensor<17x3x136xbf16> {mj.name = "a0"}, %a1: tensor<49x1x136xbf16> {mj.name = "a1"}, %a2: tensor<49x1x136xbf16> {mj.name = "a2"}) -> (tensor<17x3x136xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.085749 : tensor<17x3x136xbf16>, [tensor<49x1x136xbf16>], [tensor<49x1x136xbf16>] -> tensor<17x3x136xbf16>
  return %v0 : tensor<17x3x136xbf16>
}
func.func @odd_head200(%a0: tensor<17x3x200xbf16> {mj.name = "a0"}, %a1: tensor<49x1x200xbf16> {mj.name = "a1"}, %a2: tensor<49x1x200xbf16> {mj.name = "a2"}) -> (tensor<17x3x200xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.070711 : tensor<17x3x200xbf16>, [tensor<49x1x200xbf16>], [tensor<49x1x200xbf16>] -> tensor<17x3x200xbf16>
  return %v0 : tensor<17x3x200xbf16>
}
func.func @wider_values(%a0: tensor<20x3x40xbf16> {mj.name = "a0"}, %a1: tensor<37x1x40xbf16> {mj.name = "a1"}, %a2: tensor<37x1x104xbf16> {mj.name = "a2"}) -> (tensor<20x3x104xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.158114 : tensor<20x3x40xbf16>, [tensor<37x1x40xbf16>], [tensor<37x1x104xbf16>] -> tensor<20x3x104xbf16>
  return %v0 : tensor<20x3x104xbf16>
}
func.func @wider_keys(%a0: tensor<20x3x104xbf16> {mj.name = "a0"}, %a1: tensor<37x1x104xbf16> {mj.name = "a1"}, %a2: tensor<37x1x40xbf16> {mj.name = "a2"}) -> (tensor<20x3x40xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.098058 : tensor<20x3x104xbf16>, [tensor<37x1x104xbf16>], [tensor<37x1x40xbf16>] -> tensor<20x3x40xbf16>
  return %v0 : tensor<20x3x40xbf16>
}
func.func @rows1(%a0: tensor<1x2x64xbf16> {mj.name = "a0"}, %a1: tensor<130x2x64xbf16> {mj.name = "a1"}, %a2: tensor<130x2x64xbf16> {mj.name = "a2"}) -> (tensor<1x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<1x2x64xbf16>, [tensor<130x2x64xbf16>], [tensor<130x2x64xbf16>] -> tensor<1x2x64xbf16>
  return %v0 : tensor<1x2x64xbf16>
}
func.func @rows15(%a0: tensor<15x2x64xbf16> {mj.name = "a0"}, %a1: tensor<130x2x64xbf16> {mj.name = "a1"}, %a2: tensor<130x2x64xbf16> {mj.name = "a2"}) -> (tensor<15x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<15x2x64xbf16>, [tensor<130x2x64xbf16>], [tensor<130x2x64xbf16>] -> tensor<15x2x64xbf16>
  return %v0 : tensor<15x2x64xbf16>
}
func.func @rows16(%a0: tensor<16x2x64xbf16> {mj.name = "a0"}, %a1: tensor<130x2x64xbf16> {mj.name = "a1"}, %a2: tensor<130x2x64xbf16> {mj.name = "a2"}) -> (tensor<16x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<16x2x64xbf16>, [tensor<130x2x64xbf16>], [tensor<130x2x64xbf16>] -> tensor<16x2x64xbf16>
  return %v0 : tensor<16x2x64xbf16>
}
func.func @rows17(%a0: tensor<17x2x64xbf16> {mj.name = "a0"}, %a1: tensor<130x2x64xbf16> {mj.name = "a1"}, %a2: tensor<130x2x64xbf16> {mj.name = "a2"}) -> (tensor<17x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<17x2x64xbf16>, [tensor<130x2x64xbf16>], [tensor<130x2x64xbf16>] -> tensor<17x2x64xbf16>
  return %v0 : tensor<17x2x64xbf16>
}
func.func @rows63(%a0: tensor<63x2x64xbf16> {mj.name = "a0"}, %a1: tensor<130x2x64xbf16> {mj.name = "a1"}, %a2: tensor<130x2x64xbf16> {mj.name = "a2"}) -> (tensor<63x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<63x2x64xbf16>, [tensor<130x2x64xbf16>], [tensor<130x2x64xbf16>] -> tensor<63x2x64xbf16>
  return %v0 : tensor<63x2x64xbf16>
}
func.func @rows64(%a0: tensor<64x2x64xbf16> {mj.name = "a0"}, %a1: tensor<130x2x64xbf16> {mj.name = "a1"}, %a2: tensor<130x2x64xbf16> {mj.name = "a2"}) -> (tensor<64x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<64x2x64xbf16>, [tensor<130x2x64xbf16>], [tensor<130x2x64xbf16>] -> tensor<64x2x64xbf16>
  return %v0 : tensor<64x2x64xbf16>
}
func.func @rows65(%a0: tensor<65x2x64xbf16> {mj.name = "a0"}, %a1: tensor<130x2x64xbf16> {mj.name = "a1"}, %a2: tensor<130x2x64xbf16> {mj.name = "a2"}) -> (tensor<65x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<65x2x64xbf16>, [tensor<130x2x64xbf16>], [tensor<130x2x64xbf16>] -> tensor<65x2x64xbf16>
  return %v0 : tensor<65x2x64xbf16>
}
func.func @rows129(%a0: tensor<129x2x64xbf16> {mj.name = "a0"}, %a1: tensor<130x2x64xbf16> {mj.name = "a1"}, %a2: tensor<130x2x64xbf16> {mj.name = "a2"}) -> (tensor<129x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<129x2x64xbf16>, [tensor<130x2x64xbf16>], [tensor<130x2x64xbf16>] -> tensor<129x2x64xbf16>
  return %v0 : tensor<129x2x64xbf16>
}
func.func @keys1(%a0: tensor<18x2x64xbf16> {mj.name = "a0"}, %a1: tensor<1x2x64xbf16> {mj.name = "a1"}, %a2: tensor<1x2x64xbf16> {mj.name = "a2"}) -> (tensor<18x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<18x2x64xbf16>, [tensor<1x2x64xbf16>], [tensor<1x2x64xbf16>] -> tensor<18x2x64xbf16>
  return %v0 : tensor<18x2x64xbf16>
}
func.func @keys15(%a0: tensor<18x2x64xbf16> {mj.name = "a0"}, %a1: tensor<15x2x64xbf16> {mj.name = "a1"}, %a2: tensor<15x2x64xbf16> {mj.name = "a2"}) -> (tensor<18x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<18x2x64xbf16>, [tensor<15x2x64xbf16>], [tensor<15x2x64xbf16>] -> tensor<18x2x64xbf16>
  return %v0 : tensor<18x2x64xbf16>
}
func.func @keys16(%a0: tensor<18x2x64xbf16> {mj.name = "a0"}, %a1: tensor<16x2x64xbf16> {mj.name = "a1"}, %a2: tensor<16x2x64xbf16> {mj.name = "a2"}) -> (tensor<18x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<18x2x64xbf16>, [tensor<16x2x64xbf16>], [tensor<16x2x64xbf16>] -> tensor<18x2x64xbf16>
  return %v0 : tensor<18x2x64xbf16>
}
func.func @keys17(%a0: tensor<18x2x64xbf16> {mj.name = "a0"}, %a1: tensor<17x2x64xbf16> {mj.name = "a1"}, %a2: tensor<17x2x64xbf16> {mj.name = "a2"}) -> (tensor<18x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<18x2x64xbf16>, [tensor<17x2x64xbf16>], [tensor<17x2x64xbf16>] -> tensor<18x2x64xbf16>
  return %v0 : tensor<18x2x64xbf16>
}
func.func @keys63(%a0: tensor<18x2x64xbf16> {mj.name = "a0"}, %a1: tensor<63x2x64xbf16> {mj.name = "a1"}, %a2: tensor<63x2x64xbf16> {mj.name = "a2"}) -> (tensor<18x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<18x2x64xbf16>, [tensor<63x2x64xbf16>], [tensor<63x2x64xbf16>] -> tensor<18x2x64xbf16>
  return %v0 : tensor<18x2x64xbf16>
}
func.func @keys64(%a0: tensor<18x2x64xbf16> {mj.name = "a0"}, %a1: tensor<64x2x64xbf16> {mj.name = "a1"}, %a2: tensor<64x2x64xbf16> {mj.name = "a2"}) -> (tensor<18x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<18x2x64xbf16>, [tensor<64x2x64xbf16>], [tensor<64x2x64xbf16>] -> tensor<18x2x64xbf16>
  return %v0 : tensor<18x2x64xbf16>
}
func.func @keys65(%a0: tensor<18x2x64xbf16> {mj.name = "a0"}, %a1: tensor<65x2x64xbf16> {mj.name = "a1"}, %a2: tensor<65x2x64xbf16> {mj.name = "a2"}) -> (tensor<18x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<18x2x64xbf16>, [tensor<65x2x64xbf16>], [tensor<65x2x64xbf16>] -> tensor<18x2x64xbf16>
  return %v0 : tensor<18x2x64xbf16>
}
func.func @keys127(%a0: tensor<18x2x64xbf16> {mj.name = "a0"}, %a1: tensor<127x2x64xbf16> {mj.name = "a1"}, %a2: tensor<127x2x64xbf16> {mj.name = "a2"}) -> (tensor<18x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<18x2x64xbf16>, [tensor<127x2x64xbf16>], [tensor<127x2x64xbf16>] -> tensor<18x2x64xbf16>
  return %v0 : tensor<18x2x64xbf16>
}
func.func @keys129(%a0: tensor<18x2x64xbf16> {mj.name = "a0"}, %a1: tensor<129x2x64xbf16> {mj.name = "a1"}, %a2: tensor<129x2x64xbf16> {mj.name = "a2"}) -> (tensor<18x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<18x2x64xbf16>, [tensor<129x2x64xbf16>], [tensor<129x2x64xbf16>] -> tensor<18x2x64xbf16>
  return %v0 : tensor<18x2x64xbf16>
}
func.func @group1(%a0: tensor<23x2x64xbf16> {mj.name = "a0"}, %a1: tensor<70x2x64xbf16> {mj.name = "a1"}, %a2: tensor<70x2x64xbf16> {mj.name = "a2"}) -> (tensor<23x2x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal : tensor<23x2x64xbf16>, [tensor<70x2x64xbf16>], [tensor<70x2x64xbf16>] -> tensor<23x2x64xbf16>
  return %v0 : tensor<23x2x64xbf16>
}
func.func @group2(%a0: tensor<23x4x64xbf16> {mj.name = "a0"}, %a1: tensor<70x2x64xbf16> {mj.name = "a1"}, %a2: tensor<70x2x64xbf16> {mj.name = "a2"}) -> (tensor<23x4x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal : tensor<23x4x64xbf16>, [tensor<70x2x64xbf16>], [tensor<70x2x64xbf16>] -> tensor<23x4x64xbf16>
  return %v0 : tensor<23x4x64xbf16>
}
func.func @group3(%a0: tensor<23x6x64xbf16> {mj.name = "a0"}, %a1: tensor<70x2x64xbf16> {mj.name = "a1"}, %a2: tensor<70x2x64xbf16> {mj.name = "a2"}) -> (tensor<23x6x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal : tensor<23x6x64xbf16>, [tensor<70x2x64xbf16>], [tensor<70x2x64xbf16>] -> tensor<23x6x64xbf16>
  return %v0 : tensor<23x6x64xbf16>
}
func.func @group4(%a0: tensor<23x8x64xbf16> {mj.name = "a0"}, %a1: tensor<70x2x64xbf16> {mj.name = "a1"}, %a2: tensor<70x2x64xbf16> {mj.name = "a2"}) -> (tensor<23x8x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal : tensor<23x8x64xbf16>, [tensor<70x2x64xbf16>], [tensor<70x2x64xbf16>] -> tensor<23x8x64xbf16>
  return %v0 : tensor<23x8x64xbf16>
}
func.func @group7(%a0: tensor<23x14x64xbf16> {mj.name = "a0"}, %a1: tensor<70x2x64xbf16> {mj.name = "a1"}, %a2: tensor<70x2x64xbf16> {mj.name = "a2"}) -> (tensor<23x14x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal : tensor<23x14x64xbf16>, [tensor<70x2x64xbf16>], [tensor<70x2x64xbf16>] -> tensor<23x14x64xbf16>
  return %v0 : tensor<23x14x64xbf16>
}
func.func @group16(%a0: tensor<23x32x64xbf16> {mj.name = "a0"}, %a1: tensor<70x2x64xbf16> {mj.name = "a1"}, %a2: tensor<70x2x64xbf16> {mj.name = "a2"}) -> (tensor<23x32x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal : tensor<23x32x64xbf16>, [tensor<70x2x64xbf16>], [tensor<70x2x64xbf16>] -> tensor<23x32x64xbf16>
  return %v0 : tensor<23x32x64xbf16>
}
func.func @tile128(%a0: tensor<140x66x64xbf16> {mj.name = "a0"}, %a1: tensor<100x66x64xbf16> {mj.name = "a1"}, %a2: tensor<100x66x16xbf16> {mj.name = "a2"}) -> (tensor<140x66x16xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<140x66x64xbf16>, [tensor<100x66x64xbf16>], [tensor<100x66x16xbf16>] -> tensor<140x66x16xbf16>
  return %v0 : tensor<140x66x16xbf16>
}
func.func @tile128_causal(%a0: tensor<140x66x64xbf16> {mj.name = "a0"}, %a1: tensor<140x66x64xbf16> {mj.name = "a1"}, %a2: tensor<140x66x16xbf16> {mj.name = "a2"}) -> (tensor<140x66x16xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal : tensor<140x66x64xbf16>, [tensor<140x66x64xbf16>], [tensor<140x66x16xbf16>] -> tensor<140x66x16xbf16>
  return %v0 : tensor<140x66x16xbf16>
}
func.func @tile64_causal(%a0: tensor<70x66x128xbf16> {mj.name = "a0"}, %a1: tensor<70x66x128xbf16> {mj.name = "a1"}, %a2: tensor<70x66x16xbf16> {mj.name = "a2"}) -> (tensor<70x66x16xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.088388 causal : tensor<70x66x128xbf16>, [tensor<70x66x128xbf16>], [tensor<70x66x16xbf16>] -> tensor<70x66x16xbf16>
  return %v0 : tensor<70x66x16xbf16>
}
func.func @tile64_256(%a0: tensor<70x66x16xbf16> {mj.name = "a0"}, %a1: tensor<67x66x16xbf16> {mj.name = "a1"}, %a2: tensor<67x66x256xbf16> {mj.name = "a2"}) -> (tensor<70x66x256xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.250000 : tensor<70x66x16xbf16>, [tensor<67x66x16xbf16>], [tensor<67x66x256xbf16>] -> tensor<70x66x256xbf16>
  return %v0 : tensor<70x66x256xbf16>
}
func.func @tile32_grouped(%a0: tensor<40x132x16xbf16> {mj.name = "a0"}, %a1: tensor<40x66x16xbf16> {mj.name = "a1"}, %a2: tensor<40x66x40xbf16> {mj.name = "a2"}) -> (tensor<40x132x40xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.250000 causal : tensor<40x132x16xbf16>, [tensor<40x66x16xbf16>], [tensor<40x66x40xbf16>] -> tensor<40x132x40xbf16>
  return %v0 : tensor<40x132x40xbf16>
}
func.func @tile32_mask(%a0: tensor<35x66x16xbf16> {mj.name = "a0"}, %a1: tensor<150x66x16xbf16> {mj.name = "a1"}, %a2: tensor<150x66x128xbf16> {mj.name = "a2"}, %a3: tensor<35x150xbf16> {mj.name = "a3"}) -> (tensor<35x66x128xbf16>) attributes {mj.entry} {
  %v0 = arith.constant dense<0.0> : tensor<35x150xbf16>
  %v1 = arith.cmpf ogt, %a3, %v0 : tensor<35x150xbf16>
  %v2 = mj.sdpa %a0 over [%a1], [%a2] mask %v1 scale 0.250000 : tensor<35x66x16xbf16>, [tensor<150x66x16xbf16>], [tensor<150x66x128xbf16>], tensor<35x150xi1> -> tensor<35x66x128xbf16>
  return %v2 : tensor<35x66x128xbf16>
}
func.func @window1(%a0: tensor<90x4x64xbf16> {mj.name = "a0"}, %a1: tensor<120x2x64xbf16> {mj.name = "a1"}, %a2: tensor<120x2x64xbf16> {mj.name = "a2"}) -> (tensor<90x4x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal window 1 : tensor<90x4x64xbf16>, [tensor<120x2x64xbf16>], [tensor<120x2x64xbf16>] -> tensor<90x4x64xbf16>
  return %v0 : tensor<90x4x64xbf16>
}
func.func @window16(%a0: tensor<90x4x64xbf16> {mj.name = "a0"}, %a1: tensor<120x2x64xbf16> {mj.name = "a1"}, %a2: tensor<120x2x64xbf16> {mj.name = "a2"}) -> (tensor<90x4x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal window 16 : tensor<90x4x64xbf16>, [tensor<120x2x64xbf16>], [tensor<120x2x64xbf16>] -> tensor<90x4x64xbf16>
  return %v0 : tensor<90x4x64xbf16>
}
func.func @window40(%a0: tensor<90x4x64xbf16> {mj.name = "a0"}, %a1: tensor<120x2x64xbf16> {mj.name = "a1"}, %a2: tensor<120x2x64xbf16> {mj.name = "a2"}) -> (tensor<90x4x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal window 40 : tensor<90x4x64xbf16>, [tensor<120x2x64xbf16>], [tensor<120x2x64xbf16>] -> tensor<90x4x64xbf16>
  return %v0 : tensor<90x4x64xbf16>
}
func.func @window64(%a0: tensor<90x4x64xbf16> {mj.name = "a0"}, %a1: tensor<120x2x64xbf16> {mj.name = "a1"}, %a2: tensor<120x2x64xbf16> {mj.name = "a2"}) -> (tensor<90x4x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal window 64 : tensor<90x4x64xbf16>, [tensor<120x2x64xbf16>], [tensor<120x2x64xbf16>] -> tensor<90x4x64xbf16>
  return %v0 : tensor<90x4x64xbf16>
}
func.func @window100(%a0: tensor<90x4x64xbf16> {mj.name = "a0"}, %a1: tensor<120x2x64xbf16> {mj.name = "a1"}, %a2: tensor<120x2x64xbf16> {mj.name = "a2"}) -> (tensor<90x4x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal window 100 : tensor<90x4x64xbf16>, [tensor<120x2x64xbf16>], [tensor<120x2x64xbf16>] -> tensor<90x4x64xbf16>
  return %v0 : tensor<90x4x64xbf16>
}
func.func @window_tile64(%a0: tensor<70x66x64xbf16> {mj.name = "a0"}, %a1: tensor<170x66x64xbf16> {mj.name = "a1"}, %a2: tensor<170x66x16xbf16> {mj.name = "a2"}) -> (tensor<70x66x16xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal window 66 : tensor<70x66x64xbf16>, [tensor<170x66x64xbf16>], [tensor<170x66x16xbf16>] -> tensor<70x66x16xbf16>
  return %v0 : tensor<70x66x16xbf16>
}
func.func @segments(%a0: tensor<44x8x128xbf16> {mj.name = "a0"}, %a1: tensor<200x8x128xbf16> {mj.name = "a1"}, %a2: tensor<200x8x128xbf16> {mj.name = "a2"}, %a3: tensor<44x8x128xbf16> {mj.name = "a3"}, %a4: tensor<44x8x128xbf16> {mj.name = "a4"}) -> (tensor<44x8x128xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1, %a3], [%a2, %a4] scale 0.088388 : tensor<44x8x128xbf16>, [tensor<200x8x128xbf16>, tensor<44x8x128xbf16>], [tensor<200x8x128xbf16>, tensor<44x8x128xbf16>] -> tensor<44x8x128xbf16>
  return %v0 : tensor<44x8x128xbf16>
}
func.func @segments3(%a0: tensor<6x4x64xbf16> {mj.name = "a0"}, %a1: tensor<1x2x64xbf16> {mj.name = "a1"}, %a2: tensor<1x2x64xbf16> {mj.name = "a2"}, %a3: tensor<63x2x64xbf16> {mj.name = "a3"}, %a4: tensor<63x2x64xbf16> {mj.name = "a4"}, %a5: tensor<66x2x64xbf16> {mj.name = "a5"}, %a6: tensor<66x2x64xbf16> {mj.name = "a6"}) -> (tensor<6x4x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1, %a3, %a5], [%a2, %a4, %a6] scale 0.125000 causal : tensor<6x4x64xbf16>, [tensor<1x2x64xbf16>, tensor<63x2x64xbf16>, tensor<66x2x64xbf16>], [tensor<1x2x64xbf16>, tensor<63x2x64xbf16>, tensor<66x2x64xbf16>] -> tensor<6x4x64xbf16>
  return %v0 : tensor<6x4x64xbf16>
}
func.func @more_keys_causal(%a0: tensor<9x4x64xbf16> {mj.name = "a0"}, %a1: tensor<100x2x64xbf16> {mj.name = "a1"}, %a2: tensor<100x2x64xbf16> {mj.name = "a2"}) -> (tensor<9x4x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal : tensor<9x4x64xbf16>, [tensor<100x2x64xbf16>], [tensor<100x2x64xbf16>] -> tensor<9x4x64xbf16>
  return %v0 : tensor<9x4x64xbf16>
}
func.func @fewer_keys_causal(%a0: tensor<40x4x64xbf16> {mj.name = "a0"}, %a1: tensor<9x2x64xbf16> {mj.name = "a1"}, %a2: tensor<9x2x64xbf16> {mj.name = "a2"}) -> (tensor<40x4x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 causal : tensor<40x4x64xbf16>, [tensor<9x2x64xbf16>], [tensor<9x2x64xbf16>] -> tensor<40x4x64xbf16>
  return %v0 : tensor<40x4x64xbf16>
}
func.func @mask_float(%a0: tensor<37x4x64xbf16> {mj.name = "a0"}, %a1: tensor<70x2x64xbf16> {mj.name = "a1"}, %a2: tensor<70x2x64xbf16> {mj.name = "a2"}, %a3: tensor<37x70xbf16> {mj.name = "a3"}) -> (tensor<37x4x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] mask %a3 scale 0.125000 : tensor<37x4x64xbf16>, [tensor<70x2x64xbf16>], [tensor<70x2x64xbf16>], tensor<37x70xbf16> -> tensor<37x4x64xbf16>
  return %v0 : tensor<37x4x64xbf16>
}
func.func @mask_head_float(%a0: tensor<37x4x64xbf16> {mj.name = "a0"}, %a1: tensor<70x2x64xbf16> {mj.name = "a1"}, %a2: tensor<70x2x64xbf16> {mj.name = "a2"}, %a3: tensor<4x37x70xbf16> {mj.name = "a3"}) -> (tensor<37x4x64xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] mask %a3 scale 0.125000 : tensor<37x4x64xbf16>, [tensor<70x2x64xbf16>], [tensor<70x2x64xbf16>], tensor<4x37x70xbf16> -> tensor<37x4x64xbf16>
  return %v0 : tensor<37x4x64xbf16>
}
func.func @mask_bool(%a0: tensor<37x4x64xbf16> {mj.name = "a0"}, %a1: tensor<70x2x64xbf16> {mj.name = "a1"}, %a2: tensor<70x2x64xbf16> {mj.name = "a2"}, %a3: tensor<37x70xbf16> {mj.name = "a3"}) -> (tensor<37x4x64xbf16>) attributes {mj.entry} {
  %v0 = arith.constant dense<0.0> : tensor<37x70xbf16>
  %v1 = arith.cmpf ogt, %a3, %v0 : tensor<37x70xbf16>
  %v2 = mj.sdpa %a0 over [%a1], [%a2] mask %v1 scale 0.125000 : tensor<37x4x64xbf16>, [tensor<70x2x64xbf16>], [tensor<70x2x64xbf16>], tensor<37x70xi1> -> tensor<37x4x64xbf16>
  return %v2 : tensor<37x4x64xbf16>
}
func.func @mask_head_bool(%a0: tensor<37x4x64xbf16> {mj.name = "a0"}, %a1: tensor<70x2x64xbf16> {mj.name = "a1"}, %a2: tensor<70x2x64xbf16> {mj.name = "a2"}, %a3: tensor<4x37x70xbf16> {mj.name = "a3"}) -> (tensor<37x4x64xbf16>) attributes {mj.entry} {
  %v0 = arith.constant dense<0.0> : tensor<4x37x70xbf16>
  %v1 = arith.cmpf ogt, %a3, %v0 : tensor<4x37x70xbf16>
  %v2 = mj.sdpa %a0 over [%a1], [%a2] mask %v1 scale 0.125000 : tensor<37x4x64xbf16>, [tensor<70x2x64xbf16>], [tensor<70x2x64xbf16>], tensor<4x37x70xi1> -> tensor<37x4x64xbf16>
  return %v2 : tensor<37x4x64xbf16>
}
func.func @mask_lowest(%a0: tensor<37x4x64xbf16> {mj.name = "a0"}, %a1: tensor<70x2x64xbf16> {mj.name = "a1"}, %a2: tensor<70x2x64xbf16> {mj.name = "a2"}, %a3: tensor<37x70xbf16> {mj.name = "a3"}) -> (tensor<37x4x64xbf16>) attributes {mj.entry} {
  %v0 = arith.constant dense<0.0> : tensor<37x70xbf16>
  %v1 = arith.constant dense<-3.38953139e38> : tensor<37x70xbf16>
  %v2 = arith.cmpf ogt, %a3, %v0 : tensor<37x70xbf16>
  %v3 = arith.select %v2, %v1, %v0 : tensor<37x70xi1>, tensor<37x70xbf16>
  %v4 = mj.sdpa %a0 over [%a1], [%a2] mask %v3 scale 0.125000 : tensor<37x4x64xbf16>, [tensor<70x2x64xbf16>], [tensor<70x2x64xbf16>], tensor<37x70xbf16> -> tensor<37x4x64xbf16>
  return %v4 : tensor<37x4x64xbf16>
}
func.func @mask_head_lowest(%a0: tensor<37x4x64xbf16> {mj.name = "a0"}, %a1: tensor<70x2x64xbf16> {mj.name = "a1"}, %a2: tensor<70x2x64xbf16> {mj.name = "a2"}, %a3: tensor<4x37x70xbf16> {mj.name = "a3"}) -> (tensor<37x4x64xbf16>) attributes {mj.entry} {
  %v0 = arith.constant dense<0.0> : tensor<4x37x70xbf16>
  %v1 = arith.constant dense<-3.38953139e38> : tensor<4x37x70xbf16>
  %v2 = arith.cmpf ogt, %a3, %v0 : tensor<4x37x70xbf16>
  %v3 = arith.select %v2, %v1, %v0 : tensor<4x37x70xi1>, tensor<4x37x70xbf16>
  %v4 = mj.sdpa %a0 over [%a1], [%a2] mask %v3 scale 0.125000 : tensor<37x4x64xbf16>, [tensor<70x2x64xbf16>], [tensor<70x2x64xbf16>], tensor<4x37x70xbf16> -> tensor<37x4x64xbf16>
  return %v4 : tensor<37x4x64xbf16>
}
func.func @mask_bool_causal(%a0: tensor<70x3x128xbf16> {mj.name = "a0"}, %a1: tensor<35x1x128xbf16> {mj.name = "a1"}, %a2: tensor<35x1x128xbf16> {mj.name = "a2"}, %a3: tensor<35x1x128xbf16> {mj.name = "a3"}, %a4: tensor<35x1x128xbf16> {mj.name = "a4"}, %a5: tensor<70x70xbf16> {mj.name = "a5"}) -> (tensor<70x3x128xbf16>) attributes {mj.entry} {
  %v0 = arith.constant dense<0.0> : tensor<70x70xbf16>
  %v1 = arith.cmpf ogt, %a5, %v0 : tensor<70x70xbf16>
  %v2 = mj.sdpa %a0 over [%a1, %a3], [%a2, %a4] mask %v1 scale 0.088388 causal : tensor<70x3x128xbf16>, [tensor<35x1x128xbf16>, tensor<35x1x128xbf16>], [tensor<35x1x128xbf16>, tensor<35x1x128xbf16>], tensor<70x70xi1> -> tensor<70x3x128xbf16>
  return %v2 : tensor<70x3x128xbf16>
}
func.func @mask_float_causal(%a0: tensor<100x4x128xbf16> {mj.name = "a0"}, %a1: tensor<100x4x128xbf16> {mj.name = "a1"}, %a2: tensor<100x4x128xbf16> {mj.name = "a2"}, %a3: tensor<100x100xbf16> {mj.name = "a3"}) -> (tensor<100x4x128xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] mask %a3 scale 0.088388 causal : tensor<100x4x128xbf16>, [tensor<100x4x128xbf16>], [tensor<100x4x128xbf16>], tensor<100x100xbf16> -> tensor<100x4x128xbf16>
  return %v0 : tensor<100x4x128xbf16>
}
func.func @f16_plain(%a0: tensor<33x4x64xf16> {mj.name = "a0"}, %a1: tensor<65x2x64xf16> {mj.name = "a1"}, %a2: tensor<65x2x64xf16> {mj.name = "a2"}) -> (tensor<33x4x64xf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<33x4x64xf16>, [tensor<65x2x64xf16>], [tensor<65x2x64xf16>] -> tensor<33x4x64xf16>
  return %v0 : tensor<33x4x64xf16>
}
func.func @f16_causal(%a0: tensor<33x6x96xf16> {mj.name = "a0"}, %a1: tensor<20x2x96xf16> {mj.name = "a1"}, %a2: tensor<20x2x96xf16> {mj.name = "a2"}, %a3: tensor<33x2x96xf16> {mj.name = "a3"}, %a4: tensor<33x2x96xf16> {mj.name = "a4"}) -> (tensor<33x6x96xf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1, %a3], [%a2, %a4] scale 0.102062 causal : tensor<33x6x96xf16>, [tensor<20x2x96xf16>, tensor<33x2x96xf16>], [tensor<20x2x96xf16>, tensor<33x2x96xf16>] -> tensor<33x6x96xf16>
  return %v0 : tensor<33x6x96xf16>
}
func.func @f16_mask(%a0: tensor<9x4x128xf16> {mj.name = "a0"}, %a1: tensor<65x4x128xf16> {mj.name = "a1"}, %a2: tensor<65x4x128xf16> {mj.name = "a2"}, %a3: tensor<9x65xbf16> {mj.name = "a3"}) -> (tensor<9x4x128xf16>) attributes {mj.entry} {
  %v0 = arith.constant dense<0.0> : tensor<9x65xbf16>
  %v1 = arith.cmpf ogt, %a3, %v0 : tensor<9x65xbf16>
  %v2 = mj.sdpa %a0 over [%a1], [%a2] mask %v1 scale 0.088388 : tensor<9x4x128xf16>, [tensor<65x4x128xf16>], [tensor<65x4x128xf16>], tensor<9x65xi1> -> tensor<9x4x128xf16>
  return %v2 : tensor<9x4x128xf16>
}
func.func @f32_plain(%a0: tensor<33x4x64xf32> {mj.name = "a0"}, %a1: tensor<65x2x64xf32> {mj.name = "a1"}, %a2: tensor<65x2x64xf32> {mj.name = "a2"}) -> (tensor<33x4x64xf32>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.125000 : tensor<33x4x64xf32>, [tensor<65x2x64xf32>], [tensor<65x2x64xf32>] -> tensor<33x4x64xf32>
  return %v0 : tensor<33x4x64xf32>
}
func.func @f32_causal(%a0: tensor<33x6x96xf32> {mj.name = "a0"}, %a1: tensor<20x2x96xf32> {mj.name = "a1"}, %a2: tensor<20x2x96xf32> {mj.name = "a2"}, %a3: tensor<33x2x96xf32> {mj.name = "a3"}, %a4: tensor<33x2x96xf32> {mj.name = "a4"}) -> (tensor<33x6x96xf32>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1, %a3], [%a2, %a4] scale 0.102062 causal : tensor<33x6x96xf32>, [tensor<20x2x96xf32>, tensor<33x2x96xf32>], [tensor<20x2x96xf32>, tensor<33x2x96xf32>] -> tensor<33x6x96xf32>
  return %v0 : tensor<33x6x96xf32>
}
func.func @f32_mask(%a0: tensor<9x4x128xf32> {mj.name = "a0"}, %a1: tensor<65x4x128xf32> {mj.name = "a1"}, %a2: tensor<65x4x128xf32> {mj.name = "a2"}, %a3: tensor<9x65xf32> {mj.name = "a3"}) -> (tensor<9x4x128xf32>) attributes {mj.entry} {
  %v0 = arith.constant dense<0.0> : tensor<9x65xf32>
  %v1 = arith.cmpf ogt, %a3, %v0 : tensor<9x65xf32>
  %v2 = mj.sdpa %a0 over [%a1], [%a2] mask %v1 scale 0.088388 : tensor<9x4x128xf32>, [tensor<65x4x128xf32>], [tensor<65x4x128xf32>], tensor<9x65xi1> -> tensor<9x4x128xf32>
  return %v2 : tensor<9x4x128xf32>
}
func.func @no_multiple_of_8(%a0: tensor<7x2x9xbf16> {mj.name = "a0"}, %a1: tensor<31x1x9xbf16> {mj.name = "a1"}, %a2: tensor<31x1x7xbf16> {mj.name = "a2"}) -> (tensor<7x2x7xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.333333 : tensor<7x2x9xbf16>, [tensor<31x1x9xbf16>], [tensor<31x1x7xbf16>] -> tensor<7x2x7xbf16>
  return %v0 : tensor<7x2x7xbf16>
}
func.func @wide_heads(%a0: tensor<5x2x320xbf16> {mj.name = "a0"}, %a1: tensor<40x1x320xbf16> {mj.name = "a1"}, %a2: tensor<40x1x320xbf16> {mj.name = "a2"}) -> (tensor<5x2x320xbf16>) attributes {mj.entry} {
  %v0 = mj.sdpa %a0 over [%a1], [%a2] scale 0.055902 : tensor<5x2x320xbf16>, [tensor<40x1x320xbf16>], [tensor<40x1x320xbf16>] -> tensor<5x2x320xbf16>
  return %v0 : tensor<5x2x320xbf16>
}
}
