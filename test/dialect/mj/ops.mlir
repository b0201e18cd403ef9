// Every operation of mj is printed as it is written, in text and in bytecode.
// RUN: mjolnir-opt %s --verify-roundtrip | FileCheck %s

// CHECK: mj.weight @w : tensor<8x16xbf16> from "model.w.weight"
mj.weight @w : tensor<8x16xbf16> from "model.w.weight"

// CHECK: mj.prepare @packed : tensor<8x16xbf16, #mj.encoding<"rows16">> {
// CHECK-NEXT: %[[W:.*]] = mj.get_weight @w : tensor<8x16xbf16>
// CHECK-NEXT: %[[P:.*]] = mj.pack %[[W]] : tensor<8x16xbf16> to tensor<8x16xbf16, #mj.encoding<"rows16">>
// CHECK-NEXT: mj.yield %[[P]] : tensor<8x16xbf16, #mj.encoding<"rows16">>
mj.prepare @packed : tensor<8x16xbf16, #mj.encoding<"rows16">> {
  %w = mj.get_weight @w : tensor<8x16xbf16>
  %p = mj.pack %w : tensor<8x16xbf16> to tensor<8x16xbf16, #mj.encoding<"rows16">>
  mj.yield %p : tensor<8x16xbf16, #mj.encoding<"rows16">>
}

// CHECK-LABEL: @weights
func.func @weights() -> tensor<8x16xbf16, #mj.encoding<"rows16">> {
  // CHECK: mj.get_weight @packed : tensor<8x16xbf16, #mj.encoding<"rows16">>
  %0 = mj.get_weight @packed : tensor<8x16xbf16, #mj.encoding<"rows16">>
  return %0 : tensor<8x16xbf16, #mj.encoding<"rows16">>
}

// CHECK-LABEL: @rope_table
func.func @rope_table() {
  // CHECK: mj.rope_table theta 1.000000e+06 : tensor<64x32x2xf32>
  %0 = mj.rope_table theta 1.0e6 : tensor<64x32x2xf32>
  // CHECK: mj.rope_table theta 5.000000e+05 {llama3 = array<f64: 8.000000e+00, 1.000000e+00, 4.000000e+00, 8.192000e+03>} : tensor<64x32x2xf32>
  %1 = mj.rope_table theta 5.0e5 {llama3 = array<f64: 8.0, 1.0, 4.0, 8192.0>} : tensor<64x32x2xf32>
  // CHECK: mj.rope_table theta 1.000000e+04 {linear = 2.000000e+00 : f64} : tensor<64x32x2xf32>
  %2 = mj.rope_table theta 1.0e4 {linear = 2.0 : f64} : tensor<64x32x2xf32>
  return
}

// CHECK-LABEL: @batch_fields
// CHECK-SAME: (%[[SYMBOLIC:.*]]: !mj.batch<? x ? x ?>, %[[STATIC:.*]]: !mj.batch<16 x 4 x 8>)
func.func @batch_fields(%symbolic: !mj.batch<? x ? x ?>, %static: !mj.batch<16 x 4 x 8>)
    -> (tensor<?xi32>, tensor<16xi32>, tensor<16xi32>, tensor<5xi32>, tensor<?xi32>, tensor<4xi32>, tensor<4x8xi32>,
        tensor<?x?xi32>, tensor<16xi32>, tensor<4xi32>) {
  // CHECK: mj.batch_field %[[SYMBOLIC]][tokens] : <? x ? x ?>
  %0 = mj.batch_field %symbolic[tokens] : <? x ? x ?>
  // CHECK: mj.batch_field %[[STATIC]][tokens] : <16 x 4 x 8>
  %1 = mj.batch_field %static[tokens] : <16 x 4 x 8>
  // CHECK: mj.batch_field %[[STATIC]][positions]
  %2 = mj.batch_field %static[positions] : <16 x 4 x 8>
  // CHECK: mj.batch_field %[[STATIC]][sequence_offsets]
  %3 = mj.batch_field %static[sequence_offsets] : <16 x 4 x 8>
  // CHECK: mj.batch_field %[[SYMBOLIC]][sequence_offsets]
  %4 = mj.batch_field %symbolic[sequence_offsets] : <? x ? x ?>
  // CHECK: mj.batch_field %[[STATIC]][context_lengths]
  %5 = mj.batch_field %static[context_lengths] : <16 x 4 x 8>
  // CHECK: mj.batch_field %[[STATIC]][block_tables]
  %6 = mj.batch_field %static[block_tables] : <16 x 4 x 8>
  // CHECK: mj.batch_field %[[SYMBOLIC]][block_tables]
  %7 = mj.batch_field %symbolic[block_tables] : <? x ? x ?>
  // CHECK: mj.batch_field %[[STATIC]][slots]
  %8 = mj.batch_field %static[slots] : <16 x 4 x 8>
  // CHECK: mj.batch_field %[[STATIC]][logit_rows]
  %9 = mj.batch_field %static[logit_rows] : <16 x 4 x 8>
  // The types that the fields have are checked by what uses them.
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9
      : tensor<?xi32>, tensor<16xi32>, tensor<16xi32>, tensor<5xi32>, tensor<?xi32>, tensor<4xi32>, tensor<4x8xi32>,
        tensor<?x?xi32>, tensor<16xi32>, tensor<4xi32>
}

// CHECK-LABEL: @tensor_operations
// CHECK-SAME: (%[[TABLE:.*]]: tensor<100x16xbf16>, %[[ROWS:.*]]: tensor<?xi32>, %[[W:.*]]: tensor<8x16xbf16>, %[[WT:.*]]: tensor<16x8xbf16>, %[[NW:.*]]: tensor<16xbf16>, %[[NB:.*]]: tensor<16xf32>, %[[S:.*]]: tensor<f32>, %[[R:.*]]: tensor<64x2x2xf32>)
func.func @tensor_operations(%table: tensor<100x16xbf16>, %rows: tensor<?xi32>, %w: tensor<8x16xbf16>,
                             %wt: tensor<16x8xbf16>, %nw: tensor<16xbf16>, %nb: tensor<16xf32>, %s: tensor<f32>,
                             %r: tensor<64x2x2xf32>) {
  // CHECK: %[[X:.*]] = mj.gather %[[TABLE]][%[[ROWS]]] : tensor<100x16xbf16>, tensor<?xi32> -> tensor<?x16xf32>
  %x = mj.gather %table[%rows] : tensor<100x16xbf16>, tensor<?xi32> -> tensor<?x16xf32>
  // CHECK: mj.matmul %[[X]], %[[W]] {transpose_b} : tensor<?x16xf32>, tensor<8x16xbf16> -> tensor<?x8xf32>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<?x16xf32>, tensor<8x16xbf16> -> tensor<?x8xf32>
  // CHECK: %[[M:.*]] = mj.matmul %[[X]], %[[WT]] : tensor<?x16xf32>, tensor<16x8xbf16> -> tensor<?x8xbf16>
  %m = mj.matmul %x, %wt : tensor<?x16xf32>, tensor<16x8xbf16> -> tensor<?x8xbf16>
  // CHECK: mj.norm rms %[[X]] eps 9.99999997E-7 : tensor<?x16xf32> -> tensor<?x16xf32>
  %1 = mj.norm rms %x eps 1.0e-6 : tensor<?x16xf32> -> tensor<?x16xf32>
  // CHECK: mj.norm rms %[[X]], weight %[[NW]] eps 9.99999997E-7 : tensor<?x16xf32>, weight tensor<16xbf16> -> tensor<?x16xbf16>
  %2 = mj.norm rms %x, weight %nw eps 1.0e-6 : tensor<?x16xf32>, weight tensor<16xbf16> -> tensor<?x16xbf16>
  // CHECK: mj.norm layer %[[X]], weight %[[NW]], bias %[[NB]] eps 0.000000e+00 : tensor<?x16xf32>, weight tensor<16xbf16>, bias tensor<16xf32> -> tensor<?x16xf32>
  %3 = mj.norm layer %x, weight %nw, bias %nb eps 0.0 : tensor<?x16xf32>, weight tensor<16xbf16>, bias tensor<16xf32> -> tensor<?x16xf32>
  // CHECK: %[[H:.*]] = mj.reshape %[[X]] : tensor<?x16xf32> -> tensor<?x4x4xf32>
  %h = mj.reshape %x : tensor<?x16xf32> -> tensor<?x4x4xf32>
  // CHECK: mj.broadcast %[[S]] like %[[X]] : tensor<f32>, tensor<?x16xf32> -> tensor<?x16xf32>
  %5 = mj.broadcast %s like %x : tensor<f32>, tensor<?x16xf32> -> tensor<?x16xf32>
  // CHECK: mj.broadcast %[[NB]] like %[[ROWS]] : tensor<16xf32>, tensor<?xi32> -> tensor<?x16xf32>
  %6 = mj.broadcast %nb like %rows : tensor<16xf32>, tensor<?xi32> -> tensor<?x16xf32>
  // CHECK: mj.rope half %[[H]] at %[[ROWS]], %[[R]] : tensor<?x4x4xf32>, tensor<?xi32>, tensor<64x2x2xf32> -> tensor<?x4x4xf32>
  %7 = mj.rope half %h at %rows, %r : tensor<?x4x4xf32>, tensor<?xi32>, tensor<64x2x2xf32> -> tensor<?x4x4xf32>
  // CHECK: mj.rope interleaved %[[H]] at %[[ROWS]], %[[R]] : tensor<?x4x4xf32>, tensor<?xi32>, tensor<64x2x2xf32> -> tensor<?x4x4xbf16>
  %8 = mj.rope interleaved %h at %rows, %r : tensor<?x4x4xf32>, tensor<?xi32>, tensor<64x2x2xf32> -> tensor<?x4x4xbf16>
  return
}

// CHECK-LABEL: @attention
// CHECK-SAME: (%[[Q:.*]]: tensor<?x4x8xf32>, %[[K:.*]]: tensor<?x2x8xf32>, %[[BATCH:.*]]: !mj.batch<? x ? x ?>, %[[KV:.*]]: !mj.kv<3 x 2 x 8 x bf16>, %[[L:.*]]: tensor<?x100xf32>, %[[S:.*]]: !mj.sampling<?>)
func.func @attention(%q: tensor<?x4x8xf32>, %k: tensor<?x2x8xf32>, %batch: !mj.batch<? x ? x ?>,
                     %kv: !mj.kv<3 x 2 x 8 x bf16>, %l: tensor<?x100xf32>, %s: !mj.sampling<?>) {
  // CHECK: %[[KV1:.*]] = mj.kv_append %[[KV]][2], %[[K]], %[[K]] at %[[BATCH]] : <3 x 2 x 8 x bf16>, tensor<?x2x8xf32>, tensor<?x2x8xf32>, <? x ? x ?> -> <3 x 2 x 8 x bf16>
  %kv1 = mj.kv_append %kv[2], %k, %k at %batch : <3 x 2 x 8 x bf16>, tensor<?x2x8xf32>, tensor<?x2x8xf32>, <? x ? x ?> -> <3 x 2 x 8 x bf16>
  // CHECK: mj.attention %[[Q]], %[[KV1]][2] over %[[BATCH]] scale 3.000000e-01 : tensor<?x4x8xf32>, <3 x 2 x 8 x bf16>, <? x ? x ?> -> tensor<?x4x8xf32>
  %0 = mj.attention %q, %kv1[2] over %batch scale 0.3 : tensor<?x4x8xf32>, <3 x 2 x 8 x bf16>, <? x ? x ?> -> tensor<?x4x8xf32>
  // CHECK: mj.attention %[[Q]], %[[KV1]][2] over %[[BATCH]] scale 3.000000e-01 window 16 : tensor<?x4x8xf32>, <3 x 2 x 8 x bf16>, <? x ? x ?> -> tensor<?x4x8xbf16>
  %1 = mj.attention %q, %kv1[2] over %batch scale 0.3 window 16 : tensor<?x4x8xf32>, <3 x 2 x 8 x bf16>, <? x ? x ?> -> tensor<?x4x8xbf16>
  // CHECK: mj.sample %[[L]] with %[[S]] at %[[BATCH]] : tensor<?x100xf32>, <?>, <? x ? x ?> -> tensor<?xi32>
  %2 = mj.sample %l with %s at %batch : tensor<?x100xf32>, <?>, <? x ? x ?> -> tensor<?xi32>
  return
}

// CHECK-LABEL: @fusion
// CHECK-SAME: (%[[X:.*]]: tensor<4x16xf32>, %[[W:.*]]: tensor<8x16xbf16>)
func.func @fusion(%x: tensor<4x16xf32>, %w: tensor<8x16xbf16>) -> tensor<4x8xf32> {
  // CHECK: mj.fusion(%[[A:.*]] = %[[X]] : tensor<4x16xf32>, %[[B:.*]] = %[[W]] : tensor<8x16xbf16>) -> tensor<4x8xf32> {
  // CHECK-NEXT: %[[M:.*]] = mj.matmul %[[A]], %[[B]] {transpose_b}
  // CHECK-NEXT: mj.yield %[[M]] : tensor<4x8xf32>
  %0 = mj.fusion(%a = %x : tensor<4x16xf32>, %b = %w : tensor<8x16xbf16>) -> tensor<4x8xf32> {
    %m = mj.matmul %a, %b {transpose_b} : tensor<4x16xf32>, tensor<8x16xbf16> -> tensor<4x8xf32>
    mj.yield %m : tensor<4x8xf32>
  }
  // CHECK: mj.fusion(%{{.*}} = %{{.*}} : tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) schedule #mj.schedule<"host.pointwise", {rows = 2 : i64}> attributes {note = "two results"} {
  %1:2 = mj.fusion(%a = %0 : tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) schedule #mj.schedule<"host.pointwise", {rows = 2 : i64}> attributes {note = "two results"} {
    %n = arith.negf %a : tensor<4x8xf32>
    mj.yield %n, %a : tensor<4x8xf32>, tensor<4x8xf32>
  }
  // The terminator of a body without results need not be written.
  // CHECK: mj.fusion() {
  // CHECK-NEXT: mj.yield
  // CHECK-NEXT: }
  mj.fusion() {
  }
  return %1#0 : tensor<4x8xf32>
}

// CHECK-LABEL: @rope_by_row
func.func @rope_by_row(%x: tensor<4x2x8xf32>, %table: tensor<4x4x2xf32>) -> tensor<4x2x8xf32> {
  // CHECK-NEXT: mj.rope half %{{.*}}, %{{.*}} : tensor<4x2x8xf32>, tensor<4x4x2xf32> -> tensor<4x2x8xf32>
  %0 = mj.rope half %x, %table : tensor<4x2x8xf32>, tensor<4x4x2xf32> -> tensor<4x2x8xf32>
  return %0 : tensor<4x2x8xf32>
}
