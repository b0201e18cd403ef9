// Each way in which a verifier of mj refuses an operation on tensors.
// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics

func.func @f(%a: tensor<2x4x8xf32>, %b: tensor<8x4xf32>) {
  // expected-error @+1 {{'mj.batch_matmul' op takes stacks of matrices of one rank, not 'tensor<2x4x8xf32>' and 'tensor<8x4xf32>' -> 'tensor<2x4x4xf32>'}}
  %0 = mj.batch_matmul %a, %b : tensor<2x4x8xf32>, tensor<8x4xf32> -> tensor<2x4x4xf32>
  return
}

// -----

func.func @f(%a: tensor<8xf32>) {
  // expected-error @+1 {{'mj.batch_matmul' op takes stacks of matrices of one rank}}
  %0 = mj.batch_matmul %a, %a : tensor<8xf32>, tensor<8xf32> -> tensor<8xf32>
  return
}

// -----

func.func @f(%a: tensor<2x4x8xf32>, %b: tensor<3x8x4xf32>) {
  // expected-error @+1 {{'mj.batch_matmul' op needs the same leading axes: 'tensor<2x4x8xf32>' and 'tensor<3x8x4xf32>' -> 'tensor<2x4x4xf32>'}}
  %0 = mj.batch_matmul %a, %b : tensor<2x4x8xf32>, tensor<3x8x4xf32> -> tensor<2x4x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x4x8xf32>, %b: tensor<2x4x8xf32>) {
  // expected-error @+1 {{'mj.batch_matmul' op contracts 8 columns of a with 4 of b}}
  %0 = mj.batch_matmul %a, %b : tensor<2x4x8xf32>, tensor<2x4x8xf32> -> tensor<2x4x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x4x8xf32>, %b: tensor<2x5x8xf32>) {
  // expected-error @+1 {{'mj.batch_matmul' op makes matrices of 4 x 5, not 'tensor<2x5x4xf32>'}}
  %0 = mj.batch_matmul %a, %b {transpose_b} : tensor<2x4x8xf32>, tensor<2x5x8xf32> -> tensor<2x5x4xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.reduce' op needs ascending axes of 'tensor<4x8xf32>'}}
  %0 = mj.reduce sum %x over [] : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.reduce' op needs ascending axes of 'tensor<4x8xf32>'}}
  %0 = mj.reduce sum %x over [2] : tensor<4x8xf32> -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.reduce' op needs ascending axes of 'tensor<4x8xf32>'}}
  %0 = mj.reduce sum %x over [-1] : tensor<4x8xf32> -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8x2xf32>) {
  // expected-error @+1 {{'mj.reduce' op needs ascending axes of 'tensor<4x8x2xf32>'}}
  %0 = mj.reduce max %x over [1, 0] : tensor<4x8x2xf32> -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8x2xf32>) {
  // expected-error @+1 {{'mj.reduce' op needs ascending axes of 'tensor<4x8x2xf32>'}}
  %0 = mj.reduce max %x over [1, 1] : tensor<4x8x2xf32> -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.reduce' op must keep an axis: kernels work on tensors of at least one dimension}}
  %0 = mj.reduce mean %x over [0, 1] : tensor<4x8xf32> -> tensor<f32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.reduce' op keeps the other axes: 'tensor<4x8xf32>' gives 'tensor<8xf32>'}}
  %0 = mj.reduce min %x over [1] : tensor<4x8xf32> -> tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.softmax' op keeps the shape: 'tensor<4x8xf32>' gives 'tensor<8x4xf32>'}}
  %0 = mj.softmax %x : tensor<4x8xf32> -> tensor<8x4xf32>
  return
}

// -----

func.func @f(%x: tensor<f32>) {
  // expected-error @+1 {{'mj.softmax' op keeps the shape: 'tensor<f32>' gives 'tensor<f32>'}}
  %0 = mj.softmax %x : tensor<f32> -> tensor<f32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.transpose' op needs each axis of 'tensor<4x8xf32>' once}}
  %0 = mj.transpose %x [0] : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.transpose' op needs each axis of 'tensor<4x8xf32>' once}}
  %0 = mj.transpose %x [1, 1] : tensor<4x8xf32> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.transpose' op keeps the element type}}
  %0 = mj.transpose %x [1, 0] : tensor<4x8xf32> -> tensor<8x4xbf16>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.transpose' op does not make 'tensor<4x8xf32>' of 'tensor<4x8xf32>'}}
  %0 = mj.transpose %x [1, 0] : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.slice' op needs an offset, a size and a stride for each axis of 'tensor<4x8xf32>'}}
  %0 = mj.slice %x from [0] by [1] : tensor<4x8xf32> -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.slice' op needs an offset, a size and a stride for each axis of 'tensor<4x8xf32>'}}
  %0 = mj.slice %x from [0, 0] by [1] : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.slice' op keeps the element type}}
  %0 = mj.slice %x from [0, 0] by [1, 1] : tensor<4x8xf32> -> tensor<4x8xi32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.slice' op needs offsets of at least 0 and strides of at least 1}}
  %0 = mj.slice %x from [-1, 0] by [1, 1] : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.slice' op needs offsets of at least 0 and strides of at least 1}}
  %0 = mj.slice %x from [0, 0] by [1, 0] : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.slice' op leaves axis 1 of 'tensor<4x8xf32>': 3 elements from 2 by 3}}
  %0 = mj.slice %x from [0, 2] by [1, 3] : tensor<4x8xf32> -> tensor<4x3xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'mj.slice' op takes a symbolic dimension whole: 'tensor<?x8xf32>' to 'tensor<?x8xf32>'}}
  %0 = mj.slice %x from [1, 0] by [1, 1] : tensor<?x8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.concat' op needs a source}}
  %0 = "mj.concat"() {axis = 0 : i64} : () -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.concat' op has no axis 2 in 'tensor<4x8xf32>'}}
  %0 = mj.concat %x axis 2 : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.concat' op has no axis -1 in 'tensor<4x8xf32>'}}
  %0 = mj.concat %x axis -1 : tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %y: tensor<4x8xbf16>) {
  // expected-error @+1 {{'mj.concat' op keeps the element type}}
  %0 = mj.concat %x, %y axis 0 : tensor<4x8xf32>, tensor<4x8xbf16> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %y: tensor<4x7xf32>) {
  // expected-error @+1 {{'mj.concat' op cannot put 'tensor<4x7xf32>' into 'tensor<8x8xf32>'}}
  %0 = mj.concat %x, %y axis 0 : tensor<4x8xf32>, tensor<4x7xf32> -> tensor<8x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{'mj.concat' op cannot put 'tensor<?x8xf32>' into 'tensor<?x8xf32>'}}
  %0 = mj.concat %x, %x axis 0 : tensor<?x8xf32>, tensor<?x8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.concat' op makes 16 elements along axis 1, not 'tensor<4x15xf32>'}}
  %0 = mj.concat %x, %x axis 1 : tensor<4x8xf32>, tensor<4x8xf32> -> tensor<4x15xf32>
  return
}

// -----

func.func @f(%q: tensor<3x4x8xf32>, %k: tensor<5x2x8xf32>, %v: tensor<5x2x6xf32>) {
  // expected-error @+1 {{'mj.sdpa' op needs as many segments of values as of keys, at least one}}
  %0 = mj.sdpa %q over [%k, %k], [%v] scale 1.0 : tensor<3x4x8xf32>, [tensor<5x2x8xf32>, tensor<5x2x8xf32>], [tensor<5x2x6xf32>] -> tensor<3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<3x4x8xf32>, %k: tensor<5x2x7xf32>, %v: tensor<5x2x6xf32>) {
  // expected-error @+1 {{'mj.sdpa' op has queries of 8 elements over keys of 7}}
  %0 = mj.sdpa %q over [%k], [%v] scale 1.0 : tensor<3x4x8xf32>, [tensor<5x2x7xf32>], [tensor<5x2x6xf32>] -> tensor<3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<3x4x8xf32>, %k: tensor<5x3x8xf32>, %v: tensor<5x3x6xf32>) {
  // expected-error @+1 {{'mj.sdpa' op has 4 heads, which 3 kv heads do not divide}}
  %0 = mj.sdpa %q over [%k], [%v] scale 1.0 : tensor<3x4x8xf32>, [tensor<5x3x8xf32>], [tensor<5x3x6xf32>] -> tensor<3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<3x4x8xf32>, %k: tensor<5x2x8xf32>, %v: tensor<6x2x6xf32>) {
  // expected-error @+1 {{'mj.sdpa' op needs segments of one kind: 'tensor<5x2x8xf32>' and 'tensor<6x2x6xf32>' beside 'tensor<5x2x8xf32>' and 'tensor<6x2x6xf32>'}}
  %0 = mj.sdpa %q over [%k], [%v] scale 1.0 : tensor<3x4x8xf32>, [tensor<5x2x8xf32>], [tensor<6x2x6xf32>] -> tensor<3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<3x4x8xf32>, %k: tensor<5x2x8xf32>, %l: tensor<5x2x8xbf16>, %v: tensor<5x2x6xf32>, %w: tensor<5x2x6xbf16>) {
  // expected-error @+1 {{'mj.sdpa' op needs segments of one kind: 'tensor<5x2x8xbf16>' and 'tensor<5x2x6xbf16>' beside 'tensor<5x2x8xf32>' and 'tensor<5x2x6xf32>'}}
  %0 = mj.sdpa %q over [%k, %l], [%v, %w] scale 1.0 : tensor<3x4x8xf32>, [tensor<5x2x8xf32>, tensor<5x2x8xbf16>], [tensor<5x2x6xf32>, tensor<5x2x6xbf16>] -> tensor<3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<3x4x8xf32>, %k: tensor<5x2x8xf32>, %v: tensor<5x2x6xf32>) {
  // expected-error @+1 {{'mj.sdpa' op makes 4 x 6 elements a row, not 'tensor<3x4x8xf32>'}}
  %0 = mj.sdpa %q over [%k], [%v] scale 1.0 : tensor<3x4x8xf32>, [tensor<5x2x8xf32>], [tensor<5x2x6xf32>] -> tensor<3x4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<3x4x8xf32>, %k: tensor<5x2x8xf32>, %v: tensor<5x2x6xf32>, %m: tensor<3x6xf32>) {
  // expected-error @+1 {{'mj.sdpa' op needs a mask of [rows, keys] or [heads, rows, keys], not 'tensor<3x6xf32>'}}
  %0 = mj.sdpa %q over [%k], [%v] mask %m scale 1.0 : tensor<3x4x8xf32>, [tensor<5x2x8xf32>], [tensor<5x2x6xf32>], tensor<3x6xf32> -> tensor<3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<3x4x8xf32>, %k: tensor<5x2x8xf32>, %v: tensor<5x2x6xf32>, %m: tensor<2x3x5xi1>) {
  // expected-error @+1 {{'mj.sdpa' op needs a mask of [rows, keys] or [heads, rows, keys], not 'tensor<2x3x5xi1>'}}
  %0 = mj.sdpa %q over [%k], [%v] mask %m scale 1.0 : tensor<3x4x8xf32>, [tensor<5x2x8xf32>], [tensor<5x2x6xf32>], tensor<2x3x5xi1> -> tensor<3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<3x4x8xf32>, %k: tensor<5x2x8xf32>, %v: tensor<5x2x6xf32>, %m: tensor<5xi1>) {
  // expected-error @+1 {{'mj.sdpa' op needs a mask of [rows, keys] or [heads, rows, keys], not 'tensor<5xi1>'}}
  %0 = mj.sdpa %q over [%k], [%v] mask %m scale 1.0 : tensor<3x4x8xf32>, [tensor<5x2x8xf32>], [tensor<5x2x6xf32>], tensor<5xi1> -> tensor<3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<3x4x8xf32>, %k: tensor<5x2x8xf32>, %v: tensor<5x2x6xf32>) {
  // expected-error @+1 {{'mj.sdpa' op has a window and is not causal: a window counts back from what a row sees last}}
  %0 = mj.sdpa %q over [%k], [%v] scale 1.0 window 2 : tensor<3x4x8xf32>, [tensor<5x2x8xf32>], [tensor<5x2x6xf32>] -> tensor<3x4x6xf32>
  return
}

// -----

func.func @f(%q: tensor<3x4x8xf32>, %k: tensor<5x2x8xf32>, %v: tensor<5x2x6xf32>) {
  // expected-error @+1 {{'mj.sdpa' op needs a positive window}}
  %0 = mj.sdpa %q over [%k], [%v] scale 1.0 causal window 0 : tensor<3x4x8xf32>, [tensor<5x2x8xf32>], [tensor<5x2x6xf32>] -> tensor<3x4x6xf32>
  return
}
