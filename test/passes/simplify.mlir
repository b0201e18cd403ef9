// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --simplify | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --simplify --remarks-filter=simplify --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// A pair of transpositions around pointwise operations: both go. Constants and repeated numbers are turned along.
// CHECK-LABEL: func.func @transposes
// CHECK-SAME: (%[[X:.*]]: tensor<4x6xf32>, %[[R:.*]]: tensor<4xf32>)
// CHECK-NEXT: %[[TWO:.*]] = arith.constant dense<2.000000e+00> : tensor<4x6xf32>
// CHECK-NEXT: %[[E:.*]] = math.exp %[[X]] : tensor<4x6xf32>
// CHECK-NEXT: %[[M:.*]] = arith.mulf %[[E]], %[[TWO]]
// CHECK-NEXT: %[[C:.*]] = mj.reshape %[[R]] : tensor<4xf32> -> tensor<4x1xf32>
// CHECK-NEXT: %[[B:.*]] = mj.broadcast %[[C]] like %[[M]] : tensor<4x1xf32>, tensor<4x6xf32> -> tensor<4x6xf32>
// CHECK-NEXT: %[[A:.*]] = arith.addf %[[M]], %[[B]]
// CHECK-NEXT: return %[[A]]
// REMARK: remark: [Passed] Simplified | Category:simplify | Remark="@transposes: 8 to 6 operations: mj.broadcast 2 to 1, mj.transpose 2 to 0"
func.func @transposes(%x: tensor<4x6xf32>, %r: tensor<4xf32>) -> tensor<4x6xf32> attributes {mj.entry} {
  %two = arith.constant dense<2.0> : tensor<f32>
  %a = mj.transpose %x [1, 0] : tensor<4x6xf32> -> tensor<6x4xf32>
  %b = math.exp %a : tensor<6x4xf32>
  %t = mj.broadcast %two like %b : tensor<f32>, tensor<6x4xf32> -> tensor<6x4xf32>
  %m = arith.mulf %b, %t : tensor<6x4xf32>
  %s = mj.broadcast %r like %m : tensor<4xf32>, tensor<6x4xf32> -> tensor<6x4xf32>
  %c = arith.addf %m, %s : tensor<6x4xf32>
  %d = mj.transpose %c [1, 0] : tensor<6x4xf32> -> tensor<4x6xf32>
  return %d : tensor<4x6xf32>
}

// Near misses: another reader of the transposed tensor that cannot go before it; operands transposed in two ways.
// CHECK-LABEL: func.func @transpose_read_twice
// CHECK: mj.transpose
// CHECK-NEXT: math.exp
// CHECK-NEXT: mj.reduce
// CHECK-NEXT: mj.transpose
// REMARK: remark: [Missed] Kept | Category:simplify | Remark="'mj.transpose' stays: 'math.exp' could go before it, but 'mj.reduce' reads it, too"
func.func @transpose_read_twice(%x: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4xf32>) attributes {mj.entry} {
  %a = mj.transpose %x [1, 0] : tensor<4x6xf32> -> tensor<6x4xf32>
  %b = math.exp %a : tensor<6x4xf32>
  %r = mj.reduce sum %a over [0] : tensor<6x4xf32> -> tensor<4xf32>
  %d = mj.transpose %b [1, 0] : tensor<6x4xf32> -> tensor<4x6xf32>
  return %d, %r : tensor<4x6xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @transposed_differently
// CHECK: mj.transpose %{{.*}} [1, 0, 2]
// CHECK-NEXT: mj.transpose %{{.*}} [2, 1, 0]
// CHECK-NEXT: arith.addf
// REMARK: 'mj.transpose' stays: the other operands of 'arith.addf' are not transposed like it
func.func @transposed_differently(%x: tensor<4x4x4xf32>, %y: tensor<4x4x4xf32>) -> tensor<4x4x4xf32> attributes {mj.entry} {
  %a = mj.transpose %x [1, 0, 2] : tensor<4x4x4xf32> -> tensor<4x4x4xf32>
  %b = mj.transpose %y [2, 1, 0] : tensor<4x4x4xf32> -> tensor<4x4x4xf32>
  %c = arith.addf %a, %b : tensor<4x4x4xf32>
  return %c : tensor<4x4x4xf32>
}

// -----

// Axes of size 1 have no order: a transposition that only moves them is a reshape, another is done without them. The
// ways to heads and back cancel across a batch of one.
// CHECK-LABEL: func.func @units
// CHECK-SAME: (%[[X:.*]]: tensor<1x6x4xf32>, %[[Y:.*]]: tensor<1x6x8xf32>)
// CHECK-NEXT: %[[A:.*]] = mj.reshape %[[X]] : tensor<1x6x4xf32> -> tensor<6x1x4xf32>
// CHECK-NEXT: %[[H:.*]] = mj.reshape %[[Y]] : tensor<1x6x8xf32> -> tensor<6x2x4xf32>
// CHECK-NEXT: %[[T:.*]] = mj.transpose %[[H]] [1, 0, 2] : tensor<6x2x4xf32> -> tensor<2x6x4xf32>
// CHECK-NEXT: %[[U:.*]] = mj.reshape %[[T]] : tensor<2x6x4xf32> -> tensor<1x2x6x4xf32>
// CHECK-NEXT: return %[[A]], %[[U]], %[[Y]]
func.func @units(%x: tensor<1x6x4xf32>, %y: tensor<1x6x8xf32>)
    -> (tensor<6x1x4xf32>, tensor<1x2x6x4xf32>, tensor<1x6x8xf32>) attributes {mj.entry} {
  %a = mj.transpose %x [1, 0, 2] : tensor<1x6x4xf32> -> tensor<6x1x4xf32>
  %h = mj.reshape %y : tensor<1x6x8xf32> -> tensor<1x6x2x4xf32>
  %t = mj.transpose %h [0, 2, 1, 3] : tensor<1x6x2x4xf32> -> tensor<1x2x6x4xf32>
  %u = mj.transpose %t [0, 2, 1, 3] : tensor<1x2x6x4xf32> -> tensor<1x6x2x4xf32>
  %b = mj.reshape %u : tensor<1x6x2x4xf32> -> tensor<1x6x8xf32>
  return %a, %t, %b : tensor<6x1x4xf32>, tensor<1x2x6x4xf32>, tensor<1x6x8xf32>
}

// A reshape that splits an axis between two transpositions: one is left.
// CHECK-LABEL: func.func @across_a_split
// CHECK-SAME: (%[[X:.*]]: tensor<6x8xf32>)
// CHECK-NEXT: %[[R:.*]] = mj.reshape %[[X]] : tensor<6x8xf32> -> tensor<6x2x4xf32>
// CHECK-NEXT: return %[[R]]
func.func @across_a_split(%x: tensor<6x8xf32>) -> tensor<6x2x4xf32> attributes {mj.entry} {
  %a = mj.transpose %x [1, 0] : tensor<6x8xf32> -> tensor<8x6xf32>
  %h = mj.reshape %a : tensor<8x6xf32> -> tensor<2x4x6xf32>
  %t = mj.transpose %h [2, 0, 1] : tensor<2x4x6xf32> -> tensor<6x2x4xf32>
  return %t : tensor<6x2x4xf32>
}

// Near miss: the reshape mixes what the transposition moved.
// CHECK-LABEL: func.func @across_a_mix
// CHECK: mj.transpose
// CHECK: mj.reshape
// CHECK: mj.transpose
func.func @across_a_mix(%x: tensor<6x8xf32>) -> tensor<12x4xf32> attributes {mj.entry} {
  %a = mj.transpose %x [1, 0] : tensor<6x8xf32> -> tensor<8x6xf32>
  %h = mj.reshape %a : tensor<8x6xf32> -> tensor<4x12xf32>
  %t = mj.transpose %h [1, 0] : tensor<4x12xf32> -> tensor<12x4xf32>
  return %t : tensor<12x4xf32>
}

// -----

// Reshapes sink past pointwise operations, norms and softmax where they only add axes of size 1, and meet what undoes
// them. A reshape to other axes sinks where nothing else would have to be reshaped.
mj.weight @w : tensor<8xf32> from "w"
// CHECK-LABEL: func.func @reshapes
// CHECK-SAME: (%[[X:.*]]: tensor<6x8xf32>, %[[Y:.*]]: tensor<1x6x8xf32>)
// CHECK-NEXT: %[[W:.*]] = mj.get_weight @w
// CHECK-NEXT: %[[R:.*]] = mj.reshape %[[Y]] : tensor<1x6x8xf32> -> tensor<6x8xf32>
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[X]], %[[R]] : tensor<6x8xf32>
// CHECK-NEXT: %[[B:.*]] = mj.broadcast %[[W]] like %[[S]] : tensor<8xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
// CHECK-NEXT: %[[P:.*]] = arith.mulf %[[S]], %[[B]] : tensor<6x8xf32>
// CHECK-NEXT: %[[N:.*]] = mj.norm rms %[[P]], weight %[[W]] eps {{.*}} : tensor<6x8xf32>, weight tensor<8xf32> -> tensor<6x8xf32>
// CHECK-NEXT: %[[Q:.*]] = mj.softmax %[[N]] : tensor<6x8xf32> -> tensor<6x8xf32>
// CHECK-NEXT: return %[[Q]]
// REMARK: @reshapes: 9 to 7 operations: mj.reshape 3 to 1
func.func @reshapes(%x: tensor<6x8xf32>, %y: tensor<1x6x8xf32>) -> tensor<6x8xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8xf32>
  %a = mj.reshape %x : tensor<6x8xf32> -> tensor<1x6x8xf32>
  %s = arith.addf %a, %y : tensor<1x6x8xf32>
  %wr = mj.reshape %w : tensor<8xf32> -> tensor<1x1x8xf32>
  %b = mj.broadcast %wr like %s : tensor<1x1x8xf32>, tensor<1x6x8xf32> -> tensor<1x6x8xf32>
  %p = arith.mulf %s, %b : tensor<1x6x8xf32>
  %n = mj.norm rms %p, weight %w eps 1.0e-5 : tensor<1x6x8xf32>, weight tensor<8xf32> -> tensor<1x6x8xf32>
  %q = mj.softmax %n : tensor<1x6x8xf32> -> tensor<1x6x8xf32>
  %r = mj.reshape %q : tensor<1x6x8xf32> -> tensor<6x8xf32>
  return %r : tensor<6x8xf32>
}

// CHECK-LABEL: func.func @reshape_to_heads
// CHECK: math.tanh %{{.*}} : tensor<6x8xf32>
// CHECK-NEXT: %[[H:.*]] = mj.reshape
// CHECK-NEXT: arith.addf %[[H]], %{{.*}} : tensor<6x2x4xf32>
func.func @reshape_to_heads(%x: tensor<6x8xf32>, %y: tensor<6x2x4xf32>) -> tensor<6x2x4xf32> attributes {mj.entry} {
  %h = mj.reshape %x : tensor<6x8xf32> -> tensor<6x2x4xf32>
  %t = math.tanh %h : tensor<6x2x4xf32>
  %s = arith.addf %t, %y : tensor<6x2x4xf32>
  return %s : tensor<6x2x4xf32>
}

// Near miss: a norm of other rows.
// CHECK-LABEL: func.func @norm_of_heads
// CHECK: mj.reshape
// CHECK-NEXT: mj.norm rms %{{.*}} : tensor<6x2x4xf32>
func.func @norm_of_heads(%x: tensor<6x8xf32>) -> tensor<6x2x4xf32> attributes {mj.entry} {
  %h = mj.reshape %x : tensor<6x8xf32> -> tensor<6x2x4xf32>
  %n = mj.norm rms %h eps 1.0e-5 : tensor<6x2x4xf32> -> tensor<6x2x4xf32>
  return %n : tensor<6x2x4xf32>
}

// -----

// What is repeated is computed once: for each row here. Symbolic rows, too.
// CHECK-LABEL: func.func @broadcasts
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %[[M:.*]]: tensor<?x1xf32>)
// CHECK: %[[A:.*]] = arith.addf %[[M]], %{{.*}} : tensor<?x1xf32>
// CHECK-NEXT: %[[R:.*]] = math.rsqrt %[[A]] : tensor<?x1xf32>
// CHECK-NEXT: %[[B:.*]] = mj.broadcast %[[R]] like %[[X]] : tensor<?x1xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
// CHECK-NEXT: arith.mulf %[[X]], %[[B]]
func.func @broadcasts(%x: tensor<?x8xf32>, %m: tensor<?x1xf32>) -> tensor<?x8xf32> attributes {mj.entry} {
  %eps = arith.constant dense<1.0e-5> : tensor<f32>
  %b = mj.broadcast %m like %x : tensor<?x1xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
  %e = mj.broadcast %eps like %x : tensor<f32>, tensor<?x8xf32> -> tensor<?x8xf32>
  %a = arith.addf %b, %e : tensor<?x8xf32>
  %r = math.rsqrt %a : tensor<?x8xf32>
  %p = arith.mulf %x, %r : tensor<?x8xf32>
  return %p : tensor<?x8xf32>
}

// A broadcast of a broadcast is one, one that repeats nothing is a reshape; one tensor several times along an axis of
// size 1 is a broadcast. Near miss: repeated along different axes.
// CHECK-LABEL: func.func @repetition
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[Y:.*]]: tensor<6x1x4xf32>, %[[Z:.*]]: tensor<6x1xf32>)
// CHECK-DAG: %[[B:.*]] = mj.broadcast %[[X]] like %{{.*}} : tensor<4xf32>, {{.*}} -> tensor<6x2x4xf32>
// CHECK-DAG: %[[R:.*]] = mj.reshape %[[Y]] : tensor<6x1x4xf32> -> tensor<6x4xf32>
// CHECK-DAG: %[[C:.*]] = mj.broadcast %[[Y]] like %[[Y]] : tensor<6x1x4xf32>, tensor<6x1x4xf32> -> tensor<6x3x4xf32>
// CHECK: mj.broadcast %[[X]]
// CHECK-NEXT: mj.broadcast %[[Z]]
// CHECK-NEXT: arith.mulf %{{.*}} : tensor<6x4xf32>
func.func @repetition(%x: tensor<4xf32>, %y: tensor<6x1x4xf32>, %z: tensor<6x1xf32>)
    -> (tensor<6x2x4xf32>, tensor<6x4xf32>, tensor<6x3x4xf32>, tensor<6x4xf32>) attributes {mj.entry} {
  %a = mj.broadcast %x like %y : tensor<4xf32>, tensor<6x1x4xf32> -> tensor<6x1x4xf32>
  %b = mj.broadcast %a like %y : tensor<6x1x4xf32>, tensor<6x1x4xf32> -> tensor<6x2x4xf32>
  %r = mj.reshape %y : tensor<6x1x4xf32> -> tensor<6x4xf32>
  %s = mj.broadcast %r like %y : tensor<6x4xf32>, tensor<6x1x4xf32> -> tensor<6x4xf32>
  %c = mj.concat %y, %y, %y axis 1 : tensor<6x1x4xf32>, tensor<6x1x4xf32>, tensor<6x1x4xf32> -> tensor<6x3x4xf32>
  %d = mj.broadcast %x like %y : tensor<4xf32>, tensor<6x1x4xf32> -> tensor<6x4xf32>
  %e = mj.broadcast %z like %y : tensor<6x1xf32>, tensor<6x1x4xf32> -> tensor<6x4xf32>
  %p = arith.mulf %d, %e : tensor<6x4xf32>
  return %b, %s, %c, %p : tensor<6x2x4xf32>, tensor<6x4xf32>, tensor<6x3x4xf32>, tensor<6x4xf32>
}

// A table that is one half twice is computed once.
// CHECK-LABEL: func.func @half_twice
// CHECK-SAME: (%[[X:.*]]: tensor<6x4xf32>)
// CHECK-NEXT: %[[C:.*]] = math.cos %[[X]] : tensor<6x4xf32>
// CHECK-NEXT: mj.concat %[[C]], %[[C]] axis 1
func.func @half_twice(%x: tensor<6x4xf32>) -> tensor<6x8xf32> attributes {mj.entry} {
  %a = mj.concat %x, %x axis 1 : tensor<6x4xf32>, tensor<6x4xf32> -> tensor<6x8xf32>
  %c = math.cos %a : tensor<6x8xf32>
  return %c : tensor<6x8xf32>
}

// -----

// Slices of slices and of concatenations, and concatenations of slices that restore what there was.
// CHECK-LABEL: func.func @slices
// CHECK-SAME: (%[[X:.*]]: tensor<4x12xf32>, %[[Y:.*]]: tensor<4x3xf32>)
// CHECK-NEXT: %[[A:.*]] = mj.slice %[[X]] from [0, 3] by [1, 4] : tensor<4x12xf32> -> tensor<4x2xf32>
// CHECK-NEXT: %[[D:.*]] = mj.slice %[[Y]] from [0, 1] by [1, 1] : tensor<4x3xf32> -> tensor<4x2xf32>
// CHECK-NEXT: return %[[A]], %[[D]], %[[X]], %[[Y]]
// REMARK: @slices: 9 to 2 operations: mj.concat 3 to 0, mj.slice 6 to 2
func.func @slices(%x: tensor<4x12xf32>, %y: tensor<4x3xf32>)
    -> (tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x12xf32>, tensor<4x3xf32>) attributes {mj.entry} {
  %s = mj.slice %x from [0, 1] by [1, 2] : tensor<4x12xf32> -> tensor<4x5xf32>
  %a = mj.slice %s from [0, 1] by [1, 2] : tensor<4x5xf32> -> tensor<4x2xf32>
  %c = mj.concat %x, %y axis 1 : tensor<4x12xf32>, tensor<4x3xf32> -> tensor<4x15xf32>
  %d = mj.slice %c from [0, 13] by [1, 1] : tensor<4x15xf32> -> tensor<4x2xf32>
  %l = mj.slice %x from [0, 0] by [1, 1] : tensor<4x12xf32> -> tensor<4x5xf32>
  %r = mj.slice %x from [0, 5] by [1, 1] : tensor<4x12xf32> -> tensor<4x7xf32>
  %w = mj.concat %l, %r axis 1 : tensor<4x5xf32>, tensor<4x7xf32> -> tensor<4x12xf32>
  %cc = mj.concat %x, %y axis 1 : tensor<4x12xf32>, tensor<4x3xf32> -> tensor<4x15xf32>
  %e = mj.slice %cc from [0, 12] by [1, 1] : tensor<4x15xf32> -> tensor<4x3xf32>
  return %a, %d, %w, %e : tensor<4x2xf32>, tensor<4x2xf32>, tensor<4x12xf32>, tensor<4x3xf32>
}

// Near misses: a slice of both sources, halves in the other order.
// CHECK-LABEL: func.func @no_restoration
// CHECK-DAG: %[[C:.*]] = mj.concat %arg0, %arg1
// CHECK-DAG: mj.slice %[[C]] from [0, 2] by [1, 1]
// CHECK: mj.slice %arg0 from [0, 2] by [1, 1]
// CHECK-NEXT: mj.slice %arg0 from [0, 0] by [1, 1]
// CHECK-NEXT: mj.concat
// REMARK: 'mj.slice' stays: it reads of every source of a concatenation
func.func @no_restoration(%x: tensor<4x4xf32>, %y: tensor<4x3xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) attributes {mj.entry} {
  %c = mj.concat %x, %y axis 1 : tensor<4x4xf32>, tensor<4x3xf32> -> tensor<4x7xf32>
  %s = mj.slice %c from [0, 2] by [1, 1] : tensor<4x7xf32> -> tensor<4x4xf32>
  %a = mj.slice %x from [0, 2] by [1, 1] : tensor<4x4xf32> -> tensor<4x2xf32>
  %b = mj.slice %x from [0, 0] by [1, 1] : tensor<4x4xf32> -> tensor<4x2xf32>
  %h = mj.concat %a, %b axis 1 : tensor<4x2xf32>, tensor<4x2xf32> -> tensor<4x4xf32>
  return %s, %h : tensor<4x4xf32>, tensor<4x4xf32>
}

// Both go before a transposition: slices that alone read it, tensors that were transposed alike.
// CHECK-LABEL: func.func @before_transposes
// CHECK-SAME: (%[[X:.*]]: tensor<6x9xf32>)
// CHECK-NEXT: %[[A:.*]] = mj.slice %[[X]] from [0, 0] by [1, 1] : tensor<6x9xf32> -> tensor<6x3xf32>
// CHECK-NEXT: %[[B:.*]] = mj.slice %[[X]] from [0, 6] by [1, 1] : tensor<6x9xf32> -> tensor<6x3xf32>
// CHECK-NEXT: %[[C:.*]] = mj.concat %[[B]], %[[A]] axis 1 : tensor<6x3xf32>, tensor<6x3xf32> -> tensor<6x6xf32>
// CHECK-NEXT: %[[T:.*]] = mj.transpose %[[C]] [1, 0]
// CHECK-NEXT: return %[[T]]
func.func @before_transposes(%x: tensor<6x9xf32>) -> tensor<6x6xf32> attributes {mj.entry} {
  %t = mj.transpose %x [1, 0] : tensor<6x9xf32> -> tensor<9x6xf32>
  %a = mj.slice %t from [0, 0] by [1, 1] : tensor<9x6xf32> -> tensor<3x6xf32>
  %b = mj.slice %t from [6, 0] by [1, 1] : tensor<9x6xf32> -> tensor<3x6xf32>
  %c = mj.concat %b, %a axis 0 : tensor<3x6xf32>, tensor<3x6xf32> -> tensor<6x6xf32>
  return %c : tensor<6x6xf32>
}

// -----

// Casts go into what computes in f32 anyway; a truncation that is widened again rounds and stays.
// CHECK-LABEL: func.func @casts
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xbf16>, %[[Y:.*]]: tensor<4x8xf32>)
// CHECK-NEXT: %[[N:.*]] = mj.norm layer %[[X]] eps {{.*}} : tensor<4x8xbf16> -> tensor<4x8xbf16>
// CHECK-NEXT: %[[T:.*]] = arith.truncf %[[Y]]
// CHECK-NEXT: %[[E:.*]] = arith.extf %[[T]]
// CHECK-NEXT: return %[[N]], %[[X]], %[[E]]
// REMARK: 'arith.extf' stays: the truncation before it rounds
func.func @casts(%x: tensor<4x8xbf16>, %y: tensor<4x8xf32>)
    -> (tensor<4x8xbf16>, tensor<4x8xbf16>, tensor<4x8xf32>) attributes {mj.entry} {
  %e = arith.extf %x : tensor<4x8xbf16> to tensor<4x8xf32>
  %n = mj.norm layer %e eps 1.0e-5 : tensor<4x8xf32> -> tensor<4x8xf32>
  %t = arith.truncf %n : tensor<4x8xf32> to tensor<4x8xbf16>
  %u = arith.truncf %e : tensor<4x8xf32> to tensor<4x8xbf16>
  %v = arith.truncf %y : tensor<4x8xf32> to tensor<4x8xbf16>
  %w = arith.extf %v : tensor<4x8xbf16> to tensor<4x8xf32>
  return %t, %u, %w : tensor<4x8xbf16>, tensor<4x8xbf16>, tensor<4x8xf32>
}

// Near misses: a norm in f32 that others read as such, a product of a wide and a narrow stack.
// CHECK-LABEL: func.func @casts_read_twice
// CHECK: mj.norm {{.*}} -> tensor<2x4x8xf32>
// CHECK-NEXT: arith.truncf
// CHECK: arith.extf
// CHECK-NEXT: mj.batch_matmul {{.*}} : tensor<2x4x8xf32>, tensor<2x4x8xf32>
func.func @casts_read_twice(%x: tensor<2x4x8xf32>, %y: tensor<2x4x8xbf16>)
    -> (tensor<2x4x8xf32>, tensor<2x4x8xbf16>, tensor<2x4x4xf32>) attributes {mj.entry} {
  %n = mj.norm rms %x eps 1.0e-5 : tensor<2x4x8xf32> -> tensor<2x4x8xf32>
  %t = arith.truncf %n : tensor<2x4x8xf32> to tensor<2x4x8xbf16>
  %e = arith.extf %y : tensor<2x4x8xbf16> to tensor<2x4x8xf32>
  %m = mj.batch_matmul %x, %e {transpose_b} : tensor<2x4x8xf32>, tensor<2x4x8xf32> -> tensor<2x4x4xf32>
  return %n, %t, %m : tensor<2x4x8xf32>, tensor<2x4x8xbf16>, tensor<2x4x4xf32>
}

// -----

// Constants are folded, and what leaves a number as it is goes. Near miss: + 0 makes 0 of -0.
// CHECK-LABEL: func.func @constants
// CHECK-SAME: (%[[X:.*]]: tensor<2x3xf32>, %[[Y:.*]]: tensor<?x3xf32>)
// CHECK-DAG: %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : tensor<2x3xf32>
// CHECK-DAG: %[[D:.*]] = arith.constant dense<{{\[\[}}1.000000e+00, 4.000000e+00], [2.000000e+00, 5.000000e+00], [3.000000e+00, 6.000000e+00]]> : tensor<3x2xf32>
// CHECK-DAG: %[[S:.*]] = arith.constant dense<6.000000e+00> : tensor<2x3xf32>
// CHECK: %[[A:.*]] = arith.addf %[[X]], %[[ZERO]]
// CHECK-NEXT: return %[[A]], %[[X]], %[[Y]], %[[D]], %[[S]]
// REMARK: 'arith.addf' stays: x + 0 is 0, not -0, for x = -0
func.func @constants(%x: tensor<2x3xf32>, %y: tensor<?x3xf32>)
    -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<?x3xf32>, tensor<3x2xf32>, tensor<2x3xf32>) attributes {mj.entry} {
  %one = arith.constant dense<1.0> : tensor<f32>
  %zero = arith.constant dense<0.0> : tensor<2x3xf32>
  %minus = arith.constant dense<-0.0> : tensor<f32>
  %dense = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %two = arith.constant dense<2.0> : tensor<2x3xf32>
  %three = arith.constant dense<3.0> : tensor<f32>
  %a = arith.addf %x, %zero : tensor<2x3xf32>
  %m = mj.broadcast %minus like %x : tensor<f32>, tensor<2x3xf32> -> tensor<2x3xf32>
  %b = arith.addf %m, %x : tensor<2x3xf32>
  %c = arith.subf %b, %zero : tensor<2x3xf32>
  %o = mj.broadcast %one like %y : tensor<f32>, tensor<?x3xf32> -> tensor<?x3xf32>
  %p = arith.mulf %o, %y : tensor<?x3xf32>
  %q = arith.divf %p, %o : tensor<?x3xf32>
  %d = mj.transpose %dense [1, 0] : tensor<2x3xf32> -> tensor<3x2xf32>
  %t = mj.broadcast %three like %x : tensor<f32>, tensor<2x3xf32> -> tensor<2x3xf32>
  %s = arith.mulf %two, %t : tensor<2x3xf32>
  return %a, %c, %q, %d, %s : tensor<2x3xf32>, tensor<2x3xf32>, tensor<?x3xf32>, tensor<3x2xf32>, tensor<2x3xf32>
}

// -----

// Equal operations become one; an append that nothing reads goes, one whose cache is returned stays.
// CHECK-LABEL: func.func @state
// CHECK: math.exp
// CHECK-NOT: math.exp
// CHECK: mj.kv_append %{{.*}}[0]
// CHECK-NOT: mj.kv_append
// CHECK: return
// REMARK: mj.kv_append 2 to 1
func.func @state(%x: tensor<2x1x4xf32>, %kv: !mj.kv<2 x 1 x 4 x f32>, %batch: !mj.batch<2 x 1 x 1>)
    -> !mj.kv<2 x 1 x 4 x f32> attributes {mj.entry} {
  %a = math.exp %x : tensor<2x1x4xf32>
  %b = math.exp %x : tensor<2x1x4xf32>
  %kv1 = mj.kv_append %kv[0], %a, %b at %batch : <2 x 1 x 4 x f32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, <2 x 1 x 1> -> <2 x 1 x 4 x f32>
  %kv2 = mj.kv_append %kv1[1], %a, %b at %batch : <2 x 1 x 4 x f32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, <2 x 1 x 1> -> <2 x 1 x 4 x f32>
  return %kv1 : !mj.kv<2 x 1 x 4 x f32>
}

// -----

// A stack of matrix products has one leading axis.
// CHECK-LABEL: func.func @stacks
// CHECK: mj.batch_matmul %{{.*}}, %{{.*}} {transpose_b} : tensor<6x4x8xf32>, tensor<6x5x8xf32> -> tensor<6x4x5xf32>
func.func @stacks(%a: tensor<2x3x4x8xf32>, %b: tensor<2x3x5x8xf32>) -> tensor<2x3x4x5xf32> attributes {mj.entry} {
  %p = mj.batch_matmul %a, %b {transpose_b} : tensor<2x3x4x8xf32>, tensor<2x3x5x8xf32> -> tensor<2x3x4x5xf32>
  return %p : tensor<2x3x4x5xf32>
}

// -----

// What is done to a weight stays on its side of the program.
mj.weight @w : tensor<8x4xf32> from "w"
// CHECK-LABEL: func.func @weights
// CHECK: %[[W:.*]] = mj.get_weight @w
// CHECK: %[[T:.*]] = mj.transpose %[[W]] [1, 0] : tensor<8x4xf32> -> tensor<4x8xf32>
// CHECK: %[[A:.*]] = arith.addf %arg0, %[[T]] : tensor<4x8xf32>
// CHECK: return %[[A]]
func.func @weights(%x: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x4xf32>
  %t = mj.transpose %x [1, 0] : tensor<4x8xf32> -> tensor<8x4xf32>
  %s = arith.addf %t, %w : tensor<8x4xf32>
  %r = mj.transpose %s [1, 0] : tensor<8x4xf32> -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}
