// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics --allow-unregistered-dialect
// What mj.entry asks of a function, so that passes may rely on it, and the module's attributes.

// expected-error@+1 {{is no function: 'mj.entry' marks the functions that become entry points}}
module attributes {mj.entry} {
}

// -----

// expected-error@+1 {{is an entry, which needs a body of one block}}
func.func private @declared(tensor<4xf32>) attributes {mj.entry}

// -----

// expected-error@+1 {{is an entry, which needs a body of one block}}
func.func @blocks(%x: tensor<4xf32>) attributes {mj.entry} {
  "test.br"()[^next] : () -> ()
^next:
  return
}

// -----

// expected-error@+1 {{is an entry, which takes ranked tensors, a batch, a KV cache and sampling parameters, not 'f32'}}
func.func @argument(%x: f32) attributes {mj.entry} {
  return
}

// -----

// expected-error@+1 {{is an entry, which takes ranked tensors, a batch, a KV cache and sampling parameters, not 'tensor<*xf32>'}}
func.func @unranked(%x: tensor<*xf32>) attributes {mj.entry} {
  return
}

// -----

// expected-error@+1 {{is an entry, which takes at most one batch}}
func.func @batches(%x: !mj.batch<2 x 1 x 1>, %y: !mj.batch<2 x 1 x 1>) attributes {mj.entry} {
  return
}

// -----

// expected-error@+1 {{is an entry, which takes at most one KV cache}}
func.func @caches(%x: !mj.kv<1 x 1 x 4 x f32>, %y: !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry} {
  return
}

// -----

// expected-error@+1 {{is an entry, which takes at most one set of sampling parameters}}
func.func @samplings(%x: !mj.sampling<2>, %y: !mj.sampling<2>) attributes {mj.entry} {
  return
}

// -----

// expected-error@+1 {{is an entry, which returns ranked tensors and its KV cache, not '!mj.batch<2 x 1 x 1>'}}
func.func @result(%x: !mj.batch<2 x 1 x 1>) -> !mj.batch<2 x 1 x 1> attributes {mj.entry} {
  return %x : !mj.batch<2 x 1 x 1>
}

// -----

// A function that is no entry may be what it likes.
func.func private @anything(f32, !mj.batch<2 x 1 x 1>, !mj.batch<2 x 1 x 1>) -> f32

// -----

// expected-error@+1 {{needs a dictionary as 'mj.model'}}
module attributes {mj.model = "Qwen3"} {
}

// -----

// expected-error@+1 {{needs a positive number of tokens as 'mj.page_size'}}
module attributes {mj.page_size = 0 : i64} {
}

// -----

// expected-error@+1 {{needs a positive number of tokens as 'mj.page_size'}}
module attributes {mj.page_size = "16"} {
}

// -----

// expected-error@+1 {{has the argument 0 with 'mj.state', which wants a name, and a tensor that bears it}}
func.func @main(%x: tensor<4xf32> {mj.state = 4 : i64}) attributes {mj.entry} {
  return
}

// -----

// expected-error@+1 {{has the result 0 with 'mj.state', which wants a name, and a tensor that bears it}}
func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32> {mj.state = ""}) attributes {mj.entry} {
  return %x : tensor<4xf32>
}

// -----

// expected-error@+1 {{has the state 'x' as two arguments}}
func.func @main(%x: tensor<4xf32> {mj.state = "x"}, %y: tensor<4xf32> {mj.state = "x"}) attributes {mj.entry} {
  return
}

// -----

// expected-error@+1 {{takes the state 'x' as 'tensor<4xf32>' and returns it as 'tensor<2xf32>'}}
func.func @main(%x: tensor<4xf32> {mj.state = "x"}, %y: tensor<2xf32>) -> (tensor<2xf32> {mj.state = "x"}) attributes {mj.entry} {
  return %y : tensor<2xf32>
}
