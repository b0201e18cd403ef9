// Matmuls of many rows with what cuBLASLt's epilogues do; each entry is one call of it. Its kernels are compared with the
// host's oracle as our own are.
// gpu-check: options --precision=bf16 --libraries=cublaslt
// gpu-check: options --precision=f32 --libraries=cublaslt
// gpu-check: options --fp8=full --fp8-scales=tensor --libraries=cublaslt
module attributes {mj.phase = "input"} {
mj.weight @w : tensor<208x272xbf16> from "w"
mj.weight @b : tensor<208xbf16> from "b"
mj.weight @big : tensor<768x384xbf16> from "big"
mj.weight @down : tensor<384x768xbf16> from "down"
func.func @rows65(%x: tensor<65x272xbf16> {mj.name = "x"}) -> (tensor<65x208xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<208x272xbf16>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<65x272xbf16>, tensor<208x272xbf16> -> tensor<65x208xbf16>
  return %0 : tensor<65x208xbf16>
}
func.func @rows131(%x: tensor<131x272xbf16> {mj.name = "x"}) -> (tensor<131x208xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<208x272xbf16>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<131x272xbf16>, tensor<208x272xbf16> -> tensor<131x208xbf16>
  return %0 : tensor<131x208xbf16>
}
func.func @bias(%x: tensor<96x272xbf16> {mj.name = "x"}) -> (tensor<96x208xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<208x272xbf16>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<96x272xbf16>, tensor<208x272xbf16> -> tensor<96x208xbf16>
  %b = mj.get_weight @b : tensor<208xbf16>
  %1 = mj.broadcast %b like %0 : tensor<208xbf16>, tensor<96x208xbf16> -> tensor<96x208xbf16>
  %2 = arith.addf %0, %1 : tensor<96x208xbf16>
  return %2 : tensor<96x208xbf16>
}
func.func @residual(%x: tensor<96x272xbf16> {mj.name = "x"}, %r: tensor<96x208xbf16> {mj.name = "r"}) -> (tensor<96x208xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<208x272xbf16>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<96x272xbf16>, tensor<208x272xbf16> -> tensor<96x208xbf16>
  %1 = arith.addf %r, %0 : tensor<96x208xbf16>
  return %1 : tensor<96x208xbf16>
}
func.func @bias_residual(%x: tensor<130x272xbf16> {mj.name = "x"}, %r: tensor<130x208xbf16> {mj.name = "r"}) -> (tensor<130x208xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<208x272xbf16>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<130x272xbf16>, tensor<208x272xbf16> -> tensor<130x208xbf16>
  %b = mj.get_weight @b : tensor<208xbf16>
  %1 = mj.broadcast %b like %0 : tensor<208xbf16>, tensor<130x208xbf16> -> tensor<130x208xbf16>
  %2 = arith.addf %0, %1 : tensor<130x208xbf16>
  %3 = arith.addf %r, %2 : tensor<130x208xbf16>
  return %3 : tensor<130x208xbf16>
}
func.func @bias_relu(%x: tensor<96x272xbf16> {mj.name = "x"}) -> (tensor<96x208xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<208x272xbf16>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<96x272xbf16>, tensor<208x272xbf16> -> tensor<96x208xbf16>
  %b = mj.get_weight @b : tensor<208xbf16>
  %1 = mj.broadcast %b like %0 : tensor<208xbf16>, tensor<96x208xbf16> -> tensor<96x208xbf16>
  %2 = arith.addf %0, %1 : tensor<96x208xbf16>
  %3 = arith.constant dense<0.0> : tensor<96x208xbf16>
  %4 = arith.maximumf %2, %3 : tensor<96x208xbf16>
  return %4 : tensor<96x208xbf16>
}
func.func @gelu(%x: tensor<96x272xbf16> {mj.name = "x"}) -> (tensor<96x208xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<208x272xbf16>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<96x272xbf16>, tensor<208x272xbf16> -> tensor<96x208xbf16>
  %1 = arith.constant dense<0.044715> : tensor<96x208xbf16>
  %2 = arith.constant dense<0.797884583> : tensor<96x208xbf16>
  %3 = arith.constant dense<0.5> : tensor<96x208xbf16>
  %4 = arith.constant dense<1.0> : tensor<96x208xbf16>
  %5 = arith.mulf %0, %0 : tensor<96x208xbf16>
  %6 = arith.mulf %5, %0 : tensor<96x208xbf16>
  %7 = arith.mulf %6, %1 : tensor<96x208xbf16>
  %8 = arith.addf %0, %7 : tensor<96x208xbf16>
  %9 = arith.mulf %8, %2 : tensor<96x208xbf16>
  %10 = math.tanh %9 : tensor<96x208xbf16>
  %11 = arith.addf %10, %4 : tensor<96x208xbf16>
  %12 = arith.mulf %0, %3 : tensor<96x208xbf16>
  %13 = arith.mulf %12, %11 : tensor<96x208xbf16>
  return %13 : tensor<96x208xbf16>
}
func.func @bias_gelu(%x: tensor<257x272xbf16> {mj.name = "x"}) -> (tensor<257x208xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<208x272xbf16>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<257x272xbf16>, tensor<208x272xbf16> -> tensor<257x208xbf16>
  %b = mj.get_weight @b : tensor<208xbf16>
  %1 = mj.broadcast %b like %0 : tensor<208xbf16>, tensor<257x208xbf16> -> tensor<257x208xbf16>
  %2 = arith.addf %0, %1 : tensor<257x208xbf16>
  %3 = arith.constant dense<0.044715> : tensor<257x208xbf16>
  %4 = arith.constant dense<0.797884583> : tensor<257x208xbf16>
  %5 = arith.constant dense<0.5> : tensor<257x208xbf16>
  %6 = arith.constant dense<1.0> : tensor<257x208xbf16>
  %7 = arith.mulf %2, %2 : tensor<257x208xbf16>
  %8 = arith.mulf %7, %2 : tensor<257x208xbf16>
  %9 = arith.mulf %8, %3 : tensor<257x208xbf16>
  %10 = arith.addf %2, %9 : tensor<257x208xbf16>
  %11 = arith.mulf %10, %4 : tensor<257x208xbf16>
  %12 = math.tanh %11 : tensor<257x208xbf16>
  %13 = arith.addf %12, %6 : tensor<257x208xbf16>
  %14 = arith.mulf %2, %5 : tensor<257x208xbf16>
  %15 = arith.mulf %14, %13 : tensor<257x208xbf16>
  return %15 : tensor<257x208xbf16>
}
func.func @mlp_up(%x: tensor<512x384xbf16> {mj.name = "x"}) -> (tensor<512x768xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @big : tensor<768x384xbf16>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<512x384xbf16>, tensor<768x384xbf16> -> tensor<512x768xbf16>
  return %0 : tensor<512x768xbf16>
}
func.func @mlp_down(%x: tensor<512x768xbf16> {mj.name = "x"}, %r: tensor<512x384xbf16> {mj.name = "r"}) -> (tensor<512x384xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @down : tensor<384x768xbf16>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<512x768xbf16>, tensor<384x768xbf16> -> tensor<512x384xbf16>
  %1 = arith.addf %r, %0 : tensor<512x384xbf16>
  return %1 : tensor<512x384xbf16>
}
}
