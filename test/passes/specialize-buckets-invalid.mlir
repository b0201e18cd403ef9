// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics --specialize-buckets="decode=2,3 prefill=8 max-batch=2 max-context=64"

module attributes {mj.model = {max_context = 32 : i64}} {
// expected-error@+1 {{max-context 64 is more than the 32 tokens that the model was imported for}}
func.func @step(%batch: !mj.batch<? x ? x ?>) attributes {mj.entry} {
  return
}
}

// -----

// expected-error@+1 {{argument 1 of the ragged entry @step has the symbolic shape 'tensor<?x8xf32>'; only the batch and the sampling parameters may be symbolic}}
func.func @step(%batch: !mj.batch<? x ? x ?>, %x: tensor<?x8xf32>) attributes {mj.entry} {
  return
}

// -----

// expected-error@+1 {{argument 0 of the ragged entry @step is '!mj.batch<? x 4 x ?>'; bucket decode_b2 has 2 tokens, 2 sequences and 4 pages}}
func.func @step(%batch: !mj.batch<? x 4 x ?>) attributes {mj.entry} {
  return
}

// -----

// expected-error@+1 {{argument 1 of the ragged entry @step is '!mj.sampling<2>'; bucket decode_b3 has 3 tokens, 3 sequences and 4 pages}}
func.func @step(%batch: !mj.batch<? x ? x ?>, %sampling: !mj.sampling<2>) attributes {mj.entry} {
  return
}

// -----

func.func @step(%batch: !mj.batch<? x ? x ?>) attributes {mj.entry} {
  return
}
// expected-error@+1 {{@verify is ragged, and so is @step; the buckets of a module are made of one entry}}
func.func @verify(%batch: !mj.batch<? x ? x ?>) attributes {mj.entry} {
  return
}

// -----

func.func @decode_b3(%x: tensor<4xf32>) attributes {mj.entry} {
  return
}
// expected-error@+1 {{bucket decode_b3 of @step is asked for twice, or its name is taken}}
func.func @step(%batch: !mj.batch<? x ? x ?>) attributes {mj.entry} {
  return
}

// -----

func.func @step(%batch: !mj.batch<? x ? x ?>) -> tensor<?x2xf32> attributes {mj.entry} {
  %tokens = mj.batch_field %batch[positions] : <? x ? x ?>
  // expected-error@+1 {{'mj.fusion' does not say where the size of its result 'tensor<?x2xf32>' comes from: implement LeadingDimOpInterface}}
  %0 = mj.fusion(%t = %tokens : tensor<?xi32>) -> tensor<?x2xf32> {
    %c = arith.constant dense<0.0> : tensor<f32>
    %x = mj.broadcast %c like %t : tensor<f32>, tensor<?xi32> -> tensor<?x2xf32>
    mj.yield %x : tensor<?x2xf32>
  }
  return %0 : tensor<?x2xf32>
}

// -----

func.func @step(%batch: !mj.batch<? x ? x ?>) -> tensor<?x?xf32> attributes {mj.entry} {
  %tokens = mj.batch_field %batch[tokens] : <? x ? x ?>
  %c = arith.constant dense<0.0> : tensor<f32>
  // expected-error@+1 {{result 'tensor<2x?xf32>' has a dynamic size that is not its leading one}}
  %x = mj.broadcast %c like %tokens : tensor<f32>, tensor<?xi32> -> tensor<?x?xf32>
  return %x : tensor<?x?xf32>
}

// -----

func.func @step(%batch: !mj.batch<? x ? x ?>, %w: tensor<8x4xf32>) -> tensor<4x?xf32> attributes {mj.entry} {
  %tokens = mj.batch_field %batch[tokens] : <? x ? x ?>
  %x = mj.gather %w[%tokens] : tensor<8x4xf32>, tensor<?xi32> -> tensor<?x4xf32>
  // expected-error@+1 {{'mj.transpose' op mixes or moves rows, whose number is symbolic in its result 'tensor<4x?xf32>': only static shapes can be}}
  %y = mj.transpose %x [1, 0] : tensor<?x4xf32> -> tensor<4x?xf32>
  return %y : tensor<4x?xf32>
}
