// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --form-fusions | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --form-fusions --remarks-filter=form-fusions --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --form-fusions=unfused | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s --check-prefix=UNFUSED

// The gate and up projections of an MLP read their rows once and meet in one region; the down projection takes the
// residual as its epilogue. Constants go where they are used, weights come from outside.
mj.weight @gate : tensor<8x4xf32> from "gate"
mj.weight @up : tensor<8x4xf32> from "up"
mj.weight @down : tensor<4x8xf32> from "down"
// CHECK-LABEL: func.func @mlp
// CHECK-SAME: (%[[X:.*]]: tensor<2x4xf32>)
// CHECK-NEXT: %[[GATE:.*]] = mj.get_weight @gate
// CHECK-NEXT: %[[UP:.*]] = mj.get_weight @up
// CHECK-NEXT: %[[DOWN:.*]] = mj.get_weight @down
// CHECK-NEXT: %[[P:.*]] = mj.fusion(%[[A:.*]] = %[[X]] : tensor<2x4xf32>, %[[B:.*]] = %[[GATE]] : tensor<8x4xf32>, %[[C:.*]] = %[[UP]] : tensor<8x4xf32>) -> tensor<2x8xf32> {
// CHECK-NEXT:   %[[ONE:.*]] = arith.constant dense<1.000000e+00> : tensor<f32>
// CHECK-NEXT:   %[[G:.*]] = mj.matmul %[[A]], %[[B]] {transpose_b}
// CHECK-NEXT:   %[[U:.*]] = mj.matmul %[[A]], %[[C]] {transpose_b}
// CHECK-NEXT:   mj.broadcast %[[ONE]] like %[[G]]
// CHECK-NEXT:   arith.addf
// CHECK-NEXT:   %[[R:.*]] = arith.mulf
// CHECK-NEXT:   mj.yield %[[R]] : tensor<2x8xf32>
// CHECK-NEXT: }
// CHECK-NEXT: %[[Y:.*]] = mj.fusion(%[[A:.*]] = %[[P]] : tensor<2x8xf32>, %[[B:.*]] = %[[DOWN]] : tensor<4x8xf32>, %[[C:.*]] = %[[X]] : tensor<2x4xf32>) -> tensor<2x4xf32> {
// CHECK-NEXT:   %[[D:.*]] = mj.matmul %[[A]], %[[B]] {transpose_b}
// CHECK-NEXT:   %[[R:.*]] = arith.addf %[[C]], %[[D]]
// CHECK-NEXT:   mj.yield %[[R]]
// CHECK-NEXT: }
// CHECK-NEXT: return %[[Y]]

// The numbers: alone, each projection reads 32 B of x and 128 B of weight and writes 64 B, and what follows reads both and
// writes 64 B: 640 B. Together they read 288 B and write 64 B.
// REMARK: remark: [Missed] Parallel | Category:form-fusions | Remark="matmul of @gate and @up: not joined as one grid: the target's kernels multiply by one weight"
// REMARK: remark: [Passed] Epilogue | Category:form-fusions | Remark="matmul of @gate and @up: 2 operations joined as an epilogue: saves 288 B of 640 B and 2 launches"
// REMARK: remark: [Passed] Epilogue | Category:form-fusions | Remark="matmul of @down: 1 operation joined as an epilogue: saves 64 B of 320 B and 1 launch"
// REMARK: remark: [Analysis] Regions | Category:form-fusions | Remark="@mlp: 2 regions: 2 matmul"

// UNFUSED-LABEL: func.func @mlp
// UNFUSED-COUNT-7: mj.fusion(
// UNFUSED-NOT: mj.fusion(
// UNFUSED: return
func.func @mlp(%x: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
  %one = arith.constant dense<1.0> : tensor<f32>
  %wg = mj.get_weight @gate : tensor<8x4xf32>
  %g = mj.matmul %x, %wg {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %wu = mj.get_weight @up : tensor<8x4xf32>
  %u = mj.matmul %x, %wu {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %b = mj.broadcast %one like %g : tensor<f32>, tensor<2x8xf32> -> tensor<2x8xf32>
  %s = arith.addf %g, %b : tensor<2x8xf32>
  %p = arith.mulf %s, %u : tensor<2x8xf32>
  %wd = mj.get_weight @down : tensor<4x8xf32>
  %d = mj.matmul %p, %wd {transpose_b} : tensor<2x8xf32>, tensor<4x8xf32> -> tensor<2x4xf32>
  %y = arith.addf %x, %d : tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// -----

// Near misses: what may not meet in one region, or not be all of an epilogue. Another matmul's result is then an operand as
// any other.
mj.weight @w : tensor<8x4xf32> from "w"
mj.weight @v : tensor<8x4xf32> from "v"
mj.weight @z : tensor<8x4xbf16> from "z"
mj.weight @t : tensor<4x8xf32> from "t"

// CHECK-LABEL: func.func @read_twice
// CHECK: %[[M:.*]] = mj.fusion(
// CHECK-NEXT: mj.matmul
// CHECK-NEXT: mj.yield
// CHECK: %[[N:.*]] = mj.fusion(%{{.*}} = %[[M]]
// CHECK-NEXT: arith.negf
// CHECK: return %[[N]], %[[M]]
// REMARK: remark: [Missed] Epilogue | Category:form-fusions | Remark="matmul of @w: not joined as an epilogue: the result has another user outside"
func.func @read_twice(%x: tensor<2x4xf32>) -> (tensor<2x8xf32>, tensor<2x8xf32>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x4xf32>
  %m = mj.matmul %x, %w {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %n = arith.negf %m : tensor<2x8xf32>
  return %n, %m : tensor<2x8xf32>, tensor<2x8xf32>
}

// CHECK-LABEL: func.func @different_rows
// CHECK: %[[N:.*]] = mj.fusion(
// CHECK-NEXT: mj.matmul
// CHECK-NEXT: mj.yield
// CHECK: mj.fusion(
// CHECK-SAME: = %[[N]] : tensor<2x8xf32>
// CHECK-NEXT: mj.matmul
// CHECK-NEXT: arith.addf
// CHECK-NEXT: mj.yield
// REMARK: matmul of @w and @v: not joined where they meet: they multiply different rows
// REMARK: matmul of @w: 1 operation joined as an epilogue: saves 128 B of 416 B and 1 launch
// REMARK: matmul of @v: not joined as an epilogue: it belongs to another region
func.func @different_rows(%x: tensor<2x4xf32>, %y: tensor<2x4xf32>) -> tensor<2x8xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x4xf32>
  %v = mj.get_weight @v : tensor<8x4xf32>
  %m = mj.matmul %x, %w {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %n = mj.matmul %y, %v {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %s = arith.addf %m, %n : tensor<2x8xf32>
  return %s : tensor<2x8xf32>
}

// CHECK-LABEL: func.func @different_weights
// CHECK-COUNT-2: mj.fusion(
// CHECK-NOT: mj.fusion(
// REMARK: matmul of @w and @z: not joined where they meet: their weights differ in shape or type
func.func @different_weights(%x: tensor<2x4xf32>) -> tensor<2x8xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x4xf32>
  %z = mj.get_weight @z : tensor<8x4xbf16>
  %m = mj.matmul %x, %w {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %n = mj.matmul %x, %z {transpose_b} : tensor<2x4xf32>, tensor<8x4xbf16> -> tensor<2x8xf32>
  %s = arith.addf %m, %n : tensor<2x8xf32>
  return %s : tensor<2x8xf32>
}

// CHECK-LABEL: func.func @different_results
// CHECK-COUNT-2: mj.fusion(
// CHECK-NOT: mj.fusion(
// REMARK: @different_results: 2 regions: 2 matmul
func.func @different_results(%x: tensor<2x4xf32>) -> tensor<2x8xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x4xf32>
  %v = mj.get_weight @v : tensor<8x4xf32>
  %m = mj.matmul %x, %w {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %n = mj.matmul %x, %v {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xbf16>
  %e = arith.extf %n : tensor<2x8xbf16> to tensor<2x8xf32>
  %s = arith.addf %m, %e : tensor<2x8xf32>
  return %s : tensor<2x8xf32>
}

// CHECK-LABEL: func.func @three
// CHECK-COUNT-2: mj.fusion(
// CHECK-NOT: mj.fusion(
// REMARK: matmul of @w and @w: not joined where they meet: more than two matmuls meet
func.func @three(%x: tensor<2x4xf32>) -> tensor<2x8xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x4xf32>
  %v = mj.get_weight @v : tensor<8x4xf32>
  %m = mj.matmul %x, %w {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %n = mj.matmul %x, %v {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %o = mj.matmul %x, %w {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %s = arith.addf %m, %n : tensor<2x8xf32>
  %u = arith.addf %s, %o : tensor<2x8xf32>
  return %u : tensor<2x8xf32>
}

// CHECK-LABEL: func.func @no_weight
// CHECK-COUNT-2: mj.fusion(
// REMARK: matmul of a computed value: not joined as an epilogue: the right operand is no weight
func.func @no_weight(%x: tensor<2x4xf32>, %y: tensor<8x4xf32>) -> tensor<2x8xf32> attributes {mj.entry} {
  %m = mj.matmul %x, %y {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %n = arith.negf %m : tensor<2x8xf32>
  return %n : tensor<2x8xf32>
}

// CHECK-LABEL: func.func @not_transposed
// CHECK-COUNT-2: mj.fusion(
// REMARK: matmul of @t: not joined as an epilogue: the weight is not transposed
func.func @not_transposed(%x: tensor<2x4xf32>) -> tensor<2x8xf32> attributes {mj.entry} {
  %t = mj.get_weight @t : tensor<4x8xf32>
  %m = mj.matmul %x, %t : tensor<2x4xf32>, tensor<4x8xf32> -> tensor<2x8xf32>
  %n = arith.negf %m : tensor<2x8xf32>
  return %n : tensor<2x8xf32>
}

// A weight that only gave a shape is not read: what is there of that size gives it.
// CHECK-LABEL: func.func @shape_of_weight
// CHECK: mj.fusion(
// CHECK: %[[M:.*]] = mj.matmul
// CHECK-NEXT: mj.broadcast %{{.*}} like %{{.*}} : tensor<f32>, tensor<8x4xf32>
// CHECK-NEXT: arith.addf
// CHECK-NOT: mj.fusion(
// REMARK: @shape_of_weight: 1 regions: 1 matmul
func.func @shape_of_weight(%x: tensor<8x4xf32>) -> tensor<8x8xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x4xf32>
  %m = mj.matmul %x, %w {transpose_b} : tensor<8x4xf32>, tensor<8x4xf32> -> tensor<8x8xf32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %b = mj.broadcast %one like %w : tensor<f32>, tensor<8x4xf32> -> tensor<8x8xf32>
  %n = arith.addf %m, %b : tensor<8x8xf32>
  return %n : tensor<8x8xf32>
}

mj.weight @square : tensor<4x4xf32> from "square"
// CHECK-LABEL: func.func @weight_read_too
// CHECK-COUNT-2: mj.fusion(
// REMARK: matmul of @square: not joined as an epilogue: the epilogue would read the weight, too
func.func @weight_read_too(%x: tensor<4x4xf32>) -> tensor<4x4xf32> attributes {mj.entry} {
  %w = mj.get_weight @square : tensor<4x4xf32>
  %m = mj.matmul %x, %w {transpose_b} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %n = arith.addf %m, %w : tensor<4x4xf32>
  return %n : tensor<4x4xf32>
}

// CHECK-LABEL: func.func @two_results
// CHECK: %[[N:.*]] = mj.fusion(
// CHECK-NEXT: mj.matmul
// CHECK-NEXT: arith.negf
// CHECK-NEXT: mj.yield
// CHECK: mj.fusion(%{{.*}} = %[[N]]
// CHECK-NEXT: arith.addf
// REMARK: matmul of @w: 1 operation joined as an epilogue: saves 128 B of 352 B"
// REMARK: matmul of @w: not all that follows joined as an epilogue: the epilogue would have more than one result
func.func @two_results(%x: tensor<2x4xf32>) -> (tensor<2x8xf32>, tensor<2x8xf32>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x4xf32>
  %m = mj.matmul %x, %w {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %n = arith.negf %m : tensor<2x8xf32>
  %o = arith.addf %n, %n : tensor<2x8xf32>
  return %n, %o : tensor<2x8xf32>, tensor<2x8xf32>
}

// CHECK-LABEL: func.func @another_shape
// CHECK-COUNT-2: mj.fusion(
// REMARK: matmul of @w: not joined as an epilogue: an operation of the epilogue makes another shape
func.func @another_shape(%x: tensor<2x4xf32>) -> tensor<2x2x8xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x4xf32>
  %m = mj.matmul %x, %w {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %b = mj.broadcast %m like %x : tensor<2x8xf32>, tensor<2x4xf32> -> tensor<2x2x8xf32>
  return %b : tensor<2x2x8xf32>
}

// CHECK-LABEL: func.func @not_pointwise
// CHECK: mj.fusion(
// CHECK-NEXT: mj.matmul
// CHECK-NEXT: arith.negf
// CHECK-NEXT: mj.yield
// CHECK: mj.fusion(
// CHECK-NEXT: mj.norm
// REMARK: matmul of @w: not all that follows joined as an epilogue: what uses it is not pointwise
func.func @not_pointwise(%x: tensor<2x4xf32>) -> tensor<2x8xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x4xf32>
  %m = mj.matmul %x, %w {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
  %n = arith.negf %m : tensor<2x8xf32>
  %o = mj.norm rms %n eps 0.0 : tensor<2x8xf32> -> tensor<2x8xf32>
  return %o : tensor<2x8xf32>
}

// -----

// Attention with its cache: what lies between two anchors and is connected is one region. Both sides of the cache's update are one region, the reshapes alone are none.
mj.weight @q : tensor<4x4xf32> from "q"
mj.weight @k : tensor<4x4xf32> from "k"
// CHECK-LABEL: func.func @attention
// CHECK-SAME: (%[[X:.*]]: tensor<2x4xf32>, %[[BATCH:.*]]: !mj.batch<2 x 1 x 1>, %[[KV:.*]]: !mj.kv<1 x 1 x 4 x f32>)
// CHECK-DAG: %[[POSITIONS:.*]] = mj.batch_field %[[BATCH]][positions]
// CHECK-DAG: %[[TABLE:.*]] = mj.rope_table
// CHECK-DAG: %[[WQ:.*]] = mj.get_weight @q
// CHECK-DAG: %[[WK:.*]] = mj.get_weight @k
// CHECK: %[[N:.*]] = mj.fusion(%{{.*}} = %[[X]] : tensor<2x4xf32>)
// CHECK-NEXT: mj.norm
// CHECK-NEXT: mj.yield
// CHECK: %[[Q:.*]] = mj.fusion(%{{.*}} = %[[N]] : tensor<2x4xf32>, %{{.*}} = %[[WQ]]
// CHECK-NEXT: mj.matmul
// CHECK-NEXT: mj.yield
// CHECK: %[[QR:.*]] = mj.fusion(%{{.*}} = %[[Q]] : tensor<2x4xf32>, %{{.*}} = %[[POSITIONS]] : tensor<2xi32>, %{{.*}} = %[[TABLE]] : tensor<16x2x2xf32>)
// CHECK-NEXT: mj.reshape
// CHECK-NEXT: mj.rope
// CHECK-NEXT: mj.yield
// CHECK: %[[K:.*]] = mj.fusion(%{{.*}} = %[[N]] : tensor<2x4xf32>, %{{.*}} = %[[WK]]
// CHECK-NEXT: mj.matmul
// CHECK-NEXT: mj.yield
// CHECK: %[[KV1:.*]] = mj.fusion(%{{.*}} = %[[K]] : tensor<2x4xf32>, %{{.*}} = %[[POSITIONS]] : tensor<2xi32>, %{{.*}} = %[[TABLE]] : tensor<16x2x2xf32>, %{{.*}} = %[[KV]] : !mj.kv<1 x 1 x 4 x f32>, %{{.*}} = %[[BATCH]] : !mj.batch<2 x 1 x 1>) -> !mj.kv<1 x 1 x 4 x f32> {
// CHECK-NEXT: mj.reshape
// CHECK-NEXT: mj.rope
// CHECK-NEXT: mj.kv_append
// CHECK-NEXT: mj.yield
// CHECK: %[[A:.*]] = mj.fusion(%{{.*}} = %[[QR]] : tensor<2x1x4xf32>, %{{.*}} = %[[KV1]] : !mj.kv<1 x 1 x 4 x f32>, %{{.*}} = %[[BATCH]]
// CHECK-NEXT: mj.attention
// CHECK-NEXT: mj.yield
// CHECK: %[[F:.*]] = mj.reshape %[[A]] : tensor<2x1x4xf32> -> tensor<2x4xf32>
// CHECK-NEXT: return %[[F]], %[[KV1]]
// REMARK: attention of layer 0: not joined as a prologue: the target's attention has no prologue
// REMARK: norm before matmul of @q and @k: not repeated as a prologue: the target's matmuls have no prologue
// REMARK: rope, kv_append: joined as one region of rows: saves 96 B of 176 B and 1 launch
// REMARK: @attention: 6 regions: 3 rows, 2 matmul, 1 attention
func.func @attention(%x: tensor<2x4xf32>, %batch: !mj.batch<2 x 1 x 1>, %kv: !mj.kv<1 x 1 x 4 x f32>)
    -> (tensor<2x4xf32>, !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry} {
  %positions = mj.batch_field %batch[positions] : <2 x 1 x 1>
  %table = mj.rope_table theta 1.0e4 : tensor<16x2x2xf32>
  %n = mj.norm rms %x eps 0.0 : tensor<2x4xf32> -> tensor<2x4xf32>
  %wq = mj.get_weight @q : tensor<4x4xf32>
  %q = mj.matmul %n, %wq {transpose_b} : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
  %qh = mj.reshape %q : tensor<2x4xf32> -> tensor<2x1x4xf32>
  %qr = mj.rope half %qh at %positions, %table : tensor<2x1x4xf32>, tensor<2xi32>, tensor<16x2x2xf32> -> tensor<2x1x4xf32>
  %wk = mj.get_weight @k : tensor<4x4xf32>
  %k = mj.matmul %n, %wk {transpose_b} : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
  %kh = mj.reshape %k : tensor<2x4xf32> -> tensor<2x1x4xf32>
  %kr = mj.rope half %kh at %positions, %table : tensor<2x1x4xf32>, tensor<2xi32>, tensor<16x2x2xf32> -> tensor<2x1x4xf32>
  %kv1 = mj.kv_append %kv[0], %kr, %kh at %batch : <1 x 1 x 4 x f32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, <2 x 1 x 1> -> <1 x 1 x 4 x f32>
  %a = mj.attention %qr, %kv1[0] over %batch scale 0.5 : tensor<2x1x4xf32>, <1 x 1 x 4 x f32>, <2 x 1 x 1> -> tensor<2x1x4xf32>
  %f = mj.reshape %a : tensor<2x1x4xf32> -> tensor<2x4xf32>
  return %f, %kv1 : tensor<2x4xf32>, !mj.kv<1 x 1 x 4 x f32>
}

// -----

// A gather of rows that an operation before it computes starts after it; a gather of a weight does not wait.
mj.weight @embed : tensor<8x4xf32> from "embed"
// CHECK-LABEL: func.func @gathers
// CHECK: %[[X:.*]] = mj.fusion(
// CHECK-NEXT: mj.gather
// CHECK-NEXT: arith.negf
// CHECK-NEXT: mj.yield
// CHECK: mj.fusion(%{{.*}} = %[[X]] : tensor<4x4xf32>
// CHECK-NEXT: mj.gather
// CHECK-NEXT: mj.norm
// CHECK-NEXT: mj.yield
// REMARK: gather: not joined to negf: they have different numbers of rows
func.func @gathers(%batch: !mj.batch<4 x 2 x 1>) -> tensor<2x4xf32> attributes {mj.entry} {
  %embed = mj.get_weight @embed : tensor<8x4xf32>
  %tokens = mj.batch_field %batch[tokens] : <4 x 2 x 1>
  %rows = mj.batch_field %batch[logit_rows] : <4 x 2 x 1>
  %x = mj.gather %embed[%tokens] : tensor<8x4xf32>, tensor<4xi32> -> tensor<4x4xf32>
  %y = arith.negf %x : tensor<4x4xf32>
  %l = mj.gather %y[%rows] : tensor<4x4xf32>, tensor<2xi32> -> tensor<2x4xf32>
  %n = mj.norm rms %l eps 0.0 : tensor<2x4xf32> -> tensor<2x4xf32>
  return %n : tensor<2x4xf32>
}

// -----

// A value returned twice comes from one region, a returned constant from one of its own; arguments, batch fields and
// weights are returned as they are. What nothing reads is dropped, an append to the cache too.
mj.weight @w : tensor<2x4xf32> from "w"
// CHECK-LABEL: func.func @returns
// CHECK-SAME: (%[[X:.*]]: tensor<2x4xf32>, %[[BATCH:.*]]: !mj.batch<2 x 1 x 1>, %[[KV:.*]]: !mj.kv
// CHECK-NEXT: %[[W:.*]] = mj.get_weight @w
// CHECK-NEXT: %[[T:.*]] = mj.batch_field %[[BATCH]][tokens]
// CHECK-NEXT: %[[N:.*]] = mj.fusion(%[[A:.*]] = %[[X]] : tensor<2x4xf32>) -> tensor<2x4xf32> {
// CHECK-NEXT:   %[[C:.*]] = arith.constant dense<1.000000e+00>
// CHECK-NEXT:   %[[R:.*]] = arith.addf %[[A]], %[[C]]
// CHECK-NEXT:   mj.yield %[[R]]
// CHECK-NEXT: }
// CHECK-NEXT: %[[C:.*]] = mj.fusion() -> tensor<2x4xf32> {
// CHECK-NEXT:   %[[R:.*]] = arith.constant dense<1.000000e+00>
// CHECK-NEXT:   mj.yield %[[R]]
// CHECK-NEXT: }
// CHECK-NEXT: return %[[N]], %[[C]], %[[N]], %[[X]], %[[T]], %[[W]], %[[C]], %[[KV]]
// REMARK: @returns: 2 regions: 2 rows

// UNFUSED-LABEL: func.func @returns
// UNFUSED-COUNT-2: mj.fusion(
// UNFUSED-NOT: mj.fusion(
// UNFUSED: return
func.func @returns(%x: tensor<2x4xf32>, %batch: !mj.batch<2 x 1 x 1>, %kv: !mj.kv<1 x 1 x 4 x f32>)
    -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xi32>, tensor<2x4xf32>, tensor<2x4xf32>, !mj.kv<1 x 1 x 4 x f32>)
    attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<2x4xf32>
  %t = mj.batch_field %batch[tokens] : <2 x 1 x 1>
  %c = arith.constant dense<1.0> : tensor<2x4xf32>
  %n = arith.addf %x, %c : tensor<2x4xf32>
  %dead = arith.negf %n : tensor<2x4xf32>
  %h = mj.reshape %x : tensor<2x4xf32> -> tensor<2x1x4xf32>
  %kv1 = mj.kv_append %kv[0], %h, %h at %batch : <1 x 1 x 4 x f32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, <2 x 1 x 1> -> <1 x 1 x 4 x f32>
  return %n, %c, %n, %x, %t, %w, %c, %kv
      : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2xi32>, tensor<2x4xf32>, tensor<2x4xf32>, !mj.kv<1 x 1 x 4 x f32>
}

// Operations that share nothing are different kernels; a region may have several results. An empty entry stays empty.
// CHECK-LABEL: func.func @unconnected
// CHECK: %[[P:.*]]:2 = mj.fusion(%{{.*}} = %{{.*}} : tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
// CHECK-NEXT: arith.negf
// CHECK-NEXT: arith.addf
// CHECK-NEXT: mj.yield
// CHECK: %[[Q:.*]] = mj.fusion(
// CHECK-NEXT: arith.negf
// CHECK-NEXT: mj.yield
// CHECK: return %[[P]]#0, %[[P]]#1, %[[Q]]
func.func @unconnected(%x: tensor<2x4xf32>, %y: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>) attributes {mj.entry} {
  %n = arith.negf %x : tensor<2x4xf32>
  %o = arith.addf %n, %n : tensor<2x4xf32>
  %m = arith.negf %y : tensor<2x4xf32>
  return %n, %o, %m : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>
}
// REMARK: negf, addf: joined as one region of rows: saves 32 B of 128 B and 1 launch
// CHECK-LABEL: func.func @empty
// CHECK-NEXT: return
// REMARK: @empty: 0 regions"
func.func @empty() attributes {mj.entry} {
  return
}
