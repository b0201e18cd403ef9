// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --pass-pipeline='builtin.module(plan-memory)' | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --pass-pipeline='builtin.module(plan-memory{alignment=256})' | FileCheck %s --check-prefix=WIDE
// RUN: mjolnir-opt %s --split-input-file --pass-pipeline='builtin.module(plan-memory)' --remarks-filter=plan-memory --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: mjolnir-opt %s --split-input-file --pass-pipeline='builtin.module(plan-memory,verify-phase{phase=plan})' -o /dev/null
// RUN: not mjolnir-opt %s --split-input-file --pass-pipeline='builtin.module(plan-memory{alignment=48})' 2>&1 | FileCheck %s --check-prefix=ALIGNMENT
// RUN: not mjolnir-opt %s --split-input-file --pass-pipeline='builtin.module(plan-memory{alignment=-64})' 2>&1 | FileCheck %s --check-prefix=ALIGNMENT
// ALIGNMENT: error: plan-memory needs an alignment that is a power of two, not {{48|-64}}

// A chain in -> a -> b -> c -> out: a is free again when c is written, so that c lies where a lay.
// CHECK-LABEL: exec.entry @chain arena 128 align 64
// CHECK: %[[A:.*]] = exec.arena_buffer 64 at 0
// CHECK: exec.launch @step(%{{.*}}, %[[A]])
// CHECK: %[[B:.*]] = exec.arena_buffer 64 at 64
// CHECK: exec.launch @step(%[[A]], %[[B]])
// CHECK: %[[C:.*]] = exec.arena_buffer 64 at 0
// CHECK: exec.launch @step(%[[B]], %[[C]])
// CHECK: exec.launch @step(%[[C]], %{{.*}})
// WIDE-LABEL: exec.entry @chain arena 512 align 256
// WIDE: exec.arena_buffer 64 at 0
// WIDE: exec.arena_buffer 64 at 256
// WIDE: exec.arena_buffer 64 at 0
// REMARK: remark: [Analysis] Arena | Category:plan-memory | Remark="arena of @chain: 128 bytes for 3 buffers, largest live set 128 bytes, 0 in place"
exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @chain inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%in: !exec.buffer, %out: !exec.buffer):
  %a = exec.arena_buffer 64
  exec.launch @step(%in, %a)
  %b = exec.arena_buffer 64
  exec.launch @step(%a, %b)
  %c = exec.arena_buffer 64
  exec.launch @step(%b, %c)
  exec.launch @step(%c, %out)
}

// -----

// The largest is placed first, the next at the lowest place beside what lives at the same time. @small lives throughout, so
// that it goes above the largest; @early, @large and @late never meet and all lie at the bottom. Sizes are rounded up.
// CHECK-LABEL: exec.entry @mixed arena 576 align 64
// CHECK: %[[SMALL:.*]] = exec.arena_buffer 4 at 512
// CHECK: %[[EARLY:.*]] = exec.arena_buffer 64 at 0
// CHECK: %[[LARGE:.*]] = exec.arena_buffer 500 at 0
// CHECK: %[[LATE:.*]] = exec.arena_buffer 96 at 0
// CHECK: exec.launch @two(%[[SMALL]], %[[EARLY]])
// CHECK: exec.launch @two(%[[LARGE]], %[[SMALL]])
// CHECK: exec.copy %[[SMALL]] to %[[LATE]] bytes 4
// REMARK: arena of @mixed: 576 bytes for 4 buffers, largest live set 576 bytes
exec.kernel @two schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<1xf32>):
  exec.return %x : tensor<1xf32>
}
exec.entry @mixed inputs [] outputs [] {
  %small = exec.arena_buffer 4
  %early = exec.arena_buffer 64
  %large = exec.arena_buffer 500
  %late = exec.arena_buffer 96
  exec.launch @two(%small, %early)
  exec.launch @two(%large, %small)
  exec.copy %small to %late bytes 4
}

// -----

// What meets in one launch never overlaps, even if one is read for the last time where the other is written first. Equal
// sizes keep their order; a hole that fits exactly is used.
// CHECK-LABEL: exec.entry @holes arena 256 align 64
// CHECK: %[[A:.*]] = exec.arena_buffer 64 at 0
// CHECK: %[[B:.*]] = exec.arena_buffer 64 at 64
// CHECK: %[[C:.*]] = exec.arena_buffer 64 at 128
// CHECK: %[[D:.*]] = exec.arena_buffer 64 at 192
// CHECK: %[[E:.*]] = exec.arena_buffer 64 at 64
// REMARK: arena of @holes: 256 bytes for 5 buffers, largest live set 256 bytes
exec.kernel @four schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>, %y: tensor<16xf32>, %z: tensor<16xf32>):
  exec.return %z : tensor<16xf32>
}
exec.entry @holes inputs [] outputs [] {
  %a = exec.arena_buffer 64
  %b = exec.arena_buffer 64
  %c = exec.arena_buffer 64
  %d = exec.arena_buffer 64
  %e = exec.arena_buffer 64
  exec.launch @four(%a, %b, %c, %d)
  exec.launch @four(%a, %c, %d, %e)
}

// -----

// A buffer that nothing touches disappears; an entry without buffers has an empty arena; planning again changes nothing.
// CHECK-LABEL: exec.entry @untouched arena 0 align 64
// CHECK-NEXT: }
// CHECK-LABEL: exec.entry @planned arena 64 align 64
// CHECK-NEXT: exec.arena_buffer 64 at 0
// REMARK-DAG: arena of @untouched: 0 bytes for 0 buffers, largest live set 0 bytes
// REMARK-DAG: arena of @planned: 64 bytes for 1 buffers, largest live set 64 bytes
exec.kernel @one schedule <"host.rows"> tiles 1 accesses [#exec.access<write>] {
  %c = arith.constant dense<0.0> : tensor<16xf32>
  exec.return %c : tensor<16xf32>
}
exec.entry @untouched inputs [] outputs [] {
  %a = exec.arena_buffer 64
}
exec.entry @planned arena 640 align 64 inputs [] outputs [] {
  %a = exec.arena_buffer 64 at 576
  exec.launch @one(%a)
}

// -----

// In place: %b is written over %a, which nothing reads afterwards, and %c over %b; the three are one block. %x lives beside
// them. The near misses: @kept reads %a again, @twice has the operand as another one, too, @larger is of another size.
// CHECK-LABEL: exec.entry @chained arena 128 align 64
// CHECK: %[[A:.*]] = exec.arena_buffer 64 at 0
// CHECK: %[[X:.*]] = exec.arena_buffer 64 at 64
// CHECK: %[[B:.*]] = exec.arena_buffer 64 at 0
// CHECK: exec.launch @over(%[[A]], %[[X]], %[[B]])
// CHECK: %[[C:.*]] = exec.arena_buffer 64 at 0
// CHECK: exec.launch @over(%[[B]], %[[X]], %[[C]])
// CHECK-LABEL: exec.entry @kept arena 192
// CHECK-LABEL: exec.entry @twice arena 128
// CHECK-LABEL: exec.entry @larger arena 256
// CHECK-LABEL: exec.entry @one_of_two arena 128
// CHECK: %[[A:.*]] = exec.arena_buffer 64 at 0
// CHECK: %[[B:.*]] = exec.arena_buffer 64 at 0
// CHECK: %[[C:.*]] = exec.arena_buffer 64 at 64
// CHECK-LABEL: exec.entry @argument arena 64
// REMARK-DAG: arena of @chained: 128 bytes for 4 buffers, largest live set 128 bytes, 2 in place
// REMARK-DAG: [Missed] InPlace | Category:plan-memory | Remark="@over is not in place: a later step reads the operand"
// REMARK-DAG: arena of @kept: 192 bytes for 3 buffers, largest live set 192 bytes, 0 in place
// REMARK-DAG: arena of @twice: 128 bytes for 2 buffers, largest live set 128 bytes, 0 in place
// REMARK-DAG: [Missed] InPlace | Category:plan-memory | Remark="@over is not in place: operand and result differ in size"
// REMARK-DAG: arena of @larger: 256 bytes for 3 buffers, largest live set 256 bytes, 0 in place
// REMARK-DAG: arena of @one_of_two: 128 bytes for 3 buffers, largest live set 128 bytes, 1 in place
// REMARK-DAG: arena of @argument: 64 bytes for 1 buffers, largest live set 64 bytes, 0 in place
exec.kernel @over schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<write>] in_place [#exec.in_place<2 over 0>] {
^bb0(%x: tensor<16xf32>, %y: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.kernel @fill schedule <"host.rows"> tiles 1 accesses [#exec.access<write>] {
  %c = arith.constant dense<0.0> : tensor<16xf32>
  exec.return %c : tensor<16xf32>
}
exec.kernel @split schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>, #exec.access<write>] in_place [#exec.in_place<1 over 0>, #exec.in_place<2 over 0>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x, %x : tensor<16xf32>, tensor<16xf32>
}
exec.entry @chained inputs [] outputs [] {
  %a = exec.arena_buffer 64
  %x = exec.arena_buffer 64
  exec.launch @fill(%a)
  exec.launch @fill(%x)
  %b = exec.arena_buffer 64
  exec.launch @over(%a, %x, %b)
  %c = exec.arena_buffer 64
  exec.launch @over(%b, %x, %c)
}
exec.entry @kept inputs [] outputs [] {
  %a = exec.arena_buffer 64
  %x = exec.arena_buffer 64
  %b = exec.arena_buffer 64
  exec.launch @fill(%a)
  exec.launch @over(%a, %x, %b)
  exec.copy %a to %x bytes 64
}
exec.entry @twice inputs [] outputs [] {
  %a = exec.arena_buffer 64
  %b = exec.arena_buffer 64
  exec.launch @fill(%a)
  exec.launch @over(%a, %a, %b)
}
exec.entry @larger inputs [] outputs [] {
  %a = exec.arena_buffer 64
  %x = exec.arena_buffer 64
  %b = exec.arena_buffer 128
  exec.launch @fill(%a)
  exec.launch @over(%a, %x, %b)
}
exec.entry @one_of_two inputs [] outputs [] {
  %a = exec.arena_buffer 64
  %b = exec.arena_buffer 64
  %c = exec.arena_buffer 64
  exec.launch @fill(%a)
  exec.launch @split(%a, %b, %c)
}
exec.entry @argument inputs [#exec.binding<"x", tensor<16xf32>>] outputs [] {
^bb0(%in: !exec.buffer):
  %b = exec.arena_buffer 64
  exec.launch @over(%in, %in, %b)
}
