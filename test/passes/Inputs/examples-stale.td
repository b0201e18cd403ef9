// An example that was right once, for examples.test.
def CSE : Pass<"cse", "mlir::ModuleOp"> {
  let description = [{
    NUMERIC EFFECT: exact.

    Before:
    ```mlir
    func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
      %dead = arith.negf %x : tensor<4xf32>
      return %x : tensor<4xf32>
    }
    ```
    After `cse`:
    ```mlir
    func.func @f(%arg0: tensor<4xf32>) -> tensor<4xf32> {
      %0 = arith.negf %arg0 : tensor<4xf32>
    }
    ```
  }];
}
