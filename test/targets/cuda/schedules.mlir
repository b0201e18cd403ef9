// Schedules and their parameters on each chip, thread blocks of each launch.
// RUN: split-file %s %t
// RUN: mjolnir-opt %t/schedules.mlir --verify-roundtrip --select-schedules=target=cuda:sm_90a | FileCheck %s --check-prefixes=CHECK,H200
// RUN: mjolnir-opt %t/schedules.mlir --verify-roundtrip --select-schedules=target=cuda:sm_110f | FileCheck %s --check-prefixes=CHECK,THOR
// RUN: mjolnir-opt %t/schedules.mlir --verify-roundtrip --select-schedules=target=cuda:sm_120f | FileCheck %s --check-prefixes=CHECK,RTX
// RUN: mjolnir-opt %t/schedules.mlir --select-schedules=target=cuda:sm_90a --hoist-weight-computation --plan-paged-kv=target=cuda:sm_90a --lower-to-exec=target=cuda:sm_90a | FileCheck %s --check-prefix=BLOCKS
// RUN: mjolnir-opt %t/schedules.mlir --select-schedules=target=cuda:sm_90a --remarks-filter=select-schedules --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// REMARK: @q stays row-major
// REMARK: regions by schedule: 8 cuda.small_matmul, 3 cuda.tensor_matmul, 1 cuda.batch_matmul, 1 cuda.decode_attention, 1 cuda.sample, 1 cuda.prefill_attention, 1 cuda.sdpa, 3 cuda.lines, 1 cuda.gather, 2 cuda.pointwise, 1 cuda.columns

// The oracle is no GPU's, and a chip has to be named.
// RUN: not mjolnir-opt %t/schedules.mlir --select-schedules="target=cuda:sm_90a oracle" 2>&1 | FileCheck %s --check-prefix=ORACLE
// ORACLE: error: 'mj.fusion' op has no plain schedule on a GPU: the oracle runs on the host, with --target=host
// RUN: not mjolnir-opt %t/schedules.mlir --select-schedules=target=cuda 2>&1 | FileCheck %s --check-prefix=CHIP
// CHIP: error: target 'cuda': name a chip; there are cuda:sm_90a cuda:sm_110f cuda:sm_120f
// RUN: not mjolnir-opt %t/schedules.mlir --select-schedules=target=cuda:sm_52 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: target 'cuda:sm_52': no such chip; there are cuda:sm_90a

// A matmul of 4 rows: 4096 columns are 32 for each of 132 multiprocessors (31.03, in eights), 208 for each of 20, 64 for
// each of 70. 32 columns are two groups of 16; four warps share each, whose 32 KB of weights go to shared memory at once. 13
// groups are more than the warps: each takes a group after the other, 8 KB at a time. Four groups of two slices are 8
// warps; where a block has 99 KB, a group brings 4 KB at a time.
// CHECK-LABEL: func.func @matmuls
// H200: schedule #mj.schedule<"cuda.small_matmul", {columns = 32 : i64, group_columns = 16 : i64, late = 1 : i64, shares = 0 : i64, slices = 4 : i64, splits = 1 : i64, stage_k = 1024 : i64, stages = 1 : i64, threads = 256 : i64}>
// THOR: schedule #mj.schedule<"cuda.small_matmul", {columns = 208 : i64, group_columns = 16 : i64, late = 1 : i64, shares = 0 : i64, slices = 1 : i64, splits = 1 : i64, stage_k = 256 : i64, stages = 2 : i64, threads = 256 : i64}>
// RTX: schedule #mj.schedule<"cuda.small_matmul", {columns = 64 : i64, group_columns = 16 : i64, late = 1 : i64, shares = 0 : i64, slices = 2 : i64, splits = 1 : i64, stage_k = 128 : i64, stages = 3 : i64, threads = 256 : i64}>
// 2048 + 1024 + 1024 columns of three results in one grid: 64 + 32 + 32 blocks.
// BLOCKS: exec.kernel @matmul_{{[0-9]+}} schedule <"cuda.small_matmul", {{.*}}> tiles 128
// Gate and up meet: a column is one of both, 24 of 3072 a block, three groups of 8 and two weights.
// H200: schedule #mj.schedule<"cuda.small_matmul", {columns = 24 : i64, group_columns = 8 : i64, late = 1 : i64, shares = 0 : i64, slices = 4 : i64, splits = 1 : i64, stage_k = 1024 : i64, stages = 1 : i64, threads = 384 : i64}>
// BLOCKS: exec.kernel @matmul_{{[0-9]+}} schedule <"cuda.small_matmul", {{.*}}> tiles 128
// 512 rows of 3072 columns: 96 tiles of 128 x 128 are one wave, a block a multiprocessor, with seven of 32 KB in its 227 on
// their way; 48 of 128 x 256 leave most multiprocessors idle, and 192 of 128 x 64 are two waves.
// H200: schedule #mj.schedule<"cuda.tensor_matmul", {blocks = 1 : i64, splits = 1 : i64, stages = 7 : i64, threads = 288 : i64, tile_k = 64 : i64, tile_m = 128 : i64, tile_n = 128 : i64}>
// THOR: schedule #mj.schedule<"cuda.large_matmul", {{.*}}unit = "tcgen05"}>
// RTX: schedule #mj.schedule<"cuda.large_matmul", {{.*}}unit = "mma.sync"}>
// BLOCKS: exec.kernel @matmul_{{[0-9]+}} schedule <"cuda.tensor_matmul", {{.*}}> tiles 96
// f8 by f8: 128 bytes of K are 128 elements.
// H200: schedule #mj.schedule<"cuda.tensor_matmul", {{.*}}tile_k = 128 : i64
// 6 matrices of 96 x 200: 2 x 4 tiles each; of 128 x 128 there would be 12 blocks. Four steps of 2 x 64 rows of 64 + 8
// elements are 74 KB, which a block has everywhere.
// CHECK: schedule #mj.schedule<"cuda.batch_matmul", {stages = 4 : i64, threads = 256 : i64, tile_k = 64 : i64, tile_m = 64 : i64, tile_n = 64 : i64}>
// BLOCKS: exec.kernel @batch_matmul_{{[0-9]+}} schedule <"cuda.batch_matmul", {{.*}}> tiles 48

// 32 rows under a norm: two blocks of a cluster copy half of them each for both, and all 32 columns of a block are one
// group, so that x is read from shared memory once. Its weights beside x would take more than half of the shared memory:
// threads hold them, 16 pieces each of 16 bytes, 12 in registers. 192 KB of x would leave no room for weights: two blocks divide K, which
// then copy their own part. A weight that is not bf16 multiplies x on its way, through registers.
// CHECK-LABEL: func.func @many_rows
// H200: schedule #mj.schedule<"cuda.small_matmul", {columns = 32 : i64, group_columns = 32 : i64, held = 12 : i64, late = 1 : i64, shares = 2 : i64, slices = 8 : i64, splits = 1 : i64, stage_k = 1024 : i64, stages = 1 : i64, threads = 256 : i64}>
// H200: schedule #mj.schedule<"cuda.small_matmul", {columns = 16 : i64, group_columns = 16 : i64, late = 1 : i64, shares = 1 : i64, slices = 8 : i64, splits = 2 : i64, {{.*}}
// H200: schedule #mj.schedule<"cuda.small_matmul", {{.*}}shares = 0 : i64
// 32 rows of 8192 elements are more than all blocks should fetch: by tensor maps each fetches the part of K that it
// multiplies. Chips without wgmma have one kernel for few rows.
// H200: schedule #mj.schedule<"cuda.tensor_matmul", {blocks = 2 : i64, splits = 4 : i64, {{.*}}tile_m = 64 : i64, tile_n = 64 : i64}>
// THOR: schedule #mj.schedule<"cuda.small_matmul", {{.*}}
// THOR: schedule #mj.schedule<"cuda.small_matmul", {{.*}}
// THOR: schedule #mj.schedule<"cuda.small_matmul", {{.*}}
// THOR: schedule #mj.schedule<"cuda.small_matmul", {{.*}}

// Codes multiplied by few rows: the 32 columns of a block are one group, whose K as many warps as 128 elements each are
// divide. Gate and up have 24 of both, 48 rows of the left operand. Scales of columns come with the weights, before the
// kernel waits, so that they are early operands, too. More than 8 rows are multiplied as bf16, by groups of 16 columns.
// CHECK-LABEL: func.func @codes
// H200: schedule #mj.schedule<"cuda.small_matmul", {columns = 32 : i64, group_columns = 32 : i64, late = 1 : i64, shares = 0 : i64, slices = 8 : i64, splits = 1 : i64, stage_k = 1024 : i64, stages = 1 : i64, threads = 256 : i64}>
// THOR: schedule #mj.schedule<"cuda.small_matmul", {columns = 208 : i64, group_columns = 16 : i64
// RTX: schedule #mj.schedule<"cuda.small_matmul", {columns = 64 : i64, group_columns = 32 : i64
// BLOCKS: exec.kernel @matmul_{{[0-9]+}} schedule <"cuda.small_matmul", {columns = 32 {{.*}}> tiles 128 {{.*}} early [1, 2] 
// H200: schedule #mj.schedule<"cuda.small_matmul", {columns = 24 : i64, group_columns = 24 : i64, late = 1 : i64, shares = 0 : i64, slices = 8 : i64
// H200: schedule #mj.schedule<"cuda.small_matmul", {columns = 32 : i64, group_columns = 16 : i64, late = 1 : i64, shares = 2 : i64, slices = 4 : i64

// 4 sequences of 8 kv heads are 32 clusters: of 2 blocks for 132 multiprocessors, as those of 4 reach 120, of 2 for 70, of
// 1 for 20. Where a block has a multiprocessor for itself, it has eight warps with two tiles of 8 KB each, or four if that
// does not fit 100 KB; where two share one, four with three tiles, which leave no room for a third block.
// CHECK-LABEL: func.func @decode
// H200: schedule #mj.schedule<"cuda.decode_attention", {blocks = 64 : i64, keys = 16 : i64, late = 1 : i64, splits = 2 : i64, stages = 2 : i64, threads = 256 : i64}>
// THOR: schedule #mj.schedule<"cuda.decode_attention", {blocks = 32 : i64, keys = 16 : i64, late = 1 : i64, splits = 1 : i64, stages = 3 : i64, threads = 128 : i64}>
// RTX: schedule #mj.schedule<"cuda.decode_attention", {blocks = 64 : i64, keys = 16 : i64, late = 1 : i64, splits = 2 : i64, stages = 2 : i64, threads = 128 : i64}>
// BLOCKS: exec.kernel @attention_{{[0-9]+}} schedule <"cuda.decode_attention", {{.*}}> tiles 64
// CHECK: schedule #mj.schedule<"cuda.sample", {splits = 8 : i64, threads = 512 : i64}>
// BLOCKS: exec.kernel @sample_{{[0-9]+}} schedule <"cuda.sample", {{.*}}> tiles 32

// 128 rows of 16 heads are 256 query vectors for each of 8 kv heads: 128 blocks of 16, fewer of more. Each of 2 sequences and
// the padding may begin a tile: 18 of a kv head.
// CHECK-LABEL: func.func @prefill
// H200: schedule #mj.schedule<"cuda.prefill_attention", {key_warps = 4 : i64, keys = 64 : i64, rows = 16 : i64, threads = 128 : i64}>
// BLOCKS: exec.kernel @attention_{{[0-9]+}} schedule <"cuda.prefill_attention", {{.*}}> tiles 144
// 20 multiprocessors have a block each with tiles of 64; 70 with 16.
// THOR: schedule #mj.schedule<"cuda.prefill_attention", {key_warps = 2 : i64, keys = 64 : i64, rows = 64 : i64, threads = 256 : i64}>
// RTX: schedule #mj.schedule<"cuda.prefill_attention", {key_warps = 4 : i64, keys = 64 : i64, rows = 16 : i64, threads = 128 : i64}>
// 960 rows of 24 heads are 192 blocks of 128 rows: two groups of warps for each by wgmma. By mma.sync, queries and two steps of
// 64 keys and values take 104 KB: where a block has 99 KB, steps are of 32 keys.
// H200: schedule #mj.schedule<"cuda.sdpa", {groups = 2 : i64, keys = 128 : i64, rows = 128 : i64, threads = 384 : i64}>
// RTX: schedule #mj.schedule<"cuda.sdpa", {key_warps = 1 : i64, keys = 32 : i64, rows = 128 : i64, threads = 256 : i64}>
// BLOCKS: exec.kernel @sdpa_{{[0-9]+}} schedule <"cuda.sdpa", {{.*}}> tiles 192

// 1024 elements of a row, 96 of them: few lines, so that 128 threads hold one, 8 elements each, or 64 where they suffice for
// 20 multiprocessors. Heads of 128: 8 lanes hold both elements of each pair of a rotation, in two vectors; 16 lanes one of
// each line that is appended, or 4 four.
// CHECK-LABEL: func.func @rows
// H200: schedule #mj.schedule<"cuda.lines", {lanes = 128 : i64, threads = 128 : i64}>
// RTX: schedule #mj.schedule<"cuda.lines", {lanes = 128 : i64, threads = 128 : i64}>
// THOR: schedule #mj.schedule<"cuda.lines", {lanes = 64 : i64, threads = 64 : i64}>
// BLOCKS: exec.kernel @rows_{{[0-9]+}} schedule <"cuda.lines", {{.*}}> tiles 96
// CHECK: schedule #mj.schedule<"cuda.lines", {lanes = 8 : i64, threads = 128 : i64}>
// BLOCKS: exec.kernel @rows_{{[0-9]+}} schedule <"cuda.lines", {{.*}}> tiles 48
// H200: schedule #mj.schedule<"cuda.lines", {lanes = 16 : i64, threads = 128 : i64}>
// THOR: schedule #mj.schedule<"cuda.lines", {lanes = 8 : i64, threads = 128 : i64}>
// CHECK: schedule #mj.schedule<"cuda.gather", {rows = 1 : i64, threads = 128 : i64, threads_per_row = 128 : i64}>
// CHECK: schedule #mj.schedule<"cuda.pointwise", {elements = 8 : i64, threads = 256 : i64}>
// 96 x 1024 elements, 2048 a block.
// BLOCKS: exec.kernel @rows_{{[0-9]+}} schedule <"cuda.pointwise", {{.*}}> tiles 48
// CHECK: schedule #mj.schedule<"cuda.pointwise"
// 32 columns a block.
// CHECK: schedule #mj.schedule<"cuda.columns", {columns = 32 : i64, threads = 256 : i64}>
// BLOCKS: exec.kernel @rows_{{[0-9]+}} schedule <"cuda.columns", {{.*}}> tiles 32

//--- schedules.mlir
module attributes {mj.page_size = 16 : i64} {
mj.weight @wide : tensor<4096x1024xbf16> from "wide"
mj.weight @down : tensor<1024x3072xbf16> from "down"
mj.weight @scale : tensor<1024xbf16> from "scale"
mj.weight @scale_f32 : tensor<1024xf32> from "scale_f32"
mj.weight @long : tensor<2048x8192xbf16> from "long"
mj.weight @q : tensor<2048x1024xbf16> from "q"
mj.weight @k : tensor<1024x1024xbf16> from "k"
mj.weight @v : tensor<1024x1024xbf16> from "v"
mj.weight @gate : tensor<3072x1024xbf16> from "gate"
mj.weight @up : tensor<3072x1024xbf16> from "up"
mj.weight @f8 : tensor<3072x1024xf8E4M3FN> from "f8"
mj.weight @f8_up : tensor<3072x1024xf8E4M3FN> from "f8_up"
mj.weight @c : tensor<4096x1024xf8E4M3FN> from "c"
mj.weight @cs : tensor<4096xf32> from "cs"
mj.weight @embed : tensor<64x1024xbf16> from "embed"
func.func @matmuls(%x: tensor<4x1024xbf16>, %y: tensor<512x1024xbf16>, %z: tensor<512x1024xf8E4M3FN>, %s: tensor<2x3x96x40xbf16>, %t: tensor<2x3x200x40xbf16>)
    -> (tensor<4x2048xbf16>, tensor<4x1024xbf16>, tensor<4x1024xbf16>, tensor<4x3072xbf16>, tensor<512x3072xbf16>, tensor<512x3072xbf16>, tensor<2x3x96x200xbf16>) attributes {mj.entry} {
  %q = mj.get_weight @q : tensor<2048x1024xbf16>
  %k = mj.get_weight @k : tensor<1024x1024xbf16>
  %v = mj.get_weight @v : tensor<1024x1024xbf16>
  %gate = mj.get_weight @gate : tensor<3072x1024xbf16>
  %up = mj.get_weight @up : tensor<3072x1024xbf16>
  %f8 = mj.get_weight @f8 : tensor<3072x1024xf8E4M3FN>
  %0:3 = mj.fusion(%a = %x : tensor<4x1024xbf16>, %b = %q : tensor<2048x1024xbf16>, %c = %k : tensor<1024x1024xbf16>, %d = %v : tensor<1024x1024xbf16>)
      -> (tensor<4x2048xbf16>, tensor<4x1024xbf16>, tensor<4x1024xbf16>) {
    %n = mj.norm rms %a eps 1.0e-6 : tensor<4x1024xbf16> -> tensor<4x1024xbf16>
    %e = mj.matmul %n, %b {transpose_b} : tensor<4x1024xbf16>, tensor<2048x1024xbf16> -> tensor<4x2048xbf16>
    %f = mj.matmul %n, %c {transpose_b} : tensor<4x1024xbf16>, tensor<1024x1024xbf16> -> tensor<4x1024xbf16>
    %g = mj.matmul %n, %d {transpose_b} : tensor<4x1024xbf16>, tensor<1024x1024xbf16> -> tensor<4x1024xbf16>
    mj.yield %e, %f, %g : tensor<4x2048xbf16>, tensor<4x1024xbf16>, tensor<4x1024xbf16>
  }
  %1 = mj.fusion(%a = %x : tensor<4x1024xbf16>, %b = %gate : tensor<3072x1024xbf16>, %c = %up : tensor<3072x1024xbf16>) -> tensor<4x3072xbf16> {
    %e = mj.matmul %a, %b {transpose_b} : tensor<4x1024xbf16>, tensor<3072x1024xbf16> -> tensor<4x3072xbf16>
    %f = mj.matmul %a, %c {transpose_b} : tensor<4x1024xbf16>, tensor<3072x1024xbf16> -> tensor<4x3072xbf16>
    %g = arith.mulf %e, %f : tensor<4x3072xbf16>
    mj.yield %g : tensor<4x3072xbf16>
  }
  %2 = mj.fusion(%a = %y : tensor<512x1024xbf16>, %b = %gate : tensor<3072x1024xbf16>) -> tensor<512x3072xbf16> {
    %e = mj.matmul %a, %b {transpose_b} : tensor<512x1024xbf16>, tensor<3072x1024xbf16> -> tensor<512x3072xbf16>
    mj.yield %e : tensor<512x3072xbf16>
  }
  %3 = mj.fusion(%a = %z : tensor<512x1024xf8E4M3FN>, %b = %f8 : tensor<3072x1024xf8E4M3FN>) -> tensor<512x3072xbf16> {
    %e = mj.matmul %a, %b {transpose_b} : tensor<512x1024xf8E4M3FN>, tensor<3072x1024xf8E4M3FN> -> tensor<512x3072xbf16>
    mj.yield %e : tensor<512x3072xbf16>
  }
  %4 = mj.fusion(%a = %s : tensor<2x3x96x40xbf16>, %b = %t : tensor<2x3x200x40xbf16>) -> tensor<2x3x96x200xbf16> {
    %e = mj.batch_matmul %a, %b {transpose_b} : tensor<2x3x96x40xbf16>, tensor<2x3x200x40xbf16> -> tensor<2x3x96x200xbf16>
    mj.yield %e : tensor<2x3x96x200xbf16>
  }
  return %0#0, %0#1, %0#2, %1, %2, %3, %4 : tensor<4x2048xbf16>, tensor<4x1024xbf16>, tensor<4x1024xbf16>, tensor<4x3072xbf16>, tensor<512x3072xbf16>, tensor<512x3072xbf16>, tensor<2x3x96x200xbf16>
}
func.func @many_rows(%x: tensor<32x1024xbf16>, %y: tensor<32x3072xbf16>, %z: tensor<32x8192xbf16>)
    -> (tensor<32x4096xbf16>, tensor<32x1024xbf16>, tensor<32x4096xbf16>, tensor<32x2048xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @wide : tensor<4096x1024xbf16>
  %d = mj.get_weight @down : tensor<1024x3072xbf16>
  %s = mj.get_weight @scale : tensor<1024xbf16>
  %t = mj.get_weight @scale_f32 : tensor<1024xf32>
  %0 = mj.fusion(%a = %x : tensor<32x1024xbf16>, %b = %w : tensor<4096x1024xbf16>, %c = %s : tensor<1024xbf16>) -> tensor<32x4096xbf16> {
    %n = mj.norm rms %a, weight %c eps 1.0e-6 : tensor<32x1024xbf16>, weight tensor<1024xbf16> -> tensor<32x1024xbf16>
    %e = mj.matmul %n, %b {transpose_b} : tensor<32x1024xbf16>, tensor<4096x1024xbf16> -> tensor<32x4096xbf16>
    mj.yield %e : tensor<32x4096xbf16>
  }
  %1 = mj.fusion(%a = %y : tensor<32x3072xbf16>, %b = %d : tensor<1024x3072xbf16>) -> tensor<32x1024xbf16> {
    %e = mj.matmul %a, %b {transpose_b} : tensor<32x3072xbf16>, tensor<1024x3072xbf16> -> tensor<32x1024xbf16>
    mj.yield %e : tensor<32x1024xbf16>
  }
  %2 = mj.fusion(%a = %x : tensor<32x1024xbf16>, %b = %w : tensor<4096x1024xbf16>, %c = %t : tensor<1024xf32>) -> tensor<32x4096xbf16> {
    %n = mj.norm rms %a, weight %c eps 1.0e-6 : tensor<32x1024xbf16>, weight tensor<1024xf32> -> tensor<32x1024xbf16>
    %e = mj.matmul %n, %b {transpose_b} : tensor<32x1024xbf16>, tensor<4096x1024xbf16> -> tensor<32x4096xbf16>
    mj.yield %e : tensor<32x4096xbf16>
  }
  %l = mj.get_weight @long : tensor<2048x8192xbf16>
  %3 = mj.fusion(%a = %z : tensor<32x8192xbf16>, %b = %l : tensor<2048x8192xbf16>) -> tensor<32x2048xbf16> {
    %e = mj.matmul %a, %b {transpose_b} : tensor<32x8192xbf16>, tensor<2048x8192xbf16> -> tensor<32x2048xbf16>
    mj.yield %e : tensor<32x2048xbf16>
  }
  return %0, %1, %2, %3 : tensor<32x4096xbf16>, tensor<32x1024xbf16>, tensor<32x4096xbf16>, tensor<32x2048xbf16>
}

func.func @codes(%x: tensor<4x1024xbf16>, %y: tensor<9x1024xbf16>) -> (tensor<4x4096xbf16>, tensor<4x3072xbf16>, tensor<9x4096xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @c : tensor<4096x1024xf8E4M3FN>
  %s = mj.get_weight @cs : tensor<4096xf32>
  %gate = mj.get_weight @f8 : tensor<3072x1024xf8E4M3FN>
  %up = mj.get_weight @f8_up : tensor<3072x1024xf8E4M3FN>
  %0 = mj.fusion(%a = %x : tensor<4x1024xbf16>, %b = %w : tensor<4096x1024xf8E4M3FN>, %c = %s : tensor<4096xf32>) -> tensor<4x4096xbf16> {
    %e = mj.matmul %a, %b scaled by %c {transpose_b} : tensor<4x1024xbf16>, tensor<4096x1024xf8E4M3FN>, tensor<4096xf32> -> tensor<4x4096xbf16>
    mj.yield %e : tensor<4x4096xbf16>
  }
  %1 = mj.fusion(%a = %x : tensor<4x1024xbf16>, %b = %gate : tensor<3072x1024xf8E4M3FN>, %c = %up : tensor<3072x1024xf8E4M3FN>) -> tensor<4x3072xbf16> {
    %e = mj.matmul %a, %b {transpose_b} : tensor<4x1024xbf16>, tensor<3072x1024xf8E4M3FN> -> tensor<4x3072xbf16>
    %f = mj.matmul %a, %c {transpose_b} : tensor<4x1024xbf16>, tensor<3072x1024xf8E4M3FN> -> tensor<4x3072xbf16>
    %g = arith.mulf %e, %f : tensor<4x3072xbf16>
    mj.yield %g : tensor<4x3072xbf16>
  }
  %2 = mj.fusion(%a = %y : tensor<9x1024xbf16>, %b = %w : tensor<4096x1024xf8E4M3FN>, %c = %s : tensor<4096xf32>) -> tensor<9x4096xbf16> {
    %e = mj.matmul %a, %b scaled by %c {transpose_b} : tensor<9x1024xbf16>, tensor<4096x1024xf8E4M3FN>, tensor<4096xf32> -> tensor<9x4096xbf16>
    mj.yield %e : tensor<9x4096xbf16>
  }
  return %0, %1, %2 : tensor<4x4096xbf16>, tensor<4x3072xbf16>, tensor<9x4096xbf16>
}
func.func @decode(%q: tensor<4x16x128xbf16>, %batch: !mj.batch<4 x 4 x 64>, %kv: !mj.kv<1 x 8 x 128 x bf16>, %l: tensor<4x9xf32>, %s: !mj.sampling<4>)
    -> (tensor<4x16x128xbf16>, tensor<4xi32>) attributes {mj.entry} {
  %a = mj.fusion(%0 = %q : tensor<4x16x128xbf16>, %1 = %kv : !mj.kv<1 x 8 x 128 x bf16>, %2 = %batch : !mj.batch<4 x 4 x 64>) -> tensor<4x16x128xbf16> {
    %r = mj.attention %0, %1[0] over %2 scale 0.5 : tensor<4x16x128xbf16>, <1 x 8 x 128 x bf16>, <4 x 4 x 64> -> tensor<4x16x128xbf16>
    mj.yield %r : tensor<4x16x128xbf16>
  }
  %n = mj.fusion(%0 = %l : tensor<4x9xf32>, %1 = %s : !mj.sampling<4>, %2 = %batch : !mj.batch<4 x 4 x 64>) -> tensor<4xi32> {
    %r = mj.sample %0 with %1 at %2 : tensor<4x9xf32>, <4>, <4 x 4 x 64> -> tensor<4xi32>
    mj.yield %r : tensor<4xi32>
  }
  return %a, %n : tensor<4x16x128xbf16>, tensor<4xi32>
}
func.func @prefill(%q: tensor<128x16x128xbf16>, %batch: !mj.batch<128 x 2 x 64>, %kv: !mj.kv<1 x 8 x 128 x bf16>, %d: tensor<960x24x128xbf16>)
    -> (tensor<128x16x128xbf16>, tensor<960x24x128xbf16>) attributes {mj.entry} {
  %a = mj.fusion(%0 = %q : tensor<128x16x128xbf16>, %1 = %kv : !mj.kv<1 x 8 x 128 x bf16>, %2 = %batch : !mj.batch<128 x 2 x 64>) -> tensor<128x16x128xbf16> {
    %r = mj.attention %0, %1[0] over %2 scale 0.5 : tensor<128x16x128xbf16>, <1 x 8 x 128 x bf16>, <128 x 2 x 64> -> tensor<128x16x128xbf16>
    mj.yield %r : tensor<128x16x128xbf16>
  }
  %b = mj.fusion(%0 = %d : tensor<960x24x128xbf16>) -> tensor<960x24x128xbf16> {
    %r = mj.sdpa %0 over [%0], [%0] scale 0.5 : tensor<960x24x128xbf16>, [tensor<960x24x128xbf16>], [tensor<960x24x128xbf16>] -> tensor<960x24x128xbf16>
    mj.yield %r : tensor<960x24x128xbf16>
  }
  return %a, %b : tensor<128x16x128xbf16>, tensor<960x24x128xbf16>
}
func.func @rows(%x: tensor<96x1024xbf16>, %h: tensor<96x8x128xbf16>, %p: tensor<96xi32>, %batch: !mj.batch<96 x 1 x 64>, %kv: !mj.kv<1 x 8 x 128 x bf16>)
    -> (tensor<96x1024xbf16>, tensor<96x8x128xbf16>, !mj.kv<1 x 8 x 128 x bf16>, tensor<96x1024xbf16>, tensor<96x1024xbf16>, tensor<1024x96xbf16>, tensor<1024xbf16>) attributes {mj.entry} {
  %embed = mj.get_weight @embed : tensor<64x1024xbf16>
  %table = mj.rope_table theta 1.0e4 : tensor<96x64x2xf32>
  %0 = mj.fusion(%a = %x : tensor<96x1024xbf16>) -> tensor<96x1024xbf16> {
    %r = mj.softmax %a : tensor<96x1024xbf16> -> tensor<96x1024xbf16>
    mj.yield %r : tensor<96x1024xbf16>
  }
  %1 = mj.fusion(%a = %h : tensor<96x8x128xbf16>, %b = %p : tensor<96xi32>, %c = %table : tensor<96x64x2xf32>) -> tensor<96x8x128xbf16> {
    %n = mj.norm rms %a eps 1.0e-6 : tensor<96x8x128xbf16> -> tensor<96x8x128xbf16>
    %r = mj.rope half %n at %b, %c : tensor<96x8x128xbf16>, tensor<96xi32>, tensor<96x64x2xf32> -> tensor<96x8x128xbf16>
    mj.yield %r : tensor<96x8x128xbf16>
  }
  %2 = mj.fusion(%a = %kv : !mj.kv<1 x 8 x 128 x bf16>, %b = %1 : tensor<96x8x128xbf16>, %c = %batch : !mj.batch<96 x 1 x 64>) -> !mj.kv<1 x 8 x 128 x bf16> {
    %r = mj.kv_append %a[0], %b, %b at %c : <1 x 8 x 128 x bf16>, tensor<96x8x128xbf16>, tensor<96x8x128xbf16>, <96 x 1 x 64> -> <1 x 8 x 128 x bf16>
    mj.yield %r : !mj.kv<1 x 8 x 128 x bf16>
  }
  %3 = mj.fusion(%a = %embed : tensor<64x1024xbf16>, %b = %p : tensor<96xi32>) -> tensor<96x1024xbf16> {
    %r = mj.gather %a[%b] : tensor<64x1024xbf16>, tensor<96xi32> -> tensor<96x1024xbf16>
    mj.yield %r : tensor<96x1024xbf16>
  }
  %4 = mj.fusion(%a = %x : tensor<96x1024xbf16>) -> tensor<96x1024xbf16> {
    %r = arith.negf %a : tensor<96x1024xbf16>
    mj.yield %r : tensor<96x1024xbf16>
  }
  %5 = mj.fusion(%a = %x : tensor<96x1024xbf16>) -> tensor<1024x96xbf16> {
    %r = mj.transpose %a [1, 0] : tensor<96x1024xbf16> -> tensor<1024x96xbf16>
    mj.yield %r : tensor<1024x96xbf16>
  }
  %6 = mj.fusion(%a = %x : tensor<96x1024xbf16>) -> tensor<1024xbf16> {
    %r = mj.reduce sum %a over [0] : tensor<96x1024xbf16> -> tensor<1024xbf16>
    mj.yield %r : tensor<1024xbf16>
  }
  return %0, %1, %2, %3, %4, %5, %6 : tensor<96x1024xbf16>, tensor<96x8x128xbf16>, !mj.kv<1 x 8 x 128 x bf16>, tensor<96x1024xbf16>, tensor<96x1024xbf16>, tensor<1024x96xbf16>, tensor<1024xbf16>
}
}
