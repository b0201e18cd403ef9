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

// One of three layers reads all: pages hold all layers, so that nothing may be forgotten. 2 layers * K and V * 2 heads * 8
// elements * 2 bytes = 128 bytes a token that lie there for nothing. Pages of 16 where nothing says otherwise.
// CHECK: exec.kv_pool @kv : bf16 layers 3 heads 2 head_dim 8 page_size 16 bytes_per_page 3072{{$}}
// REMARK: remark: [Missed] Window | Category:plan-paged-kv | Remark="the pool keeps whole sequences: 1 of 3 layers have no window, and a page holds all layers; each token before the window of 4 keeps 128 bytes of 2 layers that nothing reads"
func.func @mixed(%q: tensor<1x2x8xbf16>, %batch: !mj.batch<1 x 1 x 4>, %kv: !mj.kv<3 x 2 x 8 x bf16>) -> (tensor<1x2x8xbf16>, !mj.kv<3 x 2 x 8 x bf16>) attributes {mj.entry} {
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
