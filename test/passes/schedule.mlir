// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --schedule | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --schedule --schedule | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --schedule --remarks-filter=schedule --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: mjolnir-opt %s --split-input-file --plan-memory --schedule --verify-phase=phase=plan -o /dev/null

// Two launches read what the first wrote and may overlap; the last waits for both. That it also comes
// after the first follows. As one stream, each launch may start early after the one before. Weights are no reason to wait.
// CHECK-LABEL: exec.entry @diamond graph inputs
// CHECK: exec.launch @one(%{{.*}}, %[[A:.*]]) after []{{$}}
// CHECK: exec.launch @one(%[[A]], %[[B:.*]]) after [0] dependent
// CHECK: exec.launch @one(%[[A]], %[[C:.*]]) after [0] dependent
// CHECK: exec.launch @two(%[[B]], %[[C]], %{{.*}}) after [1, 2] dependent
// CHECK: exec.launch @two(%[[W:.*]], %[[W]], %{{.*}}) after [] dependent
// REMARK: remark: [Analysis] Steps | Category:schedule | Remark="@diamond: 5 steps, 4 edges, 4 dependent launches, 3 steps one after the other, up to 2 side by side; one graph"
mj.weight @w : tensor<16xf32> from "w"
exec.kernel @one schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.kernel @two schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>, %y: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @diamond inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y", tensor<16xf32>>, #exec.binding<"z", tensor<16xf32>>] {
^bb0(%in: !exec.buffer, %y: !exec.buffer, %z: !exec.buffer):
  %w = exec.weight_buffer @w
  %a = exec.arena_buffer 64
  %b = exec.arena_buffer 64
  %c = exec.arena_buffer 64
  exec.launch @one(%in, %a)
  exec.launch @one(%a, %b)
  exec.launch @one(%a, %c)
  exec.launch @two(%b, %c, %y)
  exec.launch @two(%w, %w, %z)
}

// -----

// Places that are used again: %c lies where %a lay, so that its writer waits for the reader of %a; %d lies on halves of both
// and waits for the readers of %c, too. %e touches neither. A launch in place is no conflict with itself.
// CHECK-LABEL: exec.entry @reused arena 256 align 64 graph
// CHECK: exec.launch @fill(%{{.*}}) after []{{$}}
// CHECK: exec.launch @one(%{{.*}}, %{{.*}}) after [0] dependent
// CHECK: exec.launch @fill(%{{.*}}) after [1] dependent
// CHECK: exec.launch @fill(%{{.*}}) after [] dependent
// CHECK: exec.launch @one(%{{.*}}, %{{.*}}) after [2, 3] dependent
// CHECK: exec.launch @fill(%{{.*}}) after [4] dependent
// REMARK: "@reused: 6 steps, 5 edges, 5 dependent launches, 5 steps one after the other, up to 2 side by side; one graph"
exec.kernel @one schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] in_place [#exec.in_place<1 over 0>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.kernel @fill schedule <"host.rows"> tiles 1 accesses [#exec.access<write>] {
  %c = arith.constant dense<0.0> : tensor<16xf32>
  exec.return %c : tensor<16xf32>
}
exec.entry @reused arena 256 align 64 inputs [] outputs [] {
  %a = exec.arena_buffer 64 at 0
  %b = exec.arena_buffer 64 at 64
  %c = exec.arena_buffer 64 at 0
  %e = exec.arena_buffer 64 at 192
  %f = exec.arena_buffer 64 at 192
  %d = exec.arena_buffer 128 at 0
  exec.launch @fill(%a)
  exec.launch @one(%a, %b)
  exec.launch @fill(%c)
  exec.launch @fill(%e)
  exec.launch @one(%c, %f)
  exec.launch @fill(%d)
}

// -----

// The pool: layers are apart, appends and attention of one layer are not. What only reads a layer may overlap.
// CHECK-LABEL: exec.entry @layers
// CHECK: exec.launch @append(%{{.*}}) after []{{$}}
// CHECK: exec.launch @append(%{{.*}}) after [] dependent
// CHECK: exec.launch @attend(%{{.*}}) after [0] dependent
// CHECK: exec.launch @attend(%{{.*}}) after [1] dependent
// CHECK: exec.launch @attend(%{{.*}}) after [0] dependent
// CHECK: exec.launch @append(%{{.*}}) after [2, 4] dependent
exec.kv_pool @kv : f32 layers 2 heads 1 head_dim 4 page_size 16 bytes_per_page 1024
exec.kernel @append schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<read_write>, #exec.access<read>] {
^bb0(%k: tensor<1x1x4xf32>, %c: !mj.kv<2 x 1 x 4 x f32>, %b: !mj.batch<1 x 1 x 4>):
  %r = mj.kv_append %c[0], %k, %k at %b : <2 x 1 x 4 x f32>, tensor<1x1x4xf32>, tensor<1x1x4xf32>, <1 x 1 x 4> -> <2 x 1 x 4 x f32>
  exec.return %r : !mj.kv<2 x 1 x 4 x f32>
}
exec.kernel @attend schedule <"host.plain_attention"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] {
^bb0(%q: tensor<1x1x4xf32>, %c: !mj.kv<2 x 1 x 4 x f32>, %b: !mj.batch<1 x 1 x 4>):
  %r = mj.attention %q, %c[0] over %b scale 0.5 : tensor<1x1x4xf32>, <2 x 1 x 4 x f32>, <1 x 1 x 4> -> tensor<1x1x4xf32>
  exec.return %r : tensor<1x1x4xf32>
}
exec.entry @layers inputs [#exec.binding<"x", tensor<1x1x4xf32>>, #exec.binding<"i", tensor<4xi32>>] outputs [] {
^bb0(%x: !exec.buffer, %i: !exec.buffer):
  %k0 = exec.pool_buffer @kv at 0
  %k1 = exec.pool_buffer @kv at 512
  %a = exec.arena_buffer 16
  %b = exec.arena_buffer 16
  %c = exec.arena_buffer 16
  exec.launch @append(%x, %k0, %i)
  exec.launch @append(%x, %k1, %i)
  exec.launch @attend(%x, %k0, %i, %i, %i, %a)
  exec.launch @attend(%x, %k1, %i, %i, %i, %b)
  exec.launch @attend(%x, %k0, %i, %i, %i, %c)
  exec.launch @append(%x, %k0, %i)
}

// -----

// A copy waits and is waited for, but neither starts early nor lets a launch do so; a launch behind that does.
// CHECK-LABEL: exec.entry @copies
// CHECK: exec.launch @fill(%[[A:.*]]) after []{{$}}
// CHECK: exec.copy %[[A]] to %[[B:.*]] bytes 64 after [0]{{$}}
// CHECK: exec.launch @one(%[[B]], %{{.*}}) after [1]{{$}}
// REMARK: remark: [Missed] Dependent | Category:schedule | Remark="step 2, @one, does not start early: the step before it is a copy, which cannot let it start"
exec.kernel @one schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.kernel @fill schedule <"host.rows"> tiles 1 accesses [#exec.access<write>] {
  %c = arith.constant dense<0.0> : tensor<16xf32>
  exec.return %c : tensor<16xf32>
}
exec.entry @copies inputs [] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%y: !exec.buffer):
  %a = exec.arena_buffer 64
  %b = exec.arena_buffer 64
  exec.launch @fill(%a)
  exec.copy %a to %b bytes 64
  exec.launch @one(%b, %y)
}

// -----

// One step is no graph, and nothing neither.
// CHECK: exec.entry @single inputs
// CHECK: exec.launch @fill(%{{.*}}) after []{{$}}
// CHECK: exec.entry @empty inputs
// REMARK: "@single: 1 steps, 0 edges, 0 dependent launches, 1 steps one after the other, up to 1 side by side; no graph: one launch starts no sooner from a graph"
exec.kernel @fill schedule <"host.rows"> tiles 1 accesses [#exec.access<write>] {
  %c = arith.constant dense<0.0> : tensor<16xf32>
  exec.return %c : tensor<16xf32>
}
exec.entry @single inputs [] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%y: !exec.buffer):
  exec.launch @fill(%y)
}
exec.entry @empty inputs [] outputs [] {
}

// -----

// What a kernel reads early may be an input, and not what the step before it writes.
// CHECK: exec.entry @early graph inputs
// CHECK: exec.launch @step(%{{.*}}, %[[A:.*]]) after []{{$}}
// CHECK: exec.launch @step(%[[A]], %[[B:.*]]) after [0]{{$}}
// CHECK: exec.launch @step(%{{.*}}, %{{.*}}) after [] dependent
// REMARK: "step 1, @step, does not start early: its kernel reads before it waits what another step writes"
exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] early [0] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @early inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  %a = exec.arena_buffer 64
  %b = exec.arena_buffer 64
  exec.launch @step(%x, %a)
  exec.launch @step(%a, %b)
  exec.launch @step(%x, %y)
}

// -----

// A call of a library starts nothing early, and is not started so.
// CHECK: exec.entry @library graph inputs
// CHECK: exec.launch @step(%{{.*}}, %[[A:.*]]) after []{{$}}
// CHECK: exec.launch @call(%[[A]], %[[A]], %[[B:.*]]) after [0]{{$}}
// CHECK: exec.launch @step(%[[B]], %{{.*}}) after [1]{{$}}
// REMARK: "step 1, @call, does not start early: it is a call of a library, whose kernels do not wait by themselves"
// REMARK: "step 2, @step, does not start early: the step before it is a call of a library, which does not let it start"
exec.kernel @step schedule <"cuda.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<4x4xf32>):
  exec.return %x : tensor<4x4xf32>
}
exec.kernel @call schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<write>] library <library = "cublaslt", x = 0, weight = 1, result = 2> {
^bb0(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>):
  %r = mj.matmul %x, %w : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  exec.return %r : tensor<4x4xf32>
}
exec.entry @library inputs [#exec.binding<"x", tensor<4x4xf32>>] outputs [#exec.binding<"y", tensor<4x4xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  %a = exec.arena_buffer 64
  %b = exec.arena_buffer 64
  exec.launch @step(%x, %a)
  exec.launch @call(%a, %a, %b)
  exec.launch @step(%b, %y)
}
