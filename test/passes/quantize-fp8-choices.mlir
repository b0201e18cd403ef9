// RUN: mjolnir-opt %s --verify-roundtrip --quantize-fp8="target=cuda:sm_90a" --remarks-filter=quantize-fp8 --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=H200
// RUN: mjolnir-opt %s --verify-roundtrip --quantize-fp8="include=l0.q* head" --remarks-filter=quantize-fp8 --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=HOST
// RUN: mjolnir-opt %s --verify-roundtrip --quantize-fp8="matmuls=full kv-cache calibration=%S/Inputs/fp8-calibration.json" | mjolnir-opt --verify-roundtrip | FileCheck %s --check-prefix=CALIBRATED
// RUN: mjolnir-opt %s --quantize-fp8="matmuls=full kv-cache calibration=%S/Inputs/fp8-calibration.json" --remarks-filter=quantize-fp8 --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=MEASURED
// RUN: mjolnir-opt %s --verify-roundtrip --quantize-fp8="target=cuda:sm_90a" --hoist-weight-computation | FileCheck %s --check-prefix=ONCE

// An H200 reads a weight of N x K bytes in the time in which it multiplies 989e12 / (2 * 4.27e12) = 115 rows in bf16: few
// rows read f8 weights, many multiply f8 by f8. The codes are the same and stored once.
// H200: matmul of @l0.q_proj (4 rows): f8E4M3FN weights, a scale a channel; rows as they are: sm_90a multiplies bf16 as fast as it reads weights up to 115 rows
// H200: matmul of @l0.q_proj (128 rows): f8E4M3FN weights, a scale a channel; rows in f8E4M3FN with amax 64: sm_90a multiplies bf16 as fast as it reads weights up to 115 rows
// H200: [Analysis] Totals {{.*}} Remark="2 weights of 64 bytes take 64 in f8E4M3FN; 2 matmuls multiply f8 by f8, 2 read f8 weights only"
// ONCE-COUNT-2: mj.quantize_channels
// ONCE-NOT: mj.quantize_channels

// A CPU without f8 reads them only. `include` leaves all others.
// HOST: matmul of @l0.q_proj (4 rows): f8E4M3FN weights, a scale a channel; rows as they are: {{.*}} does not multiply f8 faster
// HOST: matmul of @l0.k_proj (4 rows) keeps its precision: no include pattern is like it

// A calibration's numbers, by symbol and by the checkpoint's name: 448 / 16 and 448 / 8; scales of a layer are its amax / 448.
// CALIBRATED: mj.prepare @l0.kv_scales : tensor<2x2xf32>
// CALIBRATED-NEXT: arith.constant dense<{{\[\[}}1.000000e+00, 5.000000e-01], [2.500000e-01, 1.250000e-01]]>
// CALIBRATED: mj.prepare @l1.kv_scales : tensor<2x2xf32>
// CALIBRATED-NEXT: arith.constant dense<{{\[\[}}6.250000e-02, 3.125000e-02], [1.562500e-02, 7.812500e-03]]>
// CALIBRATED-LABEL: func.func @few
// CALIBRATED: mj.quantize %{{.*}} by 5.600000e+01
// CALIBRATED: mj.quantize %{{.*}} by 2.800000e+01
// CALIBRATED: x_scale = 0.0357142873 : f32
// CALIBRATED: x_scale = 0.0178571437 : f32
// MEASURED: matmul of @l0.q_proj (4 rows): f8E4M3FN weights, a scale a channel; rows in f8E4M3FN with amax 16 of the calibration: asked for
// MEASURED: @few: the KV cache is stored in f8E4M3FN, amax of each head from the calibration
mj.weight @l0.q_proj : tensor<4x4xbf16> from "model.layers.0.self_attn.q_proj.weight"
mj.weight @l0.k_proj : tensor<4x4xbf16> from "model.layers.0.self_attn.k_proj.weight"
func.func @few(%x: tensor<4x4xbf16>, %batch: !mj.batch<4 x 4 x 1>, %kv: !mj.kv<2 x 2 x 8 x bf16>, %r: tensor<4x2x8xbf16>)
    -> (tensor<4x4xbf16>, tensor<4x2x8xbf16>, !mj.kv<2 x 2 x 8 x bf16>) attributes {mj.entry} {
  %q = mj.get_weight @l0.q_proj : tensor<4x4xbf16>
  %0 = mj.matmul %x, %q {transpose_b} : tensor<4x4xbf16>, tensor<4x4xbf16> -> tensor<4x4xbf16>
  %k = mj.get_weight @l0.k_proj : tensor<4x4xbf16>
  %1 = mj.matmul %x, %k {transpose_b} : tensor<4x4xbf16>, tensor<4x4xbf16> -> tensor<4x4xbf16>
  %n = mj.norm rms %0 eps 0.0 : tensor<4x4xbf16> -> tensor<4x4xbf16>
  %m = mj.norm rms %1 eps 0.0 : tensor<4x4xbf16> -> tensor<4x4xbf16>
  %2 = arith.addf %n, %m : tensor<4x4xbf16>
  %kv1 = mj.kv_append %kv[0], %r, %r at %batch : <2 x 2 x 8 x bf16>, tensor<4x2x8xbf16>, tensor<4x2x8xbf16>, <4 x 4 x 1> -> <2 x 2 x 8 x bf16>
  %kv2 = mj.kv_append %kv1[1], %r, %r at %batch : <2 x 2 x 8 x bf16>, tensor<4x2x8xbf16>, tensor<4x2x8xbf16>, <4 x 4 x 1> -> <2 x 2 x 8 x bf16>
  %3 = mj.attention %r, %kv2[1] over %batch scale 0.5 : tensor<4x2x8xbf16>, <2 x 2 x 8 x bf16>, <4 x 4 x 1> -> tensor<4x2x8xbf16>
  return %2, %3, %kv2 : tensor<4x4xbf16>, tensor<4x2x8xbf16>, !mj.kv<2 x 2 x 8 x bf16>
}
func.func @many(%x: tensor<128x4xbf16>) -> tensor<128x4xbf16> attributes {mj.entry} {
  %q = mj.get_weight @l0.q_proj : tensor<4x4xbf16>
  %0 = mj.matmul %x, %q {transpose_b} : tensor<128x4xbf16>, tensor<4x4xbf16> -> tensor<128x4xbf16>
  %k = mj.get_weight @l0.k_proj : tensor<4x4xbf16>
  %1 = mj.matmul %x, %k {transpose_b} : tensor<128x4xbf16>, tensor<4x4xbf16> -> tensor<128x4xbf16>
  %2 = arith.addf %0, %1 : tensor<128x4xbf16>
  return %2 : tensor<128x4xbf16>
}
