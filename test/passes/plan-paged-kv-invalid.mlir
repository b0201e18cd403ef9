// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics --plan-paged-kv=page-size=32
// RUN: not mjolnir-opt %s --split-input-file --plan-paged-kv=page-size=-1 2>&1 | FileCheck %s --check-prefix=POSITIVE
// POSITIVE: error: plan-paged-kv needs a positive page-size
// RUN: not mjolnir-opt %s --split-input-file --plan-paged-kv=target=abacus 2>&1 | FileCheck %s --check-prefix=TARGET
// TARGET: error: unknown target 'abacus'
// RUN: not mjolnir-opt %s --split-input-file --plan-paged-kv=page-size=24 2>&1 | FileCheck %s --check-prefix=ALIGNED
// ALIGNED: error: has pages of 24 tokens, 48 bytes a layer; layers begin at multiples of 64 bytes on this target: choose a page-size that is a multiple of 32

func.func @a(%kv: !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry} {
  return
}
// expected-error@+1 {{has a cache of type '!mj.kv<1 x 1 x 4 x bf16>', another entry '!mj.kv<1 x 1 x 4 x f32>'; entries of a package share one}}
func.func @b(%kv: !mj.kv<1 x 1 x 4 x bf16>) attributes {mj.entry} {
  return
}

// -----

// expected-error@+1 {{has block tables for pages of 16 tokens; page-size 32 would need others}}
module attributes {mj.page_size = 16 : i64} {
func.func @a(%kv: !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry} {
  return
}
}

// -----

// K and V * 1 head * 32 tokens * 1 element * 1 byte = 64 bytes a layer: just aligned.
module {
func.func @just(%kv: !mj.kv<3 x 1 x 1 x f8E4M3FN>) attributes {mj.entry} {
  return
}
}

// -----

// expected-error@+1 {{is there before plan-paged-kv}}
exec.kv_pool @kv : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512
func.func @twice(%kv: !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry} {
  return
}

// -----

func.func @two_layers(%q: tensor<1x1x4xf32>, %batch: !mj.batch<1 x 1 x 4>, %kv: !mj.kv<2 x 1 x 4 x f32>) -> tensor<1x1x4xf32> attributes {mj.entry} {
  // expected-error@+1 {{'mj.fusion' uses layers with a window and layers without, which are in different pools; one region, one layer}}
  %a = mj.fusion(%p = %q : tensor<1x1x4xf32>, %c = %kv : !mj.kv<2 x 1 x 4 x f32>, %d = %batch : !mj.batch<1 x 1 x 4>) -> tensor<1x1x4xf32> {
    %r = mj.attention %p, %c[0] over %d scale 0.5 : tensor<1x1x4xf32>, <2 x 1 x 4 x f32>, <1 x 1 x 4> -> tensor<1x1x4xf32>
    %s = mj.attention %r, %c[1] over %d scale 0.5 window 4 : tensor<1x1x4xf32>, <2 x 1 x 4 x f32>, <1 x 1 x 4> -> tensor<1x1x4xf32>
    mj.yield %s : tensor<1x1x4xf32>
  }
  return %a : tensor<1x1x4xf32>
}

// -----

func.func @whole_cache(%q: tensor<1x1x4xf32>, %batch: !mj.batch<1 x 1 x 4>, %kv: !mj.kv<2 x 1 x 4 x f32>) -> tensor<1x1x4xf32> attributes {mj.entry} {
  %r = mj.attention %q, %kv[0] over %batch scale 0.5 : tensor<1x1x4xf32>, <2 x 1 x 4 x f32>, <1 x 1 x 4> -> tensor<1x1x4xf32>
  %s = mj.attention %r, %kv[1] over %batch scale 0.5 window 4 : tensor<1x1x4xf32>, <2 x 1 x 4 x f32>, <1 x 1 x 4> -> tensor<1x1x4xf32>
  // expected-error@+1 {{'builtin.unrealized_conversion_cast' takes the whole cache, whose layers are in two pools}}
  %t = builtin.unrealized_conversion_cast %kv : !mj.kv<2 x 1 x 4 x f32> to tensor<1x1x4xf32>
  return %s : tensor<1x1x4xf32>
}
