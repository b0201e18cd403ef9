// Operations on tensors and on f8: printed as they are written, in text and in bytecode.
// RUN: mjolnir-opt %s --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --emit-bytecode | mjolnir-opt | FileCheck %s

// CHECK-LABEL: @products
// CHECK-SAME: (%[[A:.*]]: tensor<?x3x5x8xf32>, %[[B:.*]]: tensor<?x3x8x4xbf16>, %[[C:.*]]: tensor<2x8xf16>)
func.func @products(%a: tensor<?x3x5x8xf32>, %b: tensor<?x3x8x4xbf16>, %c: tensor<2x8xf16>) {
  // CHECK: mj.batch_matmul %[[A]], %[[B]] : tensor<?x3x5x8xf32>, tensor<?x3x8x4xbf16> -> tensor<?x3x5x4xf32>
  %0 = mj.batch_matmul %a, %b : tensor<?x3x5x8xf32>, tensor<?x3x8x4xbf16> -> tensor<?x3x5x4xf32>
  // CHECK: mj.batch_matmul %[[C]], %[[C]] {transpose_b} : tensor<2x8xf16>, tensor<2x8xf16> -> tensor<2x2xf32>
  %1 = mj.batch_matmul %c, %c {transpose_b} : tensor<2x8xf16>, tensor<2x8xf16> -> tensor<2x2xf32>
  return
}

// CHECK-LABEL: @combined
// CHECK-SAME: (%[[X:.*]]: tensor<?x4x8xf32>)
func.func @combined(%x: tensor<?x4x8xf32>) {
  // CHECK: mj.reduce sum %[[X]] over [1, 2] : tensor<?x4x8xf32> -> tensor<?xf32>
  %0 = mj.reduce sum %x over [1, 2] : tensor<?x4x8xf32> -> tensor<?xf32>
  // CHECK: mj.reduce mean %[[X]] over [0] : tensor<?x4x8xf32> -> tensor<4x8xbf16>
  %1 = mj.reduce mean %x over [0] : tensor<?x4x8xf32> -> tensor<4x8xbf16>
  // CHECK: mj.reduce max %[[X]] over [2] : tensor<?x4x8xf32> -> tensor<?x4xf32>
  %2 = mj.reduce max %x over [2] : tensor<?x4x8xf32> -> tensor<?x4xf32>
  // CHECK: mj.reduce min %[[X]] over [0, 2] : tensor<?x4x8xf32> -> tensor<4xf32>
  %3 = mj.reduce min %x over [0, 2] : tensor<?x4x8xf32> -> tensor<4xf32>
  // CHECK: mj.softmax %[[X]] : tensor<?x4x8xf32> -> tensor<?x4x8xf16>
  %4 = mj.softmax %x : tensor<?x4x8xf32> -> tensor<?x4x8xf16>
  return
}

// CHECK-LABEL: @moved
// CHECK-SAME: (%[[X:.*]]: tensor<?x4x8xf32>, %[[M:.*]]: tensor<4x8xi1>, %[[I:.*]]: tensor<3x8xi32>, %[[F:.*]]: tensor<4x1xf8E4M3FN>)
func.func @moved(%x: tensor<?x4x8xf32>, %m: tensor<4x8xi1>, %i: tensor<3x8xi32>, %f: tensor<4x1xf8E4M3FN>) {
  // CHECK: mj.transpose %[[X]] [0, 2, 1] : tensor<?x4x8xf32> -> tensor<?x8x4xf32>
  %0 = mj.transpose %x [0, 2, 1] : tensor<?x4x8xf32> -> tensor<?x8x4xf32>
  // CHECK: mj.transpose %[[M]] [1, 0] : tensor<4x8xi1> -> tensor<8x4xi1>
  %1 = mj.transpose %m [1, 0] : tensor<4x8xi1> -> tensor<8x4xi1>
  // CHECK: mj.slice %[[X]] from [0, 1, 0] by [1, 2, 1] : tensor<?x4x8xf32> -> tensor<?x2x8xf32>
  %2 = mj.slice %x from [0, 1, 0] by [1, 2, 1] : tensor<?x4x8xf32> -> tensor<?x2x8xf32>
  // CHECK: mj.slice %[[I]] from [2, 0] by [1, 3] : tensor<3x8xi32> -> tensor<1x3xi32>
  %3 = mj.slice %i from [2, 0] by [1, 3] : tensor<3x8xi32> -> tensor<1x3xi32>
  // CHECK: mj.concat %[[I]], %[[I]] axis 0 : tensor<3x8xi32>, tensor<3x8xi32> -> tensor<6x8xi32>
  %4 = mj.concat %i, %i axis 0 : tensor<3x8xi32>, tensor<3x8xi32> -> tensor<6x8xi32>
  // CHECK: mj.concat %[[X]], %[[X]] axis 2 : tensor<?x4x8xf32>, tensor<?x4x8xf32> -> tensor<?x4x16xf32>
  %5 = mj.concat %x, %x axis 2 : tensor<?x4x8xf32>, tensor<?x4x8xf32> -> tensor<?x4x16xf32>
  // CHECK: mj.broadcast %[[F]] like %[[X]] : tensor<4x1xf8E4M3FN>, tensor<?x4x8xf32> -> tensor<?x4x8xf8E4M3FN>
  %6 = mj.broadcast %f like %x : tensor<4x1xf8E4M3FN>, tensor<?x4x8xf32> -> tensor<?x4x8xf8E4M3FN>
  // CHECK: mj.reshape %[[I]] : tensor<3x8xi32> -> tensor<2x12xi32>
  %7 = mj.reshape %i : tensor<3x8xi32> -> tensor<2x12xi32>
  return
}

// CHECK-LABEL: @attention
// CHECK-SAME: (%[[Q:.*]]: tensor<?x4x8xf32>, %[[K:.*]]: tensor<5x2x8xbf16>, %[[L:.*]]: tensor<?x2x8xbf16>, %[[V:.*]]: tensor<5x2x6xbf16>, %[[W:.*]]: tensor<?x2x6xbf16>, %[[M:.*]]: tensor<4x3x5xi1>, %[[N:.*]]: tensor<?x5xf32>, %[[R:.*]]: tensor<3x4x8xf32>)
func.func @attention(%q: tensor<?x4x8xf32>, %k: tensor<5x2x8xbf16>, %l: tensor<?x2x8xbf16>, %v: tensor<5x2x6xbf16>,
                     %w: tensor<?x2x6xbf16>, %m: tensor<4x3x5xi1>, %n: tensor<?x5xf32>, %r: tensor<3x4x8xf32>) {
  // CHECK: mj.sdpa %[[Q]] over[%[[K]], %[[L]]], [%[[V]], %[[W]]] scale 2.500000e-01 causal : tensor<?x4x8xf32>, [tensor<5x2x8xbf16>, tensor<?x2x8xbf16>], [tensor<5x2x6xbf16>, tensor<?x2x6xbf16>] -> tensor<?x4x6xbf16>
  %0 = mj.sdpa %q over [%k, %l], [%v, %w] scale 0.25 causal : tensor<?x4x8xf32>, [tensor<5x2x8xbf16>, tensor<?x2x8xbf16>], [tensor<5x2x6xbf16>, tensor<?x2x6xbf16>] -> tensor<?x4x6xbf16>
  // CHECK: mj.sdpa %[[R]] over[%[[K]]], [%[[V]]] mask %[[M]] scale 1.000000e+00 : tensor<3x4x8xf32>, [tensor<5x2x8xbf16>], [tensor<5x2x6xbf16>], tensor<4x3x5xi1> -> tensor<3x4x6xf32>
  %1 = mj.sdpa %r over [%k], [%v] mask %m scale 1.0 : tensor<3x4x8xf32>, [tensor<5x2x8xbf16>], [tensor<5x2x6xbf16>], tensor<4x3x5xi1> -> tensor<3x4x6xf32>
  // CHECK: mj.sdpa %[[Q]] over[%[[K]]], [%[[V]]] mask %[[N]] scale 1.000000e+00 {note} : tensor<?x4x8xf32>, [tensor<5x2x8xbf16>], [tensor<5x2x6xbf16>], tensor<?x5xf32> -> tensor<?x4x6xf32>
  %2 = mj.sdpa %q over [%k], [%v] mask %n scale 1.0 {note} : tensor<?x4x8xf32>, [tensor<5x2x8xbf16>], [tensor<5x2x6xbf16>], tensor<?x5xf32> -> tensor<?x4x6xf32>
  // CHECK: mj.sdpa %[[R]] over[%[[K]]], [%[[V]]] scale 1.000000e+00 causal window 2 : tensor<3x4x8xf32>, [tensor<5x2x8xbf16>], [tensor<5x2x6xbf16>] -> tensor<3x4x6xf32>
  %3 = mj.sdpa %r over [%k], [%v] scale 1.0 causal window 2 : tensor<3x4x8xf32>, [tensor<5x2x8xbf16>], [tensor<5x2x6xbf16>] -> tensor<3x4x6xf32>
  return
}
