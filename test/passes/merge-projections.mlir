// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --merge-projections=force=true | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --merge-projections=force=true --remarks-filter=merge-projections --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: mjolnir-opt %s --split-input-file --merge-projections=target=host:x86-64-v3 --remarks-filter=merge-projections --remark-format=emitRemark 2>&1 | FileCheck %s --check-prefix=HOST
// RUN: mjolnir-opt %s --split-input-file --merge-projections=force=false | FileCheck %s --check-prefix=NEVER
// RUN: not mjolnir-opt %s --split-input-file --merge-projections=force=maybe -o /dev/null 2>&1 | FileCheck %s --check-prefix=FORCE
// RUN: not mjolnir-opt %s --split-input-file --merge-projections=target=lunch -o /dev/null 2>&1 | FileCheck %s --check-prefix=TARGET
// FORCE: error: merge-projections takes force=auto, true or false, not 'maybe'
// TARGET: error: {{.*}}lunch
// NEVER-NOT: mj.concat
// HOST-NOT: mj.concat

// Three weights and their biases, in two entries alike, one of which has them behind the matmuls.
mj.weight @q : tensor<8x4xbf16> from "q"
mj.weight @k : tensor<4x4xbf16> from "k"
mj.weight @v : tensor<4x4xbf16> from "v"
mj.weight @qb : tensor<8xf32> from "qb"
mj.weight @kb : tensor<4xf32> from "kb"
mj.weight @vb : tensor<4xf32> from "vb"
// CHECK-LABEL: func.func @first
// CHECK-SAME: (%[[X:.*]]: tensor<2x4xf32>)
// CHECK-DAG: %[[Q:.*]] = mj.get_weight @q
// CHECK-DAG: %[[K:.*]] = mj.get_weight @k
// CHECK-DAG: %[[V:.*]] = mj.get_weight @v
// CHECK: %[[W:.*]] = mj.concat %[[Q]], %[[K]], %[[V]] axis 0 : tensor<8x4xbf16>, tensor<4x4xbf16>, tensor<4x4xbf16> -> tensor<16x4xbf16>
// CHECK-NEXT: %[[M:.*]] = mj.matmul %[[X]], %[[W]] {transpose_b} : tensor<2x4xf32>, tensor<16x4xbf16> -> tensor<2x16xf32>
// CHECK: %[[B:.*]] = mj.concat %{{.*}}, %{{.*}}, %{{.*}} axis 0 : tensor<8xf32>, tensor<4xf32>, tensor<4xf32> -> tensor<16xf32>
// CHECK-NEXT: %[[BB:.*]] = mj.broadcast %[[B]] like %[[M]]
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[M]], %[[BB]]
// CHECK-NEXT: %[[QP:.*]] = mj.slice %[[S]] from [0, 0] by [1, 1] : tensor<2x16xf32> -> tensor<2x8xf32>
// CHECK-NEXT: %[[KP:.*]] = mj.slice %[[S]] from [0, 8] by [1, 1] : tensor<2x16xf32> -> tensor<2x4xf32>
// CHECK-NEXT: %[[VP:.*]] = mj.slice %[[S]] from [0, 12] by [1, 1] : tensor<2x16xf32> -> tensor<2x4xf32>
// CHECK-NEXT: return %[[QP]], %[[KP]], %[[VP]]
// CHECK-LABEL: func.func @second
// CHECK: %[[M:.*]] = mj.matmul {{.*}} -> tensor<3x16xf32>
// CHECK-NOT: mj.matmul
// CHECK: mj.slice %[[M]] from [0, 0]
// CHECK: mj.slice %[[M]] from [0, 8]
// CHECK: mj.slice %[[M]] from [0, 12]
// CHECK: arith.negf
// REMARK: remark: [Passed] Merge | Category:merge-projections | Remark="@q, @k, @v are one matmul in 2 entries alike: asked for"
// HOST: remark: [Missed] Merge | Category:merge-projections | Remark="@q, @k, @v stay apart in 2 entries alike: x86-64-v3 predicts a gain of -{{[0-9]+}}% in time, 5% are asked for (@first: 2 rows, {{[0-9.]+}} us apart (1 + 1 + 1 tiles for 2 processors), {{[0-9.]+}} us as one with a copy of each part; @second: 3 rows,
func.func @first(%x: tensor<2x4xf32>) -> (tensor<2x8xf32>, tensor<2x4xf32>, tensor<2x4xf32>) attributes {mj.entry} {
  %wq = mj.get_weight @q : tensor<8x4xbf16>
  %wk = mj.get_weight @k : tensor<4x4xbf16>
  %q = mj.matmul %x, %wq {transpose_b} : tensor<2x4xf32>, tensor<8x4xbf16> -> tensor<2x8xf32>
  %bq = mj.get_weight @qb : tensor<8xf32>
  %bbq = mj.broadcast %bq like %q : tensor<8xf32>, tensor<2x8xf32> -> tensor<2x8xf32>
  %qs = arith.addf %q, %bbq : tensor<2x8xf32>
  %k = mj.matmul %x, %wk {transpose_b} : tensor<2x4xf32>, tensor<4x4xbf16> -> tensor<2x4xf32>
  %bk = mj.get_weight @kb : tensor<4xf32>
  %bbk = mj.broadcast %bk like %k : tensor<4xf32>, tensor<2x4xf32> -> tensor<2x4xf32>
  %ks = arith.addf %bbk, %k : tensor<2x4xf32>
  %wv = mj.get_weight @v : tensor<4x4xbf16>
  %v = mj.matmul %x, %wv {transpose_b} : tensor<2x4xf32>, tensor<4x4xbf16> -> tensor<2x4xf32>
  %bv = mj.get_weight @vb : tensor<4xf32>
  %bbv = mj.broadcast %bv like %k : tensor<4xf32>, tensor<2x4xf32> -> tensor<2x4xf32>
  %vs = arith.addf %v, %bbv : tensor<2x4xf32>
  return %qs, %ks, %vs : tensor<2x8xf32>, tensor<2x4xf32>, tensor<2x4xf32>
}
func.func @second(%x: tensor<3x4xf32>) -> (tensor<3x8xf32>, tensor<3x4xf32>, tensor<3x4xf32>) attributes {mj.entry} {
  %wq = mj.get_weight @q : tensor<8x4xbf16>
  %q = mj.matmul %x, %wq {transpose_b} : tensor<3x4xf32>, tensor<8x4xbf16> -> tensor<3x8xf32>
  %wk = mj.get_weight @k : tensor<4x4xbf16>
  %k = mj.matmul %x, %wk {transpose_b} : tensor<3x4xf32>, tensor<4x4xbf16> -> tensor<3x4xf32>
  %kn = arith.negf %k : tensor<3x4xf32>
  %wv = mj.get_weight @v : tensor<4x4xbf16>
  %v = mj.matmul %x, %wv {transpose_b} : tensor<3x4xf32>, tensor<4x4xbf16> -> tensor<3x4xf32>
  return %q, %kn, %v : tensor<3x8xf32>, tensor<3x4xf32>, tensor<3x4xf32>
}

// -----

// Weights that are not transposed lie side by side; scales of their channels go with them.
mj.weight @a : tensor<4x8xf8E4M3FN> from "a"
mj.weight @b : tensor<4x4xf8E4M3FN> from "b"
mj.weight @as : tensor<8xf32> from "as"
mj.weight @bs : tensor<4xf32> from "bs"
// CHECK-LABEL: func.func @plain
// CHECK: %[[W:.*]] = mj.concat %{{.*}}, %{{.*}} axis 1 : tensor<4x8xf8E4M3FN>, tensor<4x4xf8E4M3FN> -> tensor<4x12xf8E4M3FN>
// CHECK: %[[S:.*]] = mj.concat %{{.*}}, %{{.*}} axis 0 : tensor<8xf32>, tensor<4xf32> -> tensor<12xf32>
// CHECK: mj.matmul %{{.*}}, %[[W]] scaled by %[[S]] {x_scale = 5.000000e-01 : f32}
func.func @plain(%x: tensor<2x4xf32>) -> (tensor<2x8xf32>, tensor<2x4xf32>) attributes {mj.entry} {
  %a = mj.get_weight @a : tensor<4x8xf8E4M3FN>
  %b = mj.get_weight @b : tensor<4x4xf8E4M3FN>
  %as = mj.get_weight @as : tensor<8xf32>
  %bs = mj.get_weight @bs : tensor<4xf32>
  %0 = mj.matmul %x, %a scaled by %as {x_scale = 0.5 : f32} : tensor<2x4xf32>, tensor<4x8xf8E4M3FN>, tensor<8xf32> -> tensor<2x8xf32>
  %1 = mj.matmul %x, %b scaled by %bs {x_scale = 0.5 : f32} : tensor<2x4xf32>, tensor<4x4xf8E4M3FN>, tensor<4xf32> -> tensor<2x4xf32>
  return %0, %1 : tensor<2x8xf32>, tensor<2x4xf32>
}

// -----

// Near misses: another input, another type, another transposition, an activation on the right.
mj.weight @a : tensor<4x4xf32> from "a"
mj.weight @b : tensor<4x4xf32> from "b"
mj.weight @c : tensor<4x4xbf16> from "c"
mj.weight @d : tensor<4x4xf32> from "d"
// CHECK-LABEL: func.func @different
// CHECK-NOT: mj.concat
// CHECK-COUNT-5: mj.matmul
// REMARK-NOT: @c
func.func @different(%x: tensor<2x4xf32>, %y: tensor<2x4xf32>, %z: tensor<4x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) attributes {mj.entry} {
  %a = mj.get_weight @a : tensor<4x4xf32>
  %b = mj.get_weight @b : tensor<4x4xf32>
  %c = mj.get_weight @c : tensor<4x4xbf16>
  %d = mj.get_weight @d : tensor<4x4xf32>
  %0 = mj.matmul %x, %a {transpose_b} : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
  %1 = mj.matmul %y, %b {transpose_b} : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
  %2 = mj.matmul %x, %c {transpose_b} : tensor<2x4xf32>, tensor<4x4xbf16> -> tensor<2x4xf32>
  %3 = mj.matmul %x, %d : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
  %4 = mj.matmul %x, %z {transpose_b} : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
  return %0, %1, %2, %3, %4 : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>
}

// -----

// A weight has one layout in all entries: what @gathers and @alone read keeps both pairs apart, even where merging is asked
// for. Layers that read the same context are not merged with each other.
mj.weight @embed : tensor<4x4xf32> from "embed"
mj.weight @other : tensor<4x4xf32> from "other"
mj.weight @k0 : tensor<4x4xf32> from "k0"
mj.weight @v0 : tensor<4x4xf32> from "v0"
mj.weight @k1 : tensor<4x4xf32> from "k1"
mj.weight @v1 : tensor<4x4xf32> from "v1"
// CHECK-LABEL: func.func @pair
// CHECK-COUNT-2: mj.matmul
// REMARK: remark: [Missed] Merge | Category:merge-projections | Remark="@embed, @other stay apart: 'mj.gather' of @gathers reads one of the weights by itself, which would be stored twice"
func.func @pair(%x: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) attributes {mj.entry} {
  %a = mj.get_weight @embed : tensor<4x4xf32>
  %b = mj.get_weight @other : tensor<4x4xf32>
  %0 = mj.matmul %x, %a {transpose_b} : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
  %1 = mj.matmul %x, %b {transpose_b} : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
  return %0, %1 : tensor<2x4xf32>, tensor<2x4xf32>
}
func.func @gathers(%rows: tensor<2xi32>) -> tensor<2x4xf32> attributes {mj.entry} {
  %a = mj.get_weight @embed : tensor<4x4xf32>
  %0 = mj.gather %a[%rows] : tensor<4x4xf32>, tensor<2xi32> -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
// CHECK-LABEL: func.func @two_layers
// CHECK: mj.concat
// CHECK-NEXT: mj.matmul
// CHECK: mj.sdpa
// CHECK: mj.concat
// CHECK-NEXT: mj.matmul
// CHECK: mj.sdpa
// REMARK: @k0, @v0 are one matmul: asked for
// REMARK: @k1, @v1 are one matmul: asked for
func.func @two_layers(%q: tensor<2x1x4xf32>, %c: tensor<3x4xf32>) -> tensor<2x1x4xf32> attributes {mj.entry} {
  %wk0 = mj.get_weight @k0 : tensor<4x4xf32>
  %wv0 = mj.get_weight @v0 : tensor<4x4xf32>
  %k0 = mj.matmul %c, %wk0 {transpose_b} : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
  %v0 = mj.matmul %c, %wv0 {transpose_b} : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
  %kh0 = mj.reshape %k0 : tensor<3x4xf32> -> tensor<3x1x4xf32>
  %vh0 = mj.reshape %v0 : tensor<3x4xf32> -> tensor<3x1x4xf32>
  %a0 = mj.sdpa %q over [%kh0], [%vh0] scale 0.5 : tensor<2x1x4xf32>, [tensor<3x1x4xf32>], [tensor<3x1x4xf32>] -> tensor<2x1x4xf32>
  %wk1 = mj.get_weight @k1 : tensor<4x4xf32>
  %wv1 = mj.get_weight @v1 : tensor<4x4xf32>
  %k1 = mj.matmul %c, %wk1 {transpose_b} : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
  %v1 = mj.matmul %c, %wv1 {transpose_b} : tensor<3x4xf32>, tensor<4x4xf32> -> tensor<3x4xf32>
  %kh1 = mj.reshape %k1 : tensor<3x4xf32> -> tensor<3x1x4xf32>
  %vh1 = mj.reshape %v1 : tensor<3x4xf32> -> tensor<3x1x4xf32>
  %a1 = mj.sdpa %a0 over [%kh1], [%vh1] scale 0.5 : tensor<2x1x4xf32>, [tensor<3x1x4xf32>], [tensor<3x1x4xf32>] -> tensor<2x1x4xf32>
  return %a1 : tensor<2x1x4xf32>
}

// -----

// Gate and up projections meet in pointwise operations: form-fusions makes one region of them.
mj.weight @gate : tensor<8x4xf32> from "gate"
mj.weight @up : tensor<8x4xf32> from "up"
// HOST: @gate, @up stay apart: pointwise operations bring the results together, in one region
func.func @mlp(%x: tensor<2x4xf32>) -> tensor<2x8xf32> attributes {mj.entry} {
  %wg = mj.get_weight @gate : tensor<8x4xf32>
  %wu = mj.get_weight @up : tensor<8x4xf32>
  %g = mj.matmul %x, %wg {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %u = mj.matmul %x, %wu {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %t = math.tanh %g : tensor<2x8xf32>
  %p = arith.mulf %t, %u : tensor<2x8xf32>
  return %p : tensor<2x8xf32>
}
