// RUN: mjolnir-opt %s --split-input-file --store-constants --verify-diagnostics

func.func @large(%n: tensor<2xi32>) -> tensor<2xi32> attributes {mj.entry} {
  // expected-error @+1 {{holds -16777217, which f32 does not; constants of several integers are stored as f32: give this one as an argument of the entry}}
  %i = arith.constant dense<[1, -16777217]> : tensor<2xi32>
  %m = arith.addi %n, %i : tensor<2xi32>
  return %m : tensor<2xi32>
}

// -----

func.func @wide(%x: tensor<2xf64>) -> tensor<2xf64> attributes {mj.entry} {
  // expected-error @+1 {{has elements of 'f64'; a package stores constants of f32, f16, bf16, integers and booleans}}
  %c = arith.constant dense<[1.0, 2.0]> : tensor<2xf64>
  %y = arith.addf %x, %c : tensor<2xf64>
  return %y : tensor<2xf64>
}
