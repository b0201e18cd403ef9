// The passes of Mjolnir, in the order of the pipeline. One pass a file, named as the pass.
//
// Each description states the numeric effect: *exact* (bit-identical on the oracle), *reassociating* (rounding only) or
// *lossy* (changes precision; always asked for by an option); in capitals, NUMERIC EFFECT, so that nobody overlooks it.
//
// Each has an example that is a test: a ```mlir block that parses, a line "After `pipeline`:", and a ```mlir block with
// what mjolnir-opt prints ("Refused by `pipeline`:" and a ```text block with part of the message for what a pass refuses).
// test/passes/examples.test runs them. Write the first block, then scripts/pass_examples.py --update writes the second.
#ifndef MJOLNIR_PASSES_PASSES
#define MJOLNIR_PASSES_PASSES

include "mlir/Pass/PassBase.td"

def LabelValues : Pass<"label-values", "mlir::ModuleOp"> {
  let summary = "Gives each value of an entry a name";
  let description = [{
    The name is that of the module of the model that the operation came from, or else of its entry, the operation's, and a
    number where that is not the first: `model.layers.0.mlp.gate_proj:matmul`. It is the operation's location, which passes
    hand on to what they make of it: the fused program and the oracle call a value by the same name, and
    `mjolnir-verify` compares the two. Packages hold the names of what launches store in `debug.json`. IR looks the same
    unless `--mlir-print-debuginfo` shows locations, below `main:negf`.

    NUMERIC EFFECT: exact.

    Before:
    ```mlir
    func.func @main(%x: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
      %y = arith.negf %x : tensor<2x4xf32>
      return %y : tensor<2x4xf32>
    }
    ```
    After `label-values`:
    ```mlir
    func.func @main(%arg0: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
      %0 = arith.negf %arg0 : tensor<2x4xf32>
      return %0 : tensor<2x4xf32>
    }
    ```
  }];
}

def Simplify : Pass<"simplify", "mlir::ModuleOp"> {
  let summary = "The same numbers with fewer operations";
  let description = [{
    Moves, merges and removes what computes nothing. Transpositions, reshapes, slices, concatenations and broadcasts of
    each other become one operation or none; transpositions of axes of size 1 become reshapes. Transpositions and
    reshapes go down past pointwise operations, reshapes that add axes of size 1 past norms and softmax, too, until they
    meet what undoes them; slices and concatenations go up past transpositions. A pointwise operation on repeated
    numbers is done once on each, before the broadcast. Casts go into the operations that compute in f32 anyway. A
    stack of matrix products gets one leading axis. Constants are folded, equal operations become one, and what nothing
    reads is dropped, an append to the cache too. Whatever is done to a weight stays on the weight's side, where
    packaging computes it.

    What would change a bit stays, and a remark says so: `x + 0.0` makes 0 of -0, a truncation that is widened again
    rounds. Transposed weights are left to `recognize`, since the order of a matmul's sum depends on how its weight
    lies.

    NUMERIC EFFECT: exact.

    Before, a pair of transpositions around a pointwise operation:
    ```mlir
    func.func @pair(%x: tensor<4x6xf32>) -> tensor<4x6xf32> attributes {mj.entry} {
      %a = mj.transpose %x [1, 0] : tensor<4x6xf32> -> tensor<6x4xf32>
      %b = math.exp %a : tensor<6x4xf32>
      %c = mj.transpose %b [1, 0] : tensor<6x4xf32> -> tensor<4x6xf32>
      return %c : tensor<4x6xf32>
    }
    ```
    After `simplify`:
    ```mlir
    func.func @pair(%arg0: tensor<4x6xf32>) -> tensor<4x6xf32> attributes {mj.entry} {
      %0 = math.exp %arg0 : tensor<4x6xf32>
      return %0 : tensor<4x6xf32>
    }
    ```
    Remarks: `Simplified` for each entry, with the operations of each kind before and after; `Kept` for what looks
    superfluous and is not.
  }];
  let dependentDialects = ["mjolnir::mj::MjDialect", "mlir::arith::ArithDialect", "mlir::math::MathDialect"];
}

def Recognize : Pass<"recognize", "mlir::ModuleOp"> {
  let summary = "Composite graphs become operations";
  let description = [{
    Exporters write norms, rotary embeddings and attention out. This pass finds, on what `simplify` left,

    - **norms**: `x * rsqrt(mean(x^2) + eps)` in its spellings (a quotient by the root, powers, a sum and a factor for the
      mean, casts to f32 and back), and the same on `x - mean(x)`, with the weight and the bias that follow, before or
      after a cast; `1 + w` is a weight of its own. Softmax as `exp(x - max) / sum`. A variance as `E[x^2] - E[x]^2`
      stays: it loses digits that `mj.norm` keeps.
    - **activations**: SiLU, and GELU by sigmoid, tanh or erf, become one spelling each in `arith` and `math`: they are
      pointwise, so that kernels take them as they are, and one spelling is all that a kernel has to be fast for.
      `x * sigmoid(p(x))` is `x / (1 + exp(-p(x)))`, with p a cubic for the tanh approximation, GELU is
      `x/2 * (1 + erf(x / sqrt(2)))`. SwiGLU is SiLU and a product.
    - **rotary embeddings**, halves or pairs rotated, by slices, negations, concatenations, strides or pairs, with
      tables of cosines and sines that are weights, arguments or computed: `mj.rope`. Tables of whole width must be
      visibly one half twice. Tables that are gathered by positions are read by position, others by row.
    - **attention**: two stacks of matrix products with a softmax between them, scaled on queries, keys or scores, with an
      added or selecting mask; a constant mask that hides the later keys is `causal`, and one that hides those before a
      number of them, too, a `window`. Another constant mask is kept, as what is added to the scores. Keys and values
      that are repeated for groups of heads are read once; other stacks than heads (a batch) are heads, too. Only a mask
      below -10,000 counts as hiding; where it is selected instead of scores, so large a number is added that no score is
      left, and a row that sees nothing stays the mean of the values. Concatenated keys and values are left to be split.
    - **right operands**: a matmul reads weights as [N, K], transposed when the package is written, and other operands
      the way they lie.
    - **sums** in which two products of different rows meet are reordered so that each product takes additions of its own.

    NUMERIC EFFECT: reassociating. Rounding to bf16 between the operations of a composite graph disappears, sums are
    made in another order, and products are by other, equal constants.

    Before, an RMS norm:
    ```mlir
    mj.weight @w : tensor<8xf32> from "w"
    func.func @norm(%x: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {mj.entry} {
      %w = mj.get_weight @w : tensor<8xf32>
      %eps = arith.constant dense<1.0e-5> : tensor<4xf32>
      %square = arith.mulf %x, %x : tensor<4x8xf32>
      %mean = mj.reduce mean %square over [1] : tensor<4x8xf32> -> tensor<4xf32>
      %sum = arith.addf %mean, %eps : tensor<4xf32>
      %root = math.rsqrt %sum : tensor<4xf32>
      %column = mj.reshape %root : tensor<4xf32> -> tensor<4x1xf32>
      %factor = mj.broadcast %column like %x : tensor<4x1xf32>, tensor<4x8xf32> -> tensor<4x8xf32>
      %normed = arith.mulf %x, %factor : tensor<4x8xf32>
      %weight = mj.broadcast %w like %x : tensor<8xf32>, tensor<4x8xf32> -> tensor<4x8xf32>
      %y = arith.mulf %normed, %weight : tensor<4x8xf32>
      return %y : tensor<4x8xf32>
    }
    ```
    After `recognize`:
    ```mlir
    mj.weight @w : tensor<8xf32> from "w"
    func.func @norm(%arg0: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {mj.entry} {
      %0 = mj.get_weight @w : tensor<8xf32>
      %1 = mj.norm rms %arg0, weight %0 eps 9.99999974E-6 : tensor<4x8xf32>, weight tensor<8xf32> -> tensor<4x8xf32>
      return %1 : tensor<4x8xf32>
    }
    ```
    Remarks: `Norm`, `Softmax`, `Activation`, `Rope`, `Attention`, `RightOperand`, `Residual` for what was found; the
    same names, with the reason, for what is close and is not.
  }];
  let dependentDialects = ["mjolnir::mj::MjDialect", "mlir::arith::ArithDialect", "mlir::math::MathDialect"];
}

def SpecializeBuckets : Pass<"specialize-buckets", "mlir::ModuleOp"> {
  let summary = "Makes a static copy of each ragged entry for every bucket";
  let description = [{
    An importer writes an entry over a symbolic batch. A captured program needs static shapes: for each decode size B
    there is a copy over B rows of B sequences, for each prefill size T one over T rows of up to `max-batch` sequences.
    A step that is smaller than its bucket pads it; padding rows are masked where rows meet (attention, cache writes),
    so that they never reach a result. Sequences hold at most `max-context` tokens, which gives the width of a block
    table. The module states the choice: `max_context` of `mj.model` becomes what the entries hold, `mj.page_size` is
    what block tables are made for. Entries without a symbolic batch stay as they are.

    NUMERIC EFFECT: exact.

    Before, one symbolic entry:
    ```mlir
    mj.weight @embed : tensor<32x8xf32> from "embed"
    func.func @step(%batch: !mj.batch<? x ? x ?>) -> tensor<?x8xf32> attributes {mj.entry} {
      %w = mj.get_weight @embed : tensor<32x8xf32>
      %0 = mj.batch_field %batch[logit_rows] : <? x ? x ?>
      %1 = mj.gather %w[%0] : tensor<32x8xf32>, tensor<?xi32> -> tensor<?x8xf32>
      return %1 : tensor<?x8xf32>
    }
    ```
    After `specialize-buckets{decode=1,4 prefill=128 max-batch=4 page-size=16 max-context=256}`:
    ```mlir
    module attributes {mj.page_size = 16 : i64} {
      mj.weight @embed : tensor<32x8xf32> from "embed"
      func.func @decode_b1(%arg0: !mj.batch<1 x 1 x 16>) -> tensor<1x8xf32> attributes {mj.entry} {
        %0 = mj.get_weight @embed : tensor<32x8xf32>
        %1 = mj.batch_field %arg0[logit_rows] : <1 x 1 x 16>
        %2 = mj.gather %0[%1] : tensor<32x8xf32>, tensor<1xi32> -> tensor<1x8xf32>
        return %2 : tensor<1x8xf32>
      }
      func.func @decode_b4(%arg0: !mj.batch<4 x 4 x 16>) -> tensor<4x8xf32> attributes {mj.entry} {
        %0 = mj.get_weight @embed : tensor<32x8xf32>
        %1 = mj.batch_field %arg0[logit_rows] : <4 x 4 x 16>
        %2 = mj.gather %0[%1] : tensor<32x8xf32>, tensor<4xi32> -> tensor<4x8xf32>
        return %2 : tensor<4x8xf32>
      }
      func.func @prefill_t128(%arg0: !mj.batch<128 x 4 x 16>) -> tensor<4x8xf32> attributes {mj.entry} {
        %0 = mj.get_weight @embed : tensor<32x8xf32>
        %1 = mj.batch_field %arg0[logit_rows] : <128 x 4 x 16>
        %2 = mj.gather %0[%1] : tensor<32x8xf32>, tensor<4xi32> -> tensor<4x8xf32>
        return %2 : tensor<4x8xf32>
      }
    }
    ```
  }];
  let options = [
    ListOption<"decode", "decode", "int64_t", "Numbers of sequences to make a decode entry for">,
    ListOption<"prefill", "prefill", "int64_t", "Numbers of token rows to make a prefill entry for">,
    Option<"maxBatch", "max-batch", "int64_t", "1", "Sequences of a prefill entry">,
    Option<"pageSize", "page-size", "int64_t", "16", "Tokens in a page of the KV cache">,
    Option<"maxContext", "max-context", "int64_t", "0", "Tokens a sequence may hold; 0: what the model allows">,
  ];
  let dependentDialects = ["mjolnir::mj::MjDialect"];
}

def StoreConstants : Pass<"store-constants", "mlir::ModuleOp"> {
  let summary = "Constants of several numbers become tensors of the package";
  let description = [{
    A kernel holds constants that are one number. What an exporter wrote out, a mask that `recognize` did not see through,
    positions, a table, becomes an `mj.prepare` that holds it: the package stores it beside the weights, and kernels read
    it as they read those. Packages store floats: booleans are stored as 0 and 1 and compared, integers up to 2^24 are
    stored as f32 and converted; larger ones are refused. Equal constants are stored once.

    NUMERIC EFFECT: exact.

    Before:
    ```mlir
    func.func @main(%x: tensor<2x2xf32>) -> tensor<2x2xf32> attributes {mj.entry} {
      %mask = arith.constant dense<[[true, false], [true, true]]> : tensor<2x2xi1>
      %bias = arith.constant dense<[[0.0, 1.0], [2.0, 3.0]]> : tensor<2x2xf32>
      %y = arith.select %mask, %x, %bias : tensor<2x2xi1>, tensor<2x2xf32>
      return %y : tensor<2x2xf32>
    }
    ```
    After `store-constants`:
    ```mlir
    mj.prepare @constant : tensor<2x2xf32> {
      %cst = arith.constant dense<[[1.000000e+00, 0.000000e+00], [1.000000e+00, 1.000000e+00]]> : tensor<2x2xf32>
      mj.yield %cst : tensor<2x2xf32>
    }
    mj.prepare @constant_0 : tensor<2x2xf32> {
      %cst = arith.constant dense<[[0.000000e+00, 1.000000e+00], [2.000000e+00, 3.000000e+00]]> : tensor<2x2xf32>
      mj.yield %cst : tensor<2x2xf32>
    }
    func.func @main(%arg0: tensor<2x2xf32>) -> tensor<2x2xf32> attributes {mj.entry} {
      %0 = mj.get_weight @constant : tensor<2x2xf32>
      %cst = arith.constant dense<0.000000e+00> : tensor<2x2xf32>
      %1 = arith.cmpf une, %0, %cst : tensor<2x2xf32>
      %2 = mj.get_weight @constant_0 : tensor<2x2xf32>
      %3 = arith.select %1, %arg0, %2 : tensor<2x2xi1>, tensor<2x2xf32>
      return %3 : tensor<2x2xf32>
    }
    ```
    Remarks: `Stored` for each tensor, with the numbers that it holds.
  }];
  let dependentDialects = ["mjolnir::mj::MjDialect", "mlir::arith::ArithDialect"];
}

def FoldSdpaScale : Pass<"fold-sdpa-scale", "mlir::ModuleOp"> {
  let summary = "Makes multiplications of queries and keys the softmax scale of their attention";
  let description = [{
    A model scales queries, or queries and keys, or what they are computed from. Attention multiplies its scores by
    `scale`, a constant of its exponent in f32, anyway: the factor joins it, and the multiplication is gone. It is found
    behind reshapes, transpositions, slices, conversions, rotary embeddings, products with anything else, matmuls, the
    weight of a norm (weight and bias both), and sums whose terms are all scaled by the same number. It stays where others
    read something on the way, and behind a norm, which would not keep it.

    `into` says where the scale is kept then, for kernels that have none of their own; the scale becomes 1, so that
    nothing is applied twice. `rope-table`: the queries get a rotary table of their own, multiplied by it in f32.
    `weights`: what makes the queries linear is multiplied by it, the weight of their norm (weight and bias), or that of
    their matmul and its bias. Weights in bf16 or f16 take powers of two alone, which is exact unless a number leaves the
    range of the type; others round them again: that is done with `lossy-weights` only, and said. A weight that anything
    else reads, in any entry, stays as it is.

    NUMERIC EFFECT: reassociating; with `lossy-weights`, lossy (bf16 rounding of the weights that took a scale).

    Before, queries that are scaled:
    ```mlir
    func.func @main(%q: tensor<2x3x8xf32>, %k: tensor<4x3x8xf32>, %v: tensor<4x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
      %s = arith.constant dense<0.125> : tensor<2x3x8xf32>
      %0 = arith.mulf %q, %s : tensor<2x3x8xf32>
      %1 = mj.sdpa %0 over [%k], [%v] scale 1.0 : tensor<2x3x8xf32>, [tensor<4x3x8xf32>], [tensor<4x3x8xf32>] -> tensor<2x3x8xf32>
      return %1 : tensor<2x3x8xf32>
    }
    ```
    After `fold-sdpa-scale,canonicalize`:
    ```mlir
    func.func @main(%arg0: tensor<2x3x8xf32>, %arg1: tensor<4x3x8xf32>, %arg2: tensor<4x3x8xf32>) ->
        tensor<2x3x8xf32> attributes {mj.entry} {
      %0 = mj.sdpa %arg0 over[%arg1], [%arg2] scale 1.250000e-01 : tensor<2x3x8xf32>, [tensor<4x3x8xf32>],
          [tensor<4x3x8xf32>] -> tensor<2x3x8xf32>
      return %0 : tensor<2x3x8xf32>
    }
    ```
  }];
  let options = [
    Option<"into", "into", "std::string", "\"attention\"", "What keeps the scale: attention, rope-table or weights">,
    Option<"lossyWeights", "lossy-weights", "bool", "false",
           "Multiply bf16 and f16 weights by factors that are no power of two, too">,
  ];
  let dependentDialects = ["mjolnir::mj::MjDialect", "mlir::arith::ArithDialect"];
}

def KvInPlace : Pass<"kv-in-place", "mlir::ModuleOp"> {
  let summary = "Lets attention read cached and new keys and values where they lie";
  let description = [{
    An exporter concatenates what was cached and what is new before each attention: every step copies the cache.
    `mj.sdpa` takes keys and values in segments instead, each where it was: an argument, a result of another operation.
    Concatenations are found behind reshapes, transpositions and conversions, which move onto the segments. Keys and
    values must be made of the same numbers of rows.

    A result that is an argument, the cache, and new rows is a place for them: `form-fusions` makes no kernel of such a
    concatenation, what computes the new rows writes them where they go in the caller's memory for the result, and the
    argument is copied there, unless it is there already: a caller that keeps its cache in one piece of memory gives its
    beginning as the argument and more of it as the result. This needs rows in one piece (no axis longer than 1 before
    that of the rows), parts that begin at multiples of 64 bytes, and nobody else who reads the whole. Where it is not
    so, or rows are dropped or replaced, the concatenation is a kernel, and a remark says what that costs and why.

    NUMERIC EFFECT: exact.

    Before, a cache and this step's rows, here for keys and values both:
    ```mlir
    func.func @main(%q: tensor<2x3x8xf32>, %cache: tensor<6x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
      %0 = mj.concat %cache, %q axis 0 : tensor<6x3x8xf32>, tensor<2x3x8xf32> -> tensor<8x3x8xf32>
      %1 = mj.sdpa %q over [%0], [%0] scale 0.5 : tensor<2x3x8xf32>, [tensor<8x3x8xf32>], [tensor<8x3x8xf32>] -> tensor<2x3x8xf32>
      return %1 : tensor<2x3x8xf32>
    }
    ```
    After `kv-in-place`:
    ```mlir
    func.func @main(%arg0: tensor<2x3x8xf32>, %arg1: tensor<6x3x8xf32>) -> tensor<2x3x8xf32> attributes {mj.entry} {
      %0 = mj.sdpa %arg0 over[%arg1, %arg0], [%arg1, %arg0] scale 5.000000e-01 : tensor<2x3x8xf32>,
          [tensor<6x3x8xf32>, tensor<2x3x8xf32>], [tensor<6x3x8xf32>, tensor<2x3x8xf32>] -> tensor<2x3x8xf32>
      return %0 : tensor<2x3x8xf32>
    }
    ```
    Remarks: `Segments` (passed: what is not copied; missed: keys and values of different rows), `State` (passed: a
    result that is a cache and new rows is written in place; missed: why not).
  }];
  let dependentDialects = ["mjolnir::mj::MjDialect", "mlir::arith::ArithDialect"];
}

def MergeProjections : Pass<"merge-projections", "mlir::ModuleOp"> {
  let summary = "Makes matmuls of one input one matmul, where the profile says that it pays";
  let description = [{
    Query, key and value projections multiply the same rows. As one matmul they are one kernel and fill the processors
    better; but each part is then some columns of a wider matrix. Weights and biases are concatenated, when the package is
    written, and `mj.slice` takes the columns of each.

    It is done where the target's profile predicts at least 5% less time: a matmul takes its launch and the longer of
    moving its bytes and computing its tiles in whole waves over the processors; where the target's kernels cannot read
    columns in place, each part costs a copy. So many rows or few, on a chip that the separate ones fill already, stay
    apart. A target that multiplies by several weights in one region needs no merging, and what pointwise operations bring
    together (gate and up) form-fusions makes one region of. The decision is one for all entries, each counting the same:
    a weight is stored once. So a weight that anything else reads keeps its matmul apart. Matmuls that an attention lies
    between are of different layers and are left alone.

    NUMERIC EFFECT: exact on the oracle; kernels may sum in another order for another shape (reassociating).

    Before:
    ```mlir
    mj.weight @q : tensor<8x4xf32> from "q"
    mj.weight @k : tensor<4x4xf32> from "k"
    func.func @main(%x: tensor<2x4xf32>) -> (tensor<2x8xf32>, tensor<2x4xf32>) attributes {mj.entry} {
      %q = mj.get_weight @q : tensor<8x4xf32>
      %k = mj.get_weight @k : tensor<4x4xf32>
      %0 = mj.matmul %x, %q {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
      %1 = mj.matmul %x, %k {transpose_b} : tensor<2x4xf32>, tensor<4x4xf32> -> tensor<2x4xf32>
      return %0, %1 : tensor<2x8xf32>, tensor<2x4xf32>
    }
    ```
    After `merge-projections{force=true}`:
    ```mlir
    mj.weight @q : tensor<8x4xf32> from "q"
    mj.weight @k : tensor<4x4xf32> from "k"
    func.func @main(%arg0: tensor<2x4xf32>) -> (tensor<2x8xf32>, tensor<2x4xf32>) attributes {mj.entry} {
      %0 = mj.get_weight @q : tensor<8x4xf32>
      %1 = mj.get_weight @k : tensor<4x4xf32>
      %2 = mj.concat %0, %1 axis 0 : tensor<8x4xf32>, tensor<4x4xf32> -> tensor<12x4xf32>
      %3 = mj.matmul %arg0, %2 {transpose_b} : tensor<2x4xf32>, tensor<12x4xf32> -> tensor<2x12xf32>
      %4 = mj.slice %3 from [0, 0] by [1, 1] : tensor<2x12xf32> -> tensor<2x8xf32>
      %5 = mj.slice %3 from [0, 8] by [1, 1] : tensor<2x12xf32> -> tensor<2x4xf32>
      return %4, %5 : tensor<2x8xf32>, tensor<2x4xf32>
    }
    ```
  }];
  let options = [
    Option<"target", "target", "std::string", "\"host\"", "The target, as in mjolnir-compile --target">,
    Option<"force", "force", "std::string", "\"auto\"", "auto: where it pays; true: wherever it can be; false: nowhere">,
    ListOption<"rules", "rules", "std::string", "Changes to the target's fusion rules, such as no-parallel-matmuls">,
  ];
  let dependentDialects = ["mjolnir::mj::MjDialect", "mlir::arith::ArithDialect"];
}

def NarrowActivations : Pass<"narrow-activations", "mlir::ModuleOp"> {
  let summary = "Stores activations, matrices and the KV cache in bf16";
  let description = [{
    The imported program is f32 throughout. This pass stores its activations (f32 or f16) and KV cache in bf16, and
    converts the matrices and biases of an f32 or f16 checkpoint. Sums of matmuls, norms, softmax and rotary embeddings
    stay f32 inside their kernels, each result is rounded once. What leaves the program or is sampled stays f32: logits,
    and pointwise operations on them. So do norm weights and rotary tables. Arguments and results of plain entries keep
    their types; arguments are rounded on the way in.

    NUMERIC EFFECT: lossy (bf16 rounding of every stored activation). The gate: an error against the f32 program of at
    most twice that of another implementation's bf16 run.

    Before:
    ```mlir
    mj.weight @w : tensor<8x4xf32> from "w"
    func.func @main(%x: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
      %w = mj.get_weight @w : tensor<8x4xf32>
      %0 = mj.norm rms %x eps 0.0 : tensor<2x4xf32> -> tensor<2x4xf32>
      %1 = mj.matmul %0, %w {transpose_b} : tensor<2x4xf32>, tensor<8x4xf32> -> tensor<2x8xf32>
      %2 = mj.matmul %1, %w : tensor<2x8xf32>, tensor<8x4xf32> -> tensor<2x4xf32>
      return %2 : tensor<2x4xf32>
    }
    ```
    After `narrow-activations`:
    ```mlir
    mj.weight @w : tensor<8x4xf32> from "w"
    func.func @main(%arg0: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
      %0 = arith.truncf %arg0 : tensor<2x4xf32> to tensor<2x4xbf16>
      %1 = mj.get_weight @w : tensor<8x4xf32>
      %2 = mj.norm rms %0 eps 0.000000e+00 : tensor<2x4xbf16> -> tensor<2x4xbf16>
      %3 = arith.truncf %1 : tensor<8x4xf32> to tensor<8x4xbf16>
      %4 = mj.matmul %2, %3 {transpose_b} : tensor<2x4xbf16>, tensor<8x4xbf16> -> tensor<2x8xbf16>
      %5 = arith.truncf %1 : tensor<8x4xf32> to tensor<8x4xbf16>
      %6 = mj.matmul %4, %5 : tensor<2x8xbf16>, tensor<8x4xbf16> -> tensor<2x4xf32>
      return %6 : tensor<2x4xf32>
    }
    ```
  }];
  let dependentDialects = ["mjolnir::mj::MjDialect", "mlir::arith::ArithDialect"];
}

def WidenWeights : Pass<"widen-weights", "mlir::ModuleOp"> {
  let summary = "Stores f16 matrices in f32";
  let description = [{
    The counterpart of `narrow-activations` in a program that keeps f32: matrices and tables of an f16 checkpoint are
    converted once, when the package is written, so that kernels multiply bf16 or f32. bf16 matrices stay: that they are
    half as large costs no digit.

    NUMERIC EFFECT: exact.

    Before:
    ```mlir
    mj.weight @w : tensor<4x8xf16> from "w"
    func.func @main(%x: tensor<2x8xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
      %w = mj.get_weight @w : tensor<4x8xf16>
      %y = mj.matmul %x, %w {transpose_b} : tensor<2x8xf32>, tensor<4x8xf16> -> tensor<2x4xf32>
      return %y : tensor<2x4xf32>
    }
    ```
    After `widen-weights`:
    ```mlir
    mj.weight @w : tensor<4x8xf16> from "w"
    func.func @main(%arg0: tensor<2x8xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
      %0 = mj.get_weight @w : tensor<4x8xf16>
      %1 = arith.extf %0 : tensor<4x8xf16> to tensor<4x8xf32>
      %2 = mj.matmul %arg0, %1 {transpose_b} : tensor<2x8xf32>, tensor<4x8xf32> -> tensor<2x4xf32>
      return %2 : tensor<2x4xf32>
    }
    ```
  }];
  let dependentDialects = ["mjolnir::mj::MjDialect", "mlir::arith::ArithDialect"];
}

def QuantizeFp8 : Pass<"quantize-fp8", "mlir::ModuleOp"> {
  let summary = "Multiplies by weights in f8E4M3FN, and keeps the KV cache in it";
  let description = [{
    E4M3 with fixed scales. A weight is stored as `e4m3_saturating(f32(w) / scale)` with `scale = amax / 448` a row (or one
    for all); it is quantized from what the checkpoint holds, when the package is written, once for all entries. What is
    multiplied by it stays as it is, or becomes `e4m3_saturating(f32(x) * 448 / amax)` with one amax for the whole model
    (`activation-amax`) or one a weight from the calibration; nothing is measured while the model runs. The sum is scaled in
    f32. `matmuls=auto` chooses for each matmul: f8 by f8 where the target multiplies f8 faster than bf16 and there are more
    rows than those that bf16 multiplies while the weight, a byte an element, is read. The matmul that makes the logits is
    left alone unless `head` is set, and so is a table that is gathered from.

    `kv-cache` stores the KV cache in f8E4M3FN, each head's keys and values divided by a scale: `kv-amax / 448`, or what the
    calibration says.

    `include` and `exclude` are patterns (`*`, `?`, `[a-z]`, `{a,b}`) for the names of weights: their symbols (`l0.q_proj`) or
    what the checkpoint calls them (`model.layers.0.self_attn.q_proj.weight`). Without `include` all are meant. A pattern
    that is like no name is an error. `calibration` is a JSON file, all of whose fields may be left out:

        {"activations": {"l0.q_proj": 12.5, "model.layers.0.mlp.down_proj.weight": 201},
         "kv": [{"key": [18.5, 20.25], "value": [3.5, 4]}, ...]}

    with the largest magnitude of the rows that a weight multiplies, and for each layer of each KV head. Remarks say for each
    matmul what was done or why not, and the totals.

    NUMERIC EFFECT: lossy (4 bits of significand). The gate: perplexity on trained weights rises by at most 1% with all
    matmuls but the head in f8 by f8, by at most 0.5% with the KV cache in it.

    Before:
    ```mlir
    mj.weight @w : tensor<8x4xbf16> from "w"
    func.func @main(%x: tensor<2x4xbf16>) -> tensor<2x8xbf16> attributes {mj.entry} {
      %w = mj.get_weight @w : tensor<8x4xbf16>
      %y = mj.matmul %x, %w {transpose_b} : tensor<2x4xbf16>, tensor<8x4xbf16> -> tensor<2x8xbf16>
      return %y : tensor<2x8xbf16>
    }
    ```
    After `quantize-fp8{matmuls=full}`:
    ```mlir
    mj.weight @w : tensor<8x4xbf16> from "w"
    func.func @main(%arg0: tensor<2x4xbf16>) -> tensor<2x8xbf16> attributes {mj.entry} {
      %0 = mj.quantize %arg0 by 7.000000e+00 : tensor<2x4xbf16> -> tensor<2x4xf8E4M3FN>
      %1 = mj.get_weight @w : tensor<8x4xbf16>
      %2 = mj.channel_scale %1 : tensor<8x4xbf16> -> tensor<8xf32>
      %3 = mj.quantize_channels %1 by %2 : tensor<8x4xbf16>, tensor<8xf32> -> tensor<8x4xf8E4M3FN>
      %4 = mj.matmul %0, %3 scaled by %2 {transpose_b, x_scale = 0.142857149 : f32} : tensor<2x4xf8E4M3FN>,
          tensor<8x4xf8E4M3FN>, tensor<8xf32> -> tensor<2x8xbf16>
      return %4 : tensor<2x8xbf16>
    }
    ```
  }];
  let options = [
    Option<"target", "target", "std::string", "\"host\"", "The target, as in mjolnir-compile --target">,
    Option<"matmuls", "matmuls", "std::string", "\"auto\"",
           "auto: by rows and target; weights: f8 weights only; full: f8 by f8; none">,
    Option<"weightScales", "weight-scales", "std::string", "\"channel\"", "channel: a scale a row of a weight; tensor: one">,
    Option<"activationAmax", "activation-amax", "float", "64.0f", "Largest magnitude of rows that are quantized">,
    ListOption<"include", "include", "std::string", "Patterns of weights to quantize">,
    ListOption<"exclude", "exclude", "std::string", "Patterns of weights to leave alone">,
    Option<"head", "head", "bool", "false", "Quantize the matmul that makes the logits, too">,
    Option<"kvCache", "kv-cache", "bool", "false", "Store the KV cache in f8E4M3FN">,
    Option<"kvAmax", "kv-amax", "float", "448.0f", "Largest magnitude of keys and values">,
    Option<"calibration", "calibration", "std::string", "\"\"", "File of measured magnitudes">,
  ];
  let dependentDialects = ["mjolnir::mj::MjDialect", "mlir::arith::ArithDialect"];
}

def FormFusions : Pass<"form-fusions", "mlir::ModuleOp"> {
  let summary = "Groups operations into regions, one kernel each";
  let description = [{
    Wraps every operation that touches data in an `mj.fusion`. Each starts as a region of its own. Regions are joined by
    steps, in the order of what they save; what one leaves alone is there for the next:

    1. Broadcasts are repeated in each region that reads them.
    2. Matmuls of one input and several weights (q, k, v; gate, up) become one grid (rule `parallel-matmuls`).
    3. What follows an anchor becomes its epilogue: pointwise operations of its shape (bias, activation, residual),
       quantization (`quantize-epilogue`), reshapes, norms and rotations of heads and the write to the cache
       (`head-epilogue`). Two matmuls of the same input and shape whose results meet there (gate and up) are joined with
       or without a rule. An epilogue leaves no more results than there were, unless `epilogue-results`. Anchors other
       than matmuls by transposed weights have one by `anchor-epilogue`.
    4. What feeds attention head by head, and the append of this step's keys and values, join it where each sequence has
       one row (`attention-prologue`): then whoever reads a row from the cache is who appends it.
    5. What feeds matmuls row by row (norms, and what is pointwise about them) is repeated in each block of each of them
       (`norm-prologue-rows=N`: for up to N rows), if what that saves is more than what it repeats.
    6. Row-wise operations that are connected become one region, and (`parallel-rows`) those that read one region's
       results on the same rows.
    7. Pointwise regions with one reader join it; those with several are repeated in all of them where that saves more
       than it costs (`recompute-producers`).

    Rules are the target's (`FusionRules`), `rules` changes them. No rule may join regions that a third lies between, or
    an operation to one that reads all rows of it: the regions can run in the order that they are in. All joins are
    weighed in one place: bytes that need not move, at the profile's copy bandwidth, and launches that are saved, against operations
    that are repeated, at the rate of its vector units. A remark for each states the numbers; a remark for each refusal,
    the reason.

    Weights, batch fields and what depends on weights alone stay outside, and so do reshapes that are a region's only work:
    they move nothing. What nothing reads is dropped. With `unfused` every operation is a region of its own: the oracle.

    NUMERIC EFFECT: exact on the oracle's f32; with narrowed activations, values inside a region are no longer rounded
    between operations (reassociating).

    Before, a projection and the residual:
    ```mlir
    mj.weight @down : tensor<4x8xf32> from "down"
    func.func @main(%x: tensor<2x8xf32>, %h: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
      %w = mj.get_weight @down : tensor<4x8xf32>
      %0 = mj.matmul %x, %w {transpose_b} : tensor<2x8xf32>, tensor<4x8xf32> -> tensor<2x4xf32>
      %1 = arith.addf %h, %0 : tensor<2x4xf32>
      return %1 : tensor<2x4xf32>
    }
    ```
    After `form-fusions`:
    ```mlir
    mj.weight @down : tensor<4x8xf32> from "down"
    func.func @main(%arg0: tensor<2x8xf32>, %arg1: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
      %0 = mj.get_weight @down : tensor<4x8xf32>
      %1 = mj.fusion(%arg2 = %arg0 : tensor<2x8xf32>, %arg3 = %0 : tensor<4x8xf32>, %arg4 = %arg1 : tensor<2x4xf32>)
          -> tensor<2x4xf32> {
        %2 = mj.matmul %arg2, %arg3 {transpose_b} : tensor<2x8xf32>, tensor<4x8xf32> -> tensor<2x4xf32>
        %3 = arith.addf %arg4, %2 : tensor<2x4xf32>
        mj.yield %3 : tensor<2x4xf32>
      }
      return %1 : tensor<2x4xf32>
    }
    ```
  }];
  let options = [
    Option<"unfused", "unfused", "bool", "false", "One region an operation">,
    Option<"target", "target", "std::string", "\"host\"", "The target, as in mjolnir-compile --target">,
    ListOption<"rules", "rules", "std::string",
               "Changes to the target's fusion rules: norm-prologue-rows=N, parallel-matmuls, no-parallel-matmuls, ...">,
  ];
  let dependentDialects = ["mjolnir::mj::MjDialect"];
}

def SelectSchedules : Pass<"select-schedules", "mlir::ModuleOp"> {
  let summary = "Chooses a schedule for each region and an encoding for each weight";
  let description = [{
    Asks the target for the schedule of every region, with its parameters: `cuda.small_matmul` with the columns a block,
    say, which follow from the shape and the chip. The encoding of a weight is chosen once for all entries, so that
    prefill, decode and the gather of a tied embedding read the same bytes: where the target wants one, `mj.pack` is put
    behind the weight. Regions that read a weight in another way than by multiplication or gather read it row-major:
    then it is stored twice, which a remark says. With a tuning table (docs/tuning.md) a region gets the schedule that
    was measured to be the fastest, if the target lists it among those that it can compile the region with: a remark
    says so, or why not.

    With `libraries` a region that one of them computes as a whole, epilogue included, gets a schedule of that library's name
    instead, and becomes a call of it. What a library could compute only a part of stays a kernel; remarks say which are
    calls, and why others are not.

    NUMERIC EFFECT: exact; with `libraries` reassociating, as the library adds up in its own order; a tuning table may change
    the order of sums, too.

    Before:
    ```mlir
    mj.weight @w : tensor<32x16xbf16> from "w"
    func.func @main(%x: tensor<4x16xbf16>) -> tensor<4x32xbf16> attributes {mj.entry} {
      %w = mj.get_weight @w : tensor<32x16xbf16>
      %0 = mj.fusion(%a = %x : tensor<4x16xbf16>, %b = %w : tensor<32x16xbf16>) -> tensor<4x32xbf16> {
        %1 = mj.matmul %a, %b {transpose_b} : tensor<4x16xbf16>, tensor<32x16xbf16> -> tensor<4x32xbf16>
        mj.yield %1 : tensor<4x32xbf16>
      }
      return %0 : tensor<4x32xbf16>
    }
    ```
    After `select-schedules{target=host:x86-64-v3}`:
    ```mlir
    mj.weight @w : tensor<32x16xbf16> from "w"
    func.func @main(%arg0: tensor<4x16xbf16>) -> tensor<4x32xbf16> attributes {mj.entry} {
      %0 = mj.get_weight @w : tensor<32x16xbf16>
      %1 = mj.pack %0 : tensor<32x16xbf16> to tensor<32x16xbf16, #mj.encoding<"rows16x2">>
      %2 = mj.fusion(%arg1 = %arg0 : tensor<4x16xbf16>, %arg2 = %1 : tensor<32x16xbf16, #mj.encoding<"rows16x2">>)
          -> tensor<4x32xbf16> schedule #mj.schedule<"host.matmul"> {
        %3 = mj.matmul %arg1, %arg2 {transpose_b} : tensor<4x16xbf16>, tensor<32x16xbf16, #mj.encoding<"rows16x2">>
            -> tensor<4x32xbf16>
        mj.yield %3 : tensor<4x32xbf16>
      }
      return %2 : tensor<4x32xbf16>
    }
    ```
  }];
  let options = [
    Option<"target", "target", "std::string", "\"host\"", "The target, as in mjolnir-compile --target">,
    Option<"oracle", "oracle", "bool", "false", "The target's plain schedules, weights row-major">,
    ListOption<"libraries", "libraries", "std::string", "Libraries that may compute regions: cublaslt">,
    Option<"tuning", "tuning", "std::string", "\"\"", "A tuning table, as in mjolnir-compile --tuning">,
  ];
  let dependentDialects = ["mjolnir::mj::MjDialect"];
}

def HoistWeightComputation : Pass<"hoist-weight-computation", "mlir::ModuleOp"> {
  let summary = "Moves what depends on weights alone to packaging";
  let description = [{
    Conversions, packing and rotary tables are computed once, when the package is written: each becomes an `mj.prepare`,
    and the entries read its result. Equal computations of several entries become one. Weights that nothing reads are
    dropped.

    NUMERIC EFFECT: exact.

    Before:
    ```mlir
    mj.weight @w : tensor<32x16xf16> from "w"
    func.func @main() -> tensor<32x16xbf16> attributes {mj.entry} {
      %w = mj.get_weight @w : tensor<32x16xf16>
      %0 = arith.extf %w : tensor<32x16xf16> to tensor<32x16xf32>
      %1 = arith.truncf %0 : tensor<32x16xf32> to tensor<32x16xbf16>
      return %1 : tensor<32x16xbf16>
    }
    ```
    After `hoist-weight-computation`:
    ```mlir
    mj.weight @w : tensor<32x16xf16> from "w"
    mj.prepare @w.converted : tensor<32x16xbf16> {
      %0 = mj.get_weight @w : tensor<32x16xf16>
      %1 = arith.extf %0 : tensor<32x16xf16> to tensor<32x16xf32>
      %2 = arith.truncf %1 : tensor<32x16xf32> to tensor<32x16xbf16>
      mj.yield %2 : tensor<32x16xbf16>
    }
    func.func @main() -> tensor<32x16xbf16> attributes {mj.entry} {
      %0 = mj.get_weight @w.converted : tensor<32x16xbf16>
      return %0 : tensor<32x16xbf16>
    }
    ```
  }];
  let dependentDialects = ["mjolnir::mj::MjDialect"];
}

def PlanPagedKv : Pass<"plan-paged-kv", "mlir::ModuleOp"> {
  let summary = "Makes the KV cache a pool of pages";
  let description = [{
    The cache that the entries share becomes an `exec.kv_pool`: tokens a page, element type, layout and bytes a
    page. How many pages there are is left to the load; `mjolnir-inspect --sessions` computes it. When every layer
    that an attention reads has a window, the pool has the largest of them: a sequence then needs pages for the
    window and the rows of a step, however long it gets. Layers that nothing reads do not count.

    A page holds all layers of its pool. Where some layers have a window and others not, those that have one get a pool
    of their own, which keeps the largest of their windows: the cache that entries take and return becomes two, each
    with its layers counted from 0. Both pools have pages of the same size, and block tables and slots of their own.
    They stay together where sequences cannot get longer than the window.

    NUMERIC EFFECT: exact.

    Before, pages of 16 tokens:
    ```mlir
    module attributes {mj.page_size = 16 : i64} {
      func.func @step(%q: tensor<1x1x4xf32>, %batch: !mj.batch<1 x 1 x 4>, %kv: !mj.kv<1 x 1 x 4 x f32>)
          -> tensor<1x1x4xf32> attributes {mj.entry} {
        %0 = mj.attention %q, %kv[0] over %batch scale 0.5 window 24 : tensor<1x1x4xf32>, <1 x 1 x 4 x f32>,
            <1 x 1 x 4> -> tensor<1x1x4xf32>
        return %0 : tensor<1x1x4xf32>
      }
    }
    ```
    After `plan-paged-kv`:
    ```mlir
    module attributes {mj.page_size = 16 : i64} {
      exec.kv_pool @kv : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512 window 24
      func.func @step(%arg0: tensor<1x1x4xf32>, %arg1: !mj.batch<1 x 1 x 4>, %arg2: !mj.kv<1 x 1 x 4 x f32>) ->
          tensor<1x1x4xf32> attributes {mj.entry} {
        %0 = mj.attention %arg0, %arg2[0] over %arg1 scale 5.000000e-01 window 24 : tensor<1x1x4xf32>, <1 x 1 x 4 x
            f32>, <1 x 1 x 4> -> tensor<1x1x4xf32>
        return %0 : tensor<1x1x4xf32>
      }
    }
    ```

    Before, a layer with a window and one without:
    ```mlir
    func.func @step(%q: tensor<1x1x4xf32>, %batch: !mj.batch<1 x 1 x 4>, %kv: !mj.kv<2 x 1 x 4 x f32>)
        -> (tensor<1x1x4xf32>, !mj.kv<2 x 1 x 4 x f32>) attributes {mj.entry} {
      %0 = mj.attention %q, %kv[0] over %batch scale 0.5 : tensor<1x1x4xf32>, <2 x 1 x 4 x f32>, <1 x 1 x 4>
          -> tensor<1x1x4xf32>
      %1 = mj.attention %0, %kv[1] over %batch scale 0.5 window 24 : tensor<1x1x4xf32>, <2 x 1 x 4 x f32>,
          <1 x 1 x 4> -> tensor<1x1x4xf32>
      return %1, %kv : tensor<1x1x4xf32>, !mj.kv<2 x 1 x 4 x f32>
    }
    ```
    After `plan-paged-kv`:
    ```mlir
    exec.kv_pool @kv : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512
    exec.kv_pool @kv_window : f32 layers 1 heads 1 head_dim 4 page_size 16 bytes_per_page 512 window 24
    func.func @step(%arg0: tensor<1x1x4xf32>, %arg1: !mj.batch<1 x 1 x 4>, %arg2: !mj.kv<1 x 1 x 4 x f32> {mj.pool =
        @kv}, %arg3: !mj.kv<1 x 1 x 4 x f32> {mj.pool = @kv_window}) -> (tensor<1x1x4xf32>, !mj.kv<1 x 1 x 4 x f32>,
        !mj.kv<1 x 1 x 4 x f32>) attributes {mj.entry} {
      %0 = mj.attention %arg0, %arg2[0] over %arg1 scale 5.000000e-01 : tensor<1x1x4xf32>, <1 x 1 x 4 x f32>, <1 x 1
          x 4> -> tensor<1x1x4xf32>
      %1 = mj.attention %0, %arg3[0] over %arg1 scale 5.000000e-01 window 24 : tensor<1x1x4xf32>, <1 x 1 x 4 x f32>,
          <1 x 1 x 4> -> tensor<1x1x4xf32>
      return %1, %arg2, %arg3 : tensor<1x1x4xf32>, !mj.kv<1 x 1 x 4 x f32>, !mj.kv<1 x 1 x 4 x f32>
    }
    ```

    Remarks: `Pool` (the bytes of a page and how they come about), `Window` (passed: what the pool, or a pool of its own
    for some layers, keeps; missed: sequences do not outgrow the window of some layers).
  }];
  let options = [
    Option<"target", "target", "std::string", "\"host\"", "The target, as in mjolnir-compile --target">,
    Option<"pageSize", "page-size", "int64_t", "0",
           "Tokens in a page of the KV cache; 0: what the module states, or 16">,
  ];
  let dependentDialects = ["mjolnir::exec::ExecDialect"];
}

def LowerToExec : Pass<"lower-to-exec", "mlir::ModuleOp"> {
  let summary = "Turns entries into launches over buffers, equal regions into one kernel";
  let description = [{
    Each region becomes an `exec.launch`, in the order of the regions; regions that are equal but for the layer of
    the KV cache share an `exec.kernel`. The cache becomes the pool that plan-paged-kv made; the batch and the
    sampling parameters become inputs, called as their fields; layers in a pool of their own for their window are found
    by `window_block_tables` and `window_slots`. Results of regions become arena buffers, or the
    outputs of the entry. The pool is one memory: an entry that uses an older version of the cache after an append
    is refused.

    An argument or a result with `mj.state` is no input or output but the memory of an `exec.state`. A region stores the new
    value where the old one lies if nothing reads the old one later and the kernel allows it (`in_place`); else the new
    one is copied there at the end of the run.

    The target says which results of a kernel may lie where an operand lies (`in_place`) and what a launch needs beside
    its operands (`scratch`: the partial results of a split decode, say), which becomes one more arena buffer.

    NUMERIC EFFECT: exact.

    Before, two regions that differ in nothing:
    ```mlir
    func.func @main(%x: tensor<4x16xf32>) -> tensor<4x16xf32> attributes {mj.entry} {
      %0 = mj.fusion(%a = %x : tensor<4x16xf32>) -> tensor<4x16xf32> schedule #mj.schedule<"host.rows"> {
        %2 = math.exp %a : tensor<4x16xf32>
        mj.yield %2 : tensor<4x16xf32>
      }
      %1 = mj.fusion(%a = %0 : tensor<4x16xf32>) -> tensor<4x16xf32> schedule #mj.schedule<"host.rows"> {
        %2 = math.exp %a : tensor<4x16xf32>
        mj.yield %2 : tensor<4x16xf32>
      }
      return %1 : tensor<4x16xf32>
    }
    ```
    After `lower-to-exec{target=host:x86-64-v3}`:
    ```mlir
    exec.entry @main inputs [#exec.binding<"argument0", tensor<4x16xf32>>] outputs [#exec.binding<"result0",
        tensor<4x16xf32>>] {
    ^bb0(%arg0: !exec.buffer, %arg1: !exec.buffer):
      %0 = exec.arena_buffer 256
      exec.launch @rows_0(%arg0, %0)
      exec.launch @rows_0(%0, %arg1)
    }
    exec.kernel @rows_0 schedule <"host.rows"> tiles 4 accesses [#exec.access<read>, #exec.access<write>] attributes
        {ops = "exp"} {
    ^bb0(%arg0: tensor<4x16xf32>):
      %0 = math.exp %arg0 : tensor<4x16xf32>
      exec.return %0 : tensor<4x16xf32>
    }
    ```

    Remarks: `Kernels` (how many regions became how many), `State` (passed: a state is stored where it lies; missed: why
    it is copied there).
  }];
  let options = [Option<"target", "target", "std::string", "\"host\"", "The target, as in mjolnir-compile --target">];
  let dependentDialects = ["mjolnir::exec::ExecDialect"];
}

def PlanMemory : Pass<"plan-memory", "mlir::ModuleOp"> {
  let summary = "Gives every arena buffer an offset";
  let description = [{
    A buffer lives from the first step that touches it to the last. A launch writes its result over an operand that
    no later step reads, where its kernel allows it and the two are equally large. Buffers are placed largest first,
    each at the lowest offset where no buffer that lives at the same time lies; while that needs more than the
    largest live set, other orders are tried and the best is kept. An entry has one arena, since it is one stream.

    NUMERIC EFFECT: exact.

    Before:
    ```mlir
    exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
    ^bb0(%x: tensor<16xf32>):
      exec.return %x : tensor<16xf32>
    }
    exec.entry @chain inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y", tensor<16xf32>>] {
    ^bb0(%in: !exec.buffer, %out: !exec.buffer):
      %a = exec.arena_buffer 64
      exec.launch @step(%in, %a)
      %b = exec.arena_buffer 64
      exec.launch @step(%a, %b)
      %c = exec.arena_buffer 64
      exec.launch @step(%b, %c)
      exec.launch @step(%c, %out)
    }
    ```
    After `plan-memory`:
    ```mlir
    exec.kernel @step schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
    ^bb0(%arg0: tensor<16xf32>):
      exec.return %arg0 : tensor<16xf32>
    }
    exec.entry @chain arena 128 align 64 inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y",
        tensor<16xf32>>] {
    ^bb0(%arg0: !exec.buffer, %arg1: !exec.buffer):
      %0 = exec.arena_buffer 64 at 0
      exec.launch @step(%arg0, %0)
      %1 = exec.arena_buffer 64 at 64
      exec.launch @step(%0, %1)
      %2 = exec.arena_buffer 64 at 0
      exec.launch @step(%1, %2)
      exec.launch @step(%2, %arg1)
    }
    ```

    Remarks: `Arena` (the arena's size beside the largest live set), `InPlace` (missed: why a kernel that may write in
    place does not).
  }];
  let options = [
    Option<"target", "target", "std::string", "\"host\"", "The target, as in mjolnir-compile --target">,
    Option<"alignment", "alignment", "int64_t", "0", "Alignment of every offset, bytes; 0: the target's">,
  ];
  let dependentDialects = ["mjolnir::exec::ExecDialect"];
}

def Schedule : Pass<"schedule", "mlir::ModuleOp"> {
  let summary = "Says which steps may overlap, which start early, what is replayed as a graph";
  let description = [{
    Steps stay in their order. Each names the steps that it waits for: those that write what it touches and those
    that read what it writes, over the arena with its reused places, the layers of the KV pool, inputs and outputs;
    without those that others of them wait for. Steps without a path between them may overlap.

    A launch right behind another is `dependent`: where the device runs the steps as one stream and knows dependent
    launches (on CUDA, programmatic dependent launch), it starts when the one before says so, fetches weights, and
    waits for its completion, and so for that of all before, until it touches anything else. A copy cannot let a
    launch start: no such edge leaves or enters anything but launches. An entry of several steps is replayed as one
    `graph`. A device that runs the steps one after the other loses nothing.

    NUMERIC EFFECT: exact.

    Before, two launches that read what the first wrote, and one that reads both results:
    ```mlir
    exec.kernel @one schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
    ^bb0(%x: tensor<16xf32>):
      exec.return %x : tensor<16xf32>
    }
    exec.kernel @two schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<read>,
        #exec.access<write>] {
    ^bb0(%x: tensor<16xf32>, %y: tensor<16xf32>):
      exec.return %x : tensor<16xf32>
    }
    exec.entry @diamond arena 192 align 64 inputs [#exec.binding<"x", tensor<16xf32>>] outputs [#exec.binding<"y",
        tensor<16xf32>>] {
    ^bb0(%in: !exec.buffer, %out: !exec.buffer):
      %a = exec.arena_buffer 64 at 0
      %b = exec.arena_buffer 64 at 64
      %c = exec.arena_buffer 64 at 128
      exec.launch @one(%in, %a)
      exec.launch @one(%a, %b)
      exec.launch @one(%a, %c)
      exec.launch @two(%b, %c, %out)
    }
    ```
    After `schedule`:
    ```mlir
    exec.kernel @one schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<write>] {
    ^bb0(%arg0: tensor<16xf32>):
      exec.return %arg0 : tensor<16xf32>
    }
    exec.kernel @two schedule <"host.rows"> tiles 1 accesses [#exec.access<read>, #exec.access<read>,
        #exec.access<write>] {
    ^bb0(%arg0: tensor<16xf32>, %arg1: tensor<16xf32>):
      exec.return %arg0 : tensor<16xf32>
    }
    exec.entry @diamond arena 192 align 64 graph inputs [#exec.binding<"x", tensor<16xf32>>] outputs
        [#exec.binding<"y", tensor<16xf32>>] {
    ^bb0(%arg0: !exec.buffer, %arg1: !exec.buffer):
      %0 = exec.arena_buffer 64 at 0
      %1 = exec.arena_buffer 64 at 64
      %2 = exec.arena_buffer 64 at 128
      exec.launch @one(%arg0, %0) after []
      exec.launch @one(%0, %1) after [0] dependent
      exec.launch @one(%0, %2) after [0] dependent
      exec.launch @two(%1, %2, %arg1) after [1, 2] dependent
    }
    ```

    Remarks: `Steps` (how many steps, edges and dependent launches, how many steps follow one another at least, and how
    many there are side by side at most), `Dependent` (missed: why a launch does not start early).
  }];
  let dependentDialects = ["mjolnir::exec::ExecDialect"];
}

def VerifyPhase : Pass<"verify-phase", "mlir::ModuleOp"> {
  let summary = "Checks what the next phase may rely on";
  let description = [{
    `input`: there is an entry; entries hold operations of `mj` and pointwise `arith` and `math` on tensors with
    rows, of element types that kernels know. `graph`, `numerics`: entries have static shapes, too, and constants are
    one number: masks were recognized, other data belongs into the checkpoint. `fusion`:
    outside regions there are only weights, what depends on them alone, batch fields and reshapes; a region has one
    anchor at most (matmuls of one input are one), computes nothing that one of its operations reads whole, holds
    what mixes rows alone, works on one number of rows, and appends to the cache that it attends to only where each
    sequence has one row. `schedule`: every region has a schedule and nothing but regions computes. `plan`: only
    planned programs are left, every arena buffer has its place, aligned, and no two that live at the same time
    overlap, unless a launch may write one over the other; a step waits for every earlier one that conflicts with
    it, and only launches start early, after one launch; kernels read no further back than the KV pool keeps.
    `code`: there is an image if there are kernels.

    NUMERIC EFFECT: exact.

    ```mlir
    func.func @main(%x: tensor<2x4xf32>) -> tensor<2x4xf32> attributes {mj.entry} {
      %0 = arith.negf %x : tensor<2x4xf32>
      return %0 : tensor<2x4xf32>
    }
    ```
    Refused by `verify-phase{phase=fusion}`:
    ```text
    error: 'arith.negf' is left outside the regions after form-fusions
    ```
  }];
  let options = [Option<"phase", "phase", "std::string", "\"\"", "The phase that the module is in">];
}

#endif
