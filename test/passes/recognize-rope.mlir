// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --simplify --recognize --simplify | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --simplify --recognize --remarks-filter=recognize --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// Halves, as PyTorch's models are exported: x * cos + rotate_half(x) * sin in the order of heads, with a table that is one
// half twice. The ways to heads and back cancel.
// CHECK-LABEL: func.func @rotate_half
// CHECK-SAME: (%[[X:.*]]: tensor<1x6x16xf32>, %[[F:.*]]: tensor<6x4xf32>)
// CHECK-DAG: %[[H:.*]] = mj.reshape %[[X]] : tensor<1x6x16xf32> -> tensor<6x2x8xf32>
// CHECK-DAG: %[[C:.*]] = math.cos %[[F]]
// CHECK-DAG: %[[S:.*]] = math.sin %[[F]]
// CHECK-DAG: %[[CC:.*]] = mj.reshape %[[C]] : tensor<6x4xf32> -> tensor<6x4x1xf32>
// CHECK-DAG: %[[SS:.*]] = mj.reshape %[[S]] : tensor<6x4xf32> -> tensor<6x4x1xf32>
// CHECK: %[[T:.*]] = mj.concat %[[CC]], %[[SS]] axis 2 : tensor<6x4x1xf32>, tensor<6x4x1xf32> -> tensor<6x4x2xf32>
// CHECK-NEXT: %[[R:.*]] = mj.rope half %[[H]], %[[T]] : tensor<6x2x8xf32>, tensor<6x4x2xf32> -> tensor<6x2x8xf32>
// CHECK-NEXT: %[[O:.*]] = mj.reshape %[[R]] : tensor<6x2x8xf32> -> tensor<1x6x16xf32>
// CHECK-NEXT: return %[[O]]
// REMARK: remark: [Passed] Rope | Category:recognize | Remark="rotary embedding of 8 columns, pairs half"
func.func @rotate_half(%x: tensor<1x6x16xf32>, %f: tensor<6x4xf32>) -> tensor<1x6x16xf32> attributes {mj.entry} {
  %h = mj.reshape %x : tensor<1x6x16xf32> -> tensor<1x6x2x8xf32>
  %t = mj.transpose %h [0, 2, 1, 3] : tensor<1x6x2x8xf32> -> tensor<1x2x6x8xf32>
  %emb = mj.concat %f, %f axis 1 : tensor<6x4xf32>, tensor<6x4xf32> -> tensor<6x8xf32>
  %cos = math.cos %emb : tensor<6x8xf32>
  %sin = math.sin %emb : tensor<6x8xf32>
  %c4 = mj.reshape %cos : tensor<6x8xf32> -> tensor<1x1x6x8xf32>
  %s4 = mj.reshape %sin : tensor<6x8xf32> -> tensor<1x1x6x8xf32>
  %cb = mj.broadcast %c4 like %t : tensor<1x1x6x8xf32>, tensor<1x2x6x8xf32> -> tensor<1x2x6x8xf32>
  %sb = mj.broadcast %s4 like %t : tensor<1x1x6x8xf32>, tensor<1x2x6x8xf32> -> tensor<1x2x6x8xf32>
  %p = arith.mulf %t, %cb : tensor<1x2x6x8xf32>
  %a = mj.slice %t from [0, 0, 0, 0] by [1, 1, 1, 1] : tensor<1x2x6x8xf32> -> tensor<1x2x6x4xf32>
  %b = mj.slice %t from [0, 0, 0, 4] by [1, 1, 1, 1] : tensor<1x2x6x8xf32> -> tensor<1x2x6x4xf32>
  %n = arith.negf %b : tensor<1x2x6x4xf32>
  %r = mj.concat %n, %a axis 3 : tensor<1x2x6x4xf32>, tensor<1x2x6x4xf32> -> tensor<1x2x6x8xf32>
  %q = arith.mulf %r, %sb : tensor<1x2x6x8xf32>
  %s = arith.addf %p, %q : tensor<1x2x6x8xf32>
  %u = mj.transpose %s [0, 2, 1, 3] : tensor<1x2x6x8xf32> -> tensor<1x6x2x8xf32>
  %o = mj.reshape %u : tensor<1x6x2x8xf32> -> tensor<1x6x16xf32>
  return %o : tensor<1x6x16xf32>
}

// Halves one by one, with tables that are weights of half the width, gathered by positions: the table is made when the
// package is written. Casts to f32 and back.
mj.weight @cos : tensor<32x4xf32> from "cos"
mj.weight @sin : tensor<32x4xf32> from "sin"
// CHECK-LABEL: func.func @gathered
// CHECK-SAME: (%[[X:.*]]: tensor<6x2x8xbf16>, %[[P:.*]]: tensor<6xi32>)
// CHECK-DAG: %[[C:.*]] = mj.get_weight @cos
// CHECK-DAG: %[[S:.*]] = mj.get_weight @sin
// CHECK-DAG: %[[CC:.*]] = mj.reshape %[[C]] : tensor<32x4xf32> -> tensor<32x4x1xf32>
// CHECK-DAG: %[[SS:.*]] = mj.reshape %[[S]] : tensor<32x4xf32> -> tensor<32x4x1xf32>
// CHECK: %[[T:.*]] = mj.concat %[[CC]], %[[SS]] axis 2
// CHECK-NEXT: %[[R:.*]] = mj.rope half %[[X]] at %[[P]], %[[T]] : tensor<6x2x8xbf16>, tensor<6xi32>, tensor<32x4x2xf32> -> tensor<6x2x8xbf16>
// CHECK-NEXT: return %[[R]]
// REMARK: rotary embedding of 8 columns, pairs half
func.func @gathered(%x: tensor<6x2x8xbf16>, %positions: tensor<6xi32>) -> tensor<6x2x8xbf16> attributes {mj.entry} {
  %cw = mj.get_weight @cos : tensor<32x4xf32>
  %sw = mj.get_weight @sin : tensor<32x4xf32>
  %e = arith.extf %x : tensor<6x2x8xbf16> to tensor<6x2x8xf32>
  %c = mj.gather %cw[%positions] : tensor<32x4xf32>, tensor<6xi32> -> tensor<6x4xf32>
  %s = mj.gather %sw[%positions] : tensor<32x4xf32>, tensor<6xi32> -> tensor<6x4xf32>
  %c3 = mj.reshape %c : tensor<6x4xf32> -> tensor<6x1x4xf32>
  %s3 = mj.reshape %s : tensor<6x4xf32> -> tensor<6x1x4xf32>
  %a = mj.slice %e from [0, 0, 0] by [1, 1, 1] : tensor<6x2x8xf32> -> tensor<6x2x4xf32>
  %b = mj.slice %e from [0, 0, 4] by [1, 1, 1] : tensor<6x2x8xf32> -> tensor<6x2x4xf32>
  %cb = mj.broadcast %c3 like %a : tensor<6x1x4xf32>, tensor<6x2x4xf32> -> tensor<6x2x4xf32>
  %sb = mj.broadcast %s3 like %a : tensor<6x1x4xf32>, tensor<6x2x4xf32> -> tensor<6x2x4xf32>
  %ac = arith.mulf %a, %cb : tensor<6x2x4xf32>
  %bs = arith.mulf %b, %sb : tensor<6x2x4xf32>
  %first = arith.subf %ac, %bs : tensor<6x2x4xf32>
  %bc = arith.mulf %b, %cb : tensor<6x2x4xf32>
  %as = arith.mulf %sb, %a : tensor<6x2x4xf32>
  %second = arith.addf %as, %bc : tensor<6x2x4xf32>
  %o = mj.concat %first, %second axis 2 : tensor<6x2x4xf32>, tensor<6x2x4xf32> -> tensor<6x2x8xf32>
  %t = arith.truncf %o : tensor<6x2x8xf32> to tensor<6x2x8xbf16>
  return %t : tensor<6x2x8xbf16>
}

// -----

// Pairs side by side: strided slices, tables repeated for both of a pair.
// CHECK-LABEL: func.func @strided
// CHECK-SAME: (%[[X:.*]]: tensor<6x2x8xf32>, %[[C:.*]]: tensor<6x4xf32>, %[[S:.*]]: tensor<6x4xf32>)
// CHECK: %[[T:.*]] = mj.concat %{{.*}}, %{{.*}} axis 2
// CHECK-NEXT: %[[R:.*]] = mj.rope interleaved %[[X]], %[[T]] : tensor<6x2x8xf32>, tensor<6x4x2xf32> -> tensor<6x2x8xf32>
// CHECK-NEXT: return %[[R]]
// REMARK: rotary embedding of 8 columns, pairs interleaved
func.func @strided(%x: tensor<6x2x8xf32>, %c: tensor<6x4xf32>, %s: tensor<6x4xf32>) -> tensor<6x2x8xf32> attributes {mj.entry} {
  %c3 = mj.reshape %c : tensor<6x4xf32> -> tensor<6x4x1xf32>
  %c2 = mj.broadcast %c3 like %x : tensor<6x4x1xf32>, tensor<6x2x8xf32> -> tensor<6x4x2xf32>
  %c1 = mj.reshape %c2 : tensor<6x4x2xf32> -> tensor<6x1x8xf32>
  %cb = mj.broadcast %c1 like %x : tensor<6x1x8xf32>, tensor<6x2x8xf32> -> tensor<6x2x8xf32>
  %s3 = mj.reshape %s : tensor<6x4xf32> -> tensor<6x4x1xf32>
  %s2 = mj.broadcast %s3 like %x : tensor<6x4x1xf32>, tensor<6x2x8xf32> -> tensor<6x4x2xf32>
  %s1 = mj.reshape %s2 : tensor<6x4x2xf32> -> tensor<6x1x8xf32>
  %sb = mj.broadcast %s1 like %x : tensor<6x1x8xf32>, tensor<6x2x8xf32> -> tensor<6x2x8xf32>
  %even = mj.slice %x from [0, 0, 0] by [1, 1, 2] : tensor<6x2x8xf32> -> tensor<6x2x4xf32>
  %odd = mj.slice %x from [0, 0, 1] by [1, 1, 2] : tensor<6x2x8xf32> -> tensor<6x2x4xf32>
  %n = arith.negf %odd : tensor<6x2x4xf32>
  %n4 = mj.reshape %n : tensor<6x2x4xf32> -> tensor<6x2x4x1xf32>
  %e4 = mj.reshape %even : tensor<6x2x4xf32> -> tensor<6x2x4x1xf32>
  %r4 = mj.concat %n4, %e4 axis 3 : tensor<6x2x4x1xf32>, tensor<6x2x4x1xf32> -> tensor<6x2x4x2xf32>
  %r = mj.reshape %r4 : tensor<6x2x4x2xf32> -> tensor<6x2x8xf32>
  %p = arith.mulf %x, %cb : tensor<6x2x8xf32>
  %q = arith.mulf %r, %sb : tensor<6x2x8xf32>
  %o = arith.addf %p, %q : tensor<6x2x8xf32>
  return %o : tensor<6x2x8xf32>
}

// Pairs as complex numbers, the table as one tensor of cosines and sines; heads and pairs merged again at once.
// CHECK-LABEL: func.func @complex
// CHECK-SAME: (%[[X:.*]]: tensor<6x16xf32>, %[[T:.*]]: tensor<6x4x2xf32>)
// CHECK-NEXT: %[[H:.*]] = mj.reshape %[[X]] : tensor<6x16xf32> -> tensor<6x2x8xf32>
// CHECK-NEXT: %[[R:.*]] = mj.rope interleaved %[[H]], %[[T]] : tensor<6x2x8xf32>, tensor<6x4x2xf32> -> tensor<6x2x8xf32>
// CHECK-NEXT: %[[O:.*]] = mj.reshape %[[R]] : tensor<6x2x8xf32> -> tensor<6x16xf32>
// CHECK-NEXT: return %[[O]]
// REMARK: rotary embedding of 8 columns, pairs interleaved
func.func @complex(%x: tensor<6x16xf32>, %t: tensor<6x4x2xf32>) -> tensor<6x16xf32> attributes {mj.entry} {
  %h = mj.reshape %x : tensor<6x16xf32> -> tensor<6x2x4x2xf32>
  %re = mj.slice %h from [0, 0, 0, 0] by [1, 1, 1, 1] : tensor<6x2x4x2xf32> -> tensor<6x2x4x1xf32>
  %im = mj.slice %h from [0, 0, 0, 1] by [1, 1, 1, 1] : tensor<6x2x4x2xf32> -> tensor<6x2x4x1xf32>
  %t4 = mj.reshape %t : tensor<6x4x2xf32> -> tensor<6x1x4x2xf32>
  %c = mj.slice %t4 from [0, 0, 0, 0] by [1, 1, 1, 1] : tensor<6x1x4x2xf32> -> tensor<6x1x4x1xf32>
  %s = mj.slice %t4 from [0, 0, 0, 1] by [1, 1, 1, 1] : tensor<6x1x4x2xf32> -> tensor<6x1x4x1xf32>
  %cb = mj.broadcast %c like %re : tensor<6x1x4x1xf32>, tensor<6x2x4x1xf32> -> tensor<6x2x4x1xf32>
  %sb = mj.broadcast %s like %re : tensor<6x1x4x1xf32>, tensor<6x2x4x1xf32> -> tensor<6x2x4x1xf32>
  %rc = arith.mulf %re, %cb : tensor<6x2x4x1xf32>
  %is = arith.mulf %im, %sb : tensor<6x2x4x1xf32>
  %rs = arith.mulf %re, %sb : tensor<6x2x4x1xf32>
  %ic = arith.mulf %im, %cb : tensor<6x2x4x1xf32>
  %a = arith.subf %rc, %is : tensor<6x2x4x1xf32>
  %b = arith.addf %rs, %ic : tensor<6x2x4x1xf32>
  %o4 = mj.concat %a, %b axis 3 : tensor<6x2x4x1xf32>, tensor<6x2x4x1xf32> -> tensor<6x2x4x2xf32>
  %o = mj.reshape %o4 : tensor<6x2x4x2xf32> -> tensor<6x16xf32>
  return %o : tensor<6x16xf32>
}

// Only the first half of each head is rotated.
// CHECK-LABEL: func.func @partial
// CHECK: %[[A:.*]] = mj.slice %arg0 from [0, 0, 0] by [1, 1, 1] : tensor<6x2x8xf32> -> tensor<6x2x4xf32>
// CHECK: %[[R:.*]] = mj.rope half %[[A]], %{{.*}} : tensor<6x2x4xf32>, tensor<6x2x2xf32> -> tensor<6x2x4xf32>
// CHECK: mj.concat %[[R]], %{{.*}} axis 2
func.func @partial(%x: tensor<6x2x8xf32>, %c: tensor<6x1x2xf32>, %s: tensor<6x1x2xf32>) -> tensor<6x2x8xf32> attributes {mj.entry} {
  %a = mj.slice %x from [0, 0, 0] by [1, 1, 1] : tensor<6x2x8xf32> -> tensor<6x2x2xf32>
  %b = mj.slice %x from [0, 0, 2] by [1, 1, 1] : tensor<6x2x8xf32> -> tensor<6x2x2xf32>
  %rest = mj.slice %x from [0, 0, 4] by [1, 1, 1] : tensor<6x2x8xf32> -> tensor<6x2x4xf32>
  %cb = mj.broadcast %c like %a : tensor<6x1x2xf32>, tensor<6x2x2xf32> -> tensor<6x2x2xf32>
  %sb = mj.broadcast %s like %a : tensor<6x1x2xf32>, tensor<6x2x2xf32> -> tensor<6x2x2xf32>
  %ac = arith.mulf %a, %cb : tensor<6x2x2xf32>
  %bs = arith.mulf %b, %sb : tensor<6x2x2xf32>
  %bc = arith.mulf %b, %cb : tensor<6x2x2xf32>
  %as = arith.mulf %a, %sb : tensor<6x2x2xf32>
  %p = arith.subf %ac, %bs : tensor<6x2x2xf32>
  %q = arith.addf %bc, %as : tensor<6x2x2xf32>
  %r = mj.concat %p, %q axis 2 : tensor<6x2x2xf32>, tensor<6x2x2xf32> -> tensor<6x2x4xf32>
  %o = mj.concat %r, %rest axis 2 : tensor<6x2x4xf32>, tensor<6x2x4xf32> -> tensor<6x2x8xf32>
  return %o : tensor<6x2x8xf32>
}

// -----

// Near misses. A table of whole width whose halves may differ:
// CHECK-LABEL: func.func @whole_table
// CHECK-NOT: mj.rope
// CHECK: return
// REMARK: remark: [Missed] Rope | Category:recognize | Remark="rotary embedding not recognized: the two columns of pair 0 are turned by different tables"
func.func @whole_table(%x: tensor<6x2x8xf32>, %c: tensor<6x1x8xf32>, %s: tensor<6x1x8xf32>) -> tensor<6x2x8xf32> attributes {mj.entry} {
  %cb = mj.broadcast %c like %x : tensor<6x1x8xf32>, tensor<6x2x8xf32> -> tensor<6x2x8xf32>
  %sb = mj.broadcast %s like %x : tensor<6x1x8xf32>, tensor<6x2x8xf32> -> tensor<6x2x8xf32>
  %a = mj.slice %x from [0, 0, 0] by [1, 1, 1] : tensor<6x2x8xf32> -> tensor<6x2x4xf32>
  %b = mj.slice %x from [0, 0, 4] by [1, 1, 1] : tensor<6x2x8xf32> -> tensor<6x2x4xf32>
  %n = arith.negf %b : tensor<6x2x4xf32>
  %r = mj.concat %n, %a axis 2 : tensor<6x2x4xf32>, tensor<6x2x4xf32> -> tensor<6x2x8xf32>
  %p = arith.mulf %x, %cb : tensor<6x2x8xf32>
  %q = arith.mulf %r, %sb : tensor<6x2x8xf32>
  %o = arith.addf %p, %q : tensor<6x2x8xf32>
  return %o : tensor<6x2x8xf32>
}

// The other half is negated: that turns the other way.
// CHECK-LABEL: func.func @other_sign
// CHECK-NOT: mj.rope
// CHECK: return
// REMARK: rotary embedding not recognized: the signs in column 0 are not those of a rotation
func.func @other_sign(%x: tensor<6x2x8xf32>, %c: tensor<6x4xf32>, %s: tensor<6x4xf32>) -> tensor<6x2x8xf32> attributes {mj.entry} {
  %cc = mj.concat %c, %c axis 1 : tensor<6x4xf32>, tensor<6x4xf32> -> tensor<6x8xf32>
  %ss = mj.concat %s, %s axis 1 : tensor<6x4xf32>, tensor<6x4xf32> -> tensor<6x8xf32>
  %c3 = mj.reshape %cc : tensor<6x8xf32> -> tensor<6x1x8xf32>
  %s3 = mj.reshape %ss : tensor<6x8xf32> -> tensor<6x1x8xf32>
  %cb = mj.broadcast %c3 like %x : tensor<6x1x8xf32>, tensor<6x2x8xf32> -> tensor<6x2x8xf32>
  %sb = mj.broadcast %s3 like %x : tensor<6x1x8xf32>, tensor<6x2x8xf32> -> tensor<6x2x8xf32>
  %a = mj.slice %x from [0, 0, 0] by [1, 1, 1] : tensor<6x2x8xf32> -> tensor<6x2x4xf32>
  %b = mj.slice %x from [0, 0, 4] by [1, 1, 1] : tensor<6x2x8xf32> -> tensor<6x2x4xf32>
  %n = arith.negf %a : tensor<6x2x4xf32>
  %r = mj.concat %b, %n axis 2 : tensor<6x2x4xf32>, tensor<6x2x4xf32> -> tensor<6x2x8xf32>
  %p = arith.mulf %x, %cb : tensor<6x2x8xf32>
  %q = arith.mulf %r, %sb : tensor<6x2x8xf32>
  %o = arith.addf %p, %q : tensor<6x2x8xf32>
  return %o : tensor<6x2x8xf32>
}

// Halves that overlap.
// CHECK-LABEL: func.func @overlap
// CHECK-NOT: mj.rope
// CHECK: return
// REMARK: rotary embedding not recognized: columns 3 apart are paired
func.func @overlap(%x: tensor<6x2x8xf32>, %c: tensor<6x1x4xf32>, %s: tensor<6x1x4xf32>) -> tensor<6x2x8xf32> attributes {mj.entry} {
  %a = mj.slice %x from [0, 0, 0] by [1, 1, 1] : tensor<6x2x8xf32> -> tensor<6x2x4xf32>
  %b = mj.slice %x from [0, 0, 3] by [1, 1, 1] : tensor<6x2x8xf32> -> tensor<6x2x4xf32>
  %cb = mj.broadcast %c like %a : tensor<6x1x4xf32>, tensor<6x2x4xf32> -> tensor<6x2x4xf32>
  %sb = mj.broadcast %s like %a : tensor<6x1x4xf32>, tensor<6x2x4xf32> -> tensor<6x2x4xf32>
  %ac = arith.mulf %a, %cb : tensor<6x2x4xf32>
  %bs = arith.mulf %b, %sb : tensor<6x2x4xf32>
  %bc = arith.mulf %b, %cb : tensor<6x2x4xf32>
  %as = arith.mulf %a, %sb : tensor<6x2x4xf32>
  %p = arith.subf %ac, %bs : tensor<6x2x4xf32>
  %q = arith.addf %bc, %as : tensor<6x2x4xf32>
  %o = mj.concat %p, %q axis 2 : tensor<6x2x4xf32>, tensor<6x2x4xf32> -> tensor<6x2x8xf32>
  return %o : tensor<6x2x8xf32>
}

// A table for each head.
// CHECK-LABEL: func.func @table_of_heads
// CHECK-NOT: mj.rope
// CHECK: return
// REMARK: rotary embedding not recognized: the tables depend on more than the row
func.func @table_of_heads(%x: tensor<6x2x8xf32>, %c: tensor<6x2x4xf32>, %s: tensor<6x2x4xf32>) -> tensor<6x2x8xf32> attributes {mj.entry} {
  %a = mj.slice %x from [0, 0, 0] by [1, 1, 1] : tensor<6x2x8xf32> -> tensor<6x2x4xf32>
  %b = mj.slice %x from [0, 0, 4] by [1, 1, 1] : tensor<6x2x8xf32> -> tensor<6x2x4xf32>
  %ac = arith.mulf %a, %c : tensor<6x2x4xf32>
  %bs = arith.mulf %b, %s : tensor<6x2x4xf32>
  %bc = arith.mulf %b, %c : tensor<6x2x4xf32>
  %as = arith.mulf %a, %s : tensor<6x2x4xf32>
  %p = arith.subf %ac, %bs : tensor<6x2x4xf32>
  %q = arith.addf %bc, %as : tensor<6x2x4xf32>
  %o = mj.concat %p, %q axis 2 : tensor<6x2x4xf32>, tensor<6x2x4xf32> -> tensor<6x2x8xf32>
  return %o : tensor<6x2x8xf32>
}
