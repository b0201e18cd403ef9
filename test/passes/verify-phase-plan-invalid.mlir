// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics --verify-phase=phase=plan

exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @unplaced arena 64 align 64 inputs [] outputs [] {
  // expected-error@+1 {{has no offset after plan-memory}}
  %a = exec.arena_buffer 64
  exec.launch @step(%a, %a)
}

// -----

exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @unaligned arena 128 align 64 inputs [] outputs [] {
  // expected-error@+1 {{is at offset 32, which is not aligned to 64 bytes}}
  %a = exec.arena_buffer 64 at 32
  exec.launch @step(%a, %a)
}

// -----

exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @overlapping arena 192 align 64 inputs [] outputs [] {
  // expected-error@+1 {{overlaps another that lives at the same time: bytes 0 to 65 and 64 to 128}}
  %a = exec.arena_buffer 65 at 0
  // expected-note@+1 {{the other buffer}}
  %b = exec.arena_buffer 64 at 64
  exec.launch @step(%a, %b)
}

// -----

// One after the other they may lie at the same place, and a buffer that nothing touches anywhere.
exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @sound arena 128 align 64 inputs [] outputs [] {
  %a = exec.arena_buffer 128 at 0
  %b = exec.arena_buffer 64 at 64
  %c = exec.arena_buffer 64 at 64
  exec.launch @step(%a, %a)
  exec.launch @step(%b, %b)
}

// -----

// A result may lie on an operand where the kernel says so, if nothing reads the operand afterwards.
exec.kernel @over schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] in_place [#exec.in_place<1 over 0>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @in_place arena 64 align 64 inputs [] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%y: !exec.buffer):
  %a = exec.arena_buffer 64 at 0
  %b = exec.arena_buffer 64 at 0
  exec.launch @over(%a, %b)
  exec.launch @over(%b, %y)
}
exec.entry @read_again arena 64 align 64 inputs [] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%y: !exec.buffer):
  // expected-error@+1 {{overlaps another that lives at the same time: bytes 0 to 64 and 0 to 64}}
  %a = exec.arena_buffer 64 at 0
  // expected-note@+1 {{the other buffer}}
  %b = exec.arena_buffer 64 at 0
  exec.launch @over(%a, %b)
  exec.launch @over(%a, %y)
}

// -----

exec.kernel @over schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] in_place [#exec.in_place<1 over 0>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @shifted arena 192 align 64 inputs [] outputs [] {
  // expected-error@+1 {{overlaps another that lives at the same time: bytes 0 to 128 and 64 to 192}}
  %a = exec.arena_buffer 128 at 0
  // expected-note@+1 {{the other buffer}}
  %b = exec.arena_buffer 128 at 64
  exec.launch @over(%a, %b)
}

// -----

// A third buffer on the place that a launch in place keeps.
exec.kernel @over schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>, #exec.access<write>] in_place [#exec.in_place<1 over 0>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x, %x : tensor<16xf32>, tensor<16xf32>
}
exec.entry @third arena 64 align 64 inputs [] outputs [] {
  // expected-error@+1 {{overlaps another that lives at the same time: bytes 0 to 64 and 0 to 64}}
  %a = exec.arena_buffer 64 at 0
  %b = exec.arena_buffer 64 at 0
  // expected-note@+1 {{the other buffer}}
  %c = exec.arena_buffer 64 at 0
  exec.launch @over(%a, %b, %c)
}

// -----

// An edge is missing: the second launch reads what the first writes.
exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @unordered arena 64 align 64 inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  %a = exec.arena_buffer 64 at 0
  // expected-note@+1 {{step 0}}
  exec.launch @step(%x, %a) after []
  // expected-error@+1 {{is step 1 and does not wait for step 0; one of the two writes what the other touches}}
  exec.launch @step(%a, %y) after []
}

// -----

// Overlap that would race: %b lies where %a lay, and its writer does not wait for the reader of %a. It does wait for the
// writer, which is not enough.
exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @reused arena 64 align 64 inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y", tensor<16xf32>>, #exec.binding<"z", tensor<16xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer, %z: !exec.buffer):
  %a = exec.arena_buffer 64 at 0
  %b = exec.arena_buffer 64 at 0
  exec.launch @step(%x, %a) after []
  // expected-note@+1 {{step 1}}
  exec.launch @step(%a, %y) after [0] dependent
  // expected-error@+1 {{is step 2 and does not wait for step 1; one of the two writes what the other touches}}
  exec.launch @step(%x, %b) after [0] dependent
  exec.launch @step(%b, %z) after [2] dependent
}

// -----

// Two appends to one layer of the cache.
exec.kv_pool @kv : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512
exec.kernel @append schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<read_write>, #exec.access<read>] {
^bb0(%k: tensor<1x1x4xf32>, %c: !mj.kv<1 x 1 x 4 x f32>, %b: !mj.batch<1 x 1 x 4>):
  %r = mj.kv_append %c[0], %k, %k at %b : <1 x 1 x 4 x f32>, tensor<1x1x4xf32>, tensor<1x1x4xf32>, <1 x 1 x 4> -> <1 x 1 x 4 x f32>
  exec.return %r : !mj.kv<1 x 1 x 4 x f32>
}
exec.entry @appends arena 0 align 64 inputs [#exec.binding<"x", tensor<1x1x4xf32>>, #exec.binding<"i", tensor<1xi32>>] outputs [] {
^bb0(%x: !exec.buffer, %i: !exec.buffer):
  %k0 = exec.pool_buffer @kv at 0
  // expected-note@+1 {{step 0}}
  exec.launch @append(%x, %k0, %i)
  // expected-error@+1 {{is step 1 and does not wait for step 0; one of the two writes what the other touches}}
  exec.launch @append(%x, %k0, %i) after []
}

// -----

// Dependent edges lead from a launch to a launch: not out of a copy,
exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @out_of_a_copy arena 64 align 64 inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  %a = exec.arena_buffer 64 at 0
  // expected-note@+1 {{step 0}}
  exec.copy %x to %a bytes 64 after []
  // expected-error@+1 {{is dependent, and the step before it is no launch}}
  exec.launch @step(%a, %y) after [0] dependent
}

// -----

// nor into one,
exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @into_a_copy arena 64 align 64 inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  %a = exec.arena_buffer 64 at 0
  exec.launch @step(%x, %a) after []
  // expected-error@+1 {{is dependent: only launches can start before what they wait for is complete}}
  exec.copy %a to %y bytes 64 after [0] {dependent}
}

// -----

// and there is one before.
exec.kernel @fill schedule <"host.rows"> tiles 1 accesses [#exec.access<write>] {
  %c = arith.constant dense<0.0> : tensor<16xf32>
  exec.return %c : tensor<16xf32>
}
exec.entry @first arena 0 align 64 inputs [] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%y: !exec.buffer):
  // expected-error@+1 {{is dependent and the first step: there is no launch that could let it start}}
  exec.launch @fill(%y) after [] dependent
}

// -----

mj.weight @w : tensor<16xf32> from "w"
exec.kernel @fill schedule <"host.rows"> tiles 1 accesses [#exec.access<write>] {
  %c = arith.constant dense<0.0> : tensor<16xf32>
  exec.return %c : tensor<16xf32>
}
exec.entry @writes_a_weight arena 0 align 64 inputs [] outputs [] {
  %w = exec.weight_buffer @w
  // expected-error@+1 {{writes a weight; weights are shared by all sessions, and read before a launch waits}}
  exec.launch @fill(%w)
}

// -----

exec.kv_pool @kv : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512 window 16
exec.kernel @attend schedule <"host.plain_attention"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] {
^bb0(%q: tensor<1x1x4xf32>, %c: !mj.kv<1 x 1 x 4 x f32>, %b: !mj.batch<1 x 1 x 4>):
  // expected-error@+1 {{reads the last 17 tokens, but the pool keeps the last 16}}
  %r = mj.attention %q, %c[0] over %b scale 0.5 window 17 : tensor<1x1x4xf32>, <1 x 1 x 4 x f32>, <1 x 1 x 4> -> tensor<1x1x4xf32>
  exec.return %r : tensor<1x1x4xf32>
}
exec.entry @reads arena 0 align 64 inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  %p = exec.pool_buffer @kv at 0
  exec.launch @attend(%x, %p, %x, %x, %x, %y)
}

// -----

exec.kv_pool @kv : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512 window 16
exec.kernel @attend schedule <"host.plain_attention"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] {
^bb0(%q: tensor<1x1x4xf32>, %c: !mj.kv<1 x 1 x 4 x f32>, %b: !mj.batch<1 x 1 x 4>):
  // expected-error@+1 {{reads all tokens, but the pool keeps the last 16}}
  %r = mj.attention %q, %c[0] over %b scale 0.5 : tensor<1x1x4xf32>, <1 x 1 x 4 x f32>, <1 x 1 x 4> -> tensor<1x1x4xf32>
  exec.return %r : tensor<1x1x4xf32>
}
exec.entry @reads arena 0 align 64 inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  %p = exec.pool_buffer @kv at 0
  exec.launch @attend(%x, %p, %x, %x, %x, %y)
}

// -----

exec.kernel @split schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>, #exec.access<read_write>] scratch 100 {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @scratch arena 128 align 64 inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  %a = exec.arena_buffer 100 at 0
  %b = exec.arena_buffer 99 at 0
  exec.launch @split(%x, %y, %a)
  // expected-error@+1 {{ends in no arena buffer of the 100 bytes of scratch of its kernel}}
  exec.launch @split(%x, %y, %b)
}

// -----

// Two results over one operand, each of which may lie there alone.
exec.kernel @over schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>, #exec.access<write>] in_place [#exec.in_place<1 over 0>, #exec.in_place<2 over 0>] {
^bb0(%x: tensor<16xf32>):
  exec.return %x, %x : tensor<16xf32>, tensor<16xf32>
}
exec.entry @both arena 64 align 64 inputs [] outputs [] {
  %a = exec.arena_buffer 64 at 0
  // expected-error@+1 {{overlaps another that lives at the same time: bytes 0 to 64 and 0 to 64}}
  %b = exec.arena_buffer 64 at 0
  // expected-note@+1 {{the other buffer}}
  %c = exec.arena_buffer 64 at 0
  exec.launch @over(%a, %b, %c)
}
// -----

// A launch reads early what nothing before it writes: a weight, an input.
mj.weight @w : tensor<16xf32> from "w"
exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] early [0] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @early arena 64 align 64 inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  %w = exec.weight_buffer @w
  %a = exec.arena_buffer 64 at 0
  exec.launch @step(%w, %a) after []
  exec.launch @step(%x, %y) after [] dependent
}

// -----

// Not what a step before it leaves in the arena.
exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] early [0] {
^bb0(%x: tensor<16xf32>):
  exec.return %x : tensor<16xf32>
}
exec.entry @too_early arena 64 align 64 inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  %a = exec.arena_buffer 64 at 0
  exec.launch @step(%x, %a) after []
  // expected-error@+1 {{is dependent, and its kernel reads operand 0 before it waits, which another step may write}}
  exec.launch @step(%a, %y) after [0] dependent
}

// -----

// Nor a layer of the cache that another step writes.
exec.kv_pool @kv : f32 layers 1 heads 1 head_dim 4 page_size 4 bytes_per_page 128
exec.kernel @append schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read_write>, #exec.access<read>] early [2] {
^bb0(%k: tensor<1x1x4xf32>, %v: tensor<1x1x4xf32>, %kv: !mj.kv<1 x 1 x 4 x f32>, %b: !mj.batch<1 x 1 x 1>):
  %r = mj.kv_append %kv[0], %k, %v at %b : <1 x 1 x 4 x f32>, tensor<1x1x4xf32>, tensor<1x1x4xf32>, <1 x 1 x 1> -> <1 x 1 x 4 x f32>
  exec.return %r : !mj.kv<1 x 1 x 4 x f32>
}
exec.entry @twice arena 0 align 64 inputs [#exec.binding<"k", tensor<1x1x4xf32>>, #exec.binding<"slots", tensor<1xi32>>] outputs [] {
^bb0(%k: !exec.buffer, %slots: !exec.buffer):
  %0 = exec.pool_buffer @kv at 0
  %1 = exec.pool_buffer @kv at 0
  exec.launch @append(%k, %k, %0, %slots) after []
  // expected-error@+1 {{is dependent, and its kernel reads operand 2 before it waits, which another step may write}}
  exec.launch @append(%k, %k, %1, %slots) after [0] dependent
}

// -----

// Of two pools it is the one of the launch that counts.
exec.kv_pool @kv : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512
exec.kv_pool @kv_window : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512 window 16
exec.kernel @attend schedule <"host.plain_attention"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>] {
^bb0(%q: tensor<1x1x4xf32>, %c: !mj.kv<1 x 1 x 4 x f32>, %b: !mj.batch<1 x 1 x 4>):
  // expected-error@+1 {{reads all tokens, but the pool keeps the last 16}}
  %r = mj.attention %q, %c[0] over %b scale 0.5 : tensor<1x1x4xf32>, <1 x 1 x 4 x f32>, <1 x 1 x 4> -> tensor<1x1x4xf32>
  exec.return %r : tensor<1x1x4xf32>
}
exec.entry @reads arena 0 align 64 inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y", tensor<16xf32>>] {
^bb0(%x: !exec.buffer, %y: !exec.buffer):
  %p = exec.pool_buffer @kv at 0
  exec.launch @attend(%x, %p, %x, %x, %x, %y)
  %q = exec.pool_buffer @kv_window at 0
  exec.launch @attend(%x, %q, %x, %x, %x, %y)
}

// -----

exec.kv_pool @kv : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512
// expected-error@+1 {{is one of 2 pools, 0 with a window; a program has one pool, or two, one with a window}}
exec.kv_pool @other : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512
exec.entry @empty arena 0 align 64 inputs [] outputs [] {
}

// -----

exec.kv_pool @kv : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512
// expected-error@+1 {{has pages of 8 tokens, the other pool of 16}}
exec.kv_pool @kv_window : f32 layers 1 heads 1 head_dim 4 page_size 8 bytes_per_page 256 window 16
exec.entry @empty arena 0 align 64 inputs [] outputs [] {
}

// -----

// No dependent edge leaves a call of a library, or enters one.
exec.kernel @step schedule <"cuda.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<4x4xf32>):
  exec.return %x : tensor<4x4xf32>
}
exec.kernel @call schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<write>] library <library = "cublaslt", x = 0, weight = 1, result = 2> {
^bb0(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>):
  %r = mj.matmul %x, %w : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  exec.return %r : tensor<4x4xf32>
}
exec.entry @leaves arena 128 align 64 inputs [#exec.binding<"x", tensor<4x4xf32>>] outputs [] {
^bb0(%x: !exec.buffer):
  %a = exec.arena_buffer 64 at 0
  %b = exec.arena_buffer 64 at 64
  // expected-note@+1 {{the call}}
  exec.launch @call(%x, %x, %a)
  // expected-error@+1 {{is dependent, and the step before it is a call of a library: no dependent edge leaves or enters one}}
  exec.launch @step(%a, %b) after [0] dependent
}

// -----

exec.kernel @step schedule <"cuda.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
^bb0(%x: tensor<4x4xf32>):
  exec.return %x : tensor<4x4xf32>
}
exec.kernel @call schedule <"cublaslt"> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<write>] library <library = "cublaslt", x = 0, weight = 1, result = 2> {
^bb0(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>):
  %r = mj.matmul %x, %w : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  exec.return %r : tensor<4x4xf32>
}
exec.entry @enters arena 128 align 64 inputs [#exec.binding<"x", tensor<4x4xf32>>] outputs [] {
^bb0(%x: !exec.buffer):
  %a = exec.arena_buffer 64 at 0
  %b = exec.arena_buffer 64 at 64
  exec.launch @step(%x, %a)
  // expected-error@+2 {{is dependent, and it is a call of a library: no dependent edge leaves or enters one}}
  // expected-note@+1 {{the call}}
  exec.launch @call(%a, %a, %b) after [0] dependent
}
