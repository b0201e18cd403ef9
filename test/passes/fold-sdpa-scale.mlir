// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --fold-sdpa-scale --canonicalize | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --fold-sdpa-scale --remarks-filter=fold-sdpa-scale --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// The example of the documentation: queries are scaled before attention.
// CHECK-LABEL: func.func @queries
// CHECK-SAME: (%[[Q:.*]]: tensor<2x3x8xf32>, %[[K:.*]]: tensor<4x3x8xf32>, %[[V:.*]]: tensor<4x3x8xf32>)
// CHECK-NEXT: %[[A:.*]] = mj.sdpa %[[Q]] over[%[[K]]], [%[[V]]] scale 1.250000e-01
// CHECK-NEXT: return %[[A]]
// REMARK: remark: [Passed] Scale | Category:fold-sdpa-scale | Remark="the factor 0.125 of the queries joined the scale of 'mj.sdpa', which is now 0.125"
func.func @queries(%q: tensor<2x3x8xf32>, %k: tensor<4x3x8xf32>, %v: tensor<4x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %s = arith.constant dense<0.125> : tensor<2x3x8xf32>
  %qs = arith.mulf %q, %s : tensor<2x3x8xf32>
  %a = mj.sdpa %qs over [%k], [%v] scale 1.0 : tensor<2x3x8xf32>, [tensor<4x3x8xf32>], [tensor<4x3x8xf32>] -> tensor<2x3x8xf32>
  return %a : tensor<2x3x8xf32>
}

// Both sides, each in two segments; a division; a number that is broadcast. 2 * (1/4) * (1/8) = 1/16.
// CHECK-LABEL: func.func @both_sides
// CHECK-SAME: (%[[Q:[^:]*]]: tensor<2x3x8xf32>, %[[K:[^:]*]]: tensor<4x3x8xf32>, %[[L:[^:]*]]: tensor<2x3x8xf32>, %[[V:[^:]*]]: tensor<4x3x8xf32>, %[[W:[^:]*]]: tensor<2x3x8xf32>)
// CHECK-NEXT: %[[A:.*]] = mj.sdpa %[[Q]] over[%[[K]], %[[L]]], [%[[V]], %[[W]]] scale 6.250000e-02
// CHECK-NEXT: return %[[A]]
// REMARK: the factor 0.25 of the queries joined the scale of 'mj.sdpa', which is now 0.5
// REMARK: the factor 0.125 of the keys joined the scale of 'mj.sdpa', which is now 0.0625
func.func @both_sides(%q: tensor<2x3x8xf32>, %k: tensor<4x3x8xf32>, %l: tensor<2x3x8xf32>, %v: tensor<4x3x8xf32>, %w: tensor<2x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %four = arith.constant dense<4.0> : tensor<2x3x8xf32>
  %qs = arith.divf %q, %four : tensor<2x3x8xf32>
  %eighth = arith.constant dense<0.125> : tensor<f32>
  %e4 = mj.broadcast %eighth like %k : tensor<f32>, tensor<4x3x8xf32> -> tensor<4x3x8xf32>
  %e2 = mj.broadcast %eighth like %l : tensor<f32>, tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  %ks = arith.mulf %e4, %k : tensor<4x3x8xf32>
  %ls = arith.mulf %l, %e2 : tensor<2x3x8xf32>
  %a = mj.sdpa %qs over [%ks, %ls], [%v, %w] scale 2.0 : tensor<2x3x8xf32>, [tensor<4x3x8xf32>, tensor<2x3x8xf32>], [tensor<4x3x8xf32>, tensor<2x3x8xf32>] -> tensor<2x3x8xf32>
  return %a : tensor<2x3x8xf32>
}

// -----

// Through all that is linear: the normalized rows times a scaled weight, a bias that is scaled too, views, rotation. The
// attention over a cache takes the factor as well.
mj.weight @q : tensor<8x4xf32> from "q"
mj.weight @b : tensor<8xf32> from "b"
mj.weight @n : tensor<4xf32> from "n"
// CHECK-LABEL: func.func @far
// CHECK-NOT: arith.mulf
// CHECK: mj.norm rms %{{.*}}, weight %{{.*}} eps
// CHECK-NOT: arith.mulf
// CHECK: %[[M:.*]] = mj.matmul
// CHECK: %[[B:.*]] = mj.broadcast %{{.*}} like
// CHECK: arith.addf %[[M]], %[[B]]
// CHECK-NOT: arith.mulf
// CHECK: mj.rope
// CHECK-NOT: arith.mulf
// CHECK: mj.attention %{{.*}} scale 1.250000e-01
// REMARK: the factor 0.25 of the queries joined the scale of 'mj.attention', which is now 0.125
func.func @far(%x: tensor<2x4xf32>, %batch: !mj.batch<2 x 1 x 1>, %kv: !mj.kv<1 x 1 x 4 x f32>) -> (tensor<2x2x4xf32>, !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry} {
  %positions = mj.batch_field %batch[positions] : <2 x 1 x 1>
  %table = mj.rope_table theta 1.0e4 : tensor<16x2x2xf32>
  %half4 = arith.constant dense<0.5> : tensor<4xf32>
  %half8 = arith.constant dense<0.5> : tensor<8xf32>
  %half = arith.constant dense<0.5> : tensor<2x2x4xf32>
  %wn = mj.get_weight @n : tensor<4xf32>
  %ws = arith.mulf %wn, %half4 : tensor<4xf32>
  %n = mj.norm rms %x, weight %ws eps 0.0 : tensor<2x4xf32>, weight tensor<4xf32> -> tensor<2x4xf32>
  %wq = mj.get_weight @q : tensor<8x4xf32>
  %m = mj.matmul %n, %wq {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %wb = mj.get_weight @b : tensor<8xf32>
  %bs = arith.mulf %wb, %half8 : tensor<8xf32>
  %bb = mj.broadcast %bs like %m : tensor<8xf32>, tensor<2x8xf32> -> tensor<2x8xf32>
  %s = arith.addf %m, %bb : tensor<2x8xf32>
  %h = mj.reshape %s : tensor<2x8xf32> -> tensor<2x2x4xf32>
  %hs = arith.mulf %h, %half : tensor<2x2x4xf32>
  %r = mj.rope half %hs at %positions, %table : tensor<2x2x4xf32>, tensor<2xi32>, tensor<16x2x2xf32> -> tensor<2x2x4xf32>
  %a = mj.attention %r, %kv[0] over %batch scale 0.5 : tensor<2x2x4xf32>, <1 x 1 x 4 x f32>, <2 x 1 x 1> -> tensor<2x2x4xf32>
  return %a, %kv : tensor<2x2x4xf32>, !mj.kv<1 x 1 x 4 x f32>
}

// -----

// Near misses: the multiplication stays, and the scale as it is.

// CHECK-LABEL: func.func @read_by_others
// CHECK: arith.mulf
// CHECK: mj.sdpa {{.*}} scale 1.000000e+00
// REMARK: remark: [Missed] Scale | Category:fold-sdpa-scale | Remark="the queries of 'mj.sdpa' stay scaled: others read what is scaled"
func.func @read_by_others(%q: tensor<2x3x8xf32>, %k: tensor<4x3x8xf32>, %v: tensor<4x3x8xf32>) -> (tensor<2x3x8xf32>, tensor<2x3x8xf32>) attributes {mj.entry} {
  %s = arith.constant dense<0.125> : tensor<2x3x8xf32>
  %qs = arith.mulf %q, %s : tensor<2x3x8xf32>
  %a = mj.sdpa %qs over [%k], [%v] scale 1.0 : tensor<2x3x8xf32>, [tensor<4x3x8xf32>], [tensor<4x3x8xf32>] -> tensor<2x3x8xf32>
  return %a, %qs : tensor<2x3x8xf32>, tensor<2x3x8xf32>
}

// CHECK-LABEL: func.func @bias_unscaled
// CHECK: arith.mulf
// CHECK: arith.addf
// CHECK: mj.sdpa {{.*}} scale 1.000000e+00
// REMARK: the queries of 'mj.sdpa' stay scaled: it is added to what is not scaled by the same number
func.func @bias_unscaled(%q: tensor<2x3x8xf32>, %b: tensor<2x3x8xf32>, %k: tensor<4x3x8xf32>, %v: tensor<4x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %s = arith.constant dense<0.125> : tensor<2x3x8xf32>
  %qs = arith.mulf %q, %s : tensor<2x3x8xf32>
  %qb = arith.addf %qs, %b : tensor<2x3x8xf32>
  %a = mj.sdpa %qb over [%k], [%v] scale 1.0 : tensor<2x3x8xf32>, [tensor<4x3x8xf32>], [tensor<4x3x8xf32>] -> tensor<2x3x8xf32>
  return %a : tensor<2x3x8xf32>
}

// CHECK-LABEL: func.func @before_a_norm
// CHECK: arith.mulf
// CHECK: mj.sdpa {{.*}} scale 1.000000e+00
// REMARK: the queries of 'mj.sdpa' stay scaled: a norm lies between, which does not keep the factor
func.func @before_a_norm(%q: tensor<2x3x8xf32>, %k: tensor<4x3x8xf32>, %v: tensor<4x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %s = arith.constant dense<0.125> : tensor<2x3x8xf32>
  %qs = arith.mulf %q, %s : tensor<2x3x8xf32>
  %qn = mj.norm rms %qs eps 1.0e-6 : tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  %a = mj.sdpa %qn over [%k], [%v] scale 1.0 : tensor<2x3x8xf32>, [tensor<4x3x8xf32>], [tensor<4x3x8xf32>] -> tensor<2x3x8xf32>
  return %a : tensor<2x3x8xf32>
}

// CHECK-LABEL: func.func @one_segment
// CHECK: arith.mulf
// CHECK: mj.sdpa {{.*}} scale 1.000000e+00
// REMARK: the keys of 'mj.sdpa' stay scaled: the segments are not scaled by the same number
func.func @one_segment(%q: tensor<2x3x8xf32>, %k: tensor<4x3x8xf32>, %l: tensor<4x3x8xf32>, %v: tensor<4x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %s = arith.constant dense<0.125> : tensor<4x3x8xf32>
  %ls = arith.mulf %l, %s : tensor<4x3x8xf32>
  %a = mj.sdpa %q over [%k, %ls], [%v, %v] scale 1.0 : tensor<2x3x8xf32>, [tensor<4x3x8xf32>, tensor<4x3x8xf32>], [tensor<4x3x8xf32>, tensor<4x3x8xf32>] -> tensor<2x3x8xf32>
  return %a : tensor<2x3x8xf32>
}

// CHECK-LABEL: func.func @negative
// CHECK: arith.mulf
// CHECK: mj.sdpa {{.*}} scale 1.000000e+00
// REMARK: the queries of 'mj.sdpa' stay scaled: the factor is not a positive number
func.func @negative(%q: tensor<2x3x8xf32>, %k: tensor<4x3x8xf32>, %v: tensor<4x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %s = arith.constant dense<-0.125> : tensor<2x3x8xf32>
  %qs = arith.mulf %q, %s : tensor<2x3x8xf32>
  %a = mj.sdpa %qs over [%k], [%v] scale 1.0 : tensor<2x3x8xf32>, [tensor<4x3x8xf32>], [tensor<4x3x8xf32>] -> tensor<2x3x8xf32>
  return %a : tensor<2x3x8xf32>
}

// CHECK-LABEL: func.func @vanishes
// CHECK: arith.mulf
// CHECK: mj.sdpa {{.*}} scale 1.000000e-30
// REMARK: the queries of 'mj.sdpa' stay scaled: the product of the scales is no normal f32
func.func @vanishes(%q: tensor<2x3x8xf32>, %k: tensor<4x3x8xf32>, %v: tensor<4x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %s = arith.constant dense<1.0e-30> : tensor<2x3x8xf32>
  %qs = arith.mulf %q, %s : tensor<2x3x8xf32>
  %a = mj.sdpa %qs over [%k], [%v] scale 1.0e-30 : tensor<2x3x8xf32>, [tensor<4x3x8xf32>], [tensor<4x3x8xf32>] -> tensor<2x3x8xf32>
  return %a : tensor<2x3x8xf32>
}

// What is multiplied by several numbers is no multiple of anything, and says nothing.
// CHECK-LABEL: func.func @gated
// CHECK: arith.mulf
// CHECK: mj.sdpa {{.*}} scale 1.000000e+00
// REMARK-NOT: @gated
// REMARK-NOT: stay scaled
func.func @gated(%q: tensor<2x3x8xf32>, %g: tensor<2x3x8xf32>, %k: tensor<4x3x8xf32>, %v: tensor<4x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
  %qs = arith.mulf %q, %g : tensor<2x3x8xf32>
  %a = mj.sdpa %qs over [%k], [%v] scale 1.0 : tensor<2x3x8xf32>, [tensor<4x3x8xf32>], [tensor<4x3x8xf32>] -> tensor<2x3x8xf32>
  return %a : tensor<2x3x8xf32>
}
