// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --simplify --recognize --simplify | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --simplify --recognize --remarks-filter=recognize --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// Right operands, and sums of products; the families have tests of their own: recognize-norm.mlir, -activation, -rope,
// -attention.

// A weight of [K, N] is transposed when the package is written; what the program transposes is read as it lies.
mj.weight @w : tensor<8x4xf32> from "w"
mj.weight @t : tensor<4x8xf32> from "t"
// CHECK-LABEL: func.func @right_operands
// CHECK-SAME: (%[[X:.*]]: tensor<6x8xf32>, %[[Y:.*]]: tensor<8x6xf32>)
// CHECK-DAG: %[[W:.*]] = mj.get_weight @w
// CHECK-DAG: %[[T:.*]] = mj.get_weight @t
// CHECK-DAG: %[[WT:.*]] = mj.transpose %[[W]] [1, 0] : tensor<8x4xf32> -> tensor<4x8xf32>
// CHECK-DAG: %[[A:.*]] = mj.matmul %[[X]], %[[WT]] {transpose_b} : tensor<6x8xf32>, tensor<4x8xf32> -> tensor<6x4xf32>
// CHECK-DAG: %[[B:.*]] = mj.matmul %[[X]], %[[T]] {transpose_b} : tensor<6x8xf32>, tensor<4x8xf32> -> tensor<6x4xf32>
// CHECK-DAG: %[[C:.*]] = mj.matmul %[[X]], %[[Y]] : tensor<6x8xf32>, tensor<8x6xf32> -> tensor<6x6xf32>
// CHECK: return %[[A]], %[[B]], %[[C]]
// REMARK-DAG: matmul reads @w as [N, K]
// REMARK-DAG: matmul reads @t as [N, K]
// REMARK-DAG: matmul reads what was transposed for it as [K, N]
func.func @right_operands(%x: tensor<6x8xf32>, %y: tensor<8x6xf32>)
    -> (tensor<6x4xf32>, tensor<6x4xf32>, tensor<6x6xf32>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x4xf32>
  %t = mj.get_weight @t : tensor<4x8xf32>
  %tt = mj.transpose %t [1, 0] : tensor<4x8xf32> -> tensor<8x4xf32>
  %a = mj.matmul %x, %w : tensor<6x8xf32>, tensor<8x4xf32> -> tensor<6x4xf32>
  %b = mj.matmul %x, %tt : tensor<6x8xf32>, tensor<8x4xf32> -> tensor<6x4xf32>
  %yt = mj.transpose %y [1, 0] : tensor<8x6xf32> -> tensor<6x8xf32>
  %c = mj.matmul %x, %yt {transpose_b} : tensor<6x8xf32>, tensor<6x8xf32> -> tensor<6x6xf32>
  return %a, %b, %c : tensor<6x4xf32>, tensor<6x4xf32>, tensor<6x6xf32>
}

// CHECK-LABEL: func.func @stacks
// CHECK-SAME: (%[[X:.*]]: tensor<2x6x8xf32>, %[[Y:.*]]: tensor<2x4x8xf32>, %[[Z:.*]]: tensor<4x2x8xf32>)
// CHECK-DAG: mj.batch_matmul %[[X]], %[[Y]] {transpose_b} : tensor<2x6x8xf32>, tensor<2x4x8xf32> -> tensor<2x6x4xf32>
// CHECK-DAG: %[[T:.*]] = mj.transpose %[[Z]] [1, 0, 2] : tensor<4x2x8xf32> -> tensor<2x4x8xf32>
// CHECK-DAG: mj.batch_matmul %[[X]], %[[T]] {transpose_b}
// REMARK: batch_matmul reads what was transposed for it as [N, K]
// REMARK: batch_matmul reads what was transposed for it as [N, K]
func.func @stacks(%x: tensor<2x6x8xf32>, %y: tensor<2x4x8xf32>, %z: tensor<4x2x8xf32>)
    -> (tensor<2x6x4xf32>, tensor<2x6x4xf32>) attributes {mj.entry} {
  %yt = mj.transpose %y [0, 2, 1] : tensor<2x4x8xf32> -> tensor<2x8x4xf32>
  %a = mj.batch_matmul %x, %yt : tensor<2x6x8xf32>, tensor<2x8x4xf32> -> tensor<2x6x4xf32>
  %zt = mj.transpose %z [1, 2, 0] : tensor<4x2x8xf32> -> tensor<2x8x4xf32>
  %b = mj.batch_matmul %x, %zt : tensor<2x6x8xf32>, tensor<2x8x4xf32> -> tensor<2x6x4xf32>
  return %a, %b : tensor<2x6x4xf32>, tensor<2x6x4xf32>
}

// Near miss: a transposition of stacks alone is not the product's.
// CHECK-LABEL: func.func @other_axes
// CHECK: mj.transpose %{{.*}} [1, 0, 2]
// CHECK-NEXT: mj.batch_matmul %{{.*}} : tensor<2x6x8xf32>, tensor<2x8x4xf32>
// REMARK-NOT: RightOperand |
func.func @other_axes(%x: tensor<2x6x8xf32>, %y: tensor<8x2x4xf32>) -> tensor<2x6x4xf32> attributes {mj.entry} {
  %yt = mj.transpose %y [1, 0, 2] : tensor<8x2x4xf32> -> tensor<2x8x4xf32>
  %a = mj.batch_matmul %x, %yt : tensor<2x6x8xf32>, tensor<2x8x4xf32> -> tensor<2x6x4xf32>
  return %a : tensor<2x6x4xf32>
}

// -----

// A residual beside two products of different rows: each gets additions of its own.
mj.weight @v : tensor<4x8xf32> from "v"
mj.weight @w : tensor<4x8xf32> from "w"
mj.weight @b : tensor<4xf32> from "b"
// CHECK-LABEL: func.func @parallel
// CHECK: %[[M:.*]] = mj.matmul %[[X:.*]], %[[V:.*]] {transpose_b}
// CHECK: %[[N:.*]] = mj.matmul %[[Y:.*]], %[[W:.*]] {transpose_b}
// CHECK: %[[B:.*]] = mj.broadcast
// CHECK: %[[MB:.*]] = arith.addf %[[M]], %[[B]]
// CHECK-NEXT: %[[MR:.*]] = arith.addf %[[MB]], %arg2
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[MR]], %[[N]]
// CHECK-NEXT: return %[[S]]
// REMARK: remark: [Passed] Residual | Category:recognize | Remark="sum of 2 products and 2 other tensors, one after the other"
func.func @parallel(%x: tensor<6x8xf32>, %y: tensor<6x8xf32>, %r: tensor<6x4xf32>) -> tensor<6x4xf32> attributes {mj.entry} {
  %v = mj.get_weight @v : tensor<4x8xf32>
  %w = mj.get_weight @w : tensor<4x8xf32>
  %b = mj.get_weight @b : tensor<4xf32>
  %m = mj.matmul %x, %v {transpose_b} : tensor<6x8xf32>, tensor<4x8xf32> -> tensor<6x4xf32>
  %n = mj.matmul %y, %w {transpose_b} : tensor<6x8xf32>, tensor<4x8xf32> -> tensor<6x4xf32>
  %bb = mj.broadcast %b like %n : tensor<4xf32>, tensor<6x4xf32> -> tensor<6x4xf32>
  %nb = arith.addf %n, %bb : tensor<6x4xf32>
  %s = arith.addf %m, %nb : tensor<6x4xf32>
  %t = arith.addf %r, %s : tensor<6x4xf32>
  return %t : tensor<6x4xf32>
}

// Near misses: products of the same rows are one kernel; a sum that is read in between.
// CHECK-LABEL: func.func @same_rows
// CHECK: %[[S:.*]] = arith.addf %{{.*}}, %{{.*}}
// CHECK-NEXT: arith.addf %arg1, %[[S]]
// REMARK-NOT: Residual
func.func @same_rows(%x: tensor<6x8xf32>, %r: tensor<6x4xf32>) -> tensor<6x4xf32> attributes {mj.entry} {
  %v = mj.get_weight @v : tensor<4x8xf32>
  %w = mj.get_weight @w : tensor<4x8xf32>
  %m = mj.matmul %x, %v {transpose_b} : tensor<6x8xf32>, tensor<4x8xf32> -> tensor<6x4xf32>
  %n = mj.matmul %x, %w {transpose_b} : tensor<6x8xf32>, tensor<4x8xf32> -> tensor<6x4xf32>
  %s = arith.addf %m, %n : tensor<6x4xf32>
  %t = arith.addf %r, %s : tensor<6x4xf32>
  return %t : tensor<6x4xf32>
}
// CHECK-LABEL: func.func @read_between
// CHECK: %[[S:.*]] = arith.addf %{{.*}}, %{{.*}}
// CHECK-NEXT: %[[T:.*]] = arith.addf %arg2, %[[S]]
// CHECK-NEXT: return %[[S]], %[[T]]
func.func @read_between(%x: tensor<6x8xf32>, %y: tensor<6x8xf32>, %r: tensor<6x4xf32>) -> (tensor<6x4xf32>, tensor<6x4xf32>) attributes {mj.entry} {
  %v = mj.get_weight @v : tensor<4x8xf32>
  %w = mj.get_weight @w : tensor<4x8xf32>
  %m = mj.matmul %x, %v {transpose_b} : tensor<6x8xf32>, tensor<4x8xf32> -> tensor<6x4xf32>
  %n = mj.matmul %y, %w {transpose_b} : tensor<6x8xf32>, tensor<4x8xf32> -> tensor<6x4xf32>
  %s = arith.addf %m, %n : tensor<6x4xf32>
  %t = arith.addf %r, %s : tensor<6x4xf32>
  return %s, %t : tensor<6x4xf32>, tensor<6x4xf32>
}
