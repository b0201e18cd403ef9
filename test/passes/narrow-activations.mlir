// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --narrow-activations | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --narrow-activations --remarks-filter=narrow-activations --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// A decoder layer in small: activations, cache and f32 matrices narrow; norm weights, rotary tables and logits do not.
mj.weight @embed : tensor<8x4xf32> from "embed"
mj.weight @norm : tensor<4xf32> from "norm"
mj.weight @head : tensor<8x4xbf16> from "head"

// CHECK-LABEL: func.func @step
// CHECK-SAME: (%[[BATCH:.*]]: !mj.batch<4 x 2 x 1>, %[[KV:.*]]: !mj.kv<1 x 1 x 4 x bf16>, %[[SAMPLING:.*]]: !mj.sampling<2>) -> (tensor<2xi32>, tensor<2x8xf32>, !mj.kv<1 x 1 x 4 x bf16>)
// CHECK: %[[EMBED:.*]] = mj.get_weight @embed : tensor<8x4xf32>
// CHECK: %[[TABLE:.*]] = mj.rope_table
// CHECK: %[[NARROW:.*]] = arith.truncf %[[EMBED]] : tensor<8x4xf32> to tensor<8x4xbf16>
// CHECK: %[[X:.*]] = mj.gather %[[NARROW]][%{{.*}}] : tensor<8x4xbf16>, tensor<4xi32> -> tensor<4x4xbf16>
// CHECK: %[[W:.*]] = mj.get_weight @norm : tensor<4xf32>
// CHECK: %[[N:.*]] = mj.norm rms %[[X]], weight %[[W]] eps 9.99999997E-7 : tensor<4x4xbf16>, weight tensor<4xf32> -> tensor<4x4xbf16>
// CHECK: %[[H:.*]] = mj.reshape %[[N]] : tensor<4x4xbf16> -> tensor<4x1x4xbf16>
// CHECK: %[[R:.*]] = mj.rope half %[[H]] at %{{.*}}, %[[TABLE]] : tensor<4x1x4xbf16>, tensor<4xi32>, tensor<16x2x2xf32> -> tensor<4x1x4xbf16>
// CHECK: %[[KV1:.*]] = mj.kv_append %[[KV]][0], %[[R]], %[[H]] at %[[BATCH]] : <1 x 1 x 4 x bf16>, tensor<4x1x4xbf16>
// CHECK: %[[A:.*]] = mj.attention %[[R]], %[[KV1]][0] {{.*}} -> tensor<4x1x4xbf16>
// CHECK: %[[HEAD:.*]] = mj.get_weight @head : tensor<8x4xbf16>
// CHECK: %[[LOGITS:.*]] = mj.matmul %{{.*}}, %[[HEAD]] {transpose_b} : tensor<2x4xbf16>, tensor<8x4xbf16> -> tensor<2x8xf32>
// CHECK: %[[NEXT:.*]] = mj.sample %[[LOGITS]]
// CHECK: return %[[NEXT]], %[[LOGITS]], %[[KV1]]

// REMARK: remark: [Analysis] KeptF32 | Category:narrow-activations | Remark="result of 'mj.matmul' stays f32: it is only sampled, returned or a mask"
// REMARK: remark: [Analysis] KeptWeight | Category:narrow-activations | Remark="@norm stays f32: 'mj.norm' computes in f32"
// REMARK: a rotary table stays f32: 'mj.rope' computes in f32
// REMARK: remark: [Passed] Narrowed | Category:narrow-activations | Remark="@step: 8 values are stored in bf16, 1 operands read weights as bf16"
func.func @step(%batch: !mj.batch<4 x 2 x 1>, %kv: !mj.kv<1 x 1 x 4 x f32>, %sampling: !mj.sampling<2>)
    -> (tensor<2xi32>, tensor<2x8xf32>, !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry} {
  %embed = mj.get_weight @embed : tensor<8x4xf32>
  %table = mj.rope_table theta 1.0e4 : tensor<16x2x2xf32>
  %tokens = mj.batch_field %batch[tokens] : <4 x 2 x 1>
  %positions = mj.batch_field %batch[positions] : <4 x 2 x 1>
  %rows = mj.batch_field %batch[logit_rows] : <4 x 2 x 1>
  %x = mj.gather %embed[%tokens] : tensor<8x4xf32>, tensor<4xi32> -> tensor<4x4xf32>
  %w = mj.get_weight @norm : tensor<4xf32>
  %n = mj.norm rms %x, weight %w eps 1.0e-6 : tensor<4x4xf32>, weight tensor<4xf32> -> tensor<4x4xf32>
  %h = mj.reshape %n : tensor<4x4xf32> -> tensor<4x1x4xf32>
  %r = mj.rope half %h at %positions, %table : tensor<4x1x4xf32>, tensor<4xi32>, tensor<16x2x2xf32> -> tensor<4x1x4xf32>
  %kv1 = mj.kv_append %kv[0], %r, %h at %batch : <1 x 1 x 4 x f32>, tensor<4x1x4xf32>, tensor<4x1x4xf32>, <4 x 2 x 1> -> <1 x 1 x 4 x f32>
  %a = mj.attention %r, %kv1[0] over %batch scale 0.5 : tensor<4x1x4xf32>, <1 x 1 x 4 x f32>, <4 x 2 x 1> -> tensor<4x1x4xf32>
  %f = mj.reshape %a : tensor<4x1x4xf32> -> tensor<4x4xf32>
  %l = mj.gather %f[%rows] : tensor<4x4xf32>, tensor<2xi32> -> tensor<2x4xf32>
  %head = mj.get_weight @head : tensor<8x4xbf16>
  %logits = mj.matmul %l, %head {transpose_b} : tensor<2x4xf32>, tensor<8x4xbf16> -> tensor<2x8xf32>
  %next = mj.sample %logits with %sampling at %batch : tensor<2x8xf32>, <2>, <4 x 2 x 1> -> tensor<2xi32>
  return %next, %logits, %kv1 : tensor<2xi32>, tensor<2x8xf32>, !mj.kv<1 x 1 x 4 x f32>
}

// -----

// Logits may come from pointwise operations: these and what they read as f32 stay f32, their rows do not.
mj.weight @head : tensor<8x4xf32> from "head"
mj.weight @bias : tensor<8xf32> from "bias"
// CHECK-LABEL: func.func @biased_logits
// CHECK: %[[X:.*]] = arith.truncf %{{.*}} : tensor<2x4xf32> to tensor<2x4xbf16>
// CHECK: %[[BIAS:.*]] = mj.get_weight @bias : tensor<8xf32>
// CHECK: %[[Y:.*]] = arith.negf %[[X]] : tensor<2x4xbf16>
// CHECK: %[[M:.*]] = mj.matmul %[[Y]], %{{.*}} {transpose_b} : tensor<2x4xbf16>, tensor<8x4xbf16> -> tensor<2x8xf32>
// CHECK: %[[B:.*]] = mj.broadcast %[[BIAS]] like %[[M]] : tensor<8xf32>, tensor<2x8xf32> -> tensor<2x8xf32>
// CHECK: %[[L:.*]] = arith.addf %[[M]], %[[B]] : tensor<2x8xf32>
// CHECK: mj.sample %[[L]]
func.func @biased_logits(%x: tensor<2x4xf32>, %batch: !mj.batch<2 x 2 x 1>, %sampling: !mj.sampling<2>) -> tensor<2xi32> attributes {mj.entry} {
  %head = mj.get_weight @head : tensor<8x4xf32>
  %bias = mj.get_weight @bias : tensor<8xf32>
  %y = arith.negf %x : tensor<2x4xf32>
  %m = mj.matmul %y, %head {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %b = mj.broadcast %bias like %m : tensor<8xf32>, tensor<2x8xf32> -> tensor<2x8xf32>
  %l = arith.addf %m, %b : tensor<2x8xf32>
  %next = mj.sample %l with %sampling at %batch : tensor<2x8xf32>, <2>, <2 x 2 x 1> -> tensor<2xi32>
  return %next : tensor<2xi32>
}

// Sampled rows that something else narrows are widened again: the near miss of the above.
// CHECK-LABEL: func.func @normed_logits
// CHECK: %[[N:.*]] = mj.norm rms {{.*}} -> tensor<2x8xbf16>
// CHECK: %[[L:.*]] = arith.extf %[[N]] : tensor<2x8xbf16> to tensor<2x8xf32>
// CHECK: mj.sample %[[L]]
func.func @normed_logits(%x: tensor<2x8xf32>, %batch: !mj.batch<2 x 2 x 1>, %sampling: !mj.sampling<2>) -> tensor<2xi32> attributes {mj.entry} {
  %n = mj.norm rms %x eps 1.0e-6 : tensor<2x8xf32> -> tensor<2x8xf32>
  %next = mj.sample %n with %sampling at %batch : tensor<2x8xf32>, <2>, <2 x 2 x 1> -> tensor<2xi32>
  return %next : tensor<2xi32>
}

// -----

// Arguments and results of plain entries keep their types; what passes through is not rounded, integers are not touched.
// CHECK-LABEL: func.func @passing(
// CHECK-SAME: %[[X:.*]]: tensor<2x4xf32>, %[[I:.*]]: tensor<2xi32>) -> (tensor<2x4xf32>, tensor<2xi32>, tensor<2x4xf32>)
// CHECK-NEXT: %[[C:.*]] = arith.constant dense<1.001000e+00> : tensor<2x4xf32>
// CHECK-NEXT: return %[[X]], %[[I]], %[[C]]
func.func @passing(%x: tensor<2x4xf32>, %i: tensor<2xi32>) -> (tensor<2x4xf32>, tensor<2xi32>, tensor<2x4xf32>) attributes {mj.entry} {
  %c = arith.constant dense<1.001> : tensor<2x4xf32>
  return %x, %i, %c : tensor<2x4xf32>, tensor<2xi32>, tensor<2x4xf32>
}

// A constant that is both returned and computed with is there twice; an argument that is both is rounded for one of them.
// CHECK-LABEL: func.func @both
// CHECK-SAME: (%[[X:.*]]: tensor<2x4xf32>)
// CHECK: %[[T:.*]] = arith.truncf %[[X]] : tensor<2x4xf32> to tensor<2x4xbf16>
// CHECK-DAG: %[[C:.*]] = arith.constant dense<1.001000e+00> : tensor<2x4xf32>
// CHECK-DAG: %[[D:.*]] = arith.constant dense<1.000000e+00> : tensor<2x4xbf16>
// CHECK: %[[Y:.*]] = arith.addf %[[T]], %[[D]] : tensor<2x4xbf16>
// CHECK: %[[N:.*]] = mj.norm rms %[[Y]] {{.*}} : tensor<2x4xbf16> -> tensor<2x4xbf16>
// CHECK: %[[W:.*]] = arith.extf %[[N]] : tensor<2x4xbf16> to tensor<2x4xf32>
// CHECK: return %[[W]], %[[X]], %[[C]]
func.func @both(%x: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) attributes {mj.entry} {
  %c = arith.constant dense<1.001> : tensor<2x4xf32>
  %y = arith.addf %x, %c : tensor<2x4xf32>
  %n = mj.norm rms %y eps 0.0 : tensor<2x4xf32> -> tensor<2x4xf32>
  return %n, %x, %c : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>
}

// Pointwise operations whose results only leave compute on what the caller gave.
// CHECK-LABEL: func.func @leaving
// CHECK-NEXT: %[[Y:.*]] = arith.negf %{{.*}} : tensor<2x4xf32>
// CHECK-NEXT: return %[[Y]] : tensor<2x4xf32>
func.func @leaving(%x: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
  %y = arith.negf %x : tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// -----

// f16 narrows as f32 does, in arguments, results, weights and conversions.
mj.weight @w : tensor<8x4xf16> from "w"
// CHECK-LABEL: func.func @half
// CHECK-SAME: (%[[X:.*]]: tensor<2x4xf16>) -> tensor<2x8xf16>
// CHECK-NEXT: %[[XW:.*]] = arith.extf %[[X]] : tensor<2x4xf16> to tensor<2x4xf32>
// CHECK-NEXT: %[[XN:.*]] = arith.truncf %[[XW]] : tensor<2x4xf32> to tensor<2x4xbf16>
// CHECK-NEXT: %[[W:.*]] = mj.get_weight @w : tensor<8x4xf16>
// CHECK-NEXT: %[[WW:.*]] = arith.extf %[[W]] : tensor<8x4xf16> to tensor<8x4xf32>
// CHECK-NEXT: %[[WN:.*]] = arith.truncf %[[WW]] : tensor<8x4xf32> to tensor<8x4xbf16>
// CHECK-NEXT: %[[M:.*]] = mj.matmul %[[XN]], %[[WN]] {transpose_b} : tensor<2x4xbf16>, tensor<8x4xbf16> -> tensor<2x8xbf16>
// CHECK-NEXT: %[[Y:.*]] = arith.negf %[[M]] : tensor<2x8xbf16>
// CHECK-NEXT: %[[YW:.*]] = arith.extf %[[Y]] : tensor<2x8xbf16> to tensor<2x8xf32>
// CHECK-NEXT: %[[YN:.*]] = arith.truncf %[[YW]] : tensor<2x8xf32> to tensor<2x8xf16>
// CHECK-NEXT: return %[[YN]] : tensor<2x8xf16>
func.func @half(%x: tensor<2x4xf16>) -> tensor<2x8xf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x4xf16>
  %m = mj.matmul %x, %w {transpose_b} : tensor<2x4xf16>, tensor<8x4xf16> -> tensor<2x8xf16>
  %e = arith.extf %m : tensor<2x8xf16> to tensor<2x8xf32>
  %y = arith.negf %e : tensor<2x8xf32>
  %t = arith.truncf %y : tensor<2x8xf32> to tensor<2x8xf16>
  return %t : tensor<2x8xf16>
}

// -----

// A widening of a bf16 or f16 weight that the importer wrote is taken back; a bf16 matrix is read as it is.
mj.weight @b : tensor<4xbf16> from "b"
mj.weight @h : tensor<4xf16> from "h"
// CHECK-LABEL: func.func @biases
// CHECK: %[[B:.*]] = mj.get_weight @b : tensor<4xbf16>
// CHECK: %[[H:.*]] = mj.get_weight @h : tensor<4xf16>
// CHECK: mj.broadcast %[[B]] like %{{.*}} : tensor<4xbf16>, tensor<2x4xbf16> -> tensor<2x4xbf16>
// CHECK: %[[HW:.*]] = arith.extf %[[H]] : tensor<4xf16> to tensor<4xf32>
// CHECK: %[[HN:.*]] = arith.truncf %[[HW]] : tensor<4xf32> to tensor<4xbf16>
// CHECK: mj.broadcast %[[HN]] like
func.func @biases(%x: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
  %b = mj.get_weight @b : tensor<4xbf16>
  %be = arith.extf %b : tensor<4xbf16> to tensor<4xf32>
  %h = mj.get_weight @h : tensor<4xf16>
  %he = arith.extf %h : tensor<4xf16> to tensor<4xf32>
  %n = mj.norm rms %x eps 0.0 : tensor<2x4xf32> -> tensor<2x4xf32>
  %bb = mj.broadcast %be like %n : tensor<4xf32>, tensor<2x4xf32> -> tensor<2x4xf32>
  %hb = mj.broadcast %he like %n : tensor<4xf32>, tensor<2x4xf32> -> tensor<2x4xf32>
  %y = arith.addf %n, %bb : tensor<2x4xf32>
  %z = arith.addf %y, %hb : tensor<2x4xf32>
  %o = mj.norm rms %z eps 0.0 : tensor<2x4xf32> -> tensor<2x4xf32>
  return %o : tensor<2x4xf32>
}

// -----

// A bf16 program has nothing to narrow, an FP8 cache is narrow already, a function that is no entry is not looked at.
// CHECK-LABEL: func.func @narrow_already
// CHECK-SAME: (%[[X:.*]]: tensor<2x4xbf16>, %{{.*}}: !mj.kv<1 x 1 x 4 x f8E4M3FN>)
// CHECK-NEXT: %[[Y:.*]] = arith.negf %[[X]] : tensor<2x4xbf16>
// CHECK-NEXT: return %[[Y]]
// REMARK: @narrow_already: 0 values are stored in bf16, 0 operands read weights as bf16
func.func @narrow_already(%x: tensor<2x4xbf16>, %kv: !mj.kv<1 x 1 x 4 x f8E4M3FN>) -> tensor<2x4xbf16> attributes {mj.entry} {
  %y = arith.negf %x : tensor<2x4xbf16>
  return %y : tensor<2x4xbf16>
}
// CHECK-LABEL: func.func @no_entry
// CHECK-NEXT: arith.negf %{{.*}} : tensor<2x4xf32>
func.func @no_entry(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %y = arith.negf %x : tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// -----

// A number that the caller gives stays f32; what it is repeated to is rounded, unless that is only returned.
// CHECK-LABEL: func.func @number
// CHECK-SAME: (%[[X:.*]]: tensor<2x4xf32>, %[[S:.*]]: tensor<f32>)
// CHECK: %[[T:.*]] = arith.truncf %[[X]] : tensor<2x4xf32> to tensor<2x4xbf16>
// CHECK: %[[B:.*]] = mj.broadcast %[[S]] like %[[T]] : tensor<f32>, tensor<2x4xbf16> -> tensor<2x4xf32>
// CHECK: %[[R:.*]] = arith.truncf %[[B]] : tensor<2x4xf32> to tensor<2x4xbf16>
// CHECK: %[[N:.*]] = mj.norm rms %[[R]]
// CHECK: return %{{.*}}, %[[B]]
func.func @number(%x: tensor<2x4xf32>, %s: tensor<f32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) attributes {mj.entry} {
  %b = mj.broadcast %s like %x : tensor<f32>, tensor<2x4xf32> -> tensor<2x4xf32>
  %n = mj.norm rms %b eps 0.0 : tensor<2x4xf32> -> tensor<2x4xf32>
  %y = arith.addf %n, %x : tensor<2x4xf32>
  %z = mj.norm rms %y eps 0.0 : tensor<2x4xf32> -> tensor<2x4xf32>
  return %z, %b : tensor<2x4xf32>, tensor<2x4xf32>
}

// -----

// Attention and products read bf16; what they are given to return stays f32, through what only moves it. A mask stays as it
// is: bf16 would make an infinity of the lowest f32.
// CHECK-LABEL: func.func @tensors
// CHECK-SAME: (%[[X:.*]]: tensor<4x2x8xf32>, %[[MASK:.*]]: tensor<4x4xf32>)
// CHECK: %[[Q:.*]] = arith.truncf %[[X]] : tensor<4x2x8xf32> to tensor<4x2x8xbf16>
// CHECK: %[[LOWEST:.*]] = arith.constant dense<-3.40282347E+38> : tensor<4x4xf32>
// CHECK: %[[M:.*]] = arith.addf %[[MASK]], %[[LOWEST]] : tensor<4x4xf32>
// CHECK: %[[A:.*]] = mj.sdpa %[[Q]] over[%[[Q]]], [%[[Q]]] mask %[[M]] {{.*}} tensor<4x4xf32> -> tensor<4x2x8xbf16>
// CHECK: %[[S:.*]] = mj.softmax %[[A]] : tensor<4x2x8xbf16> -> tensor<4x2x8xbf16>
// CHECK: %[[T:.*]] = mj.reduce mean %[[S]] over [0] : tensor<4x2x8xbf16> -> tensor<2x8xbf16>
// CHECK: %[[B:.*]] = mj.broadcast %[[T]] like %[[A]] : tensor<2x8xbf16>, tensor<4x2x8xbf16> -> tensor<4x2x8xbf16>
// CHECK: %[[P:.*]] = mj.batch_matmul %[[B]], %[[A]] {transpose_b} : tensor<4x2x8xbf16>, tensor<4x2x8xbf16> -> tensor<4x2x2xf32>
// CHECK: %[[R:.*]] = mj.reshape %[[P]] : tensor<4x2x2xf32> -> tensor<16xf32>
// CHECK: return %[[R]] : tensor<16xf32>
func.func @tensors(%x: tensor<4x2x8xf32>, %mask: tensor<4x4xf32>) -> tensor<16xf32> attributes {mj.entry} {
  %lowest = arith.constant dense<-3.40282347E+38> : tensor<4x4xf32>
  %m = arith.addf %mask, %lowest : tensor<4x4xf32>
  %a = mj.sdpa %x over [%x], [%x] mask %m scale 0.5 : tensor<4x2x8xf32>, [tensor<4x2x8xf32>], [tensor<4x2x8xf32>], tensor<4x4xf32> -> tensor<4x2x8xf32>
  %s = mj.softmax %a : tensor<4x2x8xf32> -> tensor<4x2x8xf32>
  %t = mj.reduce mean %s over [0] : tensor<4x2x8xf32> -> tensor<2x8xf32>
  %b = mj.broadcast %t like %a : tensor<2x8xf32>, tensor<4x2x8xf32> -> tensor<4x2x8xf32>
  %p = mj.batch_matmul %b, %a {transpose_b} : tensor<4x2x8xf32>, tensor<4x2x8xf32> -> tensor<4x2x2xf32>
  %r = mj.reshape %p : tensor<4x2x2xf32> -> tensor<16xf32>
  return %r : tensor<16xf32>
}

// -----

// Numbers that are compared are not rounded: 257 is no bf16.
// CHECK-LABEL: func.func @compared
// CHECK: %[[C:.*]] = arith.constant dense<2.570000e+02> : tensor<4xf32>
// CHECK: %[[D:.*]] = arith.addf %{{.*}}, %[[C]] : tensor<4xf32>
// CHECK: %[[I:.*]] = arith.cmpf ogt, %[[D]], %[[C]] : tensor<4xf32>
// CHECK: arith.select %[[I]], %{{.*}}, %{{.*}} : tensor<4xi1>, tensor<4xbf16>
func.func @compared(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> attributes {mj.entry} {
  %c = arith.constant dense<257.0> : tensor<4xf32>
  %d = arith.addf %x, %c : tensor<4xf32>
  %i = arith.cmpf ogt, %d, %c : tensor<4xf32>
  %n = math.exp %y : tensor<4xf32>
  %s = arith.select %i, %n, %y : tensor<4xi1>, tensor<4xf32>
  %e = mj.norm rms %s eps 0.1 : tensor<4xf32> -> tensor<4xf32>
  return %e : tensor<4xf32>
}

// -----

// What multiplies the columns of f8 is f32 wherever it comes from.
// CHECK-LABEL: func.func @scales
// CHECK-SAME: %[[SCALE:[a-z0-9]+]]: tensor<16xf32>)
// CHECK: mj.matmul %{{.*}}, %{{.*}} scaled by %[[SCALE]] {transpose_b} : tensor<4x32xbf16>, tensor<16x32xf8E4M3FN>, tensor<16xf32> -> tensor<4x16xbf16>
func.func @scales(%x: tensor<4x32xf32>, %w: tensor<16x32xf8E4M3FN>, %s: tensor<16xf32>) -> tensor<4x16xf32> attributes {mj.entry} {
  %y = mj.matmul %x, %w scaled by %s {transpose_b} : tensor<4x32xf32>, tensor<16x32xf8E4M3FN>, tensor<16xf32> -> tensor<4x16xf32>
  %e = mj.norm rms %y eps 0.1 : tensor<4x16xf32> -> tensor<4x16xf32>
  return %e : tensor<4x16xf32>
}
