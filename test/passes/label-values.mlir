// RUN: mjolnir-opt %s --label-values --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s
// RUN: mjolnir-opt %s --label-values --verify-roundtrip --remarks-filter=label-values --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// The module of the model, or else the entry, and what is computed; a number where that is not the first. Weights,
// constants and fields of the batch have names already, or none.
mj.weight @w : tensor<4x4xf32> from "w"

// CHECK-LABEL: func.func @main
// CHECK: mj.get_weight @w : tensor<4x4xf32> loc("{{.*}}label-values.mlir"
// CHECK: mj.matmul {{.*}} loc("layer.q_proj:matmul"("layer.q_proj"))
// CHECK: arith.addf {{.*}} loc("main:addf"("{{.*}}label-values.mlir":
// CHECK: arith.addf {{.*}} loc("main:addf.1"("{{.*}}label-values.mlir":
// CHECK: arith.negf {{.*}} loc("main:negf"(
// REMARK: remark: [Analysis] Labels | Category:label-values | Remark="@main: 4 values have names"
func.func @main(%x: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<4x4xf32>
  %c = arith.constant dense<1.0> : tensor<2x4xf32>
  %q = mj.matmul %x, %w {transpose_b} : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32> loc("layer.q_proj")
  %a = arith.addf %q, %c : tensor<2x4xf32>
  %b = arith.addf %a, %x : tensor<2x4xf32>
  %n = arith.negf %b : tensor<2x4xf32>
  return %n : tensor<2x4xf32>
}

// What is no entry is left alone.
// CHECK-LABEL: func.func @other
// CHECK: arith.negf {{.*}} loc("{{.*}}label-values.mlir"
func.func @other(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %n = arith.negf %x : tensor<2x4xf32>
  return %n : tensor<2x4xf32>
}
