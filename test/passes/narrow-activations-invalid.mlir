// RUN: mjolnir-opt %s --verify-diagnostics --narrow-activations

func.func @bits(%x: tensor<2x4xf32>) -> tensor<2x4xi32> attributes {mj.entry} {
  // expected-error@+1 {{'arith.bitcast' reads the bits of its operand, which narrow-activations would change}}
  %y = arith.bitcast %x : tensor<2x4xf32> to tensor<2x4xi32>
  return %y : tensor<2x4xi32>
}
