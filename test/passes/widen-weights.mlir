// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --widen-weights | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --widen-weights --remarks-filter=widen-weights --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// What is multiplied or gathered becomes f32. bf16 and f32 matrices stay, and so does what norms read.
mj.weight @table : tensor<8x4xf16> from "table"
mj.weight @w : tensor<4x4xf16> from "w"
mj.weight @b : tensor<4x4xbf16> from "b"
mj.weight @n : tensor<4xf16> from "n"

// CHECK-LABEL: func.func @main
// CHECK: %[[TABLE:.*]] = mj.get_weight @table : tensor<8x4xf16>
// CHECK-NEXT: %[[WIDE:.*]] = arith.extf %[[TABLE]] : tensor<8x4xf16> to tensor<8x4xf32>
// CHECK-NEXT: mj.gather %[[WIDE]][%{{.*}}] : tensor<8x4xf32>, tensor<2xi32> -> tensor<2x4xf32>
// CHECK: mj.norm rms %{{.*}}, weight %{{.*}} eps {{.*}} weight tensor<4xf16>
// CHECK: %[[W:.*]] = mj.get_weight @w : tensor<4x4xf16>
// CHECK-NEXT: %[[WIDE_W:.*]] = arith.extf %[[W]] : tensor<4x4xf16> to tensor<4x4xf32>
// CHECK-NEXT: mj.matmul %{{.*}}, %[[WIDE_W]] {transpose_b} : tensor<2x4xf32>, tensor<4x4xf32>
// CHECK: %[[B:.*]] = mj.get_weight @b : tensor<4x4xbf16>
// CHECK-NEXT: mj.matmul %{{.*}}, %[[B]] : tensor<2x4xf32>, tensor<4x4xbf16>
// REMARK: remark: [Passed] Widened | Category:widen-weights | Remark="@main: 2 operations read f16 matrices in f32"
func.func @main(%i: tensor<2xi32>) -> tensor<2x4xf32> attributes {mj.entry} {
  %table = mj.get_weight @table : tensor<8x4xf16>
  %x = mj.gather %table[%i] : tensor<8x4xf16>, tensor<2xi32> -> tensor<2x4xf32>
  %n = mj.get_weight @n : tensor<4xf16>
  %y = mj.norm rms %x, weight %n eps 1.0e-6 : tensor<2x4xf32>, weight tensor<4xf16> -> tensor<2x4xf32>
  %w = mj.get_weight @w : tensor<4x4xf16>
  %z = mj.matmul %y, %w {transpose_b} : tensor<2x4xf32>, tensor<4x4xf16> -> tensor<2x4xf32>
  %b = mj.get_weight @b : tensor<4x4xbf16>
  %r = mj.matmul %z, %b : tensor<2x4xf32>, tensor<4x4xbf16> -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// -----

// A right operand or a table that is computed is no weight: it keeps its type.
// CHECK-LABEL: func.func @computed
// CHECK-NOT: arith.extf
// REMARK: @computed: 0 operations read f16 matrices in f32
func.func @computed(%x: tensor<2x4xf32>, %z: tensor<3x4xf16>, %i: tensor<2xi32>) -> (tensor<2x3xf32>, tensor<2x4xf16>) attributes {mj.entry} {
  %y = mj.matmul %x, %z {transpose_b} : tensor<2x4xf32>, tensor<3x4xf16> -> tensor<2x3xf32>
  %g = mj.gather %z[%i] : tensor<3x4xf16>, tensor<2xi32> -> tensor<2x4xf16>
  return %y, %g : tensor<2x3xf32>, tensor<2x4xf16>
}
