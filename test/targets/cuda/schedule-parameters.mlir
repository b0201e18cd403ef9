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
func.func @whole(%a: tensor<4x64xf32>) -> tensor<4x64xf32> attributes {mj.entry} {
  %0 = mj.fusion(%x = %a : tensor<4x64xf32>) -> tensor<4x64xf32> schedule #mj.schedule<"cuda.pointwise", {elements = 8 : i64, threads = 128 : i64}> {
    %1 = arith.addf %x, %x : tensor<4x64xf32>
    mj.yield %1 : tensor<4x64xf32>
  }
  return %0 : tensor<4x64xf32>
}
}
