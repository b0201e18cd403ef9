// RUN: mjolnir-opt %s --split-input-file --verify-diagnostics --select-schedules=target=host:x86-64-v3
// RUN: not mjolnir-opt %s --split-input-file --select-schedules=target=toaster 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not mjolnir-opt %s --split-input-file --select-schedules=target=host:z80 2>&1 | FileCheck %s --check-prefix=CPU
// TARGET: error: unknown target 'toaster'; there are:
// TARGET-NEXT: cuda
// TARGET-NEXT: host
// CPU: error: target 'host:z80': LLVM knows no x86_64 CPU 'z80'

func.func @heads(%q: tensor<4x1x6xf32>, %batch: !mj.batch<4 x 4 x 1>, %kv: !mj.kv<1 x 1 x 6 x f32>) -> tensor<4x1x6xf32> attributes {mj.entry} {
  // expected-error@+1 {{needs attention over heads of 6 elements; the host has kernels for multiples of 8 up to 256}}
  %a = mj.fusion(%0 = %q : tensor<4x1x6xf32>, %1 = %kv : !mj.kv<1 x 1 x 6 x f32>, %2 = %batch : !mj.batch<4 x 4 x 1>) -> tensor<4x1x6xf32> {
    %r = mj.attention %0, %1[0] over %2 scale 0.5 : tensor<4x1x6xf32>, <1 x 1 x 6 x f32>, <4 x 4 x 1> -> tensor<4x1x6xf32>
    mj.yield %r : tensor<4x1x6xf32>
  }
  return %a : tensor<4x1x6xf32>
}

// -----

func.func @cache(%q: tensor<4x1x8xbf16>, %batch: !mj.batch<4 x 4 x 1>, %kv: !mj.kv<1 x 1 x 8 x f16>) -> tensor<4x1x8xbf16> attributes {mj.entry} {
  // expected-error@+1 {{needs attention of 'tensor<4x1x8xbf16>' over a cache of 'f16'; the host has kernels for f32 and bf16 over caches of f32, bf16 and f8E4M3FN}}
  %a = mj.fusion(%0 = %q : tensor<4x1x8xbf16>, %1 = %kv : !mj.kv<1 x 1 x 8 x f16>, %2 = %batch : !mj.batch<4 x 4 x 1>) -> tensor<4x1x8xbf16> {
    %r = mj.attention %0, %1[0] over %2 scale 0.5 : tensor<4x1x8xbf16>, <1 x 1 x 8 x f16>, <4 x 4 x 1> -> tensor<4x1x8xbf16>
    mj.yield %r : tensor<4x1x8xbf16>
  }
  return %a : tensor<4x1x8xbf16>
}

// -----

mj.weight @w : tensor<8x16xf16> from "w"
func.func @epilogue(%x: tensor<4x16xbf16>) -> tensor<4x8xbf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<8x16xf16>
  // expected-error@+1 {{holds a matmul of 'tensor<4x16xbf16>' and 'tensor<8x16xf16>' with an epilogue; the host fuses epilogues into matmuls with packed f32, bf16 or f8E4M3FN weights only}}
  %y = mj.fusion(%a = %x : tensor<4x16xbf16>, %b = %w : tensor<8x16xf16>) -> tensor<4x8xbf16> {
    %m = mj.matmul %a, %b {transpose_b} : tensor<4x16xbf16>, tensor<8x16xf16> -> tensor<4x8xbf16>
    %n = arith.negf %m : tensor<4x8xbf16>
    mj.yield %n : tensor<4x8xbf16>
  }
  return %y : tensor<4x8xbf16>
}

// -----

func.func @reads_rows(%x: tensor<4x4xf32>) -> tensor<4x4xf32> attributes {mj.entry} {
  // expected-error @+1 {{'mj.fusion' op reads all rows of what it computes row by row ('math.exp', read by 'mj.transpose'); they need regions of their own}}
  %y = mj.fusion(%a = %x : tensor<4x4xf32>) -> tensor<4x4xf32> {
    %e = math.exp %a : tensor<4x4xf32>
    %t = mj.transpose %e [1, 0] : tensor<4x4xf32> -> tensor<4x4xf32>
    mj.yield %t : tensor<4x4xf32>
  }
  return %y : tensor<4x4xf32>
}

// -----

// 4 bytes for each of 300000 elements that are kept until their sum is known.
func.func @long_row(%x: tensor<2x300000xf32>) -> tensor<2x300000xf32> attributes {mj.entry} {
  // expected-error @+1 {{'mj.fusion' op needs 1200000 bytes of buffers for one row; the host's kernels have 1048576: reduce over fewer elements, or in two steps}}
  %y = mj.fusion(%a = %x : tensor<2x300000xf32>) -> tensor<2x300000xf32> {
    %s = mj.softmax %a : tensor<2x300000xf32> -> tensor<2x300000xf32>
    mj.yield %s : tensor<2x300000xf32>
  }
  return %y : tensor<2x300000xf32>
}

// -----

func.func @two(%x: tensor<2x4x4xf32>) -> tensor<2x4x4xf32> attributes {mj.entry} {
  // expected-error @+1 {{'mj.fusion' op has no kernel on the host: it holds 'arith.negf', too; 'mj.batch_matmul' is a region of its own}}
  %y = mj.fusion(%a = %x : tensor<2x4x4xf32>) -> tensor<2x4x4xf32> {
    %p = mj.batch_matmul %a, %a : tensor<2x4x4xf32>, tensor<2x4x4xf32> -> tensor<2x4x4xf32>
    %n = arith.negf %p : tensor<2x4x4xf32>
    mj.yield %n : tensor<2x4x4xf32>
  }
  return %y : tensor<2x4x4xf32>
}

// -----

func.func @f8(%x: tensor<2x4x4xf8E4M3FN>) -> tensor<2x4x4xf32> attributes {mj.entry} {
  // expected-error @+1 {{'mj.fusion' op has no kernel on the host: its operands are f8E4M3FN; the host computes 'mj.batch_matmul' in f32, bf16 and f16: dequantize them before}}
  %y = mj.fusion(%a = %x : tensor<2x4x4xf8E4M3FN>) -> tensor<2x4x4xf32> {
    %p = mj.batch_matmul %a, %a : tensor<2x4x4xf8E4M3FN>, tensor<2x4x4xf8E4M3FN> -> tensor<2x4x4xf32>
    mj.yield %p : tensor<2x4x4xf32>
  }
  return %y : tensor<2x4x4xf32>
}

// -----

func.func @wide_heads(%x: tensor<2x1x5000xf32>) -> tensor<2x1x5000xf32> attributes {mj.entry} {
  // expected-error @+1 {{'mj.fusion' op has no kernel on the host: it needs}}
  %y = mj.fusion(%a = %x : tensor<2x1x5000xf32>) -> tensor<2x1x5000xf32> {
    %p = mj.sdpa %a over [%a], [%a] scale 1.0 : tensor<2x1x5000xf32>, [tensor<2x1x5000xf32>], [tensor<2x1x5000xf32>] -> tensor<2x1x5000xf32>
    mj.yield %p : tensor<2x1x5000xf32>
  }
  return %y : tensor<2x1x5000xf32>
}
