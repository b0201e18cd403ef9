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
