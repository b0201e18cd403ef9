// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --fold-sdpa-scale=into=rope-table | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s --check-prefix=TABLE
// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --fold-sdpa-scale=into=weights | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s --check-prefix=WEIGHTS
// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --fold-sdpa-scale="into=weights lossy-weights" | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s --check-prefix=LOSSY
// RUN: mjolnir-opt %s --split-input-file --fold-sdpa-scale=into=rope-table --fold-sdpa-scale=into=rope-table --remarks-filter=fold-sdpa-scale --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=TABLE-REMARK
// RUN: mjolnir-opt %s --split-input-file --fold-sdpa-scale=into=weights --remarks-filter=fold-sdpa-scale --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: mjolnir-opt %s --split-input-file --fold-sdpa-scale="into=weights lossy-weights" --remarks-filter=fold-sdpa-scale --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=LOSSY-REMARK
// RUN: not mjolnir-opt %s --split-input-file --fold-sdpa-scale=into=lunch -o /dev/null 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: fold-sdpa-scale knows no carrier 'lunch'; there are attention, rope-table, weights

// The queries get a table of their own, the keys keep theirs. A second run finds the scale 1 and does nothing. The norm's
// weight takes any factor: it is f32 inside its kernel.
mj.weight @n : tensor<4xbf16> from "n"
// TABLE-LABEL: func.func @rotated
// TABLE: %[[T:.*]] = mj.rope_table
// TABLE-NEXT: %[[C:.*]] = arith.constant dense<3.000000e-01> : tensor<16x2x2xf32>
// TABLE-NEXT: %[[S:.*]] = arith.mulf %[[T]], %[[C]] : tensor<16x2x2xf32>
// TABLE: mj.rope half %{{.*}} at %{{.*}}, %[[S]] :
// TABLE: mj.rope half %{{.*}} at %{{.*}}, %[[T]] :
// TABLE: mj.sdpa {{.*}} scale 1.000000e+00
// TABLE-REMARK: remark: [Passed] Carrier | Category:fold-sdpa-scale | Remark="the scale 0.3 of 'mj.sdpa' moved into a rotary table: a table of their own for the queries, in f32"
// TABLE-REMARK-NOT: scale 1
// WEIGHTS-LABEL: func.func @rotated
// WEIGHTS: %[[E:.*]] = arith.extf
// WEIGHTS-NEXT: %[[C:.*]] = arith.constant dense<3.000000e-01> : tensor<4xf32>
// WEIGHTS-NEXT: %[[S:.*]] = arith.mulf %[[E]], %[[C]] : tensor<4xf32>
// WEIGHTS: mj.norm rms %{{.*}}, weight %[[S]] eps
// WEIGHTS: mj.sdpa {{.*}} scale 1.000000e+00
// REMARK: remark: [Passed] Carrier | Category:fold-sdpa-scale | Remark="the scale 0.3 of 'mj.sdpa' moved into @n: rounding only, in f32"
func.func @rotated(%q: tensor<2x1x4xf32>, %k: tensor<2x1x4xf32>, %v: tensor<2x1x4xf32>, %p: tensor<2xi32>) -> tensor<2x1x4xf32> attributes {mj.entry} {
  %table = mj.rope_table theta 1.0e4 : tensor<16x2x2xf32>
  %w = mj.get_weight @n : tensor<4xbf16>
  %e = arith.extf %w : tensor<4xbf16> to tensor<4xf32>
  %n = mj.norm rms %q, weight %e eps 0.0 : tensor<2x1x4xf32>, weight tensor<4xf32> -> tensor<2x1x4xf32>
  %qr = mj.rope half %n at %p, %table : tensor<2x1x4xf32>, tensor<2xi32>, tensor<16x2x2xf32> -> tensor<2x1x4xf32>
  %kr = mj.rope half %k at %p, %table : tensor<2x1x4xf32>, tensor<2xi32>, tensor<16x2x2xf32> -> tensor<2x1x4xf32>
  %a = mj.sdpa %qr over [%kr], [%v] scale 0.3 : tensor<2x1x4xf32>, [tensor<2x1x4xf32>], [tensor<2x1x4xf32>] -> tensor<2x1x4xf32>
  return %a : tensor<2x1x4xf32>
}

// -----

// A power of two goes into bf16 weights and bias exactly, another number only when asked for. There is no rotation here.
mj.weight @q : tensor<8x4xbf16> from "q"
mj.weight @b : tensor<8xbf16> from "b"
mj.weight @r : tensor<8x4xbf16> from "r"
// WEIGHTS-LABEL: func.func @exact
// WEIGHTS: %[[W:.*]] = mj.get_weight @q
// WEIGHTS: %[[C:.*]] = arith.constant dense<1.250000e-01> : tensor<8x4xbf16>
// WEIGHTS: %[[S:.*]] = arith.mulf %[[W]], %[[C]] : tensor<8x4xbf16>
// WEIGHTS: mj.matmul %{{.*}}, %[[S]]
// WEIGHTS: %[[BS:.*]] = arith.mulf %{{.*}} : tensor<8xbf16>
// WEIGHTS: mj.broadcast %[[BS]]
// WEIGHTS: mj.sdpa {{.*}} scale 1.000000e+00
// REMARK: the scale 0.125 of 'mj.sdpa' moved into @q and @b: exact, a power of two
// TABLE-LABEL: func.func @exact
// TABLE: mj.sdpa {{.*}} scale 1.250000e-01
// TABLE-REMARK: remark: [Missed] Carrier | Category:fold-sdpa-scale | Remark="the scale 0.125 of 'mj.sdpa' stays in the attention: 'arith.addf' lies between the queries and a rotary embedding"
func.func @exact(%x: tensor<2x4xf32>, %k: tensor<2x1x8xbf16>) -> tensor<2x1x8xbf16> attributes {mj.entry} {
  %w = mj.get_weight @q : tensor<8x4xbf16>
  %m = mj.matmul %x, %w {transpose_b} : tensor<2x4xf32>, tensor<8x4xbf16> -> tensor<2x8xbf16>
  %b = mj.get_weight @b : tensor<8xbf16>
  %bb = mj.broadcast %b like %m : tensor<8xbf16>, tensor<2x8xbf16> -> tensor<2x8xbf16>
  %s = arith.addf %m, %bb : tensor<2x8xbf16>
  %q = mj.reshape %s : tensor<2x8xbf16> -> tensor<2x1x8xbf16>
  %a = mj.sdpa %q over [%k], [%k] scale 0.125 : tensor<2x1x8xbf16>, [tensor<2x1x8xbf16>], [tensor<2x1x8xbf16>] -> tensor<2x1x8xbf16>
  return %a : tensor<2x1x8xbf16>
}

// WEIGHTS-LABEL: func.func @rounded
// WEIGHTS: mj.sdpa {{.*}} scale 3.000000e-01
// REMARK: remark: [Missed] Carrier | Category:fold-sdpa-scale | Remark="the scale 0.3 of 'mj.sdpa' stays in the attention: @r is bf16, which 0.3 would round again: ask with lossy-weights"
// LOSSY-LABEL: func.func @rounded
// LOSSY: %[[W:.*]] = mj.get_weight @r
// LOSSY-NEXT: %[[E:.*]] = arith.extf %[[W]] : tensor<8x4xbf16> to tensor<8x4xf32>
// LOSSY-NEXT: %[[C:.*]] = arith.constant dense<3.000000e-01> : tensor<8x4xf32>
// LOSSY-NEXT: %[[S:.*]] = arith.mulf %[[E]], %[[C]] : tensor<8x4xf32>
// LOSSY-NEXT: %[[T:.*]] = arith.truncf %[[S]] : tensor<8x4xf32> to tensor<8x4xbf16>
// LOSSY-NEXT: mj.matmul %{{.*}}, %[[T]]
// LOSSY: mj.sdpa {{.*}} scale 1.000000e+00
// LOSSY-REMARK: the scale 0.3 of 'mj.sdpa' moved into @r: lossy, the weights are rounded again
func.func @rounded(%x: tensor<2x4xf32>, %k: tensor<2x1x8xbf16>) -> tensor<2x1x8xbf16> attributes {mj.entry} {
  %w = mj.get_weight @r : tensor<8x4xbf16>
  %m = mj.matmul %x, %w {transpose_b} : tensor<2x4xf32>, tensor<8x4xbf16> -> tensor<2x8xbf16>
  %q = mj.reshape %m : tensor<2x8xbf16> -> tensor<2x1x8xbf16>
  %a = mj.sdpa %q over [%k], [%k] scale 0.3 : tensor<2x1x8xbf16>, [tensor<2x1x8xbf16>], [tensor<2x1x8xbf16>] -> tensor<2x1x8xbf16>
  return %a : tensor<2x1x8xbf16>
}

// -----

// Near misses, each with its reason: another entry reads the weight; the norm has none; the queries come from outside.
mj.weight @q : tensor<4x4xf32> from "q"
mj.weight @shared : tensor<4x4xf32> from "shared"
// WEIGHTS-LABEL: func.func @declined
// WEIGHTS-COUNT-3: scale 2.500000e-01
// REMARK: the scale 0.25 of 'mj.sdpa' stays in the attention: others read @shared
// REMARK: the scale 0.25 of 'mj.sdpa' stays in the attention: the norm of the queries has no weight
// REMARK: the scale 0.25 of 'mj.sdpa' stays in the attention: the queries are an argument
func.func @declined(%x: tensor<2x4xf32>, %k: tensor<2x1x4xf32>) -> (tensor<2x1x4xf32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>) attributes {mj.entry} {
  %ws = mj.get_weight @shared : tensor<4x4xf32>
  %ms = mj.matmul %x, %ws {transpose_b} : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
  %qs = mj.reshape %ms : tensor<2x4xf32> -> tensor<2x1x4xf32>
  %a = mj.sdpa %qs over [%k], [%k] scale 0.25 : tensor<2x1x4xf32>, [tensor<2x1x4xf32>], [tensor<2x1x4xf32>] -> tensor<2x1x4xf32>
  %wq = mj.get_weight @q : tensor<4x4xf32>
  %mq = mj.matmul %x, %wq {transpose_b} : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
  %n = mj.norm rms %mq eps 0.0 : tensor<2x4xf32> -> tensor<2x4xf32>
  %qn = mj.reshape %n : tensor<2x4xf32> -> tensor<2x1x4xf32>
  %b = mj.sdpa %qn over [%k], [%k] scale 0.25 : tensor<2x1x4xf32>, [tensor<2x1x4xf32>], [tensor<2x1x4xf32>] -> tensor<2x1x4xf32>
  %c = mj.sdpa %k over [%k], [%k] scale 0.25 : tensor<2x1x4xf32>, [tensor<2x1x4xf32>], [tensor<2x1x4xf32>] -> tensor<2x1x4xf32>
  return %a, %b, %c : tensor<2x1x4xf32>, tensor<2x1x4xf32>, tensor<2x1x4xf32>
}
func.func @reads_shared(%x: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
  %ws = mj.get_weight @shared : tensor<4x4xf32>
  %m = mj.matmul %x, %ws {transpose_b} : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
  return %m : tensor<2x4xf32>
}
