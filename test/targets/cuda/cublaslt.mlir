// Which regions cuBLASLt computes whole, what they become, and why others do not.
// RUN: split-file %s %t
// RUN: mjolnir-opt %t/calls.mlir --verify-roundtrip --select-schedules="target=cuda:sm_90a libraries=cublaslt" | FileCheck %s
// RUN: mjolnir-opt %t/calls.mlir --select-schedules="target=cuda:sm_90a libraries=cublaslt" --remarks-filter=select-schedules --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: mjolnir-opt %t/calls.mlir --verify-roundtrip --select-schedules="target=cuda:sm_90a libraries=cublaslt" --hoist-weight-computation --plan-paged-kv=target=cuda:sm_90a --lower-to-exec=target=cuda:sm_90a --plan-memory=target=cuda:sm_90a --schedule --verify-phase=phase=plan -o %t/plan.mlir
// RUN: FileCheck %s --check-prefix=ENTRY < %t/plan.mlir
// RUN: FileCheck %s --check-prefix=KERNEL < %t/plan.mlir
// RUN: mjolnir-opt %t/calls.mlir --select-schedules="target=cuda:sm_120f libraries=cublaslt" | FileCheck %s --check-prefix=RTX
// RTX: #mj.schedule<"cublaslt", {workspace = 12582912 : i64}>

// Names that a target does not know, and what calls no libraries.
// RUN: not mjolnir-opt %t/calls.mlir --select-schedules="target=cuda:sm_90a libraries=mkl" 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: library 'mkl' is none that target 'cuda:sm_90a' can call; there is cublaslt
// RUN: not mjolnir-opt %t/calls.mlir --select-schedules="target=host:x86-64-v3 libraries=cublaslt" 2>&1 | FileCheck %s --check-prefix=HOST
// HOST: error: library 'cublaslt' is none that target 'host:x86-64-v3' can call; there are none
// RUN: not mjolnir-opt %t/calls.mlir --select-schedules="target=cuda:sm_90a libraries=cublaslt oracle" 2>&1 | FileCheck %s --check-prefix=ORACLE
// ORACLE: error: the oracle calls no libraries

// CHECK-LABEL: func.func @plain
// CHECK: schedule #mj.schedule<"cublaslt", {workspace = 33554432 : i64}>
// REMARK: [Passed] Library {{.*}}"a matmul of 128 x 64 by 64 x 48 is a call of cublaslt"
// KERNEL: exec.kernel @matmul_0 schedule <"cublaslt", {workspace = 33554432 : i64}> tiles 1 accesses [#exec.access<read>, #exec.access<read>, #exec.access<write>, #exec.access<read_write>] scratch 33554432 library <library = "cublaslt", x = 0, weight = 1, result = 2, transpose_weight = true>
// Neither a call nor what comes right behind it starts early.
// ENTRY-LABEL: exec.entry @plain
// ENTRY: %[[W:.*]] = exec.arena_buffer 33554432 at
// ENTRY: exec.launch @matmul_0(%{{.*}}, %{{.*}}, %{{.*}}, %[[W]]) after []{{$}}
// ENTRY: exec.launch @rows_1({{.*}}) after [0]{{$}}
// ENTRY: exec.launch @rows_2({{.*}}) after [1] dependent

// Bias, then GELU by tanh, in f32 between the product and the rounding.
// CHECK-LABEL: func.func @gelu
// CHECK: schedule #mj.schedule<"cublaslt"
// KERNEL: library <library = "cublaslt", x = 0, weight = 1, result = 3, bias = 2, transpose_weight = true, activation = "gelu_tanh">

// A residual and a bias, then ReLU; the weight as it lies.
// CHECK-LABEL: func.func @relu
// CHECK: schedule #mj.schedule<"cublaslt"
// KERNEL: library <library = "cublaslt", x = 0, weight = 1, result = 4, bias = 3, residual = 2, activation = "relu">

// FP8 with one scale for the weight; that of the rows is a factor.
// CHECK-LABEL: func.func @f8
// CHECK: schedule #mj.schedule<"cublaslt"
// KERNEL: library <library = "cublaslt", x = 0, weight = 1, result = 3, weight_scale = 2, transpose_weight = true, alpha = 0.142857149 : f32>

// Heads of a result are its columns.
// CHECK-LABEL: func.func @heads
// CHECK: schedule #mj.schedule<"cublaslt"

// What is declined stays with our kernels.
// CHECK-LABEL: func.func @few_rows
// CHECK: schedule #mj.schedule<"cuda.{{small|tensor}}_matmul"
// CHECK-LABEL: func.func @silu
// CHECK: schedule #mj.schedule<"cuda.{{large|tensor}}_matmul"
// REMARK: "a matmul of 128 x 64 by 64 x 48 is no call of cublaslt: it computes arith.divf, which no epilogue does"
// CHECK-LABEL: func.func @gate_and_up
// CHECK: schedule #mj.schedule<"cuda.{{large|tensor}}_matmul"
// REMARK: is no call of cublaslt: it multiplies by 2 weights, a call by one"
// CHECK-LABEL: func.func @channels
// CHECK: schedule #mj.schedule<"cuda.{{large|tensor}}_matmul"
// REMARK: is no call of cublaslt: it scales each of 48 columns by a number of its own; a call scales all by one, as --fp8-scales=tensor gives"
// CHECK-LABEL: func.func @weights_alone
// CHECK: schedule #mj.schedule<"cuda.{{large|tensor}}_matmul"
// REMARK: is no call of cublaslt: it has no product of bf16 by f8E4M3FN to bf16"
// CHECK-LABEL: func.func @two_results
// CHECK: schedule #mj.schedule<"cuda.{{large|tensor}}_matmul"
// REMARK: is no call of cublaslt: it returns 2 values, a call one"
// CHECK-LABEL: func.func @other_constant
// CHECK: schedule #mj.schedule<"cuda.{{large|tensor}}_matmul"
// REMARK: is no call of cublaslt: it computes arith.maximumf, which no epilogue does"
// CHECK-LABEL: func.func @wide_bias
// CHECK: schedule #mj.schedule<"cuda.{{large|tensor}}_matmul"
// REMARK: is no call of cublaslt: it adds f32 to bf16; a call adds what has the result's type"
// REMARK: regions by schedule: 5 cublaslt

//--- calls.mlir
mj.weight @w : tensor<48x64xbf16> from "w"
mj.weight @u : tensor<48x64xbf16> from "u"
mj.weight @t : tensor<64x48xbf16> from "t"
mj.weight @b : tensor<48xbf16> from "b"
mj.weight @c : tensor<48xf32> from "c"
mj.weight @q : tensor<48x64xf8E4M3FN> from "q"
mj.weight @s : tensor<1xf32> from "s"
func.func @plain(%x: tensor<128x64xbf16>) -> tensor<128x48xbf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<48x64xbf16>
  %b = mj.get_weight @b : tensor<48xbf16>
  %0 = mj.fusion(%a0 = %x : tensor<128x64xbf16>, %a1 = %w : tensor<48x64xbf16>) -> tensor<128x48xbf16> {
    %m = mj.matmul %a0, %a1 {transpose_b} : tensor<128x64xbf16>, tensor<48x64xbf16> -> tensor<128x48xbf16>
    mj.yield %m : tensor<128x48xbf16>
  }
  %1 = mj.fusion(%a0 = %0 : tensor<128x48xbf16>, %a1 = %b : tensor<48xbf16>) -> tensor<128x48xbf16> {
    %n = mj.norm rms %a0, weight %a1 eps 1.0e-6 : tensor<128x48xbf16>, weight tensor<48xbf16> -> tensor<128x48xbf16>
    mj.yield %n : tensor<128x48xbf16>
  }
  %2 = mj.fusion(%a0 = %1 : tensor<128x48xbf16>) -> tensor<128x48xbf16> {
    %n = mj.norm rms %a0 eps 1.0e-5 : tensor<128x48xbf16> -> tensor<128x48xbf16>
    mj.yield %n : tensor<128x48xbf16>
  }
  return %2 : tensor<128x48xbf16>
}
func.func @gelu(%x: tensor<128x64xbf16>) -> tensor<128x48xbf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<48x64xbf16>
  %b = mj.get_weight @b : tensor<48xbf16>
  %0 = mj.fusion(%a0 = %x : tensor<128x64xbf16>, %a1 = %w : tensor<48x64xbf16>, %a2 = %b : tensor<48xbf16>) -> tensor<128x48xbf16> {
    %one = arith.constant dense<1.0> : tensor<bf16>
    %c1 = arith.constant dense<-1.5957691> : tensor<bf16>
    %c3 = arith.constant dense<-0.0713548> : tensor<bf16>
    %m = mj.matmul %a0, %a1 {transpose_b} : tensor<128x64xbf16>, tensor<48x64xbf16> -> tensor<128x48xbf16>
    %bias = mj.broadcast %a2 like %m : tensor<48xbf16>, tensor<128x48xbf16> -> tensor<128x48xbf16>
    %v = arith.addf %m, %bias : tensor<128x48xbf16>
    %b1 = mj.broadcast %c1 like %v : tensor<bf16>, tensor<128x48xbf16> -> tensor<128x48xbf16>
    %b3 = mj.broadcast %c3 like %v : tensor<bf16>, tensor<128x48xbf16> -> tensor<128x48xbf16>
    %bo = mj.broadcast %one like %v : tensor<bf16>, tensor<128x48xbf16> -> tensor<128x48xbf16>
    %2 = arith.mulf %v, %v : tensor<128x48xbf16>
    %3 = arith.mulf %2, %b3 : tensor<128x48xbf16>
    %4 = arith.addf %3, %b1 : tensor<128x48xbf16>
    %5 = arith.mulf %v, %4 : tensor<128x48xbf16>
    %6 = math.exp %5 : tensor<128x48xbf16>
    %7 = arith.addf %6, %bo : tensor<128x48xbf16>
    %8 = arith.divf %v, %7 : tensor<128x48xbf16>
    mj.yield %8 : tensor<128x48xbf16>
  }
  return %0 : tensor<128x48xbf16>
}
func.func @relu(%x: tensor<128x64xbf16>, %r: tensor<128x48xbf16>) -> tensor<128x48xbf16> attributes {mj.entry} {
  %w = mj.get_weight @t : tensor<64x48xbf16>
  %b = mj.get_weight @b : tensor<48xbf16>
  %0 = mj.fusion(%a0 = %x : tensor<128x64xbf16>, %a1 = %w : tensor<64x48xbf16>, %a2 = %r : tensor<128x48xbf16>, %a3 = %b : tensor<48xbf16>) -> tensor<128x48xbf16> {
    %zero = arith.constant dense<0.0> : tensor<128x48xbf16>
    %m = mj.matmul %a0, %a1 : tensor<128x64xbf16>, tensor<64x48xbf16> -> tensor<128x48xbf16>
    %v = arith.addf %a2, %m : tensor<128x48xbf16>
    %bias = mj.broadcast %a3 like %m : tensor<48xbf16>, tensor<128x48xbf16> -> tensor<128x48xbf16>
    %u = arith.addf %v, %bias : tensor<128x48xbf16>
    %y = arith.maximumf %u, %zero : tensor<128x48xbf16>
    mj.yield %y : tensor<128x48xbf16>
  }
  return %0 : tensor<128x48xbf16>
}
func.func @f8(%x: tensor<128x64xf8E4M3FN>) -> tensor<128x48xbf16> attributes {mj.entry} {
  %w = mj.get_weight @q : tensor<48x64xf8E4M3FN>
  %s = mj.get_weight @s : tensor<1xf32>
  %0 = mj.fusion(%a0 = %x : tensor<128x64xf8E4M3FN>, %a1 = %w : tensor<48x64xf8E4M3FN>, %a2 = %s : tensor<1xf32>) -> tensor<128x48xbf16> {
    %m = mj.matmul %a0, %a1 scaled by %a2 {transpose_b, x_scale = 0.142857149 : f32} : tensor<128x64xf8E4M3FN>, tensor<48x64xf8E4M3FN>, tensor<1xf32> -> tensor<128x48xbf16>
    mj.yield %m : tensor<128x48xbf16>
  }
  return %0 : tensor<128x48xbf16>
}
func.func @heads(%x: tensor<128x64xbf16>) -> tensor<128x6x8xbf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<48x64xbf16>
  %0 = mj.fusion(%a0 = %x : tensor<128x64xbf16>, %a1 = %w : tensor<48x64xbf16>) -> tensor<128x6x8xbf16> {
    %m = mj.matmul %a0, %a1 {transpose_b} : tensor<128x64xbf16>, tensor<48x64xbf16> -> tensor<128x48xbf16>
    %h = mj.reshape %m : tensor<128x48xbf16> -> tensor<128x6x8xbf16>
    mj.yield %h : tensor<128x6x8xbf16>
  }
  return %0 : tensor<128x6x8xbf16>
}

func.func @few_rows(%x: tensor<32x64xbf16>) -> tensor<32x48xbf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<48x64xbf16>
  %0 = mj.fusion(%a0 = %x : tensor<32x64xbf16>, %a1 = %w : tensor<48x64xbf16>) -> tensor<32x48xbf16> {
    %m = mj.matmul %a0, %a1 {transpose_b} : tensor<32x64xbf16>, tensor<48x64xbf16> -> tensor<32x48xbf16>
    mj.yield %m : tensor<32x48xbf16>
  }
  return %0 : tensor<32x48xbf16>
}
func.func @silu(%x: tensor<128x64xbf16>) -> tensor<128x48xbf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<48x64xbf16>
  %0 = mj.fusion(%a0 = %x : tensor<128x64xbf16>, %a1 = %w : tensor<48x64xbf16>) -> tensor<128x48xbf16> {
    %one = arith.constant dense<1.0> : tensor<bf16>
    %m = mj.matmul %a0, %a1 {transpose_b} : tensor<128x64xbf16>, tensor<48x64xbf16> -> tensor<128x48xbf16>
    %bo = mj.broadcast %one like %m : tensor<bf16>, tensor<128x48xbf16> -> tensor<128x48xbf16>
    %n = arith.negf %m : tensor<128x48xbf16>
    %e = math.exp %n : tensor<128x48xbf16>
    %s = arith.addf %bo, %e : tensor<128x48xbf16>
    %y = arith.divf %m, %s : tensor<128x48xbf16>
    mj.yield %y : tensor<128x48xbf16>
  }
  return %0 : tensor<128x48xbf16>
}
func.func @gate_and_up(%x: tensor<128x64xbf16>) -> tensor<128x48xbf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<48x64xbf16>
  %u = mj.get_weight @u : tensor<48x64xbf16>
  %0 = mj.fusion(%a0 = %x : tensor<128x64xbf16>, %a1 = %w : tensor<48x64xbf16>, %a2 = %u : tensor<48x64xbf16>) -> tensor<128x48xbf16> {
    %m = mj.matmul %a0, %a1 {transpose_b} : tensor<128x64xbf16>, tensor<48x64xbf16> -> tensor<128x48xbf16>
    %n = mj.matmul %a0, %a2 {transpose_b} : tensor<128x64xbf16>, tensor<48x64xbf16> -> tensor<128x48xbf16>
    %y = arith.mulf %m, %n : tensor<128x48xbf16>
    mj.yield %y : tensor<128x48xbf16>
  }
  return %0 : tensor<128x48xbf16>
}
func.func @channels(%x: tensor<128x64xf8E4M3FN>) -> tensor<128x48xbf16> attributes {mj.entry} {
  %w = mj.get_weight @q : tensor<48x64xf8E4M3FN>
  %s = mj.get_weight @c : tensor<48xf32>
  %0 = mj.fusion(%a0 = %x : tensor<128x64xf8E4M3FN>, %a1 = %w : tensor<48x64xf8E4M3FN>, %a2 = %s : tensor<48xf32>) -> tensor<128x48xbf16> {
    %m = mj.matmul %a0, %a1 scaled by %a2 {transpose_b} : tensor<128x64xf8E4M3FN>, tensor<48x64xf8E4M3FN>, tensor<48xf32> -> tensor<128x48xbf16>
    mj.yield %m : tensor<128x48xbf16>
  }
  return %0 : tensor<128x48xbf16>
}
func.func @weights_alone(%x: tensor<128x64xbf16>) -> tensor<128x48xbf16> attributes {mj.entry} {
  %w = mj.get_weight @q : tensor<48x64xf8E4M3FN>
  %s = mj.get_weight @s : tensor<1xf32>
  %0 = mj.fusion(%a0 = %x : tensor<128x64xbf16>, %a1 = %w : tensor<48x64xf8E4M3FN>, %a2 = %s : tensor<1xf32>) -> tensor<128x48xbf16> {
    %m = mj.matmul %a0, %a1 scaled by %a2 {transpose_b} : tensor<128x64xbf16>, tensor<48x64xf8E4M3FN>, tensor<1xf32> -> tensor<128x48xbf16>
    mj.yield %m : tensor<128x48xbf16>
  }
  return %0 : tensor<128x48xbf16>
}
func.func @two_results(%x: tensor<128x64xbf16>) -> (tensor<128x48xbf16>, tensor<128x48xbf16>) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<48x64xbf16>
  %0:2 = mj.fusion(%a0 = %x : tensor<128x64xbf16>, %a1 = %w : tensor<48x64xbf16>) -> (tensor<128x48xbf16>, tensor<128x48xbf16>) {
    %m = mj.matmul %a0, %a1 {transpose_b} : tensor<128x64xbf16>, tensor<48x64xbf16> -> tensor<128x48xbf16>
    %n = arith.negf %m : tensor<128x48xbf16>
    mj.yield %m, %n : tensor<128x48xbf16>, tensor<128x48xbf16>
  }
  return %0#0, %0#1 : tensor<128x48xbf16>, tensor<128x48xbf16>
}
func.func @other_constant(%x: tensor<128x64xbf16>) -> tensor<128x48xbf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<48x64xbf16>
  %0 = mj.fusion(%a0 = %x : tensor<128x64xbf16>, %a1 = %w : tensor<48x64xbf16>) -> tensor<128x48xbf16> {
    %six = arith.constant dense<-1.0> : tensor<128x48xbf16>
    %m = mj.matmul %a0, %a1 {transpose_b} : tensor<128x64xbf16>, tensor<48x64xbf16> -> tensor<128x48xbf16>
    %y = arith.maximumf %m, %six : tensor<128x48xbf16>
    mj.yield %y : tensor<128x48xbf16>
  }
  return %0 : tensor<128x48xbf16>
}
func.func @wide_bias(%x: tensor<128x64xbf16>) -> tensor<128x48xbf16> attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<48x64xbf16>
  %b = mj.get_weight @c : tensor<48xf32>
  %0 = mj.fusion(%a0 = %x : tensor<128x64xbf16>, %a1 = %w : tensor<48x64xbf16>, %a2 = %b : tensor<48xf32>) -> tensor<128x48xbf16> {
    %m = mj.matmul %a0, %a1 {transpose_b} : tensor<128x64xbf16>, tensor<48x64xbf16> -> tensor<128x48xbf16>
    %e = arith.extf %m : tensor<128x48xbf16> to tensor<128x48xf32>
    %bias = mj.broadcast %a2 like %e : tensor<48xf32>, tensor<128x48xf32> -> tensor<128x48xf32>
    %v = arith.addf %e, %bias : tensor<128x48xf32>
    %y = arith.truncf %v : tensor<128x48xf32> to tensor<128x48xbf16>
    mj.yield %y : tensor<128x48xbf16>
  }
  return %0 : tensor<128x48xbf16>
}
