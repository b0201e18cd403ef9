// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --store-constants | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --store-constants --remarks-filter=store-constants --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// Floats as they are; equal ones once, over all entries; one number stays.
// CHECK: mj.prepare @constant : tensor<2x2xbf16> {
// CHECK-NEXT: arith.constant dense<{{\[\[}}0.000000e+00, 1.000000e+00], [2.000000e+00, 3.000000e+00]]> : tensor<2x2xbf16>
// CHECK: mj.yield
// CHECK-NOT: mj.prepare
// CHECK-LABEL: func.func @first
// CHECK-DAG: %[[C:.*]] = mj.get_weight @constant : tensor<2x2xbf16>
// CHECK-DAG: %[[ONE:.*]] = arith.constant dense<1.000000e+00> : tensor<2x2xbf16>
// CHECK: arith.addf %arg0, %[[C]]
// CHECK: arith.addf %{{.*}}, %[[ONE]]
// CHECK-LABEL: func.func @second
// CHECK: %[[D:.*]] = mj.get_weight @constant : tensor<2x2xbf16>
// CHECK: arith.mulf %arg0, %[[D]]
// REMARK: remark: [Passed] Stored | Category:store-constants | Remark="@constant: 4 numbers of a constant are stored in the package"
// REMARK-NOT: "@constant:
func.func @first(%x: tensor<2x2xbf16>) -> tensor<2x2xbf16> attributes {mj.entry} {
  %c = arith.constant dense<[[0.0, 1.0], [2.0, 3.0]]> : tensor<2x2xbf16>
  %one = arith.constant dense<1.0> : tensor<2x2xbf16>
  %y = arith.addf %x, %c : tensor<2x2xbf16>
  %z = arith.addf %y, %one : tensor<2x2xbf16>
  return %z : tensor<2x2xbf16>
}
func.func @second(%x: tensor<2x2xbf16>) -> tensor<2x2xbf16> attributes {mj.entry} {
  %c = arith.constant dense<[[0.0, 1.0], [2.0, 3.0]]> : tensor<2x2xbf16>
  %y = arith.mulf %x, %c : tensor<2x2xbf16>
  return %y : tensor<2x2xbf16>
}

// -----

// Booleans and integers as f32; the name that is taken stays who has it.
// CHECK: mj.weight @constant
// CHECK: mj.prepare @[[B:.*]] : tensor<2x2xf32> {
// CHECK-NEXT: dense<{{\[\[}}1.000000e+00, 0.000000e+00], [1.000000e+00, 1.000000e+00]]> : tensor<2x2xf32>
// CHECK: mj.prepare @[[I:.*]] : tensor<2xf32> {
// CHECK-NEXT: dense<[-3.000000e+00, 0x4B800000]> : tensor<2xf32>
// CHECK-LABEL: func.func @integers
// CHECK: %[[BF:.*]] = mj.get_weight @[[B]] : tensor<2x2xf32>
// CHECK: arith.cmpf une, %[[BF]], %{{.*}} : tensor<2x2xf32>
// CHECK: %[[IF:.*]] = mj.get_weight @[[I]] : tensor<2xf32>
// CHECK: arith.fptosi %[[IF]] : tensor<2xf32> to tensor<2xi32>
mj.weight @constant : tensor<2x2xf32> from "constant"
func.func @integers(%x: tensor<2x2xf32>, %n: tensor<2xi32>) -> (tensor<2x2xf32>, tensor<2xi32>) attributes {mj.entry} {
  %w = mj.get_weight @constant : tensor<2x2xf32>
  %c = arith.constant dense<[[true, false], [true, true]]> : tensor<2x2xi1>
  %i = arith.constant dense<[-3, 16777216]> : tensor<2xi32>
  %y = arith.select %c, %x, %w : tensor<2x2xi1>, tensor<2x2xf32>
  %m = arith.addi %n, %i : tensor<2xi32>
  return %y, %m : tensor<2x2xf32>, tensor<2xi32>
}
