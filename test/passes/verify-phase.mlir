// What each phase may hold, accepted: the same program on its way.
// RUN: split-file %s %t
// RUN: mjolnir-opt %t/input.mlir --verify-roundtrip --verify-phase=phase=input -o /dev/null
// RUN: mjolnir-opt %t/data.mlir --verify-roundtrip --verify-phase=phase=input --simplify --recognize --verify-phase=phase=graph -o /dev/null
// RUN: mjolnir-opt %t/graph.mlir --verify-roundtrip --verify-phase=phase=input --verify-phase=phase=graph --verify-phase=phase=numerics -o /dev/null
// RUN: mjolnir-opt %t/graph.mlir --form-fusions --verify-phase=phase=fusion -o /dev/null
// RUN: mjolnir-opt %t/graph.mlir --form-fusions=unfused --verify-phase=phase=fusion -o /dev/null
// RUN: mjolnir-opt %t/graph.mlir --form-fusions --select-schedules --hoist-weight-computation --verify-phase=phase=schedule -o /dev/null
// RUN: mjolnir-opt %t/graph.mlir --form-fusions --select-schedules --hoist-weight-computation --plan-paged-kv --lower-to-exec \
// RUN:   | mjolnir-opt --pass-pipeline='builtin.module(plan-memory,verify-phase{phase=plan})' -o /dev/null

// Each is refused as a later phase than it is in.
// RUN: not mjolnir-opt %t/input.mlir --verify-phase=phase=graph 2>&1 | FileCheck %s --check-prefix=SYMBOLIC
// SYMBOLIC: error: has an argument of the symbolic type '!mj.batch<? x ? x ?>' after specialize-buckets
// RUN: not mjolnir-opt %t/graph.mlir --verify-phase=phase=fusion 2>&1 | FileCheck %s --check-prefix=OUTSIDE
// OUTSIDE: error: 'mj.gather' is left outside the regions after form-fusions
// RUN: not mjolnir-opt %t/graph.mlir --form-fusions --verify-phase=phase=schedule 2>&1 | FileCheck %s --check-prefix=SCHEDULE
// SCHEDULE: has no schedule after select-schedules
// RUN: not mjolnir-opt %t/graph.mlir --form-fusions --select-schedules --verify-phase=phase=schedule 2>&1 | FileCheck %s --check-prefix=HOIST
// HOIST: error: 'mj.pack' is left in an entry after hoist-weight-computation
// RUN: not mjolnir-opt %t/graph.mlir --verify-phase=phase=plan 2>&1 | FileCheck %s --check-prefix=PLAN
// PLAN: error: 'func.func' is left after lower-to-exec
// RUN: not mjolnir-opt %t/graph.mlir --form-fusions --select-schedules --hoist-weight-computation --plan-paged-kv --lower-to-exec --verify-phase=phase=plan 2>&1 | FileCheck %s --check-prefix=ARENA
// ARENA: has no arena size after plan-memory
// RUN: not mjolnir-opt %t/planned.mlir --verify-phase=phase=code 2>&1 | FileCheck %s --check-prefix=IMAGE
// IMAGE: error: has kernels and no exec.image with their code

// And an earlier one is no better.
// RUN: not mjolnir-opt %t/graph.mlir --form-fusions --verify-phase=phase=numerics 2>&1 | FileCheck %s --check-prefix=EARLY
// EARLY: is there before form-fusions
// RUN: not mjolnir-opt %t/planned.mlir --verify-phase=phase=graph 2>&1 | FileCheck %s --check-prefix=ENTRY
// ENTRY: error: has no entry: a func.func with the attribute mj.entry

// RUN: not mjolnir-opt %t/graph.mlir --verify-phase=phase=lunch 2>&1 | FileCheck %s --check-prefix=PHASE
// PHASE: error: verify-phase knows no phase 'lunch'; there are input, graph, numerics, fusion, schedule, plan, code
// RUN: not mjolnir-opt %t/empty.mlir --verify-phase=phase=input 2>&1 | FileCheck %s --check-prefix=ENTRY
// RUN: not mjolnir-opt %t/empty.mlir --verify-phase=phase=plan 2>&1 | FileCheck %s --check-prefix=EMPTY
// EMPTY: error: has no exec.entry

// A constant mask is data until it is recognized as causal.
//--- data.mlir
func.func @data(%q: tensor<2x2x4xf32>, %k: tensor<2x2x4xf32>, %v: tensor<2x2x4xf32>) -> tensor<2x2x4xf32> attributes {mj.entry} {
  %mask = arith.constant dense<[[0.0, 0xFF800000], [0.0, 0.0]]> : tensor<2x2xf32>
  %s = mj.batch_matmul %q, %k {transpose_b} : tensor<2x2x4xf32>, tensor<2x2x4xf32> -> tensor<2x2x2xf32>
  %b = mj.broadcast %mask like %s : tensor<2x2xf32>, tensor<2x2x2xf32> -> tensor<2x2x2xf32>
  %m = arith.addf %s, %b : tensor<2x2x2xf32>
  %p = mj.softmax %m : tensor<2x2x2xf32> -> tensor<2x2x2xf32>
  %o = mj.batch_matmul %p, %v : tensor<2x2x2xf32>, tensor<2x2x4xf32> -> tensor<2x2x4xf32>
  return %o : tensor<2x2x4xf32>
}
//--- input.mlir
mj.weight @embed : tensor<32x16xf32> from "embed"
func.func @step(%batch: !mj.batch<? x ? x ?>) -> tensor<?x32xf32> attributes {mj.entry} {
  %embed = mj.get_weight @embed : tensor<32x16xf32>
  %tokens = mj.batch_field %batch[tokens] : <? x ? x ?>
  %x = mj.gather %embed[%tokens] : tensor<32x16xf32>, tensor<?xi32> -> tensor<?x16xf32>
  %y = mj.matmul %x, %embed {transpose_b} : tensor<?x16xf32>, tensor<32x16xf32> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}
//--- graph.mlir
mj.weight @embed : tensor<32x16xf32> from "embed"
func.func @step(%batch: !mj.batch<4 x 2 x 1>) -> tensor<4x32xf32> attributes {mj.entry} {
  %embed = mj.get_weight @embed : tensor<32x16xf32>
  %tokens = mj.batch_field %batch[tokens] : <4 x 2 x 1>
  %x = mj.gather %embed[%tokens] : tensor<32x16xf32>, tensor<4xi32> -> tensor<4x16xf32>
  %y = mj.matmul %x, %embed {transpose_b} : tensor<4x16xf32>, tensor<32x16xf32> -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}
//--- planned.mlir
exec.kernel @one schedule <"host.rows"> tiles 1 accesses [#exec.access<write>] {
  %c = arith.constant dense<0.0> : tensor<16xf32>
  exec.return %c : tensor<16xf32>
}
exec.entry @zero arena 0 align 64 inputs [] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%y: !exec.buffer):
  exec.launch @one(%y)
}
//--- empty.mlir
module {}
