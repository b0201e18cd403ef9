// RUN: mjolnir-opt %s --split-input-file --verify-roundtrip --simplify --recognize --simplify | mjolnir-opt --split-input-file --verify-roundtrip | FileCheck %s
// RUN: mjolnir-opt %s --split-input-file --simplify --recognize --remarks-filter=recognize --remark-format=emitRemark -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// SiLU: x * sigmoid(x) becomes x / (1 + exp(-x)); what is spelled so stays.
// CHECK-LABEL: func.func @silu
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>)
// CHECK-NEXT: %[[ONE:.*]] = arith.constant dense<1.000000e+00> : tensor<4x8xf32>
// CHECK-NEXT: %[[N:.*]] = arith.negf %[[X]]
// CHECK-NEXT: %[[E:.*]] = math.exp %[[N]]
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[E]], %[[ONE]]
// CHECK-NEXT: %[[Y:.*]] = arith.divf %[[X]], %[[S]]
// CHECK-NEXT: return %[[Y]]
// REMARK: remark: [Passed] Activation | Category:recognize | Remark="SiLU, written as x / (1 + exp)"
func.func @silu(%x: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {mj.entry} {
  %one = arith.constant dense<1.0> : tensor<4x8xf32>
  %n = arith.negf %x : tensor<4x8xf32>
  %e = math.exp %n : tensor<4x8xf32>
  %a = arith.addf %one, %e : tensor<4x8xf32>
  %s = arith.divf %one, %a : tensor<4x8xf32>
  %y = arith.mulf %s, %x : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// REMARK-NOT: remark:
// CHECK-LABEL: func.func @silu_as_it_is
// CHECK: arith.negf
// CHECK-NEXT: math.exp
// CHECK-NEXT: arith.addf
// CHECK-NEXT: arith.divf
// CHECK-NEXT: arith.mulf
// CHECK-NEXT: return
func.func @silu_as_it_is(%x: tensor<?x8xf32>, %u: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {mj.entry} {
  %c = arith.constant dense<1.0> : tensor<f32>
  %one = mj.broadcast %c like %x : tensor<f32>, tensor<?x8xf32> -> tensor<?x8xf32>
  %n = arith.negf %x : tensor<?x8xf32>
  %e = math.exp %n : tensor<?x8xf32>
  %a = arith.addf %one, %e : tensor<?x8xf32>
  %s = arith.divf %x, %a : tensor<?x8xf32>
  %y = arith.mulf %s, %u : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// SwiGLU with exp(x) / (1 + exp(x)) for the sigmoid, multiplied in another order, symbolic rows.
// CHECK-LABEL: func.func @swiglu
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %[[U:.*]]: tensor<?x8xf32>)
// CHECK: %[[N:.*]] = arith.negf %[[X]]
// CHECK-NEXT: %[[E:.*]] = math.exp %[[N]]
// CHECK: %[[A:.*]] = arith.addf %[[E]], %{{.*}}
// CHECK-NEXT: %[[S:.*]] = arith.divf %[[X]], %[[A]]
// CHECK-NEXT: %[[Y:.*]] = arith.mulf %[[S]], %[[U]]
// CHECK-NEXT: return %[[Y]]
// REMARK: {{^.*}}remark: [Passed] Activation | Category:recognize | Remark="sigmoid, written as 1 / (1 + exp)"
// REMARK: SiLU, written as x / (1 + exp)
func.func @swiglu(%x: tensor<?x8xf32>, %u: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {mj.entry} {
  %c = arith.constant dense<1.0> : tensor<f32>
  %one = mj.broadcast %c like %x : tensor<f32>, tensor<?x8xf32> -> tensor<?x8xf32>
  %e = math.exp %x : tensor<?x8xf32>
  %a = arith.addf %e, %one : tensor<?x8xf32>
  %s = arith.divf %e, %a : tensor<?x8xf32>
  %p = arith.mulf %s, %u : tensor<?x8xf32>
  %y = arith.mulf %p, %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// GELU by tanh, as PyTorch decomposes it (a power) and as GPT-2 writes it (products in another order): one spelling, whose
// coefficients are -2 sqrt(2/pi) = -1.59576912 and that times 0.044715 = -0.0713548139.
// CHECK-LABEL: func.func @gelu_tanh
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>)
// CHECK-DAG: %[[ONE:.*]] = arith.constant dense<1.000000e+00> : tensor<4x8xf32>
// CHECK-DAG: %[[C1:.*]] = arith.constant dense<-1.59576{{[0-9]*}}> : tensor<4x8xf32>
// CHECK-DAG: %[[C3:.*]] = arith.constant dense<-0.07135481{{[0-9]*}}> : tensor<4x8xf32>
// CHECK: %[[S:.*]] = arith.mulf %[[X]], %[[X]]
// CHECK-NEXT: %[[T:.*]] = arith.mulf %[[S]], %[[C3]]
// CHECK-NEXT: %[[U:.*]] = arith.addf %[[T]], %[[C1]]
// CHECK-NEXT: %[[P:.*]] = arith.mulf %[[X]], %[[U]]
// CHECK-NEXT: %[[E:.*]] = math.exp %[[P]]
// CHECK-NEXT: %[[A:.*]] = arith.addf %[[E]], %[[ONE]]
// CHECK-NEXT: %[[Y:.*]] = arith.divf %[[X]], %[[A]]
// CHECK-NEXT: return %[[Y]]
// REMARK: GELU (tanh), written as x / (1 + exp)
func.func @gelu_tanh(%x: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {mj.entry} {
  %one = arith.constant dense<1.0> : tensor<4x8xf32>
  %half = arith.constant dense<0.5> : tensor<4x8xf32>
  %three = arith.constant dense<3.0> : tensor<4x8xf32>
  %k = arith.constant dense<0.044715> : tensor<4x8xf32>
  %c = arith.constant dense<0.79788456> : tensor<4x8xf32>
  %p = math.powf %x, %three : tensor<4x8xf32>
  %q = arith.mulf %p, %k : tensor<4x8xf32>
  %r = arith.addf %x, %q : tensor<4x8xf32>
  %s = arith.mulf %r, %c : tensor<4x8xf32>
  %t = math.tanh %s : tensor<4x8xf32>
  %a = arith.addf %t, %one : tensor<4x8xf32>
  %h = arith.mulf %x, %half : tensor<4x8xf32>
  %y = arith.mulf %h, %a : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
// CHECK-LABEL: func.func @gelu_tanh_products
// CHECK-NOT: math.tanh
// CHECK: math.exp
// CHECK: arith.divf
// CHECK-NEXT: return
// REMARK: GELU (tanh), written as x / (1 + exp)
func.func @gelu_tanh_products(%x: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {mj.entry} {
  %one = arith.constant dense<1.0> : tensor<4x8xf32>
  %half = arith.constant dense<0.5> : tensor<4x8xf32>
  %k = arith.constant dense<0.044715> : tensor<4x8xf32>
  %c = arith.constant dense<0.79788456> : tensor<4x8xf32>
  %s = arith.mulf %x, %x : tensor<4x8xf32>
  %q = arith.mulf %k, %s : tensor<4x8xf32>
  %r = arith.addf %one, %q : tensor<4x8xf32>
  %u = arith.mulf %c, %x : tensor<4x8xf32>
  %v = arith.mulf %u, %r : tensor<4x8xf32>
  %t = math.tanh %v : tensor<4x8xf32>
  %a = arith.addf %one, %t : tensor<4x8xf32>
  %b = arith.mulf %a, %x : tensor<4x8xf32>
  %y = arith.mulf %b, %half : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// By erf, and by a sigmoid.
// CHECK-LABEL: func.func @gelu_erf
// CHECK-SAME: (%[[X:.*]]: tensor<4x8xf32>)
// CHECK-DAG: %[[ONE:.*]] = arith.constant dense<1.000000e+00>
// CHECK-DAG: %[[HALF:.*]] = arith.constant dense<5.000000e-01>
// CHECK-DAG: %[[C:.*]] = arith.constant dense<0.70710{{[0-9]*}}>
// CHECK-DAG: %[[H:.*]] = arith.mulf %[[X]], %[[HALF]]
// CHECK-DAG: %[[S:.*]] = arith.mulf %[[X]], %[[C]]
// CHECK-DAG: %[[E:.*]] = math.erf %[[S]]
// CHECK: %[[A:.*]] = arith.addf %[[E]], %[[ONE]]
// CHECK-NEXT: %[[Y:.*]] = arith.mulf %[[H]], %[[A]]
// CHECK-NEXT: return %[[Y]]
// REMARK: GELU (erf), written as x/2 (1 + erf)
func.func @gelu_erf(%x: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {mj.entry} {
  %one = arith.constant dense<1.0> : tensor<4x8xf32>
  %half = arith.constant dense<0.5> : tensor<4x8xf32>
  %root = arith.constant dense<1.41421354> : tensor<4x8xf32>
  %d = arith.divf %x, %root : tensor<4x8xf32>
  %e = math.erf %d : tensor<4x8xf32>
  %a = arith.addf %e, %one : tensor<4x8xf32>
  %b = arith.mulf %x, %a : tensor<4x8xf32>
  %y = arith.mulf %b, %half : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
// CHECK-LABEL: func.func @gelu_sigmoid
// CHECK-DAG: %[[C:.*]] = arith.constant dense<-1.702000e+00>
// CHECK: %[[S:.*]] = arith.mulf %arg0, %[[C]]
// CHECK-NEXT: math.exp %[[S]]
// CHECK-NEXT: arith.addf
// CHECK-NEXT: arith.divf %arg0
// CHECK-NEXT: return
// REMARK: GELU (sigmoid), written as x / (1 + exp)
func.func @gelu_sigmoid(%x: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {mj.entry} {
  %one = arith.constant dense<1.0> : tensor<4x8xf32>
  %c = arith.constant dense<1.702> : tensor<4x8xf32>
  %m = arith.mulf %x, %c : tensor<4x8xf32>
  %n = arith.negf %m : tensor<4x8xf32>
  %e = math.exp %n : tensor<4x8xf32>
  %a = arith.addf %e, %one : tensor<4x8xf32>
  %s = arith.divf %one, %a : tensor<4x8xf32>
  %y = arith.mulf %x, %s : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// Near misses: another tensor under the sigmoid, a polynomial with an even part, 2 in place of 1, a tanh that is no gate.
// CHECK-LABEL: func.func @others
// CHECK-COUNT-2: math.exp
// CHECK-COUNT-2: math.tanh
// REMARK-NOT: remark:
func.func @others(%x: tensor<4x8xf32>, %z: tensor<4x8xf32>)
    -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>) attributes {mj.entry} {
  %one = arith.constant dense<1.0> : tensor<4x8xf32>
  %two = arith.constant dense<2.0> : tensor<4x8xf32>
  %n = arith.negf %z : tensor<4x8xf32>
  %e = math.exp %n : tensor<4x8xf32>
  %a = arith.addf %e, %one : tensor<4x8xf32>
  %y0 = arith.divf %x, %a : tensor<4x8xf32>
  %q = arith.mulf %x, %x : tensor<4x8xf32>
  %f = math.exp %q : tensor<4x8xf32>
  %b = arith.addf %f, %one : tensor<4x8xf32>
  %y1 = arith.divf %x, %b : tensor<4x8xf32>
  %t = math.tanh %x : tensor<4x8xf32>
  %c = arith.addf %t, %two : tensor<4x8xf32>
  %y2 = arith.mulf %x, %c : tensor<4x8xf32>
  %u = math.tanh %z : tensor<4x8xf32>
  %y3 = arith.mulf %z, %u : tensor<4x8xf32>
  return %y0, %y1, %y2, %y3 : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}

// The gate stays the gate, whichever other factor stands beside it.
// CHECK-LABEL: func.func @gate_and_up
// CHECK-SAME: %[[G:[^:]*]]: tensor<4x8xf32>, %[[U:[^:]*]]: tensor<4x8xf32>
// CHECK: %[[N:.*]] = arith.negf %[[G]]
// CHECK: %[[S:.*]] = arith.divf %[[G]], %{{.*}}
// CHECK: arith.mulf %[[S]], %[[U]]
// REMARK: recognize-activation.mlir:{{.*}} remark: {{.*}}SiLU
func.func @gate_and_up(%g: tensor<4x8xf32>, %u: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {mj.entry} {
  %one = arith.constant dense<1.0> : tensor<4x8xf32>
  %n = arith.negf %g : tensor<4x8xf32>
  %e = math.exp %n : tensor<4x8xf32>
  %d = arith.addf %one, %e : tensor<4x8xf32>
  %s = arith.divf %one, %d : tensor<4x8xf32>
  %a = arith.mulf %g, %s : tensor<4x8xf32>
  %y = arith.mulf %a, %u : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
