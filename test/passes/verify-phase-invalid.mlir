// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics --verify-phase=phase=graph

// expected-error@+1 {{'func.func' has a 'tensor<4xf64>' as argument or result; kernels know elements of f32, f16, bf16, f8E4M3FN, i32, i64 and i8}}
func.func @element(%x: tensor<4xf64>) attributes {mj.entry} {
  return
}

// -----

// expected-error@+1 {{'func.func' has a 'tensor<4xi1>' as argument or result; kernels know}}
func.func @boolean(%x: tensor<4xi1>) attributes {mj.entry} {
  return
}

// -----

// A boolean within an entry is fine, and so are scalars that are spread over rows.
func.func @choice(%x: tensor<4xf32>, %s: tensor<f32>) -> tensor<4xf32> attributes {mj.entry} {
  %c = arith.constant dense<0.0> : tensor<f32>
  %z = mj.broadcast %c like %x : tensor<f32>, tensor<4xf32> -> tensor<4xf32>
  %t = mj.broadcast %s like %x : tensor<f32>, tensor<4xf32> -> tensor<4xf32>
  %b = arith.cmpf olt, %x, %z : tensor<4xf32>
  %y = arith.select %b, %x, %t : tensor<4xi1>, tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// expected-error@+1 {{'func.func' has a 'tensor<0x4xf32>', which holds nothing}}
func.func @nothing(%x: tensor<0x4xf32>) attributes {mj.entry} {
  return
}

// -----

func.func @scalar(%x: tensor<f32>) -> tensor<f32> attributes {mj.entry} {
  // expected-error@+1 {{'arith.negf' makes a 'tensor<f32>', which has no rows for a kernel to work on}}
  %y = arith.negf %x : tensor<f32>
  return %y : tensor<f32>
}

// -----

func.func @no_tensor(%x: tensor<4xf32>) attributes {mj.entry} {
  // expected-error@+1 {{'arith.constant' makes a 'f32'; entries compute on tensors}}
  %y = arith.constant 1.0 : f32
  return
}

// -----

func.func @data(%x: tensor<2xf32>) -> tensor<2xf32> attributes {mj.entry} {
  // expected-error@+1 {{'arith.constant' holds several numbers: data belongs into the checkpoint, as an mj.weight}}
  %c = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %y = arith.addf %x, %c : tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

func.func private @other(tensor<2xf32>) -> tensor<2xf32>
func.func @call(%x: tensor<2xf32>) -> tensor<2xf32> attributes {mj.entry} {
  // expected-error@+1 {{'func.call' is no operation of a kernel; entries hold operations of mj and pointwise arith and math}}
  %y = call @other(%x) : (tensor<2xf32>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// -----

// expected-error@+1 {{has an argument of the symbolic type '!mj.sampling<?>' after specialize-buckets}}
func.func @sampling(%batch: !mj.batch<2 x 2 x 1>, %s: !mj.sampling<?>) attributes {mj.entry} {
  return
}

// -----

// expected-error@+1 {{has an argument of the symbolic type 'tensor<?x4xf32>' after specialize-buckets}}
func.func @plain(%x: tensor<?x4xf32>) attributes {mj.entry} {
  return
}

// -----

func.func @inside(%x: tensor<2xi32>) -> tensor<?x4xf32> attributes {mj.entry} {
  %c = arith.constant dense<0.0> : tensor<f32>
  // expected-error@+1 {{has the symbolic shape 'tensor<?x4xf32>' after specialize-buckets}}
  %y = mj.broadcast %c like %x : tensor<f32>, tensor<2xi32> -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
