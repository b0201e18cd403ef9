// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --plan-paged-kv | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --plan-paged-kv --remarks-filter=plan-paged-kv --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// Both layers have a window: the pool keeps the larger one. Attention of another entry counts, too: its window of 40 is
// what layer 1 needs. 2 layers * K and V * 1 head * 16 tokens * 4 elements * 4 bytes.
// CHECK: exec.kv_pool @kv : f32 layers 2 heads 1 head_dim 4 page_size 16 bytes_per_page 1024 window 40
// CHECK-NEXT: func.func @decode
// REMARK: remark: [Passed] Window | Category:plan-paged-kv | Remark="the pool keeps the last 40 tokens of a sequence: all 2 layers that are read have a window"
// REMARK: remark: [Analysis] Pool | Category:plan-paged-kv | Remark="@kv: pages of 16 tokens, 1024 bytes a page = 2 layers x K and V x 1 heads x 16 tokens x 4 x 32 bits; 64 bytes a token"
module attributes {mj.page_size = 16 : i64} {
func.func @decode(%q: tensor<1x1x4xf32>, %batch: !mj.batch<1 x 1 x 4>, %kv: !mj.kv<2 x 1 x 4 x f32>) -> (tensor<1x1x4xf32>, !mj.kv<2 x 1 x 4 x f32>) attributes {mj.entry} {
  %a = mj.attention %q, %kv[0] over %batch scale 0.5 window 24 : tensor<1x1x4xf32>, <2 x 1 x 4 x f32>, <1 x 1 x 4> -> tensor<1x1x4xf32>
  %b = mj.attention %a, %kv[1] over %batch scale 0.5 window 24 : tensor<1x1x4xf32>, <2 x 1 x 4 x f32>, <1 x 1 x 4> -> tensor<1x1x4xf32>
  return %b, %kv : tensor<1x1x4xf32>, !mj.kv<2 x 1 x 4 x f32>
}
func.func @prefill(%q: tensor<8x1x4xf32>, %batch: !mj.batch<8 x 1 x 4>, %kv: !mj.kv<2 x 1 x 4 x f32>) -> (tensor<8x1x4xf32>, !mj.kv<2 x 1 x 4 x f32>) attributes {mj.entry} {
  %b = mj.fusion(%p = %q : tensor<8x1x4xf32>, %c = %kv : !mj.kv<2 x 1 x 4 x f32>, %d = %batch : !mj.batch<8 x 1 x 4>) -> tensor<8x1x4xf32> {
    %r = mj.attention %p, %c[1] over %d scale 0.5 window 40 : tensor<8x1x4xf32>, <2 x 1 x 4 x f32>, <8 x 1 x 4> -> tensor<8x1x4xf32>
    mj.yield %r : tensor<8x1x4xf32>
  }
  return %b, %kv : tensor<8x1x4xf32>, !mj.kv<2 x 1 x 4 x f32>
}
}

// -----

// One of three layers reads all: the others get a pool of their own, which keeps the larger of their windows. 2 layers * K
// and V * 2 heads * 8 elements * 2 bytes = 128 bytes a token that need not lie there. Pages of 16 where nothing says otherwise.
// CHECK: exec.kv_pool @kv : bf16 layers 1 heads 2 head_dim 8 page_size 16 bytes_per_page 1024{{$}}
// CHECK: exec.kv_pool @kv_window : bf16 layers 2 heads 2 head_dim 8 page_size 16 bytes_per_page 2048 window 5
// CHECK: func.func @mixed(%[[Q:.*]]: tensor<1x2x8xbf16>, %[[B:.*]]: !mj.batch<1 x 1 x 4>, %[[W:.*]]: !mj.kv<1 x 2 x 8 x bf16> {mj.name = "cache", mj.pool = @kv}, %[[V:.*]]: !mj.kv<2 x 2 x 8 x bf16> {mj.name = "cache", mj.pool = @kv_window}) -> (tensor<1x2x8xbf16>, !mj.kv<1 x 2 x 8 x bf16> {mj.name = "out"}, !mj.kv<2 x 2 x 8 x bf16> {mj.name = "out"})
// CHECK: %[[V1:.*]] = mj.fusion(%{{.*}} = %[[Q]] : tensor<1x2x8xbf16>, %{{.*}} = %[[V]] : !mj.kv<2 x 2 x 8 x bf16>, %{{.*}} = %[[B]] : {{.*}}) -> !mj.kv<2 x 2 x 8 x bf16> {
// CHECK-NEXT: mj.kv_append %{{.*}}[0], {{.*}} -> <2 x 2 x 8 x bf16>
// CHECK: %[[X:.*]] = mj.attention %[[Q]], %[[V1]][0] over %[[B]] scale 5.000000e-01 window 4 : {{.*}}, <2 x 2 x 8 x bf16>,
// CHECK: %[[W1:.*]] = mj.kv_append %[[W]][0], {{.*}} -> <1 x 2 x 8 x bf16>
// CHECK: %[[Y:.*]] = mj.attention %[[X]], %[[W1]][0] over %[[B]] scale 5.000000e-01 : {{.*}}, <1 x 2 x 8 x bf16>,
// CHECK: %[[Z:.*]]:2 = mj.fusion({{.*}} = %[[Y]] : {{.*}} = %[[V1]] : !mj.kv<2 x 2 x 8 x bf16>
// CHECK-NEXT: %[[V2:.*]] = mj.kv_append %{{.*}}[1],
// CHECK-NEXT: mj.attention %{{.*}}, %[[V2]][1] over
// CHECK: return %[[Z]]#0, %[[W1]], %[[Z]]#1 : tensor<1x2x8xbf16>, !mj.kv<1 x 2 x 8 x bf16>, !mj.kv<2 x 2 x 8 x bf16>
// REMARK: remark: [Passed] Window | Category:plan-paged-kv | Remark="2 of 3 layers have a pool of their own, which keeps the last 5 tokens of a sequence: each token before them frees 128 bytes"
// REMARK: remark: [Analysis] Pool | Category:plan-paged-kv | Remark="@kv: pages of 16 tokens, 1024 bytes a page = 1 layers
// REMARK: remark: [Analysis] Pool | Category:plan-paged-kv | Remark="@kv_window: pages of 16 tokens, 2048 bytes a page = 2 layers
module attributes {mj.model = {max_context = 64}} {
func.func @mixed(%q: tensor<1x2x8xbf16>, %batch: !mj.batch<1 x 1 x 4>, %kv: !mj.kv<3 x 2 x 8 x bf16> {mj.name = "cache"}) -> (tensor<1x2x8xbf16>, !mj.kv<3 x 2 x 8 x bf16> {mj.name = "out"}) attributes {mj.entry} {
  %kv1 = mj.fusion(%p = %q : tensor<1x2x8xbf16>, %c = %kv : !mj.kv<3 x 2 x 8 x bf16>, %d = %batch : !mj.batch<1 x 1 x 4>) -> !mj.kv<3 x 2 x 8 x bf16> {
    %r = mj.kv_append %c[0], %p, %p at %d : <3 x 2 x 8 x bf16>, tensor<1x2x8xbf16>, tensor<1x2x8xbf16>, <1 x 1 x 4> -> <3 x 2 x 8 x bf16>
    mj.yield %r : !mj.kv<3 x 2 x 8 x bf16>
  }
  %a = mj.attention %q, %kv1[0] over %batch scale 0.5 window 4 : tensor<1x2x8xbf16>, <3 x 2 x 8 x bf16>, <1 x 1 x 4> -> tensor<1x2x8xbf16>
  %kv2 = mj.kv_append %kv1[1], %a, %a at %batch : <3 x 2 x 8 x bf16>, tensor<1x2x8xbf16>, tensor<1x2x8xbf16>, <1 x 1 x 4> -> <3 x 2 x 8 x bf16>
  %b = mj.attention %a, %kv2[1] over %batch scale 0.5 : tensor<1x2x8xbf16>, <3 x 2 x 8 x bf16>, <1 x 1 x 4> -> tensor<1x2x8xbf16>
  %c:2 = mj.fusion(%p = %b : tensor<1x2x8xbf16>, %e = %kv2 : !mj.kv<3 x 2 x 8 x bf16>, %d = %batch : !mj.batch<1 x 1 x 4>) -> (tensor<1x2x8xbf16>, !mj.kv<3 x 2 x 8 x bf16>) {
    %r = mj.kv_append %e[2], %p, %p at %d : <3 x 2 x 8 x bf16>, tensor<1x2x8xbf16>, tensor<1x2x8xbf16>, <1 x 1 x 4> -> <3 x 2 x 8 x bf16>
    %s = mj.attention %p, %r[2] over %d scale 0.5 window 5 : tensor<1x2x8xbf16>, <3 x 2 x 8 x bf16>, <1 x 1 x 4> -> tensor<1x2x8xbf16>
    mj.yield %s, %r : tensor<1x2x8xbf16>, !mj.kv<3 x 2 x 8 x bf16>
  }
  return %c#0, %c#1 : tensor<1x2x8xbf16>, !mj.kv<3 x 2 x 8 x bf16>
}
}

// -----

// Sequences that cannot outgrow the window leave nothing to free.
// CHECK: exec.kv_pool @kv : bf16 layers 2 heads 2 head_dim 8 page_size 16 bytes_per_page 2048{{$}}
// CHECK-NOT: exec.kv_pool
// CHECK: func.func @short(%{{.*}}: tensor<1x2x8xbf16>, %{{.*}}: !mj.batch<1 x 1 x 4>, %{{.*}}: !mj.kv<2 x 2 x 8 x bf16>)
// REMARK: remark: [Missed] Window | Category:plan-paged-kv | Remark="one pool for all layers: 1 of 2 have a window, but sequences of at most 64 tokens do not outgrow its 64"
module attributes {mj.model = {max_context = 64}} {
func.func @short(%q: tensor<1x2x8xbf16>, %batch: !mj.batch<1 x 1 x 4>, %kv: !mj.kv<2 x 2 x 8 x bf16>) -> (tensor<1x2x8xbf16>, !mj.kv<2 x 2 x 8 x bf16>) attributes {mj.entry} {
  %a = mj.attention %q, %kv[0] over %batch scale 0.5 window 64 : tensor<1x2x8xbf16>, <2 x 2 x 8 x bf16>, <1 x 1 x 4> -> tensor<1x2x8xbf16>
  %b = mj.attention %a, %kv[1] over %batch scale 0.5 : tensor<1x2x8xbf16>, <2 x 2 x 8 x bf16>, <1 x 1 x 4> -> tensor<1x2x8xbf16>
  return %b, %kv : tensor<1x2x8xbf16>, !mj.kv<2 x 2 x 8 x bf16>
}
}

// -----

// Without a word on the context it may be any.
// CHECK: exec.kv_pool @kv : bf16 layers 1
// CHECK: exec.kv_pool @kv_window : bf16 layers 2
func.func @unsaid(%q: tensor<1x2x8xbf16>, %batch: !mj.batch<1 x 1 x 4>, %kv: !mj.kv<3 x 2 x 8 x bf16>) -> (tensor<1x2x8xbf16>, !mj.kv<3 x 2 x 8 x bf16>) attributes {mj.entry} {
  %a = mj.attention %q, %kv[0] over %batch scale 0.5 window 4 : tensor<1x2x8xbf16>, <3 x 2 x 8 x bf16>, <1 x 1 x 4> -> tensor<1x2x8xbf16>
  %b = mj.attention %a, %kv[1] over %batch scale 0.5 : tensor<1x2x8xbf16>, <3 x 2 x 8 x bf16>, <1 x 1 x 4> -> tensor<1x2x8xbf16>
  %c = mj.attention %b, %kv[2] over %batch scale 0.5 window 4 : tensor<1x2x8xbf16>, <3 x 2 x 8 x bf16>, <1 x 1 x 4> -> tensor<1x2x8xbf16>
  return %c, %kv : tensor<1x2x8xbf16>, !mj.kv<3 x 2 x 8 x bf16>
}

// -----

// A layer that one attention reads with a window and another without has none.
// CHECK: exec.kv_pool @kv : f32 layers 1 heads 1 head_dim 4 page_size 8 bytes_per_page 256{{$}}
module attributes {mj.page_size = 8 : i64} {
func.func @both(%q: tensor<1x1x4xf32>, %batch: !mj.batch<1 x 1 x 4>, %kv: !mj.kv<1 x 1 x 4 x f32>) -> (tensor<1x1x4xf32>, !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry} {
  %a = mj.attention %q, %kv[0] over %batch scale 0.5 : tensor<1x1x4xf32>, <1 x 1 x 4 x f32>, <1 x 1 x 4> -> tensor<1x1x4xf32>
  %b = mj.attention %a, %kv[0] over %batch scale 0.5 window 24 : tensor<1x1x4xf32>, <1 x 1 x 4 x f32>, <1 x 1 x 4> -> tensor<1x1x4xf32>
  return %b, %kv : tensor<1x1x4xf32>, !mj.kv<1 x 1 x 4 x f32>
}
}

// -----

// A name that is taken is not used again; a cache that nothing reads has no window.
// CHECK: mj.weight @kv
// CHECK: exec.kv_pool @kv_0 : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512{{$}}
mj.weight @kv : tensor<4xf32> from "kv"
func.func @unread(%kv: !mj.kv<1 x 1 x 4 x f32>) -> !mj.kv<1 x 1 x 4 x f32> attributes {mj.entry} {
  return %kv : !mj.kv<1 x 1 x 4 x f32>
}

// -----

// No cache, no pool.
// CHECK: module {
// CHECK-NEXT: func.func @plain
func.func @plain(%x: tensor<4xf32>) -> tensor<4xf32> attributes {mj.entry} {
  return %x : tensor<4xf32>
}
