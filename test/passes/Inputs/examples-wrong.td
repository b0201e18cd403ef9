// Descriptions that are not so, for examples.test.
def CSE : Pass<"cse", "mlir::ModuleOp"> {
  let description = [{
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
      return %arg0 : tensor<4xf32>
    }
    ```
    Or so:
    ```mlir
    func.func @f(...)
    ```
  }];
}

def SymbolDCE : Pass<"symbol-dce", "mlir::ModuleOp"> {
  let description = [{
    NUMERIC EFFECT: exact.

    ```mlir
    func.func @f()
    ```
    After `symbol-dce{`:
    ```mlir
    func.func @f()
    ```

    ```mlir
    func.func private @f()
    ```
    Refused by `no-such-pass`:
    ```text
    the function is private
    ```

    ```mlir
    func.func private @f()
    ```
    Refused by `symbol-dce`:
    ```text
    anything
    ```
  }];
}

def Canonicalize : Pass<"canonicalize", "mlir::ModuleOp"> {
  let description = [{
    NUMERIC EFFECT: exact.
  }];
}
