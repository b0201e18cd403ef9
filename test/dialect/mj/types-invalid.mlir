// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{sizes of a batch must be positive or '?'}}
func.func private @f(!mj.batch<0 x 1 x 1>)

// -----

// expected-error @+1 {{sizes of a batch must be positive or '?'}}
func.func private @f(!mj.batch<4 x -1 x 1>)

// -----

// expected-error @+1 {{a batch of 4 sequences needs at least as many token rows, not 2}}
func.func private @f(!mj.batch<2 x 4 x 1>)

// -----

// expected-error @+1 {{expected integer value}}
func.func private @f(!mj.batch<T x 4 x 1>)

// -----

// expected-error @+1 {{a KV cache needs positive sizes}}
func.func private @f(!mj.kv<1 x 0 x 4 x f32>)

// -----

// expected-error @+1 {{a KV cache needs positive sizes}}
func.func private @f(!mj.kv<? x 2 x 4 x f32>)

// -----

// expected-error @+1 {{a KV cache holds f32, f16, bf16 or f8E4M3FN, not 'i8'}}
func.func private @f(!mj.kv<1 x 2 x 4 x i8>)

// -----

// expected-error @+1 {{the sequences of sampling parameters must be positive or '?'}}
func.func private @f(!mj.sampling<0>)
