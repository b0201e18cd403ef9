// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --specialize-buckets="decode=1,4 prefill=8 max-batch=4 page-size=16 max-context=100" | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --specialize-buckets="decode=1,4 prefill=8 max-batch=4 page-size=16 max-context=100" --remarks-filter=specialize-buckets --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// A hundred tokens are 7 pages of 16. The module states what the entries hold.
// CHECK: module attributes {mj.model = {architecture = "Toy", max_context = 100 : i64}, mj.page_size = 16 : i64}
// CHECK-NOT: @step
// CHECK: func.func @decode_b1(%[[BATCH:.*]]: !mj.batch<1 x 1 x 7> {mj.name = "batch"}, %[[KV:.*]]: !mj.kv<1 x 1 x 4 x f32>, %[[SAMPLING:.*]]: !mj.sampling<1>)
// CHECK-SAME: -> (tensor<1xi32> {mj.name = "next_tokens"}, tensor<1x8xf32>, !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry}
// CHECK: mj.batch_field %[[BATCH]][tokens] : <1 x 1 x 7>

// Rows follow the tokens (T = 8), what follows the logit rows the sequences (B = 4).
// CHECK: func.func @decode_b4(%{{.*}}: !mj.batch<4 x 4 x 7>
// CHECK: func.func @prefill_t8(%[[BATCH:.*]]: !mj.batch<8 x 4 x 7> {mj.name = "batch"}, %[[KV:.*]]: !mj.kv<1 x 1 x 4 x f32>, %[[SAMPLING:.*]]: !mj.sampling<4>)
// CHECK-SAME: -> (tensor<4xi32> {mj.name = "next_tokens"}, tensor<4x8xf32>, !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry}
// CHECK-DAG: %[[TOKENS:.*]] = mj.batch_field %[[BATCH]][tokens] : <8 x 4 x 7>
// CHECK-DAG: %[[POSITIONS:.*]] = mj.batch_field %[[BATCH]][positions] : <8 x 4 x 7>
// CHECK-DAG: %[[ROWS:.*]] = mj.batch_field %[[BATCH]][logit_rows] : <8 x 4 x 7>
// CHECK: %[[X:.*]] = mj.gather %{{.*}}[%[[TOKENS]]] : tensor<8x4xf32>, tensor<8xi32> -> tensor<8x4xf32>
// CHECK: %[[B:.*]] = mj.broadcast %{{.*}} like %[[X]] : tensor<f32>, tensor<8x4xf32> -> tensor<8x4xf32>
// CHECK: %[[Y:.*]] = arith.addf %[[X]], %[[B]] : tensor<8x4xf32>
// CHECK: %[[H:.*]] = mj.reshape %[[Y]] : tensor<8x4xf32> -> tensor<8x1x4xf32>
// CHECK: %[[R:.*]] = mj.rope half %[[H]] at %[[POSITIONS]], %{{.*}} : tensor<8x1x4xf32>, tensor<8xi32>, tensor<100x2x2xf32> -> tensor<8x1x4xf32>
// CHECK: %[[KV1:.*]] = mj.kv_append %[[KV]][0], %[[R]], %[[H]] at %[[BATCH]] : <1 x 1 x 4 x f32>, tensor<8x1x4xf32>, tensor<8x1x4xf32>, <8 x 4 x 7> -> <1 x 1 x 4 x f32>
// CHECK: %[[A:.*]] = mj.attention %[[R]], %[[KV1]][0] over %[[BATCH]] scale 5.000000e-01 : tensor<8x1x4xf32>, <1 x 1 x 4 x f32>, <8 x 4 x 7> -> tensor<8x1x4xf32>
// CHECK: %[[F:.*]] = mj.reshape %[[A]] : tensor<8x1x4xf32> -> tensor<8x4xf32>
// CHECK: %[[L:.*]] = mj.gather %[[F]][%[[ROWS]]] : tensor<8x4xf32>, tensor<4xi32> -> tensor<4x4xf32>
// CHECK: %[[N:.*]] = mj.norm rms %[[L]] eps 9.99999997E-7 : tensor<4x4xf32> -> tensor<4x4xf32>
// CHECK: %[[LOGITS:.*]] = mj.matmul %[[N]], %{{.*}} {transpose_b} : tensor<4x4xf32>, tensor<8x4xf32> -> tensor<4x8xf32>
// CHECK: %[[NEXT:.*]] = mj.sample %[[LOGITS]] with %[[SAMPLING]] at %[[BATCH]] : tensor<4x8xf32>, <4>, <8 x 4 x 7> -> tensor<4xi32>
// CHECK: return %[[NEXT]], %[[LOGITS]], %[[KV1]]

// REMARK: remark: [Passed] Bucket | Category:specialize-buckets | Remark="made @decode_b1 of @step: 1 token rows, 1 sequences, 7 pages a sequence"
// REMARK: made @decode_b4 of @step: 4 token rows, 4 sequences, 7 pages a sequence
// REMARK: made @prefill_t8 of @step: 8 token rows, 4 sequences, 7 pages a sequence
module attributes {mj.model = {architecture = "Toy", max_context = 256 : i64}} {
mj.weight @embed : tensor<8x4xf32> from "embed"
func.func @step(%batch: !mj.batch<? x ? x ?> {mj.name = "batch"}, %kv: !mj.kv<1 x 1 x 4 x f32>, %sampling: !mj.sampling<?>)
    -> (tensor<?xi32> {mj.name = "next_tokens"}, tensor<?x8xf32>, !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry} {
  %table = mj.rope_table theta 1.0e4 : tensor<100x2x2xf32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %embed = mj.get_weight @embed : tensor<8x4xf32>
  %tokens = mj.batch_field %batch[tokens] : <? x ? x ?>
  %positions = mj.batch_field %batch[positions] : <? x ? x ?>
  %rows = mj.batch_field %batch[logit_rows] : <? x ? x ?>
  %x = mj.gather %embed[%tokens] : tensor<8x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  %b = mj.broadcast %one like %x : tensor<f32>, tensor<?x4xf32> -> tensor<?x4xf32>
  %y = arith.addf %x, %b : tensor<?x4xf32>
  %h = mj.reshape %y : tensor<?x4xf32> -> tensor<?x1x4xf32>
  %r = mj.rope half %h at %positions, %table : tensor<?x1x4xf32>, tensor<?xi32>, tensor<100x2x2xf32> -> tensor<?x1x4xf32>
  %kv1 = mj.kv_append %kv[0], %r, %h at %batch : <1 x 1 x 4 x f32>, tensor<?x1x4xf32>, tensor<?x1x4xf32>, <? x ? x ?> -> <1 x 1 x 4 x f32>
  %a = mj.attention %r, %kv1[0] over %batch scale 0.5 : tensor<?x1x4xf32>, <1 x 1 x 4 x f32>, <? x ? x ?> -> tensor<?x1x4xf32>
  %f = mj.reshape %a : tensor<?x1x4xf32> -> tensor<?x4xf32>
  %l = mj.gather %f[%rows] : tensor<?x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  %n = mj.norm rms %l eps 1.0e-6 : tensor<?x4xf32> -> tensor<?x4xf32>
  %logits = mj.matmul %n, %embed {transpose_b} : tensor<?x4xf32>, tensor<8x4xf32> -> tensor<?x8xf32>
  %next = mj.sample %logits with %sampling at %batch : tensor<?x8xf32>, <?>, <? x ? x ?> -> tensor<?xi32>
  return %next, %logits, %kv1 : tensor<?xi32>, tensor<?x8xf32>, !mj.kv<1 x 1 x 4 x f32>
}
}

// -----

// An entry whose shapes are static, with or without a batch, is left alone, and so is a function that is no entry.
// CHECK: module {
// CHECK-NEXT: func.func @plain(%{{.*}}: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {mj.entry}
// CHECK: func.func @static(%{{.*}}: !mj.batch<4 x 2 x 1>) -> tensor<4xi32> attributes {mj.entry}
// CHECK: func.func private @other(!mj.batch<? x ? x ?>)
// REMARK: remark: [Analysis] Static | Category:specialize-buckets | Remark="@plain is left as it is: its shapes are static"
// REMARK: @static is left as it is: its shapes are static
// REMARK-NOT: remark:
func.func @plain(%x: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {mj.entry} {
  return %x : tensor<4x8xf32>
}
func.func @static(%batch: !mj.batch<4 x 2 x 1>) -> tensor<4xi32> attributes {mj.entry} {
  %tokens = mj.batch_field %batch[tokens] : <4 x 2 x 1>
  return %tokens : tensor<4xi32>
}
func.func private @other(!mj.batch<? x ? x ?>)
