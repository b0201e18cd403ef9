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
