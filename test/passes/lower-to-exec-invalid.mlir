// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics --plan-paged-kv --lower-to-exec
// RUN: not mjolnir-opt %s --split-input-file --lower-to-exec 2>&1 | FileCheck %s --check-prefix=POOL
// POOL: error: has a cache and the module no exec.kv_pool: run plan-paged-kv first

func.func @symbolic(%batch: !mj.batch<? x ? x ?>) attributes {mj.entry} {
  return
}
// expected-error@-3 {{has a symbolic batch: run specialize-buckets first}}

// -----

func.func @unscheduled(%x: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
  // expected-error@+1 {{has no schedule: run select-schedules first}}
  %y = mj.fusion(%a = %x : tensor<2x4xf32>) -> tensor<2x4xf32> {
    mj.yield %a : tensor<2x4xf32>
  }
  return %y : tensor<2x4xf32>
}

// -----

func.func @outside(%x: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
  // expected-error@+1 {{'arith.negf' is outside a region: run form-fusions and hoist-weight-computation first}}
  %y = arith.negf %x : tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// -----

// The pool is one memory: what reads an older version of the cache would see the newer.
func.func @older(%x: tensor<2x1x4xf32>, %batch: !mj.batch<2 x 2 x 1>, %kv: !mj.kv<2 x 1 x 4 x f32>) -> (tensor<2x1x4xf32>, !mj.kv<2 x 1 x 4 x f32>) attributes {mj.entry} {
  %kv1 = mj.fusion(%k = %x : tensor<2x1x4xf32>, %c = %kv : !mj.kv<2 x 1 x 4 x f32>, %b = %batch : !mj.batch<2 x 2 x 1>) -> !mj.kv<2 x 1 x 4 x f32> schedule #mj.schedule<"host.rows"> {
    %r = mj.kv_append %c[1], %k, %k at %b : <2 x 1 x 4 x f32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, <2 x 2 x 1> -> <2 x 1 x 4 x f32>
    mj.yield %r : !mj.kv<2 x 1 x 4 x f32>
  }
  // Another layer was not appended to.
  %z = mj.fusion(%q = %x : tensor<2x1x4xf32>, %c = %kv : !mj.kv<2 x 1 x 4 x f32>, %b = %batch : !mj.batch<2 x 2 x 1>) -> tensor<2x1x4xf32> schedule #mj.schedule<"host.plain_attention"> {
    %r = mj.attention %q, %c[0] over %b scale 0.5 : tensor<2x1x4xf32>, <2 x 1 x 4 x f32>, <2 x 2 x 1> -> tensor<2x1x4xf32>
    mj.yield %r : tensor<2x1x4xf32>
  }
  // expected-error@+1 {{uses layer 1 of an older version of the cache than the last append}}
  %a = mj.fusion(%q = %z : tensor<2x1x4xf32>, %c = %kv : !mj.kv<2 x 1 x 4 x f32>, %b = %batch : !mj.batch<2 x 2 x 1>) -> tensor<2x1x4xf32> schedule #mj.schedule<"host.plain_attention"> {
    %r = mj.attention %q, %c[1] over %b scale 0.5 : tensor<2x1x4xf32>, <2 x 1 x 4 x f32>, <2 x 2 x 1> -> tensor<2x1x4xf32>
    mj.yield %r : tensor<2x1x4xf32>
  }
  return %a, %kv1 : tensor<2x1x4xf32>, !mj.kv<2 x 1 x 4 x f32>
}

// -----

func.func @two_branches(%x: tensor<2x1x4xf32>, %batch: !mj.batch<2 x 2 x 1>, %kv: !mj.kv<1 x 1 x 4 x f32>) -> (!mj.kv<1 x 1 x 4 x f32>, !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry} {
  %kv1 = mj.fusion(%k = %x : tensor<2x1x4xf32>, %c = %kv : !mj.kv<1 x 1 x 4 x f32>, %b = %batch : !mj.batch<2 x 2 x 1>) -> !mj.kv<1 x 1 x 4 x f32> schedule #mj.schedule<"host.rows"> {
    %r = mj.kv_append %c[0], %k, %k at %b : <1 x 1 x 4 x f32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, <2 x 2 x 1> -> <1 x 1 x 4 x f32>
    mj.yield %r : !mj.kv<1 x 1 x 4 x f32>
  }
  // expected-error@+1 {{uses layer 0 of an older version of the cache than the last append}}
  %kv2 = mj.fusion(%k = %x : tensor<2x1x4xf32>, %c = %kv : !mj.kv<1 x 1 x 4 x f32>, %b = %batch : !mj.batch<2 x 2 x 1>) -> !mj.kv<1 x 1 x 4 x f32> schedule #mj.schedule<"host.rows"> {
    %r = mj.kv_append %c[0], %k, %k at %b : <1 x 1 x 4 x f32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, <2 x 2 x 1> -> <1 x 1 x 4 x f32>
    mj.yield %r : !mj.kv<1 x 1 x 4 x f32>
  }
  return %kv1, %kv2 : !mj.kv<1 x 1 x 4 x f32>, !mj.kv<1 x 1 x 4 x f32>
}

// -----

// expected-error@+1 {{returns an older version of the cache than its last append to layer 0}}
func.func @returns_older(%x: tensor<2x1x4xf32>, %batch: !mj.batch<2 x 2 x 1>, %kv: !mj.kv<1 x 1 x 4 x f32>) -> (tensor<2x1x4xf32>, !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry} {
  %kv1 = mj.fusion(%k = %x : tensor<2x1x4xf32>, %c = %kv : !mj.kv<1 x 1 x 4 x f32>, %b = %batch : !mj.batch<2 x 2 x 1>) -> !mj.kv<1 x 1 x 4 x f32> schedule #mj.schedule<"host.rows"> {
    %r = mj.kv_append %c[0], %k, %k at %b : <1 x 1 x 4 x f32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, <2 x 2 x 1> -> <1 x 1 x 4 x f32>
    mj.yield %r : !mj.kv<1 x 1 x 4 x f32>
  }
  %a = mj.fusion(%q = %x : tensor<2x1x4xf32>, %c = %kv1 : !mj.kv<1 x 1 x 4 x f32>, %b = %batch : !mj.batch<2 x 2 x 1>) -> tensor<2x1x4xf32> schedule #mj.schedule<"host.plain_attention"> {
    %r = mj.attention %q, %c[0] over %b scale 0.5 : tensor<2x1x4xf32>, <1 x 1 x 4 x f32>, <2 x 2 x 1> -> tensor<2x1x4xf32>
    mj.yield %r : tensor<2x1x4xf32>
  }
  return %a, %kv : tensor<2x1x4xf32>, !mj.kv<1 x 1 x 4 x f32>
}

// -----

func.func @lost(%x: tensor<2x1x4xf32>, %batch: !mj.batch<2 x 2 x 1>, %kv: !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry} {
  // expected-error@+1 {{appends to the cache and does not return it: nothing says who may read it}}
  mj.fusion(%k = %x : tensor<2x1x4xf32>, %c = %kv : !mj.kv<1 x 1 x 4 x f32>, %b = %batch : !mj.batch<2 x 2 x 1>) schedule #mj.schedule<"host.rows"> {
    %r = mj.kv_append %c[0], %k, %k at %b : <1 x 1 x 4 x f32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, <2 x 2 x 1> -> <1 x 1 x 4 x f32>
  }
  return
}

// -----

func.func @two_layers(%x: tensor<2x1x4xf32>, %batch: !mj.batch<2 x 2 x 1>, %kv: !mj.kv<2 x 1 x 4 x f32>) -> !mj.kv<2 x 1 x 4 x f32> attributes {mj.entry} {
  // expected-error@+1 {{uses layers 0 and 1 of the cache; one region, one layer}}
  %kv1 = mj.fusion(%k = %x : tensor<2x1x4xf32>, %c = %kv : !mj.kv<2 x 1 x 4 x f32>, %b = %batch : !mj.batch<2 x 2 x 1>) -> !mj.kv<2 x 1 x 4 x f32> schedule #mj.schedule<"host.rows"> {
    %r = mj.kv_append %c[0], %k, %k at %b : <2 x 1 x 4 x f32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, <2 x 2 x 1> -> <2 x 1 x 4 x f32>
    %s = mj.kv_append %r[1], %k, %k at %b : <2 x 1 x 4 x f32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>, <2 x 2 x 1> -> <2 x 1 x 4 x f32>
    mj.yield %s : !mj.kv<2 x 1 x 4 x f32>
  }
  return %kv1 : !mj.kv<2 x 1 x 4 x f32>
}
