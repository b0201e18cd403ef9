// Which operations share a region's rows, which need all of them, and which mix them.
// RUN: mjolnir-opt %s --form-fusions --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --form-fusions --remarks-filter=form-fusions --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// What is sliced, transposed or repeated along the leading axis is there before: two regions. Along other axes it is one.
// CHECK-LABEL: @whole
// CHECK: mj.fusion
// CHECK-NEXT: math.exp
// CHECK-NEXT: mj.slice {{.*}} from [0, 1] by [1, 2]
// CHECK-NEXT: mj.yield
// CHECK: mj.fusion
// CHECK-NEXT: mj.slice {{.*}} from [2, 0] by [1, 1]
// CHECK-NEXT: arith.negf
// CHECK: mj.fusion
// CHECK-NEXT: mj.transpose {{.*}} [1, 0]
// CHECK-NOT: mj.fusion
func.func @whole(%x: tensor<6x8xf32>) -> (tensor<6x4xf32>, tensor<3x8xf32>, tensor<8x6xf32>) attributes {mj.entry} {
  %e = math.exp %x : tensor<6x8xf32>
  %a = mj.slice %e from [0, 1] by [1, 2] : tensor<6x8xf32> -> tensor<6x4xf32>
  %s = mj.slice %e from [2, 0] by [1, 1] : tensor<6x8xf32> -> tensor<3x8xf32>
  %b = arith.negf %s : tensor<3x8xf32>
  %c = mj.transpose %e [1, 0] : tensor<6x8xf32> -> tensor<8x6xf32>
  return %a, %b, %c : tensor<6x4xf32>, tensor<3x8xf32>, tensor<8x6xf32>
}

// A row of [1, 8] that is computed for 1 row serves 6: they are no region together.
// CHECK-LABEL: @repeated
// CHECK: mj.fusion
// CHECK-NEXT: math.exp
// CHECK-NEXT: mj.yield
// CHECK: mj.fusion
// CHECK-NEXT: mj.broadcast
// CHECK-NEXT: arith.addf
// CHECK-NOT: mj.fusion
func.func @repeated(%x: tensor<6x8xf32>, %y: tensor<1x8xf32>) -> tensor<6x8xf32> attributes {mj.entry} {
  %e = math.exp %y : tensor<1x8xf32>
  %b = mj.broadcast %e like %x : tensor<1x8xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %s = arith.addf %b, %x : tensor<6x8xf32>
  return %s : tensor<6x8xf32>
}

// One value a row that is computed in the region is repeated in it.
// CHECK-LABEL: @softmax_by_hand
// CHECK: mj.fusion
// CHECK-NEXT: mj.reduce max
// CHECK: mj.broadcast
// CHECK: arith.divf
// CHECK-NEXT: mj.yield
// CHECK-NOT: mj.fusion
func.func @softmax_by_hand(%x: tensor<6x8xf32>) -> tensor<6x8xf32> attributes {mj.entry} {
  %m = mj.reduce max %x over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %r = mj.reshape %m : tensor<6xf32> -> tensor<6x1xf32>
  %b = mj.broadcast %r like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %d = arith.subf %x, %b : tensor<6x8xf32>
  %e = math.exp %d : tensor<6x8xf32>
  %t = mj.reduce sum %e over [1] : tensor<6x8xf32> -> tensor<6xf32>
  %u = mj.reshape %t : tensor<6xf32> -> tensor<6x1xf32>
  %v = mj.broadcast %u like %x : tensor<6x1xf32>, tensor<6x8xf32> -> tensor<6x8xf32>
  %y = arith.divf %e, %v : tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}

// What mixes rows is a region of its own; a reshape of the leading axis is none.
// CHECK-LABEL: @mixing
// CHECK: mj.fusion
// CHECK-NEXT: math.exp
// CHECK-NEXT: mj.yield
// CHECK: mj.fusion
// CHECK-NEXT: mj.reduce sum {{.*}} over [0]
// CHECK-NEXT: mj.yield
// CHECK: mj.fusion
// CHECK-NEXT: mj.batch_matmul
// CHECK-NEXT: mj.yield
// CHECK: mj.reshape {{.*}} : tensor<2x6x6xf32> -> tensor<12x6xf32>
// CHECK: mj.fusion
// CHECK-NEXT: arith.negf
// CHECK-NOT: mj.fusion
func.func @mixing(%x: tensor<2x6x8xf32>) -> (tensor<6x8xf32>, tensor<12x6xf32>) attributes {mj.entry} {
  %e = math.exp %x : tensor<2x6x8xf32>
  %s = mj.reduce sum %e over [0] : tensor<2x6x8xf32> -> tensor<6x8xf32>
  %p = mj.batch_matmul %e, %e {transpose_b} : tensor<2x6x8xf32>, tensor<2x6x8xf32> -> tensor<2x6x6xf32>
  %r = mj.reshape %p : tensor<2x6x6xf32> -> tensor<12x6xf32>
  %n = arith.negf %r : tensor<12x6xf32>
  return %s, %n : tensor<6x8xf32>, tensor<12x6xf32>
}

// An epilogue writes floats.
mj.weight @w : tensor<16x8xf32> from "w"
// CHECK-LABEL: @compared
// CHECK: mj.fusion
// CHECK-NEXT: mj.matmul
// CHECK-NEXT: mj.yield
// CHECK: mj.fusion
// CHECK: arith.extui
// CHECK-NOT: mj.fusion
// REMARK: matmul of @w: not joined as an epilogue: the epilogue's result is no float
func.func @compared(%x: tensor<6x8xf32>, %y: tensor<6x16xf32>) -> tensor<6x16xi32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<16x8xf32>
  %m = mj.matmul %x, %w {transpose_b} : tensor<6x8xf32>, tensor<16x8xf32> -> tensor<6x16xf32>
  %c = arith.cmpf ogt, %m, %y : tensor<6x16xf32>
  %i = arith.extui %c : tensor<6x16xi1> to tensor<6x16xi32>
  return %i : tensor<6x16xi32>
}
