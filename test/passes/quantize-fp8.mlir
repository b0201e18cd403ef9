// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --quantize-fp8="matmuls=full exclude=l1.*,*.o_proj.weight kv-cache" | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --quantize-fp8="matmuls=full exclude=l1.*,*.o_proj.weight kv-cache" --remarks-filter=quantize-fp8 --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --quantize-fp8="matmuls=weights weight-scales=tensor exclude=l1.*,*.o_proj.weight" | FileCheck %s --check-prefix=WEIGHTS

// Rows that two weights multiply are quantized once, with 448 / 64. The head, what is excluded by either name, and what
// multiplies no weight stay as they are.
mj.weight @l0.q_proj : tensor<8x4xbf16> from "model.layers.0.self_attn.q_proj.weight"
mj.weight @l0.k_proj : tensor<4x4xf32> from "model.layers.0.self_attn.k_proj.weight"
mj.weight @l0.o_proj : tensor<4x8xbf16> from "model.layers.0.self_attn.o_proj.weight"
mj.weight @l1.up_proj : tensor<8x4xbf16> from "model.layers.1.mlp.up_proj.weight"
mj.weight @head : tensor<16x4xbf16> from "lm_head.weight"

// CHECK: mj.prepare @kv_scales : tensor<2x2xf32>
// CHECK-NEXT: %[[ONES:.*]] = arith.constant dense<1.000000e+00> : tensor<2x2xf32>
// CHECK-NEXT: mj.yield %[[ONES]]

// CHECK-LABEL: func.func @step
// CHECK-SAME: %[[KV:[a-z0-9]+]]: !mj.kv<1 x 2 x 4 x f8E4M3FN>
// CHECK-SAME: !mj.kv<1 x 2 x 4 x f8E4M3FN>)
// CHECK: %[[N:.*]] = mj.norm
// CHECK-NEXT: %[[X:.*]] = mj.quantize %[[N]] by 7.000000e+00 : tensor<2x4xbf16> -> tensor<2x4xf8E4M3FN>
// CHECK-NEXT: %[[Q:.*]] = mj.get_weight @l0.q_proj : tensor<8x4xbf16>
// CHECK-NEXT: %[[QS:.*]] = mj.channel_scale %[[Q]] : tensor<8x4xbf16> -> tensor<8xf32>
// CHECK-NEXT: %[[QQ:.*]] = mj.quantize_channels %[[Q]] by %[[QS]] : tensor<8x4xbf16>, tensor<8xf32> -> tensor<8x4xf8E4M3FN>
// CHECK-NEXT: mj.matmul %[[X]], %[[QQ]] scaled by %[[QS]] {transpose_b, x_scale = 0.142857149 : f32} : tensor<2x4xf8E4M3FN>, tensor<8x4xf8E4M3FN>, tensor<8xf32> -> tensor<2x8xbf16>
// An f32 weight is not rounded to bf16 before.
// CHECK: %[[K:.*]] = mj.get_weight @l0.k_proj : tensor<4x4xf32>
// CHECK-NEXT: %[[KS:.*]] = mj.channel_scale %[[K]] : tensor<4x4xf32> -> tensor<4xf32>
// CHECK-NEXT: %[[KQ:.*]] = mj.quantize_channels %[[K]] by %[[KS]]
// CHECK-NEXT: mj.matmul %[[X]], %[[KQ]] scaled by %[[KS]] {transpose_b, x_scale = 0.142857149 : f32}
// CHECK: %[[S:.*]] = mj.get_weight @kv_scales : tensor<2x2xf32>
// CHECK: %[[KV1:.*]] = mj.kv_append %[[KV]][0], {{.*}} scaled by %[[S]] : <1 x 2 x 4 x f8E4M3FN>, tensor<2x2x4xbf16>
// CHECK: mj.attention %{{.*}}, %[[KV1]][0] over %{{.*}} scaled by %{{.*}} scale 5.000000e-01
// CHECK: mj.matmul %{{.*}}, %{{.*}} {transpose_b} : tensor<2x8xbf16>, tensor<4x8xbf16> -> tensor<2x4xbf16>
// CHECK: mj.matmul {{.*}} {transpose_b} : tensor<2x4xbf16>, tensor<8x4xbf16> -> tensor<2x8xbf16>
// CHECK: mj.matmul {{.*}} : tensor<2x8xbf16>, tensor<8x2xbf16> -> tensor<2x2xbf16>
// CHECK: mj.matmul {{.*}} {transpose_b} : tensor<2x4xbf16>, tensor<16x4xbf16> -> tensor<2x16xf32>

// WEIGHTS-LABEL: func.func @step
// WEIGHTS: %[[X:.*]] = mj.norm
// WEIGHTS: %[[Q:.*]] = mj.get_weight @l0.q_proj
// WEIGHTS: %[[QS:.*]] = mj.channel_scale %[[Q]] : tensor<8x4xbf16> -> tensor<1xf32>
// WEIGHTS: %[[QQ:.*]] = mj.quantize_channels
// WEIGHTS: mj.matmul %[[X]], %[[QQ]] scaled by %[[QS]] {transpose_b} : tensor<2x4xbf16>, tensor<8x4xf8E4M3FN>, tensor<1xf32> -> tensor<2x8xbf16>
// WEIGHTS: mj.kv_append %{{.*}} : <1 x 2 x 4 x bf16>

// REMARK: remark: [Passed] Matmul | Category:quantize-fp8 | Remark="matmul of @l0.q_proj (2 rows): f8E4M3FN weights, a scale a channel; rows in f8E4M3FN with amax 64: asked for"
// REMARK: remark: [Passed] Matmul | Category:quantize-fp8 | Remark="matmul of @l0.k_proj (2 rows): f8E4M3FN weights, a scale a channel; rows in f8E4M3FN with amax 64: asked for"
// REMARK: remark: [Missed] Matmul | Category:quantize-fp8 | Remark="matmul of @l0.o_proj (2 rows) keeps its precision: excluded by '*.o_proj.weight'"
// REMARK: remark: [Missed] Matmul | Category:quantize-fp8 | Remark="matmul of @l1.up_proj (2 rows) keeps its precision: excluded by 'l1.*'"
// REMARK: remark: [Missed] Matmul | Category:quantize-fp8 | Remark="matmul of a computed value (2 rows) keeps its precision: the right operand is no weight"
// REMARK: remark: [Missed] Matmul | Category:quantize-fp8 | Remark="matmul of @head (2 rows) keeps its precision: it makes the logits"
// REMARK: remark: [Passed] KvCache | Category:quantize-fp8 | Remark="@step: the KV cache is stored in f8E4M3FN, amax 448 for every head"
// REMARK: remark: [Analysis] Totals | Category:quantize-fp8 | Remark="2 weights of 96 bytes take 96 in f8E4M3FN; 2 matmuls multiply f8 by f8, 0 read f8 weights only; kept: @head (it makes the logits), @l0.o_proj (excluded by '*.o_proj.weight'), @l1.up_proj (excluded by 'l1.*'), a computed value (the right operand is no weight)"
func.func @step(%x: tensor<2x4xbf16>, %z: tensor<8x2xbf16>, %batch: !mj.batch<2 x 2 x 1>, %kv: !mj.kv<1 x 2 x 4 x bf16>,
                %sampling: !mj.sampling<2>) -> (tensor<2xi32>, tensor<2x2xbf16>, !mj.kv<1 x 2 x 4 x bf16>) attributes {mj.entry} {
  %n = mj.norm rms %x eps 1.0e-6 : tensor<2x4xbf16> -> tensor<2x4xbf16>
  %q = mj.get_weight @l0.q_proj : tensor<8x4xbf16>
  %0 = mj.matmul %n, %q {transpose_b} : tensor<2x4xbf16>, tensor<8x4xbf16> -> tensor<2x8xbf16>
  %k32 = mj.get_weight @l0.k_proj : tensor<4x4xf32>
  %k = arith.truncf %k32 : tensor<4x4xf32> to tensor<4x4xbf16>
  %1 = mj.matmul %n, %k {transpose_b} : tensor<2x4xbf16>, tensor<4x4xbf16> -> tensor<2x4xbf16>
  %2 = mj.reshape %0 : tensor<2x8xbf16> -> tensor<2x2x4xbf16>
  %kv1 = mj.kv_append %kv[0], %2, %2 at %batch : <1 x 2 x 4 x bf16>, tensor<2x2x4xbf16>, tensor<2x2x4xbf16>, <2 x 2 x 1> -> <1 x 2 x 4 x bf16>
  %3 = mj.attention %2, %kv1[0] over %batch scale 0.5 : tensor<2x2x4xbf16>, <1 x 2 x 4 x bf16>, <2 x 2 x 1> -> tensor<2x2x4xbf16>
  %4 = mj.reshape %3 : tensor<2x2x4xbf16> -> tensor<2x8xbf16>
  %o = mj.get_weight @l0.o_proj : tensor<4x8xbf16>
  %5 = mj.matmul %4, %o {transpose_b} : tensor<2x8xbf16>, tensor<4x8xbf16> -> tensor<2x4xbf16>
  %6 = arith.addf %5, %1 : tensor<2x4xbf16>
  %u = mj.get_weight @l1.up_proj : tensor<8x4xbf16>
  %7 = mj.matmul %6, %u {transpose_b} : tensor<2x4xbf16>, tensor<8x4xbf16> -> tensor<2x8xbf16>
  %8 = mj.matmul %7, %z : tensor<2x8xbf16>, tensor<8x2xbf16> -> tensor<2x2xbf16>
  %h = mj.get_weight @head : tensor<16x4xbf16>
  %9 = mj.matmul %6, %h {transpose_b} : tensor<2x4xbf16>, tensor<16x4xbf16> -> tensor<2x16xf32>
  %next = mj.sample %9 with %sampling at %batch : tensor<2x16xf32>, <2>, <2 x 2 x 1> -> tensor<2xi32>
  return %next, %8, %kv1 : tensor<2xi32>, tensor<2x2xbf16>, !mj.kv<1 x 2 x 4 x bf16>
}
