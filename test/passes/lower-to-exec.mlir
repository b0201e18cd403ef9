// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --plan-paged-kv --lower-to-exec=target=host:x86-64-v3 | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --plan-paged-kv --lower-to-exec=target=host:x86-64-v3 --remarks-filter=lower-to-exec --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// Two layers: regions that are equal but for the layer share a kernel, the layer is the offset of the pool in a launch. A page
// has 16 tokens where nothing says otherwise: 2 layers * K and V * 1 head * 16 tokens * 4 elements * 4 bytes.
// CHECK: exec.kv_pool @kv : f32 layers 2 heads 1 head_dim 4 page_size 16 bytes_per_page 1024
// CHECK: exec.entry @step ragged [4, 2, 3] inputs [
// CHECK-SAME: #exec.binding<"tokens", tensor<4xi32>>, #exec.binding<"positions", tensor<4xi32>>, #exec.binding<"sequence_offsets", tensor<3xi32>>,
// CHECK-SAME: #exec.binding<"context_lengths", tensor<2xi32>>, #exec.binding<"block_tables", tensor<2x3xi32>>, #exec.binding<"slots", tensor<4xi32>>,
// CHECK-SAME: #exec.binding<"logit_rows", tensor<2xi32>>, #exec.binding<"temperature", tensor<2xf32>>, #exec.binding<"top_k", tensor<2xi32>>,
// CHECK-SAME: #exec.binding<"top_p", tensor<2xf32>>, #exec.binding<"seeds", tensor<2xi64>>, #exec.binding<"x", tensor<4x1x4xf32>>]
// CHECK-SAME: outputs [#exec.binding<"next", tensor<2xi32>>, #exec.binding<"result1", tensor<4x1x4xf32>>] {
// CHECK-NEXT: ^bb0(%[[TOKENS:[^ ]*]]: !exec.buffer, %[[POSITIONS:[^ ]*]]: !exec.buffer, %[[OFFSETS:[^ ]*]]: !exec.buffer, %[[LENGTHS:[^ ]*]]: !exec.buffer, %[[TABLES:[^ ]*]]: !exec.buffer, %[[SLOTS:[^ ]*]]: !exec.buffer, %[[ROWS:[^ ]*]]: !exec.buffer,
// CHECK-SAME: %[[TEMPERATURE:[^ ]*]]: !exec.buffer, %[[TOPK:[^ ]*]]: !exec.buffer, %[[TOPP:[^ ]*]]: !exec.buffer, %[[SEEDS:[^ ]*]]: !exec.buffer, %[[X:[^ ]*]]: !exec.buffer, %[[NEXT:[^ ]*]]: !exec.buffer, %[[OUT:[^ ]*]]: !exec.buffer):
// CHECK-NEXT: %[[W:.*]] = exec.weight_buffer @w
// CHECK-NEXT: %[[P0:.*]] = exec.pool_buffer @kv at 0
// CHECK-NEXT: exec.launch @rows_0(%[[X]], %[[P0]], %[[SLOTS]])
// CHECK-NEXT: %[[P0A:.*]] = exec.pool_buffer @kv at 0
// CHECK-NEXT: %[[A:.*]] = exec.arena_buffer 64
// CHECK-NEXT: exec.launch @attention_1(%[[X]], %[[P0A]], %[[OFFSETS]], %[[LENGTHS]], %[[TABLES]], %[[A]])
// CHECK-NEXT: %[[P1:.*]] = exec.pool_buffer @kv at 512
// CHECK-NEXT: exec.launch @rows_0(%[[A]], %[[P1]], %[[SLOTS]])
// CHECK-NEXT: %[[P1A:.*]] = exec.pool_buffer @kv at 512
// CHECK-NEXT: exec.launch @attention_1(%[[A]], %[[P1A]], %[[OFFSETS]], %[[LENGTHS]], %[[TABLES]], %[[OUT]])
// CHECK-NEXT: %[[L:.*]] = exec.arena_buffer 64
// CHECK-NEXT: exec.launch @matmul_2(%[[OUT]], %[[W]], %[[L]])
// CHECK-NEXT: %[[R:.*]] = exec.arena_buffer 32
// CHECK-NEXT: exec.launch @rows_3(%[[L]], %[[ROWS]], %[[R]])
// CHECK-NEXT: exec.launch @sample_4(%[[R]], %[[TEMPERATURE]], %[[TOPK]], %[[TOPP]], %[[SEEDS]], %[[LENGTHS]], %[[NEXT]])
// CHECK-NEXT: }
// CHECK: exec.kernel @rows_0 schedule <"host.rows"> tiles {{[0-9]+}} accesses [#exec.access<read>, #exec.access<read_write>, #exec.access<read>] attributes {ops = "kv_append"} {
// CHECK-NEXT: ^bb0(%[[K:.*]]: tensor<4x1x4xf32>, %[[KV:.*]]: !mj.kv<2 x 1 x 4 x f32>, %[[B:.*]]: !mj.batch<4 x 2 x 3>):
// CHECK-NEXT: %[[R:.*]] = mj.kv_append %[[KV]][0]
// CHECK-NEXT: exec.return %[[R]]
// CHECK: exec.kernel @attention_1 {{.*}} accesses [#exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<read>, #exec.access<write>]
// CHECK: mj.attention %{{.*}}, %{{.*}}[0] over
// CHECK: exec.kernel @matmul_2
// CHECK: exec.kernel @rows_3 {{.*}} attributes {ops = "gather"}
// CHECK: exec.kernel @sample_4
// CHECK-NOT: exec.kernel
// REMARK: remark: [Analysis] Kernels | Category:lower-to-exec | Remark="7 regions became 5 kernels"
mj.weight @w : tensor<4x4xf32> from "w"
func.func @step(%batch: !mj.batch<4 x 2 x 3>, %sampling: !mj.sampling<2>, %kv: !mj.kv<2 x 1 x 4 x f32>, %x: tensor<4x1x4xf32> {mj.name = "x"})
    -> (tensor<2xi32> {mj.name = "next"}, tensor<4x1x4xf32>, !mj.kv<2 x 1 x 4 x f32>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<4x4xf32>
  %rows = mj.batch_field %batch[logit_rows] : <4 x 2 x 3>
  %kv1 = mj.fusion(%k = %x : tensor<4x1x4xf32>, %c = %kv : !mj.kv<2 x 1 x 4 x f32>, %b = %batch : !mj.batch<4 x 2 x 3>) -> !mj.kv<2 x 1 x 4 x f32> schedule #mj.schedule<"host.rows"> {
    %r = mj.kv_append %c[0], %k, %k at %b : <2 x 1 x 4 x f32>, tensor<4x1x4xf32>, tensor<4x1x4xf32>, <4 x 2 x 3> -> <2 x 1 x 4 x f32>
    mj.yield %r : !mj.kv<2 x 1 x 4 x f32>
  }
  %a = mj.fusion(%q = %x : tensor<4x1x4xf32>, %c = %kv1 : !mj.kv<2 x 1 x 4 x f32>, %b = %batch : !mj.batch<4 x 2 x 3>) -> tensor<4x1x4xf32> schedule #mj.schedule<"host.plain_attention"> {
    %r = mj.attention %q, %c[0] over %b scale 0.5 : tensor<4x1x4xf32>, <2 x 1 x 4 x f32>, <4 x 2 x 3> -> tensor<4x1x4xf32>
    mj.yield %r : tensor<4x1x4xf32>
  }
  %kv2 = mj.fusion(%k = %a : tensor<4x1x4xf32>, %c = %kv1 : !mj.kv<2 x 1 x 4 x f32>, %b = %batch : !mj.batch<4 x 2 x 3>) -> !mj.kv<2 x 1 x 4 x f32> schedule #mj.schedule<"host.rows"> {
    %r = mj.kv_append %c[1], %k, %k at %b : <2 x 1 x 4 x f32>, tensor<4x1x4xf32>, tensor<4x1x4xf32>, <4 x 2 x 3> -> <2 x 1 x 4 x f32>
    mj.yield %r : !mj.kv<2 x 1 x 4 x f32>
  }
  %d = mj.fusion(%q = %a : tensor<4x1x4xf32>, %c = %kv2 : !mj.kv<2 x 1 x 4 x f32>, %b = %batch : !mj.batch<4 x 2 x 3>) -> tensor<4x1x4xf32> schedule #mj.schedule<"host.plain_attention"> {
    %r = mj.attention %q, %c[1] over %b scale 0.5 : tensor<4x1x4xf32>, <2 x 1 x 4 x f32>, <4 x 2 x 3> -> tensor<4x1x4xf32>
    mj.yield %r : tensor<4x1x4xf32>
  }
  %f = mj.reshape %d : tensor<4x1x4xf32> -> tensor<4x4xf32>
  %m = mj.fusion(%p = %f : tensor<4x4xf32>, %v = %w : tensor<4x4xf32>) -> tensor<4x4xf32> schedule #mj.schedule<"host.plain_matmul"> {
    %r = mj.matmul %p, %v {transpose_b} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
    mj.yield %r : tensor<4x4xf32>
  }
  %l = mj.fusion(%p = %m : tensor<4x4xf32>, %i = %rows : tensor<2xi32>) -> tensor<2x4xf32> schedule #mj.schedule<"host.rows"> {
    %r = mj.gather %p[%i] : tensor<4x4xf32>, tensor<2xi32> -> tensor<2x4xf32>
    mj.yield %r : tensor<2x4xf32>
  }
  %n = mj.fusion(%p = %l : tensor<2x4xf32>, %s = %sampling : !mj.sampling<2>, %b = %batch : !mj.batch<4 x 2 x 3>) -> tensor<2xi32> schedule #mj.schedule<"host.sample"> {
    %r = mj.sample %p with %s at %b : tensor<2x4xf32>, <2>, <4 x 2 x 3> -> tensor<2xi32>
    mj.yield %r : tensor<2xi32>
  }
  return %n, %d, %kv2 : tensor<2xi32>, tensor<4x1x4xf32>, !mj.kv<2 x 1 x 4 x f32>
}

// -----

// Plain entries: what is returned as it came is copied, what is computed once and returned twice is computed in the first
// output and copied to the second; a region with two results writes both. Equal regions of two entries are one kernel, regions
// of other sizes are not; a name that is taken is not used again.
// CHECK: module attributes {mj.page_size = 8 : i64}
// CHECK-NEXT: mj.weight @rows_0
// CHECK-NOT: exec.kv_pool
// CHECK: exec.entry @plain inputs [#exec.binding<"argument0", tensor<2x4xf32>>] outputs [#exec.binding<"result0", tensor<2x4xf32>>, #exec.binding<"result1", tensor<2x4xf32>>, #exec.binding<"result2", tensor<2x4xf32>>, #exec.binding<"result3", tensor<2x2xf32>>, #exec.binding<"result4", tensor<2x4xf32>>] {
// CHECK-NEXT: ^bb0(%[[X:.*]]: !exec.buffer, %[[O0:.*]]: !exec.buffer, %[[O1:.*]]: !exec.buffer, %[[O2:.*]]: !exec.buffer, %[[O3:.*]]: !exec.buffer, %[[O4:.*]]: !exec.buffer):
// CHECK-NEXT: %[[W:.*]] = exec.weight_buffer @rows_0
// CHECK-NEXT: exec.launch @[[KERNEL:rows_0_[0-9]+]](%[[X]], %[[O0]], %[[O4]])
// CHECK-NEXT: exec.copy %[[O0]] to %[[O1]] bytes 32
// CHECK-NEXT: exec.copy %[[X]] to %[[O2]] bytes 32
// CHECK-NEXT: exec.copy %[[W]] to %[[O3]] bytes 16
// CHECK-NEXT: }
// CHECK: exec.entry @same
// CHECK: exec.launch @[[KERNEL]](
// CHECK: exec.entry @larger
// CHECK: exec.launch @rows_1(
// CHECK: exec.kernel @[[KERNEL]]
// CHECK: exec.kernel @rows_1
// CHECK-NOT: exec.kernel
// REMARK: 3 regions became 2 kernels
module attributes {mj.page_size = 8 : i64} {
mj.weight @rows_0 : tensor<2x2xf32> from "w"
func.func @plain(%x: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x2xf32>, tensor<2x4xf32>) attributes {mj.entry} {
  %w = mj.get_weight @rows_0 : tensor<2x2xf32>
  %y:2 = mj.fusion(%a = %x : tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) schedule #mj.schedule<"host.rows"> {
    %r = arith.negf %a : tensor<2x4xf32>
    %s = arith.addf %r, %r : tensor<2x4xf32>
    mj.yield %r, %s : tensor<2x4xf32>, tensor<2x4xf32>
  }
  return %y#0, %y#0, %x, %w, %y#1 : tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x4xf32>, tensor<2x2xf32>, tensor<2x4xf32>
}
func.func @same(%x: tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) attributes {mj.entry} {
  %y:2 = mj.fusion(%b = %x : tensor<2x4xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) schedule #mj.schedule<"host.rows"> {
    %r = arith.negf %b : tensor<2x4xf32>
    %s = arith.addf %r, %r : tensor<2x4xf32>
    mj.yield %r, %s : tensor<2x4xf32>, tensor<2x4xf32>
  }
  return %y#0, %y#1 : tensor<2x4xf32>, tensor<2x4xf32>
}
func.func @larger(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) attributes {mj.entry} {
  %y:2 = mj.fusion(%b = %x : tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) schedule #mj.schedule<"host.rows"> {
    %r = arith.negf %b : tensor<4x4xf32>
    %s = arith.addf %r, %r : tensor<4x4xf32>
    mj.yield %r, %s : tensor<4x4xf32>, tensor<4x4xf32>
  }
  return %y#0, %y#1 : tensor<4x4xf32>, tensor<4x4xf32>
}
}

// -----

// The page size that the block tables were made for, of a bf16 cache: 2 * 3 layers * 2 heads * 8 tokens * 4 * 2 bytes. Entries
// that share the cache's type share the pool; nothing else has to use it.
// CHECK: exec.kv_pool @kv : bf16 layers 3 heads 2 head_dim 4 page_size 8 bytes_per_page 768
// CHECK: exec.entry @a ragged [2, 2, 1]
// CHECK: exec.entry @b ragged [4, 2, 1]
// REMARK: 0 regions became 0 kernels
module attributes {mj.page_size = 8 : i64} {
func.func @a(%batch: !mj.batch<2 x 2 x 1>, %kv: !mj.kv<3 x 2 x 4 x bf16>) -> !mj.kv<3 x 2 x 4 x bf16> attributes {mj.entry} {
  return %kv : !mj.kv<3 x 2 x 4 x bf16>
}
func.func @b(%batch: !mj.batch<4 x 2 x 1>, %kv: !mj.kv<3 x 2 x 4 x bf16>) -> (!mj.kv<3 x 2 x 4 x bf16>, tensor<4xi32>) attributes {mj.entry} {
  %t = mj.batch_field %batch[tokens] : <4 x 2 x 1>
  return %kv, %t : !mj.kv<3 x 2 x 4 x bf16>, tensor<4xi32>
}
}

// -----

// No entry, no program.
// CHECK: module {
// CHECK-NEXT: }
module {}

// -----

// What is returned in another shape is computed in the caller's memory; what is returned twice is copied there.
// CHECK-LABEL: exec.entry @reshaped
// CHECK: ^bb0(%[[X:.*]]: !exec.buffer, %[[FIRST:.*]]: !exec.buffer, %[[SECOND:.*]]: !exec.buffer, %[[THIRD:.*]]: !exec.buffer):
// CHECK-NOT: exec.arena_buffer
// CHECK: exec.launch @{{.*}}(%[[X]], %[[FIRST]])
// CHECK: exec.copy %[[FIRST]] to %[[SECOND]]
// CHECK: exec.copy %[[X]] to %[[THIRD]]
func.func @reshaped(%x: tensor<4x6xf32>) -> (tensor<24xf32>, tensor<4x6xf32>, tensor<2x12xf32>) attributes {mj.entry} {
  %y = mj.fusion(%a = %x : tensor<4x6xf32>) -> tensor<4x6xf32> schedule #mj.schedule<"host.rows"> {
    %n = arith.negf %a : tensor<4x6xf32>
    mj.yield %n : tensor<4x6xf32>
  }
  %r = mj.reshape %y : tensor<4x6xf32> -> tensor<24xf32>
  %s = mj.reshape %x : tensor<4x6xf32> -> tensor<2x12xf32>
  return %r, %y, %s : tensor<24xf32>, tensor<4x6xf32>, tensor<2x12xf32>
}

// -----

// A pool of its own for the layer with a window: its launches get that pool, from layer 0 on, and its tables and slots; the
// kernels differ in the window and in the size of a page alone. Versions of the two caches are told apart.
// CHECK: exec.kv_pool @kv : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512{{$}}
// CHECK: exec.kv_pool @kv_window : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512 window 4
// CHECK: exec.entry @mixed ragged [1, 1, 3] inputs [
// CHECK-SAME: #exec.binding<"logit_rows", tensor<1xi32>>, #exec.binding<"window_block_tables", tensor<1x3xi32>>, #exec.binding<"window_slots", tensor<1xi32>>, #exec.binding<"x", tensor<1x1x4xf32>>]
// CHECK-NEXT: ^bb0(%{{[^ ]*}}: !exec.buffer, %{{[^ ]*}}: !exec.buffer, %[[OFFSETS:[^ ]*]]: !exec.buffer, %[[LENGTHS:[^ ]*]]: !exec.buffer, %[[TABLES:[^ ]*]]: !exec.buffer, %[[SLOTS:[^ ]*]]: !exec.buffer, %{{[^ ]*}}: !exec.buffer, %[[WTABLES:[^ ]*]]: !exec.buffer, %[[WSLOTS:[^ ]*]]: !exec.buffer, %[[X:[^ ]*]]: !exec.buffer, %[[Y:[^ ]*]]: !exec.buffer):
// CHECK: %[[P:.*]] = exec.pool_buffer @kv at 0
// CHECK-NEXT: exec.launch @rows_{{.*}}(%[[X]], %[[P]], %[[SLOTS]])
// CHECK-NEXT: %[[W:.*]] = exec.pool_buffer @kv_window at 0
// CHECK-NEXT: exec.launch @rows_{{.*}}(%[[X]], %[[W]], %[[WSLOTS]])
// CHECK-NEXT: %[[P1:.*]] = exec.pool_buffer @kv at 0
// CHECK-NEXT: %[[A:.*]] = exec.arena_buffer 16
// CHECK-NEXT: exec.launch @attention_{{.*}}(%[[X]], %[[P1]], %[[OFFSETS]], %[[LENGTHS]], %[[TABLES]], %[[A]])
// CHECK-NEXT: %[[W1:.*]] = exec.pool_buffer @kv_window at 0
// CHECK-NEXT: exec.launch @attention_{{.*}}(%[[A]], %[[W1]], %[[OFFSETS]], %[[LENGTHS]], %[[WTABLES]], %[[Y]])
// CHECK-NEXT: }
func.func @mixed(%batch: !mj.batch<1 x 1 x 3>, %kv: !mj.kv<2 x 1 x 4 x f32>, %x: tensor<1x1x4xf32> {mj.name = "x"}) -> (tensor<1x1x4xf32>, !mj.kv<2 x 1 x 4 x f32>) attributes {mj.entry} {
  %kv1 = mj.fusion(%k = %x : tensor<1x1x4xf32>, %c = %kv : !mj.kv<2 x 1 x 4 x f32>, %b = %batch : !mj.batch<1 x 1 x 3>) -> !mj.kv<2 x 1 x 4 x f32> schedule #mj.schedule<"host.rows"> {
    %r = mj.kv_append %c[0], %k, %k at %b : <2 x 1 x 4 x f32>, tensor<1x1x4xf32>, tensor<1x1x4xf32>, <1 x 1 x 3> -> <2 x 1 x 4 x f32>
    mj.yield %r : !mj.kv<2 x 1 x 4 x f32>
  }
  %kv2 = mj.fusion(%k = %x : tensor<1x1x4xf32>, %c = %kv1 : !mj.kv<2 x 1 x 4 x f32>, %b = %batch : !mj.batch<1 x 1 x 3>) -> !mj.kv<2 x 1 x 4 x f32> schedule #mj.schedule<"host.rows"> {
    %r = mj.kv_append %c[1], %k, %k at %b : <2 x 1 x 4 x f32>, tensor<1x1x4xf32>, tensor<1x1x4xf32>, <1 x 1 x 3> -> <2 x 1 x 4 x f32>
    mj.yield %r : !mj.kv<2 x 1 x 4 x f32>
  }
  %a = mj.fusion(%q = %x : tensor<1x1x4xf32>, %c = %kv2 : !mj.kv<2 x 1 x 4 x f32>, %b = %batch : !mj.batch<1 x 1 x 3>) -> tensor<1x1x4xf32> schedule #mj.schedule<"host.plain_attention"> {
    %r = mj.attention %q, %c[0] over %b scale 0.5 : tensor<1x1x4xf32>, <2 x 1 x 4 x f32>, <1 x 1 x 3> -> tensor<1x1x4xf32>
    mj.yield %r : tensor<1x1x4xf32>
  }
  %d = mj.fusion(%q = %a : tensor<1x1x4xf32>, %c = %kv2 : !mj.kv<2 x 1 x 4 x f32>, %b = %batch : !mj.batch<1 x 1 x 3>) -> tensor<1x1x4xf32> schedule #mj.schedule<"host.plain_attention"> {
    %r = mj.attention %q, %c[1] over %b scale 0.5 window 4 : tensor<1x1x4xf32>, <2 x 1 x 4 x f32>, <1 x 1 x 3> -> tensor<1x1x4xf32>
    mj.yield %r : tensor<1x1x4xf32>
  }
  return %d, %kv2 : tensor<1x1x4xf32>, !mj.kv<2 x 1 x 4 x f32>
}

// -----

// A cache that grows: what is computed is stored behind the cached rows, which are copied where they are not there already.
// CHECK: exec.entry @grows
// CHECK-NEXT: ^bb0(%[[PAST:[^ ]*]]: !exec.buffer, %[[X:[^ ]*]]: !exec.buffer, %[[PRESENT:[^ ]*]]: !exec.buffer):
// CHECK-NEXT: %[[OLD:.*]] = exec.part %[[PRESENT]] at 0 bytes 192
// CHECK-NEXT: %[[NEW:.*]] = exec.part %[[PRESENT]] at 192 bytes 64
// CHECK-NEXT: exec.launch @rows_{{.*}}(%[[X]], %[[NEW]])
// CHECK-NEXT: exec.copy %[[PAST]] to %[[OLD]] bytes 192
// CHECK-NEXT: }
func.func @grows(%past: tensor<1x6x8xf32>, %x: tensor<2x8xf32>) -> tensor<8x8xf32> attributes {mj.entry} {
  %n = mj.fusion(%a = %x : tensor<2x8xf32>) -> tensor<2x8xf32> schedule #mj.schedule<"host.rows"> {
    %r = arith.negf %a : tensor<2x8xf32>
    mj.yield %r : tensor<2x8xf32>
  }
  %p = mj.reshape %past : tensor<1x6x8xf32> -> tensor<6x8xf32>
  %c = mj.concat %p, %n axis 0 : tensor<6x8xf32>, tensor<2x8xf32> -> tensor<8x8xf32>
  return %c : tensor<8x8xf32>
}
