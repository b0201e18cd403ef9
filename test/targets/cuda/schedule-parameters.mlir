// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics --lower-to-exec=target=cuda:sm_90a

// What a file says of schedules is looked at before anything is divided by it.
module {
func.func @pointwise(%a: tensor<4x64xf32>) -> tensor<4x64xf32> attributes {mj.entry} {
  // expected-error@+1 {{'mj.fusion' op has the schedule 'cuda.pointwise' without the parameter 'elements', an integer of at least 1; select-schedules chooses the parameters of a schedule}}
  %0 = mj.fusion(%x = %a : tensor<4x64xf32>) -> tensor<4x64xf32> schedule #mj.schedule<"cuda.pointwise"> {
    %1 = arith.addf %x, %x : tensor<4x64xf32>
    mj.yield %1 : tensor<4x64xf32>
  }
  return %0 : tensor<4x64xf32>
}
}

// -----

module {
func.func @nothing(%a: tensor<4x64xf32>) -> tensor<4x64xf32> attributes {mj.entry} {
  // expected-error@+1 {{'mj.fusion' op has the schedule 'cuda.rows' without the parameter 'threads', an integer of at least 1}}
  %0 = mj.fusion(%x = %a : tensor<4x64xf32>) -> tensor<4x64xf32> schedule #mj.schedule<"cuda.rows", {rows = 1 : i64, threads = 0 : i64}> {
    %1 = arith.addf %x, %x : tensor<4x64xf32>
    mj.yield %1 : tensor<4x64xf32>
  }
  return %0 : tensor<4x64xf32>
}
}

// -----

module {
func.func @other_operation(%a: tensor<4x64xf32>) -> tensor<4x64xf32> attributes {mj.entry} {
  // expected-error@+1 {{'mj.fusion' op has the schedule 'cuda.sample' and no mj.sample that it is for}}
  %0 = mj.fusion(%x = %a : tensor<4x64xf32>) -> tensor<4x64xf32> schedule #mj.schedule<"cuda.sample", {splits = 1 : i64, threads = 512 : i64}> {
    %1 = arith.addf %x, %x : tensor<4x64xf32>
    mj.yield %1 : tensor<4x64xf32>
  }
  return %0 : tensor<4x64xf32>
}
}

// -----

module {
func.func @other_target(%a: tensor<4x64xf32>) -> tensor<4x64xf32> attributes {mj.entry} {
  // expected-error@+1 {{'mj.fusion' op has the schedule 'host.rows', for which there are no CUDA kernels; select-schedules chooses one for the target}}
  %0 = mj.fusion(%x = %a : tensor<4x64xf32>) -> tensor<4x64xf32> schedule #mj.schedule<"host.rows"> {
    %1 = arith.addf %x, %x : tensor<4x64xf32>
    mj.yield %1 : tensor<4x64xf32>
  }
  return %0 : tensor<4x64xf32>
}
}

// -----

module {
func.func @groups(%q: tensor<64x2x64xbf16>) -> tensor<64x2x64xbf16> attributes {mj.entry} {
  // expected-error@+1 {{'mj.fusion' op has the schedule 'cuda.sdpa' without the parameter 'rows'}}
  %0 = mj.fusion(%x = %q : tensor<64x2x64xbf16>) -> tensor<64x2x64xbf16> schedule #mj.schedule<"cuda.sdpa", {groups = 1 : i64, keys = 128 : i64, threads = 256 : i64}> {
    %1 = mj.sdpa %x over [%x], [%x] scale 0.125 : tensor<64x2x64xbf16>, [tensor<64x2x64xbf16>], [tensor<64x2x64xbf16>] -> tensor<64x2x64xbf16>
    mj.yield %1 : tensor<64x2x64xbf16>
  }
  return %0 : tensor<64x2x64xbf16>
}
}

// -----

module {
func.func @few_stages(%q: tensor<4x16x128xbf16>, %b: !mj.batch<4 x 4 x 64> {mj.name = "batch"}, %c: !mj.kv<1 x 8 x 128 x bf16> {mj.name = "kv"}) -> tensor<4x16x128xbf16> attributes {mj.entry} {
  // expected-error@+1 {{has the schedule 'cuda.decode_attention' with stages = 1: a warp brings a tile while it works on another}}
  %0 = mj.fusion(%x = %q : tensor<4x16x128xbf16>, %k = %c : !mj.kv<1 x 8 x 128 x bf16>, %y = %b : !mj.batch<4 x 4 x 64>) -> tensor<4x16x128xbf16> schedule #mj.schedule<"cuda.decode_attention", {blocks = 128 : i64, keys = 16 : i64, splits = 4 : i64, stages = 1 : i64, threads = 128 : i64}> {
    %1 = mj.attention %x, %k[0] over %y scale 0.5 : tensor<4x16x128xbf16>, <1 x 8 x 128 x bf16>, <4 x 4 x 64> -> tensor<4x16x128xbf16>
    mj.yield %1 : tensor<4x16x128xbf16>
  }
  return %0 : tensor<4x16x128xbf16>
}
}

// -----

module {
func.func @three_blocks(%q: tensor<4x16x128xbf16>, %b: !mj.batch<4 x 4 x 64> {mj.name = "batch"}, %c: !mj.kv<1 x 8 x 128 x bf16> {mj.name = "kv"}) -> tensor<4x16x128xbf16> attributes {mj.entry} {
  // expected-error@+1 {{with splits = 3: 1, 2, 4 or 8 blocks of a cluster divide the elements of the results}}
  %0 = mj.fusion(%x = %q : tensor<4x16x128xbf16>, %k = %c : !mj.kv<1 x 8 x 128 x bf16>, %y = %b : !mj.batch<4 x 4 x 64>) -> tensor<4x16x128xbf16> schedule #mj.schedule<"cuda.decode_attention", {blocks = 128 : i64, keys = 16 : i64, splits = 3 : i64, stages = 3 : i64, threads = 128 : i64}> {
    %1 = mj.attention %x, %k[0] over %y scale 0.5 : tensor<4x16x128xbf16>, <1 x 8 x 128 x bf16>, <4 x 4 x 64> -> tensor<4x16x128xbf16>
    mj.yield %1 : tensor<4x16x128xbf16>
  }
  return %0 : tensor<4x16x128xbf16>
}
}

// -----

module {
func.func @part_of_a_warp(%q: tensor<4x16x128xbf16>, %b: !mj.batch<4 x 4 x 64> {mj.name = "batch"}, %c: !mj.kv<1 x 8 x 128 x bf16> {mj.name = "kv"}) -> tensor<4x16x128xbf16> attributes {mj.entry} {
  // expected-error@+1 {{with threads = 130: a block is up to 16 warps}}
  %0 = mj.fusion(%x = %q : tensor<4x16x128xbf16>, %k = %c : !mj.kv<1 x 8 x 128 x bf16>, %y = %b : !mj.batch<4 x 4 x 64>) -> tensor<4x16x128xbf16> schedule #mj.schedule<"cuda.decode_attention", {blocks = 128 : i64, keys = 16 : i64, splits = 4 : i64, stages = 3 : i64, threads = 130 : i64}> {
    %1 = mj.attention %x, %k[0] over %y scale 0.5 : tensor<4x16x128xbf16>, <1 x 8 x 128 x bf16>, <4 x 4 x 64> -> tensor<4x16x128xbf16>
    mj.yield %1 : tensor<4x16x128xbf16>
  }
  return %0 : tensor<4x16x128xbf16>
}
}

// -----

module {
func.func @keys(%q: tensor<4x16x128xbf16>, %b: !mj.batch<4 x 4 x 64> {mj.name = "batch"}, %c: !mj.kv<1 x 8 x 128 x bf16> {mj.name = "kv"}) -> tensor<4x16x128xbf16> attributes {mj.entry} {
  // expected-error@+1 {{with keys = 24: the tensor cores take 16 at a time, and a warp up to 64}}
  %0 = mj.fusion(%x = %q : tensor<4x16x128xbf16>, %k = %c : !mj.kv<1 x 8 x 128 x bf16>, %y = %b : !mj.batch<4 x 4 x 64>) -> tensor<4x16x128xbf16> schedule #mj.schedule<"cuda.decode_attention", {blocks = 128 : i64, keys = 24 : i64, splits = 4 : i64, stages = 3 : i64, threads = 128 : i64}> {
    %1 = mj.attention %x, %k[0] over %y scale 0.5 : tensor<4x16x128xbf16>, <1 x 8 x 128 x bf16>, <4 x 4 x 64> -> tensor<4x16x128xbf16>
    mj.yield %1 : tensor<4x16x128xbf16>
  }
  return %0 : tensor<4x16x128xbf16>
}
}

// -----

module {
func.func @part_of_a_cluster(%q: tensor<4x16x128xbf16>, %b: !mj.batch<4 x 4 x 64> {mj.name = "batch"}, %c: !mj.kv<1 x 8 x 128 x bf16> {mj.name = "kv"}) -> tensor<4x16x128xbf16> attributes {mj.entry} {
  // expected-error@+1 {{with blocks = 126: they are whole clusters}}
  %0 = mj.fusion(%x = %q : tensor<4x16x128xbf16>, %k = %c : !mj.kv<1 x 8 x 128 x bf16>, %y = %b : !mj.batch<4 x 4 x 64>) -> tensor<4x16x128xbf16> schedule #mj.schedule<"cuda.decode_attention", {blocks = 126 : i64, keys = 16 : i64, splits = 4 : i64, stages = 3 : i64, threads = 128 : i64}> {
    %1 = mj.attention %x, %k[0] over %y scale 0.5 : tensor<4x16x128xbf16>, <1 x 8 x 128 x bf16>, <4 x 4 x 64> -> tensor<4x16x128xbf16>
    mj.yield %1 : tensor<4x16x128xbf16>
  }
  return %0 : tensor<4x16x128xbf16>
}
}

// -----

module {
mj.weight @w : tensor<128x1024xbf16> from "w"
func.func @slices(%a: tensor<32x1024xbf16>) -> tensor<32x128xbf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<128x1024xbf16>
  // expected-error@+1 {{has the schedule 'cuda.small_matmul' that divides K = 1024, 480 elements at a time, into 15 parts that are not multiples of 32}}
  %0 = mj.fusion(%x = %a : tensor<32x1024xbf16>, %y = %w : tensor<128x1024xbf16>) -> tensor<32x128xbf16> schedule #mj.schedule<"cuda.small_matmul", {columns = 8 : i64, group_columns = 8 : i64, slices = 15 : i64, splits = 1 : i64, stage_k = 480 : i64, stages = 3 : i64, threads = 480 : i64}> {
    %1 = mj.matmul %x, %y {transpose_b} : tensor<32x1024xbf16>, tensor<128x1024xbf16> -> tensor<32x128xbf16>
    mj.yield %1 : tensor<32x128xbf16>
  }
  return %0 : tensor<32x128xbf16>
}
}

// -----

module {
mj.weight @w : tensor<128x1024xbf16> from "w"
func.func @held(%a: tensor<32x1024xbf16>) -> tensor<32x128xbf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<128x1024xbf16>
  // expected-error@+1 {{has the schedule 'cuda.small_matmul' with held = 4: threads hold weights where blocks copy x (shares), each warp has one group of columns, and its part of K falls into pieces of 64 bytes}}
  %0 = mj.fusion(%x = %a : tensor<32x1024xbf16>, %y = %w : tensor<128x1024xbf16>) -> tensor<32x128xbf16> schedule #mj.schedule<"cuda.small_matmul", {columns = 16 : i64, group_columns = 8 : i64, held = 4 : i64, shares = 2 : i64, slices = 4 : i64, splits = 1 : i64, stage_k = 1024 : i64, stages = 1 : i64, threads = 128 : i64}> {
    %1 = mj.matmul %x, %y {transpose_b} : tensor<32x1024xbf16>, tensor<128x1024xbf16> -> tensor<32x128xbf16>
    mj.yield %1 : tensor<32x128xbf16>
  }
  return %0 : tensor<32x128xbf16>
}
}

// -----

module {
mj.weight @w : tensor<4096x4096xf8E4M3FN> from "w"
func.func @streamed(%a: tensor<4x4096xbf16>) -> tensor<4x4096xbf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<4096x4096xf8E4M3FN>
  // expected-error@+1 {{has the schedule 'cuda.streamed_matmul' for 4 rows of 4096 elements by weights of 1 bytes an element, which its tiles do not divide; it is for up to 16 rows and weights in f8}}
  %0 = mj.fusion(%x = %a : tensor<4x4096xbf16>, %y = %w : tensor<4096x4096xf8E4M3FN>) -> tensor<4x4096xbf16> schedule #mj.schedule<"cuda.streamed_matmul", {blocks = 1 : i64, columns = 32 : i64, group_columns = 32 : i64, splits = 1 : i64, stages = 4 : i64, threads = 384 : i64, window = 2 : i64}> {
    %1 = mj.matmul %x, %y {transpose_b} : tensor<4x4096xbf16>, tensor<4096x4096xf8E4M3FN> -> tensor<4x4096xbf16>
    mj.yield %1 : tensor<4x4096xbf16>
  }
  return %0 : tensor<4x4096xbf16>
}
}

// -----

module {
func.func @lanes(%a: tensor<4x64xf32>) -> tensor<4x64xf32> attributes {mj.entry} {
  // expected-error@+1 {{has the schedule 'cuda.lines' of 3 lanes a line of 64 elements in blocks of 96 threads; lanes are a power of two that divides the threads, or all of them beyond a warp, and hold up to 8 vectors each}}
  %0 = mj.fusion(%x = %a : tensor<4x64xf32>) -> tensor<4x64xf32> schedule #mj.schedule<"cuda.lines", {lanes = 3 : i64, threads = 96 : i64}> {
    %1 = mj.softmax %x : tensor<4x64xf32> -> tensor<4x64xf32>
    mj.yield %1 : tensor<4x64xf32>
  }
  return %0 : tensor<4x64xf32>
}
}

// -----

module {
func.func @lines(%a: tensor<4x64xf32>) -> tensor<64xf32> attributes {mj.entry} {
  // expected-error@+1 {{has the schedule 'cuda.lines' and results that are not made line by line}}
  %0 = mj.fusion(%x = %a : tensor<4x64xf32>) -> tensor<64xf32> schedule #mj.schedule<"cuda.lines", {lanes = 16 : i64, threads = 128 : i64}> {
    %1 = mj.reduce sum %x over [0] : tensor<4x64xf32> -> tensor<64xf32>
    mj.yield %1 : tensor<64xf32>
  }
  return %0 : tensor<64xf32>
}
}

// -----

module {
func.func @whole(%a: tensor<4x64xf32>) -> tensor<4x64xf32> attributes {mj.entry} {
  %0 = mj.fusion(%x = %a : tensor<4x64xf32>) -> tensor<4x64xf32> schedule #mj.schedule<"cuda.pointwise", {elements = 8 : i64, threads = 128 : i64}> {
    %1 = arith.addf %x, %x : tensor<4x64xf32>
    mj.yield %1 : tensor<4x64xf32>
  }
  return %0 : tensor<4x64xf32>
}
}
