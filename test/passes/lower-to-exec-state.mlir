// RUN: split-file %s %t
// RUN: mjolnir-opt %t/states.mlir --verify-roundtrip --lower-to-exec=target=host:x86-64-v3 --remarks-filter='.*' --remark-format=emitRemark 2> %t/remarks | FileCheck %t/states.mlir
// RUN: FileCheck %t/states.mlir --check-prefix=REMARK < %t/remarks
// RUN: mjolnir-opt %t/states.mlir --lower-to-exec=target=host:x86-64-v3 --plan-memory=target=host:x86-64-v3 --schedule --verify-phase=phase=plan | FileCheck %t/states.mlir --check-prefix=PLAN
// RUN: mjolnir-compile %t/matmul.mlir --target=host:x86-64-v3 --precision=f32 --compile-to=plan -o - --remarks-filter='lower-to-exec' --remark-format=emitRemark 2> %t/remarks | FileCheck %t/matmul.mlir
// RUN: FileCheck %t/matmul.mlir --check-prefix=REMARK < %t/remarks
// RUN: mjolnir-opt %t/invalid.mlir --split-input-file --verify-diagnostics --lower-to-exec

//--- states.mlir
// CHECK: exec.state @x : tensor<4x16xf32>
// CHECK: exec.state @cache : tensor<6x16xf32>
// CHECK: exec.state @other : tensor<4x16xf32>

// The state is no input. Its new value, which the caller gets, too, is computed for him: loops of this target's row
// kernels are faster where they do not store over what they read.
// CHECK-LABEL: exec.entry @step inputs [#exec.binding<"argument1", tensor<4x16xf32>>] outputs [#exec.binding<"result0", tensor<4x16xf32>>]
// CHECK-NEXT: ^bb0(%[[V:.*]]: !exec.buffer, %[[Y:.*]]: !exec.buffer):
// CHECK-NEXT: %[[X:.*]] = exec.state_buffer @x
// CHECK-NEXT: exec.launch @[[SUB:.*]](%[[X]], %[[V]], %[[Y]])
// CHECK-NEXT: exec.copy %[[Y]] to %[[X]] bytes 256
// REMARK: remark: [Missed] State | Category:lower-to-exec{{.*}}Remark="the 256 bytes of the state 'x' of @step are copied to where it lies after every run: its kernel may read an element of it after it stores one"
func.func @step(%x: tensor<4x16xf32> {mj.state = "x"}, %v: tensor<4x16xf32>)
    -> (tensor<4x16xf32>, tensor<4x16xf32> {mj.state = "x"}) attributes {mj.entry} {
  %0 = mj.fusion(%a = %x : tensor<4x16xf32>, %b = %v : tensor<4x16xf32>) -> tensor<4x16xf32> schedule #mj.schedule<"host.rows"> {
    %1 = arith.subf %a, %b : tensor<4x16xf32>
    mj.yield %1 : tensor<4x16xf32>
  }
  return %0, %0 : tensor<4x16xf32>, tensor<4x16xf32>
}

// What it held is read later, or returned: it changes last, after whoever reads it.
// CHECK-LABEL: exec.entry @late
// CHECK-NEXT: ^bb0(%[[V:.*]]: !exec.buffer, %[[Y:.*]]: !exec.buffer, %[[OLD:.*]]: !exec.buffer):
// CHECK-NEXT: %[[X:.*]] = exec.state_buffer @x
// CHECK-NEXT: %[[NEW:.*]] = exec.arena_buffer 256
// CHECK-NEXT: exec.launch @[[SUB]](%[[X]], %[[V]], %[[NEW]])
// CHECK-NEXT: exec.launch @[[SUB]](%[[X]], %[[NEW]], %[[Y]])
// CHECK-NEXT: exec.copy %[[X]] to %[[OLD]] bytes 256
// CHECK-NEXT: exec.copy %[[NEW]] to %[[X]] bytes 256
// REMARK: remark: [Missed] State | Category:lower-to-exec{{.*}}Remark="the 256 bytes of the state 'x' of @late are copied to where it lies after every run: what it held is read later"
// PLAN-LABEL: exec.entry @late
// PLAN: exec.copy %[[X:.*]] to %{{.*}} bytes 256 after []
// PLAN-NEXT: exec.copy %{{.*}} to %[[X]] bytes 256 after [1, 2]
func.func @late(%x: tensor<4x16xf32> {mj.state = "x"}, %v: tensor<4x16xf32>)
    -> (tensor<4x16xf32>, tensor<4x16xf32>, tensor<4x16xf32> {mj.state = "x"}) attributes {mj.entry} {
  %0 = mj.fusion(%a = %x : tensor<4x16xf32>, %b = %v : tensor<4x16xf32>) -> tensor<4x16xf32> schedule #mj.schedule<"host.rows"> {
    %1 = arith.subf %a, %b : tensor<4x16xf32>
    mj.yield %1 : tensor<4x16xf32>
  }
  %2 = mj.fusion(%a = %x : tensor<4x16xf32>, %b = %0 : tensor<4x16xf32>) -> tensor<4x16xf32> schedule #mj.schedule<"host.rows"> {
    %1 = arith.subf %a, %b : tensor<4x16xf32>
    mj.yield %1 : tensor<4x16xf32>
  }
  return %2, %x, %0 : tensor<4x16xf32>, tensor<4x16xf32>, tensor<4x16xf32>
}

// A cache that rolls: its kernel reads rows that it has stored already, were they in one place.
// CHECK-LABEL: exec.entry @roll
// CHECK-NEXT: ^bb0(%[[NEWROWS:.*]]: !exec.buffer):
// CHECK-NEXT: %[[CACHE:.*]] = exec.state_buffer @cache
// CHECK-NEXT: %[[ROLLED:.*]] = exec.arena_buffer 384
// CHECK-NEXT: exec.launch @{{.*}}(%[[CACHE]], %[[NEWROWS]], %[[ROLLED]])
// CHECK-NEXT: exec.copy %[[ROLLED]] to %[[CACHE]] bytes 384
// REMARK: remark: [Missed] State | Category:lower-to-exec{{.*}}Remark="the 384 bytes of the state 'cache' of @roll are copied to where it lies after every run: its kernel may read an element of it after it stores one"
func.func @roll(%cache: tensor<6x16xf32> {mj.state = "cache"}, %new: tensor<2x16xf32>)
    -> (tensor<6x16xf32> {mj.state = "cache"}) attributes {mj.entry} {
  %0 = mj.fusion(%a = %cache : tensor<6x16xf32>, %b = %new : tensor<2x16xf32>) -> tensor<6x16xf32> schedule #mj.schedule<"host.rows"> {
    %1 = mj.slice %a from [2, 0] by [1, 1] : tensor<6x16xf32> -> tensor<4x16xf32>
    %2 = mj.concat %1, %b axis 0 : tensor<4x16xf32>, tensor<2x16xf32> -> tensor<6x16xf32>
    mj.yield %2 : tensor<6x16xf32>
  }
  return %0 : tensor<6x16xf32>
}

// Each takes what the other was, by way of the arena.
// CHECK-LABEL: exec.entry @swap inputs [] outputs []
// CHECK-NEXT: %[[X:.*]] = exec.state_buffer @x
// CHECK-NEXT: %[[OTHER:.*]] = exec.state_buffer @other
// CHECK-NEXT: %[[A:.*]] = exec.arena_buffer 256
// CHECK-NEXT: exec.copy %[[OTHER]] to %[[A]] bytes 256
// CHECK-NEXT: %[[B:.*]] = exec.arena_buffer 256
// CHECK-NEXT: exec.copy %[[X]] to %[[B]] bytes 256
// CHECK-NEXT: exec.copy %[[A]] to %[[X]] bytes 256
// CHECK-NEXT: exec.copy %[[B]] to %[[OTHER]] bytes 256
func.func @swap(%a: tensor<4x16xf32> {mj.state = "x"}, %b: tensor<4x16xf32> {mj.state = "other"})
    -> (tensor<4x16xf32> {mj.state = "x"}, tensor<4x16xf32> {mj.state = "other"}) attributes {mj.entry} {
  return %b, %a : tensor<4x16xf32>, tensor<4x16xf32>
}

// An argument becomes the state; a state that is returned as it is stays.
// CHECK-LABEL: exec.entry @start inputs [#exec.binding<"argument0", tensor<4x16xf32>>] outputs []
// CHECK-NEXT: ^bb0(%[[IN:.*]]: !exec.buffer):
// CHECK-NEXT: %[[OTHER:.*]] = exec.state_buffer @other
// CHECK-NEXT: %[[X:.*]] = exec.state_buffer @x
// CHECK-NEXT: exec.copy %[[IN]] to %[[X]] bytes 256
// CHECK-NEXT: }
func.func @start(%x: tensor<4x16xf32>, %other: tensor<4x16xf32> {mj.state = "other"})
    -> (tensor<4x16xf32> {mj.state = "x"}, tensor<4x16xf32> {mj.state = "other"}) attributes {mj.entry} {
  return %x, %other : tensor<4x16xf32>, tensor<4x16xf32>
}

// Nobody takes what it held: it is stored where it lies.
// CHECK-LABEL: exec.entry @begin
// CHECK-NEXT: ^bb0(%[[IN:.*]]: !exec.buffer):
// CHECK-NEXT: %[[X:.*]] = exec.state_buffer @x
// CHECK-NEXT: exec.launch @[[SUB]](%[[IN]], %[[IN]], %[[X]])
// CHECK-NEXT: }
// REMARK: remark: [Passed] State | Category:lower-to-exec{{.*}}Remark="@{{.*}} stores the state 'x' of @begin where it lies"
func.func @begin(%v: tensor<4x16xf32>) -> (tensor<4x16xf32> {mj.state = "x"}) attributes {mj.entry} {
  %0 = mj.fusion(%a = %v : tensor<4x16xf32>, %b = %v : tensor<4x16xf32>) -> tensor<4x16xf32> schedule #mj.schedule<"host.rows"> {
    %1 = arith.subf %a, %b : tensor<4x16xf32>
    mj.yield %1 : tensor<4x16xf32>
  }
  return %0 : tensor<4x16xf32>
}

//--- matmul.mlir
// The epilogue of a matmul reads an element before it stores it: what it computes goes over what it was, and a copy of it
// to the caller.
// CHECK-LABEL: exec.entry @step
// CHECK-NEXT: ^bb0(%[[V:.*]]: !exec.buffer, %[[Y:.*]]: !exec.buffer):
// CHECK-DAG: %[[X:.*]] = exec.state_buffer @x
// CHECK: exec.launch @matmul_0({{.*}}%[[X]]{{.*}}, %[[X]])
// CHECK-NEXT: exec.copy %[[X]] to %[[Y]] bytes 256 after [0]
// REMARK: remark: [Passed] State | Category:lower-to-exec{{.*}}Remark="@matmul_0 stores the state 'x' of @step where it lies"
module attributes {mj.phase = "input"} {
mj.weight @w : tensor<16x32xf32> from "w"
func.func @step(%x: tensor<4x16xf32> {mj.state = "x"}, %v: tensor<4x32xf32>)
    -> (tensor<4x16xf32>, tensor<4x16xf32> {mj.state = "x"}) attributes {mj.entry} {
  %w = mj.get_weight @w : tensor<16x32xf32>
  %0 = mj.matmul %v, %w {transpose_b} : tensor<4x32xf32>, tensor<16x32xf32> -> tensor<4x16xf32>
  %1 = arith.subf %x, %0 : tensor<4x16xf32>
  return %1, %1 : tensor<4x16xf32>, tensor<4x16xf32>
}
}

//--- invalid.mlir
func.func @one(%x: tensor<4xf32> {mj.state = "x"}) attributes {mj.entry} {
  return
}
// expected-error@+1 {{has the state 'x' as 'tensor<8xf32>', @one as 'tensor<4xf32>'; all entries share one}}
func.func @two(%x: tensor<8xf32> {mj.state = "x"}) attributes {mj.entry} {
  return
}

// -----

// expected-error@+1 {{has a state called 'main', as an entry or a weight is; name it otherwise}}
func.func @main(%x: tensor<4xf32> {mj.state = "main"}) attributes {mj.entry} {
  return
}

// -----

// expected-error@+1 {{has the state 'x' of the symbolic type 'tensor<?xf32>'; a session's memory has a size}}
func.func @main(%x: tensor<?xf32> {mj.state = "x"}) attributes {mj.entry} {
  return
}
