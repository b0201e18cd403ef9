// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics --verify-phase=phase=fusion

func.func @anchors(%x: tensor<4x1x8xf32>, %w: tensor<4x8xf32>, %batch: !mj.batch<4 x 2 x 1>, %kv: !mj.kv<1 x 1 x 8 x f32>) -> tensor<4x4xf32> attributes {mj.entry} {
  // expected-error@+1 {{has more than one anchor}}
  %y = mj.fusion(%a = %x : tensor<4x1x8xf32>, %b = %w : tensor<4x8xf32>, %c = %batch : !mj.batch<4 x 2 x 1>, %d = %kv : !mj.kv<1 x 1 x 8 x f32>) -> tensor<4x4xf32> {
    %0 = mj.attention %a, %d[0] over %c scale 0.5 : tensor<4x1x8xf32>, <1 x 1 x 8 x f32>, <4 x 2 x 1> -> tensor<4x1x8xf32>
    %1 = mj.reshape %0 : tensor<4x1x8xf32> -> tensor<4x8xf32>
    %2 = mj.matmul %1, %b {transpose_b} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x4xf32>
    mj.yield %2 : tensor<4x4xf32>
  }
  return %y : tensor<4x4xf32>
}

// -----

func.func @nested(%x: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {mj.entry} {
  // expected-error@+1 {{holds another region; a region is one kernel}}
  %y = mj.fusion(%a = %x : tensor<4x8xf32>) -> tensor<4x8xf32> {
    %0 = mj.fusion(%b = %a : tensor<4x8xf32>) -> tensor<4x8xf32> {
      mj.yield %b : tensor<4x8xf32>
    }
    mj.yield %0 : tensor<4x8xf32>
  }
  return %y : tensor<4x8xf32>
}

// -----

func.func @inner(%x: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {mj.entry} {
  %y = mj.fusion(%a = %x : tensor<4x8xf32>) -> tensor<4x8xf32> {
    // expected-error@+1 {{'arith.constant' holds several numbers}}
    %c = arith.constant dense<[0.0, 1.0]> : tensor<2xf32>
    mj.yield %a : tensor<4x8xf32>
  }
  return %y : tensor<4x8xf32>
}

// -----

func.func @different_rows(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>, %w: tensor<4x8xf32>) -> tensor<4x4xf32> attributes {mj.entry} {
  // expected-error@+1 {{has more than one anchor: its matmuls read different rows}}
  %s = mj.fusion(%a = %x : tensor<4x8xf32>, %c = %y : tensor<4x8xf32>, %b = %w : tensor<4x8xf32>) -> tensor<4x4xf32> {
    %0 = mj.matmul %a, %b {transpose_b} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x4xf32>
    %1 = mj.matmul %c, %b {transpose_b} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x4xf32>
    %2 = arith.addf %0, %1 : tensor<4x4xf32>
    mj.yield %2 : tensor<4x4xf32>
  }
  return %s : tensor<4x4xf32>
}

// -----

func.func @weight(%x: tensor<4x8xf32>, %w: tensor<4x8xf32>) -> tensor<4x4xf32> attributes {mj.entry} {
  // expected-error@+1 {{computes operand 1 of 'mj.matmul', which it reads whole: that is another kernel's work}}
  %s = mj.fusion(%a = %x : tensor<4x8xf32>, %b = %w : tensor<4x8xf32>) -> tensor<4x4xf32> {
    %0 = arith.negf %b : tensor<4x8xf32>
    %1 = mj.matmul %a, %0 {transpose_b} : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x4xf32>
    mj.yield %1 : tensor<4x4xf32>
  }
  return %s : tensor<4x4xf32>
}

// -----

func.func @gather(%x: tensor<4x8xf32>, %i: tensor<4xi32>) -> tensor<4x8xf32> attributes {mj.entry} {
  // expected-error@+1 {{computes operand 0 of 'mj.gather' row by row, which reads all rows of it: that is another kernel's work}}
  %s = mj.fusion(%a = %x : tensor<4x8xf32>, %b = %i : tensor<4xi32>) -> tensor<4x8xf32> {
    %0 = arith.negf %a : tensor<4x8xf32>
    %1 = mj.gather %0[%b] : tensor<4x8xf32>, tensor<4xi32> -> tensor<4x8xf32>
    mj.yield %1 : tensor<4x8xf32>
  }
  return %s : tensor<4x8xf32>
}

// -----

func.func @mixing(%x: tensor<4x8xf32>) -> (tensor<8xf32>, tensor<4x8xf32>) attributes {mj.entry} {
  // expected-error@+1 {{holds 'mj.reduce', which mixes or moves rows, beside others: it is a region of its own}}
  %s:2 = mj.fusion(%a = %x : tensor<4x8xf32>) -> (tensor<8xf32>, tensor<4x8xf32>) {
    %0 = mj.reduce sum %a over [0] : tensor<4x8xf32> -> tensor<8xf32>
    %1 = arith.negf %a : tensor<4x8xf32>
    mj.yield %0, %1 : tensor<8xf32>, tensor<4x8xf32>
  }
  return %s#0, %s#1 : tensor<8xf32>, tensor<4x8xf32>
}

// -----

func.func @rows(%x: tensor<4x8xf32>, %y: tensor<3x8xf32>) -> (tensor<4x8xf32>, tensor<3x8xf32>) attributes {mj.entry} {
  // expected-error@+1 {{works on 4 and on 3 rows; a region works row by row over one number of rows}}
  %s:2 = mj.fusion(%a = %x : tensor<4x8xf32>, %b = %y : tensor<3x8xf32>) -> (tensor<4x8xf32>, tensor<3x8xf32>) {
    %0 = arith.negf %a : tensor<4x8xf32>
    %1 = arith.negf %b : tensor<3x8xf32>
    mj.yield %0, %1 : tensor<4x8xf32>, tensor<3x8xf32>
  }
  return %s#0, %s#1 : tensor<4x8xf32>, tensor<3x8xf32>
}

// -----

func.func @append(%q: tensor<4x1x8xf32>, %batch: !mj.batch<4 x 2 x 1>, %kv: !mj.kv<1 x 1 x 8 x f32>) -> (tensor<4x1x8xf32>, !mj.kv<1 x 1 x 8 x f32>) attributes {mj.entry} {
  // expected-error@+1 {{appends 4 rows of 2 sequences to the cache that it reads: some of it would read what other parts have yet to write}}
  %s:2 = mj.fusion(%a = %q : tensor<4x1x8xf32>, %b = %batch : !mj.batch<4 x 2 x 1>, %c = %kv : !mj.kv<1 x 1 x 8 x f32>) -> (tensor<4x1x8xf32>, !mj.kv<1 x 1 x 8 x f32>) {
    %0 = mj.kv_append %c[0], %a, %a at %b : <1 x 1 x 8 x f32>, tensor<4x1x8xf32>, tensor<4x1x8xf32>, <4 x 2 x 1> -> <1 x 1 x 8 x f32>
    %1 = mj.attention %a, %0[0] over %b scale 0.5 : tensor<4x1x8xf32>, <1 x 1 x 8 x f32>, <4 x 2 x 1> -> tensor<4x1x8xf32>
    mj.yield %1, %0 : tensor<4x1x8xf32>, !mj.kv<1 x 1 x 8 x f32>
  }
  return %s#0, %s#1 : tensor<4x1x8xf32>, !mj.kv<1 x 1 x 8 x f32>
}

// -----

// One row a sequence, what it attends to was there before or is its own: accepted.
func.func @decode(%q: tensor<2x1x8xf32>, %batch: !mj.batch<2 x 2 x 1>, %kv: !mj.kv<1 x 1 x 8 x f32>) -> (tensor<2x1x8xf32>, !mj.kv<1 x 1 x 8 x f32>) attributes {mj.entry} {
  %s:2 = mj.fusion(%a = %q : tensor<2x1x8xf32>, %b = %batch : !mj.batch<2 x 2 x 1>, %c = %kv : !mj.kv<1 x 1 x 8 x f32>) -> (tensor<2x1x8xf32>, !mj.kv<1 x 1 x 8 x f32>) {
    %0 = mj.kv_append %c[0], %a, %a at %b : <1 x 1 x 8 x f32>, tensor<2x1x8xf32>, tensor<2x1x8xf32>, <2 x 2 x 1> -> <1 x 1 x 8 x f32>
    %1 = mj.attention %a, %0[0] over %b scale 0.5 : tensor<2x1x8xf32>, <1 x 1 x 8 x f32>, <2 x 2 x 1> -> tensor<2x1x8xf32>
    mj.yield %1, %0 : tensor<2x1x8xf32>, !mj.kv<1 x 1 x 8 x f32>
  }
  return %s#0, %s#1 : tensor<2x1x8xf32>, !mj.kv<1 x 1 x 8 x f32>
}
