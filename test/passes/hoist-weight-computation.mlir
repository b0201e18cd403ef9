// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --hoist-weight-computation | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --hoist-weight-computation --remarks-filter=hoist-weight-computation --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// Packing, conversion and both; the same computation in two entries is one prepared weight. What nothing reads is gone.
// CHECK: module {
// CHECK-NEXT: mj.weight @q : tensor<32x16xbf16> from "q"
// CHECK-NEXT: mj.weight @h : tensor<32x16xf16> from "h"
// CHECK-NEXT: mj.weight @n : tensor<16xbf16> from "n"
// CHECK-NEXT: mj.prepare @q.packed : tensor<32x16xbf16, #mj.encoding<"rows16x2">> {
// CHECK-NEXT:   %[[W:.*]] = mj.get_weight @q : tensor<32x16xbf16>
// CHECK-NEXT:   %[[P:.*]] = mj.pack %[[W]] : tensor<32x16xbf16> to tensor<32x16xbf16, #mj.encoding<"rows16x2">>
// CHECK-NEXT:   mj.yield %[[P]]
// CHECK-NEXT: }
// CHECK-NEXT: mj.prepare @h.packed : tensor<32x16xbf16, #mj.encoding<"rows16x2">> {
// CHECK-NEXT:   %[[W:.*]] = mj.get_weight @h : tensor<32x16xf16>
// CHECK-NEXT:   %[[E:.*]] = arith.extf %[[W]] : tensor<32x16xf16> to tensor<32x16xf32>
// CHECK-NEXT:   %[[T:.*]] = arith.truncf %[[E]] : tensor<32x16xf32> to tensor<32x16xbf16>
// CHECK-NEXT:   %[[P:.*]] = mj.pack %[[T]]
// CHECK-NEXT:   mj.yield %[[P]]
// CHECK-NEXT: }
// CHECK-NEXT: mj.prepare @rope_table : tensor<8x2x2xf32> {
// CHECK-NEXT:   %[[R:.*]] = mj.rope_table theta 1.000000e+04 : tensor<8x2x2xf32>
// CHECK-NEXT:   mj.yield %[[R]]
// CHECK-NEXT: }
// CHECK-NEXT: mj.prepare @n.converted : tensor<16xf32> {
// CHECK-NEXT:   mj.get_weight @n
// CHECK-NEXT:   arith.extf
// CHECK-NEXT:   mj.yield
// CHECK-NEXT: }
// CHECK-NEXT: func.func @first
// CHECK-NEXT:   %[[Q:.*]] = mj.get_weight @q.packed : tensor<32x16xbf16, #mj.encoding<"rows16x2">>
// CHECK-NEXT:   %[[H:.*]] = mj.get_weight @h.packed
// CHECK-NEXT:   %[[R:.*]] = mj.get_weight @rope_table : tensor<8x2x2xf32>
// CHECK-NEXT:   mj.fusion(%{{.*}} = %[[Q]] : {{.*}}, %{{.*}} = %[[H]] : {{.*}}, %{{.*}} = %[[R]] :
// CHECK: func.func @second
// CHECK-NEXT:   mj.get_weight @q.packed
// CHECK-NEXT:   mj.get_weight @n.converted
// CHECK-NEXT:   mj.fusion
// CHECK-NOT: @unread

// REMARK: remark: [Passed] Prepared | Category:hoist-weight-computation | Remark="@q.packed is computed when the package is written: mj.pack of @q"
// REMARK: @h.packed is computed when the package is written: mj.pack of @h
// REMARK: @rope_table is computed when the package is written: mj.rope_table of a rotary table
// REMARK: @n.converted is computed when the package is written: arith.extf of @n
// REMARK: remark: [Analysis] Dropped | Category:hoist-weight-computation | Remark="@unread is not packaged: nothing reads it"
mj.weight @q : tensor<32x16xbf16> from "q"
mj.weight @h : tensor<32x16xf16> from "h"
mj.weight @n : tensor<16xbf16> from "n"
mj.weight @unread : tensor<4xf32> from "unread"
func.func @first() attributes {mj.entry} {
  %q = mj.get_weight @q : tensor<32x16xbf16>
  %p = mj.pack %q : tensor<32x16xbf16> to tensor<32x16xbf16, #mj.encoding<"rows16x2">>
  %h = mj.get_weight @h : tensor<32x16xf16>
  %e = arith.extf %h : tensor<32x16xf16> to tensor<32x16xf32>
  %t = arith.truncf %e : tensor<32x16xf32> to tensor<32x16xbf16>
  %hp = mj.pack %t : tensor<32x16xbf16> to tensor<32x16xbf16, #mj.encoding<"rows16x2">>
  %r = mj.rope_table theta 1.0e4 : tensor<8x2x2xf32>
  mj.fusion(%a = %p : tensor<32x16xbf16, #mj.encoding<"rows16x2">>, %b = %hp : tensor<32x16xbf16, #mj.encoding<"rows16x2">>, %c = %r : tensor<8x2x2xf32>) {
  }
  return
}
func.func @second() attributes {mj.entry} {
  %q = mj.get_weight @q : tensor<32x16xbf16>
  %p = mj.pack %q : tensor<32x16xbf16> to tensor<32x16xbf16, #mj.encoding<"rows16x2">>
  %n = mj.get_weight @n : tensor<16xbf16>
  %e = arith.extf %n : tensor<16xbf16> to tensor<16xf32>
  %unread = mj.get_weight @unread : tensor<4xf32>
  mj.fusion(%a = %p : tensor<32x16xbf16, #mj.encoding<"rows16x2">>, %c = %e : tensor<16xf32>) {
  }
  return
}

// -----

// A weight that is read as it is stays; one that is read in two ways is there twice; a returned computation is read, too.
// Two tables that differ get names that differ, and so does a prepared weight whose name is taken.
// CHECK: mj.weight @q.converted : tensor<4xf32> from "other"
// CHECK: mj.prepare @[[CONVERTED:q.converted_[0-9]+]] : tensor<4xf32>
// CHECK: mj.prepare @rope_table : tensor<8x2x2xf32>
// CHECK: mj.prepare @[[TABLE:rope_table_[0-9]+]] : tensor<8x4x2xf32>
// CHECK: func.func @two_ways
// CHECK-DAG: %[[Q:.*]] = mj.get_weight @q : tensor<4xbf16>
// CHECK-DAG: %[[E:.*]] = mj.get_weight @[[CONVERTED]] : tensor<4xf32>
// CHECK-DAG: %[[O:.*]] = mj.get_weight @q.converted : tensor<4xf32>
// CHECK-DAG: %[[R:.*]] = mj.get_weight @rope_table : tensor<8x2x2xf32>
// CHECK-DAG: %[[S:.*]] = mj.get_weight @[[TABLE]] : tensor<8x4x2xf32>
// CHECK: return %[[Q]], %[[E]], %[[O]], %[[R]], %[[S]]
// REMARK: @q.converted_{{[0-9]+}} is computed
// REMARK: @rope_table is computed
// REMARK: @rope_table_{{[0-9]+}} is computed
mj.weight @q : tensor<4xbf16> from "q"
mj.weight @q.converted : tensor<4xf32> from "other"
func.func @two_ways() -> (tensor<4xbf16>, tensor<4xf32>, tensor<4xf32>, tensor<8x2x2xf32>, tensor<8x4x2xf32>) attributes {mj.entry} {
  %q = mj.get_weight @q : tensor<4xbf16>
  %e = arith.extf %q : tensor<4xbf16> to tensor<4xf32>
  %o = mj.get_weight @q.converted : tensor<4xf32>
  %r = mj.rope_table theta 1.0e4 : tensor<8x2x2xf32>
  %s = mj.rope_table theta 1.0e4 : tensor<8x4x2xf32>
  return %q, %e, %o, %r, %s : tensor<4xbf16>, tensor<4xf32>, tensor<4xf32>, tensor<8x2x2xf32>, tensor<8x4x2xf32>
}

// -----

// Movements of elements and arithmetic in f32, constants in it too, are work on weights.
// CHECK: mj.prepare @gamma.prepared : tensor<4xf32> {
// CHECK-DAG:   %[[W:.*]] = mj.get_weight @gamma
// CHECK-DAG:   %[[C:.*]] = arith.constant dense<1.000000e+00>
// CHECK:       %[[S:.*]] = arith.addf %[[C]], %[[W]]
// CHECK-NEXT:  mj.yield %[[S]]
// CHECK: mj.prepare @a.merged : tensor<4x4xf32> {
// CHECK-NEXT:   %[[A:.*]] = mj.get_weight @a
// CHECK-NEXT:   %[[T:.*]] = mj.transpose %[[A]] [1, 0]
// CHECK-NEXT:   %[[B:.*]] = mj.get_weight @b
// CHECK-NEXT:   %[[L:.*]] = mj.slice %[[B]]
// CHECK-NEXT:   %[[R:.*]] = mj.reshape %[[L]]
// CHECK-NEXT:   %[[K:.*]] = mj.concat %[[T]], %[[R]]
// CHECK-NEXT:   mj.yield %[[K]]
// CHECK: func.func @arithmetic
// CHECK-NEXT: %[[G:.*]] = mj.get_weight @gamma.prepared
// CHECK-NEXT: %[[K:.*]] = mj.get_weight @a.merged
// CHECK-NEXT: return %[[G]], %[[K]]
// REMARK: @gamma.prepared is computed when the package is written: arith.addf of @gamma
// REMARK: @a.merged is computed when the package is written: mj.concat of @a
mj.weight @gamma : tensor<4xf32> from "gamma"
mj.weight @a : tensor<4x2xf32> from "a"
mj.weight @b : tensor<3x4xf32> from "b"
func.func @arithmetic() -> (tensor<4xf32>, tensor<4x4xf32>) attributes {mj.entry} {
  %one = arith.constant dense<1.0> : tensor<4xf32>
  %g = mj.get_weight @gamma : tensor<4xf32>
  %s = arith.addf %one, %g : tensor<4xf32>
  %a = mj.get_weight @a : tensor<4x2xf32>
  %t = mj.transpose %a [1, 0] : tensor<4x2xf32> -> tensor<2x4xf32>
  %b = mj.get_weight @b : tensor<3x4xf32>
  %l = mj.slice %b from [0, 0] by [2, 1] : tensor<3x4xf32> -> tensor<2x4xf32>
  %r = mj.reshape %l : tensor<2x4xf32> -> tensor<2x4xf32>
  %k = mj.concat %t, %r axis 0 : tensor<2x4xf32>, tensor<2x4xf32> -> tensor<4x4xf32>
  return %s, %k : tensor<4xf32>, tensor<4x4xf32>
}

// -----

// Near misses: a conversion of an argument or of a computed value is no work on weights, nor is what packaging cannot do.
// CHECK-NOT: mj.prepare
// CHECK-LABEL: func.func @activations
// CHECK-NEXT: arith.extf
// CHECK-NEXT: mj.get_weight @w
// CHECK-NEXT: math.exp
// CHECK-NEXT: arith.truncf
// CHECK-NEXT: return
// REMARK-NOT: Prepared
mj.weight @w : tensor<4xf32> from "w"
func.func @activations(%x: tensor<4xbf16>) -> (tensor<4xf32>, tensor<4xbf16>) attributes {mj.entry} {
  %e = arith.extf %x : tensor<4xbf16> to tensor<4xf32>
  %w = mj.get_weight @w : tensor<4xf32>
  %n = math.exp %w : tensor<4xf32>
  %t = arith.truncf %n : tensor<4xf32> to tensor<4xbf16>
  return %e, %t : tensor<4xf32>, tensor<4xbf16>
}

// -----

// Without entries nothing reads a weight.
// CHECK: module {
// CHECK-NEXT: }
mj.weight @w : tensor<4xf32> from "w"
