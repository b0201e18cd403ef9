// What cannot be chosen is said with the region.
// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics --select-schedules=target=cuda:sm_90a

func.func @heads(%q: tensor<4x1x6xf32>, %batch: !mj.batch<4 x 4 x 1>, %kv: !mj.kv<1 x 1 x 6 x f32>) -> tensor<4x1x6xf32> attributes {mj.entry} {
  // expected-error@+1 {{needs attention over heads of 6 elements; the GPU has kernels for multiples of 8 up to 256}}
  %a = mj.fusion(%0 = %q : tensor<4x1x6xf32>, %1 = %kv : !mj.kv<1 x 1 x 6 x f32>, %2 = %batch : !mj.batch<4 x 4 x 1>) -> tensor<4x1x6xf32> {
    %r = mj.attention %0, %1[0] over %2 scale 0.5 : tensor<4x1x6xf32>, <1 x 1 x 6 x f32>, <4 x 4 x 1> -> tensor<4x1x6xf32>
    mj.yield %r : tensor<4x1x6xf32>
  }
  return %a : tensor<4x1x6xf32>
}

// -----

// In decode a block reads no other's row; in prefill it does.
func.func @append(%q: tensor<4x1x8xf32>, %batch: !mj.batch<4 x 2 x 1>, %kv: !mj.kv<1 x 1 x 8 x f32>) -> (tensor<4x1x8xf32>, !mj.kv<1 x 1 x 8 x f32>) attributes {mj.entry} {
  // expected-error@+1 {{appends 4 rows of 2 sequences to the cache that it reads: a block would read what another has yet to write}}
  %a:2 = mj.fusion(%0 = %q : tensor<4x1x8xf32>, %1 = %kv : !mj.kv<1 x 1 x 8 x f32>, %2 = %batch : !mj.batch<4 x 2 x 1>) -> (tensor<4x1x8xf32>, !mj.kv<1 x 1 x 8 x f32>) {
    %c = mj.kv_append %1[0], %0, %0 at %2 : <1 x 1 x 8 x f32>, tensor<4x1x8xf32>, tensor<4x1x8xf32>, <4 x 2 x 1> -> <1 x 1 x 8 x f32>
    %r = mj.attention %0, %c[0] over %2 scale 0.5 : tensor<4x1x8xf32>, <1 x 1 x 8 x f32>, <4 x 2 x 1> -> tensor<4x1x8xf32>
    mj.yield %r, %c : tensor<4x1x8xf32>, !mj.kv<1 x 1 x 8 x f32>
  }
  return %a#0, %a#1 : tensor<4x1x8xf32>, !mj.kv<1 x 1 x 8 x f32>
}

// -----

mj.weight @w : tensor<8x16xf32> from "w"
func.func @prologue(%x: tensor<65x16xf32>) -> tensor<65x8xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x16xf32>
  // expected-error@+1 {{computes what surrounds a matmul of 65 rows; the GPU's kernels do that for up to 32 rows and transposed weights}}
  %y = mj.fusion(%a = %x : tensor<65x16xf32>, %b = %w : tensor<8x16xf32>) -> tensor<65x8xf32> {
    %n = mj.norm rms %a eps 1.0e-6 : tensor<65x16xf32> -> tensor<65x16xf32>
    %m = mj.matmul %n, %b {transpose_b} : tensor<65x16xf32>, tensor<8x16xf32> -> tensor<65x8xf32>
    mj.yield %m : tensor<65x8xf32>
  }
  return %y : tensor<65x8xf32>
}

// -----

mj.weight @w : tensor<8x16xf32> from "w"
func.func @inputs(%x: tensor<2x16xf32>, %z: tensor<2x16xf32>) -> tensor<2x8xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x16xf32>
  // expected-error@+1 {{holds matmuls of different inputs; the GPU's kernels read one}}
  %y = mj.fusion(%a = %x : tensor<2x16xf32>, %c = %z : tensor<2x16xf32>, %b = %w : tensor<8x16xf32>) -> tensor<2x8xf32> {
    %m = mj.matmul %a, %b {transpose_b} : tensor<2x16xf32>, tensor<8x16xf32> -> tensor<2x8xf32>
    %n = mj.matmul %c, %b {transpose_b} : tensor<2x16xf32>, tensor<8x16xf32> -> tensor<2x8xf32>
    %s = arith.addf %m, %n : tensor<2x8xf32>
    mj.yield %s : tensor<2x8xf32>
  }
  return %y : tensor<2x8xf32>
}

// -----

func.func @rows(%x: tensor<2x16xf32>, %z: tensor<3x16xf32>) -> (tensor<2x16xf32>, tensor<3x16xf32>) attributes {mj.entry} {
  // expected-error@+1 {{computes tensors of 2 and of 3 rows; a region works row by row over one number of rows}}
  %y:2 = mj.fusion(%a = %x : tensor<2x16xf32>, %b = %z : tensor<3x16xf32>) -> (tensor<2x16xf32>, tensor<3x16xf32>) {
    %m = mj.softmax %a : tensor<2x16xf32> -> tensor<2x16xf32>
    %n = mj.softmax %b : tensor<3x16xf32> -> tensor<3x16xf32>
    mj.yield %m, %n : tensor<2x16xf32>, tensor<3x16xf32>
  }
  return %y#0, %y#1 : tensor<2x16xf32>, tensor<3x16xf32>
}
