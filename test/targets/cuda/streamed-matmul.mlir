// Matmuls of few rows by codes of many columns get kernels whose weights stream, on the chip that they were measured on.
// RUN: mjolnir-opt %s --verify-roundtrip --select-schedules=target=cuda:sm_90a | FileCheck %s
// RUN: mjolnir-opt %s --verify-roundtrip --select-schedules=target=cuda:sm_120f | FileCheck %s --check-prefix=OTHER
// OTHER-NOT: cuda.streamed_matmul
// RUN: mjolnir-opt %s --select-schedules=target=cuda:sm_90a --hoist-weight-computation --lower-to-exec=target=cuda:sm_90a | FileCheck %s --check-prefix=BLOCKS

module {
mj.weight @square : tensor<4096x4096xf8E4M3FN> from "square"
mj.weight @pair : tensor<2048x4096xf8E4M3FN> from "pair"
mj.weight @wide : tensor<14336x4096xf8E4M3FN> from "wide"
mj.weight @long : tensor<8192x8192xf8E4M3FN> from "long"
mj.weight @deep : tensor<4096x12288xf8E4M3FN> from "deep"
mj.weight @head : tensor<65536x4096xf8E4M3FN> from "head"
mj.weight @middle : tensor<5120x4096xf8E4M3FN> from "middle"
mj.weight @short : tensor<32768x2048xf8E4M3FN> from "short"
mj.weight @small : tensor<1024x4096xf8E4M3FN> from "small"
mj.weight @bf16 : tensor<14336x4096xbf16> from "bf16"
mj.weight @scale : tensor<4096xf32> from "scale"
mj.weight @norm : tensor<4096xbf16> from "norm"

// 32 columns for each of 128 of 132 multiprocessors, which two launches share. A warp has eight boxes: six in shared
// memory, and two in registers, so that the next launch may start with this one. Beside rows of x in registers there is
// no room for the last.
// CHECK-LABEL: func.func @one_row
// CHECK: schedule #mj.schedule<"cuda.streamed_matmul", {blocks = 2 : i64, columns = 32 : i64, group_columns = 32 : i64, held = 2 : i64, late = 0 : i64, splits = 1 : i64, stages = 6 : i64, threads = 256 : i64, window = 2 : i64}>
// BLOCKS: exec.kernel @{{.*}} schedule <"cuda.streamed_matmul", {blocks = 2 {{.*}}> tiles 128 {{.*}} early [1, 2] 
func.func @one_row(%a: tensor<1x4096xbf16>) -> tensor<1x4096xbf16> attributes {mj.entry} {
  %w = mj.get_weight @square : tensor<4096x4096xf8E4M3FN>
  %s = mj.get_weight @scale : tensor<4096xf32>
  %0 = mj.fusion(%x = %a : tensor<1x4096xbf16>, %y = %w : tensor<4096x4096xf8E4M3FN>, %z = %s : tensor<4096xf32>) -> tensor<1x4096xbf16> {
    %1 = mj.matmul %x, %y scaled by %z {transpose_b} : tensor<1x4096xbf16>, tensor<4096x4096xf8E4M3FN>, tensor<4096xf32> -> tensor<1x4096xbf16>
    mj.yield %1 : tensor<1x4096xbf16>
  }
  return %0 : tensor<1x4096xbf16>
}

// Two matmuls of a set have 16 columns each in a block; rows under a norm are read where they lie.
// CHECK-LABEL: func.func @two_weights
// CHECK: schedule #mj.schedule<"cuda.streamed_matmul", {blocks = 2 : i64, columns = 16 : i64, group_columns = 16 : i64, held = 1 : i64, late = 1 : i64,
func.func @two_weights(%a: tensor<8x4096xbf16>) -> tensor<8x2048xbf16> attributes {mj.entry} {
  %w = mj.get_weight @pair : tensor<2048x4096xf8E4M3FN>
  %n = mj.get_weight @norm : tensor<4096xbf16>
  %0 = mj.fusion(%x = %a : tensor<8x4096xbf16>, %m = %n : tensor<4096xbf16>, %y = %w : tensor<2048x4096xf8E4M3FN>) -> tensor<8x2048xbf16> {
    %1 = mj.norm rms %x, weight %m eps 1.000000e-06 : tensor<8x4096xbf16>, weight tensor<4096xbf16> -> tensor<8x4096xbf16>
    %2 = mj.matmul %1, %y {transpose_b} : tensor<8x4096xbf16>, tensor<2048x4096xf8E4M3FN> -> tensor<8x2048xbf16>
    %3 = mj.matmul %1, %y {transpose_b} : tensor<8x4096xbf16>, tensor<2048x4096xf8E4M3FN> -> tensor<8x2048xbf16>
    %4 = arith.mulf %2, %3 : tensor<8x2048xbf16>
    mj.yield %4 : tensor<8x2048xbf16>
  }
  return %0 : tensor<8x2048xbf16>
}

// 14336 columns are 112 for each of 128 blocks.
// CHECK-LABEL: func.func @many_columns
// CHECK: schedule #mj.schedule<"cuda.streamed_matmul", {blocks = 1 : i64, columns = 112 : i64, group_columns = 16 : i64, held = 0 : i64, late = 1 : i64, splits = 1 : i64, stages = 6 : i64, threads = 512 : i64, window = 2 : i64}>
func.func @many_columns(%a: tensor<4x4096xbf16>) -> tensor<4x14336xbf16> attributes {mj.entry} {
  %w = mj.get_weight @wide : tensor<14336x4096xf8E4M3FN>
  %0 = mj.fusion(%x = %a : tensor<4x4096xbf16>, %y = %w : tensor<14336x4096xf8E4M3FN>) -> tensor<4x14336xbf16> {
    %1 = mj.matmul %x, %y {transpose_b} : tensor<4x4096xbf16>, tensor<14336x4096xf8E4M3FN> -> tensor<4x14336xbf16>
    mj.yield %1 : tensor<4x14336xbf16>
  }
  return %0 : tensor<4x14336xbf16>
}

// x of many elements is divided between two blocks.
// CHECK-LABEL: func.func @many_elements
// CHECK: schedule #mj.schedule<"cuda.streamed_matmul", {blocks = 1 : i64, columns = 128 : i64, group_columns = 16 : i64, held = 0 : i64, late = 1 : i64, splits = 2 : i64, stages = 5 : i64, threads = 512 : i64, window = 1 : i64}>
func.func @many_elements(%a: tensor<16x8192xbf16>) -> tensor<16x8192xbf16> attributes {mj.entry} {
  %w = mj.get_weight @long : tensor<8192x8192xf8E4M3FN>
  %0 = mj.fusion(%x = %a : tensor<16x8192xbf16>, %y = %w : tensor<8192x8192xf8E4M3FN>) -> tensor<16x8192xbf16> {
    %1 = mj.matmul %x, %y {transpose_b} : tensor<16x8192xbf16>, tensor<8192x8192xf8E4M3FN> -> tensor<16x8192xbf16>
    mj.yield %1 : tensor<16x8192xbf16>
  }
  return %0 : tensor<16x8192xbf16>
}

// Among four, where two could not hold it; each warp has 256 elements of K.
// CHECK-LABEL: func.func @too_many_elements
// CHECK: schedule #mj.schedule<"cuda.streamed_matmul", {blocks = 1 : i64, columns = 144 : i64, group_columns = 16 : i64, held = 0 : i64, late = 1 : i64, splits = 4 : i64, stages = 7 : i64, threads = 384 : i64, window = 1 : i64}>
func.func @too_many_elements(%a: tensor<16x12288xbf16>) -> tensor<16x4096xbf16> attributes {mj.entry} {
  %w = mj.get_weight @deep : tensor<4096x12288xf8E4M3FN>
  %0 = mj.fusion(%x = %a : tensor<16x12288xbf16>, %y = %w : tensor<4096x12288xf8E4M3FN>) -> tensor<16x4096xbf16> {
    %1 = mj.matmul %x, %y {transpose_b} : tensor<16x12288xbf16>, tensor<4096x12288xf8E4M3FN> -> tensor<16x4096xbf16>
    mj.yield %1 : tensor<16x4096xbf16>
  }
  return %0 : tensor<16x4096xbf16>
}

// Few columns of a K so long that two blocks do not hold the weights: one. Many: warps that divide K between two blocks.
// CHECK-LABEL: func.func @long_and_many
// CHECK: schedule #mj.schedule<"cuda.streamed_matmul", {blocks = 1 : i64, columns = 32 : i64, group_columns = 16 : i64, held = 0 : i64, late = 0 : i64, splits = 1 : i64,
// CHECK: schedule #mj.schedule<"cuda.streamed_matmul", {blocks = 1 : i64, columns = 1024 : i64, group_columns = 32 : i64, held = 0 : i64, late = 0 : i64, splits = 2 : i64,
func.func @long_and_many(%a: tensor<1x12288xbf16>, %b: tensor<1x4096xbf16>) -> (tensor<1x4096xbf16>, tensor<1x65536xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @deep : tensor<4096x12288xf8E4M3FN>
  %h = mj.get_weight @head : tensor<65536x4096xf8E4M3FN>
  %0 = mj.fusion(%x = %a : tensor<1x12288xbf16>, %y = %w : tensor<4096x12288xf8E4M3FN>) -> tensor<1x4096xbf16> {
    %2 = mj.matmul %x, %y {transpose_b} : tensor<1x12288xbf16>, tensor<4096x12288xf8E4M3FN> -> tensor<1x4096xbf16>
    mj.yield %2 : tensor<1x4096xbf16>
  }
  %1 = mj.fusion(%x = %b : tensor<1x4096xbf16>, %y = %h : tensor<65536x4096xf8E4M3FN>) -> tensor<1x65536xbf16> {
    %2 = mj.matmul %x, %y {transpose_b} : tensor<1x4096xbf16>, tensor<65536x4096xf8E4M3FN> -> tensor<1x65536xbf16>
    mj.yield %2 : tensor<1x65536xbf16>
  }
  return %0, %1 : tensor<1x4096xbf16>, tensor<1x65536xbf16>
}

// Near misses: more rows than eight by few columns, more than 16, a short K, weights that fit, columns that leave
// multiprocessors without a block, weights in bf16, x that is computed.
// CHECK-LABEL: func.func @misses
// CHECK-COUNT-7: cuda.{{(small|tensor)}}_matmul
// CHECK-NOT: cuda.streamed_matmul
func.func @misses(%a: tensor<16x4096xbf16>, %b: tensor<17x4096xbf16>, %c: tensor<4x2048xbf16>, %d: tensor<4x4096xbf16>) -> (tensor<16x4096xbf16>, tensor<17x14336xbf16>, tensor<4x32768xbf16>, tensor<4x1024xbf16>, tensor<4x5120xbf16>, tensor<4x14336xbf16>, tensor<4x14336xbf16>) attributes {mj.entry} {
  %w0 = mj.get_weight @square : tensor<4096x4096xf8E4M3FN>
  %w1 = mj.get_weight @wide : tensor<14336x4096xf8E4M3FN>
  %w2 = mj.get_weight @short : tensor<32768x2048xf8E4M3FN>
  %w3 = mj.get_weight @small : tensor<1024x4096xf8E4M3FN>
  %w4 = mj.get_weight @middle : tensor<5120x4096xf8E4M3FN>
  %w5 = mj.get_weight @bf16 : tensor<14336x4096xbf16>
  %0 = mj.fusion(%x = %a : tensor<16x4096xbf16>, %y = %w0 : tensor<4096x4096xf8E4M3FN>) -> tensor<16x4096xbf16> {
    %7 = mj.matmul %x, %y {transpose_b} : tensor<16x4096xbf16>, tensor<4096x4096xf8E4M3FN> -> tensor<16x4096xbf16>
    mj.yield %7 : tensor<16x4096xbf16>
  }
  %1 = mj.fusion(%x = %b : tensor<17x4096xbf16>, %y = %w1 : tensor<14336x4096xf8E4M3FN>) -> tensor<17x14336xbf16> {
    %7 = mj.matmul %x, %y {transpose_b} : tensor<17x4096xbf16>, tensor<14336x4096xf8E4M3FN> -> tensor<17x14336xbf16>
    mj.yield %7 : tensor<17x14336xbf16>
  }
  %2 = mj.fusion(%x = %c : tensor<4x2048xbf16>, %y = %w2 : tensor<32768x2048xf8E4M3FN>) -> tensor<4x32768xbf16> {
    %7 = mj.matmul %x, %y {transpose_b} : tensor<4x2048xbf16>, tensor<32768x2048xf8E4M3FN> -> tensor<4x32768xbf16>
    mj.yield %7 : tensor<4x32768xbf16>
  }
  %3 = mj.fusion(%x = %d : tensor<4x4096xbf16>, %y = %w3 : tensor<1024x4096xf8E4M3FN>) -> tensor<4x1024xbf16> {
    %7 = mj.matmul %x, %y {transpose_b} : tensor<4x4096xbf16>, tensor<1024x4096xf8E4M3FN> -> tensor<4x1024xbf16>
    mj.yield %7 : tensor<4x1024xbf16>
  }
  %4 = mj.fusion(%x = %d : tensor<4x4096xbf16>, %y = %w4 : tensor<5120x4096xf8E4M3FN>) -> tensor<4x5120xbf16> {
    %7 = mj.matmul %x, %y {transpose_b} : tensor<4x4096xbf16>, tensor<5120x4096xf8E4M3FN> -> tensor<4x5120xbf16>
    mj.yield %7 : tensor<4x5120xbf16>
  }
  %5 = mj.fusion(%x = %d : tensor<4x4096xbf16>, %y = %w5 : tensor<14336x4096xbf16>) -> tensor<4x14336xbf16> {
    %7 = mj.matmul %x, %y {transpose_b} : tensor<4x4096xbf16>, tensor<14336x4096xbf16> -> tensor<4x14336xbf16>
    mj.yield %7 : tensor<4x14336xbf16>
  }
  %6 = mj.fusion(%x = %d : tensor<4x4096xbf16>, %y = %w1 : tensor<14336x4096xf8E4M3FN>) -> tensor<4x14336xbf16> {
    %7 = arith.addf %x, %x : tensor<4x4096xbf16>
    %8 = mj.matmul %7, %y {transpose_b} : tensor<4x4096xbf16>, tensor<14336x4096xf8E4M3FN> -> tensor<4x14336xbf16>
    mj.yield %8 : tensor<4x14336xbf16>
  }
  return %0, %1, %2, %3, %4, %5, %6 : tensor<16x4096xbf16>, tensor<17x14336xbf16>, tensor<4x32768xbf16>, tensor<4x1024xbf16>, tensor<4x5120xbf16>, tensor<4x14336xbf16>, tensor<4x14336xbf16>
}
}
