// What each rule of a target lets into a region, and what it does not.
// RUN: split-file %s %t

// Rules that are not there, or not so.
// RUN: not mjolnir-opt %t/parallel.mlir --form-fusions=rules=everything 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: unknown fusion rule 'everything'; there are norm-prologue-rows=N, parallel-matmuls, attention-prologue
// RUN: not mjolnir-opt %t/parallel.mlir --form-fusions=rules=norm-prologue-rows=many 2>&1 | FileCheck %s --check-prefix=NUMBER
// NUMBER: error: the fusion rule 'norm-prologue-rows=many' needs a number of rows
// RUN: not mjolnir-opt %t/parallel.mlir --form-fusions=target=toaster 2>&1 | FileCheck %s --check-prefix=TARGET
// TARGET: error: unknown target 'toaster'

// RUN: mjolnir-opt %t/parallel.mlir --verify-roundtrip --form-fusions=rules=parallel-matmuls --verify-phase=phase=fusion --remarks-filter=form-fusions --remark-format=emitRemark 2>%t/parallel | FileCheck %s --check-prefix=PARALLEL
// RUN: FileCheck %s --check-prefix=PARALLEL-REMARK < %t/parallel
//--- parallel.mlir
mj.weight @q : tensor<8x4xf32> from "q"
mj.weight @k : tensor<4x4xf32> from "k"
mj.weight @h : tensor<4x4xbf16> from "h"
// One x, two weights of one type; a third of another type stays alone. k reads 64 B of x less.
// PARALLEL-LABEL: func.func @parallel
// PARALLEL: mj.fusion(
// PARALLEL-SAME: -> (tensor<4x8xf32>, tensor<4x4xf32>)
// PARALLEL-NEXT: mj.matmul
// PARALLEL-NEXT: mj.matmul
// PARALLEL-NEXT: mj.yield
// PARALLEL: mj.fusion(
// PARALLEL-NEXT: mj.matmul
// PARALLEL-NEXT: mj.yield
// PARALLEL-REMARK: [Passed] Parallel {{.*}}matmul of @q and @k: joined as one grid: saves 64 B of 512 B and 1 launch
// PARALLEL-REMARK: [Missed] Parallel {{.*}}matmul of @q and @h: not joined as one grid: their weights differ in type
func.func @parallel(%x: tensor<4x4xf32>) -> (tensor<4x8xf32>, tensor<4x4xf32>, tensor<4x4xf32>) attributes {mj.entry} {
  %q = mj.get_weight @q : tensor<8x4xf32>
  %k = mj.get_weight @k : tensor<4x4xf32>
  %h = mj.get_weight @h : tensor<4x4xbf16>
  %0 = mj.matmul %x, %q {transpose_b} : tensor<4x4xf32>, tensor<8x4xf32> -> tensor<4x8xf32>
  %1 = mj.matmul %x, %k {transpose_b} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %2 = mj.matmul %x, %h {transpose_b} : tensor<4x4xf32>, tensor<4x4xbf16> -> tensor<4x4xf32>
  return %0, %1, %2 : tensor<4x8xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}
// Each of two may have an epilogue; they have as many results as before.
// PARALLEL-LABEL: func.func @epilogues
// PARALLEL: mj.fusion(
// PARALLEL-SAME: -> (tensor<4x8xf32>, tensor<4x4xf32>)
// PARALLEL-NEXT: %[[Q:.*]] = mj.matmul
// PARALLEL-NEXT: %[[K:.*]] = mj.matmul
// PARALLEL-NEXT: arith.negf %[[Q]]
// PARALLEL-NEXT: math.exp %[[K]]
// PARALLEL-NEXT: mj.yield
// PARALLEL-NOT: mj.fusion(
func.func @epilogues(%x: tensor<4x4xf32>) -> (tensor<4x8xf32>, tensor<4x4xf32>) attributes {mj.entry} {
  %q = mj.get_weight @q : tensor<8x4xf32>
  %k = mj.get_weight @k : tensor<4x4xf32>
  %0 = mj.matmul %x, %q {transpose_b} : tensor<4x4xf32>, tensor<8x4xf32> -> tensor<4x8xf32>
  %1 = mj.matmul %x, %k {transpose_b} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %2 = arith.negf %0 : tensor<4x8xf32>
  %3 = math.exp %1 : tensor<4x4xf32>
  return %2, %3 : tensor<4x8xf32>, tensor<4x4xf32>
}
// PARALLEL-LABEL: func.func @in_turn
// PARALLEL-COUNT-2: mj.fusion(
// PARALLEL-NOT: mj.fusion(
func.func @in_turn(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) attributes {mj.entry} {
  %k = mj.get_weight @k : tensor<4x4xf32>
  %0 = mj.matmul %x, %k {transpose_b} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %1 = mj.matmul %0, %k {transpose_b} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  return %0, %1 : tensor<4x4xf32>, tensor<4x4xf32>
}
//--- end1
// RUN: mjolnir-opt %t/prologue.mlir --verify-roundtrip --form-fusions=rules=norm-prologue-rows=4 --verify-phase=phase=fusion --remarks-filter=form-fusions --remark-format=emitRemark 2>%t/prologue | FileCheck %s --check-prefix=PROLOGUE
// RUN: FileCheck %s --check-prefix=PROLOGUE-REMARK < %t/prologue
//--- prologue.mlir
mj.weight @q : tensor<8x4xf32> from "q"
mj.weight @k : tensor<4x4xf32> from "k"
// The norm and what is pointwise about it is repeated in both matmuls. Two cores compute it for each: of four times, three are
// more than before, 80 operations each: 16 elements, 3 of the norm, 1 each of the sign and the exponential.
// PROLOGUE-LABEL: func.func @repeated
// PROLOGUE: mj.fusion(
// PROLOGUE-NEXT: arith.negf
// PROLOGUE-NEXT: mj.norm
// PROLOGUE-NEXT: math.exp
// PROLOGUE-NEXT: mj.matmul
// PROLOGUE-NEXT: mj.yield
// PROLOGUE: mj.fusion(
// PROLOGUE-NEXT: arith.negf
// PROLOGUE-NEXT: mj.norm
// PROLOGUE-NEXT: math.exp
// PROLOGUE-NEXT: mj.matmul
// PROLOGUE-NEXT: mj.yield
// PROLOGUE-NOT: mj.fusion(
// PROLOGUE-REMARK: [Passed] Prologue {{.*}}negf, norm, exp before matmul of @q and @k: repeated as a prologue: saves 128 B of 640 B and 1 launch, repeats 0.000 MFLOP
func.func @repeated(%x: tensor<4x4xf32>) -> (tensor<4x8xf32>, tensor<4x4xf32>) attributes {mj.entry} {
  %q = mj.get_weight @q : tensor<8x4xf32>
  %k = mj.get_weight @k : tensor<4x4xf32>
  %m = arith.negf %x : tensor<4x4xf32>
  %n = mj.norm rms %m eps 1.0e-6 : tensor<4x4xf32> -> tensor<4x4xf32>
  %e = math.exp %n : tensor<4x4xf32>
  %0 = mj.matmul %e, %q {transpose_b} : tensor<4x4xf32>, tensor<8x4xf32> -> tensor<4x8xf32>
  %1 = mj.matmul %e, %k {transpose_b} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  return %0, %1 : tensor<4x8xf32>, tensor<4x4xf32>
}
// What someone else reads is computed once; from there on it may be repeated.
// PROLOGUE-LABEL: func.func @read_elsewhere
// PROLOGUE: mj.fusion(
// PROLOGUE-NEXT: mj.norm
// PROLOGUE-NEXT: mj.yield
// PROLOGUE: mj.fusion(
// PROLOGUE-NEXT: math.exp
// PROLOGUE-NEXT: mj.matmul
// PROLOGUE-NOT: mj.fusion(
// PROLOGUE-REMARK: exp before matmul of @q: repeated as a prologue
func.func @read_elsewhere(%x: tensor<4x4xf32>) -> (tensor<4x8xf32>, tensor<4x4xf32>) attributes {mj.entry} {
  %q = mj.get_weight @q : tensor<8x4xf32>
  %n = mj.norm rms %x eps 1.0e-6 : tensor<4x4xf32> -> tensor<4x4xf32>
  %e = math.exp %n : tensor<4x4xf32>
  %0 = mj.matmul %e, %q {transpose_b} : tensor<4x4xf32>, tensor<8x4xf32> -> tensor<4x8xf32>
  return %0, %n : tensor<4x8xf32>, tensor<4x4xf32>
}
// PROLOGUE-LABEL: func.func @returned
// PROLOGUE-COUNT-2: mj.fusion(
// PROLOGUE-REMARK: norm before matmul of @q: not repeated as a prologue: its result has another user
func.func @returned(%x: tensor<4x4xf32>) -> (tensor<4x8xf32>, tensor<4x4xf32>) attributes {mj.entry} {
  %q = mj.get_weight @q : tensor<8x4xf32>
  %n = mj.norm rms %x eps 1.0e-6 : tensor<4x4xf32> -> tensor<4x4xf32>
  %0 = mj.matmul %n, %q {transpose_b} : tensor<4x4xf32>, tensor<8x4xf32> -> tensor<4x8xf32>
  return %0, %n : tensor<4x8xf32>, tensor<4x4xf32>
}
// PROLOGUE-LABEL: func.func @rows
// PROLOGUE-COUNT-2: mj.fusion(
// PROLOGUE-REMARK: norm before matmul of @q: not repeated as a prologue: 5 rows; the target's matmuls compute their input for up to 4
func.func @rows(%x: tensor<5x4xf32>) -> tensor<5x8xf32> attributes {mj.entry} {
  %q = mj.get_weight @q : tensor<8x4xf32>
  %n = mj.norm rms %x eps 1.0e-6 : tensor<5x4xf32> -> tensor<5x4xf32>
  %0 = mj.matmul %n, %q {transpose_b} : tensor<5x4xf32>, tensor<8x4xf32> -> tensor<5x8xf32>
  return %0 : tensor<5x8xf32>
}
// PROLOGUE-LABEL: func.func @not_transposed
// PROLOGUE-COUNT-2: mj.fusion(
// PROLOGUE-REMARK: norm before matmul of @k: not repeated as a prologue: the weight is not transposed
func.func @not_transposed(%x: tensor<4x4xf32>) -> tensor<4x4xf32> attributes {mj.entry} {
  %k = mj.get_weight @k : tensor<4x4xf32>
  %n = mj.norm rms %x eps 1.0e-6 : tensor<4x4xf32> -> tensor<4x4xf32>
  %0 = mj.matmul %n, %k : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}
//--- end2
// The cost refuses what a rule allows: 32 rows of 8192, 4 operations an element with the weight, are computed 131 times
// more in 132 blocks. At 67 TFLOP/s that takes 2.05 us, a launch 0.5 us, and 2 x 0.5 MB not moved 0.25 us. On the smaller chip, whose memory
// is slower, they pay.
// RUN: mjolnir-opt %t/cost.mlir --form-fusions=target=cuda:sm_90a --remarks-filter=form-fusions --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=COST
// RUN: mjolnir-opt %t/cost.mlir --form-fusions=target=cuda:sm_110f --remarks-filter=form-fusions --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=PAYS
// COST: [Missed] Prologue {{.*}}norm before matmul of @w: not repeated as a prologue: saves 1.0 MB of 18.4 MB and 1 launch, repeats 137.363 MFLOP, which takes 1.30 us longer on sm_90a
// PAYS: [Passed] Prologue {{.*}}norm before matmul of @w: repeated as a prologue: saves 1.0 MB of 18.4 MB and 1 launch, repeats 19.923 MFLOP
//--- cost.mlir
mj.weight @n : tensor<8192xbf16> from "n"
mj.weight @w : tensor<1024x8192xbf16> from "w"
func.func @cost(%x: tensor<32x8192xbf16>) -> tensor<32x1024xbf16> attributes {mj.entry} {
  %n = mj.get_weight @n : tensor<8192xbf16>
  %w = mj.get_weight @w : tensor<1024x8192xbf16>
  %y = mj.norm rms %x, weight %n eps 1.0e-6 : tensor<32x8192xbf16>, weight tensor<8192xbf16> -> tensor<32x8192xbf16>
  %0 = mj.matmul %y, %w {transpose_b} : tensor<32x8192xbf16>, tensor<1024x8192xbf16> -> tensor<32x1024xbf16>
  return %0 : tensor<32x1024xbf16>
}
//--- end3
// RUN: mjolnir-opt %t/results.mlir --verify-roundtrip --form-fusions=rules=epilogue-results --remarks-filter=form-fusions --remark-format=emitRemark 2>%t/results | FileCheck %s --check-prefix=RESULTS
// RUN: FileCheck %s --check-prefix=RESULTS-REMARK < %t/results
//--- results.mlir
mj.weight @w : tensor<4x4xf32> from "w"
// The residual is stored, and its sign; the norm needs whole rows of it. The product, 64 B, is neither written nor
// read, and x is read once.
// RESULTS-LABEL: func.func @results
// RESULTS: mj.fusion(
// RESULTS-SAME: -> (tensor<4x4xf32>, tensor<4x4xf32>)
// RESULTS-NEXT: mj.matmul
// RESULTS-NEXT: arith.addf
// RESULTS-NEXT: arith.negf
// RESULTS-NEXT: mj.yield
// RESULTS: mj.fusion(
// RESULTS-NEXT: mj.norm
// RESULTS-REMARK: matmul of @w: 2 operations joined as an epilogue: saves 192 B of 448 B
// RESULTS-REMARK: matmul of @w: not all that follows joined as an epilogue: what uses it is not pointwise
func.func @results(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<4x4xf32>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %h = arith.addf %x, %0 : tensor<4x4xf32>
  %m = arith.negf %h : tensor<4x4xf32>
  %n = mj.norm rms %h eps 1.0e-6 : tensor<4x4xf32> -> tensor<4x4xf32>
  return %m, %n : tensor<4x4xf32>, tensor<4x4xf32>
}
//--- end4
// RUN: mjolnir-opt %t/quantize.mlir --verify-roundtrip --form-fusions=rules=quantize-epilogue --remarks-filter=form-fusions --remark-format=emitRemark 2>%t/quantize | FileCheck %s --check-prefix=QUANTIZE
// RUN: FileCheck %s --check-prefix=QUANTIZE-REMARK < %t/quantize
// RUN: mjolnir-opt %t/quantize.mlir --form-fusions=rules=no-quantize-epilogue --remarks-filter=form-fusions --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=UNQUANTIZED
//--- quantize.mlir
mj.weight @w : tensor<4x4xf32> from "w"
// QUANTIZE-LABEL: func.func @quantized
// QUANTIZE: mj.fusion(
// QUANTIZE-SAME: -> tensor<4x4xf8E4M3FN>
// QUANTIZE-NEXT: mj.matmul
// QUANTIZE-NEXT: arith.negf
// QUANTIZE-NEXT: mj.quantize
// QUANTIZE-NEXT: mj.yield
// 112 B more than x and w: the matmul writes 64 B, and 64 B are read to write 16 B.
// QUANTIZE-REMARK: matmul of @w: 2 operations joined as an epilogue: saves 128 B of 272 B and 1 launch
// UNQUANTIZED: matmul of @w: not all that follows joined as an epilogue: the target's epilogues do not quantize
func.func @quantized(%x: tensor<4x4xf32>) -> tensor<4x4xf8E4M3FN> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<4x4xf32>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %m = arith.negf %0 : tensor<4x4xf32>
  %q = mj.quantize %m by 7.0 : tensor<4x4xf32> -> tensor<4x4xf8E4M3FN>
  return %q : tensor<4x4xf8E4M3FN>
}
//--- end5
// RUN: mjolnir-opt %t/heads.mlir --verify-roundtrip --form-fusions=rules=parallel-matmuls,head-epilogue --verify-phase=phase=fusion --remarks-filter=form-fusions --remark-format=emitRemark 2>%t/heads | FileCheck %s --check-prefix=HEADS
// RUN: FileCheck %s --check-prefix=HEADS-REMARK < %t/heads
//--- heads.mlir
mj.weight @k : tensor<8x4xf32> from "k"
mj.weight @v : tensor<8x4xf32> from "v"
// Columns of a matmul are heads: norms and rotations of them and the write to the cache are an epilogue of whole heads.
// HEADS-LABEL: func.func @heads
// HEADS: mj.fusion(
// HEADS-SAME: -> !mj.kv<1 x 2 x 4 x f32> {
// HEADS-NEXT: mj.matmul
// HEADS-NEXT: mj.matmul
// HEADS-NEXT: mj.reshape
// HEADS-NEXT: mj.reshape
// HEADS-NEXT: mj.norm
// HEADS-NEXT: mj.rope
// HEADS-NEXT: mj.kv_append
// HEADS-NEXT: mj.yield
// HEADS-NOT: mj.fusion(
// HEADS-REMARK: matmul of @k and @v: 5 operations joined as an epilogue: saves
func.func @heads(%x: tensor<4x4xf32>, %batch: !mj.batch<4 x 1 x 1>, %kv: !mj.kv<1 x 2 x 4 x f32>) -> !mj.kv<1 x 2 x 4 x f32> attributes {mj.entry} {
  %positions = mj.batch_field %batch[positions] : <4 x 1 x 1>
  %table = mj.rope_table theta 1.0e4 : tensor<16x2x2xf32>
  %wk = mj.get_weight @k : tensor<8x4xf32>
  %wv = mj.get_weight @v : tensor<8x4xf32>
  %k = mj.matmul %x, %wk {transpose_b} : tensor<4x4xf32>, tensor<8x4xf32> -> tensor<4x8xf32>
  %v = mj.matmul %x, %wv {transpose_b} : tensor<4x4xf32>, tensor<8x4xf32> -> tensor<4x8xf32>
  %kh = mj.reshape %k : tensor<4x8xf32> -> tensor<4x2x4xf32>
  %vh = mj.reshape %v : tensor<4x8xf32> -> tensor<4x2x4xf32>
  %kn = mj.norm rms %kh eps 1.0e-6 : tensor<4x2x4xf32> -> tensor<4x2x4xf32>
  %kr = mj.rope half %kn at %positions, %table : tensor<4x2x4xf32>, tensor<4xi32>, tensor<16x2x2xf32> -> tensor<4x2x4xf32>
  %kv1 = mj.kv_append %kv[0], %kr, %vh at %batch : <1 x 2 x 4 x f32>, tensor<4x2x4xf32>, tensor<4x2x4xf32>, <4 x 1 x 1> -> <1 x 2 x 4 x f32>
  return %kv1 : !mj.kv<1 x 2 x 4 x f32>
}
// A norm of whole rows is no matter of heads, and keys of one region do not wait for values of another.
// HEADS-LABEL: func.func @rows
// HEADS: mj.fusion(
// HEADS-NEXT: mj.matmul
// HEADS-NEXT: mj.yield
// HEADS: mj.fusion(
// HEADS-NEXT: mj.norm
// HEADS-LABEL: func.func @halves
// HEADS: mj.kv_append
// HEADS-REMARK: matmul of @k: not joined as an epilogue: what uses it is not pointwise
// HEADS-REMARK: matmul of @k: not joined as an epilogue: the cache write needs keys and values of one region
func.func @rows(%x: tensor<4x4xf32>) -> tensor<4x8xf32> attributes {mj.entry} {
  %wk = mj.get_weight @k : tensor<8x4xf32>
  %k = mj.matmul %x, %wk {transpose_b} : tensor<4x4xf32>, tensor<8x4xf32> -> tensor<4x8xf32>
  %n = mj.norm rms %k eps 1.0e-6 : tensor<4x8xf32> -> tensor<4x8xf32>
  return %n : tensor<4x8xf32>
}
func.func @halves(%x: tensor<4x4xf32>, %y: tensor<4x2x4xf32>, %batch: !mj.batch<4 x 1 x 1>, %kv: !mj.kv<1 x 2 x 4 x f32>) -> !mj.kv<1 x 2 x 4 x f32> attributes {mj.entry} {
  %wk = mj.get_weight @k : tensor<8x4xf32>
  %k = mj.matmul %x, %wk {transpose_b} : tensor<4x4xf32>, tensor<8x4xf32> -> tensor<4x8xf32>
  %kh = mj.reshape %k : tensor<4x8xf32> -> tensor<4x2x4xf32>
  %vh = math.exp %y : tensor<4x2x4xf32>
  %kv1 = mj.kv_append %kv[0], %kh, %vh at %batch : <1 x 2 x 4 x f32>, tensor<4x2x4xf32>, tensor<4x2x4xf32>, <4 x 1 x 1> -> <1 x 2 x 4 x f32>
  return %kv1 : !mj.kv<1 x 2 x 4 x f32>
}
//--- end6
// RUN: mjolnir-opt %t/attention.mlir --verify-roundtrip --form-fusions=rules=attention-prologue,anchor-epilogue,quantize-epilogue --verify-phase=phase=fusion --remarks-filter=form-fusions --remark-format=emitRemark 2>%t/attention | FileCheck %s --check-prefix=ATTENTION
// RUN: FileCheck %s --check-prefix=ATTENTION-REMARK < %t/attention
//--- attention.mlir
// One row a sequence: norms and rotations of heads, the append, and what follows are one kernel. The reshape of the result is the
// same memory before the quantization, and comes along.
// ATTENTION-LABEL: func.func @decode
// ATTENTION: mj.fusion(
// ATTENTION-SAME: -> (!mj.kv<1 x 2 x 4 x f32>, tensor<2x8xf8E4M3FN>)
// ATTENTION-NEXT: mj.reshape
// ATTENTION-NEXT: mj.norm
// ATTENTION-NEXT: mj.rope
// ATTENTION-NEXT: mj.rope
// ATTENTION-NEXT: mj.kv_append
// ATTENTION-NEXT: mj.attention
// ATTENTION-NEXT: mj.reshape
// ATTENTION-NEXT: mj.quantize
// ATTENTION-NEXT: mj.yield
// ATTENTION-NOT: mj.fusion(
// ATTENTION-REMARK: [Passed] Epilogue {{.*}}attention of layer 0: 2 operations joined as an epilogue
// ATTENTION-REMARK: [Passed] Prologue {{.*}}attention of layer 0: 5 operations joined as a prologue: saves 128 B of
func.func @decode(%q: tensor<2x8xf32>, %k: tensor<2x2x4xf32>, %batch: !mj.batch<2 x 2 x 1>, %kv: !mj.kv<1 x 2 x 4 x f32>)
    -> (tensor<2x8xf8E4M3FN>, !mj.kv<1 x 2 x 4 x f32>) attributes {mj.entry} {
  %positions = mj.batch_field %batch[positions] : <2 x 2 x 1>
  %table = mj.rope_table theta 1.0e4 : tensor<16x2x2xf32>
  %qh = mj.reshape %q : tensor<2x8xf32> -> tensor<2x2x4xf32>
  %qn = mj.norm rms %qh eps 1.0e-6 : tensor<2x2x4xf32> -> tensor<2x2x4xf32>
  %qr = mj.rope half %qn at %positions, %table : tensor<2x2x4xf32>, tensor<2xi32>, tensor<16x2x2xf32> -> tensor<2x2x4xf32>
  %kr = mj.rope half %k at %positions, %table : tensor<2x2x4xf32>, tensor<2xi32>, tensor<16x2x2xf32> -> tensor<2x2x4xf32>
  %kv1 = mj.kv_append %kv[0], %kr, %k at %batch : <1 x 2 x 4 x f32>, tensor<2x2x4xf32>, tensor<2x2x4xf32>, <2 x 2 x 1> -> <1 x 2 x 4 x f32>
  %a = mj.attention %qr, %kv1[0] over %batch scale 0.5 : tensor<2x2x4xf32>, <1 x 2 x 4 x f32>, <2 x 2 x 1> -> tensor<2x2x4xf32>
  %f = mj.reshape %a : tensor<2x2x4xf32> -> tensor<2x8xf32>
  %z = mj.quantize %f by 7.0 : tensor<2x8xf32> -> tensor<2x8xf8E4M3FN>
  return %z, %kv1 : tensor<2x8xf8E4M3FN>, !mj.kv<1 x 2 x 4 x f32>
}
// Rows that attend to each other, a norm over all heads, and a query that is read elsewhere stay outside; the latter's append
// does not.
// ATTENTION-LABEL: func.func @prefill
// ATTENTION-COUNT-2: mj.fusion(
// ATTENTION-REMARK: attention of layer 0: not joined as a prologue: 4 rows of 2 sequences attend to each other; each of 1 blocks of a head would compute keys
func.func @prefill(%q: tensor<4x2x4xf32>, %batch: !mj.batch<4 x 2 x 1>, %kv: !mj.kv<1 x 2 x 4 x f32>) -> tensor<4x2x4xf32> attributes {mj.entry} {
  %qn = mj.norm rms %q eps 1.0e-6 : tensor<4x2x4xf32> -> tensor<4x2x4xf32>
  %a = mj.attention %qn, %kv[0] over %batch scale 0.5 : tensor<4x2x4xf32>, <1 x 2 x 4 x f32>, <4 x 2 x 1> -> tensor<4x2x4xf32>
  return %a : tensor<4x2x4xf32>
}
// ATTENTION-LABEL: func.func @elsewhere
// ATTENTION: mj.fusion(
// ATTENTION-NEXT: mj.reshape
// ATTENTION-NEXT: mj.norm {{.*}} tensor<2x8xf32>
// ATTENTION: mj.fusion(
// ATTENTION: mj.kv_append
// ATTENTION-NEXT: mj.attention
// ATTENTION-NOT: mj.fusion(
func.func @elsewhere(%q: tensor<2x2x4xf32>, %batch: !mj.batch<2 x 2 x 1>, %kv: !mj.kv<1 x 2 x 4 x f32>) -> (tensor<2x2x4xf32>, !mj.kv<1 x 2 x 4 x f32>) attributes {mj.entry} {
  %f = mj.reshape %q : tensor<2x2x4xf32> -> tensor<2x8xf32>
  %n = mj.norm rms %f eps 1.0e-6 : tensor<2x8xf32> -> tensor<2x8xf32>
  %qh = mj.reshape %n : tensor<2x8xf32> -> tensor<2x2x4xf32>
  %kv1 = mj.kv_append %kv[0], %q, %q at %batch : <1 x 2 x 4 x f32>, tensor<2x2x4xf32>, tensor<2x2x4xf32>, <2 x 2 x 1> -> <1 x 2 x 4 x f32>
  %a = mj.attention %qh, %kv1[0] over %batch scale 0.5 : tensor<2x2x4xf32>, <1 x 2 x 4 x f32>, <2 x 2 x 1> -> tensor<2x2x4xf32>
  return %a, %kv1 : tensor<2x2x4xf32>, !mj.kv<1 x 2 x 4 x f32>
}
//--- end7
// RUN: mjolnir-opt %t/parallel_rows.mlir --verify-roundtrip --form-fusions=rules=parallel-rows --verify-phase=phase=fusion --remarks-filter=form-fusions --remark-format=emitRemark 2>%t/parallel_rows | FileCheck %s --check-prefix=SIDES
// RUN: FileCheck %s --check-prefix=SIDES-REMARK < %t/parallel_rows
//--- parallel_rows.mlir
// Two norms of one kernel's results share nothing but their rows; what has other rows stays alone.
// SIDES-LABEL: func.func @sides
// SIDES: mj.fusion(
// SIDES-NEXT: mj.batch_matmul
// SIDES: mj.fusion(
// SIDES-NEXT: mj.norm
// SIDES-NEXT: mj.softmax
// SIDES-NEXT: mj.yield
// SIDES: mj.fusion(
// SIDES-NEXT: mj.slice
// SIDES-NEXT: mj.norm
// SIDES-NOT: mj.fusion(
// SIDES-REMARK: [Passed] ParallelRows {{.*}}norm and softmax: joined side by side: saves 128 B of 512 B and 1 launch
// SIDES-REMARK: [Missed] ParallelRows {{.*}}norm, softmax and slice, norm: not joined side by side: they have different numbers of rows
func.func @sides(%x: tensor<2x4x4xf32>) -> (tensor<2x4x4xf32>, tensor<2x4x4xf32>, tensor<1x4x4xf32>) attributes {mj.entry} {
  %m = mj.batch_matmul %x, %x : tensor<2x4x4xf32>, tensor<2x4x4xf32> -> tensor<2x4x4xf32>
  %a = mj.norm rms %m eps 1.0e-6 : tensor<2x4x4xf32> -> tensor<2x4x4xf32>
  %b = mj.softmax %m : tensor<2x4x4xf32> -> tensor<2x4x4xf32>
  %s = mj.slice %m from [1, 0, 0] by [1, 1, 1] : tensor<2x4x4xf32> -> tensor<1x4x4xf32>
  %c = mj.norm rms %s eps 1.0e-6 : tensor<1x4x4xf32> -> tensor<1x4x4xf32>
  return %a, %b, %c : tensor<2x4x4xf32>, tensor<2x4x4xf32>, tensor<1x4x4xf32>
}
//--- end8
// RUN: mjolnir-opt %t/producers.mlir --verify-roundtrip --form-fusions=rules=recompute-producers --verify-phase=phase=fusion --remarks-filter=form-fusions --remark-format=emitRemark 2>%t/producers | FileCheck %s --check-prefix=PRODUCERS
// RUN: FileCheck %s --check-prefix=PRODUCERS-REMARK < %t/producers
//--- producers.mlir
mj.weight @w : tensor<4x4xf32> from "w"
mj.weight @v : tensor<4x4xf32> from "v"
// The sign is cheaper to compute twice than to write once and to read twice. Of the two epilogues, each reads 64 B either way.
// PRODUCERS-LABEL: func.func @twice
// PRODUCERS-COUNT-2: mj.fusion(
// PRODUCERS-NOT: mj.fusion(
// PRODUCERS-REMARK: [Passed] Producer {{.*}}negf: repeated in its readers: saves 128 B of 640 B and 1 launch, repeats 0.000 MFLOP
func.func @twice(%x: tensor<4x4xf32>, %y: tensor<4x4xf32>) -> tensor<4x4xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<4x4xf32>
  %v = mj.get_weight @v : tensor<4x4xf32>
  %n = arith.negf %y : tensor<4x4xf32>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %1 = arith.addf %0, %n : tensor<4x4xf32>
  %2 = mj.matmul %1, %v {transpose_b} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %3 = arith.addf %2, %n : tensor<4x4xf32>
  return %3 : tensor<4x4xf32>
}
// One reader takes it without any rule; who multiplies it reads it from memory, and who returns it, too.
// PRODUCERS-LABEL: func.func @once
// PRODUCERS: mj.fusion(
// PRODUCERS-NEXT: arith.negf
// PRODUCERS-NEXT: mj.matmul
// PRODUCERS-NEXT: arith.addf
// PRODUCERS-NOT: mj.fusion(
// PRODUCERS-REMARK: negf: joined to its reader: saves 128 B of 384 B and 1 launch
func.func @once(%x: tensor<4x4xf32>, %y: tensor<4x4xf32>) -> tensor<4x4xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<4x4xf32>
  %n = arith.negf %y : tensor<4x4xf32>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %1 = arith.addf %0, %n : tensor<4x4xf32>
  return %1 : tensor<4x4xf32>
}
// PRODUCERS-LABEL: func.func @multiplied
// PRODUCERS-COUNT-2: mj.fusion(
// PRODUCERS-REMARK: negf: not joined to its reader: 'mj.matmul' reads it
func.func @multiplied(%x: tensor<4x4xf32>) -> tensor<4x4xf32> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<4x4xf32>
  %n = arith.negf %x : tensor<4x4xf32>
  %0 = mj.matmul %n, %w {transpose_b} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}
// PRODUCERS-LABEL: func.func @returned
// PRODUCERS-COUNT-2: mj.fusion(
// PRODUCERS-REMARK: negf: not joined to its reader: the entry returns it
func.func @returned(%x: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<4x4xf32>
  %n = arith.negf %x : tensor<4x4xf32>
  %0 = mj.matmul %x, %w {transpose_b} : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %1 = arith.addf %0, %n : tensor<4x4xf32>
  return %n, %1 : tensor<4x4xf32>, tensor<4x4xf32>
}
