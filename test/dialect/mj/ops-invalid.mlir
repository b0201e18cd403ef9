// Each way in which a verifier of mj refuses an operation.
// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

// expected-error @+1 {{'mj.weight' op needs a static shape without zero sizes, not 'tensor<?x4xf32>'}}
mj.weight @w : tensor<?x4xf32> from "w"

// -----

// expected-error @+1 {{'mj.weight' op needs a static shape without zero sizes, not 'tensor<0x4xf32>'}}
mj.weight @w : tensor<0x4xf32> from "w"

// -----

// expected-error @+1 {{'mj.weight' op names a tensor of the checkpoint, which is row-major: it can have no encoding}}
mj.weight @w : tensor<4x4xf32, #mj.encoding<"rows16">> from "w"

// -----

// expected-error @+1 {{attribute 'type' failed to satisfy constraint}}
mj.weight @w : tensor<4xi8> from "w"

// -----

// expected-error @+1 {{'mj.prepare' op must yield one tensor of its type 'tensor<4xf32>'}}
mj.prepare @p : tensor<4xf32> {
  %0 = arith.constant dense<1.0> : tensor<5xf32>
  mj.yield %0 : tensor<5xf32>
}

// -----

// expected-error @+1 {{'mj.prepare' op must yield one tensor of its type 'tensor<4xf32>'}}
mj.prepare @p : tensor<4xf32> {
}

// -----

func.func @f() {
  // expected-error @+1 {{'mj.get_weight' op refers to @w, which is no mj.weight or mj.prepare}}
  %0 = mj.get_weight @w : tensor<4xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'mj.get_weight' op refers to @f, which is no mj.weight or mj.prepare}}
  %0 = mj.get_weight @f : tensor<4xf32>
  return
}

// -----

mj.weight @w : tensor<4xbf16> from "w"
func.func @f() {
  // expected-error @+1 {{'mj.get_weight' op has type 'tensor<4xf32>' but @w is 'tensor<4xbf16>'}}
  %0 = mj.get_weight @w : tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4x4xf32>) {
  // expected-error @+1 {{'mj.pack' op may change the encoding only: 'tensor<4x4xf32>' to 'tensor<4x8xf32, #mj.encoding<"rows16">>'}}
  %0 = mj.pack %x : tensor<4x4xf32> to tensor<4x8xf32, #mj.encoding<"rows16">>
  return
}

// -----

func.func @f(%x: tensor<4x4xf32>) {
  // expected-error @+1 {{'mj.pack' op may change the encoding only: 'tensor<4x4xf32>' to 'tensor<4x4xbf16>'}}
  %0 = mj.pack %x : tensor<4x4xf32> to tensor<4x4xbf16>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'mj.rope_table' op makes a tensor<positions x pairs x 2 x f32>, not 'tensor<64x4x3xf32>'}}
  %0 = mj.rope_table theta 1.0e4 : tensor<64x4x3xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'mj.rope_table' op makes a tensor<positions x pairs x 2 x f32>, not 'tensor<?x4x2xf32>'}}
  %0 = mj.rope_table theta 1.0e4 : tensor<?x4x2xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'mj.rope_table' op needs theta above 1}}
  %0 = mj.rope_table theta 1.0 : tensor<64x4x2xf32>
  return
}

// -----

func.func @f() {
  // Not a number is not above 1 either.
  // expected-error @+1 {{'mj.rope_table' op needs theta above 1}}
  %0 = mj.rope_table theta 0x7FF8000000000000 : tensor<64x4x2xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'mj.rope_table' op needs a positive linear scaling}}
  %0 = mj.rope_table theta 1.0e4 {linear = 0.0 : f64} : tensor<64x4x2xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'mj.rope_table' op needs four llama3 numbers: factor, low_freq_factor, high_freq_factor, original_max_position_embeddings}}
  %0 = mj.rope_table theta 1.0e4 {llama3 = array<f64: 8.0, 1.0, 4.0>} : tensor<64x4x2xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'mj.rope_table' op needs positive llama3 numbers with low_freq_factor below high_freq_factor}}
  %0 = mj.rope_table theta 1.0e4 {llama3 = array<f64: 8.0, 4.0, 4.0, 8192.0>} : tensor<64x4x2xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'mj.rope_table' op needs positive llama3 numbers}}
  %0 = mj.rope_table theta 1.0e4 {llama3 = array<f64: -8.0, 1.0, 4.0, 8192.0>} : tensor<64x4x2xf32>
  return
}

// -----

//===----------------------------------------------------------------------===//
// Tensor operations
//===----------------------------------------------------------------------===//

func.func @f(%table: tensor<100x16xbf16>, %rows: tensor<4xi32>) {
  // expected-error @+1 {{'mj.gather' op takes rows of a table of the result's rank: 'tensor<100x16xbf16>' gives 'tensor<4xf32>'}}
  %0 = mj.gather %table[%rows] : tensor<100x16xbf16>, tensor<4xi32> -> tensor<4xf32>
  return
}

// -----

func.func @f(%table: tensor<100x16xbf16>, %rows: tensor<4xi32>) {
  // expected-error @+1 {{'mj.gather' op must keep the rows of 'tensor<100x16xbf16>', not make 'tensor<4x8xf32>'}}
  %0 = mj.gather %table[%rows] : tensor<100x16xbf16>, tensor<4xi32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%table: tensor<100x16xbf16>, %rows: tensor<4xi32>) {
  // expected-error @+1 {{'mj.gather' op makes one row for each of 'tensor<4xi32>', not 'tensor<5x16xf32>'}}
  %0 = mj.gather %table[%rows] : tensor<100x16xbf16>, tensor<4xi32> -> tensor<5x16xf32>
  return
}

// -----

func.func @f(%table: tensor<100x16xbf16>, %rows: tensor<4xi64>) {
  // expected-error @+1 {{'mj.gather' op operand #1 must be 1D tensor of 32-bit signless integer values}}
  %0 = mj.gather %table[%rows] : tensor<100x16xbf16>, tensor<4xi64> -> tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x4x4xf32>, %w: tensor<4x4xf32>) {
  // expected-error @+1 {{'mj.matmul' op takes matrices, not 'tensor<4x4x4xf32>' and 'tensor<4x4xf32>' -> 'tensor<4x4xf32>'}}
  %0 = mj.matmul %x, %w : tensor<4x4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x16xf32>, %w: tensor<16x8xf32>) {
  // expected-error @+1 {{'mj.matmul' op contracts 16 columns of x with 8 of the weight}}
  %0 = mj.matmul %x, %w {transpose_b} : tensor<?x16xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %w: tensor<16x8xf32>) {
  // expected-error @+1 {{'mj.matmul' op makes 4 x 8 elements, not 'tensor<4x16xf32>'}}
  %0 = mj.matmul %x, %w : tensor<4x16xf32>, tensor<16x8xf32> -> tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>) {
  // expected-error @+1 {{'mj.norm' op keeps the shape: 'tensor<4x16xf32>' gives 'tensor<4x8xf32>'}}
  %0 = mj.norm rms %x eps 1.0e-6 : tensor<4x16xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %w: tensor<8xf32>) {
  // expected-error @+1 {{'mj.norm' op needs one weight and bias for each of the last axis of 'tensor<4x16xf32>', not 'tensor<8xf32>'}}
  %0 = mj.norm rms %x, weight %w eps 1.0e-6 : tensor<4x16xf32>, weight tensor<8xf32> -> tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %w: tensor<16xf32>, %b: tensor<4x16xf32>) {
  // expected-error @+1 {{'mj.norm' op needs one weight and bias for each of the last axis of 'tensor<4x16xf32>', not 'tensor<4x16xf32>'}}
  %0 = mj.norm layer %x, weight %w, bias %b eps 1.0e-6 : tensor<4x16xf32>, weight tensor<16xf32>, bias tensor<4x16xf32> -> tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %w: tensor<16xf32>) {
  // expected-error @+1 {{'mj.norm' op of kind rms has no bias}}
  %0 = mj.norm rms %x, weight %w, bias %w eps 1.0e-6 : tensor<4x16xf32>, weight tensor<16xf32>, bias tensor<16xf32> -> tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %b: tensor<16xf32>) {
  // expected-error @+1 {{'mj.norm' op with a bias needs a weight}}
  %0 = "mj.norm"(%x, %b) <{kind = 1 : i32, eps = 1.0 : f32, operandSegmentSizes = array<i32: 1, 0, 1>}> : (tensor<4x16xf32>, tensor<16xf32>) -> tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>) {
  // expected-error @+1 {{'mj.norm' op needs eps of at least 0}}
  %0 = mj.norm rms %x eps -1.0 : tensor<4x16xf32> -> tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>) {
  // expected-error @+1 {{'mj.reshape' op keeps the element type}}
  %0 = mj.reshape %x : tensor<4x16xf32> -> tensor<4x4x4xbf16>
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>) {
  // expected-error @+1 {{'mj.reshape' op keeps the number of elements: 'tensor<4x16xf32>' to 'tensor<8x4xf32>'}}
  %0 = mj.reshape %x : tensor<4x16xf32> -> tensor<8x4xf32>
  return
}

// -----

func.func @f(%x: tensor<?x16xf32>) {
  // expected-error @+1 {{'mj.reshape' op keeps the number of elements a row: 'tensor<?x16xf32>' to 'tensor<?x4x8xf32>'}}
  %0 = mj.reshape %x : tensor<?x16xf32> -> tensor<?x4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x?xf32>) {
  // expected-error @+1 {{'mj.reshape' op keeps the number of elements a row: 'tensor<?x?xf32>' to 'tensor<?x?xf32>'}}
  %0 = mj.reshape %x : tensor<?x?xf32> -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<16xbf16>, %like: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.broadcast' op keeps the element type}}
  %0 = mj.broadcast %x like %like : tensor<16xbf16>, tensor<4x8xf32> -> tensor<4x16xf32>
  return
}

// -----

func.func @f(%x: tensor<16xf32>, %like: tensor<4x8xf32>) {
  // expected-error @+1 {{'mj.broadcast' op needs each size of the source to be the result's or 1: 'tensor<16xf32>' to 'tensor<4x8xf32>'}}
  %0 = mj.broadcast %x like %like : tensor<16xf32>, tensor<4x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %like: tensor<8xf32>) {
  // expected-error @+1 {{'mj.broadcast' op needs each size of the source to be the result's or 1: 'tensor<4x8xf32>' to 'tensor<8xf32>'}}
  %0 = mj.broadcast %x like %like : tensor<4x8xf32>, tensor<8xf32> -> tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<8xf32>, %like: tensor<5x8xf32>) {
  // expected-error @+1 {{'mj.broadcast' op takes its leading dimension from 'tensor<5x8xf32>', which 'tensor<4x8xf32>' does not have}}
  %0 = mj.broadcast %x like %like : tensor<8xf32>, tensor<5x8xf32> -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x2x8xf32>, %positions: tensor<4xi32>, %table: tensor<64x4x2xf32>) {
  // expected-error @+1 {{'mj.rope' op keeps the shape: 'tensor<4x2x8xf32>' gives 'tensor<4x8x2xf32>'}}
  %0 = mj.rope half %x at %positions, %table : tensor<4x2x8xf32>, tensor<4xi32>, tensor<64x4x2xf32> -> tensor<4x8x2xf32>
  return
}

// -----

func.func @f(%x: tensor<4x2x8xf32>, %table: tensor<64x4x2xf32>) {
  // expected-error @+1 {{'mj.rope' op without positions needs a row of the table for each of 'tensor<4x2x8xf32>', not 'tensor<64x4x2xf32>'}}
  %0 = mj.rope half %x, %table : tensor<4x2x8xf32>, tensor<64x4x2xf32> -> tensor<4x2x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x2x8xf32>, %table: tensor<4x4x2xf32>) {
  // expected-error @+1 {{expected the types of x, of positions if there are any, and of the table}}
  %0 = mj.rope half %x, %table : tensor<4x2x8xf32> -> tensor<4x2x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x2x8xf32>, %positions: tensor<5xi32>, %table: tensor<64x4x2xf32>) {
  // expected-error @+1 {{'mj.rope' op needs a position for each row of 'tensor<4x2x8xf32>', not 'tensor<5xi32>'}}
  %0 = mj.rope half %x at %positions, %table : tensor<4x2x8xf32>, tensor<5xi32>, tensor<64x4x2xf32> -> tensor<4x2x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x2x8xf32>, %positions: tensor<4xi32>, %table: tensor<64x8x2xf32>) {
  // expected-error @+1 {{'mj.rope' op needs a table of 8 / 2 pairs of cosine and sine, not 'tensor<64x8x2xf32>'}}
  %0 = mj.rope half %x at %positions, %table : tensor<4x2x8xf32>, tensor<4xi32>, tensor<64x8x2xf32> -> tensor<4x2x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x2x7xf32>, %positions: tensor<4xi32>, %table: tensor<64x3x2xf32>) {
  // expected-error @+1 {{'mj.rope' op needs a table of 7 / 2 pairs of cosine and sine, not 'tensor<64x3x2xf32>'}}
  %0 = mj.rope half %x at %positions, %table : tensor<4x2x7xf32>, tensor<4xi32>, tensor<64x3x2xf32> -> tensor<4x2x7xf32>
  return
}

// -----

//===----------------------------------------------------------------------===//
// Attention and its state
//===----------------------------------------------------------------------===//

func.func @f(%kv: !mj.kv<2 x 2 x 8 x f32>, %k: tensor<4x2x8xf32>, %batch: !mj.batch<4 x 1 x 1>) {
  // expected-error @+1 {{'mj.kv_append' op returns the type of the cache it extends}}
  %0 = mj.kv_append %kv[0], %k, %k at %batch : <2 x 2 x 8 x f32>, tensor<4x2x8xf32>, tensor<4x2x8xf32>, <4 x 1 x 1> -> <2 x 2 x 8 x bf16>
  return
}

// -----

func.func @f(%kv: !mj.kv<2 x 2 x 8 x f32>, %k: tensor<4x1x8xf32>, %batch: !mj.batch<4 x 1 x 1>) {
  // expected-error @+1 {{'mj.kv_append' op appends rows of 2 x 8 for each token of the batch, not 'tensor<4x1x8xf32>'}}
  %0 = mj.kv_append %kv[0], %k, %k at %batch : <2 x 2 x 8 x f32>, tensor<4x1x8xf32>, tensor<4x1x8xf32>, <4 x 1 x 1> -> <2 x 2 x 8 x f32>
  return
}

// -----

func.func @f(%kv: !mj.kv<2 x 2 x 8 x f32>, %k: tensor<4x2x8xf32>, %v: tensor<5x2x8xf32>, %batch: !mj.batch<4 x 1 x 1>) {
  // expected-error @+1 {{'mj.kv_append' op appends rows of 2 x 8 for each token of the batch, not 'tensor<5x2x8xf32>'}}
  %0 = mj.kv_append %kv[0], %k, %v at %batch : <2 x 2 x 8 x f32>, tensor<4x2x8xf32>, tensor<5x2x8xf32>, <4 x 1 x 1> -> <2 x 2 x 8 x f32>
  return
}

// -----

func.func @f(%kv: !mj.kv<2 x 2 x 8 x f32>, %k: tensor<4x2x8xf32>, %batch: !mj.batch<4 x 1 x 1>) {
  // expected-error @+1 {{'mj.kv_append' op uses layer 2 of a cache of 2}}
  %0 = mj.kv_append %kv[2], %k, %k at %batch : <2 x 2 x 8 x f32>, tensor<4x2x8xf32>, tensor<4x2x8xf32>, <4 x 1 x 1> -> <2 x 2 x 8 x f32>
  return
}

// -----

func.func @f(%kv: !mj.kv<2 x 2 x 8 x f32>, %k: tensor<4x2x8xf32>, %batch: !mj.batch<4 x 1 x 1>) {
  // expected-error @+1 {{'mj.kv_append' op uses layer -1 of a cache of 2}}
  %0 = mj.kv_append %kv[-1], %k, %k at %batch : <2 x 2 x 8 x f32>, tensor<4x2x8xf32>, tensor<4x2x8xf32>, <4 x 1 x 1> -> <2 x 2 x 8 x f32>
  return
}

// -----

func.func @f(%q: tensor<4x4x8xf32>, %kv: !mj.kv<2 x 2 x 8 x f32>, %batch: !mj.batch<4 x 1 x 1>) {
  // expected-error @+1 {{'mj.attention' op keeps the query's shape: 'tensor<4x4x8xf32>' gives 'tensor<4x2x8xf32>'}}
  %0 = mj.attention %q, %kv[0] over %batch scale 1.0 : tensor<4x4x8xf32>, <2 x 2 x 8 x f32>, <4 x 1 x 1> -> tensor<4x2x8xf32>
  return
}

// -----

func.func @f(%q: tensor<5x4x8xf32>, %kv: !mj.kv<2 x 2 x 8 x f32>, %batch: !mj.batch<4 x 1 x 1>) {
  // expected-error @+1 {{'mj.attention' op needs a query row for each token of the batch, not 'tensor<5x4x8xf32>'}}
  %0 = mj.attention %q, %kv[0] over %batch scale 1.0 : tensor<5x4x8xf32>, <2 x 2 x 8 x f32>, <4 x 1 x 1> -> tensor<5x4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<4x4x4xf32>, %kv: !mj.kv<2 x 2 x 8 x f32>, %batch: !mj.batch<4 x 1 x 1>) {
  // expected-error @+1 {{'mj.attention' op has queries of 4 elements over keys of 8}}
  %0 = mj.attention %q, %kv[0] over %batch scale 1.0 : tensor<4x4x4xf32>, <2 x 2 x 8 x f32>, <4 x 1 x 1> -> tensor<4x4x4xf32>
  return
}

// -----

func.func @f(%q: tensor<4x3x8xf32>, %kv: !mj.kv<2 x 2 x 8 x f32>, %batch: !mj.batch<4 x 1 x 1>) {
  // expected-error @+1 {{'mj.attention' op has 3 heads, which 2 kv heads do not divide}}
  %0 = mj.attention %q, %kv[0] over %batch scale 1.0 : tensor<4x3x8xf32>, <2 x 2 x 8 x f32>, <4 x 1 x 1> -> tensor<4x3x8xf32>
  return
}

// -----

func.func @f(%q: tensor<4x4x8xf32>, %kv: !mj.kv<2 x 2 x 8 x f32>, %batch: !mj.batch<4 x 1 x 1>) {
  // expected-error @+1 {{'mj.attention' op needs a positive window}}
  %0 = mj.attention %q, %kv[0] over %batch scale 1.0 window 0 : tensor<4x4x8xf32>, <2 x 2 x 8 x f32>, <4 x 1 x 1> -> tensor<4x4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<4x4x8xf32>, %kv: !mj.kv<2 x 2 x 8 x f32>, %batch: !mj.batch<4 x 1 x 1>) {
  // expected-error @+1 {{'mj.attention' op needs a positive window}}
  %0 = mj.attention %q, %kv[0] over %batch scale 1.0 window -1 : tensor<4x4x8xf32>, <2 x 2 x 8 x f32>, <4 x 1 x 1> -> tensor<4x4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<4x4x8xf32>, %kv: !mj.kv<2 x 2 x 8 x f32>, %batch: !mj.batch<4 x 1 x 1>) {
  // expected-error @+1 {{'mj.attention' op uses layer 7 of a cache of 2}}
  %0 = mj.attention %q, %kv[7] over %batch scale 1.0 : tensor<4x4x8xf32>, <2 x 2 x 8 x f32>, <4 x 1 x 1> -> tensor<4x4x8xf32>
  return
}

// -----

func.func @f(%l: tensor<2x9xf32>, %s: !mj.sampling<2>, %batch: !mj.batch<4 x 1 x 1>) {
  // expected-error @+1 {{'mj.sample' op needs logits, sampling parameters and a result for each sequence of the batch}}
  %0 = mj.sample %l with %s at %batch : tensor<2x9xf32>, <2>, <4 x 1 x 1> -> tensor<2xi32>
  return
}

// -----

func.func @f(%l: tensor<4x9xf32>, %s: !mj.sampling<2>, %batch: !mj.batch<4 x 2 x 1>) {
  // expected-error @+1 {{'mj.sample' op needs logits, sampling parameters and a result for each sequence of the batch}}
  %0 = mj.sample %l with %s at %batch : tensor<4x9xf32>, <2>, <4 x 2 x 1> -> tensor<2xi32>
  return
}

// -----

func.func @f(%l: tensor<2x9xf32>, %s: !mj.sampling<2>, %batch: !mj.batch<4 x 2 x 1>) {
  // expected-error @+1 {{'mj.sample' op needs logits, sampling parameters and a result for each sequence of the batch}}
  %0 = mj.sample %l with %s at %batch : tensor<2x9xf32>, <2>, <4 x 2 x 1> -> tensor<3xi32>
  return
}

// -----

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{'mj.fusion' op must yield its results}}
  %0 = mj.fusion(%a = %x : tensor<4xf32>) -> tensor<4xf32> {
  }
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{'mj.fusion' op needs a body argument of the same type for each input}}
  "mj.fusion"(%x) ({
  ^bb0(%a: tensor<5xf32>):
    mj.yield
  }) : (tensor<4xf32>) -> ()
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-note @+1 {{required by region isolation constraints}}
  mj.fusion() {
    // expected-error @+1 {{'arith.negf' op using value defined outside the region}}
    %0 = arith.negf %x : tensor<4xf32>
  }
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'mj.yield' op expects parent op to be one of 'mj.fusion, mj.prepare'}}
  mj.yield
}
